"""Builds under faults: ``python -m tests.campaigns.faults [--fault NAME] [--count N] [--seed S] [--first N] FOLDER``.

A case is a door (a command or a hook), a package cache (cold, or warm from earlier builds) and a fault: a signal at a
random moment, a disk that fails at a random call, too little memory, too few descriptors, a locale, a clock or a
network that is wrong. All of it follows from the seed and the number of the case, so ``--first N --count 1`` runs one
again. After each case: a file that is there under a finished name has the bytes that it had before, or those of a build
without faults; what the cache holds of a package is what the archive holds; after SIGINT, SIGTERM and SIGHUP nothing is
left in the temporary folder and nothing unfinished in the output; no process lives on; nothing waits for ever. The
builds that follow in the same cache have to give the same bytes, too.

The builds run in FOLDER. Most are started by a fork of this process, in which everything is imported already; one of
five, and all for which a library has to be loaded first, as a process of their own.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import random
import re
import resource
import shutil
import signal
import sys
import threading
import time
import zipfile
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support import preload, press

FAULTS = ("signals", "disk", "memory", "descriptors", "locale", "clock", "network")
SPEC = "pygreet"
PATIENCE = 150
"""Seconds after which a build counts as one that hangs: more than a silent server and a mute worker are given."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
CLEAN = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
OURS = {0, 2, 3, 4, 5, 6, 7, 128 + signal.SIGINT, 128 + signal.SIGTERM, 128 + signal.SIGHUP}
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
BROKEN = (errno.EIO, errno.EACCES, errno.EROFS, errno.EMFILE)
LOCALES = ("C", "POSIX", "C.UTF-8", "tr_TR.UTF-8", "ja_JP.eucJP", "de_DE.ISO-8859-1", "no-such-locale", "")
NAMES = ("with space", "näme", "名前", "quo'te\"s", "per%cent", "new\nline", "tab\t", "b\udcffyte", "x" * 200, "#a;b&c")
ANSWERS = ("truncated", "flipped", "reset", "slow", "500", "503", "429", "404", "403", "empty", "html", "recovers")


@dataclass(frozen=True, slots=True)
class Door:
    """A way to build: what is called, below a place of its own, and which finished files it may leave there."""

    name: str
    arguments: tuple[str, ...]
    hook: bool = False


DOORS = (
    Door("press", ("press", SPEC, "-c", "{channel}", "-o", "out")),
    Door("press a project", ("press", "project", "-o", "out")),
    Door("wheelhouse", ("wheelhouse", SPEC, "-c", "{channel}", "-o", "out")),
    Door("lock", ("lock", "project")),
    Door("edit", ("edit", "given/{wheel}", "--set", "Summary: edited", "--version-suffix", "post1", "-o", "out")),
    Door("build_wheel", ("build_wheel", "../out"), hook=True),
    Door("build_sdist", ("build_sdist", "../out"), hook=True),
    Door("prepare_metadata", ("prepare_metadata_for_build_wheel", "../out"), hook=True),
)


@dataclass(frozen=True, slots=True)
class World:
    """What all cases share: the channel and where it is served, a cache that is warm, what builds give."""

    folder: Path
    channel: str
    wheel: Path
    library: Path
    expected: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    packages: Mapping[str, str] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """One build: everything about it that was drawn."""

    number: int
    fault: str
    door: Door
    warm: bool
    forked: bool
    signal: signal.Signals | None = None
    group: bool = False
    after: float = 0
    environ: Mapping[str, str] = field(default_factory=dict)
    limit: tuple[int, int] | None = None
    name: str = "place"
    answer: str = ""
    how: str = ""


