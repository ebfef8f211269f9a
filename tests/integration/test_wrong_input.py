"""What goes wrong is told in one screen: each text whole, through the hook and through the command, nothing lost."""

from __future__ import annotations

import hashlib
import json
import random
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.support import press
from tests.support.channel import CondaPackage, python_abi, python_package, write_channel
from tests.support.compile import Linking, extension_module, module_source, program, shared_library

pytestmark = pytest.mark.skipif(not press.MACHINE, reason="what is pressed here is for Linux on x86_64")

LINES = 24
ABI = press.HERE.replace(".", "")
SITE = f"lib/python{press.HERE}/site-packages"
PYTHON = (python_package(press.HERE), python_abi(press.HERE))
ON_PYTHON = (f"python {press.HERE}.*", f"python_abi {press.HERE}.* *_cp{ABI}")


@dataclass(frozen=True)
class Case:
    """A project that cannot be built: what stands in its pyproject.toml, and the exit code of the kind of error."""

    code: int
    text: str
    settings: Mapping[str, str] | None = None
    environ: Mapping[str, str] | None = None


def table(lines: str, project: str = 'name = "wrong"\ndynamic = ["version"]') -> str:
    return f"[project]\n{project}\n\n[tool.mamba-press]\n{lines}\n"


WORDS = 'packages = ["words"]\nchannels = ["./channel"]'

CONFIGURATION = {
    "mistyped-key": Case(2, table('pakages = ["words"]\nchannels = ["./channel"]')),
    "wrong-type": Case(2, table(WORDS + '\noffline = "sometimes"\nlink.system = "libz.so.1"')),
    "unknown-setting": Case(2, table(WORDS), settings={"link.sytem": "libz.so.1"}),
    "unknown-variable": Case(2, table(WORDS), environ={"MAMBA_PRESS_CHANELS": "conda-forge"}),
    "broken-toml": Case(2, '[project]\nname = "wrong\n'),
    "no-project-table": Case(2, "[tool.mamba-press]\n" + WORDS),
    "no-name": Case(2, table(WORDS, 'dynamic = ["version"]')),
    "no-table": Case(2, '[project]\nname = "wrong"\nversion = "1"\n'),
    "several-tables-at-once": Case(
        2, table('packages = ["words"]\npython = "2.7"\nplatform = "win_arm32"', 'name = "-"\nlicence = "MIT"')
    ),
    "musllinux": Case(2, table(WORDS + '\nplatform = "musllinux_1_2_x86_64"')),
    "excluded-python": Case(
        2, table(WORDS + '\npython = "3.10"', 'name = "wrong"\ndynamic = ["version"]\nrequires-python = ">=3.12"')
    ),
    "no-such-folder": Case(2, table('packages = ["words"]\nchannels = ["../nowhere/channel"]')),
    "broken-spec": Case(2, table('packages = ["words >=one,,"]\nchannels = ["./channel"]')),
    "virtual-package": Case(
        2, table('packages = ["words", "__glibc >=2.28"]\nhost = ["__unix"]\nchannels = ["./channel"]')
    ),
    "bad-epoch": Case(2, table(WORDS), environ={"SOURCE_DATE_EPOCH": "yesterday"}),
    "broken-lock": Case(2, table(WORDS)),
    "worker-that-is-not-there": Case(2, table(WORDS), environ={"MAMBA_PRESS_WORKER": "python9.99"}),
    "unknown-package": Case(3, table('packages = ["wrods"]\nchannels = ["./channel"]')),
    "two-unknown-packages": Case(3, table('packages = ["wrods", "qqqqqqqq"]\nchannels = ["./channel"]')),
    "unsolvable": Case(3, table('packages = ["words >=9"]\nchannels = ["./channel"]')),
    "unsolvable-dependency": Case(3, table('packages = ["needy"]\nchannels = ["./channel"]')),
    "too-new-a-system": Case(
        3, table('packages = ["modern"]\nchannels = ["./channel"]\nplatform = "manylinux_2_17_x86_64"')
    ),
    "other-python": Case(3, table('packages = ["ancient"]\nchannels = ["./channel"]')),
    "no-packages-for-platform": Case(
        3, table('packages = ["words"]\nchannels = ["./empty"]\nplatform = "linux-aarch64"')
    ),
    "unreachable": Case(4, table('packages = ["words"]\nchannels = ["http://127.0.0.1:{port}/channel"]')),
    "offline-and-not-cached": Case(
        4, table('packages = ["words"]\nchannels = ["http://127.0.0.1:{port}/channel"]\noffline = true')
    ),
    "name-of-a-folder": Case(4, table('packages = ["words"]\nchannels = ["channel"]\noffline = true')),
    "wrong-sha256": Case(4, table('packages = ["falsified"]\nchannels = ["./channel"]')),
    "truncated": Case(4, table('packages = ["truncated"]\nchannels = ["./channel"]')),
    "archive-that-is-not-there": Case(4, table('packages = ["vanished"]\nchannels = ["./channel"]')),
    "collision": Case(5, table('packages = ["one", "two"]\nchannels = ["./channel"]')),
    "case-clash": Case(5, table('packages = ["cases"]\nchannels = ["./channel"]')),
}

