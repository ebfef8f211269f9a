"""What sources look for in vain: told with the place and the way out, and nothing else is told."""

from __future__ import annotations

import pytest

from mamba_press import lookups
from tests.support.values import Prefix, entry

SITE = "lib/python3.10/site-packages"


@pytest.fixture
def told(tmp_path):
    """A function that says what is told of sources by their path in the wheel, and of other files of the prefix."""

    def tell(sources, *others, name="bundle", called=("app", "bundle"), libraries=("lib/libgeos_c.so.1",)):
        prefix = Prefix(tmp_path)
        entries = [entry(prefix.add(f"{SITE}/{path}", text, of="app"), path) for path, text in sources.items()]
        entries += [entry(prefix.add(path, "x", of=of)) for path, of in others]
        return lookups.notes(entries, name=name, called=called, libraries=libraries)

    return tell


@pytest.mark.parametrize("call", ["find_library('geos_c')", "ctypes.util.find_library('geos_c')"])
def test_a_library_that_is_looked_for_in_the_system_is_told(told, call):
    (note,) = told({"app/a.py": f"import ctypes.util\nx = {call}\n", "app/b.py": f"x = {call}\n"})
    assert note.startswith("app/a.py (and 1 more) asks find_library('geos_c'), which looks in the system")
    assert "libgeos_c.so.1" in note


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
    assert "lies in Python's own library" in note
    assert told({"app/a.py": ""}, ("lib/python3.10/site-packages.txt", "app")) == ()
