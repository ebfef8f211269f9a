"""Text files that find the prefix from where they lie: judged by the programs that read them, where these are here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mamba_press.types import NEUTRAL, NEUTRAL_ON_WINDOWS
from mamba_press.vendoring.relocate_text import rewrite
from tests.support.values import Prefix, entry

HOME = "pkg/_prefix"


@pytest.fixture
def prefix(tmp_path):
    return Prefix(tmp_path / "prefix")


@pytest.fixture
def written(prefix, tmp_path):
    """Rewrite one file and write it, with everything else of the wheel, to a folder with a space in its name."""

    def written(path, text, *others, place=None, programs=(), executable=True):
        found = replace(prefix.add(path, text.replace("@", NEUTRAL), of="x"), placeholder="text")
        more = [entry(prefix.add(other, "data", of="x"), f"{HOME}/{other}") for other in others]
        first = replace(entry(found, place or f"{HOME}/{path}"), executable=executable)
        entries = rewrite([first, *more], HOME, programs)
        for each in entries:
            target = tmp_path / "some site" / each.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(each.source if isinstance(each.source, bytes) else each.source.read_bytes())
            target.chmod(0o755)
        return tmp_path / "some site" / entries[0].path

    return written


def output(*command, **environ):
    return subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True, env=environ).stdout


# pkg-config, CMake


def test_pkg_config_finds_the_prefix_from_the_file(written):
    path = written("lib/pkgconfig/x.pc", "prefix=@\nlibdir=@/lib\nName: x\nCflags: -I${prefix}/include -I@/a/b/\n")
    text = path.read_text()
    assert "prefix=${pcfiledir}/../..\n" in text
    assert "libdir=${pcfiledir}/..\n" in text
    assert "-I${pcfiledir}/../../a/b/\n" in text


@pytest.mark.skipif(not shutil.which("pkg-config"), reason="pkg-config is not here")
def test_pkg_config_says_the_folder_of_the_installed_wheel(written):
    path = written("lib/pkgconfig/x.pc", "prefix=@\nName: x\nDescription: x\nVersion: 1\nCflags: -I${prefix}/include\n")
    said = output(shutil.which("pkg-config"), "--cflags", "x", PKG_CONFIG_PATH=str(path.parent))
    folder = Path(said.strip().removeprefix("-I").replace("\\ ", " "))
    assert folder.resolve() == path.parents[2] / "include"


def test_cmake_finds_the_prefix_outside_of_functions(written):
    text = 'function(f)\nendfunction()\nset(x "@/share/x")\n'
    assert 'set(x "${CMAKE_CURRENT_LIST_DIR}/../../share/x")' in written("lib/cmake/x.cmake", text).read_text()


@pytest.mark.skipif(not shutil.which("cmake"), reason="CMake is not here")
def test_cmake_says_the_folder_of_the_installed_wheel(written):
    path = written("lib/cmake/x.cmake", 'get_filename_component(x "@/share/x" ABSOLUTE)\nmessage(STATUS "${x}")\n')
    assert output(shutil.which("cmake"), "-P", path).strip() == f"-- {path.parents[2]}/share/x"


def test_in_a_function_of_cmake_the_variable_is_another_files(written):
    text = 'macro(f)\n  set(x "@/share/x")\nendmacro()\n'
    assert written("lib/cmake/x.cmake", text).read_text() == text.replace("@", NEUTRAL)


# shell


def test_a_shell_script_finds_the_prefix_from_itself_however_it_quotes(written):
    text = """#!/bin/sh
# in @/bin
one=@/a
two="@/b c"
case "$1" in
  x) echo 'it is' '@/c';;
  *) echo \\"@/d "\\"@" @/e;;
esac
echo $one "$two"
"""
    path = written("bin/tool", text)
    root = path.parents[1]
    assert output(path, "x").splitlines() == [f"it is {root}/c", f"{root}/a {root}/b c"]
    assert output(path).splitlines() == [f'"{root}/d "{root} {root}/e', f"{root}/a {root}/b c"]


def test_what_is_in_between_is_passed_over(written):
    text = """#!/bin/sh
