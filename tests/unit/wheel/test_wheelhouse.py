from __future__ import annotations

import hashlib
import json
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from mamba_press.errors import HouseError, WriteError
from mamba_press.pipeline import wheelhouse as pipeline_wheelhouse
from mamba_press.types import Python, Target
from mamba_press.wheel import wheelhouse
from mamba_press.wheel.wheelhouse import Manifest, Row

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TARGET = Target(system="linux", arch="x86_64", subdir="linux-64", python=Python(minor=10), floor=(2, 28))


def row(name: str, data: bytes = b"wheel", tags: str = "py3-none-any") -> Row:
    return Row(
        file=f"{name}-1.0+h0.g1-{tags}.whl",
        name=name,
        version="1.0+h0.g1",
        package=f"{name} 1.0 h0",
        requested=True,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )


@pytest.fixture
def lock(house):
    """The lock as the reference reads it."""
    pylock = pytest.importorskip("packaging.pylock", reason="packaging is older than 26")
    return pylock.Pylock.from_dict(tomllib.loads((house[0] / "pylock.toml").read_text()))


@pytest.fixture
def house(tmp_path: Path) -> tuple[Path, Manifest]:
    """A folder as a house leaves it, with two wheels whose content means nothing."""
    folder = tmp_path / "house"
    folder.mkdir()
    rows = (row("one", b"first" * 1000), row("two", b"second"))
    lock = wheelhouse.pylock(rows, TARGET)
    manifest = Manifest(
        name="house",
        subdir="linux-64",
        floor="",
        pythons=("3.10",),
        elsewhere=(),
        wheels=rows,
        left={"python": "Python is not vendored"},
        lock=hashlib.sha256(lock).hexdigest(),
    )
    for each, data in zip(rows, (b"first" * 1000, b"second"), strict=True):
        (folder / each.file).write_bytes(data)
    (folder / wheelhouse.LOCK).write_bytes(lock)
    (folder / wheelhouse.MANIFEST).write_bytes(manifest.to_json())
    return folder, manifest


@pytest.fixture
def packed(house, tmp_path):
    wheelhouse.pack(*house, tmp_path / "house.zip")
    return tmp_path / "house.zip"


def problems(path: Path, tmp_path: Path) -> str:
    work = tmp_path / "unpacked"
    work.mkdir()
    with pytest.raises(HouseError) as error:
        wheelhouse.unpack(path, work)
    return str(error.value)


def test_what_was_packed_is_unpacked(house, packed, tmp_path):
    work = tmp_path / "unpacked"
    work.mkdir()
    assert wheelhouse.unpack(packed, work) == house[1]
    for each in house[1].wheels:
        assert (work / each.file).read_bytes() == (house[0] / each.file).read_bytes()


def test_a_folder_is_as_good_as_its_archive(house, packed):
    assert wheelhouse.read(house[0]) == wheelhouse.read(packed) == house[1]


def test_the_archive_is_one_that_any_tool_lists_and_nothing_in_it_is_compressed(packed):
    with zipfile.ZipFile(packed) as found:
        assert found.namelist() == [
            "wheelhouse.json",
            "pylock.toml",
            "one-1.0+h0.g1-py3-none-any.whl",
            "two-1.0+h0.g1-py3-none-any.whl",
        ]
        assert {info.compress_type for info in found.infolist()} == {zipfile.ZIP_STORED}
        assert found.testzip() is None


