"""Calls to rattler: start the worker, hear what it says, and end it whatever happens."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Any

from mamba_press import atomic, interrupts, log, messages
from mamba_press.conda import worker_errors
from mamba_press.errors import ConfigError, FetchError, PressError, Problem
from mamba_press.types import Target

Json = dict[str, Any]

WORKER = "MAMBA_PRESS_WORKER"
"""The variable that names another interpreter to run rattler on."""

PATIENCE = 60.0
"""The seconds without a byte from a server after which a transfer is given up; the whole may take any time."""

_GRACE = 30.0
"""How much longer the worker itself is given, which ends at `PATIENCE` where it can say why."""

_PLACES = {"cache": "RATTLER_CACHE_DIR", "prefix": "TMPDIR", "path": "TMPDIR"}
"""What of a request names a folder of this machine, and the variable that moves it."""

_TEMPORARY = ("TMPDIR", "TMP", "TEMP")
"""The variables that name the folder for temporary files, on POSIX and on Windows."""

SCRIPT = Path(__file__).with_name("worker") / "__main__.py"


class RefusedError(FetchError):
    """An error that the worker reported: its kind, and the facts about it, for `worker_errors` to tell."""

    def __init__(self, kind: str, facts: Json) -> None:
        what = f"it refused, for the reason {kind!r}"
        super().__init__(Problem(where="rattler", what=what, hint=worker_errors.AGAIN))
        self.kind = kind
        self.facts = facts


class _Worker:
    """The process that rattler runs in, with a temporary folder of its own; `end` has to be called, whatever happens.

    It is started and ended while signals are held.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        with ExitStack() as kept:
            # A transfer that fails, and a process that is killed, leave files that rattler has not named yet.
            folder = tempfile.mkdtemp(prefix="mamba-press-")
            kept.callback(atomic.remove, folder)
            self.said = kept.enter_context(tempfile.TemporaryFile())
            self.process = _start({**environ, **dict.fromkeys(_TEMPORARY, folder)}, self.said)
            self.kept = kept.pop_all()

    def ask(self, request: Json, listen: Callable[[Json], None]) -> Json | None:
        """Return the answer, None where there is none; one with ``ended`` is the last.

        Stdin stays open: its end tells the worker that we are gone.
        """
        assert self.process.stdin
        assert self.process.stdout
        try:
            self.process.stdin.write(json.dumps(request).encode("ascii") + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return None
        for line in self.lines(self.process.stdout.fileno()):
            try:
                said = json.loads(line)
            except ValueError:
                continue  # printed by a sitecustomize, before the worker took hold of its stdout
            if not isinstance(said, dict):
                continue
            if said.get("event") == "alive":
                continue
            if "event" in said:
                listen(said)
            elif "result" in said or "error" in said:
                return said
        return None

    def lines(self, answers: int) -> Iterator[bytes]:
        """Yield what it says, and end it when it has said nothing for so long that it cannot be well.

        It says every few seconds that it is alive; without memory for a thread it may not even get there.
        """
        begun: list[bytes] = []
        while True:
            if _is_silent(answers):
                self.process.kill()
                return
            data = os.read(answers, 1 << 16)
            if not data:
                return
            ended, _, rest = data.rpartition(b"\n")
            if len(rest) < len(data):
                yield from b"".join((*begun, ended)).split(b"\n")
                begun = []
            begun.append(rest)

    def how_it_ended(self) -> Problem:
        """Say why there is no answer, once it has ended; it is given a moment to do so by itself."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=10)
        self.process.kill()
        return _ended(self.process.wait(), self.said)

    def end(self) -> None:
        """End it at once. It is in a session of its own, so that at Ctrl-C, too, nobody else does."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            with suppress(BrokenPipeError):  # when it ended before it read all of the request
                if stream:
                    stream.close()
        self.kept.close()


def _is_silent(answers: int) -> bool:
    """Wait until there is something to read, and tell whether that took too long; Windows has no such question."""
    if sys.platform == "win32":
        return False
    poll = select.poll()
    poll.register(answers, select.POLLIN)
    return not poll.poll(1000 * (PATIENCE + _GRACE))


_IDLE: ContextVar[list[_Worker] | None] = ContextVar("_IDLE", default=None)
"""The worker that waits for the next call, if any; None outside of `one_process`."""


@contextmanager
def one_process() -> Iterator[None]:
    """Let the calls in the block share one worker: each would start an interpreter and import rattler, 0.1 s.

    A block within another is part of it.
    """
    if _IDLE.get() is not None:
        yield
        return
    idle: list[_Worker] = []
    token = _IDLE.set(idle)
    with interrupts.held():
        try:
            with interrupts.released():
                yield
        finally:
            _IDLE.reset(token)
            for worker in idle:
                worker.end()


def ask(request: Json, target: Target, environ: Mapping[str, str], failure: type[PressError]) -> Json:
    """Return the worker's answer, as `call`, and tell what it is doing; what it refuses is an error with a hint."""
    try:
        return call(request, tell, environ, failure)
    except RefusedError as refused:
        refused.facts.setdefault("alike", request.get("alike", ()))
        raise worker_errors.translate(refused, target) from None
    finally:
        log.progress_end()


def tell(event: Json) -> None:
    """Say what the worker is doing: a line for each step, and a line that is redrawn on a terminal."""
    if event["event"] == "plan" and event["packages"]:
        size = f", {event['bytes'] / 1e6:.1f} MB" if event["bytes"] else ""
        new = f", {event['downloads']} to download{size}" if event["downloads"] else ""
        log.step(f"fetching {event['packages']} package{'s' * (event['packages'] != 1)}{new}")
    elif event["event"] == "fetching":
        done, expected = event["bytes"], event["expected"]
        size = f", {done / 1e6:.1f} of {expected / 1e6:.1f} MB" if expected else ""
        # Where something is downloaded, that is what takes the time.
        part = (done, expected) if done < expected else (event["linked"], event["total"])
        log.progress(f"fetching {event['name']} ({event['linked']} of {event['total']} in place{size})", *part)


def call(request: Json, listen: Callable[[Json], None], environ: Mapping[str, str], failure: type[PressError]) -> Json:
    """Return the worker's answer to a request; events go to ``listen``.

    ``environ`` is the worker's environment and says which interpreter it runs on. Raises `RefusedError` for what the
    worker itself could not do, ``failure`` where it ended without an answer, FetchError where servers were silent,
    ConfigError for a folder whose name is not UTF-8, which rattler cannot take.
    """
    ConfigError.raise_for(_not_utf8(request))
    idle = _IDLE.get()
    with interrupts.held():
        worker = idle.pop() if idle and idle[-1].environ == environ else _Worker(environ)
        if worker.process.poll() is not None:  # killed while it waited, perhaps for want of memory
            worker.end()
            worker = _Worker(environ)
        answer = None
        try:
            with interrupts.released():
                answer = worker.ask({**request, "patience": PATIENCE}, listen)
                if answer is None:
                    raise failure(worker.how_it_ended())
        finally:
            if answer is None or answer.get("ended") or idle is None:
                worker.end()
            else:
                idle.append(worker)
    if "error" not in answer:
        result: Json = answer["result"]
        return result
    if answer["error"] == "rattler":
        raise ConfigError(_no_rattler(answer))
    if answer["error"] == "silent":
        raise worker_errors.silent(answer)
    if answer["error"] == "failed":
        what = f"it failed: {worker_errors.clean(answer['text'])}"
        raise failure(Problem(where="rattler", what=what, hint=worker_errors.AGAIN))
    raise RefusedError(answer["error"], answer)


def _not_utf8(request: Json) -> Iterator[Problem]:
    for key, variable in _PLACES.items():
        path = str(request.get(key, ""))
        if any("\ud800" <= character <= "\udfff" for character in path):
            what = f"the folder {messages.printable(path)} has a name that is not UTF-8"
            yield Problem(where=variable, what=what, hint=f"set {variable} to another folder")


def _start(environ: Mapping[str, str], said: IO[bytes]) -> subprocess.Popen[bytes]:
    python = environ.get(WORKER, "")
    found = shutil.which(python, path=environ.get("PATH")) if python else sys.executable
    if found and python:
        # What a front end put on PYTHONPATH is meant for the interpreter that builds.
        environ = {key: value for key, value in environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    try:
        return subprocess.Popen(
            [found or python, str(SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            env=dict(environ),
            start_new_session=True,
        )
    except OSError as error:
        where = WORKER if python else "the interpreter that builds"
        what = f"{python or sys.executable!r} cannot be started: {error.strerror or error}"
        hint = f"set {WORKER} to an interpreter that has py-rattler, such as python3.13"
        raise ConfigError(Problem(where=where, what=what, hint=hint)) from None


def _ended(code: int, said: IO[bytes]) -> Problem:
    how = f"ended with exit code {code}"
    if code < 0:
        try:
            how = f"was ended by {signal.Signals(-code).name}"
        except ValueError:
            how = f"was ended by signal {-code}"
    said.seek(0)
    hint = "\n".join([worker_errors.AGAIN, *_last_words(said.read().decode("utf-8", "replace"))])
    return Problem(where="rattler's process", what=f"{how} before it answered", hint=hint)


def _last_words(text: str) -> list[str]:
    """Return what a process said last, without the lines of tracebacks, of which only the error says something."""
    lines = [
        line for line in text.strip().splitlines() if not re.match(r"\s|Traceback |thread '|note: |stack back", line)
    ]
    return [worker_errors.clean(line) for line in lines if line][-3:]


def _no_rattler(facts: Json) -> Problem:
    return Problem(
        where=WORKER,
        what=f"py-rattler cannot be imported by {facts['python']} (Python {facts['version']}): {facts['text']}",
        hint="install py-rattler for it: python -m pip install 'mamba-press[all]'\n"
        "free-threaded Pythons have no wheel of py-rattler: let it run on another interpreter that has it, "
        f"with {WORKER}=python3.13",
    )


_CACHES = {"win32": ("LOCALAPPDATA", "AppData/Local"), "darwin": ("", "Library/Caches")}
"""Where each system has programs' caches: the variable that says it, and the folder in the user's own."""


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Return the cache that rattler and pixi share with us."""
    if chosen := environ.get("RATTLER_CACHE_DIR"):
        return Path(chosen).absolute()
    variable, folder = _CACHES.get(sys.platform, ("XDG_CACHE_HOME", ".cache"))
    return Path(environ.get(variable) or Path.home() / folder, "rattler", "cache")
