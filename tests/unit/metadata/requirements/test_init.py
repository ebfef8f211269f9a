from __future__ import annotations

import re
from dataclasses import replace

import pytest
from packaging.requirements import Requirement

from mamba_press.config.model import Config
from mamba_press.errors import ConfigError, ContentError
from mamba_press.metadata import requirements
from mamba_press.metadata.installed import Installed
from mamba_press.metadata.requirements import pypi_names
from mamba_press.types import Solution
from tests.support.values import TARGET, package, specs

DYNAMIC = frozenset({"dependencies", "requires-python"})


def python(name, *depends, **changes):
    return replace(package(name, "python >=3.8", *depends, noarch="python"), **changes)


def installed(name, *lines, version="1.0", extras=(), requires_python=None):
    raw = {"requires_python": requires_python} if requires_python else {}
    return Installed(
        package=name.lower(),
        path=f"{name}/METADATA",
        name=name,
        version=version,
        requires=lines,
        extras=extras,
        raw=raw,
    )


def derive(pressed, *others, own=(), names=None, wheel="wheel", dynamic=DYNAMIC, unread=None, **keys):
    """Derive what a wheel of the pressed packages requires; PyPI calls the others as conda does, unless told."""
    pressed = pressed if isinstance(pressed, tuple) else (pressed,)
    config = Config(packages=tuple(each.name for each in pressed), **keys)
    everything = tuple(sorted((*pressed, *others), key=lambda each: each.name))
    solution = Solution(target=TARGET, packages=everything, channels=())
    context = requirements.Context(
        target=TARGET, config=config, solution=solution, stays=pressed, dynamic=dynamic, unread=unread or {}
    )
    needed = pypi_names.needs(solution, pressed, config)
    known = {need.package.name: need.package.name for need in needed} | (names or {})
    return requirements.derive(wheel, needed, own, names=known, context=context)


# -- the channel's records


def test_python_packages_that_stay_out_are_required():
    pressed = package("p", "python >=3.10,<3.11.0a0", "six >=1.5", "zlib >=1", "numpy >=1.22.4,<2.0a0 *_cpu", "__unix")
    found = derive(pressed, python("six"), python("numpy"), package("zlib"), package("python"))
    assert found.dependencies == ("numpy<2,>=1.22.4", "six>=1.5")
    assert found.extras == {}


def test_what_a_vendored_library_depends_on_counts_too():
    found = derive((package("p", "lib"), package("lib", "six")), python("six"))
    assert found.dependencies == ("six",)


def test_what_only_packages_that_stay_out_depend_on_does_not_count():
    assert derive(package("p", "a"), python("a", "b"), python("b")).dependencies == ("a",)


def test_several_specs_for_one_package_become_one_requirement():
    found = derive((package("p", "six >=1.5", "six <2"), package("lib", "six !=1.7")), python("six"))
    assert found.dependencies == ("six!=1.7,<2,>=1.5",)


def test_constraints_narrow_only_on_request():
    pressed = replace(package("p", "six >=1.5"), constrains=specs("six <2.0a0", "other <1"))
    assert derive(pressed, python("six"), python("other")).dependencies == ("six>=1.5",)
    assert derive(pressed, python("six"), python("other"), requires_constrains=True).dependencies == ("six<2,>=1.5",)


def test_two_conda_packages_that_pypi_calls_alike_are_one_requirement():
    names = {"typing-extensions": "typing_extensions", "typing_extensions": "typing_extensions"}
    pressed = package("p", "typing-extensions >=4.6", "typing_extensions <5")
    found = derive(pressed, python("typing-extensions"), python("typing_extensions"), names=names)
    assert found.dependencies == ("typing_extensions<5,>=4.6",)


def test_versions_that_pep_440_cannot_say_are_widened_and_told():
    found = derive(package("p", "six 1.8|1.9"), python("six"))
    assert found.dependencies == ("six<=1.9,>=1.8",)
    assert found.notes == ("p depends on six 1.8|1.9, for which PEP 440 has no words: the wheel takes <=1.9,>=1.8",)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("six 9e", "'9e' is not a version"),
        ("six[when='python >=3.12']", "has 'when', which a requirement has no words for"),
        ("six[extras=[a]]", "has 'extras', which a requirement has no words for"),
        ("six ^1$", "regular expression"),
    ],
)
def test_specs_without_words_are_refused_with_the_line_to_add(spec, words):
    with pytest.raises(ConfigError) as caught:
        derive(package("p", spec), python("six"))
    assert words in str(caught.value)
    assert '[tool.mamba-press.requires]\n  six = "…"' in str(caught.value)
    assert derive(package("p", spec), python("six"), requires={"six": "six >=1"}).dependencies == ("six>=1",)


