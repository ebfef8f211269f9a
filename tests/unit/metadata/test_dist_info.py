from __future__ import annotations

import configparser
import email
import json
from dataclasses import replace

import pytest
from packaging.tags import parse_tag
from packaging.version import Version

from mamba_press.conda import package_info
from mamba_press.errors import ContentError
from mamba_press.metadata import dist_info
from mamba_press.types import Binary, Entry, Environment, File, Kept, Project, Reason, Tags

VERSION = Version("1.0")


def entry(tmp_path, path, data=b"", *, package="x", **changes):
    installed = changes.pop("installed", f"lib/python3.10/site-packages/{path}")
    source = tmp_path / "prefix" / package / path
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_bytes(data)
    file = File(path=installed, source=source, package=package, size=len(data))
    return replace(Entry.of(Kept(file=file, why=Reason("rule"), **changes), path), source=source)


def environment(tmp_path, files=(), **infos):
    """By package the files of its ``info`` folder and their bytes."""
    folders = {}
    for package, content in infos.items():
        folder = tmp_path / "cache" / package / "info"
        folder.mkdir(parents=True)
        for path, data in content.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        folders[package], _ = package_info.read(folder, package)
    return Environment(prefix=tmp_path, files=tuple(files), packages=(), info=folders)


def project(tmp_path, **table):
    return Project(root=tmp_path / "project", name="My.Name", version=None, table={"name": "My.Name", **table})


def complete(tmp_path, *entries, table=None, env=None, tags="py3-none-any"):
    return dist_info.complete(
        project(tmp_path, **(table or {})),
        VERSION,
        entries,
        tagging=Tags(tags=tags, lowest="any"),
        environment=env or environment(tmp_path),
        generator="mamba-press 1 (zlib)",
    )


def paths(wheel):
    return [each.path for each in wheel.entries]


def points(wheel):
    parser = configparser.ConfigParser(delimiters=("=",))
    parser.optionxform = str
    parser.read_string(dist_info.metadata_files(wheel).get("entry_points.txt", b"").decode())
    return {group: dict(parser.items(group)) for group in parser.sections()}


def licences(wheel):
    found = dist_info.metadata_files(wheel)
    return {path[len("licenses/") :]: data for path, data in found.items() if path.startswith("licenses/")}


def test_payload_is_sorted_and_the_one_dist_info_comes_last(tmp_path):
    wheel = complete(
        tmp_path,
        entry(tmp_path, "zz.py"),
        entry(tmp_path, "x-2.dist-info/METADATA", b"Name: x\n"),
        entry(tmp_path, "x-2.dist-info/RECORD"),
        entry(tmp_path, "y-2-py3.10.egg-info/PKG-INFO"),
        entry(tmp_path, "z-2-py3.10.egg-info"),
        entry(tmp_path, "a/b.py"),
        table={"scripts": {"s": "a:b"}},
        env=environment(tmp_path, x={"licenses/LICENSE": b"l"}),
    )
    assert paths(wheel) == [
        "a/b.py",
        "zz.py",
        "my_name-1.0.dist-info/METADATA",
        "my_name-1.0.dist-info/WHEEL",
        "my_name-1.0.dist-info/entry_points.txt",
        "my_name-1.0.dist-info/licenses/x/LICENSE",
    ]
    assert wheel.file_name == "my_name-1.0-py3-none-any.whl"


def test_dist_info_that_a_package_vendors_below_its_root_stays(tmp_path):
    path = "setuptools/_vendor/wheel-1.dist-info/METADATA"
    assert path in paths(complete(tmp_path, entry(tmp_path, path)))


def test_wheel_file_has_one_line_for_each_tag():
    tags = "cp310-cp310-manylinux2014_x86_64.manylinux_2_17_x86_64"
    text = dist_info.wheel_file(tags, "mamba-press 1 (libdeflate 1.2)", pure=False, build="3").decode()
    message = email.message_from_string(text)
    assert message["Wheel-Version"] == "1.0"
    assert message["Generator"] == "mamba-press 1 (libdeflate 1.2)"
    assert message["Root-Is-Purelib"] == "false"
    assert message["Build"] == "3"
    assert {str(tag) for tag in parse_tag(tags)} == set(message.get_all("Tag"))


@pytest.mark.parametrize(
    ("tags", "binary", "pure"),
    [("py3-none-any", False, "true"), ("py3-none-any", True, "false"), ("py3-none-linux_x86_64", False, "false")],
)
def test_only_a_wheel_for_any_platform_without_binaries_is_pure(tmp_path, tags, binary, pure):
    kept = {"binary": Binary(format="elf", arch="x86_64", kind="shared")} if binary else {}
    wheel = complete(tmp_path, entry(tmp_path, "x.so", **kept), tags=tags)
    assert f"Root-Is-Purelib: {pure}\n".encode() in dist_info.metadata_files(wheel)["WHEEL"]