COMPILED = {
    "missing-library": Case(5, table('packages = ["orphan"]\nchannels = ["./channel"]')),
    "impossible-tag": Case(
        5, table('packages = ["modern-symbols"]\nchannels = ["./channel"]\nplatform = "manylinux1_x86_64"')
    ),
    "embeds-python": Case(5, table('packages = ["embedder"]\nchannels = ["./channel"]')),
}


def text_packages() -> list[CondaPackage]:
    """Packages without compiled code, most of them with a flaw."""
    python = ("python >=3.6",)

    def noarch(name: str, *paths: str, **more: object) -> CondaPackage:
        files = {f"site-packages/{path}": f"# {name}\n" for path in paths}
        return CondaPackage(name=name, noarch="python", files=files, depends=python, **more)

    return [
        press.words(),
        press.words("1.1"),
        noarch("one", "shared/__init__.py", "shared/data.txt"),
        noarch("two", "shared/data.txt"),
        noarch("cases", "cases/__init__.py", "cases/README", "cases/readme"),
        CondaPackage(name="hollow", files={"conda-meta/state": "{}\n"}),
        CondaPackage(name="needy", depends=("words >=2", "one")),
        CondaPackage(name="modern", depends=("__glibc >=2.28",), files={"share/modern.txt": "new\n"}),
        CondaPackage(name="ancient", build="py36_0", depends=("python 3.6.*",)),
        replace(python_package("3.6"), build="0_cp36m"),
        replace(noarch("falsified", "falsified.py"), record={"sha256": "0" * 64}),
        noarch("truncated", "truncated.py"),
        noarch("vanished", "vanished.py"),
        *PYTHON,
    ]


def compiled_packages(folder: Path) -> list[CondaPackage]:
    """Packages whose compiled code cannot work where the wheel would be installed."""
    other = shared_library(folder / "libother.so.3", "int other(void) { return 3; }", Linking(soname="libother.so.3"))
    calls = module_source("_orphan", "PyLong_FromLong(other())", "int other(void);")
    orphan = extension_module(folder, "_orphan", calls, Linking(needed=(other,)), python=Path(sys.executable))
    newer = shared_library(
        folder / "libmodern-symbols.so.1",
        "#define _GNU_SOURCE\n#include <stdlib.h>\n#include <sys/random.h>\n"
        'int modern(void *p) { return getrandom(p, 1, 0) + (secure_getenv("A") != 0); }',
        Linking(soname="libmodern-symbols.so.1"),
    )
    python_library = shared_library(
        folder / f"libpython{press.HERE}.so.1.0",
        "void Py_Initialize(void) {}",
        Linking(soname=f"libpython{press.HERE}.so.1.0"),
    )
    embedder = program(
        folder / "embedder",
        "void Py_Initialize(void); int main(void) { Py_Initialize(); return 0; }",
        Linking(needed=(python_library,)),
    )
    site = f"{SITE}/orphan"
    return [
        CondaPackage(
            name="orphan",
            depends=ON_PYTHON,
            files={f"{site}/__init__.py": "", f"{site}/{orphan.name}": orphan},
        ),
        CondaPackage(name="modern-symbols", files={"lib/libmodern-symbols.so.1": newer}),
        CondaPackage(name="embedder", depends=ON_PYTHON, files={"bin/embedder": embedder}),
    ]


