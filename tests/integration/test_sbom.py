"""The licences and the bill of materials of whole wheels, held to other people's validators and to RECORD."""

from __future__ import annotations

import base64
import csv
import email
import io
import json
import shutil
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from tests.support import press
from tests.support.channel import CondaPackage, python_abi, python_package, write_channel

pytestmark = pytest.mark.skipif(not press.MACHINE, reason="what is pressed here is for Linux on x86_64")

PYTHON = (python_package(press.HERE), python_abi(press.HERE))


@dataclass(frozen=True)
class Finished:
    """What a finished wheel says about itself."""

    metadata: email.message.Message
    bill: dict[str, object]
    text: str
    record: dict[str, str]


def finished(path: Path) -> Finished:
    with zipfile.ZipFile(path) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/sboms/mamba-press.cdx.json"))
        base = name.split("/")[0]
        text = archive.read(name).decode()
        rows = csv.reader(io.StringIO(archive.read(f"{base}/RECORD").decode()))
        metadata = email.message_from_bytes(archive.read(f"{base}/METADATA"))
    return Finished(metadata, json.loads(text), text, {row[0]: row[1] for row in rows})


def hold(wheel: Path) -> Finished:
    """Hold a wheel's bill to the strict validator, to its own RECORD, and to itself."""
    found = finished(wheel)
    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(found.text)
    assert problem is None, problem
    read = Bom.from_json(found.bill)
    assert {str(component.purl) for component in read.components} == {
        str(PackageURL.from_string(component["purl"])) for component in found.bill["components"]
    }
    files = [file for component in found.bill["components"] for file in component["components"]]
    for file in files:
        (digest,) = (each["content"] for each in file["hashes"])
        urlsafe = base64.urlsafe_b64encode(bytes.fromhex(digest)).rstrip(b"=").decode()
        assert found.record[file["name"]] == f"sha256={urlsafe}"
    named = {file["name"] for file in files}
    ours = (".dist-info/", "/_mamba_press.py", "_prefix/__init__.py")
    assert [path for path in found.record if path not in named and not any(each in path for each in ours)] == []
    references = {each["ref"]: each["dependsOn"] for each in found.bill["dependencies"]}
    known = {component["bom-ref"] for component in found.bill["components"]} | {file["bom-ref"] for file in files}
    root = found.bill["metadata"]["component"]["bom-ref"]
    assert references.keys() | {other for each in references.values() for other in each} <= known | {root}
    reached, todo = set(), [root]
    while todo:
        one = todo.pop()
        if one not in reached:
            reached.add(one)
            todo += references.get(one, ())
    assert {component["bom-ref"] for component in found.bill["components"]} <= reached
    return found


def licensed(*, record: str | None = "MIT", about: dict[str, object] | None = None, depends=(), name="data"):
    """A package with one file and a licence."""
    info = {} if about is None else {"about.json": json.dumps(about)}
    package = CondaPackage(name=name, files={f"share/{name}.txt": "x\n"}, depends=depends, info=info)
    return replace(package, record={"license": record})


@pytest.fixture
def pressed(tmp_path):
    """Press packages with a project, or without one where its ``[project]`` lines are None."""

    def run(packages, table=None, **environ) -> press.Done:
        channel = write_channel(tmp_path / "channel", [*packages, *PYTHON])
        if table is None:
            return press.command("press", "data", "-c", channel.root, cwd=tmp_path, environ=environ)
        root = press.project(tmp_path / "project", f'channels = ["{channel.root}"]\npackages = ["data"]', name="data")
        text = root.joinpath("pyproject.toml").read_text()
        text = text.replace('dynamic = ["version"]\n', table)
        root.joinpath("pyproject.toml").write_text(text)
        return press.command("press", root, cwd=tmp_path, environ=environ)

    return run


def test_a_compiled_wheel_has_a_bill_that_validates_and_agrees_with_record(greeting, tmp_path):
    done = press.command("press", "pygreet", "words", "--name", "pygreet", "-c", greeting.root, cwd=tmp_path).ok()
    found = hold(tmp_path / done.out.strip())
    names = {component["name"]: component for component in found.bill["components"]}
    assert names.keys() == {"greet", "pygreet", "words"}
    archive = next(path for path in greeting.root.rglob("greet-1.2*"))
    assert names["greet"]["hashes"] == [{"alg": "SHA-256", "content": press.hashes(archive.parent)[archive.name]}]
    (library,) = names["greet"]["components"]
    before = library["pedigree"]["ancestors"][0]
    assert before["name"] == "lib/libgreet.so.1.2"
    assert before["hashes"] != library["hashes"]
    assert "channel" not in PackageURL.from_string(names["greet"]["purl"]).qualifiers
    assert str(greeting.root) not in found.text


def test_two_builds_in_two_places_from_folders_of_other_names_give_the_same_bytes(greeting, tmp_path):
    wheels = []
    for place, name in (("one", "channel"), ("two/deeper", "conda-forge")):
        folder = tmp_path / place
        folder.mkdir(parents=True)
        shutil.copytree(greeting.root, folder / name)
        environ = {"RATTLER_CACHE_DIR": str(folder / "cache"), "TMPDIR": str(folder)}
        done = press.command(
            "press", "pygreet", "words", "--name", "pygreet", "-c", f"./{name}", cwd=folder, environ=environ
        ).ok()
        wheels.append((folder / done.out.strip()).read_bytes())
    assert wheels[0] == wheels[1]


