"""What holds for every sequence of edits, and for every broken file."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mamba_press.platforms import binaries, binary_edits
from mamba_press.platforms.binaries import Malformed
from mamba_press.platforms.linux import elf
from mamba_press.types import Binary, Edits
from tests.support.compile import Linking, shared_library

NAMES = st.text("abcdefgh.+-_0123456789é", min_size=1, max_size=40)
PATHS = st.lists(
    st.sampled_from(["$ORIGIN", "$ORIGIN/../x.libs", "$ORIGIN/" + "deep/" * 20, "/nowhere"]), max_size=3, unique=True
)
VERSIONS = "INNER_1 { global: first; local: *; };\nINNER_2 { global: second; } INNER_1;\n"

MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="session", params=["bfd", "gold", "lld"])
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A library that needs three others, one of them with versions, made by each linker that is here."""
    if request.param != "bfd" and not shutil.which(f"ld.{request.param}"):
        pytest.skip(f"the linker {request.param} is not on this machine")
    folder = tmp_path_factory.mktemp(request.param)
    inner = shared_library(
        folder / "libinner.so.1",
        "int first(void) { return 1; } int second(void) { return 2; }",
        Linking(soname="libinner.so.1", version_script=VERSIONS),
    )
    plain = shared_library(folder / "libplain.so", "int third(void) { return 3; }", Linking(soname="libplain.so"))
    flags = (f"-fuse-ld={request.param}",)
    text = "int first(void); int second(void); int third(void); int total(void) { return first()+second()+third(); }"
    linking = Linking(soname="libouter.so.1", needed=(inner, plain), rpath="$ORIGIN/x", flags=flags)
    return shared_library(folder / "libouter.so.1", text, linking).read_bytes()


def edits(binary: Binary) -> st.SearchStrategy[Edits]:
    needed = st.dictionaries(st.sampled_from(binary.needed), NAMES | st.none()) if binary.needed else st.just({})
    return st.builds(
        lambda name, needed, search, inherited: Edits(
            name=name, needed=tuple(needed.items()), search=search, inherited=inherited
        ),
        st.none() | NAMES,
        needed,
        st.none() | PATHS.map(tuple),
        st.booleans(),
    )


def after(before: Binary, asked: Edits) -> Binary:
    """What the edits mean, told independently of how they are made."""
    names: dict[str, tuple[str, ...]] = {old: (old,) for old in before.needed}
    names |= {old: (new,) if new else () for old, new in asked.needed}
    needed: list[str] = []
    for old in before.needed:
        needed += [new for new in names[old] if new not in needed]
    requires = [replace(r, library=names[r.library][0]) for r in before.requires if names.get(r.library)]
    if asked.name is not None:
        before = replace(before, name=asked.name)
    if asked.search is not None:
        before = replace(before, search=asked.search, inherited=asked.inherited and asked.search != ())
    return replace(before, needed=tuple(needed), requires=tuple(requires))


@MANY
@given(data=st.data())
def test_any_sequence_of_edits_gives_what_was_asked_and_a_sound_file(library: bytes, data: st.DataObject) -> None:
    facts = binaries.read(library)
    assert facts is not None
    symbols = binaries.symbols(library)
    current = library
    for _ in range(data.draw(st.integers(1, 5))):
        asked = data.draw(edits(facts))
        current = binary_edits.apply(current, asked)
        facts = after(facts, asked)
        assert binaries.read(current) == facts
        assert binary_edits.layout_problems(current) == ()
    assert binaries.symbols(current) == symbols


@MANY
@given(data=st.data())
def test_the_same_edits_again_change_nothing(library: bytes, data: st.DataObject) -> None:
    facts = binaries.read(library)
    assert facts is not None
    asked = data.draw(edits(facts))
    assume(not {new for _, new in asked.needed} & set(facts.needed))
    once = binary_edits.apply(library, asked)
    assert binary_edits.apply(once, asked) == once


