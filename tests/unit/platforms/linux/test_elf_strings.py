"""Where the dynamic strings of an edited file come to stand."""

from __future__ import annotations

import pytest

from mamba_press.platforms.binaries import Malformed
from mamba_press.platforms.linux import elf
from mamba_press.platforms.linux.elf_strings import Strings, Text
from tests.support import elf as written


def strings(
    content: bytes, entries: list[tuple[int, int]], kept: list[tuple[int, Text]], named: bytes = b""
) -> Strings:
    """The strings of a file whose dynamic section has ``entries`` and will have those ``kept``; symbols name some."""
    tables = {"strings": content}
    more: list[tuple[int, int | str]] = list(entries)
    if named:
        symbols = bytes(24) + b"".join(
            content.index(name).to_bytes(4, "little") + bytes(20) for name in named.split(b" ")
        )
        tables |= {"symbols": symbols, "names": b"\0"}
        more.append((written.SYMTAB, "symbols"))
        image = elf.Image(written.elf(tables, more, sections=[(11, 2, "symbols", 0)]))
    else:
        image = elf.Image(written.elf(tables, more))
    return Strings(image, kept, [])


NEEDED, SONAME, RUNPATH = written.NEEDED, written.SONAME, written.RUNPATH
CONTENT = b"\0liba.so\0$ORIGIN/lib\0libself.so\0"
OLD = [(NEEDED, 1), (RUNPATH, 9), (SONAME, 21)]


def test_what_nothing_names_any_more_is_cleared() -> None:
    found = strings(CONTENT, OLD, [(NEEDED, 1), (SONAME, 21)])
    assert bytes(found.content) == b"\0liba.so\0" + bytes(12) + b"libself.so\0"


TWO_GAPS = b"\0" + b"a" * 30 + b"\0s\0" + b"b" * 10 + b"\0stay\0"
"""Two names of libraries that will leave, at 1 and 34, and two that stay, at 32 and 45."""


@pytest.mark.parametrize(("size", "at"), [(9, 34), (10, 34), (11, 1), (30, 1), (31, 50)])
def test_a_new_text_stands_in_the_smallest_cleared_place_that_it_fits(size, at) -> None:
    stays: list[tuple[int, Text]] = [(SONAME, 32), (RUNPATH, 45)]
    found = strings(TWO_GAPS, [(NEEDED, 1), (NEEDED, 34), (SONAME, 32), (RUNPATH, 45)], stays)
    text = b"n" * size
    assert found.place_all([text]) == {text: at}
    assert bytes(found.content[at - 1 : at + size + 1]) == b"\0" + text + b"\0"
    assert len(found.content) == (len(TWO_GAPS) if size <= 30 else len(TWO_GAPS) + 32)


def test_longer_texts_are_placed_first() -> None:
    found = strings(b"\0" + b"a" * 12 + b"\0stay\0", [(NEEDED, 1), (SONAME, 14)], [(SONAME, 14)])
    places = found.place_all([b"short", b"longest name", b"short"])
    assert places == {b"longest name": 1, b"short": 19}
    assert bytes(found.content) == b"\0longest name\0stay\0short\0"


def test_a_text_that_is_there_already_is_not_written_again() -> None:
    found = strings(CONTENT, OLD, [(NEEDED, 1), (SONAME, 21)])
    assert found.place_all([b"liba.so", b"self.so"]) == {b"liba.so": 1, b"self.so": 24}
    assert len(found.content) == len(CONTENT)


def test_a_string_whose_end_something_else_names_stays() -> None:
    found = strings(CONTENT, [*OLD, (NEEDED, 17)], [(NEEDED, 17), (SONAME, 21)])
    assert bytes(found.content) == bytes(9) + CONTENT[9:]


def test_a_string_that_is_the_end_of_another_stays() -> None:
    found = strings(CONTENT, [(NEEDED, 1), (NEEDED, 24), (SONAME, 21)], [(NEEDED, 1), (SONAME, 21)])
    assert bytes(found.content) == CONTENT


def test_a_string_that_a_symbol_names_stays() -> None:
    found = strings(CONTENT, OLD, [(NEEDED, 1), (SONAME, 21)], named=b"$ORIGIN/lib")
    assert bytes(found.content) == CONTENT
    found = strings(CONTENT, OLD, [(NEEDED, 1), (SONAME, 21)], named=b"/lib liba.so")
    assert bytes(found.content) == CONTENT


def test_no_text_is_written_where_an_empty_name_is_meant() -> None:
    content = b"\0" + b"a" * 12 + b"\0stay\0"
    found = strings(content, [(NEEDED, 1), (SONAME, 14), (RUNPATH, 13)], [(SONAME, 14), (RUNPATH, 13)])
    assert bytes(found.content) == content
    found = strings(content, [(NEEDED, 1), (SONAME, 14)], [(SONAME, 14), (NEEDED, 5)])
    assert bytes(found.content) == content


def test_no_text_is_written_over_an_empty_name_between_zeros() -> None:
    found = strings(bytes(16), [(NEEDED, 1)], [(NEEDED, 1)])
    assert found.place_all([b"name"]) == {b"name": 16}


def test_the_zero_that_ends_a_name_that_stays_is_not_written_over() -> None:
    content = b"\0" + b"a" * 12 + b"\0stay\0"
    found = strings(content, [(NEEDED, 1), (SONAME, 14)], [(SONAME, 14), (RUNPATH, 0)])
    assert found.place_all([b"n" * 12]) == {b"n" * 12: 1}


def test_what_is_cleared_at_the_end_leaves() -> None:
    found = strings(CONTENT, OLD, [(NEEDED, 1)])
    assert found.trimmed() == b"\0liba.so\0"
    assert strings(CONTENT, OLD, list(OLD)).trimmed() == CONTENT
    assert strings(b"\0\0\0\0", [(NEEDED, 3)], [(NEEDED, 3)]).trimmed() == b"\0\0\0\0"
    assert strings(CONTENT, OLD, []).trimmed() == b"\0"


def test_strings_that_lie_outside_of_their_table_are_malformed() -> None:
    with pytest.raises(Malformed, match=r"^string 0x20 lies outside the dynamic strings$"):
        strings(CONTENT, OLD, [(NEEDED, len(CONTENT))])
    with pytest.raises(Malformed, match=r"^string 0x15 of the dynamic strings has no end$"):
        strings(CONTENT[:-1] + b"!", [(NEEDED, 1), (SONAME, 21)], [(NEEDED, 1)])
