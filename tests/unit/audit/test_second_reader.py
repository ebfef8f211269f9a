"""A second reader: where it reads as we do, where it does not, and what is said where it reads nothing."""

from __future__ import annotations

import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mamba_press.audit import check, second_reader
from mamba_press.errors import ConfigError
from mamba_press.pipeline import requires
from mamba_press.platforms import binaries, binary_edits, target
from mamba_press.platforms.linux import elf_reader
from mamba_press.types import Edits, Requirement
from tests.support.compile import Linking, shared_library
from tests.support.macho import LOAD, Dylib, dylib, universal
from tests.support.wheels import files, make, record, wheel_text
from tests.support.windows import Dll, dll

pytest.importorskip("lief", reason="LIEF is not installed")

FIRST = "demo/0.so, demo/1.so, demo/2.so"
LINUX = "demo-1.0-py3-none-manylinux_2_28_x86_64.whl"


@pytest.fixture
def library(tmp_path: Path) -> bytes:
    """A library that needs others and their versions, defines some, and has a search path."""
    other = shared_library(tmp_path / "libother.so.1", "int other(void) { return 1; }", Linking(soname="libother.so.1"))
    source = '#include <stdio.h>\nint other(void); int value(void) { return puts("x") + other(); }'
    linking = Linking(soname="libvalue.so.2", needed=(other,), runpath="$ORIGIN:$ORIGIN/../lib")
    return shared_library(tmp_path / "libvalue.so.2", source, linking).read_bytes()


def read(*binaries_: bytes, here: str = "", **problems: object) -> second_reader.Verdict:
    """What comes of these files as those of a wheel."""
    with second_reader.beside(here=here) as reader:
        for number, data in enumerate(binaries_):
            reader.offer(f"demo/{number}.so", data)
        return reader.verdict({"demo.whl": {f"demo/{number}.so": (0, None) for number in range(len(binaries_))}})


def said(verdict: second_reader.Verdict) -> list[str]:
    return [f"{problem.where}: {problem.what}" for problems in verdict.problems.values() for problem in problems]