def test_without_a_project_the_wheel_states_the_licence_of_all_that_is_in_it(pressed, tmp_path):
    packages = [
        licensed(record="MPL-2.0 or MIT", depends=("other", "third")),
        licensed(name="other", record=None, about={"license": "BSD 3-Clause"}),
        licensed(name="third", record="custom"),
    ]
    found = hold(tmp_path / pressed(packages).ok().out.strip())
    expected = "BSD-3-Clause AND LicenseRef-conda-third AND (MPL-2.0 OR MIT)"
    assert found.metadata["License-Expression"] == expected
    assert found.bill["metadata"]["component"]["licenses"][0]["expression"] == expected


def test_a_dynamic_licence_is_filled_in_and_an_absent_one_stays_absent(pressed, tmp_path):
    one = pressed([licensed()], 'dynamic = ["version", "license"]\n').ok()
    assert hold(tmp_path / one.out.strip()).metadata["License-Expression"] == "MIT"
    tmp_path.joinpath(one.out.strip()).unlink()
    two = pressed([licensed()], 'dynamic = ["version"]\n').ok()
    assert hold(tmp_path / two.out.strip()).metadata["License-Expression"] is None


def test_a_static_licence_stands_and_who_states_less_is_warned(pressed, tmp_path):
    done = pressed([licensed(record="MIT AND curl")], 'license = "MIT"\ndynamic = ["version"]\n').ok()
    found = hold(tmp_path / done.out.strip())
    assert found.metadata["License-Expression"] == "MIT"
    assert found.bill["metadata"]["component"]["licenses"][0]["expression"] == "curl AND MIT"
    assert "warning: project.license says MIT, and the content of the wheel is under curl AND MIT" in done.err


def test_explained_is_the_licence_of_all_that_is_in_the_wheel_not_what_the_project_states(pressed, tmp_path):
    done = pressed([licensed(record="curl")], 'license = "MIT"\ndynamic = ["version"]\n').ok()
    for what in ("project", done.out.strip()):
        found = press.command("explain", what, "--json", cwd=tmp_path).ok()
        assert json.loads(found.out)["license"] == "curl AND MIT", what


def test_the_date_of_the_bill_is_source_date_epoch(pressed, tmp_path):
    done = pressed([licensed()], SOURCE_DATE_EPOCH="1600000000").ok()
    assert hold(tmp_path / done.out.strip()).bill["metadata"]["timestamp"] == "2020-09-13T12:26:40Z"


def test_the_sdist_says_that_an_open_licence_is_still_to_come(pressed, tmp_path):
    pressed([licensed()], 'dynamic = ["version", "license"]\n').ok()
    name = press.returned(press.hook("build_sdist", tmp_path, cwd=tmp_path / "project"))
    text = (press.unpacked(tmp_path / name, tmp_path / "unpacked") / "PKG-INFO").read_text()
    assert email.message_from_string(text).get_all("Dynamic") == ["License-File", "License-Expression"]


def test_a_denied_licence_stops_the_build(pressed, tmp_path):
    done = pressed([licensed(depends=("other",)), licensed(name="other", record="GPL-2.0-only")], None)
    assert done.code == 0
    arguments = ("press", "data", "-c", tmp_path / "channel", "-C", "licenses.deny=GPL-*")
    refused = press.command(*arguments, cwd=tmp_path)
    assert refused.code == 5
    assert "- other 1.0 0: the licence 'GPL-2.0-only' is refused: licenses.deny has 'GPL-*'" in refused.err
    assert "it came in by: data -> other" in refused.err


# -- real packages


@pytest.fixture
def real(forge, tmp_path):
    """Run the command with the channel of real packages."""
    return lambda *arguments: press.command(*arguments, "-c", forge, "--python", "3.10", cwd=tmp_path)


@pytest.mark.real
@pytest.mark.slow
def test_libmambapys_bill_names_its_packages_and_who_denies_gpl_is_told_which_have_it(real, tmp_path):
    found = hold(tmp_path / real("press", "libmambapy").ok().out.strip())
    names = {component["name"]: component for component in found.bill["components"]}
    assert {"libmambapy", "libmamba", "openssl", "lzo", "xz", "krb5", "libstdcxx-ng"} <= names.keys()
    assert not {"python", "fmt-doc", "ncurses"} & names.keys()
    curl = {each["type"]: each["url"] for each in names["libcurl"]["externalReferences"]}
    assert curl["source-distribution"] == "http://curl.haxx.se/download/curl-8.7.1.tar.bz2"
    stated = found.metadata["License-Expression"].split(" AND ")
    assert "GPL-3.0-only WITH GCC-exception-3.1" in stated
    assert "GPL-2.0-or-later" in stated
    refused = real("press", "libmambapy", "-C", "licenses.deny=GPL-*")
    assert refused.code == 5
    assert "- lzo 2.10 h516909a_1000: the licence 'GPL v2+' (GPL-2.0-or-later) cannot be parsed" in refused.err
    assert "it came in by: libmambapy -> libmamba -> libarchive -> lzo" in refused.err
    assert "- xz 5.2.6" in refused.err
    assert "libstdcxx" not in refused.err
