"""A whole site of wheels with every vendored library renamed: ``python -m tests.campaigns.elf_site FOLDER``.

FOLDER is that of ``tests.campaigns.elf``. Its x86_64 wheels are unpacked into one site; each library in a ``.libs``
folder gets a longer file name and SONAME, each file that needs it the new NEEDED, and every file a longer search path.
Then each package is imported and used in a process of its own.
"""

# ruff: noqa: E501  # short programs are easier to read in long lines

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

from mamba_press.platforms import binary_edits
from mamba_press.types import Edits
from tests.campaigns.elf import LONG, collect, download

DEPENDENCIES = [
    "joblib",
    "threadpoolctl",
    "narwhals",
    "cloudpickle",
    "python-dateutil",
    "pytz",
    "tzdata",
    "six",
    "packaging",
    "contourpy",
    "cycler",
    "fonttools",
    "kiwisolver",
    "pyparsing",
    "affine",
    "attrs",
    "certifi",
    "click",
    "cligj",
    "click-plugins",
    "typing_extensions",
    "pycparser",
]

USES = {
    "numpy": "import numpy as n; a = n.random.rand(300, 300); assert n.allclose(n.linalg.inv(a) @ a, n.eye(300), atol=1e-4)",
    "scipy": "import scipy.linalg as l, scipy.optimize as o, numpy as n; "
    "assert o.minimize(lambda x: ((x - 3) ** 2).sum(), n.zeros(3)).success; l.svd(n.eye(50)); import scipy.special.cython_special",
    "pandas": "import pandas as p; assert p.DataFrame({'a': [1, 1, 2], 'b': [1, 2, 3]}).groupby('a').b.sum().tolist() == [3, 3]",
    "sklearn": "from sklearn.ensemble import RandomForestClassifier as R; from sklearn.datasets import make_classification as m; "
    "x, y = m(300); assert R(n_jobs=2).fit(x, y).score(x, y) > 0.9",
    "h5py": "import h5py, numpy as n, tempfile, os; p = os.path.join(tempfile.mkdtemp(), 'x.h5'); "
    "f = h5py.File(p, 'w'); f.create_dataset('a', data=n.arange(9), compression='gzip'); f.close(); assert h5py.File(p)['a'][8] == 8",
    "pyproj": "import pyproj; t = pyproj.Transformer.from_crs(4326, 3857, always_xy=True); assert abs(t.transform(1, 1)[0] - 111319.49) < 1",
    "shapely": "import shapely; assert shapely.Point(0, 0).buffer(1).area > 3\n"
    "try: shapely.from_wkt('no')\nexcept shapely.errors.GEOSException: pass\nelse: raise SystemExit('no error')",
    "rasterio": "import rasterio, numpy as n\nfrom rasterio.io import MemoryFile\n"
    "with MemoryFile() as m:\n with m.open(driver='GTiff', width=4, height=4, count=1, dtype='uint8', compress='deflate') as d:\n"
    "  d.write(n.ones((1, 4, 4), 'uint8'))\n with m.open() as d: assert d.read().sum() == 16\n"
    "try: rasterio.open('/no/such.tif')\nexcept rasterio.errors.RasterioIOError: pass\nelse: raise SystemExit('no error')",
    "zmq": "import zmq; c = zmq.Context(); a, b = c.socket(zmq.PAIR), c.socket(zmq.PAIR); a.bind('inproc://x'); "
    "b.connect('inproc://x'); b.send(b'hi'); assert a.recv() == b'hi'",
    "lxml": "from lxml import etree; assert etree.fromstring('<a><b/></a>').xpath('count(//b)') == 1",
    "PIL": "from PIL import Image, features; import io; b = io.BytesIO(); Image.new('RGB', (9, 9)).save(b, 'JPEG'); "
    "Image.open(io.BytesIO(b.getvalue())).load(); assert features.check('webp') and features.check('freetype2')",
    "cv2": "import cv2, numpy as n; i = n.zeros((40, 40, 3), 'uint8'); ok, b = cv2.imencode('.png', cv2.GaussianBlur(i, (5, 5), 0)); assert ok\n"
    "try: cv2.cvtColor(n.zeros((0,)), 4)\nexcept cv2.error: pass\nelse: raise SystemExit('no error')",
    "grpc": "import grpc, concurrent.futures as f; s = grpc.server(f.ThreadPoolExecutor(2)); p = s.add_insecure_port('127.0.0.1:0'); "
    "s.start(); grpc.channel_ready_future(grpc.insecure_channel(f'127.0.0.1:{p}')).result(20); s.stop(0)",
    "pyarrow": "import pyarrow as a, pyarrow.parquet as q, io; b = io.BytesIO(); q.write_table(a.table({'x': [1, 2]}), b, compression='zstd'); "
    "assert q.read_table(io.BytesIO(b.getvalue()))['x'].to_pylist() == [1, 2]\n"
    "try: q.read_table(io.BytesIO(b'x' * 99))\nexcept a.ArrowInvalid: pass\nelse: raise SystemExit('no error')",
    "llvmlite": "import llvmlite.binding as b, ctypes; b.initialize_native_target(); b.initialize_native_asmprinter(); "
    "m = b.parse_assembly('define i32 @f() { ret i32 42 }'); t = b.Target.from_default_triple().create_target_machine(); "
    "e = b.create_mcjit_compiler(m, t); e.finalize_object(); assert ctypes.CFUNCTYPE(ctypes.c_int)(e.get_function_address('f'))() == 42",
    "psycopg2": "import psycopg2\ntry: psycopg2.connect('host=127.0.0.1 port=1 sslmode=require')\n"
    "except psycopg2.OperationalError: pass\nelse: raise SystemExit('no error')",
    "cryptography": "from cryptography.fernet import Fernet; f = Fernet(Fernet.generate_key()); assert f.decrypt(f.encrypt(b'x')) == b'x'",
    "nacl": "import nacl.secret, nacl.utils; b = nacl.secret.SecretBox(nacl.utils.random(32)); assert b.decrypt(b.encrypt(b'x')) == b'x'",
    "matplotlib": "import matplotlib; matplotlib.use('agg'); import matplotlib.pyplot as p, io; p.plot([1, 2]); p.savefig(io.BytesIO())",
}


