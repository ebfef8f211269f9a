from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

from mamba_press.config.model import Config
from mamba_press.errors import ContentError
from mamba_press.metadata.tags import tags
from mamba_press.platforms.linux import policy
from mamba_press.types import Binary, Entry, File, Kept, Package, Python, Reason, Requirement, Resolved, Target
from tests.support.values import specs

CONFIG = Config(packages=("pkg",))

architectures = st.sampled_from(policy.ARCHITECTURES)
pythons = st.one_of(
    st.integers(6, 16).map(lambda minor: Python(minor=minor)),
    st.integers(13, 16).map(lambda minor: Python(minor=minor, free_threaded=True)),
)
glibc = st.one_of(st.integers(2, 45).map(lambda n: f"GLIBC_2.{n}"), st.just("GLIBC_2.2.5"))
cxx = st.integers(0, 33).map(lambda n: f"GLIBCXX_3.4.{n}" if n else "GLIBCXX_3.4")


@st.composite
def targets(draw):
    return Target(system="linux", arch=draw(architectures), subdir="linux", python=draw(pythons), floor=None)


@st.composite
def binaries_of(draw, arch):
    demands = {
        "libc.so.6": draw(st.lists(glibc, max_size=3)),
        "libstdc++.so.6": draw(st.lists(cxx, max_size=2)),
    }
    where = {"libc.so.6": "system", "libstdc++.so.6": draw(st.sampled_from(["system", "wheel"]))}
    return (
        Binary(
            format="elf",
            arch=arch,
            kind="shared",
            requires=tuple(Requirement(library=k, versions=tuple(v)) for k, v in demands.items() if v),
        ),
        tuple(Resolved(needed=name, where=where[name]) for name in demands),
    )


def make(path, found, package="pkg"):
    binary, links = found or (None, ())
    inside = path.partition("/_prefix/")[2] or f"lib/python3/site-packages/{path}"
    file = File(path=inside, source=Path("/nowhere"), package=package, size=0)
    return replace(Entry.of(Kept(file=file, why=Reason("rule"), binary=binary, links=links), path), source=b"")


def suffixes(python):
    flags = "m" if python.minor < 8 else "t" if python.free_threaded else ""
    own = f".cpython-3{python.minor}{flags}-x86_64-linux-gnu.so"
    stable = [] if python.free_threaded else [".abi3.so"]
    return [own, *stable, *([".abi3t.so"] if python.minor >= 15 else [])]


@st.composite
def wheels(draw):
    target = draw(targets())
    found = binaries_of(target.arch)
    entries = [make(f"pkg/_prefix/lib/lib{n}.so.1", draw(found)) for n in range(draw(st.integers(0, 3)))]
    chosen = draw(st.lists(st.sampled_from(suffixes(target.python)), max_size=3))
    entries += [make(f"pkg/_m{n}{suffix}", draw(found)) for n, suffix in enumerate(chosen)]
    if draw(st.booleans()):
        entries.append(make("pkg/__init__.py", None))
    depends = [f"python_abi 3.{target.python.minor}.*"]
    if draw(st.booleans()):
        depends.append(f"__glibc >=2.{draw(st.integers(5, 45))}")
    noarch = draw(st.sampled_from([None, "python"]))
    package = Package(
        name="pkg", version="1", build="0", build_number=0, channel="c", subdir="s", url="u", file_name="f",
        depends=specs(*depends), noarch=noarch,
    )  # fmt: skip
    return entries, [package], target


def platforms_of(tagging):
    _, _, _, found = parse_wheel_filename(f"demo-1.0-{tagging.tags}.whl", validate_order=True)
    return found


@given(wheels())
def test_every_tag_is_read_by_packaging_in_valid_order(wheel):
    entries, packages, target = wheel
    found = platforms_of(tags(entries, packages, target, CONFIG))
    assert {tag.platform for tag in found} == {"any"} or all(tag.platform.endswith(target.arch) for tag in found)


@given(wheels())
def test_the_targets_own_interpreter_accepts_the_wheel(wheel):
    entries, packages, target = wheel
    tagging = tags(entries, packages, target, CONFIG)
    platforms = sorted({tag.platform for tag in platforms_of(tagging)} - {"any"})
    version = (3, target.python.minor)
    accepted = {
        *cpython_tags(python_version=version, abis=[target.python.abi], platforms=platforms or ["linux"]),
        *compatible_tags(version, interpreter=target.python.interpreter, platforms=platforms or ["linux"]),
    }
    assert platforms_of(tagging) & accepted


@given(wheels(), st.data())
def test_one_more_demand_never_lowers_the_tag(wheel, data):
    entries, packages, target = wheel
    before = tags(entries, packages, target, CONFIG)
    extra = make("pkg/_prefix/lib/extra.so.1", data.draw(binaries_of(target.arch)))
    after = tags([*entries, extra], packages, target, CONFIG)
    assert floor_of(after, target) >= floor_of(before, target)


@given(wheels(), st.integers(5, 45), st.integers(0, 10))
def test_raising_what_a_file_demands_never_lowers_the_tag(wheel, minor, more):
    entries, packages, target = wheel

    def demanding(number):
        binary = Binary(
            format="elf", arch=target.arch, kind="shared",
            requires=(Requirement(library="libc.so.6", versions=(f"GLIBC_2.{number}",)),),
        )  # fmt: skip
        entry = make("pkg/_prefix/lib/extra.so.1", (binary, (Resolved(needed="libc.so.6", where="system"),)))
        return floor_of(tags([*entries, entry], packages, target, CONFIG), target)

    assert demanding(minor + more) >= demanding(minor)
    # The number is not always the floor: aarch64's 2.17 has GLIBC_2.18, as auditwheel's policy says.
    stated = policy.floor_for(f"GLIBC_2.{minor}", target.arch) or (2, 0)
    assert demanding(minor) >= min(stated, policy.newest(target.arch))


@given(wheels(), st.integers(17, 45))
def test_an_asked_tag_is_written_exactly_when_it_is_not_below_the_lowest(wheel, minor):
    entries, packages, target = wheel
    lowest = tags(entries, packages, target, CONFIG)
    tag = f"manylinux_2_{minor}_{target.arch}"
    asked = Target(
        system="linux", arch=target.arch, subdir="linux", python=target.python, floor=(2, minor), tag=tag
    )  # fmt: skip
    if lowest.lowest == "any":
        return
    if floor_of(lowest, target) > (2, minor):
        with pytest.raises(ContentError, match=lowest.lowest):
            tags(entries, packages, asked, CONFIG)
        return
    written = tags(entries, packages, asked, CONFIG)
    assert tag in written.tags
    assert written.lowest == lowest.lowest


def floor_of(tagging, target):
    if tagging.lowest == "any":
        return (0, 0)
    _, major, minor = tagging.lowest.removesuffix(f"_{target.arch}").split("_")
    return int(major), int(minor)
