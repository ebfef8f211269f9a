from __future__ import annotations

import re
from dataclasses import replace

import pytest

from mamba_press.config import reader
from mamba_press.errors import ContentError
from mamba_press.types import Resolved
from mamba_press.vendoring import link
from tests.support.values import Prefix, binary, entry


@pytest.fixture
def prefix(tmp_path):
    return Prefix(tmp_path / "prefix").package("app", requested=True)


@pytest.fixture
def wheel(prefix):
    return Wheel(prefix)


class Wheel:
    """Entries of a wheel, file by file."""

    def __init__(self, prefix):
        self.prefix = prefix
        self.entries = []

    def text(self, path, content, of="app"):
        self.entries.append(entry(self.prefix.add(path, content, of=of)))

    def library(self, path, name=None, content="", *, of="dep", links=None, at=None, **facts):
        """Add a library whose NEEDED are the keys of ``links``, each with its file in the prefix."""
        file = self.prefix.add(path, content or path.replace(".so", " so"), of=of)
        made = binary(name, *(links or {}), **facts)
        self.entries.append(entry(file, at, made, links))

    def elsewhere(self, name):
        """Let a needed library be one that another wheel brings."""
        self.entries = [
            replace(each, links=tuple(
                Resolved(needed=name, where="external") if link.needed == name else link for link in each.links
            ))
            for each in self.entries
        ]  # fmt: skip

    def extension(self, links, **facts):
        path = "lib/python3.10/site-packages/app.so"
        self.library(path, of="app", links=links, at="app.so", **facts)

    def link(self, **table):
        config = reader.from_values({"packages": ["app"], "link": table}, {}, {})
        return link.link(self.entries, self.prefix.environment(), config)

    def paths(self, **table):
        """The new path of each file, by its path in the prefix."""
        return {each.original: each.path for each in self.link(**table).entries}

    def edits(self, path, **table):
        return next(each.edits for each in self.link(**table).entries if each.original == path)


def name(paths, path):
    return paths[path].rpartition("/")[2]


# Names


def test_a_library_of_a_dependency_gets_a_name_with_a_hash_and_all_that_need_it_ask_for_that(wheel):
    wheel.library("lib/libdep.so.1.2", "libdep.so.1")
    wheel.extension({"libdep.so.1": "lib/libdep.so.1.2", "libc.so.6": ""})
    new = name(wheel.paths(), "lib/libdep.so.1.2")
    assert new.startswith("libdep-")
    assert new.endswith(".so.1")
    assert len(new) == len("libdep-12345678.so.1")
    assert wheel.edits("lib/libdep.so.1.2").name == new
    assert wheel.edits("lib/python3.10/site-packages/app.so").needed == (("libdep.so.1", new),)
    assert wheel.link().names["libdep.so.1"] == wheel.link().names["libdep.so.1.2"] == f"home/_prefix/lib/{new}"


def test_a_library_of_a_requested_package_is_called_by_its_soname(wheel):
    wheel.library("lib/libapp.so.1.2", "libapp.so.1", of="app")
    assert wheel.paths() == {"lib/libapp.so.1.2": "home/_prefix/lib/libapp.so.1"}
    assert wheel.edits("lib/libapp.so.1.2") is None


def test_a_library_that_the_user_placed_keeps_that_path(wheel):
    wheel.library("lib/libdep.so.1.2", "libdep.so.1")
    wheel.entries[-1] = replace(wheel.entries[-1], path="app/own/libmine.so", placed=True)
    wheel.extension({"libdep.so.1": "lib/libdep.so.1.2"})
    assert wheel.paths()["lib/libdep.so.1.2"] == "app/own/libmine.so"
    edits = wheel.edits("lib/python3.10/site-packages/app.so")
    assert edits.needed == (("libdep.so.1", "libmine.so"),)
    assert edits.search == ("$ORIGIN/app/own",)