def draw(seed: str, fault: str, number: int, world: World) -> Case:
    """Draw a case; the same seed, fault and number give the same one, but for the speed of the machine."""
    rng = random.Random(f"{seed} {fault} {number}")
    door = rng.choice([door for door in DOORS if fault != "network" or "{channel}" in door.arguments])
    case = partial(Case, number=number, fault=fault, door=door, warm=rng.random() < 0.5)
    forked = rng.random() < 0.8
    if fault == "signals":
        how = rng.choice(SIGNALS)
        after = 0.03 + rng.random() * world.seconds.get(door.name, 1.0) * 1.2  # until then, the fork is ours
        return case(forked=forked, signal=how, group=rng.random() < 0.5, after=after, how=how.name)
    if fault == "disk":
        is_full = rng.random() < 0.5
        number_ = rng.choice(FULL if is_full else BROKEN)
        at = int(3 ** (rng.random() * 4.6))
        environ = {"FAULT_AT": str(at), "FAULT_ERRNO": str(number_), "FAULT_ALL": str(int(is_full))}
        return case(forked=False, environ=environ, how=errno.errorcode[number_])
    if fault == "memory":
        size = int(30e6 * 40 ** rng.random())
        return case(forked=False, limit=(resource.RLIMIT_AS, size), how="RLIMIT_AS")
    if fault == "descriptors":
        return case(forked=forked, limit=(resource.RLIMIT_NOFILE, rng.randint(4, 80)), how="RLIMIT_NOFILE")
    if fault == "locale":
        environ = {"LC_ALL": rng.choice(LOCALES), "PYTHONUTF8": rng.choice("01")}
        environ |= {"PYTHONIOENCODING": rng.choice(("", "ascii", "latin-1", "utf-8:strict", "cp1252"))}
        environ |= {"COLUMNS": rng.choice(("0", "-1", "x", "80")), "TZ": rng.choice(("", "Nowhere/No", "Asia/Kolkata"))}
        return case(forked=False, environ=environ, name=rng.choice(NAMES), how=environ["LC_ALL"] or "unset")
    if fault == "clock":
        wrong = rng.choice((-1.7e9, -1e9, -3e9, 4e8, 2.6e9, 4e9, 86400, -86400))
        environ = {"FAULT_CLOCK": str(wrong), "FAULT_JUMP": str(rng.choice((0, 0, rng.randint(1, 200))))}
        return case(forked=False, environ=environ, how=f"{wrong:+.0g} s")
    answer = rng.choice(ANSWERS)
    return case(forked=forked, answer=answer, how=answer)


# A build


def place_of(case: Case, world: World) -> Path:
    """Make the folder in which a case runs: a project, a wheel to edit, an older file, a cache."""
    top = world.folder / "cases" / f"{case.fault}-{case.number}"
    shutil.rmtree(top, ignore_errors=True)
    place = top / case.name
    for name in ("out", "tmp", "given"):
        (place / name).mkdir(parents=True)
    if case.door.name != "wheelhouse":  # which refuses a folder with wheels of others
        (place / "out" / "older-1.0-py3-none-any.whl").write_text("older")
    press.project(place / "project", f'packages = ["{SPEC}"]\nchannels = ["{world.channel}"]', name="pressed")
    if case.door.name == "edit":
        shutil.copy(world.wheel, place / "given" / world.wheel.name)
    cache = world.folder / f"warm-{'http' if case.answer else 'file'}"
    if case.warm and cache.is_dir():
        shutil.copytree(cache, place / "cache", symlinks=True)
    return place


def environment_of(case: Case, place: Path, world: World, marker: str) -> dict[str, str]:
    """Return the environment of a build."""
    more = {"RATTLER_CACHE_DIR": str(place / "cache"), "TMPDIR": str(place / "tmp"), "FAULTS_MARKER": marker}
    more |= {"HOME": str(place), "FAULT_ROOT": str(place), **case.environ}
    if any(key.startswith("FAULT_") for key in case.environ):
        more["LD_PRELOAD"] = str(world.library)
    return press.settings(**more)