def test_any_version_is_taken_where_pep_440_has_no_words_for_those_wanted():
    found = derive(package("p", "six !=1.8|!=1.9"), python("six"))
    assert found.dependencies == ("six",)


def test_versions_that_the_records_of_one_package_exclude_are_an_error_with_the_line_to_add():
    with pytest.raises(ContentError) as caught:
        derive(package("p", "six >=2", "six <1"), python("six"))
    (problem,) = caught.value.problems
    assert str(problem) == (
        f"{python('six')}: no version fits all that p depends on and that is constrained: >=2 and <1\n"
        "  state what the wheel requires:\n"
        "  [tool.mamba-press.requires]\n"
        '  six = "…"'
    )


def test_a_constraint_that_pep_440_cannot_say_is_told_with_whom_it_limits():
    pressed = replace(package("p", "six"), constrains=specs("six 1.8|1.9"))
    (note,) = derive(pressed, python("six"), requires_constrains=True).notes
    assert note == "p depends on six 1.8|1.9, for which PEP 440 has no words: the wheel takes <=1.9,>=1.8"


# -- names


def test_a_name_that_nobody_knows_is_asked_for_with_all_owners_and_bounds_and_why():
    pressed = (package("p", "c >=1"), package("q", "c <3"))
    with pytest.raises(ConfigError) as caught:
        derive(pressed, python("c"), names={"c": None}, unread={"c": "404"})
    (problem,) = caught.value.problems
    assert str(problem) == (
        "tool.mamba-press.requires: nobody knows how PyPI calls the conda package c, on which p and q depends (404)\n"
        "  add it, or false for nothing:\n"
        "  [tool.mamba-press.requires]\n"
        '  c = "c >=1,<3"'
    )


def test_a_name_that_nobody_knows_is_refused_with_the_line_to_add():
    with pytest.raises(ConfigError) as caught:
        derive(package("p", "a.b >=1", "c"), python("a.b"), python("c"), names={"a.b": None, "c": None})
    assert str(caught.value) == (
        "the configuration cannot be used (2 problems)\n"
        "- tool.mamba-press.requires: nobody knows how PyPI calls the conda package a.b, on which p depends\n"
        "  add it, or false for nothing:\n"
        "  [tool.mamba-press.requires]\n"
        '  "a.b" = "a.b >=1"\n'
        "- tool.mamba-press.requires: nobody knows how PyPI calls the conda package c, on which p depends\n"
        "  add it, or false for nothing:\n"
        "  [tool.mamba-press.requires]\n"
        '  c = "c"'
    )


def test_what_pypi_need_not_have_is_not_required():
    assert derive(package("p", "nomkl"), python("nomkl"), names={"nomkl": ""}).dependencies == ()


def test_a_wheel_that_would_require_itself_is_refused():
    with pytest.raises(ContentError) as caught:
        derive(package("numpy", "numpy-base"), python("numpy-base"), names={"numpy-base": "numpy"}, wheel="NumPy")
    (problem,) = caught.value.problems
    assert str(problem) == (
        "numpy-base: numpy depends on numpy-base, which PyPI calls numpy, and so is the wheel: "
        "it would require itself\n"
        "  name numpy-base in tool.mamba-press.packages too, or state [tool.mamba-press.requires] numpy-base = false"
    )


# -- the packages' own metadata


def test_own_requirements_keep_their_markers_and_extras():
    lines = ("six>=1.5", 'colorama; platform_system == "Windows"', 'b>=1; python_version > "3" and extra == "e"')
    found = derive(python("p", "six >=1.5"), python("six"), own=(installed("P", *lines, extras=("e", "f")),))
    assert found.dependencies == ("six>=1.5", 'colorama; platform_system == "Windows"')
    assert found.extras == {"e": ('b>=1; python_version > "3" and extra == "e"',), "f": ()}


def test_the_channel_narrows_what_the_package_requires():
    own = installed("P", "numpy<1.29,>=1.19", 'six; extra == "e"')
    found = derive(python("p", "numpy >=1.22.4,<2.0a0", "six <2"), python("numpy"), python("six"), own=(own,))
    assert found.dependencies == ("numpy<1.29,>=1.22.4",)
    assert found.extras == {"e": ('six<2; extra == "e"',)}


def test_a_record_narrows_what_its_own_package_requires_and_no_others():
    own = (installed("A", "six; python_version < '3.9'"), installed("B", "other", 'six; extra == "e"'))
    found = derive(
        (python("a", "six >=1"), python("b", "six >=2"), package("lib", "six <3", "other <9")),
        python("six"),
        python("other"),
        own=own,
    )
    assert found.dependencies == ('six>=1; python_version < "3.9"', "other<9", "six<3")
    assert found.extras == {"e": ('six>=2; extra == "e"',)}


