"""What mamba-press itself adds to the home of a wheel."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mamba_press.config import reader
from mamba_press.errors import ContentError
from mamba_press.types import Entry, File, Kept, Reason
from mamba_press.vendoring import layout, runtime_support
from mamba_press.vendoring.link import Linked
from tests.support.values import Prefix, entry

PRIVATE = layout.Home(name="_demo_prefix", generated=True)


def piece(path: str, source: bytes = b"", inside: str | None = None) -> Entry:
    file = File(path=inside or f"lib/python3.10/site-packages/{path}", source=Path("/nowhere"), package="pkg", size=0)
    return replace(Entry.of(Kept(file=file, why=Reason("rule")), path), source=source)


DATA = piece("_demo_prefix/_prefix/lib/girepository-1.0/Gtk-3.0.typelib", inside="lib/girepository-1.0/Gtk-3.0.typelib")
PROGRAM = piece("_demo_prefix/_prefix/bin/show", inside="bin/show")


def notes(*entries: Entry, home: layout.Home = PRIVATE, **table: object) -> tuple[str, ...]:
    """What is said of a wheel of these entries that is to set GI_TYPELIB_PATH."""
    values = {"packages": ["pkg"], "wheel.environment.GI_TYPELIB_PATH": "lib/girepository-1.0", **table}
    config = reader.from_values({}, values, {})
    linked = Linked(entries=(*entries, DATA, PROGRAM), names={}, notes=())
    return tuple(map(str, runtime_support.with_runtime(linked, home, "demo", config).notes))


def test_a_variable_that_only_a_private_home_sets_is_warned_of_with_the_packages_that_could():
    (note,) = notes(piece("gi/__init__.py"), piece("gi/deep/__init__.py"), piece("pygtkcompat/__init__.py"))
    assert note == (
        "warning: importing the wheel does not set GI_TYPELIB_PATH: "
        "importing _demo_prefix does, and nothing imports it\n"
        '  set it to a package that is imported: layout.home = "gi" or "pygtkcompat"'
    )


def test_without_a_package_the_home_gets_a_name_to_be_imported_first():
    (note,) = notes(piece("single.py"))
    assert note.endswith('layout.home = "…", a name to be imported first')


@pytest.mark.parametrize(
    ("entries", "table"),
    [
        ((piece("mine.py", b"import _demo_prefix\n"),), {}),
        ((piece("gi/__init__.py"),), {"wheel.executables": ["bin/show"]}),
        ((piece("gi/__init__.py"),), {"layout.home": "demo_libs"}),
    ],
    ids=["something imports it", "a program imports it", "its name was asked for"],
)
def test_a_home_that_something_imports_is_not_warned_of(entries, table):
    home = layout.Home(name=str(table.get("layout.home", PRIVATE.name)), generated=True)
    data = piece(f"{home.name}/_prefix/share/x", inside="share/x")
    assert notes(*entries, data, home=home, **table) == ()


@pytest.fixture
def prefix(tmp_path):
    return Prefix(tmp_path)


def test_a_variable_leads_to_where_its_file_or_folder_lies(prefix):
    entries = [
        entry(prefix.add("share/proj/proj.db", of="proj")),
        entry(prefix.add("share/proj/more/a.txt", of="proj")),
        entry(prefix.add("etc/magic.mgc", of="file"), "other/data/magic.mgc"),
    ]
    wanted = {"PROJ_DATA": "share/proj", "MORE": "share/proj/more/", "MAGIC": "etc/magic.mgc"}
    assert runtime_support.environment(entries, "home", wanted) == {
        "PROJ_DATA": "_prefix/share/proj",
        "MORE": "_prefix/share/proj/more",
        "MAGIC": "../other/data/magic.mgc",
    }


def test_a_variable_may_lead_to_the_prefix_itself_if_anything_of_it_is_there(prefix):
    there = entry(prefix.add("share/openmpi/help.txt", of="openmpi"))
    assert runtime_support.environment([there], "home", {"OPAL_PREFIX": "."}) == {"OPAL_PREFIX": "_prefix"}
    with pytest.raises(ContentError, match=r"wheel\.environment: OPAL_PREFIX: the wheel has no '\.'\n  paths are"):
        runtime_support.environment([entry(prefix.add("a.txt", of="x"), "data/a.txt")], "home", {"OPAL_PREFIX": "."})


def test_a_folder_that_was_moved_is_found_where_it_is(prefix):
    entries = [entry(prefix.add("share/proj/proj.db", of="proj"), "home/data/proj.db")]
    assert runtime_support.environment(entries, "home", {"PROJ_DATA": "share/proj"}) == {"PROJ_DATA": "data"}


def test_in_a_package_for_windows_data_is_found_below_its_own_folder(prefix):
    entries = [entry(prefix.add("Library/share/proj/proj.db", of="proj"))]
    found = runtime_support.environment(entries, "home", {"PROJ_DATA": "share/proj"})
    assert found == {"PROJ_DATA": "_prefix/Library/share/proj"}


def test_what_is_nowhere_or_in_two_places_is_refused_all_at_once(prefix):
    entries = [
        entry(prefix.add("share/proj/proj.db", of="proj")),
        entry(prefix.add("share/two/a", of="proj"), "one/a"),
        entry(prefix.add("share/two/b", of="proj"), "other/b"),
    ]
    with pytest.raises(ContentError) as caught:
        runtime_support.environment(entries, "home", {"A": "share/prj", "B": "share/two", "C": "share/pro"})
    first, second, third = caught.value.problems
    assert first.what == "A: the wheel has no 'share/prj'"
    assert "did you mean share/proj" in str(first.hint)
    assert second.what == "B: 'share/two' is in several places of the wheel: one, other"
    assert third.what == "C: the wheel has no 'share/pro'"


def test_a_program_is_called_as_its_file_and_on_windows_found_where_packages_have_it(prefix):
    entries = [
        entry(prefix.add("bin/tool-1.2", of="app")),
        entry(prefix.add("Library/bin/openssl.exe", of="app")),
        entry(prefix.add("bin/script", of="app"), "x-1.data/scripts/script"),
    ]
    assert runtime_support.programs(entries, "home", ["bin/tool-1.2", "bin/openssl", "bin/script"]) == {
        "tool-1.2": "_prefix/bin/tool-1.2",
        "openssl": "_prefix/Library/bin/openssl.exe",
    }


def test_programs_that_are_missing_or_of_one_name_are_refused(prefix):
    entries = [entry(prefix.add("bin/openssl", of="app")), entry(prefix.add("sbin/openssl", of="app"))]
    with pytest.raises(ContentError) as caught:
        runtime_support.programs(entries, "home", ["bin/opensll", "bin/openssl", "sbin/openssl"])
    assert [problem.what for problem in caught.value.problems] == [
        "the wheel has no 'bin/opensll'",
        "two programs are called 'openssl'",
    ]
    assert "did you mean bin/openssl" in str(caught.value.problems[0].hint)


def test_variables_that_libraries_are_known_to_look_at_are_named_unless_they_are_set(prefix):
    entries = [entry(prefix.add("share/proj/proj.db", of="proj"))]
    (note,) = runtime_support.notes(prefix.environment(), entries, ())
    assert note.startswith("proj: share/proj may be found only where PROJ_DATA names it")
    assert "pyproj.datadir.set_data_dir" in note
    assert runtime_support.notes(prefix.environment(), entries, ("PROJ_DATA",)) == ()
    assert runtime_support.notes(prefix.environment(), [], ()) == ()


@pytest.mark.parametrize(
    ("file", "variable", "path"),
    [
        ("lib/gstreamer-1.0/libgstcore.so", "GST_PLUGIN_SYSTEM_PATH_1_0", "lib/gstreamer-1.0"),
        ("libexec/gstreamer-1.0/gst-plugin-scanner", "GST_PLUGIN_SCANNER", "libexec/gstreamer-1.0/gst-plugin-scanner"),
        ("etc/ImageMagick-6/policy.xml", "MAGICK_CONFIGURE_PATH", "etc/ImageMagick-6"),
        (
            "lib/ImageMagick-6.9.11/modules-Q16/coders/png.so",
            "MAGICK_CODER_MODULE_PATH",
            "lib/ImageMagick-6.9.11/modules-Q16/coders",
        ),
    ],
)
def test_the_variables_of_gstreamer_and_imagemagick_are_named(prefix, file, variable, path):
    (note,) = runtime_support.notes(prefix.environment(), [entry(prefix.add(file, of="app"))], ())
    assert (
        note
        == f"app: {path} may be found only where {variable} names it; tool.mamba-press.wheel.environment can set it"
    )


def test_a_variable_that_names_the_prefix_itself_is_told_with_its_value(prefix):
    (note,) = runtime_support.notes(
        prefix.environment(), [entry(prefix.add("share/openmpi/help.txt", of="openmpi"))], ()
    )
    assert note == (
        "openmpi: share/openmpi may be found only where OPAL_PREFIX names the prefix; "
        '[tool.mamba-press.wheel] environment = { OPAL_PREFIX = "." } can set it'
    )


def test_known_data_is_also_found_in_packages_for_windows(prefix):
    entries = [entry(prefix.add("Library/share/proj/proj.db", of="proj"))]
    assert "PROJ_DATA" in runtime_support.notes(prefix.environment(), entries, ())[0]


def test_what_activation_sets_is_named_for_packages_in_the_wheel(prefix):
    script = 'export FOO_DATA="$CONDA_PREFIX/share/foo"\n  export _CONDA_SET_FOO=1\nexport PATH=x\nOTHER=1\n'
    prefix.add("etc/conda/activate.d/foo.sh", script, of="foo")
    prefix.add("etc/conda/activate.d/bar.bat", '@set "BAR_DATA=%CONDA_PREFIX%"\n', of="bar")
    prefix.add("etc/conda/activate.d/gone.sh", "export GONE=1\n", of="gone")
    entries = [entry(prefix.add("lib/foo.txt", of="foo")), entry(prefix.add("lib/bar.txt", of="bar"))]
    said = runtime_support.notes(prefix.environment(), entries, ())
    assert [note.partition(";")[0] for note in said] == [
        "bar: an activated conda environment sets BAR_DATA",
        "foo: an activated conda environment sets FOO_DATA",
    ]


def test_of_certificates_is_said_that_certifi_is_the_way(prefix):
    prefix.add("etc/conda/activate.d/openssl.sh", "export SSL_CERT_FILE=x\n", of="openssl")
    (note,) = runtime_support.notes(prefix.environment(), [entry(prefix.add("lib/x.txt", of="openssl"))], ())
    assert "certifi" in note
    assert "environment can set it" not in note


def test_what_lies_outside_of_site_packages_is_no_place_for_a_variable_or_a_program(prefix):
    entries = [
        entry(prefix.add("share/jupyter/a.json", of="app"), "x-1.data/data/share/jupyter/a.json"),
        entry(prefix.add("bin/run", of="app"), "x-1.data/data/bin/run"),
    ]
    with pytest.raises(ContentError, match="nobody knows how far from site-packages"):
        runtime_support.environment(entries, "home", {"A": "share/jupyter"})
    with pytest.raises(ContentError, match="'bin/run' goes to"):
        runtime_support.programs(entries, "home", ["bin/run"])
