from __future__ import annotations

import os

import pytest

from mamba_press.config import recipe, recipe_table
from mamba_press.errors import ConfigError

HEAD = """
version: 0
source:
  packages: [pinocchio==3.7.0, 'libcoal[build_string="h1_0"]']
  python: python=3.13
target:
  name: pinocchio
  platform: {os: manylinux, version: "2.17", arch: x86_64}
"""
SITE = "lib/python3.13/site-packages"


def problems(call, *arguments):
    with pytest.raises(ConfigError) as caught:
        call(*arguments)
    return [f"{problem.where}: {problem.what}" for problem in caught.value.problems]


def build(text):
    return f"{HEAD}build:\n{text}"


@pytest.mark.parametrize(
    ("spec", "python", "constraints", "site"),
    [
        ("python=3.10", "3.10", [], "lib/python3.10/site-packages"),
        ("python 3.13.*", "3.13", [], "lib/python3.13/site-packages"),
        ("python==3.13.1", "3.13", ["python==3.13.1"], "lib/python3.13/site-packages"),
        ("python=3.13=*_cp313t", "3.13t", [], "lib/python3.13t/site-packages"),
        ("python=3.14t", "3.14t", [], "lib/python3.14t/site-packages"),
        ("python>=3.12", "python>=3.12", [], "lib/python3.12/site-packages"),  # refused where targets are resolved
    ],
)
def test_the_python_is_a_minor_version_and_what_is_more_exact_a_constraint(read, spec, python, constraints, site):
    found = read(HEAD.replace("python=3.13", spec))
    assert found.site_packages == site
    assert recipe_table.table(found)["python"] == python
    assert recipe_table.table(found)["constraints"] == constraints


def test_a_plugin_by_its_import_path_is_refused_with_the_way_to_the_hook(read):
    with pytest.raises(ConfigError) as caught:
        read(build("  filter: {files: [default, {mine.filters.Mine: {}}]}"))
    [problem] = caught.value.problems
    assert problem.what == "names the plugin 'mine.filters.Mine' by its import path"
    assert 'hook = "file.py:function"' in problem.hint


def test_everything_that_is_wrong_is_told_at_once(read):
    text = """
version: 1
source:
  packages: []
  pythn: python=3.13
target:
  platform: {os: windows, arch: x86_64}
build:
  filter:
    files: [{unix-glob: {exclude: maybe}}, {glob: {}}, 7]
  transform: {dynlib: {add-rpaths: libx.so}}
"""
    assert sorted(problems(read, text)) == sorted(
        [
            "recipe.yaml: version: found '1', and only version 0 of recipes is known",
            "recipe.yaml: source: unknown key 'pythn'",
            "recipe.yaml: source: has no 'python'",
            "recipe.yaml: build.filter.files.0.unix-glob: has no 'patterns'",
            "recipe.yaml: build.filter.files.0.unix-glob.exclude: found 'maybe', expected true or false",
            "recipe.yaml: build.filter.files.1: unknown name 'glob'",
            "recipe.yaml: build.filter.files.2: unknown name '7'",
            "recipe.yaml: source.packages: names no package, expected at least one",
            "recipe.yaml: target.platform: has no 'version'",
            "recipe.yaml: target.platform.os: found 'windows', expected manylinux, macosx or win",
            "recipe.yaml: build.transform.dynlib.add-rpaths: found 'libx.so', expected a list",
        ]
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "recipe.yaml:1: is no YAML: expected the node content, but found '<stream end>'"),
        ("- a\n- b\n", "recipe.yaml: found a list, expected a map with version, source, target, build"),
        ("", "recipe.yaml: found nothing, expected a map with version, source, target, build"),
        ("[" * 5000, "recipe.yaml: is no YAML: nested too deeply"),
    ],
)
def test_what_is_no_recipe_is_told_with_its_line(read, text, said):
    assert problems(read, text) == [said]


def test_aliases_are_followed_but_not_into_billions(read):
    patterns = ", ".join(f"p{number}" for number in range(900))
    text = build("  filter:\n    files:\n    - unix-glob: &one {patterns: [" + patterns + "]}\n")
    again = "    - unix-glob: *one\n"
    assert len(read(text + 100 * again).drop) == 101 * 900
    said = ["recipe.yaml: says more than 100,000 things, all aliases written out"]
    assert problems(read, text + 120 * again) == said
    laughs = "".join(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 50))
    assert problems(read, "a0: &a0 lol\n" + laughs) == said
    assert problems(read, "a: &a [*a]\n") == ["recipe.yaml:1: is no YAML: found unconstructable recursive node"]


def test_a_file_that_is_not_there_or_no_text_is_told(tmp_path):
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    assert problems(recipe.read, tmp_path / "none.yaml")[0].endswith("cannot be read: No such file or directory")
    assert problems(recipe.read, tmp_path / "binary.yaml") == ["binary.yaml: is not UTF-8"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_the_name_of_a_recipe_may_have_a_colon(tmp_path):
    path = tmp_path / "a:b.yaml"
    path.write_text("version: 0\nsource: {pythn: x}\n")
    with pytest.raises(ConfigError) as caught:
        recipe.read(path)
    assert "a:b.yaml: source" in [problem.where for problem in caught.value.problems]
