"""A conda channel to compile against, made of Debian's ``-dev`` packages, and this machine without those packages.

Debian's packages are for ``/usr`` and say so in ``.pc`` files, ``*-config`` scripts and cmake's files. Here that prefix
becomes a placeholder, as build tools of conda packages make one, so that an installed package names the prefix that it
is installed in. Archives and folders are made by ``deb2conda.py``, which lies beside the repository.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.support.channel import PLACEHOLDER, write_channel
from tests.support.shared import SHARED

SCRIPT = SHARED / "tools" / "deb2conda.py"

INDEX = """\
import asyncio, os, sys
from rattler.index import index_fs
asyncio.run(index_fs(sys.argv[1]))
sys.stdout.flush()
os._exit(0)  # an interpreter that ran rattler can crash at its end
"""

TEXTS = re.compile(r"(?:bin|sbin)/.*|(?:lib|share)/(?:pkgconfig/.*\.pc|cmake/.*\.cmake)|lib/[^/]*\.settings")
"""What tells compilers where things are; other texts, such as documentation, may speak of ``/usr``."""

ALTERNATIVES = {"lib/pkgconfig/hdf5.pc": "lib/pkgconfig/hdf5-serial.pc"}
"""Links that Debian's packages make when they are installed."""

NOT_OURS = {
    "binutils",
    "cpp",
    "cpp-12",
    "debconf",
    "dpkg-dev",
    "gcc",
    "gcc-12",
    "libc-dev-bin",
    "linux-libc-dev",
    "perl",
}
"""Packages of the compiler and of the system: the compiler is the machine's."""

RUNTIMES = {"libgcc-s1", "libgomp1", "libstdc++6"}
"""What every machine has that wheels with a manylinux tag are for."""

WITHOUT = """\
set -e
mount -t overlay overlay -o "lowerdir=/usr,upperdir=$1/upper,workdir=$1/work" /usr
xargs -0 rm -f < "$2"
shift 2
exec "$@"
"""
"""Runs a command on this machine without some files below ``/usr``, in a mount namespace of its own."""


def build_channel(channel: Path, names: Iterable[str], work: Path) -> tuple[str, ...]:
    """Make packages of Debian's and of all that they depend on, in a new channel; return their names."""
    shutil.rmtree(channel, ignore_errors=True)
    work.mkdir(parents=True, exist_ok=True)
    tool = _tool()
    tool.DROP |= NOT_OURS
    relayout = tool.relayout

    def relayout_and_move(roots: list[Path], stage: Path, triplet: str) -> object:
        licenses = relayout(roots, stage, triplet)
        _move(stage, triplet)
        for name, of in ALTERNATIVES.items():
            if (stage / of).exists():
                (stage / name).symlink_to(Path(of).name)
        return licenses

    tool.relayout = relayout_and_move
    apt = tool.Apt("amd64", work / "apt")
    closure = tuple(name for name in apt.closure(list(names)) if name not in NOT_OURS)
    for name in closure:
        tool.convert(apt, [name], channel, placeholder=PLACEHOLDER, placeholder_binary=False)
    subprocess.run([sys.executable, "-c", INDEX, str(channel)], check=True)
    write_channel(channel, [])
    for stale in (*channel.rglob("repodata.json.zst"), *channel.rglob("repodata_shards.msgpack.zst")):
        stale.unlink()
    return closure


def _tool() -> Any:
    """The script as a module."""
    if not SCRIPT.is_file():
        raise SystemExit(f"{SCRIPT} is not there: MAMBA_PRESS_SHARED names the folder that has it")
    spec = importlib.util.spec_from_file_location("deb2conda", SCRIPT)
    assert spec
    assert spec.loader
    sys.path.insert(0, str(SCRIPT.parent))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _move(stage: Path, triplet: str) -> None:
    """Let what tells compilers where things are speak of the placeholder and of the folders of a conda prefix."""
    for path in stage.rglob("*"):
        if path.is_symlink() or not path.is_file() or not TEXTS.fullmatch(path.relative_to(stage).as_posix()):
            continue
        data = path.read_bytes()
        if b"\0" in data:
            continue
        lines = data.decode(errors="surrogateescape").splitlines(keepends=True)
        text = "".join(line if line.startswith("#!") else moved(line, triplet) for line in lines)
        path.write_bytes(text.encode(errors="surrogateescape"))


def moved(text: str, triplet: str) -> str:
    """A text about ``/usr`` as one about a conda prefix."""
    text = re.sub(rf"/lib/{triplet}(?:/hdf5/serial)?", "/lib", text)
    text = re.sub(rf"/include/{triplet}", "/include", text)
    return re.sub(r"(?:(?<![\w}/.-])|(?<=-[IL]))/usr(?![\w.-])", PLACEHOLDER, text)


class Machine:
    """This machine without the files of some packages that ``what`` matches; what its Python and gcc load stays."""

    def __init__(self, folder: Path, packages: Iterable[str], python: Path, what: str = "") -> None:
        for name in ("upper", "work"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.list = folder / "files"
        kept = _loaded(python)
        files = [file for file in _files(packages) if re.search(what, str(file)) and file.resolve() not in kept]
        self.list.write_bytes(b"".join(bytes(file) + b"\0" for file in files))

    def command(self, words: Sequence[str]) -> list[str]:
        """A command line as one that runs there; needs root."""
        return ["unshare", "-m", "sh", "-c", WITHOUT, "sh", str(self.folder), str(self.list), *words]


def _files(packages: Iterable[str]) -> list[Path]:
    """The files of those packages that are on this machine."""
    found = []
    for name in sorted(set(packages) - RUNTIMES):
        told = subprocess.run(["dpkg", "-L", name], capture_output=True, text=True, check=False).stdout
        found += [path for line in told.splitlines() if (path := Path(line)).is_symlink() or path.is_file()]
    return [path for path in found if Path("/usr") in path.parent.resolve().parents]


def _loaded(python: Path) -> set[Path]:
    """What the interpreter, the extension modules of its standard library, and the compiler load."""
    code = "import sysconfig; print(sysconfig.get_config_var('DESTSHARED'))"
    modules = Path(_told(python, "-c", code)).glob("*.so")
    compiler = [_told("gcc", f"-print-prog-name={name}") for name in ("cc1", "cc1plus", "as", "ld", "collect2")]
    told = _told("ldd", python, *modules, *map(shutil.which, compiler))
    return {Path(path).resolve() for path in re.findall(r"(?:=> |^\t)(/\S+)", told, re.MULTILINE)}


def _told(*words: Path | str | None) -> str:
    return subprocess.run(list(filter(None, words)), capture_output=True, text=True, check=False).stdout.strip("\n")
