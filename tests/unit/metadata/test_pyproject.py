from __future__ import annotations

import email
from pathlib import Path

import pytest
from packaging.metadata import Metadata
from packaging.version import Version

from mamba_press.errors import ConfigError
from mamba_press.metadata import pyproject
from mamba_press.types import Package


def write(root, text, **files):
    (root / "pyproject.toml").write_text(text, encoding="utf-8")
    for name, data in files.items():
        (root / name.replace("__", ".")).write_bytes(data)
    return root


def load(root, lines, **files):
    return pyproject.load(write(root, "[project]\n" + lines, **files))


def problems(root, text, **files):
    with pytest.raises(ConfigError) as caught:
        pyproject.load(write(root, text, **files))
    return {problem.where: str(problem) for problem in caught.value.problems}


def package(version, name="zlib"):
    return Package(
        name=name,
        version=version,
        build="0",
        build_number=0,
        channel="c",
        subdir="linux-64",
        url="file:///x",
        file_name="x.conda",
    )


def validated(data):
    Metadata.from_email(data, validate=True)
    return email.message_from_string(data.decode())


DYNAMIC = 'name = "X.y"\ndynamic = ["version"]\n'


def test_name_stays_as_written_and_a_dynamic_version_is_none(tmp_path):
    found = load(tmp_path, DYNAMIC)
    assert (found.name, found.version, found.root) == ("X.y", None, tmp_path)


