"""cibuildwheel's whole Linux flow without docker: ``python -m tests.campaigns.cibuildwheel FOLDER [--python 3.11 …]``.

All of cibuildwheel is the real one. What it takes for docker is a short shell script, and the container that this
starts is a root folder (chroot) in a mount namespace of its own: the machine's folders, seen from another root, with
Pythons in ``/opt/python`` as in the images of manylinux. Nothing of the machine changes. It needs Linux, root,
``unshare`` and ``gcc``; tools come from the package index. The project is ``test-projects/cython`` with the settings
that ``docs/how-to/cibuildwheel.md`` gives.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mamba_press.pipeline import requires
from tests.support import native, press
from tests.support.channel import python_abi, python_package, write_channel
from tests.support.environment import clean_environment, interpreter

PAGE = press.REPOSITORY / "docs" / "how-to" / "cibuildwheel.md"
CACHE = "/host/tmp/rattler-cache"
INSIDE = "--inside"

# What cibuildwheel calls of docker. A container has the variables of its image and those that --env names, no others.
DOCKER = """\
#!/bin/sh
cd "{folder}"
inside() {{
    . ./variables
    exec chroot root env -i HOME=/root PATH=/usr/local/bin:/usr/bin:/bin AUDITWHEEL_PLAT={image}_x86_64 \\
        AUDITWHEEL_ARCH=x86_64 AUDITWHEEL_POLICY={image} CIBUILDWHEEL="$CIBUILDWHEEL" "$@"
}}
case "$1" in
--version) echo "a chroot" ;;
version) echo '{{"Client": {{"ApiVersion": "1.50"}}, "Server": {{"ApiVersion": "1.50"}}}}' ;;
create) echo "CIBUILDWHEEL='$CIBUILDWHEEL'" > variables ;;
start) inside /bin/bash ;;
exec) shift 3; inside "$@" ;;
cp) cp -a "root${{2#*:}}" "$3" ;;
rm) ;;
*) exit 1 ;;
esac
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Flow:
    """Where all of it is, the versions of Python to build for, and the image whose promise the container makes."""

    folder: Path
    pythons: tuple[str, ...]
    image: str
    frontend: str
    worker: str | None = None

    @property
    def root(self) -> Path:
        """The root folder of the container."""
        return self.folder / "root"


