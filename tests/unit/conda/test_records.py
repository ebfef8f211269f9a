from __future__ import annotations

from dataclasses import replace

import pytest

from mamba_press.conda import lockfile, records
from mamba_press.errors import SolveError
from mamba_press.types import Python, Solution
from tests.support.records import TARGET, at, held, package
from tests.support.values import specs

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


def test_a_solution_survives_the_hand_over_exactly():
    solution = Solution(
        target=replace(TARGET, python=Python(minor=14, free_threaded=True), tag="manylinux_2_28_x86_64"),
        packages=(
            package(depends=("a", "b >=1"), constrains=("c",), sha256="00", timestamp=1, noarch="python"),
            package("other", requested=True, license="MIT", site_packages="lib/python3.14t/site-packages"),
            replace(
                package(depends=("a[when='__unix', extras=[x, y]]",)), extra_depends={"x": specs("c")}, flags=("cuda",)
            ),
        ),
        channels=("conda-forge", "file:///x"),
    )
    assert records.from_json(records.to_json(solution)) == solution


def test_a_solution_without_floor_survives_the_hand_over():
    solution = Solution(target=replace(TARGET, floor=None), packages=(), channels=())
    assert records.from_json(records.to_json(solution)) == solution


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"target": 1}', '{"target": {"floor": 1}}'])
def test_any_other_text_is_no_solution(text):
    with pytest.raises(ValueError, match=r"."):
        records.from_json(text)


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
