"""The loader, simulated: whose search path counts for whom, and who answers for a name."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

import mamba_press
from mamba_press.errors import Habit, Remark
from mamba_press.platforms import binaries
from mamba_press.platforms.linux import hazards
from mamba_press.platforms.linux import loader as linux_loader
from mamba_press.platforms.linux.loader import Promise
from mamba_press.types import Binary, Requirement
from tests.support.compile import Linking, shared_library

PROMISE = Promise(arch="x86_64", floor=(2, 17))


def elf(*needed: str, name: str | None = None, rpath: str = "", runpath: str = "", **fields: object) -> Binary:
    search = tuple((rpath or runpath).split(":")) if rpath or runpath else ()
    given = {"format": "elf", "arch": "x86_64", "kind": "shared", "name": name, "needed": needed, **fields}
    return Binary(search=search, inherited=bool(rpath), **given)  # type: ignore[arg-type]


def wheres(promise: Promise = PROMISE, **libraries: Binary) -> list[str]:
    """The files with problems; in names given as keywords ``__`` stands for ``/`` and ``_so`` for ``.so``."""
    named = {name.replace("__", "/").replace("_so", ".so"): binary for name, binary in libraries.items()}
    return [problem.where for problem in linux_loader.problems(named, promise)]


def test_rpath_is_inherited_by_what_is_loaded():
    assert wheres(
        pkg__ext_so=elf("liba.so", rpath="$ORIGIN/lib"),
        pkg__lib__liba_so=elf("libb.so", name="liba.so"),
        pkg__lib__libb_so=elf(name="libb.so"),
    ) == []  # fmt: skip


def test_runpath_is_not():
    assert wheres(
        pkg__ext_so=elf("liba.so", runpath="$ORIGIN/lib"),
        pkg__lib__liba_so=elf("libb.so", name="liba.so"),
        pkg__lib__libb_so=elf(name="libb.so"),
    ) == ["pkg/lib/liba.so"]  # fmt: skip


def test_an_object_with_runpath_does_not_inherit():
    assert wheres(
        pkg__ext_so=elf("liba.so", rpath="$ORIGIN/lib:$ORIGIN/more"),
        pkg__lib__liba_so=elf("libb.so", name="liba.so", runpath="$ORIGIN"),
        pkg__more__libb_so=elf(name="libb.so"),
    ) == ["pkg/lib/liba.so"]  # fmt: skip


def test_inheritance_passes_over_an_object_with_runpath_in_between():
    assert wheres(
        pkg__ext_so=elf("liba.so", rpath="$ORIGIN/lib"),
        pkg__lib__liba_so=elf("libb.so", name="liba.so", runpath="$ORIGIN"),
        pkg__lib__libb_so=elf("libc.so", name="libb.so"),
        pkg__lib__libc_so=elf(name="libc.so"),
    ) == []  # fmt: skip


def test_what_is_loaded_already_answers_to_its_soname():
    assert wheres(
        pkg__ext_so=elf("liba.so", "libb.so", rpath="$ORIGIN"),
        pkg__liba_so=elf(name="liba.so"),
        pkg__libb_so=elf("liba.so", name="libb.so", runpath="$ORIGIN/none"),
    ) == []  # fmt: skip


def test_every_root_must_find_what_it_needs_by_itself():
    libraries = {
        "a.so": elf("liba.so", runpath="$ORIGIN/lib"),
        "b.so": elf("liba.so"),
        "lib/liba.so": elf(name="liba.so"),
    }
    (problem,) = linux_loader.problems(libraries, PROMISE)
    assert problem.where == "b.so"
    assert problem.hint == "the file has no search path; it is at lib/liba.so"


def test_the_report_says_who_loaded_whom():
    libraries = {"x.so": elf("liba.so", runpath="$ORIGIN"), "liba.so": elf("libgone.so", name="liba.so")}
    (problem,) = linux_loader.problems(libraries, PROMISE)
    assert problem.where == "liba.so"
    assert "needs libgone.so" in problem.what
    assert "(loaded by x.so)" in problem.what


def test_libraries_that_only_need_each_other_are_loaded_too():
    assert wheres(
        liba_so=elf("libb.so", name="liba.so", rpath="$ORIGIN"),
        libb_so=elf("liba.so", "libgone.so", name="libb.so", rpath="$ORIGIN"),
    ) == ["libb.so"]  # fmt: skip


def test_a_library_of_another_machine_does_not_answer():
    assert wheres(x_so=elf("liba.so", rpath="$ORIGIN"), liba_so=elf(name="liba.so", arch="aarch64")) == ["x.so"]


def test_the_system_answers_for_what_the_tag_promises_and_no_more():
    assert wheres(x_so=elf("libc.so.6", "libX11.so.6", "libstdc++.so.6", "ld-linux-x86-64.so.2")) == []
    assert wheres(x_so=elf("libssl.so.3")) == ["x.so"]
    assert wheres(Promise(arch="x86_64", floor=None, elsewhere=("libssl.so*",)), x_so=elf("libssl.so.3")) == []


def test_drivers_are_the_systems_whatever_the_tag_and_that_none_promises_them_is_a_remark():
    libraries = {
        "a.so": elf("libdrm.so.2", "libGL.so.1", "libc.so.6"),
        "b.so": elf("libdrm.so.2", "libdrm.so.1", runpath="$ORIGIN/lib"),
        "lib/libdrm.so.1": elf(name="libdrm.so.1"),
    }
    (remark,) = linux_loader.problems(libraries, PROMISE)
    assert isinstance(remark, Remark)
    assert str(remark) == (
        "a.so: needs libdrm.so.2, which no manylinux tag promises: it speaks to the kernel's graphics devices "
        "together with the driver (and 1 more)"
    )


@pytest.mark.parametrize(
    "promise",
    [replace(PROMISE, floor=None), replace(PROMISE, elsewhere=("libdrm.so",))],
    ids=["linux_x86_64", "stated"],
)
def test_a_tag_without_promises_breaks_none_and_what_the_user_states_is_there(promise):
    assert list(linux_loader.problems({"a.so": elf("libdrm.so.2")}, promise)) == []


def test_a_symbol_version_beyond_the_tag_is_a_problem_of_the_file_that_needs_it():
    requires = (Requirement(library="libc.so.6", versions=("GLIBC_2.2.5", "GLIBC_2.28")),)
    x = elf("libc.so.6", requires=requires)
    assert wheres(x_so=x) == ["x.so"]
    assert wheres(Promise(arch="x86_64", floor=(2, 28)), x_so=x) == []
    assert wheres(Promise(arch="x86_64", floor=None), x_so=x) == []


def test_a_library_that_needs_an_executable_stack_is_told_and_a_program_may_have_one():
    assert wheres(x_so=elf(execstack=True)) == ["x.so"]
    assert wheres(x_so=elf(execstack=True, kind="program")) == []


@pytest.mark.parametrize(
    ("interpreter", "arch", "is_there"),
    [
        ("/lib64/ld-linux-x86-64.so.2", "x86_64", True),
        ("/usr/lib64/ld-linux-x86-64.so.2", "x86_64", True),
        ("/lib/ld-linux-aarch64.so.1", "aarch64", True),
        ("/lib/ld-musl-x86_64.so.1", "x86_64", False),
        ("/lib/ld-linux-x86-64.so.2", "x86_64", False),
        ("/proc/mamba-press/lib/ld-linux-x86-64.so.2", "x86_64", False),
    ],
)
def test_a_program_needs_a_loader_that_is_where_every_system_has_it(interpreter, arch, is_there):
    program = elf(kind="program", interpreter=interpreter, arch=arch)
    assert wheres(Promise(arch=arch, floor=(2, 17)), tool=program) == ([] if is_there else ["tool"])


def test_what_a_library_may_stand_for_without_may_be_missing():
    assert wheres(x_so=elf("libreal.so.1", weak=("libreal.so.1",))) == []


def test_versions_of_a_runtime_in_the_wheel_are_its_own_affair():
    requires = (Requirement(library="libstdc++.so.6", versions=("GLIBCXX_3.4.30",)),)
    assert wheres(x_so=elf("libstdc++.so.6", requires=requires)) == ["x.so"]
    name = "libstdc++-0123abcd.so.6"
    x = elf(name, requires=(Requirement(library=name, versions=("GLIBCXX_3.4.30",)),), rpath="$ORIGIN")
    runtime = elf(name=name, defines=frozenset({"GLIBCXX_3.4", "GLIBCXX_3.4.30"}))
    assert wheres(x_so=x, **{name: runtime}) == []
    older = elf(name=name, defines=frozenset({"GLIBCXX_3.4"}))
    assert wheres(x_so=x, **{name: older}) == ["x.so"]


def test_a_library_without_versions_serves_all():
    """The loader warns and goes on: 'no version information available'."""
    x = elf("liba.so", requires=(Requirement(library="liba.so", versions=("A_1",)),), rpath="$ORIGIN")
    assert wheres(x_so=x, liba_so=elf(name="liba.so")) == []


def test_versions_of_what_is_not_needed_stop_the_loader():
    (problem,) = linux_loader.problems(
        {"x.so": elf(requires=(Requirement(library="liba.so", versions=("A_1",)),))}, PROMISE
    )
    assert problem.where == "x.so"
    assert problem.what == (
        "demands symbol versions of liba.so but does not need it: the loader stops with an assertion"
    )
    requires = (Requirement(library="liba.so", versions=("A_1",)),)
    needed = elf("liba.so", requires=requires, rpath="$ORIGIN")
    assert wheres(x_so=needed, liba_so=elf(name="liba.so", defines=frozenset({"A_1"}))) == []


@pytest.mark.parametrize(
    ("path", "element", "leaves"),
    [
        ("pkg/x.so", "$ORIGIN", False),
        ("pkg/x.so", "${ORIGIN}/..", False),
        ("pkg/x.so", "$ORIGIN/../other.libs", False),
        ("pkg/x.so", "$ORIGIN/../..", True),
        ("pkg/x.so", "$ORIGIN/../../pkg", True),
        ("x.so", "$ORIGIN/..", True),
        ("pkg/x.so", "$ORIGIN/a/../../..", True),
        ("pkg/x.so", "$ORIGINAL", True),
        ("pkg/x.so", "/usr/lib", True),
        ("pkg/x.so", "/proc/mamba-press/lib", True),
        ("pkg/x.so", "", True),
        ("pkg/x.so", ".", True),
        ("d-1.data/scripts/x", "$ORIGIN/../lib", True),
        ("d-1.data/scripts/x", "$ORIGIN", False),
    ],
)
def test_a_search_path_stays_where_the_wheel_is(path, element, leaves):
    binary = Binary(format="elf", arch="x86_64", kind="shared", search=(element,))
    assert any(linux_loader.problems({path: binary}, PROMISE)) == leaves


@pytest.mark.parametrize(
    ("element", "wrong"),
    [
        ("/tmp/x", True),
        ("/var/tmp/../tmp/x", True),
        ("", True),
        ("lib", True),
        ("/home/me/lib", False),
        ("/opt", False),
    ],
)
def test_where_anybody_can_put_a_library_no_wheel_may_look(element, wrong):
    binary = Binary(format="elf", arch="x86_64", kind="shared", search=(element,))
    (problem,) = linux_loader.problems({"pkg/x.so": binary}, PROMISE)
    assert isinstance(problem, Habit) != wrong


def test_a_program_wants_the_systems_loader():
    def interpreted(interpreter: str) -> Binary:
        return elf(kind="program", interpreter=interpreter)

    assert wheres(x=interpreted("/lib64/ld-linux-x86-64.so.2")) == []
    assert wheres(x=interpreted("/proc/mamba-press/lib/ld-linux-x86-64.so.2")) == ["x"]


def test_a_thousand_libraries_take_no_time():
    libraries = {
        f"lib{i}.so": elf(*(f"lib{j}.so" for j in range(i)), name=f"lib{i}.so", rpath="$ORIGIN") for i in range(200)
    }
    libraries |= {f"ext{i}.so": elf(f"lib{i % 200}.so", rpath="$ORIGIN") for i in range(100)}
    assert list(linux_loader.problems(libraries, PROMISE)) == []


# --- held against the loader itself

LAYOUTS: dict[str, dict[str, tuple[tuple[str, ...], str, str]]] = {
    "inherited": {"x.so": (("a",), "$ORIGIN/lib", ""), "lib/liba.so": (("b",), "", ""), "lib/libb.so": ((), "", "")},
    "not inherited": {
        "x.so": (("a",), "", "$ORIGIN/lib"),
        "lib/liba.so": (("b",), "", ""),
        "lib/libb.so": ((), "", ""),
    },
    "runpath shuts out": {
        "x.so": (("a",), "$ORIGIN/lib:$ORIGIN/more", ""),
        "lib/liba.so": (("b",), "", "$ORIGIN"),
        "more/libb.so": ((), "", ""),
    },
    "passed over": {
        "x.so": (("a",), "$ORIGIN/lib", ""),
        "lib/liba.so": (("b",), "", "$ORIGIN"),
        "lib/libb.so": (("c",), "", ""),
        "lib/libc.so": ((), "", ""),
    },
    "present already": {
        "x.so": (("a", "b"), "", "$ORIGIN/lib"),
        "lib/liba.so": ((), "", ""),
        "lib/libb.so": (("a",), "", "$ORIGIN/none"),
    },
    "breadth first": {
        "x.so": (("b", "a"), "", "$ORIGIN/lib"),
        "lib/libb.so": (("a",), "", ""),
        "lib/liba.so": ((), "", ""),
    },
    "grandfather": {
        "x.so": (("a",), "$ORIGIN/lib", ""),
        "lib/liba.so": (("b",), "$ORIGIN/deep", ""),
        "lib/deep/libb.so": (("c",), "", ""),
        "lib/libc.so": ((), "", ""),
    },
    "cycle": {"x.so": (("a",), "$ORIGIN", ""), "liba.so": (("b",), "", ""), "libb.so": (("a",), "", "")},
}


@pytest.mark.skipif(sys.platform != "linux", reason="the loader is Linux's")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_simulation_and_the_loader_agree(tmp_path, layout):
    stubs = {
        name: shared_library(tmp_path / "stubs" / f"lib{name}.so", "", Linking(soname=f"lib{name}.so"))
        for name in "abc"
    }
    root = tmp_path / "wheel"
    libraries = {}
    for path, (needed, rpath, runpath) in LAYOUTS[layout].items():
        soname = None if path == "x.so" else path.rpartition("/")[2]
        linking = Linking(
            soname=soname, needed=tuple(stubs[name] for name in needed), rpath=rpath or None, runpath=runpath or None,
            flags=("-nostdlib",),
        )  # fmt: skip
        libraries[path] = binaries.read_file(shared_library(root / path, "", linking))
    load = "import ctypes, sys; ctypes.CDLL(sys.argv[1])"
    loaded = subprocess.run([sys.executable, "-c", load, root / "x.so"], capture_output=True, text=True, check=False)
    promise = Promise(arch=next(iter(libraries.values())).arch, floor=(2, 17))
    assert (not list(linux_loader.problems(libraries, promise))) == (loaded.returncode == 0), loaded.stderr


# What is found and does harm


def said(libraries):
    return [str(problem) for problem in linux_loader.problems(libraries, PROMISE)]


def test_a_packed_runtime_under_the_systems_name_is_a_problem():
    (problem,) = said({"x.so": elf("libstdc++.so.6", rpath="$ORIGIN"), "libstdc++.so.6": elf(name="libstdc++.so.6")})
    assert problem.startswith("libstdc++.so.6: is a packed libstdc++.so.6 under the name that the system's has")
    renamed = "libstdc++-0123abcd.so.6"
    assert said({"x.so": elf(renamed, rpath="$ORIGIN"), renamed: elf(name=renamed)}) == []


def test_other_packed_runtimes_under_their_own_names_are_no_more_than_a_habit_of_others():
    (problem,) = linux_loader.problems({"libgomp.so.1": elf(name="libgomp.so.1")}, PROMISE)
    assert isinstance(problem, Habit)
    (problem,) = linux_loader.problems({"libgcc_s.so.1": elf(name="libgcc_s.so.1")}, PROMISE)
    assert not isinstance(problem, Habit)


@pytest.mark.parametrize(
    ("names", "wrong"),
    [
        (("libgomp-a34b3233.so.1.0.0", "libomp.so"), True),
        (("libgomp-a34b3233.so.1", "libgomp-0123abcd.so.1"), True),
        (("libiomp5.so", "libgomp-a34b3233.so.1"), True),
        (("libgomp-a34b3233.so.1", "libgomp-plugin-nvptx.so.1"), False),
        (("libgomp-a34b3233.so.1",), False),
    ],
)
def test_two_openmp_runtimes_are_a_problem(names, wrong):
    found = [text for text in said({f"lib/{name}": elf(name=name) for name in names}) if "two OpenMP" in text]
    assert bool(found) == wrong
    assert all(f"lib/{name}" in text for text in found for name in names)


def test_a_library_of_the_system_that_would_take_its_own_from_the_wheel_is_told():
    libraries = {
        "x.so": elf("libdep-0123abcd.so.1", "libGL.so.1", rpath="$ORIGIN/lib"),
        "lib/libdep-0123abcd.so.1": elf(name="libdep-0123abcd.so.1"),
        "lib/libxcb.so.1": elf(name="libxcb.so.1"),
    }
    (problem,) = said(libraries)
    assert (
        "x.so: needs the system's libGL.so.1, which would take libxcb.so.1 from the wheel (lib/libxcb.so.1)" in problem
    )
    private = dict(libraries, **{"x.so": elf("libdep-0123abcd.so.1", "libGL.so.1", runpath="$ORIGIN/lib")})
    assert said(private) == []


def test_what_is_loaded_already_is_taken_by_the_systems_library_whatever_the_search_path():
    libraries = {
        "x.so": elf("libGL.so.1", "libX11.so.6", runpath="$ORIGIN/lib"),
        "lib/libX11.so.6": elf(name="libX11.so.6"),
    }
    assert any("would take libX11.so.6 from the wheel" in text for text in said(libraries))
    hashed = {
        "x.so": elf("libGL.so.1", "libX11-0123abcd.so.6", rpath="$ORIGIN/lib"),
        "lib/libX11-0123abcd.so.6": elf(name="libX11-0123abcd.so.6"),
    }
    assert said(hashed) == []


def test_a_name_that_is_not_found_is_told_once_however_many_load_its_user():
    libraries = {f"{name}.so": elf("liba.so", rpath="$ORIGIN") for name in ("x", "y", "z")}
    assert len(said({**libraries, "liba.so": elf("libgone.so", name="liba.so")})) == 1


def test_a_renamed_cpp_runtime_whose_symbols_are_the_processes_is_a_problem():
    renamed = elf(name="libstdc++-0123abcd.so.6")
    assert hazards.is_cpp_runtime("libstdc++-0123abcd.so.6", renamed)
    assert not hazards.is_cpp_runtime("libstdc++.so.6", elf(name="libstdc++.so.6"))
    assert "106 symbols" in str(hazards.uncounted(106))
    assert hazards.uncounted(0) is None


@pytest.mark.skipif(sys.platform != "linux", reason="the table is of Linux")
def test_what_the_systems_libraries_need_is_what_this_machine_says():
    """Every library of the table that is here needs nothing that the wheel could have, but what the table says."""
    import json
    import shutil
    from pathlib import Path

    table = json.loads((Path(mamba_press.__file__).with_name("data") / "system_needs.json").read_text("utf-8"))
    ldconfig = shutil.which("ldconfig", path="/sbin:/usr/sbin") or pytest.skip("no ldconfig on this machine")
    listed = subprocess.run([ldconfig, "-p"], capture_output=True, text=True, check=True).stdout
    paths = {line.split()[0]: Path(line.split()[-1]) for line in listed.splitlines() if "=>" in line}
    here = [name for name in table if name in paths] or pytest.skip("none of these libraries is on this machine")
    for name in here:
        found = binaries.read_file(paths[name])
        assert found, name
        of_tables = {one for one in found.needed if one in table or any(one in some for some in table.values())}
        assert of_tables <= {*table[name], *hazards.of_the_system(name)}, name


def test_a_search_path_into_another_package_leads_to_another_wheel():
    (found,) = linux_loader.problems({"pkg/x.so": elf("libtorch.so", runpath="$ORIGIN/../torch/lib")}, PROMISE)
    assert isinstance(found, Remark)
    assert found.what == "needs libtorch.so, which another wheel has to bring as torch/lib/libtorch.so"
    (wrong,) = linux_loader.problems({"pkg/x.so": elf("libtorch.so", runpath="$ORIGIN/../pkg/lib:$ORIGIN")}, PROMISE)
    assert not isinstance(wrong, Remark)