@pytest.mark.parametrize(("path", "soname"), [("lib/dep/libdep.so", "libdep.so"), ("lib/plugin.so", None)])
def test_a_plugin_keeps_name_and_path(wheel, path, soname):
    wheel.library(path, soname)
    assert wheel.paths() == {path: f"home/_prefix/{path}"}


def test_a_library_below_the_library_folder_that_others_need_is_renamed_where_it_lies(wheel):
    wheel.library("lib/dep/libdep-16.so", "libdep-16.so")
    wheel.extension({"libdep-16.so": "lib/dep/libdep-16.so"})
    path = wheel.paths()["lib/dep/libdep-16.so"]
    folder, _, new = path.rpartition("/")
    assert folder == "home/_prefix/lib/dep"
    assert new.startswith("libdep-16-")
    edits = wheel.edits("lib/python3.10/site-packages/app.so")
    assert edits.needed == (("libdep-16.so", new),)
    assert edits.search == ("$ORIGIN/home/_prefix/lib/dep",)
    assert wheel.edits("lib/dep/libdep-16.so").name == new


def test_a_module_that_others_need_keeps_its_name(wheel):
    path = "lib/python3.10/site-packages/dep/core.so"
    wheel.library(path, "core.so", at="dep/core.so")
    wheel.extension({"core.so": path})
    assert wheel.paths()[path] == "dep/core.so"


def test_what_a_plugin_is_needed_by_finds_it_where_it_lies(wheel):
    wheel.library("lib/dep/libdep.so", "libdep.so")
    wheel.text("share/plugins.txt", "libdep.so")
    wheel.extension({"libdep.so": "lib/dep/libdep.so"})
    edits = wheel.edits("lib/python3.10/site-packages/app.so")
    assert edits.needed == ()
    assert edits.search == ("$ORIGIN/home/_prefix/lib/dep",)


def test_several_needed_names_of_one_library_become_its_one_name(wheel):
    wheel.library("lib/libopenblas.so.0", "libopenblas.so.0")
    wheel.extension({"libblas.so.3": "lib/libopenblas.so.0", "liblapack.so.3": "lib/libopenblas.so.0"})
    new = name(wheel.paths(), "lib/libopenblas.so.0")
    edits = wheel.edits("lib/python3.10/site-packages/app.so")
    assert edits.needed == (("libblas.so.3", new), ("liblapack.so.3", new))
    assert edits.search == ("$ORIGIN/home/_prefix/lib",)


def test_two_libraries_with_one_soname_in_two_folders_are_told_apart_by_their_file(wheel):
    wheel.library("lib/libdep.so.1", "libdep.so.1")
    wheel.library("lib/old/libdep.so.1", "libdep.so.1")
    wheel.library("lib/libuser.so", "libuser.so", links={"libdep.so.1": "lib/old/libdep.so.1"})
    wheel.extension({"libdep.so.1": "lib/libdep.so.1", "libuser.so": "lib/libuser.so"})
    assert wheel.edits("lib/libuser.so").needed == ()
    assert wheel.edits("lib/libuser.so").search == ("$ORIGIN/old",)
    needed = dict(wheel.edits("lib/python3.10/site-packages/app.so").needed)
    assert needed["libdep.so.1"].startswith("libdep-")


def test_a_name_is_left_alone_where_link_rename_says_so(wheel):
    wheel.library("lib/libdep.so.1", "libdep.so.1")
    wheel.library("lib/libapp.so.1", "libapp.so.1", of="app")
    assert name(wheel.paths(rename=False), "lib/libdep.so.1") == "libdep.so.1"
    assert name(wheel.paths(rename=True), "lib/libapp.so.1").startswith("libapp-")
    some = wheel.paths(rename=["libapp.so"])
    assert name(some, "lib/libdep.so.1") == "libdep.so.1"
    assert name(some, "lib/libapp.so.1").startswith("libapp-")


