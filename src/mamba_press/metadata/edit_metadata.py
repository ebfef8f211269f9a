"""What an edit changes in what a released wheel says of itself: its name, METADATA and WHEEL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from mamba_press import platforms
from mamba_press.errors import Problem, ReadError
from mamba_press.metadata import headers
from mamba_press.metadata.headers import Fields

_NAMED = {
    "name": "a wheel keeps its name",
    "version": "use --version-suffix",
    "requires-dist": "use --require and --drop-require",
    "metadata-version": "it follows from the fields that are there",
    "description": "the description is no single line",
}
"""Fields that ``--set`` does not set, and why."""
_METADATA_VERSIONS = ("2.1", "2.2", "2.3", "2.4", "2.5")


@dataclass(frozen=True, kw_only=True, slots=True)
class Changes:
    """What to change. ``fields`` are pairs of names and values; ``tag`` may be a platform alone.

    ``forced`` allows a file of the same name with other bytes.
    """

    require: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    build: str | None = None
    suffix: str | None = None
    tag: str | None = None
    forced: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Name:
    """The parts of a wheel's file name."""

    name: str
    version: str
    build: str
    tags: str

    def __str__(self) -> str:
        return "-".join(filter(None, (self.name, self.version, self.build, self.tags))) + ".whl"


def name_of(name: str) -> Name:
    """Return the parts of a wheel's file name; raises ReadError for what is none."""
    from packaging.utils import parse_wheel_filename

    try:
        _, version, build, _ = parse_wheel_filename(name)
    except ValueError as error:  # InvalidWheelFilename, and what int() says of thousands of digits
        raise ReadError(Problem(where=name, what=f"is not the name of a wheel: {error}")) from None
    tags = "-".join(name.removesuffix(".whl").split("-")[-3:])
    return Name(name=name.partition("-")[0], version=str(version), build="".join(map(str, build)), tags=tags)


def renamed(named: Name, changes: Changes) -> tuple[Name, tuple[Problem, ...]]:
    """Return the name with its new version and build number, and what is wrong with them."""
    problems = []
    renamed = named
    if changes.suffix is not None:
        version = _suffixed(named.version, changes.suffix)
        if isinstance(version, Problem):
            problems.append(version)
        else:
            renamed = replace(renamed, version=version)
    if changes.build is not None:
        renamed = replace(renamed, build=changes.build)
        if not re.fullmatch(r"\d[\w.]*", changes.build, re.ASCII):
            what, hint = f"is {changes.build!r}", "a build number begins with a digit, such as 1"
            problems.append(Problem(where="--build-number", what=what, hint=hint))
        elif renamed.version == named.version and _build(changes.build) <= _build(named.build) and not changes.forced:
            what = f"is {changes.build}, and the wheel has {named.build}: installers would go on to prefer that one"
            problems.append(Problem(where="--build-number", what=what, hint="give it a higher one, or --force it"))
    return renamed, tuple(problems)


def _build(text: str) -> tuple[int, str]:
    found = re.match(r"(\d*)(.*)", text)
    assert found
    return int(found[1] or -1), found[2]


def _suffixed(old: str, suffix: str) -> str | Problem:
    """Return a version with ``postN`` or ``+local`` in place of its own; it sorts after the old one."""
    from packaging.version import Version

    text = suffix.lstrip(".")
    found = Version(old)
    base = found.public if text.startswith("+") else re.sub(r"\.post\d+|\.dev\d+|\+.*", "", old)
    try:
        version = Version(base + (text if text.startswith("+") else f".{text}"))
    except ValueError:  # InvalidVersion, and int() for numbers with thousands of digits
        version = found
    if not re.fullmatch(r"post\d+|\+[a-z0-9.]+", text) or str(version) == old:
        hint = "write post1, post2, …, or +words for an index of your own"
        what = f"is {suffix!r}, of which no later version than {old} comes"
        return Problem(where="--version-suffix", what=what, hint=hint)
    if version < found or found.is_devrelease:
        what = f"makes {version} of {old}, which installers take for older"
        return Problem(where="--version-suffix", what=what, hint="give it a higher number")
    return str(version)


def words(old: Name, new: Name) -> Iterator[str]:
    """Yield what is new in a wheel's file name, as a person would say it."""
    for what in ("version", "build", "tags"):
        before, after = getattr(old, what), getattr(new, what)
        if before != after:
            name = "build number" if what == "build" else what
            yield f"{name} {after}, was {before}" if before else f"{name} {after}"


