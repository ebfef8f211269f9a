"""Conda packages and ZIP archives of which every byte is the caller's: what no honest tool writes.

A `Package` begins sound. Its parts are replaced one by one: members of the archive, the texts of ``info``, the record
of the channel, the container around all.
"""

from __future__ import annotations

import bz2
import hashlib
import io
import json
import stat
import struct
import tarfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import zstandard

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a tar archive. ``size`` lies about the data, ``pax`` are headers that go over its own fields."""

    name: str
    data: bytes = b""
    type: bytes = tarfile.REGTYPE
    link: str = ""
    mode: int = 0o644
    size: int | None = None
    pax: tuple[tuple[str, str], ...] = ()


def tar(members: Sequence[Member]) -> bytes:
    """Return a tar archive; names may hold what UTF-8 cannot, as lone surrogates."""
    out = io.BytesIO()
    for member in members:
        info = tarfile.TarInfo(member.name)
        info.type, info.linkname, info.mode, info.mtime = member.type, member.link, member.mode, 1_700_000_000
        info.size = len(member.data) if member.size is None else member.size
        info.pax_headers = dict(member.pax)
        out.write(info.tobuf(tarfile.PAX_FORMAT if member.pax else tarfile.GNU_FORMAT, "utf-8", "surrogateescape"))
        out.write(member.data + bytes(-len(member.data) % 512))
    return out.getvalue() + bytes(1024)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a ZIP archive, each number of whose headers can be another one than it should be.

    ``central`` and ``local`` go over the fields of the two headers, by their names in `archive`.
    """

    name: bytes
    data: bytes = b""
    method: int = 0
    flags: int = 0x800
    mode: int = stat.S_IFREG | 0o644
    extra: bytes = b""
    central: Mapping[str, int | bytes] = field(default_factory=dict)
    local: Mapping[str, int | bytes] = field(default_factory=dict)


def archive(entries: Sequence[Entry], *, end: Mapping[str, int] | None = None, before: bytes = b"") -> bytes:
    """Return a ZIP archive of these entries; ``end`` goes over the fields of the record at its end."""
    body, directory = before, b""
    for each in entries:
        stream = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = stream.compress(each.data) + stream.flush() if each.method == 8 else each.data
        fields: dict[str, int | bytes] = {
            "needs": 20,
            "flags": each.flags,
            "method": each.method,
            "crc": zlib.crc32(each.data),
            "packed": len(packed),
            "size": len(each.data),
            "name": each.name,
            "offset": len(body),
            "mode": each.mode << 16,
        }
        directory += _header(b"PK\1\2", {**fields, **each.central}, each.extra)
        body += _header(b"PK\3\4", {**fields, **each.local}, each.extra) + packed
    last = {"count": len(entries), "size": len(directory), "start": len(body), **(end or {})}
    numbers = (0, 0, last["count"] & 0xFFFF, last["count"] & 0xFFFF, last["size"], last["start"], 0)
    return body + directory + struct.pack("<4s4H2LH", b"PK\5\6", *numbers)


def _header(magic: bytes, fields: Mapping[str, int | bytes], extra: bytes) -> bytes:
    name = fields["name"]
    assert isinstance(name, bytes)
    common = (
        [fields[key] for key in ("flags", "method")] + [0, 0x5821] + [fields[key] for key in ("crc", "packed", "size")]
    )
    if magic == b"PK\3\4":
        return struct.pack("<4sH4H3L2H", magic, fields["needs"], *common, len(name), len(extra)) + name + extra
    lengths = (len(name), len(extra), 0, 0, 0)
    head = struct.pack("<4s2H4H3L5H", magic, 3 << 8 | 20, fields["needs"], *common, *lengths)
    return head + struct.pack("<2L", fields["mode"], fields["offset"]) + name + extra


