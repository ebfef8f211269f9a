"""What the two front doors share: the order, the errors of the machine, the date, the hand-over of the solve."""

from __future__ import annotations

import pytest

from mamba_press.errors import ConfigError
from mamba_press.pipeline import build, hooks, matrix, read_project


# --- the inner backend
@pytest.mark.parametrize("make", ["list", "press", "series", "wheel", "editable", "sdist", "metadata"])
def test_an_inner_backend_that_is_not_there_is_told_before_a_channel_is_asked(root, monkeypatch, make):
    monkeypatch.chdir(root)
    table = 'build-backend = "nowhere"\nhost = ["zlib"]\nchannels = ["no-such-folder"]\n'
    root.joinpath("pyproject.toml").write_text(f'[project]\nname = "x"\nversion = "1"\n[tool.mamba-press]\n{table}')
    made = {
        "list": lambda: build.pressed(read_project.order(root, {}, {})).__enter__(),
        "press": lambda: build.make(read_project.order(root, {}, {}), root / "dist"),
        "series": lambda: matrix.press([read_project.order(root, {}, {})] * 2, root / "dist"),
        "wheel": lambda: hooks.wheel("dist", {}, None, environ={}),
        "editable": lambda: hooks.wheel("dist", {}, None, environ={}, state="editable"),
        "sdist": lambda: hooks.sdist("dist", {}, environ={}),
        "metadata": lambda: hooks.metadata("dist", {}, environ={}, state="metadata_editable"),
    }
    with pytest.raises(ConfigError, match="'nowhere' cannot be imported: No module named 'nowhere'"):
        made[make]()


# --- the date
@pytest.mark.parametrize(
    ("text", "expected"),
    [(None, None), ("", None), (" ", None), ("0", 0), (" 1600000000 ", 1600000000), ("4294967295", 4294967295)],
)
def test_the_epoch_is_seconds_or_none(text, expected):
    assert build.epoch({} if text is None else {"SOURCE_DATE_EPOCH": text}) == expected


@pytest.mark.parametrize(
    "text", ["yesterday", "-1", "1.5", "1e9", "½", "\N{SUPERSCRIPT TWO}", "4294967296", "9" * 5000]
)
def test_an_epoch_that_is_no_number_of_seconds_is_refused(text):
    with pytest.raises(ConfigError, match="SOURCE_DATE_EPOCH"):
        build.epoch({"SOURCE_DATE_EPOCH": text})


# --- the cache of compressed files
@pytest.mark.parametrize(
    ("table", "environ", "is_there"),
    [
        ("", {}, True),
        ("", {"CI": "true"}, False),
        ("", {"CI": ""}, True),
        ('wheel.cache = "10 MB"', {"CI": "true"}, True),
        ('wheel.cache = "0 B"', {}, False),
        ("", {"MAMBA_PRESS_WHEEL_CACHE": "0 B"}, False),
    ],
)
def test_compressed_files_are_kept_unless_a_ci_service_or_the_configuration_says_no(root, table, environ, is_there):
    text = f'[project]\nname = "x"\nversion = "1"\n[tool.mamba-press]\npackages = ["zlib"]\n{table}\n'
    root.joinpath("pyproject.toml").write_text(text)
    environ = {**environ, "RATTLER_CACHE_DIR": str(root / "cache")}
    with build.entries_cache(read_project.order(root, {}, environ)) as cache:
        assert (cache is not None) == is_there
    assert build.entries_folder(environ) == root / "cache" / "mamba-press-entries"
    assert (root / "cache").exists() == is_there
