"""A project's own code is what hatchling and uv_build take it for: the same trees, built by all three."""

from __future__ import annotations

import json
import os
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support import press

CALL = """\
import importlib, json, sys
backend, folder = sys.argv[1:]
print(json.dumps(importlib.import_module(backend).build_wheel(folder)))
"""


@dataclass(frozen=True, kw_only=True)
class Tree:
    """A project's files, and what the tables of each backend have to say; None where a backend has no word for it."""

    name: str = "My.Tool-kit"
    paths: tuple[str, ...]
    ours: str = ""
    hatchling: str | None = ""
    uv: str | None = ""
    files: dict[str, str] = field(default_factory=dict)


AROUND = ("tests/test_x.py", "docs/conf.py", "setup.cfg", "README.md", "other/__init__.py")
PACKAGE = ("__init__.py", "part.py", "py.typed", "data/x.csv", "data/deep/y.txt", "sub/__init__.py", "_native.pyi")
TREES = {
    "src": Tree(paths=(*(f"src/my_tool_kit/{path}" for path in PACKAGE), *AROUND)),
    "flat": Tree(
        paths=(*(f"my_tool_kit/{path}" for path in PACKAGE), *AROUND),
        uv='[tool.uv.build-backend]\nmodule-root = ""\n',
    ),
    "what is compiled": Tree(
        paths=("src/my_tool_kit/__init__.py", "src/my_tool_kit/__pycache__/a.cpython-311.pyc", "src/my_tool_kit/a.pyc")
    ),
    "what git ignores": Tree(
        paths=("src/my_tool_kit/__init__.py", "src/my_tool_kit/_made.py", "src/my_tool_kit/built/x.py"),
        files={".gitignore": "_made.py\nbuilt/\n"},
        uv=None,  # it does not look at .gitignore
    ),
    "what git ignores and is wanted": Tree(
        paths=("src/my_tool_kit/__init__.py", "src/my_tool_kit/_made.py"),
        files={".gitignore": "_made.py\n"},
        ours='[tool.mamba-press.sources]\ninclude = ["src/my_tool_kit/_made.py"]\n',
        hatchling='[tool.hatch.build]\nartifacts = ["src/my_tool_kit/_made.py"]\n',
    ),
    "single module": Tree(paths=("my_tool_kit.py", *AROUND), uv=None),  # it knows packages only
    "part of a namespace": Tree(
        paths=("src/space/kit/__init__.py", "src/space/kit/x.py", "src/space/other/__init__.py"),
        ours='[tool.mamba-press.sources]\nmodules = ["space.kit"]\n',
        hatchling='[tool.hatch.build.targets.wheel]\nonly-include = ["src/space/kit"]\nsources = ["src"]\n',
        uv='[tool.uv.build-backend]\nmodule-name = "space.kit"\n',
    ),
    "stubs": Tree(
        name="tool-stubs",
        paths=("src/tool-stubs/__init__.pyi", "src/tool-stubs/part.pyi"),
        hatchling=None,  # it wants to be told
    ),
    "two packages": Tree(
        paths=("src/one/__init__.py", "src/two/__init__.py", "src/three/__init__.py"),
        ours='[tool.mamba-press.sources]\nmodules = ["one", "two"]\n',
        hatchling='[tool.hatch.build.targets.wheel]\npackages = ["src/one", "src/two"]\n',
        uv='[tool.uv.build-backend]\nmodule-name = ["one", "two"]\n',
    ),
    "exclude": Tree(
        paths=("src/my_tool_kit/__init__.py", "src/my_tool_kit/tests/x.py", "src/my_tool_kit/a.c"),
        ours='[tool.mamba-press.sources]\nexclude = ["src/my_tool_kit/tests/**", "**/*.c"]\n',
        hatchling='[tool.hatch.build]\nexclude = ["src/my_tool_kit/tests", "*.c"]\n',
        uv='[tool.uv.build-backend]\nwheel-exclude = ["src/my_tool_kit/tests/**", "**/*.c"]\n',
    ),
}


def payload(root: Path, backend: str, table: str, folder: Path, name: str) -> set[str]:
    """What is in the wheel that a backend makes, but for its metadata."""
    head = f'[build-system]\nrequires = []\nbuild-backend = "{backend}"\n\n'
    text = f'{head}[project]\nname = "{name}"\nversion = "1"\n\n[tool.mamba-press]\n{table}'
    folder.mkdir()
    (root / "pyproject.toml").write_text(text)
    # uv_build is a program beside the interpreter of the environment that it is installed into
    scripts = [Path(path).parents[2] / "bin" for path in sys.path if path.endswith("site-packages")]
    environ = {"PATH": os.pathsep.join([*map(str, scripts), os.environ["PATH"]])}
    done = press.run(sys.executable, "-c", CALL, backend, folder, cwd=root, environ=environ).ok()
    with zipfile.ZipFile(folder / json.loads(done.out.splitlines()[-1])) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name and not name.endswith("/")}


BACKENDS = {"hatchling": "hatchling.build", "uv": "uv_build"}
CASES = {
    f"{title} as {other}": (tree, BACKENDS[other], table)
    for title, tree in TREES.items()
    for other in BACKENDS
    if (table := getattr(tree, other)) is not None
}


@pytest.mark.parametrize(("tree", "module", "theirs"), CASES.values(), ids=list(CASES))
def test_the_same_files_are_found(tree, module, theirs, tmp_path):
    pytest.importorskip(module.partition(".")[0])
    root = tmp_path / "project"
    for path in tree.paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("")
    for path, text in tree.files.items():
        (root / path).write_text(text)
    (root / ".git").mkdir()  # hatchling looks for the top of the repository
    ours = payload(root, "mamba_press.build", tree.ours, tmp_path / "ours", tree.name)
    assert ours == payload(root, module, theirs, tmp_path / "theirs", tree.name)
    assert ours
