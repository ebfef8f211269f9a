"""The platform tag, and what an inner backend says of its wheel."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mamba_press.metadata.tags import narrowed, without
from mamba_press.platforms import binaries
from mamba_press.types import OWN, Binary, Python, Tags, Target
from tests.support.tagging import EXTENSION, elf, entry, record, refusal, tagged, target
from tests.support.windows import Dll, dll


def test_a_wheel_without_binaries_is_for_any_platform():
    tagging = tagged([entry("pkg/__init__.py")], [record(noarch="python", depends=("python >=3.8",))])
    assert (tagging.tags, tagging.lowest, tagging.floors) == ("py3-none-any", "any", ())


def test_the_highest_glibc_symbol_of_all_files_sets_the_tag_vendored_ones_too():
    tagging = tagged(
        [
            elf(EXTENSION, "libc.so.6:GLIBC_2.14,GLIBC_2.2.5"),
            elf("pkg/_prefix/lib/libz.so.1", "libc.so.6:GLIBC_2.28,GLIBC_2.17", package="libzlib"),
        ],
        [record()],
    )
    assert tagging.tags == "cp310-cp310-manylinux_2_28_x86_64"
    assert [(f.version, f.symbol, f.library, f.package, f.path) for f in tagging.floors] == [
        ((2, 28), "GLIBC_2.28", "libc.so.6", "libzlib", "pkg/_prefix/lib/libz.so.1"),
        ((2, 14), "GLIBC_2.14", "libc.so.6", "pkg", EXTENSION),
    ]
    assert without(tagging, "libzlib") == (2, 14)
    assert without(replace(tagging, floors=tagging.floors[:1]), "libzlib") is None


def test_older_names_stand_beside_the_lowest_tag():
    tagging = tagged([elf(EXTENSION, "libc.so.6:GLIBC_2.17")], [record()])
    assert tagging.tags == "cp310-cp310-manylinux2014_x86_64.manylinux_2_17_x86_64"
    assert tagging.lowest == "manylinux_2_17_x86_64"


def test_a_binary_that_demands_nothing_gets_the_baseline_of_its_architecture():
    assert tagged([elf("pkg/_prefix/lib/liba.so.1")]).lowest == "manylinux_2_5_x86_64"
    aarch64 = elf("pkg/_prefix/lib/liba.so.1", arch="aarch64")
    assert tagged([aarch64], to=target("linux-aarch64")).lowest == "manylinux_2_17_aarch64"


def test_packed_relative_relocations_need_the_loader_that_reads_them():
    assert tagged([elf(EXTENSION, "libc.so.6:GLIBC_2.4,GLIBC_ABI_DT_RELR")]).lowest == "manylinux_2_36_x86_64"


def test_the_versions_of_a_packed_runtime_do_not_count():
    extension = elf(EXTENSION, "libstdc++.so.6:GLIBCXX_3.4.30", where="wheel")
    assert tagged([extension]).lowest == "manylinux_2_5_x86_64"


def test_the_versions_of_the_systems_runtime_count():
    extension = elf(EXTENSION, "libstdc++.so.6:GLIBCXX_3.4.30,CXXABI_1.3.8")
    tagging = tagged([extension])
    assert tagging.lowest == "manylinux_2_35_x86_64"
    assert tagging.floors[0].symbol == "GLIBCXX_3.4.30"


def test_a_packed_library_that_defines_names_like_glibcs_is_not_glibc():
    extension = elf(EXTENSION, "libcrypt.so.1:GLIBC_2.40", where="wheel")
    assert tagged([extension]).lowest == "manylinux_2_5_x86_64"


def test_names_that_no_policy_speaks_of_do_not_count():
    assert tagged([elf(EXTENSION, "libodbc.so.2:ODBC_9.9")], system=("libodbc.so",)).lowest == "manylinux_2_5_x86_64"


def test_a_library_that_only_newer_systems_have_raises_the_tag():
    tagging = tagged([elf(EXTENSION, "libmvec.so.1:")])
    assert tagging.lowest == "manylinux_2_24_x86_64"
    assert (tagging.floors[0].symbol, tagging.floors[0].library) == ("the presence", "libmvec.so.1")


def test_a_driver_that_no_policy_promises_does_not_raise_the_tag():
    assert tagged([elf(EXTENSION, "libcuda.so.1:")]).lowest == "manylinux_2_5_x86_64"


@pytest.mark.parametrize("field", ["depends", "constrains"])
@pytest.mark.parametrize(
    "spec",
    ["__glibc >=2.28,<3.0.a0", "__glibc >=2.28", "__glibc  >= 2.28", "__glibc 2.28.*", "__glibc[version='>=2.28,<3']"],
)
def test_what_a_package_states_about_glibc_counts(field, spec):
    packages = [record("libzlib", **{"depends": (), "constrains": (), field: (spec,)})]
    tagging = tagged([elf("pkg/_prefix/lib/libz.so.1", "libc.so.6:GLIBC_2.17", package="libzlib")], packages)
    assert tagging.lowest == "manylinux_2_28_x86_64"
    assert tagging.floors[0].symbol == spec
    assert tagging.floors[0].path == "libzlib-1.0-0.conda"


@pytest.mark.parametrize("spec", ["__glibc", "__glibc *", "__glibc <3", "__glibc_other >=2.40", "glibc >=2.40"])
def test_what_is_no_lower_bound_on_glibc_does_not_count(spec):
    library = elf("pkg/_prefix/lib/libz.so.1", "libc.so.6:GLIBC_2.17", package="libzlib")
    assert tagged([library], [record("libzlib", depends=(spec,))]).lowest == "manylinux_2_17_x86_64"


def test_alternatives_count_with_the_lowest():
    packages = [record("libzlib", depends=("__glibc >=2.34|>=2.28,<2.30",))]
    assert tagged([elf("pkg/_prefix/lib/libz.so.1", package="libzlib")], packages).lowest == "manylinux_2_28_x86_64"


def test_packages_of_which_nothing_is_in_the_wheel_state_nothing():
    packages = [record("elsewhere", depends=("__glibc >=2.34",))]
    assert tagged([elf("pkg/_prefix/lib/libz.so.1", package="libzlib")], packages).lowest == "manylinux_2_5_x86_64"


def test_symbols_alone_can_be_made_to_count_and_that_is_said():
    packages = [record("libzlib", depends=("__glibc >=2.28",))]
    library = elf("pkg/_prefix/lib/libz.so.1", "libc.so.6:GLIBC_2.17", package="libzlib")
    tagging = tagged([library], packages, floor="symbols")
    assert tagging.lowest == "manylinux_2_17_x86_64"
    (note,) = tagging.notes
    assert note == (
        'link.floor = "symbols": the tag manylinux_2_17_x86_64 is lower than what packages state: '
        "libzlib (__glibc >=2.28)"
    )


def test_a_statement_that_the_symbols_reach_is_not_said_to_be_ignored():
    packages = [record("libzlib", depends=("__glibc >=2.17",))]
    library = elf("pkg/_prefix/lib/libz.so.1", "libc.so.6:GLIBC_2.17", package="libzlib")
    assert tagged([library], packages, floor="symbols").notes == ()


def test_up_to_ten_ignored_statements_are_named_beside_what_else_is_noted():
    names = [f"lib{letter}" for letter in "abcdefghijk"]
    packages = [record(), *(record(name, depends=("__glibc >=2.28",)) for name in names)]
    files = [elf(f"pkg/_prefix/lib/{name}.so.1", package=name) for name in names]
    first, second = tagged([entry("pkg/__init__.py"), *files], packages, floor="symbols").notes
    assert first == "pkg is made for Python 3.10 by its record, though no extension in it says so"
    assert second.endswith(", libj (__glibc >=2.28) and 1 more")
    assert second.count("(__glibc >=2.28)") == 10


@pytest.mark.parametrize(
    ("asked", "platforms"),
    [
        ("manylinux_2_28_x86_64", "manylinux_2_28_x86_64"),
        ("manylinux2014_x86_64", "manylinux2014_x86_64.manylinux_2_17_x86_64"),
        ("manylinux_2_17_x86_64", "manylinux2014_x86_64.manylinux_2_17_x86_64"),
        ("manylinux_2_30_x86_64", "manylinux_2_30_x86_64"),
    ],
)
def test_an_asked_tag_that_is_true_is_written_as_asked(asked, platforms):
    tagging = tagged([elf(EXTENSION, "libc.so.6:GLIBC_2.14")], [record()], target(asked))
    assert tagging.tags == f"cp310-cp310-{platforms}"
    assert tagging.lowest == "manylinux_2_14_x86_64"


def test_an_asked_tag_that_is_not_true_names_symbol_library_package_and_the_lowest():
    error = refusal(
        [
            elf(EXTENSION, "libc.so.6:GLIBC_2.29,GLIBC_2.17", "libm.so.6:GLIBC_2.27"),
            elf("pkg/_prefix/lib/liba.so.1", "libc.so.6:GLIBC_2.34", package="liba"),
            elf("pkg/_prefix/lib/libb.so.1", "libc.so.6:GLIBC_2.34", package="libb"),
            elf("pkg/_prefix/lib/libc.so.1", "libc.so.6:GLIBC_2.3", package="libc1"),
        ],
        [record("liba", depends=("__glibc >=2.28",))],
        target("manylinux2014_x86_64"),
    )
    assert str(error) == (
        "the packages cannot be pressed\n"
        "- tool.mamba-press.platform: 'manylinux2014_x86_64' would not be true: "
        "the lowest honest tag is 'manylinux_2_34_x86_64'\n"
        "  2.34: GLIBC_2.34 of libc.so.6, needed by liba, libb (pkg/_prefix/lib/liba.so.1 and 1 more files)\n"
        "  2.29: GLIBC_2.29 of libc.so.6, needed by pkg (pkg/_core.cpython-310-x86_64-linux-gnu.so)\n"
        "  2.28: __glibc >=2.28, stated by liba\n"
        "  2.27: GLIBC_2.27 of libm.so.6, needed by pkg (pkg/_core.cpython-310-x86_64-linux-gnu.so)\n"
        "  ask for 'manylinux_2_34_x86_64', or choose older builds with constraints"
    )


@pytest.mark.parametrize("packages", [(OWN,), (OWN, "liba")])
def test_a_tag_that_own_code_breaks_says_where_to_build_it(packages):
    files = [elf(f"pkg/{n}.so", "libc.so.6:GLIBC_2.34", package=name) for n, name in enumerate(packages)]
    lines = str(refusal(files, (), target("manylinux2014_x86_64"))).splitlines()
    builds = ", or choose older builds with constraints" if "liba" in packages else ""
    assert lines[-2:] == [
        f"  ask for 'manylinux_2_34_x86_64'{builds}",
        "  or build the project's own code on a system with an older glibc, as cibuildwheel's images have it",
    ]


@pytest.mark.parametrize(("last", "more"), [(27, []), (28, ["  and 1 more such symbols"])])
def test_ten_symbols_of_a_refused_tag_are_shown_so_that_they_fit_a_screen(last, more):
    many = [elf(f"pkg/_prefix/lib/lib{n}.so.1", f"libc.so.6:GLIBC_2.{n}", package=f"l{n}") for n in range(18, last + 1)]
    _, _, *shown, way_out = str(refusal(many, (), target("manylinux2014_x86_64"))).splitlines()
    assert (shown[0], shown[10:], len(shown)) == (
        f"  2.{last}: GLIBC_2.{last} of libc.so.6, needed by l{last} (pkg/_prefix/lib/lib{last}.so.1)",
        more,
        10 + len(more),
    )
    assert way_out.startswith("  ask for ")


def test_four_packages_that_need_a_symbol_are_named():
    many = [elf(f"pkg/_prefix/lib/l{n}.so.1", "libc.so.6:GLIBC_2.34", package=f"l{n}") for n in range(5)]
    assert "needed by l0, l1, l2, l3 and 1 more (pkg/_prefix/lib/l0.so.1 and 4 more files)" in str(
        refusal(many, (), target("manylinux2014_x86_64"))
    )


def test_what_the_asked_tag_has_is_no_reason_against_it():
    entries = [elf(EXTENSION, "libc.so.6:GLIBC_2.34", "libm.so.6:GLIBC_2.28")]
    text = str(refusal(entries, (), target("manylinux_2_28_x86_64")))
    assert "GLIBC_2.34 of libc.so.6" in text
    assert "GLIBC_2.28" not in text


def test_the_glibc_of_the_building_machine_alone_refuses_nothing():
    here = replace(target(), floor=(2, 17))
    assert tagged([elf(EXTENSION, "libc.so.6:GLIBC_2.28")], [record()], here).lowest == "manylinux_2_28_x86_64"


@pytest.mark.parametrize(("library", "symbol"), [("libstdc++.so.6", "GLIBCXX_3.4.30"), ("libgcc_s.so.1", "GCC_12.0.0")])
def test_a_tag_that_a_runtime_of_the_system_breaks_says_that_it_can_be_packed(library, symbol):
    lines = str(refusal([elf(EXTENSION, f"{library}:{symbol}")], (), target("manylinux2014_x86_64"))).splitlines()
    assert f"{symbol} of {library}, needed by pkg" in lines[2]
    assert lines[-1] == '  or pack the compiler\'s runtime: [tool.mamba-press.link] runtimes = "bundle"'


def test_a_tag_that_only_a_statement_breaks_says_that_symbols_can_count():
    packages = [record("liba", depends=("__glibc >=2.28",))]
    error = refusal([elf("pkg/_prefix/lib/liba.so.1", package="liba")], packages, target("manylinux2014_x86_64"))
    assert str(error).splitlines()[-1] == (
        '  or count only symbols, where the packages are too careful: [tool.mamba-press.link] floor = "symbols"'
    )


@pytest.mark.parametrize(
    ("demand", "words"),
    [
        ("libc.so.6:GLIBC_PRIVATE", "needs GLIBC_PRIVATE of libc.so.6, which no system promises"),
        ("libstdc++.so.6:GLIBCXX_3.4.99", 'runtimes = "bundle"'),
    ],
)
def test_a_symbol_that_no_system_promises_makes_every_tag_untrue(demand, words):
    assert words in str(refusal([elf(EXTENSION, demand)]))


def test_all_symbols_that_no_system_promises_are_reported_at_once():
    both = [elf(EXTENSION, "libc.so.6:GLIBC_PRIVATE"), elf("pkg/_prefix/lib/liba.so.1", "libc.so.6:GLIBC_PRIVATE")]
    assert len(refusal(both).problems) == 2


def test_a_wheel_for_any_platform_is_told_with_what_else_is_noted():
    assert tagged([entry("pkg/__init__.py")], [record()]).notes == (
        "pkg is made for Python 3.10 by its record, though no extension in it says so",
        "pkg is made for linux-64 by its record; nothing in the wheel is a binary, so the tag says 'any'",
    )


# --- macOS


def macho(path, floor, package="pkg"):
    return entry(path, package, Binary(format="macho", arch="arm64", kind="shared", floor=floor))


def test_the_versions_that_files_state_are_told_the_latest_first():
    made = [macho("pkg/_prefix/lib/a.dylib", (11, 2)), macho("pkg/_prefix/lib/b.dylib", (12, 0))]
    tagging = tagged(made, to=target("osx-arm64"))
    assert (tagging.tags, [floor.version for floor in tagging.floors]) == (
        "py3-none-macosx_12_0_arm64",
        [(12, 0), (11, 2)],
    )


def test_a_wheel_that_needs_a_later_macos_than_the_variable_promises_names_the_variable():
    here = replace(target("osx-arm64"), floor=(11, 0))
    (problem,) = refusal([macho("pkg/_prefix/lib/a.dylib", (12, 3))], (), here).problems
    assert str(problem) == (
        "MACOSX_DEPLOYMENT_TARGET: 'macosx_11_0_arm64' would not be true: "
        "the lowest honest tag is 'macosx_13_0_arm64'\n"
        "  12.3: macOS 12.3 of a.dylib, needed by pkg (pkg/_prefix/lib/a.dylib)\n"
        "  ask for 'macosx_13_0_arm64', or choose older builds with constraints"
    )


# --- Windows


@pytest.mark.parametrize(
    ("is_library", "noarch", "arch", "platform"),
    [
        (True, "python", "amd64", "win_amd64"),
        (False, None, "amd64", "win_amd64"),
        (False, "python", "amd64", "any"),
        (False, None, None, "any"),
    ],
)
def test_a_program_of_a_package_for_every_platform_binds_a_wheel_to_no_windows(is_library, noarch, arch, platform):
    facts = replace(binaries.read(dll(Dll(is_library=is_library))), arch=arch)
    made = entry("pkg/data/thing.exe", binary=facts)
    packages = [replace(record(noarch=noarch, depends=()), subdir="noarch")]
    assert tagged([made], packages, target("win-64")).tags == f"py3-none-{platform}"


def test_a_program_that_no_package_has_binds_a_wheel_to_windows():
    facts = replace(binaries.read(dll(Dll(is_library=False))), arch="amd64")
    assert tagged([entry("pkg/thing.exe", binary=facts)], to=target("win-64")).tags == "py3-none-win_amd64"


def test_a_windows_launcher_in_a_linux_wheel_is_data():
    launcher = entry("pip/cli.exe", "pip", Binary(format="pe", arch=None, kind="shared"))
    assert tagged([launcher], [record("pip", noarch="python")]).tags == "py3-none-any"


@pytest.mark.parametrize("platform", ["osx-arm64", "win-64"])
def test_a_wheel_without_binaries_can_be_tagged_for_every_system(platform):
    assert tagged([entry("pkg/__init__.py")], [record(noarch="python")], target(platform)).tags == "py3-none-any"


# --- what an inner backend says of its wheel

LINUX_311 = Target(system="linux", arch="x86_64", subdir="linux-64", python=Python(minor=11), floor=None)


@pytest.mark.parametrize(
    ("found", "built", "expected"),
    [
        ("py3-none-manylinux_2_17_x86_64", (), "py3-none-manylinux_2_17_x86_64"),
        ("py3-none-any", ("py3-none-any",), "py3-none-any"),
        ("py3-none-any", ("py2-none-any", "py3-none-any"), "py3-none-any"),
        ("py3-none-any", ("cp311-none-any",), "cp311-none-any"),
        ("py3-none-any", ("py311-none-any",), "py311-none-any"),
        ("py3-none-any", ("cp311-cp311-linux_x86_64",), "cp311-cp311-manylinux1_x86_64.manylinux_2_5_x86_64"),
        ("py3-none-manylinux_2_34_x86_64", ("cp38-abi3-linux_x86_64",), "cp38-abi3-manylinux_2_34_x86_64"),
        ("cp311-cp311-manylinux_2_34_x86_64", ("cp38-abi3-linux_x86_64",), "cp311-cp311-manylinux_2_34_x86_64"),
        ("cp38-abi3-manylinux_2_34_x86_64", ("cp311-cp311-linux_x86_64",), "cp311-cp311-manylinux_2_34_x86_64"),
        ("cp310-abi3-manylinux_2_34_x86_64", ("cp310-abi3-linux_x86_64",), "cp310-abi3-manylinux_2_34_x86_64"),
        ("cp38-abi3-manylinux_2_34_x86_64", ("cp38-abi3-any", "cp311-abi3-any"), "cp38-abi3-manylinux_2_34_x86_64"),
        ("py3-none-any", ("cp310-abi3-any", "cp39-abi3-any"), "cp39-abi3-any"),
        ("py3-none-any", ("cp315-abi3-any", "cp315-abi3t-any"), "cp315-abi3.abi3t-any"),
        ("py3-none-any", ("py3-none-any", "py311-none-any"), "py3-none-any"),
        ("py3-none-any", ("py2-none-any",), "py3-none-any"),
    ],
)
def test_an_inner_backend_can_only_narrow_the_tags(found, built, expected):
    assert narrowed(Tags(tags=found, lowest="any"), built, LINUX_311).tags == expected


@pytest.mark.parametrize(
    ("system", "arch", "platform"),
    [("osx", "arm64", "macosx_11_0_arm64"), ("win", "amd64", "win_amd64")],
)
def test_a_wheel_for_one_kind_of_machine_is_never_one_for_any(system, arch, platform):
    other = replace(LINUX_311, system=system, arch=arch)
    found = narrowed(Tags(tags="py3-none-any", lowest="any"), (f"py3-none-{platform}",), other)
    assert (found.tags, found.lowest) == (f"py3-none-{platform}", platform)


def test_the_lowest_tag_of_a_wheel_for_one_kind_of_machine_is_the_last_of_its_names():
    found = narrowed(Tags(tags="py3-none-any", lowest="any"), ("py3-none-linux_x86_64",), LINUX_311)
    assert found.lowest == "manylinux_2_5_x86_64"