def test_the_cpp_runtime_is_always_renamed_and_it_alone_loses_its_unique_symbols(wheel):
    wheel.library("lib/libstdc++.so.6.0.33", "libstdc++.so.6", of="app")
    wheel.library("lib/libdep.so.1", "libdep.so.1", links={"libstdc++.so.6": "lib/libstdc++.so.6.0.33"})
    assert name(wheel.paths(rename=False), "lib/libstdc++.so.6.0.33").startswith("libstdc++-")
    assert wheel.edits("lib/libstdc++.so.6.0.33").unbind_unique
    assert not wheel.edits("lib/libdep.so.1").unbind_unique


def test_an_openmp_runtime_that_something_opens_by_name_keeps_it(wheel):
    wheel.library("lib/libiomp5.so", "libiomp5.so")
    wheel.extension({"libiomp5.so": "lib/libiomp5.so"})
    assert name(wheel.paths(), "lib/libiomp5.so").startswith("libiomp5-")
    wheel.text("lib/mkl.txt", "libiomp5.so")
    assert name(wheel.paths(), "lib/libiomp5.so") == "libiomp5.so"


def test_it_is_said_that_a_developers_signature_is_lost_where_a_file_is_edited(wheel):
    wheel.library("lib/libdep.1.dylib", "@rpath/libdep.1.dylib", format="macho", vouched=True)
    wheel.library("lib/libother.1.dylib", "@rpath/libother.1.dylib", format="macho")
    (note,) = wheel.link().notes
    assert note.startswith("the signature of a developer cannot be kept on an edited file: home/_prefix/lib/libdep-")


def test_nothing_is_said_of_a_developers_signature_that_stays(wheel):
    wheel.library("lib/libapp.1.dylib", "@rpath/libapp.1.dylib", of="app", format="macho", vouched=True)
    assert wheel.link().notes == ()


def test_it_is_said_that_only_elf_files_are_stripped(wheel):
    wheel.library("lib/libdep.1.dylib", "@rpath/libdep.1.dylib", format="macho")
    assert any("link.strip is for ELF files" in note for note in wheel.link(strip=True).notes)
    assert wheel.link().notes == ()


def test_a_needed_library_that_is_removed_is_removed(wheel):
    wheel.extension({"libpython3.10.so.1.0": "x"})
    (only,) = wheel.entries
    removed = Resolved(needed="libpython3.10.so.1.0", where="removed")
    wheel.entries = [replace(only, links=(removed,))]
    assert wheel.edits("lib/python3.10/site-packages/app.so").needed == (("libpython3.10.so.1.0", None),)


def test_a_binary_for_another_machine_is_left_as_it_is(wheel):
    wheel.library("lib/libdep.so.1", "libdep.so.1", arch=None)
    assert wheel.edits("lib/libdep.so.1") is None
    assert wheel.paths() == {"lib/libdep.so.1": "home/_prefix/lib/libdep.so.1"}


# Opened by name


def test_a_library_whose_name_stands_in_a_text_keeps_it(wheel):
    wheel.library("lib/libtk8.6.so", "libtk8.6.so")
    wheel.text("lib/tk8.6/pkgIndex.tcl", "load [file join $dir .. libtk8.6.so]")
    assert name(wheel.paths(), "lib/libtk8.6.so") == "libtk8.6.so"
    assert wheel.link().notes == ("libtk8.6.so keeps its name: home/_prefix/lib/tk8.6/pkgIndex.tcl opens it by name",)


@pytest.mark.parametrize(
    "path",
    ["app/data/GDAL-targets.cmake", "app/lib/pkgconfig/gdal.pc", "app/README.md", "app/LICENSE.txt", "app/libx.a"],
)
def test_a_text_that_no_program_opens_libraries_by_stops_no_renaming(wheel, path):
    wheel.library("lib/libgdal.so.34", "libgdal.so.34")
    wheel.text(f"lib/python3.10/site-packages/{path}", 'IMPORTED_LOCATION "${_IMPORT_PREFIX}/lib/libgdal.so.34"')
    assert re.fullmatch(r"libgdal-[0-9a-f]{8}\.so\.34", name(wheel.paths(), "lib/libgdal.so.34"))


