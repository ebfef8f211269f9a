"""What wheels say of themselves, on made channels: requirements, dynamic fields, old packages."""

from __future__ import annotations

import json
import re
import threading
import zipfile
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.metadata import Metadata, parse_email

from tests.support import press
from tests.support.channel import Channel, CondaPackage, dist_info, python_abi, python_package, write_channel
from tests.support.environment import environment

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = press.HERE
SITE = f"lib/python{HERE}/site-packages"


def noarch(name: str, *depends: str, metadata: str = "", pypi: str = "", version: str = "1.0", **more) -> CondaPackage:
    """A noarch Python package with one module, which PyPI calls ``pypi``."""
    pypi = pypi or name
    files = {
        f"site-packages/{pypi.lower()}.py": f"VERSION = '{version}'\n",
        **{f"site-packages/{path}": text for path, text in dist_info(pypi, version, metadata=metadata).items()},
    }
    more = {"files": files, "depends": ("python >=3.8", *depends), **more}
    return CondaPackage(name=name, version=version, build="py_0", noarch="python", **more)


def channel(folder: Path, *packages: CondaPackage, **more) -> Channel:
    return write_channel(folder / "channel", [*packages, python_package(HERE), python_abi(HERE)], **more)


@pytest.fixture
def pressed(tmp_path):
    """Press with the command, or a project; returns METADATA's fields and what was said."""

    def pressed(source: Channel | str, *arguments: str, code: int = 0) -> tuple[dict, str]:
        address = source.url if isinstance(source, Channel) else source
        done = press.command(
            "press",
            *arguments,
            "-c",
            address,
            "--python",
            HERE,
            "-o",
            tmp_path / "dist",
            "--force",
            cwd=tmp_path,
            environ={"RATTLER_CACHE_DIR": str(tmp_path / "cache")},
        )
        assert done.code == code, done.err
        return (metadata(Path(done.out.strip())) if code == 0 else {}), done.err

    return pressed


def metadata(wheel: Path) -> dict:
    """The fields of METADATA, which is valid by packaging's own rules."""
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)]
        data = archive.read(name)
    Metadata.from_email(data, validate=True)
    fields, strange = parse_email(data)
    assert not strange
    return fields


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


# -- requirements


def test_a_dependency_that_the_channel_repaired_arrives_repaired(tmp_path, pressed):
    pkg = noarch("pkg", "six", record={"depends": ["python >=3.9", "six >=1.5,<2.0a0", "added >=3"]})
    found, _ = pressed(channel(tmp_path, pkg, noarch("six", version="1.9"), noarch("added", version="3.1")), "pkg")
    assert found["requires_dist"] == ["added>=3", "six<2,>=1.5"]
    assert found["requires_python"] == ">=3.9"


def test_names_and_requirements_of_several_packages_are_those_of_pypi(tmp_path, pressed):
    made = channel(
        tmp_path,
        noarch("pkg", "yaml-thing >=6", "other", metadata="Requires-Dist: other\nRequires-Dist: x; extra == 'e'\n"),
        noarch("yaml-thing", pypi="YAML.Thing", version="6.0"),
        noarch("other", "helper"),
        noarch("helper"),
    )
    found, _ = pressed(made, "pkg", "other", "--name", "pkg")
    assert sorted(found["requires_dist"]) == ["YAML.Thing>=6", "helper", 'x; extra == "e"']
    assert found["provides_extra"] == ["e"]


def test_a_name_that_nobody_knows_is_refused_and_can_be_given(tmp_path, pressed):
    made = channel(
        tmp_path, noarch("pkg", "odd-name >=2"), noarch("odd-name", version="2.0", files={"share/x": "no metadata"})
    )
    _, said = pressed(made, "pkg", code=2)
    assert "add it, or false for nothing:\n  -C requires.odd-name='odd-name >=2'" in said
    assert pressed(made, "pkg", "-C", "requires.odd-name=odd[e] >=2")[0]["requires_dist"] == ["odd[e]>=2"]
    assert "requires_dist" not in pressed(made, "pkg", "-C", "requires.odd-name=false")[0]


