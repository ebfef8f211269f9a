"""Solving, fetching and locking with rattler itself, over channels made here and the real ones where they are."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest

import mamba_press
from mamba_press.conda import channels, lockfile, records, solver
from mamba_press.conda import fetch as fetching
from mamba_press.conda.fetch import Access
from mamba_press.config.model import Config
from mamba_press.errors import ConfigError, ContentError, FetchError, SolveError
from mamba_press.pipeline import solve as pipeline_solve
from mamba_press.platforms.target import virtual_packages
from mamba_press.types import NEUTRAL, Environment, Python, Solution, Spec, Target
from tests.support.channel import (
    PLACEHOLDER,
    Channel,
    CondaPackage,
    Content,
    Link,
    dist_info,
    python_package,
    write_channel,
)

pytest.importorskip("rattler")

TARGET = Target(system="linux", arch="x86_64", subdir="linux-64", python=Python(minor=10), floor=(2, 28))

GREET = CondaPackage(
    name="greet",
    files={
        "lib/libgreet.so.1": Content(b"\x7fELF\0" + PLACEHOLDER.encode() + b"\0" * 40),
        "lib/libgreet.so": Link("libgreet.so.1"),
        "share/greet.txt": f"from {PLACEHOLDER}\n",
        "share/plain.txt": "hello\n",
    },
)

linux = pytest.mark.skipif(sys.platform != "linux", reason="kills processes and looks into /proc")


def solve(named: list[str], packages: list[str], target: Target = TARGET, **keys: object) -> Solution:
    urls, virtual = channels.urls(named, Path.cwd()), virtual_packages(target)
    question = solver.Question(packages=tuple(packages), target=target, channels=urls, virtual=virtual)
    return solver.solve(replace(question, **keys), os.environ)


def fetch(solution: Solution, workdir: Path, *, names: list[str] | None = None, offline: bool = False) -> Environment:
    chosen = [package.name for package in solution.packages] if names is None else names
    return fetching.environment(solution, chosen, workdir, access=Access(environ=os.environ, offline=offline))


def names(solution: Solution) -> list[str]:
    return [package.name for package in solution.packages]


def chosen(solution: Solution, name: str) -> str:
    return next(str(package) for package in solution.packages if package.name == name)


def hashes(folder: Path) -> dict[str, str]:
    """The content of every file of a folder, and when it was last written."""
    return {
        str(path.relative_to(folder)): f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.stat().st_mtime_ns}"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


class Server(http.server.ThreadingHTTPServer):
    """Serves a folder on this machine, and counts what it is asked for."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        self.asked: list[str] = []
        self.answers: dict[str, int] = {}
        self.stumbles: dict[str, int] = {}
        self.slow = ""
        super().__init__(("127.0.0.1", 0), functools.partial(_Handler, directory=str(folder)))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that give up early are part of the tests."""

    def stumble(self, part: str, status: int) -> None:
        """Answer the next request for such a path with a status, and those after it as usual."""
        self.stumbles = {part: status}


class _Handler(http.server.SimpleHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        for part, status in [*self.server.answers.items(), *self.server.stumbles.items()]:
            if part in self.path:
                self.server.stumbles.pop(part, None)
                self.send_response(status)
                self.end_headers()
                return
        if self.server.slow and self.server.slow in self.path:
            data = Path(self.translate_path(self.path)).read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            time.sleep(30)
            return
        super().do_GET()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def serve() -> Iterator[Callable[[Path], Server]]:
    servers = []

    def start(folder: Path) -> Server:
        server = Server(folder)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def forge(shared_channels: Path) -> str:
    return str(shared_channels / "forge")


@pytest.fixture
def cache() -> Path:
    return Path(os.environ["RATTLER_CACHE_DIR"])


# Solving


def test_libmambapy_solves_with_a_python_that_is_only_a_record(forge):
    solution = solve([forge], ["libmambapy 1.5.8"])
    assert len(solution.packages) == 45
    assert names(solution) == sorted(names(solution))
    assert [package.name for package in solution.packages if package.requested] == ["libmambapy"]
    assert chosen(solution, "python") == "python 3.10.14 hd12c33a_0_cpython"


def test_packages_without_python_solve_in_a_channel_without_python(make_channel):
    assert names(solve([make_channel([GREET]).url], ["greet"])) == ["greet"]


def test_noarch_python_brings_the_python_record_even_where_nothing_depends_on_it(make_channel):
    pure = CondaPackage(name="pure", noarch="python", files={"site-packages/pure.py": ""})
    channel = make_channel([pure, python_package("3.10"), python_package("3.11")])
    assert chosen(solve([channel.url], ["pure"]), "python") == "python 3.10.0 0_cp310"


@pytest.mark.parametrize(
    ("python", "expected"),
    [
        (Python(minor=13), "0_cp313"),
        (Python(minor=13, free_threaded=True), "0_cp313t"),
        (Python(minor=9), "0_cpython"),
    ],
)
def test_only_the_asked_kind_of_python_is_chosen(make_channel, python, expected):
    pythons = [
        python_package("3.13", build="0_cp313"),
        python_package("3.13.1", build="0_cp313t"),
        python_package("3.9", build="0_cpython"),
        python_package("3.9.18", build="0_73_pypy"),
    ]
    pure = CondaPackage(name="pure", noarch="python", depends=("python",), files={"site-packages/pure.py": ""})
    solution = solve([make_channel([pure, *pythons]).url], ["pure"], replace(TARGET, python=python))
    assert chosen(solution, "python").endswith(expected)


def test_the_first_channel_that_has_a_package_wins(make_channel):
    first = make_channel([replace(GREET, version="1.0")], "first")
    second = make_channel([replace(GREET, version="2.0")], "second")
    assert chosen(solve([first.url, second.url], ["greet"]), "greet") == "greet 1.0 0"
    assert chosen(solve([second.url, first.url], ["greet"]), "greet") == "greet 2.0 0"
    with pytest.raises(SolveError, match=r"strict channel priority(?s:.*)reorder them"):
        solve([first.url, second.url], ["greet >=2"])
    assert chosen(solve([first.url, second.url], [f"{second.url}::greet"]), "greet") == "greet 2.0 0"


def test_a_channel_cannot_bring_in_another(make_channel):
    base = make_channel([GREET], "base")
    overlay = make_channel([CondaPackage(name="own", depends=("greet",))], "overlay")
    for folder in ("linux-64", "noarch"):
        index = overlay.root / folder / "repodata.json"
        repodata = json.loads(index.read_text())
        repodata["info"]["channel_relations"] = {"base": "../base"}
        index.write_text(json.dumps(repodata))
    with pytest.raises(SolveError, match="greet"):
        solve([overlay.url], ["own"])
    assert names(solve([overlay.url, base.url], ["own"])) == ["greet", "own"]


def test_constraints_narrow_without_installing(make_channel):
    other = CondaPackage(name="other")
    channel = make_channel([replace(GREET, version=version) for version in ("1.0", "2.0")] + [other])
    solution = solve([channel.url], ["greet"], constraints=("greet <2", "other"))
    assert [str(package) for package in solution.packages] == ["greet 1.0 0"]


def test_the_repodata_is_the_truth_about_dependencies(make_channel):
    repaired = CondaPackage(name="repaired", depends=("gone",), record={"depends": ["greet"]})
    assert names(solve([make_channel([repaired, GREET]).url], ["repaired"])) == ["greet", "repaired"]


NEW = CondaPackage(
    name="new",
    record={
        "depends": ["greet >=1,<2.0a0 *0", "absent[when='__win and python >=3.9']", "groups[extras=[more]]"],
        "constrains": ["other 1.2.*"],
        "flags": ["cuda"],
    },
)
GROUPS = CondaPackage(name="groups", record={"extra_depends": {"more": ["plus>=1"], "less": ["absent"]}})


def test_what_records_say_of_others_arrives_as_rattler_reads_it(make_channel):
    solution = solve([make_channel([NEW, GROUPS, GREET, CondaPackage(name="plus")]).url], ["new"])
    _, groups, new, _ = solution.packages
    assert new.depends == (
        Spec(text="greet >=1,<2.0a0 *0", name="greet", version=">=1,<2.0a0", build="*0"),
        Spec(text="absent[when='__win and python >=3.9']", name="absent", when="__win and python>=3.9"),
        Spec(text="groups[extras=[more]]", name="groups", extras=("more",)),
    )
    assert new.constrains == (Spec(text="other 1.2.*", name="other", version="1.2.*"),)
    assert new.flags == ("cuda",)
    assert groups.extra_depends == {
        "more": (Spec(text="plus>=1", name="plus", version=">=1"),),
        "less": (Spec(text="absent", name="absent"),),
    }


def test_a_lock_keeps_all_that_records_say_of_others(make_channel, tmp_path):
    solution = solve([make_channel([NEW, GROUPS, GREET, CondaPackage(name="plus")]).url], ["new"])
    write_lock([solution], tmp_path / "mamba-press.lock", tmp_path)
    [held] = lockfile.read(tmp_path / "mamba-press.lock", tmp_path, environ=os.environ)
    assert held.packages == tuple(replace(package, requested=False) for package in solution.packages)


def test_a_line_of_a_lock_that_rattler_cannot_read_is_kept_with_its_first_word(tmp_path):
    channel = write_channel(tmp_path / "channel", [GREET, CondaPackage(name="asks", depends=("greet >=1",))])
    path = tmp_path / "mamba-press.lock"
    write_lock([solve([channel.url], ["asks"])], path, tmp_path)
    path.write_text(path.read_text().replace("greet >=1", "greet (>=1"))
    [held] = lockfile.read(path, tmp_path, environ=os.environ)
    assert held.packages[0].depends == (Spec(text="greet (>=1", name="greet", problem="is no conda spec"),)


def test_the_channels_are_those_of_a_day(make_channel):
    def day(number: int) -> int:
        return int(datetime(2026, 1, number, 12, tzinfo=timezone.utc).timestamp() * 1000)

    undated = CondaPackage(name="undated", record={"timestamp": None})
    channel = make_channel([*(replace(GREET, version=f"{n}.0", timestamp=day(n)) for n in (1, 2, 3)), undated])
    newest = datetime(2026, 1, 2, 23, 59, 59, tzinfo=timezone.utc)
    solution = solve([channel.url], ["greet", "undated"], exclude_newer=newest)
    assert [package.version for package in solution.packages] == ["2.0", "1.0"]
    before_noon_in_utc = datetime.fromisoformat("2026-01-02T12:30:00+02:00")
    assert solve([channel.url], ["greet"], exclude_newer=before_noon_in_utc).packages[0].version == "1.0"


def test_virtual_packages_are_those_of_the_target(make_channel):
    new = replace(GREET, version="2.0", depends=("__glibc >=2.34",))
    mac = CondaPackage(name="mac", depends=("__osx >=11",))
    channel = make_channel([replace(GREET, version="1.0"), new, mac])
    assert chosen(solve([channel.url], ["greet"]), "greet") == "greet 1.0 0"
    assert chosen(solve([channel.url], ["greet"], replace(TARGET, floor=(2, 34))), "greet") == "greet 2.0 0"
    with pytest.raises(SolveError, match="__osx"):
        solve([channel.url], ["mac"])


def test_what_the_solver_says_comes_with_what_there_is_instead(forge):
    with pytest.raises(SolveError) as raised:
        solve([forge], ["libmambapy"], replace(TARGET, python=Python(minor=11)))
    text = str(raised.value)
    assert "python_abi 3.11.* *_cp311 cannot be fulfilled" in text
    assert "solved for linux-64 and Python 3.11, with __archspec 1, __glibc 2.28" in text
    assert "libmambapy is there for Python 3.10: see tool.mamba-press.python" in text
    with pytest.raises(SolveError, match=r"libmambapy ==9(?s:.*)libmambapy is there as 1\.5\.8"):
        solve([forge], ["libmambapy 9"])


def test_every_unknown_package_is_named_with_what_it_may_have_been(forge):
    with pytest.raises(SolveError) as raised:
        solve([forge], ["libmanbapy", "something-else"])
    assert len(raised.value.problems) == 2
    assert "did you mean libmambapy, libmamba?" in str(raised.value.problems[0].hint)


def test_a_floor_that_is_too_low_names_the_key(make_channel):
    channel = make_channel([replace(GREET, depends=("__glibc >=2.34",))])
    with pytest.raises(SolveError, match=r"__glibc >=2\.34 is asked for, the target has 2\.28: see tool.*platform"):
        solve([channel.url], ["greet"])


def test_a_subdir_that_no_channel_has_is_said(make_channel):
    with pytest.raises(SolveError, match="have no packages for linux-aarch64 at all"):
        solve([make_channel([GREET]).url], ["greet"], replace(TARGET, subdir="linux-aarch64", arch="aarch64"))


def test_an_unknown_package_is_reported_at_the_key_that_names_it(make_channel):
    with pytest.raises(SolveError) as raised:
        solve([make_channel([GREET]).url], ["greets"], host=("greeet", "greets >=1"))
    assert [(str(problem.where), str(problem.what).split("'")[1]) for problem in raised.value.problems] == [
        ("tool.mamba-press.packages", "greets"),
        ("tool.mamba-press.host", "greeet"),
        ("tool.mamba-press.host", "greets"),
    ]
    with pytest.raises(SolveError) as raised:
        solve([make_channel([GREET]).url], ["greets"], key="build")
    assert [str(problem.where) for problem in raised.value.problems] == ["tool.mamba-press.build"]


def test_what_cannot_be_solved_is_reported_at_the_keys_that_ask_for_it(make_channel):
    channel = make_channel([replace(GREET, depends=("__glibc >=2.99",)), CondaPackage(name="other")])
    for packages, key, host, where in (
        (["greet"], "packages", (), "tool.mamba-press.packages"),
        ([], "packages", ("greet",), "tool.mamba-press.host"),
        (["other"], "packages", ("greet",), "tool.mamba-press.packages, tool.mamba-press.host"),
        (["greet"], "build", (), "tool.mamba-press.build"),
    ):
        with pytest.raises(SolveError) as raised:
            solve([channel.url], packages, key=key, host=host)
        (problem,) = raised.value.problems
        assert str(problem.where) == where
        ends = "target has 2.28: see tool.mamba-press.platform" if key == "packages" else "machine that builds has 2.28"
        assert str(problem.hint).endswith(f"__glibc >=2.99 is asked for, the {ends}")


def test_every_text_that_is_no_spec_is_reported_at_once(make_channel):
    with pytest.raises(ConfigError) as raised:
        solve([make_channel([GREET]).url], ["greet", "==3", "*"], host=("==4",), constraints=("a ][",))
    shown = [str(problem.where).removeprefix("tool.mamba-press.") for problem in raised.value.problems]
    assert shown == ["packages", "packages", "host", "constraints"]


def test_specs_are_read_as_users_write_them(make_channel):
    channel = make_channel([replace(GREET, version=version) for version in ("1.0", "2.0")])
    assert chosen(solve([channel.url], ["greet 1.0"]), "greet") == "greet 1.0 0"
    assert chosen(solve([channel.url], ["Greet=1"]), "greet") == "greet 1.0 0"


def test_real_records_of_conda_forge_solve_over_http(shared_channels, serve):
    server = serve(shared_channels)
    target = replace(TARGET, python=Python(minor=12))
    solution = solve([f"{server.url}/records"], ["gdal", "python"], target)
    assert {"libgdal-core", "numpy", "proj"} <= set(names(solution))
    assert chosen(solution, "python").endswith("_cpython")
    with pytest.raises(SolveError, match=r"__glibc >=2\.17 is asked for, the target has 2\.12"):
        solve([f"{server.url}/records"], ["gdal"], replace(target, floor=(2, 12)))


# Channels that cannot be used


def test_a_channel_folder_without_an_index_is_named(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(FetchError, match=r"channel file://\S+/empty: it has no noarch/repodata\.json\n  index it"):
        solve([str(tmp_path / "empty")], ["greet"])


def test_broken_repodata_is_an_error_of_its_channel(tmp_path):
    for folder in ("linux-64", "noarch"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "repodata.json").write_text('{"packages": {"a')
    with pytest.raises(FetchError, match=f"channel {tmp_path.as_uri()}: its list of packages cannot be read"):
        solve([str(tmp_path)], ["greet"])


def test_every_unusable_channel_is_reported_at_once(make_channel, serve, tmp_path):
    server = serve(tmp_path)
    server.answers = {"closed": 401}
    with pytest.raises(FetchError) as raised:
        solve([f"{server.url}/gone", make_channel([GREET]).url, f"{server.url}/closed"], ["greet"])
    gone, closed = raised.value.problems
    assert (str(gone.where), str(gone.what)) == (
        f"channel {server.url}/gone",
        "there is no noarch/repodata.json at that address",
    )
    assert "401" in str(closed.what)
    assert "auth login" in str(closed.hint)


def test_an_unreachable_channel_shows_no_credentials():
    with pytest.raises(FetchError) as raised:
        solve(["http://user:secret@127.0.0.1:9/t/token/channel"], ["greet"])
    text = str(raised.value)
    assert "it cannot be reached" in text
    assert "Connection refused" in text
    assert "secret" not in text
    assert "token/" not in text


def test_a_text_that_cannot_be_a_channel_is_a_mistake_of_configuration():
    with pytest.raises(ConfigError, match="invalid channel name"):
        solve(["ht!tp://x"], ["greet"])


@pytest.mark.parametrize("scheme", ["file", "http"])
def test_a_cache_that_cannot_be_is_said(make_channel, serve, tmp_path, monkeypatch, scheme):
    channel = make_channel([GREET])
    url = channel.url if scheme == "file" else serve(channel.root).url
    solution = solve([channel.url], ["greet"])
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RATTLER_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(FetchError, match=r"Not a directory(?s:.*)let RATTLER_CACHE_DIR name another"):
        fetch(solve([url], ["greet"]) if scheme == "http" else solution, tmp_path / "work")


# Fetching


def test_exactly_the_named_packages_are_installed(make_channel, tmp_path):
    channel = make_channel([replace(GREET, depends=("other",)), CondaPackage(name="other", files={"share/o": "o"})])
    environment = fetch(solve([channel.url], ["greet"]), tmp_path / "work", names=["greet"])
    assert [package.name for package in environment.packages] == ["greet"]
    assert [(file.path, file.link, file.placeholder) for file in environment.files] == [
        ("lib/libgreet.so", "lib/libgreet.so.1", "binary"),
        ("lib/libgreet.so.1", None, "binary"),
        ("share/greet.txt", None, "text"),
        ("share/plain.txt", None, None),
    ]
    assert (environment.prefix / "share/greet.txt").read_text() == f"from {NEUTRAL}\n"
    assert environment.info["greet"].licences == (("LICENSE", b"Do what you like.\n"),)


def test_a_file_tells_the_hash_that_it_had_in_its_package(make_channel, tmp_path):
    files = fetch(solve([make_channel([GREET]).url], ["greet"]), tmp_path / "work").files
    original = {
        path: spec.data if isinstance(spec, Content) else str(spec).encode() for path, spec in GREET.files.items()
    }
    for file in files:
        assert file.sha256 == hashlib.sha256(original[file.link or file.path]).hexdigest()
        assert file.size == file.source.stat().st_size


def test_a_file_and_a_link_to_it_tell_whether_they_can_be_run(make_channel, tmp_path):
    tool = Content("#!/bin/sh\n", executable=True)
    package = CondaPackage(name="tool", files={"bin/tool": tool, "bin/alias": Link("tool"), "share/tool": "text"})
    files = fetch(solve([make_channel([package]).url], ["tool"]), tmp_path / "work").files
    assert {file.path: file.executable for file in files} == {"bin/tool": True, "bin/alias": True, "share/tool": False}


@pytest.mark.parametrize("extension", [".conda", ".tar.bz2"])
def test_packages_without_paths_json_are_read_from_their_older_metadata(tmp_path, extension):
    has_prefix = f"{PLACEHOLDER} text share/greet.txt\n{PLACEHOLDER} binary lib/libgreet.so.1\n"
    old = replace(GREET, info={"paths.json": None, "has_prefix": has_prefix})
    channel = write_channel(tmp_path / "channel", [old], extension=extension)
    environment = fetch(solve([channel.url], ["greet"]), tmp_path / "work")
    assert {file.path: (file.link, file.placeholder) for file in environment.files} == {
        "lib/libgreet.so": ("lib/libgreet.so.1", "binary"),
        "lib/libgreet.so.1": (None, "binary"),
        "share/greet.txt": (None, "text"),
        "share/plain.txt": (None, None),
    }
    plain = next(file for file in environment.files if file.path == "share/plain.txt")
    assert plain.sha256 == hashlib.sha256(b"hello\n").hexdigest()
    text = next(file for file in environment.files if file.path == "share/greet.txt")
    assert text.sha256 == hashlib.sha256(f"from {PLACEHOLDER}\n".encode()).hexdigest()


@pytest.mark.parametrize(
    ("python", "build", "site_packages"),
    [
        (Python(minor=10), "0_cp310", "lib/python3.10/site-packages"),
        (Python(minor=13, free_threaded=True), "0_cp313t", "lib/python3.13t/site-packages"),
    ],
)
def test_noarch_python_lands_where_the_python_record_says(make_channel, tmp_path, python, build, site_packages):
    pure = CondaPackage(
        name="pure",
        noarch="python",
        depends=("python",),
        entry_points=("pure = pure:main",),
        files={f"site-packages/{path}": text for path, text in {"pure.py": "", **dist_info("pure", "1.0")}.items()},
    )
    channel = make_channel([pure, python_package(python.version, build=build)])
    environment = fetch(solve([channel.url], ["pure"], replace(TARGET, python=python)), tmp_path / "work")
    assert f"{site_packages}/pure.py" in {file.path for file in environment.files}
    assert all(file.path.startswith(f"{site_packages}/") for file in environment.files), "bin/pure is not the package's"
    assert environment.info["pure"].scripts == ("pure = pure:main",)


def test_packages_for_macos_are_installed_without_its_tools(make_channel, tmp_path):
    library = Content(b"\xcf\xfa\xed\xfe" + PLACEHOLDER.encode() + b"\0" * 40, mode="binary")
    mac = CondaPackage(name="mac", subdir="osx-arm64", files={"lib/libmac.dylib": library})
    target = Target(system="osx", arch="arm64", subdir="osx-arm64", python=Python(minor=10), floor=(11, 0))
    environment = fetch(solve([make_channel([mac]).url], ["mac"], target), tmp_path / "work")
    assert NEUTRAL.encode() in environment.files[0].source.read_bytes()


def test_link_scripts_are_told_and_not_run(make_channel, tmp_path):
    script = Content(f"#!/bin/sh\ntouch {tmp_path}/ran\n", executable=True)
    scripted = CondaPackage(name="scripted", files={"bin/.scripted-post-link.sh": script, "share/s": "s"})
    environment = fetch(solve([make_channel([scripted]).url], ["scripted"]), tmp_path / "work")
    assert environment.scripts == {"scripted": ("bin/.scripted-post-link.sh",)}
    assert not (tmp_path / "ran").exists()


def test_two_packages_with_one_path_are_both_there(make_channel, tmp_path):
    channel = make_channel([CondaPackage(name=name, files={"share/x": name, "share/y": "same"}) for name in ("a", "b")])
    environment = fetch(solve([channel.url], ["a", "b"]), tmp_path / "work")
    shown = [(file.path, file.package, file.source.read_text()) for file in environment.files if file.path == "share/x"]
    assert shown == [("share/x", "a", "a"), ("share/x", "b", "b")]
    assert len([file for file in environment.files if file.path == "share/y"]) == 1


def test_nothing_named_fetches_nothing(make_channel, tmp_path):
    environment = fetch(solve([make_channel([GREET]).url], ["greet"]), tmp_path / "work", names=[])
    assert (environment.files, environment.packages) == ((), ())


def test_python_is_never_fetched(forge, tmp_path):
    environment = fetch(solve([forge], ["libmambapy"]), tmp_path / "work")
    assert len(environment.packages) == 44
    assert "python" not in environment.info
    assert not (environment.prefix / "bin/python3.10").exists()
    libraries = [file for file in environment.files if file.path.startswith("lib/libmamba.so")]
    assert len({file.source for file in libraries}) == 1


def test_the_cache_is_not_written_through(make_channel, tmp_path, cache):
    solution = solve([make_channel([GREET]).url], ["greet"])
    fetch(solution, tmp_path / "first")
    before = hashes(cache / "pkgs")
    environment = fetch(solution, tmp_path / "second")
    shutil.rmtree(environment.prefix)
    assert hashes(cache / "pkgs") == before
    assert (cache / "pkgs" / "greet-1.0-0" / "share" / "greet.txt").read_text() == f"from {PLACEHOLDER}\n"


def test_outside_a_terminal_a_step_is_one_line(make_channel, serve, tmp_path, capfd):
    server = serve(make_channel([GREET]).root)
    fetch(solve([server.url], ["greet"]), tmp_path / "work")
    lines = capfd.readouterr().err.splitlines()
    assert lines == [f"mamba-press: fetching 1 package, 1 to download, {lines[-1].split(', ')[-1]}"]
    assert lines[0].endswith(" MB")


def test_only_what_is_not_cached_is_said_to_be_fetched(make_channel, tmp_path, capfd):
    solution = solve([make_channel([GREET, CondaPackage(name="other")]).url], ["greet", "other"])
    fetch(solution, tmp_path / "first", names=["other"])
    fetch(solution, tmp_path / "second")
    fetch(solution, tmp_path / "third")
    assert capfd.readouterr().err.splitlines() == ["mamba-press: fetching 1 package"] * 2


def test_a_server_that_stumbles_is_asked_again(make_channel, serve, tmp_path):
    server = serve(make_channel([GREET]).root)
    solution = solve([server.url], ["greet"])
    server.stumble("greet-1.0-0.conda", 503)
    assert fetch(solution, tmp_path / "work").files
    assert len([path for path in server.asked if path.endswith("greet-1.0-0.conda")]) == 2


# Archives that are not what they should be


def spoiled(channel: Channel, name: str, spoil: Callable[[bytes], bytes], *, rehash: bool = False) -> None:
    """Change an archive behind its record's back, or with a record that agrees."""
    archive = channel.archives[name]
    data = spoil(archive.read_bytes())
    archive.write_bytes(data)
    if rehash:
        index = archive.parent / "repodata.json"
        repodata = json.loads(index.read_text())
        record = next(records[archive.name] for records in repodata.values() if archive.name in records)
        record["sha256"], record["size"] = hashlib.sha256(data).hexdigest(), len(data)
        record["md5"] = hashlib.md5(data, usedforsecurity=False).hexdigest()
        index.write_text(json.dumps(repodata))