def test_the_same_house_makes_the_same_archive(house, packed, tmp_path):
    for path in house[0].iterdir():
        path.chmod(0o600)
    wheelhouse.pack(*house, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == packed.read_bytes()


def test_an_archive_that_cannot_be_completed_leaves_the_old_one(house, tmp_path):
    (tmp_path / "house.zip").write_bytes(b"old")
    (house[0] / house[1].wheels[1].file).unlink()
    with pytest.raises(WriteError, match=r"house\.zip"):
        wheelhouse.pack(*house, tmp_path / "house.zip")
    assert (tmp_path / "house.zip").read_bytes() == b"old"
    assert [path.name for path in tmp_path.glob(".mamba-press-*")] == []


@pytest.mark.parametrize("size", [0, 10, 3000])
def test_a_truncated_archive_is_named_as_one_that_was_not_copied_completely(packed, tmp_path, size):
    packed.write_bytes(packed.read_bytes()[:size])
    assert "house.zip: cannot be read as a wheelhouse" in problems(packed, tmp_path)


def test_every_flipped_wheel_is_named(house, tmp_path):
    for each in house[1].wheels:
        path = house[0] / each.file
        path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])
    found = problems(house[0], tmp_path)
    assert found.count("is not what the manifest's hash was made of") == 2


def test_a_bit_that_flips_in_the_archive_is_seen(packed, tmp_path):
    data = bytearray(packed.read_bytes())
    data[data.index(b"firstfirst")] ^= 1
    packed.write_bytes(data)
    assert "one-1.0+h0.g1-py3-none-any.whl: is" in problems(packed, tmp_path)


def test_a_changed_lock_is_seen(house, tmp_path):
    (house[0] / "pylock.toml").write_text("lock-version = '1.0'\n")
    assert "pylock.toml: is not what the manifest's hash was made of" in problems(house[0], tmp_path)


def test_a_wheel_of_another_size_is_told_by_its_size(house, tmp_path):
    (house[0] / house[1].wheels[1].file).write_bytes(b"longer than before")
    assert "has more than the 6 bytes that the manifest says" in problems(house[0], tmp_path)


def test_a_missing_wheel_and_a_strange_one_are_told_at_once(house, tmp_path):
    first = house[0] / house[1].wheels[0].file
    first.rename(house[0] / "other-1-py3-none-any.whl")
    found = problems(house[0], tmp_path)
    assert "one-1.0+h0.g1-py3-none-any.whl: is missing" in found
    assert "other-1-py3-none-any.whl: is in the wheelhouse, but not in its manifest" in found


@pytest.mark.parametrize(
    "name",
    [
        "../e-1-py3-none-any.whl",
        "/tmp/evil-1-py3-none-any.whl",
        "a/b-1-py3-none-any.whl",
        "C:e-1-py3-none-any.whl",
        "evil.py",
        "",
    ],
)
def test_a_manifest_cannot_write_anywhere_else(house, tmp_path, name):
    rows = (replace(house[1].wheels[0], file=name),)
    (house[0] / wheelhouse.MANIFEST).write_bytes(replace(house[1], wheels=rows).to_json())
    found = problems(house[0], tmp_path)
    assert f"wheelhouse.json: wheels[0].file: found {json.dumps(name)}, expected the name of a wheel" in found
    assert not list((tmp_path / "unpacked").iterdir())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"file": "one-1-py3.whl"}, "file: 'one-1-py3.whl' is not the file of the wheel that it is said to be"),
        ({"name": "two"}, "file: 'one-1.0+h0.g1-py3-none-any.whl' is not the file of the wheel that"),
        ({"version": "1.0"}, "file: 'one-1.0+h0.g1-py3-none-any.whl' is not the file of the wheel that"),
        ({"name": "one\n--index-url https://x"}, r'name: found "one\n--index-url https://x", expected a string'),
        ({"version": 1}, "version: found 1, expected a string"),
        ({"package": "\x1b[2J"}, 'package: found "\\u001b[2J", expected a string'),
        ({"requested": None}, "requested: found null, expected true or false"),
        ({"sha256": "0" * 63}, f'sha256: found "{"0" * 58}…, expected a sha256 in hexadecimal digits'),
        ({"sha256": None}, "sha256: found null, expected a sha256 in hexadecimal digits"),
        ({"size": "5000"}, 'size: found "5000", expected a number of bytes'),
        ({"size": True}, "size: found true, expected a number of bytes"),
        ({"size": -1}, "size: found -1, expected a number of bytes"),
    ],
)
def test_a_manifest_cannot_call_a_wheel_by_another_name_or_hide_something_in_it(house, tmp_path, change, said):
    rows = (house[1].wheels[1], replace(house[1].wheels[0], **change))
    (house[0] / wheelhouse.MANIFEST).write_bytes(replace(house[1], wheels=rows).to_json())
    assert f"- {house[0]}: wheelhouse.json: wheels[1].{said}" in problems(house[0], tmp_path)


