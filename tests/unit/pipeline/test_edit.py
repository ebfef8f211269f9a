"""Editing released wheels: what changes, what stays, what is refused, and what is said of it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from email.parser import BytesHeaderParser
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from mamba_press import __main__ as command
from mamba_press.audit import check
from mamba_press.errors import ConfigError, PressError, ReadError, WriteError
from mamba_press.pipeline import edit
from mamba_press.pipeline.edit import Changes
from mamba_press.wheel import zip_read
from tests.support.wheels import INFO, METADATA, elf, files, make, record, wheel_text

POST = Changes(suffix="post1")
BILL = {
    "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
    "serialNumber": "urn:uuid:0d7fc86d-b220-514f-abea-7604fdf68d08",
    "version": 1,
    "metadata": {
        "component": {
            "type": "library",
            "bom-ref": "pkg:pypi/demo@1.0",
            "name": "demo",
            "version": "1.0",
            "purl": "pkg:pypi/demo@1.0",
        }
    },
    "components": [
        {"type": "file", "bom-ref": "file:demo-1.0.data/scripts/tool", "name": "demo-1.0.data/scripts/tool"},
        {"type": "file", "bom-ref": "file:demo/demo-1.0.data/x", "name": "demo/demo-1.0.data/x"},
    ],
    "dependencies": [{"ref": "pkg:pypi/demo@1.0", "dependsOn": ["file:demo-1.0.data/scripts/tool"]}],
}


def edited(path: Path, changes: Changes, out: str = "out") -> Path:
    (one,) = edit.edit([path], changes, path.parent / out)
    return path.parent / out / str(one.new)


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {info.filename: archive.read(info) for info in archive.infolist()}


def metadata(path: Path) -> dict[str, list[str]]:
    text = next(data for name, data in contents(path).items() if name.endswith(".dist-info/METADATA"))
    message = BytesHeaderParser().parsebytes(text)
    return {name: [str(value) for value in message.get_all(name, [])] for name in message}


def refused(path: Path, changes: Changes) -> str:
    with pytest.raises(PressError) as error:
        edited(path, changes)
    assert not list(path.parent.glob("out/*"))
    return str(error.value)


@pytest.fixture
def released(tmp_path) -> Path:
    """A wheel with requirements, a data folder and a bill of materials."""
    more = METADATA.replace(
        b"\n\nText", b"\nRequires-Dist: six\nRequires-Dist: numpy>=1.2 ; python_version>'3'\n\nText"
    )
    payload = {"demo/__init__.py": b"x = 1\n" * 99, "demo-1.0.data/scripts/tool": b"#!python\n"}
    bill = {"sboms/mamba-press.cdx.json": json.dumps(BILL).encode()}
    return make(tmp_path, files(payload, METADATA=more, **bill))


def test_a_suffix_makes_a_later_version_everywhere(released):
    new = edited(released, POST)
    assert new.name == "demo-1.0.post1-py3-none-any.whl"
    assert metadata(new)["Version"] == ["1.0.post1"]
    tops = {name.split("/")[0] for name in contents(new)}
    assert tops == {"demo", "demo-1.0.post1.data", "demo-1.0.post1.dist-info"}
    assert check.check(new) == ()


def test_a_build_number_is_in_the_name_and_in_wheel(released):
    new = edited(released, Changes(build="2"))
    assert new.name == "demo-1.0-2-py3-none-any.whl"
    assert b"\nBuild: 2" in contents(new)[f"{INFO}/WHEEL"]
    assert check.check(new) == ()
    assert edited(new, Changes(build="10")).name == "demo-1.0-10-py3-none-any.whl"


def test_the_payload_keeps_its_compressed_bytes(released):
    def packed(path: Path) -> dict[str, bytes]:
        text = path.read_bytes()
        with path.open("rb") as file:
            places = {member.name: (member.begin, member.packed) for member in zip_read.require(file)}
        return {name: text[at : at + size] for name, (at, size) in places.items()}

    new = edited(released, Changes(require=("numpy<2.5",), suffix="post1"))
    before, after = packed(released), packed(new)
    assert after["demo/__init__.py"] == before["demo/__init__.py"]
    assert after["demo-1.0.post1.data/scripts/tool"] == before["demo-1.0.data/scripts/tool"]
    assert after["demo-1.0.post1.dist-info/licenses/LICENSE"] == before[f"{INFO}/licenses/LICENSE"]


def test_requirements_are_added_and_dropped_and_the_rest_of_metadata_stays(released):
    new = edited(released, Changes(require=("numpy<2.5", "attrs"), drop=("SIX",), suffix="post1"))
    found = metadata(new)
    assert found["Requires-Dist"] == ["numpy>=1.2 ; python_version>'3'", "numpy<2.5", "attrs"]
    assert contents(new)["demo-1.0.post1.dist-info/METADATA"].endswith(b"\n\nText.\n")
    assert found["License-File"] == ["LICENSE"]


def test_a_field_is_set_added_and_removed(released):
    new = edited(released, Changes(fields=(("Requires-Python", ">=3.11"), ("Keywords", "a,b")), suffix="post1"))
    assert metadata(new)["Requires-Python"] == [">=3.11"]
    assert metadata(new)["Keywords"] == ["a,b"]
    again = edited(new, Changes(fields=(("keywords", ""),), suffix="post2"))
    assert "Keywords" not in metadata(again)
    assert again.name == "demo-1.0.post2-py3-none-any.whl"


def test_a_field_given_more_than_once_gets_all_its_values(released):
    names = ("Classifier", "Topic :: Utilities"), ("Classifier", "Typing :: Typed")
    assert metadata(edited(released, Changes(fields=names, suffix="post1")))["Classifier"] == [
        "Topic :: Utilities",
        "Typing :: Typed",
    ]


def test_a_field_that_is_newer_than_the_metadata_raises_its_version(tmp_path):
    old = METADATA.replace(b"2.4", b"2.1").replace(b"License-File: LICENSE\n", b"")
    path = make(tmp_path, files(METADATA=old))
    found = metadata(edited(path, Changes(fields=(("License-Expression", "MIT"),), suffix="post1")))
    assert (found["Metadata-Version"], found["License-Expression"]) == (["2.4"], ["MIT"])


def test_the_bill_says_what_was_changed_and_of_what(released):
    new = edited(released, Changes(require=("numpy<2.5",), suffix="post1"))
    text = contents(new)["demo-1.0.post1.dist-info/sboms/mamba-press.cdx.json"].decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    root = bill["metadata"]["component"]
    assert root["bom-ref"] == root["purl"] == bill["dependencies"][0]["ref"] == "pkg:pypi/demo@1.0.post1"
    assert root["pedigree"]["ancestors"][0]["purl"] == "pkg:pypi/demo@1.0"
    assert "requires numpy<2.5" in root["pedigree"]["notes"]
    assert [one["name"] for one in bill["components"]] == ["demo-1.0.post1.data/scripts/tool", "demo/demo-1.0.data/x"]
    assert bill["dependencies"][0]["dependsOn"] == ["file:demo-1.0.post1.data/scripts/tool"]
    assert bill["serialNumber"] != BILL["serialNumber"]


def test_a_bill_keeps_the_whole_line_of_ancestors(released):
    new = edited(edited(released, POST), Changes(suffix="post2"))
    text = contents(new)["demo-1.0.post2.dist-info/sboms/mamba-press.cdx.json"].decode()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    (first,) = json.loads(text)["metadata"]["component"]["pedigree"]["ancestors"]
    assert (first["version"], first["pedigree"]["ancestors"][0]["version"]) == ("1.0.post1", "1.0")


def test_a_wheel_without_a_bill_gets_none_and_is_told_so(tmp_path):
    path = make(tmp_path, files())
    (one,) = edit.edit([path], POST, tmp_path / "out")
    assert not [name for name in contents(tmp_path / "out" / str(one.new)) if "sboms" in name]
    assert "no bill of materials" in one.notes[0]


def test_a_bill_that_cannot_be_read_stays_and_is_told_of(tmp_path):
    path = make(tmp_path, files(**{"sboms/mamba-press.cdx.json": b"{}"}))
    (one,) = edit.edit([path], POST, tmp_path / "out")
    assert "cannot be read" in one.notes[0]


def test_an_empty_line_of_the_record_leaves(tmp_path):
    assert check.check(edited(make(tmp_path, files(), listed=record(files()) + b"\n"), POST)) == ()


def test_a_record_that_is_no_table_is_told(tmp_path):
    assert "RECORD: cannot be read: 'utf-8' codec" in refused(make(tmp_path, files(), listed=b"\xff,,\n"), POST)


def test_a_file_that_is_not_where_the_directory_says_is_told(released):
    data = bytearray(released.read_bytes())
    data[data.index(b"demo-1.0.dist-info/licenses/LICENSE") - 30] = 0
    released.write_bytes(data)
    assert "licenses/LICENSE: is not where the archive's directory says" in refused(released, POST)


def test_signatures_of_the_old_record_leave(tmp_path):
    path = make(tmp_path, files(**{"RECORD.jws": b"{}"}))
    (one,) = edit.edit([path], POST, tmp_path / "out")
    new = tmp_path / "out" / str(one.new)
    assert not [name for name in contents(new) if name.endswith(".jws")]
    assert any("RECORD.jws is left out" in note for note in one.notes)
    assert check.check(new) == ()


def test_sizes_after_the_data_move_to_the_front(tmp_path):
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: int) -> int:
            raise OSError

        def tell(self) -> int:
            raise OSError

    sound, out = make(tmp_path, files()), Pipe()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents(sound).items():
            archive.writestr(name, data)
    sound.write_bytes(out.getvalue())
    assert "sizes after its data" in str(check.check(sound)[0])
    assert check.check(edited(sound, POST)) == ()


@pytest.mark.parametrize("forced", [False, True])
def test_no_change_is_refused_as_that(released, forced):
    assert "nothing is to be changed\n  name a change: --require" in refused(released, Changes(forced=forced))


def test_a_platform_that_names_no_machine_is_refused(released):
    assert "--tag: is 'banana'" in refused(released, Changes(tag="banana", build="1"))


def test_the_same_name_is_refused_unless_forced(released):
    said = refused(released, Changes(require=("attrs",)))
    assert "another file under the same name" in said
    assert "--build-number" in said
    assert metadata(edited(released, Changes(require=("attrs",), forced=True)))["Requires-Dist"][-1] == "attrs"


def test_a_name_that_is_taken_by_another_file_is_refused(released):
    new = edited(released, POST)
    first = new.read_bytes()
    assert edited(released, POST).read_bytes() == first
    with pytest.raises(WriteError, match="another file under the same name"):
        edited(released, Changes(require=("attrs",), suffix="post1"))
    assert new.read_bytes() == first
    assert edited(released, Changes(require=("attrs",), suffix="post1", forced=True)).read_bytes() != first


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (Changes(suffix="rc1"), "--version-suffix: is 'rc1'"),
        (Changes(suffix="dev1"), "--version-suffix: is 'dev1'"),
        (Changes(suffix="post"), "--version-suffix: is 'post'"),
        (Changes(build="x1"), "--build-number: is 'x1'"),
        (Changes(build="1-2"), "--build-number: is '1-2'"),
        (Changes(require=("numpy<<2",), suffix="post1"), "--require 'numpy<<2': is no requirement"),
        (Changes(require=("a @ https://example.org/a.whl",), suffix="post1"), "is a URL, which PyPI refuses"),
        (Changes(drop=("absent",), suffix="post1"), "is not required; the wheel requires numpy, six"),
        (Changes(fields=(("Requires-Python", "three"),), suffix="post1"), "METADATA: would be wrong:"),
        (Changes(fields=(("Version", "2"),), suffix="post1"), "--set Version: cannot be set: use --version-suffix"),
        (Changes(fields=(("Nonsense", "2"),), suffix="post1"), "METADATA: would be wrong: unrecognized field"),
        (Changes(tag="py3-none"), "--tag: is 'py3-none'"),
        (Changes(tag="py3-none-a b"), "--tag: is 'py3-none-a b'"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(released, changes, expected):
    assert expected in refused(released, changes)


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\x0b", "\x85", "\u2028"])
@pytest.mark.parametrize(
    ("option", "changes"),
    [
        ("--set", lambda end: {"fields": (("Summary", f"a{end}Requires-Dist: evil"),)}),
        ("--set", lambda end: {"fields": ((f"Summary: a{end}Requires-Dist", "evil"),)}),
        ("--require", lambda end: {"require": (f"x; extra == 'a{end}Requires-Dist: evil'",)}),
    ],
    ids=["value", "name", "requirement"],
)
def test_a_field_brings_no_other_one_with_it(released, end, option, changes):
    said = refused(released, Changes(**changes(end), suffix="post1"))
    assert f"- {option} " in said
    assert ": has line ends or other control characters, and a field is one line" in said
    assert f"write it in one line; {option} may be repeated" in said


def test_a_lower_build_number_or_an_older_post_is_refused(tmp_path):
    path = make(tmp_path, files(WHEEL=wheel_text() + b"Build: 3\n"), "demo-1.0-3-py3-none-any.whl")
    assert "would go on to prefer that one" in refused(path, Changes(build="3"))
    later = edited(make(tmp_path, files()), Changes(suffix="post2"), "later")
    assert "which installers take for older" in refused(later, POST)


def test_every_problem_of_every_wheel_is_said_and_nothing_written(tmp_path, released):
    (tmp_path / "other").mkdir()
    broken = tmp_path / "broken-1.0-py3-none-any.whl"
    broken.write_bytes(b"PK")
    with pytest.raises(ConfigError) as error:
        edit.edit([released, released], Changes(drop=("absent",), require=("<",)), tmp_path / "out")
    assert len(error.value.problems) == 3
    with pytest.raises(WriteError, match=r"broken-1\.0-py3-none-any\.whl: cannot be read as a wheel"):
        edit.edit([released, broken], POST, tmp_path / "out")
    with pytest.raises(ConfigError, match="two of these wheels"):
        edit.edit([released, released], POST, tmp_path / "out")
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.parametrize("is_last", [False, True])
def test_where_one_wheel_gets_no_place_all_stays_as_it_was(tmp_path, released, is_last):
    other = make(tmp_path, files(WHEEL=wheel_text() + b"Build: 3\n"), "demo-1.0-3-py3-none-any.whl")
    old = edited(released, POST)
    before = old.read_bytes()
    (old.parent / "demo-1.0.post1-3-py3-none-any.whl").mkdir()
    changes = Changes(require=("attrs",), suffix="post1", forced=True)
    with pytest.raises(WriteError, match="a folder has the wheel's name"):
        edit.edit([released, other] if is_last else [other, released], changes, old.parent)
    assert sorted(path.name for path in old.parent.iterdir()) == ["demo-1.0.post1-3-py3-none-any.whl", old.name]
    assert old.read_bytes() == before


def test_what_was_wrong_before_keeps_nobody_from_editing(tmp_path):
    path = make(tmp_path, files(METADATA=METADATA.replace(b"LICENSE", b"COPYING")))
    (one,) = edit.edit([path], POST, tmp_path / "out")
    assert one.notes[-1] == (
        "was wrong before: demo-1.0.post1.dist-info/METADATA: names the licence file COPYING, which is not in the wheel"
    )
    assert metadata(tmp_path / "out" / str(one.new))["Version"] == ["1.0.post1"]


@pytest.mark.parametrize(
    "listed",
    [
        lambda text: text + b"demo/gone.py,,\n",
        lambda text: text.replace(b"demo/__init__.py", b"demo/__main__.py"),
        lambda text: text.replace(b"sha256=", b"sha256=x"),
        lambda text: text.replace(b",0\n", b",1\n"),
        lambda text: text.replace(b"sha256=", b"md5="),
        lambda text: text + text,
    ],
    ids=["gone", "another", "hash", "size", "md5", "twice"],
)
def test_a_record_that_is_not_true_is_not_made_true_by_an_edit(tmp_path, listed, request, golden):
    said = refused(make(tmp_path, files(), listed=listed(record(files()))), POST)
    golden(f"edit-refused/record-{request.node.callspec.id}.txt", f"{said}\n".replace(str(tmp_path), "<tmp>"))


@pytest.mark.parametrize("name", ["../out.py", "/out.py", "C:/out.py", "a\\b.py", "a\x1bb.py", "a\u202eb.py", "demo"])
def test_a_wheel_with_a_name_that_nobody_should_unpack_is_not_edited(tmp_path, name, request, golden):
    said = refused(make(tmp_path, files({"demo/a.py": b"", name: b""})), POST)
    golden(f"edit-refused/name-{request.node.callspec.indices['name']}.txt", f"{said}\n")


def test_a_link_is_not_passed_on(tmp_path):
    path = make(tmp_path, files())
    with zipfile.ZipFile(path) as archive:
        content = [(info, archive.read(info)) for info in archive.infolist()]
    content[0][0].external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "w") as archive:
        for info, data in content:
            archive.writestr(info, data)
    assert refused(path, POST) == (
        "the wheel cannot be read\n"
        "- demo-1.0-py3-none-any.whl: demo/__init__.py: is a symlink, which installers write as a text file\n"
        "  an edit would vouch for it with a new RECORD: take a sound copy of the wheel, or make the wheel again"
    )


def test_a_platform_alone_keeps_the_other_tags(tmp_path):
    path = make(tmp_path, files(WHEEL=wheel_text(pure=False)))
    new = edited(path, Changes(tag="manylinux_2_28_x86_64"))
    assert new.name == "demo-1.0-py3-none-manylinux_2_28_x86_64.whl"
    assert check.check(new) == ()


@pytest.mark.parametrize(
    ("name", "data", "old", "tag", "is_refused"),
    [
        ("demo/x.cpython-310-x86_64-linux-gnu.so", b"", "cp310-cp310", "cp311-cp311-linux_x86_64", True),
        ("demo/x.cpython-310-x86_64-linux-gnu.so", b"", "cp310-cp310", "py3-none-linux_x86_64", True),
        ("demo/x.cp310-win_amd64.pyd", b"", "cp310-cp310", "cp312-abi3-win_amd64", True),
        ("demo/x.cpython-310-x86_64-linux-gnu.so", b"", "py3-none", "cp310-cp310-linux_x86_64", False),
        ("demo/x.cp310-win_amd64.pyd", b"", "py3-none", "cp310-cp310-linux_x86_64", False),
        ("demo/x.so", b"PyInit_x", "cp310-cp310", "py3-none-linux_x86_64", True),
        ("demo/x.so", b"only data", "cp310-cp310", "py3-none-linux_x86_64", False),
        ("demo/x.abi3.so", b"PyInit_x", "cp310-abi3", "cp39-abi3-linux_x86_64", True),
        ("demo/x.abi3.so", b"PyInit_x", "cp310-abi3", "cp311-abi3-linux_x86_64", False),
        ("demo/x.abi3.so", b"PyInit_x", "cp310-abi3", "cp310-none-linux_x86_64", True),
    ],
)
def test_a_python_tag_may_not_promise_more_than_the_modules_keep(tmp_path, name, data, old, tag, is_refused):
    text = wheel_text(f"{old}-linux_x86_64", pure=False)
    path = make(tmp_path, files({name: data}, WHEEL=text), f"demo-1.0-{old}-linux_x86_64.whl")
    if is_refused:
        assert f"--tag {tag} would not be true" in refused(path, Changes(tag=tag))
    else:
        assert edited(path, Changes(tag=tag)).name == f"demo-1.0-{tag}.whl"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("demo", "is not the name of a wheel"), ("demo-1.0-py3-none-any.whl", "cannot be read as a wheel: No such file")],
)
def test_what_is_no_wheel_is_named(tmp_path, name, expected):
    assert expected in refused(tmp_path / name, POST)


def test_a_wheel_with_none_or_two_dist_info_is_told(tmp_path):
    path = make(tmp_path, {**files(), "other-1.0.dist-info/METADATA": b""})
    assert "has 2 .dist-info folders" in refused(path, POST)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("demo/__init__.py", b"")
    assert "has no .dist-info folder" in refused(path, POST)


def test_who_is_reached_is_what_packaging_says(released):
    (post,) = edit.edit([released], POST, released.parent / "out")
    assert edit.reach(post) == (
        ">=1.0, ~=1.0, ==1.0.* take 1.0.post1",
        "==1.0 does not: only a higher build number reaches it",
    )
    (build,) = edit.edit([released], Changes(build="1"), released.parent / "out")
    assert edit.reach(build)[0].startswith("==1.0, and all else that takes 1.0, takes this file before those with")
    (local,) = edit.edit([released], Changes(suffix="+mine"), released.parent / "out")
    assert edit.reach(local)[0] == ">=1.0, ~=1.0, ==1.0, ==1.0.* take 1.0+mine"
    assert "PyPI takes no local versions" in edit.reach(local)[-1]


def test_the_command_prints_paths_and_says_the_rest_on_stderr(released, capsys):
    out = released.parent / "out"
    assert command.main(["edit", str(released), "--version-suffix", "post1", "-o", str(out)]) == 0
    captured = capsys.readouterr()
    assert captured.out == f"{out / 'demo-1.0.post1-py3-none-any.whl'}\n"
    assert "==1.0 does not" in captured.err
    assert command.main(["edit", str(released), "--build-number", "1", "-o", str(out), "--json", "-q"]) == 0
    captured = capsys.readouterr()
    (row,) = json.loads(captured.out)["wheels"]
    assert (row["version"], row["build"], row["changes"]) == ("1.0", "1", ["build number 1"])
    assert captured.err == ""


def test_a_set_without_a_colon_is_refused(released, capsys):
    assert command.main(["edit", str(released), "--set", "Requires-Python", "--set", ":x"]) == 2
    assert capsys.readouterr().err.count("names no field") == 2


def test_an_interrupt_leaves_nothing(released):
    code = (
        "import os, sys\nfrom pathlib import Path\n"
        "from mamba_press.pipeline import edit\nfrom mamba_press.audit import check\n"
        "def stop(*a, **k): raise KeyboardInterrupt\ncheck.examine = stop\n"
        "edit.edit([Path(sys.argv[1])], edit.Changes(suffix='post1'), Path(sys.argv[2]))"
    )
    out = released.parent / "out"
    done = subprocess.run([sys.executable, "-c", code, str(released), str(out)], check=False, capture_output=True)
    assert done.returncode != 0
    assert not out.exists()


@pytest.mark.parametrize(
    ("old", "tag", "needed", "expected"),
    [
        ("linux_x86_64", "manylinux_2_17_x86_64", ("libffi.so.5", "libc.so.6"), "needs libffi.so.5, which is neither"),
        ("linux_x86_64", "manylinux_2_17_x86_64", ("libc.musl-x86_64.so.1",), "is for musl, the tags for glibc"),
        ("manylinux_2_17_x86_64", "manylinux_2_28_x86_64", ("libffi.so.5",), "needs libffi.so.5, which is neither"),
        ("linux_x86_64", "linux_aarch64", ("libc.so.6",), "is for x86_64, the tags for aarch64"),
        ("manylinux_2_5_aarch64", "manylinux_2_5_aarch64.manylinux_2_17_aarch64", (), "is a tag that no system has"),
    ],
)
def test_new_tags_have_to_be_true_whatever_was_wrong_with_the_old_ones(tmp_path, old, tag, needed, expected):
    content = files({"demo/x.so": elf(*needed)} if needed else {}, WHEEL=wheel_text(f"py3-none-{old}", pure=False))
    assert expected in refused(make(tmp_path, content, f"demo-1.0-py3-none-{old}.whl"), Changes(tag=tag))


def test_a_build_number_of_thousands_of_digits_is_no_wheels_name(tmp_path):
    with pytest.raises(ReadError, match="is not the name of a wheel"):
        edit.plan(tmp_path / f"x-1-{'9' * 5000}-py3-none-any.whl", Changes(build="1"))