def test_a_local_archive_with_another_hash_is_refused(make_channel, tmp_path, cache):
    channel = make_channel([GREET])
    spoiled(channel, "greet", lambda data: data.replace(b"conda_pkg_format_version", b"conda_pkg_format_versioN"))
    with pytest.raises(FetchError) as raised:
        fetch(solve([channel.url], ["greet"]), tmp_path / "work")
    text = str(raised.value)
    assert "greet 1.0 0" in text
    assert str(channel.archives["greet"]) in text
    assert hashlib.sha256(channel.archives["greet"].read_bytes()).hexdigest() in text
    assert not (cache / "pkgs" / "greet-1.0-0").exists()


def test_a_local_archive_with_another_hash_is_refused_from_a_filled_cache_too(make_channel, tmp_path):
    channel = make_channel([GREET])
    solution = solve([channel.url], ["greet"])
    fetch(solution, tmp_path / "first")
    spoiled(channel, "greet", lambda data: data + b"\0")
    with pytest.raises(FetchError, match="its record states"):
        fetch(solution, tmp_path / "second")


def test_a_package_that_was_built_again_is_not_taken_from_the_cache(make_channel, tmp_path):
    fetch(solve([make_channel([GREET]).url], ["greet"]), tmp_path / "first")
    again = make_channel([replace(GREET, files={"share/plain.txt": "hello again\n"})])
    environment = fetch(solve([again.url], ["greet"]), tmp_path / "second")
    assert (environment.prefix / "share/plain.txt").read_text() == "hello again\n"


