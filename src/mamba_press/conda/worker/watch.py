"""Ending what does not end by itself."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mamba_press.conda.worker import Json, RefusedError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from mamba_press.conda.worker.package_check import Gate

_OFTEN = 10.0
"""Seconds after which a process that works says so."""

_A_BYTE = 30_000
"""Nanoseconds of processor time; one byte from a server costs three times as many."""


class Task:
    """What the request at hand has asked of servers: one is served at a time."""

    def __init__(self) -> None:
        self.begin()

    def begin(self, request: Json | None = None) -> None:
        """Forget the request before this one."""
        questions = (request or {}).get("questions", [request or {}])
        self.channels = [urlsplit(url) for question in questions for url in question.get("channels", ())]
        self.asked: list[tuple[float, str]] = []
        self.awaited: dict[int, str] = {}
        self.gate: Gate | None = None

    def note(self, host: str, path: str) -> None:
        """Keep what is asked, and when; rattler calls this before each attempt, and names no scheme and no port."""
        server = next((f"{url.scheme}://{url.netloc}" for url in self.channels if url.hostname == host), host)
        self.asked.append((time.monotonic(), f"{server}{path}"))

    def addresses(self, since: float) -> list[str]:
        """Return what has not been answered: the archives that are awaited, else what was asked last in each folder."""
        last = {url.rpartition("/")[0]: url for asked, url in self.asked if asked >= since - 1}
        return list(dict.fromkeys([*self.awaited.values()] or [*last.values()] or [url for _, url in self.asked[-1:]]))

    def waits_for_another(self) -> bool:
        """Tell whether another process may be why nothing is done; only Linux says so, else what asks nothing may."""
        return _waits_for_a_lock() if sys.platform == "linux" else not self.asked

    def end(self, refused: RefusedError, say: Callable[[Json], None]) -> None:
        """Say why, leave nothing half extracted in the cache, which rattler has locked for us, and end the process."""
        try:
            for _, left in self.gate.extracting() if self.gate else ():
                shutil.rmtree(left, ignore_errors=True)
            say({**refused.answer, "ended": True})
        finally:
            os._exit(0)

    def watch(self, patience: float, say: Callable[[Json], None], done: threading.Event) -> None:
        """End the process when it has done nothing for so many seconds, and say now and then that it is there.

        rattler's client has no time limit but one for a whole transfer, and says nothing about the lists of packages.
        But every byte that comes costs some processor time, and a process that waits uses none. Without memory for its
        threads, rattler waits for ever without having asked for anything.
        """
        busy, since, pause = 0, time.monotonic(), 0.25
        told, silent = since, 0.0  # by our own pauses: a machine that has no time for us does not make others silent
        while not done.wait(pause):
            now = time.monotonic()
            silent += min(pause, 0.5)
            if now - told > _OFTEN:
                told = now
                say({"event": "alive"})
            used = time.process_time_ns() - time.thread_time_ns()
            if used - busy > _A_BYTE or self.waits_for_another():
                busy, since, silent = used, now, 0.0
            elif silent > patience:
                self.end(RefusedError("silent", seconds=patience, addresses=self.addresses(since)), say)
            if self.gate:
                self.gate.look_while_extracted()
            pause = max(0.25, 20 * (time.monotonic() - now))


TASK = Task()


def _waits_for_a_lock() -> bool:
    """Tell, on Linux, whether another process holds a lock that this one waits for: that one is watched, too."""
    try:
        locks = Path("/proc/locks").read_text("ascii")
    except OSError:
        return False
    return re.search(rf"->.* {os.getpid()} ", locks) is not None