@pytest.fixture(scope="module")
def flawed(tmp_path_factory) -> Path:
    """The folder of a project with a channel of flawed packages beside its pyproject.toml, and an empty one."""
    folder = tmp_path_factory.mktemp("flawed")
    return make_flawed(folder, text_packages())


@pytest.fixture(scope="module")
def flawed_binaries(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("flawed-binaries")
    return make_flawed(folder, [*compiled_packages(folder / "compiled"), *PYTHON])


def make_flawed(folder: Path, packages: list[CondaPackage]) -> Path:
    channel = write_channel(folder / "project" / "channel", packages)
    write_channel(folder / "project" / "empty", [])
    if "truncated" in channel.archives:
        archive = channel.archives["truncated"]
        archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
        channel.archives["vanished"].unlink()
    return folder / "project"


@pytest.fixture
def refusing_port() -> int:
    """A port of this machine at which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def prepared(source: Path, folder: Path, case: Case, name: str, port: int) -> Path:
    """A copy of the project with the case's pyproject.toml, and an old wheel that must stay."""
    project = folder / "project"
    shutil.copytree(source, project)
    project.joinpath("pyproject.toml").write_text(case.text.replace("{port}", str(port)), encoding="utf-8")
    if name == "broken-lock":
        project.joinpath("mamba-press.lock").write_text("version: 99\nno: lock\n", encoding="utf-8")
    folder.joinpath("dist").mkdir()
    folder.joinpath("dist", "wrong-1.0-py3-none-any.whl").write_text("an older wheel")
    return project


CASES = [*CONFIGURATION, *COMPILED]


@pytest.mark.parametrize("name", CASES)
def test_the_text_says_what_is_wrong_and_nothing_is_lost(name, request, tmp_path, golden, refusing_port):
    case = (CONFIGURATION | COMPILED)[name]
    source = request.getfixturevalue("flawed" if name in CONFIGURATION else "flawed_binaries")
    project = prepared(source, tmp_path, case, name, refusing_port)
    before = press.hashes(tmp_path / "project")
    environ = {**(case.environ or {}), "RATTLER_CACHE_DIR": str(tmp_path / "cache"), "TMPDIR": str(made(tmp_path))}
    options = [part for key, value in (case.settings or {}).items() for part in ("-C", f"{key}={value}")]
    pressed = press.command("press", project, *options, "-o", tmp_path / "dist", cwd=tmp_path, environ=environ)
    hooked = press.hook("build_wheel", tmp_path / "dist", dict(case.settings or {}), cwd=project, environ=environ)
    places = {"project": project, "tmp": tmp_path}
    texts = [press.normalised(errors(done.err), places) for done in (pressed, hooked)]
    assert pressed.code == case.code, pressed.err
    assert hooked.code == 1
    assert_fit_for_users(texts[0])
    golden(f"wrong/{name}.txt", texts[0])
    assert texts[1] == texts[0]
    assert press.hashes(tmp_path / "project") == before
    assert [path.name for path in (tmp_path / "dist").iterdir()] == ["wrong-1.0-py3-none-any.whl"]
    assert list((tmp_path / "tmp").iterdir()) == []


def made(folder: Path) -> Path:
    folder.joinpath("tmp").mkdir()
    return folder / "tmp"


def errors(said: str) -> str:
    """What was said from the error on: the steps before it depend on how far it came."""
    lines = said.splitlines()
    first = next((number for number, line in enumerate(lines) if not STEP.match(line)), len(lines))
    return "\n".join(lines[first:]) + "\n"


STEP = re.compile(r"mamba-press: (fetching|writing|solving) ")


def assert_fit_for_users(text: str) -> None:
    assert "Traceback" not in text
    assert text.startswith("mamba-press: ")
    assert len(text.splitlines()) <= LINES


def test_a_build_that_fails_leaves_the_packages_in_the_cache_as_they_were(flawed, tmp_path):
    cache = tmp_path / "cache"
    call = ("press", "-c", flawed / "channel", "-o", tmp_path / "dist")
    environ = {"RATTLER_CACHE_DIR": str(cache)}
    press.command(*call, "one", cwd=tmp_path, environ=environ).ok()
    press.command(*call, "cases 1.0", "-C", f"select.exclude={SITE}/cases/readme", cwd=tmp_path, environ=environ).ok()
    before = press.packages_in(cache)
    wheels = press.hashes(tmp_path / "dist")
    assert any("shared/data.txt" in path for path in before)
    for arguments, code in (
        (["cases"], 5),
        (["one", "falsified", "--name", "x"], 4),
        (["one", "wrods", "--name", "x"], 3),
    ):
        assert press.command(*call, *arguments, cwd=tmp_path, environ=environ).code == code
    after = press.packages_in(cache)
    assert {path: after.get(path) for path in before} == before
    assert press.hashes(tmp_path / "dist") == wheels


# --- in a call without a project, texts speak of options


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("unknown", ["wrods"], 3),
        ("missing-channel", ["words", "-c", "./nowhere"], 2),
        ("no-project-here", ["."], 2),
        ("recipe", ["recipe.yaml"], 2),
        ("two-projects", ["project", "words"], 2),
        ("python", ["words", "--python", "2.7"], 2),
        ("platform", ["words", "--platform", "linux"], 2),
        ("setting", ["words", "-C", "select.exlude=*.txt"], 2),
        ("setting-without-value", ["words", "-C", "offline"], 2),
        ("name", ["words", "--name", "-"], 2),
        ("collision", ["one", "two", "--name", "both"], 5),
    ],
)
def test_a_call_without_a_project_is_told_of_its_arguments(name, arguments, code, flawed, tmp_path, golden):
    press.project(tmp_path / "project", 'packages = ["words"]')
    channel = [] if "-c" in arguments else ["-c", flawed / "channel"]
    environ = {"RATTLER_CACHE_DIR": str(tmp_path / "cache")}
    done = press.command("press", *arguments, *channel, "-o", "dist", cwd=tmp_path, environ=environ)
    assert done.code == code, done.err
    text = press.normalised(errors(done.err), {"flawed": flawed, "tmp": tmp_path})
    assert_fit_for_users(text)
    golden(f"wrong/call-{name}.txt", text)
    assert not (tmp_path / "dist").exists()


