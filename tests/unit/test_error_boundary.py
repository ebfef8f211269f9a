from __future__ import annotations

import errno
import gc
import os

import pytest

from mamba_press import error_boundary
from mamba_press.errors import FetchError, Problem, Setting, SolveError, Text, WriteError


def test_what_the_user_can_act_on_ends_a_hook_with_its_text():
    with pytest.raises(SystemExit) as ended, error_boundary.hook(None, {}):
        raise FetchError(Problem(where="channel here", what="it cannot be reached", hint="try again"))
    assert ended.value.code == (
        "mamba-press: the packages cannot be fetched\n- channel here: it cannot be reached\n  try again"
    )


def test_a_key_is_called_as_it_was_given_to_a_hook():
    hint = Text.of("see ", Setting("python"), ", ", Setting("packages"), " and ", Setting("python", "3.11"))
    with pytest.raises(SystemExit) as ended, error_boundary.hook({"python": "3.12"}, {"MAMBA_PRESS_PLATFORM": "x"}):
        raise SolveError(Problem(where=Setting("platform"), what="no", hint=hint))
    assert str(ended.value).endswith(
        '- MAMBA_PRESS_PLATFORM: no\n  see -C python, tool.mamba-press.packages and [tool.mamba-press] python = "3.11"'
    )


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EMFILE])
def test_what_the_machine_refuses_is_an_error_of_writing_that_names_the_file(number):
    with pytest.raises(WriteError) as refused, error_boundary.machine():
        raise OSError(number, os.strerror(number), "/somewhere/file")
    (problem,) = refused.value.problems
    assert problem.where == "/somewhere/file"
    assert problem.what == os.strerror(number)
    assert problem.hint


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (MemoryError(), "does not have enough memory"),
        (ImportError("/usr/lib/x.so: failed to map segment from shared object"), "does not have enough memory"),
        (SystemError("error return without exception set"), "does not have enough memory"),
        (RuntimeError("can't start new thread"), "cannot start more threads"),
    ],
)
def test_a_machine_without_memory_is_no_bug(error, what):
    with pytest.raises(WriteError) as refused, error_boundary.machine():
        raise error
    assert str(refused.value) == (
        f"the wheel cannot be written\n- this machine: {what}\n"
        "  end other programs, or raise the limits of this process (ulimit -v, ulimit -u)"
    )


@pytest.mark.parametrize(
    "error", [RuntimeError("dictionary changed size during iteration"), ImportError("No module named 'rattler'")]
)
def test_another_error_at_run_time_is_a_bug(error):
    with pytest.raises(type(error), match=str(error)), error_boundary.machine():
        raise error


def test_a_bug_keeps_its_traceback():
    with pytest.raises(FileNotFoundError), error_boundary.hook(None, {}):
        raise FileNotFoundError(errno.ENOENT, "No such file", "/somewhere/file")
    with pytest.raises(ZeroDivisionError), error_boundary.hook(None, {}):
        raise ZeroDivisionError


@pytest.mark.parametrize("enabled", [True, False])
def test_nobody_looks_for_garbage_during_a_hook_and_afterwards_as_before(enabled):
    was_enabled = gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        with error_boundary.hook(None, {}):
            assert not gc.isenabled()
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if was_enabled else gc.disable)()