@dataclass(kw_only=True, slots=True)
class Package:
    """A conda package that is sound until its parts are replaced.

    ``paths`` are the entries of ``paths.json``, ``members`` the payload of the archive, ``info`` the texts below
    ``info``, ``record`` goes over the record in the channel's index. ``outer`` changes the finished archive.
    """

    name: str = "evil"
    version: str = "1.0"
    build: str = "0"
    subdir: str = "noarch"
    files: dict[str, bytes] = field(default_factory=lambda: {"site-packages/evil/__init__.py": b"evil = 1\n"})
    extension: Literal[".conda", ".tar.bz2"] = ".conda"
    paths: list[Json] = field(default_factory=list)
    members: list[Member] = field(default_factory=list)
    info_members: list[Member] = field(default_factory=list)
    info: dict[str, bytes | None] = field(default_factory=dict)
    index: Json = field(default_factory=dict)
    record: Json = field(default_factory=dict)
    outer: Callable[[bytes], bytes] = lambda data: data
    entries: Callable[[list[Entry]], list[Entry]] = lambda entries: entries
    tarred: Callable[[bytes], bytes] = lambda data: data

    def list_files(self) -> None:
        """State in ``paths``, and put into ``members``, what ``files`` holds."""
        for path, data in self.files.items():
            self.paths.append(entry(path, data))
            self.members.append(Member(path, data))

    @property
    def stem(self) -> str:
        """The file's name without its ending."""
        return f"{self.name}-{self.version}-{self.build}"

    def index_json(self) -> Json:
        """What ``info/index.json`` says."""
        said: Json = {"name": self.name, "version": self.version, "build": self.build, "build_number": 0}
        said |= {"subdir": self.subdir, "depends": [], "license": "MIT", "timestamp": 1_700_000_000_000}
        return {**said, **({"noarch": "python"} if self.subdir == "noarch" else {}), **self.index}

    def write(self, channel: Path) -> None:
        """Write the archive, and its record into the channel's index."""
        texts: dict[str, bytes | None] = {
            "index.json": dumped(self.index_json()),
            "paths.json": dumped({"paths": self.paths, "paths_version": 1}),
            "files": "".join(f"{each.get('_path')}\n" for each in self.paths).encode("utf-8", "surrogateescape"),
            "about.json": dumped({"license": "MIT", "summary": "does harm"}),
            "licenses/LICENSE": b"Free.\n",
        }
        if self.subdir == "noarch":
            texts["link.json"] = dumped({"noarch": {"type": "python"}, "package_metadata_version": 1})
        texts |= self.info
        info = [Member(f"info/{name}", data) for name, data in texts.items() if data is not None] + self.info_members
        data = self.outer(self._packed(info))
        record = {**self.index_json(), "sha256": sha256(data), "md5": hashlib.md5(data).hexdigest(), "size": len(data)}
        record = {key: value for key, value in {**record, **self.record}.items() if value is not None}
        add(channel, self.subdir, self.stem + self.extension, record, data)

    def _packed(self, info: Sequence[Member]) -> bytes:
        if self.extension == ".tar.bz2":
            return bz2.compress(self.tarred(tar([*info, *self.members])), 1)
        packer = zstandard.ZstdCompressor(level=1)
        parts = {
            "metadata.json": b'{"conda_pkg_format_version": 2}',
            f"pkg-{self.stem}.tar.zst": packer.compress(self.tarred(tar(self.members))),
            f"info-{self.stem}.tar.zst": packer.compress(tar(info)),
        }
        return archive(
            self.entries([Entry(name.encode("utf-8", "surrogateescape"), data) for name, data in parts.items()])
        )


def entry(path: str, data: bytes, **more: object) -> Json:
    """Return what ``paths.json`` says of a file."""
    return {"_path": path, "path_type": "hardlink", "sha256": sha256(data), "size_in_bytes": len(data), **more}


def add(channel: Path, subdir: str, file_name: str, record: Mapping[str, object], data: bytes | None) -> None:
    """Put an archive, if there is one, and its record into a channel."""
    kind = "packages.conda" if file_name.endswith(".conda") else "packages"
    for folder in {subdir, "noarch", "linux-64"}:
        path = channel / folder / "repodata.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        said: dict[str, Any] = (
            json.loads(path.read_bytes()) if path.exists() else {"info": {"subdir": folder}, "repodata_version": 1}
        )
        if folder == subdir:
            said.setdefault(kind, {})[file_name] = record
        path.write_bytes(dumped(said))
    if data is not None:
        (channel / subdir / file_name).write_bytes(data)


def sha256(data: bytes) -> str:
    """Return the hash in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def dumped(value: object) -> bytes:
    """Return JSON in UTF-8; bytes that no UTF-8 is, which stand as lone surrogates, come out as they were."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogateescape")