def start(case: Case, place: Path, environ: Mapping[str, str], world: World, channel: str) -> int:
    """Start a build in a process group of its own, and return its process."""
    arguments = [part.format(channel=channel, wheel=world.wheel.name) for part in case.door.arguments]
    sys.stdout.flush()
    sys.stderr.flush()
    for name in ("stdout", "stderr"):
        (place.parent / name).touch()
    child = os.fork()
    if child:
        return child
    try:
        os.setpgid(0, 0)
        os.chdir(place / "project" if case.door.hook else place)
        for fd, name in ((0, "/dev/null"), (1, str(place.parent / "stdout")), (2, str(place.parent / "stderr"))):
            os.dup2(os.open(name, os.O_RDWR | (os.O_CREAT if fd else 0), 0o666), fd)
        if case.limit:
            resource.setrlimit(case.limit[0], (case.limit[1], case.limit[1]))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if case.forked:
            os.environ.clear()
            os.environ.update(environ)
            os._exit(forked(case.door, arguments))
        code = (
            ["-c", press.CALL, json.dumps([arguments[0], arguments[1:]])] if case.door.hook else ["-m", "mamba_press"]
        )
        os.execve(sys.executable, [sys.executable, *code, *([] if case.door.hook else arguments)], dict(environ))
    finally:
        os._exit(99)


def forked(door: Door, arguments: list[str]) -> int:
    """Do in a fork of this process what a new interpreter would do, and return its exit code."""
    import tempfile

    tempfile.tempdir = None  # this process has found its own already
    try:
        if door.hook:
            import mamba_press.build

            print(json.dumps(getattr(mamba_press.build, arguments[0])(*arguments[1:])))
            code = 0
        else:
            from mamba_press import __main__

            code = __main__.main(arguments)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1 if end.code else 0
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:  # noqa: BLE001 - as the interpreter does
        import traceback

        traceback.print_exc()
        code = 130 if isinstance(sys.exc_info()[1], KeyboardInterrupt) else 1
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            code = code or 1
    return code


def wait(child: int, case: Case) -> tuple[int, bool]:
    """Send the signal when it is time and wait for the end; returns the exit code, and whether it had to be killed."""
    began = time.monotonic()
    is_sent = case.signal is None
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status), False
        passed = time.monotonic() - began
        if not is_sent and passed >= case.after:
            assert case.signal is not None
            with suppress(ProcessLookupError):  # it has just ended
                (os.killpg if case.group else os.kill)(child, case.signal)
            is_sent = True
        if passed > PATIENCE:
            os.killpg(child, signal.SIGKILL)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), True
        time.sleep(0.003)


# What must hold


def outputs(place: Path) -> dict[str, str]:
    """The hashes of everything finished in the output folder, and of the lock."""
    found = {name: digest for name, digest in press.hashes(place / "out").items() if ".mamba-press-" not in name}
    lock = place / "project" / "mamba-press.lock"
    return found | (press.hashes(lock.parent) if lock.exists() else {})


def judge(case: Case, place: Path, code: int, world: World, before: Mapping[str, str]) -> list[str]:
    """Say what does not hold after a case."""
    wrong = []
    expected = world.expected[case.door.name]
    for name, digest in outputs(place).items():
        if digest not in (before.get(name), expected.get(name)) and not same_but_channel(case, place / "out" / name):
            wrong.append(f"half: {name}")
    wrong += [f"lost: {name}" for name in before if name not in outputs(place)]
    if code == 0 and not case.answer:
        wrong += [f"missing: {name}" for name in expected if name not in outputs(place)]
    cache = press.packages_in(place / "cache")
    wrong += [f"cache: {path}" for path, digest in cache.items() if world.packages.get(path, digest) != digest][:3]
    said = (place.parent / "stderr").read_text("utf-8", "replace")
    if is_before_us(case, said):
        return wrong  # Python was starting: what it says then, and its exit code, are its own
    if "Traceback (most" in said or "panicked at" in said:
        wrong.append("traceback")
    is_refused = case.door.hook and code == 1 and "mamba-press: " in said  # a hook's SystemExit with its message
    if code not in OURS and not is_refused and code != -(case.signal or 0):
        wrong.append(f"exit code {code}")
    if case.signal in CLEAN or (code in OURS and case.fault != "disk" and case.signal != signal.SIGKILL):
        wrong += [f"left: {path.name}" for path in (place / "tmp").iterdir()]
        wrong += [f"left: {path.name}" for path in (place / "out").rglob(".mamba-press-*")]
    return wrong


def is_before_us(case: Case, said: str) -> bool:
    """Whether Python was interrupted or had no descriptor left while it started, before any line of mamba-press ran."""
    if case.fault == "descriptors" and "mamba-press: " not in said:
        frames = re.findall(r'File "([^"]+)", line', said)
        return f"[Errno {errno.EMFILE}]" in said and not any("src/mamba_press/" in frame for frame in frames)
    is_python = not case.forked and case.signal == signal.SIGINT and "mamba_press" not in said
    return is_python and "KeyboardInterrupt" in said