def test_an_archive_that_cannot_be_read_leaves_the_table(tmp_path, pressed):
    made = channel(tmp_path, noarch("pkg", "pytorch"), noarch("pytorch", archived=False))
    assert pressed(made, "pkg")[0]["requires_dist"] == ["torch"]


class Ranges(SimpleHTTPRequestHandler):
    """A server that answers requests for a range of bytes, and counts what it gives."""

    given: dict[str, int]

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        data, asked = path.read_bytes(), re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        start, end = 0, len(data)
        if asked:
            start = int(asked[1]) if asked[1] else max(0, end - int(asked[2]))
            end = min(end, int(asked[2]) + 1) if asked[1] and asked[2] else end
        self.given[path.name] = self.given.get(path.name, 0) + end - start
        self.send_response(206 if asked else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(end - start))
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(data)}")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[start:end])

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(root: Path) -> Iterator[tuple[str, dict[str, int]]]:
    handler = type("Counting", (Ranges,), {"given": {}})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(root))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", handler.given
        finally:
            server.shutdown()
            thread.join()


def test_what_stays_out_is_not_downloaded_to_learn_its_name(tmp_path, pressed):
    import random

    noise = random.Random(1).randbytes(8 << 20)
    big = noarch("big-thing", pypi="BigThing", version="2.0")
    big = CondaPackage(
        name="big-thing",
        version="2.0",
        build="py_0",
        noarch="python",
        depends=big.depends,
        files={**big.files, "site-packages/big.dat": noise},
    )
    made = channel(tmp_path, noarch("pkg", "big-thing >=2"), big)
    with served(made.root) as (address, given):
        found, _ = pressed(address, "pkg")
    assert found["requires_dist"] == ["BigThing>=2"]
    assert 0 < given["big-thing-2.0-py_0.conda"] < 1 << 20
    assert made.archives["big-thing"].stat().st_size > 8 << 20


def test_what_is_cached_is_not_asked_for_again(tmp_path, pressed):
    made = channel(tmp_path, noarch("pkg", "thing"), noarch("thing", pypi="The.Thing"))
    with served(made.root) as (address, given):
        pressed(address, "thing")
        before = given["thing-1.0-py_0.conda"]
        assert pressed(address, "pkg")[0]["requires_dist"] == ["The.Thing"]
        assert given["thing-1.0-py_0.conda"] == before
        assert pressed(address, "pkg", "--offline")[0]["requires_dist"] == ["The.Thing"]


def test_offline_what_is_not_cached_has_to_be_in_the_table(tmp_path, pressed):
    made = channel(tmp_path, noarch("pkg", "thing", "pytorch"), noarch("thing"), noarch("pytorch", pypi="torch"))
    with served(made.root) as (address, _):
        pressed(address, "pkg")
        _, said = pressed(address, "pkg", "--offline", code=2)
        assert "thing, on which pkg depends (it is neither in the package cache nor a file)" in said
        found, _ = pressed(address, "pkg", "--offline", "-C", "requires.thing=thing")
    assert found["requires_dist"] == ["torch", "thing"]


def test_the_installed_wheel_says_what_was_promised(tmp_path, pressed):
    own = "Requires-Dist: six>=1.5\nRequires-Dist: colorama; platform_system == 'Windows'\nProvides-Extra: e\n"
    own += "Requires-Dist: x<3; extra == 'e'\nRequires-Python: >=3.7\n"
    pressed(channel(tmp_path, noarch("pkg", "six <2", metadata=own), noarch("six", version="1.6")), "pkg")
    place = environment(tmp_path / "environment")
    place.install("--no-deps", next((tmp_path / "dist").glob("*.whl")))
    code = "import importlib.metadata as m, json; d = m.distribution('pkg');"
    code += "print(json.dumps([m.requires('pkg'), d.metadata['Requires-Python'], d.metadata.get_all('Provides-Extra'),"
    code += "m.packages_distributions()['pkg'] if hasattr(m, 'packages_distributions') else ['pkg']]))"
    assert json.loads(place.run(code)) == [
        ["six<2,>=1.5", 'colorama; platform_system == "Windows"', 'x<3; extra == "e"'],
        ">=3.8",
        ["e"],
        ["pkg"],
    ]


# -- projects


