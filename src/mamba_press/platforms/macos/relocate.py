"""How a Mach-O file finds its libraries: each name says where the library is, from the file that needs it.

dyld takes a loaded library for one that is asked for by ``@rpath`` if their install names are the same, so that two
wheels' copies of a library that keeps its name would be confused: nothing of ours asks by ``@rpath``. Search paths
remain for what is opened by name.
"""

from __future__ import annotations

import posixpath

from mamba_press.platforms import compiler_runtimes
from mamba_press.platforms.macos import system as macos
from mamba_press.platforms.protocol import Answer, Situation, path_from
from mamba_press.types import Binary, Edits

_ANCHOR = "@loader_path"
"""The folder of the file that is loaded."""


def edits(binary: Binary, situation: Situation) -> Edits:
    """Return names that say where each library is, and a signature."""
    needed = [(answer.needed, _name(answer, situation)) for answer in situation.answers]
    name = f"@rpath/{situation.name}" if situation.name and binary.name is not None else binary.name
    return Edits(
        name=name if name != binary.name else None,
        needed=tuple(dict.fromkeys((old, new) for old, new in needed if old != new)),
        search=tuple(dict.fromkeys(path_from(_ANCHOR, situation.folder, folder) for folder in situation.opened)),
        sign=True,
    )


def _name(answer: Answer, situation: Situation) -> str | None:
    """Return what a file shall need in place of a name, None for nothing."""
    if answer.where == "removed":
        return None
    if answer.where != "system":
        return f"{path_from(_ANCHOR, situation.folder, answer.folder)}/{answer.name}"
    if compiler_runtimes.runtime_of(answer.needed) and not macos.is_system(answer.needed):
        return f"/usr/lib/{posixpath.basename(answer.needed)}"
    return macos.at(answer.needed, situation.system) or answer.needed
