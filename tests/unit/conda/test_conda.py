"""What of `conda` needs no rattler: channels, texts, the hand-over, the lock's text, reading a prefix, the process."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import tracemalloc
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

from mamba_press import interrupts
from mamba_press.conda import channels, errors, fetch, lockfile, prefix, process, records, solver
from mamba_press.conda.worker import package_check
from mamba_press.config.model import Config
from mamba_press.errors import ConfigError, ContentError, FetchError, SolveError
from mamba_press.pipeline import solve
from mamba_press.types import Package, Python, Solution, Target, VirtualPackage
from tests.support.values import specs

TARGET = Target(system="linux", arch="x86_64", subdir="linux-64", python=Python(minor=10), floor=(2, 28))

posix = pytest.mark.skipif(os.name == "nt", reason="interpreters are faked with shell scripts")


def package(name: str = "greet", **changes: object) -> Package:
    values: dict[str, object] = {
        "version": "1.0",
        "build": "h1_0",
        "build_number": 0,
        "channel": "https://example.org/channel/",
        "subdir": "linux-64",
        "url": f"https://example.org/channel/linux-64/{name}-1.0-h1_0.conda",
        "file_name": f"{name}-1.0-h1_0.conda",
    }
    lines = {key: specs(*changes[key]) for key in ("depends", "constrains") if key in changes}  # type: ignore[misc]
    return Package(name=name, **{**values, **changes, **lines})  # type: ignore[arg-type]


# Channels


@pytest.mark.parametrize(
    "channel", ["conda-forge", "bioconda", "conda-forge/label/rust_dev", "https://example.org/t/a/b", "oci://ghcr.io/x"]
)
def test_names_and_urls_stay_as_they_are(tmp_path, channel):
    assert channels.urls([channel], tmp_path) == (channel,)


@pytest.mark.parametrize("channel", ["./channel", "./sub/../channel", "../{here}/channel"])
def test_relative_paths_start_at_the_project(tmp_path, channel):
    (tmp_path / "channel").mkdir()
    channel = channel.replace("{here}", tmp_path.name)
    assert channels.urls([channel], tmp_path) == ((tmp_path / "channel").as_uri(),)


def test_absolute_paths_and_file_urls_name_the_same_folder(tmp_path):
    folder = tmp_path / "a channel"
    folder.mkdir()
    assert set(channels.urls([str(folder), folder.as_uri()], Path("/elsewhere"))) == {folder.as_uri()}


def test_a_relative_root_gives_an_absolute_url(tmp_path, monkeypatch):
    (tmp_path / "channel").mkdir()
    monkeypatch.chdir(tmp_path)
    assert channels.urls(["./channel"], Path()) == ((tmp_path / "channel").as_uri(),)


def test_every_missing_folder_is_reported_with_the_ways_out(tmp_path, golden):
    with pytest.raises(ConfigError) as raised:
        channels.urls(["../one", "conda-forge", "./two/three"], tmp_path)
    text = str(raised.value).replace(str(tmp_path.parent), "<above>").replace(tmp_path.name, "<project>")
    golden("channel-folders-not-there.txt", text + "\n")


@pytest.mark.parametrize("channel", ["./" + "x" * 300, "~nobody-of-this-name/channel", "C:\\no\\channel"])
def test_a_path_that_no_folder_can_have_is_a_folder_that_is_not_there(tmp_path, channel):
    with pytest.raises(ConfigError, match="is a folder that is not there"):
        channels.urls([channel], tmp_path)


def test_channels_outside_the_project_are_told_from_those_that_travel(tmp_path):
    project = tmp_path / "project"
    (project / "channel").mkdir(parents=True)
    (tmp_path / "beside").mkdir()
    named = ["conda-forge", "channel", "./channel", "../beside", str(tmp_path / "beside"), "https://example.org/x"]
    assert channels.outside(named, project) == ("../beside", str(tmp_path / "beside"))
    assert channels.inside(named, project) == ("channel",)


def test_the_error_of_a_channel_that_has_the_name_of_a_folder_says_how_to_write_the_folder():
    facts = {"wrong": [{"channel": "a/b", "text": "404"}, {"channel": "c", "text": "404"}], "alike": ("a/b",)}
    error = errors.translate(process.RefusedError("channels", facts), TARGET)
    assert str(error) == (
        "the packages cannot be fetched (2 problems)\n"
        "- channel a/b: there is no linux-64/repodata.json at that address\n"
        "  'a/b' is taken as a channel's name; for the folder of that name write './a/b'\n"
        "  look at the spelling in tool.mamba-press.channels\n"
        "- channel c: there is no linux-64/repodata.json at that address\n"
        "  look at the spelling in tool.mamba-press.channels"
    )


def test_a_text_that_names_no_channel_is_an_error_of_the_configuration():
    facts = {"wrong": [{"channel": "a b:/c", "text": "invalid channel: not a URL"}]}
    error = errors.translate(process.RefusedError("channels", facts), TARGET)
    assert str(error) == (
        "the configuration cannot be used\n"
        "- channel a b:/c: invalid channel: not a URL\n"
        "  write a name such as conda-forge, a URL, or a path that begins with ./ or /"
    )


def test_servers_that_say_nothing_are_named_three_at_most_without_credentials():
    addresses = ["https://user:secret@one.example/a", *(f"https://{each}.example/a" for each in ("two", "three", "f"))]
    error = errors.silent({"addresses": addresses, "seconds": 60.0})
    assert str(error) == (
        "the packages cannot be fetched\n"
        "- https://one.example/a, https://two.example/a, https://three.example/a (and 1 more): "
        "no byte came for 60 seconds\n"
        "  try again; if the server stays silent, name a mirror or a folder in tool.mamba-press.channels, "
        "or build from the cache with offline = true"
    )


def test_a_process_that_does_nothing_is_told():
    error = errors.silent({"addresses": [], "seconds": 60.0})
    assert str(error) == (
        "the packages cannot be fetched\n"
        "- rattler's process: it did nothing for 60 seconds, and was ended\n"
        "  try again; if it fails every time, check the memory and the limits of this machine"
    )


def test_a_channel_that_was_had_by_the_name_of_a_folder_is_told_of_once(capsys):
    question = solver.Question(packages=("greet",), target=TARGET, channels=("a/b",), virtual=(), alike=("a/b",))
    solution = Solution(target=TARGET, packages=(), channels=("a/b",))
    solver.note_alike([question] * 3, [solution, SolveError(), FetchError()])
    said = "mamba-press: 'a/b' is taken as a channel's name; for the folder of that name write './a/b'\n"
    assert capsys.readouterr().err == said
    solver.note_alike([question], [FetchError()])
    assert capsys.readouterr().err == ""


# Specs


@pytest.mark.parametrize(
    ("python", "abi"),
    [
        (Python(minor=6), "python_abi 3.6.* *_cp36m"),
        (Python(minor=10), "python_abi 3.10.* *_cp310"),
        (Python(minor=14, free_threaded=True), "python_abi 3.14.* *_cp314t"),
    ],
)
def test_a_solve_is_bound_to_one_abi(python, abi):
    assert solver.python_specs(python)[1] == abi


def test_what_is_no_conda_package_is_refused():
    wheel = package("wheely", url="https://example.org/wheely-1.0-py3-none-any.whl", file_name="wheely-1.0-0.whl")
    with pytest.raises(SolveError, match=r"wheely-1\.0-0\.whl', which is no conda package"):
        records.refuse_foreign([package(), wheel])


BEYOND = {
    "version": (
        {"version": "9" * 100_000},
        "its record has a version of 100,000 characters; at most 200 are accepted",
    ),
    "build": ({"build": "b" * 201}, "its record has a build of 201 characters; at most 200 are accepted"),
    "license": (
        {"license": " AND ".join(["MIT"] * 20_000)},
        "its record has a license of 159,995 characters; at most 10,000 are accepted",
    ),
    "path": ({"build": "a/b"}, "its record has the build 'a/b'; a build is of letters, digits and _ . +"),
    "dependencies": (
        {"depends": tuple(f"p{number}" for number in range(100_000))},
        "its record has 100,000 dependencies; at most 10,000 are accepted",
    ),
    "dependency": (
        {"constrains": ("python " + ",".join(f"!=3.{minor}" for minor in range(1_000)),)},
        "its record has a dependency of 7,896 characters; at most 2,000 are accepted",
    ),
}


@pytest.mark.parametrize("key", BEYOND)
def test_a_record_beyond_all_bounds_is_refused(key):
    changes, what = BEYOND[key]
    with pytest.raises(SolveError) as caught:
        records.refuse_foreign([package(), package("evil", **changes)])
    [problem] = caught.value.problems
    assert problem.what == what
    assert problem.where.startswith("evil of ")


# The hand-over


def test_a_solution_survives_the_hand_over_exactly():
    solution = Solution(
        target=replace(TARGET, python=Python(minor=14, free_threaded=True), tag="manylinux_2_28_x86_64"),
        packages=(
            package(depends=("a", "b >=1"), constrains=("c",), sha256="00", timestamp=1, noarch="python"),
            package("other", requested=True, license="MIT", site_packages="lib/python3.14t/site-packages"),
            replace(
                package(depends=("a[when='__unix', extras=[x, y]]",)), extra_depends={"x": specs("c")}, flags=("cuda",)
            ),
        ),
        channels=("conda-forge", "file:///x"),
    )
    assert records.from_json(records.to_json(solution)) == solution


def test_a_solution_without_floor_survives_the_hand_over():
    solution = Solution(target=replace(TARGET, floor=None), packages=(), channels=())
    assert records.from_json(records.to_json(solution)) == solution


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"target": 1}', '{"target": {"floor": 1}}'])
def test_any_other_text_is_no_solution(text):
    with pytest.raises(ValueError, match=r"."):
        records.from_json(text)


# The cache


def test_the_cache_is_the_one_of_rattler_and_pixi(tmp_path):
    assert process.cache_folder({"RATTLER_CACHE_DIR": str(tmp_path)}) == tmp_path
    assert process.cache_folder({}).parts[-2:] == ("rattler", "cache")


@pytest.mark.skipif(sys.platform != "linux", reason="XDG is Linux's")
def test_the_cache_follows_xdg(tmp_path):
    assert process.cache_folder({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "rattler" / "cache"


# Texts


def test_what_a_damaged_archive_puts_into_an_error_is_not_printed():
    text = errors.clean("failed to link x\nCaused by: bad name \x00\x1b[31m" + "a " * 400 + "\nCaused by: no link name")
    assert "\x1b" not in text
    assert "\n" not in text
    assert len(text) < 500
    assert text.endswith("no link name")


def test_a_long_explanation_keeps_its_head_and_its_end():
    text = errors.explanation("Cannot solve the request because of: " + "\n".join(f"line {n}" for n in range(100)))
    assert text.startswith("line 0\n")
    assert text.endswith("line 99")
    assert "… 72 lines more" in text


def test_a_named_python_and_a_floor_that_is_too_low_become_hints():
    facts = {
        "missing": [],
        "empty": False,
        "found": [{"name": "a", "spec": "a", "fits": True, "versions": ["1"], "pythons": ["3.11", "3.12"]}],
        "virtual": [["__glibc", "2.17", "0"]],
        "keys": ["packages"],
        "text": "a 1 would require\n└─ __glibc >=2.28, for which no candidates were found",
    }
    error = errors.translate(process.RefusedError("solve", facts), TARGET)
    assert isinstance(error, SolveError)
    assert "3.11, 3.12: see tool.mamba-press.python" in str(error)
    assert "__glibc >=2.28 is asked for, the target has 2.17: see tool.mamba-press.platform" in str(error)


# The lock


def solution(target: Target = TARGET, *packages: Package) -> Solution:
    return Solution(target=target, packages=packages, channels=("https://u:p@example.org/t/secret/channel",))


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


def held(target: Target, *packages: Package, config: Config | None = None) -> lockfile.Held:
    asked = solve.stated(config or Config())
    return lockfile.Held(entry=lockfile.entry(solution(target), asked), packages=packages, asked=asked)


def at(floor: tuple[int, int] | None, tag: str | None = None) -> Target:
    return replace(TARGET, floor=floor, tag=tag)


def test_a_lock_is_used_for_exactly_its_target():
    bound = package(depends=("python_abi 3.10.* *_cp310",))
    targets = (at((2, 17)), at((2, 28)), replace(at((2, 28)), python=Python(minor=11)))
    entries = [held(target, bound) for target in targets]
    assert lockfile.best(entries, at((2, 28), "manylinux_2_28_x86_64")) is entries[1]
    assert lockfile.best(entries, at((2, 34), "manylinux_2_34_x86_64")) is None
    assert lockfile.best(entries, replace(at((2, 28)), python=Python(minor=12))) is None
    assert lockfile.best(entries, replace(at((2, 28)), subdir="linux-aarch64")) is None


@pytest.mark.parametrize(
    ("found", "serves"),
    [
        ({"name": "zlib"}, True),
        ({"name": "zlib", "depends": ("python_abi 3.10.* *_cp310",)}, False),
        ({"name": "zlib", "depends": ("python >=3.8",)}, False),
        ({"name": "zlib", "depends": ("python-dateutil",)}, True),
        ({"name": "zlib", "noarch": "python"}, False),
        ({"name": "python"}, False),
    ],
)
def test_a_solution_in_which_nothing_depends_on_python_is_for_every_python(found, serves):
    entries = [held(at((2, 17)), package(**found)), held(at((2, 28)), package(**found))]
    other = replace(at((2, 28)), python=Python(minor=14, free_threaded=True))
    assert lockfile.best(entries, other) is (entries[1] if serves else None)
    assert lockfile.best(entries, replace(other, subdir="linux-aarch64")) is None


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
    assert problem.where == where
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


# An installed prefix


def installed(tmp_path: Path, *paths: dict[str, object], name: str = "greet") -> Path:
    """Write what rattler leaves behind for one package; the files themselves are the test's."""
    root = tmp_path / "prefix"
    record = {"extracted_package_dir": str(tmp_path / "cache" / name), "paths_data": {"paths": list(paths)}}
    meta = root / "conda-meta" / f"{name}-1.0-h1_0.json"
    meta.parent.mkdir(parents=True, exist_ok=True)
    meta.write_text(json.dumps(record))
    return root


