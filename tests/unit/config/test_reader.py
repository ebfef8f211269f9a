from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone

import pytest

from mamba_press.config.model import Config
from mamba_press.config.reader import as_given, from_values, read
from mamba_press.errors import ConfigError
from mamba_press.problem import Setting


@pytest.fixture
def project(tmp_path):
    """Write a pyproject.toml and return its folder."""

    def write(text):
        (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
        return tmp_path

    return write


def config(table=None, settings=None, environ=None) -> Config:
    return from_values({"packages": ["zlib"], **(table or {})}, settings, environ or {})


def problems(table=None, settings=None, environ=None):
    with pytest.raises(ConfigError) as caught:
        config(table, settings, environ)
    return [(str(problem.where), problem.what) for problem in caught.value.problems]


# --- what is read ---


def test_one_package_is_all_that_must_be_said(project):
    root = project('[tool.mamba-press]\npackages = ["zlib"]\n')
    assert read(root, None, {}) == Config(packages=("zlib",))


def test_every_key_of_the_table_arrives(project):
    root = project("""
        [tool.mamba-press]
        channels = ["./channel", "conda-forge"]
        packages = ["zlib 1.3.*"]
        constraints = ["openssl 3.*"]
        python = "3.10.*"
        platform = "manylinux_2_28_x86_64"
        offline = true
        exclude-newer = 2026-10-01T12:00:00+02:00
        placeholders = "error"
        hook = "tools/press_hook.py:adjust"
        select = { prune = ["krb5"], exclude = ["share/**"], include = ["share/zlib/**"] }
        [tool.mamba-press.layout]
        home = "zlib"
        move = { "share/x.txt" = "zlib/x.txt" }
        [tool.mamba-press.link]
        system = ["libcuda*"]
        rename = ["libssl*"]
        floor = "symbols"
        runtimes = { libstdcxx = "bundle", libgomp = "system" }
        [tool.mamba-press.wheel]
        compression = "store"
        """)
    got = read(root, None, {})
    assert got.channels == ("./channel", "conda-forge")
    assert got.packages == ("zlib 1.3.*",)
    assert got.constraints == ("openssl 3.*",)
    assert (got.python, got.platform, got.offline) == ("3.10.*", "manylinux_2_28_x86_64", True)
    assert got.exclude_newer == datetime(2026, 10, 1, 10, tzinfo=timezone.utc)
    assert (got.placeholders.mode, got.hook) == ("error", "tools/press_hook.py:adjust")
    assert (got.select.prune, got.select.exclude, got.select.include) == (("krb5",), ("share/**",), ("share/zlib/**",))
    assert (got.layout.home, got.layout.move) == ("zlib", {"share/x.txt": "zlib/x.txt"})
    assert (got.link.system, got.link.rename, got.link.floor) == (("libcuda*",), ("libssl*",), "symbols")
    assert (got.link.runtimes.libstdcxx, got.link.runtimes.libgomp) == ("bundle", "system")
    assert got.link.runtimes.libgcc == "auto"
    assert got.wheel.compression == "store"


def test_without_a_table_everything_may_come_from_the_front_end(project):
    root = project("[project]\nname = 'x'\n")
    assert read(root, {"packages": "zlib"}, {}).packages == ("zlib",)
    assert read(root, None, {"MAMBA_PRESS_PACKAGES": "zlib"}).packages == ("zlib",)


def test_a_setting_goes_over_a_variable_and_a_variable_over_the_file():
    table, environ, settings = {"python": "3.10"}, {"MAMBA_PRESS_PYTHON": "3.11"}, {"python": "3.12"}
    assert config(table).python == "3.10"
    assert config(table, None, environ).python == "3.11"
    assert config(table, settings, environ).python == "3.12"


def test_lists_are_replaced_and_tables_are_merged():
    table = {"channels": ["a", "b"], "layout": {"move": {"x": "p/x", "y": "p/y"}}, "link": {"runtimes": "bundle"}}
    got = config(table, {"channels": "c", "layout.move.y": "q/y", "link.runtimes.libgcc": "system"})
    assert got.channels == ("c",)
    assert got.layout.move == {"x": "p/x", "y": "q/y"}
    assert (got.link.runtimes.libgcc, got.link.runtimes.libstdcxx) == ("system", "bundle")


def test_what_is_for_all_runtimes_does_not_depend_on_where_it_stands():
    one, other = {"link.runtimes": "bundle"}, {"link.runtimes.libgcc": "system"}
    assert config(settings={**one, **other}) == config(settings={**other, **one})
    assert config(settings={**one, **other}).link.runtimes.libgcc == "system"


@pytest.mark.parametrize(
    "settings",
    [
        {"channels": ["a", "b"], "offline": "True", "link.runtimes.libgcc": "system"},
        {"mamba-press.channels": ["a", "b"], "mamba-press.offline": "1", "mamba-press.link.runtimes.libgcc": "system"},
        {"channels": ["a", "b"], "offline": True, "link": {"runtimes": {"libgcc": "system"}}},
        {"mamba-press": {"channels": ["a", "b"], "offline": 1, "link.runtimes": {"libgcc": "system"}}},
        {"channels": ["a", "b"], "offline": "on", "link": {"runtimes": "libgcc=system"}},
    ],
)
def test_the_shapes_of_all_front_ends_mean_the_same(settings):
    assert config(settings=settings) == config({"channels": ["a", "b"], "offline": True, "link": LIBGCC})


LIBGCC = {"runtimes": {"libgcc": "system"}}


@pytest.mark.parametrize("settings", [None, {}])
def test_no_settings_come_as_none_or_as_nothing(settings):
    assert config(settings=settings) == Config(packages=("zlib",))


@pytest.mark.parametrize("spelling", ["exclude-newer", "exclude_newer", "mamba_press.exclude_newer"])
def test_dashes_and_underscores_are_one_in_settings(spelling):
    got = config(settings={spelling: "2026-10-01"})
    assert got == replace(config(), exclude_newer=datetime(2026, 10, 1, 23, 59, 59, tzinfo=timezone.utc))


def test_names_below_a_mapping_stay_as_they_are_written():
    got = config(settings={"layout.move.lib/lib_x-1.so.2": "pkg/a.b_c-d"})
    assert got.layout.move == {"lib/lib_x-1.so.2": "pkg/a.b_c-d"}


def test_mappings_can_be_written_in_one_text():
    moved = {"a": "p/a", "b": "p/b=c"}
    assert config(environ={"MAMBA_PRESS_LAYOUT_MOVE": "a=p/a; b=p/b=c;"}).layout.move == moved
    assert config(settings={"layout.move": ["a=p/a", "b=p/b=c"]}).layout.move == moved


@pytest.mark.parametrize(
    "setting",
    [
        Setting("select.exclude", ("x",)),  # where it can be written, not where it stands
        Setting("requires"),  # of more than one source
        Setting("link"),  # a table of many keys
    ],
)
def test_an_error_names_no_setting_that_may_not_be_the_source(setting):
    assert as_given(setting, {"select.exclude": "y", "requires.a": "b", "link.strip": "1"}, {}) == str(setting)


def test_a_wrong_value_of_the_table_is_not_called_as_the_setting_above_it():
    settings = {"platform": "linux-64"}
    with pytest.raises(ConfigError) as caught:
        config({"platform": 3, "pyton": "3.12"}, settings)
    assert caught.value.told(lambda setting: as_given(setting, settings, {})) == (
        "the configuration cannot be used (2 problems)\n"
        "- tool.mamba-press.platform: found a number, expected a string\n"
        '  put it in quotes: platform = "…"\n'
        "- tool.mamba-press.pyton: unknown key\n"
        "  did you mean tool.mamba-press.python?"
    )


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("packges", ["-C packges"]),
        ("anything", ["-C anything"]),
        ("packages.x", ["-C packages.x"]),
        ("select.pythn-packages", ["-C select.pythn-packages", "pyproject.toml"]),
    ],
)
def test_a_table_that_is_not_there_is_told_unless_a_mistyped_key_explains_it(project, setting, told):
    with pytest.raises(ConfigError) as caught:
        read(project(""), {setting: "a"}, {})
    assert [str(problem.where) for problem in caught.value.problems] == told


