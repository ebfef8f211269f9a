"""What an edit did to the bytes of a file, as a text that can be read and kept."""

from __future__ import annotations

_ROW = 16


def differences(before: bytes, after: bytes) -> str:
    """The sizes, and every row of sixteen bytes that is not as it was at its place; those of zeros are counted."""
    lines = [f"{len(before):#x} bytes became {len(after):#x}"]
    zeros = 0
    for at in range(0, len(after), _ROW):
        row = after[at : at + _ROW]
        if row == before[at : at + _ROW]:
            continue
        if not any(row):
            zeros += 1
            if before[at : at + _ROW].strip(b"\0"):
                lines.append(f"{at:#06x}  cleared")
            continue
        text = "".join(chr(each) if 32 <= each < 127 else "." for each in row)
        lines.append(f"{at:#06x}  {row.hex(' ', 4)}  {text}")
    return "\n".join([*lines, f"{zeros} new rows of zeros"]) + "\n"
