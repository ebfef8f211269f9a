"""`mamba-press check` on other people's wheels: ``python -m tests.campaigns.foreign FOLDER [--wheels FOLDER…]``.

FOLDER keeps the downloads, so that a second run needs no network. Popular packages with binaries are taken from PyPI
for six platforms, or all wheels that lie in other folders. Their users install and use them every day, so a problem is
either a false alarm or something that those users do without: each has to be explained. The figures go to standard
output and to ``FOLDER/foreign.json``. With ``--before``, a ``foreign.json`` of another commit, each line that is new or
gone since is printed too.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mamba_press.audit import check

PACKAGES = [
    *("numpy", "scipy", "pandas", "matplotlib", "pillow", "lxml", "pyzmq", "psycopg2-binary", "h5py", "shapely"),
    *("cryptography", "cffi", "pynacl", "bcrypt", "grpcio", "protobuf", "pyarrow", "polars", "scikit-learn"),
    *("scikit-image", "opencv-python-headless", "rasterio", "pyproj", "fiona", "netcdf4", "llvmlite", "numba"),
    *("pydantic-core", "orjson", "msgpack", "ujson", "regex", "pyyaml", "markupsafe", "wrapt", "coverage", "greenlet"),
    *("gevent", "uvloop", "httptools", "aiohttp", "yarl", "multidict", "frozenlist", "lz4", "zstandard", "brotli"),
    *("psutil", "sqlalchemy", "tornado", "debugpy", "kiwisolver", "contourpy", "fonttools", "tiktoken", "tokenizers"),
    *("safetensors", "sentencepiece", "onnx", "rpds-py", "ruff", "cmake", "ninja", "pywin32", "pyside6-essentials"),
    *("pyqt5-qt5", "xgboost", "lightgbm", "duckdb", "av", "soundfile", "python-snappy", "cython", "mypy", "black"),
]
LINUX = ("2014", "_2_17", "_2_24", "_2_26", "_2_27", "_2_28", "_2_31", "_2_34", "_2_35", "_2_39")
Report = Mapping[str, Mapping[str, Any]]
"""What was found, by platform or folder; as JSON it is ``foreign.json``."""
MAC = (*((10, minor) for minor in range(9, 16)), *((major, 0) for major in range(11, 16)))


def platforms() -> dict[str, tuple[str, ...]]:
    """What pip is asked for, by machine."""
    return {
        "manylinux x86_64": tuple(f"manylinux{name}_x86_64" for name in LINUX),
        "manylinux aarch64": tuple(f"manylinux{name}_aarch64" for name in LINUX),
        "macOS arm64": tuple(f"macosx_{a}_{b}_{arch}" for a, b in MAC for arch in ("arm64", "universal2")),
        "macOS x86_64": tuple(f"macosx_{a}_{b}_{arch}" for a, b in MAC for arch in ("x86_64", "universal2")),
        "Windows amd64": ("win_amd64",),
        "Windows arm64": ("win_arm64",),
    }


def download(folder: Path, tags: Iterable[str], name: str) -> None:
    """Fetch one package's newest wheel for one platform, unless there is one or none was found before."""
    if any(folder.glob(f"{re.sub('[-_.]+', '[-_.]', name)}-[0-9]*.whl")) or (folder / f"{name}.none").exists():
        return
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "-d", str(folder)]
    command += ["--python-version", "3.11", "--implementation", "cp"]
    command += [part for abi in ("cp311", "abi3", "none") for part in ("--abi", abi)]
    command += [part for tag in tags for part in ("--platform", tag)]
    if subprocess.run([*command, name], capture_output=True, check=False).returncode:
        (folder / f"{name}.none").touch()


def wheels(folder: Path, tags: Iterable[str]) -> Iterator[Path]:
    """Download what is not there yet, and yield the wheels that have binaries by their tags."""
    folder.mkdir(parents=True, exist_ok=True)
    names = {re.sub(r"[-_.]+", "-", path.name.split("-")[0].lower()) for path in folder.glob("*.whl")}
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda name: download(folder, tags, name), [name for name in PACKAGES if name not in names]))
    yield from with_binaries(folder)


def with_binaries(folder: Path) -> list[Path]:
    """Return the wheels of a folder that are for a platform."""
    return sorted(path for path in folder.glob("*.whl") if not path.name.endswith("-any.whl"))


def each_platform(folder: Path, others: Iterable[Path]) -> Iterator[tuple[str, list[Path]]]:
    """Yield the wheels of each platform, downloaded to a folder, or those of other folders where there are any."""
    others = list(others)
    yield from ((str(other), with_binaries(other)) for other in others)
    for platform, tags in () if others else platforms().items():
        yield platform, list(wheels(folder / platform.replace(" ", "-"), tags))


def findings(paths: Iterable[Path]) -> tuple[dict[str, dict[str, list[str]]], int]:
    """Check some wheels; return what was found, by file name, and how many bytes they have unpacked."""
    found, size = {}, 0
    for path in paths:
        said = check.examine(path)
        size += said.unpacked
        if said.problems or said.notes:
            problems = [f"{problem.where}: {problem.what}" for problem in said.problems]
            found[path.name] = {"problems": problems, "notes": [str(note) for note in said.notes]}
    return found, size


def lines(report: Report) -> Counter[str]:
    """Return each finding of a report as a line."""
    return Counter(
        f"{platform}: {name}: {kind[:-1]}: {line}"
        for platform, part in report.items()
        for name, said in part["found"].items()
        for kind in ("problems", "notes")
        for line in said[kind]
    )


def changed(before: Report, after: Report) -> Iterator[str]:
    """Yield the lines of a report that are gone, and those that are new."""
    old, new = lines(before), lines(after)
    yield from (f"- {line}" for line in sorted((old - new).elements()))
    yield from (f"+ {line}" for line in sorted((new - old).elements()))


def main(arguments: Sequence[str] | None = None) -> None:
    """Check all, and print what was found, by platform."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("--wheels", type=Path, nargs="+", default=[], help="check the wheels of these folders instead")
    options.add_argument("--before", type=Path, help="foreign.json of another commit")
    asked = options.parse_args(arguments)
    report = {}
    for platform, paths in each_platform(asked.folder, asked.wheels):
        start = time.process_time()
        found, size = findings(paths)
        wrong = sum(bool(said["problems"]) for said in found.values())
        report[platform] = {"wheels": len(paths), "unpacked": size, "with problems": wrong, "found": found}
        took = time.process_time() - start
        print(f"{platform}: {len(paths)} wheels, {size / 1e6:.0f} MB, {wrong} with problems, {took:.0f} s of CPU")
        for name, said in found.items():
            for kind in ("problems", "notes"):
                for line in said[kind][:4]:
                    print(f"  {name}: {kind[:-1]}: {line}")
        sys.stdout.flush()
    asked.folder.mkdir(parents=True, exist_ok=True)
    (asked.folder / "foreign.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    if asked.before:
        print("\n".join(changed(json.loads(asked.before.read_text("utf-8")), report)) or "no line is new or gone")


if __name__ == "__main__":
    main()
