from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mamba_press.types import NEUTRAL, Entry, File, Kept, Reason
from mamba_press.vendoring.relocate_text import rewrite

PARTS = [
    NEUTRAL,
    "'",
    '"',
    "\\\\",
    "#",
    " ",
    "a",
    "\n",
    ";",
    "echo ",
    "$HOME",
    "x=",
    "=",
    "$x",
    "(",
    ")",
    "`",
    "$(",
    "<<E\n",
    "`echo b`",
    "E\n",
]


def said(script: Path) -> tuple[int, str]:
    """What a script prints, and whether it worked."""
    done = subprocess.run(
        ["/bin/sh", str(script)], check=False, capture_output=True, text=True, timeout=10, env={"HOME": "/h"}
    )
    return done.returncode, done.stdout


@pytest.mark.skipif(os.name == "nt", reason="runs sh")
@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PARTS), max_size=12).map(lambda parts: "echo " + "".join(parts)))
def test_a_rewritten_script_does_what_it_does_with_the_path_written_out(tmp_path_factory, text):
    root = tmp_path_factory.getbasetemp() / "rewritten"
    script = root / "home" / "_prefix" / "bin" / "tool"
    script.parent.mkdir(parents=True, exist_ok=True)
    source = root / "tool"
    source.write_text(f"#!/bin/sh\n{text}\n")
    file = File(path="bin/tool", source=source, package="x", size=1, placeholder="text")
    (entry,) = rewrite(
        [replace(Entry.of(Kept(file=file, why=Reason("rule")), "home/_prefix/bin/tool"), executable=True)],
        "home/_prefix",
    )
    if isinstance(entry.source, Path):
        return  # left as it is, and reported
    script.write_bytes(entry.source)
    source.write_text(source.read_text().replace(NEUTRAL, str(root / "home" / "_prefix")))
    assert said(script) == said(source)
