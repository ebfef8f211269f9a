from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator

from mamba_press.audit import explain_wheel
from mamba_press.errors import ReadError, WriteError
from mamba_press.types import NEUTRAL
from tests.support.wheels import files, make, wheel_text
from tests.unit.audit.test_explain import SCHEMA, said


def test_a_wheel_of_somebody_else_is_told_by_folders(tmp_path, capsys):
    path = make(tmp_path, files({"demo/__init__.py": b"x" * 5000}, WHEEL=wheel_text(by="flit")))
    found = explain_wheel.of_wheel(path)
    assert [(part.name, part.version) for part in found.parts] == [("demo", None), ("demo-1.0.dist-info", None)]
    assert (found.maker, found.left, found.lowest) == ("flit", None, None)
    hashes = {piece.path: piece.sha256 for piece in found.pieces}
    assert [path for path, value in hashes.items() if value is None] == ["demo-1.0.dist-info/RECORD"]
    assert said(str(path), capsys=capsys).startswith("any: nothing in the wheel is bound to a system\n  demo-1.0-py3")
    found = json.loads(said(str(path), "--json", capsys=capsys))
    Draft202012Validator(SCHEMA).validate(found)


def test_a_path_that_is_left_in_a_file_is_told_with_what_it_means(tmp_path):
    payload = {"demo/config.txt": f"certificates: {NEUTRAL}/ssl/cert.pem\n".encode()}
    (lost,) = explain_wheel.of_wheel(make(tmp_path, files(payload))).lost
    assert (lost.path, lost.text) == ("demo/config.txt", f"{NEUTRAL}/ssl/cert.pem")
    assert "SSL_CERT_FILE" in lost.consequence


def test_a_bill_that_is_none_of_ours_says_nothing(tmp_path):
    for bill in (b"{}", b"[]", b"x", b'{"components": [{"components": [1]}]}'):
        found = explain_wheel.of_wheel(make(tmp_path, files(**{"sboms/mamba-press.cdx.json": bill})))
        assert {part.version for part in found.parts} == {None}


def test_a_name_that_is_no_wheels_is_told(tmp_path):
    with pytest.raises(ReadError) as raised:
        explain_wheel.of_wheel(tmp_path / "demo.whl")
    [problem] = raised.value.problems
    assert problem.where == str(tmp_path / "demo.whl")
    assert problem.what == "is not the name of a wheel: name-version-python-abi-platform.whl"


@pytest.mark.parametrize("data", [b"", b"no archive"])
def test_a_file_that_is_no_wheel_is_named(tmp_path, data):
    path = tmp_path / "a-1-py3-none-any.whl"
    path.write_bytes(data)
    with pytest.raises(WriteError, match="cannot be read as a wheel"):
        explain_wheel.of_wheel(path)


def test_an_archive_that_says_two_things_is_not_explained(tmp_path):
    path = make(tmp_path, files())
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\5\6") + 10] = 0
    path.write_bytes(data)
    with pytest.raises(ReadError, match="the archive says that it has 0 entries, and its directory has 5"):
        explain_wheel.of_wheel(path)
