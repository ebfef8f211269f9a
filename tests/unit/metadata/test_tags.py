from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from packaging.utils import parse_wheel_filename

from mamba_press.config.link_table import Link
from mamba_press.config.model import Config
from mamba_press.errors import ContentError
from mamba_press.metadata.tags import narrowed, tags, without
from mamba_press.platforms.choose_platform import Machine
from mamba_press.platforms.target import resolve
from mamba_press.types import (
    OWN,
    Binary,
    Edits,
    Entry,
    File,
    Kept,
    Package,
    Python,
    Reason,
    Requirement,
    Resolved,
    Tags,
    Target,
)
from tests.support.compile import shared_library
from tests.support.values import specs

SITE = "lib/python3.10/site-packages"
MACHINE = Machine(implementation="cpython", python=Python(minor=10), platform="linux-x86_64", glibc=(2, 36))


def target(platform="linux-64", python="3.10"):
    return resolve(python, platform, {}, MACHINE)


def record(name="pkg", depends=("python_abi 3.10.* *_cp310", "python >=3.10,<3.11.0a0"), noarch=None, constrains=()):
    return Package(
        name=name, version="1.0", build="0", build_number=0, channel="forge", subdir="linux-64",
        url=f"https://example.org/{name}-1.0-0.conda", file_name=f"{name}-1.0-0.conda", depends=specs(*depends),
        constrains=specs(*constrains), noarch=noarch,
    )  # fmt: skip


def entry(path, package="pkg", binary=None, links=(), source=b""):
    inside = path.partition("/_prefix/")[2] or f"{SITE}/{path}"
    file = File(path=inside, source=Path("/nowhere"), package=package, size=len(source))
    return replace(Entry.of(Kept(file=file, why=Reason("rule"), binary=binary, links=links), path), source=source)


def elf(path, *demands, package="pkg", where="system", arch="x86_64", source=b"", kind="shared"):
    """An entry that is an ELF file; ``demands`` are such as ``libc.so.6:GLIBC_2.17,GLIBC_2.14``."""
    pairs = [demand.partition(":")[::2] for demand in demands]
    requires = tuple(Requirement(library=name, versions=tuple(v.split(","))) for name, v in pairs if v)
    links = tuple(Resolved(needed=name, where=where) for name, _ in pairs)
    binary = Binary(format="elf", arch=arch, kind=kind, needed=tuple(n for n, _ in pairs), requires=requires)
    return entry(path, package, binary, links, source)


def tagged(entries, packages=(), to=None, **link):
    tagging = tags(entries, packages, to or target(), Config(packages=("pkg",), link=Link(**link)))
    parse_wheel_filename(f"demo-1.0-{tagging.tags}.whl", validate_order=True)
    return tagging


def refusal(entries, packages=(), to=None, **link):
    with pytest.raises(ContentError) as caught:
        tagged(entries, packages, to, **link)
    return caught.value


EXTENSION = "pkg/_core.cpython-310-x86_64-linux-gnu.so"


# --- the platform ---


def test_a_wheel_without_binaries_is_for_any_platform():
    tagging = tagged([entry("pkg/__init__.py")], [record(noarch="python", depends=("python >=3.8",))])
    assert (tagging.tags, tagging.lowest, tagging.floors) == ("py3-none-any", "any", ())


@pytest.mark.parametrize(
    ("depends", "subdir", "systems"),
    [
        (("python >=3.8", "__unix"), "noarch", "__unix"),
        (("python >=3.8",), "linux-64", "linux-64"),
        (("__linux",), "linux-64", "__linux, linux-64"),
    ],
)
def test_a_wheel_for_any_platform_says_which_package_is_for_some_systems_only(depends, subdir, systems):
    package = replace(record(noarch="python", depends=depends), subdir=subdir)
    tagging = tagged([entry("pkg/a.py")], [package])
    assert tagging.tags == "py3-none-any"
    assert tagging.notes == (
        f"pkg is made for {systems} by its record; nothing in the wheel is a binary, so the tag says 'any'",
    )


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
    [note] = tagging.notes
    assert "libzlib (__glibc >=2.28)" in note


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
    text = str(refusal(files, (), target("manylinux2014_x86_64")))
    assert "or build the project's own code on a system with an older glibc" in text
    assert ("older builds with constraints" in text) == ("liba" in packages)


