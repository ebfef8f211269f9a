"""Signatures: which are made, which stay, which are malformed."""

from __future__ import annotations

import hashlib
import struct

import pytest

from mamba_press.platforms import binaries, binary_edits
from mamba_press.platforms.binaries import Malformed
from mamba_press.platforms.macos import codesign, macho
from mamba_press.types import Edits
from tests.support.binaries import facts
from tests.support.macho import (
    LOAD,
    PAGE,
    PROGRAM,
    Dylib,
    dylib,
    signature,
    universal,
)

SYSTEM = "/usr/lib/libSystem.B.dylib"
TWO = ((SYSTEM, LOAD), ("@rpath/libinner.1.dylib", LOAD))
ARCHES = pytest.mark.parametrize("arch", ["arm64", "x86_64"])


EDITS = Edits(
    name="@rpath/libvalue-01234567.1.dylib",
    needed=(("@rpath/libinner.1.dylib", "@loader_path/../lib/libinner-89abcdef.1.dylib"),),
    search=("@loader_path", "@loader_path/../other"),
    sign=True,
)


def test_code_for_arm_gets_a_signature_and_unsigned_code_for_intel_none() -> None:
    found = signature(binary_edits.apply(dylib(Dylib(arch="arm64")), Edits(sign=True)))
    assert found
    assert (found.version, found.flags, found.bad_pages) == (0x20400, 2, 0)
    assert signature(binary_edits.apply(dylib(Dylib(arch="x86_64", needed=TWO)), EDITS)) is None


def test_signature_has_the_slots_that_codesign_writes() -> None:
    result = binary_edits.apply(dylib(Dylib()), Edits(sign=True))
    found = signature(result)
    assert found
    assert found.identifier == "libvalue.1"
    assert sorted(found.blobs) == [0, 2, 0x10000]
    assert found.blobs[2] == bytes.fromhex("fade0c010000000c00000000")
    assert found.blobs[0x10000] == bytes.fromhex("fade0b0100000008")
    assert found.special == {1: bytes(32), 2: hashlib.sha256(found.blobs[2]).digest()}
    assert found.executable == (0, PAGE, 0)
    assert found.limit % 16 == 0
    assert len(result) % 16 == 0


def test_main_program_is_marked_as_one() -> None:
    found = signature(binary_edits.apply(dylib(Dylib(kind=PROGRAM, name=None)), Edits(sign=True)))
    assert found
    assert found.executable == (0, PAGE, 1)
    assert found.identifier == bytes(range(16)).hex()


def linker_signed(data: bytes, entitlements: bytes | None = None) -> bytes:
    """A file whose signature says that the linker made it, with entitlements if asked for."""
    signed = bytearray(binary_edits.apply(data, Edits(sign=True)))
    found = signature(bytes(signed))
    assert found
    at = found.limit + bytes(signed[found.limit :]).index(found.blobs[0][:12])
    struct.pack_into(">I", signed, at + 12, 0x20002)
    if entitlements is None:
        return bytes(signed)
    directory = bytearray(signed[at : at + len(found.blobs[0])])
    head, name, pages = directory[:88], b"libvalue.1\0", found.limit // 4096 + bool(found.limit % 4096)
    blob = struct.pack(">2I", 0xFADE7171, 8 + len(entitlements)) + entitlements
    special = hashlib.sha256(blob).digest() + bytes(64) + directory[-32 * pages - 64 : -32 * pages]
    struct.pack_into(">I", head, 16, 88 + len(name) + 32 * 5)
    struct.pack_into(">I", head, 24, 5)
    directory = head + name + special + directory[-32 * pages :]
    struct.pack_into(">I", directory, 4, len(directory))
    blobs = [(0, bytes(directory)), (2, found.blobs[2]), (5, blob), (0x10000, found.blobs[0x10000])]
    index, place = b"", 12 + 8 * len(blobs)
    for slot, each in blobs:
        index += struct.pack(">2I", slot, place)
        place += len(each)
    whole = struct.pack(">3I", 0xFADE0CC0, place, len(blobs)) + index + b"".join(each for _, each in blobs)
    room = len(signed) - found.limit
    assert len(whole) <= room + 512
    return _with_signature(signed[: found.limit], whole)


