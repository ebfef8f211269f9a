"""The only home of rattler: a program that runs as a process of its own, serves, and ends with ``os._exit``.

It imports nothing of mamba-press but itself, because it may run on another interpreter than the build. Each request is
one JSON object on a line of stdin; JSON lines go out on what was stdout: any number of events, then one result or one
error. When stdin ends, whoever asked is gone, and so is this process. py-rattler crashes the interpreter at a normal
exit after a successful await (PyO3/pyo3-async-runtimes#40): hence the process, and hence ``os._exit``.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


class RefusedError(Exception):
    """What could not be done: the kind of the error, and the facts from which its text is made."""

    def __init__(self, kind: str, **facts: object) -> None:
        super().__init__(kind)
        self.answer: Json = {"error": kind, **facts}
