"""Hostile packages and wheels: ``nox -s hostile -- packages|wheels [COUNT] [SEED]``.

Every case is a function of the seed and its number, so a run can be made in parts (``--first``). A package is pressed
with a cold and with a warm cache, listed, and made into a wheelhouse; a wheel is checked, edited and explained, and a
wheelhouse with it shown, validated and installed. All commands run in forks of this process, each with its own home.

Held are: no traceback, no exit code but ours, no file outside of what was asked for, nothing of the machine in a wheel,
nothing in a wheel that neither the index nor the package's list of files vouches for, other packages' cache entries as
they were, and bounds on time and memory. What failed lies in ``.hostile``, with a command that runs it again.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import pkgutil
import re
import resource
import shutil
import signal
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random

import mamba_press
from tests.fuzz import corpus, mutate
from tests.support import hostile
from tests.support.hostile import Entry, Member, Package, entry

SECRET = b"CANARY-SECRET-7f3a9c"
SECONDS, MEMORY = 20, 1 << 30
CODES = {0, 2, 3, 4, 5, 6, 7}
PYTHON = "3.11"
SITE = "site-packages/evil"


# --- the machine on which all this happens


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended, and what it cost; ``code`` is None where it had to be killed."""

    words: tuple[str, ...]
    code: int | None
    out: str
    err: str
    seconds: float
    memory: int


@dataclass(frozen=True, slots=True)
class Arena:
    """A machine in a folder: a home with secrets, files that are nobody's business, a cache with a good package.

    ``corpus`` is where the binaries lie that the hostile ones are made of.
    """

    root: Path
    corpus: Path

    @classmethod
    def made(cls, root: Path, corpus: Path) -> Arena:
        """Set up the machine; what was there leaves."""
        shutil.rmtree(root, ignore_errors=True)
        arena = cls(root, corpus)
        for path in (
            "home/.ssh/id_rsa",
            "home/.pypirc",
            "home/.netrc",
            "outside/deep/a/file",
            "work/project/pyproject",
        ):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(SECRET + path.encode() + b"\n")
        for name in ("tmp", "cache", "out"):
            (root / name).mkdir()
        good = Package(name="good", files={"site-packages/good/__init__.py": b"good = 1\n"})
        good.list_files()
        good.write(root / "good")
        _python(root / "good")
        done = arena.run("press", "good", "-c", str(root / "good"), "-o", str(root / "out"), "--python", PYTHON)
        assert done.code == 0, done.err
        arena.clean()
        return arena

    def clean(self) -> None:
        """Take away all but the good package and what was there from the beginning."""
        for name in ("out", "tmp", "channel"):
            shutil.rmtree(self.root / name, ignore_errors=True)
            (self.root / name).mkdir()
        for path in (self.root / "cache").glob("pkgs/*"):
            if not path.name.startswith(("good-", ".cache")):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()

    def surroundings(self) -> dict[str, tuple[object, ...]]:
        """Return what is on the machine but the places that a command may write to."""
        found = {}
        for top in ("home", "outside", "work", "cache/pkgs/good-1.0-0"):
            for folder, folders, files in os.walk(self.root / top):
                for name in (*folders, *files):
                    path = Path(folder, name)
                    status = path.lstat()
                    data = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
                    links = 0 if "cache" in top else status.st_nlink
                    found[str(path)] = (status.st_mode, status.st_size, links, hashlib.sha256(data).digest())
        beside = [each.name for each in self.root.iterdir()] + [each.name for each in self.root.parent.iterdir()]
        return {**found, "beside": tuple(sorted(beside))}

    def run(self, *words: str) -> Ran:
        """Run a command in a fork."""
        said = [self.root.parent / f"{self.root.name}.{name}" for name in ("stdout", "stderr")]
        start = time.monotonic()
        child = os.fork()
        if not child:
            self._child(words, said)
        code, usage = _ended(child, start)
        out, err = (path.read_text("utf-8", errors="surrogateescape") for path in said)
        for path in said:
            path.unlink()
        return Ran(words, code, out, err, time.monotonic() - start, usage * 1024)

    def _child(self, words: Sequence[str], said: Sequence[Path]) -> None:
        code = 1
        try:
            os.setsid()
            resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
            for number, path in enumerate(said, 1):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
            kept = {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH") if name in os.environ}
            # pip asks rustc for its version, and rustup then sets up a folder.
            places = {
                "RUSTUP_HOME": self.root / "cache" / "rustup",
                "HOME": self.root / "home",
                "TMPDIR": self.root / "tmp",
                "RATTLER_CACHE_DIR": self.root / "cache",
            }
            os.environ.clear()
            os.environ.update({**kept, **{name: str(path) for name, path in places.items()}, "TERM": "dumb"})
            os.chdir(self.root / "work")
            from mamba_press.__main__ import main

            code = main(words)
            sys.stdout.flush()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        except BaseException:  # noqa: BLE001 - what no handler of ours took is what is looked for
            sys.excepthook(*sys.exc_info())
        finally:
            with suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)


def _ended(child: int, start: float) -> tuple[int | None, int]:
    while True:
        ended, status, usage = os.wait4(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status), usage.ru_maxrss
        if time.monotonic() - start > 3 * SECONDS:  # on a machine with other work
            with suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)
            _, _, usage = os.wait4(child, 0)
            return None, usage.ru_maxrss
        time.sleep(0.005)


def _python(channel: Path) -> None:
    """A Python that can be solved with and is never downloaded."""
    record = {"name": "python", "version": f"{PYTHON}.7", "build": "0_cp311", "build_number": 0, "subdir": "linux-64"}
    record |= {"depends": [], "license": "PSF-2.0", "sha256": "0" * 64, "size": 1}
    record["python_site_packages_path"] = f"lib/python{PYTHON}/site-packages"
    hostile.add(channel, "linux-64", f"python-{PYTHON}.7-0_cp311.conda", record, None)


# --- what is held