def write(path: Path, text: str = "x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def link(root: Path, path: str, target: str) -> dict[str, object]:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).symlink_to(target)
    return {"_path": path, "path_type": "softlink"}


@posix
def test_a_chain_of_symlinks_ends_at_the_real_file(tmp_path):
    root = tmp_path / "prefix"
    write(root / "lib/libz.so.1.2")
    write(tmp_path / "cache/greet/lib/libz.so.1.2")
    stated = hashlib.sha256(b"x").hexdigest()
    paths = [
        {"_path": "lib/libz.so.1.2", "path_type": "hardlink", "sha256": stated, "file_mode": "binary"},
        link(root, "lib/libz.so.1", "libz.so.1.2"),
        link(root, "lib/libz.so", "./libz.so.1"),
    ]
    paths[0]["prefix_placeholder"] = "/placeholder"
    environment = prefix.read(installed(tmp_path, *paths), [package()], [])
    shown = [(file.path, file.link, file.sha256, file.placeholder) for file in environment.files]
    assert shown == [
        ("lib/libz.so", "lib/libz.so.1.2", stated, "binary"),
        ("lib/libz.so.1", "lib/libz.so.1.2", stated, "binary"),
        ("lib/libz.so.1.2", None, stated, "binary"),
    ]
    assert {file.source for file in environment.files} == {environment.prefix / "lib/libz.so.1.2"}


@posix
def test_a_symlink_that_was_installed_as_a_file_is_refused(tmp_path):
    root = tmp_path / "prefix"
    write(root / "lib/libz.so.1")
    paths = [{"_path": "lib/libz.so.1", "path_type": "softlink"}]
    with pytest.raises(ContentError) as refused:
        prefix.read(installed(tmp_path, *paths), [package()], [])
    assert str(refused.value) == (
        "the packages cannot be pressed\n"
        "- greet: lib/libz.so.1: is a symlink in the package, and was installed as a file\n"
        "  let TMPDIR name a folder that takes symlinks; where it does, try again"
    )


@posix
def test_a_symlink_to_a_folder_becomes_its_files(tmp_path):
    root = tmp_path / "prefix"
    write(root / "share/terminfo/x/xterm")
    paths = [{"_path": "share/terminfo/x/xterm", "path_type": "hardlink"}, link(root, "lib/ti", "../share/terminfo")]
    environment = prefix.read(installed(tmp_path, *paths), [package()], [])
    shown = [(file.path, file.link) for file in environment.files]
    assert shown == [("lib/ti/x/xterm", "share/terminfo/x/xterm"), ("share/terminfo/x/xterm", None)]


@posix
def test_symlinks_that_end_nowhere_leave_and_are_told(tmp_path):
    root = tmp_path / "prefix"
    write(tmp_path / "outside")
    paths = [
        link(root, "lib/gone", "missing"),
        link(root, "lib/out", "../../outside"),
        link(root, "lib/self", "."),
        link(root, "lib/all", ".."),
        link(root, "lib/loop", "loop"),
    ]
    notes: list[str] = []
    environment = prefix.read(installed(tmp_path, *paths), [package()], notes)
    assert environment.files == ()
    assert len(notes) == 1
    assert "greet 1.0 h1_0" in notes[0]
    assert "and 2 more" in notes[0]


def test_generated_scripts_are_not_of_the_package(tmp_path):
    root = tmp_path / "prefix"
    write(root / "bin/greet")
    paths = [{"_path": "bin/greet", "path_type": "unix_python_entry_point"}]
    assert prefix.read(installed(tmp_path, *paths), [package()], []).files == ()


@pytest.mark.parametrize(
    "script", ["bin/.greet-post-link.sh", "bin/.greet-pre-link.sh", "Scripts/.greet-post-link.bat"]
)
def test_link_scripts_are_told(tmp_path, script):
    write(tmp_path / "prefix" / script)
    environment = prefix.read(installed(tmp_path, {"_path": script, "path_type": "hardlink"}), [package()], [])
    assert environment.scripts == {"greet": (script,)}


def test_what_runs_at_the_end_of_an_installation_is_not_told(tmp_path):
    script = "bin/.greet-pre-unlink.sh"
    write(tmp_path / "prefix" / script)
    environment = prefix.read(installed(tmp_path, {"_path": script, "path_type": "hardlink"}), [package()], [])
    assert environment.scripts == {}


def test_a_file_that_lost_its_path_to_another_package_is_at_that_path(tmp_path):
    root = tmp_path / "prefix"
    write(root / "lib/x", "one")
    write(root / "lib/x__clobber-from-other", "two")
    clobbered = {"_path": "lib/x__clobber-from-other", "original_path": "lib/x", "path_type": "hardlink"}
    installed(tmp_path, {"_path": "lib/x", "path_type": "hardlink"})
    installed(tmp_path, clobbered, name="other")
    files = prefix.read(root, [package(), package("other")], []).files
    assert [(file.path, file.package, file.source.read_text()) for file in files] == [
        ("lib/x", "greet", "one"),
        ("lib/x", "other", "two"),
    ]
    write(root / "lib/x__clobber-from-other", "one")
    assert len(prefix.read(root, [package(), package("other")], []).files) == 1


def test_a_file_with_a_placeholder_whose_original_is_gone_is_refused(tmp_path):
    write(tmp_path / "prefix/lib/x.txt")
    entry = {"_path": "lib/x.txt", "path_type": "hardlink", "sha256": "ab", "prefix_placeholder": "/placeholder"}
    with pytest.raises(ContentError) as caught:
        prefix.read(installed(tmp_path, {**entry, "file_mode": "text"}), [package()], [])
    [problem] = caught.value.problems
    assert str(problem) == (
        "greet: lib/x.txt: is installed, and not in the package in the cache: nothing vouches for it\n"
        "  tell the makers of the package, or take another build of it with tool.mamba-press.constraints"
    )


@posix
def test_a_file_that_lies_outside_the_prefix_is_refused(tmp_path):
    root = tmp_path / "prefix"
    write(tmp_path / "home/id_rsa")
    paths = [link(root, "lib/out", "../../home"), {"_path": "lib/out/id_rsa", "path_type": "hardlink"}]
    with pytest.raises(ContentError) as caught:
        prefix.read(installed(tmp_path, *paths), [package()], [])
    [problem] = caught.value.problems
    assert problem.where == "greet 1.0 h1_0: lib/out/id_rsa"
    assert problem.what == f"is installed outside of the prefix, in {tmp_path / 'home'}"


@posix
def test_what_is_neither_file_nor_link_is_refused(tmp_path):
    root = tmp_path / "prefix" / "share"
    root.mkdir(parents=True)
    os.mkfifo(root / "pipe")
    paths = [{"_path": f"share/{name}", "path_type": "hardlink"} for name in ("pipe", "gone")]
    with pytest.raises(ContentError) as caught:
        prefix.read(installed(tmp_path, *paths), [package()], [])
    assert [(problem.where, problem.what) for problem in caught.value.problems] == [
        ("greet 1.0 h1_0: share/pipe", "is not a file or a link"),
        ("greet 1.0 h1_0: share/gone", "is listed, but cannot be read: No such file or directory"),
    ]


def test_no_package_writes_what_conda_says_of_another(tmp_path):
    installed(tmp_path, name="other")
    forged = {"_path": "conda-meta/other-1.0-h1_0.json", "path_type": "hardlink"}
    with pytest.raises(ContentError) as raised:
        prefix.read(installed(tmp_path, forged), [package(), package("other")], [])
    assert str(raised.value) == (
        "the packages cannot be pressed\n"
        "- greet 1.0 h1_0: conda-meta/other-1.0-h1_0.json: stands where conda writes what is installed\n"
        "  tell the makers of the package, or take another build of it with tool.mamba-press.constraints"
    )


# The process


def fake(tmp_path: Path, body: str) -> dict[str, str]:
    """Make a worker's interpreter out of a shell script."""
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return {process.WORKER: str(script), "PATH": os.environ["PATH"]}


def call(environ: dict[str, str]) -> dict[str, object]:
    return process.call({"do": "nothing", "filler": "x" * 200_000}, lambda event: None, environ, FetchError)


@posix
def test_a_worker_that_is_killed_is_an_error_that_names_the_signal(tmp_path):
    with pytest.raises(FetchError, match="was ended by SIGKILL before it answered"):
        call(fake(tmp_path, "kill -9 $$"))


@posix
def test_a_worker_that_ends_without_an_answer_shows_its_last_words(tmp_path):
    with pytest.raises(FetchError, match=r"exit code 3(?s:.*)last words"):
        call(fake(tmp_path, "echo last words >&2; exit 3"))


AGAIN = "  try again; if it fails every time, check the memory and the limits of this machine"
REFUSED = {
    "silent": (
        {"addresses": [], "seconds": 60.0},
        f"- rattler's process: it did nothing for 60 seconds, and was ended\n{AGAIN}",
    ),
    "other": ({}, f"- rattler: it refused, for the reason 'other'\n{AGAIN}"),
}


@posix
@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("door", ["call", "ask", "inspect", "write"])
def test_whatever_the_worker_refuses_is_told_at_every_door(kind, door, tmp_path):
    facts, said = REFUSED[kind]
    environ = fake(tmp_path, f"read line; echo '{json.dumps({'error': kind, **facts})}'")
    doors = {
        "call": lambda: call(environ),
        "ask": lambda: process.ask({"do": "nothing"}, TARGET, environ, FetchError),
        "inspect": lambda: fetch.inspect([package()], fetch.Access(environ=environ)),
        "write": lambda: lockfile.write([], tmp_path / "mamba-press.lock", tmp_path, environ=environ),
    }
    with pytest.raises(FetchError) as raised:
        doors[door]()
    assert str(raised.value) == f"the packages cannot be fetched\n{said}"


@posix
def test_what_is_printed_before_the_worker_begins_is_no_answer(tmp_path):
    answer = call(fake(tmp_path, """read line; echo hello; echo '"x"'; echo '[1]'; echo '{"result": {"a": 1}}'"""))
    assert answer == {"a": 1}


@posix
def test_a_worker_without_rattler_says_what_to_do(tmp_path):
    with pytest.raises(ConfigError) as raised:
        call(fake(tmp_path, f'exec {sys.executable} -I -S "$@"'))
    text = str(raised.value)
    assert "py-rattler" in text
    assert "MAMBA_PRESS_WORKER=python3.13" in text


# Answers each request with the worker's process id; to do "end" ends it.
SERVES = """while read line; do
  case "$line" in *'"end"'*) exit 3;; esac
  echo "{\\"result\\": {\\"pid\\": $$}}"
done"""


def ask(environ: dict[str, str], request: dict[str, object] | None = None) -> int:
    answer = process.call({"do": "serve"} if request is None else request, lambda event: None, environ, FetchError)
    pid = answer["pid"]
    assert isinstance(pid, int)
    return pid


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@posix
def test_each_call_has_a_worker_of_its_own_that_is_gone_with_the_answer(tmp_path):
    environ = fake(tmp_path, SERVES)
    first, second = ask(environ), ask(environ)
    assert first != second
    assert not is_there(first)
    assert not is_there(second)


@posix
def test_the_calls_of_a_block_share_a_worker_that_is_gone_after_it(tmp_path):
    environ = fake(tmp_path, SERVES)
    with process.one_process():
        first = ask(environ)
        with process.one_process():
            assert ask(environ) == first
        assert is_there(first)
        assert ask(environ) == first
    assert not is_there(first)


@posix
def test_a_worker_is_gone_when_its_block_fails(tmp_path):
    environ = fake(tmp_path, SERVES)
    pids = []

    @process.one_process()
    def fail() -> None:
        pids.append(ask(environ))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert not any(map(is_there, pids))


@posix
def test_a_worker_that_ended_is_followed_by_another(tmp_path):
    environ = fake(tmp_path, SERVES)
    with process.one_process():
        first = ask(environ)
        with pytest.raises(FetchError) as raised:
            ask(environ, {"do": "end"})
        assert str(raised.value) == (
            "the packages cannot be fetched\n"
            "- rattler's process: ended with exit code 3 before it answered\n"
            "  try again; if it fails every time, check the memory and the limits of this machine"
        )
        assert ask(environ) != first


@posix
def test_a_worker_that_was_killed_while_it_waited_is_followed_by_another(tmp_path):
    environ = fake(tmp_path, SERVES)
    with process.one_process():
        first = ask(environ)
        os.kill(first, signal.SIGKILL)
        os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
        assert ask(environ) != first


@posix
def test_an_interrupted_call_takes_its_worker_along(tmp_path):
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    speaks = """read line; echo '{"event": "x"}'; exec sleep 60"""
    environ = fake(tmp_path, f'echo $$ >"{tmp_path}/pid"; {speaks}')
    with process.one_process(), pytest.raises(KeyboardInterrupt):
        process.call({"do": "serve"}, interrupt, environ, FetchError)
    assert not is_there(int((tmp_path / "pid").read_text()))


LEAVES = (
    """for name in "$TMPDIR" "$TMP" "$TEMP"; do echo half >"$name/.tmpAbCdEf"; done; echo "$TMPDIR" >FOLDER/where"""
)


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@posix
@pytest.mark.parametrize("end", [SERVES, "exit 3"], ids=["answers", "ends"])
def test_what_a_worker_leaves_in_the_temporary_folder_goes_with_it(tmp_path, temporary, end):
    environ = fake(tmp_path, f"{LEAVES.replace('FOLDER', str(tmp_path))}\n{end}")
    with suppress(FetchError), process.one_process():
        ask(environ)
        assert [path.name for path in temporary.rglob(".tmp*")] == [".tmpAbCdEf"]
    assert Path((tmp_path / "where").read_text().strip()).parent == temporary
    assert [*temporary.iterdir()] == []


@posix
def test_a_worker_that_cannot_be_started_leaves_no_folder(temporary):
    with pytest.raises(ConfigError):
        call({process.WORKER: "python3.99", "PATH": os.environ["PATH"]})
    assert [*temporary.iterdir()] == []


@posix
def test_a_signal_that_comes_while_a_worker_starts_leaves_no_folder(tmp_path, temporary, monkeypatch):
    began = subprocess.Popen.__init__

    def interrupted(self, *arguments, **keywords):
        began(self, *arguments, **keywords)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(subprocess.Popen, "__init__", interrupted)
    with pytest.raises(interrupts.EndedError), interrupts.caught(), process.one_process():
        ask(fake(tmp_path, SERVES))
    assert [*temporary.iterdir()] == []


@posix
def test_another_environment_gets_another_worker(tmp_path):
    environ = fake(tmp_path, SERVES)
    with process.one_process():
        pids = [ask(environ), ask({**environ, "RATTLER_CACHE_DIR": "/elsewhere"}), ask(environ)]
        assert len(set(pids)) > 1
    assert not any(map(is_there, pids))


@posix
def test_a_refusal_is_an_answer_after_which_the_worker_serves_on(tmp_path):
    body = """while read line; do echo "{\\"error\\": \\"solve\\", \\"pid\\": $$}"; done"""
    environ = fake(tmp_path, body)
    pids = set()
    with process.one_process():
        for _ in range(2):
            with pytest.raises(process.RefusedError) as raised:
                ask(environ)
            pids.add(raised.value.facts["pid"])
    assert len(pids) == 1


def test_a_worker_that_is_not_there_is_an_error():
    with pytest.raises(ConfigError, match=r"MAMBA_PRESS_WORKER: 'python3\.99' cannot be started"):
        call({process.WORKER: "python3.99", "PATH": os.environ["PATH"]})


# What a package may unpack to


@pytest.mark.parametrize(
    ("size", "files", "said"),
    [
        (1000, 3, ""),
        (1001, 3, "it unpacks to 0 MB or more; for an archive of its size the limit is 0 MB"),
        (1000, 4, "it has 4 files or more; for an archive of its size the limit is 3"),
    ],
)
def test_a_package_has_no_more_bytes_and_files_than_it_may(size, files, said):
    assert package_check._too_large(size, files, 1000, 3) == said


@pytest.mark.parametrize(
    ("size", "downloaded", "most"),
    [
        (66_000, None, (275_035_456, 101_320)),
        (3 << 30, None, (322_390_982_656, 64_524_509)),
        (None, None, (6_872_216_109_056, 1_374_489_534)),
        (10**15, None, (6_872_216_109_056, 1_374_489_534)),
        (10**15, 66_000, (275_035_456, 101_320)),
    ],
    ids=["small", "a giant", "unknown", "a lie", "a lie over the network"],
)
def test_what_a_package_may_unpack_to_grows_with_its_archive(size, downloaded, most):
    each = {"name": "evil", "version": "1.0", "build": "0", "size": size}
    gate = package_check.Gate([each], {"cache": "cache", "platform": "linux-64", "python": []}, print)
    if downloaded is not None:
        gate.downloaded["evil"] = downloaded
    assert gate.most(each) == most


def test_counting_what_a_folder_has_ends_above_the_most(tmp_path):
    for number in range(10):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "file").write_bytes(b"x" * 10)
    (tmp_path / "link").symlink_to(tmp_path)
    assert package_check._weight(tmp_path, 1000, 100) == (100 + len(str(tmp_path)), 11)
    size, files = package_check._weight(tmp_path, 1000, 3)
    assert files == 4
    assert size <= 40 + len(str(tmp_path))