def test_a_refused_tag_of_many_reasons_fits_a_screen():
    many = [elf(f"pkg/_prefix/lib/lib{n}.so.1", f"libc.so.6:GLIBC_2.{n}", package=f"l{n}") for n in range(18, 41)]
    assert len(str(refusal(many, (), target("manylinux2014_x86_64"))).splitlines()) < 20


def test_a_tag_that_a_runtime_of_the_system_breaks_says_that_it_can_be_packed():
    error = refusal([elf(EXTENSION, "libstdc++.so.6:GLIBCXX_3.4.30")], (), target("manylinux2014_x86_64"))
    assert "GLIBCXX_3.4.30 of libstdc++.so.6, needed by pkg" in str(error)
    assert 'runtimes = "bundle"' in str(error)


def test_a_tag_that_only_a_statement_breaks_says_that_symbols_can_count():
    packages = [record("liba", depends=("__glibc >=2.28",))]
    error = refusal([elf("pkg/_prefix/lib/liba.so.1", package="liba")], packages, target("manylinux2014_x86_64"))
    assert 'floor = "symbols"' in str(error)


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


def test_an_extension_of_another_machine_is_refused():
    error = refusal([elf(EXTENSION, arch="aarch64")], [record()])
    assert "pkg has a binary of aarch64, not of x86_64" in str(error)
    assert f'exclude = ["{SITE}/{EXTENSION}"]' in str(error)


def test_a_library_of_an_unknown_machine_where_the_loader_looks_is_refused():
    assert "an unknown machine" in str(refusal([elf("pkg/_prefix/lib/liba.so.1", arch=None)]))


def test_a_binary_of_another_machine_that_nothing_loads_is_data_and_reported():
    tagging = tagged([elf("pkg/tests/samples/arm.bin", arch="aarch64"), elf(EXTENSION)], [record()])
    assert tagging.notes == ("pkg/tests/samples/arm.bin is a binary of aarch64: packed as data, untouched",)


def test_a_windows_launcher_in_a_linux_wheel_is_data():
    launcher = entry("pip/cli.exe", "pip", Binary(format="pe", arch=None, kind="shared"))
    assert tagged([launcher], [record("pip", noarch="python")]).tags == "py3-none-any"


@pytest.mark.parametrize("platform", ["osx-arm64", "win-64"])
def test_a_wheel_without_binaries_can_be_tagged_for_every_system(platform):
    assert tagged([entry("pkg/__init__.py")], [record(noarch="python")], target(platform)).tags == "py3-none-any"


# --- Python ---


@pytest.mark.parametrize(
    ("python", "file", "expected"),
    [
        ("3.10", "_core.cpython-310-x86_64-linux-gnu.so", "cp310-cp310"),
        ("3.6", "_core.cpython-36m-x86_64-linux-gnu.so", "cp36-cp36m"),
        ("3.7", "_core.cpython-37m-x86_64-linux-gnu.so", "cp37-cp37m"),
        ("3.14", "_core.cpython-314-x86_64-linux-gnu.so", "cp314-cp314"),
        ("3.14t", "_core.cpython-314t-x86_64-linux-gnu.so", "cp314-cp314t"),
        ("3.10", "_core.cpython-310.so", "cp310-cp310"),
        ("3.15", "_core.abi3t.so", "cp315-abi3.abi3t"),
        ("3.15t", "_core.abi3t.so", "cp315-abi3.abi3t"),
    ],
)
def test_an_extensions_name_says_for_which_python_it_is(python, file, expected):
    to = target(python=python)
    assert tagged([elf(f"pkg/{file}")], [record()], to).tags.startswith(f"{expected}-manylinux")


def test_a_module_at_the_wheels_root_is_an_extension_too():
    assert tagged([elf("_core.cpython-310-x86_64-linux-gnu.so")], [record()]).tags.startswith("cp310-cp310-")