def test_entry_points_of_all_packages_are_merged_and_the_projects_own_win(tmp_path):
    wheel = complete(
        tmp_path,
        entry(
            tmp_path, "x-1.dist-info/entry_points.txt", b"[console_scripts]\nX = x:main [extra]\nb=x:b\n[g]\nn = x\n"
        ),
        entry(tmp_path, "y-1.egg-info/entry_points.txt", b"[gui_scripts]\ny = y:main\n[g]\nn=x\n", package="y"),
        table={"scripts": {"b": "mine:b"}, "gui-scripts": {"w": "m:w"}, "entry-points": {"g": {"m": "mine"}}},
    )
    assert points(wheel) == {
        "console_scripts": {"X": "x:main [extra]", "b": "mine:b"},
        "gui_scripts": {"w": "m:w", "y": "y:main"},
        "g": {"m": "mine", "n": "x"},
    }


def test_two_packages_that_want_one_name_are_both_named(tmp_path):
    first = entry(tmp_path, "x-1.dist-info/entry_points.txt", b"[console_scripts]\nrun = x:main\n")
    second = entry(tmp_path, "y-1.dist-info/entry_points.txt", b"[console_scripts]\nrun = y:main\n", package="y")
    with pytest.raises(ContentError) as caught:
        complete(tmp_path, first, second)
    assert str(caught.value) == (
        "the packages cannot be pressed\n"
        "- entry point [console_scripts]: 'run' is 'x:main' in x and 'y:main' in y\n"
        "  state which one in the [project] table: [project.scripts]"
    )
    assert points(complete(tmp_path, first, second, table={"scripts": {"run": "y:main"}})) == {
        "console_scripts": {"run": "y:main"}
    }


def test_a_group_of_entry_points_may_be_called_default(tmp_path):
    text = b"[DEFAULT]\nd = x:d\n[g]\nn = x:n\n"
    wheel = complete(tmp_path, entry(tmp_path, "x-1.dist-info/entry_points.txt", text))
    assert dist_info.metadata_files(wheel)["entry_points.txt"] == b"[DEFAULT]\nd = x:d\n\n[g]\nn = x:n\n"


def test_unreadable_entry_points_name_file_and_package(tmp_path):
    with pytest.raises(ContentError, match=r"x-1\.dist-info/entry_points\.txt: is not readable(?s:.*)package x"):
        complete(tmp_path, entry(tmp_path, "x-1.dist-info/entry_points.txt", b"no group = x\n"))


def test_scripts_of_link_json_count_where_the_dist_info_lacks_them(tmp_path):
    listed = {"noarch": {"type": "python", "entry_points": ["pip = other:main", "pip3 = pip:main"]}}
    env = environment(tmp_path, x={"link.json": json.dumps(listed).encode()}, y={"link.json": b"{}"})
    text = b"[console_scripts]\npip = pip:main\n"
    own = entry(tmp_path, "x-1.dist-info/entry_points.txt", text)
    wheel = complete(tmp_path, own, entry(tmp_path, "y.py", package="y"), env=env)
    assert points(wheel) == {"console_scripts": {"pip": "pip:main", "pip3": "pip:main"}}


def test_script_that_installers_make_from_an_entry_point_leaves(tmp_path):
    table = {"scripts": {"run": "x:main"}}
    script = entry(tmp_path, "my_name-1.0.data/scripts/run", b"#!python\n", installed="bin/run")
    other = entry(tmp_path, "my_name-1.0.data/scripts/other", b"#!python\n", installed="bin/other")
    assert paths(complete(tmp_path, script, other, table=table))[:1] == ["my_name-1.0.data/scripts/other"]


def test_script_that_is_a_link_has_the_name_of_the_link(tmp_path):
    script = entry(tmp_path, "x/_prefix/bin/run", b"#!/usr/bin/python\n", installed="bin/run")
    linked = replace(script, origin=replace(script.origin, link="bin/run3"))
    table = {"scripts": {"run": "x:main"}}
    assert not any("bin/run" in path for path in paths(complete(tmp_path, linked, table=table)))


def test_script_that_is_no_python_and_an_entry_point_of_its_name_are_an_error(tmp_path):
    script = entry(tmp_path, "my_name-1.0.data/scripts/run", b"#!/bin/sh\n", installed="bin/run")
    with pytest.raises(ContentError, match="'run' is also an entry point"):
        complete(tmp_path, script, table={"scripts": {"run": "x:main"}})