def test_a_package_without_any_hash_is_not_taken_from_the_cache(make_channel, tmp_path, capfd):
    unhashed = {"sha256": None, "md5": None, "size": None}
    fetch(solve([make_channel([replace(GREET, record=unhashed)]).url], ["greet"]), tmp_path / "first")
    archive = tmp_path / "channel/linux-64/greet-1.0-0.conda"
    assert (
        f"warning: {archive}: the channel states no hash, so nothing vouches for it\n"
        "  index the channel again, or name one that states hashes\n"
    ) in capfd.readouterr().err
    again = make_channel([replace(GREET, files={"share/plain.txt": "hello again\n"}, record=unhashed)])
    environment = fetch(solve([again.url], ["greet"]), tmp_path / "second")
    assert (environment.prefix / "share/plain.txt").read_text() == "hello again\n"


def test_md5_is_enough_where_it_is_all_there_is(make_channel, tmp_path, capfd):
    channel = make_channel([replace(GREET, record={"sha256": None})])
    solution = solve([channel.url], ["greet"])
    fetch(solution, tmp_path / "first")
    assert "vouches" not in capfd.readouterr().err
    spoiled(channel, "greet", lambda data: data[:-1] + b"x")
    with pytest.raises(FetchError, match="its md5 is"):
        fetch(solution, tmp_path / "second")


