"""What sources look for in vain: told with the place and the way out, and nothing else is told."""

from __future__ import annotations

import time

import pytest

from mamba_press.audit import path_assumptions
from mamba_press.errors import Note
from mamba_press.types import OWN
from tests.support.values import Prefix, entry

SITE = "lib/python3.10/site-packages"


@pytest.fixture
def found(tmp_path):
    """A function that returns what is told of sources by their path in the wheel, and of other files of the prefix."""

    def find(sources, *others, of="app", name="bundle", libraries=("lib/libgeos_c.so.1",), kept=()):
        prefix = Prefix(tmp_path)
        entries = [entry(prefix.add(f"{SITE}/{path}", text, of=of), path) for path, text in sources.items()]
        entries += [entry(prefix.add(path, "x", of=owner)) for path, owner in others]
        called = ("app", "bundle")
        return path_assumptions.notes([*entries, *kept], name=name, home="app", called=called, libraries=libraries)

    return find


@pytest.fixture
def told(found):
    """The same as texts."""
    return lambda *asked, **more: tuple(note.what for note in found(*asked, **more))


FIND = (
    "asks find_library('geos_c'), which looks in the system and never in a wheel: libgeos_c.so.1 of the conda packages "
)


@pytest.mark.parametrize("call", ["find_library('geos_c')", "ctypes.util.find_library('geos_c')"])
def test_a_library_that_is_looked_for_in_the_system_is_told(found, call):
    sources = {"app/a.py": f"import ctypes.util\nx = {call}\n", "app/b.py": f"x = {call}\n"}
    assert found(sources) == (Note(f"app/a.py (and 1 more) {FIND}is never found"),)


WAND = """\
def library_paths():
    for suffix in ("", "-7", "-7.Q16"):
        yield ctypes.util.find_library("MagickWand" + suffix), ctypes.util.find_library(f"MagickCore{suffix}")
"""


def test_a_name_that_is_put_together_may_be_any_that_begins_so(told):
    libraries = ("lib/libMagickWand-7.Q16.so.10", "lib/libMagickCore-7.Q16.so.10", "lib/libpng16.so.16")
    made = "asks find_library for a name that it puts together, which looks in the system and never in a wheel: "
    assert told({"app/a.py": WAND}, libraries=libraries) == (
        f"app/a.py {made}libMagickCore-7.Q16.so.10 of the conda packages is never found",
        f"app/a.py {made}libMagickWand-7.Q16.so.10 of the conda packages is never found",
    )


@pytest.mark.parametrize(
    ("source", "is_told"),
    [
        ("def find(name):\n    return find_library(name)\nx = find('geos_c')", True),
        ("for name in ('x', 'geos_c'):\n    find_library(name)", True),
        ("find_library('geos_%s' % kind)", True),
        ("find_library('{}_c'.format('geos'))", True),
        ("find_library('ge' + name)", False),
        ("find_library('gdal' + name)", False),
        ("def find(name):\n    return find_library(name)\nx = find('m')", False),
        ("find_library('m')\nx = 'geos_c'", False),
    ],
)
def test_of_a_name_that_comes_from_elsewhere_what_stands_in_the_source_is_meant(told, source, is_told):
    assert bool(told({"app/a.py": source})) == is_told


@pytest.mark.parametrize(
    "source",
    [
        "\n".join(["x = x, x"] * 300) + "\nfind_library(x)\nCDLL(x)\n",
        "x = y = 'z'\n" * 5_000 + "find_library(x + y)\nCDLL(x)\n" * 5_000,
        f"x = 'find_library'\n{'-' * 100_000}1\n",
    ],
    ids=["names that stand for each other", "many values and calls", "nested too deeply"],
)
def test_a_source_that_says_no_end_of_things_costs_little(told, source):
    start = time.process_time()
    assert told({"app/a.py": source}) == ()
    assert time.process_time() - start < 5


def test_who_can_ask_for_it_otherwise_is_warned_with_the_lines_to_write(found):
    (note,) = found({"app/a.py": "x = find_library('geos_c')\n"}, of=OWN)
    assert str(note) == (
        f"warning: app/a.py {FIND}is never found\n"
        "  write: from app._mamba_press import library\n"
        '  and library("geos_c") in place of find_library("geos_c")'
    )


@pytest.mark.parametrize(
    "source",
    [
        'ctypes.CDLL("libgeos_c.so.1")',
        'from ctypes import CDLL\nx = CDLL("libgeos_c.so.1", mode=1)',
        'cdll.LoadLibrary("libgeos_c.so.1")',
        'ffi.dlopen("libgeos_c.so.1")',
        'NAME = "libgeos_c.so.1"\nCDLL(NAME)',
        'CDLL("libgeos_c.so.1" if linux else "libgeos_c.dylib")',
        'NAMES = {"linux": "libgeos_c.so.1"}\nCDLL(NAMES[sys.platform])',
        'NAMES = {"linux": "libgeos_c.so.1"}\nCDLL(NAMES.get(sys.platform, "geos_c.dll"))',
        'for name in ("libgeos_c.so.1", "x.so"):\n    CDLL(name)',
    ],
)
def test_a_library_that_is_opened_by_its_bare_name_is_warned_of(found, source):
    theirs = next(each for each in found({"app/a.py": source}) if "libgeos_c.so.1" in each.what)
    assert theirs == Note(
        "app/a.py opens 'libgeos_c.so.1' by its bare name, which Python looks for in the system and never in a wheel",
        "let code of the project open it by its path before that: from app._mamba_press import library\n"
        'ctypes.CDLL(library("geos_c"))',
        "warning",
    )


