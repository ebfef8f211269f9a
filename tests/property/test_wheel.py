"""Any set of entries comes back from the archive, in any number of threads, windows and parts."""

from __future__ import annotations

import csv
import io
import tempfile
import unicodedata
import zipfile
from pathlib import Path
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version

from mamba_press.audit import check
from mamba_press.platforms import binaries
from mamba_press.types import Entry, Wheel
from mamba_press.wheel import content, writer

OWN = (
    Entry(path="demo-1.0.dist-info/METADATA", source=b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"),
    Entry(
        path="demo-1.0.dist-info/WHEEL",
        source=b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-manylinux_2_28_x86_64\n",
    ),
)

letters = st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="/\\")
part = st.text(letters, min_size=1, max_size=12).filter(lambda text: text.strip(".") and not text.endswith(".pyc"))
paths = st.lists(
    st.lists(part, min_size=1, max_size=3)
    .map("/".join)
    .filter(lambda path: ".dist-info" not in path and ".data" not in path),
    max_size=8,
    unique_by=lambda path: unicodedata.normalize("NFC", path).split("/")[0],
)
contents = st.binary(max_size=300) | st.builds(
    lambda data, times: data * times, st.binary(max_size=20), st.integers(0, 400)
)


contents = contents.filter(lambda data: binaries.format_of(data[:8]) is None)


@st.composite
def wheels(draw: st.DrawFn) -> Wheel:
    entries = [Entry(path=path, source=draw(contents), executable=draw(st.booleans())) for path in draw(paths)]
    return Wheel(
        name="demo", version=Version("1.0"), tags="py3-none-manylinux_2_28_x86_64", entries=(*entries, *OWN)
    )  # fmt: skip


def on_disk(made: Wheel, folder: Path) -> Wheel:
    """The same wheel, every other entry's bytes in a file."""
    entries = []
    for number, entry in enumerate(made.entries):
        source = entry.source
        if number % 2 and isinstance(source, bytes):
            source = folder / str(number)
            source.write_bytes(entry.source)  # type: ignore[arg-type]
        entries.append(Entry(path=entry.path, source=source, executable=entry.executable))
    return Wheel(name=made.name, version=made.version, tags=made.tags, entries=tuple(entries))


@settings(max_examples=60, deadline=None)
@given(wheels(), st.sampled_from(["libdeflate", "zlib", "store"]), st.integers(1, 5))
def test_what_is_written_is_read_back(made, compression, threads):
    with tempfile.TemporaryDirectory() as folder:
        path = writer.write(made, Path(folder), compression=compression, epoch=None, threads=threads)
        assert check.check(path) == ()
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            assert archive.namelist()[:-1] == [entry.path for entry in made.entries]
            assert [archive.read(entry.path) for entry in made.entries] == [entry.source for entry in made.entries]
            rows = list(csv.reader(io.StringIO(archive.read("demo-1.0.dist-info/RECORD").decode(), newline="")))
        assert [row[0] for row in rows] == [*(entry.path for entry in made.entries), "demo-1.0.dist-info/RECORD"]


@settings(max_examples=60, deadline=None)
@given(wheels(), st.integers(1, 500), st.integers(1, 5), st.sampled_from(["libdeflate", "zlib", "store"]))
def test_threads_change_no_byte_and_windows_and_sources_no_content(made, size, threads, compression):
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.object(content, "HUGE", size * 2),
        mock.patch.object(content, "PART", size),
    ):
        place = Path(folder)
        split = on_disk(made, place)
        options = {"compression": compression, "epoch": None}
        one = writer.write(split, place / "one", threads=1, **options).read_bytes()
        with mock.patch.object(writer, "WINDOW", size):
            many = writer.write(split, place / "many", threads=threads, **options)
        assert many.read_bytes() == one
        assert check.check(many) == ()
        assert content.record(made, writer.listing(made)[:-1]) == content.record(split, writer.listing(split)[:-1])