@pytest.fixture
def false_lief(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put another LIEF in place of the real one, for the process alone."""

    def put(text: str, name: str = "lief.py") -> None:
        folder = tmp_path / "false"
        folder.mkdir(exist_ok=True)
        module = "class logging:\n    disable = staticmethod(lambda: None)\n" + textwrap.dedent(text)
        folder.joinpath(name).write_text(module)
        monkeypatch.setenv("PYTHONPATH", str(folder))

    return put


ASKED = """\
class ELF:
    class ParserConfig: ...
    def parse(path, config):
        {}
"""


# --- what both read


def test_an_edited_elf_file_is_read_alike(library):
    edits = Edits(name="libvalue-0123abcd.so.2", needed=(("libother.so.1", "libother-0.so.1"),), search=("$ORIGIN/x",))
    assert read(library, binary_edits.apply(library, edits)) == second_reader.Verdict(
        problems={"demo.whl": ()}, agreed=2
    )


def test_each_slice_of_an_edited_mach_o_file_is_read_alike():
    slices = [dylib(Dylib(arch=arch, search=("@loader_path",))) for arch in ("x86_64", "arm64")]
    data = binary_edits.apply(universal(*slices), Edits(name="@rpath/libvalue-0.dylib", search=("@loader_path/a",)))
    assert read(data).agreed == 1
    assert said(read(data)) == []


def test_a_library_that_a_mach_o_file_names_twice_is_read_alike():
    twice = (("/usr/lib/libSystem.B.dylib", LOAD), ("/usr/lib/libSystem.B.dylib", LOAD))
    assert said(read(dylib(Dylib(needed=twice)))) == []


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
def test_an_edited_pe_file_with_delayed_imports_and_forwarders_is_read_alike(arch):
    made = dll(
        Dll(
            arch=arch,
            delayed={"late.dll": ["Late"]},
            forwards={"passed": "NTDLL.RtlAlloc", "again": "Kernel32.Sleep"},
            load_flags=0x800,
        )
    )
    data = binary_edits.apply(made, Edits(needed=(("late.dll", "late-mp0.dll"),)))
    assert read(data).agreed == 1
    assert said(read(data)) == []


def test_packed_relocations_without_their_version_are_a_known_difference(library, monkeypatch):
    added = Requirement(library="libc.so.6", versions=("GLIBC_ABI_DT_RELR",))
    _faulty(monkeypatch, lambda facts: replace(facts, requires=(*facts.requires, added)))
    assert said(read(library)) == []


def test_what_can_be_loaded_here_is_left_out(library):
    assert read(library, here=target.this_machine().platform).agreed == 0
    assert read(library, here="macosx-arm64").agreed == 1


def test_a_universal_file_is_read_where_one_slice_cannot_be_loaded():
    both = universal(*(dylib(Dylib(arch=arch)) for arch in ("x86_64", "arm64")))
    assert read(both, here="macosx-arm64").agreed == 1
    assert read(dylib(Dylib(arch="arm64")), here="macosx-arm64").agreed == 0


# --- faults of ours


def _faulty(monkeypatch: pytest.MonkeyPatch, change) -> None:
    """Put a fault into our reader of ELF files."""
    facts = elf_reader.facts
    monkeypatch.setattr(elf_reader, "facts", lambda image: change(facts(image)))


def test_a_needed_name_that_we_read_wrongly_is_an_error_with_both_answers(library, monkeypatch):
    _faulty(monkeypatch, lambda facts: replace(facts, needed=tuple(name[1:] for name in facts.needed)))
    (found,) = said(read(library))
    assert found.startswith("demo/0.so: its needed names: mamba-press reads ibother.so.1, ibc.so.6, LIEF ")
    assert found.endswith(" reads libother.so.1, libc.so.6")


def test_a_version_that_we_lose_is_an_error_with_both_answers(library, monkeypatch):
    _faulty(monkeypatch, lambda facts: replace(facts, requires=facts.requires[1:]))
    (found,) = said(read(library))
    assert "its symbol versions that it needs: mamba-press reads none, LIEF 1" in found
    assert found.endswith("reads (libc.so.6 (GLIBC_2.2.5))")


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"name": "x.so"}, "own name"), ({"search": ()}, "search path"), ({"defines": frozenset({"V"})}, "that it has")],
)
def test_every_other_field_is_compared(library, monkeypatch, changes, words):
    _faulty(monkeypatch, lambda facts: replace(facts, **changes))
    (found,) = said(read(library))
    assert words in found


def test_a_segment_that_we_read_elsewhere_is_an_error(library, monkeypatch):
    parts = binaries.parts
    moved = lambda part: part._replace(segments=((4, 1, 2, 3, 4), *part.segments[1:]))  # noqa: E731
    monkeypatch.setattr(binaries, "parts", lambda data: tuple(map(moved, parts(data))))
    (found,) = said(read(library))
    assert "its segments: mamba-press reads (0x4 0x1 0x2 0x3 0x4), LIEF " in found


# --- what is not read


def test_a_file_at_which_lief_aborts_is_counted_and_the_next_one_is_read(library, false_lief):
    false_lief(ASKED.format("import os; os.abort() if path.endswith('/0.bin') else 1 / 0"))
    assert read(library, library).notes == (
        "1 of 2 files were not read a second time, LIEF: the process was ended by SIGABRT: demo/0.so",
        "1 of 2 files were not read a second time, LIEF: ZeroDivisionError: division by zero: demo/1.so",
    )


def test_a_file_that_takes_too_long_is_counted_and_the_next_one_is_read(library, false_lief, monkeypatch):
    monkeypatch.setattr(second_reader, "PATIENCE", 0.5)
    false_lief(ASKED.format("import time; time.sleep(60) if path.endswith('/0.bin') else 1 / 0"))
    begun = time.monotonic()
    first, second = read(library, library).notes
    assert first == "1 of 2 files were not read a second time, LIEF: it took longer than 0.5 seconds: demo/0.so"
    assert "ZeroDivisionError" in second
    assert time.monotonic() - begun < 10


@pytest.mark.skipif(sys.platform == "win32", reason="nothing bounds the memory of a process there")
def test_a_file_that_takes_too_much_memory_is_counted_and_the_next_one_is_read(library, false_lief):
    false_lief(ASKED.format("bytearray(1 << 30) if path.endswith('/0.bin') else 1 / 0"))
    assert read(library, library).notes == (
        "1 of 2 files were not read a second time, LIEF needs more than 1,024 MiB of memory: demo/0.so",
        "1 of 2 files were not read a second time, LIEF: ZeroDivisionError: division by zero: demo/1.so",
    )


def test_a_file_that_lief_does_not_know_is_counted(library, false_lief):
    false_lief(ASKED.format("return None"))
    assert read(*[library] * 4).notes == (
        f"4 of 4 files were not read a second time, LIEF: it takes it for no binary: {FIRST} and 1 more",
    )


def test_after_ten_bad_ends_nothing_more_is_asked(library, false_lief, monkeypatch):
    false_lief("import os\nos._exit(9)")
    assert read(*[library] * 12).notes == (
        f"10 of 12 files were not read a second time, LIEF: the process ended with exit code 9: {FIRST} and 7 more",
        "2 of 12 files were not read a second time, LIEF: 10 processes did not end well: demo/10.so, demo/11.so",
    )


def test_without_lief_there_is_a_note(library, false_lief):
    false_lief("raise ImportError")
    notes = read(library).notes
    assert notes == ("1 of 1 files were not read a second time, LIEF is not installed: demo/0.so",)


def test_without_lief_it_is_an_error_to_ask_for_it(monkeypatch):
    monkeypatch.setattr(second_reader, "is_there", lambda name: name != "lief")
    second_reader.require("foreign")
    with pytest.raises(ConfigError, match="asks for a second reader, and lief cannot be imported here") as raised:
        second_reader.require("always")
    assert raised.value.problems[0].hint == "python -m pip install 'mamba-press[all]'"


def test_what_lief_prints_is_no_answer(library, false_lief):
    false_lief(ASKED.format("print('{\"parts\": []}'); return None"))
    assert "it takes it for no binary" in read(library).notes[0]


def test_a_process_that_nobody_waits_for_any_more_is_gone_with_its_files(library, false_lief):
    false_lief(ASKED.format("import time; time.sleep(60)"))
    with second_reader.beside() as reader:
        reader.begin(lief=True)
        reader.offer("a.so", library)
        process, folder = reader._run.process, reader._folder
    assert process.returncode is not None
    assert not folder.exists()


def test_what_reads_is_imported_before_anything_is_asked(tmp_path, false_lief):
    for name in ("lief.py", "wheel.py"):
        false_lief(f"import pathlib; pathlib.Path({str(tmp_path)!r}, {name!r} + ' is there').touch()", name)
    with second_reader.beside() as reader:
        reader.begin(lief=True)
        reader._run.finish()
    assert sorted(path.name for path in tmp_path.glob("* is there")) == ["lief.py is there", "wheel.py is there"]


def test_a_library_that_cannot_be_imported_is_told_of_each_file(library, false_lief):
    false_lief("raise RuntimeError('no licence')")
    with second_reader.beside() as reader:
        reader.begin(lief=True)
        for name in ("a.so", "b.so"):
            reader.offer(name, library)
        notes = reader.verdict({}).notes
    assert notes == ("2 of 2 files were not read a second time, LIEF: RuntimeError: no licence: a.so, b.so",)


def test_nobody_waits_until_lief_is_taken_down(library, false_lief):
    false_lief("import atexit, time; atexit.register(time.sleep, 60)\n" + ASKED.format("return None"))
    begun = time.monotonic()
    assert "it takes it for no binary" in read(library).notes[0]
    assert time.monotonic() - begun < 10


# --- the wheel


def opened(path: Path, **options: object) -> str:
    with second_reader.beside(whole=True) as reader:
        return "\n".join(map(str, check.examine(path, second=reader, **options).problems))  # type: ignore[arg-type]


def test_a_sound_wheel_is_opened_under_the_name_that_it_is_going_to_have(tmp_path):
    path = make(tmp_path, files({"demo/größe.txt": b"x"}), name=".mamba-press-1.tmp")
    assert opened(path, name="demo-1.0-py3-none-any.whl") == ""


def test_all_binaries_of_a_wheel_are_read_and_counted(tmp_path, library):
    path = make(
        tmp_path,
        files({"demo/libvalue.so.2": library, "demo/a.so": library}, WHEEL=wheel_text(LINUX[9:-4], pure=False)),
        LINUX,
    )
    with second_reader.beside(whole=True) as reader:
        notes = check.examine(path, second=reader).notes
    assert "3 files were read a second time, and alike" in notes


def test_a_wheel_that_wheel_does_not_open_is_an_error_and_no_traceback(tmp_path):
    content = files()
    path = make(tmp_path, content, listed=record(content) + b"\n")
    assert "demo-1.0-py3-none-any.whl: wheel cannot read it: ValueError: not enough values to unpack" in opened(path)


def test_a_file_that_does_not_match_its_hash_is_found_where_all_are_read(tmp_path):
    content = files()
    listed = record({**content, "demo/__init__.py": b"other"})
    assert "wheel cannot read it: WheelError: Hash mismatch for file 'demo/__init__.py'" in opened(
        make(tmp_path, content, listed=listed)
    )


def test_a_hash_that_we_read_wrongly_is_an_error_with_both_answers(tmp_path, monkeypatch):
    rows = check._as_rows
    monkeypatch.setattr(
        check,
        "_as_rows",
        lambda contents: {path: (size, sha256 and "0" * 64) for path, (size, sha256) in rows(contents).items()},
    )
    found = opened(make(tmp_path, files()))
    assert f"demo/__init__.py: mamba-press reads 0 bytes with the sha256 {'0' * 64}, wheel 0" in found


def test_a_file_that_only_one_of_both_finds_is_an_error(tmp_path, monkeypatch):
    rows = check._as_rows
    monkeypatch.setattr(check, "_as_rows", lambda contents: {"more.py": (0, None), **rows(contents)})
    assert opened(make(tmp_path, files())) == "more.py: only mamba-press finds it in demo-1.0-py3-none-any.whl"


def test_problems_of_wheels_that_are_judged_together_stay_with_their_wheel(tmp_path, library, monkeypatch):
    _faulty(monkeypatch, lambda facts: replace(facts, search=("$ORIGIN",)))
    first = make(tmp_path, files())
    second = make(tmp_path, files({"demo/libvalue.so.2": library}), "demo-1.0-1-py3-none-any.whl")
    with second_reader.beside(whole=True) as reader:
        found = check.together([first, second], second=reader)
    assert ["search path" in str(one.problems) for one in found] == [False, True]


# --- what a build needs


@pytest.fixture
def needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What a build asks for, by its configuration and by what builds."""
    monkeypatch.chdir(tmp_path)

    def ask(table: str, **machine: object) -> list[str]:
        tmp_path.joinpath("pyproject.toml").write_text(
            f'[project]\nname = "x"\nversion = "1"\n[tool.mamba-press]\npackages = ["x"]\n{table}'
        )
        found = replace(target.this_machine(), **machine)
        monkeypatch.setattr(target, "this_machine", lambda: found)
        return [each for each in requires.requirements(None, environ={}) if each in (requires.LIEF, requires.WHEEL)]

    return ask


X86 = {"platform": "linux-x86_64", "glibc": (2, 28)}


@pytest.mark.parametrize(
    ("table", "wanted"),
    [
        ("", []),
        ('platform = "linux-64"', []),
        ('platform = "osx-arm64"', [requires.LIEF, requires.WHEEL]),
        ('platform = "win-64"', [requires.LIEF, requires.WHEEL]),
        ('platform = "linux-aarch64"', [requires.LIEF, requires.WHEEL]),
        ('platform = "osx-arm64"\nsecond-reader = "off"', []),
        ('second-reader = "always"', [requires.LIEF, requires.WHEEL]),
    ],
)
def test_a_build_asks_for_lief_where_it_will_run(needs, table, wanted):
    assert needs(table, **X86) == wanted


@pytest.mark.parametrize("machine", [{**X86, "glibc": (2, 17)}, {**X86, "platform": "linux-ppc64le"}])
def test_a_build_does_not_ask_for_a_lief_that_has_no_wheel(needs, machine):
    assert needs('second-reader = "always"', **machine) == [requires.WHEEL]