def test_own_code_that_opens_a_bare_name_is_told_what_to_write_even_where_it_expects_a_failure(found):
    source = 'try:\n    x = CDLL("libgeos_c.so.1")\nexcept OSError:\n    x = None\n'
    (note,) = found({"app/a.py": source}, of=OWN)
    assert note.severity == "warning"
    assert note.hint == (
        'write: from app._mamba_press import library\nand library("geos_c") in place of "libgeos_c.so.1"'
    )


@pytest.mark.parametrize(
    "source",
    [
        'CDLL(os.path.join(here, "libgeos_c.so.1"))',
        'PATH = os.path.join(here, "libgeos_c.so.1")\nCDLL(PATH)',
        'CDLL("/usr/lib/libgeos_c.so.1")',
        'CDLL("libc.so.6")',
        'CDLL("libstdc++.so.6")',
        'print("libgeos_c.so.1", CDLL)',
        "CDLL(None)",
    ],
)
def test_paths_and_libraries_of_the_system_are_not_warned_of(found, source):
    assert found({"app/a.py": source}, libraries=("lib/libgeos_c.so.1", "lib/libstdc++.so.6")) == ()


def test_others_code_that_is_ready_for_a_failure_is_no_more_than_noted(found):
    (note,) = found({"app/a.py": 'try:\n    CDLL("libgeos_c.so.1")\nexcept OSError:\n    pass\n'})
    assert note.severity == "note"


def test_others_code_may_ask_by_name_for_what_own_code_opens_by_its_path(found, tmp_path):
    own = Prefix(tmp_path / "own").add(
        f"{SITE}/mine.py", "from x._mamba_press import library\nlibrary('geos_c')", of=OWN
    )
    (note,) = found({"app/a.py": 'CDLL("libgeos_c.so.1")'}, kept=[entry(own, "mine.py")])
    assert note.severity == "note"


def test_a_library_of_the_system_may_be_looked_for_there(told):
    assert told({"app/a.py": "x = find_library('c')\n"}) == ()


@pytest.mark.parametrize(
    "source",
    [
        "from importlib.metadata import version\n__version__ = version('app')\n",
        "import importlib.metadata as m\n__version__ = m.distribution('App').version\n",
        "from importlib import metadata\n__version__ = metadata.version('app')\n",
        "from importlib_metadata import version\n__version__ = version(__name__)\n",
        "import pkg_resources\n__version__ = pkg_resources.get_distribution('app').version\n",
    ],
)
def test_code_that_asks_for_its_own_name_is_told_where_the_wheel_has_another(told, source):
    (note,) = told({"app/__init__.py": source})
    assert note.startswith("app/__init__.py asks for the metadata of app, which Python does not find")
    assert told({"app/__init__.py": source}, name="APP") == ()


@pytest.mark.parametrize(
    "source",
    [
        "from importlib.metadata import version\ntry:\n    v = version('app')\nexcept Exception:\n    v = '0'\n",
        "from importlib.metadata import version\nv = version('other')\n",
        '"""Uses importlib.metadata.version("app")."""\n',
        "def version(name): ...\nversion('app')\n",
        "from importlib.metadata import version\nversion('app'\n",
    ],
)
def test_other_names_other_functions_and_who_is_ready_for_it_are_not(told, source):
    assert told({"app/__init__.py": source}) == ()


def test_code_that_looks_below_sys_prefix_is_told_where_its_package_has_files_there(told):
    source = {"app/a.py": "import sys\nwords = open(sys.prefix + '/share/app/words')\n"}
    (note,) = told(source, ("share/app/words", "app"))
    assert note.startswith("app/a.py looks below sys.prefix")
    assert 'layout.move = { "share/app" = ".data/data/share/app" }' in note
    assert told(source) == ()
    assert told(source, ("share/other/words", "other")) == ()
    assert told({"app/a.py": "import sys\nprint(sys.argv, 'sys.prefix')\n"}, ("share/app/words", "app")) == ()


def test_a_module_in_pythons_own_library_is_told(told):
    (note,) = told({}, ("lib/python3.10/lib-dynload/_gdbm.so", "gdbm"))
    place = "home/_prefix/lib/python3.10/lib-dynload/_gdbm.so"
    assert note == f"{place} belongs to the standard library in conda: where it is in the wheel, nothing can import it"
    assert told({"app/a.py": ""}, ("lib/python3.10/site-packages.txt", "app")) == ()
