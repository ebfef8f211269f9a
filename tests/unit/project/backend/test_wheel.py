from __future__ import annotations

import base64
import hashlib
import stat
import zipfile
from pathlib import Path

import pytest
from packaging.tags import parse_tag

from mamba_press.errors import BuildError
from mamba_press.platforms import binaries
from mamba_press.project import backend as project_backend
from mamba_press.types import OwnFile, Python, Target
from tests.support.compile import Linking, shared_library

LINUX = Target(system="linux", arch="x86_64", subdir="linux-64", python=Python(minor=11), floor=None)


METADATA = "Metadata-Version: 2.1\nName: Made\nVersion: 1.0\n"

FILES = {
    "made/__init__.py": "x = 1\n",
    "made-1.0.data/purelib/made/pure.py": "",
    "made-1.0.data/scripts/made": "#!python\n",
    "made-1.0.data/data/share/made.txt": "",
    "made-1.0.data/headers/made.h": "",
    "made-1.0.dist-info/METADATA": METADATA,
    "made-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\n",
    "made-1.0.dist-info/LICENSE": "old\n",
    "made-1.0.dist-info/licenses/sub/COPYING": "new\n",
    "made-1.0.dist-info/sboms/x.cdx.json": "{}",
    "made-1.0.dist-info/entry_points.txt": "[console_scripts]\nmade = made:x\n",
}

NAME = "made-1.0-cp311-cp311-linux_x86_64.whl"


def write(folder: Path, files: dict[str, str], *, name: str = NAME, record: str | None = None) -> Path:
    """A wheel of these files; ``record`` replaces RECORD, which is right otherwise."""

    def row(path: str) -> str:
        digest = base64.urlsafe_b64encode(hashlib.sha256(files[path].encode()).digest()).rstrip(b"=").decode()
        return f"{path},sha256={digest},{len(files[path])}\n"

    info = next((path.split("/")[0] for path in files if ".dist-info/" in path), "made-1.0.dist-info")
    text = "".join(map(row, files)) + f"{info}/RECORD,,\n" if record is None else record
    path = folder / name
    with zipfile.ZipFile(path, "w") as archive:
        for each, content in {**files, f"{info}/RECORD": text}.items():
            member = zipfile.ZipInfo(each)
            member.external_attr = (stat.S_IFREG | (0o755 if "scripts" in each else 0o644)) << 16
            archive.writestr(member, content)
    return path


def test_a_wheel_is_unpacked_by_scheme(tmp_path):
    own = project_backend.unpack(write(tmp_path, FILES), tmp_path / "out", LINUX)
    root = tmp_path / "out"
    assert own.files == (
        OwnFile(path="share/made.txt", source=root / "made-1.0.data/data/share/made.txt", scheme="data"),
        OwnFile(path="made.h", source=root / "made-1.0.data/headers/made.h", scheme="headers"),
        OwnFile(path="made/__init__.py", source=root / "made/__init__.py"),
        OwnFile(path="made/pure.py", source=root / "made-1.0.data/purelib/made/pure.py"),
        OwnFile(path="made", source=root / "made-1.0.data/scripts/made", scheme="scripts", executable=True),
    )
    assert (root / "made/__init__.py").read_text() == "x = 1\n"


def test_what_a_wheel_says_of_itself_is_kept(tmp_path):
    own = project_backend.unpack(write(tmp_path, FILES), tmp_path / "out", LINUX)
    info = tmp_path / "out" / "made-1.0.dist-info"
    assert own.metadata == METADATA.encode()
    assert own.entry_points == b"[console_scripts]\nmade = made:x\n"
    assert own.licenses == {"sub/COPYING": info / "licenses/sub/COPYING", "LICENSE": info / "LICENSE"}
    assert own.others == {"sboms/x.cdx.json": info / "sboms/x.cdx.json"}
    assert own.tags == ("cp311-cp311-linux_x86_64",)


@pytest.mark.parametrize(
    "tag",
    ["py3-none-any", "py2.py3-none-any", "cp38-abi3-linux_x86_64", "cp311-none-any", "py3-none-manylinux_2_17_x86_64"],
)
def test_a_wheel_for_the_target_is_taken(tmp_path, tag):
    own = project_backend.unpack(write(tmp_path, FILES, name=f"made-1.0-{tag}.whl"), tmp_path / "out", LINUX)
    assert set(own.tags) == {str(each) for each in parse_tag(tag)}
    assert [file.path for file in own.files] == ["share/made.txt", "made.h", "made/__init__.py", "made/pure.py", "made"]


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        ("cp310-cp310-linux_x86_64", "another Python than 3.11"),
        ("cp311-cp311t-linux_x86_64", "another Python than 3.11"),
        ("cp312-abi3-linux_x86_64", "another Python than 3.11"),
        ("py2-none-any", "another Python than 3.11"),
        ("cp311-cp311-linux_aarch64", "another machine than linux-64"),
        ("cp311-cp311-win_amd64", "another machine than linux-64"),
    ],
)
def test_a_wheel_for_another_python_or_machine_is_refused(tmp_path, tag, words):
    with pytest.raises(BuildError, match=words):
        project_backend.unpack(write(tmp_path, FILES, name=f"made-1.0-{tag}.whl"), tmp_path / "out", LINUX)


