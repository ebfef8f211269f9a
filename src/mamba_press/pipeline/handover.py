"""What preparing metadata found out, left in the prepared folder for the hook that builds (PEP 517).

A front end hands that folder back, and anyone may have changed it meanwhile. What is in it counts only under a seal,
whose key lies in the user's own cache. The solve counts for the same order, what was pressed or built of it only while
the project and the files of the package cache are what they were, too. Otherwise all is done anew.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.version import Version

from mamba_press import atomic, binary, errors, log, machine, types
from mamba_press.conda import prefix, worker_process
from mamba_press.errors import ContentError, PressError
from mamba_press.metadata import licenses, metadata_providers, sbom
from mamba_press.pipeline import build, solve
from mamba_press.platforms import facts, target
from mamba_press.project import tree
from mamba_press.types import Pressed, Selection, Solution
from mamba_press.wheel import compress

if TYPE_CHECKING:
    from mamba_press.pipeline.solve import Order

    Json = dict[str, object]

HANDED, PRESSED, SEAL = "mamba-press.json", "mamba-press.pressed", "mamba-press.seal"
_WRONG = (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, ContentError)
"""What reading a folder of another version, or one that somebody changed, may end in."""

_KINDS: dict[str, type] = {
    each.__name__: each
    for each in (
        *(errors.Note, errors.Setting, errors.Text, licenses.Licence, sbom.Sbom),
        *(binary.Binary, binary.Edits, binary.Requirement, machine.Python, machine.Target),
        *(types.Dropped, types.Entry, types.File, types.Finding, types.Floor, types.Info, types.Kept, types.Package),
        *(types.Pressed, types.Reason, types.Resolved, types.Selection, types.Solution, types.Spec, types.Strings),
        *(types.Tags, types.Wheel),
    )
}
_KEY = 32
_MOST = 16 << 20
"""How many bytes may be handed over that are in no package, such as texts that name the prefix."""


def fingerprint(asked: Order) -> str:
    """Return what tells apart the orders that may have different solutions."""
    from mamba_press import __version__

    lock = asked.root / solve.LOCK
    locked = lock.read_bytes() if lock.is_file() else None
    virtual = target.virtual_packages(asked.target, asked.environ)
    return _digest(__version__, asked.config, asked.target, str(asked.root), virtual, locked)


def sources(asked: Order) -> str:
    """Return what changes when a file of the project does, or what else a wheel is made of beside its solution."""
    try:
        found = [(path, source) for path, source, _ in tree.collect(asked.root, include=asked.config.sources.include)]
    except PressError:  # what no archive can hold: then nothing is known to be the same
        return secrets.token_hex()
    seen = [(path, _seen(source)) for path, source in found]
    maker = compress.generator(asked.config.wheel.compression)
    state = asked.state.removeprefix("metadata_")
    return _digest(seen, asked.project, state, maker, build.epoch(asked.environ))


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _seen(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


# --- what is left, and how it is found again


def built(asked: Order, path: Path) -> dict[str, bytes]:
    """Return the files to leave of a wheel that an inner backend built: that wheel is one of them."""
    return _sealed(asked, {"of": sources(asked), "beside": path.name}, path.read_bytes())


def left(asked: Order, solution: Solution, result: Pressed, of: str) -> dict[str, bytes]:
    """Return the files to leave; ``of`` is what `sources` said before anything was read of the project.

    Where code of the project decides what is in the wheel, only the solve is: nobody knows what that code looks at.
    """
    runs_code = asked.config.hook is not None or bool(metadata_providers.asked(asked.root))
    pressed = None if runs_code else _packed(asked, result)
    values: Json = {"of": of, "solution": json.loads(_text(solution)[0]), "beside": PRESSED if pressed else None}
    return _sealed(asked, values, pressed or b"")


def _sealed(asked: Order, values: Json, beside: bytes) -> dict[str, bytes]:
    """Return the files with a seal; none where there is no key."""
    if (key := _key(asked, makes=True)) is None:
        return {}
    handed = json.dumps({**values, "for": fingerprint(asked)}, sort_keys=True).encode()
    files = {HANDED: handed, SEAL: _seal(key, handed, beside)}
    return {**files, str(values["beside"]): beside} if values["beside"] else files


def _opened(prepared: Path, asked: Order) -> tuple[dict[str, Any], bytes]:
    """Return what was left for this very order; raises one of `_WRONG` where it is anything else."""
    data = prepared.joinpath(HANDED).read_bytes()
    handed: dict[str, Any] = json.loads(data)
    beside = prepared.joinpath(Path(handed["beside"]).name).read_bytes() if handed["beside"] else b""
    key = _key(asked)
    if key is None or not hmac.compare_digest(prepared.joinpath(SEAL).read_bytes(), _seal(key, data, beside)):
        raise ValueError("it has been changed")
    if handed["for"] != fingerprint(asked):
        raise ValueError("it is for another order")
    return handed, beside


def finished(prepared: Path, asked: Order) -> Path | None:
    """Return the wheel of an inner backend that was left, if no source has changed since."""
    if asked.config.build_backend is None:
        return None
    try:
        handed, _ = _opened(prepared, asked)
        return prepared / handed["beside"] if handed["of"] == sources(asked) else None
    except _WRONG:
        return None


@contextmanager
def pressed(prepared: Path, asked: Order) -> Iterator[Pressed]:
    """Give what was pressed when the metadata was prepared, or press anew, of the solve that was left, if any."""
    with build.workdir(asked.environ) as folder:
        result = _again(prepared, asked, folder)
        if result is not None:
            log.detail("the wheel is written from what was pressed when its metadata was prepared")
            yield result
            return
    with build.pressed(asked, solved(prepared, asked)) as result:
        yield result


def solved(prepared: Path, asked: Order) -> Solution | None:
    """Return the solve that was left, if any."""
    try:
        found = _made(json.dumps(_opened(prepared, asked)[0]["solution"]).encode(), {})
        return found if isinstance(found, Solution) else None
    except _WRONG:
        return None


def _again(prepared: Path, asked: Order, folder: Path) -> Pressed | None:
    """Return what was pressed, its files where they can be read now; None where anything is not as it was."""
    try:
        handed, data = _opened(prepared, asked)
        if handed["of"] != sources(asked):
            return None
        files, _, text = data.partition(b"\n")
        cache = worker_process.cache_folder(asked.environ)
        places = {path: _placed(each, cache, folder / str(at)) for at, (path, each) in enumerate(json.loads(files))}
        result = _made(text, places)
        return result if isinstance(result, Pressed) else None
    except _WRONG:
        return None


def _key(asked: Order, *, makes: bool = False) -> bytes | None:
    """Return the user's key, None where there is none, or none that can be written."""
    path = worker_process.cache_folder(asked.environ) / "mamba-press" / "handover.key"
    try:
        if makes and not path.is_file():
            with atomic.replacing(path) as file:
                Path(file.name).chmod(0o600)
                file.write(secrets.token_bytes(_KEY))
        key = path.read_bytes()
    except (OSError, PressError):
        return None
    return key if len(key) == _KEY else None