@pytest.mark.parametrize(
    ("depends", "noarch", "expected"),
    [
        (("python", "_python_abi3_support 1.*", "cpython >=3.9"), "python", "cp39-abi3"),
        (("python >=3.8", "_python_abi3_support 1.*", "cpython >=3.8,<4"), "python", "cp38-abi3"),
        (("python >=3.10", "cpython >=3.9"), "python", "cp310-abi3"),
        (("python",), "python", "cp310-abi3"),
        (("python_abi 3.10.* *_cp310", "python >=3.8"), None, "cp310-abi3"),
        (("cpython >=3.12",), "python", "cp310-abi3"),
    ],
)
def test_a_wheel_of_stable_extensions_is_for_the_oldest_python_that_the_record_promises(depends, noarch, expected):
    tagging = tagged([elf("pkg/_rust.abi3.so"), entry("pkg/__init__.py")], [record(depends=depends, noarch=noarch)])
    assert tagging.tags.startswith(f"{expected}-manylinux")


def test_the_strictest_of_several_stable_packages_counts():
    packages = [
        record("a", noarch="python", depends=("cpython >=3.8",)),
        record("b", noarch="python", depends=("cpython >=3.9",)),
    ]
    entries = [elf("a/_a.abi3.so", package="a"), elf("b/_b.abi3.so", package="b")]
    assert tagged(entries, packages).tags.startswith("cp39-abi3-")


def stable(tmp_path, name):
    """An extension that says by its name that it keeps to the stable ABI, and takes something from Python."""
    source = f"extern int {name}(void); int call(void) {{ return {name}(); }}"
    path = shared_library(tmp_path / f"{name}.so", source)
    return elf("pkg/_rust.abi3.so", source=path.read_bytes())


FROM_38 = record(noarch="python", depends=("cpython >=3.8",))


def test_an_extension_that_takes_what_a_later_python_added_is_for_that_one_on(tmp_path):
    tagging = tagged([stable(tmp_path, "PyUnicode_AsUTF8AndSize")], [FROM_38])
    assert tagging.tags.startswith("cp310-abi3-")
    assert tagging.notes == (
        "pkg/_rust.abi3.so takes PyUnicode_AsUTF8AndSize, which is in the stable ABI from Python 3.10 on",
    )
    assert tagged([stable(tmp_path, "PyList_New")], [FROM_38]).tags.startswith("cp38-abi3-")


def test_an_extension_that_takes_what_came_into_the_stable_abi_later_is_for_one_python(tmp_path):
    tagging = tagged([stable(tmp_path, "PyObject_GetBuffer")], [FROM_38])  # every Python 3 has it
    assert tagging.tags.startswith("cp310-cp310-")
    assert "takes PyObject_GetBuffer, which is in the stable ABI from Python 3.11 on" in tagging.notes[0]
    assert tagging.notes[0].endswith("the wheel is for Python 3.10 alone")


def test_an_extension_that_only_says_that_it_keeps_to_the_stable_abi_is_for_one_python(tmp_path):
    tagging = tagged([stable(tmp_path, "PyCode_Addr2Line")], [FROM_38])
    assert tagging.tags.startswith("cp310-cp310-")
    assert "takes PyCode_Addr2Line, which is not in the stable ABI" in tagging.notes[0]


def with_shiboken(tmp_path, source):
    """A stable extension that needs a library of its package, through another one, and that library's file."""
    module = stable(tmp_path, "PyDateTimeAPI")
    paths = [
        Resolved(needed=f"lib{name}.so", where="wheel", path=f"lib/lib{name}.so") for name in ("pyside", "shiboken")
    ]
    module = replace(module, links=(paths[0],))
    between = elf("pkg/_prefix/lib/libpyside.so", source=own_library(tmp_path, "libpyside.so", "side"))
    between = replace(between, links=(paths[1],))
    return [module, between, elf("pkg/_prefix/lib/libshiboken.so", source=source)]


def test_what_a_library_of_the_wheel_has_is_not_taken_from_python_whatever_it_is_called(tmp_path):
    entries = with_shiboken(tmp_path, own_library(tmp_path, "libshiboken.so", "PyDateTimeAPI"))
    assert tagged(entries, [FROM_38]).tags.startswith("cp38-abi3-")


