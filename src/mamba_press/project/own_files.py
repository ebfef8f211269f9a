"""The project's own code as one more package of the environment, in the places where conda would have installed it.

So all that is done to conda packages is done to own code too: it is followed, laid out, linked and tagged. What is said
of conda packages, such as their licences, is not said of it: where that matters, `types.OWN` tells it apart.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace

from mamba_press import platforms
from mamba_press.types import OWN, Environment, File, OwnFile, OwnFiles, Package, Spec, Target

_SCHEMES = (
    ("platlib", re.compile(r"(?:lib/python3\.\d+t?|Lib)/site-packages/(.+)")),
    ("scripts", re.compile(r"(?:bin|Scripts)/(.+)")),
    ("headers", re.compile(r"(?:include/python3\.\d+t?|Include)/[^/]+/(.+)")),
)
_STABLE = re.compile(r"cp3(\d+)-[\w.]*abi3[\w.]*-.+")


def install(own: OwnFiles, environment: Environment, target: Target, *, name: str) -> Environment:
    """Return the environment with the files of a project called ``name`` as those of the requested package `OWN`.

    A file that a conda package has too, the same to the last byte, is the project's.
    """
    if not own.files:
        return environment
    files = [_file(file, target, name) for file in own.files]
    mine = {(file.path, file.sha256) for file in files}
    theirs = [file for file in environment.files if (file.path, file.sha256) not in mine]
    return replace(
        environment,
        files=tuple(sorted((*theirs, *files), key=lambda file: (file.path, file.package))),
        packages=(*environment.packages, _package(own)),
    )


def place(path: str, stem: str) -> str:
    """Return where a file of own code, given by its path in the environment, lies in the wheel."""
    for scheme, pattern in _SCHEMES:
        found = pattern.fullmatch(path)
        if found:
            return found[1] if scheme == "platlib" else f"{stem}.data/{scheme}/{found[1]}"
    return f"{stem}.data/data/{path}"


def _file(file: OwnFile, target: Target, name: str) -> File:
    data = file.source.read_bytes()
    # Where conda's Python of the target has the folder of the scheme.
    folder = platforms.facts(target).folders.get(file.scheme, "").format(python=target.python, name=name)
    return File(
        path=folder + file.path,
        source=file.source,
        package=OWN,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        executable=file.executable,
    )


def _package(own: OwnFiles) -> Package:
    """Return the record of own code, which states the oldest Python that its wheel was tagged for by who built it."""
    oldest = min((int(found[1]) for tag in own.tags if (found := _STABLE.fullmatch(tag))), default=None)
    spec = Spec(text=f"cpython >=3.{oldest}", name="cpython", version=f">=3.{oldest}")
    return Package(
        name=OWN,
        version="",
        subdir="noarch",
        noarch=None if oldest is None else "generic",  # else `tags` takes it for made for one Python
        depends=() if oldest is None else (spec,),
        requested=True,
    )