SHORT_LISTS = {
    "files": (b"a\n" * 1_000_001, "files lists more than 1,000,000 files"),
    "has_prefix": (b"a b\n" * 1_000_001, "has_prefix lists more than 1,000,000 files"),
    "paths.json": (b'{"paths":[' + b"{}," * 5_000_001 + b"{}]}", "paths.json lists more than 1,000,000 files"),
    "index.json": (b'{"a":[' + b"[]," * 5_000_001 + b"1]}", "index.json lists more than 1,000,000 files"),
}


@pytest.mark.parametrize("name", SHORT_LISTS)
@pytest.mark.parametrize("size", [66_000, None])
def test_lists_of_far_too_many_files_are_not_read(name, size, tmp_path):
    data, said = SHORT_LISTS[name]
    info = tmp_path / "pkgs/evil-1.0-0/info"
    info.mkdir(parents=True)
    (info / "index.json").write_text('{"name": "evil", "version": "1.0", "build": "0"}')
    (info / "files").write_text("a\n")
    (info / name).write_bytes(data)
    each = {"name": "evil", "version": "1.0", "build": "0", "size": size}
    gate = package_check.Gate([each], {"cache": str(tmp_path), "platform": "linux-64", "python": []}, print)
    tracemalloc.start()
    wrong = gate.wrong(each)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    told = said.replace("1,000,000", "101,320" if size else "1,000,000")
    assert wrong == [["info", f"its records cannot be read: {told}"]]
    assert most < 10 * len(data)


