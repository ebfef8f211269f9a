from __future__ import annotations

import ast
import json
import os
import subprocess
import sys

import pytest

from mamba_press.vendoring import runtime_module

LIBRARIES = {
    "libcurl.so.4": "_prefix/lib/libcurl-1a2b3c4d.so.4",
    "libtcl8.6.so": "_prefix/lib/libtcl8.6.so",
    "libssl.3.dylib": "_prefix/lib/libssl.3.dylib",
    "zlib1.dll": "zlib1.dll",
    "libfoo.so.1": "_prefix/lib/libfoo-1.so.1",
    "libfoo.so.2": "_prefix/lib/libfoo-2.so.2",
    "libbar.so": "_prefix/lib/libbar.so.7",
    "libbar.so.7": "_prefix/lib/libbar.so.7",
}


@pytest.fixture
def generated(tmp_path):
    (tmp_path / runtime_module.MODULE).write_bytes(runtime_module.module(LIBRARIES))
    namespace = {"__file__": str(tmp_path / runtime_module.MODULE), "__name__": "_mamba_press"}
    exec(compile(runtime_module.module(LIBRARIES), runtime_module.MODULE, "exec"), namespace)
    return namespace


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("libcurl.so.4", "_prefix/lib/libcurl-1a2b3c4d.so.4"),
        ("libcurl-1a2b3c4d.so.4", "_prefix/lib/libcurl-1a2b3c4d.so.4"),
        ("libcurl", "_prefix/lib/libcurl-1a2b3c4d.so.4"),
        ("libcurl.so", "_prefix/lib/libcurl-1a2b3c4d.so.4"),
        ("curl", "_prefix/lib/libcurl-1a2b3c4d.so.4"),
        ("tcl8.6", "_prefix/lib/libtcl8.6.so"),
        ("ssl", "_prefix/lib/libssl.3.dylib"),
        ("zlib1", "zlib1.dll"),
        ("foo.so.1", None),
        ("libfoo.so.2", "_prefix/lib/libfoo-2.so.2"),
        ("bar", "_prefix/lib/libbar.so.7"),
    ],
)
def test_library_is_found_by_file_name_wheel_name_and_bare_name(generated, tmp_path, name, path):
    if path is None:
        with pytest.raises(FileNotFoundError):
            generated["library"](name)
    else:
        assert generated["library"](name) == str(tmp_path / path)


def test_unknown_library_is_an_error_that_names_near_ones(generated):
    with pytest.raises(FileNotFoundError, match=r"no library 'libcurl\.so\.5': did you mean .*libcurl\.so\.4"):
        generated["library"]("libcurl.so.5")


def test_bare_name_of_two_libraries_is_an_error_that_names_both(generated):
    with pytest.raises(LookupError, match=r"may be any of libfoo\.so\.1, libfoo\.so\.2"):
        generated["library"]("foo")


def test_wheel_without_libraries_says_that_it_has_none():
    namespace = {"__file__": "x", "__name__": "x"}
    exec(runtime_module.module({}), namespace)
    with pytest.raises(FileNotFoundError, match="no library 'curl': it has none"):
        namespace["library"]("curl")


def test_prefix_lies_beside_the_module(generated, tmp_path):
    assert generated["prefix"] == tmp_path / "_prefix"


def test_same_libraries_give_the_same_bytes_in_any_order():
    assert runtime_module.module(dict(reversed(LIBRARIES.items()))) == runtime_module.module(LIBRARIES)


def test_module_is_python_3_6():
    ast.parse(runtime_module.module(LIBRARIES), feature_version=(3, 6))


def test_module_imports_only_os_and_pathlib_at_once(tmp_path):
    (tmp_path / "__init__.py").write_bytes(runtime_module.init("some-name"))
    (tmp_path / runtime_module.MODULE).write_bytes(runtime_module.module(LIBRARIES))
    code = (
        "import os, pathlib, sys; before = set(sys.modules)\n"
        f"sys.path.insert(0, {str(tmp_path.parent)!r})\n"
        f"import {tmp_path.name}._mamba_press\n"
        "print(sorted(set(sys.modules) - before))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ast.literal_eval(answer.stdout) == [tmp_path.name, f"{tmp_path.name}._mamba_press"]


def imported(tmp_path, name="home", **provided):
    """Write a home with the module into a folder; what code prints there after importing it."""
    home = tmp_path / name
    home.mkdir()
    (home / runtime_module.MODULE).write_bytes(runtime_module.module({}, **provided))
    (home / "__init__.py").write_bytes(runtime_module.with_import(runtime_module.init(name)))
    return home


def python(code, tmp_path, *arguments, **environ):
    plain = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path, env={**plain, **environ})


