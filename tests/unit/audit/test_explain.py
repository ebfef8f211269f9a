"""Explanations of finished wheels: what sets the tag, what needs what, what no bill of materials names."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from mamba_press import __main__ as command
from mamba_press.audit import explain, render
from mamba_press.audit.explain import Explanation, Need, Part, Piece
from mamba_press.errors import Note
from mamba_press.types import Dropped, Finding, Floor, Reason
from tests.support.wheels import files, make

SCHEMA = json.loads(Path(__file__).parents[3].joinpath("docs/reference/explain.schema.json").read_text("utf-8"))


def floor(version: tuple[int, int], package: str, *, path: str = "", symbol: str = "") -> Floor:
    name = symbol or f"GLIBC_{version[0]}.{version[1]}"
    return Floor(
        version=version, path=path or f"x/lib{package}.so.1", package=package, library="libc.so.6", symbol=name
    )


def piece(path: str, package: str | None = None, **more: object) -> Piece:
    return Piece(path=path, size=1000, package=package, **more)  # type: ignore[arg-type]


FLOORS = (floor((2, 27), "icu"), floor((2, 17), "zlib"), floor((2, 17), "bz"), floor((2, 5), "bz"))
SSL = piece(
    "x/_prefix/lib/libssl.so.3",
    "openssl",
    original="lib/libssl.so.3",
    why="needed by x",
    changes=("search path",),
    sha256="ab" * 32,
    binary="elf x86_64",
    needs=(Need(name="libc.so.6", where="system", why="never vendored"), Need(name="liby.so", where="missing")),
    needed_by=("x/a.so",),
    opened_by=("x/b.py",),
    demand="GLIBC_2.17 of libc.so.6",
)
WHOLE = Explanation(
    wheel="x-1-cp310-cp310-manylinux_2_27_x86_64.whl",
    maker="mamba-press",
    size=None,
    unpacked=2_000_000,
    tags="cp310-cp310-manylinux_2_27_x86_64",
    lowest="manylinux_2_27_x86_64",
    steps=explain.steps(FLOORS, "manylinux_2_27_x86_64"),
    parts=(
        Part(
            name="openssl",
            version="3.2",
            build="h1",
            license="Apache-2.0",
            why=Reason("needed", "x"),
            files=1,
            size=1000,
        ),
        *(
            Part(name=f"p{n}", version="1", build=None, license=None, why=Reason("rule", "data"), files=1, size=9)
            for n in range(12)
        ),
    ),
    pieces=(SSL, piece("x/a.so", "x", needs=(Need(name="libssl.so.3", where="wheel", path=SSL.path),))),
    license="Apache-2.0 AND MIT",
    left=(Dropped(package="openssl", path="lib/libssl.a", size=9000, why=Reason("rule", "static libraries")),),
    lost=(
        Finding(
            path=SSL.path,
            file="lib/libssl.so.3",
            package="openssl",
            text="/nowhere/ssl",
            kind="functional",
            consequence="certificates are not found",
        ),
    ),
    notes=(Note("one"), Note("two")),
)


def said(*arguments: str, capsys) -> str:
    assert command.main(["explain", *arguments]) == 0
    return capsys.readouterr().out


# --- what sets the tag


def test_the_steps_down_name_who_would_have_to_go():
    first, second = WHOLE.steps
    assert (first.by, first.otherwise) == (("icu",), "manylinux_2_17_x86_64")
    assert (second.by, second.otherwise) == (("bz", "zlib"), None)


def test_a_symbol_is_named_before_a_record_that_demands_the_same():
    record = replace(floor((2, 27), "a"), library="its conda record", symbol="__glibc >=2.27")
    (step,) = explain.steps([record, FLOORS[0]], "manylinux_2_27_x86_64")
    assert (step.floor, step.by) == (FLOORS[0], ("a", "icu"))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {},
            (
                "manylinux_2_27_x86_64: set by GLIBC_2.27 of libc.so.6, needed by libicu.so.1 of icu; without icu: "
                "manylinux_2_17_x86_64"
            ),
        ),
        (
            {"tags": "cp310-cp310-manylinux_2_28_x86_64"},
            (
                "manylinux_2_28_x86_64, where manylinux_2_27_x86_64 would be enough: set by GLIBC_2.27 of libc.so.6, "
                "needed by libicu.so.1 of icu; without icu: manylinux_2_17_x86_64"
            ),
        ),
        (
            {"steps": explain.steps(FLOORS[1:2], "manylinux_2_17_x86_64"), "lowest": "manylinux_2_27_x86_64"},
            (
                "manylinux_2_27_x86_64: set by GLIBC_2.17 of libc.so.6, needed by libzlib.so.1 of zlib; nothing else "
                "sets a floor"
            ),
        ),
        (
            {"steps": explain.steps([replace(FLOORS[0], library="its conda record", symbol="__glibc >=2.27")], "")},
            (
                "manylinux_2_27_x86_64: set by __glibc >=2.27, which the conda record of icu states; nothing else "
                "sets a floor"
            ),
        ),
        (
            {"steps": explain.steps([floor((2, 9), "", path=f"x/{n}.so") for n in range(5)], "")},
            "manylinux_2_27_x86_64: set by GLIBC_2.9 of libc.so.6, needed by 0.so; nothing else sets a floor",
        ),
        ({"tags": "py3-none-any", "steps": (), "lowest": None}, "any: nothing in the wheel is bound to a system"),
        (
            {"tags": "cp310-cp310-win_amd64", "steps": (), "lowest": None},
            "win_amd64: Windows has no versions in its tags",
        ),
    ],
)
def test_the_first_line_answers_what_sets_the_tag(changes, expected):
    found = replace(WHOLE, **changes)
    assert render.answer(found) == expected
    assert render.plain(render.overview(found)).splitlines()[0] == expected


# --- text


def test_an_overview_is_a_screen_and_says_where_the_rest_is(golden):
    text = render.plain(render.overview(WHOLE))
    assert len(text.splitlines()) < 40
    golden("explain/overview.txt", text + "\n")


def test_what_left_a_finished_wheel_is_said_to_be_unknown():
    found = replace(WHOLE, left=None)
    assert render.section_of(found, "left").rows == (("only known while pressing: explain the project",),)
    assert "left" not in {section.title for section in render.overview(found)}


def test_every_section_has_all_of_its_rows(golden):
    golden("explain/all.txt", render.plain([render.section_of(WHOLE, name) for name in render.SECTIONS]) + "\n")


@pytest.mark.parametrize("pattern", ["*ssl*", "openssl", "libssl.so.3", "lib/libssl.so.3"])
def test_a_pattern_finds_files_by_path_name_and_package(pattern):
    text = render.plain(render.matching(WHOLE, [pattern]))
    assert "GLIBC_2.17 of libc.so.6" in text
    assert "liby.so: NOT FOUND" in text
    assert "certificates are not found" in text


def test_a_pattern_shows_all_that_is_known(golden):
    golden("explain/pattern.txt", render.plain(render.matching(WHOLE, ["*ssl*"])) + "\n")


@pytest.mark.parametrize("width", [40, 80, 160])
def test_a_terminal_gets_lines_that_fit_and_never_loses_a_name(width, monkeypatch):
    pytest.importorskip("rich")
    monkeypatch.setenv("COLUMNS", str(width))
    out = io.StringIO()
    render.draw(render.overview(WHOLE), out)
    lines = out.getvalue().splitlines()
    assert all(len(line.rstrip()) <= width for line in lines)
    assert any(line.startswith("  openssl") for line in lines)
    assert "\x1b" not in out.getvalue()


def test_colour_is_asked_for_and_refused_by_the_usual_variables(monkeypatch):
    pytest.importorskip("rich")
    for names, is_coloured in (
        ({"FORCE_COLOR": "1", "TERM": "xterm"}, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1", "TERM": "xterm"}, False),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, False),
    ):
        monkeypatch.delenv("NO_COLOR", raising=False)
        for name, value in names.items():
            monkeypatch.setenv(name, value)
        out = io.StringIO()
        render.draw(render.overview(WHOLE), out)
        assert ("\x1b[36m" in out.getvalue()) is is_coloured, names


# --- JSON


def test_the_schema_is_one_and_describes_what_is_written():
    Draft202012Validator.check_schema(SCHEMA)
    found = json.loads(json.dumps(explain.as_json(WHOLE)))
    Draft202012Validator(SCHEMA).validate(found)
    assert set(found) == set(SCHEMA["properties"])
    assert found["version"] == SCHEMA["properties"]["version"]["const"] == explain.VERSION


# --- finished wheels


def test_what_follows_a_wheel_is_a_pattern(tmp_path, capsys):
    path = make(tmp_path, files())
    text = said(str(path), "*__init__*", capsys=capsys)
    assert text.startswith("demo/__init__.py\n")
    assert command.main(["explain", str(path), "nothing", "*.x"]) == 2
    assert capsys.readouterr().err.count("matches no package, path or library") == 2


def test_sections_are_named_alike_in_the_command_and_on_the_screen():
    from mamba_press.commands import explain as asked

    assert asked.SECTIONS == render.SECTIONS


def test_controls_of_a_name_are_told_and_not_done(tmp_path, capsys):
    path = make(tmp_path, files({"demo/\x1b[2J\u202ea\x07.py": b""}))
    text = said(str(path), "--section", "all", capsys=capsys)
    assert text.replace("\n", "").isprintable()
    assert "demo/\\x1b[2J\\u202ea\\x07.py" in text


@pytest.mark.parametrize("bill", [b"[" * 100_000, b"[]", b'{"components": [{"components": [1]}]}'])
def test_a_bill_that_nobody_can_read_says_nothing(tmp_path, capsys, bill):
    path = make(tmp_path, files(**{"sboms/mamba-press.cdx.json": bill}))
    assert "demo" in said(str(path), capsys=capsys)


@pytest.mark.parametrize("listed", [b"demo/__init__.py,sha256=x,0\n", b'"' + b"x" * 200_000 + b'",,\n'])
def test_a_record_that_is_no_table_says_nothing(tmp_path, capsys, listed):
    assert "demo" in said(str(make(tmp_path, files(), listed=listed)), capsys=capsys)
