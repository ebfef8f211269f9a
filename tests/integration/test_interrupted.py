"""Ctrl-C and kill -9, wherever a build is: no half file, no process left behind, a cache that still serves."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from packaging.version import Version

from mamba_press.types import Entry, Wheel
from mamba_press.wheel import writer
from tests.support import press
from tests.support.channel import Channel, CondaPackage, Content, python_abi, python_package, write_channel

pytestmark = pytest.mark.skipif(not press.MACHINE, reason="processes are looked up in /proc, packages are for x86_64")

PHASES = ("solve", "fetch", "write")
LARGE = 12_000_000


@pytest.fixture(scope="module")
def channel(tmp_path_factory) -> Channel:
    """A package that takes a while to compress."""
    noise = random.Random(2).randbytes(LARGE)
    large = CondaPackage(
        name="large",
        noarch="python",
        depends=("python >=3.6",),
        files={"site-packages/large/__init__.py": "", "site-packages/large/noise.bin": Content(noise)},
    )
    folder = tmp_path_factory.mktemp("large")
    return write_channel(folder, [large, python_package(press.HERE), python_abi(press.HERE)])


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize(
    "how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL], ids=lambda how: how.name
)
@pytest.mark.parametrize("door", ["command", "hook"])
def test_an_interrupted_build_leaves_nothing_half_done(how, phase, door, channel, tmp_path):
    stalled = {"solve": "repodata", "fetch": "large-1.0", "write": ""}[phase]
    output = tmp_path / "dist"
    output.mkdir()
    output.joinpath("older-1.0-py3-none-any.whl").write_text("older")
    folder = tmp_path / "tmp"
    folder.mkdir()
    marker = f"PRESS_TEST_MARKER={tmp_path}"
    key, _, value = marker.partition("=")
    with press.serving(channel.root, stalled) as url:
        project = press.project(tmp_path / "project", f'packages = ["large"]\nchannels = ["{url}"]', name="older")
        environ = {"RATTLER_CACHE_DIR": str(tmp_path / "cache"), "TMPDIR": str(folder), key: value}
        done = interrupt(door, how, phase, project, output, environ)
    assert done.code == (-how if how == signal.SIGKILL else 128 + how)
    if how != signal.SIGKILL:
        words = "interrupted" if how == signal.SIGINT else f"ended by {how.name}"
        assert "Traceback" not in done.err
        assert done.err.splitlines()[-1] == f"mamba-press: {words}; nothing was left half written"
    assert press.eventually(lambda: not press.processes_with(marker)), "a process was left behind"
    assert [path.name for path in output.glob("*.whl")] == ["older-1.0-py3-none-any.whl"]
    if how != signal.SIGKILL:
        assert press.leftovers(output) == []
        assert list(folder.iterdir()) == []
    project = press.project(project, f'packages = ["large"]\nchannels = ["{channel.root}"]', name="older")
    again = press.command("press", project, "-o", output, "--force", cwd=tmp_path, environ=environ).ok()
    press.command("check", again.out.strip(), cwd=tmp_path).ok()


def interrupt(door, how, phase, project: Path, output: Path, environ) -> press.Done:
    """Start a build, and send the signal when it is in the phase."""
    if door == "command":
        call = [sys.executable, "-m", "mamba_press", "press", project, "-o", output]
    else:
        code = "import sys; import mamba_press.build as b; print(b.build_wheel(sys.argv[1]))"
        call = [sys.executable, "-c", code, output]
    if phase == "solve":  # says nothing before it is done; its worker tells that it runs

        def waiting(_: str) -> bool:
            return True

        return soon(call, cwd=project, environ=environ, how=how)
    word = {"fetch": "fetching", "write": "writing"}[phase]
    return press.interrupted(call, cwd=project, environ=environ, when=lambda said: word in said, how=how)


def soon(call, *, cwd: Path, environ, how: signal.Signals) -> press.Done:
    """Start a build and send the signal when its worker runs."""
    process = subprocess.Popen(
        [str(part) for part in call],
        cwd=cwd,
        env={**press.settings(), **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    marker = next(f"{key}={value}" for key, value in environ.items() if key == "PRESS_TEST_MARKER")
    assert press.eventually(lambda: len(press.processes_with(marker)) > 1), "no worker was started"
    time.sleep(0.3)
    os.kill(process.pid, how)
    out, err = process.communicate(timeout=60)
    return press.Done(process.returncode, out, err)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=lambda how: how.name)
@pytest.mark.parametrize("command", ["press", "wheelhouse"])
def test_a_signal_at_any_moment_leaves_nothing_and_shows_no_traceback(how, command, channel, tmp_path):
    chance = random.Random(f"{how}{command}")
    (tmp_path / "tmp").mkdir()
    environ = {"RATTLER_CACHE_DIR": str(tmp_path / "cache"), "TMPDIR": str(tmp_path / "tmp")}
    call = [sys.executable, "-m", "mamba_press", command, "large", "-c", str(channel.root), "-o"]
    codes = set()
    began = time.monotonic()
    subprocess.run(
        [*call, str(tmp_path / "whole")], env={**press.settings(), **environ}, check=True, capture_output=True
    )
    whole = time.monotonic() - began
    for number in range(8):
        output = tmp_path / f"dist{number}"
        process = subprocess.Popen(
            [*call, str(output)], env={**press.settings(), **environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        time.sleep(0.1 + chance.random() * whole)  # before, Python itself is starting
        process.send_signal(how)
        _, err = process.communicate(timeout=60)
        codes.add(process.returncode)
        assert process.returncode in (0, 128 + how), err
        assert b"Traceback" not in err
        assert press.leftovers(output) == []
        assert list((tmp_path / "tmp").iterdir()) == []
        if process.returncode == 0:
            assert list(output.glob("*large-*.whl"))
    assert 128 + how in codes


STARTS_ANOTHER = """\
import os, pathlib, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path(os.environ["DEMO_STARTED"]).write_text("")
time.sleep(600)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=lambda how: how.name)
def test_what_an_imported_module_has_started_ends_with_the_check(how, tmp_path):
    files = {
        "demo.py": STARTS_ANOTHER,
        "demo-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
        "demo-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    entries = tuple(Entry(path=path, source=text.encode()) for path, text in files.items())
    made = Wheel(name="demo", version=Version("1.0"), tags="py3-none-any", entries=entries)
    path = writer.write(made, tmp_path, compression=None, epoch=None)
    started = tmp_path / "started"
    environ = {**press.settings(), "DEMO_STARTED": str(started)}
    call = [sys.executable, "-m", "mamba_press", "check", str(path), "--import"]
    process = subprocess.Popen(call, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert press.eventually(started.exists, 60)
    assert len(press.processes_with(str(started))) == 3
    process.send_signal(how)
    process.communicate(timeout=60)
    assert process.returncode == 128 + how
    assert press.eventually(lambda: press.processes_with(str(started)) == [])


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL, None], ids=["SIGTERM", "SIGKILL", "to its end"])
def test_a_prefix_near_the_cache_goes_with_its_build(how, channel, tmp_path):
    """It lies there where the folder for temporary files is on another device; a killed build's goes a day later."""
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second device")
    project = press.project(tmp_path / "project", f'packages = ["large"]\nchannels = ["{channel.root}"]', name="older")
    near = tmp_path / "cache" / "mamba-press"
    with tempfile.TemporaryDirectory(dir=other) as folder:
        environ = {"RATTLER_CACHE_DIR": str(tmp_path / "cache"), "TMPDIR": folder}
        if how is None:
            press.command("press", project, "-o", tmp_path / "dist", cwd=tmp_path, environ=environ).ok()
        else:
            call: list[str | Path] = [sys.executable, "-m", "mamba_press", "press", project, "-o", tmp_path / "dist"]
            written = press.interrupted(
                call, cwd=tmp_path, environ=environ, when=lambda said: "writing" in said, how=how
            )
            assert written.code != 0
    left = list(near.glob("mamba-press-*"))
    assert len(left) == (how == signal.SIGKILL)
    assert all(each.joinpath("prefix").is_dir() for each in left)
    for each in left:
        os.utime(each, (1, 1))
    with tempfile.TemporaryDirectory(dir=other) as folder:
        environ = {"RATTLER_CACHE_DIR": str(tmp_path / "cache"), "TMPDIR": folder}
        press.command("press", project, "-o", tmp_path / "dist", "--force", cwd=tmp_path, environ=environ).ok()
    assert list(near.glob("*mamba-press-*")) == []
