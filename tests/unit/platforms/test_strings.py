from __future__ import annotations

import pytest

from mamba_press.platforms.strings import look
from tests.support.compile import Linking, shared_library


def names(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return set(look(path).names)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('CDLL("libgeos_c.so")', {"libgeos_c.so"}),
        ("load [file join $dir .. libtk8.6.so] Tk", {"libtk8.6.so"}),
        ("/usr/lib/libz.so.1.2.13", {"libz.so.1.2.13"}),
        ("It needs libfoo.so.1. And libbar.so, too", {"libfoo.so.1", "libbar.so"}),
        ("\0libstdc++.so.6\0libx-1.so\0", {"libstdc++.so.6", "libx-1.so"}),
        ("libfoo.so-gdb.py libfoo.sources libfoo.so_old libfoo.so.1a", set()),
        (".so", set()),
        ("", set()),
        ("x" * 500 + ".so", {"x" * 120 + ".so"}),
        ("liba.so.libb.so.2", {"liba.so", "liba.so.libb.so.2"}),
    ],
)
def test_names_of_libraries_are_found_in_text(tmp_path, text, found):
    assert names(tmp_path, text) == found


def test_a_library_without_data_of_its_own_opens_nothing_that_it_needs(tmp_path):
    dep = shared_library(tmp_path / "libdep.so.1", "", Linking(soname="libdep.so.1", flags=("-nostdlib",)))
    user = shared_library(
        tmp_path / "libuser.so.1", "", Linking(soname="libuser.so.1", needed=(dep,), flags=("-nostdlib",))
    )
    assert look(user).names == frozenset()


def test_a_name_at_the_very_end_of_a_file_is_found(tmp_path):
    assert names(tmp_path, "libz.so.1") == {"libz.so.1"}


def test_a_file_that_only_begins_like_a_library_is_read_as_text(tmp_path):
    assert names(tmp_path, b"\x7fELF\x02\x01 libz.so") == {"libz.so"}


def test_a_library_that_says_it_has_sections_where_it_has_none_is_read_whole(tmp_path):
    header = bytearray(b"\x7fELF\x02\x01\x01" + bytes(57))
    header[40:48] = (10**9).to_bytes(8, "little")
    header[58:62] = b"\x40\0\x05\0"
    assert names(tmp_path, bytes(header) + b"\0libz.so\0") == {"libz.so"}


def test_of_a_library_only_its_own_strings_count_not_what_the_loader_reads(tmp_path):
    needed = shared_library(tmp_path / "libneeded.so.1", "", Linking(soname="libneeded.so.1", flags=("-nostdlib",)))
    source = '#define DEBUG "libdebug.so"\nconst char *name(void) { return "libopened.so.2"; }'
    linking = Linking(soname="libself.so.1", needed=(needed,), runpath="/opt/libpath.so", flags=("-nostdlib", "-g3"))
    path = shared_library(tmp_path / "libself.so.1", source, linking)
    assert b"libdebug.so" in path.read_bytes()
    assert look(path).names == {"libopened.so.2"}


def test_a_name_in_data_that_can_be_written_is_found(tmp_path):
    source = 'char name[] = "libopened.so.2"; const char *names[] = {"libother.so"};'
    path = shared_library(tmp_path / "liba.so", source, Linking(flags=("-nostdlib",)))
    assert look(path).names == {"libopened.so.2", "libother.so"}


def test_a_file_that_names_a_folder_where_packages_are_built_tells_its_origin(tmp_path):
    path = tmp_path / "a.py"
    path.write_bytes(b"cc -I/home/conda/feedstock_root/a")
    assert look(path).built
    path.write_bytes(b"/home/conda/feed /croots/b")
    assert not look(path).built
