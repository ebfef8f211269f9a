"""Recipes in upstream's format: the three of its examples, and what they mean, on packages that are at hand."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import pytest

from mamba_press.config import pyproject_file
from tests.support.channel import CondaPackage, dist_info, python_abi, python_package, write_channel
from tests.support.compile import Linking, extension_module, module_source, shared_library
from tests.support.environment import environment
from tests.support.press import HERE, MACHINE, command, settings

pytestmark = pytest.mark.skipif(not MACHINE, reason="the made packages are for x86_64 Linux")

SITE = f"lib/python{HERE}/site-packages"

SHORT = """
version: 0
source:
  packages: [{name}=={of}]
  python: python=3.10
target:
  name: {name}
  platform: {{os: {os}, version: "{version}", arch: {arch}}}
"""

PINOCCHIO = f"""
version: 0
source:
  python: python={HERE}
  packages: [pinocchio==3.7.0, libcoal]
  constraints: [casadi==3.7.0]
target:
  name: pinocchio
  platform: {{os: manylinux, version: "2.36", arch: x86_64}}
build:
  filter:
    packages:
      - default
      - by-name: {{recursive: true, to-prune: [numpy, casadi, scipy]}}
    files:
      - default
      - unix-glob:
          exclude: true
          patterns:
            - "${{{{ site_packages }}}}/coal.dist-info"
            - "${{{{ site_packages }}}}/coal/*.py"
            - "${{{{ site_packages }}}}/eigenpy/*.py"
  transform:
    dynlib:
      add-rpaths: ["../casadi/libcasadi.so.3.7"]
      remove-rpaths: ["libpython*.so*"]
    path:
      - default
      - explicit:
          mapping:
            - {{from: coal, to: "${{{{ package_name }}}}/data/coal"}}
            - {{from: eigenpy, to: "${{{{ package_name }}}}/data/eigenpy"}}
"""


def python_part(name: str, module: Path | None, *depends: str, version: str = "3.7.0") -> CondaPackage:
    """A Python package with an extension module, or without."""
    files: dict[str, str | Path] = {f"{SITE}/{name}/__init__.py": f"NAME = '{name}'\n", f"{SITE}/{name}/data.txt": name}
    if module is not None:
        files[f"{SITE}/{name}/{module.name}"] = module
    files |= {f"{SITE}/{path}": text for path, text in dist_info(name, version).items()}
    return CondaPackage(name=name, version=version, depends=(f"python {HERE}.*", *depends), files=files)


@pytest.fixture(scope="module")
def casadi(tmp_path_factory):
    """The library that another wheel brings."""
    folder = tmp_path_factory.mktemp("casadi")
    return shared_library(
        folder / "libcasadi.so.3.7", "int casadi(void) { return 30; }", Linking(soname="libcasadi.so.3.7")
    )


@pytest.fixture(scope="module")
def robots(tmp_path_factory, casadi):
    """A channel like that of upstream's third example: pinocchio over coal, eigenpy, casadi and numpy."""
    folder = tmp_path_factory.mktemp("robots")
    coal = shared_library(folder / "libcoal.so", "int coal(void) { return 7; }", Linking(soname="libcoal.so"))
    extension = extension_module(
        folder,
        "pinocchio_pywrap",
        module_source("pinocchio_pywrap", "PyLong_FromLong(coal() + casadi())", "int coal(void); int casadi(void);"),
        Linking(needed=(coal, casadi), rpath="$ORIGIN/../../.."),
        python=Path(sys.executable),
    )
    binding = extension_module(
        folder,
        "coal_pywrap",
        module_source("coal_pywrap", "PyLong_FromLong(coal())", "int coal(void);"),
        Linking(needed=(coal,), rpath="$ORIGIN/../../.."),
        python=Path(sys.executable),
    )
    packages = [
        python_part("pinocchio", extension, "libcoal", "coal", "eigenpy", "casadi", "numpy", "scipy"),
        CondaPackage(
            name="libcoal", version="3.0", files={"lib/libcoal.so": coal, "include/coal.h": "int coal(void);"}
        ),
        python_part("coal", binding, "libcoal", "eigenpy"),
        python_part("eigenpy", None, "numpy"),
        CondaPackage(
            name="casadi",
            version="3.7.0",
            depends=(f"python {HERE}.*",),
            files={
                "lib/libcasadi.so.3.7": casadi,
                f"{SITE}/casadi/__init__.py": "",
                **{f"{SITE}/{path}": text for path, text in dist_info("casadi", "3.7.0").items()},
            },
        ),
        python_part("numpy", None, version="2.0"),
        python_part("scipy", None, "numpy", version="1.14"),
        python_package(HERE),
        python_abi(HERE),
    ]
    return write_channel(tmp_path_factory.mktemp("channel"), packages)


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(PINOCCHIO)
    return path


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_third_example_is_a_wheel_that_works_beside_the_one_that_brings_its_library(
    tmp_path, recipe, robots, casadi
):
    done = command("press", recipe, "-c", robots.url, "-o", tmp_path / "dist", cwd=tmp_path).ok()
    wheel = Path(done.out.strip())
    assert (
        wheel.name == f"pinocchio-3.7.0-cp{HERE.replace('.', '')}-cp{HERE.replace('.', '')}-manylinux_2_36_x86_64.whl"
    )
    inside = names(wheel)
    assert not any(name.endswith("libcasadi.so.3.7") or name.startswith(("numpy", "scipy", "coal/")) for name in inside)
    assert "pinocchio/_prefix/lib/libcoal.so" in inside
    assert any(name.startswith("pinocchio/data/coal/coal_pywrap") for name in inside)
    assert not any(name.startswith("pinocchio/data/") and name.endswith(".py") for name in inside)

    place = environment(tmp_path / "venv")
    place.install("--no-deps", wheel)
    site = Path(place.run("import sysconfig; print(sysconfig.get_path('platlib'))"))
    (site / "casadi").mkdir()
    (site / "casadi" / casadi.name).write_bytes(casadi.read_bytes())
    code = "from pinocchio import pinocchio_pywrap; print(pinocchio_pywrap.call())"
    assert place.run(code) == "37"
    mapped = place.libraries(code)
    assert site / "casadi" / casadi.name in mapped
    assert site / "pinocchio/_prefix/lib/libcoal.so" in mapped
    required = place.run("import importlib.metadata as m; print(sorted(m.requires('pinocchio')))")
    assert "casadi" in required
    assert "numpy" in required