def test_a_table_that_is_nearly_called_like_ours_is_named(tmp_path):
    tmp_path.joinpath("pyproject.toml").write_text('[tool.mamba_press]\npackages = ["zlib"]\n')
    with pytest.raises(ConfigError, match=r"did you mean it by \[tool.mamba_press\]\?"):
        read(tmp_path, None, {})


def test_a_list_can_be_emptied_by_a_setting():
    assert config({"constraints": ["openssl 3.*"]}, {"constraints": ""}).constraints == ()


def test_specs_with_semicolons_of_their_own_are_one_setting():
    assert config(settings={"channels": "https://example.org/a;b"}).channels == ("https://example.org/a;b",)


def test_variables_are_split_at_semicolons():
    assert config(environ={"MAMBA_PRESS_CHANNELS": "C:\\channel; conda-forge"}).channels == (
        "C:\\channel",
        "conda-forge",
    )


def test_an_empty_variable_is_not_set():
    assert config({"python": "3.10"}, None, {"MAMBA_PRESS_PYTHON": "", "MAMBA_PRESS_CHANNELS": " "}).python == "3.10"


def test_variables_that_are_no_keys_are_left_alone():
    environ = {"MAMBA_PRESS_WORKER": "python3.13", "MAMBA_ROOT_PREFIX": "/opt", "PRESS": "1", "mamba_press_x": "1"}
    assert config(environ=environ) == Config(packages=("zlib",))