def test_a_library_that_only_takes_a_name_itself_does_not_bring_it(tmp_path):
    entries = with_shiboken(tmp_path, stable(tmp_path, "PyDateTimeAPI").source)
    assert tagged(entries, [FROM_38]).tags.startswith("cp310-cp310-")


def test_a_library_of_a_wheel_that_is_installed_with_this_one_counts_too(tmp_path):
    entries = with_shiboken(tmp_path, own_library(tmp_path, "libshiboken.so", "PyDateTimeAPI"))
    others = []
    for entry in entries[1:]:
        source = tmp_path / Path(entry.path).name
        source.write_bytes(entry.source)
        others.append(
            Kept(file=replace(entry.origin, source=source), why=Reason("rule"), binary=entry.binary, links=entry.links)
        )
    assert tags(entries[:1], [FROM_38], target(), Config(packages=("pkg",)), others).tags.startswith("cp38-abi3-")


def test_one_extension_of_a_single_python_binds_the_whole_wheel_to_it():
    entries = [elf("pkg/_rust.abi3.so"), elf(EXTENSION)]
    assert tagged(entries, [record(noarch="python", depends=("cpython >=3.8",))]).tags.startswith("cp310-cp310-")


def test_a_package_of_a_single_python_without_extension_binds_the_wheel_to_it_and_that_is_said():
    tagging = tagged([entry("pkg/__init__.py"), elf("pkg/_prefix/lib/liba.so.1", package="liba")], [record()])
    assert tagging.tags.startswith("cp310-none-manylinux")
    assert tagging.notes == ("pkg is made for Python 3.10 by its record, though no extension in it says so",)


def test_the_metadata_of_a_package_alone_binds_nothing():
    tagging = tagged(
        [entry("pkg-1.0.dist-info/METADATA"), elf("pkg/_prefix/lib/liba.so.1", package="liba")], [record()]
    )
    assert tagging.tags.startswith("py3-none-")


def test_a_library_without_python_is_for_every_python_3():
    library = elf("_liba_prefix/_prefix/lib/liba.so.1", package="liba")
    assert tagged([library], [record("liba", depends=())]).tags.startswith("py3-none-manylinux")


def test_a_package_that_only_runs_python_and_has_no_module_binds_nothing():
    packages = [record("glib", depends=("python *",))]
    assert tagged([elf("g/_prefix/lib/libglib-2.0.so.0", package="glib")], packages).tags.startswith("py3-none-")


def test_extensions_in_the_prefix_tree_are_not_imported_and_bind_nothing():
    plugin = elf("g/_prefix/lib/plugins/x.cpython-39-x86_64-linux-gnu.so", package="liba")
    assert tagged([plugin], [record("liba", depends=())]).tags.startswith("py3-none-")


@pytest.mark.parametrize(
    ("python", "file", "words"),
    [
        ("3.10", "_core.cpython-311-x86_64-linux-gnu.so", 'python = "3.11"'),
        ("3.13", "_core.cpython-313t-x86_64-linux-gnu.so", 'python = "3.13t"'),
        ("3.13t", "_core.cpython-313-x86_64-linux-gnu.so", 'python = "3.13"'),
        ("3.14t", "_core.abi3.so", "Python 3.14t does not load it"),
        ("3.14", "_core.abi3t.so", "Python 3.14 does not load it"),
    ],
)
def test_an_extension_that_the_target_does_not_load_is_refused(python, file, words):
    error = refusal([elf(f"pkg/{file}")], [record()], target(python=python))
    assert error.problems[0].where == f"pkg/{file}"
    assert words in str(error)


def test_all_extensions_of_other_pythons_are_reported_at_once():
    entries = [elf("pkg/_a.cpython-39-x86_64-linux-gnu.so"), elf("pkg/_b.cpython-38-x86_64-linux-gnu.so")]
    assert len(refusal(entries, [record()]).problems) == 2


