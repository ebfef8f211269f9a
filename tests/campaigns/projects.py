"""Real projects from their sdists, built three ways, and their own tests: ``nox -s projects -- FOLDER [NAME…]``.

*Plain*: as it is, against the machine's ``-dev`` packages. *Repaired*: that wheel after ``auditwheel repair``.
*Pressed*: with a ``[tool.mamba-press]`` table and another ``[build-system]``, against conda packages made of the same
``-dev`` packages, on this machine without them. Every wheel is installed in an environment of its own, beside nothing
but what its tests need, and the project's tests are run on it; repaired and pressed ones on this machine without the
libraries. It needs root, Debian, and the ``-dev`` packages (``apt-get install``, the names stand in `PROJECTS`).

FOLDER keeps downloads, wheels and ``projects.json``. The table goes to standard output.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import tomllib

from tests.campaigns import debian
from tests.support.environment import clean_environment
from tests.support.press import unpacked

REPOSITORY = Path(__file__).parents[2]
Results = dict[str, dict[str, dict[str, object]]]
WAYS = ("plain", "repaired", "pressed")


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """A project on PyPI, what it is built against, and how its own tests are run.

    ``copies`` are the parts of the sdist that the tests need, from path to paths in the folder where they run, or below
    ``site:`` in site-packages. ``tests`` are the words after ``python``; counts come from pytest's report, else from
    unittest's last lines. ``keep`` leaves the libraries on the machine, where the tests start servers that need them.
    """

    name: str
    version: str
    host: tuple[str, ...]
    backend: str = "setuptools.build_meta"
    backend_path: tuple[str, ...] = ()
    module: str
    libraries: tuple[str, ...]
    needs: tuple[str, ...] = ("pytest",)
    copies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tests: tuple[str, ...] = ("-m", "pytest", "-q", "tests")
    keep: bool = False

    @property
    def table(self) -> str:
        """The lines that are added to its pyproject.toml."""
        path = f"backend-path = {json.dumps(self.backend_path)}\n" if self.backend_path else ""
        return f'[tool.mamba-press]\nbuild-backend = "{self.backend}"\n{path}host = {json.dumps(self.host)}\n'


PROJECTS = (
    Project(
        name="psycopg2",
        version="2.9.13",
        host=("libpq-dev",),
        module="psycopg2",
        libraries=("libpq",),
        copies={"tests": ("tests",)},
    ),
    Project(
        name="pycurl",
        version="7.49.0",
        host=("libcurl4-openssl-dev", "libssl-dev"),
        module="pycurl",
        libraries=("libcurl",),
        needs=(
            "pytest",
            "flaky",
            "flask",
            "numpy",
            "pytest-run-parallel",
            "pytest-timeout",
            "setuptools",
            "websockets",
        ),
        copies={"tests": ("tests",), "pytest.ini": ("pytest.ini",), "README.rst": ("README.rst",)},
        # setup_test.py is about setup.py, not about what is installed
        tests=("-m", "pytest", "-q", "-m", "not online and not ssh and not gssapi", "--ignore=tests/setup_test.py"),
    ),
    Project(
        name="shapely",
        version="2.2.0",
        host=("libgeos-dev",),
        backend="mesonpy",
        module="shapely",
        libraries=("libgeos_c", "libgeos"),
        tests=("-m", "pytest", "-q", "--pyargs", "shapely.tests"),
    ),
    Project(
        name="pyzmq",
        version="27.3.0",
        host=("libzmq3-dev",),
        backend="scikit_build_core.build",
        module="zmq",
        libraries=("libzmq", "libsodium"),
        needs=("pytest", "pytest-asyncio", "tornado", "cython", "setuptools", "pymongo"),
        copies={"tests": ("tests",), "pytest.ini": ("pytest.ini",)},
    ),
    Project(
        name="lxml",
        version="6.1.3",
        host=("libxml2-dev", "libxslt1-dev"),
        backend="setuptools.build_meta:__legacy__",
        module="lxml.etree",
        libraries=("libxml2", "libxslt", "libexslt"),
        needs=(),
        copies={
            "test.py": ("test.py",),
            "doc": ("site:../doc",),
            "samples": ("samples",),
            "src/lxml/tests": ("src/lxml/tests", "site:lxml/tests"),
            "src/lxml/html/tests": ("src/lxml/html/tests", "site:lxml/html/tests"),
        },
        tests=("test.py", "--no-src"),
    ),
    Project(
        name="pillow",
        version="13.0.0",
        host=(
            "libjpeg62-turbo-dev",
            "zlib1g-dev",
            "libpng-dev",
            "libtiff-dev",
            "libfreetype-dev",
            "liblcms2-dev",
            "libwebp-dev",
            "libopenjp2-7-dev",
            "libraqm-dev",
            "libxcb1-dev",
        ),
        backend="backend",
        backend_path=("_custom_build",),
        module="PIL._imaging",
        libraries=("libjpeg", "libtiff", "libopenjp2"),
        needs=("pytest", "pytest-timeout", "numpy", "defusedxml", "olefile", "packaging", "psutil"),
        copies={"Tests": ("Tests",), "conftest.py": ("conftest.py",), "pyproject.toml": ("pyproject.toml",)},
        tests=("-m", "pytest", "-q", "Tests"),
    ),
    Project(
        name="h5py",
        version="3.16.0",
        host=("libhdf5-dev",),
        backend="backend",
        backend_path=("_custom_build",),
        module="h5py",
        libraries=("libhdf5",),
        needs=("pytest", "pytest-mpi"),
        copies={"pytest.ini": ("pytest.ini",)},
        tests=("-m", "pytest", "-q", "-c", "pytest.ini", "--pyargs", "h5py"),
    ),
    Project(
        name="python-ldap",
        version="3.4.8",
        host=("libldap-dev", "libsasl2-dev"),
        module="_ldap",
        libraries=("libldap", "liblber"),
        needs=(),
        copies={"Tests": ("Tests",)},
        tests=("-m", "unittest", "discover", "-v", "-s", "Tests", "-p", "t_*"),
        keep=True,
    ),
)


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended: its code, what it said, and its time."""

    code: int
    said: str
    cpu: float
    wall: float


