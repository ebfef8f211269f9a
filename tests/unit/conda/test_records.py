from __future__ import annotations

from dataclasses import replace

import pytest

from mamba_press.conda import lockfile, records
from mamba_press.errors import SolveError
from mamba_press.types import Python
from tests.support.records import at, held, package

BEYOND = {
    "version": (
        {"version": "9" * 100_000},
        "its record has a version of 100,000 characters; at most 200 are accepted",
    ),
    "build": ({"build": "b" * 201}, "its record has a build of 201 characters; at most 200 are accepted"),
    "license": (
        {"license": " AND ".join(["MIT"] * 20_000)},
        "its record has a license of 159,995 characters; at most 10,000 are accepted",
    ),
    "path": ({"build": "a/b"}, "its record has the build 'a/b'; a build is of letters, digits and _ . +"),
    "dependencies": (
        {"depends": tuple(f"p{number}" for number in range(100_000))},
        "its record has 100,000 dependencies; at most 10,000 are accepted",
    ),
    "dependency": (
        {"constrains": ("python " + ",".join(f"!=3.{minor}" for minor in range(1_000)),)},
        "its record has a dependency of 7,896 characters; at most 2,000 are accepted",
    ),
}


@pytest.mark.parametrize("key", BEYOND)
def test_a_record_beyond_all_bounds_is_refused(key):
    changes, what = BEYOND[key]
    with pytest.raises(SolveError) as caught:
        records.refuse_foreign([package(), package("evil", **changes)])
    [problem] = caught.value.problems
    assert problem.what == what
    assert problem.where.startswith("evil of ")


@pytest.mark.parametrize(
    ("found", "serves"),
    [
        ({"name": "zlib"}, True),
        ({"name": "zlib", "depends": ("python_abi 3.10.* *_cp310",)}, False),
        ({"name": "zlib", "depends": ("python >=3.8",)}, False),
        ({"name": "zlib", "depends": ("python-dateutil",)}, True),
        ({"name": "zlib", "noarch": "python"}, False),
        ({"name": "python"}, False),
    ],
)
def test_a_solution_in_which_nothing_depends_on_python_is_for_every_python(found, serves):
    entries = [held(at((2, 17)), package(**found)), held(at((2, 28)), package(**found))]
    other = replace(at((2, 28)), python=Python(minor=14, free_threaded=True))
    assert lockfile.best(entries, other) is (entries[1] if serves else None)
    assert lockfile.best(entries, replace(other, subdir="linux-aarch64")) is None
