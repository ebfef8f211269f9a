"""One rule for all keys: what matches nothing is told, with the nearest that would match."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mamba_press.config import reader, unmatched
from mamba_press.config.model import Licenses, Sources
from mamba_press.errors import Note, of_all
from mamba_press.metadata import licenses
from mamba_press.project import sources
from mamba_press.types import Project, Solution
from mamba_press.vendoring.select import files
from tests.support.values import TARGET, Libraries, Prefix

NOTHING = "check the spelling, or take it out"


@pytest.fixture(scope="session")
def elf(tmp_path_factory):
    return Libraries(tmp_path_factory.mktemp("elf"))


@pytest.fixture
def wheel(tmp_path, elf):
    """What is told of a table of the configuration, for a wheel with a library that needs another one."""
    prefix = Prefix(tmp_path / "prefix").package("app", requested=True)
    prefix.add("lib/libapp.so.1.2", elf.library("libapp.so.1", "libdep.so.2", "libcuda.so.1"), of="app")
    prefix.add("lib/libdep.so.2", elf.library("libdep.so.2"), of="dep")
    prefix.add("share/app/words.txt", "", of="app")

    def told(**table):
        config = reader.from_values({"packages": ["app"], **table}, {}, {})
        environment = prefix.environment()
        searched = replace(config, link=replace(config.link, system=("libcuda*", "libdep*")))
        selection = files.select(environment, TARGET, searched)
        solution = Solution(target=TARGET, packages=environment.packages, channels=())
        return unmatched.in_wheel(config, environment, selection, solution, {"ssl/cert.pem", "lib/libapp.so.1.2"})

    return told


FILE, NEEDS, IN = "file of the packages", "library that the wheel needs", "library in the wheel"
LOST = "path that is looked for and not found, nor file that looks for one"


@pytest.mark.parametrize(
    ("table", "key", "text", "kind", "near"),
    [
        ({"select": {"exclude": ["share/ap/**"]}}, "select.exclude", "share/ap/**", FILE, "share/app/**"),
        (
            {"select": {"include": ["lib/libapp.so.1.3"]}},
            "select.include",
            "lib/libapp.so.1.3",
            FILE,
            "lib/libapp.so.1.2",
        ),
        ({"select": {"only": ["**", "nothing/x"]}}, "select.only", "nothing/x", FILE, None),
        ({"link": {"system": ["libcudda*"]}}, "link.system", "libcudda*", NEEDS, "libcuda.so.1"),
        ({"link": {"remove": ["libdeb.so"]}}, "link.remove", "libdeb.so", NEEDS, "libdep.so.2"),
        ({"link": {"external": {"libno.so": "x: x/x.so"}}}, "link.external", "libno.so", NEEDS, "libapp.so.1"),
        ({"link": {"rename": ["libap.so"]}}, "link.rename", "libap.so", IN, "libapp.so.1"),
        ({"link": {"clear-execstack": ["asm.so"]}}, "link.clear-execstack", "asm.so", IN, None),
        ({"licenses": {"named": {"depp": "MIT"}}}, "licenses.named", "depp", "package of the solution", "dep"),
        ({"placeholders": {"accept": ["ssl/certs.pem"]}}, "placeholders.accept", "ssl/certs.pem", LOST, "ssl/cert.pem"),
    ],
)
def test_what_matches_nothing_is_told_with_the_nearest(wheel, table, key, text, kind, near):
    (note,) = wheel(**table)
    assert (str(note.what), note.severity, note.of_all) == (
        f"tool.mamba-press.{key}: {text!r} matches no {kind}",
        "warning",
        True,
    )
    if key != "link.external":
        assert note.hint == (f'did you mean "{near}"?' if near else NOTHING)


@pytest.mark.parametrize(
    "table",
    [
        {"select": {"exclude": ["share/app/**"], "include": ["**/words.txt"], "only": ["lib/", "share/**"]}},
        {"link": {"system": ["libcuda*", "/opt/lib/libdep.so"], "remove": ["libdep.so"], "rename": ["libapp.so"]}},
        {"link": {"clear-execstack": ["libapp.so"], "external": {"libdep.so": "x: x/x.so"}, "rename": True}},
        {"licenses": {"named": {"dep": "MIT"}}, "placeholders": {"accept": ["lib/**"]}},
        {"placeholders": {"accept": ["ssl/**"]}},
    ],
)
def test_what_matches_is_not_told(wheel, table):
    assert wheel(**table) == ()


def test_a_path_that_stands_there_for_a_file_and_for_a_folder_has_to_be_one_of_them(wheel):
    assert wheel(select={"exclude": ["share/app", "share/app/**", "lib/libapp.so.1.2", "lib/libapp.so.1.2/**"]}) == ()


def test_the_name_of_a_folder_is_no_glob_for_what_is_in_it(wheel):
    (note,) = wheel(select={"exclude": ["share/app"]})
    assert note.hint == 'did you mean "share/app/**"?'


def test_a_name_that_covers_all_of_a_glob_before_it_is_not_told(wheel):
    assert wheel(select={"exclude": ["share/**", "share/app/**"]}) == ()


def test_lists_of_licences_are_held_to_all_licences_that_there_are():
    rules = Licenses(
        allow=("MIT", "BSD-*", "gpl-2.0-only", "LicenseRef-mine", "MTI"),
        deny=("*", "AGPL-4*", "GPL-* WITH GCC-exception-3.1", "LicenseRef-other"),
    )
    mine = licenses.Licence(package="a", text="x", expression="LicenseRef-mine OR Zlib", is_certain=True)
    nothing = "matches no licence of SPDX, nor one in the wheel"
    assert [str(note.what) for note in licenses.unknown([mine], rules)] == [
        f"tool.mamba-press.licenses.allow: 'MTI' {nothing}",
        f"tool.mamba-press.licenses.deny: 'AGPL-4*' {nothing}",
        f"tool.mamba-press.licenses.deny: 'LicenseRef-other' {nothing}",
    ]


def test_globs_over_own_code_are_held_to_the_project(tmp_path):
    for path in ("mine/__init__.py", "mine/made.py", "docs/made.md"):
        tmp_path.joinpath(path).parent.mkdir(exist_ok=True)
        tmp_path.joinpath(path).touch()
    project = Project(root=tmp_path, name="mine", version=None)
    wanted = Sources(
        exclude=("**/made.py", "mine/mde.py", "docs/**"), include=("mine/made.py", "docs/*", "docs/mad.md")
    )
    own = sources.collect(project, None, wanted, tmp_path)
    assert [(str(note.what).removeprefix("tool.mamba-press.sources."), str(note.hint)) for note in own.notes] == [
        ("exclude: 'mine/mde.py' matches no file of the modules", 'did you mean "mine/made.py"?'),
        ("exclude: 'docs/**' matches no file of the modules", NOTHING),
        ("include: 'docs/mad.md' matches no file of the project", 'did you mean "docs/made.md"?'),
    ]


def test_what_is_said_of_one_part_only_is_left_out_where_it_counts_for_all():
    every, plain, one = Note("every", of_all=True), Note("plain"), Note("one", of_all=True)
    assert list(of_all([(every, plain), (every, one)])) == [every, plain, every]
