"""Run mamba-press as its users do, in a process of its own: the command, the hooks, projects to build, their traces."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support.channel import Channel, CondaPackage, Link, dist_info, python_abi, python_package, write_channel
from tests.support.compile import Linking, extension_module, module_source, shared_library
from tests.support.environment import clean_environment

REPOSITORY = Path(__file__).parents[2]
HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"

CALL = """\
import json, sys
import mamba_press.build as backend
name, arguments = json.loads(sys.argv[1])
print(json.dumps(getattr(backend, name)(*arguments)))
"""


@dataclass(frozen=True, slots=True)
class Done:
    """A process that has ended: its exit code, and what it said."""

    code: int
    out: str
    err: str

    def ok(self) -> Done:
        """Itself, where all went well; else the test fails with what was said."""
        assert self.code == 0, f"exit code {self.code}\n{self.out}\n{self.err}"
        return self


MACHINE = sys.platform == "linux" and platform.machine() == "x86_64"
"""Whether this machine is one that the made packages are for."""


def settings(**more: str) -> dict[str, str]:
    """A clean environment in which the interpreter of the tests finds mamba-press, with what a test adds."""
    return {**clean_environment(), "PYTHONPATH": str(REPOSITORY / "src"), **more}


def run(*command: str | Path, cwd: Path, environ: Mapping[str, str] | None = None) -> Done:
    """Run anything to its end."""
    found = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**settings(), **(environ or {})},
        check=False,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    return Done(found.returncode, found.stdout, found.stderr)


def command(*arguments: str | Path, cwd: Path, environ: Mapping[str, str] | None = None) -> Done:
    """Run ``mamba-press``."""
    return run(sys.executable, "-m", "mamba_press", *arguments, cwd=cwd, environ=environ)


def hook(name: str, *arguments: object, cwd: Path, environ: Mapping[str, str] | None = None) -> Done:
    """Call a hook in a fresh interpreter, as front ends do; what it returned is the JSON in ``out``."""
    asked = json.dumps([name, [str(each) if isinstance(each, Path) else each for each in arguments]])
    return run(sys.executable, "-c", CALL, asked, cwd=cwd, environ=environ)


def returned(done: Done) -> object:
    """What a hook returned."""
    return json.loads(done.ok().out.splitlines()[-1])


def project(
    root: Path,
    table: str,
    *,
    name: str = "greeting",
    dynamic: bool = True,
) -> Path:
    """Write a pressed project whose ``[tool.mamba-press]`` is ``table``, and return its folder."""
    root.mkdir(parents=True, exist_ok=True)
    version = 'dynamic = ["version"]' if dynamic else 'version = "7.1"'
    root.joinpath("pyproject.toml").write_text(
        '[build-system]\nrequires = ["mamba-press"]\nbuild-backend = "mamba_press.build"\n\n'
        f'[project]\nname = "{name}"\n{version}\n\n[tool.mamba-press]\n{table}\n',
        encoding="utf-8",
    )
    return root


def words(version: str = "1.0") -> CondaPackage:
    """A noarch Python package without a compiled file."""
    return CondaPackage(
        name="words",
        version=version,
        build="pyh_0",
        noarch="python",
        depends=("python >=3.6",),
        files={
            "site-packages/words/__init__.py": f'WORDS = ("hello", "world")\nVERSION = "{version}"\n',
            **{
                f"site-packages/{path}": text
                for path, text in dist_info("words", version, metadata="Summary: words to greet with\n").items()
            },
        },
    )


def greeting_packages(folder: Path) -> list[CondaPackage]:
    """A library, an extension module for the Python of the tests that needs it, and a noarch package."""
    library = shared_library(
        folder / "libgreet.so.1.2", "int greet_number(void) { return 42; }", Linking(soname="libgreet.so.1")
    )
    module = extension_module(
        folder,
        "_greet",
        module_source("_greet", "PyLong_FromLong(greet_number())", "int greet_number(void);"),
        Linking(needed=(library,), rpath="$ORIGIN/../../.."),
        python=Path(sys.executable),
    )
    site = f"lib/python{HERE}/site-packages"
    greet = CondaPackage(
        name="greet",
        version="1.2",
        build="h0_0",
        files={
            "lib/libgreet.so": Link("libgreet.so.1.2"),
            "lib/libgreet.so.1": Link("libgreet.so.1.2"),
            "lib/libgreet.so.1.2": library,
            "include/greet.h": "int greet_number(void);\n",
        },
        depends=("__glibc >=2.17",),
    )
    pygreet = CondaPackage(
        name="pygreet",
        version="2.0",
        build=f"py{HERE.replace('.', '')}_0",
        depends=("greet >=1.2,<2", "words", f"python {HERE}.*", f"python_abi {HERE}.* *_cp{HERE.replace('.', '')}"),
        files={
            f"{site}/pygreet/__init__.py": "from words import WORDS\n\nfrom pygreet._greet import call\n",
            f"{site}/pygreet/{module.name}": module,
            **{
                f"{site}/{path}": text
                for path, text in dist_info("pygreet", "2.0", metadata="Requires-Dist: words\n").items()
            },
        },
    )
    return [greet, pygreet, words(), python_package(HERE), python_abi(HERE)]


def greeting_channel(root: Path, folder: Path) -> Channel:
    """A channel of `greeting_packages`; what is compiled goes to ``folder``."""
    return write_channel(root, greeting_packages(folder))


def unpacked(sdist: Path, folder: Path) -> Path:
    """The top folder of an sdist, unpacked as careful front ends do it, where this Python can."""
    with tarfile.open(sdist) as archive:
        if hasattr(tarfile, "data_filter"):
            archive.extractall(folder, filter="data")
        else:  # Debian 12 has 3.11.2
            archive.extractall(folder)
    return folder / sdist.name.removesuffix(".tar.gz")


def hashes(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file below a folder: what must not change is compared by it."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def packages_in(cache: Path) -> dict[str, str]:
    """The hashes of the packages in a rattler cache, without its own bookkeeping and locks."""
    found = hashes(cache / "pkgs") if (cache / "pkgs").is_dir() else {}
    return {path: digest for path, digest in found.items() if not path.endswith(".lock")}


def normalised(text: str, places: Mapping[str, Path | str]) -> str:
    """A text in which what differs from run to run has a name: folders, ports, hashes, progress."""
    for name, place in sorted(places.items(), key=lambda item: -len(str(item[1]))):
        text = text.replace(str(place), f"<{name}>")
    text = text.replace(sys.executable, "<python>")
    text = re.sub(r"(?<![\d.])3\.\d{1,2}(?!\d)", "<3.x>", text)  # also where a hint names one: HERE may be the same
    text = re.sub(r"(?<![A-Za-z])(cp|py|cpython-)3\d{1,2}(?!\d)", r"\1<3x>", text)
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:<port>", text)
    text = re.sub(r"\b[0-9a-f]{64}\b", "<sha256>", text)
    text = re.sub(r"__(glibc|linux) [\d.]+", r"__\1 <version>", text)
    text = re.sub(r"__archspec 1 \w+|__archspec \d[^,\s]*", "__archspec <machine>", text)
    return re.sub(r"mamba-press-\w{8}\b", "mamba-press-<random>", text)


def interrupted(
    arguments: list[str | Path],
    *,
    cwd: Path,
    environ: Mapping[str, str],
    when: Callable[[str], bool],
    how: signal.Signals,
) -> Done:
    """Run a command and send it a signal as soon as what it has said so far on stderr satisfies ``when``.

    The signal goes to that one process, as `kill` sends it: those it has started must notice by themselves.
    """
    process = subprocess.Popen(
        [str(part) for part in arguments],
        cwd=cwd,
        env={**settings(), **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    said = ""
    while line := process.stderr.readline():
        said += line
        if when(said):
            process.send_signal(how)
            break
    out, rest = process.communicate(timeout=60)
    return Done(process.returncode, out, said + rest)


@contextmanager
def serving(root: Path, stalled: str = "") -> Iterator[str]:
    """Serve a channel over HTTP on this machine; a request whose path has ``stalled`` in it is never answered."""
    end = threading.Event()

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if stalled and stalled in self.path:
                end.wait(60)
                return
            super().do_GET()

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(root))) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            end.set()
            server.shutdown()
            thread.join()


def processes_with(marker: str) -> list[int]:
    """The processes of this machine that have a text in their environment (Linux)."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # it has ended, or is another user's
            if marker.encode() in path.read_bytes() and int(path.parent.name) != os.getpid():
                found.append(int(path.parent.name))
    return found


def eventually(check: Callable[[], bool], seconds: float = 15) -> bool:
    """Whether something becomes true before long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if check():
            return True
        time.sleep(0.05)
    return check()


def leftovers(folder: Path) -> list[str]:
    """Unfinished files of ours in a folder."""
    return sorted(path.name for path in folder.glob(".mamba-press-*")) if folder.is_dir() else []


def is_root() -> bool:
    """Whether file permissions mean nothing to the process."""
    return hasattr(os, "geteuid") and os.geteuid() == 0