OWN = (
    "Summary: what it does\nHome-page: https://example.org/pkg\nProject-URL: Source, https://example.org/src\n"
    "Author: A. Nother\nAuthor-email: a@example.org\nKeywords: one,two\nClassifier: Topic :: Utilities\n"
    "Classifier: License :: OSI Approved :: MIT License\nRequires-Dist: six\nDescription-Content-Type: text/markdown\n"
    "\n# Long\n"
)


def write_project(folder: Path, source: Channel, table: str, more: str = "") -> Path:
    folder.mkdir()
    text = f'[project]\nname = "mine"\n{table}\n[tool.mamba-press]\nchannels = ["{source.url}"]\npackages = ["pkg"]\n'
    (folder / "pyproject.toml").write_text(f'{text}python = "{HERE}"\n{more}', "utf-8")
    return folder


def build(folder: Path, tmp_path: Path) -> tuple[dict, str]:
    environ = {"RATTLER_CACHE_DIR": str(tmp_path / "cache")}
    done = press.hook("build_wheel", tmp_path / "out", None, None, cwd=folder, environ=environ)
    return metadata(tmp_path / "out" / str(press.returned(done))), done.err


def test_static_fields_stand_as_written_and_what_they_lack_is_told(tmp_path):
    source = channel(tmp_path, noarch("pkg", "six", "other >=1", metadata=OWN), noarch("six"), noarch("other"))
    root = write_project(tmp_path / "p", source, 'version = "7"\ndependencies = ["six >=0.1"]\ndescription = "Mine."')
    found, said = build(root, tmp_path)
    assert found["requires_dist"] == ["six>=0.1"]
    assert found["summary"] == "Mine."
    assert "requires_python" not in found
    assert "author" not in found
    assert "the conda packages require what project.dependencies lacks: other>=1\n" in said


def test_dynamic_fields_come_from_the_pressed_package(tmp_path):
    dynamic = (
        '["version", "dependencies", "requires-python", "description", "readme", "urls", "keywords", "authors", '
        '"classifiers"]'
    )
    source = channel(tmp_path, noarch("pkg", "six >=1", metadata=OWN), noarch("six"))
    found, _ = build(write_project(tmp_path / "p", source, f"dynamic = {dynamic}"), tmp_path)
    assert found["version"] == "1.0"
    assert found["requires_dist"] == ["six>=1"]
    assert found["requires_python"] == ">=3.8"
    assert found["summary"] == "what it does"
    assert found["author_email"] == '"A. Nother" <a@example.org>'
    assert found["keywords"] == ["one", "two"]
    assert found["classifiers"] == ["Topic :: Utilities"]
    assert found["project_urls"] == {"Homepage": "https://example.org/pkg", "Source": "https://example.org/src"}
    assert found["description"].strip() == "# Long\n\nPressed from the conda package `pkg 1.0 py_0` by mamba-press."
    assert found["description_content_type"] == "text/markdown"


def test_the_recipe_speaks_where_the_package_says_nothing(tmp_path):
    about = {"summary": "by the recipe", "home": "https://example.org", "dev_url": ["https://example.org/dev", "x"]}
    plain = CondaPackage(name="pkg", version="1.0", noarch="generic", files={"share/x": "x"}, about=about)
    dynamic = 'dynamic = ["version", "description", "urls", "dependencies", "requires-python"]'
    found, _ = build(write_project(tmp_path / "p", channel(tmp_path, plain), dynamic), tmp_path)
    assert found["summary"] == "by the recipe"
    assert found["project_urls"] == {"Homepage": "https://example.org", "Source": "https://example.org/dev"}
    assert "requires_dist" not in found


def test_what_is_static_and_dynamic_is_added_to(tmp_path):
    source = channel(tmp_path, noarch("pkg", "six", metadata=OWN), noarch("six"))
    table = (
        'version = "7"\ndynamic = ["dependencies", "keywords"]\ndependencies = ["mine>=1"]\nkeywords = ["zero", "two"]'
    )
    found, _ = build(write_project(tmp_path / "p", source, table), tmp_path)
    assert found["requires_dist"] == ["mine>=1", "six"]
    assert found["keywords"] == ["zero", "two", "one"]


