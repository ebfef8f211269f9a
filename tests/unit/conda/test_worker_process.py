from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from mamba_press import interrupts
from mamba_press.conda import fetch, lockfile, worker_errors, worker_process
from mamba_press.errors import ConfigError, FetchError
from tests.support.records import TARGET, package
from tests.support.worker import call, fake, posix


@posix
def test_a_worker_that_is_killed_is_an_error_that_names_the_signal(tmp_path):
    with pytest.raises(FetchError, match="was ended by SIGKILL before it answered"):
        call(fake(tmp_path, "kill -9 $$"))


@posix
def test_a_worker_that_ends_without_an_answer_shows_its_last_words(tmp_path):
    with pytest.raises(FetchError, match=r"exit code 3(?s:.*)last words"):
        call(fake(tmp_path, "echo last words >&2; exit 3"))


AGAIN = "  try again; if it fails every time, check the memory and the limits of this machine"
REFUSED = {
    "silent": (
        {"addresses": [], "seconds": 60.0},
        f"- rattler's process: it did nothing for 60 seconds, and was ended\n{AGAIN}",
    ),
    "other": ({}, f"- rattler: it refused, for the reason 'other'\n{AGAIN}"),
}


@posix
@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("door", ["call", "ask", "inspect", "write"])
def test_whatever_the_worker_refuses_is_told_at_every_door(kind, door, tmp_path):
    facts, said = REFUSED[kind]
    environ = fake(tmp_path, f"read line; echo '{json.dumps({'error': kind, **facts})}'")
    doors = {
        "call": lambda: call(environ),
        "ask": lambda: worker_process.ask({"do": "nothing"}, TARGET, environ, FetchError),
        "inspect": lambda: fetch.inspect([package()], fetch.Access(environ=environ)),
        "write": lambda: lockfile.write([], tmp_path / "mamba-press.lock", tmp_path, environ=environ),
    }
    with pytest.raises(FetchError) as raised:
        doors[door]()
    assert str(raised.value) == f"the packages cannot be fetched\n{said}"


@posix
def test_what_is_printed_before_the_worker_begins_is_no_answer(tmp_path):
    answer = call(fake(tmp_path, """read line; echo hello; echo '"x"'; echo '[1]'; echo '{"result": {"a": 1}}'"""))
    assert answer == {"a": 1}


@posix
def test_a_worker_without_rattler_says_what_to_do(tmp_path):
    with pytest.raises(ConfigError) as raised:
        call(fake(tmp_path, f'exec {sys.executable} -I -S "$@"'))
    text = str(raised.value)
    assert "py-rattler" in text
    assert "MAMBA_PRESS_WORKER=python3.13" in text


# Answers each request with the worker's process id; to do "end" ends it.
SERVES = """while read line; do
  case "$line" in *'"end"'*) exit 3;; esac
  echo "{\\"result\\": {\\"pid\\": $$}}"
done"""


def ask(environ: dict[str, str], request: dict[str, object] | None = None) -> int:
    answer = worker_process.call(
        {"do": "serve"} if request is None else request, lambda event: None, environ, FetchError
    )
    pid = answer["pid"]
    assert isinstance(pid, int)
    return pid


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@posix
def test_each_call_has_a_worker_of_its_own_that_is_gone_with_the_answer(tmp_path):
    environ = fake(tmp_path, SERVES)
    first, second = ask(environ), ask(environ)
    assert first != second
    assert not is_there(first)
    assert not is_there(second)


@posix
def test_the_calls_of_a_block_share_a_worker_that_is_gone_after_it(tmp_path):
    environ = fake(tmp_path, SERVES)
    with worker_process.one_process():
        first = ask(environ)
        with worker_process.one_process():
            assert ask(environ) == first
        assert is_there(first)
        assert ask(environ) == first
    assert not is_there(first)


@posix
def test_a_worker_is_gone_when_its_block_fails(tmp_path):
    environ = fake(tmp_path, SERVES)
    pids = []

    @worker_process.one_process()
    def fail() -> None:
        pids.append(ask(environ))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert not any(map(is_there, pids))


@posix
def test_a_worker_that_ended_is_followed_by_another(tmp_path):
    environ = fake(tmp_path, SERVES)
    with worker_process.one_process():
        first = ask(environ)
        with pytest.raises(FetchError) as raised:
            ask(environ, {"do": "end"})
        assert str(raised.value) == (
            "the packages cannot be fetched\n"
            "- rattler's process: ended with exit code 3 before it answered\n"
            "  try again; if it fails every time, check the memory and the limits of this machine"
        )
        assert ask(environ) != first


@posix
def test_a_worker_that_was_killed_while_it_waited_is_followed_by_another(tmp_path):
    environ = fake(tmp_path, SERVES)
    with worker_process.one_process():
        first = ask(environ)
        os.kill(first, signal.SIGKILL)
        os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
        assert ask(environ) != first


@posix
def test_an_interrupted_call_takes_its_worker_along(tmp_path):
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    speaks = """read line; echo '{"event": "x"}'; exec sleep 60"""
    environ = fake(tmp_path, f'echo $$ >"{tmp_path}/pid"; {speaks}')
    with worker_process.one_process(), pytest.raises(KeyboardInterrupt):
        worker_process.call({"do": "serve"}, interrupt, environ, FetchError)
    assert not is_there(int((tmp_path / "pid").read_text()))