def test_it_is_said_that_python_does_not_find_a_bare_name_by_itself(wheel):
    wheel.library("lib/libgeos_c.so.1", "libgeos_c.so.1")
    wheel.text("lib/python3.10/site-packages/app.py", 'CDLL("libgeos_c.so.1")')
    wheel.text("share/app/list.txt", "libgeos_c.so.1")
    (note,) = wheel.link().notes
    assert note.startswith(
        "libgeos_c.so.1 keeps its name: home/_prefix/lib/python3.10/site-packages/app.py opens it by name (and 1 more);"
    )
    assert "layout.move" in note


def test_that_is_also_said_of_a_library_that_was_asked_for_and_keeps_its_name_anyhow(wheel, prefix):
    prefix.package("app", requested=True)
    wheel.library("lib/libapp.so.1", "libapp.so.1", of="app")
    wheel.text("share/app/list.txt", "libapp.so.1")
    assert wheel.link().notes == ()
    wheel.text("lib/python3.10/site-packages/app.py", 'CDLL("libapp.so.1")')
    (note,) = wheel.link().notes
    assert "site-packages/app.py opens it by name; Python looks for a bare name outside of the wheel" in note


def test_a_library_that_is_opened_by_a_symlinks_name_is_called_so_and_its_users_ask_for_that(wheel, prefix):
    wheel.library("lib/libgeos_c.so.1.18", "libgeos_c.so.1")
    prefix.link("lib/libgeos_c.so", "lib/libgeos_c.so.1.18", of="dep")
    wheel.text("lib/python3.10/site-packages/app.py", 'CDLL("libgeos_c.so")')
    wheel.extension({"libgeos_c.so.1": "lib/libgeos_c.so.1.18"})
    assert name(wheel.paths(), "lib/libgeos_c.so.1.18") == "libgeos_c.so"
    assert wheel.edits("lib/libgeos_c.so.1.18") is None
    needed = wheel.edits("lib/python3.10/site-packages/app.so").needed
    assert needed == (("libgeos_c.so.1", "libgeos_c.so"),)


def test_the_soname_wins_where_several_names_are_opened(wheel, prefix):
    wheel.library("lib/libdep.so.1.2", "libdep.so.1")
    prefix.link("lib/libdep.so", "lib/libdep.so.1.2", of="dep")
    wheel.text("share/app/x.py", "for each in ('libdep.so', 'libdep.so.1', 'libdep.so.1.2'): try_to_open(each)")
    assert name(wheel.paths(), "lib/libdep.so.1.2") == "libdep.so.1"


def test_a_script_with_a_new_first_line_still_opens_by_name(wheel, prefix):
    wheel.library("lib/libdep.so.1", "libdep.so.1")
    file = prefix.add("bin/app", "#!/old/python\nCDLL('libdep.so.1')", of="app")
    wheel.entries.append(replace(entry(file, "x-1.data/scripts/app"), source=b"#!python\nCDLL('libdep.so.1')"))
    assert name(wheel.paths(), "lib/libdep.so.1") == "libdep.so.1"


def test_a_librarys_own_name_in_itself_or_in_a_record_of_installed_files_opens_nothing(wheel):
    wheel.library("lib/libdep.so.1", "libdep.so.1", content="I am libdep.so.1")
    file = wheel.prefix.add("lib/python3.10/site-packages/app-1.dist-info/RECORD", "libdep.so.1", of="app")
    wheel.entries.append(entry(file, "app-1.dist-info/RECORD"))
    assert name(wheel.paths(), "lib/libdep.so.1").startswith("libdep-")