# What stands between this machine and a server, and the cache

PROXY = "the proxy refuses: check HTTPS_PROXY and HTTP_PROXY, which name it, with a login if it needs one"
CERTIFICATE = "set SSL_CERT_FILE to a file with the certificates of your network's authority"
FOLDER = "make the cache a folder that can be written, or let RATTLER_CACHE_DIR name another"


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        ("error sending request\nCaused by: tunnel error: unsuccessful", "tunnel error: unsuccessful", PROXY),
        ("HTTP status client error (407 Proxy Authentication Required)", "(407 Proxy", PROXY),
        ("error sending request: invalid peer certificate: UnknownIssuer", "UnknownIssuer", CERTIFICATE),
        (
            "error sending request: dns error: failed to lookup address information: Name or service not known",
            "not known",
            "check the spelling of the address and the network; offline = true builds from the cache",
        ),
        (
            "error sending request: received corrupt message of type InvalidContentType",
            "InvalidContentType",
            "the server does not speak https: check whether the address should begin with http://",
        ),
    ],
)
def test_what_lies_between_is_told_for_a_channel_and_for_an_archive(text, what, hint):
    wrong = process.RefusedError("channels", {"wrong": [{"channel": "https://host/ch", "text": text}]})
    [problem] = errors.translate(wrong, TARGET).problems
    assert problem.where == "channel https://host/ch"
    assert problem.what.startswith("it cannot be reached: ")
    assert what in problem.what
    assert problem.hint == hint
    facts = {"step": "fetch", "package": "greet 1.0 0", "file": "https://host/ch/greet.conda", "text": text}
    [problem] = errors.translate(process.RefusedError("install", facts), TARGET).problems
    assert problem.where == "greet 1.0 0 (https://host/ch/greet.conda)"
    assert problem.hint == hint


