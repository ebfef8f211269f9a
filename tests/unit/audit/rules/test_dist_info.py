"""WHEEL, RECORD, METADATA and entry points that are wrong."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from collections.abc import Callable

import pytest

from mamba_press.audit import check
from mamba_press.audit.rules import dist_info
from mamba_press.metadata import headers
from tests.support.wheels import INFO, METADATA, Files, _digest, files, make, record, said, wheel_text


def test_entry_points_data_folders_and_signatures_are_no_problem(tmp_path):
    points = b"[console_scripts]\ndemo = demo:main\nother=demo.cli : run [extra]\n[pygments.lexers]\nA b = demo:B.c\n"
    content = files({"demo-1.0.data/scripts/tool": b"#!python\n"}, **{"entry_points.txt": points})
    listed = record(content)
    assert check.check(make(tmp_path, {**content, f"{INFO}/RECORD.jws": b"{}"}, listed=listed)) == ()


def stated(digest: str) -> bytes:
    """RECORD with another hash of METADATA."""
    return record(files()).replace(_digest(METADATA).encode(), digest.encode())


WRONG: dict[str, Callable[[], tuple[Files, bytes | None]]] = {
    "wrong hash": lambda: (files(), stated(_digest(b"x"))),
    "hash in hexadecimal": lambda: (files(), stated(hashlib.sha256(METADATA).hexdigest())),
    "padded hash": lambda: (files(), stated(f"{_digest(METADATA)}=")),
    "wrong size": lambda: (files({"a.py": b"12345"}), record(files({"a.py": b"12345"})).replace(b",5\n", b",6\n")),
    "md5": lambda: (files(), record(files()).replace(b"sha256=", b"md5=")),
    "no hash": lambda: (files(), b"".join(f"{p},,\n".encode() for p in [*files(), f"{INFO}/RECORD"])),
    "extra file": lambda: (files({"extra.py": b""}), record(files())),
    "missing file": lambda: (files(), record(files({"gone.py": b""}))),
    "listed twice": lambda: (files(), record(files()) + b"demo/__init__.py,sha256=x,0\n"),
    "broken line": lambda: (files(), record(files()) + b"demo\n"),
    "own hash": lambda: (files(), record(files()).replace(b"RECORD,,", b"RECORD,sha256=x,1")),
    "not UTF-8": lambda: (files(), record(files()) + b"\xff,,\n"),
    "two dist-info": lambda: (files({"other-1.dist-info/METADATA": b""}), None),
    "version": lambda: (files(METADATA=METADATA.replace(b"1.0", b"1.1")), None),
    "name": lambda: (files(METADATA=METADATA.replace(b"demo", b"omed")), None),
    "metadata": lambda: (files(METADATA=b"Metadata-Version: 2.4\nName: demo\n"), None),
    "tags": lambda: (files(WHEEL=wheel_text("py2-none-any")), None),
    "two tags": lambda: (files(WHEEL=wheel_text() + b"Tag: py3-none-any\n"), None),
    "build": lambda: (files(WHEEL=wheel_text() + b"Build: 3\n"), None),
    "wheel version": lambda: (files(WHEEL=wheel_text().replace(b"1.0", b"2.0")), None),
    "purity": lambda: (files(WHEEL=wheel_text().replace(b"true", b"yes")), None),
    "licence": lambda: (files(METADATA=METADATA.replace(b"LICENSE", b"COPYING")), None),
    "entry point": lambda: (files(**{"entry_points.txt": b"[console_scripts]\na = b c\n"}), None),
    "script": lambda: (files(**{"entry_points.txt": b"[console_scripts]\n../a = b:c\n"}), None),
    "line end": lambda: (files({"a\u2028b.py": b""}), None),
    "entry points": lambda: (files(**{"entry_points.txt": b"a = b\n"}), None),
    "an entry point twice": lambda: (files(**{"entry_points.txt": b"[g]\na = b:c\na = b:d\n"}), None),
    "a byte order mark": lambda: (files(**{"entry_points.txt": b"\xef\xbb\xbf[g]\na = b:c\n"}), None),
    "data folder": lambda: (files({"other-1.0.data/scripts/x": b""}), None),
    "case": lambda: (files({"demo/A.py": b"", "demo/a.py": b""}), None),
    "windows' names": lambda: (files({"demo/A::B.3": b""}), None),
    "a folder like a scheme's": lambda: (files({"other-2.data/x.py": b""}), None),
    "file and folder": lambda: (files({"demo": b"", "demo/a.py": b""}), None),
    "outside": lambda: (files({"../a.py": b""}), None),
    "absolute": lambda: (files({"/a.py": b""}), None),
    "backslash": lambda: (files({"demo\\a.py": b""}), None),
    "control": lambda: (files({"demo/\x1b[2J.py": b""}), None),
    "compiled": lambda: (files({"demo/a.pyc": b""}), None),
    "Unicode": lambda: (files({"\u00e9.py": b"", "e\u0301.py": b""}), None),
    "no name": lambda: (files({"": b""}), None),
    "a name that no file system takes": lambda: (files({f"demo/{'a' * 256}": b""}), None),
    "a folder with content": lambda: (files({"demo/sub/": b"content"}), None),
    "broken binary": lambda: (files({"demo/a.so": b"\x7fELF\2\1\1" + bytes(11) + b"\x3e" + bytes(9)}), None),
}


def test_what_is_wrong_is_said(tmp_path, golden):
    each = {case: said(make(tmp_path, *get()[:1], listed=get()[1])) for case, get in WRONG.items()}
    assert all(each.values())
    assert "\x1b" not in "".join(each.values())
    golden("check-wrong.txt", "\n".join(f"{case}:\n{text}\n" for case, text in each.items()))


def test_a_record_that_goes_on_and_on_is_not_read_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(dist_info, "_SPARE_ROWS", 0)
    path = make(tmp_path, files(), listed=record(files()) + b"one,,\ntwo,,\n")
    assert said(path) == (
        "one: is in RECORD but not in the archive\n"
        f"{INFO}/RECORD: has many more lines than the wheel has files; the rest is not read"
    )


@pytest.mark.parametrize("tag", ["cp310-cp310", "cp310-none", "py2-none", "cp310.cp39-none"])
def test_a_wheel_that_no_allowed_python_takes_is_wrong(tmp_path, tag):
    metadata = METADATA.replace(b"\n\n", b"\nRequires-Python: >=3.12\n\n")
    path = make(tmp_path, files(METADATA=metadata, WHEEL=wheel_text(f"{tag}-any")), f"demo-1.0-{tag}-any.whl")
    shown = ", ".join(f"{each}-{tag.split('-')[1]}" for each in tag.split("-")[0].split("."))
    assert (
        f"demo-1.0.dist-info/METADATA: Requires-Python: >=3.12 allows no Python that {shown} is for\n"
        "  make it for a Python that is allowed; others cannot install it"
    ) in said(path)


@pytest.mark.parametrize("tag", ["py3-none", "cp39-abi3", "py2.py3-none", "cp312-cp312", "cp310.cp313-none"])
def test_a_wheel_that_some_allowed_python_takes_is_not(tmp_path, tag):
    metadata = METADATA.replace(b"\n\n", b"\nRequires-Python: >=3.12\n\n")
    path = make(tmp_path, files(METADATA=metadata, WHEEL=wheel_text(f"{tag}-any")), f"demo-1.0-{tag}-any.whl")
    assert "Requires-Python" not in said(path)


@pytest.mark.parametrize("gone", ["METADATA", "WHEEL", "RECORD"])
def test_a_missing_file_of_dist_info_is_said(tmp_path, gone):
    content = files()
    listed = record({path: data for path, data in content.items() if not path.endswith(gone)})
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for one, data in {**content, f"{INFO}/RECORD": listed}.items():
            if not one.endswith(gone):
                archive.writestr(one, data)
    assert f"{INFO}/{gone}: is missing" in said(path)


UNREADABLE = {
    "a number of 10,000 digits": b"Requires-Python: >=" + b"9" * 10_000,
    "501 fields": b"".join(b"F%d: x\n" % number for number in range(501)),
    "a field of a megabyte": b"Requires-Dist: a" + b"b" * (1 << 20),
    "no UTF-8": b"Summary: \xff\xfe",
    "a requirement of 5,000 brackets": b"Requires-Dist: a; " + b"(" * 5000,
    "a licence of 5,000 brackets": b"License-Expression: " + b"(" * 5000,
}


def test_metadata_that_cannot_be_read_is_said(tmp_path, golden):
    each = {}
    for case, fields in UNREADABLE.items():
        path = make(tmp_path, files(METADATA=METADATA.replace(b"\n\n", b"\n" + fields + b"\n\n")))
        each[case] = said(path)
        (found,) = check.together([path])
        assert found.problems
    golden("check-metadata.txt", "\n".join(f"{case}:\n{text}\n" for case, text in each.items()))


@pytest.mark.skipif(not hasattr(sys, "set_int_max_str_digits"), reason="this Python reads numbers of any length")
def test_a_number_that_this_python_is_told_not_to_read_is_said():
    most = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(640)
    try:
        with pytest.raises(ValueError, match="700 digits") as raised:
            int("9" * 700)
        text = METADATA.replace(b"Version: 1.0", b"Version: " + b"9" * 700)
        assert headers.metadata(text) == (None, (f"has a field that cannot be read: {raised.value}",))
    finally:
        sys.set_int_max_str_digits(most)


def test_a_wheel_with_controls_in_record_and_metadata_is_told_in_plain_text(tmp_path):
    content = files(METADATA=METADATA.replace(b"LICENSE", b"\x1b[31mL\x07"))
    listed = record(content) + b'\x1b]0;title\x07,,\n"a\nb",,\n'
    text = said(make(tmp_path, content, listed=listed))
    assert text.replace("\n", "").isprintable()
    assert "\\x1b]0;title\\x07: is in RECORD but not in the archive" in text
    assert "a\\nb: is in RECORD but not in the archive" in text