def test_a_binary_that_opens_a_library_by_name_has_a_search_path_that_leads_there(wheel):
    wheel.library("lib/libdep.so.1", "libdep.so.1")
    wheel.extension({})
    wheel.prefix.add("lib/python3.10/site-packages/app/_x.so", "libdep.so.1", of="app")
    wheel.entries.append(entry(wheel.prefix.files[-1], "app/_x.so", binary()))
    assert wheel.edits("lib/python3.10/site-packages/app/_x.so").search == ("$ORIGIN/../home/_prefix/lib",)
    assert wheel.edits("lib/python3.10/site-packages/app.so") is None


# Search paths


def test_old_search_paths_leave_even_where_no_new_one_is_needed(wheel):
    wheel.library("lib/libdep.so.1", "libdep.so.1", search=("/home/conda/lib", "$ORIGIN"), inherited=True)
    assert wheel.edits("lib/libdep.so.1").search == ()


def test_a_search_path_that_is_right_is_not_edited(wheel):
    wheel.library("lib/libdep.so.1", "libdep.so.1")
    links = {"libdep.so.1": "lib/libdep.so.1"}
    wheel.library("lib/libapp.so", "libapp.so", links=links, search=("$ORIGIN",), inherited=True)
    wheel.library("lib/libbpp.so", "libbpp.so", links=links, search=("$ORIGIN",), inherited=False)
    assert wheel.edits("lib/libapp.so").search is None
    assert (wheel.edits("lib/libbpp.so").search, wheel.edits("lib/libbpp.so").inherited) == (("$ORIGIN",), True)


def test_the_search_path_is_inherited_only_where_every_name_in_reach_is_hashed(wheel):
    wheel.library("lib/libdep.so.1", "libdep.so.1")
    wheel.extension({"libdep.so.1": "lib/libdep.so.1"})
    assert wheel.edits("lib/python3.10/site-packages/app.so").inherited
    wheel.library("lib/libapp.so.1", "libapp.so.1", of="app")  # the system may have one of this name
    assert not wheel.edits("lib/python3.10/site-packages/app.so").inherited


def test_a_program_finds_its_libraries_from_where_it_lies(wheel):
    wheel.library("lib/libdep.so.1", "libdep.so.1")
    wheel.library("bin/app", of="app", kind="program", links={"libdep.so.1": "lib/libdep.so.1"})
    assert wheel.edits("bin/app").search == ("$ORIGIN/../lib",)


def test_no_search_path_leaves_the_wheel(wheel):
    wheel.library("lib/libdep.so.1", "libdep.so.1")
    wheel.library("lib/a/b/plugin.so", links={"libdep.so.1": "lib/libdep.so.1"}, search=("$ORIGIN/../../../../..",))
    wheel.extension({"libdep.so.1": "lib/libdep.so.1"})
    assert wheel.edits("lib/a/b/plugin.so").search == ("$ORIGIN/../..",)
    assert wheel.edits("lib/python3.10/site-packages/app.so").search == ("$ORIGIN/home/_prefix/lib",)


def test_a_library_of_another_wheel_is_looked_for_there_under_its_name_there(wheel):
    wheel.library("lib/libdep.so.1", "libdep.so.1")
    links = {"libtorch.so.2": "", "libdep.so.1": "lib/libdep.so.1"}
    wheel.extension(links)
    wheel.library(
        "lib/python3.10/site-packages/app/deep/ext.so", of="app", links={"libtorch.so.2": ""}, at="app/deep/ext.so"
    )
    wheel.elsewhere("libtorch.so.2")
    table = {"external": {"libtorch.so": "torch >=2: torch/lib/libtorch.so"}, "rename": False}
    edits = wheel.edits("lib/python3.10/site-packages/app.so", **table)
    assert edits.search == ("$ORIGIN/home/_prefix/lib", "$ORIGIN/torch/lib")
    assert edits.needed == (("libtorch.so.2", "libtorch.so"),)
    assert not edits.inherited
    deep = wheel.edits("lib/python3.10/site-packages/app/deep/ext.so", **table)
    assert (deep.search, deep.inherited) == (("$ORIGIN/../../torch/lib",), False)


