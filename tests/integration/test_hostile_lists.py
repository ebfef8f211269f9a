"""What a package lists cannot reach outside of it: it is refused before any of it is installed, cached or not."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mamba_press.conda import fetch as fetching
from mamba_press.conda import solver
from mamba_press.errors import ContentError, SolveError
from mamba_press.platforms.target import virtual_packages
from mamba_press.types import Environment, Python, Target
from tests.support.channel import PLACEHOLDER, Channel, CondaPackage, FileSpec, Link, python_package

pytest.importorskip("rattler")

LINUX = Target(system="linux", arch="x86_64", subdir="linux-64", python=Python(minor=11), floor=(2, 28))
WINDOWS = Target(system="win", arch="x86_64", subdir="win-64", python=Python(minor=11), floor=None)
DEEP = "deep/a/b/c/d/e/f"


def listed(path: str, data: bytes = b"x\n", **more: object) -> dict[str, object]:
    """An entry of ``paths.json`` for a file with these bytes."""
    sha256 = hashlib.sha256(data).hexdigest()
    return {"_path": path, "path_type": "hardlink", "sha256": sha256, "size_in_bytes": len(data), **more}


@dataclass(frozen=True, kw_only=True)
class Case:
    """What the archive has, what it lists beside ``share/x``, the path that is named, and what is said about it."""

    path: str
    said: str
    entries: tuple[object, ...] = ()
    files: dict[str, FileSpec] = field(default_factory=dict)
    info: dict[str, str] = field(default_factory=dict)
    noarch: bool = False
    target: Target = LINUX


MALFORMED = "  the package is malformed, or made to do harm: take another build of it, and tell the channel's owner"
LEAVES = "it is absolute, leaves the package, or has empty parts"
NO_SCRIPT = "has a name that no script can have"
THROUGH = {f"{DEEP}/keep": "1", "deep/a/b/out/x": "x\n", "L": Link(DEEP)}

CASES = {
    "through a symlink and up": Case(
        files=THROUGH, entries=(listed("L/../../../../out/x"),), path="L/../../../../out/x", said=LEAVES
    ),
    "absolute": Case(entries=(listed("/etc/x"),), path="/etc/x", said=LEAVES),
    "up": Case(entries=(listed("share/../../x"),), path="share/../../x", said=LEAVES),
    "here": Case(entries=(listed("./share/x"),), path="./share/x", said=LEAVES),
    "an empty part": Case(entries=(listed("share//x"),), path="share//x", said=LEAVES),
    "a folder's name": Case(entries=(listed("share/"),), path="share/", said=LEAVES),
    "a line end": Case(
        entries=(listed("share/a\nb"),), path=r"share/a\nb", said="it has characters that no path can have"
    ),
    "half a character": Case(
        entries=(listed("share/\ud800"),), path=r"share/\ud800", said="it has characters that no path can have"
    ),
    "a number": Case(entries=(listed("x") | {"_path": 7},), path="7", said="it is not a path"),
    "below a symlink": Case(
        files={"L": Link("share")},
        entries=(listed("L/x"),),
        path="L/x",
        said="it lies below L, which is a symlink in the archive",
    ),
    "below a symlink to a folder of the machine": Case(
        files={"L": Link("/etc")},
        entries=(listed("L/hostname"),),
        path="L/hostname",
        said="it lies below L, which is a symlink in the archive",
    ),
    "a symlink listed as a file": Case(
        files={"share/d": Link("/dev/zero")},
        entries=(listed("share/d"),),
        path="share/d",
        said="it is listed as hardlink, and is a symlink in the archive",
    ),
    "a symlink listed as a folder": Case(
        files={"share/d": Link("/etc")},
        entries=({"_path": "share/d", "path_type": "directory"},),
        path="share/d",
        said="it is listed as directory, and is a symlink in the archive",
    ),
    "a file listed as a symlink": Case(
        files={"share/d": "x\n"},
        entries=({"_path": "share/d", "path_type": "softlink"},),
        path="share/d",
        said="it is listed as softlink, and is a file in the archive",
    ),
    "a folder listed as a file": Case(
        entries=(listed("share"),), path="share", said="it is listed as hardlink, and is a folder in the archive"
    ),
    "a symlink with a placeholder": Case(
        files={"share/d": Link("/etc/hostname")},
        entries=(
            {"_path": "share/d", "path_type": "softlink", "prefix_placeholder": PLACEHOLDER, "file_mode": "text"},
        ),
        path="share/d",
        said="it has a prefix_placeholder, and is a symlink",
    ),
    "a placeholder of one character": Case(
        files={"share/d": "x\n"},
        entries=(listed("share/d", prefix_placeholder="x", file_mode="text"),),
        path="share/d",
        said="its prefix_placeholder is 'x'",
    ),
    "a size that is not so": Case(
        files={"share/d": "x\n"},
        entries=(listed("share/d", size_in_bytes=3),),
        path="share/d",
        said="it has 2 bytes, and 3 are listed",
    ),
    "another package's record": Case(
        files={"conda-meta/other-1.0-0.json": "x\n"},
        entries=(listed("conda-meta/other-1.0-0.json"),),
        path="conda-meta/other-1.0-0.json",
        said="it takes the place of what the installer writes",
    ),
    "the folder of the records": Case(
        files={"conda-meta": Link("/tmp")},
        entries=({"_path": "conda-meta", "path_type": "softlink"},),
        path="conda-meta",
        said="it takes the place of what the installer writes",
    ),
    "what is not there": Case(entries=(listed("share/gone"),), path="share/gone", said="it is not in the archive"),
    "a backslash, for Windows": Case(
        files={"share\\d": "x\n"},
        entries=(listed("share\\d"),),
        target=WINDOWS,
        path=r"share\\d",
        said="it means another path on Windows",
    ),
    "a drive, for Windows": Case(
        files={"c:d": "x\n"},
        entries=(listed("c:d"),),
        target=WINDOWS,
        path="c:d",
        said="it means another path on Windows",
    ),
    "an entry point that leaves": Case(
        info={"link.json": json.dumps({"noarch": {"type": "python", "entry_points": ["../../x = a:b"]}})},
        noarch=True,
        path="info/link.json",
        said=f"the entry point '../../x = a:b' {NO_SCRIPT}",
    ),
    "a record of another package": Case(
        info={"index.json": json.dumps({"name": "other", "version": "1.0", "build": "0", "build_number": 0})},
        path="info/index.json",
        said="its name is 'other', its record states 'evil'",
    ),
    "records that are no JSON": Case(
        info={"paths.json": "["},
        path="info",
        said="its records cannot be read: Expecting value: line 1 column 2 (char 1)",
    ),
    "records that are no object": Case(
        info={"paths.json": "[]"}, path="info", said="its records cannot be read: paths.json holds no object"
    ),
    "a list that is none": Case(
        info={"paths.json": '{"paths": 3}'},
        path="info",
        said="its records cannot be read: paths.json has no list of objects",
    ),
    "a type that is none": Case(
        files={"share/d": "x\n"},
        entries=({"_path": "share/d", "path_type": "fifo"},),
        path="share/d",
        said="its path_type is 'fifo'",
    ),
    "a type that is a list": Case(
        entries=({"_path": "share/x", "path_type": []},), path="share/x", said="its path_type is []"
    ),
    "entry points that are no list": Case(
        noarch=True,
        info={"link.json": '{"noarch": {"type": "python", "entry_points": 7}}'},
        path="info",
        said="its records cannot be read: link.json has no list of entry points",
    ),
    "records without an end": Case(
        info={"paths.json": "[" * 200_000}, path="info", said="its records cannot be read: they are nested too deeply"
    ),
}


def channel_of(case: Case, make_channel: Callable[..., Channel]) -> Channel:
    paths = json.dumps({"paths": [listed("share/x"), *case.entries], "paths_version": 1})
    package = CondaPackage(
        name="evil",
        subdir=case.target.subdir,
        noarch="python" if case.noarch else None,
        files={"share/x": "x\n", **case.files},
        info={"paths.json": paths, **case.info},
    )
    return make_channel([package, python_package("3.11", subdir=case.target.subdir)])


def fetch(channel: Channel, workdir: Path, target: Target = LINUX, specs: tuple[str, ...] = ("evil",)) -> Environment:
    virtual = virtual_packages(target)
    question = solver.Question(packages=specs, target=target, channels=(channel.url,), virtual=virtual)
    solution = solver.solve(question, os.environ)
    names = [each.name for each in solution.packages]
    return fetching.environment(solution, names, workdir, access=fetching.Access(environ=os.environ))


BY_RATTLER = {"CACHEDIR.TAG", "conda-meta", "conda-meta/history"}


def installed(workdir: Path) -> set[str]:
    """What stands in the folder, without what rattler makes in each prefix."""
    return {path.relative_to(workdir / "prefix").as_posix() for path in workdir.rglob("*")} - {".", *BY_RATTLER}


@pytest.mark.parametrize("name", CASES)
def test_what_reaches_outside_of_its_package_is_refused_before_any_of_it_is_installed(name, make_channel, tmp_path):
    case = CASES[name]
    channel = channel_of(case, make_channel)
    for cached in ("cold", "warm"):
        with pytest.raises(ContentError) as raised:
            fetch(channel, tmp_path / cached, case.target)
        assert f"\n  '{case.path}': {case.said}\n{MALFORMED}" in str(raised.value)
        assert not installed(tmp_path / cached), cached


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"build": "a/b"},
            "channel/: its record has the build 'a/b'; a build is of letters, digits and _ . +\n  tell the makers of ",
        ),
        ({"name": "other"}, "\n  files are listed as evil, and the records of all have another name"),
    ],
)
def test_a_record_that_is_not_what_it_is_listed_as_is_told(changes, said, make_channel, tmp_path):
    channel = channel_of(Case(path="", said=""), make_channel)
    file = channel.root / "linux-64/repodata.json"
    records = json.loads(file.read_text())
    for record in records["packages.conda"].values():
        record.update(changes if record["name"] == "evil" else {})
    file.write_text(json.dumps(records))
    with pytest.raises(SolveError) as raised:
        fetch(channel, tmp_path / "work")
    assert said in str(raised.value)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")
def test_a_pipe_that_came_into_the_cache_is_refused(make_channel, tmp_path):
    channel = channel_of(Case(path="", said=""), make_channel)
    fetch(channel, tmp_path / "cold")
    file = Path(os.environ["RATTLER_CACHE_DIR"], "pkgs/evil-1.0-0/share/x")
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(ContentError) as raised:
        fetch(channel, tmp_path / "warm")
    said = "it is listed as hardlink, and is a special file in the archive"
    assert f"\n  'share/x': {said}\n{MALFORMED}" in str(raised.value)


def test_all_that_is_wrong_with_a_package_is_told_at_once(make_channel, tmp_path, golden):
    entries = tuple(listed(f"../{number}") for number in range(7))
    channel = channel_of(Case(entries=entries, path="", said=""), make_channel)
    with pytest.raises(ContentError) as raised:
        fetch(channel, tmp_path / "work")
    golden("hostile/members.txt", str(raised.value).replace(channel.url, "CHANNEL") + "\n")


def test_a_package_cannot_replace_what_the_cache_has_of_another_one(make_channel, tmp_path):
    good = CondaPackage(name="good", files={"share/good": "good\n"})
    fetch(make_channel([good, python_package("3.11")], "first"), tmp_path / "first", specs=("good",))
    victim = Path(os.environ["RATTLER_CACHE_DIR"], "pkgs/good-1.0-0/share/good")
    way = os.path.relpath(victim, tmp_path / "work/prefix/L")
    steps = way.count("../")
    # The link leads so deep that as many steps up stay inside of the archive, where the other content lies.
    deep = "/".join(["deep", *"abcdefghi"])
    there = "/".join([*deep.split("/")[:-steps], way.replace("../", "")])
    files = {"L": Link(deep), f"{deep}/keep": "1", there: "evil\n"}
    case = Case(files=files, entries=(listed(f"L/{way}", b"evil\n"),), path="", said="")
    with pytest.raises(ContentError):
        fetch(channel_of(case, make_channel), tmp_path / "work")
    assert victim.read_text() == "good\n"


def test_a_package_has_no_files_below_another_ones_symlink(make_channel, tmp_path):
    one = CondaPackage(name="one", files={"share/L": Link("/tmp")})
    two = CondaPackage(name="two", files={"share/L/x": "x\n"})
    with pytest.raises(ContentError, match="'share/l': two has files below it, and one has a symlink there\n  the"):
        fetch(make_channel([one, two]), tmp_path / "work", specs=("one", "two"))


ENTRY_POINT = json.dumps(
    {"noarch": {"type": "python", "entry_points": ["run = evil:main"]}, "package_metadata_version": 1}
)


def with_script(*depends: str, **files: FileSpec) -> CondaPackage:
    """A package for whose entry point ``run`` a script would be written, after all that it depends on."""
    own = {path.replace("__", "/").replace("_", "-"): spec for path, spec in files.items()}
    return CondaPackage(name="evil", noarch="python", files=own, info={"link.json": ENTRY_POINT}, depends=depends)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("bin", "evil has files below it, and other has a symlink there"),
        ("bin/run", "evil has an entry point of that name, and other has a file there"),
    ],
)
def test_the_script_of_an_entry_point_is_not_written_through_another_packages_symlink(
    path, said, make_channel, tmp_path
):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/run").write_text("mine\n")
    target = tmp_path / "outside" / ("run" if "/" in path else "")
    other = CondaPackage(name="other", files={path: Link(str(target))})
    with pytest.raises(ContentError, match=f"'{path}': {said}"):
        fetch(make_channel([with_script("other"), other, python_package("3.11")]), tmp_path / "work")
    assert (tmp_path / "outside/run").read_text() == "mine\n"


def test_the_script_of_an_entry_point_is_not_written_through_a_symlink_of_its_own_package(make_channel, tmp_path):
    (tmp_path / "outside").mkdir()
    channel = make_channel([with_script(bin=Link(str(tmp_path / "outside"))), python_package("3.11")])
    with pytest.raises(ContentError, match="'bin': evil has files below it, and evil has a symlink there\n  the"):
        fetch(channel, tmp_path / "work")
    assert not list((tmp_path / "outside").iterdir())


def test_the_script_of_an_entry_point_does_not_replace_what_the_cache_has_of_another_package(make_channel, tmp_path):
    other = CondaPackage(name="other", files={"bin/run": "good\n"})
    channel = make_channel([with_script("other"), other, python_package("3.11")])
    with pytest.raises(
        ContentError, match="'bin/run': evil has an entry point of that name, and other has a file there"
    ):
        fetch(channel, tmp_path / "work")
    assert Path(os.environ["RATTLER_CACHE_DIR"], "pkgs/other-1.0-0/bin/run").read_text() == "good\n"


def test_the_script_of_an_entry_point_does_not_replace_a_file_of_its_own_package(make_channel, tmp_path):
    channel = make_channel([with_script(python_scripts__run="good\n"), python_package("3.11")])
    with pytest.raises(
        ContentError, match="'bin/run': evil has an entry point of that name, and evil has a file there"
    ):
        fetch(channel, tmp_path / "work")


@pytest.mark.parametrize(
    ("link", "path"),
    [
        ("lib/python3.11/site-packages/evil", "site-packages/evil/x.py"),
        ("bin/evil", "python-scripts/evil/x"),
    ],
)
def test_a_noarch_package_has_no_files_below_a_symlink_where_they_are_installed(link, path, make_channel, tmp_path):
    (tmp_path / "outside").mkdir()
    python = python_package("3.11")
    silent = CondaPackage(**{name: getattr(python, name) for name in python.__slots__} | {"site_packages": None})
    other = CondaPackage(name="other", files={link: Link(str(tmp_path / "outside"))})
    evil = CondaPackage(name="evil", noarch="python", files={path: ""}, depends=("other",))
    with pytest.raises(ContentError, match=f"'{link}': evil has files below it, and other has a symlink there"):
        fetch(make_channel([evil, other, silent]), tmp_path / "work")
    assert not list((tmp_path / "outside").iterdir())


def test_a_python_record_does_not_lead_noarch_packages_elsewhere(make_channel, tmp_path):
    python = python_package("3.11")
    record = {"python_site_packages_path": "../../outside"}
    outside = CondaPackage(**{name: getattr(python, name) for name in python.__slots__} | {"record": record})
    package = CondaPackage(name="evil", noarch="python", files={"site-packages/evil.py": ""}, depends=("python",))
    with pytest.raises(ContentError, match=r"'../../outside': its record has no folder for python_site_packages_path"):
        fetch(make_channel([package, outside]), tmp_path / "work")
    assert not (tmp_path / "outside").exists()


def test_a_package_that_is_too_old_to_list_types_is_looked_at_too(make_channel, tmp_path):
    case = Case(
        files={"L": Link("/etc")},
        info={"paths.json": None, "files": "share/x\nL/hostname\n"},  # type: ignore[dict-item]
        path="",
        said="",
    )
    with pytest.raises(ContentError, match=r"'L/hostname': it lies below L, which is a symlink in the archive"):
        fetch(channel_of(case, make_channel), tmp_path / "work")


@pytest.mark.parametrize(
    ("space", "said"),
    [
        (" ", "it lies below  L, which is a symlink in the archive"),
        ("\x0b", "it has characters that no path can have"),
        ("\u2028", r"it lies below \\u2028L, which is a symlink in the archive"),
    ],
)
def test_a_path_of_an_old_list_is_what_stands_between_line_feeds(space, said, make_channel, tmp_path):
    files = {f"{space}L": Link("/etc"), "L/hostname": "x\n"}
    info = {"paths.json": None, "files": f"share/x\n{space}L/hostname\n"}
    case = Case(files=files, info=info, path="", said="")  # type: ignore[arg-type]
    with pytest.raises(ContentError, match=rf"L/hostname': {said}\n  the"):
        fetch(channel_of(case, make_channel), tmp_path / "work")


@pytest.mark.parametrize(
    "line", ["share/d", '"share/d"', '"/opt/pre fix" text "sh\\are/d"', "/opt/prefix text share/d"]
)
def test_an_old_list_gives_no_symlink_a_placeholder(line, make_channel, tmp_path):
    info = {"paths.json": None, "files": "share/x\nshare/d\n", "has_prefix": f"{line}\n"}
    case = Case(files={"share/d": Link("x")}, info=info, path="", said="")  # type: ignore[arg-type]
    with pytest.raises(ContentError, match=r"'share/d': it has a prefix_placeholder, and is a symlink"):
        fetch(channel_of(case, make_channel), tmp_path / "work")


def test_a_package_that_is_too_old_to_list_types_is_installed(make_channel, tmp_path):
    case = Case(info={"paths.json": None, "files": "share/x\n"}, path="", said="")  # type: ignore[dict-item]
    environment = fetch(channel_of(case, make_channel), tmp_path / "work")
    assert [file.path for file in environment.files] == ["share/x"]


def test_files_with_backslashes_and_colons_are_files_where_windows_is_not_concerned(make_channel, tmp_path):
    files = {"share/a\\b": "1\n", "share/A::B.3": "2\n"}
    case = Case(
        files=dict(files), entries=tuple(listed(path, data.encode()) for path, data in files.items()), path="", said=""
    )
    environment = fetch(channel_of(case, make_channel), tmp_path / "work")
    assert [file.path for file in environment.files] == ["share/A::B.3", "share/a\\b", "share/x"]


def test_a_small_archive_that_unpacks_to_much_is_refused_and_leaves_nothing_half_unpacked(make_channel, tmp_path):
    package = CondaPackage(name="evil", files={"share/zeros": bytes(300 << 20)})
    for cached in ("cold", "warm"):
        with pytest.raises(
            ContentError, match=r"it unpacks to \d+ MB or more; for an archive of its size the limit is 2\d\d MB"
        ):
            fetch(make_channel([package]), tmp_path / cached)
        assert not installed(tmp_path / cached), cached
    cached = Path(os.environ["RATTLER_CACHE_DIR"], "pkgs")
    assert {path.name for path in cached.iterdir() if path.is_dir()} <= {"evil-1.0-0"}


def test_symlinks_do_not_stand_for_far_more_files_than_there_are(make_channel, tmp_path):
    many = {f"share/many/{number:03}": "" for number in range(120)}
    links = {f"share/link{number:03}": Link("many") for number in range(120)}
    with pytest.raises(ContentError) as raised:
        fetch(make_channel([CondaPackage(name="evil", files={**many, **links})]), tmp_path / "work")
    said = "its 240 paths stand for more than 12400 files, because symlinks lead to folders of many files"
    assert f"- evil 1.0 0: {said}\n" in str(raised.value)


def test_symlinks_do_not_stand_for_far_more_bytes_than_there_are(make_channel, tmp_path):
    links = {f"share/link{number:03}": Link("big") for number in range(120)}
    package = CondaPackage(name="evil", files={"share/big": bytes(12 << 20), **links})
    with pytest.raises(ContentError) as raised:
        fetch(make_channel([package]), tmp_path / "work")
    assert "- evil: their symlinks stand for 1510 MB, and their files have 13 MB\n" in str(raised.value)


def test_a_folder_under_another_name_is_no_harm(make_channel, tmp_path):
    many = {f"share/many/{number:03}": "" for number in range(120)}
    links = {f"share/link{number}": Link("many") for number in range(20)}
    environment = fetch(make_channel([CondaPackage(name="evil", files={**many, **links})]), tmp_path / "work")
    assert len(environment.files) == 120 * 21