@pytest.mark.parametrize(
    ("value", "expected"),
    [("true", True), ("false", False), (["libssl*"], ("libssl*",)), ("On", True), ("0", False), (True, True)],
)
def test_renaming_takes_a_claim_or_globs(value, expected):
    assert config(settings={"link.rename": value}).link.rename == expected


def test_renaming_is_decided_by_the_press_where_nothing_is_said():
    assert config().link.rename is None


LAST_SECOND = datetime(2026, 10, 1, 23, 59, 59, tzinfo=timezone.utc)
NOON = datetime(2026, 10, 1, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-10-01", LAST_SECOND),
        (date(2026, 10, 1), LAST_SECOND),
        ("2026-10-01T12:00:00Z", NOON),
        ("2026-10-01t12:00:00z", NOON),
        ("2026-10-01 12:00:00", NOON),
        ("2026-10-01T14:00:00+02:00", NOON),
        ("2026-10-01T12:00:00.5Z", NOON + timedelta(microseconds=500_000)),
        ("2026-10-01T12:00:00.123456789Z", NOON + timedelta(microseconds=123_456)),
        (datetime(2026, 10, 1, 12), NOON),  # noqa: DTZ001  (TOML's local date and time)
        (NOON.astimezone(timezone(timedelta(hours=-5))), NOON),
    ],
)
def test_a_date_means_its_last_second_and_a_time_itself(value, expected):
    got = config({"exclude-newer": value}).exclude_newer
    assert got == expected
    assert got.tzinfo is timezone.utc


# --- what is refused ---


@pytest.mark.parametrize(
    "value",
    [
        "yesterday",
        "20261001",
        "2026-13-01",
        "2026-10-01T25:00:00Z",
        "2026-10-01T12:00Z",
        "٢٠٢٦-١٠-٠١",
        "",
        "0001-01-01T00:00:00+23:00",
        20261001,
    ],
)
def test_what_is_no_date_is_refused(value):
    [(where, what)] = problems({"exclude-newer": value})
    assert where == "tool.mamba-press.exclude-newer"
    assert what.endswith('expected a date such as "2026-10-01" or a time such as "2026-10-01T12:00:00Z"')


@pytest.mark.parametrize(
    "path", ["/etc", "../x", "a/../../b", "a/..", "..", "C:/x", "a\\b", "", " ", ".", "./x", "a/./b", "a//b"]
)
def test_nothing_is_moved_out_of_the_wheel(path):
    [(where, what)] = problems({"layout": {"move": {"share": path}}})
    assert where == "tool.mamba-press.layout.move"
    assert what.startswith('"share": found "')


@pytest.mark.parametrize("path", ["...", "a/", "a/..b", "a..", "a/b.c", ".hidden", "a b"])
def test_dots_and_slashes_that_are_no_way_out_are_taken(path):
    assert config({"layout": {"move": {"share": path}}}).layout.move == {"share": path}


@pytest.mark.parametrize("hook", ["press_hook.py", "press_hook:adjust", ":adjust", "a.py:", "a.py:1", "a.py:b.c", ""])
def test_a_hook_names_a_file_and_a_function(hook):
    [(where, what)] = problems({"hook": hook})
    assert (where, what) == ("tool.mamba-press.hook", f'found "{hook}", expected "file.py:function"')


