"""Each signal that ends a process ends a build as an error does: once, and only where nobody else handles it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import weakref
from contextlib import contextmanager, suppress

import pytest

from mamba_press import interrupts

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")

pytestmark = posix


@pytest.fixture(autouse=True)
def restored():
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_DFL) for number in numbers}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("number", "code", "text"),
    [
        (signal.SIGINT, 130, "mamba-press: interrupted; nothing was left half written\n"),
        (signal.SIGTERM, 143, "mamba-press: ended by SIGTERM; nothing was left half written\n"),
        (signal.SIGHUP, 129, "mamba-press: ended by SIGHUP; nothing was left half written\n"),
    ],
)
def test_a_signal_is_told_and_is_the_exit_code(number, code, text, capsys):
    with pytest.raises(KeyboardInterrupt) as ended, interrupts.caught():
        os.kill(os.getpid(), number)
    assert interrupts.told(ended.value) == code
    assert capsys.readouterr().err == text


def test_a_plain_interrupt_is_ctrl_c():
    assert interrupts.told(KeyboardInterrupt()) == 130


class Interrupted:
    """What a signal meets while Python puts it away."""

    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(3):  # Python looks for signals between two lines
            pass


def in_del() -> None:
    Interrupted()


def in_callback_of_weak_reference() -> None:
    value = set()
    reference = weakref.ref(value, lambda _: os.kill(os.getpid(), signal.SIGTERM))
    del value
    assert reference() is None


@pytest.mark.parametrize("where", [in_del, in_callback_of_weak_reference])
def test_a_signal_whose_error_python_throws_away_comes_again(where, capsys):
    done = []

    def work() -> None:
        where()
        time.sleep(30)
        done.append("went on")

    with pytest.raises(interrupts.EndedError) as ended, interrupts.caught():
        work()
    assert (ended.value.number, done, capsys.readouterr().err) == (signal.SIGTERM, [], "")


def test_a_signal_comes_again_until_the_callback_has_returned(capsys):
    class Slow(Interrupted):
        def __del__(self):
            try:
                super().__del__()
            finally:
                time.sleep(10 * interrupts._PAUSE)

    def work() -> None:
        Slow()
        time.sleep(30)

    with pytest.raises(interrupts.EndedError), interrupts.caught():
        work()
    assert capsys.readouterr().err == ""


def test_a_signal_that_something_hid_is_raised_at_the_end():
    done = []

    def work() -> None:
        with suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGHUP)
        done.append("went on")

    with pytest.raises(interrupts.EndedError) as ended, interrupts.caught():
        work()
    assert (ended.value.number, done) == (signal.SIGHUP, ["went on"])


def test_what_else_python_throws_away_goes_where_it_went_before(monkeypatch):
    class Broken:
        def __del__(self):
            raise ValueError("of its own")

    told = []
    monkeypatch.setattr(sys, "unraisablehook", lambda found: told.append(str(found.exc_value)))
    before = sys.unraisablehook
    with interrupts.caught():
        Broken()
    assert told == ["of its own"]
    assert sys.unraisablehook == before


def test_signals_that_follow_do_not_keep_from_cleaning_up():
    done = []

    @contextmanager
    def cleaning():
        try:
            yield
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("cleaned up")

    with pytest.raises(interrupts.EndedError) as ended, interrupts.caught(), cleaning():
        os.kill(os.getpid(), signal.SIGINT)
    assert done == ["cleaned up"]
    assert ended.value.number == signal.SIGINT


def test_a_later_signal_ends_what_hangs_while_it_cleans_up(monkeypatch):
    monkeypatch.setattr(interrupts, "_PATIENCE", 0.0)

    @contextmanager
    def cleaning():
        try:
            yield
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(interrupts.EndedError) as ended, interrupts.caught(), cleaning():
        os.kill(os.getpid(), signal.SIGINT)
    assert ended.value.number == signal.SIGTERM


def test_what_is_ignored_stays_ignored():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with interrupts.caught():
        os.kill(os.getpid(), signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def test_a_handler_of_a_program_around_us_is_called():
    heard = []
    signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    with interrupts.caught():
        os.kill(os.getpid(), signal.SIGTERM)
    assert heard == [signal.SIGTERM]


def test_afterwards_all_is_as_it_was():
    with interrupts.caught():
        assert signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler


def test_another_thread_than_the_main_one_changes_nothing():
    found = []

    def look():
        with interrupts.caught():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [signal.SIG_DFL]


def test_what_is_ignored_at_the_end_stays_ignored():
    with interrupts.caught():
        interrupts.ignored()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN


def test_a_signal_waits_for_the_end_of_what_must_be_done_whole():
    done = []

    def work() -> None:
        with interrupts.held():
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("whole")
        done.append("more")

    with pytest.raises(interrupts.EndedError) as ended, interrupts.caught():
        work()
    assert ended.value.number == signal.SIGTERM
    assert done == ["whole"]


def test_a_signal_that_waited_comes_where_signals_may_come_again():
    done = []

    def work() -> None:
        with interrupts.held():
            os.kill(os.getpid(), signal.SIGINT)
            with interrupts.released():
                done.append("more")

    with pytest.raises(KeyboardInterrupt), interrupts.caught():
        work()
    assert done == []


def test_blocks_of_threads_that_end_in_another_order_leave_signals_as_they_were():
    first, second = threading.Event(), threading.Event()

    def overlaps() -> None:
        with interrupts.held():
            first.set()
            second.wait(10)

    other = threading.Thread(target=overlaps)
    other.start()
    first.wait(10)

    def work() -> None:
        with interrupts.held():
            second.set()
            other.join()
        signal.raise_signal(signal.SIGINT)
        done.append("went on")

    done: list[str] = []
    with pytest.raises(interrupts.EndedError), interrupts.caught():
        work()
    assert done == []
