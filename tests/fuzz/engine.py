"""Runs a target in a process of its own, input after input, and sees what goes wrong.

An input is a function of the target, the seed and its number, so a run can be gone on with, and a process that had to
be killed has said by its number which input it was.
"""

from __future__ import annotations

import mmap
import os
import re
import resource
import signal
import struct
import tempfile
import time
import traceback
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.fuzz import targets
from tests.fuzz.targets import Outcome, Target

SECONDS = 2.0
"""So much time of the processor one input may take."""

MEMORY = 1 << 30
"""So much memory one process may take, beyond what it has after its start."""

_LOST = 15.0
"""A process that says nothing for so long is killed: it is in code that no signal reaches."""

_BOARD = struct.Struct("<5Q2d")


@dataclass(kw_only=True, slots=True)
class Tally:
    """What came of the inputs of a target; ``next`` is the number of the first that was not made yet."""

    next: int = 0
    done: int = 0
    refused: int = 0
    faults: int = 0
    sampled: int = 0
    seconds: float = 0.0
    worst: float = 0.0
    peak: int = 0

    @property
    def inputs(self) -> int:
        """How many inputs were run."""
        return self.done + self.refused + self.faults


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What one process is to do. ``sample`` is every how many-th success is kept for others to judge, 0 for none."""

    target: str
    seed: int
    first: int
    seconds: float
    inputs: int
    corpus: Path
    faults: Path
    samples: Path
    sample: int = 0


class _TooLong(BaseException):
    """No handler of errors may take it for one."""


def chance(rng: Random, target: str, seed: int, number: int) -> Random:
    """Return the source of chance for one input."""
    rng.seed(seed << 96 | zlib.crc32(target.encode()) << 64 | number)
    return rng


@contextmanager
def scratch() -> Iterator[Path]:
    """Give an empty folder, in memory where that can be had."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


def run(plan: Plan, board: mmap.mmap) -> None:
    """Run inputs until the time or their number is up; what came of them stands on the board all the time."""
    with scratch() as folder:
        os.chdir(folder)
        target = targets.every(plan.corpus, folder)[plan.target]
        _limit()
        _loop(target, plan, board, Random())


def _limit() -> None:
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGPROF, stop)


def stop(*_: object) -> None:
    """End an input that takes too long: what SIGPROF is to do."""
    raise _TooLong


def _loop(target: Target, plan: Plan, board: mmap.mmap, rng: Random) -> None:
    done = refused = faults = 0
    due = False
    worst = 0.0
    base = peak = _resident()
    start = before = time.process_time()
    number = plan.first
    while number < plan.first + plan.inputs and before - start < plan.seconds:
        _BOARD.pack_into(board, 0, number, done, refused, faults, peak - base, worst, before - start)
        data = target.make(chance(rng, target.name, plan.seed, number))
        made = time.process_time()
        outcome = held(target, data, lambda kind, told, data=data: save(plan, data, kind, told))  # type: ignore[misc]
        before = time.process_time()
        number += 1
        if outcome is None:
            faults += 1
        elif not outcome.done:
            refused += 1
        else:
            done += 1
            due = due or (bool(plan.sample) and done % plan.sample == 0)
            if due and outcome.after and targets.is_sound(outcome.before):
                name = f"{plan.target}-{number}"
                (plan.samples / f"{name}.before").write_bytes(outcome.before)
                (plan.samples / f"{name}.after").write_bytes(outcome.after)
                due = False
        worst = max(worst, before - made)
        if number % 256 == 0:
            peak = max(peak, _resident())
    peak = max(peak, _resident())
    _BOARD.pack_into(board, 0, number, done, refused, faults, peak - base, worst, before - start)


def held(target: Target, data: bytes, say: Callable[[str, str], None]) -> Outcome | None:
    """Run one input under its limits; None, and said, where something is wrong."""
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        return target.run(data)
    except _TooLong:
        say("too long", traceback.format_exc())
    except MemoryError:
        signal.setitimer(signal.ITIMER_PROF, 0)
        say("too much memory", traceback.format_exc())
    except Exception as error:  # noqa: BLE001 - to find those that nobody thought of is what this is for
        signal.setitimer(signal.ITIMER_PROF, 0)
        say(_place(error), traceback.format_exc())
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return None


def _place(error: Exception) -> str:
    """Return what tells one fault from another: the error's type, and the line of the project that it came through."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "mamba_press" in frame.filename] or list(frames)
    words = re.sub(r"\S*[\d/.]\S*", "…", str(error)) if isinstance(error, targets.Fault) else ""
    return f"{type(error).__name__} {Path(ours[-1].filename).name}:{ours[-1].name} {words[:60]}".strip()


def save(plan: Plan, data: bytes, kind: str, told: str) -> None:
    """Keep the smallest input of each fault, with what was said."""
    path = plan.faults / f"{plan.target}-{zlib.crc32(kind.encode()):08x}.bin"
    if not path.exists() or len(data) < path.stat().st_size:
        path.write_bytes(data)
        command = f"nox -s fuzz -- replay {plan.target} {path}"
        path.with_suffix(".txt").write_text(f"{kind}\n{command}\n\n{told[-3000:]}", encoding="utf-8")


def _resident() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def supervised(plan: Plan) -> Tally:
    """Run a plan in a process of its own and return what came of it; one that dies or hangs is a fault."""
    tally = Tally(next=plan.first)
    while tally.seconds < plan.seconds and tally.next < plan.first + plan.inputs:
        board = mmap.mmap(-1, _BOARD.size)
        left = plan.first + plan.inputs - tally.next
        part = Plan(**{**_fields(plan), "first": tally.next, "seconds": plan.seconds - tally.seconds, "inputs": left})
        how = _child(part, board)
        number, done, refused, faults, peak, worst, seconds = _BOARD.unpack_from(board, 0)
        tally.done += done
        tally.refused += refused
        tally.faults += faults
        tally.seconds += seconds
        tally.peak, tally.worst = max(tally.peak, peak), max(tally.worst, worst)
        tally.next = max(number, tally.next)
        if not how:
            return tally
        tally.faults += 1
        tally.next += 1
        tally.seconds += SECONDS
        with scratch() as folder:
            made = targets.every(plan.corpus, folder)[plan.target].make(
                chance(Random(), plan.target, plan.seed, number)
            )
        save(plan, made, how, "")
    return tally


def _fields(plan: Plan) -> dict[str, object]:
    return {name: getattr(plan, name) for name in plan.__slots__}


def _child(plan: Plan, board: mmap.mmap) -> str:
    """Run a plan in a fork and wait; return what was wrong with the process, nothing where it ended by itself."""
    child = os.fork()
    if not child:
        code = 1
        try:
            run(plan, board)
            code = 0
        except BaseException:  # noqa: BLE001 - the parent must not go on in here
            traceback.print_exc()
        finally:
            os._exit(code)
    seen, since = b"", time.monotonic()
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return "" if status == 0 else f"the process ended with {os.waitstatus_to_exitcode(status)}"
        if board[:8] != seen:
            seen, since = board[:8], time.monotonic()
        if time.monotonic() - since > _LOST:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return "no end"
        time.sleep(0.05)
