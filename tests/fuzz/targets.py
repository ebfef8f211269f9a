"""What is fuzzed: each reader and editor of the project, with the inputs that it gets and the errors that it may raise.

A target's ``run`` says whether an input was read or edited, or was refused; whatever else is raised is a fault. It is
a function of the input's bytes alone: what an editor is asked to do is drawn from them, so a saved input replays.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Literal, NamedTuple

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from mamba_press.audit import check, contents, explain, explain_wheel
from mamba_press.audit.rules import dist_info as dist_info_rules
from mamba_press.conda import lockfile, match_specs, package_info, pep440, records
from mamba_press.conda.worker import fetch
from mamba_press.conda.worker import records as read_by_rattler
from mamba_press.config import pyproject_file, reader, recipe, recipe_table
from mamba_press.config.model import Licenses
from mamba_press.errors import PressError
from mamba_press.metadata import dynamic_fields as metadata_dynamic
from mamba_press.metadata import edit_metadata, headers, installed, licenses, sbom
from mamba_press.metadata import pyproject as metadata_pyproject
from mamba_press.pipeline import edit
from mamba_press.platforms import binaries, binary_edits, strings
from mamba_press.platforms.binaries import Malformed
from mamba_press.platforms.linux import elf, elf_edit
from mamba_press.platforms.macos import codesign, macho
from mamba_press.types import Binary, Edits, File, Package, Project, Requirements
from mamba_press.wheel import read as wheel_read
from mamba_press.wheel import wheelhouse, zip_format, zip_read
from tests.fuzz import corpus, mutate
from tests.fuzz.mutate import Seed


class Fault(AssertionError):  # noqa: N818 - no error of the project: one of what it promised
    """An oracle that does not hold; what a target raises itself where nothing else is raised."""


class Outcome(NamedTuple):
    """Whether an input was read or edited. Of an edit of a binary ``before`` and ``after`` can be held by others."""

    done: bool
    before: bytes = b""
    after: bytes = b""


REFUSED, READ = Outcome(done=False), Outcome(done=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """One thing that is fuzzed.

    ``share`` is its part of the time against the others'. A campaign makes at least ``minimum`` inputs. Of an editor
    at least half of the inputs have to be edited. ``format`` is of what others can judge.
    """

    name: str
    make: Callable[[Random], bytes]
    run: Callable[[bytes], Outcome]
    share: float = 1.0
    minimum: int = 200_000
    is_editor: bool = False
    format: Literal["elf", "macho", "pe"] | None = None


JUDGED = {"elf": 18, "macho": 8, "pe": 6}
"""Of each format others judge one of so many edited files: 20,000 of each in a campaign of 45 minutes."""


def every(folder: Path, scratch: Path) -> dict[str, Target]:
    """Return all targets by name. ``folder`` holds the corpus, ``scratch`` what one process writes: best in memory."""
    found = [*_binaries(corpus.binaries(folder)), *_archives(scratch), *_wheel_texts(scratch)]
    found += [*_conda_texts(scratch), *_project_texts(scratch), *_words()]
    return {target.name: target for target in found}


def _chance(data: bytes) -> Random:
    """Return a source of chance that depends on an input alone."""
    return Random(zlib.crc32(data))


# --- binaries


def _binaries(seeds: Mapping[str, Sequence[Seed]]) -> list[Target]:
    def made(kind: str) -> Callable[[Random], bytes]:
        return lambda rng: mutate.binary(rng, mutate.pick(rng, seeds[kind]))

    read, edited = _read_binary, _edit_binary
    found = []
    for kind, least in (("elf", 300_000), ("macho", 100_000), ("pe", 150_000)):
        if seeds[kind]:
            found.append(Target(name=f"{kind}-read", make=made(kind), run=read, share=4, minimum=least))
            parts = {"make": made(kind), "run": edited, "is_editor": True, "format": kind}
            found.append(Target(name=f"{kind}-edit", share=6, minimum=100_000, **parts))  # type: ignore[arg-type]
    if seeds["elf"]:
        found.append(
            Target(name="elf-strip", make=made("elf"), minimum=150_000, run=_strip, is_editor=True, format="elf")
        )
    found.append(
        Target(name="macho-sign", make=made("macho"), minimum=150_000, run=_sign, is_editor=True, format="macho")
    )
    return found


def _read_binary(data: bytes) -> Outcome:
    done = False
    for question in (
        binaries.read,
        binaries.symbols,
        binary_edits.layout_problems,
        binaries.unique_symbols,
        binary_edits.unsigned,
    ):
        try:
            found = question(data)
        except Malformed:
            continue
        if question is binaries.read and isinstance(found, Binary):
            done = True
            for name in found.needed[:2]:
                list(binaries.lookup(found, "a/b/c.so", name))
                try:
                    binary_edits.taken(data, name)
                except Malformed:
                    continue
    strings.look_at(data)
    return Outcome(done=done)


_NAMES = (
    "libx.so.1",
    "libquite-a-long-name-0123abcd.so.12",
    "a",
    "lib é.so",
    "@rpath/libz-0123abcd.1.dylib",
    "other.dll",
)
_SEARCH = (("$ORIGIN",), ("$ORIGIN/../x.libs", "$ORIGIN"), (), ("$ORIGIN/" + "deep/" * 30,))
_MAC_SEARCH = (("@loader_path",), ("@loader_path/../x.libs", "@rpath/.."), (), ("@loader_path/" + "deep/" * 300,))


def asked(binary: Binary, rng: Random) -> Edits:
    """Return edits such as pressing asks for."""
    name = rng.choice(_NAMES) if binary.name and rng.random() < 0.5 else None
    needed: list[tuple[str, str | None]] = []
    for old in binary.needed[:6]:
        choice = rng.random()
        if choice < 0.5:
            new = f"{rng.choice(_NAMES)}-{len(needed)}"
            needed.append((old, None if choice < 0.06 and binary.format == "elf" else new))
    search: tuple[str, ...] | None = None
    if binary.format != "pe" and rng.random() < 0.6:
        search = rng.choice(_SEARCH if binary.format == "elf" else _MAC_SEARCH)
    if name is None and not needed and search is None:
        if binary.needed:
            needed = [(binary.needed[0], rng.choice(_NAMES))]
        elif binary.format == "pe":
            name = rng.choice(_NAMES)
        else:
            search = ("$ORIGIN/x",) if binary.format == "elf" else ("@loader_path/x",)
    extra = rng.random()
    return Edits(
        name=name,
        needed=tuple(needed),
        search=search,
        inherited=extra < 0.2,
        unbind_unique=extra > 0.9,
        sign=extra > 0.3 and binary.format == "macho",
        strip=extra > 0.7 and binary.format == "elf",
        clear_execstack=0.4 < extra < 0.6 and binary.format == "elf",
    )


def _edit_binary(data: bytes) -> Outcome:
    try:
        before = binaries.read(data)
        if before is None or before.arch is None:
            return REFUSED
        edits = asked(before, _chance(data))
        after = bytes(binary_edits.apply(data, edits))
    except Malformed:
        return REFUSED
    found = binaries.read(after)
    if found is None:
        raise Fault("what the editor gave back is no binary")
    if edits.name is not None and before.name is not None and found.name != edits.name:
        raise Fault(f"the name is {found.name!r}, not {edits.name!r}")
    gone = {old for old, _ in edits.needed} - {new for _, new in edits.needed}
    if left := gone & set(found.needed):
        raise Fault(f"{sorted(left)} are still needed")
    if edits.search is not None and before.format == "elf" and set(found.search) != set(edits.search):
        raise Fault(f"the search path is {found.search!r}, not {edits.search!r}")
    _no_worse(data, after)
    return Outcome(True, data, after)


def _no_worse(before: bytes, after: bytes) -> None:
    """Raise where an edited file has a fault of a kind that the file did not have before."""
    try:
        known = {_kind(each) for each in binary_edits.layout_problems(before)}
    except Malformed:
        return
    new = [each for each in binary_edits.layout_problems(after) if _kind(each) not in known]
    if new:
        raise Fault(f"after the edit: {new[0]}")


def is_sound(data: bytes) -> bool:
    """Whether our own readers find nothing wrong with a binary: only then others can judge what an edit does to it."""
    try:
        binaries.symbols(data)
        return binary_edits.layout_problems(data) == () and binaries.read(data) is not None
    except Malformed:
        return False


def _kind(text: str) -> str:
    return "".join(c for c in text if not c.isdigit() and c not in "xabcdef")


def _strip(data: bytes) -> Outcome:
    try:
        after = bytes(elf_edit.strip(data))
    except Malformed:
        return REFUSED
    if elf.is_supported(data):
        _ = elf.Image(after).sections
        try:
            before = binaries.read(data)
        except Malformed:
            return READ
        if binaries.read(after) != before:
            raise Fault("the stripped file says something else")
    return Outcome(True, data, after)


def _sign(data: bytes) -> Outcome:
    try:
        after = codesign.sign(data)
    except Malformed:
        return REFUSED
    (image,) = macho.images(after)
    if problems := codesign.problems(image):
        raise Fault(f"after signing: {problems[0]}")
    return Outcome(True, data, after)


# --- archives

NAME = "demo_x-1.0-py3-none-any.whl"
_CHANGES = (
    edit.Changes(build="1"),
    edit.Changes(suffix="post1", require=("attrs >= 20",)),
    edit.Changes(suffix="+local.1", drop=("numpy",)),
    edit.Changes(build="2", fields=(("Summary", "Greets others"), ("Keywords", ""))),
)


def _archives(scratch: Path) -> list[Target]:
    path = scratch / NAME
    plain = [mutate.archive("wheel", corpus.packed(corpus.wheel()))]
    plain.append(mutate.archive("stored", corpus.packed(corpus.wheel(), method=zipfile.ZIP_STORED)))

    def broken(rng: Random) -> bytes:
        return mutate.binary(rng, rng.choice(plain))

    def mixed(rng: Random) -> bytes:
        """Mostly sound archives with other content, so that most can be edited."""
        return sound(rng) if rng.random() < 0.7 else broken(rng)

    def sound(rng: Random) -> bytes:
        texts = {}
        if rng.random() < 0.6:
            texts["METADATA"] = corpus.METADATA + rng.randbytes(rng.randrange(40)).hex().encode()
        if rng.random() < 0.4:
            texts["sboms/mamba-press.cdx.json"] = mutate.document(rng, corpus.BILL)
        if rng.random() < 0.3:
            texts[f"licenses/{rng.randrange(99)}.txt"] = rng.randbytes(rng.randrange(200))
        if rng.random() < 0.2:
            texts["METADATA"] = mutate.text(rng, corpus.METADATA, _METADATA_WORDS)
        return corpus.packed(corpus.wheel(**texts), method=rng.choice((0, 8)))

    def checked(data: bytes) -> Outcome:
        path.write_bytes(data)
        return Outcome(done=not check.examine(path).problems)

    def explained(data: bytes) -> Outcome:
        path.write_bytes(data)
        try:
            json.dumps(explain.as_json(explain_wheel.of_wheel(path)))
        except PressError:
            return REFUSED
        return READ

    return [
        Target(name="zip-splice", make=mixed, run=_splice, share=3, minimum=100_000, is_editor=True),
        Target(name="zip-unpack", make=broken, run=_unpack(path), share=2, minimum=100_000),
        Target(name="wheel-check", make=broken, run=checked, share=3, minimum=50_000),
        Target(name="wheel-explain", make=mixed, run=explained, share=3, minimum=50_000),
        Target(name="wheel-edit", make=mixed, run=_wheel_editor(scratch), share=6, minimum=30_000, is_editor=True),
    ]


def _splice(data: bytes) -> Outcome:
    """Entries replaced and renamed; where our reader sees no contradiction, Python's has to see the same files."""
    source, target = io.BytesIO(data), io.BytesIO()
    try:
        members = zip_read.require(source)
        held = {member.name: zip_read.content(source, member) for member in members}
    except zip_format.ArchiveError:
        return REFUSED
    if held != _by_zipfile(source):
        raise Fault("zipfile sees other files")
    changed = tuple(
        member.holding(b"other" * 9) if number == 1 else member.named(f"{member.name}_") if number == 2 else member
        for number, member in enumerate(members)
    )
    zip_format.write(source, target, changed)
    again = zip_read.require(target)
    if [member.name for member in again] != [member.name for member in changed]:
        raise Fault("the archive that was written lists other names")
    if {member.name: zip_read.content(target, member) for member in again} != _by_zipfile(target):
        raise Fault("zipfile sees other files in what was written")
    if any(zip_read.content(target, member) != held[member.name] for member in again[3:]):
        raise Fault("an entry that was not to change has other content")
    return READ