@pytest.mark.parametrize("path", ["../x.py", "/x.py", "a/../../x", "a//b", "c:/x", "a\\b"])
def test_a_path_that_leaves_the_wheel_is_refused_and_nothing_is_unpacked(tmp_path, path):
    with pytest.raises(BuildError, match="no path inside a wheel"):
        project_backend.unpack(write(tmp_path, {**FILES, path: ""}), tmp_path / "out", LINUX)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("path", ["made/__init__.py/x.py", "made/__init__.py/x/y", "made/__init__.py/"])
def test_a_path_that_is_a_file_and_a_folder_is_refused_and_nothing_is_unpacked(tmp_path, path):
    with pytest.raises(BuildError, match=r": made/__init__\.py: is both a file and a folder"):
        project_backend.unpack(write(tmp_path, {**FILES, path: ""}), tmp_path / "out", LINUX)
    assert not (tmp_path / "out").exists()


def test_a_name_that_no_file_system_takes_is_refused(tmp_path):
    with pytest.raises(BuildError, match="has a name that is longer than 255 bytes"):
        project_backend.unpack(write(tmp_path, {**FILES, f"made/{'ä' * 128}": ""}), tmp_path / "out", LINUX)


def test_an_encrypted_wheel_is_told(tmp_path):
    path = write(tmp_path, FILES)
    data = path.read_bytes().replace(b"PK\x01\x02\x14\x03\x14\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01\x00")
    path.write_bytes(data)
    with pytest.raises(BuildError, match=r"cannot be read: File .* is encrypted"):
        project_backend.unpack(path, tmp_path / "out", LINUX)


def test_a_file_that_can_be_executed_still_can(tmp_path):
    project_backend.unpack(write(tmp_path, FILES), tmp_path / "out", LINUX)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert (modes["made"], modes["__init__.py"]) == (0o755, 0o644)


def unpacked_library(folder: Path, search: str) -> bytes:
    """A library that was linked with a search path, as it is after it has been unpacked from a wheel."""
    folder.mkdir()
    library = shared_library(folder / "a.so", "int a;", Linking(runpath=search, flags=("-Wl,--build-id=sha1",)))
    wheel = folder / NAME
    files = {**{path: text.encode() for path, text in FILES.items()}, "made/a.so": library.read_bytes()}
    rows = [
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},\n"
        for path, data in files.items()
    ]
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, data in {**files, "made-1.0.dist-info/RECORD": "".join(rows).encode()}.items():
            archive.writestr(path, data)
    project_backend.unpack(wheel, folder / "out", LINUX)
    return (folder / "out" / "made" / "a.so").read_bytes()


def test_search_paths_of_this_machine_leave_no_trace(tmp_path):
    first = unpacked_library(tmp_path / "1", "/tmp/mamba-press-01234567/host/lib:/opt/lib")
    second = unpacked_library(tmp_path / "2", "/var/mamba-press-89abcdef/host/lib:/opt/lib")
    assert b"mamba-press" not in first
    assert b"/opt/lib" not in first
    assert first == second


def test_search_paths_within_the_wheel_stay(tmp_path):
    binary = binaries.read(unpacked_library(tmp_path / "1", "/tmp/x/lib:$ORIGIN/../more"))
    assert binary is not None
    assert binary.search == ("$ORIGIN/../more",)


def test_the_projects_folder_is_not_named_in_what_describes_the_wheel(tmp_path):
    bill = {**FILES, "made-1.0.dist-info/sboms/x.cdx.json": f'{{"bom-ref": "path+file://{tmp_path}#1.0"}}'}
    own = project_backend.unpack(write(tmp_path, bill), tmp_path / "out", LINUX, root=tmp_path)
    assert own.others["sboms/x.cdx.json"].read_text() == '{"bom-ref": "path+file://.#1.0"}'


