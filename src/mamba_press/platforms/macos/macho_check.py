"""Judges the structure of Mach-O files as the kernel and dyld do when they map and sign-check them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice, pairwise
from typing import TYPE_CHECKING

from mamba_press.platforms.binary_format import MOST_PROBLEMS, Data, Malformed
from mamba_press.platforms.macos import codesign, macho, macho_binds, macho_reader

if TYPE_CHECKING:
    from mamba_press.platforms.macos.macho import Image, Segment


def layout_problems(data: Data) -> tuple[str, ...]:
    """What is wrong, as sentences; empty for a sound file and for one that nothing loads; raises Malformed."""
    found: list[str] = []
    images = macho.images(data)
    for image in images:
        if macho_reader.facts(image).kind != "static":
            where = f"{image.arch}: " if len(images) > 1 else ""
            found += [where + problem for problem in problems(image)]
    found += [
        f"the slice at {part.offset:#x} is not aligned to {1 << part.align:#x}"
        for part in macho.slices(data)
        if part.offset % (1 << part.align)
    ]
    return tuple(found)


def problems(image: Image, *, binds: bool = True) -> tuple[str, ...]:
    """What is wrong with one slice; without ``binds`` no symbol is looked at, which takes most of the time."""
    return tuple(islice(_problems(image, binds=binds), MOST_PROBLEMS))


def _problems(image: Image, *, binds: bool) -> Iterator[str]:
    yield from _command_problems(image)
    for segment in image.segments:
        yield from _segment_problems(image, segment)
    yield from _overlaps(image)
    yield from _linkedit_problems(image)
    if binds:
        yield from _bind_problems(image)
    try:
        yield from codesign.problems(image)
    except Malformed as error:
        yield f"the signature cannot be read: {error}"
    if image.signature is None and image.arch == "arm64":
        yield "it is not signed, and code for arm64 must be"


def _command_problems(image: Image) -> Iterator[str]:
    found = macho.room(image)
    if found.used > found.available:
        yield f"the load commands end at {found.used:#x}, behind the first content at {found.available:#x}"
    for what, names in (
        ("search path", tuple(image.text(command) for command in image.of(macho.LC_RPATH))),
        ("dependency", image.needed),
    ):
        for name in sorted(name for name, count in Counter(names).items() if count > 1):
            yield f"the {what} {name} is there twice"
    if image.type == macho.MH_DYLIB and not image.name:
        yield "a library without an install name"


def _segment_problems(image: Image, segment: Segment) -> Iterator[str]:
    if segment.file_end > image.size:
        yield f"the segment {segment.name} ends at {segment.file_end:#x}, behind the end of the file"
    if segment.file_size > segment.memory_size:
        yield f"the segment {segment.name} is larger in the file than in memory"
    # What maps a file maps whole pages of it.
    if segment.file_size and (segment.offset | segment.address) % macho.PAGES["x86_64"]:
        yield f"the segment {segment.name} does not begin on a page"
    elif segment.file_size and image.arch == "arm64" and (segment.offset | segment.address) % macho.PAGES["arm64"]:
        yield f"the segment {segment.name} does not begin on a page of 16 KiB"
    for section in segment.sections:
        where = f"the section {section.name} of {segment.name}"
        if section.size and not _is_in(section.address, section.size, segment.address, segment.memory_size):
            yield f"{where} is not in its segment"
        elif section.offset and section.size and section.address - section.offset != segment.address - segment.offset:
            yield f"{where} is not where its offset says"
        elif section.offset and not _is_in(section.offset, section.size, segment.offset, segment.file_size):
            yield f"{where} is not in its segment's part of the file"


def _is_in(start: int, size: int, outer: int, outer_size: int) -> bool:
    return outer <= start and start + size <= outer + outer_size


def _overlaps(image: Image) -> Iterator[str]:
    mapped = sorted((s.address, s.address + s.memory_size, s.name) for s in image.segments if s.memory_size)
    stored = sorted((s.offset, s.file_end, s.name) for s in image.segments if s.file_size)
    for ranges, where in ((mapped, "in memory"), (stored, "in the file")):
        for one, following in pairwise(ranges):
            if following[0] < one[1]:
                yield f"the segments {one[2]} and {following[2]} overlap {where}"


def _linkedit_problems(image: Image) -> Iterator[str]:
    linkedit = image.segment("__LINKEDIT")
    if linkedit is None:
        yield "there is no __LINKEDIT segment"
        return
    parts = [*image.parts(macho.LINKEDIT_DATA), *image.dyld_info().values(), *(image.symbol_table() or ())]
    held = sorted(part for part in parts if part.size)
    for part in held:
        if not _is_in(part.offset, part.size, linkedit.offset, linkedit.file_size):
            yield f"{part.what} at {part.offset:#x} are not in __LINKEDIT"
    for one, following in pairwise(held):
        if following.offset < one.offset + one.size:
            yield f"{one.what} and {following.what} overlap at {following.offset:#x}"
    if linkedit.file_end != image.size:
        yield f"the file has {image.size:#x} bytes, __LINKEDIT ends at {linkedit.file_end:#x}"


def _bind_problems(image: Image) -> Iterator[str]:
    """Every symbol must be of a library that is there; names must be readable."""
    highest = max((found.ordinal for found in macho_binds.references(image)), default=0)
    if highest > len(image.needed):
        yield f"a symbol is bound to library {highest} of {len(image.needed)}"
    for _ in image.exports():
        pass