def _seal(key: bytes, *parts: bytes) -> bytes:
    return hmac.new(key, b"\n".join(parts), "sha256").hexdigest().encode()


def _packed(asked: Order, result: Pressed) -> bytes | None:
    """Return what was pressed as text, None where that would be too much.

    First where the files are found again: those of packages in the cache, the others within. Why files left is only
    told of wheels that are too large.
    """
    assert result.prefix is not None
    told = result.selection if asked.config.wheel.max_size is not None else Selection(kept=(), dropped=())
    text, paths = _text(replace(result, selection=told, prefix=None))
    inside, root = f"{result.prefix}/", f"{asked.root.resolve()}/"
    there = {entry.package for entry in result.wheel.entries}
    packages = [package for package in result.solution.packages if package.name in there]
    names = {path[len(inside) :] for path in paths if path.startswith(inside)}
    found = prefix.originals(result.prefix, packages, names, facts(result.solution.target).neutral)
    files, size = list[tuple[str, object]](), 0
    for path in (path for path in paths if not path.startswith(root)):
        original = found.get(path[len(inside) :]) if path.startswith(inside) else None
        if original is not None:
            files.append((path, [original.folder, original.path, _seen(original.source), original.change]))
            continue
        data = Path(path).read_bytes()
        size += len(data)
        files.append((path, base64.b64encode(data).decode()))
        if size > _MOST:
            return None
    return b"\n".join((json.dumps(files).encode(), text))


def _placed(each: str | tuple[str, str, list[int], tuple[str, str, str] | None], cache: Path, made: Path) -> Path:
    """Return where a file is now; raises ValueError or OSError for one of a package that is not what it was."""
    if isinstance(each, str):
        made.write_bytes(base64.b64decode(each, validate=True))
        return made
    folder, path, seen, change = each
    source = prefix.in_cache(cache, folder, path)
    if _seen(source) != seen:
        raise ValueError(f"{source} has changed")
    if change is None:  # it is compared with the hash that its package states when it is written
        return source
    made.write_bytes(prefix.changed(source, *change))
    return made


def _text(result: object) -> tuple[bytes, list[str]]:
    """Return a value as text, and the paths in it."""
    paths: dict[str, None] = {}

    def plain(value: object) -> Json:
        if isinstance(value, Path):
            paths[str(value)] = None
        if isinstance(value, (Path, Version)):
            return {"": "Path" if isinstance(value, Path) else "Version", "of": str(value)}
        if isinstance(value, bytes):
            return {"": "bytes", "of": base64.b64encode(value).decode()}
        if isinstance(value, frozenset):
            return {"": "frozenset", "of": sorted(value)}
        if isinstance(value, Mapping):
            return dict(value)
        kind = _KINDS[type(value).__name__]
        assert isinstance(value, kind)
        parts = ((each.name, getattr(value, each.name), each.default) for each in fields(kind))
        return {"": kind.__name__, **{name: part for name, part, default in parts if part != default}}

    return json.dumps(result, default=plain).encode(), list(paths)


def _made(text: bytes, places: Mapping[str, Path]) -> object:
    """Return the value of which `_text` made this, with its files where they are now."""
    makers: dict[str, Callable[..., object]] = {
        **_KINDS,
        "Path": lambda of: places.get(of) or Path(of).resolve(strict=True),
        "Version": Version,
        "bytes": base64.b64decode,
        "frozenset": frozenset,
    }

    def values(value: object) -> object:
        return tuple(map(values, value)) if isinstance(value, list) else value

    def made(found: Json) -> object:
        kind = found.pop("", None)
        parts = {name: values(part) for name, part in found.items()}
        if kind is None:
            return parts
        return makers[str(kind)](parts["of"]) if "of" in parts else makers[str(kind)](**parts)

    found: object = json.loads(text, object_hook=made)
    return found
