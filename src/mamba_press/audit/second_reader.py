"""What was made is read again by others: LIEF reads the edited binaries, `wheel` opens the finished wheel.

One reader of ours serves the editors, their verification and the check, so none of these sees a fault in it. The others
run in a process of their own, beside the writing. What they read otherwise than we do is an error. What they cannot
read is counted; where the process ends with it, the next file gets a new one.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mamba_press import atomic, messages, platforms
from mamba_press.errors import ConfigError, Problem, Setting, Text
from mamba_press.platforms import binaries

if TYPE_CHECKING:
    from mamba_press.platforms.binaries import Data, Part
    from mamba_press.types import Entry

Json = dict[str, object]

SCRIPT = Path(__file__).with_name("second_reader_process.py")

KEY = Setting("second-reader")

PATIENCE = 20.0
"""The seconds that reading one file may take."""

MEMORY = 1 << 30
"""The bytes of memory that the process may take."""

_MOST_ENDED = 10
"""After so many processes that did not end well nothing more is asked: each may take all of `PATIENCE`."""

_REPORT = Text.of("one of the two is wrong: report it with the file; ", KEY, ' = "off" leaves the second out')
_FIELDS = {
    "needed": "needed names",
    "name": "own name",
    "search": "search path",
    "requires": "symbol versions that it needs",
    "defines": "symbol versions that it has",
    "segments": "segments",
}
_FORMATS = {each.sysconfig: each.format for each in platforms.FACTS.values()}
_SAME_ARCH = {"amd64": "x86_64", "arm64": "aarch64"}


_RELR = ["libc.so.6", ["GLIBC_ABI_DT_RELR"]]
"""Linkers before 2022 packed relocations without this version, which says so: we add it, because the tag depends on it,
and LIEF reads what is written. It is the only known difference between two sound readers."""

Rows = Mapping[str, tuple[int, str | None]]
"""The files of a wheel as we have read them: the size, and the hash where RECORD has one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What came of a round: what is read differently, by wheel; what is not read; and how many files are read alike."""

    problems: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    agreed: int = 0

    @property
    def said(self) -> str:
        """How many were read alike, in words."""
        return f"{self.agreed} {'file was' if self.agreed == 1 else 'files were'} read a second time, and alike"


class _Asked(NamedTuple):
    """A request, the file that it is about, and what we have read of that."""

    request: Json
    where: str
    ours: tuple[Part, ...] = ()


def require(mode: str, where: str | Setting = KEY) -> None:
    """Raise ConfigError where a second reader is asked for in so many words and one of the two is not installed."""
    missing = [name for name in ("lief", "wheel") if mode == "always" and not is_there(name)]
    if missing:
        what = f"asks for a second reader, and {' and '.join(missing)} cannot be imported here"
        raise ConfigError(Problem(where=where, what=what, hint="python -m pip install 'mamba-press[all]'"))


def is_there(name: str) -> bool:
    """Whether a library can be found by the process: it has our interpreter."""
    return find_spec(name) is not None


@contextmanager
def beside(*, here: str = "", whole: bool = False) -> Iterator[SecondReader]:
    """Give a reader, whose process is gone after the block.

    ``here`` is the platform whose binaries are left out, "" for none; ``whole`` says that `wheel` reads every file.
    """
    with atomic.temporary() as folder:
        reader = SecondReader(folder, here=here, whole=whole)
        try:
            yield reader
        finally:
            reader.end()


class SecondReader:
    """Rounds of requests, each with a verdict; `offer` may be called by any thread."""

    def __init__(self, folder: Path, *, here: str, whole: bool) -> None:
        self.whole = whole
        self._folder = folder
        self._here = here
        self._lock = threading.Lock()
        self._asked: dict[str, _Asked] = {}
        self._run: _Run | None = None
        self.verdicts: tuple[Verdict, ...] = ()

    def begin(self, *, lief: bool) -> None:
        """Start the process, and let it import `wheel`, and LIEF, while there is nothing to read yet."""
        self._run = _Run(self._folder)
        self._run.send({"do": "load", "names": ["lief"] * lief + ["wheel.wheelfile"]})

    def offer(self, path: str, data: Data) -> None:
        """Have a binary read, unless it can be loaded here, is broken, or is for a machine of which we read nothing."""
        try:
            parts = binaries.parts(data)
        except binaries.Malformed:
            return  # told by who reads it for what it is
        if all(_is_loadable(part, self._here) for part in parts):
            return
        with self._lock:
            if path not in self._asked:
                place = self._folder / f"{len(self._asked)}.bin"
                with suppress(OSError):  # what is not there cannot be read, which is told
                    place.write_bytes(data)
                request: Json = {"do": "read", "path": str(place), "format": parts[0].binary.format}
                self._ask(_Asked(request, path, parts))

    def written(self, entry: Entry, data: Data) -> None:
        """Have a binary read that is being packed: one that was edited, or any where everything is read."""
        if self.whole or entry.edits is not None:
            self.offer(entry.path, data)

    def open(self, path: Path, name: str) -> None:
        """Have a wheel opened under the name that it is going to have."""
        place = self._folder / name
        _link(path.resolve(), place)
        request: Json = {"do": "open", "path": str(place), "whole": self.whole, "patience": PATIENCE}
        self._ask(_Asked(request, name))

    def _ask(self, asked: _Asked) -> None:
        self._asked[asked.where] = asked
        if self._run is not None:
            self._run.send(asked.request)

    def verdict(self, wheels: Mapping[str, Rows]) -> Verdict:
        """Return what came of all that was asked since the last one; with the ``wheels`` by their names."""
        asked = list(self._asked.values())
        answers = self._answers(asked)
        for each in asked:
            Path(str(each.request["path"])).unlink(missing_ok=True)
        self._asked = {}
        found = _judged(list(zip(asked, answers, strict=True)), wheels)
        self.verdicts += (found,)
        return found

    def _answers(self, asked: Sequence[_Asked]) -> list[Json]:
        """Return one answer for each request; one that the process ended with is that it did."""
        found: list[Json] = []
        for _ in range(_MOST_ENDED):
            if len(found) == len(asked):
                break
            if self._run is None:
                self._run = _Run(self._folder)
                for each in asked[len(found) :]:
                    self._run.send(each.request)
            answers, how = self._run.finish()
            self._run = None
            found += answers[: len(asked) - len(found)]
            if len(found) < len(asked) and not (answers and "memory" in answers[-1]):
                found.append({"ended": how})
        self.end()
        return found + [{"ended": f"{_MOST_ENDED} processes did not end well"}] * (len(asked) - len(found))

    def end(self) -> None:
        """End the process at once, whatever it does."""
        if self._run is not None:
            self._run.end()
            self._run = None


class _Run:
    """One process; the end of its stdin tells it that nothing more comes, or that we are gone."""

    def __init__(self, folder: Path) -> None:
        self.answers = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by `end`
        self.errors = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - as above
        # In a session of its own, so that at Ctrl-C nobody but us ends it.
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(MEMORY), str(PATIENCE)],
            stdin=subprocess.PIPE,
            stdout=self.answers,
            stderr=self.errors,
            start_new_session=True,
        )

    def send(self, request: Json) -> None:
        """Hand over a request; that the process has ended is found out when it is waited for."""
        assert self.process.stdin
        with suppress(OSError, ValueError):
            self.process.stdin.write(json.dumps(request).encode("ascii") + b"\n")
            self.process.stdin.flush()

    def finish(self) -> tuple[list[Json], str]:
        """Wait until all is answered, or the process has ended for another reason; return the answers, and which."""
        assert self.process.stdin
        with suppress(OSError):
            self.process.stdin.close()
        code = self.process.wait()
        self.answers.seek(0)
        # The last line may be cut off, and the first be printed by a sitecustomize.
        answers = [json.loads(line) for line in self.answers if line[:1] == b"{" and line[-1:] == b"\n"]
        self.errors.seek(0)
        how = _how(code, self.errors.read(1000))
        self.end()
        return answers, how

    def end(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.answers, self.errors):
            with suppress(OSError):  # requests that nobody reads any more
                if stream is not None:
                    stream.close()


def _how(code: int, said: bytes) -> str:
    """Say how a process ended."""
    if b"Timeout (" in said:
        return f"it took longer than {PATIENCE:g} seconds"
    try:
        return f"the process was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"the process ended with exit code {code}"


def _link(path: Path, place: Path) -> None:
    """Let a file be there under another name too, in whatever way the system knows."""
    place.unlink(missing_ok=True)
    for way in (os.symlink, os.link, shutil.copyfile):
        with suppress(OSError):
            way(path, place)
            return


def _is_loadable(part: Part, platform: str) -> bool:
    """Whether a process of a platform such as ``macosx-arm64`` can load a part of a file."""
    system, _, arch = platform.partition("-")
    return part.binary.format == _FORMATS.get(system) and part.binary.arch in (arch, _SAME_ARCH.get(arch))


# --- what came of it


def _judged(pairs: Sequence[tuple[_Asked, Json]], wheels: Mapping[str, Rows]) -> Verdict:
    problems: dict[str, tuple[Problem, ...]] = {}
    unread: dict[str, list[str]] = {}
    agreed = 0
    is_asked_for = any(each.ours for each, _ in pairs)  # `wheel` alone is nothing that anybody asked for
    for asked, answer in sorted(pairs, key=lambda pair: pair[0].where):  # threads ask in any order
        library = "LIEF" if asked.ours else "wheel"
        reader = f"{library} {answer.get('version')}"
        if "parts" in answer or "rows" in answer or ("cannot" in answer and not asked.ours):
            owner = next((name for name, rows in wheels.items() if asked.where in (name, *rows)), "")
            wrong = (*_differing(asked, answer, reader), *_unlike(asked, answer, reader, wheels.get(asked.where, {})))
            problems[owner] = (*problems.get(owner, ()), *wrong)
            agreed += not wrong
        elif is_asked_for or "absent" not in answer:
            unread.setdefault(_why(answer, library), []).append(asked.where)
    return Verdict(problems=problems, notes=tuple(_unread(unread, len(pairs))), agreed=agreed)


def _why(answer: Json, library: str) -> str:
    if "absent" in answer:
        return f"{library} is not installed"
    if "memory" in answer:
        return f"{library} needs more than {MEMORY >> 20:,} MiB of memory"
    return f"{library}: {answer.get('cannot') or answer.get('ended')}"


def _unread(unread: Mapping[str, Sequence[str]], total: int) -> Iterator[str]:
    """Say how many files were not read, and the first of each reason."""
    for why, files in unread.items():
        yield f"{len(files)} of {total} files were not read a second time, {why}: {messages.some(files)}"


def _differing(asked: _Asked, answer: Json, reader: str) -> Iterator[Problem]:
    """Yield the fields of a binary that were read differently."""
    parts = answer.get("parts")
    theirs = {part.get("at"): part for part in parts} if isinstance(parts, list) else {}
    for part in asked.ours:
        where = f"{asked.where} ({part.binary.arch})" if len(asked.ours) > 1 else asked.where
        own, other = _ours(part), theirs.get(part.at, {})
        for name, words in _FIELDS.items():
            one, two = own.get(name), other.get(name)
            is_known = name == "requires" and isinstance(two, list) and one == [*two, _RELR]
            if one != two and not is_known:
                what = f"its {words}: mamba-press reads {_shown(one, two)}, {reader} reads {_shown(two, one)}"
                yield Problem(where=where, what=what, hint=_REPORT)


def _ours(part: Part) -> Json:
    """Return what we have read, in the form of the answers."""
    binary = part.binary
    found: Json = {
        "needed": list(binary.needed),
        "name": binary.name,
        "search": list(binary.search),
        "segments": [list(each) for each in part.segments],
    }
    if platforms.facts_for(binary).versions_symbols:
        found["requires"] = [[each.library, list(each.versions)] for each in binary.requires]
        found["defines"] = sorted(binary.defines)
    return found


def _shown(value: object, other: object) -> str:
    """Show of a list what the other has not, if there is any."""
    if not isinstance(value, list):
        return "none" if value is None else str(value)
    only = [each for each in value if not isinstance(other, list) or each not in other] or value
    return messages.some([*map(_element, only)]) or "none"


def _element(value: object) -> str:
    if not isinstance(value, list):
        return str(value)
    return "(" + " ".join(hex(each) if isinstance(each, int) else _element(each) for each in value) + ")"


def _unlike(asked: _Asked, answer: Json, reader: str, ours: Rows) -> Iterator[Problem]:
    """Yield why a wheel cannot be read, or the files that are others to `wheel`, or have another size or hash."""
    theirs = answer.get("rows")
    if "cannot" in answer:
        yield Problem(where=asked.where, what=f"wheel cannot read it: {answer['cannot']}")
    if not isinstance(theirs, dict):
        return
    for path in sorted(theirs.keys() ^ ours.keys()):
        if not path.endswith("/"):
            who = reader if path in theirs else "mamba-press"
            yield Problem(where=path, what=f"only {who} finds it in {asked.where}")
    for path in sorted(theirs.keys() & ours.keys()):
        (size, sha256), (their_size, algorithm, digest) = ours[path], theirs[path]
        if size != their_size or (sha256 and algorithm in ("sha256", None) and digest != sha256):
            what = f"mamba-press reads {size} bytes with the sha256 {sha256}, {reader} {their_size} with {digest}"
            yield Problem(where=path, what=what)
