"""Promises that stand in more than one file of the repository are the same in all of them."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from mamba_press import errors
from mamba_press.commands import parser
from mamba_press.conda import package_info, prefix, worker_process
from mamba_press.conda.worker import package_check
from mamba_press.pipeline import requires
from mamba_press.wheel import read, zip_read

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page for each in ("*.md", ".github/*.md", "docs/**/*.md", "changelog.d/*.md") for page in ROOT.glob(each)
)
WORKFLOWS = sorted(ROOT.glob(".github/workflows/*.yml"))

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_extra_all_brings_what_a_build_asks_for():
    extra = {Requirement(text).name: Requirement(text) for text in PYPROJECT["project"]["optional-dependencies"]["all"]}
    for text in (requires.RATTLER, requires.DEFLATE):
        asked = Requirement(text)
        assert extra[asked.name].specifier == asked.specifier


def test_the_dependencies_are_those_that_the_design_allows():
    names = {Requirement(text).name for text in PYPROJECT["project"]["dependencies"]}
    assert names == {"packaging", "pyproject-hooks", "pyproject-metadata", "tomli"}


def test_tomli_is_only_for_pythons_without_tomllib():
    (tomli,) = (r for r in map(Requirement, PYPROJECT["project"]["dependencies"]) if r.name == "tomli")
    assert tomli.marker is not None
    assert tomli.marker.evaluate({"python_version": "3.10"})
    assert not tomli.marker.evaluate({"python_version": "3.11"})


def test_the_readme_has_two_commands():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"```console\n(.*?)```", readme, flags=re.DOTALL)
    assert len(commands) == 2
    assert [command.split()[-1] for command in commands] == ["demo", "tests"]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_link_of_the_documentation_leads_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, fragment = link.partition("#")
        if "://" in path:
            continue
        target = (page.parent / path) if path else page
        assert target.exists(), link
        if fragment:
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), flags=re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert fragment in anchors, link


def test_the_files_that_the_table_for_what_is_new_names_are_there():
    table = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("| what is new |")[2].partition("\n\n")[0]
    named = re.findall(r"`([a-z_/]+/(?:[\w-]+\.\w+)?)`", table)
    assert len(named) > 10
    assert [name for name in named if not any((ROOT / at / name).exists() for at in ("", "src/mamba_press"))] == []


def test_every_page_of_the_documentation_is_reached_from_its_index():
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = [page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")]
    assert [page for page in pages if page != "README.md" and f"({page})" not in index] == []


@pytest.mark.parametrize("name", parser.HELP)
def test_every_command_is_in_the_manual_with_all_its_options(name):
    page = (ROOT / "docs/reference/command-line.md").read_text(encoding="utf-8")
    described = argparse.ArgumentParser(add_help=False)
    parser.load(name).add(described)
    options = {option for action in described._actions for option in action.option_strings}
    assert f"## `mamba-press {name} " in page
    assert [option for option in sorted(options) if not re.search(rf"`[^`\n]*(?<![\w-]){option}(?![\w-])", page)] == []


def test_the_exit_codes_are_documented():
    page = (ROOT / "docs/reference/exit-codes.md").read_text(encoding="utf-8")
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", page, flags=re.MULTILINE)}
    kinds = {kind.code for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert documented == kinds | {0, 1, 130}
    shown = parser.parser(()).epilog or ""
    assert {int(code) for code in re.findall(r"\b(\d+) \w", shown.partition("exit codes:")[2])} == kinds - {1} | {
        129,
        130,
        143,
    }


def test_the_bounds_on_the_page_of_security_are_those_of_the_code():
    page = (ROOT / ".github/SECURITY.md").read_text(encoding="utf-8")
    mib = 1 << 20
    for text in (
        f"| {worker_process.PATIENCE:.0f} seconds;",
        f"| {package_check.BYTES // mib} MiB and {package_check.DENSEST} times its archive;",
        f"{package_check.FILES:,} files and one for each {package_check.SPARSEST} bytes",
        f"| {prefix._COPIES:,} files and {prefix._COPIED_BYTES // mib >> 10} GiB, and ten times",
        f"| {package_check.RECORDS // mib} MiB; {package_info.MOST // mib} MiB for `about.json`",
        f"; {package_info.MOST_LICENCES // mib} MiB for all licences",
        f"| {read.MOST // mib} MiB, or {read.RATIO} times",
        f"| {zip_read.ENTRIES:,}; {read.TEXTS['METADATA'] // mib} MiB; {read.TEXTS['RECORD'] // mib} MiB |",
    ):
        assert text in page


def test_what_to_do_is_said_for_every_kind_of_error():
    page = (ROOT / "docs/how-to/when-a-build-fails.md").read_text(encoding="utf-8")
    for kind in errors.PressError.__subclasses__():
        assert f"## {kind.code}: {kind.title}" in page


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_an_action_is_pinned_to_a_commit_and_says_its_version(workflow):
    lines = [line for line in workflow.read_text(encoding="utf-8").splitlines() if "uses:" in line]
    assert lines
    for line in lines:
        assert re.search(r"uses: [\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_starts_without_permissions_and_leaves_no_credentials(workflow):
    text = workflow.read_text(encoding="utf-8")
    assert "\npermissions: {}\n" in text
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")


def test_a_changelog_fragment_is_named_after_an_issue_and_a_kind():
    for path in (ROOT / "changelog.d").iterdir():
        assert path.name == "README.md" or re.fullmatch(
            r"(\d+|\+[\w-]+)\.(added|changed|fixed|removed)\.md", path.name
        ), path.name