prefix="@"
usage() {
    cat <<EOF  # it's
it's "free
EOF
    cat <<-'END'
\t"more
\tEND
}
usage; value=`echo "$1" | sed 's/"/x/'`; other=$(echo a b)
echo "$value $(echo c) @/lib" '@/share' $prefix
"""
    path = written("bin/x-config", text)
    root = path.parents[1]
    assert output(path, 'q"', PATH=os.environ["PATH"]).splitlines() == [
        "it's \"free",
        '"more',
        f"qx c {root}/lib {root}/share {root}",
    ]


@pytest.mark.parametrize(
    "line", ["echo `echo @`", "echo $(echo @)", "cat <<END\n@\nEND", 'x=$(echo ")")\necho @', "cat <<$x\n@\n$x"]
)
def test_what_is_beyond_the_reader_of_shell_stays_as_it_is(written, line):
    text = f"#!/bin/sh\n{line}\n"
    assert written("bin/tool", text).read_text() == text.replace("@", NEUTRAL)


def test_what_may_be_sourced_stays_as_it_is(written):
    text = "#!/bin/sh\nexport DATA=@/share\n"
    assert written("etc/x.sh", text, executable=False).read_text() == text.replace("@", NEUTRAL)


@pytest.mark.parametrize(
    ("line", "becomes"),
    [
        ("#!@/bin/sh -e", "#!/bin/sh -e"),
        ("#!@/bin/bash", "#!/usr/bin/env bash"),
        ("#! @/bin/perl -w", "#!/usr/bin/env -S perl -w"),
        ("#!@/bin/tclsh8.6", "#!/usr/bin/env tclsh8.6"),
    ],
)
def test_an_interpreter_is_left_to_env(written, line, becomes):
    assert written("bin/tool", f"{line}\nexit\n").read_text() == f"{becomes}\nexit\n"


# Python


def test_a_path_of_something_in_the_wheel_becomes_one_from_the_module(written):
    text = '"""See @/share."""\nDATA = "@/share/x"\nROOT = r\'@\'\nFLAGS = "-L@/lib"\nGONE = "@/share/gone"\n'
    text += "print(DATA, ROOT)\n"
    path = written("lib/python3.10/site-packages/mod/config.py", text, "share/x/data.txt", place="mod/config.py")
    root = path.parents[1] / HOME
    assert output(sys.executable, path) == f"{root}/share/x {root}\n"
    kept = path.read_text()
    assert f'"""See {NEUTRAL}/share."""' in kept
    assert f'GONE = "{NEUTRAL}/share/gone"' in kept
    assert f'FLAGS = "-L{NEUTRAL}/lib"' in kept


def test_a_file_is_named_where_the_wheel_has_it(written):
    text = 'import sys\nsys.stdout.write("é" + "@/lib/python3.10/site-packages/mod/a.txt" "")\n'
    path = written("lib/python3.10/site-packages/mod/x.py", text, place="mod/x.py")
    assert path.read_text() == text.replace("@", NEUTRAL)


def test_what_is_no_python_stays_as_it_is(written):
    path = written("lib/python3.10/site-packages/old.py", 'print "@"\n', place="old.py")
    assert path.read_text() == f'print "{NEUTRAL}"\n'


# Jupyter, and the rest


def test_a_kernel_is_started_by_name(written):
    kernel = {"argv": ["@/bin/python", "-m", "k"], "env": {"A": "@/bin/xcpp", "B": "@/bin/other"}}
    place = "x-1.data/data/share/jupyter/kernels/k/kernel.json"
    path = written("share/jupyter/kernels/k/kernel.json", json.dumps(kernel), place=place, programs=["xcpp"])
    found = json.loads(path.read_text())
    assert found == {"argv": ["python", "-m", "k"], "env": {"A": "xcpp", "B": f"{NEUTRAL}/bin/other"}}


def test_a_kernel_of_windows_is_started_by_name(written):
    text = f'{{"argv": ["{NEUTRAL_ON_WINDOWS}/python.exe", "-m", "k"]}}'
    path = written("share/jupyter/kernels/k/kernel.json", text)
    assert json.loads(path.read_text())["argv"][0] == "python"


def test_outside_of_site_packages_nothing_is_relative(written):
    text = 'x = "@/share"\n'
    path = written("share/jupyter/x.py", text, "share/a", place="x-1.data/data/share/jupyter/x.py")
    assert path.read_text() == text.replace("@", NEUTRAL)


@pytest.mark.parametrize("path", ["lib/libx.la", "etc/x.conf", "share/x.txt"])
def test_a_format_without_a_relative_form_stays_as_it_is(written, path):
    assert written(path, "libdir='@/lib'\n").read_text() == f"libdir='{NEUTRAL}/lib'\n"


def test_only_what_the_package_lists_is_read(prefix):
    file = prefix.add("lib/pkgconfig/x.pc", f"prefix={NEUTRAL}\n", of="x")
    (found,) = rewrite([entry(file)], HOME)
    assert found.source == file.source
