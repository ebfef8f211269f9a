"""Many hook processes in a row, with one package cache: ``python -m tests.campaigns.hooks CHANNEL SPEC [COUNT]``.

Every process must end with exit code 0, and the packages in the cache must be the same before and after: py-rattler is
known to crash interpreters as they end, and installing hard-links files out of the cache. The hooks
take turns: what a build needs, prepared metadata, the wheel of that metadata, the sdist.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.support import press

PYTHON = "3.10"


def main(channel: str, spec: str, count: int = 200) -> int:
    """Run the hooks and print what came of it; return 1 if a process failed or the cache changed."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        project = press.project(root / "p", f'packages = ["{spec}"]\nchannels = ["{channel}"]\npython = "{PYTHON}.*"')
        environ = {"RATTLER_CACHE_DIR": str(root / "cache")}
        press.hook("build_wheel", root / "first", cwd=project, environ=environ).ok()
        before = press.packages_in(root / "cache")
        codes: Counter[int] = Counter()
        wheels = set()
        began = time.monotonic()
        for number in range(count):
            done = turn(number, project, root, environ)
            codes[done.code] += 1
            if done.code:
                print(f"process {number} ended with exit code {done.code}\n{done.err}", flush=True)
            wheels |= {path.read_bytes() for path in (root / "out").glob("*.whl")}
        wheels |= {path.read_bytes() for path in (root / "first").glob("*.whl")}
        took = time.monotonic() - began
        is_same = press.packages_in(root / "cache") == before
        print(f"{count} processes in {took:.0f} s ({took / count:.2f} s each); exit codes {dict(codes)}")
        print(f"{len(before)} files of packages in the cache: {'unchanged' if is_same else 'CHANGED'}")
        print(f"different wheels: {len(wheels)}")
        return 0 if set(codes) == {0} and is_same and len(wheels) == 1 else 1


def turn(number: int, project: Path, root: Path, environ: dict[str, str]) -> press.Done:
    """Call the hook whose turn it is."""
    prepared = next((root / "meta").glob("*.dist-info"), None) if (root / "meta").is_dir() else None
    calls: tuple[tuple[str, tuple[object, ...]], ...] = (
        ("get_requires_for_build_wheel", ({},)),
        ("prepare_metadata_for_build_wheel", (root / "meta", {})),
        ("build_wheel", (root / "out", {}, prepared)),
        ("build_sdist", (root / "sdist", {})),
    )
    name, arguments = calls[number % len(calls)]
    return press.hook(name, *arguments, cwd=project, environ=environ)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 200))
