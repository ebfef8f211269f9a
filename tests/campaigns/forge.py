"""Every package of a channel pressed and judged: ``python -m tests.campaigns.forge CHANNEL FOLDER [--warehouse ROOT]``.

Each record of the subdirs that can be pressed becomes a wheel of its own in FOLDER, with the libraries that it needs.
The judges are other people's: packaging's validation of METADATA, PyPI's own rules where ``--warehouse`` names a
checkout of pypi/warehouse (``forklift/metadata.py``), ``twine check --strict``, installer, which installs each wheel
into a folder of its own, importlib.metadata, which has to read back there what METADATA promises, and CycloneDX's
strict validator, whose files have to have the hashes of RECORD. The figures go to standard output and to
``FOLDER/forge.json``.
"""

from __future__ import annotations

import argparse
import base64
import importlib
import json
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.parser import BytesParser
from functools import partial
from importlib.metadata import PathDistribution
from pathlib import Path
from tempfile import TemporaryDirectory

from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation import make_schemabased_validator
from installer import install
from installer.destinations import SchemeDictionaryDestination
from installer.sources import WheelFile
from packaging.metadata import Metadata

SUBDIRS = ("linux-64", "osx-arm64")
Judge = Callable[[bytes], object]


def specs(channel: Path) -> Iterator[tuple[str, str]]:
    """Yield each package as an exact spec, with the subdir for which it is pressed."""
    for subdir in ("noarch", *SUBDIRS):
        repodata = json.loads((channel / subdir / "repodata.json").read_bytes())
        for kind in ("packages", "packages.conda"):
            for record in repodata.get(kind, {}).values():
                if record["name"] not in ("python", "python_abi"):
                    spec = f"{record['name']} {record['version']} {record['build']}"
                    yield spec, SUBDIRS[0] if subdir == "noarch" else subdir


def pressed(spec: str, subdir: str, channel: Path, folder: Path) -> dict[str, object]:
    """Press one package; returns what came of it."""
    out = folder / subdir / spec.replace(" ", "-")
    command = [sys.executable, "-m", "mamba_press", "press", spec, "-c", str(channel), "-o", str(out)]
    start = time.perf_counter()
    done = subprocess.run(
        [*command, "--python", "3.10", "--platform", subdir], check=False, capture_output=True, text=True
    )
    found: dict[str, object] = {"spec": spec, "subdir": subdir, "code": done.returncode}
    found["seconds"] = round(time.perf_counter() - start, 1)
    return found | ({"wheel": done.stdout.strip()} if done.returncode == 0 else {"said": done.stderr})


def text_of(archive: zipfile.ZipFile, name: str) -> bytes:
    (path,) = (path for path in archive.namelist() if path.endswith(f".dist-info/{name}") and path.count("/") < 3)
    return archive.read(path)


def valid(data: bytes) -> None:
    """packaging's own rules."""
    Metadata.from_email(data, validate=True)


def installed_and_read_back(wheel: Path) -> None:
    """What importlib.metadata finds after installer was there, and every file of RECORD."""
    with TemporaryDirectory() as folder:
        names = ("purelib", "platlib", "headers", "scripts", "data")
        site = {name: str(Path(folder, "site" if name.endswith("lib") else name)) for name in names}
        destination = SchemeDictionaryDestination(site, interpreter=sys.executable, script_kind="posix")
        with WheelFile.open(wheel) as source:
            source.validate_record(validate_contents=True)
            install(source=source, destination=destination, additional_metadata={"INSTALLER": b"installer"})
        (info,) = Path(site["purelib"]).glob("*.dist-info")
        found = PathDistribution(info)
        with zipfile.ZipFile(wheel) as archive:
            promised = BytesParser().parsebytes(text_of(archive, "METADATA"))
        assert (found.name, found.version) == (promised["Name"], promised["Version"])
        assert (found.requires or []) == promised.get_all("Requires-Dist", [])
        assert found.metadata.get_all("License-File", []) == promised.get_all("License-File", [])
        assert found.files is not None
        missing = [str(path) for path in found.files if not path.locate().exists()]
        assert missing == [], missing[:3]
        for licence in promised.get_all("License-File", []):
            assert (info / "licenses" / licence).is_file(), licence


def billed(wheel: Path) -> None:
    """The bill of materials is valid, and states RECORD's hashes."""
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (name for name in archive.namelist() if name.endswith("/sboms/mamba-press.cdx.json"))
        bill = archive.read(path).decode()
        rows = (line.rsplit(",", 2) for line in text_of(archive, "RECORD").decode().splitlines())
        record = {row[0].strip('"'): row[1] for row in rows}
    problem = make_schemabased_validator(OutputFormat.JSON, SchemaVersion.V1_6).validate_str(bill)
    assert problem is None, str(problem)[:300]
    for package in json.loads(bill)["components"]:
        for file in package.get("components", ()):
            (digest,) = (each["content"] for each in file["hashes"])
            stated = base64.urlsafe_b64encode(bytes.fromhex(digest)).rstrip(b"=").decode()
            assert record[file["name"]] == f"sha256={stated}", file["name"]


def judged(judges: dict[str, Callable[[Path], None]], wheel: Path) -> dict[str, str]:
    """What each judge finds wrong."""
    wrong = {}
    for name, judge in judges.items():
        try:
            judge(wheel)
        except Exception as error:  # noqa: BLE001  # whatever a judge raises is its verdict
            more = getattr(error, "exceptions", ())
            wrong[name] = "; ".join(map(str, more)) or f"{type(error).__name__}: {error}"
    return wrong


def of_metadata(judge: Judge, wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        judge(text_of(archive, "METADATA"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("channel", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--warehouse", type=Path)
    options = parser.parse_args()
    judges: dict[str, Callable[[Path], None]] = {"packaging": partial(of_metadata, valid)}
    if options.warehouse:
        sys.path.insert(0, str(options.warehouse))
        judges["warehouse"] = partial(of_metadata, importlib.import_module("warehouse.forklift.metadata").parse)
    judges |= {"installer and importlib.metadata": installed_and_read_back, "bill": billed}
    with ThreadPoolExecutor(2) as pool:
        results = list(
            pool.map(lambda each: pressed(*each, options.channel.resolve(), options.folder), specs(options.channel))
        )
    wheels = [Path(str(result["wheel"])) for result in results if "wheel" in result]
    for result in results:
        if "wheel" in result:
            result["wrong"] = judged(judges, Path(str(result["wheel"])))
    twine = subprocess.run(
        [sys.executable, "-m", "twine", "check", "--strict", *map(str, wheels)],
        check=False,
        capture_output=True,
        text=True,
    )
    (options.folder / "forge.json").write_text(json.dumps(results, indent=1))
    print(f"{len(results)} packages, {len(wheels)} wheels; twine: {twine.stdout.count('PASSED')} passed")
    for result in results:
        if "wheel" not in result:
            print(result["spec"], result["subdir"], "exit code", result["code"], str(result["said"])[-300:])
        elif result["wrong"]:
            print(result["spec"], result["subdir"], result["wrong"])
    print(Counter(judge for result in results for judge in result.get("wrong", ())))  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
