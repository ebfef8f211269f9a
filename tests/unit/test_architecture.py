"""The import rules of the house, read from the source itself.

Arrows go one way: a module imports only what lies in a layer below its own. Heavy or delicate libraries have one home.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2] / "src" / "mamba_press"
SOURCES = sorted(ROOT.rglob("*.py"))

# From the ground up. A new module takes its place here; two modules of one layer do not know each other.
LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"__init__", "credentials", "data", "machine", "problem"}),
    frozenset({"errors", "fields", "globs", "types"}),
    frozenset({"channels", "cores", "installed", "log"}),
    frozenset({"interrupts"}),
    frozenset(
        {"atomic", "built", "policies", "stable_abi", "macos", "windows", "external", "binaries", "wording", "zip_read"}
    ),
    frozenset({"platforms"}),
    frozenset({"config"}),
    frozenset({"reference", "target", "project", "overrides", "unmatched"}),
    frozenset({"reader"}),
    # what several stages ask, and that asks no stage
    frozenset(
        {
            "licenses",
            "placeholders",
            "provide",
            "providers",
            "pythons",
            "runtime",
            "specifiers",
            "splice",
        }
    )
    | {"toolchain", "trial", "winload"},
    frozenset({"dlls", "follow", "hazards", "own", "tree"}),
    frozenset({"second_reader_process"}),
    frozenset({"second_reader"}),
    frozenset({"asks", "dyld", "kept", "loader", "recipe", "unpack"}),
    # the stages
    frozenset(
        {
            "conda",
            "described",
            "editable",
            "sources",
            "select",
            "layout",
            "link",
            "seam",
            "tags",
            "metadata",
            "requires",
        }
        | {"lookups", "rewrite"}
    )
    | {"archive", "inner", "sbom", "wheel", "wheelhouse", "sdist", "check"},
    frozenset({"absent", "native"}),
    frozenset({"solving"}),
    frozenset({"drafting", "furnish"}),
    frozenset({"install", "pipeline", "edit", "explain"}),
    frozenset({"houses"}),
    frozenset({"report", "screen", "weight"}),
    frozenset({"locking"}),
    # what the two front doors share, and the doors
    frozenset({"front"}),
    frozenset({"hooks", "series"}),
    frozenset({"commands"}),
    frozenset({"build", "__main__"}),
)

HOMES = {
    "rattler": {"conda/worker.py"},
    "lief": {"second_reader_process.py"},
    "zipfile": {"wheel.py", "sdist.py", "archive.py", "inner/archive.py"},
    "tarfile": {"wheel.py", "sdist.py", "check.py"},
    "wheel": {"second_reader_process.py"},
    "pyproject_hooks": {"inner/"},
    "pyproject_metadata": {"project.py", "metadata.py"},
    "deflate": {"wheel.py"},
    "rich": {"screen.py"},
    "yaml": {"recipe.py"},
}

# The worker is the front door of a process of its own: what it finds there was given to it.
FRONT_DOORS = {"build.py", "__main__.py", "conda/worker.py"}


def imports(tree: ast.AST) -> Iterator[str]:
    """The dotted names of all that is imported anywhere in a module, functions and type checking included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_of(name: str) -> str | None:
    """The module or subpackage of ours that an imported name belongs to."""
    first, _, rest = name.partition(".")
    if first != "mamba_press":
        return None
    part = rest.split(".")[0]
    placed = any(part in layer for layer in LAYERS)
    return part if placed or (ROOT / part).is_dir() or (ROOT / f"{part}.py").is_file() else "__init__"


def layer(module: str) -> int:
    found = [number for number, layer in enumerate(LAYERS) if module in layer]
    assert found, f"{module} has no place in LAYERS"
    return found[0]


def upward(module: str, source: str) -> list[str]:
    """What a module imports of ours that does not lie below it; inside a subpackage, all is free."""
    named = {found for name in imports(ast.parse(source)) if (found := module_of(name)) is not None}
    return sorted(other for other in named - {module} if layer(other) >= layer(module))


def strangers(path: str, source: str) -> list[str]:
    """The libraries that a file imports outside their home."""
    named = {name.split(".")[0] for name in imports(ast.parse(source))}
    return sorted(name for name in named & set(HOMES) if not any(path.startswith(home) for home in HOMES[name]))


