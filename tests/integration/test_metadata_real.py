"""The metadata of real conda-forge packages beside that of PyPI's own wheels of the same versions."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.metadata import Metadata, parse_email
from packaging.requirements import Requirement

from tests.support.environment import clean_environment, environment, interpreter

pytestmark = pytest.mark.real


@dataclass(frozen=True, kw_only=True)
class Twin:
    """What METADATA of PyPI's wheel says, and how the pressed one's Requires-Python differs, if it does.

    Of conda's record it takes what narrows: a channel knows which Pythons it has tried.
    """

    requires: tuple[str, ...]
    extras: tuple[str, ...] = ()
    python: str
    pressed_python: str = ""
    notes: tuple[str, ...] = ()


TWINS = {
    "click": Twin(
        requires=('colorama ; platform_system == "Windows"', 'importlib-metadata ; python_version < "3.8"'),
        python=">=3.7",
        pressed_python=">=3.8",  # the record says: python >=3.8
    ),
    "pydantic": Twin(
        requires=(
            "annotated-types>=0.4.0",
            "pydantic-core==2.18.4",
            "typing-extensions>=4.6.1",
            "email-validator>=2.0.0; extra == 'email'",
        ),
        extras=("email",),
        python=">=3.8",
    ),
    "python-dateutil": Twin(
        requires=("six (>=1.5)",),
        python="!=3.0.*,!=3.1.*,!=3.2.*,>=2.7",
        pressed_python=">=3.6",  # the record says: python >=3.6
    ),
    "requests": Twin(
        requires=(
            "charset-normalizer (<4,>=2)",
            "idna (<4,>=2.5)",
            "urllib3 (<3,>=1.21.1)",
            "certifi (>=2017.4.17)",
            "PySocks (!=1.5.7,>=1.5.6) ; extra == 'socks'",
            "chardet (<6,>=3.0.2) ; extra == 'use_chardet_on_py3'",
        ),
        extras=("security", "socks", "use-chardet-on-py3"),
        python=">=3.7",
    ),
    "tqdm": Twin(
        requires=(
            'colorama ; platform_system == "Windows"',
            "pytest >=6 ; extra == 'dev'",
            "pytest-cov ; extra == 'dev'",
            "pytest-timeout ; extra == 'dev'",
            "pytest-xdist ; extra == 'dev'",
            "ipywidgets >=6 ; extra == 'notebook'",
            "slack-sdk ; extra == 'slack'",
            "requests ; extra == 'telegram'",
        ),
        extras=("dev", "notebook", "slack", "telegram"),
        python=">=3.7",
        # a record has no words for a platform: it requires colorama always
        notes=("the channel's tqdm requires colorama always",),
    ),
    "urllib3": Twin(
        requires=(
            "brotli>=1.0.9; (platform_python_implementation == 'CPython') and extra == 'brotli'",
            "brotlicffi>=0.8.0; (platform_python_implementation != 'CPython') and extra == 'brotli'",
            "h2<5,>=4; extra == 'h2'",
            "pysocks!=1.5.7,<2.0,>=1.5.6; extra == 'socks'",
            "zstandard>=0.18.0; extra == 'zstd'",
        ),
        extras=("brotli", "h2", "socks", "zstd"),
        python=">=3.8",
        # conda knows no extras: the feedstock chose to require two of them always
        notes=("the channel's urllib3 requires Brotli>=1.0.9 always", "the channel's urllib3 requires PySocks"),
    ),
    "zstandard": Twin(
        requires=('cffi >=1.11 ; platform_python_implementation == "PyPy"', "cffi >=1.11 ; extra == 'cffi'"),
        extras=("cffi",),
        python=">=3.8",
        notes=("the channel's zstandard requires cffi>=1.11 always",),
    ),
}


@pytest.fixture(scope="session")
def press(forge, tmp_path_factory):
    """Press specs; returns the wheel and what was said. Each is pressed once."""
    cache, made = tmp_path_factory.mktemp("cache"), {}

    def press(*specs: str) -> tuple[Path, str]:
        if specs not in made:
            folder = tmp_path_factory.mktemp("dist")
            command = [sys.executable, "-m", "mamba_press", "press", *specs, "-c", str(forge), "--python", "3.10"]
            environ = clean_environment() | {"RATTLER_CACHE_DIR": str(cache)}
            done = subprocess.run(
                [*command, "-o", str(folder)], check=False, capture_output=True, text=True, env=environ
            )
            assert done.returncode == 0, done.stderr
            made[specs] = Path(done.stdout.strip()), done.stderr
        return made[specs]

    return press


def metadata(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)]
        return archive.read(name)


def normalised(line: str) -> str:
    """A requirement in one spelling, the name as names are compared."""
    requirement = Requirement(line)
    requirement.name = re.sub(r"[-_.]+", "-", requirement.name).lower()
    return str(requirement)


@pytest.mark.parametrize("name", TWINS)
def test_requirements_are_those_of_the_wheel_on_pypi(name, press):
    twin = TWINS[name]
    wheel, said = press(name)
    fields, strange = parse_email(metadata(wheel))
    assert not strange
    assert [normalised(line) for line in fields["requires_dist"]] == [normalised(line) for line in twin.requires]
    assert fields.get("provides_extra", []) == list(twin.extras)
    assert fields["requires_python"] == (twin.pressed_python or twin.python)
    assert [note for note in twin.notes if note not in said] == []
    assert said.count("the wheel keeps the condition") == len(twin.notes)


# fmt: off
PYTHON_PACKAGES = [
    "annotated-types", "archspec", "boltons", "brotli-python", "certifi", "cffi", "charset-normalizer",
    "click", "colorama", "idna", "libmambapy", "menuinst", "pip", "pycosat", "pycparser", "pydantic",
    "pydantic-core", "pysocks", "python-dateutil", "pyyaml", "requests", "ruamel.yaml 0.18.*",
    "ruamel.yaml.clib", "setuptools", "six", "tqdm", "typing_extensions", "urllib3", "wheel", "zstandard",
]
# fmt: on


@pytest.mark.parametrize("name", PYTHON_PACKAGES)
def test_metadata_of_every_python_package_is_valid(name, press):
    data = metadata(press(name)[0])
    found = Metadata.from_email(data, validate=True)
    assert tuple(map(int, found.metadata_version.split("."))) <= (2, 5)
    assert found.summary


def test_what_pypi_checks_is_well(press):
    wheels = [press(name)[0] for name in PYTHON_PACKAGES]
    command = [sys.executable, "-m", "twine", "check", "--strict", *map(str, wheels)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=clean_environment())
    assert done.returncode == 0, done.stdout


def test_a_package_without_files_is_pressed_as_the_one_that_it_stands_for(press):
    path, said = press("typing-extensions")
    with zipfile.ZipFile(path) as archive:
        assert "typing_extensions.py" in archive.namelist()
    fields, _ = parse_email(metadata(path))
    assert (fields["name"], fields.get("requires_dist")) == ("typing_extensions", None)
    assert fields["summary"] == "Backported and Experimental Type Hints for Python 3.8+"
    assert "no file of typing-extensions is in the wheel: it has no files" in said


def test_packages_pressed_together_require_what_is_left(press):
    fields, _ = parse_email(metadata(press("pydantic", "pydantic-core", "annotated-types", "--name", "pydantic")[0]))
    assert fields["requires_dist"] == [
        'typing-extensions>=4.0.0; python_version < "3.9"',
        "typing-extensions!=4.7.0,>=4.6.1",
        'email-validator>=2.0.0; extra == "email"',
    ]


def test_an_installer_brings_what_the_wheel_requires(press, tmp_path):
    place = environment(tmp_path / "environment", interpreter("3.10"))
    place.install(press("requests")[0])
    code = "import json, importlib.metadata as m, requests; d = m.distribution('requests');"
    code += "print(json.dumps([requests.__version__, d.version, m.requires('requests'), d.read_text('WHEEL')[:18]]))"
    version, stated, requires, wheel = json.loads(place.run(code))
    assert version == stated == "2.31.0"
    assert wheel == "Wheel-Version: 1.0"
    assert [normalised(line) for line in requires] == [normalised(line) for line in TWINS["requests"].requires]
    assert place.run("import urllib3, idna, certifi, charset_normalizer; print('there')") == "there"