def test_static_version_is_a_version(tmp_path):
    assert load(tmp_path, 'name = "x"\nversion = "1.0"').version == Version("1.0")


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ("", "project", "has no [project] table"),
        ("project = 1", "project", "must be a table"),
        ("[project", "pyproject.toml:1:9", "is not TOML"),
        ('[project]\ndynamic = ["version"]', "project.name", "is missing"),
        ('[project]\nname = "a b"\nversion = "1"', "project.name", "Invalid project name"),
        ("a = " + "[" * 5000, "pyproject.toml", "is nested too deeply"),
        (f"{'.'.join('a' * 5000)} = 1", "pyproject.toml", "is nested too deeply"),
        (f"a = {'1' * 5000}", "pyproject.toml", "is not TOML: Exceeds the limit"),
        ('[project]\nname = "x"', "project.version", 'dynamic = ["version"]'),
        ('[project]\nname = "x"\nversion = "x"', "project.version", "invalid PEP 440"),
        ('[project]\nname = "x"\nversion = "1"\ndynamic = ["version"]', "project.version", "declared as dynamic"),
        ('[project]\nname = "x"\nversion = "1+a"', "project.version", "write 1, or add the classifier"),
        ('[project]\nname = "x"\ndynamic = "version"', "project.dynamic", "must be a list"),
        ('[project]\nname = "x"\ndynamic = ["version", "import-names"]', "project.dynamic", "no conda package says it"),
        ('[project]\nname = "x"\nversion = "1"\nfoo = 1', "project", "'foo'"),
        ('[project]\nname = "x"\nversion = "1"\nreadme = "R.md"', "project.readme", "there is no file R.md"),
        ('[project]\nname = "x"\nversion = "1"\nlicense = {file = "L"}', "project.license.file", "there is no file L"),
        ('[project]\nname = "x"\nversion = "1"\nlicense = "MIT OR nonsense"', "project.license", "nonsense"),
        ('[project]\nname = "x"\nversion = "1"\nlicense-files = ["L*"]', "project.license-files", "'L*'"),
        ('[project]\nname = "x"\nversion = "1"\ndescription = "a\\nb"', "project.description", "several lines"),
        (f'[project]\nname = "x"\nversion = "1"\ndescription = "{"a" * 513}"', "project.description", "513"),
        (f'[project]\nname = "x"\nversion = "1"\nurls = {{{"a" * 33} = "https://x"}}', "project.urls", "32"),
        ('[project]\nname = "x"\nversion = "1"\nauthors = [{email = "a"}]', "project.authors", "no e-mail address"),
        ('[project]\nname = "x"\nversion = "1"\ndependencies = ["a @ https://b"]', "project.dependencies", "a URL"),
        ('[project]\nname = "x"\nversion = "1"\ndependencies = ["!"]', "project.dependencies[0]", "invalid PEP 508"),
        ('[project]\nname = "x"\nversion = "1"\nscripts = {a = "b"}', "project.scripts.a", "names no function"),
        (
            '[project]\nname = "x"\nversion = "1"\n[project.entry-points.console_scripts]\na = "b:c"',
            "project.entry-points.console_scripts",
            "[project.scripts]",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_key(tmp_path, text, where, words):
    found = problems(tmp_path, text)
    assert list(found) == [where]
    assert words in found[where]


def test_all_problems_are_said_at_once(tmp_path):
    text = '[project]\nname = "a b"\nversion = "x"\ndynamic = ["scripts"]\nlicense = 3\nrequires-python = "~3"\nfoo = 1'
    assert set(problems(tmp_path, text)) == {
        "project",
        "project.dynamic",
        "project.license",
        "project.name",
        "project.requires-python",
        "project.version",
    }


def test_files_that_are_not_utf_8_are_named(tmp_path):
    text = '[project]\nname = "x"\nversion = "1"\nreadme = "R.md"'
    assert "R.md is not UTF-8" in problems(tmp_path, text, R__md=b"\xff")["project.readme"]
    (tmp_path / "pyproject.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"pyproject\.toml:1: is not UTF-8"):
        pyproject.load(tmp_path)


def test_missing_pyproject_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match=r"pyproject\.toml: not found in"):
        pyproject.load(tmp_path)


def test_private_project_may_have_what_pypi_refuses(tmp_path):
    text = 'name = "x"\nversion = "1+a"\ndependencies = ["a @ https://b"]\n'
    found = load(tmp_path, text + 'classifiers = ["Private :: Do Not Upload"]')
    assert found.version == Version("1+a")


@pytest.mark.parametrize(
    ("conda", "python"),
    [
        ("1.5.8", "1.5.8"),
        ("2.0.1.post1", "2.0.1.post1"),
        ("1!2.0", "1!2.0"),
        ("2024.02.02", "2024.2.2"),
        ("1.0a1", "1.0a1"),
        ("1.0.0.rc.1", "1.0.0rc1"),
        ("1.0rc", "1.0rc0"),
        ("1.0_rc1", "1.0rc1"),
        ("1.0.dev3", "1.0.dev3"),
        ("2.0b3.post4.dev5", "2.0b3.post4.dev5"),
        ("14.2.4.post0", "14.2.4.post0"),
    ],
)
def test_conda_version_with_an_equivalent_is_taken(tmp_path, conda, python):
    assert str(pyproject.version(load(tmp_path, DYNAMIC), package(conda))) == python


def test_a_conda_version_of_thousands_of_digits_is_refused_in_a_few_words(tmp_path):
    with pytest.raises(ConfigError) as caught:
        pyproject.version(load(tmp_path, DYNAMIC), package("9" * 5000))
    (problem,) = caught.value.problems
    assert problem.what.startswith("'99999")
    assert problem.what.endswith("…' of the conda package zlib is not a version in Python's sense (PEP 440)")
    assert len(problem.what) < 250


@pytest.mark.parametrize(
    ("conda", "words"),
    [
        ("9e", "is not a version in Python's sense"),
        ("1.1.1w", "is not a version in Python's sense"),
        ("1.0_1", "is not a version in Python's sense"),
        ("2024a", "would become 2024a0"),
        ("9b", "would become 9b0"),
        ("1.0r2", "would become 1.0.post2"),
        ("1.0+local", "is a local version"),
    ],
)
def test_conda_version_without_an_equivalent_is_refused_with_the_way_out(tmp_path, conda, words):
    with pytest.raises(ConfigError) as caught:
        pyproject.version(load(tmp_path, DYNAMIC), package(conda))
    (problem,) = caught.value.problems
    assert f"{conda!r} of the conda package zlib {words}" in problem.what
    assert "project.version" in problem.hint


def test_static_version_wins_over_any_conda_version(tmp_path):
    found = load(tmp_path, 'name = "x"\nversion = "3"')
    assert pyproject.version(found, package("9e")) == Version("3")


@pytest.mark.parametrize(
    ("name", "own", "expected"),
    [("Mine", "Own", "Mine"), (None, "Own", "Own"), (None, None, "zlib")],
)
def test_wheel_without_project_is_named_by_option_then_metadata_then_package(name, own, expected):
    found = pyproject.from_specs(name, package("1.2"), own)
    assert (found.name, found.version) == (expected, Version("1.2"))


def test_wheel_without_project_takes_no_licence_of_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "LICENSE").write_bytes(b"mine")
    monkeypatch.chdir(tmp_path)
    assert pyproject.license_files(pyproject.from_specs(None, package("1"), None)) == {}


def test_wrong_name_and_version_of_specs_are_said_together():
    with pytest.raises(ConfigError) as caught:
        pyproject.from_specs("a b", package("9e"), None)
    assert [problem.where for problem in caught.value.problems] == ["--name", "project.version"]


FULL = """
name = "X.y"
dynamic = ["version"]
description = "Größe"
readme = "R.md"
requires-python = ">=3.8"
license = "mit"
license-files = ["L*"]
authors = [{name = "A B", email = "a@b.org"}, {name = "C"}]
keywords = ["a", "b"]
classifiers = ["Topic :: Utilities"]
dependencies = ["numpy >= 1; python_version > '3'"]
optional-dependencies = {A_b = ["click"]}
urls = {Home = "https://x.org"}
"""


