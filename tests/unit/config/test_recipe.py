from __future__ import annotations

import os

import pytest

from mamba_press.config import reader, recipe
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


@pytest.fixture
def read(tmp_path):
    def read(text):
        path = tmp_path / "recipe.yaml"
        path.write_text(text)
        return recipe.read(path)

    return read


@pytest.fixture
def table(read):
    def table(text, name=None):
        return recipe.table(read(text), name)

    return table


def problems(call, *arguments):
    with pytest.raises(ConfigError) as caught:
        call(*arguments)
    return [f"{problem.where}: {problem.what}" for problem in caught.value.problems]


def build(text):
    return f"{HEAD}build:\n{text}"


def test_the_shortest_recipe_names_packages_python_and_platform(table):
    assert table(HEAD) == {
        "packages": ["pinocchio==3.7.0", 'libcoal[build="h1_0"]'],
        "constraints": [],
        "python": "3.13",
        "platform": "manylinux_2_17_x86_64",
        "select": {"python-packages": ["*"]},
        "layout": {},
        "link": {},
    }


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
    assert recipe.table(found)["python"] == python
    assert recipe.table(found)["constraints"] == constraints


def test_versions_are_texts_though_yaml_would_have_numbers(table):
    text = HEAD.replace('"2.17"', "2.20").replace("python=3.13", "python=3.10")
    assert table(text)["platform"] == "manylinux_2_20_x86_64"


def test_windows_needs_no_version(table):
    text = HEAD.replace('{os: manylinux, version: "2.17", arch: x86_64}', "{os: win, arch: amd64}")
    assert table(text)["platform"] == "win_amd64"


def test_packages_leave_with_what_only_they_need_or_alone(table):
    text = build("""
  filter:
    packages:
      - default
      - by-name: {to-prune: [numpy, python_abi], recursive: true}
      - by-name: {to-prune: [scipy], recursive: false}
""")
    assert table(text)["select"] == {"prune": ["numpy"], "prune-alone": ["scipy"], "python-packages": ["*"]}


def test_python_itself_may_be_pruned_by_name_instead_of_by_default(table):
    text = build("  filter: {packages: [{by-name: {to-prune: [python, python_abi]}}]}")
    assert table(text)["select"] == {"python-packages": ["*"]}
    without = build("  filter: {packages: [{by-name: {to-prune: [numpy]}}]}")
    assert problems(table, without) == [
        "recipe.yaml: build.filter.packages: leaves Python itself in the wheel, which has to stay out"
    ]


@pytest.mark.parametrize(
    "given", ["{}", "{python_packages: [python, python_abi], recursive: true}"], ids=["as it is", "with its defaults"]
)
def test_python_dependencies_leave_and_are_required_where_the_recipe_says_so(table, given):
    text = build(f"  filter: {{packages: [python-dependencies: {given}, by-name: {{to-prune: [numpy]}}]}}")
    assert table(text)["select"] == {"prune": ["numpy"]}


def test_what_python_dependencies_cannot_be_asked_for_is_told(table):
    text = build("  filter: {packages: [python-dependencies: {python_packages: [ruby], recursive: false}]}")
    where = "recipe.yaml: build.filter.packages.0.python-dependencies"
    assert problems(table, text) == [
        f"{where}.python_packages.0: found 'ruby': only python and python_abi can stand here",
        f"{where}.recursive: found false: what only Python packages need leaves with them",
    ]
    with pytest.raises(ConfigError) as caught:
        table(text)
    assert [problem.hint for problem in caught.value.problems] == ["prune others with by-name", "leave it out"]


def test_a_pattern_crosses_folders_and_one_without_wildcards_is_a_folder_too(table):
    text = build("""
  filter:
    files:
      - default
      - unix-glob:
          exclude: true
          patterns: ["lib/libnot*.so*", "${{ site_packages }}/coal.dist-info"]
""")
    assert table(text)["select"]["exclude"] == [
        "lib/libnot**.so**",
        f"{SITE}/coal.dist-info",
        f"{SITE}/coal.dist-info/**",
    ]


def test_without_default_the_default_filters_are_off_and_exclude_false_names_what_alone_stays(table):
    text = build("  filter: {files: [{unix-glob: {patterns: ['lib/*'], exclude: false}}]}")
    assert table(text)["select"] == {"python-packages": ["*"], "only": ["lib/**"], "default-filters": False}


def test_two_lists_of_what_alone_stays_are_refused(table):
    one = "{unix-glob: {patterns: ['lib/*'], exclude: false}}"
    assert problems(table, build(f"  filter: {{files: [default, {one}, {one}]}}")) == [
        "recipe.yaml: build.filter.files: has more than one list of files that alone stay (exclude: false)"
    ]


def path(*rows):
    return build(f"  transform: {{path: [{', '.join(rows)}]}}")


