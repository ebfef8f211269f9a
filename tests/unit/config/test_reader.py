from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timezone

import pytest

from mamba_press.config.model import Config
from mamba_press.config.reader import as_given, from_values, read
from mamba_press.errors import ConfigError, Setting


def config(table=None, settings=None, environ=None) -> Config:
    return from_values({"packages": ["zlib"], **(table or {})}, settings, environ or {})


def problems(table=None, settings=None, environ=None):
    with pytest.raises(ConfigError) as caught:
        config(table, settings, environ)
    return [(str(problem.where), problem.what) for problem in caught.value.problems]


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


def test_one_mistake_about_packages_is_one_problem(project):
    root = project('[tool.mamba-press]\npakages = ["zlib"]\n')
    with pytest.raises(ConfigError) as caught:
        read(root, None, {})
    assert len(caught.value.problems) == 1


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


def test_a_mistake_is_told_without_importing_anything_heavy(project):
    root = project('[tool.mamba-press]\npakages = ["zlib"]\n')
    code = """
import json, pathlib, sys
from mamba_press.config import reader
from mamba_press.errors import ConfigError
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