@dataclass(slots=True)
class Case:
    """One hostile thing: of which family, what is hostile of it, and what vouches for its contents."""

    family: str
    number: int
    what: str = ""
    codes: list[int | None] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0
    memory: int = 0


_BROKEN = re.compile(r"Traceback \(most recent|panicked at|^\w*Error: |RecursionError|MemoryError", re.MULTILINE)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def judge(case: Case, ran: Ran) -> None:
    """Hold what a command said and cost to what is promised."""
    word = ran.words[0] if ran.words[0] != "wheelhouse" else " ".join(ran.words[:2])
    case.codes.append(ran.code)
    case.seconds, case.memory = max(case.seconds, ran.seconds), max(case.memory, ran.memory)
    if ran.code is None:
        case.faults.append(f"{word}: no end")
    elif ran.code not in CODES:
        case.faults.append(f"{word}: exit code {ran.code}")
    if found := _BROKEN.search(ran.err):
        case.faults.append(f"{word}: a traceback: {ran.err[found.start() :].strip().splitlines()[-1][:150]}")
    if ran.code and not (ran.err + ran.out).strip():
        case.faults.append(f"{word}: fails and says nothing")
    if found := _CONTROL.search(ran.err.replace("\r\n", "\n") + ran.out):
        case.faults.append(f"{word}: prints the control character {found[0]!r}")
    if SECRET.decode() in ran.err + ran.out:
        case.faults.append(f"{word}: prints a secret")
    if ran.seconds > SECONDS:
        case.faults.append(f"{word}: {ran.seconds:.0f} seconds")
    if ran.memory > MEMORY:
        case.faults.append(f"{word}: {ran.memory >> 20} MB")


def hold(case: Case, arena: Arena, before: Mapping[str, object]) -> None:
    """Hold the machine to what it was, but for what was asked for."""
    after = arena.surroundings()
    changed = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    if changed:
        case.faults.append(f"changed outside: {changed[0].removeprefix(str(arena.root))} ({len(changed)})")
    if left := sorted(each.name for each in (arena.root / "tmp").iterdir()):
        case.faults.append(f"left in the temporary folder: {left[0]}")


def hold_wheels(case: Case, folder: Path, vouched: frozenset[str], *, prefixed: bool) -> None:
    """Hold every finished wheel to what vouches for its contents."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".whl" and path.name not in ("wheelhouse.json", "pylock.toml"):
            case.faults.append(f"half a wheel: {path.name}")
        if path.suffix != ".whl" or not path.is_file():
            continue
        try:
            with zipfile.ZipFile(path) as archive:
                contents = {info.filename: archive.read(info) for info in archive.infolist()}
        except (OSError, ValueError, zipfile.BadZipFile, RuntimeError) as error:
            case.faults.append(f"a wheel that cannot be read: {error}")
            continue
        originals = _originals(contents)
        for name, data in contents.items():
            if SECRET in data:
                case.faults.append(f"a secret of the machine in {name}")
            is_made = ".dist-info/" in name or (name not in originals and name.endswith(_GENERATED))
            known = {hostile.sha256(data), originals.get(name, "")}
            if not is_made and not prefixed and not known & vouched:
                case.faults.append(f"nothing vouches for {name}")
            if name.startswith("/") or ".." in name.split("/"):
                case.faults.append(f"a member called {name!r}")


_GENERATED = ("/__init__.py", "/_mamba_press.py")


def _originals(contents: Mapping[str, bytes]) -> dict[str, str]:
    """Return, by path, the hash that the bill states of each file before it was changed."""
    bill = next((data for name, data in contents.items() if name.endswith("/sboms/mamba-press.cdx.json")), b"{}")
    found = {}
    for package in json.loads(bill).get("components", ()):
        for each in package.get("components", ()):
            for ancestor in each.get("pedigree", {}).get("ancestors", ()):
                found[each["name"]] = ancestor["hashes"][0]["content"]
    return found


def _vouched(package: Package) -> frozenset[str]:
    """Return the hashes for which the package's list vouches, or the archive where the list states none."""
    held = {member.name: member.data for member in package.members}
    stated = {str(each["sha256"]) for each in package.paths if isinstance(each, dict) and each.get("sha256")}
    silent = [each for each in package.paths if isinstance(each, dict) and not each.get("sha256")]
    return frozenset(stated | {hostile.sha256(held.get(str(each.get("_path")), b"")) for each in silent})


# --- hostile packages

_TYPES = {
    "symlink": tarfile.SYMTYPE,
    "hardlink": tarfile.LNKTYPE,
    "character device": tarfile.CHRTYPE,
    "block device": tarfile.BLKTYPE,
    "pipe": tarfile.FIFOTYPE,
    "folder": tarfile.DIRTYPE,
    "contiguous": tarfile.CONTTYPE,
    "sparse": tarfile.GNUTYPE_SPARSE,
    "unknown": b"Z",
}
_NAMES = (
    *(
        "..",
        ".",
        "",
        "../x",
        "a/../b",
        "a/./b",
        "a//b",
        "/etc/x",
        "//x",
        "a/",
        "a\0b",
        "a\nb",
        "a\rb",
        "a\tb",
        "a\x1b[31mb",
    ),
    *(
        "a\x7fb",
        "a\x85b",
        "a\u202eb",
        "a\udcffb",
        "\udcc3(",
        "é",
        "e\u0301",
        "A",
        "a" * 250,
        "a" * 256,
        "d/" * 200 + "x",
    ),
    *(
        "con",
        "nul.txt",
        "aux.py",
        "com1",
        "C:x",
        "C:\\x",
        "\\\\host\\x",
        "a\\b",
        "a:b",
        "a?b",
        "a*",
        "a|b",
        'a"b',
        "a<b",
        "a ",
    ),
    *(
        "a.",
        " a",
        "~",
        "$HOME",
        "%TEMP%",
        "-rf",
        "--help",
        "`x`",
        "$(x)",
        "a;b",
        "a,b",
        'a"\n,b',
        "x" * 5000,
        "__pycache__/x.pyc",
    ),
    *(
        ".dist-info/x",
        "evil-1.0.dist-info/RECORD",
        "evil-1.0.data/scripts/x",
        "site-packages/evil",
        "\ufeffx",
        "\U0001f980",
        "\uffff",
    ),
)
_PLACES = (
    "site-packages/evil/",
    "",
    "lib/",
    "bin/",
    "site-packages/",
    "share/",
    "Lib/site-packages/",
    "python-scripts/",
    "etc/",
)
_TEXTS = (
    *(
        "1!2",
        "9" * 5000,
        "",
        "x\ny",
        "x\x1b[2J",
        "é",
        "../x",
        "/etc/passwd",
        "a" * 3000,
        "1.0+x",
        "1.0\n\nx",
        "%s",
        "${x}",
        "None",
    ),
    *(
        "1.0; rm -rf",
        "x" * 200,
        "1..0",
        "1.0.*",
        "-",
        "nan",
        "[x",
        "(((",
        "MIT AND",
        "GPL\nRequires-Dist: x",
        "(" * 300,
        "\u202e",
    ),
)


