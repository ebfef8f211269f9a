"""RECORD: one line for each file of a wheel, with its size and its hash."""

from __future__ import annotations

import base64
import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mamba_press.types import Wheel

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line of RECORD, and of a listing: what is written, of which package it is, and why it is there.

    ``package`` is None for what mamba-press wrote itself; ``sha256`` is hexadecimal, None for RECORD only.
    """

    path: str
    size: int
    sha256: str | None
    package: str | None = None
    why: str = ""


def record(wheel: Wheel, rows: Sequence[Row]) -> bytes:
    """Return the text of RECORD for these rows; the line of RECORD itself is added."""
    text = io.StringIO(newline="")
    lines = csv.writer(text, lineterminator="\n")
    for row in rows:
        lines.writerow((row.path, hash_of(row.sha256) if row.sha256 else "", row.size))
    lines.writerow((path_of(wheel), "", ""))
    return text.getvalue().encode("utf-8")


def path_of(wheel: Wheel) -> str:
    """Return the path of a wheel's RECORD."""
    return f"{wheel.stem}.dist-info/RECORD"


def hash_of(sha256: str) -> str:
    """Return a sha256 as RECORD states it: ``sha256=`` and base64 without padding."""
    return "sha256=" + base64.urlsafe_b64encode(bytes.fromhex(sha256)).rstrip(b"=").decode("ascii")