@dataclass(frozen=True, slots=True)
class Place:
    """Where commands run: this machine or the one without some packages, and the settings there."""

    environ: Mapping[str, str]
    machine: debian.Machine | None = None

    def run(self, words: Sequence[str], cwd: Path, log: Path, **more: str) -> Done:
        """Run a command at low priority to its end, what it says in a log; the CPU time is that of all children."""
        words = self.machine.command(words) if self.machine else words
        before, start = _children(), time.monotonic()
        with log.open("w", encoding="utf-8") as stream:
            code = subprocess.run(
                ["nice", *words],
                cwd=cwd,
                env={**self.environ, **more},
                stdout=stream,
                stderr=stream,
                stdin=subprocess.DEVNULL,
                check=False,
            ).returncode
        said = log.read_text(encoding="utf-8", errors="replace")
        return Done(code, said, round(_children() - before, 1), round(time.monotonic() - start, 1))


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


# --- the project as it is, and as it is pressed


def download(project: Project, folder: Path, place: Place) -> Path:
    """The project's sdist; pip asks its build backend for metadata, which some need headers for."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{project.name.replace('-', '_')}-{project.version}.tar.gz"
    if not path.exists():
        words = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", project.name]
        done = place.run([*words, f"{project.name}=={project.version}"], folder, folder / f"{project.name}.log")
        if not path.exists():
            raise SystemExit(f"no sdist of {project.name}\n{done.said}")
    return path


def unpack(sdist: Path, folder: Path) -> Path:
    """A fresh folder of the project."""
    shutil.rmtree(folder, ignore_errors=True)
    return unpacked(sdist, folder)


def adapted(text: str, project: Project) -> str:
    """A project's pyproject.toml with mamba-press around its build backend: no other line is changed."""
    requires = ["mamba-press", *tomllib.loads(text)["build-system"]["requires"]]
    lines = "".join(f"    {json.dumps(each)},\n" for each in requires)
    system = f'[build-system]\nrequires = [\n{lines}]\nbuild-backend = "mamba_press.build"\n\n'
    before, _, rest = text.partition("[build-system]")
    after = re.search(r"^\[(?!build-system)", rest, re.MULTILINE)
    return f"{before}{system}{project.table}\n{rest[after.start() :] if after else ''}"