def make(folder: Path) -> tuple[Path, Path]:
    """Unpack the wheels into one site, and install what they import beside it."""
    site, beside = folder / "whole-site", folder / "dependencies"
    shutil.rmtree(site, ignore_errors=True)
    for wheel in sorted(download(folder, "x86_64").glob("*.whl")):
        if not wheel.name.startswith("pyside6"):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(site)
    if not beside.exists():
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--only-binary", ":all:", "--target"]
        subprocess.run([*command, str(beside), *DEPENDENCIES], check=True)
    return site, beside


def rename(site: Path) -> str:
    """Rename every vendored library, and let everything ask for it by the new name; say what that took."""
    files = collect(site, "x86_64")
    vendored = {
        file.path: f"lib-0123abcd-{file.path.name}" for file in files if file.path.parent.name.endswith(".libs")
    }
    # A NEEDED says the SONAME, which is the file's name in repaired wheels.
    names = {path.name: new for path, new in vendored.items()}
    before = sum(file.path.stat().st_size for file in files)
    start, after = time.perf_counter(), 0
    for file in files:
        search = tuple(
            f"$ORIGIN/{os.path.relpath(path, file.path.parent)}{LONG}"
            for place in file.binary.search
            if (path := Path(os.path.normpath(place.replace("$ORIGIN", str(file.path.parent))))).is_dir()
        )
        needed = tuple((old, names[old]) for old in file.binary.needed if old in names)
        edits = Edits(name=vendored.get(file.path), needed=needed, search=search or None, inherited=True)
        data = binary_edits.apply(file.path.read_bytes(), edits)
        after += len(data)
        file.path.unlink()
        (file.path.with_name(vendored.get(file.path, file.path.name))).write_bytes(data)
    took = time.perf_counter() - start
    growth = 100 * (after / before - 1)
    return f"{len(files)} files of {before / 1e6:.0f} MB, {len(vendored)} renamed, {took:.1f} s, growth {growth:.2f} %"


def use(site: Path, beside: Path) -> dict[str, str]:
    """Import and use every package; return what went wrong, by package."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("LD_", "PYTHON"))}
    environment |= {"PYTHONPATH": f"{site}{os.pathsep}{beside}", "OPENBLAS_NUM_THREADS": "2"}
    wrong = {}
    for package, text in USES.items():
        where = f"import {package} as used\nassert used.__file__.startswith({str(site)!r}), used.__file__\n"
        done = subprocess.run(
            [sys.executable, "-c", where + text],
            capture_output=True,
            text=True,
            env=environment,
            timeout=300,
            check=False,
        )
        if done.returncode:
            wrong[package] = f"exit code {done.returncode}: {done.stderr.strip().splitlines()[-1:]}"
    return wrong


def main() -> None:
    """Use the site as it is, then edited."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder.resolve()
    site, beside = make(folder)
    print(f"before: {len(USES)} packages, wrong: {use(site, beside)}", flush=True)
    print(rename(site), flush=True)
    print(f"after: {len(USES)} packages, wrong: {use(site, beside)}", flush=True)


if __name__ == "__main__":
    main()
