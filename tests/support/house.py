"""The house as the source tells it: which package knows which, its figures, and the picture in ``docs``.

``python -m tests.support.house [ROOT]`` prints the figures of a repository, ``--write`` writes the picture.
"""

from __future__ import annotations

import ast
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.support import platform_branches

REPOSITORY = Path(__file__).parents[2]
ROOT = REPOSITORY / "src" / "mamba_press"
SOURCES = sorted(ROOT.rglob("*.py"))

GROUND = {"atomic", "binary", "credentials", "errors", "globs", "interrupts", "log", "machine", "messages", "types"}

# Which packages each package knows. All of them may know the ground.
ALLOWED = {
    "platforms": set(),
    "wheel": {"platforms"},
    "conda": {"platforms"},
    "config": {"conda", "platforms"},
    "metadata": {"conda", "config", "platforms"},
    "project": {"conda", "config", "platforms"},
    "vendoring": {"conda", "config", "metadata", "platforms", "project"},
    "audit": {"conda", "config", "metadata", "platforms", "vendoring", "wheel"},
    "pipeline": {"audit", "conda", "config", "metadata", "platforms", "project", "vendoring", "wheel"},
    "commands": {"audit", "conda", "config", "pipeline", "platforms", "wheel"},
    # the two doors, the hooks of PEP 517 and the command line, and what both have
    "error_boundary": {"config"},
    "build": {"error_boundary", "pipeline"},
    "__main__": {"error_boundary", "commands"},
}

# Platforms are sisters, which do not know each other.
SISTERS = {"linux", "macos", "windows"}

DOORS = ("build", "__main__", "error_boundary")

PICTURE = REPOSITORY / "docs" / "explanation" / "design.md"
BEGIN, END = "<!-- the picture: made by `nox -s house -- --write` -->\n", "<!-- end of the picture -->"


def imports(tree: ast.AST) -> Iterator[str]:
    """The dotted names of all that is imported anywhere in a module, functions and type checking included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def parts_of(name: str) -> list[str] | None:
    """The path of the module of ours that an imported name belongs to, below the root; None for a library."""
    first, *rest = name.split(".")
    if first != "mamba_press":
        return None
    while rest and not (ROOT.joinpath(*rest).is_dir() or ROOT.joinpath(*rest).with_suffix(".py").is_file()):
        rest.pop()
    return rest


def imported(source: str) -> list[list[str]]:
    """The paths of all modules of ours that a module imports; the package's own version is left out."""
    return sorted(found for name in imports(ast.parse(source)) if (found := parts_of(name)))


def forbidden(path: str, source: str) -> list[str]:
    """What the module at this path imports of ours against the table."""
    here = path.removesuffix(".py").split("/")
    if here == ["__init__"]:
        return [".".join(other) for other in imported(source)]
    assert here[0] in GROUND or here[0] in ALLOWED, f"{here[0]} has no place in the table"
    free = GROUND | ALLOWED.get(here[0], set()) | ({here[0]} if here[0] in ALLOWED else set())
    wrong = [other for other in imported(source) if other[0] not in free]
    if here[0] == "platforms" and here[1] in SISTERS:
        wrong += [
            other for other in imported(source) if other[:1] == ["platforms"] and {*other[1:2]} & (SISTERS - {here[1]})
        ]
    return [".".join(other) for other in wrong]