def test_importing_the_home_sets_a_variable_that_nobody_has_set(tmp_path):
    imported(tmp_path, environment={"FOO_X": "_prefix/share/foo"})
    done = python("import home, os; print(os.environ['FOO_X'])", tmp_path)
    assert (done.stdout.strip(), done.stderr) == (str(tmp_path / "home" / "_prefix" / "share" / "foo"), "")


@pytest.mark.parametrize("value", ["", "/somewhere/_prefix/share/foo", "mine"])
def test_the_users_own_value_stays_and_nothing_is_said(tmp_path, value):
    imported(tmp_path, environment={"FOO_X": "_prefix/share/foo"})
    done = python("import home, os; print(repr(os.environ['FOO_X']))", tmp_path, FOO_X=value)
    assert (done.stdout.strip(), done.stderr) == (repr(value), "")


def test_a_value_that_another_wheel_has_set_stays_and_is_reported_once(tmp_path):
    imported(tmp_path, "first", environment={"FOO_X": "_prefix/share/foo"})
    imported(tmp_path, "second", environment={"FOO_X": "_prefix/share/foo"})
    code = "import first, second, os, second._mamba_press; print(os.environ['FOO_X'])"
    done = python(code, tmp_path)
    assert done.stdout.strip() == str(tmp_path / "first" / "_prefix" / "share" / "foo")
    assert done.stderr.count("RuntimeWarning") == 1
    assert f"another wheel has set; the one in {tmp_path / 'second'} has its own" in done.stderr


def test_a_process_started_by_one_that_imported_the_wheel_hears_nothing(tmp_path):
    imported(tmp_path, environment={"FOO_X": "_prefix/share/foo"})
    again = f"import subprocess, sys, home; subprocess.check_call([{sys.executable!r}, '-c', 'import home'])"
    assert python(again, tmp_path).stderr == ""


@pytest.mark.skipif(os.name == "nt", reason="makes a program of sh")
def test_a_program_is_started_with_its_arguments_and_its_exit_code(tmp_path):
    home = imported(tmp_path, programs={"to-ol": "_prefix/bin/to-ol"}, environment={"FOO_X": "_prefix/share"})
    program = home / "_prefix" / "bin" / "to-ol"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\necho "$FOO_X:$1"\nexit 7\n')
    program.chmod(0o755)
    done = python("from home._mamba_press import run_to_ol; run_to_ol()", tmp_path, "an argument")
    assert done.returncode == 7
    assert done.stdout.strip() == f"{home / '_prefix' / 'share'}:an argument"


def test_where_there_is_no_exec_a_program_is_waited_for(tmp_path):
    home = imported(tmp_path, programs={"tool": "_prefix/tool"})
    program = home / "_prefix" / "tool"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nimport sys\nprint(sys.argv[1])\nsys.exit(9)\n")
    program.chmod(0o755)
    code = "import os; from home import _mamba_press as m; os.name = 'nt'; m.run_tool()"
    done = python(code, tmp_path, "word")
    assert (done.returncode, done.stdout.strip()) == (9, "word")


def test_programs_whose_names_are_no_identifiers_have_functions_of_their_own():
    assert runtime_module.functions(["a-b", "a.b", "tclsh8.6"]) == {
        "a-b": "run_a_b",
        "a.b": "run_a_b_2",
        "tclsh8.6": "run_tclsh8_6",
    }


def test_module_with_all_that_it_can_provide_is_python_3_6():
    everything = runtime_module.module(LIBRARIES, environment={"A": "b"}, programs={"a": "b", "c.d": "e"})
    ast.parse(everything, feature_version=(3, 6))