def build(source: Path, output: Path, place: Place) -> Done:
    """Build a wheel in isolation."""
    words = [_tool("uv"), "build", "--wheel", "--python", sys.executable, "-o", str(output), str(source)]
    return place.run(words, output, output / "build.log")


def repair(wheel: Path, output: Path, place: Place) -> Done:
    """Let auditwheel take the machine's libraries into a plain wheel."""
    path = f"{Path(sys.executable).parent}:{place.environ['PATH']}"
    words = [_tool("auditwheel"), "repair", "-w", str(output), str(wheel)]
    return place.run(words, output, output / "build.log", PATH=path)


def _tool(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


# --- what a wheel is, and what its tests say


def facts(wheel: Path) -> dict[str, object]:
    """What is in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
        vendored = {
            info.filename: info.file_size
            for info in infos
            if re.search(r"(?:\.libs|/_prefix)/", info.filename) and ".so" in info.filename
        }
        metadata = next(archive.read(i) for i in infos if i.filename.endswith(".dist-info/METADATA")).decode()
    return {
        "wheel": wheel.name,
        "tag": wheel.stem.split("-", 2)[2],
        "size": wheel.stat().st_size,
        "unpacked": sum(info.file_size for info in infos),
        "files": [info.filename for info in infos],
        "libraries": vendored,
        "metadata": metadata.partition("\n\n")[0].splitlines(),
    }


MAPS = """
import importlib, json, sys
importlib.import_module(sys.argv[1])
lines = [line.split(None, 5) for line in open("/proc/self/maps")]
print(json.dumps(sorted({line[5].strip() for line in lines if len(line) > 5 and ".so" in line[5]})))
"""


def suite(project: Project, source: Path, wheel: Path, folder: Path, place: Place) -> dict[str, object]:
    """Install a wheel and what its tests need in an environment of its own, and run the project's tests there."""
    root, where = folder / "environment", folder / "tests"
    where.mkdir(parents=True)
    python = root / "bin" / "python"
    here = {"VIRTUAL_ENV": str(root), "PATH": f"{python.parent}:{place.environ['PATH']}:/usr/sbin"}
    uv = _tool("uv")
    made = place.run([uv, "venv", "-q", "--python", sys.executable, str(root)], folder, folder / "venv.log")
    if not made.code:
        words = [uv, "pip", "install", "-q", "--only-binary", ":all:", str(wheel), *project.needs]
        made = place.run(words, folder, folder / "install.log", **here)
    if made.code:
        return {"error": made.said[-2000:]}
    site = next((root / "lib").glob("python3*/site-packages"))
    for old, new in ((old, new) for old, several in project.copies.items() for new in several):
        target = site / new[5:] if new.startswith("site:") else where / new
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (source / old).is_dir() else shutil.copy2)(source / old, target)
    maps = place.run([str(python), "-c", MAPS, project.module], where, folder / "maps.log", **here)
    words, report = [str(python), *project.tests], folder / "report.xml"
    if "pytest" in words:
        words += ["-p", "no:cacheprovider", f"--junitxml={report}"]
    done = place.run(words, where, folder / "tests.log", **here)
    counts = from_report(report) if report.exists() else from_unittest(done.said)
    return {**origins(maps, project, site), "code": done.code, "cpu": done.cpu, **counts}


