"""The PE editor on real wheels and conda packages: ``python -m tests.campaigns.pe FOLDER [--channel CHANNEL]``.

FOLDER keeps the downloads, so that a second run needs no network. In every file every library is renamed, those of
Windows too, as no wheel needs it: that is more than pressing does. What pefile sees must be the same but for the names
(imports with their slots, delayed imports, exports, forwarders, the checksum), and LIEF must read the same symbols.
Then five edits follow one another. delvewheel's editor and LIEF's writer get the same files. The figures go to standard
output and to ``FOLDER/pe.json``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import lief
import pefile

from mamba_press.platforms import binaries, binary_edits
from mamba_press.types import Edits
from tests.campaigns.second import readings
from tests.support import corpus

AMD64 = [
    *("numpy", "scipy", "pillow", "shapely", "pyzmq", "lxml", "h5py", "cffi", "cryptography", "pyarrow", "pywin32"),
    *("psycopg2-binary", "regex", "grpcio", "pynacl", "matplotlib", "contourpy", "kiwisolver", "rasterio", "pyproj"),
]
ARM64 = ["numpy", "pillow", "cffi", "lxml"]
LARGEST = 40_000_000
"""Larger files say nothing that smaller ones do not, and pefile takes minutes for them."""

Engine = Callable[[bytes, Mapping[str, str]], bytes]


def wheels(folder: Path) -> Iterator[Path]:
    """Download once, and yield what there is."""
    for names, platform, python in ((AMD64, "win_amd64", "3.11"), (ARM64, "win_arm64", "3.13")):
        for name in names:
            place = folder / platform / name
            if not place.is_dir():
                command = ["-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "-d", str(place), name]
                options = ["--platform", platform, "--python-version", python]
                subprocess.run([sys.executable, *command, *options], check=False)
    yield from sorted(folder.rglob("*.whl"))


def files(folder: Path, channel: Path | None) -> Iterator[tuple[str, bytes]]:
    """Yield every image of the wheels, and of the conda packages of a channel."""
    for path in wheels(folder):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.lower().endswith((".dll", ".pyd", ".exe")):
                    yield f"{path.name}:{name}", archive.read(name)
    for path in sorted((channel or folder / "none").glob("*/*.conda")):
        for name, data in corpus.contents(path):
            if name.lower().endswith((".dll", ".pyd", ".exe")):
                yield f"{path.name}:{name}", data


# --- engines


def ours(data: bytes, names: Mapping[str, str]) -> bytes:
    return binary_edits.apply(data, Edits(needed=tuple(names.items())))


def lief_writer(data: bytes, names: Mapping[str, str]) -> bytes:
    image = lief.PE.parse(list(data))
    for each in image.imports:
        each.name = names.get(each.name, each.name)
    config = lief.PE.Builder.config_t()
    config.imports, config.resources = True, False
    return bytes(image.write_to_bytes(config))


def delvewheel_editor(data: bytes, names: Mapping[str, str]) -> bytes:
    from delvewheel import _dll_utils

    with TemporaryDirectory() as folder:
        path = Path(folder) / "file.dll"
        path.write_bytes(data)
        own = {each.lower() for each in _imported(data)}
        # It knows no forwarders.
        renames = {old: new for old, new in names.items() if old.lower() in own}
        _dll_utils.replace_needed(str(path), list(renames), renames, strip=False, direct=True)
        return path.read_bytes()


ENGINES: dict[str, Engine] = {"mamba-press": ours, "delvewheel": delvewheel_editor, "LIEF": lief_writer}


# --- what other readers see


def _imported(data: bytes) -> list[str]:
    image = _parsed(data)
    kinds = ("DIRECTORY_ENTRY_IMPORT", "DIRECTORY_ENTRY_DELAY_IMPORT")
    return [each.dll.decode() for kind in kinds for each in getattr(image, kind, [])]


def _parsed(data: bytes) -> pefile.PE:
    image = pefile.PE(data=data, fast_load=True)
    image.parse_data_directories([0, 1, 13])
    return image


def seen(data: bytes, names: Mapping[str, str]) -> dict[str, object]:
    """What pefile sees, with libraries' names as they shall be."""
    image, new = _parsed(data), {old.lower(): name.lower() for old, name in names.items()}

    def called(name: bytes) -> str:
        return new.get(name.decode().lower(), name.decode().lower())

    def forwarded(text: bytes | None) -> str | None:
        if text is None:
            return None
        library, _, symbol = text.decode().rpartition(".")
        return f"{called(f'{library}.dll'.encode()).removesuffix('.dll')}.{symbol}"

    def slots(kind: str) -> list[object]:
        return [
            (called(each.dll), [(None if one.import_by_ordinal else one.name, one.address) for one in each.imports])
            for each in getattr(image, kind, [])
        ]

    exports = getattr(getattr(image, "DIRECTORY_ENTRY_EXPORT", None), "symbols", [])
    return {
        "imports": slots("DIRECTORY_ENTRY_IMPORT"),
        "delayed imports": slots("DIRECTORY_ENTRY_DELAY_IMPORT"),
        "exports": [(one.name, one.ordinal, None if one.forwarder else one.address) for one in exports],
        "forwarders": [forwarded(one.forwarder) for one in exports],
    }