IMPORT = "from . import _mamba_press as _mamba_press"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f"{IMPORT}\n"),
        ("# only a comment", f"# only a comment\n{IMPORT}\n"),
        ("import os\n", f"{IMPORT}\nimport os\n"),
        ('"""Text."""', f'"""Text."""\n{IMPORT}\n'),
        ('"""Text\nin lines."""\nimport os\n', f'"""Text\nin lines."""\n{IMPORT}\nimport os\n'),
        (
            '#!python\n# -*- coding: utf-8 -*-\n"""T."""\nfrom __future__ import annotations\n\nimport os\n',
            f'#!python\n# -*- coding: utf-8 -*-\n"""T."""\nfrom __future__ import annotations\n{IMPORT}\n\nimport os\n',
        ),
        (
            "from __future__ import (\n    division,\n)  # why\nx = 1\n",
            f"from __future__ import (\n    division,\n)  # why\n{IMPORT}\nx = 1\n",
        ),
        ("# -*- coding: latin-1 -*-\nimport os\n", f"# -*- coding: latin-1 -*-\n{IMPORT}\nimport os\n"),
        ("'T'; x = (\n1)\ny = 2\n", f"'T'; x = (\n1)\n{IMPORT}\ny = 2\n"),
        ("'T'\r\nimport os\r\n", f"'T'\r\n{IMPORT}\r\nimport os\r\n"),
        ("\ufeffimport os\n", f"\ufeff{IMPORT}\nimport os\n"),
        ("\ufeff'T'\nimport os\n", f"\ufeff'T'\n{IMPORT}\nimport os\n"),
        ("@f\n@g\ndef h(): pass\n", f"{IMPORT}\n@f\n@g\ndef h(): pass\n"),
        ("if x:\n    'no docstring'\n", f"{IMPORT}\nif x:\n    'no docstring'\n"),
    ],
)
def test_the_import_stands_after_docstring_and_future_imports(before, after):
    assert runtime_module.with_import(before.encode()).decode() == after
    ast.parse(after.encode())


def test_bytes_in_another_encoding_stay_as_they_are():
    source = "# -*- coding: latin-1 -*-\n'''Größe'''\nx = 'ü'\n".encode("latin-1")
    changed = runtime_module.with_import(source)
    assert changed.replace(f"{IMPORT}\n".encode(), b"") == source
    assert ast.get_docstring(ast.parse(changed)) == "Größe"


@pytest.mark.parametrize("source", [b"print 'python 2'\n", b"def (:\n", b"x = 1\0\n", b"'\xff'\n"])
def test_a_source_that_cannot_be_read_is_refused(source):
    with pytest.raises(ValueError, match=r"."):
        runtime_module.with_import(source)


# -- libraries of other wheels

PROBE = """
import ctypes, json, sys
calls = []
ctypes.CDLL = lambda path, *rest: calls.append(path)
from _house_prefix import _load_x
print(json.dumps(calls))
"""


def loaded(*folders):
    """What the generated module of the first folder loads where all are on the path."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))},
    )
    return json.loads(done.stdout)


@pytest.fixture
def sites(tmp_path):
    """Two folders on the path; the generated module lies in the first."""
    for name in ("here", "there"):
        (tmp_path / name / "_house_prefix/_prefix/lib").mkdir(parents=True)
    text = runtime_module.loader(("_prefix/lib/libword.so.1", "_prefix/lib/libgreet.so.1"))
    (tmp_path / "here/_house_prefix/_load_x.py").write_bytes(text)
    return tmp_path / "here", tmp_path / "there"


def lay(site, *names):
    paths = [site / "_house_prefix/_prefix/lib" / name for name in names]
    for path in paths:
        path.touch()
    return [str(path) for path in paths]


def test_nothing_is_loaded_where_all_libraries_lie_in_one_folder(sites):
    lay(sites[0], "libword.so.1", "libgreet.so.1")
    lay(sites[1], "libword.so.1")
    assert loaded(*sites) == []


def test_libraries_of_another_folder_are_loaded_in_the_order_given(sites):
    there = lay(sites[1], "libword.so.1", "libgreet.so.1")
    assert loaded(*sites) == there


def test_each_library_is_taken_from_the_nearest_folder(sites):
    here = lay(sites[0], "libgreet.so.1")
    there = lay(sites[1], "libword.so.1", "libgreet.so.1")
    assert loaded(*sites) == [there[0], here[0]]


def test_a_library_that_is_nowhere_is_left_to_the_loader_to_complain_of(sites):
    assert loaded(*sites) == []


def test_the_module_is_read_by_the_oldest_python_that_is_pressed_for():
    ast.parse(runtime_module.loader(("a/b.so",)), feature_version=(3, 6))