def test_program_of_the_prefix_may_share_its_name_with_an_entry_point(tmp_path):
    program = entry(tmp_path, "x/_prefix/bin/run", b"#!/bin/sh\n", installed="bin/run")
    assert "x/_prefix/bin/run" in paths(complete(tmp_path, program, table={"scripts": {"run": "x:main"}}))


def test_licences_of_every_package_with_an_entry_are_packed_and_listed(tmp_path):
    env = environment(
        tmp_path,
        x={"licenses/LICENSE": b"x", "licenses/doc/notice.rst": b"x2"},
        y={"LICENSE.txt": b"y", "COPYING": b"y2", "index.json": b"{}"},
        gone={"licenses/LICENSE": b"gone"},
    )
    wheel = complete(tmp_path, entry(tmp_path, "x.py"), entry(tmp_path, "y.py", package="y"), env=env)
    assert licences(wheel) == {
        "x/LICENSE": b"x",
        "x/doc/notice.rst": b"x2",
        "y/COPYING": b"y2",
        "y/LICENSE.txt": b"y",
    }
    written = email.message_from_bytes(dist_info.metadata_files(wheel)["METADATA"])
    assert written.get_all("License-File") == list(licences(wheel))


def test_licences_in_the_prefix_stand_in_for_missing_ones_of_the_archive(tmp_path):
    runtime = entry(tmp_path, "x/_prefix/lib/libgcc_s.so.1", package="libgcc", installed="lib/libgcc_s.so.1")
    text = tmp_path / "exception"
    text.write_bytes(b"gcc")
    file = File(path="share/licenses/gcc/EXCEPTION", source=text, package="libgcc", size=3)
    wheel = complete(tmp_path, runtime, env=environment(tmp_path, [file], libgcc={}))
    assert licences(wheel) == {"libgcc/gcc/EXCEPTION": b"gcc"}


def test_projects_own_licence_comes_first_and_keeps_its_path(tmp_path):
    (tmp_path / "project" / "x").mkdir(parents=True)
    (tmp_path / "project" / "LICENSE").write_bytes(b"mine")
    (tmp_path / "project" / "x" / "LICENSE").write_bytes(b"mine too")
    env = environment(tmp_path, x={"licenses/LICENSE": b"theirs"})
    wheel = complete(tmp_path, entry(tmp_path, "x.py"), env=env, table={"license-files": ["**/LICENSE"]})
    assert licences(wheel) == {"LICENSE": b"mine", "x/LICENSE": b"mine too", "x/LICENSE-2": b"theirs"}


def test_dist_infos_own_licence_is_kept_unless_it_is_already_packed(tmp_path):
    env = environment(tmp_path, x={"licenses/LICENSE": b"same"})
    wheel = complete(
        tmp_path,
        entry(tmp_path, "x-1.dist-info/LICENSE", b"same"),
        entry(tmp_path, "x-1.dist-info/licenses/LICENSE", b"other"),
        entry(tmp_path, "x-1.dist-info/licenses/vendored/COPYING.txt", b"third"),
        entry(tmp_path, "x-1.dist-info/METADATA", b"Name: x\n"),
        env=env,
    )
    assert licences(wheel) == {"x/LICENSE": b"same", "x/LICENSE-2": b"other", "x/vendored/COPYING.txt": b"third"}


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("LIC:ENSE*.txt", "LIC_ENSE_.txt"),
        ("a\\b", "a_b"),
        ("aux.txt", "_aux.txt"),
        ("LICENSE.", "LICENSE"),
        ("new\nline", "new_line"),
        ("Größe", "Größe"),
    ],
)
def test_licence_names_are_such_that_every_system_can_hold_them(tmp_path, name, safe):
    env = environment(tmp_path, x={f"licenses/{name}": b"l"})
    assert list(licences(complete(tmp_path, entry(tmp_path, "x.py"), env=env))) == [f"x/{safe}"]


def test_licences_whose_names_differ_in_case_only_are_told_apart(tmp_path):
    env = environment(tmp_path, x={"licenses/LICENSE.txt": b"A", "licenses/license.txt": b"a"})
    found = licences(complete(tmp_path, entry(tmp_path, "x.py"), env=env))
    assert found == {"x/LICENSE.txt": b"A", "x/license-2.txt": b"a"}


def test_metadata_files_are_the_bytes_of_the_wheel_without_payload(tmp_path):
    wheel = complete(tmp_path, entry(tmp_path, "x.py"), env=environment(tmp_path, x={"licenses/L": b"l"}))
    assert list(dist_info.metadata_files(wheel)) == ["METADATA", "WHEEL", "licenses/x/L"]


def test_stem_is_normalised():
    assert dist_info.stem("My.Name", VERSION) == "my_name-1.0"


def test_wheel_of_generated_files_alone_has_no_licences(tmp_path):
    assert licences(complete(tmp_path, Entry(path="own.py", source=b""))) == {}
