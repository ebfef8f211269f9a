from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mamba_press.wheel import parallel


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux binds a process to cores")
def test_only_the_cores_that_the_process_may_use_count():
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert parallel.count() == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert parallel.count() == len(allowed)


@given(st.lists(st.integers(0, 200)), st.integers(32, 100))
def test_batches_hold_all_pieces_in_order_and_no_more_than_asked(sizes, most):
    found = list(parallel.batches(sizes, lambda size: size, most))
    assert [size for batch in found for size in batch] == sizes
    assert all(len(batch) == 1 or (len(batch) <= 33 and sum(batch) <= most) for batch in found)


def test_small_pieces_go_together_and_a_large_one_alone():
    assert list(parallel.batches([1, 1, 99, 1], lambda size: size, 64)) == [[1, 1], [99], [1]]