def test_binaries_are_stripped_where_the_configuration_says_so_and_then_have_another_hash(wheel):
    wheel.library("lib/libdep.so.1", "libdep.so.1")
    wheel.library("lib/plugin.so", of="app", links={"libdep.so.1": "lib/libdep.so.1"})
    assert not wheel.edits("lib/plugin.so").strip
    assert wheel.edits("lib/plugin.so", strip=True).strip
    assert wheel.edits("lib/libdep.so.1", strip=True).strip
    assert wheel.paths()["lib/libdep.so.1"] != wheel.paths(strip=True)["lib/libdep.so.1"]


def test_a_library_that_finds_other_files_or_lost_a_library_has_another_hash(wheel):
    """By its edits alone: the bytes of the file and the libraries that answer are the same."""
    wheel.library("lib/libuser.so", "libuser.so", links={"libgone.so": ""}, search=("/old",))
    plain = wheel.paths()["lib/libuser.so"]
    links = (Resolved(needed="libgone.so", where="removed"),)
    whole, wheel.entries = wheel.entries, [replace(wheel.entries[0], links=links)]
    assert wheel.paths()["lib/libuser.so"] != plain
    wheel.entries = [replace(whole[0], binary=replace(whole[0].binary, search=()))]
    assert wheel.edits("lib/libuser.so").search is None
    assert wheel.paths()["lib/libuser.so"] != plain


def test_the_mark_for_an_executable_stack_is_taken_from_the_named_libraries_that_have_it(wheel):
    wheel.library("lib/libdep.so.1", "libdep.so.1", execstack=True)
    wheel.library("lib/libplain.so.1", "libplain.so.1")
    table = {"clear-execstack": ["lib*.so"]}
    assert not wheel.edits("lib/libdep.so.1").clear_execstack
    assert wheel.edits("lib/libdep.so.1", **table).clear_execstack
    assert not wheel.edits("lib/libplain.so.1", **table).clear_execstack
    assert wheel.paths()["lib/libdep.so.1"] != wheel.paths(**table)["lib/libdep.so.1"]


# Two files at one place


def test_two_libraries_of_one_name_are_an_error_that_names_both(wheel):
    wheel.library("lib/libone.so", "libx.so.1", of="app")
    wheel.library("lib/libtwo.so", "libx.so.1", of="bpp")
    with pytest.raises(ContentError) as caught:
        wheel.link(rename=False)
    (problem,) = caught.value.problems
    assert problem.where == "home/_prefix/lib/libx.so.1"
    assert "lib/libone.so of app and lib/libtwo.so of bpp" in problem.what


def test_copies_of_a_library_where_symlinks_should_be_become_one_file(wheel):
    wheel.library("lib/libx.so", "libx.so.1", "same", of="app")
    wheel.library("lib/libx.so.1", "libx.so.1", "same", of="app")
    assert [each.path for each in wheel.link().entries] == ["home/_prefix/lib/libx.so.1"]


def test_a_second_name_of_a_library_that_the_user_wants_lies_under_that_name(wheel, prefix):
    wheel.library("lib/libdep.so.1.2", "libdep.so.1")
    alias = prefix.link("lib/libdep.so", "lib/libdep.so.1.2", of="dep")
    wheel.entries.append(entry(alias, facts=binary("libdep.so.1")))
    assert wheel.paths()["lib/libdep.so"] == "home/_prefix/lib/libdep.so"
    assert len(wheel.paths()) == 2


def test_entries_come_out_sorted_by_their_new_paths(wheel):
    for letter in "cab":
        wheel.library(f"lib/lib{letter}.so", f"lib{letter}.so")
    paths = [each.path for each in wheel.link().entries]
    assert paths == sorted(paths)


