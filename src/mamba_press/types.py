"""Every noun of mamba-press, as frozen values that the stages hand on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

# ruff: noqa: PLC0414 - nouns like the others, in homes of their own: light questions need no more
from mamba_press.binary import Binary as Binary
from mamba_press.binary import Edits as Edits
from mamba_press.binary import Requirement as Requirement
from mamba_press.errors import Note, Problem
from mamba_press.machine import NEUTRAL as NEUTRAL
from mamba_press.machine import NEUTRAL_ON_WINDOWS as NEUTRAL_ON_WINDOWS
from mamba_press.machine import Python as Python
from mamba_press.machine import System as System
from mamba_press.machine import Target as Target
from mamba_press.machine import VirtualPackage as VirtualPackage

if TYPE_CHECKING:
    from packaging.version import Version


OWN = "the project"
"""What stands for the project's own code where files have the name of their conda package: none can have this one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Spec:
    """What one package says of another: ``text`` as it is written, the rest as conda reads it.

    ``version`` is conda's text, ``*`` where any will do. ``when`` is the condition under which it holds, ``extras`` are
    groups of the other package's ``extra_depends``, ``flags`` say what its build has to have. ``problem`` is why conda
    cannot read it: then ``name`` is its first word, and the rest says nothing.
    """

    text: str
    name: str
    version: str = "*"
    build: str = "*"
    when: str | None = None
    extras: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Package:
    """A conda record as the channel's repodata states it, which repairs what stands inside the archive."""

    name: str
    version: str
    build: str = ""
    build_number: int = 0
    channel: str = ""
    subdir: str = ""
    url: str = ""
    file_name: str = ""
    sha256: str | None = None
    md5: str | None = None
    size: int | None = None
    license: str | None = None
    depends: tuple[Spec, ...] = ()
    constrains: tuple[Spec, ...] = ()
    extra_depends: Mapping[str, tuple[Spec, ...]] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    noarch: Literal["python", "generic"] | None = None
    timestamp: int | None = None
    site_packages: str | None = None
    requested: bool = False

    @property
    def is_python(self) -> bool:
        """Whether this is a Python package: known from the record, so what leaves is never downloaded."""
        return self.noarch == "python" or any(spec.name in ("python", "python_abi") for spec in self.depends)

    def __str__(self) -> str:
        return f"{self.name} {self.version} {self.build}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Solution:
    """The packages that a solve chose for a target, sorted by name, ``python`` included when something needs it.

    ``contents`` is what a lock says of packages that stay out, by name: as `fetch.inspect` answers.
    """

    target: Target
    packages: tuple[Package, ...]
    channels: tuple[str, ...]
    contents: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """One path of an installed prefix.

    ``path`` is relative to the prefix, with ``/``. ``link`` is, for a symlink, the path in the prefix of the file at
    which it ends. ``source`` holds the bytes and may be hard-linked to the package cache: it is never written to.
    """

    path: str
    source: Path
    package: str
    size: int
    sha256: str | None = None
    link: str | None = None
    placeholder: Literal["text", "binary"] | None = None
    executable: bool = False

    @property
    def real(self) -> str:
        """The path in the prefix of the file itself: where the link ends if this is one."""
        return self.link or self.path

    def differs(self, sha256: str) -> Problem | None:
        """Return what is wrong where bytes of its package with this hash are not those that the package states."""
        if self.sha256 is None or sha256 == self.sha256.lower():
            return None
        return Problem(
            where=f"{self.package}: {self.path}",
            what=f"the sha256 of its bytes is {sha256}, the package states {self.sha256}",
            hint="it was changed in the package cache: remove its package there (RATTLER_CACHE_DIR) and press again\n"
            "if that does not help, take another build, and tell the channel's owner",
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Info:
    """What the ``info`` folder of a conda package says beside its index, bounded and of the types stated here.

    ``about`` holds the texts of ``about.json``, ``scripts`` the entry points of ``link.json`` as written, ``licences``
    the licence files by their path, ``recipe`` the text of the rendered recipe.
    """

    about: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    scripts: tuple[str, ...] = ()
    licences: tuple[tuple[str, bytes], ...] = ()
    recipe: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Environment:
    """An installed prefix and what each file of it is.

    ``info`` holds, by package name, what the packages say of themselves. ``scripts`` gives, by package name, the paths
    of its link scripts, which were not run. ``spared`` are packages that were not installed: their files are cached.
    """

    prefix: Path
    files: tuple[File, ...]
    packages: tuple[Package, ...]
    info: Mapping[str, Info]
    scripts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    spared: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class Module:
    """A module or package of the project: the name by which it is imported, and its path below the project."""

    name: str
    path: str

    @property
    def root(self) -> str:
        """The folder below the project that has to be on Python's path, "" for the project itself."""
        depth = len(self.name.split("."))
        return "/".join(self.path.split("/")[:-depth])


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnFile:
    """One file of the project's own code, as it lies after installation.

    ``path`` is relative to the folder of ``scheme``: ``platlib`` is site-packages, the others are those of a wheel's
    ``.data`` folder (https://packaging.python.org/specifications/binary-distribution-format/#the-data-directory).
    """

    path: str
    source: Path
    scheme: Literal["platlib", "scripts", "headers", "data"] = "platlib"
    executable: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnFiles:
    """What a project brings into its wheel itself: its sources, or what its inner backend built of them.

    ``metadata`` is the METADATA that an inner backend wrote, ``entry_points`` its entry_points.txt, ``licenses`` the
    files of its ``.dist-info/licenses`` by their path there, ``tags`` its WHEEL's tags; none for plain sources.
    ``others`` are the rest of its ``.dist-info``, such as bills of materials, by their path there. ``notes`` is what
    there is to say about how it was found.
    """

    files: tuple[OwnFile, ...] = ()
    metadata: bytes | None = None
    entry_points: bytes | None = None
    licenses: Mapping[str, Path] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    others: Mapping[str, Path] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolved:
    """Where one needed library of one file is found.

    ``path`` is the path in the prefix of the real file when ``where`` is ``wheel``. ``named`` means that the user says
    so, with ``link.system``; ``missing`` is only ever told of finished wheels.
    """

    needed: str
    where: Literal["wheel", "system", "external", "removed", "missing"]
    path: str | None = None
    why: str = ""
    named: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Strings:
    """What a file's own strings say: ``names`` of libraries, and whether it names a folder where packages are built.

    ``announced`` means that its first bytes are those of a binary.
    """

    names: frozenset[str]
    built: bool
    announced: bool


_REASONS = {
    "asked": "asked for",
    "needed": "needed by {}",
    "included": "select.include",
    "unreached": "no library of this dependency is reached",
    "idle": "library that nothing needs",
    "rule": "{}",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a file stays, leaves or is made, and by what: a file, a rule, a purpose. Its words are for people alone.

    Of what nobody has to tell from other reasons, ``rule`` holds the words.
    """

    kind: Literal["asked", "needed", "included", "unreached", "idle", "rule"]
    by: str = ""

    def __str__(self) -> str:
        return _REASONS[self.kind].format(self.by)


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """A file that stays, and why; ``strings`` is None where nobody looked."""

    file: File
    why: Reason
    binary: Binary | None = None
    links: tuple[Resolved, ...] = ()
    strings: Strings | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Dropped:
    """A file, or a whole package (``path`` is None), that left, and by which rule."""

    package: str
    path: str | None
    size: int
    why: Reason


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """What stays of an environment, sorted by path, and what left."""

    kept: tuple[Kept, ...]
    dropped: tuple[Dropped, ...]
    notes: tuple[str | Note, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One file of the wheel.

    ``origin`` is the file of the prefix that it is, None for what we wrote ourselves and for a file of a finished
    wheel; ``package`` then is "" unless somebody knows it. ``binary``, ``links`` and ``strings`` are those of the file
    as it was kept: ``strings`` is None where nobody looked. ``placed`` means that the user chose the path, so that
    linking keeps it.
    """

    path: str
    source: Path | bytes
    executable: bool = False
    edits: Edits | None = None
    origin: File | None = None
    package: str = ""
    binary: Binary | None = None
    links: tuple[Resolved, ...] = ()
    strings: Strings | None = None
    placed: bool = False
    why: Reason | None = None

    @classmethod
    def made(cls, path: str, source: Path | bytes, purpose: str) -> Entry:
        """Return a file that no package has."""
        return cls(path=path, source=source, why=Reason("rule", purpose))

    @classmethod
    def of(cls, kept: Kept, path: str) -> Entry:
        """Return a file that stays as it is, at a path of the wheel."""
        return cls(
            path=path,
            source=kept.file.source,
            executable=kept.binary is not None or kept.file.executable,
            origin=kept.file,
            package=kept.file.package,
            binary=kept.binary,
            links=kept.links,
            strings=kept.strings,
            why=kept.why,
        )

    @property
    def original(self) -> str:
        """The path in its package, by which ``select`` knows it; that in the wheel where no package has it."""
        return self.origin.path if self.origin else self.path

    @property
    def real(self) -> str:
        """The path in the prefix of the file itself, "" for what was never there."""
        return self.origin.real if self.origin else ""

    def read(self) -> bytes:
        """Return the bytes of the source: edits are not made in them."""
        return self.source if isinstance(self.source, bytes) else self.source.read_bytes()


class Sbom(Protocol):
    """A file of a wheel's ``.dist-info`` that states the hashes of all others, and so is made when they are known."""

    def entry(self, wheel: Wheel, hashes: Mapping[str, str]) -> Entry:
        """Return the file; ``hashes`` holds the sha256 of each entry as it is written, by path."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wheel:
    """A finished wheel: writing adds nothing but RECORD and what ``bill`` makes of the hashes, and decides nothing.

    ``tags`` is the file name's last part, each of the three sorted as packaging wants:
    ``cp310-cp310-manylinux2014_x86_64.manylinux_2_17_x86_64``. ``entries`` are in the order in which they are
    written, without RECORD.
    """

    name: str
    version: Version
    tags: str
    entries: tuple[Entry, ...]
    build: str | None = None
    bill: Sbom | None = None

    @property
    def stem(self) -> str:
        """``name-version`` as in the names of the wheel's own folders (PEP 427, PEP 503 with ``_``)."""
        from packaging.utils import canonicalize_name

        return f"{canonicalize_name(self.name).replace('-', '_')}-{self.version}"

    @property
    def file_name(self) -> str:
        """The name of the ``.whl`` file."""
        return "-".join(filter(None, (self.stem, self.build, self.tags))) + ".whl"


@dataclass(frozen=True, kw_only=True, slots=True)
class Floor:
    """One reason for a wheel's lowest tag: ``symbol`` of ``library`` in the entry ``path`` of ``package``."""

    version: tuple[int, int]
    path: str
    package: str
    library: str
    symbol: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Tags:
    """The tags of a wheel and why.

    ``tags`` as in :class:`Wheel`; ``lowest`` is the lowest honest platform tag, without aliases. ``floors`` holds
    every reason found, highest first. ``notes`` says what was left out of account because the user asked for it.
    """

    tags: str
    lowest: str
    floors: tuple[Floor, ...] = ()
    notes: tuple[str | Note, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Project:
    """The ``[project]`` table and where it stands.

    ``table`` is the raw table; ``name`` is as the user wrote it; ``version`` is None while it is dynamic. ``built`` is
    what an inner backend made of the project: then its metadata count, and ``table`` says what they say.
    """

    root: Path
    name: str
    version: Version | None
    table: Mapping[str, object] = field(default_factory=dict)
    built: OwnFiles | None = None

    @property
    def dynamic(self) -> tuple[str, ...]:
        """The fields that the table leaves open."""
        listed = self.table.get("dynamic")
        return tuple(listed) if isinstance(listed, (list, tuple)) else ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Requirements:
    """What a wheel requires, as far as conda and the pressed packages know.

    ``dependencies`` are always required, perhaps under a marker; ``extras`` gives by extra what it requires, each
    with its whole marker.
    """

    dependencies: tuple[str, ...] = ()
    extras: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    requires_python: str | None = None
    notes: tuple[str | Note, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One path below the neutral prefix that a file of a package names.

    ``path`` is the file's in the wheel, ``file`` the one in the prefix. ``text`` is the path that it names, neutral
    prefix included. ``kind`` is *relocated* where linking or rewriting replaces it, *inert* where nothing opens it,
    else *functional*, and then ``consequence`` says in words what does not work. ``accepted``: the user knows of it.
    """

    path: str
    file: str
    package: str
    text: str
    kind: Literal["relocated", "inert", "functional"]
    consequence: str = ""
    accepted: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Pressed:
    """All that pressing found out: the wheel, and why it is as it is.

    ``licenses`` holds the SPDX expression of each package that has a file in the wheel, ``license`` that of all that is
    in it, ``findings`` each place that named the conda prefix.
    """

    wheel: Wheel
    solution: Solution
    selection: Selection
    tagging: Tags
    notes: tuple[Note, ...] = ()
    licenses: Mapping[str, str] = field(default_factory=dict)
    license: str | None = None
    findings: tuple[Finding, ...] = ()
    prefix: Path | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Wheelhouse:
    """An environment as wheels, sorted by conda package.

    ``asked`` names the conda packages that were asked for, ``left`` those that are no wheel, and why.
    """

    name: str
    asked: frozenset[str]
    solution: Solution
    wheels: tuple[Pressed, ...]
    left: tuple[Dropped, ...]
    notes: tuple[str | Note, ...] = ()
