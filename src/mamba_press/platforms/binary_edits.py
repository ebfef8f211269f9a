"""Edits of binaries of every format, as pure functions on bytes, and what is wrong with their structure."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

from mamba_press.platforms import binaries
from mamba_press.platforms.binary_format import Data, Malformed
from mamba_press.platforms.linux import elf_check, elf_edit
from mamba_press.platforms.macos import codesign, macho_binds, macho_check, macho_edit
from mamba_press.platforms.windows import pe_check, pe_edit

if TYPE_CHECKING:
    from mamba_press.types import Edits

    _Edit = Callable[[Data, Edits], Data]

_CHECK = {"elf": elf_check.layout_problems, "macho": macho_check.layout_problems, "pe": pe_check.layout_problems}
_EDIT: dict[str, _Edit] = {"elf": elf_edit.apply, "macho": macho_edit.apply, "pe": pe_edit.apply}


def apply(data: Data, edits: Edits) -> bytes | bytearray:
    """The binary with the edits made, read back and compared; raises Malformed where that cannot be.

    A needed library that is not needed is no error: afterwards none of the old names is. Edits that ask for what
    already is return the same bytes.
    """
    kind = binaries.format_of(bytes(data[:8]))
    if kind is None:
        raise Malformed("what is no binary cannot be edited")
    try:
        result = _EDIT[kind](data, edits)
    except struct.error as error:
        # Numbers that contradict each other lead to ones that their fields cannot hold.
        raise Malformed(f"a number does not fit where it belongs: {error}") from None
    return result if isinstance(result, bytes | bytearray) else bytes(result)


def unsigned(data: bytes) -> bytes:
    """What a file is apart from its signature: copies of one library may have been signed under different names."""
    return codesign.unsigned(data) if binaries.format_of(data[:8]) == "macho" else data


def taken(data: Data, library: str) -> frozenset[str]:
    """The symbols that a file takes from one of the libraries that it needs, as the file spells them (Mach-O only)."""
    return macho_binds.taken(data, library) if binaries.format_of(bytes(data[:8])) == "macho" else frozenset()


def layout_problems(data: Data) -> tuple[str, ...]:
    """What is wrong with the structure, or would be when mapped with any page size of the architecture."""
    kind = binaries.kind_of(data)
    return _CHECK[kind](data) if kind else ()