def test_extras_come_with_optional_dependencies_only(tmp_path):
    own = "Requires-Dist: x; extra == 'a' or extra == 'b'\nProvides-Extra: a\nProvides-Extra: b\n"
    source = channel(tmp_path, noarch("pkg", metadata=own))
    one = write_project(tmp_path / "one", source, 'version = "7"\ndynamic = ["dependencies"]')
    assert "requires_dist" not in build(one, tmp_path)[0]
    two = write_project(tmp_path / "two", source, 'version = "7"\ndynamic = ["dependencies", "optional-dependencies"]')
    found = build(two, tmp_path)[0]
    assert (found["requires_dist"], found["provides_extra"]) == (['x; extra == "a" or extra == "b"'], ["a", "b"])


def test_prepared_metadata_is_that_of_the_wheel(tmp_path):
    source = channel(tmp_path, noarch("pkg", "six", metadata=OWN), noarch("six"))
    root = write_project(tmp_path / "p", source, 'dynamic = ["version", "dependencies", "readme"]')
    environ = {"RATTLER_CACHE_DIR": str(tmp_path / "cache")}
    done = press.hook("prepare_metadata_for_build_wheel", tmp_path / "prepared", None, cwd=root, environ=environ)
    folder = tmp_path / "prepared" / str(press.returned(done))
    wheel = press.returned(press.hook("build_wheel", tmp_path / "out", None, folder, cwd=root, environ=environ))
    with zipfile.ZipFile(tmp_path / "out" / str(wheel)) as archive:
        assert archive.read("mine-1.0.dist-info/METADATA") == (folder / "METADATA").read_bytes()


def test_an_sdist_says_what_is_left_to_the_wheel(tmp_path):
    import tarfile

    source = channel(tmp_path, noarch("pkg", "six", metadata=OWN), noarch("six"))
    root = write_project(tmp_path / "p", source, 'dynamic = ["version", "dependencies", "readme"]')
    environ = {"RATTLER_CACHE_DIR": str(tmp_path / "cache")}
    done = press.hook("build_sdist", tmp_path / "out", None, cwd=root, environ=environ)
    with tarfile.open(tmp_path / "out" / str(press.returned(done))) as archive:
        data = archive.extractfile("mine-1.0/PKG-INFO").read()
    Metadata.from_email(data, validate=True)
    fields, _ = parse_email(data)
    assert fields["version"] == "1.0"
    wanted = {"requires-dist", "description", "description-content-type", "license-file"}
    assert {field.lower() for field in fields["dynamic"]} == wanted


# -- old packages


HEAD = "Metadata-Version: 1.1\nName: {}\nVersion: 1.0\nSummary: old\nHome-page: UNKNOWN\nDescription: UNKNOWN\n"


def old_package(**info) -> CondaPackage:
    """What conda-build made of `setup.py install` long ago."""
    return CondaPackage(
        name="old",
        version="1.0",
        build=f"py{HERE.replace('.', '')}_0",
        depends=(f"python {HERE}.*", "six"),
        files={
            f"{SITE}/old/__init__.py": "VERSION = '1.0'\n",
            f"{SITE}/older.py": "",
            f"{SITE}/old-1.0-py{HERE}.egg-info/PKG-INFO": HEAD.format("Old"),
            f"{SITE}/old-1.0-py{HERE}.egg-info/requires.txt": "six>=1.5\n\n[fast:python_version>'3']\ncython\n",
            f"{SITE}/old-1.0-py{HERE}.egg-info/SOURCES.txt": "setup.py\n",
            f"{SITE}/old-1.0-py{HERE}.egg-info/top_level.txt": "old\n",
            f"{SITE}/old-1.0-py{HERE}.egg-info/entry_points.txt": "[console_scripts]\nold = old:main\n",
            f"{SITE}/older-1.0-py{HERE}.egg-info": HEAD.format("older"),
            f"{SITE}/easy-install.pth": "./old-1.0.egg\n",
            f"{SITE}/old.egg-link": "/build/old\n",
            f"{SITE}/old-nspkg.pth": "import sys\n",
        },
        info={"paths.json": None, "about.json": None, **info},
        license_files={},
    )