# --- the file system


def press_into(output: Path, flawed: Path, tmp_path: Path, prefix: tuple[str, ...] = (), **environ: str) -> press.Done:
    """Press the sound package of the channel into a folder, through a program that takes rights or space away."""
    call = [*prefix, sys.executable, "-m", "mamba_press", "press", "words 1.0", "-c", flawed / "channel", "-o", output]
    return press.run(*call, cwd=tmp_path, environ={"RATTLER_CACHE_DIR": str(tmp_path / "cache"), **environ})


def said(done: press.Done, tmp_path: Path) -> str:
    return press.normalised(errors(done.err), {"tmp": tmp_path})


def test_an_output_folder_that_is_a_file_is_named(flawed, tmp_path, golden):
    tmp_path.joinpath("dist").write_text("not a folder")
    done = press_into(tmp_path / "dist", flawed, tmp_path)
    assert done.code == 6
    golden("wrong/output-is-a-file.txt", said(done, tmp_path))
    assert "fetching" not in done.err
    assert tmp_path.joinpath("dist").read_text() == "not a folder"


def without_rights() -> tuple[str, ...]:
    """A command in front of another that makes permissions count, also for root."""
    if not press.is_root():
        return ()
    found = shutil.which("setpriv") or pytest.skip("permissions mean nothing to root, and setpriv is not here")
    command = (found, "--bounding-set=-dac_override,-dac_read_search", "--")
    if subprocess.run([*command, "true"], check=False, capture_output=True).returncode:
        pytest.skip("setpriv cannot drop rights here")
    return command