def used() -> dict[str, set[str]]:
    """Which packages each package, door and ground module imports, itself and the ground left out."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in SOURCES:
        name = path.relative_to(ROOT).parts[0].removesuffix(".py")
        found[name] |= {other[0] for other in imported(path.read_text(encoding="utf-8"))} - GROUND - {name}
    return found


# The picture


def picture() -> str:
    """The packages with what they are for, and an arrow for each allowed pair that does not follow from two others."""
    packages = [name for name in ALLOWED if (ROOT / name).is_dir()]
    rows = [f"| `{name}/` | {_purpose(ROOT / name / '__init__.py')} |" for name in reversed(packages)]
    doors = [f"| `{name}.py` | {_purpose(ROOT / f'{name}.py')} |" for name in DOORS]
    arrows = [f"    {name} --> {other}" for name in reversed(ALLOWED) for other in sorted(_nearest(name))]
    table = ["| | |", "|---|---|", *doors, *rows]
    ground = ", ".join(f"`{name}`" for name in sorted(GROUND))
    text = f"On the ground, free to all: {ground}."
    drawing = ["```mermaid", "flowchart TD", *arrows, "```"]
    return "\n".join([BEGIN.rstrip(), "", *drawing, "", *table, "", *_wrapped(text), "", END])


def _nearest(name: str) -> set[str]:
    """What a package may import, without what one of those may import as well."""
    return {other for other in ALLOWED[name] if not any(other in _reached(one) for one in ALLOWED[name] - {other})}


def _reached(name: str, seen: frozenset[str] = frozenset()) -> set[str]:
    found = set(ALLOWED.get(name, ())) - seen
    return found | {far for other in found for far in _reached(other, seen | found | {name})}


def _purpose(path: Path) -> str:
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return said.split("\n\n")[0].replace("\n", " ").replace("``", "`").rstrip(".")


def _wrapped(text: str) -> list[str]:
    import textwrap

    return textwrap.wrap(text, 120, break_on_hyphens=False)


# The figures


def figures(root: Path) -> Iterator[tuple[str, str]]:
    """Yield what there is to say of the house in a repository, each with its name."""
    source = root / "src" / "mamba_press"
    texts = {path.relative_to(source): path.read_text(encoding="utf-8") for path in sorted(source.rglob("*.py"))}
    lines = {path: text.count("\n") for path, text in texts.items()}
    folders = Counter(path.parts[0] for path in texts if len(path.parts) > 1)
    modules = Counter(path.parent.as_posix() for path in texts if path.name != "__init__.py")
    yield "packages", str(len(folders))
    yield "modules at the top", str(modules["."])
    yield "modules", str(sum(modules.values()))
    yield "most modules in one folder", f"{max(modules.values())} (`{modules.most_common(1)[0][0]}`)"
    yield "lines", f"{sum(lines.values()):,}"
    over = sorted(((count, path) for path, count in lines.items() if count > 400), reverse=True)
    yield "modules over 500 lines", str(sum(count > 500 for count, _ in over))
    yield (
        "modules over 400 lines",
        ", ".join([str(len(over)), *(f"`{path.as_posix()}` {count}" for count, path in over)]),
    )
    sizes = sorted(size for text in texts.values() for size in _functions(text))
    middle, most = sizes[len(sizes) // 2], sizes[len(sizes) * 95 // 100]
    yield "functions", f"{len(sizes):,}: p50 {middle}, p95 {most}, longest {sizes[-1]} lines"
    outside = platform_branches.outside(source)
    asked = sum(map(len, outside.values()))
    yield "platform branches outside `platforms/`", f"{asked} in {len(outside)} modules"
    if root == REPOSITORY:
        yield "pairs of packages allowed", str(sum(map(len, ALLOWED.values())))
        yield "pairs of packages used", str(sum(len(used()[name]) for name in ALLOWED))


def _functions(text: str) -> Iterator[int]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert node.end_lineno is not None
            yield node.end_lineno - node.lineno + 1


def main(arguments: list[str]) -> None:
    """Write the picture, or print the figures."""
    if "--write" in arguments:
        text = PICTURE.read_text(encoding="utf-8")
        before, after = text.partition(BEGIN)[0], text.partition(END)[2]
        PICTURE.write_text(before + picture() + after, encoding="utf-8")
        return
    for name, figure in figures(Path(arguments[0]).resolve() if arguments else REPOSITORY):
        print(f"| {name} | {figure} |")


if __name__ == "__main__":
    main(sys.argv[1:])
