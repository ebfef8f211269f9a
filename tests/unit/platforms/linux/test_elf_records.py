"""The pages of each machine, and files of other words or byte order."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from mamba_press.platforms import binaries, binary_edits
from mamba_press.platforms.binaries import Malformed
from mamba_press.platforms.linux import elf
from mamba_press.types import Edits
from tests.support.binaries import facts
from tests.support.compile import Linking, shared_library, zig
from tests.support.elf_samples import INNER, VERSIONS, Samples

LONG = "$ORIGIN/../somewhere/else/that/is/rather/far/away.libs"


@pytest.mark.parametrize(
    ("machine", "arch", "page"),
    [(62, "x86_64", 0x1000), (183, "aarch64", 0x10000), (21, "ppc64le", 0x10000), (243, "riscv64", 0x10000)],
)
def test_an_added_segment_is_laid_out_for_the_largest_pages_of_its_machine(
    samples: Samples, machine: int, arch: str, page: int
) -> None:
    data = bytearray(samples.outer(("-Wl,-z,max-page-size=0x10000", "-s"), zeros=300_000).read_bytes())
    struct.pack_into("<H", data, 18, machine)  # what is laid out does not depend on the code
    before = {s.address for s in elf.Image(bytes(data)).segments if s.type == elf.PT_LOAD}
    edited = binary_edits.apply(bytes(data), Edits(search=(LONG,)))
    assert (facts(edited).arch, facts(edited).search) == (arch, (LONG,))
    loads = [s for s in elf.Image(edited).segments if s.type == elf.PT_LOAD]
    (added,) = (s for s in loads if s.address not in before)
    assert (added.align, (added.address - added.offset) % page) == (page, 0)
    assert added.address // page == -(
        -max(s.end for s in loads if s != added) // page
    )  # the next page, shared with none
    assert binary_edits.layout_problems(edited) == ()


def test_a_riscv64_library_is_judged_for_pages_of_4_kib_and_edited_for_64(tmp_path: Path) -> None:
    flags = ("-nostdlib", "-Wl,-z,max-page-size=0x1000")
    source = "static char zeros[300000]; int *p = (int *)zeros; int one(void) { return *p; }"
    path = shared_library(
        tmp_path / "libone.so",
        source,
        Linking(soname="libone.so", flags=flags),
        toolchain=zig(tmp_path, "riscv64-linux-gnu"),
    )
    assert binary_edits.layout_problems(path.read_bytes()) == ()
    edited = binary_edits.apply(path.read_bytes(), Edits(name="libone-0123abcd.so", search=(LONG,)))
    assert (facts(edited).arch, facts(edited).name) == ("riscv64", "libone-0123abcd.so")
    assert binary_edits.layout_problems(edited) == ()
    loads = [segment for segment in elf.Image(edited).segments if segment.type == elf.PT_LOAD]
    added = max(loads, key=lambda segment: segment.address)
    assert (added.align, (added.address - added.offset) % 0x10000) == (0x10000, 0)


@pytest.mark.parametrize(
    ("target", "arch"),
    [
        ("x86-linux-gnu", "i686"),
        ("arm-linux-gnueabihf", "armv7l"),
        ("s390x-linux-gnu", "s390x"),
        ("powerpc64-linux-gnu", "ppc64"),
        ("loongarch64-linux-gnu", "loongarch64"),
    ],
)
def test_a_file_of_other_words_or_byte_order_is_read_and_not_edited(tmp_path: Path, target: str, arch: str) -> None:
    toolchain = zig(tmp_path, target)
    inner = shared_library(
        tmp_path / "libinner.so.1",
        INNER,
        Linking(soname="libinner.so.1", version_script=VERSIONS, flags=("-nostdlib",)),
        toolchain=toolchain,
    )
    linking = Linking(soname="libouter.so.1", needed=(inner,), runpath="$ORIGIN/..", flags=("-nostdlib",))
    text = "int first(void); int second(void); int own = 1; int total(void) { return first() + second() + own; }"
    outer = shared_library(tmp_path / "libouter.so.1", text, linking, toolchain=toolchain).read_bytes()
    found = facts(outer)
    assert (found.arch, found.kind, found.name) == (arch, "shared", "libouter.so.1")
    assert (found.needed, found.search) == (("libinner.so.1",), ("$ORIGIN/..",))
    assert [(one.library, sorted(one.versions)) for one in found.requires] == [
        ("libinner.so.1", ["INNER_1", "INNER_2"])
    ]
    assert facts(inner.read_bytes()).defines == {"INNER_1", "INNER_2"}
    symbols = binaries.symbols(outer)
    assert {"first", "second"} <= symbols.imports
    assert symbols.exports == {"own", "total"}
    assert binary_edits.layout_problems(outer) == ()
    with pytest.raises(Malformed, match="64-bit little-endian"):
        binary_edits.apply(outer, Edits(search=("$ORIGIN",)))