def _linked(arena: Arena, rng: Random) -> str:
    """Return where a link leads that should not."""
    root = arena.root
    return rng.choice(
        (
            *(
                f"{root}/home/.ssh/id_rsa",
                f"{root}/home",
                f"{root}/outside",
                "/etc/passwd",
                "/proc/self/environ",
                "/dev/zero",
            ),
            *(
                "/dev/stdin",
                "/",
                "..",
                ".",
                "../../../../../../../../../../etc/passwd",
                "self",
                "a",
                "",
                "x" * 4000,
                "a\nb",
                "\udcff",
            ),
            *(
                "/proc/self/fd/0",
                "/proc/self/root/etc/hostname",
                "../../../../home/.ssh/id_rsa",
                f"{root}/outside/deep/a/file",
            ),
        )
    )


def _payload(rng: Random) -> Package:
    """A sound package of one of the usual shapes."""
    package = Package(extension=rng.choice((".conda", ".conda", ".tar.bz2")))
    if rng.random() < 0.5:
        package.subdir = "linux-64"
        base = f"lib/python{PYTHON}/site-packages/evil/"
        package.files = {f"{base}__init__.py": b"evil = 1\n", "share/evil/data.txt": b"data\n"}
        package.index["depends"] = [f"python {PYTHON}.*"]
    else:
        package.files[f"{SITE}/data.txt"] = b"data\n"
    if rng.random() < 0.5:
        package.files[next(iter(package.files)).replace("__init__", "more")] = rng.randbytes(40).hex().encode()
    package.list_files()
    return package


def _types(rng: Random, arena: Arena) -> tuple[Package, str]:
    package = _payload(rng)
    kind = rng.choice(list(_TYPES))
    link = _linked(arena, rng) if rng.random() < 0.6 else package.members[0].name
    which = rng.randrange(len(package.members))
    old = package.members[which]
    new = Member(old.name, type=_TYPES[kind], link=link if kind in ("symlink", "hardlink") else "")
    style = rng.randrange(4)
    if style < 2:
        package.members[which] = new
    elif style == 2:
        package.members.append(Member(f"{old.name}.extra", type=new.type, link=new.link))
    else:
        package.members.append(new)  # twice, under one name
    if rng.random() < 0.4:
        package.paths[which]["path_type"] = rng.choice(("softlink", "directory", "hardlink", "x", None, 1))
    return package, f"{kind} to {link[:40]!r}, style {style}"


def _links(rng: Random, arena: Arena) -> tuple[Package, str]:
    package = _payload(rng)
    base = rng.choice(("", package.members[0].name.rpartition("/")[0] + "/", "lib/", "share/"))
    target = _linked(arena, rng)
    style = rng.choice(("chain", "loop", "below", "through", "inside", "many", "placeholder"))
    data = SECRET + b"home/.ssh/id_rsa\n"
    if style == "chain":
        package.members += [Member(f"{base}l{n}", type=tarfile.SYMTYPE, link=f"l{n + 1}") for n in range(60)]
        package.members.append(Member(f"{base}l60", type=tarfile.SYMTYPE, link=target))
        package.paths.append(entry(f"{base}l0", data, path_type="softlink"))
    elif style == "loop":
        package.members += [
            Member(f"{base}l", type=tarfile.SYMTYPE, link="m"),
            Member(f"{base}m", type=tarfile.SYMTYPE, link="l"),
        ]
        package.paths.append(entry(f"{base}l", data, path_type=rng.choice(("softlink", "hardlink"))))
    elif style == "below":
        package.members.append(Member(f"{base}l", type=tarfile.SYMTYPE, link=f"{arena.root}/home/.ssh"))
        package.paths.append(entry(f"{base}l/id_rsa", data))
    elif style == "through":
        deep = "deep/a/b/c/d/e"
        ups, there = (
            rng.randrange(1, 9),
            rng.choice(("outside/new", "cache/pkgs/good-1.0-0/site-packages/good/__init__.py")),
        )
        package.members += [
            Member(f"{deep}/keep", b"1"),
            Member(f"{base}L", type=tarfile.SYMTYPE, link=f"{arena.root}/outside/{deep}"),
        ]
        package.members.append(Member(there, b"PWNED\n"))
        package.members[-2] = Member(
            f"{base}L", type=tarfile.SYMTYPE, link=rng.choice((deep, f"{base}{deep}", "../" + deep))
        )
        package.paths.append(entry(f"{base}L/{'../' * ups}{there}", b"PWNED\n"))
    elif style == "inside":
        package.members.append(Member(f"{base}dir", type=tarfile.SYMTYPE, link=target))
        package.members.append(Member(f"{base}dir/new", b"PWNED\n"))
        package.paths.append(entry(f"{base}dir/new", b"PWNED\n"))
    elif style == "many":
        names = [f"{base}tree/{n}" for n in range(120)]
        package.members += [Member(name, b"x\n") for name in names]
        package.members += [Member(f"{base}l{n}", type=tarfile.SYMTYPE, link="tree") for n in range(120)]
        package.paths += [entry(name, b"x\n") for name in names]
        package.paths += [entry(f"{base}l{n}", b"", path_type="softlink") for n in range(120)]
    else:
        package.members.append(Member(f"{base}k", type=tarfile.SYMTYPE, link=f"{arena.root}/home/.ssh/id_rsa"))
        package.paths.append(entry(f"{base}k", data, prefix_placeholder="/opt/x", file_mode="text"))
    return package, f"{style} to {target[:40]!r}"


