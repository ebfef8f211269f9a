"""CPython's stable ABI as data: equal to what others read from CPython's own list."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import mamba_press
from mamba_press.platforms import stable_abi


def test_the_names_are_those_of_abi3info():
    theirs = pytest.importorskip("abi3info", reason="abi3info, which comes with abi3audit, is not installed")
    known = {
        symbol.name: each.added.minor for table in (theirs.FUNCTIONS, theirs.DATAS) for symbol, each in table.items()
    }
    data = Path(mamba_press.__file__).with_name("data").joinpath("stable_abi.json")
    ours = {name: int(v.split(".")[1]) for v, names in json.loads(data.read_text()).items() for name in names.split()}
    # An older copy of theirs lacks what newer Pythons add.
    newest = max(known.values())
    assert {name: minor for name, minor in ours.items() if minor < newest} == {
        name: minor for name, minor in known.items() if minor < newest
    }


def test_what_was_added_last_decides_and_other_libraries_do_not_count():
    used = stable_abi.use(["PyList_New", "PyType_GetQualName", "_Py_NoneStruct", "malloc", "Pympler", "_ZN6PySide1fE"])
    assert (used.minor, used.newest, used.outside) == (11, "PyType_GetQualName", ())


def test_names_outside_are_told():
    used = stable_abi.use(["PyList_New", "PyCode_Addr2Line", "_PyObject_GC_TRACK"])
    assert (used.minor, used.newest, used.outside) == (2, "PyList_New", ("PyCode_Addr2Line", "_PyObject_GC_TRACK"))
