from __future__ import annotations

import pytest

from mamba_press.config.model import OVERRIDES
from mamba_press.config.reader import from_values
from mamba_press.errors import ConfigError
from tests.support import reference

LINUX, MAC, WINDOWS = "manylinux_2_28_x86_64", "osx-arm64", "win-64"


def config(override, *more, table=None, settings=None, environ=None, state="wheel", platform=LINUX, python="3.12"):
    """What is read where a table has these overrides."""
    plain = {"packages": ["zlib"], "python": python, "platform": platform, **(table or {})}
    return from_values({**plain, OVERRIDES: [override, *more]}, settings, environ or {}, state=state)


def counts(condition, **facts) -> bool:
    return config({"if": condition, "offline": True}, **facts).offline


def problems(override, *more, **facts):
    with pytest.raises(ConfigError) as caught:
        config(override, *more, **facts)
    return [(str(problem.where), problem.what, str(problem.hint)) for problem in caught.value.problems]


# --- when one counts ---


@pytest.mark.parametrize(
    ("expression", "platforms"),
    [
        ("^linux", {LINUX}),
        ("^manylinux", {LINUX}),
        ("^linux-64$", {LINUX}),
        ("manylinux_x86_64", {LINUX}),
        ("manylinux_2_28", {LINUX}),
        ("manylinux_2_17", set()),
        ("^osx", {MAC}),
        ("^macosx_arm64$", {MAC}),
        ("^win", {WINDOWS}),
        ("win_amd64", {WINDOWS}),
        ("64", {LINUX, MAC, WINDOWS}),
    ],
)
def test_a_platform_is_that_which_is_pressed_for_under_each_of_its_names(expression, platforms):
    assert {each for each in (LINUX, MAC, WINDOWS) if counts({"platform": expression}, platform=each)} == platforms


@pytest.mark.parametrize(("versions", "holds"), [(">=3.12", True), (">3.12", False), ("~=3.10", True), ("<3.9", False)])
def test_a_python_is_that_which_is_pressed_for(versions, holds):
    assert counts({"python-version": versions}) is holds


def test_the_python_of_the_target_decides_not_the_one_that_builds():
    environ = {"CIBUILDWHEEL_BUILD_IDENTIFIER": "cp39-win_amd64"}
    override = {"if": {"python-version": "==3.9", "platform": "win"}, "offline": True}
    assert from_values({"packages": ["zlib"], OVERRIDES: [override]}, None, environ).offline


def test_a_free_threaded_python_has_a_flag():
    assert counts({"abi-flags": "t"}, python="3.14t")
    assert not counts({"abi-flags": "t"}, python="3.14")


@pytest.mark.parametrize("state", ["sdist", "wheel", "editable", "metadata_wheel", "metadata_editable"])
def test_a_state_is_searched_in(state):
    assert counts({"state": "wheel"}, state=state) is state.endswith("wheel")
    assert counts({"state": "^(sdist|editable)$"}, state=state) is (state in {"sdist", "editable"})


@pytest.mark.parametrize(
    ("value", "true"),
    [
        (None, False),
        ("", False),
        ("0", False),
        ("00", False),
        ("off", False),
        ("N", False),
        ("1", True),
        ("maybe", True),
    ],
)
def test_a_variable_is_true_where_it_is_set_to_something_that_does_not_deny(value, true):
    environ = {} if value is None else {"CI": value}
    assert counts({"env": {"CI": True}}, environ=environ) is true
    assert counts({"env": {"CI": False}}, environ=environ) is not true


def test_an_expression_about_a_variable_does_not_match_one_that_is_not_set():
    assert not counts({"env": {"CUDA": ".*"}})
    assert counts({"env": {"CUDA": ".*"}}, environ={"CUDA": ""})
    assert counts({"env": {"CUDA": "^12"}}, environ={"CUDA": "12.4"})


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"platform": "linux", "python-version": ">=3.13"}, False),
        ({"any": {"platform": "win", "python-version": ">=3.10"}}, True),
        ({"any": {"platform": "win", "env": {"CI": True}}}, False),
        ({"platform": "linux", "any": {"env": {"CI": False}, "state": "sdist"}}, True),
        ({"platform": "win", "any": {"env": {"CI": False}}}, False),
        ({"not": {"platform": "win", "state": "sdist"}}, True),
        ({"not": {"platform": "win", "state": "wheel"}}, False),
    ],
)
def test_all_plain_conditions_hold_one_of_any_and_none_of_not(condition, holds):
    assert counts(condition) is holds


# --- what it changes ---