def _names(rng: Random, _: Arena) -> tuple[Package, str]:
    package = _payload(rng)
    name = rng.choice(_PLACES) + rng.choice(_NAMES)
    other = rng.choice(_PLACES) + rng.choice(_NAMES)
    style = rng.randrange(5)
    if style != 1:
        package.paths.append(entry(name, b"x\n"))
    if style != 2:
        package.members.append(Member(name, b"x\n"))
    if style == 3:
        package.members.append(Member(other, b"y\n"))
        package.paths.append(entry(other, b"y\n"))
    if style == 4:
        twin = rng.choice((name.upper(), name.replace("é", "e\u0301"), name + "/", f"./{name}", name))
        package.members.append(Member(twin, b"z\n"))
        package.paths.append(entry(twin, b"z\n"))
    return package, f"{name[:60]!r}, style {style}"


def _lies(rng: Random, _: Arena) -> tuple[Package, str]:
    package = _payload(rng)
    which = rng.randrange(len(package.paths))
    key = rng.choice(("sha256", "size_in_bytes", "archive", "missing", "unlisted", "content", "twice", "index"))
    said = rng.choice(
        ("0" * 64, "", "x", None, 1, -1, 10**30, "A" * 64, [], hostile.sha256(b""), 1.5, True, "\u0660" * 64)
    )
    if key in ("sha256", "size_in_bytes"):
        package.paths[which][key] = said
    elif key == "archive":
        field_ = rng.choice(("sha256", "md5", "size"))
        package.record[field_] = said
        if rng.random() < 0.5:
            package.record["sha256"] = None
    elif key == "missing":
        del package.members[which]
    elif key == "unlisted":
        package.members.append(Member(f"{SITE}/unlisted.py", b"import os\n"))
    elif key == "content":
        package.members[which] = Member(package.members[which].name, b"other = 2\n")
    elif key == "twice":
        package.members.append(Member(package.members[which].name, b"other = 2\n"))
        if rng.random() < 0.5:
            package.paths.append({**package.paths[which], "sha256": hostile.sha256(b"other = 2\n")})
    else:
        package.info["index.json"] = hostile.dumped(
            {**package.index_json(), rng.choice(("name", "version", "subdir")): "other"}
        )
    return package, f"{key}: {str(said)[:40]!r}"


def _prefixes(rng: Random, _: Arena) -> tuple[Package, str]:
    package = _payload(rng)
    which = rng.randrange(len(package.paths))
    text = rng.choice(
        ("/opt/placehold", "/", "", "x", "a" * 3000, "/opt\n", "\0", "é", "evil", "\udcff", "=", 1, None, [])
    )
    body = (
        b"#!" + str(text).encode("utf-8", "surrogateescape") * rng.choice((1, 1, 50, 2000)) + b"/bin/python\nevil = 1\n"
    )
    path = package.members[which].name
    package.members[which] = Member(path, body[:200_000])
    mode = rng.choice(("text", "text", "binary", "", "x", None, 1))
    kept = {"no_link": rng.choice((True, 1))} if rng.random() < 0.2 else {}
    package.paths[which] = entry(path, body[:200_000], prefix_placeholder=text, file_mode=mode, **kept)
    if rng.random() < 0.3:
        package.info["paths.json"] = None
        package.info["has_prefix"] = f"{text} {mode} {path}\n".encode("utf-8", "surrogateescape")
        package.info["no_link"] = f"{path}\n../../x\n".encode()
    return package, f"{text!r:.30} as {mode!r}"


def _json(rng: Random, _: Arena) -> tuple[Package, str]:
    package = _payload(rng)
    name = rng.choice(
        ("paths.json", "index.json", "about.json", "link.json", "files", "run_exports.json", "hash_input.json")
    )
    sound = {
        "paths.json": {"paths": package.paths, "paths_version": 1},
        "index.json": package.index_json(),
        "about.json": corpus.ABOUT,
        "link.json": corpus.LINK,
        "run_exports.json": {"weak": ["x"], "strong": [1]},
        "hash_input.json": {"a": "b"},
        "files": None,
    }[name]
    package.info[name] = (
        mutate.document(rng, sound) if sound else mutate.text(rng, b"lib/x\nsite-packages/evil/__init__.py\n")
    )
    return package, name


def _records(rng: Random, _: Arena) -> tuple[Package, str]:
    package = _payload(rng)
    key = rng.choice(
        ("version", "build", "name", "license", "depends", "constrains", "subdir", "noarch", "url", "fn", "timestamp")
    )
    texts = [each for each in _TEXTS if not re.search("[\ud800-\udfff]", each)]
    value: object = rng.choice(texts)
    if key in ("depends", "constrains"):
        value = rng.choice(
            ([value], [f"x {value}"], ["(" * 400], ["x " + "[" * 5000], [f"good {value}"] * 3, value, {}, ["a>"] * 3000)
        )
    if key in ("license", "version", "build") and rng.random() < 0.5:
        package.index[key] = value
    else:
        package.record[key] = value
    return package, f"{key}: {str(value)[:50]!r}"


