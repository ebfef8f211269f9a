from __future__ import annotations

import time

import pytest

from mamba_press.errors import ContentError
from mamba_press.metadata import installed
from mamba_press.types import File

SITE = "lib/python3.10/site-packages"


@pytest.fixture
def read(tmp_path):
    """Read what the files, by their path in site-packages, say; all belong to the package ``pkg``."""

    def read(files):
        found = []
        for number, (path, text) in enumerate(files.items()):
            source = tmp_path / str(number)
            source.write_text(text, "utf-8")
            found.append(File(path=f"{SITE}/{path}", source=source, package="pkg", size=0))
        return installed.read(found)

    return read


HEAD = "Metadata-Version: 2.1\nName: Some.Name\nVersion: 1.5\n"


def test_a_dist_info_says_name_version_and_requirements(read):
    text = HEAD + "Requires-Dist: six (>=1.5)\nRequires-Dist: x; extra == 'e'\nProvides-Extra: e\n\nLong.\n"
    [found] = read({"some_name-1.5.dist-info/METADATA": text, "some_name-1.5.dist-info/RECORD": "", "some_name.py": ""})
    assert (found.name, found.key, found.version, found.package) == ("Some.Name", "some-name", "1.5", "pkg")
    assert found.requires == ("six (>=1.5)", "x; extra == 'e'")
    assert found.extras == ("e",)
    assert found.raw["description"].strip() == "Long."


def test_an_egg_infos_requires_txt_becomes_requirements_with_markers(read):
    requires = (
        "six>=1.5\n\n[:python_version < '3']\nenum34\n\n[Test]\npytest\n# a comment\nmock\n\n"
        "[win:sys_platform == 'win32']\npywin32>=2\n\n[empty]\n"
    )
    [found] = read({"a-1-py3.8.egg-info/PKG-INFO": HEAD, "a-1-py3.8.egg-info/requires.txt": requires})
    assert found.requires == (
        "six>=1.5",
        "enum34 ; python_version < '3'",
        'pytest ; extra == "Test"',
        'mock ; extra == "Test"',
        "pywin32>=2 ; (sys_platform == 'win32') and extra == \"win\"",
    )
    assert found.extras == ("Test", "win", "empty")


def test_requirements_that_pkg_info_states_are_not_read_twice(read):
    [found] = read(
        {
            "a-1-py3.8.egg-info/PKG-INFO": HEAD + "Requires-Dist: six\n",
            "a-1-py3.8.egg-info/requires.txt": "six\n",
        }
    )
    assert found.requires == ("six",)


def test_an_egg_info_that_is_a_file_is_read(read):
    [found] = read({"some_name-1.5-py3.8.egg-info": HEAD})
    assert (found.name, found.requires) == ("Some.Name", ())


def test_a_dist_info_goes_over_an_egg_info_of_the_same_name(read):
    both = {"some_name-1.5-py3.8.egg-info/PKG-INFO": HEAD, "some_name-1.5.dist-info/METADATA": HEAD}
    [found] = read(both)
    assert found.path.endswith("METADATA")
    [found] = read(dict(reversed(both.items())))
    assert found.path.endswith("METADATA")


def test_several_python_packages_of_one_conda_package_are_told_apart(read):
    other = HEAD.replace("Some.Name", "pkg")
    found = read({"some_name-1.5.dist-info/METADATA": HEAD, "pkg-1.5.dist-info/METADATA": other})
    assert [each.name for each in found] == ["pkg", "Some.Name"]
    assert installed.of("pkg", found).name == "pkg"
    assert installed.of("other", found) is None
    assert installed.of("pkg", found[1:]).name == "Some.Name"


@pytest.mark.parametrize("path", ["a/_vendor/b-1.dist-info/METADATA", "b-1.dist-info/WHEEL", "b-1.dist-info"])
def test_what_is_no_metadata_of_the_package_is_passed_over(read, path):
    assert read({path: HEAD}) == ()