def test_overrides_go_over_each_other_from_top_to_bottom():
    found = config({"if": {"state": "."}, "channels": ["a"]}, {"if": {"platform": "linux"}, "channels": ["b"]})
    assert found.channels == ("b",)


@pytest.mark.parametrize(
    ("mode", "system", "moved"),
    [
        ({}, ("new",), {"b": "new", "c": "c"}),
        ("none", ("new",), {"b": "new", "c": "c"}),
        ("append", ("old", "new"), {"a": "a", "b": "new", "c": "c"}),
        ("prepend", ("new", "old"), {"a": "a", "b": "old", "c": "c"}),
    ],
)
def test_lists_and_tables_are_replaced_unless_they_are_inherited(mode, system, moved):
    table = {"link": {"system": ["old"]}, "layout": {"move": {"a": "a", "b": "old"}}}
    override = {
        "if": {"platform": "linux"},
        "link": {"system": ["new"]},
        "layout": {"move": {"b": "new", "c": "c"}},
    }
    if mode:
        override["inherit"] = {"link": {"system": mode}, "layout": {"move": mode}}
    found = config(override, table=table)
    assert found.link.system == system
    assert found.layout.move == moved


def test_what_an_override_inherits_may_come_from_an_earlier_one():
    more = {"inherit": {"constraints": "append"}}
    found = config(
        {"if": {"state": "wheel"}, "constraints": ["a"]},
        {"if": {"platform": "win"}, "constraints": ["never"], **more},
        {"if": {"platform": "linux"}, "constraints": ["b"], **more},
    )
    assert found.constraints == ("a", "b")


def test_settings_and_variables_go_over_every_override():
    override = {"if": {"platform": "linux"}, "packages": ["override"], "placeholders": "error"}
    found = config(override, settings={"packages": "setting"}, environ={"MAMBA_PRESS_PLACEHOLDERS": "report"})
    assert found.packages == ("setting",)
    assert found.placeholders.mode == "report"


def test_the_environment_may_choose_the_target_and_the_target_the_rest():
    found = config(
        {"if": {"platform": "osx"}, "packages": ["for-mac"]},
        {"if": {"env": {"MAC": True}}, "platform": "osx-64", "python": "3.13"},
        {"if": {"python-version": "==3.13"}, "inherit": {"packages": "append"}, "packages": ["for-3.13"]},
        environ={"MAC": "1"},
    )
    assert (found.platform, found.packages) == ("osx-64", ("for-mac", "for-3.13"))


def test_packages_may_be_named_by_overrides_only():
    found = from_values({OVERRIDES: [{"if": {"state": "."}, "packages": ["zlib"]}]}, None, {})
    assert found.packages == ("zlib",)


# --- what is wrong ---

AT = "tool.mamba-press.overrides, number"


def test_a_target_cannot_depend_on_itself():
    override = {
        "if": {"any": {"env": {"A": True}, "platform": "linux"}},
        "python": "3.9",
        "matrix": {"python": ["3.9"]},
    }
    assert problems(override) == [
        (f"{AT} 1: {key}", "decides what is pressed for, so it cannot depend on it", "use if.env or if.state there")
        for key in ("python", "matrix.python")
    ]


DEEP = "(" * 5_000 + ")" * 5_000
SHOWN = f'"{"(" * 99}…"'


@pytest.mark.parametrize(
    ("condition", "what"),
    [
        ({"state": DEEP}, f"{SHOWN} is no regular expression: it is nested too deeply"),
        ({"env": {"CI": DEEP}}, f"{SHOWN} is no regular expression: it is nested too deeply"),
        (
            {"platform": "a{9999999999}"},
            '"a{9999999999}" is no regular expression: the repetition number is too large',
        ),
        (
            {"python-version": f"<4,>={'3' * 5_000}"},
            f'found "<4,>={"3" * 94}…", expected a range of versions such as ">=3.12"',
        ),
    ],
)
def test_a_condition_that_python_cannot_read_is_refused(condition, what):
    [(_, found, _)] = problems({"if": condition, "offline": True})
    assert found == what


