from __future__ import annotations

import pytest

from mamba_press.conda import records, solver
from mamba_press.errors import SolveError
from mamba_press.types import Python
from tests.support.records import package


@pytest.mark.parametrize(
    ("python", "abi"),
    [
        (Python(minor=6), "python_abi 3.6.* *_cp36m"),
        (Python(minor=10), "python_abi 3.10.* *_cp310"),
        (Python(minor=14, free_threaded=True), "python_abi 3.14.* *_cp314t"),
    ],
)
def test_a_solve_is_bound_to_one_abi(python, abi):
    assert solver.python_specs(python)[1] == abi


def test_what_is_no_conda_package_is_refused():
    wheel = package("wheely", url="https://example.org/wheely-1.0-py3-none-any.whl", file_name="wheely-1.0-0.whl")
    with pytest.raises(SolveError, match=r"wheely-1\.0-0\.whl', which is no conda package"):
        records.refuse_foreign([package(), wheel])