def test_an_extension_for_several_pythons_at_once_is_fine_when_the_targets_is_there():
    entries = [elf(f"pkg/_core.cpython-{v}-x86_64-linux-gnu.so") for v in ("39", "310", "311")]
    assert tagged(entries, [record()]).tags.startswith("cp310-cp310-")


def own_library(tmp_path, name, symbol):
    from shutil import which
    from subprocess import run

    compiler = which("gcc") or which("cc")
    if compiler is None:
        pytest.skip("no C compiler: the test needs a library that exports a name")
    (tmp_path / "a.c").write_text(f"void *{symbol}(void) {{ return 0; }}\n")
    run([compiler, "-shared", "-fPIC", "-nostdlib", "-o", str(tmp_path / name), str(tmp_path / "a.c")], check=True)
    return (tmp_path / name).read_bytes()


def test_a_plain_so_that_has_the_init_function_is_an_extension_of_the_target(tmp_path):
    source = own_library(tmp_path, "_core.so", "PyInit__core")
    assert tagged([elf("pkg/_core.so", source=source)], [record()]).tags.startswith("cp310-cp310-")


def test_a_plain_so_without_the_init_function_is_a_library_beside_modules(tmp_path):
    source = own_library(tmp_path, "libfoo.so", "foo")
    tagging = tagged([elf("pkg/libfoo.so", source=source)], [record(noarch="python", depends=("python",))])
    assert tagging.tags.startswith("py3-none-")


def test_a_plain_so_on_disk_is_read_there(tmp_path):
    own_library(tmp_path, "_core.so", "PyInit__core")
    found = elf("pkg/_core.so")
    on_disk = replace(found, source=tmp_path / "_core.so")
    assert tagged([on_disk], [record(noarch="python")]).tags.startswith("cp310-cp310-")


# --- what no tag promises ---


def test_libraries_that_no_system_of_the_tag_has_to_have_are_warned_of_with_what_needs_them():
    entries = [
        elf(EXTENSION, "libc.so.6:GLIBC_2.17", "libGL.so.1"),
        elf("pkg/_prefix/lib/libva.so.2", "libdrm.so.2", package="libva"),
        elf("pkg/_prefix/lib/libgst.so.1", "libdrm.so.2", "libudev.so.1", package="gst"),
        elf("pkg/_prefix/lib/libmine.so.1", "libgbm.so.1", where="wheel"),
    ]
    (note,) = tagged(entries, [record()]).notes
    assert note.severity == "warning"
    assert str(note) == (
        "warning: the wheel needs libraries of the system that no manylinux tag promises: libdrm.so.2 for "
        "pkg/_prefix/lib/libva.so.2 (and 1 more), libudev.so.1 for pkg/_prefix/lib/libgst.so.1\n"
        '  if every user has them, say so: link.system = ["libdrm.so.2", "libudev.so.1"]\n'
        '  link.unpromised = "drop" leaves out the plugins that need them, "error" refuses them'
    )


def test_of_a_library_that_link_system_names_nothing_is_warned():
    module = elf(EXTENSION, "libudev.so.1")
    stated = replace(module.links[0], named=True)
    assert tagged([replace(module, links=(stated,))], [record()]).notes == ()


# --- what a library of the system keeps to itself ---


def with_zlib(tmp_path, symbol, where="system"):
    """An extension that takes a symbol and needs libz.so.1, which is the system's or the wheel's."""
    source = f"extern int {symbol}(void); int call(void) {{ return {symbol}(); }}"
    module = elf(EXTENSION, source=shared_library(tmp_path / "z.so", source).read_bytes())
    link = Resolved(needed="libz.so.1", where=where, path="lib/libz.so.1" if where == "wheel" else None)
    return replace(module, links=(link,))


def test_a_symbol_that_the_systems_zlib_keeps_to_itself_is_refused(tmp_path):
    (problem,) = refusal([with_zlib(tmp_path, "zcalloc")], [record()]).problems
    assert str(problem) == (
        f"{EXTENSION}: pkg uses zcalloc of libz.so.1, which the system's library does not offer\n"
        "  let the wheel have its own libz.so.1: name its conda package in tool.mamba-press.packages, and leave "
        "it out of link.system"
    )


