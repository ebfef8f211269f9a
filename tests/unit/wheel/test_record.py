"""RECORD, as it is written and listed."""

from __future__ import annotations

import csv
import io
import zipfile

from mamba_press.wheel import content, writer
from tests.support.written import demo, entry, write


def test_the_listing_says_the_record_that_is_written(mixed, tmp_path):
    rows = writer.listing(mixed)
    written = zipfile.ZipFile(write(mixed, tmp_path / "out")).read("demo-1.0.dist-info/RECORD")
    assert content.record(mixed, rows[:-1]) == written
    assert rows[-1].path == "demo-1.0.dist-info/RECORD"
    assert rows[-1].size == len(written)
    assert [row.path for row in rows] == [line[0] for line in csv.reader(io.StringIO(written.decode()))]


def test_a_path_with_a_comma_survives_record(tmp_path):
    path = write(demo(entry('demo/a,"b".txt')), tmp_path)
    rows = list(csv.reader(io.StringIO(zipfile.ZipFile(path).read("demo-1.0.dist-info/RECORD").decode())))
    assert rows[0][0] == 'demo/a,"b".txt'
