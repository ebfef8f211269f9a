"""The ELF editor on every library that this machine has, judged by readelf, the loader, and two kinds of strip."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mamba_press.platforms import binaries, binary_edits
from mamba_press.platforms.binaries import Malformed
from mamba_press.types import Binary, Edits
from tests.support import corpus

pytestmark = pytest.mark.slow

SYSTEM = Path("/usr/lib")
LARGEST = 8_000_000
"""Larger libraries are there to be found by others; editing them takes time and shows nothing new."""
BATCH = 60

# Loads each file named on its input in a process of its own, and says in one line how that went. What constructors
# write goes nowhere.
LOADER = r"""
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
    char path[4096];
    while (fgets(path, sizeof path, stdin)) {
        path[strcspn(path, "\n")] = 0;
        fflush(stdout);
        pid_t child = fork();
        if (!child) {
            int answer = dup(1);
            alarm(20);
            freopen("/dev/null", "r", stdin);
            freopen("/dev/null", "w", stdout);
            freopen("/dev/null", "w", stderr);
            if (dlopen(path, RTLD_NOW)) _exit(42);
            dprintf(answer, "%s\n", dlerror());
            _exit(43);
        }
        int status;
        waitpid(child, &status, 0);
        if (WIFSIGNALED(status)) printf("signal %d\n", WTERMSIG(status));
        else if (WEXITSTATUS(status) == 42) printf("ok\n");
        else if (WEXITSTATUS(status) != 43) printf("exit code %d\n", WEXITSTATUS(status));
    }
    return 0;
}
"""


@dataclass
class Bench:
    """A folder to work in, the loader, and every library by name, as links in one folder."""

    folder: Path
    loader: Path
    farm: Path
    libraries: dict[str, Path] = field(default_factory=dict)

    def add(self, path: Path, binary: Binary) -> None:
        for name in {path.name, binary.name or path.name}:
            if name not in self.libraries and "/" not in name:
                self.libraries[name] = path
                (self.farm / name).symlink_to(path)

    def load(self, paths: Sequence[Path], *, with_farm: bool) -> list[str]:
        """What the loader says of each file: ``ok``, its message, or the signal that ended it."""
        environment = {"LD_LIBRARY_PATH": str(self.farm)} if with_farm else {}
        text = "".join(f"{path}\n" for path in paths)
        result = subprocess.run(
            [str(self.loader)], input=text, capture_output=True, text=True, env=environment, check=True
        )
        answers = result.stdout.splitlines()
        assert len(answers) == len(paths)
        return answers

    def edits(self, binary: Binary) -> Edits:
        """A long search path, a longer name, up to three libraries renamed and the stubs of glibc removed."""
        stubs = ("libdl.so", "libpthread.so", "librt.so", "libutil.so")
        renamed = [name for name in binary.needed if name in self.libraries and not name.startswith(("libc.so", "ld-"))]
        needed: list[tuple[str, str | None]] = []
        for name in [name for name in renamed if not name.startswith((*stubs, "libm.so"))][:3]:
            needed.append((name, f"lib-0123abcd-{name}"))
            link = self.farm / f"lib-0123abcd-{name}"
            if not link.is_symlink():
                link.symlink_to(self.libraries[name])
        needed += [(name, None) for name in binary.needed if name.startswith(stubs)]
        own = f"lib-0123abcd-{binary.name}" if binary.name else None
        return Edits(name=own, needed=tuple(needed), search=(str(self.farm), "$ORIGIN"), inherited=True)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    compiler = shutil.which("gcc") or pytest.skip("gcc is not on this machine")
    farm = tmp_path / "a" / ("long" * 10) / "farm"
    farm.mkdir(parents=True)
    loader = tmp_path / "loader"
    subprocess.run([compiler, "-x", "c", "-O1", "-w", "-", "-o", str(loader)], input=LOADER, text=True, check=True)
    return Bench(folder=tmp_path, loader=loader, farm=farm)


def libraries(root: Path) -> Iterator[tuple[Path, Binary]]:
    """Every shared object of this machine's architecture below a folder."""
    for path in sorted(root.rglob("*.so*")):
        if path.is_symlink() or not path.is_file():
            continue
        binary = binaries.read_file(path)
        if binary and binary.format == "elf" and binary.kind == "shared" and binary.arch == platform.machine():
            yield path, binary


def strip_tools() -> Iterator[tuple[str, list[str]]]:
    for tool in ("strip", "llvm-strip"):
        if shutil.which(tool):
            for option in ("-s", "-g"):
                yield f"{tool} {option}", [tool, option]


def complaints(paths: Iterable[Path]) -> str:
    """What readelf complains about, without the names of the files."""
    found = []
    for path in paths:
        result = subprocess.run(["readelf", "-lWdV", str(path)], capture_output=True, text=True, check=False)
        found.append(result.stderr.replace(str(path), "") + "<corrupt" * result.stdout.count("<corrupt"))
    return "".join(found)