def same_but_channel(case: Case, wheel: Path) -> bool:
    """Whether a wheel of another channel is whole: its bill names the address, so its bytes differ."""
    if wheel.suffix == ".json" and (case.answer or wheel.name == "mamba-press.json"):
        return bool(json.loads(wheel.read_bytes()))  # has the folder of the project in it, or hashes of such wheels
    if wheel.name == "mamba-press.pressed":  # has the sizes and dates of files, of which the seal is made, too
        return len([json.loads(line) for line in wheel.read_bytes().split(b"\n")]) == 2
    if wheel.name == "mamba-press.seal":
        return re.fullmatch("[0-9a-f]{64}", wheel.read_text()) is not None
    if wheel.name == "pylock.toml":
        return bool(case.answer) and "hashes" in wheel.read_text("utf-8")
    if not case.answer or wheel.suffix != ".whl":
        return False
    from mamba_press.audit import check

    try:
        with zipfile.ZipFile(wheel) as archive:
            return archive.testzip() is None and not check.examine(wheel).problems
    except zipfile.BadZipFile:
        return False


def run(case: Case, world: World, server: Server | None) -> tuple[list[str], int]:
    """Run one case and judge it; where it failed without an error of the machine, the next build has to succeed."""
    place = place_of(case, world)
    marker = f"{os.getpid()}-{case.fault}-{case.number}"
    environ = environment_of(case, place, world, marker)
    before = outputs(place)
    channel = world.channel
    if server is not None:
        server.answer, server.seen = case.answer, Counter()
        channel = server.url
    code, is_hung = wait(start(case, place, environ, world, channel), case)
    wrong = ["hangs"] if is_hung else []
    if not press.eventually(lambda: not press.processes_with(f"FAULTS_MARKER={marker}"), 10):
        wrong.append("a process lives on")
    wrong += judge(case, place, code, world, before)
    if case.number % 5 == 0 and case.name.isprintable():  # rattler takes no cache whose name is not UTF-8
        wrong += again(case, place, world)
    if wrong:
        kept = world.folder / "failed" / place.parent.name
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(place.parent, kept, symlinks=True)
    shutil.rmtree(place.parent, ignore_errors=True)
    return wrong, code


def again(case: Case, place: Path, world: World) -> list[str]:
    """Press once more in the same cache, without a fault: the bytes have to be those of a cache that nothing befell."""
    next_ = Case(number=case.number, fault=case.fault, door=DOORS[0], warm=True, forked=True)
    shutil.rmtree(place / "out")
    (place / "out").mkdir()
    environ = environment_of(next_, place, world, "again")
    for name in ("stdout", "stderr"):
        (place.parent / name).rename(place.parent / f"{name}-first")
    code, is_hung = wait(start(next_, place, environ, world, world.channel), next_)
    wanted = world.expected[DOORS[0].name]
    is_same = all(wanted[name] == digest for name, digest in outputs(place).items() if name.startswith(SPEC))
    return [] if code == 0 and is_same and not is_hung else [f"the next build: exit code {code}, same bytes {is_same}"]


# The network