def origins(maps: Done, project: Project, site: Path) -> dict[str, object]:
    """Where the process that imports a project has its libraries from, and what else it has of the machine's."""
    if maps.code:
        return {"import": maps.said[-2000:]}
    mapped = [Path(path) for path in json.loads(maps.said.splitlines()[-1])]
    own = [path for path in mapped if path.name.startswith(project.libraries)]
    return {
        "libraries": [str(path).replace(str(site), "site-packages") for path in own],
        "system": sorted(path.name for path in mapped if Path("/usr") in path.parents),
    }


def from_report(path: Path) -> dict[str, object]:
    """Counts and the names of what failed, from pytest's report."""
    cases = list(ET.parse(path).getroot().iter("testcase"))
    bad = sorted(
        {
            f"{c.get('classname')}::{c.get('name')}"
            for c in cases
            if c.find("failure") is not None or c.find("error") is not None
        }
    )
    skipped = sum(case.find("skipped") is not None for case in cases)
    return {"passed": len(cases) - skipped - len(bad), "failed": len(bad), "skipped": skipped, "names": bad}


def from_unittest(said: str) -> dict[str, object]:
    """Counts and the names of what failed, from what unittest says at its end."""
    total = int((re.findall(r"^Ran (\d+) tests? in", said, re.MULTILINE) or [0])[-1])
    ending = (re.findall(r"^(?:OK|FAILED)\b.*$", said, re.MULTILINE) or [""])[-1]
    number = {name: int(count) for name, count in re.findall(r"(\w[\w ]*)=(\d+)", ending)}
    bad = number.get("failures", 0) + number.get("errors", 0)
    names = sorted(set(re.findall(r"^(?:FAIL|ERROR): (.+)$", said, re.MULTILINE)))
    skipped = number.get("skipped", 0)
    return {"passed": total - bad - skipped, "failed": bad, "skipped": skipped, "names": names}


@contextmanager
def postgres(folder: Path) -> Iterator[dict[str, str]]:
    """A PostgreSQL server of our own on a socket in a folder, for psycopg2's tests."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"))
    folder.mkdir(parents=True)
    folder.parent.chmod(0o755)
    shutil.chown(folder, "postgres")
    data = folder / "data"

    def call(*words: str | Path) -> None:
        subprocess.run(
            ["runuser", "-u", "postgres", "--", *map(str, words)], check=True, cwd="/", stdout=subprocess.DEVNULL
        )

    call(programs / "initdb", "-D", data, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
    options = f"-k {folder} -c listen_addresses= -c max_prepared_transactions=10 -c fsync=off"
    call(programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start")
    try:
        call(programs / "createdb", "-h", folder, "psycopg2_test")
        yield {"PGHOST": str(folder), "PGUSER": "postgres"}
    finally:
        call(programs / "pg_ctl", "-D", data, "-m", "fast", "stop")


# --- the campaign


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """Where the campaign runs: its folder, this machine, and this machine without headers and without libraries."""

    folder: Path
    machine: Place
    no_headers: Place
    no_libraries: Place

    def build(self, project: Project, way: str) -> dict[str, object]:
        """Build a project in one of three ways, and look at its wheel."""
        here = self.folder / project.name
        source = unpack(download(project, self.folder / "sdists", self.machine), here / f"{way}-source")
        shutil.rmtree(here / way, ignore_errors=True)
        (here / way).mkdir()
        if way == "repaired":
            done = repair(next((here / "plain").glob("*.whl")), here / way, self.machine)
        elif way == "plain":
            done = build(source, here / way, self.machine)
        else:
            file = source / "pyproject.toml"
            file.write_text(adapted(file.read_text(encoding="utf-8"), project), encoding="utf-8")
            done = build(source, here / way, self.no_headers)
        wheels = list((here / way).glob("*.whl"))
        if not wheels:
            return {"error": done.said[-4000:], "cpu": done.cpu}
        return {"cpu": done.cpu, "wall": done.wall, **facts(wheels[0])}

    def test(self, project: Project, way: str) -> dict[str, object]:
        """Run a project's tests on the wheel that was built."""
        here = self.folder / project.name
        folder = here / f"{way}-tests"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        place = self.machine if way == "plain" else self.no_headers if project.keep else self.no_libraries
        return suite(project, next((here / f"{way}-source").iterdir()), next((here / way).glob("*.whl")), folder, place)


