"""What is wrong with the structure of ELF files."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess

import pytest

from mamba_press.platforms import binary_edits
from mamba_press.platforms.linux import elf
from tests.support import elf as written
from tests.support.elf_samples import Samples


def segment_at(data: bytes, kind: int, number: int = 0) -> int:
    header = elf.Image(data).header
    found = [n for n, s in enumerate(elf.Image(data).segments) if s.type == kind]
    return header.segments_at + found[number] * elf.SEGMENT.size


@pytest.mark.parametrize(
    ("field", "change", "problem"),
    [
        (8, 8, "differ modulo"),
        (16, -0x1000, "overlap|differ|not in a segment"),
        (32, 0x100000, "behind the end of the file"),
        (40, -0x10, "larger in the file than in memory"),
    ],
)
def test_a_segment_that_contradicts_itself_is_reported(outer: bytes, field: int, change: int, problem: str) -> None:
    broken = bytearray(outer)
    at = segment_at(outer, elf.PT_LOAD, 1) + field
    struct.pack_into("<q", broken, at, struct.unpack_from("<q", broken, at)[0] + change)
    assert any(re.search(problem, one) for one in binary_edits.layout_problems(bytes(broken)))


def test_a_file_for_small_pages_is_found_unfit_for_the_large_pages_of_its_architecture(samples: Samples) -> None:
    data = bytearray(samples.outer(("-Wl,-z,max-page-size=0x1000", "-s")).read_bytes())
    assert binary_edits.layout_problems(bytes(data)) == ()
    data[18] = 183  # as if it were for aarch64
    problems = binary_edits.layout_problems(bytes(data))
    assert any("with pages of 0x10000" in one for one in problems)


def test_a_segment_within_the_last_page_of_another_is_found_with_large_pages_only(samples: Samples) -> None:
    # What editors do that append at the next 4 KiB: on 64 KiB pages the new segment covers the end of the old one.
    data = bytearray(samples.outer(("-Wl,-z,max-page-size=0x10000", "-s")).read_bytes())
    data[18] = 183
    assert binary_edits.layout_problems(bytes(data)) == ()
    last = max((s for s in elf.Image(bytes(data)).segments if s.type == elf.PT_LOAD), key=lambda s: s.address)
    address = -(-last.end // 0x1000) * 0x1000
    data += bytes(-(len(data) - address) % 0x10000)
    spare = segment_at(bytes(data), 0x6474E551)  # PT_GNU_STACK
    struct.pack_into("<IIQQQQQQ", data, spare, 1, 6, len(data), address, address, 16, 16, 0x1000)
    data += bytes(16)
    problems = binary_edits.layout_problems(bytes(data))
    assert any("with pages of 0x10000" in one and f"the segment at {address:#x}" in one for one in problems)
    assert not any(re.search(r"with pages of 0x1000\b", one) for one in problems)


def test_versions_of_a_library_that_is_not_needed_are_reported(outer: bytes) -> None:
    image = elf.Image(outer)
    at = next(s.offset for s in image.segments if s.type == elf.PT_DYNAMIC)
    broken = bytearray(outer)
    number = next(
        n for n, (tag, value) in enumerate(image.dynamic) if tag == 1 and image.string(value) == "libinner.so.1"
    )
    struct.pack_into("<QQ", broken, at + 16 * number, 1, image.tags[elf.DT_SONAME])
    assert any("libinner.so.1 are required" in one for one in binary_edits.layout_problems(bytes(broken)))


def test_an_object_file_is_mapped_by_nobody_and_so_has_no_problem(tmp_path):
    compiler = shutil.which("gcc") or pytest.skip("gcc is not on this machine")
    path = tmp_path / "x.o"
    subprocess.run([compiler, "-c", "-x", "c", "-", "-o", str(path)], input="int x = 1;", text=True, check=True)
    assert binary_edits.layout_problems(path.read_bytes()) == ()


def test_sections_that_contradict_the_segments_are_reported() -> None:
    tables = {"strings": b"\0", "data": bytes(32), "names": b"\0"}
    kinds = (1, 1, 6, 0x6FFFFFFE)  # contents twice, the dynamic section, the needed versions
    data = bytearray(written.elf(tables, [], sections=[(kind, 2, "data", 0) for kind in kinds]))
    at = int.from_bytes(data[40:48], "little")
    struct.pack_into("<Q", data, at + 64 + 32, 1 << 20)  # the size of the first
    struct.pack_into("<Q", data, at + 128 + 16, 0x7000)  # the address of the second
    assert binary_edits.layout_problems(bytes(data)) == (
        "section 1 ends behind the end of the file",
        "section 1 at 0x100 is not in a segment at its offset 0x100",
        "section 2 at 0x7000 is not in a segment at its offset 0x100",
        "section 3 says the dynamic section is at 0x100, PT_DYNAMIC 0x130",
        "section 4 says the needed versions are at 0x100, DT_VERNEED does not",
    )