def _points(rng: Random, _: Arena) -> tuple[Package, str]:
    package = _payload(rng)
    line = rng.choice(
        (
            *(
                "x = y\n[gui_scripts]\nz = a:b",
                "../../x = a:b",
                "/bin/sh = a:b",
                "x = a:b; import os",
                "x = a:b\n",
                "= a:b",
                "x =",
                "x",
            ),
            *(
                "x = a b c",
                "x = os:system('x')",
                "[x]",
                "é = a:b",
                "con = a:b",
                "x" * 5000 + " = a:b",
                "x\0 = a:b",
                "python = a:b",
                "a=b=c",
            ),
            *(
                "x = \u202ea:b",
                "x = a:b [extra]",
                "x\x1b[31m = a:b",
                "%(x)s = a:b",
                "#x = a:b",
                " x = a:b",
                "x = a.b.c.d:e.f.g",
                "x = -m:os",
            ),
        )
    )
    points = [line] * rng.choice((1, 1, 2, 2000))
    package.info["link.json"] = hostile.dumped(
        {"noarch": {"type": "python", "entry_points": points}, "package_metadata_version": 1}
    )
    site = package.members[0].name.partition("site-packages/")[0] + "site-packages/"
    folder = f"{site}evil-1.0.dist-info"
    texts = {
        "METADATA": mutate.text(rng, corpus.METADATA.replace(b"demo-x", b"evil")),
        "entry_points.txt": f"[console_scripts]\n{line}\n".encode("utf-8", "surrogateescape"),
        "RECORD": mutate.text(rng, b"evil/__init__.py,sha256=x,1\n../../x,,\n"),
        "top_level.txt": b"evil\n../x\n",
    }
    for name, data in texts.items():
        if rng.random() < 0.7:
            package.members.append(Member(f"{folder}/{name}", data))
            package.paths.append(entry(f"{folder}/{name}", data))
    return package, line[:50]


def _infos(rng: Random, arena: Arena) -> tuple[Package, str]:
    package = _payload(rng)
    target = _linked(arena, rng)
    secrets = f"{arena.root}/home/.ssh"
    style = rng.choice(
        (
            "licence",
            "licences",
            "old licence",
            "about",
            "recipe",
            "many",
            "deep",
            "large",
            "info",
            "names",
            "recipe text",
        )
    )
    link = tarfile.SYMTYPE if rng.random() < 0.8 else tarfile.LNKTYPE
    if style in ("licence", "names"):
        package.info["licenses/LICENSE"] = None
        name = "LICENSE" if style == "licence" else rng.choice(_NAMES)
        package.info_members.append(
            Member(f"info/licenses/{name}", type=link, link=rng.choice((target, f"{secrets}/id_rsa")))
        )
    elif style == "licences":
        package.info["licenses/LICENSE"] = None
        package.info_members.append(Member("info/licenses", type=link, link=rng.choice((target, secrets))))
    elif style == "old licence":
        package.info["licenses/LICENSE"] = None
        package.info_members.append(Member("info/LICENSE.txt", type=link, link=f"{secrets}/id_rsa"))
    elif style in ("about", "recipe"):
        name = "about.json" if style == "about" else "recipe/meta.yaml"
        package.info[name] = None
        package.info_members.append(Member(f"info/{name}", type=link, link=rng.choice((target, f"{secrets}/id_rsa"))))
    elif style == "many":
        package.info |= {f"licenses/{n}.txt": b"x" * 50 for n in range(1500)}
    elif style == "deep":
        package.info[f"licenses/{'d/' * rng.choice((5, 60, 300))}LICENSE"] = b"x"
    elif style == "large":
        package.info["licenses/LICENSE"] = b"words " * rng.choice((100, 1 << 21))
        package.info["about.json"] = hostile.dumped({"license": "words " * 40_000, "summary": "x" * (1 << 21)})
    elif style == "info":
        package.info_members.append(Member("info", type=link, link=secrets))
    else:
        package.info["recipe/meta.yaml"] = rng.choice(
            (b"!!python/object/apply:os.system ['x']", b"&a [*a, *a]", b"{" * 9000, b"\xff")
        )
    return package, f"{style} to {target[:40]!r}"


def _containers(rng: Random, _: Arena) -> tuple[Package, str]:
    package = _payload(rng)
    style = rng.choice(("cut", "flip", "tail", "swap", "entries", "tar", "other", "empty", "zstd", "pax"))
    if style == "cut":
        part = rng.random()
        package.outer = lambda data: data[: int(len(data) * part)]
    elif style == "flip":
        package.outer = lambda data: mutate.binary(rng, mutate.Seed("x", data, (), ((0, len(data), 1),)))
    elif style == "tail":
        package.outer = lambda data: rng.randbytes(40) + data if rng.random() < 0.5 else data + rng.randbytes(40)
    elif style == "swap":
        package.extension = ".conda" if package.extension == ".tar.bz2" else ".tar.bz2"
        other = ".tar.bz2" if package.extension == ".conda" else ".conda"
        package.outer = lambda _: Package(extension=other)._packed([])  # type: ignore[arg-type]
    elif style == "entries":
        package.extension = ".conda"
        package.entries = lambda entries: _entries(rng, entries)
    elif style == "tar":
        package.tarred = lambda data: mutate.binary(
            rng, mutate.Seed("x", data, ((0, 512, 1), (100, 160, 4)), ((0, len(data), 1),))
        )
    elif style == "other":
        package.outer = lambda _: rng.choice(
            (b"", b"PK", b"<html>", b"\x7fELF", b"BZh9", b"\x28\xb5\x2f\xfd", bytes(5000))
        )
    elif style == "empty":
        package.members, package.paths = [], rng.choice(([], package.paths))
    elif style == "zstd":
        package.extension = ".conda"
        package.tarred = lambda data: data + bytes(rng.choice((1 << 16, 1 << 24)))
    else:
        name = rng.choice(_NAMES)
        package.members.append(
            Member("plain", b"x\n", pax=(("path", name), ("size", "99999999999"))[: rng.choice((1, 2))])
        )
        package.paths.append(entry(name, b"x\n"))
    return package, style


