"""A channel that asks for a password or a token: it is used, and stands in nothing that is printed or kept."""

from __future__ import annotations

import base64
import json
import tarfile
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support import press
from tests.support.channel import python_abi, python_package, write_channel

pytestmark = pytest.mark.skipif(not press.MACHINE, reason="what is pressed here is for Linux on x86_64")

SECRET = "s3cr3t-w0rd"
FORMS = {
    "password": "http://user:{secret}@{host}/channel",
    "token": "http://{host}/t/{secret}/channel",
    "token within": "http://{host}/pre/fix/t/{secret}/channel",
    "query": "http://{host}/channel?sig={secret}",
    "user": "http://{secret}@{host}/channel",
}


class Demanding(SimpleHTTPRequestHandler):
    """Serves a channel to those who know the secret, wherever they say it."""

    def do_GET(self) -> None:
        if not self.is_open and SECRET not in self.path and SECRET not in self.said():
            self.send_error(401)
            return
        self.path = "/channel/" + self.path.partition("/channel/")[2]
        super().do_GET()

    is_open = False

    def said(self) -> str:
        return base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def packages(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("served")
    write_channel(root / "channel", [press.words(), python_package(press.HERE), python_abi(press.HERE)])
    return root


@pytest.fixture(params=FORMS)
def channel(request, packages):
    """The address of the channel, with the secret in it."""
    kind = type("Kind", (Demanding,), {"is_open": request.param == "query"})  # rattler asks without the query
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(kind, directory=str(packages))) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield FORMS[request.param].format(host=f"127.0.0.1:{server.server_port}", secret=SECRET)
        finally:
            server.shutdown()
            thread.join()


def written(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, and every file in the archives there, by a name that says where it is."""
    found = {}
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        found[str(path)] = path.read_bytes()
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as archive:
                found |= {f"{path}: {name}": archive.read(name) for name in archive.namelist()}
        elif path.suffix == ".gz":
            with tarfile.open(path) as archive:
                files = (member for member in archive if member.isfile() and not member.name.endswith("pyproject.toml"))
                found |= {f"{path}: {each.name}": archive.extractfile(each).read() for each in files}
    return found


def assert_nothing_of_it(done: press.Done, folder: Path, code: int = 0) -> press.Done:
    assert done.code == code, done.err
    assert SECRET not in done.out
    assert SECRET not in done.err
    assert [name for name, data in written(folder).items() if SECRET.encode() in data] == []
    return done


def other_cache(folder: Path) -> dict[str, str]:
    """A cache without packages: they have to be asked for, with the secret."""
    return {"RATTLER_CACHE_DIR": str(folder / "another")}


COMMANDS = {
    "press": ["press", "words", "-v", "-o", "out"],
    "press as JSON": ["press", "words", "--json", "-o", "out"],
    "list": ["list", "words", "--json"],
    "explain": ["explain", "words", "--json"],
    "wheelhouse": ["wheelhouse", "words", "-v", "-o", "out"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_tells_or_keeps_it(name, channel, tmp_path):
    done = press.command(*COMMANDS[name], "-c", channel, cwd=tmp_path)
    assert_nothing_of_it(done, tmp_path)


@pytest.mark.parametrize("arguments", [["press", "wrods"], ["press", "words >9"], ["press", "words", "--offline"]])
def test_no_error_tells_it(arguments, channel, tmp_path):
    done = press.command(*arguments, "-v", "-c", channel, cwd=tmp_path)
    assert_nothing_of_it(done, tmp_path, code=done.code)
    assert done.code in (3, 4)


def test_a_channel_that_is_not_there_is_told_without_it(channel, tmp_path):
    other = channel.replace("/channel", "/nowhere/t/" + SECRET + "/x")
    assert_nothing_of_it(press.command("press", "words", "-v", "-c", other, cwd=tmp_path), tmp_path, code=4)


@pytest.fixture
def project(channel, tmp_path) -> Path:
    return press.project(tmp_path / "project", f'packages = ["words"]\nchannels = ["{channel}"]', name="words")


def test_a_lock_holds_nothing_of_it_and_serves_with_an_empty_cache(project, tmp_path):
    assert_nothing_of_it(press.command("lock", cwd=project), tmp_path / "none")
    assert SECRET not in (project / "mamba-press.lock").read_text()
    assert_nothing_of_it(
        press.command("press", project, "-v", "-o", tmp_path / "out", cwd=tmp_path, environ=other_cache(tmp_path)),
        tmp_path / "out",
    )


def test_hooks_hand_on_nothing_of_it(project, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    done = assert_nothing_of_it(press.hook("prepare_metadata_for_build_wheel", out, cwd=project), out)
    prepared = out / str(press.returned(done))
    assert json.loads((prepared / "mamba-press.json").read_text())
    done = press.hook("build_wheel", out, None, prepared, cwd=project, environ=other_cache(tmp_path))
    assert_nothing_of_it(done, out)
    assert_nothing_of_it(press.hook("build_sdist", out, cwd=project), out)


def test_an_error_of_a_hook_tells_nothing_of_it(project, tmp_path):
    text = (project / "pyproject.toml").read_text()
    (project / "pyproject.toml").write_text(text.replace('"words"]', '"wrods"]'))
    done = press.hook("build_wheel", tmp_path / "out", cwd=project)
    assert_nothing_of_it(done, tmp_path / "out", code=1)