@pytest.mark.parametrize(
    "table",
    [
        {"packages": [""]},
        {"channels": ["a", " "]},
        {"python": ""},
        {"platform": "\t"},
        {"select": {"exclude": [""]}},
        {"link": {"system": [""]}},
        {"link": {"rename": [""]}},
    ],
)
def test_empty_texts_are_refused(table):
    [(_, what)] = problems(table)
    assert "that is not empty" in what


@pytest.mark.parametrize("text", ["a\nb", "a\x00b", "a\x1b[31mb", "a\udc80b"])
def test_what_cannot_be_written_in_a_line_is_refused_and_shown_escaped(text):
    [(_, what)] = problems({"packages": [text]})
    assert what == f'item 1: found "a\\u{ord(text[1]):04x}{text[2:]}", expected a string without control characters'


@pytest.mark.parametrize(
    ("settings", "near"),
    [
        ({"pyton": "3.10"}, "python"),
        ({"runtimes": "bundle"}, "link.runtimes"),
        ({"lnk.runtimes": "bundle"}, "link.runtimes"),
        ({"link.runtimes.libstdc": "bundle"}, "link.runtimes.libstdcxx"),
        ({"mamba-press.ofline": "1"}, "offline"),
        ({"wheel.compresion": "store"}, "wheel.compression"),
    ],
)
def test_a_mistyped_setting_gets_the_key_that_was_meant(settings, near):
    with pytest.raises(ConfigError) as caught:
        config(settings=settings)
    [problem] = caught.value.problems
    [spelling] = settings
    assert (str(problem.where), str(problem.what), str(problem.hint)) == (
        f"-C {spelling}",
        "unknown key",
        f"did you mean -C {near}?",
    )


def test_a_setting_for_a_whole_table_is_refused():
    assert problems(settings={"link": "bundle"}) == [("-C link", "is a table")]


def test_a_list_for_all_runtimes_is_refused():
    [(where, what)] = problems(settings={"link.runtimes": ["bundle", "system"]})
    assert (where, what) == ("-C link.runtimes", 'found "bundle", expected key=value;key=value')


def test_two_spellings_of_one_setting_are_a_contradiction():
    got = problems(settings={"exclude-newer": "2026-10-01", "exclude_newer": "2026-10-02"})
    assert got == [("-C exclude_newer", "given twice, also as -C exclude-newer")]


def test_a_wrong_value_for_all_runtimes_is_one_problem():
    assert len(problems({"link": {"runtimes": "bundel"}})) == 1


def test_an_unknown_runtime_in_a_text_is_refused():
    [(where, what)] = problems(environ={"MAMBA_PRESS_LINK_RUNTIMES": "libstdcxx=bundle;libfoo=system"})
    assert (where, what) == ("MAMBA_PRESS_LINK_RUNTIMES", "unknown key")


@pytest.mark.parametrize("value", ["a", "a=b;c", ["a=b", "c"], ["a=b", 3]])
def test_a_mapping_in_a_text_needs_both_sides(value):
    [(where, what)] = problems(settings={"layout.move": value})
    assert where == "-C layout.move"
    assert what.endswith("expected key=value;key=value")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1, "a number"),
        (1.5, "a number"),
        (True, "true"),
        ([], "an empty list"),
        (["x"], "a list of strings"),
        ([1], "a list"),
        ({}, "a table"),
        (date(2026, 1, 1), "a date"),
        (NOON, "a date and time"),
        (NOON.time(), "a time"),
        (None, "nothing"),
        (b"x", "something that is no TOML value"),
    ],
)
def test_what_was_found_is_said_in_the_words_of_toml(value, words):
    assert problems({"python": value}) == [("tool.mamba-press.python", f"found {words}, expected a string")]


def test_one_mistake_about_packages_is_one_problem(project):
    root = project('[tool.mamba-press]\npakages = ["zlib"]\n')
    with pytest.raises(ConfigError) as caught:
        read(root, None, {})
    assert len(caught.value.problems) == 1


# --- the file ---