def _entries(rng: Random, entries: list[Entry]) -> list[Entry]:
    choice = rng.randrange(9)
    which = rng.randrange(len(entries))
    old = entries[which]
    if choice == 0:
        del entries[which]
    elif choice == 1:
        entries.append(old)
    elif choice == 2:
        entries[which] = Entry(old.name, old.data, method=8)
    elif choice == 3:
        entries[which] = Entry(old.name, old.data, central={"size": rng.choice((0, 1, 0xFFFFFFFF, 1 << 30))})
    elif choice == 4:
        entries[which] = Entry(old.name, old.data, local={"name": b"../../" + old.name})
    elif choice == 5:
        entries[which] = Entry(old.name, old.data, flags=rng.choice((1, 8, 0x2001)))
    elif choice == 6:
        entries.insert(0, Entry(rng.choice((b"../x", b"/x", b"pkg-other.tar.zst", b"info-x.tar.zst", b"a\0b")), b"x"))
    elif choice == 7:
        entries[which] = Entry(old.name, old.data, central={"offset": rng.choice((0, 1, 0xFFFFFFFF))})
    else:
        entries[which] = Entry(old.name, rng.choice((b"", b"{", b"[" * 9999, old.data * 2)))
    return entries


def _bombs(rng: Random, _: Arena) -> tuple[Package, str]:
    package = _payload(rng)
    style = rng.choice(("zeros", "files", "names", "listed", "licence", "about"))
    base = package.members[0].name.rpartition("/")[0]
    if style == "zeros":
        data = bytes(rng.choice((50, 150)) << 20)
        package.members.append(Member(f"{base}/zeros.bin", data))
        package.paths.append(entry(f"{base}/zeros.bin", data))
    elif style in ("files", "names"):
        long = "n" * (200 if style == "names" else 1)
        names = [f"{base}/{long}{n}.txt" for n in range(3000)]
        package.members += [Member(name, b"") for name in names]
        package.paths += [entry(name, b"") for name in names]
    elif style == "listed":
        package.paths += [entry(f"{base}/none{n}.txt", b"") for n in range(20_000)]
    elif style == "licence":
        package.info["licenses/LICENSE"] = bytes(200 << 20)
    else:
        package.info["about.json"] = b'{"summary": "' + b" " * (60 << 20) + b'"}'
    return package, style


def _shadows(rng: Random, _: Arena) -> tuple[Package, str]:
    package = _payload(rng)
    site = package.members[0].name.partition("site-packages/")[0] + "site-packages/"
    name = rng.choice(
        (
            *(
                "evil.pth",
                "sitecustomize.py",
                "usercustomize.py",
                "os.py",
                "encodings/__init__.py",
                "pip/__init__.py",
                "numpy/__init__.py",
            ),
            *(
                "evil/__init__.pyc",
                "distutils-precedence.pth",
                "evil.egg-link",
                "easy-install.pth",
                "evil/_mamba_press.py",
                "evil.so",
            ),
        )
    )
    data = rng.choice(
        (b"import os; os.system('x')\n", b"/etc\n../..\n", b"\xff\0", b"\x7fELF" + bytes(60), b"x" * 100_000)
    )
    package.members.append(Member(site + name, data))
    package.paths.append(entry(site + name, data))
    scripts = rng.choice(
        (
            "bin/.evil-post-link.sh",
            "bin/.evil-pre-unlink.sh",
            "Scripts/.evil-post-link.bat",
            "python-scripts/../x",
            "bin/python",
        )
    )
    package.members.append(Member(scripts, b"#!/bin/sh\ntouch /tmp/pwned\n", mode=0o4755))
    package.paths.append(entry(scripts, b"#!/bin/sh\ntouch /tmp/pwned\n"))
    return package, f"{name}, {scripts}"


def _binaries(rng: Random, arena: Arena) -> tuple[Package, str]:
    package = Package(subdir="linux-64", files={}, extension=rng.choice((".conda", ".tar.bz2")))
    seeds = _seeds(arena)
    kind = rng.choice([kind for kind in ("elf", "elf", "elf", "macho", "pe") if seeds[kind]])
    for number in range(3):
        data = mutate.binary(rng, mutate.pick(rng, seeds[kind]))
        package.files[f"lib/libevil{number}.so"] = data
    package.list_files()
    return package, kind


def _seeds(arena: Arena) -> dict[str, list[mutate.Seed]]:
    return _kept(arena.corpus)


@cache
def _kept(folder: Path) -> dict[str, list[mutate.Seed]]:
    return corpus.binaries(folder)


PACKAGES: Mapping[str, Callable[[Random, Arena], tuple[Package, str]]] = {
    "types": _types,
    "links": _links,
    "names": _names,
    "lies": _lies,
    "prefixes": _prefixes,
    "json": _json,
    "records": _records,
    "points": _points,
    "infos": _infos,
    "containers": _containers,
    "shadows": _shadows,
    "binaries": _binaries,
    "bombs": _bombs,
}
_RARE = {"bombs": 6}
"""Families of which one case costs as much as many others: every so many-th turn only."""