def _by_zipfile(file: io.BytesIO) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(file) as archive:
            return {info.filename: archive.read(info) for info in archive.infolist()}
    except (ValueError, OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise Fault(f"zipfile cannot read it: {error}") from error


def _unpack(path: Path) -> Callable[[bytes], Outcome]:
    def run(data: bytes) -> Outcome:
        path.write_bytes(data)
        try:
            with path.open("rb") as file:
                members = zip_read.read(file).members
        except zip_format.ArchiveError:
            return REFUSED
        if wheel_read.is_bomb(members, len(data)):
            return REFUSED
        wheel_read.read(path, members, "texts")
        return READ

    return run


def _wheel_editor(scratch: Path) -> Callable[[bytes], Outcome]:
    path, out = scratch / NAME, scratch / "out"

    def run(data: bytes) -> Outcome:
        path.write_bytes(data)
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        try:
            (done,) = edit.edit([path], _chance(data).choice(_CHANGES), out)
        except PressError:
            if left := [each.name for each in out.iterdir()]:
                raise Fault(f"a refused edit leaves {left}") from None
            return REFUSED
        written = out / str(done.new)
        with zipfile.ZipFile(written) as file:
            if (bad := file.testzip()) is not None:
                raise Fault(f"{bad} of the edited wheel is damaged")
        if (there := [each.name for each in out.iterdir()]) != [str(done.new)]:
            raise Fault(f"the folder has {there}")
        return READ

    return run


# --- the texts of a wheel

_METADATA_WORDS = (
    *(line + b"\n" for line in corpus.METADATA.split(b"\n") if line),
    *(
        b"Requires-Dist: ",
        b"Requires-Dist: a; b",
        b"License-File: ../x\n",
        b"Name: x\n",
        b"Version: 1\n",
        b"Description: x\n",
    ),
    *(
        b"\n\n",
        b"Dynamic: Name\n",
        b" continued\n",
        b"Metadata-Version: 9.9\n",
        b"Provides-Extra: \xff\n",
        b"=?utf-8?b?/w==?=",
    ),
)


@cache
def _sound() -> tuple[contents.Name, dict[str, wheel_read.Member]]:
    name = contents.parse_name(NAME)
    assert isinstance(name, contents.Name)
    found = {}
    for path, data in corpus.wheel().items():
        digest = hashlib.sha256(data).hexdigest()
        found[path] = wheel_read.Member(path=path, size=len(data), sha256=digest, data=data)
    return name, found


def _contents(text: str, data: bytes) -> contents.Contents:
    """Return a wheel as `check` has read it, with this in a file of its ``.dist-info``."""
    name, members = _sound()
    path = f"demo_x-1.0.dist-info/{text}"
    changed = wheel_read.Member(path=path, size=len(data), sha256="0" * 64, data=data)
    return contents.Contents(name=name, members={**members, path: changed}, dist_info="demo_x-1.0.dist-info")


def _wheel_texts(scratch: Path) -> list[Target]:
    record = corpus.record(corpus.files())
    bill, points = corpus.BILL, corpus.ENTRY_POINTS
    return [
        Target(
            name="fields",
            make=lambda rng: mutate.text(rng, corpus.METADATA, _METADATA_WORDS),
            run=_fields,
            minimum=400_000,
        ),
        Target(
            name="metadata",
            make=lambda rng: mutate.text(rng, corpus.METADATA, _METADATA_WORDS),
            minimum=100_000,
            run=_metadata(scratch),
            share=3,
        ),
        Target(name="wheel-file", make=lambda rng: mutate.text(rng, corpus.WHEEL), run=_wheel_file, minimum=300_000),
        Target(name="record", make=lambda rng: mutate.text(rng, record), run=_record, share=2, minimum=500_000),
        Target(
            name="entry-points", make=lambda rng: mutate.text(rng, points), run=_entry_points, share=2, minimum=300_000
        ),
        Target(name="bill", make=lambda rng: mutate.document(rng, bill), run=_bill, share=2, minimum=100_000),
        Target(
            name="requires-txt",
            make=lambda rng: mutate.text(rng, corpus.REQUIRES_TXT),
            run=_requires_txt,
            minimum=300_000,
        ),
    ]


def _fields(data: bytes) -> Outcome:
    found = headers.parse(data)
    if bytes(found) != data:
        raise Fault("the fields are not the text that they were read from")
    changed = found.setting("Version", ("2.0",)).setting("Requires-Dist", ("a", "b"))
    if headers.parse(bytes(changed)).values("Version") != ("2.0",):
        raise Fault("the version that was set is not there")
    return READ


def _metadata(scratch: Path) -> Callable[[bytes], Outcome]:
    path = scratch / "METADATA"
    about = Project(
        root=scratch, name="x", version=None, table={"dynamic": ["description", "readme", "urls", "authors"]}
    )

    def run(data: bytes) -> Outcome:
        problems = list(dist_info_rules._metadata(_contents("METADATA", data), "demo_x-1.0.dist-info/METADATA", data))
        path.write_bytes(data)
        file = _file("lib/python3.11/site-packages/x-1.0.dist-info/METADATA", path)
        try:
            read = installed.read([file])
        except PressError:
            return REFUSED
        for one in read:
            sources = metadata_dynamic.Sources(package=_package(), derived=_DERIVED, raw=one.raw)
            metadata_dynamic.complete(about, sources)
        return Outcome(done=not problems)

    return run


def _wheel_file(data: bytes) -> Outcome:
    list(dist_info_rules._wheel_file(_contents("WHEEL", data), "demo_x-1.0.dist-info/WHEEL", data))
    return READ


def _record(data: bytes) -> Outcome:
    found = list(dist_info_rules._record(_contents("RECORD", data), "demo_x-1.0.dist-info/RECORD", data))
    return Outcome(done=not found)


def _entry_points(data: bytes) -> Outcome:
    list(dist_info_rules._entry_points(_contents("entry_points.txt", data), "entry_points.txt", data))
    try:
        installed.entry_points(data)
    except ValueError:
        return REFUSED
    return READ


_EDITED = sbom.Edit(version="1.0.post1", old_stem="demo_x-1.0", stem="demo_x-1.0.post1", words=("version 1.0.post1",))


def _bill(data: bytes) -> Outcome:
    explain_wheel._bill({f"sboms/{sbom.NAME}": data})
    try:
        json.loads(sbom.edited(data, _EDITED))
    except ValueError:
        return REFUSED
    return READ


def _requires_txt(data: bytes) -> Outcome:
    list(installed._required(data.decode("utf-8", "replace")))
    return READ


# --- the texts of a conda package


_DERIVED = Requirements(dependencies=(), extras={}, requires_python=None)


@cache
def _rules() -> Licenses:
    return reader.from_values({"packages": ["x"]}, {}, {}).licenses


def _package(**more: object) -> Package:
    return _read_record({**corpus.INDEX, **more})


def _read_record(record: dict[str, object]) -> Package:
    texts = [text for key in ("depends", "constrains") for text in record.get(key) or ()]  # type: ignore[attr-defined]
    [package] = records.packages_of(
        {"packages": [record], "specs": {text: read_by_rattler.parts(text) for text in texts}}
    )
    return package


def _file(path: str, source: Path) -> File:
    return File(path=path, source=source, package="x", size=1)


def _conda_texts(scratch: Path) -> list[Target]:
    info = scratch / "info"
    info.mkdir(exist_ok=True)
    dynamic = ["description", "readme", "urls", "keywords", "authors"]
    project_ = Project(root=scratch, name="x", version=None, table={"dynamic": dynamic})
    rules = _rules()

    def said(name: str, about: bool) -> Callable[[bytes], Outcome]:
        def run(data: bytes) -> Outcome:
            (info / name).write_bytes(data)
            try:
                found, notes = package_info.read(info, "demo")
                if about:
                    sources = metadata_dynamic.Sources(package=_package(), derived=_DERIVED, raw={}, about=found.about)
                    metadata_dynamic.complete(project_, sources)
                    licenses.read([_package(license=None)], {"demo": found.about}, rules)
            except PressError:
                return REFUSED
            finally:
                (info / name).unlink()
            return Outcome(done=not notes)

        return run

    def made(value: object) -> Callable[[Random], bytes]:
        return lambda rng: mutate.document(rng, value)

    return [
        Target(
            name="about-json", make=made(corpus.ABOUT), minimum=100_000, run=said("about.json", about=True), share=2
        ),
        Target(name="link-json", make=made(corpus.LINK), run=said("link.json", about=False), minimum=100_000),
        Target(name="paths-json", make=made(corpus.PATHS), run=_paths_json, minimum=300_000),
        Target(name="index-json", make=made(corpus.INDEX), run=_index_json, share=2, minimum=200_000),
    ]


def _paths_json(data: bytes) -> Outcome:
    """What the worker says of an archive's list; it answers whatever is raised, but not what never ends."""
    try:
        fetch._contents({"paths.json": data})
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return REFUSED
    return READ


def _is_plain(value: object) -> bool:
    texts = value if isinstance(value, list) else [value]
    return all(not isinstance(each, str) or not re.search("[\ud800-\udfff]", each) for each in texts) and (
        not isinstance(value, list) or all(isinstance(each, str) for each in value)
    )


def _index_json(data: bytes) -> Outcome:
    """A record as rattler has let it through: the texts in it are the package's."""
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        return REFUSED
    sound = corpus.INDEX
    if not isinstance(said, dict):
        return REFUSED
    # rattler takes no lone surrogates, and where a package lies is the user's word.
    known = {key: value for key, value in said.items() if type(value) is type(sound.get(key)) and _is_plain(value)}
    record = {**sound, **known, "channel": sound["channel"], "url": sound["url"]}
    try:
        package = _read_record(record)
        sbom.purl(package)
        for spec in (*package.depends, *package.constrains):
            match_specs.minimum(spec)
        licenses.read([package], {}, _rules())
        metadata_pyproject.pep440(package)
    except PressError:
        return REFUSED
    return READ


# --- what a project says


def _project_texts(scratch: Path) -> list[Target]:
    root = scratch / "project"
    root.mkdir(exist_ok=True)
    toml, written, house = root / "pyproject.toml", root / "recipe.yaml", scratch / "wheelhouse.json"
    words = tuple(line + b"\n" for line in corpus.PYPROJECT.split(b"\n") if line)

    def pyproject(data: bytes) -> Outcome:
        toml.write_bytes(data)
        done = True
        for call in (
            lambda: reader.read(root, None, {}),
            lambda: metadata_pyproject.load(root),
            lambda: pyproject_file.is_plain(root),
        ):
            try:
                call()
            except PressError as error:
                str(error)
                done = False
        return Outcome(done=done)

    def toml_only(data: bytes) -> Outcome:
        toml.write_bytes(data)
        try:
            pyproject_file.document(root)
        except PressError as error:
            str(error)
            return REFUSED
        return READ

    def recipes(data: bytes) -> Outcome:
        written.write_bytes(data)
        try:
            recipe_table.table(recipe.read(written), "demo")
        except PressError as error:
            str(error)
            return REFUSED
        return READ

    def manifest(data: bytes) -> Outcome:
        house.write_bytes(data)
        try:
            wheelhouse.read(scratch)
        except PressError as error:
            str(error)
            return REFUSED
        return READ

    return [
        Target(
            name="pyproject",
            make=lambda rng: mutate.text(rng, corpus.PYPROJECT, words),
            run=pyproject,
            share=3,
            minimum=50_000,
        ),
        Target(
            name="toml",
            make=lambda rng: mutate.text(rng, corpus.PYPROJECT, ()),
            run=toml_only,
            share=2,
            minimum=100_000,
        ),
        Target(
            name="recipe", make=lambda rng: mutate.text(rng, corpus.RECIPE, ()), run=recipes, share=3, minimum=20_000
        ),
        Target(name="lock", make=lambda rng: mutate.text(rng, corpus.LOCK, ()), run=_lock(root), minimum=300_000),
        Target(name="manifest", make=lambda rng: mutate.document(rng, corpus.MANIFEST), run=manifest, minimum=100_000),
        Target(name="settings", make=_settings, run=_setting, share=2, minimum=60_000),
    ]


def _lock(root: Path) -> Callable[[bytes], Outcome]:
    def run(data: bytes) -> Outcome:
        try:
            text = data.decode()
            absolute = lockfile.absolute(text, root)
            lockfile.stamps(text)
        except ValueError:
            return REFUSED
        lockfile.portable(absolute, root, ["./local"])
        lockfile.public(text[:2000])
        return READ

    return run


_KEYS = (
    *(
        "packages",
        "channels",
        "constraints",
        "platform",
        "python",
        "exclude-newer",
        "select.exclude",
        "wheel.compression",
    ),
    *(
        "link.system",
        "requires",
        "requires.numpy",
        "licenses.allow",
        "link.runtimes",
        "overrides",
        "config-settings.x",
        "tag",
    ),
)


def _settings(rng: Random) -> bytes:
    """Settings and variables, as JSON."""
    picked = {
        rng.choice(_KEYS): rng.choice(("a;b", "x=y;z=w", "true", "", "1", ["x", "y"], {"a": "b"})) for _ in range(3)
    }
    return mutate.document(rng, {"packages": "zlib", **picked})


def _setting(data: bytes) -> Outcome:
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        return REFUSED
    if not isinstance(said, dict):
        return REFUSED
    names = {f"MAMBA_PRESS_{key.upper().replace('-', '_')}": each for key, each in said.items()}
    texts = {name: each for name, each in names.items() if isinstance(each, str)}
    done = True
    for settings, environ in ((said, {}), ({}, texts)):
        try:
            reader.from_values({"packages": ["x"]}, settings, environ)
        except PressError as error:
            str(error)
            done = False
    return Outcome(done=done)


# --- words


def _words() -> list[Target]:
    return [
        Target(name="spec", make=_words_of(corpus.SPECS), run=_spec, share=3, minimum=300_000),
        Target(name="licence", make=_words_of(corpus.LICENCES), run=_licence, share=2, minimum=200_000),
        Target(
            name="version",
            make=_words_of(("1.0", "2024a", "1!2.3", "1.0.post1", "1_2", "1.0rc1+x", "v1")),
            run=_version,
        ),
        Target(
            name="file-name",
            make=_words_of((NAME, "a-1-1-cp311-abi3-x.y.whl", "x-1.0.whl")),
            run=_file_name,
            minimum=500_000,
        ),
    ]


def _words_of(texts: Sequence[str]) -> Callable[[Random], bytes]:
    words = tuple(part.encode() for text in texts for part in text.replace(",", " , ").split())

    def make(rng: Random) -> bytes:
        return mutate.text(rng, rng.choice(texts).encode(), words if rng.random() < 0.5 else ())[:100_000]

    return make


def _spec(data: bytes) -> Outcome:
    text = data.decode("utf-8", "replace")
    found = match_specs.read(text)
    match_specs.minimum(found)
    try:
        translated = pep440.translate(found.version, within=">=3.8" if len(data) % 3 == 0 else "")
        pep440.intersection(translated.specifiers, SpecifierSet(">=1.0,<5"))
    except match_specs.UntranslatableError:
        return REFUSED
    return READ


def _licence(data: bytes) -> Outcome:
    text = data.decode("utf-8", "replace")
    rules = _rules()
    try:
        (one,) = licenses.read([_package(license=text)], {}, rules)
        licenses.joined([one.expression, "MIT"])
        licenses.require([one], [_package()], replace(rules, allow=("MIT", "BSD-*")))
    except PressError:
        return REFUSED
    return READ


def _version(data: bytes) -> Outcome:
    text = data.decode("utf-8", "replace")
    try:
        found = metadata_pyproject.pep440(_package(version=text))
    except PressError:
        return REFUSED
    if found is not None:
        Version(found)
    return Outcome(done=found is not None)


def _file_name(data: bytes) -> Outcome:
    text = data.decode("utf-8", "replace")
    contents.parse_name(text)
    try:
        edit_metadata.name_of(text)
    except PressError:
        return REFUSED
    return READ