@pytest.mark.parametrize("extension", [".tar.bz2", ".conda"])
def test_an_old_package_becomes_a_wheel_of_today(tmp_path, pressed, extension):
    made = channel(tmp_path, old_package(), noarch("six", version="1.9"), extension=extension)
    found, said = pressed(made, "old")
    assert found["name"] == "Old"
    assert found["requires_dist"] == ["six>=1.5", 'cython; python_version > "3" and extra == "fast"']
    assert found["provides_extra"] == ["fast"]
    assert found["summary"] == "old"
    assert "UNKNOWN" not in str(found)
    [wheel] = (tmp_path / "dist").glob("*.whl")
    inside = [name for name in names(wheel) if ".dist-info/" not in name]
    assert inside == ["old-nspkg.pth", "old/__init__.py", "older.py"]
    assert "read at every start of Python: old-nspkg.pth (old)" in said
    with zipfile.ZipFile(wheel) as archive:
        assert b"old = old:main" in archive.read("old-1.0.dist-info/entry_points.txt")


def test_the_name_of_an_old_archive_is_read_from_its_list_of_files(tmp_path, pressed):
    thing = noarch("thing", pypi="The.Thing", version="2.0", info={"paths.json": None})
    found, _ = pressed(channel(tmp_path, noarch("pkg", "thing >=2"), thing, extension=".tar.bz2"), "pkg")
    assert found["requires_dist"] == ["The.Thing>=2"]


def test_an_egg_becomes_an_ordinary_package(tmp_path, pressed):
    egg = f"{SITE}/Odd-1.0-py{HERE}.egg"
    files = {
        f"{egg}/odd/__init__.py": "",
        f"{egg}/EGG-INFO/PKG-INFO": HEAD.format("Odd"),
        f"{egg}/EGG-INFO/requires.txt": "six\n",
        f"{egg}/EGG-INFO/entry_points.txt": "[console_scripts]\nodd = odd:main\n",
        f"{egg}/EGG-INFO/scripts/odd": "#!python\n",
        f"{SITE}/easy-install.pth": f"./Odd-1.0-py{HERE}.egg\n",
        f"{SITE}/site.py": "",
        f"{SITE}/zipped-1.0.egg": b"PK",
    }
    odd = CondaPackage(name="odd", version="1.0", depends=(f"python {HERE}.*", "six"), files=files)
    found, said = pressed(channel(tmp_path, odd, noarch("six", version="1.9")), "odd")
    assert (found["name"], found["requires_dist"]) == ("Odd", ["six"])
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    assert [name for name in names(wheel) if ".dist-info/" not in name] == ["odd/__init__.py", "zipped-1.0.egg"]
    assert "zipped eggs cannot be imported: zipped-1.0.egg (odd)" in said
    place = environment(tmp_path / "environment")
    place.install("--no-deps", wheel)
    assert place.run("import odd; from importlib.metadata import entry_points as e; print('odd' in str(e()))") == "True"


def test_two_python_packages_of_one_conda_package_are_one_wheel(tmp_path, pressed):
    first, second = noarch("pair", metadata="Requires-Dist: six\nRequires-Dist: twin==1.0\n"), noarch("twin")
    both = CondaPackage(
        name="pair",
        version="1.0",
        build="py_0",
        noarch="python",
        depends=("python", "six"),
        files={**first.files, **second.files},
    )
    found, _ = pressed(channel(tmp_path, both, noarch("six")), "pair")
    assert (found["name"], found["requires_dist"]) == ("pair", ["six"])
    place = environment(tmp_path / "environment")
    place.install("--no-deps", next((tmp_path / "dist").glob("*.whl")))
    assert place.run("import pair, twin; print(pair.VERSION, twin.VERSION)") == "1.0 1.0"


def test_data_for_every_platform_needs_no_python(tmp_path, pressed):
    data = CondaPackage(name="fonts", version="3.0", noarch="generic", files={"share/fonts/a.ttf": b"\0ttf"})
    found, _ = pressed(channel(tmp_path, data), "fonts")
    assert "requires_dist" not in found
    assert "requires_python" not in found
    assert [path.name for path in (tmp_path / "dist").iterdir()] == ["fonts-3.0-py3-none-any.whl"]


