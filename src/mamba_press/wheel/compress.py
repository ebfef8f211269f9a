"""What makes the bytes of an archive: libdeflate, zlib, or nothing at all."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Literal

from mamba_press import __version__
from mamba_press.errors import ConfigError, Problem, Setting

Compression = Literal["libdeflate", "zlib", "fast", "store"]

LEVEL = 6
"""libdeflate's level 6 is smaller than zlib's levels 6 and 9, for a third of the time of zlib's level 6."""

FAST = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Compressor:
    """What makes the bytes: its name, its version, and the function that deflates a whole entry, None for storing.

    ``crc32`` is the fastest that comes with it.
    """

    name: Compression
    version: str
    deflate: Callable[[bytes | bytearray], bytes | bytearray] | None
    crc32: Callable[[bytes | bytearray], int] = zlib.crc32
    level: int = LEVEL

    def __str__(self) -> str:
        if self.name == "libdeflate":
            return f"libdeflate level {self.level}, deflate {self.version}"
        return f"zlib {self.version} level {self.level}" if self.name == "zlib" else "stored"


def compressor(compression: Compression | None) -> Compressor:
    """Return the compressor asked for; None and "fast" mean libdeflate where it is importable, else zlib.

    Raises ConfigError when libdeflate is asked for and not there.
    """
    if compression == "store":
        return Compressor(name="store", version="", deflate=None)
    level = FAST if compression == "fast" else LEVEL
    if compression != "zlib":
        deflate = libdeflate()
        if deflate is not None:
            return Compressor(
                name="libdeflate",
                version=deflate.__version__,
                deflate=lambda data: deflate.deflate_compress(data, level),
                crc32=deflate.crc32,
                level=level,
            )
        if compression == "libdeflate":
            what = '"libdeflate" is asked for, but the package deflate is not installed here'
            hint = 'install it (pip install deflate), or use "zlib"'
            raise ConfigError(Problem(where=Setting("wheel.compression"), what=what, hint=hint))
    version = zlib.ZLIB_RUNTIME_VERSION
    return Compressor(name="zlib", version=version, deflate=lambda data: zlib_part(data, b"", True, level), level=level)


def libdeflate() -> ModuleType | None:
    """Return the package that has libdeflate, None where it is not installed."""
    try:
        import deflate
    except ImportError:
        return None
    return deflate


def generator(compression: Compression | None) -> str:
    """Return the text of WHEEL's Generator line, which names all that decides the archive's bytes."""
    return f"mamba-press {__version__} ({compressor(compression)})"


def zlib_part(data: bytes | bytearray, before: bytes, is_last: bool, level: int) -> bytes:
    """Deflate one part so that it can follow the part that ended with ``before``."""
    if before:
        stream = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, zdict=before)
    else:
        stream = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush(zlib.Z_FINISH if is_last else zlib.Z_SYNC_FLUSH)
