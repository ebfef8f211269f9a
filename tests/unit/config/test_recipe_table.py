from __future__ import annotations

import pytest

from mamba_press.config import reader, recipe_table
from mamba_press.errors import ConfigError
from tests.unit.config.test_recipe import HEAD, SITE, build, problems


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
    assert recipe_table.table(found, "pin")["layout"]["move"] == {f"{SITE}/coal": "pin/coal"}
    assert problems(recipe_table.table, found) == [
        "recipe: ${{ package_name }} in '${{ package_name }}/coal' has no value"
    ]
    assert not read(HEAD.replace("  name: pinocchio\n", "")).needs_name


def test_an_unknown_variable_is_told(table):
    assert problems(table, path("default", explicit(coal="${{ prefix }}/coal"))) == [
        "recipe: ${{ prefix }} in '${{ prefix }}/coal' has no value"
    ]


def test_the_project_that_says_the_same_is_read_as_the_same_configuration(tmp_path, read):
    text = build("""
  filter:
    packages: [default, {by-name: {to-prune: [numpy]}}]
    files: [default, {unix-glob: {patterns: ["${{ site_packages }}/coal/*.py", 'a"b']}}]
  transform:
    path: [default, {explicit: {mapping: [{from: coal, to: "${{ package_name }}/data/coal"}]}}]
    dynlib: {remove-rpaths: ["libpython*.so*"]}
""")
    table = recipe_table.table(read(text))
    (tmp_path / "pyproject.toml").write_text(recipe_table.pyproject(table, name="pinocchio", source="recipe.yaml"))
    expected = reader.from_values({"channels": ["conda-forge"], **table}, {}, {})
    assert reader.read(tmp_path, {}, {}) == expected