def faults(before: bytes, after: bytes, names: Mapping[str, str]) -> list[str]:
    """What is not as it should be after an edit."""
    try:
        wanted, found = seen(before, names), seen(after, {})
    except pefile.PEFormatError as error:
        return [f"pefile: {error}"]
    wrong = [what for what, each in wanted.items() if each != found[what]]
    image = _parsed(after)
    if image.OPTIONAL_HEADER.CheckSum and not image.verify_checksum():
        wrong.append("checksum")
    old, new = lief.PE.parse(list(before)), lief.PE.parse(list(after))
    if [each.virtual_address for each in old.sections] != [each.virtual_address for each in new.sections][
        : len(old.sections)
    ]:
        wrong.append("sections (LIEF)")
    return wrong


def renamed(names: list[str], number: int) -> dict[str, str]:
    """Names as pressing gives them: a hash between the stem and the end."""
    plain = {name: name.rpartition(".") for name in names}
    return {name: f"{stem.partition('-mp')[0]}-mp{number:06x}.{end}" for name, (stem, _, end) in plain.items()}


def main() -> None:
    """Run all, print a table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("--channel", type=Path)
    asked = options.parse_args()
    lief.logging.disable()
    counts: dict[str, Counter[str]] = {name: Counter() for name in ENGINES}
    seconds, growth = Counter[str](), dict.fromkeys(ENGINES, 0)
    total, five = Counter[str](), Counter[str]()
    with readings() as read:
        for where, data in files(asked.folder, asked.channel):
            binary = binaries.read(data)
            if binary is None or binary.arch not in ("x86_64", "aarch64") or not binary.needed or len(data) > LARGEST:
                continue
            total[binary.arch] += 1
            total["faults before"] += bool(binary_edits.layout_problems(data))
            names = renamed(list(binary.needed), 1)
            for name, engine in ENGINES.items():
                start = time.perf_counter()
                try:
                    after = engine(data, names)
                except Exception as error:  # noqa: BLE001 - other people's engines raise anything
                    counts[name][f"error: {type(error).__name__}"] += 1
                    continue
                seconds[name] += time.perf_counter() - start
                wrong = faults(data, after, names)
                counts[name].update(wrong or ["right"])
                growth[name] += len(after) - len(data)
                if engine is ours:
                    read.add(where, after)
                    if wrong:
                        print(where, wrong)
            five.update(_five(data, binary.needed))
    report = {
        "files": dict(total),
        "engines": {
            name: {**counts[name], "growth": growth[name], "ms": round(1000 * seconds[name] / total.total(), 1)}
            for name in ENGINES
        },
        "five edits": dict(five),
    }
    (asked.folder / "pe.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    print(json.dumps(report, indent=1))


def _five(data: bytes, needed: tuple[str, ...]) -> list[str]:
    """Edit five times, each what the last made: the size must stay, and the result be that of one edit."""
    once = ours(data, renamed(list(needed), 5))
    for number in (1, 2, 3, 4, 5):
        found = binaries.read(data)
        assert found
        data = ours(data, renamed(list(found.needed), number))
    return [
        "same bytes as one" if data == once else "other bytes",
        "size " + ("same" if len(data) == len(once) else "grew"),
    ]


if __name__ == "__main__":
    main()