def package_case(number: int, seed: int, arena: Arena) -> Case:
    """Press one hostile package in all ways."""
    rng = Random(seed << 64 | number)
    family = _family(tuple(PACKAGES), number)
    package, what = PACKAGES[family](rng, arena)
    case = Case(family, number, what)
    arena.clean()
    channel = arena.root / "channel"
    package.write(channel)
    _python(channel)
    good = arena.root / "good"
    before = arena.surroundings()
    options = ("-c", str(channel), "-c", str(good), "--python", PYTHON)
    if family == "binaries":
        options = (*options, "-C", "link.system=libouter.so.1")
    out = arena.root / "out"
    runs = [("press", "evil", *options, "-o", str(out / "cold")), ("press", "evil", *options, "-o", str(out / "warm"))]
    more = ("list", "evil", *options, "--json"), ("wheelhouse", "evil", "good", *options, "-o", str(out / "house"))
    for words in (*runs, more[number // len(PACKAGES) % 2]):
        judge(case, arena.run(*words))
    hold(case, arena, before)
    is_prefixed = any(isinstance(each, dict) and each.get("prefix_placeholder") for each in package.paths)
    loose = family == "json" or is_prefixed or "has_prefix" in package.info
    vouched = _vouched(package) | {hostile.sha256(b"good = 1\n")}
    hold_wheels(case, out, frozenset(vouched), prefixed=loose)
    return case


def _family(names: Sequence[str], number: int) -> str:
    name = names[number % len(names)]
    turn = number // len(names)
    return name if turn % _RARE.get(name, 1) == 0 else names[turn % (len(names) - 1)]


# --- hostile wheels


def _wheel_files(rng: Random) -> dict[str, bytes]:
    return corpus.wheel(**({"METADATA": mutate.text(rng, corpus.METADATA)} if rng.random() < 0.2 else {}))


def _wheel_types(rng: Random, files: dict[str, bytes], _: Arena) -> bytes:
    kinds = (0o120777, 0o020666, 0o010644, 0o040755, 0o104755, 0o060666, 0o140777, 0)
    entries = [Entry(name.encode(), data, 8) for name, data in files.items()]
    which = rng.randrange(len(entries))
    data = rng.choice((entries[which].data, b"/etc/passwd", b"../../x", b"x"))
    entries[which] = Entry(entries[which].name, data, rng.choice((0, 8)), mode=rng.choice(kinds))
    return hostile.archive(entries)


def _wheel_names(rng: Random, files: dict[str, bytes], _: Arena) -> bytes:
    name = rng.choice(("demo_x/", "", "demo_x-1.0.data/scripts/", "demo_x-1.0.dist-info/")) + rng.choice(_NAMES)
    held = {**files, name: b"x\n"}
    if rng.random() < 0.6:
        listed = {path: data for path, data in held.items() if not path.endswith("RECORD")}
        held["demo_x-1.0.dist-info/RECORD"] = (
            corpus.record(listed) if "\udcff" not in name and "\udcc3" not in name else b""
        )
    flags = rng.choice((0, 0x800))
    return hostile.archive(
        [Entry(path.encode("utf-8", "surrogateescape"), data, 8, flags) for path, data in held.items()]
    )


def _wheel_twice(rng: Random, files: dict[str, bytes], _: Arena) -> bytes:
    entries = [Entry(name.encode(), data, 8) for name, data in files.items()]
    old = rng.choice(entries)
    name = rng.choice((old.name, old.name.upper(), b"./" + old.name, old.name + b"/", old.name.replace(b"/", b"//")))
    return hostile.archive([*entries, Entry(name, rng.choice((old.data, b"other\n")), 8)])


def _wheel_lies(rng: Random, files: dict[str, bytes], _: Arena) -> bytes:
    entries = [Entry(name.encode(), data, 8) for name, data in files.items()]
    which = rng.randrange(len(entries))
    key = rng.choice(("crc", "packed", "size", "method", "flags", "offset", "needs", "name"))
    number = rng.choice((0, 1, 9, 12, 99, 0xFFFF, 1 << 20, 0x7FFFFFFF, 0xFFFFFFFF))
    value: int | bytes = (
        b"other" if key == "name" else number & (0xFFFF if key in ("method", "flags", "needs") else 0xFFFFFFFF)
    )
    where = rng.choice(("central", "local", "both"))
    both = {"central": {key: value}} if where == "central" else {"local": {key: value}} if where == "local" else {}
    both = both or {"central": {key: value}, "local": {key: value}}
    entries[which] = Entry(entries[which].name, entries[which].data, 8, **both)
    end = rng.choice(({}, {}, {"count": rng.choice((0, 1, 3, 0xFFFF))}, {"size": 1 << 20}, {"start": 7}))
    return hostile.archive(entries, end=end, before=rng.choice((b"", b"", b"#!/bin/sh\n")))


def _wheel_record(rng: Random, files: dict[str, bytes], _: Arena) -> bytes:
    name = "demo_x-1.0.dist-info/RECORD"
    return corpus.packed({**files, name: mutate.text(rng, files[name])})


def _wheel_texts(rng: Random, files: dict[str, bytes], _: Arena) -> bytes:
    name = rng.choice(("METADATA", "WHEEL", "entry_points.txt", "licenses/LICENSE", "top_level.txt", "direct_url.json"))
    text = mutate.text(rng, files.get(f"demo_x-1.0.dist-info/{name}", b"x\n"))
    return corpus.packed(corpus.wheel(**{name: text}))


def _wheel_bill(rng: Random, _: dict[str, bytes], __: Arena) -> bytes:
    return corpus.packed(corpus.wheel(**{"sboms/mamba-press.cdx.json": mutate.document(rng, corpus.BILL)}))


def _wheel_bombs(rng: Random, files: dict[str, bytes], _: Arena) -> bytes:
    size = rng.choice((64, 300)) << 20
    name = rng.choice(
        (
            "demo_x-1.0.dist-info/METADATA",
            "demo_x-1.0.dist-info/RECORD",
            "demo_x/zeros.bin",
            "demo_x-1.0.dist-info/WHEEL",
        )
    )
    return corpus.packed({**files, name: files.get(name, b"") + bytes(size)})


def _wheel_fields(rng: Random, files: dict[str, bytes], _: Arena) -> bytes:
    return mutate.binary(rng, mutate.archive("wheel", corpus.packed(files, method=rng.choice((0, 8)))))


def _wheel_binaries(rng: Random, files: dict[str, bytes], arena: Arena) -> bytes:
    seeds = _seeds(arena)
    kind = rng.choice([kind for kind in ("elf", "macho", "pe") if seeds[kind]])
    held = {f"demo_x/{n}.so": mutate.binary(rng, mutate.pick(rng, seeds[kind])) for n in range(3)}
    payload = {**{path: data for path, data in files.items() if not path.endswith("/RECORD")}, **held}
    return corpus.packed({**payload, "demo_x-1.0.dist-info/RECORD": corpus.record(payload)})


WHEELS: Mapping[str, Callable[[Random, dict[str, bytes], Arena], bytes]] = {
    "types": _wheel_types,
    "names": _wheel_names,
    "twice": _wheel_twice,
    "lies": _wheel_lies,
    "record": _wheel_record,
    "texts": _wheel_texts,
    "bill": _wheel_bill,
    "fields": _wheel_fields,
    "binaries": _wheel_binaries,
    "bombs": _wheel_bombs,
}
_FILE = "demo_x-1.0-py3-none-any.whl"


def wheel_case(number: int, seed: int, arena: Arena) -> Case:
    """Hand one hostile wheel, and a wheelhouse with it, to every command that takes one."""
    rng = Random(seed << 64 | number)
    family = _family(tuple(WHEELS), number)
    data = WHEELS[family](rng, _wheel_files(rng), arena)
    case = Case(family, number, f"{len(data):,} bytes")
    arena.clean()
    path, house, out = arena.root / "channel" / _FILE, arena.root / "channel" / "house.zip", arena.root / "out"
    path.write_bytes(data)
    house.write_bytes(_house(rng, data))
    before = arena.surroundings()
    change = rng.choice(
        (("--build-number", "1"), ("--version-suffix", "post1"), ("--require", "attrs"), ("--set", "Summary: x"))
    )
    force = () if change[0] in ("--build-number", "--version-suffix") else ("--force",)
    runs = [("check", str(path)), ("edit", str(path), *change, *force, "-o", str(out)), ("explain", str(path))]
    runs += [("wheelhouse", "show", str(house)), ("wheelhouse", "validate", str(house))]
    if number % 5 == 0:
        runs.append(("wheelhouse", "install", str(house), "--python", sys.executable, "--target", str(out / "site")))
    for words in runs:
        judge(case, arena.run(*words))
    hold(case, arena, before)
    for edited in out.glob("*.whl"):
        try:
            with zipfile.ZipFile(edited) as archive:
                if (bad := archive.testzip()) is not None:
                    case.faults.append(f"edit writes a wheel in which {bad} is damaged")
        except (OSError, ValueError, zipfile.BadZipFile, RuntimeError) as error:
            case.faults.append(f"edit writes a wheel that cannot be read: {error}")
    return case


def _house(rng: Random, data: bytes) -> bytes:
    """A wheelhouse in one file, with this wheel in it; sound for three of four, so that the wheel is reached."""
    lock = b'lock-version = "1.0"\n'
    row = {**corpus.MANIFEST["wheels"][0], "size": len(data), "sha256": hostile.sha256(data)}  # type: ignore[index]
    manifest: object = {**corpus.MANIFEST, "pythons": [PYTHON], "wheels": [row], "lock": hostile.sha256(lock)}
    text = mutate.document(rng, manifest) if rng.random() < 0.25 else json.dumps(manifest).encode()
    entries = [Entry(b"wheelhouse.json", text), Entry(b"pylock.toml", lock), Entry(_FILE.encode(), data)]
    if rng.random() < 0.15:
        entries.append(Entry(rng.choice(_NAMES).encode("utf-8", "surrogateescape"), b"x"))
    return hostile.archive(entries)


# --- the campaign

CASES: Mapping[str, Callable[[int, int, Arena], Case]] = {"packages": package_case, "wheels": wheel_case}


def run(kind: str, numbers: Sequence[int], seed: int, folder: Path) -> list[Case]:
    """Run cases one after the other; what fails is kept in ``folder``."""
    _import_all()
    arena = Arena.made(folder / "machine", folder / "corpus")
    found = []
    for number in numbers:
        case = CASES[kind](number, seed, arena)
        if case.faults:
            _keep(kind, case, seed, folder)
            if any("changed outside" in each for each in case.faults):
                arena = Arena.made(folder / "machine", folder / "corpus")
        found.append(case)
    shutil.rmtree(folder / "machine", ignore_errors=True)
    return found


def _keep(kind: str, case: Case, seed: int, folder: Path) -> None:
    kept = folder / f"{kind}-{seed}-{case.number}"
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(folder / "machine" / "channel", kept, symlinks=True)
    command = f"nox -s hostile -- {kind} 1 {seed} --first {case.number}"
    text = "\n".join([f"{case.family}: {case.what}", command, *case.faults, ""])
    (kept / "README").write_text(text, encoding="utf-8", errors="backslashreplace")


def _import_all() -> None:
    """Import what the commands need, so that a fork need not; the worker is a process of its own anyway."""
    for module in pkgutil.walk_packages(mamba_press.__path__, "mamba_press."):
        if not module.name.endswith(("worker", "__main__", "inner.hook", "build")):
            importlib.import_module(module.name)
    import packaging.metadata  # noqa: F401


def table(cases: Sequence[Case]) -> Iterator[str]:
    """Yield the lines of a table by family, as Markdown."""
    yield "| family | cases | refused | with a result | longest | most memory | cases with faults |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    for family in (*dict.fromkeys(case.family for case in cases), "all"):
        some = [case for case in cases if family in (case.family, "all")]
        refused = sum(all(code != 0 for code in case.codes) for case in some)
        longest, most = max(case.seconds for case in some), max(case.memory for case in some)
        bad = sum(bool(case.faults) for case in some)
        cells = [family, len(some), refused, len(some) - refused, f"{longest:.1f} s", f"{most >> 20} MB", bad]
        yield f"| {' | '.join(map(str, cells))} |"


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for and say what is wrong; the exit code says whether anything is."""
    parser = argparse.ArgumentParser(prog="nox -s hostile --", description=__doc__)
    parser.add_argument("kind", choices=list(CASES))
    parser.add_argument("count", nargs="?", type=int, default=1000)
    parser.add_argument("seed", nargs="?", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="the number of the first case: a run in parts")
    parser.add_argument("--folder", type=Path, default=Path(".hostile"), help="where it happens, and what failed stays")
    asked = parser.parse_args(arguments)
    folder = asked.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    cases = run(asked.kind, range(asked.first, asked.first + asked.count), asked.seed, folder)
    print("\n".join(table(cases)))
    for case in cases:
        for fault in case.faults:
            print(f"{case.number} {case.family} ({case.what}): {fault}".encode("utf-8", "backslashreplace").decode())
    return 1 if any(case.faults for case in cases) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
