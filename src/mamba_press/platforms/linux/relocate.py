"""How an ELF file finds its libraries: by a search path from where it lies, and by names that no other wheel has."""

from __future__ import annotations

from mamba_press.platforms import compiler_runtimes
from mamba_press.platforms.protocol import Situation, path_from
from mamba_press.types import Binary, Edits

_ANCHOR = "$ORIGIN"
"""The folder of the file that is loaded."""


def edits(binary: Binary, situation: Situation) -> Edits:
    """Return the new names of what is in this wheel or in another one, and the folders where they lie."""
    needed: list[tuple[str, str | None]] = []
    folders: list[str] = []
    outside: list[str] = []
    for answer in situation.answers:
        if answer.where == "removed":
            needed.append((answer.needed, None))
        elif answer.where != "system":
            (folders if answer.where == "wheel" else outside).append(answer.folder)
            if answer.needed != answer.name:
                needed.append((answer.needed, answer.name))
    folders += situation.opened
    search = tuple(dict.fromkeys(path_from(_ANCHOR, situation.folder, folder) for folder in (*folders, *outside)))
    # Nobody knows which names the other wheel has beside its library: they may be the system's, too.
    inherited = bool(search and not outside) and not any(
        _may_be_the_systems(name) for folder in set(folders) for name in situation.plain.get(folder, ())
    )
    name = situation.name if situation.is_hashed else None
    return Edits(
        name=name if name != binary.name else None,
        needed=tuple(needed),
        search=None if (search, inherited) == (binary.search, binary.inherited) else search,
        inherited=inherited,
        unbind_unique=compiler_runtimes.runtime_of(binary.name or "") == "libstdcxx",
        strip=situation.strip,
        clear_execstack=situation.clear_execstack,
    )


def _may_be_the_systems(name: str) -> bool:
    return name.startswith("lib") and ".so" in name
