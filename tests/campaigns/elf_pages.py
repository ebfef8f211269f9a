"""What is in memory when an ELF file is mapped with a page size: a simulation that shares nothing with mamba-press."""

from __future__ import annotations

import struct
from collections.abc import Iterator

LOAD, WRITE = 1, 2


def faults(data: bytes, page: int) -> tuple[str, ...]:
    """Map each PT_LOAD in turn as ld.so does, then compare every byte and every permission with what was asked."""
    loads = list(_loads(data))
    if not loads:
        return ()
    base = loads[0][2] // page * page
    size = -(-max(address + memory for _, _, address, _, memory in loads) // page) * page - base
    memory, flags = bytearray(size), bytearray(size // page)
    for asked, offset, address, in_file, in_memory in loads:
        if (address - offset) % page:
            return (f"{address:#x} cannot be mapped",)
        _map(memory, flags, data, (asked, offset, address - base, in_file, in_memory), page)
    found = []
    for asked, offset, address, in_file, in_memory in loads:
        at = address - base
        if memory[at : at + in_file] != data[offset : offset + in_file]:
            found.append(f"{address:#x} does not hold what is in the file")
        if memory.count(0, at + in_file, at + in_memory) != in_memory - in_file:
            found.append(f"{address:#x} is not cleared behind its end")
        if any(asked & ~have for have in flags[at // page : -(-(at + in_memory) // page)]):
            found.append(f"{address:#x} lacks a permission")
    return tuple(found)


def _map(memory: bytearray, flags: bytearray, data: bytes, load: tuple[int, int, int, int, int], page: int) -> None:
    asked, offset, at, in_file, in_memory = load
    start, end = at // page * page, -(-(at + in_file) // page) * page
    if in_file:
        content = data[offset - (at - start) : offset - (at - start) + end - start]
        memory[start:end] = content + bytes(end - start - len(content))
    last = -(-(at + in_memory) // page) * page
    if in_memory > in_file:
        memory[at + in_file : last] = bytes(last - at - in_file)
    for number in range(start // page, max(last, end) // page):
        flags[number] = asked


def _loads(data: bytes) -> Iterator[tuple[int, int, int, int, int]]:
    """Yield flags, offset, address, size in the file and in memory of each PT_LOAD."""
    (at,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    for number in range(count):
        kind, flags, offset, address, _, in_file, in_memory, _ = struct.unpack_from(
            "<IIQQQQQQ", data, at + number * size
        )
        if kind == LOAD:
            yield flags, offset, address, in_file, in_memory
