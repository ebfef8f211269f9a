from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mamba_press import drafting
from mamba_press.errors import ContentError
from mamba_press.types import OWN, Entry, File, Kept

WORKDIR = Path("/somewhere/mamba-press-abcd1234")


def entry(tmp_path: Path, data: bytes = b"", **facts: object) -> Entry:
    """A file of a package, as an install links it from the cache."""
    source = tmp_path / "file"
    source.write_bytes(data)
    file = replace(File(path="lib/x", source=source, package="p", size=len(data)), **facts)
    return Entry(path="x", source=source, kept=Kept(file=file, why=""))


@pytest.mark.parametrize("how", ["own", "placeholder", "rewritten", "generated"])
def test_no_file_that_is_made_here_may_name_the_work_folder(tmp_path, how):
    data = f"{WORKDIR}/prefix".encode()
    plain = entry(tmp_path, data)
    made = {
        "own": entry(tmp_path, data, package=OWN),
        "placeholder": entry(tmp_path, data, placeholder="text"),
        "rewritten": replace(plain, source=data),
        "generated": replace(plain, source=data, kept=None),
    }[how]
    with pytest.raises(ContentError, match="temporary folder"):
        drafting._traces([made], WORKDIR)


def test_packages_that_tell_where_they_were_built_are_named_once(tmp_path):
    told = entry(tmp_path, b"-I/home/conda/feedstock_root/build_artifacts/x")
    (note,) = drafting._traces([told, replace(told, path="y")], WORKDIR)
    assert note.endswith("mean nothing: p")
    assert drafting._traces([entry(tmp_path, b"nothing")], WORKDIR) == ()
