"""The command from end to end: what press, list and check print, with and without a project."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support import press
from tests.support.channel import CondaPackage, python_abi, python_package, write_channel

pytestmark = pytest.mark.skipif(not press.MACHINE, reason="what is pressed here is for Linux on x86_64")

ALL = ("pygreet", "words", "--name", "pygreet")


@pytest.fixture
def call(greeting, tmp_path):
    """Run the command in an empty folder, with the channel of greetings where it solves."""

    def run(name: str, *arguments: str | Path, **environ: str) -> press.Done:
        channel = [] if name == "check" or isinstance(arguments[0], Path) else ["-c", greeting.root]
        return press.command(name, *arguments, *channel, cwd=tmp_path, environ=environ)

    return run


@pytest.fixture(scope="module")
def wheel(greeting, tmp_path_factory) -> Path:
    """A wheel of a library, an extension module and a noarch package."""
    folder = tmp_path_factory.mktemp("wheel")
    environ = {"RATTLER_CACHE_DIR": str(folder / "cache")}
    done = press.command("press", *ALL, "-c", greeting.root, "-o", folder, cwd=folder, environ=environ)
    return Path(done.ok().out.strip())


def steady(text: str, places: dict[str, Path | str]) -> str:
    """A listing without what depends on the compiler: sizes, hashes in names, symbols of glibc."""
    text = press.normalised(text, places)
    text = re.sub(r"-[0-9a-f]{8}\.so", "-<hash>.so", text)
    text = re.sub(r"^ +[\d,]+  ", "     <size>  ", text, flags=re.MULTILINE)
    text = re.sub(r", [\d,]+ bytes", ", <size> bytes", text)
    text = re.sub(r'"size": \d+', '"size": 0', text)
    return re.sub(r"^  2\.\d+: GLIBC_2[\d.]+ of .*\n", "", text, flags=re.MULTILINE)


# --- explain


def test_what_would_be_pressed_is_explained_on_one_screen(call, golden, tmp_path):
    text = call("explain", *ALL).ok().out
    assert len(text.splitlines()) < 45
    golden("explain.txt", steady_screen(text, tmp_path))
    assert list(tmp_path.glob("**/*.whl")) == []


def test_a_finished_wheel_is_explained_by_reading_it_again(call, wheel, golden, tmp_path):
    golden("explain-wheel.txt", steady_screen(call("explain", wheel).ok().out, tmp_path))


def test_the_two_agree_on_all_that_both_can_know(call, wheel):
    planned = json.loads(call("explain", *ALL, "--json").ok().out)
    found = json.loads(call("explain", wheel, "--json").ok().out)
    for key in ("wheel", "tags", "lowest", "unpacked", "maker"):
        assert found[key] == planned[key], key
    keys = ("path", "size", "sha256", "package", "original", "binary", "needed_by", "opened_by", "demand")
    assert [{key: one[key] for key in keys} for one in found["files"]] == [
        {key: one[key] for key in keys} for one in planned["files"]
    ]
    for each in ("files", "packages"):
        assert [row(one) for one in found[each]] == [row(one) for one in planned[each]]
    assert planned["left"]
    assert found["left"] is None


def row(one: dict) -> tuple:
    """What both know of a package, or of where a file finds what it needs."""
    if "version" in one:
        return one["name"], one["version"], one["build"], one["license"], one["size"]
    return one["path"], [(need["where"], need["path"]) for need in one["needs"]]


def test_a_pattern_narrows_and_tells_all(call, tmp_path):
    text = call("explain", *ALL, "--match", "*greet*.so*").ok().out
    assert re.search(r"^  needs +", text, re.MULTILINE), text
    assert call("explain", *ALL, "--match", "nothing").code == 2


def steady_screen(text: str, tmp_path: Path) -> str:
    text = re.sub(r"-[0-9a-f]{8}\.so", "-<hash>.so", press.normalised(text, {"tmp": tmp_path}))
    text = re.sub(r"GLIBC_[\d.]+ of \S+?,", "<symbol>,", text)
    return re.sub(r" *\b[\d.]+ (kB|MB)", " <size>", text)


# --- list


def test_a_listing_says_what_why_what_left_and_what_sets_the_tag(call, golden, tmp_path):
    done = call("list", *ALL).ok()
    golden("list.txt", steady(done.out, {"tmp": tmp_path}))
    assert list(tmp_path.glob("**/*.whl")) == []


def test_a_listing_as_json_holds_all_of_it(call, greeting, golden, tmp_path):
    found = json.loads(call("list", *ALL, "--json").ok().out)
    assert all(len(entry["sha256"]) == 64 and entry["size"] >= 0 for entry in found["entries"] if entry["sha256"])
    found["floors"] = [floor for floor in found["floors"] if "__glibc" in floor["symbol"]]
    places = {"channel": greeting.root.as_uri(), "tmp": tmp_path}
    golden("list.json", steady(json.dumps(found, indent=1), places) + "\n")


def test_a_listing_lists_what_is_then_in_the_wheel(call, wheel):
    listed = json.loads(call("list", *ALL, "--json").ok().out)
    with zipfile.ZipFile(wheel) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    assert {entry["path"]: entry["size"] for entry in listed["entries"]} == sizes
    assert listed["wheel"] == wheel.name


def test_a_listing_of_a_project_is_that_of_its_wheel(call, greeting, tmp_path):
    project = press.project(tmp_path / "p", f'channels = ["{greeting.root}"]\npackages = ["words"]', name="named")
    done = press.command("list", project, cwd=tmp_path).ok()
    assert done.out.splitlines()[0] == "named-1.0-py3-none-any.whl"


def test_notes_stand_at_the_end_of_what_is_said(tmp_path):
    files = {"include/header.h": "// nothing\n", "share/header.txt": "nothing\n"}
    header = CondaPackage(name="header", files=files, license_files={})
    channel = write_channel(tmp_path / "channel", [header, python_package(press.HERE), python_abi(press.HERE)])
    done = press.command("press", "header", "-c", channel.root, cwd=tmp_path).ok()
    _, written, notes = done.err.partition("mamba-press: writing header-1.0-py3-none-any.whl\n")
    assert written
    assert "packages without a licence file: header" in notes


def test_a_listing_says_why_there_is_nothing_to_list(tmp_path, golden):
    header = CondaPackage(name="header", files={"include/header.h": "// nothing\n"})
    channel = write_channel(tmp_path / "channel", [header, python_package(press.HERE), python_abi(press.HERE)])
    done = press.command("list", "header", "-c", channel.root, "-q", cwd=tmp_path)
    assert (done.code, done.out) == (5, "")
    golden("list-empty.txt", done.err)


def test_a_reader_who_has_seen_enough_ends_nothing_badly(greeting, tmp_path):
    line = f'"{sys.executable}" -m mamba_press list words -c "{greeting.root}"; echo "exit code $?" >&2'
    done = press.run("sh", "-c", f"({line}) | head -n 1", cwd=tmp_path).ok()
    assert done.out == "words-1.0-py3-none-any.whl\n"
    assert "exit code 0" in done.err
    assert "Traceback" not in done.err
    assert "Broken pipe" not in done.err


def test_a_listener_who_goes_away_does_not_stop_the_build(greeting, tmp_path):
    call = [sys.executable, "-m", "mamba_press", "press", "words", "-c", str(greeting.root), "-o", str(tmp_path)]
    process = subprocess.Popen(
        call, cwd=tmp_path, env=press.settings(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr
    assert process.stdout
    process.stderr.close()
    assert process.stdout.read().strip() == str(tmp_path / "words-1.0-py3-none-any.whl")
    process.stdout.close()
    assert process.wait() == 0


# --- press


def test_press_prints_the_path_of_the_wheel_and_nothing_else(call, tmp_path):
    done = call("press", "words", "-o", "out").ok()
    assert done.out == "out/words-1.0-py3-none-any.whl\n"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["words-1.0-py3-none-any.whl"]
    assert call("press", "words", "-o", "out", "--quiet").ok().err == ""


def test_press_as_json_says_what_a_script_needs(call, golden, tmp_path):
    done = call("press", "words", "--json", "-o", tmp_path / "out").ok()
    golden("press.json", press.normalised(done.out, {"tmp": tmp_path}))


def test_several_specs_make_one_wheel_of_the_given_name_in_the_version_of_the_first(call, tmp_path):
    done = call("press", "words", "pygreet >=2", "greet", "--name", "words", "-o", "out").ok()
    assert Path(done.out.strip()).name.startswith("words-1.0-cp")
    with zipfile.ZipFile(tmp_path / done.out.strip()) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert {"words", "pygreet", "words-1.0.dist-info"} <= tops


def test_a_name_of_its_own_is_the_wheel_s(call):
    done = call("press", "words", "--name", "Nice.Words", "-o", "out").ok()
    assert done.out == "out/nice_words-1.0-py3-none-any.whl\n"


def test_a_folder_with_a_project_is_pressed_as_that_project(greeting, tmp_path):
    project = press.project(
        tmp_path / "folder", f'channels = ["{greeting.root}"]\npackages = ["words"]', name="own", dynamic=False
    )
    for argument in (".", project):
        done = press.command("press", argument, "-o", tmp_path / "out", cwd=project).ok()
        assert Path(done.out.strip()).name == "own-7.1-py3-none-any.whl"


def test_relative_channels_of_a_call_start_at_the_current_folder_and_of_a_project_at_the_project(tmp_path):
    packages = [press.words(), python_package(press.HERE), python_abi(press.HERE)]
    write_channel(tmp_path / "here" / "channel", packages)
    write_channel(tmp_path / "project" / "channel", [press.words("2.0"), *packages[1:]])
    press.project(tmp_path / "project", 'channels = ["./channel"]\npackages = ["words"]', name="words")
    here = tmp_path / "here"
    named = press.command("press", "words", "-c", "./channel", "-o", "out", cwd=here).ok()
    assert "words-1.0" in named.out
    project = press.command("press", "../project", "-o", "out", cwd=here).ok()
    assert "words-2.0" in project.out
    given = press.command("press", "../project", "-c", "./channel", "-o", "given", cwd=here).ok()
    assert "words-1.0" in given.out


def test_the_command_and_the_hook_give_the_same_bytes(greeting, tmp_path):
    project = press.project(tmp_path / "p", f'channels = ["{greeting.root}"]\npackages = ["pygreet", "words"]')
    by_command = Path(press.command("press", project, "-o", tmp_path / "one", cwd=tmp_path).ok().out.strip())
    by_hook = tmp_path / "two" / str(press.returned(press.hook("build_wheel", tmp_path / "two", cwd=project)))
    assert by_command.read_bytes() == by_hook.read_bytes()


def test_another_platform_and_python_are_pressed_for_from_here(tmp_path):
    packages = [
        python_package("3.12", subdir="linux-aarch64"),
        python_abi("3.12"),
        CondaPackage(
            name="bound",
            subdir="linux-aarch64",
            depends=("python 3.12.*", "python_abi 3.12.* *_cp312"),
            files={"lib/python3.12/site-packages/bound.py": ""},
        ),
    ]
    channel = write_channel(tmp_path / "channel", packages)
    options = ["--python", "3.12", "--platform", "linux-aarch64"]
    done = press.command("press", "bound", "-c", channel.root, *options, "-o", "out", cwd=tmp_path).ok()
    assert Path(done.out.strip()).name.startswith("bound-1.0-cp312-")


# --- check


def test_a_sound_wheel_has_nothing_wrong(call, wheel):
    assert call("check", wheel).ok().out == f"{wheel}: nothing wrong\n"
    (found,) = json.loads(call("check", wheel, "--json").ok().out).values()
    assert (found["problems"], found["notes"], found["size"]) == ([], [], wheel.stat().st_size)


def test_a_sound_wheel_is_copied_as_cibuildwheels_repair_command_has_to(call, wheel, tmp_path):
    call("check", wheel, "--copy-to", tmp_path / "repaired" / "here").ok()
    copied = tmp_path / "repaired" / "here" / wheel.name
    assert copied.read_bytes() == wheel.read_bytes()
    call("check", copied, "--copy-to", copied.parent).ok()
    assert [path.name for path in copied.parent.iterdir()] == [wheel.name]


def test_a_wheel_with_a_problem_is_not_copied(call, wheel, tmp_path):
    bad = changed(wheel, tmp_path / "bad", lose_the_library)
    assert call("check", bad, "--copy-to", tmp_path / "repaired").code == 6
    assert not (tmp_path / "repaired").exists()


def test_a_library_that_another_wheel_brings_can_be_told(call, wheel, tmp_path):
    bad = changed(wheel, tmp_path / "bad", lose_the_library)
    assert "libgreet" in call("check", bad).out
    assert "libgreet" not in call("check", bad, "--elsewhere", "libgreet*").out


def test_a_sound_wheel_can_be_installed_and_imported(call, wheel):
    assert call("check", "--import", wheel).ok().out == f"{wheel}: nothing wrong\n"


def changed(wheel: Path, folder: Path, change) -> Path:
    """A copy of a wheel with other files: ``change`` gets the contents by path, RECORD is made anew."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        contents = {info.filename: archive.read(info) for info in archive.infolist()}
    change(contents)
    record = next(path for path in contents if path.endswith(".dist-info/RECORD"))
    lines = []
    for path, data in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        lines.append(f"{path},,\n" if path == record else f"{path},sha256={digest},{len(data)}\n")
    contents[record] = "".join(lines).encode()
    with zipfile.ZipFile(folder / wheel.name, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in contents.items():
            archive.writestr(zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0)), data)
    return folder / wheel.name