class Server:
    """A channel over HTTP that answers for archives as the case says; ``recovers`` fails twice and then serves."""

    def __init__(self, root: Path) -> None:
        self.answer = ""
        self.seen: Counter[str] = Counter()
        self.root = root
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                outer.serve(self, is_head=True)

            def do_GET(self) -> None:
                outer.serve(self)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def serve(self, handler: BaseHTTPRequestHandler, *, is_head: bool = False) -> None:
        """Answer one request."""
        path = self.root / handler.path.split("?")[0].lstrip("/")
        data = path.read_bytes() if path.is_file() else None
        code = 200 if data is not None else 404
        self.seen[handler.path] += 1
        answer = self.answer if path.suffix in (".conda", ".bz2") else ""
        if answer == "recovers":
            answer = "503" if self.seen[handler.path] <= 2 else ""
        data = data or b"not found"
        if answer.isdigit():
            code, data = int(answer), b"no"
        elif answer == "flipped":
            data = data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]
        elif answer in ("empty", "html"):
            data = b"" if answer == "empty" else b"<html>please log in</html>"
        try:
            handler.send_response(code)
            handler.send_header("Content-Length", str(len(data)))
            handler.end_headers()
            if is_head:
                return
            if answer in ("truncated", "reset"):
                data = data[: len(data) // 2]
            for at in range(0, len(data), 1 + len(data) // 10) if answer == "slow" else (0,):
                handler.wfile.write(data[at : at + 1 + len(data) // 10] if answer == "slow" else data)
                time.sleep(0.02 if answer == "slow" else 0)
            if answer in ("truncated", "reset"):
                handler.close_connection = True
                handler.connection.close()
        except OSError:
            pass  # the build has given up


# The campaign


def prepare(folder: Path) -> World:
    """Make the channel, the references, and the time that each door takes."""
    import mamba_press.__main__
    import mamba_press.build  # noqa: F401
    from mamba_press.audit import check  # noqa: F401 - for the forks
    from mamba_press.pipeline import press as pipeline_press  # noqa: F401
    from mamba_press.wheel import writer  # noqa: F401

    for name in ("made", "channel", "warm-file"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "made").mkdir(parents=True)
    channel = press.greeting_channel(folder / "channel", folder / "made")
    library = preload.build(folder)
    world = World(folder=folder, channel=str(channel.root), wheel=Path("none-1-py3-none-any.whl"), library=library)
    expected, seconds = {}, {}
    for door in DOORS:
        case = Case(number=0, fault="reference", door=door, warm=True, forked=False)
        place = place_of(case, world)
        before = outputs(place)
        began = time.monotonic()
        environ = environment_of(case, place, world, "reference")
        code, _ = wait(start(case, place, environ, world, world.channel), case)
        assert code == 0, (place.parent / "stderr").read_text("utf-8")
        seconds[door.name] = time.monotonic() - began
        expected[door.name] = outputs(place)
        assert set(expected[door.name]) > set(before), door.name
        if door is DOORS[0]:
            wheel = next(path for path in (place / "out").glob(f"{SPEC}-*.whl"))
            shutil.copy(wheel, folder / "made" / wheel.name)
            shutil.copytree(place / "cache", folder / "warm-file", symlinks=True)
            world = World(folder, world.channel, folder / "made" / wheel.name, library)
    packages = press.packages_in(folder / "warm-file")
    return World(folder, world.channel, world.wheel, library, expected, packages, seconds)


def main() -> int:
    """Run the cases and print a table; returns 1 where something did not hold."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("--fault", choices=FAULTS, action="append")
    options.add_argument("--count", type=int, default=50, help="cases of each fault")
    options.add_argument("--first", type=int, default=1, help="number of the first case")
    options.add_argument("--seed", default="1")
    asked = options.parse_args()
    folder = asked.folder.resolve()
    world = prepare(folder)
    failed: dict[str, list[str]] = {}
    for fault in asked.fault or FAULTS:
        codes: Counter[str] = Counter()
        kinds: Counter[str] = Counter()
        server = Server(Path(world.channel)) if fault == "network" else None
        began = time.monotonic()
        for number in range(asked.first, asked.first + asked.count):
            case = draw(asked.seed, fault, number, world)
            wrong, code = run(case, world, server)
            codes[str(code)] += 1
            kinds.update({each.split(":")[0] for each in wrong})
            if wrong:
                failed[f"{fault} {number} ({case.door.name}, {case.how}, {'warm' if case.warm else 'cold'})"] = wrong
                print(f"  {fault} {number}, {case.door.name}, {case.how}: {'; '.join(wrong[:4])}", flush=True)
        took = time.monotonic() - began
        print(
            f"{fault}: {asked.count} builds in {took:.0f} s; exit codes {dict(sorted(codes.items()))}; wrong: "
            f"{dict(kinds) or 0}",
            flush=True,
        )
    (folder / "faults.json").write_text(json.dumps(failed, indent=1), encoding="utf-8", errors="replace")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