def environment_reads(source: str) -> list[int]:
    """The lines at which a module looks at the process's environment."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv", "getenvb"}:
            if isinstance(node.value, ast.Name) and node.value.id == "os":
                lines.append(node.lineno)
        elif isinstance(node, ast.ImportFrom) and node.module == "os":
            lines += [node.lineno for alias in node.names if alias.name in {"environ", "environb", "getenv", "getenvb"}]
    return lines


def top_level(source: str) -> ast.Module:
    """The statements that run when the module is imported, without function bodies and typing-only imports."""
    body = [
        node
        for node in ast.parse(source).body
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        and not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    ]
    return ast.Module(body=body, type_ignores=[])


@pytest.fixture(params=SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def source(request: pytest.FixtureRequest) -> tuple[str, str]:
    path: Path = request.param
    return path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def test_a_module_imports_only_from_below(source):
    path, text = source
    module = path.split("/")[0].removesuffix(".py")
    assert upward(module, text) == []


def sisters(path: str, source: str) -> list[str]:
    """What a module of one platform's imports of another platform's."""
    own = re.match(r"platforms/(linux|macos|windows)/", path)
    others = re.compile(rf"mamba_press\.platforms\.(?!{own[1]}\b)(?:linux|macos|windows)\b" if own else r"(?!)")
    return sorted(name for name in imports(ast.parse(source)) if others.match(name))


def test_no_platform_knows_another_one(source):
    assert sisters(*source) == []


def test_the_rule_on_platforms_sees_what_breaks_it():
    text = "from mamba_press.platforms.macos import tag\nfrom mamba_press.platforms.linux import policy"
    assert sisters("platforms/linux/loader.py", text) == ["mamba_press.platforms.macos.tag"]
    assert sisters("platforms/target.py", text) == []


def test_a_library_stays_in_its_home(source):
    assert strangers(*source) == []


def test_only_the_front_doors_read_the_environment(source):
    path, text = source
    assert path in FRONT_DOORS or environment_reads(text) == []


def test_the_hooks_import_nothing_of_ours_when_imported(source):
    path, text = source
    if path == "build.py":
        assert [name for name in imports(top_level(text)) if name.startswith("mamba_press")] == []


@pytest.mark.parametrize(
    ("module", "text", "expected"),
    [
        ("layout", "from mamba_press import select", ["select"]),
        ("layout", "def f():\n    import mamba_press.link", ["link"]),
        ("types", "from mamba_press.errors import ConfigError", ["errors"]),
        ("select", "from mamba_press.pipeline import press", ["pipeline"]),
        ("select", "from mamba_press import __version__, types\nfrom mamba_press.config import Config", []),
        ("conda", "from mamba_press.conda import worker", []),
    ],
)
def test_the_rule_on_layers_sees_what_breaks_it(module, text, expected):
    assert upward(module, text) == expected


def test_a_relative_import_is_refused():
    with pytest.raises(AssertionError, match="absolute"):
        upward("layout", "from . import select")


def test_a_module_without_a_place_is_refused():
    with pytest.raises(AssertionError, match="no place in LAYERS"):
        layer("utils")


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("select.py", "import zipfile", ["zipfile"]),
        ("select.py", "def f():\n    from lief import ELF", ["lief"]),
        ("conda/__init__.py", "from rattler import solve", ["rattler"]),
        ("conda/worker.py", "import rattler, rattler.solver", []),
        ("second_reader_process.py", "import lief", []),
        ("wheel.py", "import zipfile, tarfile", []),
    ],
)
def test_the_rule_on_homes_sees_what_breaks_it(path, text, expected):
    assert strangers(path, text) == expected


@pytest.mark.parametrize(
    "text",
    ["import os\nos.environ", "import os\nos.getenv('A')", "from os import path, environ", "from os import getenv"],
)
def test_the_rule_on_the_environment_sees_what_breaks_it(text):
    assert environment_reads(text) != []


def test_all_that_threads_may_call_of_binaries_is_imported_before():
    names = {path.stem for path in (ROOT / "binaries").glob("*.py")} - {"__init__"}
    code = (
        "import sys; from mamba_press import binaries; binaries.load(); "
        "print(*(name.rpartition('.')[2] for name in sys.modules if name.startswith('mamba_press.binaries.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert set(done.stdout.split()) == names


def test_a_pool_of_threads_is_made_only_where_all_is_imported(source):
    path, text = source
    made = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    names = [ast.unparse(node.func) for node in sorted(made, key=lambda node: (node.lineno, node.col_offset))]
    pools = [place for place, name in enumerate(names) if name.rpartition(".")[2] == "ThreadPoolExecutor"]
    assert [names[place] for place in pools if "binaries.load" not in names[:place]] == [], path