@MANY
@given(data=st.data())
def test_edits_back_and_forth_do_not_grow_a_file(library: bytes, data: st.DataObject) -> None:
    facts = binaries.read(library)
    assert facts is not None
    asked = data.draw(edits(facts))
    assume(all(asked.needed) and None not in dict(asked.needed).values())
    assume(len({new for _, new in asked.needed} | set(facts.needed)) == len(asked.needed) + len(facts.needed))
    back = Edits(
        name=facts.name,
        needed=tuple((new, old) for old, new in asked.needed if new is not None),
        search=facts.search,
        inherited=facts.inherited,
    )
    sizes = []
    current = library
    for _ in range(4):
        current = binary_edits.apply(binary_edits.apply(current, asked), back)
        sizes.append(len(current))
    assert binaries.read(current) == facts
    assert sizes[-1] <= sizes[0] + 16  # the first round may move the strings, which makes room for all others


def never_crashes(data: bytes, asked: Edits) -> None:
    """Every function ends in an answer or in Malformed."""
    for action in (binaries.read, binaries.symbols, binary_edits.layout_problems):
        with suppress(Malformed):
            action(data)
    with suppress(Malformed):
        binary_edits.apply(data, asked)


WHOLE = Edits(
    name="libfar-away-and-long.so.1",
    needed=(("libinner.so.1", "libinner-0123abcd.so.1"), ("libplain.so", None)),
    search=("$ORIGIN/../a/long/way",),
    unbind_unique=True,
)


@MANY
@given(data=st.data())
def test_a_file_that_was_cut_off_is_read_or_called_malformed(library: bytes, data: st.DataObject) -> None:
    never_crashes(library[: data.draw(st.integers(4, len(library)))], WHOLE)


WORDS = st.sampled_from([0, 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1]) | st.integers(0, 2**64 - 1) | st.integers(0, 5000)


@settings(MANY, max_examples=400)
@given(data=st.data())
def test_a_file_with_words_changed_is_read_or_called_malformed(library: bytes, data: st.DataObject) -> None:
    image = elf.Image(library)
    tables = [image.header.segments_at, image.header.sections_at, image.strings_at]
    tables += [image.offset(image.tags[tag], 8, "") for tag in (elf.DT_SYMTAB, elf.DT_GNU_HASH, elf.DT_VERNEED)]
    tables += [segment.offset for segment in image.segments if segment.type == elf.PT_DYNAMIC] * 3
    broken = bytearray(library)
    for table in data.draw(st.lists(st.sampled_from([0, *tables]), min_size=1, max_size=6)):
        place = table + data.draw(st.integers(0, 100)) * 4
        width = data.draw(st.sampled_from([1, 2, 4, 8]))
        if 20 <= place < len(broken) - 8:
            word = data.draw(WORDS).to_bytes(8, "little")
            broken[place : place + width] = word[:width]
    never_crashes(bytes(broken), WHOLE)


@MANY
@given(st.binary(max_size=300), st.sampled_from([b"\x7fELF\2\1\1", b"\x7fELF\1\2", b"MZ", b"\xca\xfe\xba\xbe", b""]))
def test_garbage_behind_a_magic_number_is_read_or_called_malformed(garbage: bytes, magic: bytes) -> None:
    never_crashes(magic + garbage, WHOLE)


@settings(MANY, max_examples=30)
@given(data=st.data())
def test_an_edited_file_reads_the_same_for_readelf(library: bytes, tmp_path: Path, data: st.DataObject) -> None:
    if not shutil.which("readelf"):
        pytest.skip("readelf is not on this machine")
    facts = binaries.read(library)
    assert facts is not None
    path = tmp_path / "edited.so"
    path.write_bytes(binary_edits.apply(library, data.draw(edits(facts))))
    edited = binaries.read(path.read_bytes())
    assert edited is not None
    result = subprocess.run(["readelf", "-ldVW", str(path)], capture_output=True, text=True, check=True)
    assert "arning" not in result.stderr
    lines = [line for line in result.stdout.splitlines() if "(NEEDED)" in line]
    assert [line.split("[", 1)[1][:-1] for line in lines] == list(edited.needed)
    tag = "(RPATH)" if edited.inherited else "(RUNPATH)"
    paths = [line for line in result.stdout.splitlines() if "PATH)" in line]
    assert [(line.split()[1], line.split("[", 1)[1][:-1]) for line in paths] == (
        [(tag, ":".join(edited.search))] if edited.search else []
    )