def test_static_fields_stand_in_the_metadata_exactly(tmp_path):
    found = load(tmp_path, FULL, R__md=b"# H\xc3\xa9\n\ntext\n", LICENSE=b"l")
    message = validated(pyproject.standard_metadata(found, Version("2"), license_files=["LICENSE", "z/LICENSE"]))
    assert message.items() == [
        ("Metadata-Version", "2.4"),
        ("Name", "X.y"),
        ("Version", "2"),
        ("Summary", "Größe"),
        ("Keywords", "a,b"),
        ("Author", "C"),
        ("Author-Email", "A B <a@b.org>"),
        ("License-Expression", "MIT"),
        ("Classifier", "Topic :: Utilities"),
        ("Project-URL", "Home, https://x.org"),
        ("Requires-Python", ">=3.8"),
        ("Requires-Dist", 'numpy>=1; python_version > "3"'),
        ("Provides-Extra", "a-b"),
        ("Requires-Dist", 'click; extra == "a-b"'),
        ("Description-Content-Type", "text/markdown"),
        ("License-File", "LICENSE"),
        ("License-File", "z/LICENSE"),
    ]
    assert message.get_payload() == "# Hé\n\ntext\n"


def test_lowest_metadata_version_that_carries_the_fields_is_written(tmp_path):
    def version_of(lines, licences=()):
        data = pyproject.standard_metadata(load(tmp_path, DYNAMIC + lines), Version("1"), license_files=licences)
        return validated(data)["Metadata-Version"]

    assert version_of("") == "2.1"
    assert version_of('license = {text = "MIT"}') == "2.1"
    assert version_of('license = "MIT"') == "2.4"
    assert version_of("", ["z/LICENSE"]) == "2.4"
    assert version_of('import-names = ["x"]') == "2.5"


def test_older_licence_table_keeps_its_text_and_leaks_no_path(tmp_path):
    found = load(tmp_path, DYNAMIC + 'license = {file = "L"}', L=b"the text")
    data = pyproject.standard_metadata(found, Version("1"), license_files=["L"])
    message = validated(data)
    assert (message["License"], message.get_all("License-File")) == ("the text", ["L"])
    assert str(tmp_path).encode() not in data


def test_source_metadata_states_the_solved_version_as_static(tmp_path):
    message = validated(pyproject.source_metadata(load(tmp_path, DYNAMIC), Version("1.5")))
    assert (message["Metadata-Version"], message["Version"]) == ("2.2", "1.5")
    assert message.get_all("Dynamic") == ["License-File"]


def test_licence_files_are_those_asked_for_else_the_usual_names(tmp_path):
    files = {"LICENSE": b"", "NOTICE__txt": b"", "other": b""}
    assert list(pyproject.license_files(load(tmp_path, DYNAMIC, **files))) == ["LICENSE", "NOTICE.txt"]
    found = load(tmp_path, DYNAMIC + 'license-files = ["o*"]', **files)
    assert pyproject.license_files(found) == {"other": Path(tmp_path, "other")}
    assert pyproject.license_files(load(tmp_path, DYNAMIC + "license-files = []", **files)) == {}


def test_a_list_may_be_written_and_dynamic(tmp_path):
    lines = 'name = "x"\nversion = "1"\ndynamic = ["dependencies", "readme"]\ndependencies = ["a"]'
    assert load(tmp_path, lines).table["dependencies"] == ["a"]


def test_a_text_is_either_written_or_dynamic(tmp_path):
    text = '[project]\nname = "x"\nversion = "1"\ndynamic = ["description"]\ndescription = "a"'
    assert "dynamic" in problems(tmp_path, text)["project.description"]


def test_the_fields_of_an_sdist_that_are_left_to_packages_are_dynamic(tmp_path):
    lines = 'name = "x"\ndynamic = ["version", "dependencies", "optional-dependencies", "readme", "urls"]'
    found = validated(pyproject.source_metadata(load(tmp_path, lines), Version("1")))
    assert {field.lower() for field in found.get_all("Dynamic")} == {
        "description",
        "description-content-type",
        "license-file",
        "project-url",
        "provides-extra",
        "requires-dist",
    }


@pytest.mark.parametrize(
    "line",
    [
        f'version = "{"9" * 5000}"',
        f"""version = "1"\ndependencies = ["x; {"(" * 2000}python_version > '3'{")" * 2000}"]""",
    ],
)
def test_values_without_end_are_refused_in_a_few_words(tmp_path, line):
    what = "has a value with thousands of digits or hundreds of brackets, which cannot be read"
    assert problems(tmp_path, f'[project]\nname = "x"\n{line}\n') == {"project": f"project: {what}\n  write it shorter"}


def test_a_licence_of_brackets_without_end_is_no_expression(tmp_path):
    found = problems(tmp_path, f'[project]\nname = "x"\nversion = "1"\nlicense = "{"MIT and (" * 250}"\n')
    assert found["project.license"].startswith("project.license: 'MIT and (MIT and (")
    assert "…': is no expression" in found["project.license"]
