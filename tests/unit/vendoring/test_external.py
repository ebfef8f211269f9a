"""Libraries of other wheels: what ``link.external`` says."""

from __future__ import annotations

import pytest

from mamba_press.config import reader
from mamba_press.errors import ConfigError
from mamba_press.types import File, Kept, Resolved
from mamba_press.vendoring import external

TORCH = {"libtorch.so": "torch >=2.3,<3: torch/lib/libtorch.so", "libc10.so.1": "torch >=2.3,<3: torch/lib/libc10.so"}


def kept(tmp_path, *links):
    return Kept(file=File(path="lib/x.so", source=tmp_path, package="x", size=0), why="", links=links)


def test_a_library_is_found_with_the_wheel_that_brings_it_and_where_it_lies_there():
    found = external.find("libtorch.so", TORCH)
    assert found is not None
    assert (found.name, found.folder, found.requirement) == ("libtorch.so", "torch/lib", "torch >=2.3,<3")


@pytest.mark.parametrize(("name", "path"), [("libtorch.so.2.3", "torch/lib/libtorch.so"), ("libc10.so.2", None)])
def test_a_key_matches_without_a_version_but_not_with_another(name, path):
    found = external.find(name, TORCH)
    assert (found and found.path) == path


def test_a_wheel_is_required_once_and_only_where_a_file_takes_a_library_from_it(tmp_path):
    links = [Resolved(needed=name, where="external") for name in ("libtorch.so", "libc10.so.1")]
    other = Resolved(needed="libz.so.1", where="system")
    declared = TORCH | {"libnever.so": "never: never/libnever.so"}
    assert external.requirements([kept(tmp_path, *links), kept(tmp_path, other)], declared) == ("torch >=2.3,<3",)


def test_the_names_are_those_that_a_finished_wheel_asks_for():
    assert external.names(TORCH) == ("libtorch.so", "libc10.so")


@pytest.mark.parametrize(
    "value",
    [
        "torch/lib/libtorch.so", "torch: /torch/lib/libtorch.so", "torch: ../torch/libtorch.so", "torch: torch//x.so",
        "torch >=2.3; python_version > '3': torch/x.so", "torch @ https://example.org/t.whl: torch/x.so",
        "torch >=2.3,: torch/x.so", "torch ~=2: torch/x.so", "torch 2.3: torch/x.so", "-torch: torch/x.so", "torch: ",
    ],
)  # fmt: skip
def test_what_is_no_requirement_and_path_is_refused(value):
    with pytest.raises(ConfigError) as caught:
        reader.from_values({"packages": ["x"], "link": {"external": {"libtorch.so": value}}}, {}, {})
    assert '"requirement: path"' in str(caught.value)


@pytest.mark.parametrize(
    ("value", "requirement", "path"),
    [
        ("torch: a.so", "torch", "a.so"),
        ("torch[cuda] ==2.*: torch/lib/x.so.1", "torch[cuda]==2.*", "torch/lib/x.so.1"),
        ("t >=2, <3: t/x.so", "t<3,>=2", "t/x.so"),
        ("torch >=2.3,<3: torch/lib/libtorch.so", "torch<3,>=2.3", "torch/lib/libtorch.so"),
    ],
)
def test_what_is_accepted_is_a_requirement_for_packaging_too(value, requirement, path):
    from packaging.requirements import Requirement

    config = reader.from_values({"packages": ["x"], "link": {"external": {"libx.so": value}}}, {}, {})
    found = external.find("libx.so", config.link.external)
    assert found is not None
    assert (str(Requirement(found.requirement)), found.path) == (requirement, path)
