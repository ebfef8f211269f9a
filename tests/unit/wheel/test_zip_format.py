"""One entry of a ZIP archive: what can be read, and what can be copied as it is."""

from __future__ import annotations

import zlib

import pytest

from mamba_press.wheel.zip_format import DEFLATED, ENCRYPTED, STORED, STREAMED, Member

ENTRY = Member(name="a.py", flags=0, method=STORED, stamp=(0, 33), crc=0, packed=3, size=3, attributes=(0, 0), end=3)


def test_an_entry_with_its_data_before_the_next_one_can_be_read():
    assert ENTRY.can_be_read
    assert ENTRY._replace(method=DEFLATED).can_be_read


@pytest.mark.parametrize("change", [{"end": 2}, {"method": 12}, {"flags": ENCRYPTED & 1}])
def test_what_overlaps_is_encrypted_or_packed_in_another_way_cannot_be_read(change):
    assert not ENTRY._replace(**change).can_be_read


def test_an_entry_is_copied_whole_unless_it_was_changed_or_streamed():
    assert ENTRY.is_as_it_was
    assert ENTRY.named("a.py").is_as_it_was
    changed = (ENTRY.named("b.py"), ENTRY.holding(b"x"), ENTRY._replace(flags=STREAMED))
    assert [each.is_as_it_was for each in changed] == [False, False, False]


def test_other_content_has_its_own_checksum_and_size():
    held = ENTRY.holding(b"other")
    assert (held.size, held.crc) == (5, zlib.crc32(b"other"))


def test_a_folder_is_known_by_its_name():
    assert Member.is_folder.fget(ENTRY.named("a/"))
    assert not ENTRY.is_folder
