"""Archives of anybody, rewritten: `zipfile` reads the same out of them, and what is not touched keeps its bytes."""

from __future__ import annotations

import io
import tempfile
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mamba_press.metadata import headers
from mamba_press.wheel import zip_format, zip_read

NAMES = st.lists(
    st.text("abcé/.-", min_size=1, max_size=12).filter(lambda name: name.strip("/.") and not name.endswith("/")),
    min_size=1,
    max_size=8,
    unique=True,
)
ENTRIES = NAMES.flatmap(
    lambda names: st.tuples(
        *(st.tuples(st.just(name), st.binary(max_size=400), st.booleans(), st.booleans()) for name in names)
    )
)


class Pipe(io.RawIOBase):
    """A file that cannot be sought, to which zipfile writes sizes after the data."""

    def __init__(self) -> None:
        super().__init__()
        self.data = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        self.data += piece
        return len(piece)


def archived(entries, *, streamed: bool, before: bytes = b"") -> bytes:
    """What zipfile writes: stored or deflated, with or without ZIP64's fields."""
    out = Pipe() if streamed else io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data, deflated, long in entries:
            info = zipfile.ZipInfo(name, (2001, 2, 3, 4, 5, 6))
            info.compress_type = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
            info.external_attr = 0o100755 << 16
            with archive.open(info, "w", force_zip64=long) as file:
                file.write(data)
    return before + (bytes(out.data) if isinstance(out, Pipe) else out.getvalue())


def rewritten(text: bytes, change) -> bytes:
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as file:
        source.write(text)
        zip_format.write(source, file, change(zip_read.read(source).members))
        file.seek(0)
        return file.read()


@given(ENTRIES, st.booleans(), st.sampled_from([b"", b"#!/bin/sh\n"]))
def test_an_archive_of_anybody_reads_the_same_when_nothing_is_changed(entries, streamed, before):
    text = archived(entries, streamed=streamed, before=before)
    new = rewritten(text, lambda members: members)
    with zipfile.ZipFile(io.BytesIO(new)) as archive:
        assert archive.testzip() is None
        found = [(info.filename, archive.read(info), info.external_attr) for info in archive.infolist()]
        assert not any(info.flag_bits & 8 for info in archive.infolist())
    assert found == [(name, data, 0o100755 << 16) for name, data, _, _ in entries]
    if not streamed and not before:
        assert new == text or any(long for *_, long in entries)


@given(ENTRIES, st.data(), st.booleans())
def test_what_is_replaced_renamed_or_left_out_is_that_and_no_more(entries, data, streamed):
    actions = [data.draw(st.sampled_from(["keep", "name", "data", "both", "drop"])) for _ in entries]

    def change(members):
        for member, action in zip(members, actions, strict=True):
            if action != "drop":
                named = member.named(f"new/{member.name}") if action in ("name", "both") else member
                yield named.holding(b"fresh " * 40) if action in ("data", "both") else named

    new = rewritten(archived(entries, streamed=streamed), lambda members: list(change(members)))
    expected = [
        (f"new/{name}" if action in ("name", "both") else name, b"fresh " * 40 if action in ("data", "both") else text)
        for (name, text, _, _), action in zip(entries, actions, strict=True)
        if action != "drop"
    ]
    with zipfile.ZipFile(io.BytesIO(new)) as archive:
        assert archive.testzip() is None
        assert [(info.filename, archive.read(info)) for info in archive.infolist()] == expected


@given(st.binary(max_size=300) | ENTRIES.map(lambda entries: archived(entries, streamed=False)[3:-3]))
def test_what_is_no_archive_is_refused_by_name(text):
    with pytest.raises(zip_format.ArchiveError):
        zip_read.read(io.BytesIO(text))


LINES = st.lists(
    st.sampled_from(["Name: x", "Requires-Dist: a", "requires-dist: b >= 1", "Odd", "License: one\n  two\n\tthree"]),
    max_size=6,
)


@given(LINES, st.sampled_from(["", "\n", "\n\nText: of the body\n\nmore"]), st.sampled_from(["\n", "\r\n"]))
def test_fields_that_are_not_set_stay_to_the_byte(lines, rest, newline):
    text = ("\n".join(lines) + rest).replace("\n", newline).encode()
    found = headers.parse(text)
    assert bytes(found) == text
    assert bytes(found.setting("Requires-Dist", found.values("Requires-Dist"))) == text
    added = found.setting("Requires-Dist", (*found.values("Requires-Dist"), "c"))
    assert added.values("Requires-Dist") == (*found.values("Requires-Dist"), "c")
    assert [line for line in added.lines if not line.lower().startswith(b"requires-dist")] == [
        line for line in found.lines if not line.lower().startswith(b"requires-dist")
    ]
