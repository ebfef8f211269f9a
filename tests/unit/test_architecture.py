"""The import rules of the house, read from the source itself.

A package imports only the packages that the table allows; the modules on the ground are free to all, and know only each
other. Heavy or delicate libraries have one home.
"""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.support import house
from tests.support.house import ALLOWED, GROUND, ROOT, SOURCES, forbidden, imports

HOMES = {
    "rattler": {"conda/worker/"},
    "lief": {"audit/second_reader_process.py"},
    "wheel": {"audit/second_reader_process.py"},
    "pyproject_hooks": {"project/backend/__init__.py"},
    "zipfile": {"project/backend/wheel.py", "wheel/wheelhouse.py"},
    "tarfile": {"project/sdist.py"},
    "pyproject_metadata": {"metadata/pyproject.py", "metadata/pypi_rules.py"},
    "deflate": {"wheel/compress.py"},
    "rich": {"audit/render.py"},
    "yaml": {"config/recipe.py"},
}

FRONT_DOORS = {"build.py", "__main__.py"}


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


def spelled_keys(source: str) -> list[int]:
    """The lines at which a text spells a key of ours, which no door could call as its user does: docstrings apart."""
    tree = ast.parse(source)
    documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in documents]
    return [node.lineno for node in texts if isinstance(node.value, str) and "tool.mamba-press." in node.value]


WORDS = {"why", "what", "hint", "consequence"}


def looks_at_words(source: str) -> list[int]:
    """The lines that compare what is written for people, or take it apart."""

    def is_words(node: ast.expr) -> bool:
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "str" and node.args:
            return is_words(node.args[0])
        return isinstance(node, ast.Attribute) and node.attr in WORDS and ast.unparse(node.value) != "arguments"

    lines = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare) and not isinstance(node.ops[0], (ast.Is, ast.IsNot)):
            lines += [node.lineno for each in (node.left, *node.comparators) if is_words(each)]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            searched = node.args if ast.unparse(node.func.value) == "re" else []
            lines += [node.lineno for each in (node.func.value, *searched) if is_words(each)]
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


def test_a_module_imports_only_what_the_table_allows(source):
    assert forbidden(*source) == []


def test_no_package_knows_itself_through_others():
    assert {*TopologicalSorter(ALLOWED).static_order()} == {*ALLOWED}  # raises CycleError with the circle


def test_each_pair_of_the_table_is_used():
    used = house.used()
    assert {name: used[name] for name in ALLOWED} == ALLOWED


def test_the_picture_is_that_of_the_table():
    assert house.picture() in house.PICTURE.read_text(encoding="utf-8")


def test_the_table_is_short():
    assert sum(map(len, ALLOWED.values())) <= 43
    assert len(GROUND) <= 10


def test_each_home_has_the_library_that_it_is_for():
    for library, homes in HOMES.items():
        for home in homes:
            texts = [
                path.read_text(encoding="utf-8") for path in SOURCES if path.as_posix().startswith(f"{ROOT}/{home}")
            ]
            found = {name.split(".")[0] for text in texts for name in imports(ast.parse(text))}
            assert library in found, (library, home)


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
    ("path", "text", "expected"),
    [
        ("vendoring/layout.py", "from mamba_press.pipeline import press", ["pipeline.press"]),
        ("vendoring/layout.py", "def f():\n    import mamba_press.audit.check", ["audit.check"]),
        ("types.py", "from mamba_press.config.model import Config", ["config.model"]),
        ("platforms/linux/elf.py", "from mamba_press.platforms.macos import macho", ["platforms.macos.macho"]),
        ("platforms/linux/elf.py", "from mamba_press.platforms.linux import policy", []),
        ("__init__.py", "from mamba_press.types import Wheel", ["types"]),
        ("vendoring/select.py", "from mamba_press import __version__, types\nimport mamba_press.config.model", []),
        ("conda/__init__.py", "from mamba_press.conda import worker", []),
    ],
)
def test_the_table_sees_what_breaks_it(path, text, expected):
    assert forbidden(path, text) == expected


def test_a_relative_import_is_refused():
    with pytest.raises(AssertionError, match="absolute"):
        forbidden("vendoring/layout.py", "from . import select")


def test_a_module_without_a_place_is_refused():
    with pytest.raises(AssertionError, match="no place in the table"):
        forbidden("utils.py", "import os")


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("vendoring/select.py", "import zipfile", ["zipfile"]),
        ("vendoring/select.py", "def f():\n    from yaml import load", ["yaml"]),
        ("conda/__init__.py", "from rattler import solve", ["rattler"]),
        ("conda/worker/solve.py", "import rattler, rattler.solver", []),
        ("config/recipe.py", "import yaml", []),
        ("wheel/wheelhouse.py", "import zipfile", []),
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


def test_messages_name_keys_as_values(source):
    path, text = source
    assert spelled_keys(text) == [], path


def test_the_rule_on_keys_sees_what_breaks_it():
    assert spelled_keys("""'''tool.mamba-press.a'''\nx = 1\ny = f'see tool.mamba-press.{x}'""") == [3]


def test_no_sentence_steers_logic(source):
    path, text = source
    assert looks_at_words(text) == [], path


@pytest.mark.parametrize(
    "text",
    [
        "a.why == 'x'",
        "'x' in a.what",
        "a.b.why.startswith('x')",
        "str(a.hint).split()",
        "re.search('x', a.consequence)",
    ],
)
def test_the_rule_on_sentences_sees_what_breaks_it(text):
    assert looks_at_words(text) == [1]
    assert looks_at_words("a.why.kind == 'x' or a.why is None or f'{a.what}' or arguments.what[0] in b") == []


FORMATS = ("elf", "macho", "pe", "codesign", "binaries", "binary_edits", "binary_format", "strings")
"""What the modules of binaries begin with: threads call them."""


def test_what_threads_call_of_binaries_is_imported_before_any_thread(source):
    # A Ctrl-C can hit the main thread where Python holds the lock of all imports, and then nobody lets go of it.
    path, text = source
    name = Path(path).name
    tree = ast.parse(text)
    lazy = [
        node.lineno
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    if path.startswith("platforms/") and name.startswith(FORMATS):
        assert lazy == []
    pooled = any(
        isinstance(node, ast.Call) and "ThreadPoolExecutor" in ast.unparse(node.func) for node in ast.walk(tree)
    )
    lines = text.splitlines()
    assert not pooled or [line for line in lazy if ".platforms" in lines[line - 1]] == []