LEAVES = (
    """for name in "$TMPDIR" "$TMP" "$TEMP"; do echo half >"$name/.tmpAbCdEf"; done; echo "$TMPDIR" >FOLDER/where"""
)


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@posix
@pytest.mark.parametrize("end", [SERVES, "exit 3"], ids=["answers", "ends"])
def test_what_a_worker_leaves_in_the_temporary_folder_goes_with_it(tmp_path, temporary, end):
    environ = fake(tmp_path, f"{LEAVES.replace('FOLDER', str(tmp_path))}\n{end}")
    with suppress(FetchError), worker_process.one_process():
        ask(environ)
        assert [path.name for path in temporary.rglob(".tmp*")] == [".tmpAbCdEf"]
    assert Path((tmp_path / "where").read_text().strip()).parent == temporary
    assert [*temporary.iterdir()] == []


@posix
def test_a_worker_that_cannot_be_started_leaves_no_folder(temporary):
    with pytest.raises(ConfigError):
        call({worker_process.WORKER: "python3.99", "PATH": os.environ["PATH"]})
    assert [*temporary.iterdir()] == []


@posix
def test_a_signal_that_comes_while_a_worker_starts_leaves_no_folder(tmp_path, temporary, monkeypatch):
    began = subprocess.Popen.__init__

    def interrupted(self, *arguments, **keywords):
        began(self, *arguments, **keywords)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(subprocess.Popen, "__init__", interrupted)
    with pytest.raises(interrupts.EndedError), interrupts.caught(), worker_process.one_process():
        ask(fake(tmp_path, SERVES))
    assert [*temporary.iterdir()] == []


@posix
def test_another_environment_gets_another_worker(tmp_path):
    environ = fake(tmp_path, SERVES)
    with worker_process.one_process():
        pids = [ask(environ), ask({**environ, "RATTLER_CACHE_DIR": "/elsewhere"}), ask(environ)]
        assert len(set(pids)) > 1
    assert not any(map(is_there, pids))


@posix
def test_a_refusal_is_an_answer_after_which_the_worker_serves_on(tmp_path):
    body = """while read line; do echo "{\\"error\\": \\"solve\\", \\"pid\\": $$}"; done"""
    environ = fake(tmp_path, body)
    pids = set()
    with worker_process.one_process():
        for _ in range(2):
            with pytest.raises(worker_process.RefusedError) as raised:
                ask(environ)
            pids.add(raised.value.facts["pid"])
    assert len(pids) == 1


def test_a_worker_that_is_not_there_is_an_error():
    with pytest.raises(ConfigError, match=r"MAMBA_PRESS_WORKER: 'python3\.99' cannot be started"):
        call({worker_process.WORKER: "python3.99", "PATH": os.environ["PATH"]})


PANIC = """thread 'tokio-runtime-worker' panicked at crates/x/src/lib.rs:10:5:
index out of bounds
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
Traceback (most recent call last):
  File "worker.py", line 1, in <module>
    main()
ValueError: no
"""


@posix
def test_a_traceback_is_not_among_the_last_words_of_a_worker(tmp_path):
    (tmp_path / "said").write_text(PANIC)
    with pytest.raises(FetchError) as raised:
        call(fake(tmp_path, f"cat {tmp_path / 'said'} >&2; exit 1"))
    assert str(raised.value) == (
        "the packages cannot be fetched\n"
        "- rattler's process: ended with exit code 1 before it answered\n"
        "  try again; if it fails every time, check the memory and the limits of this machine\n"
        "  index out of bounds\n"
        "  ValueError: no"
    )


STUCK = """\
import json, sys, threading
from mamba_press.conda.worker import watch
threading.Thread(target=watch.TASK.watch, args=(0.5, lambda said: print(json.dumps(said)), threading.Event())).start()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing tells who waits for another process")
def test_a_worker_that_does_nothing_ends_itself_and_is_told():
    """As rattler does that has not enough memory for its threads."""
    done = subprocess.run([sys.executable, "-c", STUCK], capture_output=True, text=True, check=True, timeout=60)
    facts = json.loads(done.stdout)
    assert facts == {"error": "silent", "seconds": 0.5, "addresses": [], "ended": True}
    assert str(worker_errors.silent(facts)) == (
        "the packages cannot be fetched\n- rattler's process: it did nothing for 0.5 seconds, and was ended\n"
        "  try again; if it fails every time, check the memory and the limits of this machine"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot wait for a pipe for a while")
def test_a_worker_that_says_nothing_at_all_is_ended(tmp_path, monkeypatch):
    mute = tmp_path / "mute"
    mute.write_text("#!/bin/sh\nexec sleep 60\n")
    mute.chmod(0o755)
    monkeypatch.setattr(worker_process, "PATIENCE", 0.2)
    monkeypatch.setattr(worker_process, "_GRACE", 0.2)
    with pytest.raises(FetchError) as failed:
        worker_process.call(
            {"do": "solve"}, lambda _: None, {"MAMBA_PRESS_WORKER": str(mute), "PATH": "/bin"}, FetchError
        )
    assert str(failed.value) == (
        "the packages cannot be fetched\n- rattler's process: was ended by SIGKILL before it answered\n"
        "  try again; if it fails every time, check the memory and the limits of this machine"
    )
