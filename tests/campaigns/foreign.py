"""`mamba-press check` on other people's wheels: ``python -m tests.campaigns.foreign FOLDER``.

FOLDER keeps the downloads, so that a second run needs no network. Popular packages with binaries are taken from PyPI
for six platforms. Their users install and use them every day, so a problem is either a false alarm or something that
those users do without: each has to be explained. The figures go to standard output and to ``FOLDER/foreign.json``.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

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
    yield from sorted(path for path in folder.glob("*.whl") if not path.name.endswith("-any.whl"))


def main() -> None:
    """Check all, and print what was found, by platform."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    folder = options.parse_args().folder
    report = {}
    for platform, tags in platforms().items():
        found, start, size = {}, time.process_time(), 0
        each = list(wheels(folder / platform.replace(" ", "-"), tags))
        for path in each:
            findings = check.examine(path)
            size += findings.unpacked
            if findings.problems or findings.notes:
                problems = [f"{problem.where}: {problem.what}" for problem in findings.problems]
                found[path.name] = {"problems": problems, "notes": list(findings.notes)}
        wrong = {name: said for name, said in found.items() if said["problems"]}
        report[platform] = {"wheels": len(each), "unpacked": size, "with problems": len(wrong), "found": found}
        took = time.process_time() - start
        print(f"{platform}: {len(each)} wheels, {size / 1e6:.0f} MB, {len(wrong)} with problems, {took:.0f} s of CPU")
        for name, said in found.items():
            for kind in ("problems", "notes"):
                print(
                    *(f"  {name}: {kind[:-1]}: {line}" for line in said[kind][:4]),
                    sep="\n",
                    end="\n" * bool(said[kind]),
                )
        sys.stdout.flush()
    (folder / "foreign.json").write_text(json.dumps(report, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
