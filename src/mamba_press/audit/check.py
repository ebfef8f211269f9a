"""Read a finished wheel back and return what is wrong with it.

Nothing of what was known while pressing is used: the file alone has to be right. Only its writer hands over what it has
seen, because it has proven that this is what the file holds. Structure, names, RECORD, metadata and tags are checked
for every wheel; what the loader will do, for ELF, Mach-O and PE files. `smoke_test` goes further and installs it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mamba_press import atomic, platforms
from mamba_press.audit.contents import Contents, Findings, Name, Opened, is_shared, parse_name, shown, unhashed
from mamba_press.audit.rules import archive, binaries, dist_info
from mamba_press.errors import Habit, Problem, Remark, Style, harmless
from mamba_press.metadata import headers
from mamba_press.platforms.linux.tag import BARE
from mamba_press.wheel import read, zip_read
from mamba_press.wheel.proof import Proven
from mamba_press.wheel.read import Depth, Member, installed, is_dist_info
from mamba_press.wheel.zip_format import Damage

if TYPE_CHECKING:
    from mamba_press.audit.second_reader import SecondReader
    from mamba_press.types import Binary

PYPI_FILE = 100 << 20
"""The largest file that PyPI takes without asking."""


def check(
    path: Path, *, name: str | None = None, elsewhere: Sequence[str] = (), depth: Depth = "all"
) -> tuple[Problem, ...]:
    """Return everything that is wrong with a wheel, nothing when it is sound.

    ``name`` is the file name that it is going to have, if another than it has now. ``elsewhere`` are patterns of
    library names that come from the system or from another wheel although the tag does not promise them.
    """
    return examine(path, name=name, elsewhere=elsewhere, depth=depth).problems


def examine(
    path: Path | Proven,
    *,
    name: str | None = None,
    elsewhere: Sequence[str] = (),
    depth: Depth = "all",
    second: SecondReader | None = None,
) -> Findings:
    """Return everything that is wrong with a wheel, as :func:`check`, and everything that is worth knowing of it.

    ``depth`` says how much of the files is read, beside the archive's directory; ``second`` reads the wheel, too. Of a
    file that has just been written, and proven, nothing is read: what it holds was looked at while it was packed.
    """
    wheel = _opened(path, name, depth, second)
    return _doubted({wheel.name: (wheel, _judged(wheel, elsewhere, None))}, second)[0]


def together(
    paths: Sequence[Path | Proven], *, elsewhere: Sequence[str] = (), second: SecondReader | None = None
) -> tuple[Findings, ...]:
    """Return what is wrong with each of these wheels once all of them are installed into one folder.

    Beside what :func:`examine` finds: libraries of one that another one has not where it is looked for, different files
    at one path, and requirements that the others do not satisfy; libraries that are carried twice are noted, and
    different ones that one process would take for each other.
    """
    wheels = [_opened(path, second=second) for path in paths]
    found = []
    for number, wheel in enumerate(wheels):
        others = [each for each in wheels[:number] + wheels[number + 1 :] if each.contents]
        libraries = [each for other in others for each in _placed(other).items() if is_shared(each[1])]
        beside = {path: each.binary for path, each in libraries if each.binary}
        judged = _judged(wheel, elsewhere, beside)
        earlier = [each for each in wheels[:number] if each.contents]
        more = (*_clashes(wheel, earlier), *_unsatisfied(wheel, others))
        notes = (*judged.notes, *_twice(wheel, earlier), *_confused(wheel, earlier))
        found.append(replace(judged, problems=(*judged.problems, *more), notes=notes))
    return _doubted({wheel.name: (wheel, one) for wheel, one in zip(wheels, found, strict=True)}, second)


def _doubted(found: Mapping[str, tuple[Opened, Findings]], second: SecondReader | None) -> tuple[Findings, ...]:
    """Return what was found in wheels, by their names, with what a second reader reads differently or not at all."""
    if second is None:
        return tuple(one for _, one in found.values())
    verdict = second.verdict({name: _as_rows(wheel.contents) for name, (wheel, _) in found.items() if wheel.contents})
    return tuple(
        replace(
            one,
            problems=(*one.problems, *map(shown, verdict.problems.get(name, ()))),
            notes=(*one.notes, *(map(harmless, (verdict.said, *verdict.notes)) if not number else ())),
        )
        for number, (name, (_, one)) in enumerate(found.items())
    )


def _as_rows(contents: Contents) -> dict[str, tuple[int, str | None]]:
    """Return the size of each file of a wheel, and its hash where RECORD has one for it."""
    without = {f"{contents.dist_info}/RECORD", *unhashed(contents)}
    return {path: (each.size, None if path in without else each.sha256) for path, each in contents.members.items()}


def _opened(
    wheel: Path | Proven, name: str | None = None, depth: Depth = "all", second: SecondReader | None = None
) -> Opened:
    path, name = (wheel.path, wheel.name) if isinstance(wheel, Proven) else (wheel, name or wheel.name)
    try:
        size = path.stat().st_size
        if isinstance(wheel, Proven):
            listing, members = wheel.listing, wheel.members
        else:
            with path.open("rb") as file:
                listing = zip_read.read(file)
        is_bomb = read.is_bomb(listing.members, size)
        if second and not is_bomb:
            second.open(path, name)
        if not isinstance(wheel, Proven):
            seen = second.offer if second and second.whole else None
            members = read.read(path, listing.members, "texts" if is_bomb else depth, seen)
    except read.UNREADABLE as error:
        why = getattr(error, "strerror", None) or error
        problem = Damage(where=name, what=f"cannot be read as a wheel: {why}")
        return Opened(path=path, name=name, found=Findings(problems=(shown(problem),)))
    problems = [*listing.wrong, *archive.structure(listing, size)]
    problems += [problem for member in members.values() for problem in member.problems]
    parsed, contents = parse_name(name), None
    folders = sorted({member.split("/")[0] for member in members if is_dist_info(member)})
    if isinstance(parsed, Problem):
        problems.append(parsed)
    else:
        problems += archive.tag_order(name)
        if len(folders) == 1:
            contents = Contents(name=parsed, members=members, dist_info=folders[0])
        else:
            what = f"{len(folders)} .dist-info folders: {', '.join(folders)}" if folders else "no .dist-info folder"
            problems.append(Problem(where="", what=f"the wheel has {what}"))
    unpacked = sum(member.size for member in members.values())
    found = Findings(problems=tuple(map(shown, problems)), size=size, unpacked=unpacked, files=len(members))
    return Opened(path=path, name=name, found=found, contents=contents)


def _judged(wheel: Opened, elsewhere: Sequence[str], beside: Mapping[str, Binary] | None) -> Findings:
    """Hold a wheel to all rules; ``beside`` are the binaries of all others by installed path, if these are known."""
    contents = wheel.contents
    if contents is None:
        return wheel.found
    problems = [*wheel.found.problems, *archive.names(contents)]
    problems += (*dist_info.problems(contents), *binaries.problems(contents))
    problems += binaries.unfound(contents, elsewhere, beside)
    problems = [shown(problem) for problem in problems]
    ours = contents.wheel.get("Generator", "").startswith("mamba-press")
    kinds = (Remark,) if ours else (Remark, Habit)
    habits = [each for each in problems if isinstance(each, kinds)]
    said = [f"{habit.where}: {habit.what}" for habit in habits if not isinstance(habit, Style)]
    return replace(
        wheel.found,
        problems=tuple(each for each in problems if not isinstance(each, kinds)),
        notes=(*binaries.facts(contents.members), *said, *notes(wheel.path)),
        unjudged=tuple(binaries.unjudged(contents)),
    )


def _clashes(wheel: Opened, earlier: Sequence[Opened]) -> Iterator[Problem]:
    """Yield the paths at which an earlier wheel has another file."""
    own = _placed(wheel)
    for other in earlier:
        theirs = _placed(other)
        for path in sorted(own.keys() & theirs.keys()):
            if own[path].sha256 != theirs[path].sha256:
                yield Problem(where=path, what=f"is another file in {other.path.name}: the later one would win")


def _twice(wheel: Opened, earlier: Sequence[Opened]) -> Iterator[str]:
    """Yield the libraries that an earlier wheel has too."""
    for other in earlier:
        theirs = {each.sha256: path for path, each in _placed(other).items() if is_shared(each)}
        for path, each in sorted(_placed(wheel).items()):
            if is_shared(each) and each.sha256 in theirs:
                yield f"{path} is also in {other.path.name}, as {theirs[each.sha256]}"


def _confused(wheel: Opened, earlier: Sequence[Opened]) -> Iterator[str]:
    """Yield the libraries whose name another one in an earlier wheel has, where files of both wheels ask for that name.

    Of two libraries with one SONAME glibc loads the first, and it answers for both.
    """
    own = _asked_for(wheel)
    for other in earlier:
        theirs = _asked_for(other)
        for name in sorted(own.keys() & theirs.keys()):
            if own[name].sha256 != theirs[name].sha256:
                yield (
                    f"{own[name].path} is called {name}, as is another library, {theirs[name].path} in "
                    f"{other.path.name}: in one process the first that is loaded answers for both"
                )


def _asked_for(wheel: Opened) -> dict[str, Member]:
    """Return the libraries of a wheel that answer for their names, of those that its files need."""
    members = _placed(wheel).values()
    found = [(each, each.binary) for each in members if each.binary and platforms.facts_for(each.binary).loaded_answers]
    needed = {name for _, binary in found for name in binary.needed}
    return {binary.name: each for each, binary in found if is_shared(each) and binary.name and binary.name in needed}


def _placed(wheel: Opened) -> dict[str, Member]:
    members = wheel.contents.members.values() if wheel.contents else ()
    return {installed(each.path): each for each in members}


def _unsatisfied(wheel: Opened, others: Sequence[Opened]) -> Iterator[Problem]:
    """Yield the requirements that hold everywhere and for which the others have nothing, or another version."""
    from packaging.utils import canonicalize_name

    there = {each.contents.name.name: each.contents.name.version for each in others if each.contents}
    raw = headers.raw((wheel.contents.text("METADATA") if wheel.contents else None) or b"")
    for text in raw.get("requires_dist") or ():
        try:
            requirement = headers.requirement(text)
        except ValueError:
            continue  # told already
        if requirement.marker is not None:
            continue
        version = there.get(canonicalize_name(requirement.name))
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            has = f"is there as {version}" if version else "is not there"
            yield Problem(where=wheel.path.name, what=f"requires {requirement}, which {has}")


def copy(path: Path, directory: Path) -> Path:
    """Copy a wheel under its name into a folder, which is made when it is missing; raises WriteError."""
    target = directory / path.name
    if target.exists() and target.samefile(path):
        return target
    with atomic.replacing(target) as file, path.open("rb") as source:
        shutil.copyfileobj(source, file, 1 << 20)
    return target


def notes(path: Path) -> tuple[str, ...]:
    """Return what is not wrong with a wheel but keeps PyPI from taking it as it is."""
    found = []
    if path.stat().st_size > PYPI_FILE:
        found.append(f"{path.name} is larger than 100 MiB: PyPI takes it only after a request for a higher limit")
    parsed = parse_name(path.name)
    if isinstance(parsed, Name):
        bare = [tag.text for tag in parsed.known if tag.family == BARE]
        found += [f"PyPI does not take the platform {each}: only manylinux says what it runs on" for each in bare]
        if "+" in parsed.version:
            found.append(f"PyPI does not take local versions such as {parsed.version}")
    return tuple(found)