def test_every_value_of_a_manifest_that_is_none_is_told_with_its_key(house, tmp_path):
    wrong = {"name": 5, "subdir": None, "floor": "new", "pythons": "3.10", "elsewhere": [1], "left": ["python"]}
    (house[0] / wheelhouse.MANIFEST).write_text(json.dumps({**json.loads(house[1].to_json()), **wrong, "lock": {}}))
    with pytest.raises(HouseError) as caught:
        wheelhouse.read(house[0])
    assert [
        f"{problem.where} {problem.what}".partition("wheelhouse.json: ")[2] for problem in caught.value.problems
    ] == [
        "name found 5, expected a string",
        "subdir found null, expected a string",
        'floor found "new", expected a version such as "2.27", or ""',
        'pythons found "3.10", expected a list of strings',
        "elsewhere found [1], expected a list of strings",
        'left found ["python"], expected strings by name',
        "lock found {}, expected a sha256 in hexadecimal digits",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot be read"),
        ("[]", "wheelhouse.json: found [], expected an object with format, name, subdir, floor"),
        ('{"name": "x"}', "wheelhouse.json: format: is missing, expected the number of a format"),
        ('{"format": 1}', "wheelhouse.json: name: is missing, expected a string"),
        ('{"format": 2}', "is of format 2; this mamba-press knows 1"),
        ('{"format": 1, "wheels": 1}', "wheelhouse.json: wheels: found 1, expected a list of wheels"),
        ("[" * 100_000, "wheelhouse.json: cannot be read"),
        ('{"format": 1' + "0" * 5000 + "}", "wheelhouse.json: cannot be read"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_an_error_and_no_traceback(house, tmp_path, text, said):
    (house[0] / wheelhouse.MANIFEST).write_text(text)
    assert said in problems(house[0], tmp_path)


def test_a_zip_that_is_no_wheelhouse_is_told_so(tmp_path):
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as file:
        file.writestr("a.txt", "a")
    assert "has no wheelhouse.json: it is no wheelhouse" in problems(tmp_path / "other.zip", tmp_path)


@pytest.mark.parametrize("damage", ["compressed", "encrypted", "unknown"])
def test_a_manifest_in_an_archive_that_another_tool_made_wrong_is_no_traceback(tmp_path, damage):
    path = tmp_path / "house.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(wheelhouse.MANIFEST, "{}" * 1000)
    data = bytearray(path.read_bytes())
    central = data.index(b"PK\x01\x02")
    if damage == "compressed":
        data[30 + len(wheelhouse.MANIFEST) : 38 + len(wheelhouse.MANIFEST)] = b"\xff" * 8
    elif damage == "encrypted":
        data[6] |= 1
        data[central + 8] |= 1
    else:
        data[8] = data[central + 10] = 99
    path.write_bytes(data)
    assert "wheelhouse.json: cannot be read" in problems(path, tmp_path)


@pytest.mark.parametrize("place", ["folder", "archive", "name"])
def test_a_house_whose_place_fails_leaves_folder_and_archive_as_they_were(house, tmp_path, place):
    output, packed = tmp_path / "wheels", tmp_path / "env.zip"
    output.mkdir()
    (output / house[1].wheels[0].file).write_text("old")
    (output / "notes.txt").write_text("mine")
    if place == "folder":
        (output / wheelhouse.LOCK).mkdir()
        packed.write_text("old")
    elif place == "archive":
        packed = tmp_path / "file" / "env.zip"
        packed.parent.touch()
    else:
        packed.mkdir()
    before = tree(output)
    with pytest.raises(WriteError):
        pipeline_wheelhouse._place(house[0], house[1], (output, packed), replaces=True)
    assert tree(output) == before
    assert place != "folder" or packed.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_house_takes_its_places_over_an_older_one(house, tmp_path):
    output, packed = tmp_path / "wheels", tmp_path / "env.zip"
    output.mkdir()
    (output / wheelhouse.MANIFEST).write_text("old")
    packed.write_text("old")
    pipeline_wheelhouse._place(house[0], house[1], (output, packed), replaces=True)
    assert set(tree(output)) == {wheelhouse.MANIFEST, wheelhouse.LOCK, *(each.file for each in house[1].wheels)}
    assert wheelhouse.read(output) == wheelhouse.read(packed) == house[1]


def tree(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() if path.is_file() else "a folder" for path in folder.iterdir()}


def test_what_is_not_there_is_told_so(tmp_path):
    assert "there is no such file or folder" in problems(tmp_path / "nothing.zip", tmp_path)


def test_a_name_longer_than_a_files_can_be_is_told(tmp_path):
    assert "cannot be read as a wheelhouse" in problems(tmp_path / ("n" * 300), tmp_path)


def test_the_lock_is_valid_and_names_every_wheel_by_path_and_hash(house, lock):
    lock.validate()
    assert str(lock.requires_python) == "==3.10.*"
    assert [(each.name, str(each.version)) for each in lock.packages] == [("one", "1.0+h0.g1"), ("two", "1.0+h0.g1")]
    (wheel,) = lock.packages[0].wheels
    assert (wheel.path, wheel.hashes) == (house[1].wheels[0].file, {"sha256": house[1].wheels[0].sha256})


def test_the_lock_holds_for_its_target_only(lock):
    (marker,) = lock.environments
    here = {"sys_platform": "linux", "platform_machine": "x86_64", "implementation_name": "cpython"}
    assert marker.evaluate(here)
    assert not marker.evaluate({**here, "platform_machine": "aarch64"})


def test_the_manifest_is_json_for_programs(house):
    values = json.loads((house[0] / wheelhouse.MANIFEST).read_text())
    assert values["format"] == 1
    assert values["left"] == {"python": "Python is not vendored"}
    assert values["wheels"][0]["package"] == "one 1.0 h0"


@pytest.mark.parametrize(
    ("tags", "floor"),
    [
        (["any"], ""),
        (["any", "manylinux2014_x86_64"], "2.17"),
        (["manylinux2014_x86_64.manylinux_2_17_x86_64", "manylinux_2_5_x86_64"], "2.17"),
        (["manylinux_2_5_x86_64", "manylinux_2_27_x86_64", "manylinux1_x86_64"], "2.27"),
        (["manylinux2010_x86_64.manylinux_2_7_x86_64"], "2.7"),
        (["linux_x86_64"], ""),
        (["macosx_11_0_arm64", "macosx_12_0_arm64"], "12.0"),
    ],
)
def test_the_floor_of_a_house_is_that_of_the_wheel_that_asks_for_most(tags, floor):
    assert wheelhouse.floor(f"a-1-py3-none-{tag}.whl" for tag in tags) == floor


def test_wheels_of_another_house_in_the_folder_are_seen(house):
    (house[0] / "old-1-py3-none-any.whl").touch()
    assert wheelhouse.stale(house[0], [each.file for each in house[1].wheels]) == ("old-1-py3-none-any.whl",)
    assert wheelhouse.stale(house[0] / "nothing", []) == ()


def test_no_more_is_unpacked_than_the_manifest_says(house, tmp_path):
    folder, manifest = house
    path = tmp_path / "house.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name in (wheelhouse.MANIFEST, wheelhouse.LOCK):
            target.write(folder / name, name)
        for row in manifest.wheels:
            target.writestr(row.file, bytes(50 << 20))
    assert "bytes that the manifest says" in problems(path, tmp_path)
    assert all(each.stat().st_size < 3 << 20 for each in tmp_path.rglob("*.whl"))
