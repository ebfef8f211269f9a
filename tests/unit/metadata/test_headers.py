"""Fields at the head of METADATA, read and changed line by line."""

from __future__ import annotations

import pytest
from packaging.requirements import InvalidRequirement

from mamba_press.metadata import headers

TEXT = b"Metadata-Version: 2.1\nName: a\nKeywords: one\n  two\nLicense-File: x\nlicense-file: y\n\nName: body\n"


@pytest.mark.parametrize("text", [TEXT, TEXT.replace(b"\n", b"\r\n"), b"Name: a", b"Name: a\n", b"", b"\n\nbody"])
def test_fields_are_the_text_again(text):
    assert bytes(headers.parse(text)) == text


def test_a_field_has_all_its_values_with_continued_lines_joined_and_none_of_the_description():
    fields = headers.parse(TEXT)
    assert fields.values("Keywords") == ("one two",)
    assert fields.values("LICENSE-FILE") == ("x", "y")
    assert fields.values("name") == ("a",)
    assert fields.values("Summary") == ()


def test_a_field_is_set_where_it_was_and_what_stays_keeps_its_spelling():
    fields = headers.parse(TEXT)
    assert fields.setting("Name", ("a",)) is fields
    assert fields.setting("License-File", ("y", "z")).lines[3:] == (b"license-file: y", b"License-File: z")
    assert fields.setting("Keywords", ()).lines == tuple(line for line in fields.lines if b"Keywords" not in line)
    assert bytes(fields.setting("Summary", ("s",))) == TEXT.replace(b"file: y\n", b"file: y\nSummary: s\n")


def test_lines_are_added_behind_all_others():
    assert bytes(headers.parse(b"Name: a").adding(["B: b", "C: c"])) == b"Name: a\nB: b\nC: c\n"
    assert bytes(headers.parse(b"Name: a\r\n\r\nx").adding(["B: b"])) == b"Name: a\r\nB: b\r\n\r\nx"


def test_metadata_is_read_or_told_what_is_wrong_with_it():
    found, wrong = headers.metadata(b"Metadata-Version: 2.1\nName: a\nVersion: 1.0\n")
    assert found is not None
    assert (found.name, str(found.version), wrong) == ("a", "1.0", ())
    found, wrong = headers.metadata(b"Metadata-Version: 2.1\nName: a\nVersion: one\n")
    assert found is None
    assert len(wrong) == 1
    assert "version" in wrong[0]


@pytest.mark.parametrize(
    "text",
    [
        b"Name: a\n" + b"".join(b"X-%d: 1\n" % number for number in range(headers.NAMES)),
        b"Name: a\nVersion: " + b"1" * headers.DIGITS,
        b"Name: " + b"a" * headers.HEAD + b"\n\n",
    ],
)
def test_fields_without_end_are_not_read(text):
    said = "its fields have more than 500 names, 1,048,576 bytes, or a number of 1,000 digits: they are not read"
    assert headers.metadata(text) == (None, (said,))
    assert headers.raw(text) == {}


def test_the_fields_alone_end_at_the_first_empty_line():
    assert headers.head(b"Name: a\n\nName: b") == b"Name: a"
    assert headers.head(b"Name: a\r\n\r\nName: b") == b"Name: a\r"
    assert headers.head(b"Name: a") == b"Name: a"


def test_a_requirement_is_read_or_refused():
    assert str(headers.requirement("a [x] >= 1")) == "a[x]>=1"
    with pytest.raises(InvalidRequirement, match="has a number of 1,000 digits"):
        headers.requirement("a >=" + "1" * 1000)
    with pytest.raises(InvalidRequirement):
        headers.requirement("a >=" + "1" * 999 + " b")