def test_a_requirement_that_the_channel_does_not_narrow_stays_as_written():
    found = derive(python("p", "six >=1.0"), python("six"), own=(installed("P", "six~=1.5"),))
    assert found.dependencies == ("six~=1.5",)


def test_what_only_the_channel_requires_is_added():
    found = derive(python("p", "six", "extra-one <3"), python("six"), python("extra-one"), own=(installed("P", "six"),))
    assert found.dependencies == ("six", "extra-one<3")


def test_a_condition_of_the_package_holds_where_conda_has_none_and_is_told():
    pressed, own = (
        python("p", "colorama", "tomli"),
        installed("P", 'colorama; platform_system == "Windows"', 'tomli; python_version < "3.11"'),
    )
    found = derive(pressed, python("colorama"), python("tomli"), own=(own,))
    assert found.dependencies == own.requires
    [note] = found.notes
    assert note == (
        "the channel's p requires colorama always, P's own metadata only where platform_system == \"Windows\": "
        "the wheel keeps the condition"
    )


def test_a_version_that_fits_neither_source_is_an_error_that_names_both():
    with pytest.raises(ContentError) as caught:
        derive(python("p", "six >=2"), python("six"), own=(installed("P", "six<2"),))
    assert str(caught.value) == (
        "the packages cannot be pressed\n"
        "- six: no version fits both: P's own metadata requires six<2, the channel's p requires six>=2\n"
        "  state what the wheel requires:\n"
        "  [tool.mamba-press.requires]\n"
        '  six = "…"'
    )


def test_two_packages_that_contradict_each_other_are_an_error_that_names_both():
    own = (installed("A", "six<2"), installed("B", "six>=2"))
    with pytest.raises(ContentError, match="A's own metadata requires six<2, B's own metadata requires six>=2"):
        derive((python("a"), python("b")), own=own)


def test_a_solved_version_that_the_package_itself_would_not_take_is_told():
    found = derive(python("p", "six"), python("six", version="3.0"), own=(installed("P", "six<2"),))
    assert found.notes == ("P's own metadata requires six<2, but the channel solved six 3.0",)


def test_what_is_in_the_wheel_is_not_required():
    own = (installed("A", "B>=1", 'b; extra == "e"', "six"), installed("B"))
    found = derive((python("a", "b"), python("b")), own=own)
    assert found.dependencies == ("six",)
    assert found.extras == {}


def test_what_is_in_the_wheel_has_to_fit():
    with pytest.raises(ContentError) as caught:
        derive((python("a"), python("b")), own=(installed("A", "B>=2"), installed("B")))
    (problem,) = caught.value.problems
    assert str(problem) == (
        "B (b): is required as B>=2 by A's own metadata, and the wheel has 1.0\n"
        "  narrow it in tool.mamba-press.packages or tool.mamba-press.constraints"
    )


def test_a_pre_release_in_the_wheel_fits():
    own = (installed("A", "B>=2", "six"), installed("B", version="2.1rc1"))
    assert derive((python("a"), python("b")), own=own).dependencies == ("six",)


def test_extras_of_what_is_in_the_wheel_are_told():
    found = derive((python("a"), python("b")), own=(installed("A", "B[more,and]"), installed("B")))
    assert found.notes == (
        "A's own metadata requires B[and,more]; it is in the wheel, but not what and, more asks for",
    )


def test_a_package_that_requires_an_extra_of_itself_always_does_not_require_the_wheel():
    own = installed("P", "p[a]", 'x; extra == "a"', 'p; extra == "b"', extras=("a", "b"))
    found = derive(python("p"), own=(own,), wheel="my-wheel")
    assert (found.dependencies, found.extras) == ((), {"a": ('x; extra == "a"',), "b": ()})


def test_extras_that_name_the_package_itself_name_the_wheel():
    own = installed("P", 'x; extra == "a"', 'p[a]; extra == "all"', "p", extras=("a", "all"))
    found = derive(python("p"), own=(own,), wheel="my-wheel")
    assert found.dependencies == ()
    assert found.extras == {"a": ('x; extra == "a"',), "all": ('my-wheel[a]; extra == "all"',)}


def test_a_url_is_left_out_and_told():
    found = derive(python("p"), own=(installed("P", "six @ https://example.org/six.zip"),))
    assert found.dependencies == ("six",)
    assert "from a URL" in found.notes[0]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("six >>1", "is no requirement"),
        (f"six; {'(' * 3000}python_version>'3'{')' * 3000}", "is no requirement: has brackets nested too deeply"),
        (f"six >={'1' * 5000}", "is no requirement: has a number of 1,000 digits"),
    ],
)
def test_what_cannot_be_read_is_left_out_and_told(text, why):
    found = derive(python("p"), own=(installed("P", text, "ok"),))
    assert found.dependencies == ("ok",)
    assert f"{text!r} {why}" in found.notes[0]