def test_an_archive_over_http_with_another_hash_is_refused(make_channel, serve, tmp_path, cache):
    channel = make_channel([GREET])
    other = make_channel([replace(GREET, files={"share/plain.txt": "falsified\n"})], "other")
    shutil.copy(other.archives["greet"], channel.archives["greet"])
    server = serve(channel.root)
    with pytest.raises(FetchError) as raised:
        fetch(solve([server.url], ["greet"]), tmp_path / "work")
    text = str(raised.value)
    assert f"greet 1.0 0 ({server.url}/linux-64/greet-1.0-0.conda)" in text
    assert "the archive is not the one that was indexed" in text
    assert not (cache / "pkgs" / "greet-1.0-0").exists()


def test_every_missing_local_archive_is_reported_at_once(make_channel, tmp_path):
    channel = make_channel([GREET, CondaPackage(name="other", files={"share/o": "o"})])
    solution = solve([channel.url], ["greet", "other"])
    for archive in channel.archives.values():
        archive.unlink()
    with pytest.raises(FetchError) as raised:
        fetch(solution, tmp_path / "work")
    assert [str(problem.where).split()[0] for problem in raised.value.problems] == ["greet", "other"]
    assert "No such file" in str(raised.value)


@pytest.mark.parametrize("extension", [".conda", ".tar.bz2"])
@pytest.mark.parametrize(
    "spoil",
    [lambda data: data[: len(data) // 2], lambda data: b"<html>not here</html>", lambda data: b""],
    ids=["truncated", "a web page", "empty"],
)
def test_what_was_indexed_but_is_no_archive_is_an_error_and_leaves_the_cache_sound(tmp_path, extension, spoil, cache):
    whole = write_channel(tmp_path / "whole", [GREET], extension=extension)
    channel = write_channel(tmp_path / "channel", [GREET], extension=extension)
    spoiled(channel, "greet", spoil, rehash=True)
    with pytest.raises(FetchError) as raised:
        fetch(solve([channel.url], ["greet"]), tmp_path / "work")
    assert "greet 1.0 0" in str(raised.value)
    assert "\0" not in str(raised.value)
    assert not (cache / "pkgs" / "greet-1.0-0").exists()
    environment = fetch(solve([whole.url], ["greet"]), tmp_path / "again")
    assert (environment.prefix / "share/plain.txt").read_text() == "hello\n"


@pytest.mark.parametrize("extension", [".conda", ".tar.bz2"])
def test_the_malformed_zlib_is_an_error_that_names_it(shared_channels, tmp_path, extension):
    archive = shared_channels / "malformed" / f"zlib-1.2.11-h7b6447c_3{extension}"
    channel = write_channel(tmp_path / "channel", [])
    shutil.copy(archive, channel.root / "linux-64")
    record = {"name": "zlib", "version": "1.2.11", "build": "h7b6447c_3", "build_number": 3, "depends": []}
    record |= {"sha256": hashlib.sha256(archive.read_bytes()).hexdigest(), "subdir": "linux-64"}
    kind = "packages.conda" if extension == ".conda" else "packages"
    index = {"info": {"subdir": "linux-64"}, kind: {archive.name: record}}
    (channel.root / "linux-64" / "repodata.json").write_text(json.dumps(index))
    with pytest.raises((FetchError, ContentError)) as raised:
        fetch(solve([channel.url], ["zlib"]), tmp_path / "work")
    text = str(raised.value)
    assert "zlib 1.2.11 h7b6447c_3" in text
    assert "lib/libz.so" in text
    assert len(text) < 1000
    assert text.replace("\n", "").isprintable()


# Offline


def test_offline_works_from_a_filled_cache(make_channel, serve, tmp_path):
    server = serve(make_channel([GREET]).root)
    online = solve([server.url], ["greet"])
    fetch(online, tmp_path / "first")
    asked = list(server.asked)
    assert solve([server.url], ["greet"], offline=True) == online
    assert fetch(online, tmp_path / "second", offline=True).files
    assert server.asked == asked, "offline asks nobody"


def test_offline_says_what_the_cache_has_not_got(make_channel, serve, tmp_path):
    server = serve(make_channel([GREET, CondaPackage(name="other")]).root)
    with pytest.raises(FetchError, match=f"channel {server.url}: offline = true, and the cache has not got its list"):
        solve([server.url], ["greet"], offline=True)
    solution = solve([server.url], ["greet", "other"])
    fetch(solution, tmp_path / "first", names=["other"])
    with pytest.raises(FetchError, match=r"the cache has not got greet-1\.0-0\.conda\n"):
        fetch(solution, tmp_path / "second", offline=True)


def test_offline_folders_need_no_cache(make_channel, tmp_path):
    solution = solve([make_channel([GREET]).url], ["greet"], offline=True)
    assert fetch(solution, tmp_path / "work", offline=True).files


# Locks


def write_lock(solutions: list[Solution], path: Path, root: Path, config: Config | None = None) -> None:
    made_for = pipeline_solve.stated(config or Config())
    lockfile.write([lockfile.entry(solution, made_for) for solution in solutions], path, root, environ=os.environ)


def locked(path: Path, target: Target = TARGET, config: Config | None = None) -> Solution:
    """What a lock gives for a target; the channels asked are those of the configuration."""
    asked = config or Config()
    found = lockfile.best(lockfile.read(path, path.parent, environ=os.environ), target)
    assert found is not None
    urls = channels.urls(asked.channels, path.parent)
    virtual = virtual_packages(target)
    question = solver.Question(packages=asked.packages, target=target, channels=urls, virtual=virtual)
    changed = lockfile.changed(found, pipeline_solve.stated(asked, virtual), path.parent)
    return solver.locked(found, question, changed, path.parent, os.environ)


def test_a_lock_gives_back_exactly_the_packages(forge, tmp_path):
    solution = solve([forge], ["libmambapy", "click"])
    config = Config(channels=(forge,), packages=("libmambapy", "click"))
    write_lock([solution], tmp_path / "mamba-press.lock", tmp_path, config)
    assert locked(tmp_path / "mamba-press.lock", TARGET, config).packages == solution.packages


def test_a_lock_holds_several_targets(make_channel, tmp_path):
    pythons = [python_package(version) for version in ("3.10", "3.11")]
    pythons.append(python_package("3.10", subdir="osx-arm64"))
    pure = CondaPackage(name="pure", noarch="python", depends=("python",), files={"site-packages/pure.py": ""})
    channel = make_channel([pure, *pythons, replace(GREET, subdir="osx-arm64"), GREET])
    mac = Target(system="osx", arch="arm64", subdir="osx-arm64", python=Python(minor=10), floor=(11, 0))
    targets = [TARGET, replace(TARGET, python=Python(minor=11)), replace(TARGET, floor=(2, 17))]
    config = Config(packages=("pure", "greet"))
    solutions = [*(solve([channel.url], ["pure", "greet"], target) for target in targets)]
    solutions.append(solve([channel.url], ["pure", "greet"], mac))
    path = tmp_path / "mamba-press.lock"
    write_lock(solutions, path, tmp_path, config)
    for solution in solutions:
        assert locked(path, solution.target, config).packages == solution.packages
    held = lockfile.read(path, tmp_path, environ=os.environ)
    other = replace(TARGET, python=Python(minor=12))
    assert lockfile.best(held, other) is None
    assert lockfile.pins(held, other, {"pure": "pure", "greet": "greet"}) == ("pure ==1.0", "greet ==1.0")


def test_a_lock_and_its_channel_move_together(tmp_path):
    project, elsewhere = tmp_path / "project", tmp_path / "unpacked sdist"
    channel = write_channel(project / "channel", [GREET])
    config = Config(channels=("./channel",), packages=("greet",))
    write_lock([solve([channel.url], ["greet"])], project / "mamba-press.lock", project, config)
    assert str(tmp_path) not in (project / "mamba-press.lock").read_text()
    project.rename(elsewhere)
    found = locked(elsewhere / "mamba-press.lock", TARGET, config)
    assert found.channels == ((elsewhere / "channel").as_uri(),)
    assert fetch(found, tmp_path / "work").files


def test_a_lock_and_a_channel_above_it_move_together(tmp_path):
    here, there = tmp_path / "here", tmp_path / "it's there #1"
    project = here / "group" / "project"
    project.mkdir(parents=True)
    channel = write_channel(here / "my channel", [GREET])
    config = Config(channels=("../../my channel",), packages=("greet",))
    write_lock([solve([channel.url], ["greet"])], project / "mamba-press.lock", project, config)
    assert str(tmp_path) not in (project / "mamba-press.lock").read_text()
    here.rename(there)
    path = there / "group" / "project" / "mamba-press.lock"
    [package] = locked(path, TARGET, config).packages
    assert (package.channel, package.url.rpartition("/")[2]) == (
        (there / "my channel").as_uri() + "/",
        "greet-1.0-0.conda",
    )
    assert fetch(locked(path, TARGET, config), tmp_path / "work").files


def test_a_channel_that_is_gone_is_replaced_by_one_with_the_same_archives(make_channel, tmp_path):
    channel = make_channel([GREET], name="before")
    config = Config(channels=(channel.url,), packages=("greet",))
    path = tmp_path / "mamba-press.lock"
    write_lock([solve([channel.url], ["greet"])], path, tmp_path, config)
    channel.root.rename(tmp_path / "after")
    moved = replace(config, channels=((tmp_path / "after").as_uri(),))
    [package] = locked(path, TARGET, moved).packages
    assert package.url.startswith((tmp_path / "after").as_uri())
    assert fetch(locked(path, TARGET, moved), tmp_path / "work").files
    other = make_channel([replace(GREET, files={"share/other.txt": "other"})], name="other")
    with pytest.raises(ConfigError, match=r"have not got, with the same content: greet 1\.0 0"):
        locked(path, TARGET, replace(config, channels=(other.url,)))


def test_rattler_itself_reads_the_lock(tmp_path):
    channel = write_channel(tmp_path / "channel", [GREET])
    write_lock([solve([channel.url], ["greet"])], tmp_path / "mamba-press.lock", tmp_path)
    code = (
        "import os, sys, pathlib, rattler\n"
        "lock = rattler.LockFile.from_path(pathlib.Path(sys.argv[1]))\n"
        "print([(n, [p.name for p in e.platforms()]) for n, e in lock.environments()], flush=True)\n"
        "os._exit(0)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "mamba-press.lock")]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "[('py310', ['linux-64-glibc-2-28'])]"


def test_a_lock_with_packages_of_pypi_is_refused(tmp_path):
    channel = write_channel(tmp_path / "channel", [GREET])
    path = tmp_path / "mamba-press.lock"
    write_lock([solve([channel.url], ["greet"])], path, tmp_path)
    location = "https://example.org/six-1.16.0-py2.py3-none-any.whl"
    text = path.read_text().replace("      - conda:", f"      - pypi: {location}\n      - conda:", 1)
    six = f"- pypi: {location}\n  name: six\n  version: 1.16.0\n"
    path.write_text(text.replace("mamba-press:\n", f"{six}mamba-press:\n"))
    with pytest.raises(ConfigError, match="no conda package: six"):
        lockfile.read(path, tmp_path, environ=os.environ)


@pytest.mark.parametrize("text", ["", "no lock", "version: 99\n", "[1, 2"])
def test_what_is_no_lock_is_an_error(tmp_path, text):
    (tmp_path / "mamba-press.lock").write_text(text)
    with pytest.raises(ConfigError, match="cannot be read"):
        lockfile.read(tmp_path / "mamba-press.lock", tmp_path, environ=os.environ)


# Interruption


BUILD = """
import os, pickle, sys
from pathlib import Path
from mamba_press.conda import fetch
solution = pickle.loads(Path(sys.argv[1]).read_bytes())
print("begins", flush=True)
names = [package.name for package in solution.packages]
fetch.environment(solution, names, Path(sys.argv[2]), access=fetch.Access(environ=os.environ))
"""


def start_build(solution: Solution, workdir: Path) -> subprocess.Popen[str]:
    workdir.mkdir(parents=True)
    (workdir / "solution.pickle").write_bytes(pickle.dumps(solution))
    source = str(Path(mamba_press.__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, "-c", BUILD, str(workdir / "solution.pickle"), str(workdir)],
        env={**os.environ, "PYTHONPATH": source},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def workers_of(cache: Path) -> list[int]:
    """The processes on this machine that run the worker with the cache of this test."""
    mine = f"RATTLER_CACHE_DIR={cache}\0".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if b"worker/__main__.py" in (folder / "cmdline").read_bytes() and mine in (folder / "environ").read_bytes():
                found.append(int(folder.name))
    return found


def until(condition: Callable[[], bool], *, seconds: float = 15) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


@linux
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_build_that_ends_takes_its_worker_along_and_leaves_the_cache_sound(
    make_channel, serve, tmp_path, cache, number
):
    big = replace(GREET, files={**GREET.files, "share/big": os.urandom(2_000_000)})
    server = serve(make_channel([big]).root)
    solution = solve([server.url], ["greet"])
    server.slow = "greet-1.0-0.conda"
    build = start_build(solution, tmp_path / "first")
    assert until(lambda: any(server.slow in path for path in server.asked))
    assert workers_of(cache)
    build.send_signal(number)
    build.communicate(timeout=15)
    assert until(lambda: not workers_of(cache))
    server.slow = ""
    environment = fetch(solution, tmp_path / "second")
    assert (environment.prefix / "share/big").read_bytes() == big.files["share/big"]


@linux
def test_a_worker_killed_at_any_moment_leaves_a_cache_that_the_next_run_can_use(forge, tmp_path, cache):
    solution = solve([forge], ["libmambapy"])
    for number, delay in enumerate((0.1, 0.2, 0.3, 0.5)):
        build = start_build(solution, tmp_path / f"killed-{number}")
        assert until(lambda: bool(workers_of(cache)))
        time.sleep(delay)
        for worker in workers_of(cache):
            os.kill(worker, signal.SIGKILL)
        build.communicate(timeout=15)
    after = fetch(solution, tmp_path / "after")
    expected = {file.path: file.sha256 for file in after.files if not file.placeholder and not file.link}
    found = {
        file.path: hashlib.sha256(file.source.read_bytes()).hexdigest()
        for file in after.files
        if not file.placeholder and not file.link
    }
    assert found == expected


@linux
def test_forty_solves_end_without_a_crash(make_channel):
    channel = make_channel([GREET])

    def one(_: int) -> list[str]:
        return names(solve([channel.url], ["greet"]))

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(one, range(40))) == [["greet"]] * 40


def test_another_interpreter_can_run_rattler(make_channel, monkeypatch):
    monkeypatch.setenv("MAMBA_PRESS_WORKER", sys.executable)
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    assert names(solve([make_channel([GREET]).url], ["greet"])) == ["greet"]


@pytest.mark.parametrize("name", ["paths.json", "large"])
def test_an_archive_whose_lists_inflate_beyond_all_bounds_is_not_looked_into(tmp_path, name):
    file = tmp_path / "channel/noarch/evil-1.0-0.tar.bz2"
    file.parent.mkdir(parents=True)
    size = (64 << 20) + 1 if name == "paths.json" else (256 << 20) + 1
    with tarfile.open(file, "w:bz2", compresslevel=1) as archive:
        member = tarfile.TarInfo(f"info/{name}")
        member.size = size
        archive.addfile(member, io.BytesIO(bytes(size)))
    [package] = records.packages_of(
        {
            "specs": {},
            "packages": [
                {
                    "name": "evil",
                    "version": "1.0",
                    "build": "0",
                    "build_number": 0,
                    "subdir": "noarch",
                    "fn": file.name,
                    "url": file.as_uri(),
                    "channel": file.parent.as_uri(),
                    "depends": [],
                    "constrains": [],
                }
            ],
        }
    )
    environ = {**os.environ, "RATTLER_CACHE_DIR": str(tmp_path / "cache")}
    found = fetching.inspect([package], Access(environ=environ))
    assert found == {file.name: {"problem": f"info has more than {size >> 20} MiB"}}
