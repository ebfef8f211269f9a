"""Every module has its test file in the same place below ``tests/unit``, so that nobody has to search for it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

UNIT = Path(__file__).parent
SOURCE = UNIT.parents[1] / "src" / "mamba_press"
TESTS = UNIT.parent

# What is a part of a subject is tested with the whole of it; what only has effects, where they are seen. A new module
# has a file of its own, so this only shrinks.
PARTS: dict[str, tuple[str, ...]] = {
    "integration/test_command.py": ("audit/render.py", "pipeline/press.py"),
    "integration/test_conda.py": (
        "conda/worker/__main__.py",
        "conda/worker/fetch.py",
        "conda/worker/records.py",
        "conda/worker/solve.py",
    ),
    "integration/test_hooks.py": ("build.py",),
    "integration/test_lock.py": ("pipeline/solve.py",),
    "integration/test_series.py": ("pipeline/matrix.py",),
    "integration/test_silent_servers.py": ("conda/worker/watch.py",),
    "integration/test_spared.py": ("conda/spare.py",),
    "integration/test_wheelhouse.py": ("pipeline/wheelhouse.py",),
}
ELSEWHERE = {module: test for test, modules in PARTS.items() for module in modules}


def needs_tests(path: Path) -> bool:
    """Whether a module is more than the docstring or the table of a package."""
    return path.name != "__init__.py" or any(
        isinstance(node, ast.FunctionDef) for node in ast.parse(path.read_text()).body
    )


MODULES = sorted(path.relative_to(SOURCE) for path in SOURCE.rglob("*.py") if needs_tests(path))


def mirrored(module: Path) -> Path:
    return UNIT / module.with_name(f"test_{module.stem.strip('_')}.py")


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.as_posix())
def test_a_module_has_its_tests_in_the_mirrored_place(module):
    other = ELSEWHERE.get(module.as_posix())
    assert mirrored(module).is_file() != (other is not None), "a file of its own, or a line in ELSEWHERE"
    if other is not None:
        assert "def test_" in (TESTS / other).read_text(encoding="utf-8")


def test_what_is_tested_elsewhere_is_there():
    assert set(ELSEWHERE) <= {module.as_posix() for module in MODULES}