def lose_the_library(contents: dict[str, bytes]) -> None:
    del contents[next(path for path in contents if "libgreet" in path)]


def break_the_import(contents: dict[str, bytes]) -> None:
    contents["words/__init__.py"] = b"raise RuntimeError('no words')\n"


def test_a_wheel_without_a_library_that_it_needs_is_told(call, wheel, tmp_path, golden):
    bad = changed(wheel, tmp_path / "bad", lose_the_library)
    done = call("check", bad)
    assert done.code == 6
    golden("check-missing-library.txt", steady(done.out, {"tmp": tmp_path}))


def test_a_wheel_that_does_not_import_is_told(call, wheel, tmp_path, golden):
    bad = changed(wheel, tmp_path / "bad", break_the_import)
    assert call("check", bad).code == 0
    done = call("check", "--import", bad)
    assert done.code == 6
    golden("check-import.txt", steady(done.out, {"tmp": tmp_path}))


def test_a_damaged_wheel_is_told_and_so_is_a_file_that_is_none(call, wheel, tmp_path, golden):
    cut = tmp_path / "cut" / wheel.name
    cut.parent.mkdir()
    cut.write_bytes(wheel.read_bytes()[:-100])
    flipped = tmp_path / "flipped" / wheel.name
    flipped.parent.mkdir()
    shutil.copy(wheel, flipped)
    with zipfile.ZipFile(wheel) as archive:
        start = archive.getinfo("words/__init__.py").header_offset + 40 + len("words/__init__.py")
    data = bytearray(flipped.read_bytes())
    data[start] ^= 0xFF
    flipped.write_bytes(data)
    tmp_path.joinpath("notes.txt").write_text("no wheel")
    done = call("check", cut, flipped, "notes.txt", "nowhere-1.0-py3-none-any.whl", wheel)
    assert done.code == 6
    assert done.out.splitlines()[-1] == f"{wheel}: nothing wrong"
    golden("check-damaged.txt", steady(done.out.replace(str(wheel), "<wheel>"), {"tmp": tmp_path}))
    found = json.loads(call("check", cut, wheel, "--json").out)
    assert found[str(wheel)]["problems"] == []
    assert {key for problem in found[str(cut)]["problems"] for key in problem} == {
        "where",
        "what",
        "hint",
        "severity",
    }


def test_check_with_an_interpreter_that_is_not_there_says_so(call, wheel, tmp_path, golden):
    done = call("check", "--import", "--python", "python9.99", wheel)
    assert done.code == 2
    golden("check-no-python.txt", steady(done.err, {"tmp": tmp_path}))


# --- the size of a wheel


def test_a_wheel_that_is_too_large_is_not_written_and_its_error_says_what_weighs_most(call, tmp_path):
    done = call("press", *ALL, "-C", "wheel.max-size=1 kB", "-q")
    assert done.code == 5
    assert re.search(r"\.whl: weighs [\d.]+ kB, [\d.]+ kB more than -C wheel\.max-size = '1 kB' allows", done.err)
    assert re.search(r"kB: greet, needed by pygreet; most of it \S+/libgreet", done.err)
    assert re.search(r"saves about [\d.]+ kB: the linker's symbols: link\.strip = true", done.err)
    assert list(tmp_path.glob("**/*.whl")) == []
    assert call("press", *ALL, "-C", "wheel.max-size=1 MB", "-q").ok()
