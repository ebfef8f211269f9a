"""Calls one hook of an inner backend: a script that runs as a process of its own, in the project's folder.

It imports nothing of mamba-press. What to call is the JSON in its first argument; what came of it is written as JSON
into the file that its second argument names, because whatever a backend runs may print.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any


def main(question: dict[str, Any]) -> dict[str, object]:
    """Return the hook's result, or why there is none; what the hook itself raises passes through.

    Without arguments (null) it is only looked for.
    """
    # This script's folder must not offer its neighbours as top-level modules (https://peps.python.org/pep-0517/).
    here = Path(__file__).resolve().parent
    sys.path[:] = [*question["path"], *(place for place in sys.path if place and Path(place).resolve() != here)]
    module, _, names = question["backend"].partition(":")
    try:
        backend: Any = import_module(module)
        for name in filter(None, names.split(".")):
            backend = getattr(backend, name)
    except (ImportError, AttributeError) as error:
        return {"no-backend": str(error)}
    hook = getattr(backend, question["hook"], None)
    if hook is None:
        return {"no-hook": True}
    return {"result": None if question["arguments"] is None else hook(*question["arguments"])}


if __name__ == "__main__":
    _, asked, place = sys.argv  # taken now: backends write their own into it
    answer = main(json.loads(asked))
    Path(place).write_text(json.dumps(answer), encoding="utf-8")
