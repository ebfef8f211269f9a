"""A server from which no byte comes any more is not waited for; one that is slow is."""

from __future__ import annotations

import http.server
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mamba_press.conda import fetch as fetching
from mamba_press.conda import solver, worker_process
from mamba_press.errors import FetchError
from mamba_press.platforms.target import virtual_packages
from mamba_press.types import Environment, Python, Solution, Target
from tests.support.channel import CondaPackage

pytest.importorskip("rattler")

TARGET = Target(system="linux", arch="x86_64", subdir="linux-64", python=Python(minor=11), floor=(2, 28))
WORDS = CondaPackage(name="words", files={"share/words": os.urandom(4000).hex()})
INDEX, ARCHIVE = "repodata.json", "words-1.0-0.conda"
PATIENCE = 3.0


class Server(http.server.ThreadingHTTPServer):
    """Serves a folder; what ends with ``name`` is answered in another ``way``."""

    daemon_threads = True

    def __init__(self, folder: Path, name: str, way: Callable[[http.server.BaseHTTPRequestHandler, bytes], None]):
        self.folder, self.name, self.way = folder, name, way
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        path = self.server.folder / self.path.lstrip("/").removeprefix("t/token/")
        data = path.read_bytes() if path.is_file() else b""
        if data and self.path.endswith(self.server.name):
            self.server.way(self, data)
            return
        self.begin(len(data), 200 if data else 404)
        self.wfile.write(data)

    def begin(self, size: int, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(size))
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


def nothing(handler: Handler, data: bytes) -> None:
    time.sleep(30)


def headers_only(handler: Handler, data: bytes) -> None:
    handler.begin(len(data))
    time.sleep(30)


def one_byte(handler: Handler, data: bytes) -> None:
    handler.begin(len(data))
    handler.wfile.write(data[:1])
    time.sleep(30)


def slowly(handler: Handler, data: bytes) -> None:
    """In parts that come often enough, but take longer than the patience in all."""
    handler.begin(len(data))
    for part in range(6):
        handler.wfile.write(data[part * len(data) // 6 : (part + 1) * len(data) // 6])
        handler.wfile.flush()
        time.sleep(PATIENCE / 3)


@pytest.fixture
def serve(make_channel) -> Iterator[Callable[..., Server]]:
    servers = []

    def start(name: str, way: Callable[..., None]) -> Server:
        servers.append(Server(make_channel([WORDS]).root, name, way))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "PATIENCE", PATIENCE)


def solve(url: str) -> Solution:
    virtual = virtual_packages(TARGET)
    question = solver.Question(packages=("words",), target=TARGET, channels=(url,), virtual=virtual)
    return solver.solve(question, os.environ)


def fetch(solution: Solution, workdir: Path) -> Environment:
    return fetching.environment(solution, ["words"], workdir, access=fetching.Access(environ=os.environ))


@pytest.mark.parametrize("way", [nothing, headers_only, one_byte])
def test_a_server_that_falls_silent_over_an_archive_is_given_up(serve, way, tmp_path):
    server = serve(ARCHIVE, way)
    solution = solve(server.url)
    began = time.monotonic()
    with pytest.raises(FetchError) as raised:
        fetch(solution, tmp_path / "work")
    assert time.monotonic() - began < worker_process.PATIENCE + 60  # and not the minutes that rattler waits
    assert f"- {server.url}/linux-64/{ARCHIVE}: no byte came for 3 seconds\n" in str(raised.value)
    cache = Path(os.environ["RATTLER_CACHE_DIR"], "pkgs")
    assert [path.name for path in cache.iterdir() if path.is_dir()] == []


@pytest.mark.parametrize("way", [nothing, headers_only, one_byte])
def test_a_server_that_falls_silent_over_a_list_of_packages_is_given_up(serve, way):
    server = serve(INDEX, way)
    with pytest.raises(FetchError, match=rf"- {server.url}/\S+/repodata\.json.*: no byte came for 3 s"):
        solve(server.url)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_accepts_and_says_nothing_is_given_up(scheme):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"{scheme}://127.0.0.1:{listening.getsockname()[1]}/channel"
        with pytest.raises(FetchError, match=r"no byte came for 3 seconds"):
            solve(url)


def test_the_address_is_told_without_credentials(serve, golden):
    server = serve(INDEX, nothing)
    with pytest.raises(FetchError) as raised:
        solve(server.url.replace("//", "//user:secret@") + "/t/token")
    assert "secret" not in str(raised.value)
    assert "/token" not in str(raised.value)


@pytest.mark.parametrize("name", [INDEX, ARCHIVE])
def test_a_server_that_is_only_slow_is_waited_for(serve, name, tmp_path):
    server = serve(name, slowly)
    assert [file.path for file in fetch(solve(server.url), tmp_path / "work").files] == ["share/words"]


def test_the_next_build_finds_a_sound_cache(serve, tmp_path):
    server = serve(ARCHIVE, one_byte)
    solution = solve(server.url)
    with pytest.raises(FetchError):
        fetch(solution, tmp_path / "first")
    server.way = slowly
    assert fetch(solution, tmp_path / "second").files
