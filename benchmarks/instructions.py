"""Count instructions with callgrind: the same on every machine of one kind, so that a slow-down fails a build.

Only the difference to a bare interpreter is compared, in units of that interpreter: it cancels most of what another
build of Python changes. A baseline holds for one minor version of Python.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.light import LIGHT, MISTAKE, PROJECT

BASELINE = Path(__file__).with_name("instructions.json")
TOLERANCE = 0.10
"""So much more than the baseline fails: hash seeds are fixed, what remains is other versions of libraries."""

ELF = """\
from pathlib import Path
from mamba_press.platforms import {}
from mamba_press.binary import Edits
data = Path('sample.so').read_bytes()
for _ in range({}):
    {}
"""
WRITE = """\
from pathlib import Path
from packaging.version import Version
from mamba_press.wheel import writer as wheel
from mamba_press.types import Entry, Wheel
entries = tuple(Entry(path=f'demo/{n}.py', source=b'def f():\\n    return %d\\n' % n * 40) for n in range(500))
made = Wheel(name='demo', version=Version('1'), tags='py3-none-any', entries=entries)
wheel.write(made, Path('out'), compression='zlib', epoch=None, threads=1)
"""
ASKED = {
    "bare interpreter": "pass",
    "get_requires_for_build_wheel": LIGHT.format(""),
    "a configuration error": MISTAKE,
    "read an ELF file, 500 times": ELF.format("binaries", 500, "binaries.read(data)"),
    "edit an ELF file, 100 times": ELF.format(
        "binary_edits", 100, "binary_edits.apply(data, Edits(search=('$ORIGIN/../' * 9,)))"
    ),
    "write a wheel of 500 files": WRITE,
}
SOURCE = "".join(f"int bench_{number}(int x) {{ return x + {number}; }}\n" for number in range(400))


def main(*, store: bool) -> int:
    """Compare with the stored baseline, or store one; 1 where something has become slower."""
    counts = _relative(_count_all())
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    known = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    if store:
        BASELINE.write_text(json.dumps({**known, version: counts}, indent=1, sort_keys=True) + "\n")
    base = known.get(version) if not store else counts
    if base is None:
        print(f"no baseline for Python {version}: python -m benchmarks instructions --store")
    slower = False
    for name, value in counts.items():
        was = (base or {}).get(name)
        change = "" if was is None else f"{value / was - 1:+8.1%} of {was:.2f}"
        print(f"{name:<32} {value:8.2f} {change}")
        slower = slower or (was is not None and value > was * (1 + TOLERANCE))
    return 1 if slower else 0


def _relative(counts: dict[str, int]) -> dict[str, float]:
    bare = counts.pop("bare interpreter")
    return {name: round((count - bare) / bare, 3) for name, count in counts.items()}


def _count_all() -> dict[str, int]:
    with tempfile.TemporaryDirectory() as work:
        Path(work, "pyproject.toml").write_text(PROJECT)
        Path(work, "sample.c").write_text(SOURCE)
        # Built here: no binary is kept in the repository. Its size and its tables hardly depend on the compiler.
        flags = ["-shared", "-fPIC", "-O1", "-Wl,-soname,libsample.so.1", "-Wl,--build-id=none"]
        subprocess.run(["cc", *flags, "-o", "sample.so", "sample.c"], check=True, cwd=work)
        return {name: _count(code, Path(work)) for name, code in ASKED.items()}


def _count(code: str, folder: Path) -> int:
    """Return the instructions of a run whose modules are compiled already."""
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "src"), "PYTHONHASHSEED": "0"}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=folder, env=environ, capture_output=True)
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable, "-c", code]
    run = subprocess.run(command, check=True, cwd=folder, env=environ, capture_output=True, text=True)
    found = re.search(r"Collected : (\d+)", run.stderr)
    assert found, run.stderr
    return int(found[1])
