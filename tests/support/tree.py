"""A project's folder with small files, and which of them belong to it."""

from __future__ import annotations

from pathlib import Path

from mamba_press.project import tree


def project(root: Path, *paths: str, **texts: str) -> Path:
    """A project with these files; ``gitignore=…`` is the text of its ``.gitignore``."""
    for path in ("pyproject.toml", *paths):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"{path}\n")
    if "gitignore" in texts:
        (root / ".gitignore").write_text(texts["gitignore"])
    return root


def names(root: Path, output: Path | None = None, **options: object) -> list[str]:
    """The paths of what belongs into its sdist."""
    return [path for path, _, _ in tree.collect(root, output or root / "dist", **options)]  # type: ignore[arg-type]
