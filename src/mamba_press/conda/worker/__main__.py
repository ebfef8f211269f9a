"""Serves, on whichever interpreter has rattler."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from mamba_press.conda.worker import Json


def find_ourselves() -> None:
    """Make mamba-press known by where this file lies: what lies beside it is for another interpreter."""
    here = Path(__file__).resolve()
    # This folder must not offer its modules as top-level ones.
    sys.path[:] = [place for place in sys.path if Path(place).resolve() != here.parent]
    found = spec_from_file_location("mamba_press", here.parents[2] / "__init__.py")
    assert found is not None
    assert found.loader is not None
    sys.modules["mamba_press"] = module_from_spec(found)
    found.loader.exec_module(sys.modules["mamba_press"])


def main() -> None:
    """Serve requests until stdin ends, and then end at once, whatever rattler's threads are doing."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # Whatever prints must not end up among the answers.

    writing = threading.Lock()  # rattler's callbacks come from threads of its own.

    def say(answer: Json) -> None:
        with writing:
            answers.write(json.dumps(answer) + "\n")
            answers.flush()

    requests: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_read, args=(requests,), daemon=True).start()
    try:
        while True:
            say(_serve(json.loads(requests.get()), say))
    except BaseException:  # noqa: BLE001 - at a normal exit, rattler's threads may crash and hide what happened
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def _read(requests: SimpleQueue[bytes]) -> None:
    """Pass on what is asked, also while something is being done: who asks may end at any moment."""
    for line in sys.stdin.buffer:
        requests.put(line)
    os._exit(0)


def _serve(request: Json, say: Callable[[Json], None]) -> Json:
    from mamba_press.conda.worker import RefusedError, fetch, records, solve
    from mamba_press.conda.worker.watch import TASK

    try:
        import rattler  # noqa: F401 - here only to know early whether it is there
    except ImportError as error:
        return {"error": "rattler", "text": str(error), "python": sys.executable, "version": sys.version.split()[0]}
    tasks = {
        "solve": solve.solve,
        "locate": solve.locate,
        "fetch": fetch.fetch,
        "inspect": fetch.inspect,
        "cached": fetch.cached,
        "write-lock": records.write_lock,
        "read-lock": records.read_lock,
    }
    TASK.begin(request)
    done = threading.Event()
    threading.Thread(target=TASK.watch, args=(request["patience"], say, done), daemon=True).start()
    try:
        return {"result": asyncio.run(tasks[request["do"]](request, say))}
    except RefusedError as refused:
        return refused.answer
    except BaseException as error:  # noqa: BLE001 - rattler's errors have no common base, and its panics are no Exception
        return {"error": "failed", "text": f"{type(error).__name__}: {error}", "ended": True}
    finally:
        done.set()


if __name__ == "__main__":
    find_ourselves()
    main()