def test_init_writes_the_project_that_presses_the_same_wheel(tmp_path, recipe, robots):
    command("press", recipe, "-c", robots.url, "-o", tmp_path / "dist", cwd=tmp_path).ok()
    command("init", "--from", recipe, "-o", tmp_path / "project", cwd=tmp_path).ok()
    written = pyproject_file.document(tmp_path / "project")
    assert written["project"]["name"] == "pinocchio"
    again = command(
        "press", tmp_path / "project", "-c", robots.url, "-o", tmp_path / "again", cwd=tmp_path, environ=settings()
    ).ok()
    [first] = (tmp_path / "dist").glob("*.whl")
    second = Path(again.out.strip())
    assert second.name == first.name
    payload = {name for name in names(first) if ".dist-info/" not in name}
    assert {name for name in names(second) if ".dist-info/" not in name} == payload


def test_init_does_not_write_over_a_project(tmp_path, recipe):
    (tmp_path / "pyproject.toml").write_text("# mine\n")
    done = command("init", "--from", recipe, cwd=tmp_path)
    assert done.code == 2
    assert "pyproject.toml: is there already" in done.err
    assert (tmp_path / "pyproject.toml").read_text() == "# mine\n"


def test_the_name_of_the_only_python_package_is_found_where_the_recipe_has_none(tmp_path, robots):
    path = tmp_path / "coal.yaml"
    path.write_text(f"""
version: 0
source: {{packages: [coal], python: python={HERE}}}
target: {{platform: {{os: manylinux, version: "2.36", arch: x86_64}}}}
build:
  filter: {{packages: [default, {{by-name: {{to-prune: [eigenpy, numpy]}}}}]}}
  transform:
    path: [default, {{explicit: {{mapping: [{{from: "${{{{ package_name }}}}/data/lib/libcoal.so",
                                             to: "${{{{ package_name }}}}/libcoal.so"}}]}}}}]
""")
    done = command("press", path, "-c", robots.url, "-o", tmp_path, cwd=tmp_path).ok()
    assert "coal/libcoal.so" in names(Path(done.out.strip()))


@pytest.mark.parametrize(
    ("name", "of", "os", "version", "arch"),
    [("libmambapy", "1.5.8", "manylinux", "2.28", "x86_64"), ("zstandard", "0.22.0", "macosx", "15.0", "arm64")],
)
@pytest.mark.real
def test_the_first_two_examples_with_what_is_at_hand_for_each_system(tmp_path, forge, name, of, os, version, arch):
    path = tmp_path / "recipe.yaml"
    path.write_text(SHORT.format(name=name, of=of, os=os, version=version, arch=arch))
    done = command("press", path, "-c", forge, "-o", tmp_path, cwd=tmp_path).ok()
    tag = f"{os}_{version.replace('.', '_')}_{arch}"
    assert Path(done.out.strip()).name == f"{name}-{of}-cp310-cp310-{tag}.whl"


@pytest.mark.real
def test_the_tag_that_the_first_example_asks_for_is_refused_where_it_is_not_true(tmp_path, forge):
    path = tmp_path / "recipe.yaml"
    path.write_text(SHORT.format(name="libmambapy", of="1.5.8", os="manylinux", version="2.17", arch="x86_64"))
    done = command("press", path, "-c", forge, "-o", tmp_path, cwd=tmp_path)
    assert done.code == 5
    assert "GLIBC_2.27" in done.err


def test_a_recipe_is_pressed_alone(tmp_path, recipe):
    done = command("press", recipe, "zlib", cwd=tmp_path)
    assert done.code == 2
    assert "recipe.yaml: is a recipe, which is pressed alone" in done.err
