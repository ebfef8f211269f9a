"""What is said on standard error: to a terminal, to a pipe, to who wants less or more."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading

import pytest

from mamba_press import log
from mamba_press.errors import Note

TALK = """
import time
from mamba_press import log
log.configure({options})
log.step("one")
log.progress("reading", 1, 4)
log.progress("reading again, too soon to be drawn", 2, 4)
log.warn("two")
with log.working("solving"):
    time.sleep(0.5)
log.detail("three")
log.progress("the rest")
log.progress_end()
"""


def on_a_terminal(options: str, width: int = 40) -> str:
    import fcntl
    import struct
    import termios

    main, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    code = TALK.format(options=options)
    process = subprocess.Popen([sys.executable, "-c", code], stderr=other, stdout=subprocess.DEVNULL)
    os.close(other)
    text = b""
    while True:
        try:
            text += os.read(main, 4096)
        except OSError:  # Linux: the other end is closed
            break
    os.close(main)
    assert process.wait() == 0
    return text.decode().replace("\r\n", "\n")


def in_a_pipe(options: str) -> str:
    code = TALK.format(options=options)
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stderr


pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals of this kind")


def test_a_pipe_gets_lines_alone():
    assert in_a_pipe("") == "mamba-press: one\nmamba-press: warning: two\n"


def test_quiet_leaves_warnings_and_verbose_adds_details():
    assert in_a_pipe("quiet=True") == "mamba-press: warning: two\n"
    assert in_a_pipe("verbose=True").splitlines() == [
        "mamba-press: one",
        "mamba-press: warning: two",
        "mamba-press: three",
    ]


def test_a_terminal_sees_how_far_it_is_and_for_how_long_and_nothing_is_left_of_it():
    text = on_a_terminal("", width=60)
    assert "\r\x1b[Kmamba-press: [=====               ]  25% reading\r\x1b[Kmamba-press: warning: two\n" in text
    assert "\r\x1b[Kmamba-press: solving, 0 s" in text
    assert "too soon" not in text
    assert text.endswith("\r\x1b[K")


def test_a_progress_is_cut_where_the_terminal_ends():
    lines = on_a_terminal("", width=30).replace("\n", "\r").split("\r")
    assert "\x1b[Kmamba-press: [=====          " in lines


@pytest.mark.parametrize("options", ["redraws=False", "quiet=True"])
def test_a_terminal_that_cannot_redraw_or_is_to_be_quiet_gets_no_progress(options):
    assert "\x1b" not in on_a_terminal(options)


def test_the_warnings_of_a_build_are_said_once_and_last(capsys):
    with log.build():
        log.warn("first", "mend it")
        log.warn("first", "mend it")
        log.step("then")
    assert capsys.readouterr().err == "mamba-press: then\nmamba-press: warning: first\n  mend it\n"


def test_the_warnings_of_a_build_are_said_though_it_fails(capsys):
    def fail() -> None:
        with log.build():
            log.warn("first")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert capsys.readouterr().err == "mamba-press: warning: first\n"


def test_notes_are_hidden_where_less_is_wanted_and_warnings_are_not(capsys):
    log.configure(quiet=True)
    try:
        with log.build():
            log.tell([Note("plain"), Note("bad", "mend it", "warning")])
    finally:
        log.configure()
    assert capsys.readouterr().err == "mamba-press: warning: bad\n  mend it\n"


def test_a_build_counts_what_any_thread_warns_of():
    with log.build():
        thread = threading.Thread(target=log.warn, args=("elsewhere",))
        thread.start()
        thread.join()
        assert log.counted() == (Note("elsewhere", "", "warning"),)


def test_a_process_that_builds_twice_does_not_mix_up_the_warnings():
    with log.build():
        log.warn("first")
    with log.build():
        log.warn("second")
        assert [each.what for each in log.counted()] == ["second"]


def test_a_part_of_a_build_counts_what_was_said_before_and_keeps_the_rest_to_itself(capsys):
    with log.build():
        log.warn("of all")
        with log.build() as said:
            log.warn("of one")
            assert [each.what for each in log.counted()] == ["of all", "of one"]
        assert [each.what for each in said] == ["of all", "of one"]
        assert [each.what for each in log.counted()] == ["of all"]
    assert capsys.readouterr().err == "mamba-press: warning: of all\n"


def test_what_a_file_is_called_does_not_steer_the_terminal(capsys):
    log.error("lib/\x1b[2J\x1b]0;owned\x07\r\x9b31m\u202egpj.exe: cannot be read\n  a\ttab")
    assert capsys.readouterr().err == (
        "mamba-press: lib/\\x1b[2J\\x1b]0;owned\\x07\\r\\x9b31m\\u202egpj.exe: cannot be read\n  a\ttab\n"
    )


def test_of_a_line_without_end_the_middle_is_left_out(capsys):
    log.note("first\n" + "a" * 5_000 + "b" * 7_000_000 + "c" * 5_000 + "\nlast")
    assert capsys.readouterr().err == f"mamba-press: first\n{'a' * 5_000} … {'c' * 5_000}\nlast\n"


def test_what_is_said_has_no_password(capsys):
    log.note("https://user:secret@example.org/channel is slow")
    assert capsys.readouterr().err == "mamba-press: https://example.org/channel is slow\n"