def judge(bench: Bench, batch: Sequence[tuple[Path, Binary]]) -> Iterator[str]:
    """Edit a batch of libraries that load, and yield what is wrong with the outcome."""
    once: list[Path] = []
    five: list[Path] = []
    for number, (path, binary) in enumerate(batch):
        data, asked = path.read_bytes(), bench.edits(binary)
        edited = binary_edits.apply(data, asked)
        if set(binary_edits.layout_problems(edited)) - set(binary_edits.layout_problems(data)):
            yield f"{path}: {binary_edits.layout_problems(edited)}"
        once.append(bench.folder / "edited" / f"{number}-{path.name}")
        once[-1].write_bytes(edited)
        current = edited
        for deep in (1, 4, 2, 3):
            name = f"lib-{deep}-{binary.name}" if binary.name else None
            current = binary_edits.apply(
                current, Edits(name=name, search=(f"{bench.farm}{'/.' * deep}",), inherited=True)
            )
        current = binary_edits.apply(current, asked)
        if len(current) > len(edited) + 64:
            yield f"{path}: five edits made {len(current)} bytes of {len(edited)}"
        five.append(bench.folder / "edited" / f"five-{number}-{path.name}")
        five[-1].write_bytes(current)
    for how, paths in (("edited", once), ("edited five times", five)):
        for (path, _), answer in zip(batch, bench.load(paths, with_farm=False), strict=True):
            if answer != "ok":
                yield f"{path}, {how}: {answer}"
    for (path, _), edited_path in zip(batch, once, strict=True):
        if complaints([edited_path]) != complaints([path]):
            yield f"{path}: {complaints([edited_path])}"
    yield from judge_stripped(bench, batch, once)


def judge_stripped(bench: Bench, batch: Sequence[tuple[Path, Binary]], edited: Sequence[Path]) -> Iterator[str]:
    """What strip makes of edited libraries must load, unless it breaks the original alike."""
    for name, command in strip_tools():
        stripped = [Path(shutil.copy(path, bench.folder / "stripped" / path.name)) for path in edited]
        subprocess.run([*command, *map(str, stripped)], capture_output=True, check=False)
        for (path, _), copy, answer in zip(batch, stripped, bench.load(stripped, with_farm=False), strict=True):
            if answer == "ok":
                continue
            original = Path(shutil.copy(path, bench.folder / "stripped" / f"original-{copy.name}"))
            subprocess.run([*command, str(original)], capture_output=True, check=False)
            if bench.load([original], with_farm=True) == ["ok"]:
                yield f"{path}, {name} after the edit: {answer}"


def run(bench: Bench, corpus: list[tuple[Path, Binary]], least: int) -> None:
    for path, binary in corpus:
        bench.add(path, binary)
    (bench.folder / "edited").mkdir()
    (bench.folder / "stripped").mkdir()
    loadable = [
        one
        for one, answer in zip(corpus, bench.load([p for p, _ in corpus], with_farm=True), strict=True)
        if answer == "ok" and one[0].stat().st_size <= LARGEST and not any("/" in name for name in one[1].needed)
    ]
    assert len(loadable) >= least, "too few libraries load before the edit for this test to say anything"
    problems: list[str] = []
    for start in range(0, len(loadable), BATCH):
        problems += judge(bench, loadable[start : start + BATCH])
        for folder in ("edited", "stripped"):
            for path in (bench.folder / folder).iterdir():
                path.unlink()
    assert not problems, "\n".join(problems)


def test_every_library_of_the_system_loads_after_edits_and_after_strip(bench: Bench) -> None:
    run(bench, list(libraries(SYSTEM)), least=20)


@pytest.mark.real
def test_every_library_of_real_packages_loads_after_edits_and_after_strip(
    bench: Bench, shared_channels: Path, tmp_path: Path
) -> None:
    if platform.machine() != "x86_64":
        pytest.skip("the packages are for x86_64")
    packages = shared_channels / "forge" / "linux-64"
    prefix = corpus.prefix_of(packages, tmp_path / "prefix", lambda name: ".so" in name)
    run(bench, list(libraries(prefix)), least=60)


def test_every_binary_of_the_system_is_read_and_edited_programs_still_resolve(tmp_path: Path) -> None:
    """Programs are not run but listed: the kernel maps them, the loader finds what they need, and stops there."""
    programs = []
    for path in sorted(Path("/usr/bin").iterdir()):
        try:
            binary = binaries.read_file(path) if path.is_file() and not path.is_symlink() else None
        except (Malformed, PermissionError):
            pytest.fail(f"{path} cannot be read")
        if binary and binary.kind == "program" and binary.arch == platform.machine():
            programs.append((path, binary))
    assert programs
    problems = []
    for path, binary in programs:
        copy = tmp_path / path.name
        data = path.read_bytes()
        copy.write_bytes(binary_edits.apply(data, Edits(search=("$ORIGIN/" + "deep/" * 12, *binary.search))))
        copy.chmod(0o755)
        found = [subprocess.run([str(p)], capture_output=True, text=True, env=LIST, check=False) for p in (path, copy)]
        expected, listed = (sorted(line.split(" (0x")[0] for line in one.stdout.splitlines()) for one in found)
        if found[0].returncode == 0 and (found[1].returncode or expected != listed):
            problems.append(f"{path}: {found[1]}")
        copy.unlink()
    assert not problems, "\n".join(problems)


LIST = {"LD_TRACE_LOADED_OBJECTS": "1", "LD_BIND_NOW": "1"}