def test_an_output_folder_that_cannot_be_written_is_named(flawed, tmp_path, golden):
    dist = tmp_path / "dist"
    dist.mkdir()
    dist.joinpath("words-1.0-py3-none-any.whl").write_text("an older wheel")
    dist.chmod(0o555)
    done = press_into(dist, flawed, tmp_path, without_rights())
    dist.chmod(0o755)
    assert done.code == 6, done.err
    golden("wrong/output-not-writable.txt", said(done, tmp_path))
    assert press.leftovers(dist) == []
    assert dist.joinpath("words-1.0-py3-none-any.whl").read_text() == "an older wheel"


def test_a_cache_that_cannot_be_written_is_named(flawed, tmp_path, golden):
    tmp_path.joinpath("cache").mkdir(mode=0o555)
    done = press_into(tmp_path / "dist", flawed, tmp_path, without_rights())
    assert done.code == 4, done.err
    golden("wrong/cache-not-writable.txt", said(done, tmp_path))


@pytest.fixture
def small_device(tmp_path) -> tuple[str, ...]:
    """A command in front of another for which the folder ``small`` is a device of 64 KiB."""
    tmp_path.joinpath("small").mkdir()
    user = () if press.is_root() else ("-r",)
    script = f'mount -t tmpfs -o size=64k,mode=777 tmpfs "{tmp_path}/small" && exec "$@"'
    command = ("unshare", *user, "-m", "sh", "-c", script, "sh")
    tried = shutil.which("unshare") and subprocess.run([*command, "true"], check=False, capture_output=True)
    if not tried or tried.returncode:
        pytest.skip("this machine gives no small device")
    return command


@pytest.fixture(scope="module")
def bulky(tmp_path_factory) -> Path:
    """A channel with a package that a small device has no room for."""
    noise = random.Random(3).randbytes(300_000)
    bulky = CondaPackage(
        name="bulky",
        noarch="python",
        depends=("python >=3.6",),
        files={"site-packages/bulky/__init__.py": "", "site-packages/bulky/noise.bin": noise},
    )
    folder = tmp_path_factory.mktemp("bulky")
    write_channel(folder / "channel", [bulky, *PYTHON])
    return folder


@pytest.mark.parametrize("full", ["output", "TMPDIR", "RATTLER_CACHE_DIR"])
def test_a_full_device_is_named_and_nothing_half_written_stays(full, small_device, bulky, tmp_path, golden):
    small = tmp_path / "small"
    output = small if full == "output" else tmp_path / "dist"
    listing = f'{small_device[-2]}; code=$?; ls -A "{small}" >"{tmp_path}/left"; exit $code'.replace("exec ", "")
    call = (*small_device[:-2], listing, "sh", sys.executable, "-m", "mamba_press", "press", "bulky")
    environ = {"RATTLER_CACHE_DIR": str(tmp_path / "cache")} | ({} if full == "output" else {full: str(small)})
    tmp_path.joinpath("cache").mkdir()
    tmp_path.joinpath("cache", "mamba-press").write_text("no folder: nothing temporary can lie there instead")
    done = press.run(*call, "-c", bulky / "channel", "-o", output, cwd=tmp_path, environ=environ)
    assert done.code == (6 if full == "output" else 4), done.err
    text = press.normalised(errors(done.err), {"bulky": bulky, "tmp": tmp_path})
    assert_fit_for_users(text)
    golden(f"wrong/full-{full.lower()}.txt", text)
    assert list(tmp_path.glob("dist/*")) == []
    if full != "RATTLER_CACHE_DIR":
        assert tmp_path.joinpath("left").read_text() == ""