def test_a_symlink_is_refused(tmp_path):
    path = write(tmp_path, FILES)
    with zipfile.ZipFile(path, "a") as archive:
        member = zipfile.ZipInfo("made/link")
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(member, "/etc/passwd")
    with pytest.raises(BuildError, match="made/link: is a symlink"):
        project_backend.unpack(path, tmp_path / "out", LINUX)


def test_every_disagreement_with_record_is_told(tmp_path):
    good = write(tmp_path, FILES)
    record = zipfile.ZipFile(good).read("made-1.0.dist-info/RECORD").decode()
    lines = [line.replace("sha256=", "sha256=A") if "made.h" in line else line for line in record.splitlines(True)]
    with pytest.raises(BuildError) as caught:
        project_backend.unpack(
            write(tmp_path, FILES, record="".join([*lines, "gone.py,sha256=x,1\n"])), tmp_path / "out", LINUX
        )
    assert [(problem.where.partition(": ")[2], problem.what) for problem in caught.value.problems] == [
        ("made-1.0.data/headers/made.h", "is not what RECORD says"),
        ("gone.py", "stands in RECORD and is not there"),
    ]


@pytest.mark.parametrize("record", ["", "".join(f"{path},,\n" for path in FILES)], ids=["no rows", "no hashes"])
def test_a_record_without_hashes_is_taken_for_it_is_written_anew(tmp_path, record):
    own = project_backend.unpack(write(tmp_path, FILES, record=record), tmp_path / "out", LINUX)
    files = [path for path in FILES if ".dist-info/" not in path]
    assert sorted(file.source.relative_to(tmp_path / "out").as_posix() for file in own.files) == sorted(files)


def test_of_a_wheels_own_files_only_metadata_has_to_be_there(tmp_path):
    files = {path: text for path, text in FILES.items() if not path.endswith("/WHEEL")}
    path = tmp_path / NAME
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    assert project_backend.unpack(path, tmp_path / "out", LINUX).metadata == METADATA.encode()
    del files["made-1.0.dist-info/METADATA"]
    with pytest.raises(BuildError, match=r"made-1\.0\.dist-info/METADATA: is missing"):
        project_backend.unpack(write(tmp_path, files), tmp_path / "other", LINUX)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"made-1.0.dist-info/METADATA": METADATA.replace("Made", "Other")}, "names Other, the file made"),
        ({"made-1.0.dist-info/METADATA": METADATA.replace("1.0", "1.1")}, "has version 1.1, the file 1.0"),
        ({"other-1.0.dist-info/METADATA": METADATA}, "2 .dist-info folders"),
        ({"made-1.0.data/attic/x": ""}, "no folder that wheels know"),
    ],
)
def test_a_wheel_that_contradicts_itself_is_refused(tmp_path, changes, words):
    with pytest.raises(BuildError, match=words):
        project_backend.unpack(write(tmp_path, {**FILES, **changes}), tmp_path / "out", LINUX)


def test_a_record_that_is_no_text_or_names_a_hash_that_wheels_cannot_have_is_told(tmp_path):
    good = write(tmp_path, FILES)
    record = zipfile.ZipFile(good).read("made-1.0.dist-info/RECORD").decode()
    for kind in ("shake_128", "md5", "sha1", "sha224", "SHA256", "none"):
        with pytest.raises(BuildError, match=f"has a hash of the kind '{kind}' in RECORD, which wheels cannot have"):
            project_backend.unpack(
                write(tmp_path, FILES, record=record.replace("sha256=", f"{kind}=")), tmp_path / "out", LINUX
            )
    with pytest.raises(BuildError, match="cannot be read: 'utf-8' codec"):
        project_backend.unpack(write(tmp_path, FILES, record=b"\xff,,"), tmp_path / "out", LINUX)


def test_a_wheel_whose_compressed_bytes_are_damaged_is_told(tmp_path):
    path = tmp_path / NAME
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("RECORD", "METADATA", "WHEEL"):
            archive.writestr(f"made-1.0.dist-info/{name}", "made-1.0.dist-info/RECORD,,\n" * 50)
    data = bytearray(path.read_bytes())
    start = 30 + len("made-1.0.dist-info/RECORD")
    data[start : start + 8] = b"\xff" * 8
    path.write_bytes(data)
    with pytest.raises(BuildError, match="the inner backend's wheel cannot be read"):
        project_backend.unpack(path, tmp_path / "out", LINUX)


@pytest.mark.parametrize("name", ["made.whl", NAME])
def test_what_is_no_wheel_is_told(tmp_path, name):
    (tmp_path / name).write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(BuildError, match=r"made"):
        project_backend.unpack(tmp_path / name, tmp_path / "out", LINUX)
