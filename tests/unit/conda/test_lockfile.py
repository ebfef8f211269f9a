from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from mamba_press.conda import lockfile
from mamba_press.config.model import Config
from mamba_press.pipeline import solve
from mamba_press.types import Python, VirtualPackage
from tests.support.records import TARGET, at, held, package, solution


def test_a_lock_carries_no_credentials():
    mine = package(url="https://u:p@example.org/t/secret/channel/linux-64/a.conda", channel="https://u:p@example.org/x")
    config = Config(channels=("https://u:p@example.org/t/secret/channel",))
    text = json.dumps(lockfile.entry(solution(TARGET, mine), solve.stated(config)))
    assert "https://example.org/channel" in text
    assert "secret" not in text
    assert "u:p" not in text


def test_environments_are_named_by_python_and_platforms_by_floor():
    named = [
        (entry["environment"], entry["platform"], entry["virtual"])
        for entry in (
            lockfile.entry(solution(target), {})
            for target in (
                TARGET,
                replace(TARGET, python=Python(minor=14, free_threaded=True), floor=None),
                replace(TARGET, system="osx", subdir="osx-arm64", floor=(11, 0)),
            )
        )
    ]
    assert named == [
        ("py310", "linux-64-glibc-2-28", ["__glibc=2.28"]),
        ("py314t", "linux-64", []),
        ("py310", "osx-arm64-osx-11-0", ["__osx=11.0"]),
    ]


LOCK = """\
environments:
  py310:
    channels:
    - url: {url}channel/
    - url: {url}
    - url: https://example.org/file/
    packages:
      linux-64:
      - conda: {quote}{folder}channel/linux-64/a-1-0.conda{quote}
packages:
- conda: {quote}{folder}channel/linux-64/a-1-0.conda{quote}
  channel: {url}channel
- conda: https://example.org/file/b.conda
"""


def lock_text(folder: Path) -> str:
    path = folder.as_posix().replace("'", "''") + "/"
    return LOCK.format(url=f"{folder.as_uri()}/", folder=path, quote="'" if "#" in path or "'" in path else "")


def locations(text: str) -> list[str]:
    """Every location of a lock, whatever its quotes."""
    return [line.split(": ", 1)[1].strip("'").replace("''", "'") for line in text.splitlines() if ": " in line]


@pytest.mark.parametrize("name", ["here", "here too", "it's here #1", "hier ü"])
def test_what_lies_beside_a_lock_moves_with_it(tmp_path, name):
    here, there = tmp_path / name, tmp_path / "there (1)"
    portable = lockfile.portable(lock_text(here), here)
    assert tmp_path.name not in portable
    assert portable.count("- conda: './channel/linux-64/a-1-0.conda'") == 2
    assert locations(lockfile.absolute(portable, there)) == locations(lock_text(there))


def test_what_lies_elsewhere_stays_as_it_is(tmp_path):
    text = lock_text(tmp_path / "here-not")
    assert lockfile.portable(text, tmp_path / "here") == text
    assert lockfile.absolute(text, tmp_path / "here") == text


def test_a_lock_is_used_for_exactly_its_target():
    bound = package(depends=("python_abi 3.10.* *_cp310",))
    targets = (at((2, 17)), at((2, 28)), replace(at((2, 28)), python=Python(minor=11)))
    entries = [held(target, bound) for target in targets]
    assert lockfile.best(entries, at((2, 28), "manylinux_2_28_x86_64")) is entries[1]
    assert lockfile.best(entries, at((2, 34), "manylinux_2_34_x86_64")) is None
    assert lockfile.best(entries, replace(at((2, 28)), python=Python(minor=12))) is None
    assert lockfile.best(entries, replace(at((2, 28)), subdir="linux-aarch64")) is None


@pytest.mark.parametrize(("environment", "python"), [("py310", "3.10"), ("py314t", "3.14t"), ("default", None)])
def test_an_environment_of_a_lock_tells_its_python(environment, python):
    found = held(TARGET)
    assert replace(found, entry={**found.entry, "environment": environment}).python == python


def test_a_floor_that_nobody_asked_for_accepts_what_was_solved_for_a_lower_one():
    entries = [held(at((2, 17))), held(at((2, 28)))]
    assert lockfile.best(entries, at((2, 39))) is entries[1]
    assert lockfile.best(entries, at((2, 26))) is entries[0]


def test_what_was_solved_for_a_higher_floor_is_used_where_its_packages_ask_for_no_more():
    modest, modern = (package(depends=(f"__glibc >={version},<3.0.a0", "__unix")) for version in ("2.17", "2.34"))
    assert lockfile.best([held(at((2, 39)), modest)], at((2, 28))) is not None
    assert lockfile.best([held(at((2, 39)), modern, modest)], at((2, 28))) is None
    assert lockfile.best([held(at((2, 39)), modest)], at((2, 28), "manylinux_2_28_x86_64")) is None