def metadata(old: Fields, version: str, changes: Changes) -> tuple[Fields, tuple[str, ...], tuple[Problem, ...]]:
    """Return METADATA as asked, what is changed in words, and what is wrong with what was asked."""
    found, words, problems = _required(old, changes)
    asked: dict[str, list[str]] = {}
    for name, value in changes.fields:
        asked.setdefault(name, []).extend([value] if value else [])
        if reason := _NAMED.get(name.lower()):
            problems.append(Problem(where=f"--set {name}", what=f"cannot be set: {reason}"))
        problems += _of_several_lines("--set", f"{name}: {value}")
    for name, values in asked.items():
        before = found.values(name)
        found = found.setting(name, tuple(values))
        now, was = ", ".join(values) or "removed", ", ".join(before) or "nothing"
        words.append(f"{name}: {now} (was {was})")
    if version not in old.values("Version"):
        found = found.setting("Version", (version,))
    found, wrong = _valid(found, old)
    return found, tuple(words), (*problems, *wrong)


def _of_several_lines(option: str, text: str) -> Iterator[Problem]:
    """Yield what is wrong with a text of several lines, each of which would be a field of its own."""
    if re.search("[\x00-\x08\n-\x1f\x7f\x85\u2028\u2029]", text):
        what = "has line ends or other control characters, and a field is one line"
        yield Problem(where=f"{option} {text!r}", what=what, hint=f"write it in one line; {option} may be repeated")


def _required(old: Fields, changes: Changes) -> tuple[Fields, list[str], list[Problem]]:
    """Return METADATA with the requirements added and dropped."""
    from packaging.requirements import InvalidRequirement
    from packaging.utils import canonicalize_name

    problems, words = [], []
    required = old.values("Requires-Dist")
    names = {text: canonicalize_name(re.split(r"[^\w.-]", text, maxsplit=1)[0]) for text in required}
    for name in changes.drop:
        leaving = [text for text in required if names[text] == canonicalize_name(name)]
        if not leaving:
            what = f"is not required; the wheel requires {', '.join(sorted(set(names.values()))) or 'nothing'}"
            problems.append(Problem(where=f"--drop-require {name}", what=what))
        required = tuple(text for text in required if text not in leaving)
        words += [f"requires no longer {text}" for text in leaving]
    for text in changes.require:
        if wrong := list(_of_several_lines("--require", text)):
            problems += wrong
            continue
        try:
            asked = headers.requirement(text)
        except InvalidRequirement as error:
            what = f"is no requirement: {str(error).splitlines()[0]}"
            problems.append(Problem(where=f"--require {text!r}", what=what, hint='write one as "numpy<2.5"'))
            continue
        if asked.url:
            problems.append(Problem(where=f"--require {text!r}", what="is a URL, which PyPI refuses in a wheel"))
        if str(asked) not in required:
            required = (*required, str(asked))
            words.append(f"requires {asked}")
    return old.setting("Requires-Dist", required), words, problems


def _valid(new: Fields, old: Fields) -> tuple[Fields, list[Problem]]:
    """Return METADATA in the lowest version, not below its own, that has its fields; and what was wrong before not."""
    before = set(headers.metadata(bytes(old))[1])
    stated = next(iter(new.values("Metadata-Version")), "2.1")
    wrong = [what for what in headers.metadata(bytes(new))[1] if what not in before]
    for version in _METADATA_VERSIONS:
        if not any("introduced in metadata version" in what for what in wrong):
            break
        if version > stated:
            new = new.setting("Metadata-Version", (version,))
            wrong = [what for what in headers.metadata(bytes(new))[1] if what not in before]
    return new, [Problem(where="METADATA", what=f"would be wrong: {what}") for what in wrong]


def wheel_text(old: Fields, renamed: Name, tag: str | None) -> tuple[Fields, str, tuple[Problem, ...]]:
    """Return WHEEL with its build number and tags, the tags as the file name has them, and what is wrong with them."""
    from packaging.tags import parse_tag

    new = old.setting("Build", (renamed.build,) if renamed.build else ())
    if tag is None:
        return new, renamed.tags, ()
    parts = tag.split("-")
    parts = [*renamed.tags.split("-")[:2], tag] if len(parts) == 1 else parts
    if len(parts) != 3 or not (all(re.fullmatch(r"[\w.]+", part) for part in parts) and _are_platforms(parts[2])):
        hint = "write all three parts, such as py3-none-manylinux_2_28_x86_64, or the platform alone"
        return new, renamed.tags, (Problem(where="--tag", what=f"is {tag!r}", hint=hint),)
    tags = "-".join(".".join(sorted(set(part.split(".")))) for part in parts)
    return new.setting("Tag", tuple(sorted(map(str, parse_tag(tags))))), tags, ()


def _are_platforms(text: str) -> bool:
    """Whether each of these can be the tag of a platform: but for two, they name a system and a machine."""
    return all(each == "any" or "_" in each or platforms.parse(each) for each in text.split("."))