PROVIDED = """\
[build-system]
requires = ["mamba-press"]
build-backend = "mamba_press.build"
[project]
name = "pkg"
dynamic = ["version", "description", "dependencies", "scripts"]
[tool.mamba-press]
channels = ["{channel}"]
packages = ["pkg"]
python = "{here}"
[[tool.dynamic-metadata]]
provider = {{ path = "tools", module = "told" }}
"""
PROVIDER = """\
def dynamic_metadata(settings, project):
    return {"scripts": {"told": "pkg:main"}, "description": "for " + project["version"]}
def get_requires_for_dynamic_metadata(settings):
    return ["a-tool >=2"]
"""


@pytest.fixture
def provided(tmp_path):
    made = channel(tmp_path, noarch("pkg", "six"), noarch("six", version="1.9"))
    root = tmp_path / "provided"
    root.joinpath("tools").mkdir(parents=True)
    root.joinpath("tools/told.py").write_text(PROVIDER)
    root.joinpath("pyproject.toml").write_text(PROVIDED.format(channel=made.root, here=HERE))
    return root


def test_providers_give_what_conda_does_not_and_say_what_they_need(provided, tmp_path):
    assert "a-tool >=2" in press.returned(press.hook("get_requires_for_build_wheel", cwd=provided))
    press.returned(press.hook("build_wheel", tmp_path / "dist", cwd=provided))
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    found = metadata(wheel)
    assert (found["version"], found["summary"], found["requires_dist"]) == ("1.0", "for 1.0", ["six"])
    with zipfile.ZipFile(wheel) as archive:
        assert b"told = pkg:main" in archive.read("pkg-1.0.dist-info/entry_points.txt")


def test_an_sdist_freezes_what_providers_gave_and_a_wheel_of_it_agrees(provided, tmp_path):
    dist = tmp_path / "dist"
    name = press.returned(press.hook("build_sdist", dist, cwd=provided))
    folder = press.unpacked(dist / name, tmp_path / "unpacked")
    stated, _ = parse_email(folder.joinpath("PKG-INFO").read_bytes())
    assert stated["summary"] == "for 1.0"
    assert stated["dynamic"] == ["License-File", "Requires-Dist"]
    press.returned(press.hook("build_wheel", dist, cwd=folder))
    built = metadata(next(dist.glob("*.whl")))
    for field, value in stated.items():
        if field not in ("metadata_version", "dynamic"):
            assert built[field] == value, field


def test_a_provider_that_excludes_every_python_that_the_tags_are_for_is_told_of(provided, tmp_path):
    text = provided.joinpath("pyproject.toml").read_text().replace('"scripts"]', '"scripts", "requires-python"]')
    provided.joinpath("pyproject.toml").write_text(text)
    provided.joinpath("tools/told.py").write_text(PROVIDER.replace("return {", 'return {"requires-python": "<3", ', 1))
    done = press.command("list", provided, cwd=tmp_path)
    assert done.code == 5
    assert done.err.endswith(
        "mamba-press: the packages cannot be pressed\n"
        "- project.requires-python: Requires-Python: <3 allows no Python that py3-none is for\n"
        f"  tool.mamba-press.python presses for {HERE}: name one that is allowed\n"
    )


def test_the_command_runs_providers_in_the_projects_folder(provided, tmp_path):
    provided.joinpath("tools/told.py").write_text(PROVIDER + "open('pyproject.toml').close()\n")
    done = press.command("press", provided, "-o", tmp_path / "dist", cwd=tmp_path).ok()
    assert metadata(Path(tmp_path, done.out.strip()))["summary"] == "for 1.0"
    provided.joinpath("tools/told.py").write_text("raise ValueError('not today')\n")
    done = press.command("press", provided, "-o", tmp_path / "dist", cwd=tmp_path)
    assert done.code == 2
    assert "tool.dynamic-metadata, entry 1: ValueError: not today\n  raised in" in done.err


def test_a_project_of_own_code_only_takes_its_version_from_a_provider(tmp_path):
    root = tmp_path / "own"
    (root / "own").mkdir(parents=True)
    root.joinpath("own/__init__.py").write_text('__version__ = "4.5"\n')
    text = '[project]\nname = "own"\ndynamic = ["version"]\n[tool.mamba-press]\n[[tool.dynamic-metadata]]\n'
    text += 'provider = "dynamic_metadata.regex"\nfield = "version"\ninput = "own/__init__.py"\n'
    root.joinpath("pyproject.toml").write_text(text)
    press.returned(press.hook("build_wheel", tmp_path / "dist", cwd=root))
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    assert metadata(wheel)["version"] == "4.5"