def test_metadata_without_a_name_is_passed_over(read):
    assert read({"b-1.dist-info/METADATA": "Version: 1\n"}) == ()


@pytest.mark.parametrize(
    ("folders", "package", "name"),
    [
        (["PyYAML-6.0.1.dist-info"], "pyyaml", "PyYAML"),
        (["Brotli-1.1.0.dist-info"], "brotli-python", "Brotli"),
        (["foo_bar-1.0-py3.8.egg-info"], "other", "foo_bar"),
        (["foo.egg-info"], "other", "foo"),
        (["ruamel.yaml-0.18.6.dist-info"], "ruamel_yaml", "ruamel.yaml"),
        (["a-1.dist-info", "b-1.dist-info"], "b", "b"),
        (["a-1.dist-info", "a-1-py3.8.egg-info"], "x", "a"),
        (["a-1.dist-info", "b-1.dist-info"], "c", None),
        ([], "c", None),
    ],
)
def test_the_name_of_a_package_is_that_of_its_folder(folders, package, name):
    assert installed.name_of(folders, package) == name


TEXT = "Über\n====\n\n* a list\n\n    a quote\n\nThe end.\n"


def _in_header(indent: str) -> str:
    return HEAD + "Description: " + TEXT.strip().replace("\n", f"\n{indent}") + "\nPlatform: UNKNOWN\n"


@pytest.mark.parametrize("indent", [" " * 8, "       |", "  "], ids=["of distutils", "with a pipe", "of others"])
def test_a_description_in_a_header_loses_the_indent_of_its_lines(read, indent):
    [found] = read({"a-1-py3.8.egg-info/PKG-INFO": _in_header(indent)})
    assert found.raw["description"].strip() == TEXT.strip()


def test_what_is_quoted_from_the_second_line_on_stays_a_quote_in_a_header(read):
    text = "Description: Use it so:\n        \n            import a\n            a.run()\n"
    [found] = read({"a-1-py3.8.egg-info/PKG-INFO": HEAD + text})
    assert found.raw["description"] == "Use it so:\n\n    import a\n    a.run()"


def test_a_description_that_is_the_body_keeps_the_indent_of_its_lines(read):
    body = "Use it so::\n\n        import a\n        a.run()\n"
    [found] = read({"a-1.dist-info/METADATA": f"{HEAD}\n{body}"})
    assert found.raw["description"] == body


@pytest.mark.parametrize(
    ("requires", "told"),
    [
        (
            "".join(f"Requires-Dist: p{number}\n" for number in range(10_001)),
            "has 10,001 requirements, the longest of 6",
        ),
        (f"Requires-Dist: p>={'9' * 5000}\n", "has 1 requirements, the longest of 5,003"),
        (
            "".join(f"Provides-Extra: e{number}\n" for number in range(10_001)),
            "has 10,001 extras, the longest of 6",
        ),
    ],
)
def test_requirements_beyond_all_bounds_are_refused(read, requires, told):
    with pytest.raises(ContentError) as caught:
        read({"some_name-1.5.dist-info/METADATA": HEAD + requires})
    [problem] = caught.value.problems
    assert problem.where == f"{SITE}/some_name-1.5.dist-info/METADATA"
    assert problem.what == f"{told} characters"
    assert problem.hint == "at most 10,000 of 4,000 characters are accepted: tell the makers of pkg"


@pytest.mark.parametrize(
    "fields",
    ["".join(f"Field-{number}: x\n" for number in range(20_000)), f"Summary: {'x' * (1 << 20)}\n"],
    ids=["names", "bytes"],
)
def test_fields_without_end_are_refused_in_a_moment(read, fields):
    start = time.process_time()
    with pytest.raises(ContentError) as caught:
        read({"some_name-1.5.dist-info/METADATA": HEAD + fields})
    assert str(caught.value) == (
        f"the packages cannot be pressed\n- {SITE}/some_name-1.5.dist-info/METADATA: has fields of more than 1,048,576 "
        "bytes, or of more than 500 names\n  tell the makers of pkg"
    )
    assert time.process_time() - start < 2