# Names that last: whoever builds again has the same wheel


def test_the_hashes_in_names_are_the_same_as_ever(wheel):
    wheel.library("lib/libone.so.1", "libone.so.1", "one", links={"libtwo.so": "lib/libtwo.so"})
    wheel.library(
        "lib/libtwo.so", "libtwo.so", "two", links={"libone.so.1": "lib/libone.so.1", "libend.so": "lib/libend.so"}
    )
    wheel.library("lib/libend.so", "libend.so", "end", execstack=True)
    assert sorted(name(wheel.paths(), path) for path in wheel.paths()) == PLAIN
    changed = wheel.paths(strip=True, **{"clear-execstack": ["libend.so"]})
    assert sorted(name(changed, path) for path in changed) == CHANGED


PLAIN = ["libend-d179a425.so", "libone-a6037a2e.so.1", "libtwo-df25d95c.so"]
CHANGED = ["libend-4c9e9e68.so", "libone-5959ac7e.so.1", "libtwo-16884927.so"]


# Other systems


def test_libraries_of_macos_are_called_by_their_install_names_and_found_from_their_users(wheel):
    facts = {"format": "macho", "arch": "arm64"}
    wheel.library("lib/libdep.1.2.dylib", "@rpath/libdep.1.dylib", **facts)
    wheel.prefix.link("lib/libdep.dylib", "lib/libdep.1.2.dylib", of="dep")
    wheel.extension({"@rpath/libdep.1.dylib": "lib/libdep.1.2.dylib", "/usr/lib/libz.1.dylib": ""}, **facts)
    new = name(wheel.paths(), "lib/libdep.1.2.dylib")
    assert re.fullmatch(r"libdep-[0-9a-f]{8}\.1\.dylib", new)
    edits = wheel.edits("lib/python3.10/site-packages/app.so")
    assert edits.needed == (("@rpath/libdep.1.dylib", f"@loader_path/home/_prefix/lib/{new}"),)
    assert (wheel.edits("lib/libdep.1.2.dylib").name, edits.sign) == (f"@rpath/{new}", True)
    place = f"home/_prefix/lib/{new}"
    assert wheel.link().names == dict.fromkeys(["libdep.1.2.dylib", "libdep.1.dylib", "libdep.dylib"], place)


def test_a_library_of_macos_that_link_system_names_is_asked_for_where_it_is(wheel):
    wheel.extension({"@rpath/libmine.2.dylib": ""}, format="macho", arch="arm64")
    wheel.entries = [
        replace(each, links=(Resolved(needed="@rpath/libmine.2.dylib", where="system"),)) for each in wheel.entries
    ]
    edits = wheel.edits("lib/python3.10/site-packages/app.so", system=["/opt/libmine.2.dylib"])
    assert edits.needed == (("@rpath/libmine.2.dylib", "/opt/libmine.2.dylib"),)


def test_dlls_are_called_by_their_files_whatever_they_call_themselves(wheel):
    facts = {"format": "pe"}
    wheel.library("Library/bin/Dep.DLL", "inside.dll", **facts)
    wheel.library("Library/lib/plugin.dll", "plugin.dll", **facts)
    wheel.library("DLLs/mod.pyd", "mod.pyd", **facts)
    wheel.library(
        "Lib/site-packages/app.pyd",
        "app.pyd",
        of="app",
        at="app.pyd",
        links={"DEP.dll": "Library/bin/Dep.DLL"},
        **facts,
    )
    paths = wheel.paths()
    new = name(paths, "Library/bin/Dep.DLL")
    assert re.fullmatch(r"Dep-[0-9a-f]{8}\.DLL", new)
    assert name(paths, "Library/lib/plugin.dll") == "plugin.dll"
    assert name(paths, "DLLs/mod.pyd") == "mod.pyd"
    assert wheel.edits("Lib/site-packages/app.pyd").needed == (("DEP.dll", new),)
    place = f"home/_prefix/Library/bin/{new}"
    assert wheel.link().names == {"Dep.DLL": place, "dep.dll": place}


