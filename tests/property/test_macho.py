"""What holds for every sequence of edits, and for every broken file."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from mamba_press.platforms import binaries, binary_edits
from mamba_press.platforms.binaries import Malformed
from mamba_press.platforms.macos.macho_layout import build_trie, uleb_bytes
from mamba_press.types import Binary, Edits
from tests.support.macho import BUNDLE, DYLIB, LOAD, PROGRAM, UPWARD, WEAK, Dylib, dylib, signature, universal

MANY = settings(max_examples=80, deadline=None)

NAMES = st.text("abcdefgh.+-_0123456789é", min_size=1, max_size=60).map("@loader_path/{}".format)
PATHS = st.lists(st.sampled_from(["@loader_path", "@loader_path/../x", "@loader_path/" + "d/" * 300]), max_size=3)
NEEDED = st.lists(
    st.tuples(
        st.sampled_from(["/usr/lib/libSystem.B.dylib", *(f"@rpath/lib{n}.dylib" for n in range(20))]),
        st.sampled_from([LOAD, LOAD, WEAK, UPWARD]),
    ),
    unique_by=lambda each: each[0],
    max_size=20,
)
FILES = st.builds(
    lambda arch, kind, fixups, needed, room: Dylib(
        arch=arch, kind=kind, name="@rpath/a.dylib" if kind == DYLIB else None, fixups=fixups, needed=needed, room=room
    ),
    st.sampled_from(["arm64", "x86_64"]),
    st.sampled_from([DYLIB, BUNDLE, PROGRAM]),
    st.sampled_from(["opcodes", "chains"]),
    NEEDED,
    st.integers(0, 300),
)


def edits(binary: Binary) -> st.SearchStrategy[Edits]:
    renames = st.dictionaries(st.sampled_from(binary.needed), NAMES | st.none()) if binary.needed else st.just({})
    return st.builds(
        lambda name, needed, search: Edits(name=name, needed=tuple(needed.items()), search=search, sign=True),
        st.none() | NAMES if binary.name else st.none(),
        renames,
        st.none() | PATHS.map(tuple),
    )


def after(before: Binary, asked: Edits) -> Binary:
    names = dict(asked.needed)
    new = {old: names.get(old, old) for old in before.needed}
    needed = tuple(dict.fromkeys(name for name in new.values() if name))
    strong = {new[old] for old in before.needed if old not in before.weak}
    return replace(
        before,
        name=asked.name or before.name,
        needed=needed,
        weak=tuple(name for name in needed if name not in strong),
        search=before.search if asked.search is None else tuple(dict.fromkeys(asked.search)),
    )


@MANY
@given(st.data())
def test_every_sequence_of_edits_reads_back_sound_and_signed(data) -> None:
    what = data.draw(FILES)
    content = dylib(what)
    for _ in range(data.draw(st.integers(1, 4))):
        before = binaries.read(content)
        assert before
        asked = data.draw(edits(before))
        content = binary_edits.apply(content, asked)
        assert binaries.read(content) == after(before, asked)
        found = signature(content)
        if what.arch == "arm64":
            assert found
            assert (found.bad_pages, binary_edits.layout_problems(content)) == (0, ())
        again = replace(asked, needed=())
        assert binary_edits.apply(content, again) is content


@MANY
@given(st.data())
def test_universal_file_is_edited_as_its_slices_are(data) -> None:
    slices = [dylib(replace(data.draw(FILES), kind=DYLIB, name="@rpath/a.dylib")) for _ in range(2)]
    needed = tuple(dict.fromkeys(name for each in slices for name in binaries.read(each).needed))
    binary = replace(binaries.read(slices[0]), needed=needed)
    asked = data.draw(edits(binary))
    whole = binary_edits.apply(universal(*slices), asked)
    at = 0
    for each in slices:
        edited = binary_edits.apply(each, asked)
        at = whole.index(edited, at)
        assert at % 0x4000 == 0
        at += len(edited)


@MANY
@given(FILES, st.data())
def test_broken_file_is_malformed_and_nothing_else(what, data) -> None:
    content = bytearray(dylib(what))
    if data.draw(st.booleans()):
        content = bytearray(binary_edits.apply(bytes(content), Edits(sign=True)))
    for _ in range(data.draw(st.integers(0, 6))):
        at = data.draw(st.integers(0, 1600) | st.integers(0, len(content) - 1) | st.integers(0x8000, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    broken = bytes(content[: data.draw(st.just(len(content)) | st.integers(0, len(content)))])
    with suppress(Malformed):
        found = binaries.read(broken)
        if found is not None:
            binaries.symbols(broken)
            binary_edits.layout_problems(broken)
    with suppress(Malformed):
        if binaries.format_of(broken[:8]) == "macho":
            binary_edits.unsigned(broken)
    with suppress(Malformed):
        if binaries.format_of(broken[:8]) == "macho":
            binary_edits.apply(broken, Edits(search=("@loader_path/" + "x" * 500,), sign=True))


@given(st.dictionaries(st.text(min_size=1, max_size=12).filter(lambda t: "\0" not in t), st.integers(0, 1 << 40)))
def test_trie_leads_to_every_symbol(symbols) -> None:
    from mamba_press.platforms.binary_format import Allowance
    from mamba_press.platforms.macos.macho_tables import walk

    trie = build_trie((name, b"\0" + uleb_bytes(value)) for name, value in symbols.items())
    assert {export.name: export.value for export in walk(trie, Allowance(len(trie)))} == symbols