def test_a_symbol_that_zlib_offered_later_raises_the_tag(tmp_path):
    tagging = tagged([with_zlib(tmp_path, "crc32_combine_gen")], [record()])
    assert tagging.lowest == "manylinux_2_37_x86_64"
    assert (tagging.floors[0].library, tagging.floors[0].symbol) == ("libz.so.1", "crc32_combine_gen")


def test_what_the_wheels_own_zlib_has_is_none_of_the_systems(tmp_path):
    assert tagged([with_zlib(tmp_path, "zcalloc", "wheel")], [record()]).lowest == "manylinux_2_5_x86_64"


def test_a_symbol_that_another_library_of_the_wheel_has_is_not_taken_from_the_systems(tmp_path):
    module = with_zlib(tmp_path, "zcalloc")
    link = Resolved(needed="libmine.so", where="wheel", path="lib/libmine.so")
    module = replace(module, links=(*module.links, link))
    mine = elf("pkg/_prefix/lib/libmine.so", source=own_library(tmp_path, "libmine.so", "zcalloc"))
    assert tagged([module, mine], [record()]).lowest == "manylinux_2_5_x86_64"


# --- processors ---


def level(isa):
    made = elf(EXTENSION, "libc.so.6:GLIBC_2.17")
    return replace(made, binary=replace(made.binary, isa=isa))


def test_a_file_that_needs_a_later_processor_is_refused_and_named():
    error = refusal([level("x86-64-v3")])
    assert EXTENSION in str(error)
    assert "x86-64-v3" in str(error)
    assert 'isa = "x86-64-v3"' in str(error)
    assert "x86-64-v3" in str(refusal([level("x86-64-v3")], isa="x86-64-v2"))


@pytest.mark.parametrize("allowed", ["x86-64-v3", "x86-64-v4"])
def test_a_level_that_is_allowed_is_noted(allowed):
    (note,) = tagged([level("x86-64-v3")], isa=allowed).notes
    assert note.startswith("the wheel needs a processor of level x86-64-v3, which its tag does not say")
    assert " more" not in note


@pytest.mark.parametrize(
    ("spec", "stated"),
    [
        ("_x86_64-microarch-level >=3", 3),
        ("_x86_64-microarch-level >=2,<3.0a0", 2),
        ("_x86_64-microarch-level 4 4_x86_64_v4", 4),
        ("__archspec 1 x86_64_v3", 3),
        ("__archspec 1=x86_64_v4", 4),
        ("_x86_64-microarch-level >=1", None),
        ("_x86_64-microarch-level-other >=3", None),
        ("__archspec 1=*", None),
        ("__archspec 1 x86_64", None),
        ("x86_64_v3 >=1", None),
    ],
)
def test_a_record_states_a_processor_too(spec, stated):
    packages = [record(depends=("python_abi 3.10.* *_cp310", spec))]
    if stated is None:
        assert tagged([elf(EXTENSION)], packages).notes == ()
    else:
        assert f"needs a processor of level x86-64-v{stated}" in str(refusal([elf(EXTENSION)], packages))


def test_other_machines_have_no_such_levels():
    made = elf(EXTENSION.replace("x86_64", "aarch64"), arch="aarch64")
    packages = [record(depends=("_x86_64-microarch-level >=3",))]
    assert tagged([made], packages, target("linux-aarch64")).notes == ()


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


# --- the stack ---


def test_a_library_that_needs_an_executable_stack_is_refused_unless_the_mark_is_taken_away():
    made = elf("pkg/_prefix/lib/libasm.so")
    made = replace(made, binary=replace(made.binary, execstack=True))
    error = refusal([made])
    assert "glibc 2.41" in str(error)
    assert 'clear-execstack = ["libasm.so"]' in str(error)
    assert tagged([replace(made, edits=Edits(clear_execstack=True))]).lowest == "manylinux_2_5_x86_64"
    in_program = replace(made, binary=replace(made.binary, kind="program"))
    assert tagged([in_program]).lowest == "manylinux_2_5_x86_64"
