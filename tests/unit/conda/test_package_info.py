"""What a package says of itself is read from plain files only, bounded, and of the types that are promised."""

from __future__ import annotations

import json
import os
import sys

import pytest

from mamba_press.conda import package_info
from mamba_press.errors import ContentError
from mamba_press.types import Info

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows lets few users make links")


@pytest.fixture
def folder(tmp_path):
    """The ``info`` folder of a package, and beside the package a file that is not of it."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "id_rsa").write_text("secret")
    (tmp_path / "home" / "about.json").write_text('{"summary": "secret"}')
    info = tmp_path / "evil-1.0-0" / "info"
    info.mkdir(parents=True)
    return info


def refusal(folder) -> str:
    with pytest.raises(ContentError) as caught:
        package_info.read(folder, "evil 1.0 0")
    return str(caught.value).replace(str(folder.parents[1]), "PLACE")


def refused(what: str) -> str:
    return (
        "the packages cannot be pressed\n"
        f"- evil 1.0 0: {what}\n"
        "  mamba-press reads only plain files of a package: links may lead to files of this machine\n"
        "  tell the makers of the package, or take another build of it with tool.mamba-press.constraints"
    )


DOORS = {
    "info/licenses/LICENSE": "home/id_rsa",
    "info/licenses": "home",
    "info/licenses/deep": "home",
    "info/LICENSE.txt": "home/id_rsa",
    "info/about.json": "home/about.json",
    "info/link.json": "home/about.json",
    "info/recipe": "home",
    "info/recipe/meta.yaml": "home/id_rsa",
    "info/recipe/rendered_recipe.yaml": "home/id_rsa",
}


@posix
@pytest.mark.parametrize("door", DOORS)
def test_nothing_is_read_through_a_link(folder, door):
    path = folder.parent / door
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(folder.parents[1] / DOORS[door])
    wanted = "folder" if door in {"info/licenses", "info/recipe"} else "file"
    assert refusal(folder) == refused(f"{door}: is a symlink to 'PLACE/{DOORS[door]}', where a {wanted} was expected")


@posix
def test_nothing_is_read_where_info_itself_is_a_link(folder):
    folder.rmdir()
    folder.symlink_to(folder.parents[1] / "home")
    assert refusal(folder) == refused("info: is a symlink to 'PLACE/home', where a folder was expected")


@posix
def test_a_link_within_the_package_is_refused_too(folder):
    (folder / "licenses").mkdir()
    (folder / "licenses" / "A").write_text("a")
    (folder / "licenses" / "B").symlink_to("A")
    assert refusal(folder) == refused("info/licenses/B: is a symlink to 'A', where a file was expected")


@posix
def test_a_pipe_is_refused_and_not_waited_for(folder):
    (folder / "licenses").mkdir()
    os.mkfifo(folder / "licenses" / "LICENSE")
    assert refusal(folder) == refused("info/licenses/LICENSE: is a pipe, where a file was expected")


@posix
def test_all_links_of_a_package_are_told_at_once(folder, golden):
    (folder / "about.json").symlink_to("../../home/about.json")
    (folder / "licenses").mkdir()
    (folder / "licenses" / "LICENSE").symlink_to("/etc/passwd")
    golden("package-info-links.txt", refusal(folder) + "\n")


def too_long(number: str) -> str:
    """Return what this Python says of a number of so many digits."""
    with pytest.raises(ValueError, match="digits") as caught:
        int(number)
    return str(caught.value)


BROKEN = {
    "broken": (
        "{broken",
        "cannot be read, and is not used: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
    ),
    "deep": ("[" * 100_000, "cannot be read, and is not used: it is nested too deeply"),
    "deep object": (
        '{"a":' * 100_000 + "1" + "}" * 100_000,
        "cannot be read, and is not used: it is nested too deeply",
    ),
    "long number": ('{"a": ' + "9" * 100_000 + "}", f"cannot be read, and is not used: {too_long('9' * 100_000)}"),
    "no number": ('{"a": NaN}', "cannot be read, and is not used: NaN is not a number of JSON"),
    "list": ("[1]", "is a list where an object was expected, and is not used"),
    "null": ("null", "is null where an object was expected, and is not used"),
    "text": ('"x"', "is a text where an object was expected, and is not used"),
    "empty": ("", "cannot be read, and is not used: Expecting value: line 1 column 1 (char 0)"),
    "large": ('"' + "x" * package_info.MOST + '"', "has more than 8 MB, and is not used"),
}


@pytest.mark.parametrize("name", ["about.json", "link.json"])
@pytest.mark.parametrize("kind", BROKEN)
def test_json_that_cannot_be_used_is_noted(folder, name, kind):
    text, words = BROKEN[kind]
    (folder / name).write_text(text)
    info, notes = package_info.read(folder, "evil 1.0 0")
    assert info == Info()
    assert notes == (f"evil 1.0 0: info/{name} {words}",)


def test_bytes_that_are_no_utf_8_are_replaced(folder):
    (folder / "about.json").write_bytes(b'{"summary": "caf\xe9"}')
    assert package_info.read(folder, "x")[0].about == {"summary": "caf\ufffd"}


def test_half_a_character_is_replaced(folder):
    (folder / "about.json").write_text('{"summary": "a\\ud800b", "home": ["\\udc00"]}')
    assert package_info.read(folder, "x")[0].about == {"summary": "a?b", "home": ("?",)}


@pytest.mark.parametrize(("value", "kind"), [(3, "a number"), (True, "true or false"), ({}, "an object")])
@pytest.mark.parametrize("key", ["license", "summary", "description", "home", "dev_url", "doc_url", "source_url"])
def test_a_value_of_another_type_is_noted_and_not_used(folder, key, value, kind):
    (folder / "about.json").write_text(json.dumps({key: value}))
    info, notes = package_info.read(folder, "x 1 0")
    assert info.about == {}
    assert notes == (f"x 1 0: info/about.json: {key} is {kind} where a text was expected, and is not used",)


def test_empty_values_are_nothing_to_speak_of(folder):
    (folder / "about.json").write_text('{"home": null, "summary": "", "extra": {"recipe-maintainers": [1]}}')
    assert package_info.read(folder, "x") == (Info(about={"summary": ""}), ())


@pytest.mark.parametrize("listed", ["3", '"a = b:c"', '[["a = b:c"]]', "{}"])
def test_entry_points_that_are_no_list_of_texts_are_noted(folder, listed):
    (folder / "link.json").write_text(f'{{"noarch": {{"type": "python", "entry_points": {listed}}}}}')
    info, notes = package_info.read(folder, "x 1 0")
    assert info.scripts == ()
    assert notes == ("x 1 0: info/link.json: noarch.entry_points is not a list of texts, and is not used",)


def test_licences_have_a_bound(folder, monkeypatch):
    monkeypatch.setattr(package_info, "MOST_LICENCES", 1 << 20)
    (folder / "licenses").mkdir()
    for name in "ab":
        (folder / "licenses" / name).write_bytes(b"x" * (600 << 10))
    assert refusal(folder) == refused("info/licenses/b: with it the licences have more than 1 MiB")


def test_a_licence_that_goes_while_it_is_read_is_refused(folder):
    (folder / "licenses").mkdir()
    for name in "AB":
        (folder / "licenses" / name).write_text("MIT")
    found = package_info._licences(folder)
    assert next(found) == ("A", b"MIT")
    (folder / "licenses" / "B").unlink()
    with pytest.raises(package_info._RefusedError) as raised:
        next(found)
    assert (raised.value.path, raised.value.what) == ("licenses/B", "is not there any more")


def test_licence_files_have_a_bound(folder, monkeypatch):
    monkeypatch.setattr(package_info, "MOST_LICENCE_FILES", 3)
    (folder / "licenses").mkdir()
    for name in "abcd":
        (folder / "licenses" / name).touch()
    assert refusal(folder) == refused("info/licenses: has more than 3 files, or 64 folders deep")


def test_a_package_without_info_says_nothing(folder):
    folder.rmdir()
    assert package_info.read(folder, "x") == (Info(), ())


def test_all_that_is_read_comes_back(folder):
    (folder / "licenses" / "deep").mkdir(parents=True)
    (folder / "recipe").mkdir()
    (folder / "about.json").write_text('{"license": "MIT", "home": ["https://a.example"], "tags": [1]}')
    (folder / "link.json").write_text('{"noarch": {"type": "python", "entry_points": ["a = b:c"]}}')
    (folder / "licenses" / "deep" / "LICENSE").write_bytes(b"\xff")
    (folder / "recipe" / "meta.yaml").write_text("package: {}\n")
    assert package_info.read(folder, "x") == (
        Info(
            about={"license": "MIT", "home": ("https://a.example",)},
            scripts=("a = b:c",),
            licences=(("deep/LICENSE", b"\xff"),),
            recipe="package: {}\n",
        ),
        (),
    )


@posix
def test_the_original_of_a_file_is_not_looked_for_through_a_link(folder):
    (folder.parent / "lib").symlink_to(folder.parents[1] / "home")
    with pytest.raises(ContentError, match=r"evil-1.0-0: lib: is a symlink to '.*', where a folder was expected"):
        package_info.plain(folder.parent, "lib/id_rsa")


def test_a_licence_that_takes_for_ever_to_read_is_noted_and_not_used(folder):
    (folder / "about.json").write_text(json.dumps({"license": " AND ".join(["MIT"] * 20_000), "summary": "s"}))
    info, notes = package_info.read(folder, "x 1 0")
    assert info.about == {"summary": "s"}
    assert notes == ("x 1 0: info/about.json: license has 159,995 characters, and is not used",)