def prepare(folder: Path, scratch: Path, server: Mapping[str, str]) -> Site:
    """Make the channel, the wheel of mamba-press itself, and the machine without packages."""
    channel, names = folder / "channel", folder / "packages.json"
    if not names.exists():
        wanted = sorted({name for project in PROJECTS for name in project.host})
        names.write_text(json.dumps(debian.build_channel(channel, wanted, folder / "debian")), encoding="utf-8")
    packages = json.loads(names.read_text(encoding="utf-8"))
    own = scratch / "own"
    subprocess.run([_tool("uv"), "build", "-q", "--wheel", "-o", str(own), str(REPOSITORY)], check=True)
    headers = [name for name in packages if name.endswith("-dev")]
    environ = {
        **clean_environment(),
        **server,
        "UV_FIND_LINKS": str(own),
        "MAMBA_PRESS_CHANNELS": str(channel),
        "RATTLER_CACHE_DIR": str(folder / "rattler"),
        "LC_ALL": "C.UTF-8",
    }
    python = Path(sys.executable)
    return Site(
        folder=folder,
        machine=Place(environ),
        no_headers=Place(environ, debian.Machine(scratch / "no-headers", headers, python)),
        no_libraries=Place(environ, debian.Machine(scratch / "no-libraries", packages, python, r"\.so\b")),
    )


def rendered(results: Results) -> str:
    """The results as a Markdown table."""
    head = "| project | | tests passed, failed, skipped | tag | vendored | wheel | unpacked | CPU |"
    rows = (_row(name, way, result) for name, each in results.items() for way, result in each.items())
    return "\n".join((head, "|---" * 8 + "|", *rows))


def _row(name: str, way: str, result: Mapping[str, object]) -> str:
    if "error" in result:
        return f"| {name} | {way} | not built | | | | | |"
    tests = result["tests"]
    assert isinstance(tests, dict)
    assert isinstance(result["libraries"], dict)
    counts = f"{tests.get('passed')}, {tests.get('failed')}, {tests.get('skipped')}"
    sizes = " | ".join(f"{int(str(result[key])) / 1e6:.2f} MB" for key in ("size", "unpacked"))
    tag = str(result["tag"]).split("-", 2)[-1].split(".")[0]
    return f"| {name} | {way} | {counts} | {tag} | {len(result['libraries'])} | {sizes} | {result['cpu']} s |"


def main() -> None:
    """Run what is asked for, add it to what is there, and print all."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("names", nargs="*", default=[project.name for project in PROJECTS])
    options.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    options.add_argument("--tests-only", dest="build", action="store_false", help="test the wheels that are there")
    asked = options.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it, and so would the tests
    folder = asked.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=folder)))
        server = stack.enter_context(postgres(scratch / "postgres")) if "psycopg2" in asked.names else {}
        site = prepare(folder, scratch, server)
        for project in PROJECTS:
            for way in asked.ways if project.name in asked.names else ():
                result = site.build(project, way) if asked.build else stored(folder)[project.name][way]
                if "error" not in result:
                    result = {**result, "tests": site.test(project, way)}
                store(folder, project.name, way, result)
                print(_row(project.name, way, result), flush=True)
    results = stored(folder)
    print(rendered({project.name: results[project.name] for project in PROJECTS if project.name in results}))


def stored(folder: Path) -> Results:
    """The results that are there, by project and way."""
    path = folder / "projects.json"
    results: Results = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return results


def store(folder: Path, name: str, way: str, result: dict[str, object]) -> None:
    """Add a result to those that are there."""
    results = stored(folder)
    results.setdefault(name, {})[way] = result
    (folder / "projects.json").write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
