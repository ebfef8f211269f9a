"""What is wrong with the structure of a PE image: what the loader would refuse, and what tools stumble over."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from mamba_press.platforms.binary_format import MOST_PROBLEMS, Data, Malformed
from mamba_press.platforms.windows import pe

if TYPE_CHECKING:
    from mamba_press.platforms.windows.pe import Image

_PAGE = 4096
_NAMES = (
    *("exports", "imports", "resources", "exceptions", "certificates", "relocations", "debug data", "architecture"),
    *("global pointer", "thread storage", "load configuration", "bound imports", "import addresses"),
    *("delayed imports", "CLR header", "reserved directory"),
)


def is_checksum(problem: str) -> bool:
    """Whether a problem is only that the checksum is wrong."""
    return problem.startswith("the checksum")


def layout_problems(data: Data) -> tuple[str, ...]:
    """What is wrong with an image that is read closely; nothing is said of others."""
    found: list[str] = []
    try:
        image = pe.Image(data)
        if image.arch is None:
            return ()
        # What reading the names finds broken is said after what is known to be wrong with the sections.
        for rule in (_sections, _directories, _names, _checksum):
            found += islice(rule(image), MOST_PROBLEMS)
    except Malformed as error:
        found.append(str(error))
    return tuple(found)


def checksum(data: Data, at: int) -> int:
    """The checksum of an image whose own is at an offset: the sum of its words, with carry, and its length.

    A sum with the carry added back is the remainder by 65535, which Python's long numbers give at once.
    """
    words = int.from_bytes(bytes(data[:at]) + bytes(4) + bytes(data[at + 4 :]), "little")
    return (words % 0xFFFF or (0xFFFF if words else 0)) + len(data)


def _sections(image: Image) -> Iterator[str]:
    alignment, size = image.section_alignment, len(image.data)
    ends = image.sections_at + pe.SECTION.size * image.section_count
    if not ends <= image.headers_size <= size:
        yield f"the headers are said to have {image.headers_size} bytes and need {ends}"
    last = raw = 0
    for section in sorted(image.sections, key=lambda section: section.address):
        name = section.name.decode("ascii", "replace")
        if section.address % alignment or section.address < last:
            yield f"the section {name} begins at the address {section.address:#x}, inside another or not aligned"
        last = section.address + max(section.virtual_size or section.raw_size, 1)
    for section in sorted(image.sections, key=lambda section: section.offset):
        name = section.name.decode("ascii", "replace")
        if not section.raw_size:
            continue
        # Some linkers leave out the zeros at the file's end.
        if section.offset + section.raw_size > size + image.file_alignment or section.offset + section.filled > size:
            yield f"the section {name} ends behind the file"
        if section.offset < max(raw, image.headers_size) and alignment >= _PAGE:
            yield f"the section {name} begins at {section.offset:#x}, inside what stands before it"
        raw = section.offset + section.raw_size
    stated = image.number(image.optional + 56)
    if -(-last // alignment) * alignment > stated:
        yield f"the image is said to take {stated:#x} bytes and takes {last:#x}"


def _directories(image: Image) -> Iterator[str]:
    for number, (address, length) in enumerate(image.directories):
        if not address or not length:
            continue
        if number == pe.SECURITY:
            if address + length > len(image.data):
                yield f"the {_NAMES[number]} end behind the file"
            continue
        if (
            not any(
                section.address <= address
                and address + length <= section.address + max(section.virtual_size, section.raw_size)
                for section in image.sections
            )
            and address + length > image.headers_size
        ):
            yield f"the {_NAMES[number]} at the address {address:#x} are in no section"


def _names(image: Image) -> Iterator[str]:
    """Yield what is wrong with names: that they can be read at all is seen by reading them."""
    for name in image.names:
        if not name.text or not name.text.isprintable():
            yield f"the name {name.text!r} is no name of a library"


def _checksum(image: Image) -> Iterator[str]:
    at = image.optional + 64
    stated = image.number(at)
    if stated and stated != checksum(image.data, at):
        yield f"the checksum is {stated:#x} and should be {checksum(image.data, at):#x}"