def main(words: list[str]) -> int:
    """Empty the folder, prepare what a project finds on the internet, run cibuildwheel, and say what came of it."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--python", nargs="+", default=["3.11", "3.12"])
    arguments.add_argument("--image", default="manylinux_2_28")
    arguments.add_argument("--frontend", default="build")
    arguments.add_argument("--worker", help="the Python that solves for the others, as for free-threaded ones")
    arguments.add_argument(INSIDE, action="store_true", help="for this script itself: a mount namespace is there")
    asked = arguments.parse_args(words)
    folder = asked.folder.resolve()
    flow = Flow(
        folder=folder, pythons=tuple(asked.python), image=asked.image, frontend=asked.frontend, worker=asked.worker
    )
    if asked.inside:
        mount(flow)
        install_pythons(flow)
        return subprocess.run(["cibuildwheel"], check=False, cwd=folder / "project", env=variables(flow)).returncode
    shutil.rmtree(folder, ignore_errors=True)
    prepare(flow)
    again = ["unshare", "--mount", "--propagation", "private", sys.executable, "-m", "tests.campaigns.cibuildwheel"]
    done = subprocess.run([*again, *words, INSIDE], check=False, cwd=press.REPOSITORY)
    return done.returncode or tell(flow)


def prepare(flow: Flow) -> None:
    """Write the channel, the wheel of mamba-press, the project with the settings of the page, and what plays docker."""
    packages = native.native_packages(flow.folder / "compiled")
    packages += [
        made(version) for version in flow.pythons if version != press.HERE for made in (python_package, python_abi)
    ]
    write_channel(flow.root / "made" / "channel", packages)
    build = (sys.executable, "-m", "build", "--wheel", "--outdir", flow.root / "made" / "wheels", press.REPOSITORY)
    press.run(*build, cwd=flow.folder).ok()
    project = shutil.copytree(press.REPOSITORY / "test-projects" / "cython", flow.folder / "project")
    with (project / "pyproject.toml").open("a") as file:
        file.write("\n" + settings().replace(CACHE, f"/host{flow.folder}/cache"))
    docker = flow.folder / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER.format(folder=flow.folder, image=flow.image))
    docker.chmod(0o755)


def settings() -> str:
    """The settings that the page gives: its first block of TOML."""
    found = re.search(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    assert CACHE in found[1]
    return found[1]


def mount(flow: Flow) -> None:
    """Show the machine's folders below the container's root, but for those that a container has to itself."""
    own = {"host", "made", "mnt", "opt", "output", "project", "tmp"}
    for path in sorted(Path("/").iterdir()):
        if path.name in own:
            continue
        if path.is_symlink():  # /bin, /lib
            flow.root.joinpath(path.name).symlink_to(path.readlink())
        elif path.is_dir():
            bind(path, flow.root / path.name)
    bind(Path("/"), flow.root / "host")
    for path in Path("/opt").iterdir():  # a machine may keep its package index there
        bind(path, flow.root / "opt" / path.name)
    flow.root.joinpath("tmp").mkdir(mode=0o1777)


def bind(source: Path, place: Path) -> None:
    """Show a folder at another place too."""
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "--rbind", str(source), str(place)], check=True)


def install_pythons(flow: Flow) -> None:
    """Put environments where the images have their Pythons, with the tools that they have there."""
    for version in flow.pythons:
        tag = f"cp{version.replace('.', '')}"
        place = f"/opt/python/{tag}-{tag}"
        inside = ["chroot", str(flow.root)]
        subprocess.run([*inside, str(interpreter(version).resolve()), "-m", "venv", place], check=True)
        command = [*inside, f"{place}/bin/python", "-m", "pip", "install", "-qq", "--upgrade", "pip", "build", "uv"]
        subprocess.run(command, check=True, env=clean_environment())
        # cibuildwheel's own helper in the container, which no build sees.
        helper = flow.root / "opt/python/cp39-cp39"
        if not helper.is_symlink():
            helper.symlink_to(place)


def variables(flow: Flow) -> Mapping[str, str]:
    """What cibuildwheel is told beside the settings of the page: what here is not from the internet."""
    links = " ".join(filter(None, ("/made/wheels", os.environ.get("PIP_FIND_LINKS"))))
    passed = {name: os.environ["PIP_CERT"] for name in ("PIP_CERT", "SSL_CERT_FILE") if "PIP_CERT" in os.environ}
    passed |= {"MAMBA_PRESS_CHANNELS": "file:///made/channel", "PIP_FIND_LINKS": links, "UV_FIND_LINKS": "/made/wheels"}
    solves = {}
    if flow.worker:
        tag = f"cp{flow.worker.replace('.', '')}"
        passed["MAMBA_PRESS_WORKER"] = f"/opt/python/{tag}-{tag}/bin/python"
        solves["CIBW_BEFORE_ALL"] = f"{passed['MAMBA_PRESS_WORKER']} -m pip install '{requires.RATTLER}'"
    return {
        **clean_environment(),
        **solves,
        **passed,
        "PATH": os.pathsep.join((str(flow.folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"])),
        "CIBW_BUILD": " ".join(f"cp{version.replace('.', '')}-*" for version in flow.pythons),
        "CIBW_ENVIRONMENT_PASS_LINUX": " ".join(passed),
        "CIBW_BUILD_FRONTEND": flow.frontend,
        "CIBW_ARCHS": "x86_64",
    }


def tell(flow: Flow) -> int:
    """Print the wheels and their tags; return 1 where one is missing or its library is not in it."""
    wheels = sorted((flow.folder / "project" / "wheelhouse").glob("*.whl"))
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            libraries = [name for name in archive.namelist() if ".so" in name]
        print(f"{wheel.name} {wheel.stat().st_size:,} bytes: {', '.join(libraries)}")
    return 0 if len(wheels) == len(flow.pythons) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