def test_what_comes_out_are_requirements_in_order():
    found = derive(python("p", "z", "a"), python("z"), python("a"), own=(installed("P", "m", "b"),))
    assert [Requirement(line).name for line in found.dependencies] == ["m", "b", "a", "z"]


# -- the project's own word


def test_the_projects_requirement_replaces_what_is_derived():
    own = installed("P", "pytorch-fork>=1", "torch>=1", 'torch; extra == "e"')
    found = derive(
        python("p", "pytorch 2.1.*", "six"),
        python("pytorch"),
        python("six"),
        own=(own,),
        names={"pytorch": None},
        requires={"pytorch": "torch >=2,<3", "six": "false"},
    )
    assert found.dependencies == ("pytorch-fork>=1", "torch<3,>=2")
    assert found.extras == {"e": ('torch; extra == "e"',)}


def test_the_projects_word_ends_a_contradiction():
    found = derive(python("p", "six >=2"), python("six"), own=(installed("P", "six<2"),), requires={"six": "six"})
    assert found.dependencies == ("six",)


def test_a_requirement_for_what_is_not_there_has_no_effect_and_is_told():
    found = derive(python("p"), requires={"pytorh": "torch"})
    assert found.dependencies == ()
    (note,) = found.notes
    assert str(note.what) == (
        "tool.mamba-press.requires: 'pytorh' matches no package of the solution, "
        "nor what a package in the wheel requires"
    )


def test_the_projects_requirement_has_to_be_one():
    with pytest.raises(ConfigError) as caught:
        derive(python("p", "six"), python("six"), requires={"six": ">>"})
    assert re.fullmatch(
        r"tool\.mamba-press\.requires\.six: '>>' is no requirement: Expected package name at the start of dependency "
        r"specifier >> \^\n  write it as in six = \"name >=1\.2\", or six = false",
        str(caught.value.problems[0]),
    )


def test_nothing_is_refused_where_the_project_states_its_dependencies():
    found = derive(python("p", "a", "six >=2"), python("a"), python("six"), names={"a": None}, dynamic=frozenset())
    assert found.dependencies == ("six>=2",)
    assert "nobody knows how PyPI calls" in found.notes[0]


# -- Python


def test_requires_python_is_what_record_and_package_ask_for():
    assert derive(python("p")).requires_python == ">=3.8"
    assert (
        derive(python("p"), own=(installed("P", requires_python=">=3.9,!=3.9.1"),)).requires_python == "!=3.9.1,>=3.9"
    )
    assert derive(replace(python("p"), depends=specs("python"))).requires_python is None


def test_a_package_that_is_tied_to_an_abi_says_so_by_its_tag():
    pressed = package("p", "python >=3.10,<3.11.0a0", "python_abi 3.10.* *_cp310")
    assert derive(pressed).requires_python is None
    assert derive(pressed, own=(installed("P", requires_python=">=3.8"),)).requires_python == ">=3.8"


@pytest.mark.parametrize("bound", [">=3.10,<3.11", ">=3.10,<3.11.0a0", "3.10.*", "=3.10"])
def test_a_package_that_was_built_for_one_python_leaves_the_bound_to_its_own_metadata_and_the_tag(bound):
    pressed = package("p", f"python {bound}")
    assert derive(pressed).requires_python is None
    assert derive(pressed, own=(installed("P", requires_python=">=3.8"),)).requires_python == ">=3.8"


def test_a_package_for_every_platform_that_works_with_one_python_only_says_so():
    assert derive(replace(python("p"), depends=specs("python >=3.10,<3.11"))).requires_python == "<3.11,>=3.10"


def test_a_bound_that_is_wider_than_one_python_is_kept_in_a_package_of_one_platform():
    assert derive(package("p", "python >=3.9,<3.11")).requires_python == "<3.11,>=3.9"


def test_python_2_is_not_spoken_of():
    pressed = replace(python("p"), depends=specs("python ==2.7.*|>=3.7"))
    assert derive(pressed).requires_python == ">=3.7"
    assert derive(pressed).notes == ()
    assert derive(replace(pressed, depends=specs("python >=2.7"))).requires_python is None


def test_pythons_that_contradict_each_other_are_an_error_unless_the_project_states_them():
    own = (installed("P", requires_python="<3.8"),)
    with pytest.raises(ContentError, match="Requires-Python"):
        derive(python("p"), own=own)
    assert derive(python("p"), own=own, dynamic=frozenset({"dependencies"})).dependencies == ()


def test_a_wheel_that_its_own_python_could_not_install_is_refused():
    with pytest.raises(ContentError, match=r"asks for >=3\.11, but the wheel is for Python 3\.10"):
        derive(python("p"), own=(installed("P", requires_python=">=3.11"),))