@pytest.mark.parametrize(
    "text",
    [
        "failed to create '/c/repodata': failed to create directory `/c/repodata`: Read-only file system (os error 30)",
        "failed to create '/c/pkgs': failed to create directory `/c/pkgs`: No such file or directory (os error 2)",
    ],
)
def test_a_cache_that_cannot_be_written_is_not_the_fault_of_a_channel(text):
    wrong = process.RefusedError("channels", {"wrong": [{"channel": "https://host/ch", "text": text}]})
    [problem] = errors.translate(wrong, TARGET).problems
    assert (problem.where, problem.what, problem.hint) == ("the package cache", text, FOLDER)
    facts = {"step": "", "package": "", "file": "", "text": text}
    [problem] = errors.translate(process.RefusedError("install", facts), TARGET).problems
    assert (problem.where, problem.hint) == ("the package cache", FOLDER)


def test_a_server_that_refuses_an_archive_is_asked_again_later():
    text = "HTTP status client error (429 Too Many Requests) for url (https://host/ch/greet.conda)"
    facts = {"step": "fetch", "package": "greet 1.0 0", "file": "https://host/ch/greet.conda", "text": text}
    [problem] = errors.translate(process.RefusedError("install", facts), TARGET).problems
    assert problem.what == "HTTP status client error (429 Too Many Requests)"
    assert problem.hint == "try again later, or name a mirror or a folder in tool.mamba-press.channels"