def explicit(**moves):
    rows = ", ".join(f'{{from: "{start}", to: "{end}"}}' for start, end in moves.items())
    return f"{{explicit: {{mapping: [{rows}]}}}}"


def test_what_the_default_moved_is_moved_on_from_where_it_was(table):
    text = path("default", explicit(**{"coal": "${{ package_name }}/data/coal", "pinocchio/data/etc": "pinocchio/etc"}))
    assert table(text)["layout"]["move"] == {
        f"{SITE}/coal": "pinocchio/data/coal",
        "etc": "pinocchio/etc",
        f"{SITE}/pinocchio/data/etc": "pinocchio/etc",  # the package may have such a folder too
    }


def test_the_most_specific_folder_wins_and_what_goes_where_it_goes_anyway_is_not_said(table):
    text = path("default", explicit(**{"coal": "a", "coal/b": "coal/b", "pinocchio": "pinocchio"}))
    assert table(text)["layout"]["move"] == {f"{SITE}/coal": "a", f"{SITE}/coal/b": "coal/b"}


def test_the_default_may_come_last(table):
    text = path(explicit(**{"share/x": f"{SITE}/x"}), "default")
    assert table(text)["layout"]["move"] == {"share/x": "x"}


def test_where_site_packages_go_is_not_to_be_chosen(table):
    assert problems(table, path(explicit(lib="pinocchio/lib"))) == [
        "build.transform.path: the whole prefix: would go to the root of the wheel",
        "build.transform.path: lib: would go to pinocchio/lib",
    ]


def test_a_folder_cannot_be_unpacked_into_the_root_of_the_wheel(table):
    text = path("default", explicit(**{"pinocchio/data/share": "."}))
    assert problems(table, text)[0] == "build.transform.path: share: would go to the root of the wheel"


def test_a_path_that_leaves_the_wheel_is_refused(table):
    assert problems(table, path("default", explicit(coal="../coal"))) == [
        (
            "recipe.yaml: build.transform.path.1.explicit.mapping.0.to: "
            "found '../coal', expected a relative path without '..'"
        )
    ]


def test_a_library_of_another_wheel_is_external_with_the_version_that_the_recipe_states(table):
    text = build("""
  transform:
    dynlib:
      add-rpaths: ["../casadi/libcasadi.so.3.7", "/opt/vendor/libcard.so.2", "other/lib/libother.so"]
      remove-rpaths: ["libpython*.so*"]
""").replace("  python:", "  constraints: [casadi==3.7.0]\n  python:")
    assert table(text)["link"] == {
        "external": {
            "libcasadi.so.3.7": "casadi ==3.7.0: casadi/libcasadi.so.3.7",
            "libother.so": "other: other/lib/libother.so",
        },
        "system": ["libcard.so.2"],
        "remove": ["libpython*.so*"],
    }


def test_the_name_of_the_package_is_the_target_s_or_has_to_be_told(read):
    text = path("default", explicit(coal="${{ package_name }}/coal")).replace("  name: pinocchio\n", "")
    found = read(text)
    assert found.needs_name
    assert recipe.table(found, "pin")["layout"]["move"] == {f"{SITE}/coal": "pin/coal"}
    assert problems(recipe.table, found) == ["recipe: ${{ package_name }} in '${{ package_name }}/coal' has no value"]
    assert not read(HEAD.replace("  name: pinocchio\n", "")).needs_name


def test_an_unknown_variable_is_told(table):
    assert problems(table, path("default", explicit(coal="${{ prefix }}/coal"))) == [
        "recipe: ${{ prefix }} in '${{ prefix }}/coal' has no value"
    ]


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


def test_the_project_that_says_the_same_is_read_as_the_same_configuration(tmp_path, read):
    text = build("""
  filter:
    packages: [default, {by-name: {to-prune: [numpy]}}]
    files: [default, {unix-glob: {patterns: ["${{ site_packages }}/coal/*.py", 'a"b']}}]
  transform:
    path: [default, {explicit: {mapping: [{from: coal, to: "${{ package_name }}/data/coal"}]}}]
    dynlib: {remove-rpaths: ["libpython*.so*"]}
""")
    table = recipe.table(read(text))
    (tmp_path / "pyproject.toml").write_text(recipe.pyproject(table, name="pinocchio", source="recipe.yaml"))
    expected = reader.from_values({"channels": ["conda-forge"], **table}, {}, {})
    assert reader.read(tmp_path, {}, {}) == expected


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_the_name_of_a_recipe_may_have_a_colon(tmp_path):
    path = tmp_path / "a:b.yaml"
    path.write_text("version: 0\nsource: {pythn: x}\n")
    with pytest.raises(ConfigError) as caught:
        recipe.read(path)
    assert "a:b.yaml: source" in [problem.where for problem in caught.value.problems]