def test_a_dll_below_the_library_folder_that_others_need_keeps_its_name(wheel):
    wheel.library("lib/deep/dep.dll", "dep.dll", format="pe")
    wheel.extension({"dep.dll": "lib/deep/dep.dll"}, format="pe")
    assert name(wheel.paths(), "lib/deep/dep.dll") == "dep.dll"


# What else decides names


def test_a_library_below_the_library_folder_is_known_by_its_file_and_by_its_soname(wheel):
    wheel.library("lib/dep/libdep.so.1.2", "libdep.so.1")
    wheel.extension({"libdep.so.1": "lib/dep/libdep.so.1.2"})
    place = wheel.paths()["lib/dep/libdep.so.1.2"]
    assert wheel.link().names == {"libdep.so.1.2": place, "libdep.so.1": place}


def test_of_several_names_by_which_a_library_is_opened_the_longest_counts_and_of_those_the_first(wheel, prefix):
    wheel.library("lib/libdep.so.1.2.3", "libother.so.1")
    for alias in ("lib/libdep.so", "lib/libdep.so.2", "lib/libdep.so.1"):
        prefix.link(alias, "lib/libdep.so.1.2.3", of="dep")
    wheel.text("share/app/x.tcl", "load libdep.so; load libdep.so.2; load libdep.so.1")
    assert name(wheel.paths(), "lib/libdep.so.1.2.3") == "libdep.so.1"


@pytest.mark.parametrize("folder", ["app-1.dist-info", "app-1.egg-info"])
def test_what_lies_behind_a_record_still_opens_by_name(wheel, folder):
    wheel.library("lib/libdep.so.1", "libdep.so.1")
    record = wheel.prefix.add(f"lib/python3.10/site-packages/{folder}/x.txt", "libdep.so.1", of="app")
    wheel.entries.append(entry(record, f"{folder}/x.txt"))
    assert name(wheel.paths(), "lib/libdep.so.1").startswith("libdep-")
    wheel.text("share/app/README.md", "libdep.so.1")
    wheel.text("share/app/x.tcl", "libdep.so.1")
    assert name(wheel.paths(), "lib/libdep.so.1") == "libdep.so.1"


def test_two_libraries_of_one_name_say_what_to_do(wheel):
    wheel.library("lib/libone.so", "libx.so.1", of="app")
    wheel.library("lib/libtwo.so", "libx.so.1", of="bpp")
    with pytest.raises(ContentError) as caught:
        wheel.link(rename=False)
    hint = "leave one out with select.exclude, or let link.rename name the library that may be renamed"
    assert caught.value.problems[0].hint == hint


def test_notes_count_the_files_beyond_the_first(wheel):
    for letter in "abc":
        path = f"lib/lib{letter}.1.dylib"
        wheel.library(path, f"@rpath/lib{letter}.1.dylib", of="app", format="macho", vouched=True, search=("/old",))
    notes = wheel.link(strip=True).notes
    assert [note.rpartition("lib/")[2] for note in notes] == ["liba.1.dylib (and 2 more)"] * 2


def test_only_those_that_open_a_library_are_named_beside_it(wheel):
    wheel.library("lib/libone.so.1", "libone.so.1")
    wheel.library("lib/libtwo.so.1", "libtwo.so.1")
    wheel.text("share/app/a.tcl", "load libone.so.1")
    wheel.text("share/app/b.tcl", "load libtwo.so.1")
    assert wheel.link().notes == (
        "libone.so.1 keeps its name: home/_prefix/share/app/a.tcl opens it by name",
        "libtwo.so.1 keeps its name: home/_prefix/share/app/b.tcl opens it by name",
    )