def _with_signature(code: bytearray, blob: bytes) -> bytes:
    size = -(-len(blob) // 16) * 16
    at = code.index(struct.pack("<2I", 0x1D, 16))
    struct.pack_into("<2I", code, at + 8, len(code), size)
    linkedit = code.index(b"__LINKEDIT") - 8
    offset = struct.unpack_from("<Q", code, linkedit + 40)[0]
    struct.pack_into("<Q", code, linkedit + 48, len(code) + size - offset)
    return bytes(code) + blob.ljust(size, b"\0")


def test_new_signature_keeps_identifier_and_entitlements_and_drops_the_linkers_mark() -> None:
    data = linker_signed(dylib(Dylib()), b"<plist/>")
    result = binary_edits.apply(data, Edits(name="@rpath/other.dylib"))
    found = signature(result)
    assert found
    assert (found.flags, found.identifier, found.bad_pages) == (2, "libvalue.1", 0)
    assert found.blobs[5][8:] == b"<plist/>"
    assert found.special[5] == hashlib.sha256(found.blobs[5]).digest()
    assert binary_edits.layout_problems(result) == ()


def test_certificate_vouches_for_a_file_until_it_is_edited() -> None:
    signed = bytearray(binary_edits.apply(dylib(Dylib()), Edits(sign=True)))
    assert not facts(bytes(signed)).vouched
    at = signed.rindex(struct.pack(">2I", 0xFADE0B01, 8))
    struct.pack_into(">I", signed, at + 4, 12)
    assert facts(bytes(signed)).vouched
    assert facts(universal(bytes(signed), dylib(Dylib(arch="x86_64")))).vouched
    assert not facts(binary_edits.apply(bytes(signed), Edits(name="@rpath/other.dylib"))).vouched


def test_sound_signature_of_an_unedited_file_is_left_alone() -> None:
    data = linker_signed(dylib(Dylib()))
    assert binary_edits.layout_problems(data) == ()
    assert binary_edits.apply(data, Edits(sign=True)) is data


@ARCHES
def test_signature_that_no_longer_fits_is_made_anew(arch) -> None:
    data = linker_signed(dylib(Dylib(arch="arm64", text=b"/opt/placehold/lib\0")))
    if arch == "x86_64":
        data = data.replace(struct.pack("<2I", 0x0100000C, 0), struct.pack("<2I", 0x01000007, 3))
    broken = data.replace(b"/opt/placehold", b"/dev/null/mamb")
    assert any("does not fit" in problem for problem in binary_edits.layout_problems(broken))
    assert binary_edits.apply(broken, Edits()) is broken
    result = binary_edits.apply(broken, Edits(sign=True))
    assert binary_edits.layout_problems(result) == ()
    assert b"/dev/null/mamb" in result


def test_unreadable_signature_is_replaced() -> None:
    data = bytearray(binary_edits.apply(dylib(Dylib()), Edits(sign=True)))
    found = signature(bytes(data))
    assert found
    data[found.limit : found.limit + 4] = b"\0\0\0\0"
    assert any("cannot be read" in problem for problem in binary_edits.layout_problems(bytes(data)))
    assert binary_edits.layout_problems(binary_edits.apply(bytes(data), Edits(sign=True))) == ()


def test_copies_that_differ_in_their_signature_only_are_the_same_file() -> None:
    one = binary_edits.apply(dylib(Dylib()), Edits(sign=True))
    assert one != dylib(Dylib())
    assert binary_edits.unsigned(linker_signed(dylib(Dylib()))) == binary_edits.unsigned(one)
    assert binary_edits.unsigned(one) != binary_edits.unsigned(binary_edits.apply(one, Edits(name="@rpath/x.dylib")))


@pytest.mark.parametrize("ask", [binary_edits.unsigned, lambda data: binary_edits.apply(data, Edits(sign=True))])
def test_signature_inside_the_load_commands_is_malformed(ask) -> None:
    data = bytearray(binary_edits.apply(dylib(Dylib()), Edits(sign=True)))
    (image,) = macho.images(bytes(data))
    (command,) = image.of(0x1D)
    struct.pack_into("<2I", data, command.offset + 8, image.commands_end - 40, 40)
    with pytest.raises(Malformed, match=r"^the signature: 0x3b0 is in the load commands, which end at 0x3d8$"):
        ask(bytes(data))


def test_edit_that_leaves_a_segment_behind_the_end_of_the_file_is_refused() -> None:
    """A large signature gives way to a small one, and an empty segment is said to be in between."""
    data = bytearray(linker_signed(dylib(Dylib(kind=PROGRAM, name=None))))
    place = len(data)
    data += bytes(1 << 16)
    (image,) = macho.images(bytes(data))
    (command,) = image.of(0x1D)
    start = image.signature.offset
    struct.pack_into("<2I", data, command.offset + 8, start, len(data) - start)
    linkedit, pagezero = image.segment("__LINKEDIT"), image.segment("__PAGEZERO")
    struct.pack_into("<Q", data, linkedit.command + 48, len(data) - linkedit.offset)
    struct.pack_into("<2Q", data, pagezero.command + 40, place + (1 << 15), 0)
    with pytest.raises(
        Malformed, match=r"^after the edit, the segment __PAGEZERO ends at 0x102a0, behind the end of the file$"
    ):
        binary_edits.apply(bytes(data), Edits(search=("@loader_path",), sign=True))


def test_command_is_not_added_behind_bytes_that_no_command_has() -> None:
    data = bytearray(dylib(Dylib()))
    struct.pack_into("<I", data, 20, int.from_bytes(data[20:24], "little") + 2)
    with pytest.raises(Malformed, match=r"^the load commands have fewer bytes than the header says$"):
        codesign.sign(bytes(data))


def test_command_of_the_signature_keeps_its_size_where_it_has_more_than_it_needs() -> None:
    data = bytearray(binary_edits.apply(dylib(Dylib()), Edits(sign=True)))
    (image,) = macho.images(bytes(data))
    (command,) = image.of(0x1D)
    assert command.offset + command.size == image.commands_end
    struct.pack_into("<2I", data, command.offset, 0x1D, 24)
    struct.pack_into("<I", data, 20, image.commands_size + 8)
    edited = binary_edits.apply(bytes(data), Edits(name="@rpath/other.dylib"))
    assert [each.size for each in macho.images(edited)[0].of(0x1D)] == [24]
    assert binary_edits.layout_problems(edited) == ()


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ((0, 0), "the signature at 0x0 is in the load commands"),
        ((0x8280, 16), "the signature at 0x8280 with 16 bytes end after the slice"),
    ],
)
def test_signature_that_is_nowhere_is_malformed(place, message) -> None:
    data = bytearray(binary_edits.apply(dylib(Dylib()), Edits(sign=True)))
    (image,) = macho.images(bytes(data))
    (command,) = image.of(0x1D)
    struct.pack_into("<2I", data, command.offset + 8, *place)
    with pytest.raises(Malformed) as raised:
        binaries.read(bytes(data))
    assert str(raised.value) == message


def test_file_without_linkedit_cannot_be_signed() -> None:
    with pytest.raises(Malformed) as raised:
        binary_edits.apply(dylib(Dylib()).replace(b"__LINKEDIT", b"__LINKEDIX"), Edits(sign=True))
    message = "there is no __LINKEDIT segment, or it ends after the slice or in the load commands"
    assert str(raised.value) == message


def test_blobs_of_a_signature_that_share_their_bytes_are_a_problem() -> None:
    data = bytearray(binary_edits.apply(dylib(Dylib()), Edits(sign=True)))
    found = signature(bytes(data))
    assert found
    index = found.limit + 12
    data[index + 12 : index + 16] = data[index + 4 : index + 8]
    message = "the signature cannot be read: the blobs of the signature overlap"
    assert binary_edits.layout_problems(bytes(data)) == (message,)