def test_a_full_device_for_temporary_files_is_no_obstacle_where_the_cache_is_on_another(small_device, bulky, tmp_path):
    call = (*small_device, sys.executable, "-m", "mamba_press", "press", "bulky", "-c", bulky / "channel")
    environ = {"RATTLER_CACHE_DIR": str(tmp_path / "cache"), "TMPDIR": str(tmp_path / "small")}
    press.run(*call, "-o", tmp_path / "dist", cwd=tmp_path, environ=environ).ok()
    assert len(list(tmp_path.glob("dist/*.whl"))) == 1
    assert [path.name for path in tmp_path.glob("cache/mamba-press/*")] == []


def test_a_limit_on_the_size_of_files_is_named(bulky, tmp_path, golden):
    environ = {"RATTLER_CACHE_DIR": str(tmp_path / "cache")}
    call = [sys.executable, "-m", "mamba_press", "press", "bulky", "-c", bulky / "channel", "-o", tmp_path / "dist"]
    press.run(*call, cwd=tmp_path, environ=environ).ok()
    wheel = next(tmp_path.glob("dist/*.whl"))
    before = wheel.read_bytes()
    limited = ("sh", "-c", 'ulimit -f 300 && exec "$@"', "sh")  # in blocks of 512 bytes; the wheel has 300 KB
    done = press.run(*limited, *call, cwd=tmp_path, environ=environ)
    assert done.code == 6, done.err
    golden("wrong/limit-on-files.txt", said(done, tmp_path))
    assert wheel.read_bytes() == before
    assert press.leftovers(tmp_path / "dist") == []


# --- real packages


@pytest.mark.real
def test_the_malformed_packages_of_real_life_are_told(shared_channels, tmp_path, golden):
    texts = []
    for archive in sorted((shared_channels / "malformed").glob("zlib-*")):
        channel = tmp_path / archive.suffix / "linux-64"
        channel.mkdir(parents=True)
        shutil.copy(archive, channel)
        record = {
            "name": "zlib",
            "version": "1.2.11",
            "build": "h7b6447c_3",
            "build_number": 3,
            "subdir": "linux-64",
            "depends": [],
            "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
            "size": archive.stat().st_size,
        }
        kind = "packages.conda" if archive.suffix == ".conda" else "packages"
        for subdir, records in (("linux-64", {kind: {archive.name: record}}), ("noarch", {})):
            channel.parent.joinpath(subdir).mkdir(exist_ok=True)
            text = json.dumps({"info": {"subdir": subdir}, "repodata_version": 1, **records})
            channel.parent.joinpath(subdir, "repodata.json").write_text(text)
        cache = tmp_path / f"cache{archive.suffix}"
        environ = {"RATTLER_CACHE_DIR": str(cache)}
        done = press.command(
            "press", "zlib", "-c", channel.parent, "-o", tmp_path / "dist", cwd=tmp_path, environ=environ
        )
        assert done.code in (4, 5), done.err
        text = press.normalised(errors(done.err), {"tmp": tmp_path})
        assert_fit_for_users(text)
        texts.append(f"{archive.name}: exit code {done.code}\n{text}")
    golden("wrong/malformed.txt", "\n".join(texts))
    assert not (tmp_path / "dist").exists()
