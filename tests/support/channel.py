"""Make conda packages and channels quickly, without conda, compilers or a build tool.

A package is a value; `write_channel` turns packages into archives and a `repodata.json` that tells the truth about
them, or, where a test wants it, does not::

    greet = CondaPackage(name="greet", files={"lib/libgreet.so": Link("libgreet.so.1"), "share/greet.txt": "hello\n"})
    channel = write_channel(tmp_path / "channel", [greet, python_package("3.11")])
    channel.url
"""

from __future__ import annotations

import bz2
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import zstandard

PLACEHOLDER = "/opt/placehold_" + "placehold_" * 20
"""A prefix as long as the ones that build tools use."""

TIMESTAMP = 1_700_000_000_000

Extension = Literal[".conda", ".tar.bz2"]


@dataclass(frozen=True, slots=True)
class Link:
    """A symlink, with its target as it is written into the archive."""

    target: str


@dataclass(frozen=True, slots=True)
class Content:
    """A file that is more than its bytes. ``mode`` says how a placeholder is recorded; None looks for NUL bytes."""

    data: bytes | str | Path
    executable: bool = False
    mode: Literal["text", "binary"] | None = None


FileSpec = bytes | str | Path | Link | Content
"""The bytes or text of a file, a file to copy, a symlink, or a file with attributes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CondaPackage:
    """A conda package: its files by path in the prefix, and every part of its metadata.

    ``placeholder`` is looked for in every file and recorded in ``paths.json`` where it occurs. ``info`` adds to the
    files below ``info/``, replaces them, or leaves them out (None). ``record`` does the same to the repodata record,
    as channels do when they repair metadata. ``archived=False`` gives a record without an archive: a test then fails
    if anything downloads it.
    """

    name: str
    version: str = "1.0"
    build: str = "0"
    build_number: int = 0
    subdir: str = "linux-64"
    noarch: Literal["python", "generic"] | None = None
    depends: tuple[str, ...] = ()
    constrains: tuple[str, ...] = ()
    license: str | None = "BSD-3-Clause"
    license_files: Mapping[str, bytes | str] = field(default_factory=lambda: {"LICENSE": "Do what you like.\n"})
    entry_points: tuple[str, ...] = ()
    files: Mapping[str, FileSpec] = field(default_factory=dict)
    placeholder: str = PLACEHOLDER
    about: Mapping[str, object] = field(default_factory=dict)
    run_exports: Mapping[str, object] | None = None
    site_packages: str | None = None
    timestamp: int = TIMESTAMP
    info: Mapping[str, FileSpec | None] = field(default_factory=dict)
    record: Mapping[str, object | None] = field(default_factory=dict)
    archived: bool = True

    @property
    def folder(self) -> str:
        """The subdir of the channel in which the package lies."""
        return "noarch" if self.noarch else self.subdir

    @property
    def stem(self) -> str:
        """The archive's name without its extension."""
        return f"{self.name}-{self.version}-{self.build}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Channel:
    """A channel on disk. ``archives`` gives the path of each package's archive by its name, the last one written."""

    root: Path
    archives: Mapping[str, Path]

    @property
    def url(self) -> str:
        """The channel as a ``file://`` address."""
        return self.root.as_uri()


def write_channel(root: Path, packages: Iterable[CondaPackage], *, extension: Extension = ".conda") -> Channel:
    """Write packages and the `repodata.json` of each subdir; ``noarch`` and ``linux-64`` are always there."""
    packages = tuple(packages)
    repodata: dict[str, dict[str, dict[str, object]]] = {
        folder: {"packages": {}, "packages.conda": {}}
        for folder in sorted({"noarch", "linux-64"} | {package.folder for package in packages})
    }
    archives = {}
    for package in packages:
        archive = archive_bytes(package, extension)
        if package.archived:
            path = root / package.folder / f"{package.stem}{extension}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(archive)
            archives[package.name] = path
        kind = "packages.conda" if extension == ".conda" else "packages"
        repodata[package.folder][kind][f"{package.stem}{extension}"] = _record(package, archive)
    for folder, records in repodata.items():
        merged = _merged(root / folder / "repodata.json", records)
        _write_json(root / folder / "repodata.json", {"info": {"subdir": folder}, "repodata_version": 1, **merged})
    return Channel(root=root.resolve(), archives=archives)