# -- several packages, and odd ones


def test_two_packages_in_one_wheel_keep_their_entry_points_and_licences(tmp_path, pressed):
    def tool(name: str, licence: str) -> CondaPackage:
        points = {f"site-packages/{name}-1.0.dist-info/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n"}
        points |= {f"site-packages/{name}-1.0.dist-info/licenses/COPYING": licence}
        made = noarch(name, "python >=3.8")
        return replace(made, files={**made.files, **points}, license_files={"LICENSE": f"of {name}\n"})

    pressed(channel(tmp_path, tool("one", "first\n"), tool("two", "second\n")), "one", "two", "--name", "one")
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    inside = names(wheel)
    assert [name for name in inside if name.endswith(".dist-info/METADATA")] == ["one-1.0.dist-info/METADATA"]
    with zipfile.ZipFile(wheel) as archive:
        points = archive.read("one-1.0.dist-info/entry_points.txt").decode()
        texts = {name: archive.read(name).decode() for name in inside if "/licenses/" in name}
    assert points == "[console_scripts]\none = one:main\ntwo = two:main\n"
    assert {path.partition("/licenses/")[2]: text for path, text in texts.items()} == {
        "one/LICENSE": "of one\n",
        "one/COPYING": "first\n",
        "two/LICENSE": "of two\n",
        "two/COPYING": "second\n",
    }
    assert {"one.py", "two.py"} <= set(inside)


def test_two_packages_that_claim_one_entry_point_or_one_file_are_refused(tmp_path, pressed):
    def tool(name: str, target: str, **files: str) -> CondaPackage:
        made = noarch(name)
        points = {f"site-packages/{name}-1.0.dist-info/entry_points.txt": f"[console_scripts]\nrun = {target}\n"}
        return replace(made, files={**made.files, **points, **files})

    _, said = pressed(
        channel(tmp_path, tool("one", "one:main"), tool("two", "two:main")), "one", "two", "--name", "x", code=5
    )
    assert "entry point [console_scripts]: 'run' is 'one:main' in one and 'two:main' in two" in said
    both = {"site-packages/shared.py": "1\n"}
    other = {"site-packages/shared.py": "2\n"}
    made = channel(tmp_path / "files", tool("one", "x:y", **both), tool("two", "x:y", **other))
    _, said = pressed(made, "one", "two", "--name", "x", code=5)
    assert "2 different files would lie here, of one and of two" in said


def test_entry_points_of_link_json_become_scripts_where_there_is_no_other_word(tmp_path, pressed):
    made = replace(noarch("pkg"), entry_points=("pkg-run = pkg:main",))
    pressed(channel(tmp_path, made), "pkg")
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("pkg-1.0.dist-info/entry_points.txt") == b"[console_scripts]\npkg-run = pkg:main\n"


def test_menus_and_what_conda_keeps_for_itself_leave(tmp_path, pressed):
    made = noarch("pkg")
    more = {
        "Menu/pkg.json": "{}",
        "Menu/pkg.ico": "x",
        "etc/conda/activate.d/pkg.sh": "export PKG_DATA=$CONDA_PREFIX\n",
    }
    _, said = pressed(channel(tmp_path, replace(made, files={**made.files, **more})), "pkg")
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    assert [name for name in names(wheel) if ".dist-info/" not in name] == ["pkg.py"]
    assert "pkg: an activated conda environment sets PKG_DATA; importing the wheel does not" in said


def test_site_packages_lie_where_the_record_of_python_says(tmp_path, pressed):
    python = python_package(HERE)
    odd = replace(python, site_packages=f"lib/python{HERE}t/site-packages")
    made = write_channel(tmp_path / "channel", [noarch("pkg"), odd, python_abi(HERE)])
    pressed(made, "pkg")
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    assert [name for name in names(wheel) if ".dist-info/" not in name] == ["pkg.py"]