def test_another_target_is_pinned_to_the_pressed_version():
    config = Config(packages=("greet >=1", "zlib"))
    entries = [held(TARGET, package("greet", version="1.5"), package("zlib", version="2"), config=config)]
    other = replace(TARGET, python=Python(minor=13))
    assert lockfile.pins(entries, other, {"greet": "greet >=1", "unknown": "unknown"}) == ("greet ==1.5",)
    assert lockfile.pins(entries, other, {"greet": "greet >=2"}) == ()


def test_a_lock_says_what_it_was_made_for():
    newest = datetime(2026, 10, 1, tzinfo=timezone.utc)
    config = Config(channels=("./a: b", "ü"), packages=('x "1"',), constraints=("y",), exclude_newer=newest)
    asked = solve.stated(
        config, [VirtualPackage(name="__glibc", version="2"), VirtualPackage(name="__cuda", version="12")]
    )
    entry = {
        **lockfile.entry(solution(), asked),
        "contents": {"a-1-0.conda": {"folders": ["a-1.dist-info"], "files": 3}},
    }
    other = {**lockfile.entry(solution(replace(TARGET, python=Python(minor=9))), {"packages": ["z"]}), "contents": {}}
    text = lockfile.stamped("version: 7\npackages: []\n", [entry, other])
    assert text.startswith("version: 7\npackages: []\n")
    assert lockfile.stamps(text) == (
        {"py310 linux-64-glibc-2-28": asked, "py39 linux-64-glibc-2-28": {"packages": ["z"]}},
        {"a-1-0.conda": {"folders": ["a-1.dist-info"], "files": 3}},
    )
    assert asked["virtual-packages"] == ["__cuda=12=0"]
    assert lockfile.stamps("version: 7\n") == ({}, {})


def test_a_stamp_nested_without_end_is_no_json():
    with pytest.raises(ValueError, match=r"^what it says of mamba-press is nested too deeply$"):
        lockfile.stamps("mamba-press:\n  default linux-64:\n    packages: " + "[" * 100_000 + "\n")


@pytest.mark.parametrize(
    ("before", "after", "where", "what"),
    [
        (
            Config(packages=("a", "b")),
            Config(packages=("a", "c")),
            "tool.mamba-press.packages",
            "now 'c', no longer 'b'",
        ),
        (
            Config(packages=("a", "b")),
            Config(packages=("b", "a")),
            "tool.mamba-press.packages",
            "now in the order 'b', 'a'",
        ),
        (Config(), Config(constraints=("x",)), "tool.mamba-press.constraints", "now 'x'"),
        (Config(host=("x",)), Config(), "tool.mamba-press.host", "no longer 'x'"),
        (Config(), Config(build=("x",)), "tool.mamba-press.build", "now 'x'"),
        (
            Config(channels=("one",)),
            Config(channels=("two",)),
            "tool.mamba-press.channels",
            "now 'two', no longer 'one'",
        ),
        (
            Config(),
            Config(exclude_newer=datetime(2026, 10, 1, tzinfo=timezone.utc)),
            "tool.mamba-press.exclude-newer",
            "now 2026-10-01T00:00:00+00:00, then none",
        ),
    ],
)
def test_what_changed_since_a_lock_was_made_is_told_key_by_key(before, after, where, what, tmp_path):
    [problem] = lockfile.changed(held(TARGET, config=before), solve.stated(after), tmp_path)
    assert str(problem.where) == where
    assert problem.what.startswith("mamba-press.lock was made for other ")
    assert problem.what.endswith(f": {what}")
    assert "`mamba-press lock`" in problem.hint
    assert lockfile.changed(held(TARGET, config=after), solve.stated(after), tmp_path) == ()


def test_what_a_machine_offers_is_part_of_what_a_lock_was_made_for(tmp_path):
    now = solve.stated(Config(), [VirtualPackage(name="__cuda", version="12.4")])
    [problem] = lockfile.changed(held(TARGET), now, tmp_path)
    assert (problem.where, problem.what) == (
        "the target",
        "mamba-press.lock was made for other virtual packages: now '__cuda=12.4=0'",
    )


def test_a_channel_may_be_spelled_otherwise(tmp_path):
    entry = held(TARGET, config=Config(channels=("./a/../b",)))
    assert lockfile.changed(entry, solve.stated(Config(channels=(str(tmp_path / "b"),))), tmp_path) == ()


def test_a_name_in_a_lock_is_no_folder_either(tmp_path):
    tmp_path.joinpath("channel").mkdir()
    entry = held(TARGET, config=Config(channels=("channel",)))
    [problem] = lockfile.changed(entry, solve.stated(Config(channels=("./channel",))), tmp_path)
    assert problem.what.endswith("now './channel', no longer 'channel'")
    assert lockfile.gone(held(TARGET, config=Config(channels=("gone", "a/b"))), tmp_path) == ()
    assert lockfile.gone(held(TARGET, config=Config(channels=("./gone", "a/b"))), tmp_path) == ("./gone",)


def test_a_lock_that_does_not_say_what_it_was_made_for_is_not_used(tmp_path):
    [problem] = lockfile.changed(replace(held(TARGET), asked=None), {}, tmp_path)
    assert problem.what == "does not say what it was made for"