def test_every_mistake_of_every_override_is_told_whether_it_counts_or_not():
    found = problems(
        {"if": {"platfrom": "linux", "python-version": "new", "state": "("}, "offline": True},
        {"if": {"state": "sdist"}, "ofline": True, "inherit": {"channels": "appendd"}, "channels": "x"},
        {"if": {"env": {"A": 3}, "any": {"env": "CI"}}, "packages": ["x"], "inherit": {"package": "append"}},
        {"offline": True, "inherit": {"offline": "append"}},
        {"if": {"state": "sdist"}},
    )
    assert [(where, what) for where, what, _ in found] == [
        (f"{AT} 1: if.platfrom", "unknown condition"),
        (f"{AT} 1: if.python-version", 'found "new", expected a range of versions such as ">=3.12"'),
        (f"{AT} 1: if.state", '"(" is no regular expression: missing ), unterminated subpattern at position 0'),
        (f"{AT} 2: ofline", "unknown key"),
        (f"{AT} 2: channels", 'found "x", expected a list of strings'),
        (f"{AT} 2: inherit.channels", 'found "appendd", expected one of "append", "prepend", "none"'),
        (f"{AT} 3: if.any.env", 'found "CI", expected a table'),
        (f"{AT} 3: if.env.A", "found a number, expected a regular expression, true or false"),
        (f"{AT} 3: inherit.package", "is not set by this override"),
        (f"{AT} 4: if", "has no condition"),
        (f"{AT} 4: inherit.offline", "is neither a list nor a table"),
        (f"{AT} 5", "sets nothing"),
    ]
    hints = {where: hint for where, _, hint in found}
    assert hints[f"{AT} 1: if.platfrom"] == "did you mean platform?"
    assert hints[f"{AT} 2: ofline"] == "did you mean tool.mamba-press.offline?"
    assert hints[f"{AT} 3: inherit.package"] == "did you mean packages?"


@pytest.mark.parametrize(
    ("override", "where"),
    [
        ({"if": "linux", "offline": True}, "if"),
        ({"if": {"any": "linux"}, "offline": True}, "if.any"),
        ({"if": {"state": "sdist"}, "packages": ["x"], "inherit": "append"}, "inherit"),
    ],
)
def test_what_is_a_table_cannot_be_a_text(override, where):
    [(at, what, _)] = problems(override)
    assert at == f"{AT} 1: {where}"
    assert what.endswith("expected a table")


def test_a_state_that_no_front_end_asks_for_is_told():
    [(where, what, _)] = problems({"if": {"state": "weel"}, "offline": True})
    assert where.endswith("if.state")
    assert what == '"weel" matches none of sdist, wheel, editable, metadata_wheel, metadata_editable'


@pytest.mark.parametrize("value", [{"if": {"state": "sdist"}, "offline": True}, "x", [1]])
def test_overrides_are_tables_of_their_own(value):
    with pytest.raises(ConfigError) as caught:
        from_values({"packages": ["zlib"], OVERRIDES: value}, None, {})
    [problem] = caught.value.problems
    assert (problem.where, problem.hint) == (
        "tool.mamba-press.overrides",
        "write [[tool.mamba-press.overrides]] above each",
    )


def test_a_target_that_cannot_be_is_told_as_elsewhere():
    [(where, what, _)] = problems({"if": {"platform": "x"}, "offline": True}, platform="musllinux_1_2_x86_64")
    assert where == "tool.mamba-press.platform"
    assert "made for glibc" in what


def test_overrides_are_of_the_file_only():
    with pytest.raises(ConfigError, match="-C overrides: unknown key"):
        from_values({"packages": ["zlib"]}, {"overrides": "x"}, {})


# --- other people's readers ---


def test_the_example_of_the_manual_is_one(tmp_path):
    from tests.unit.config.test_model import toml

    text = reference.manual().split("## `[[tool.mamba-press.overrides]]`")[1].split("```toml\n")[1].split("```")[0]
    override = toml(text)["tool"]["mamba-press"][OVERRIDES][0]
    found = config(override, platform=WINDOWS, environ={"CI": "1"}, table={"link": {"system": ["a.dll"]}})
    assert found.link.system == ("a.dll", "odbc32.dll")
    plugins = pytest.importorskip("validate_pyproject.plugins")
    api = pytest.importorskip("validate_pyproject.api")
    errors = pytest.importorskip("validate_pyproject.errors")
    validate = api.Validator(plugins=[plugins.PluginWrapper("mamba-press", lambda _: reference.schema())])
    validate(toml(text))
    for wrong in (
        {"offline": True},
        {"if": {}, "offline": True},
        {"if": {"platfrom": "x"}, "offline": True},
        {"if": {"state": "sdist"}, "ofline": True},
        {"if": {"state": "sdist"}, "channels": ["x"], "inherit": {"channels": "apend"}},
        {"if": {"state": "sdist"}},
    ):
        problems(wrong)
        with pytest.raises(errors.ValidationError):
            validate({"tool": {"mamba-press": {"packages": ["zlib"], OVERRIDES: [wrong]}}})
