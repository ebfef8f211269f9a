"""The native prefix: what its solve may count on, what is in it, and where one that stays is found again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mamba_press.config.model import Config
from mamba_press.platforms import target
from mamba_press.project import host_prefix
from mamba_press.types import Package, Python, Solution, Target
from tests.support.values import specs

LINUX = Target(system="linux", arch="x86_64", subdir="linux-64", python=Python(minor=11), floor=(2, 28))


def package(name: str, **more: object) -> Package:
    given = {"version": "1", "build": "0", "build_number": 0, "channel": "c", "subdir": "linux-64", **more}
    return Package(name=name, url=f"file:///c/{name}.conda", file_name=f"{name}.conda", **given)  # type: ignore[arg-type]


ZLIB, PNG = package("zlib", sha256="aa"), package("libpng", sha256="bb")
NUMPY = package("numpy", depends=specs("python >=3.11,<3.12", "python_abi 3.11.*"))
SOLUTION = Solution(
    target=LINUX, packages=(PNG, NUMPY, package("python"), package("python_abi"), ZLIB), channels=("c",)
)


@pytest.mark.parametrize(
    ("wanted", "machine", "floor"),
    [((2, 28), (2, 17), (2, 17)), ((2, 17), (2, 36), (2, 17)), (None, (2, 36), (2, 36)), ((2, 28), None, (2, 28))],
)
def test_a_solve_counts_on_the_lower_of_two_glibcs(wanted, machine, floor, monkeypatch):
    here = replace(target.this_machine(), glibc=machine, platform="linux-x86_64")
    monkeypatch.setattr(target, "this_machine", lambda: here)
    assert host_prefix.assumed(replace(LINUX, floor=wanted)).floor == floor


def test_another_kind_of_machine_counts_on_what_was_asked_for(monkeypatch):
    here = replace(target.this_machine(), glibc=(2, 17), platform="linux-x86_64")
    monkeypatch.setattr(target, "this_machine", lambda: here)
    macos = Target(system="osx", arch="arm64", subdir="osx-arm64", python=Python(minor=11), floor=(11, 0))
    arm = replace(LINUX, arch="aarch64", subdir="linux-aarch64")
    assert (host_prefix.assumed(macos), host_prefix.assumed(arm)) == (macos, arm)


def test_a_prefix_has_no_python_and_of_its_packages_those_that_are_named():
    assert host_prefix.names(SOLUTION, ["libpng"]) == {"libpng", "zlib"}
    assert host_prefix.names(SOLUTION, ["libpng", "numpy >=2", "python"]) == {"libpng", "zlib", "numpy"}


def job(cache: Path, *packages: Package) -> host_prefix.Job:
    solution = replace(SOLUTION, packages=packages)
    environ = {"RATTLER_CACHE_DIR": str(cache)}
    return host_prefix.Job(config=Config(), solution=solution, root=cache, workdir=cache, environ=environ)


def test_a_prefix_that_stays_is_found_again_by_its_packages(tmp_path):
    def place(*packages: Package) -> Path:
        made = job(tmp_path, *packages)
        return host_prefix._kept(made, made.solution, frozenset({"zlib", "libpng"}))

    first = place(ZLIB, PNG)
    assert first.parent == tmp_path / "mamba-press"
    assert place(PNG, ZLIB, NUMPY) == first
    assert place(replace(ZLIB, build="1"), PNG) != first
    assert place(replace(ZLIB, sha256="cc"), PNG) != first