@pytest.mark.parametrize(
    ("content", "where", "what"),
    [
        (b"\xff", "pyproject.toml:1", "is not UTF-8, as TOML has to be"),
        (b"a = 1\nb = '\xe4'\n", "pyproject.toml:2", "is not UTF-8, as TOML has to be"),
        (b"a = " + b"[" * 20_000, "pyproject.toml", "is nested too deeply"),
        (b"a" + b".a" * 5_000 + b" = 1", "pyproject.toml", "is nested too deeply"),
        (b"tool = 1\n", "tool", "found a number, expected a table"),
        (b"[tool]\nmamba-press = 'x'\n", "tool.mamba-press", 'found "x", expected a table'),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path, content, where, what):
    (tmp_path / "pyproject.toml").write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, None, {})
    assert (caught.value.problems[0].where, caught.value.problems[0].what) == (where, what)


def test_a_number_too_long_for_python_is_refused(project):
    with pytest.raises(ConfigError) as caught:
        read(project(f"a = {'1' * 5000}\n"), None, {})
    assert caught.value.problems[0].what.startswith("is not TOML: ")


def test_a_folder_in_place_of_the_file_is_refused(tmp_path):
    (tmp_path / "pyproject.toml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path, None, {})


def test_the_caret_stays_on_the_screen(project):
    with pytest.raises(ConfigError) as caught:
        read(project(f"a = '{'x' * 500}' b\n"), None, {})
    line, caret = caught.value.problems[0].hint.splitlines()
    assert max(len(line), len(caret)) <= 100
    assert line[len(caret) - 1] == "b"


# --- whole texts ---

WRONG = {
    "mistyped-key": '[tool.mamba-press]\npakages = ["zlib"]\n\n[tool.mamba-press.link]\nruntime = "bundle"\n',
    "wrong-type": """\
[tool.mamba-press]
packages = "zlib"
channels = ["conda-forge", 3]
python = 3.10
offline = "true"
placeholders = ["error"]
link = "bundle"

[tool.mamba-press.layout]
move = ["a", "b"]
""",
    "wrong-value": """\
[tool.mamba-press]
packages = ["zlib", ""]
exclude-newer = "yesterday"
placeholders = "eror"
hook = "press_hook.adjust"

[tool.mamba-press.layout]
home = "my-package"
move = { "share" = "../share" }

[tool.mamba-press.link]
runtimes = { libstdcxx = "bundel", libfoo = "system" }

[tool.mamba-press.wheel]
compression = "zstd"
environment = { DEMO_DATA = "../share" }
""",
    "broken": '[tool.mamba-press]\npackages = ["zlib"]\nchannels = ["conda-forge"\npython = "3.10"\n',
    "cut-off": '[tool.mamba-press]\npackages = ["zlib"',
    "no-table": '[project]\nname = "x"\n',
}


@pytest.mark.parametrize("name", WRONG)
def test_the_text_about_a_wrong_file_is_as_agreed(name, project, golden):
    with pytest.raises(ConfigError) as caught:
        read(project(WRONG[name]), None, {})
    golden(f"reader/{name}.txt", f"{caught.value}\n")


def test_the_text_about_a_missing_file_is_as_agreed(tmp_path, golden):
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, None, {})
    golden("reader/no-file.txt", f"{caught.value}\n".replace(str(tmp_path), "<project>"))


def test_the_text_about_unknown_settings_is_as_agreed(golden):
    settings = {"pyton": "3.10", "link": {"runtimes": "bundle", "flor": "symbols"}, "python": ["3.10", "3.11"]}
    with pytest.raises(ConfigError) as caught:
        config(
            settings={**settings, "offline": "maybe", "wheel.max-size": "fmt", "select": "x", "--global-option": "x"}
        )
    golden("reader/unknown-setting.txt", f"{caught.value}\n")


def test_the_text_about_unknown_variables_is_as_agreed(golden):
    environ = {"MAMBA_PRESS_CHANELS": "x", "MAMBA_PRESS_WHEEL_MAX_SIZE": "y", "MAMBA_PRESS_OFFLINE": "perhaps"}
    with pytest.raises(ConfigError) as caught:
        config(environ={**environ, "MAMBA_PRESS_QQQ": "", "MAMBA_PRESS_LAYOUT_MOVE": "a"})
    golden("reader/unknown-variable.txt", f"{caught.value}\n")