def write_package(package: CondaPackage, directory: Path, *, extension: Extension = ".conda") -> Path:
    """Write one archive, without a channel around it, and return its path."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{package.stem}{extension}"
    path.write_bytes(archive_bytes(package, extension))
    return path


def python_package(version: str = "3.11", *, subdir: str = "linux-64", build: str | None = None) -> CondaPackage:
    """A python that can be solved with and is never downloaded: a record without an archive.

    A free-threaded one is told by ``build``, e.g. ``0_cp314t``.
    """
    minor = ".".join(version.split(".")[:2])
    threaded = (build or "").endswith("t")
    site_packages = (
        "Lib/site-packages" if subdir.startswith("win") else f"lib/python{minor}{'t' * threaded}/site-packages"
    )
    return CondaPackage(
        name="python",
        version=version if version.count(".") > 1 else f"{version}.0",
        build=build or f"0_cp{minor.replace('.', '')}",
        subdir=subdir,
        license="PSF-2.0",
        site_packages=site_packages,
        archived=False,
    )


def python_abi(version: str = "3.11", *, abi: str | None = None) -> CondaPackage:
    """The ``python_abi`` package that ties an extension module to the ABI of its python."""
    abi = abi or f"cp{version.replace('.', '')}"
    return CondaPackage(
        name="python_abi",
        version=version,
        build=f"1_{abi}",
        build_number=1,
        noarch="generic",
        depends=(f"python {version}.* *_{abi}",),
        license_files={},
    )


def dist_info(name: str, version: str, *, metadata: str = "", entry_points: str = "") -> dict[str, str]:
    """The files of a Python package's ``.dist-info`` as conda packages carry them, relative to ``site-packages``.

    ``metadata`` is appended to METADATA's head: ``Requires-Dist: …`` lines, say.
    """
    folder = f"{name.replace('-', '_')}-{version}.dist-info"
    files = {
        f"{folder}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}",
        f"{folder}/INSTALLER": "conda\n",
        f"{folder}/REQUESTED": "",
        f"{folder}/direct_url.json": '{"dir_info": {}, "url": "file:///home/conda/feedstock_root/work"}\n',
        f"{folder}/WHEEL": "Wheel-Version: 1.0\nGenerator: a builder\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if entry_points:
        files[f"{folder}/entry_points.txt"] = entry_points
    files[f"{folder}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{folder}/RECORD"])
    return files


def archive_bytes(package: CondaPackage, extension: Extension = ".conda") -> bytes:
    """The archive of a package; equal packages give equal bytes."""
    info = _info_files(package)
    if extension == ".tar.bz2":
        return bz2.compress(_tar({**info, **package.files}))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression=zipfile.ZIP_STORED) as archive:
        for name, data in (
            ("metadata.json", b'{"conda_pkg_format_version": 2}'),
            (f"pkg-{package.stem}.tar.zst", _zstd(_tar(package.files))),
            (f"info-{package.stem}.tar.zst", _zstd(_tar(info))),
        ):
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    return buffer.getvalue()


def _info_files(package: CondaPackage) -> dict[str, FileSpec]:
    files: dict[str, FileSpec | None] = {
        "info/index.json": _json(_index(package)),
        "info/paths.json": _json({"paths": _paths(package), "paths_version": 1}),
        "info/files": "".join(f"{path}\n" for path in sorted(package.files)),
        "info/about.json": _json({"license": package.license, **package.about}),
    }
    files |= {f"info/licenses/{name}": text for name, text in package.license_files.items()}
    if package.noarch:
        files["info/link.json"] = _json(_link(package))
    if package.run_exports is not None:
        files["info/run_exports.json"] = _json(package.run_exports)
    files |= {f"info/{name}": data for name, data in package.info.items()}
    return {path: data for path, data in files.items() if data is not None}


def _index(package: CondaPackage) -> dict[str, object]:
    platform, _, arch = package.subdir.partition("-")
    index: dict[str, object | None] = {
        "name": package.name,
        "version": package.version,
        "build": package.build,
        "build_number": package.build_number,
        "subdir": package.folder,
        "depends": list(package.depends),
        "constrains": list(package.constrains) or None,
        "license": package.license,
        "noarch": package.noarch,
        "timestamp": package.timestamp,
        "python_site_packages_path": package.site_packages,
        "platform": None if package.noarch else platform,
        "arch": None if package.noarch else {"64": "x86_64", "32": "x86"}.get(arch, arch),
    }
    return {key: value for key, value in index.items() if value is not None}


def _link(package: CondaPackage) -> dict[str, object]:
    noarch: dict[str, object] = {"type": package.noarch}
    if package.noarch == "python":
        noarch["entry_points"] = list(package.entry_points)
    return {"noarch": noarch, "package_metadata_version": 1}


def _paths(package: CondaPackage) -> list[dict[str, object]]:
    paths = []
    for path, spec in sorted(package.files.items()):
        entry: dict[str, object] = {"_path": path}
        if isinstance(spec, Link):
            entry |= {"path_type": "softlink", "size_in_bytes": len(spec.target)}
        else:
            data = _data(spec)
            entry |= {"path_type": "hardlink", "sha256": hashlib.sha256(data).hexdigest(), "size_in_bytes": len(data)}
            if package.placeholder.encode() in data:
                mode = spec.mode if isinstance(spec, Content) else None
                entry |= {
                    "prefix_placeholder": package.placeholder,
                    "file_mode": mode or ("binary" if b"\0" in data else "text"),
                }
        paths.append(entry)
    return paths


def _record(package: CondaPackage, archive: bytes) -> dict[str, object]:
    record = _index(package) | {
        "sha256": hashlib.sha256(archive).hexdigest(),
        "md5": hashlib.md5(archive, usedforsecurity=False).hexdigest(),
        "size": len(archive),
    }
    return {key: value for key, value in (record | dict(package.record)).items() if value is not None}


def _merged(path: Path, records: dict[str, dict[str, object]]) -> dict[str, dict[str, object]]:
    """New records added to those that a channel already has."""
    old = json.loads(path.read_bytes()) if path.exists() else {}
    return {kind: {**old.get(kind, {}), **new} for kind, new in records.items()}


def _tar(files: Mapping[str, FileSpec]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path, spec in sorted(files.items()):
            member = tarfile.TarInfo(path)
            member.mtime = TIMESTAMP // 1000
            if isinstance(spec, Link):
                member.type, member.linkname, member.mode = tarfile.SYMTYPE, spec.target, 0o777
                archive.addfile(member)
            else:
                data = _data(spec)
                member.size, member.mode = len(data), 0o755 if _executable(spec) else 0o644
                archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def _data(spec: bytes | str | Path | Content) -> bytes:
    content = spec.data if isinstance(spec, Content) else spec
    if isinstance(content, Path):
        return content.read_bytes()
    return content.encode() if isinstance(content, str) else content


def _executable(spec: bytes | str | Path | Content) -> bool:
    if isinstance(spec, Content):
        return spec.executable
    return isinstance(spec, Path) and bool(spec.stat().st_mode & 0o111)


def _zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=1).compress(data)


def _json(value: object) -> str:
    return json.dumps(value, indent=2, sort_keys=True) + "\n"


def _write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_json(value), encoding="utf-8")