PANIC = """thread 'tokio-runtime-worker' panicked at crates/x/src/lib.rs:10:5:
index out of bounds
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
Traceback (most recent call last):
  File "worker.py", line 1, in <module>
    main()
ValueError: no
"""


@posix
def test_a_traceback_is_not_among_the_last_words_of_a_worker(tmp_path):
    (tmp_path / "said").write_text(PANIC)
    with pytest.raises(FetchError) as raised:
        call(fake(tmp_path, f"cat {tmp_path / 'said'} >&2; exit 1"))
    assert str(raised.value) == (
        "the packages cannot be fetched\n"
        "- rattler's process: ended with exit code 1 before it answered\n"
        "  try again; if it fails every time, check the memory and the limits of this machine\n"
        "  index out of bounds\n"
        "  ValueError: no"
    )


@posix
def test_what_rattler_fails_with_is_told_in_one_line(tmp_path):
    answer = json.dumps({"error": "failed", "text": "PanicException: it is\nnot so", "ended": True})
    (tmp_path / "said").write_text(answer + "\n")
    with pytest.raises(FetchError) as raised:
        call(fake(tmp_path, f"read line; cat {tmp_path / 'said'}"))
    assert str(raised.value) == (
        "the packages cannot be fetched\n"
        "- rattler: it failed: PanicException: it is not so\n"
        "  try again; if it fails every time, check the memory and the limits of this machine"
    )


