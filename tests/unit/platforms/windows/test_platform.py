"""Windows' answers to what every platform is asked."""

from __future__ import annotations

import pytest

from mamba_press.platforms import compiler_runtimes
from mamba_press.platforms.windows import platform
from mamba_press.types import Binary, Python
from tests.support.values import demand


def test_libraries_of_one_name_are_tried_beside_the_file_then_where_conda_has_them():
    paths = ("x.dll", "DLLs/x.dll", "Library/bin/x.dll", "share/x.dll", "Lib/site-packages/a/x.dll")
    binary = Binary(format="pe", arch="x86_64", kind="shared")
    found = platform.likeliest(binary, "Lib/site-packages/a/_a.pyd", "X.dll", {"x.dll": paths})
    assert tuple(found) == ("Lib/site-packages/a/x.dll", "Library/bin/x.dll", "x.dll", "DLLs/x.dll", "share/x.dll")


@pytest.mark.parametrize(
    ("runtime_name", "wanted", "names", "python", "arch", "choice"),
    [
        ("vcruntime", "auto", ["VCRUNTIME140.dll", "VCRUNTIME140_1.dll"], 10, "amd64", "system"),
        ("vcruntime", "auto", ["VCRUNTIME140_1.dll"], 7, "amd64", "bundle"),
        ("vcruntime", "auto", ["vcruntime140.dll"], 7, "amd64", "system"),
        ("vcruntime", "auto", ["vcruntime140_threads.dll"], 13, "amd64", "bundle"),
        ("vcruntime", "bundle", ["vcruntime140.dll"], 10, "amd64", "bundle"),
        ("msvcp", "auto", ["msvcp140.dll"], 10, "arm64", "bundle"),
        ("msvcp", "system", ["msvcp140.dll"], 10, "amd64", "system"),
        ("libstdcxx", "auto", ["libstdc++-6.dll"], 10, "amd64", "bundle"),
    ],
)
def test_runtimes_of_the_compilers_come_from_python_or_travel(runtime_name, wanted, names, python, arch, choice):
    assert {compiler_runtimes.runtime_of(name) for name in names} == {runtime_name}
    asked = demand(runtime_name, "win", arch=arch, python=Python(minor=python), wanted=wanted, names=tuple(names))
    assert platform.choose_runtime(asked)[0] == choice


def test_there_is_one_tag_and_no_floor():
    assert platform.spellings((0, 0), demand("vcruntime", "win").target) == {"win_amd64"}
    assert platform.demands([], "amd64", lambda _: frozenset()) == []