def test_the_text_about_several_mistakes_is_one_and_in_the_order_of_reading(project, golden):
    root = project('[tool.mamba-press]\npackages = ["zlib"]\nofline = true\npython = 3\n')
    with pytest.raises(ConfigError) as caught:
        read(root, {"link.rename": "", "wheel.compression": "gzip"}, {"MAMBA_PRESS_LINK_FLOOR": "glibc"})
    golden("reader/several.txt", f"{caught.value}\n")


# --- weight ---


def test_a_mistake_is_told_without_importing_anything_heavy(project):
    root = project('[tool.mamba-press]\npakages = ["zlib"]\n')
    code = """
import json, pathlib, sys
from mamba_press.config import reader
from mamba_press.errors import ConfigError
from mamba_press.problem import Setting
try:
    reader.read(pathlib.Path(sys.argv[1]), None, {})
except ConfigError as error:
    print(json.dumps([str(error), sorted(sys.modules)]))
"""
    done = subprocess.run([sys.executable, "-c", code, root], capture_output=True, text=True, check=True)
    text, modules = json.loads(done.stdout)
    assert "did you mean tool.mamba-press.packages?" in text
    heavy = {
        "rattler",
        "lief",
        "asyncio",
        "zipfile",
        "tarfile",
        "packaging",
        "argparse",
        "subprocess",
        "ssl",
        "logging",
    }
    assert heavy.isdisjoint(modules)


# --- the inner backend's settings ---

INNER = {"build-backend": "mesonpy"}


def inner(settings, table=INNER):
    return dict(from_values(table, settings, {}).config_settings)


def test_with_an_inner_backend_settings_that_are_none_of_ours_are_its_own():
    given = {"setup-args": ["-Da", "-Db"], "wheel.py-api": "cp312", "build": ["cmake"], "build.verbose": True}
    assert inner(given) == {"setup-args": ("-Da", "-Db"), "wheel.py-api": "cp312", "build.verbose": "true"}
    assert from_values(INNER, given, {}).build == ("cmake",)


def test_an_inner_backend_that_is_named_by_a_setting_gets_settings_too():
    assert inner({"anything": "1", "build_backend": "mesonpy"}, {}) == {"anything": "1"}


def test_settings_go_over_the_table_key_by_key_and_tables_in_it_are_keys_with_dots():
    table = {**INNER, "config-settings": {"cmake": {"define": {"A": "1", "B": "2"}}, "build-dir": "x"}}
    expected = {"cmake.define.A": "3", "cmake.define.B": "2", "build-dir": "x", "install.strip": "false"}
    assert inner({"cmake.define.A": "3", "config-settings.install.strip": "false"}, table) == expected


def test_a_setting_that_is_nearly_one_of_ours_is_refused_and_can_be_handed_on_nevertheless():
    with pytest.raises(ConfigError, match=r"did you mean -C offline\?.*-C config-settings\.offlne=") as caught:
        inner({"offlne": "1"})
    assert [problem.where for problem in caught.value.problems] == ["-C offlne"]
    assert inner({"config-settings.offlne": "1"}) == {"offlne": "1"}


def test_a_setting_that_says_it_is_ours_never_goes_to_the_inner_backend():
    with pytest.raises(ConfigError, match="unknown key"):
        inner({"mamba-press.wheel.py-api": "cp312"})


@pytest.mark.parametrize("value", [1.5, [None], {"a": 1}])
def test_what_is_no_text_is_no_setting_of_an_inner_backend(value):
    with pytest.raises(ConfigError, match="expected a string"):
        inner(None, {**INNER, "config-settings": {"key": value}})


def test_with_an_inner_backend_no_package_has_to_be_named():
    assert from_values(INNER, None, {}).packages == ()
    with pytest.raises(ConfigError) as caught:
        from_values({"build-backend": "no module"}, None, {})
    assert [str(problem.where) for problem in caught.value.problems] == ["tool.mamba-press.build-backend"]


def test_a_setting_that_no_terminal_can_show_is_escaped_wherever_it_is_named():
    with pytest.raises(ConfigError) as caught:
        from_values({}, {"build-backend": "x", "build-backend.\ud7fc": "y"}, {})
    assert all(line.isprintable() for line in str(caught.value).split("\n"))
    assert "config-settings.build-backend.\\ud7fc" in str(caught.value)