@pytest.mark.parametrize(("key", "variable"), [("cache", "RATTLER_CACHE_DIR"), ("prefix", "TMPDIR")])
def test_a_folder_whose_name_is_not_utf_8_is_named_with_its_variable(key, variable):
    with pytest.raises(ConfigError) as refused:
        process.call({"do": "solve", key: "/tmp/a\udcffb/pkgs"}, lambda _: None, {}, FetchError)
    assert str(refused.value) == (
        f"the configuration cannot be used\n- {variable}: the folder /tmp/a\\udcffb/pkgs has a name that is not UTF-8\n"
        f"  set {variable} to another folder"
    )


STUCK = """\
import json, sys, threading
from mamba_press.conda.worker import watch
threading.Thread(target=watch.TASK.watch, args=(0.5, lambda said: print(json.dumps(said)), threading.Event())).start()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing tells who waits for another process")
def test_a_worker_that_does_nothing_ends_itself_and_is_told():
    """As rattler does that has not enough memory for its threads."""
    done = subprocess.run([sys.executable, "-c", STUCK], capture_output=True, text=True, check=True, timeout=60)
    facts = json.loads(done.stdout)
    assert facts == {"error": "silent", "seconds": 0.5, "addresses": [], "ended": True}
    assert str(errors.silent(facts)) == (
        "the packages cannot be fetched\n- rattler's process: it did nothing for 0.5 seconds, and was ended\n"
        "  try again; if it fails every time, check the memory and the limits of this machine"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot wait for a pipe for a while")
def test_a_worker_that_says_nothing_at_all_is_ended(tmp_path, monkeypatch):
    mute = tmp_path / "mute"
    mute.write_text("#!/bin/sh\nexec sleep 60\n")
    mute.chmod(0o755)
    monkeypatch.setattr(process, "PATIENCE", 0.2)
    monkeypatch.setattr(process, "_GRACE", 0.2)
    with pytest.raises(FetchError) as failed:
        process.call({"do": "solve"}, lambda _: None, {"MAMBA_PRESS_WORKER": str(mute), "PATH": "/bin"}, FetchError)
    assert str(failed.value) == (
        "the packages cannot be fetched\n- rattler's process: was ended by SIGKILL before it answered\n"
        "  try again; if it fails every time, check the memory and the limits of this machine"
    )
