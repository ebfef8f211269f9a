"""What was asked for and is not in the wheel: packages of which nothing stays, and what nothing uses of ``host``."""

from __future__ import annotations

import json
import posixpath
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mamba_press import globs, messages, platforms
from mamba_press.audit import path_assumptions
from mamba_press.conda.match_specs import spec_name
from mamba_press.errors import ContentError, Note, Problem, Setting, Text, Words, joined
from mamba_press.types import OWN, Dropped, Environment, File, Package, Selection
from mamba_press.vendoring import runtime_module

if TYPE_CHECKING:
    from mamba_press.config.model import Config

_PYTHON = frozenset({"python", "python_abi"})


def packages(environment: Environment, selection: Selection, *, is_empty: bool, requires: bool) -> tuple[Note, ...]:
    """Warn of each requested package of which nothing stays: often it only stands for others.

    It is no more than a note where others that it stands for are in the wheel, or where the wheel ``requires`` some.
    Raises ContentError where the wheel ``is_empty``, with no code, no file and no requirement.
    """
    present = {kept.file.package for kept in selection.kept}
    asked = [each for each in environment.packages if each.requested and each.name not in present | {OWN}]
    if is_empty and asked and not requires:
        what = "no file of it stays, and the wheel would be empty: "
        whys = [(each, what + _why(each, selection.dropped)) for each in asked]
        raise ContentError(
            *(Problem(where=str(each), what=why, hint=_instead(each, environment)) for each, why in whys)
        )
    with_files = {file.package for file in environment.files}
    notes = []
    for each in asked:
        what = f"no file of {each.name} is in the wheel: {_why(each, selection.dropped)}"
        stands = each.name not in with_files and (requires or present & {spec.name for spec in each.depends})
        notes.append(Note(what, _instead(each, environment), "note" if stands else "warning"))
    return tuple(notes)


def _why(package: Package, dropped: Iterable[Dropped]) -> str:
    reasons = Counter(each.why for each in dropped if each.package == package.name)
    told = ", ".join(f"{count} left by this rule: {why}" for why, count in reasons.most_common(3))
    return told or "it has no files"


def _instead(package: Package, environment: Environment) -> Words:
    requested = {other.name for other in environment.packages if other.requested}
    names = {spec.name for spec in package.depends} - requested - _PYTHON
    others = sorted(name for name in names if not name.startswith("__"))
    first: list[Words] = [f"perhaps it stands for others: packages = {json.dumps(others)}"] if others else []
    if any(file.package == package.name for file in environment.files):
        first.append(Text.of("keep what a rule leaves out with ", Setting("select.include")))
    return joined((*first, "or take it out of packages" if first else "take it out of packages"))


def host(
    environment: Environment, selection: Selection, config: Config, *, home: str, is_built: bool
) -> Iterator[Note]:
    """Warn of each package of ``host`` of which no library is reached, with what reaches it.

    An inner backend (``is_built``) may use one for its headers or its static library alone: then it is no more than
    noted where something was compiled, and a package without libraries is not even that.
    """
    found = _Host.of(environment, selection)
    has_binary = any(kept.file.package == OWN and kept.binary for kept in selection.kept)
    for name in dict.fromkeys(map(spec_name, config.host)):
        package = found.packages.get(name)
        pruned = globs.matches(name, (*config.select.prune, *config.select.prune_alone))
        if name in _PYTHON or pruned or found.is_used(name) or (package is not None and package.requested):
            continue
        libraries = found.libraries.get(name, ())
        if libraries:
            what = f"no library of {name} (host) is in the wheel: nothing in the wheel needs one or asks for one"
            stem = _stem(name, libraries)
            hint = f'ask for it: from {home}._mamba_press import library\nlibrary("{stem}")\nor take it out of host'
            yield Note(what, hint, "note" if is_built and has_binary else "warning")
        elif not is_built:
            what = (
                f"no file of {name} (host) is in the wheel: the wheel takes only libraries from host, and it has none"
            )
            yield Note(what, "name it in packages to press all of it, or take it out of host", "warning")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Host:
    """By package its libraries, and what stays: paths, packages, and the names of libraries that something needs."""

    packages: Mapping[str, Package]
    libraries: Mapping[str, tuple[File, ...]]
    bare: Collection[str]
    kept: Collection[str]
    present: Collection[str]
    needed: Collection[str]

    @classmethod
    def of(cls, environment: Environment, selection: Selection) -> _Host:
        libraries: dict[str, tuple[File, ...]] = {}
        for file in environment.files:
            inside = platforms.in_library_folder(file.path)
            if inside and path_assumptions.is_library(file.path):
                libraries[file.package] = (*libraries.get(file.package, ()), file)
        links = (link for kept in selection.kept for link in kept.links)
        return cls(
            packages={package.name: package for package in environment.packages},
            libraries=libraries,
            bare={package.name for package in environment.packages} - {file.package for file in environment.files},
            kept={path for kept in selection.kept for path in (kept.file.path, kept.file.link) if path},
            present={kept.file.package for kept in selection.kept},
            needed={posixpath.basename(link.needed) for link in links},
        )

    def is_used(self, name: str, seen: Collection[str] = ()) -> bool:
        """Whether anything of a package stays, or is expected of the system; one without files stands for others."""
        if name in self.present:
            return True
        libraries = self.libraries.get(name, ())
        if any(file.path in self.kept or file.link in self.kept for file in libraries):
            return True
        if any(posixpath.basename(file.path) in self.needed for file in libraries):
            return True
        if name not in self.bare or name in seen:
            return False
        return any(self.is_used(spec.name, (*seen, name)) for spec in self.packages[name].depends)


def _stem(name: str, libraries: Iterable[File]) -> str:
    """Return the bare name of the library that is most like its package's."""
    stems = sorted({stem for file in libraries for stem in runtime_module.stems(posixpath.basename(file.path))})
    return messages.near(name.removeprefix("lib"), stems, 0.3) or stems[0]
