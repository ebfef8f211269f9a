"""What fuzzing starts from: small binaries from the channels and the compiler, everything else from values.

Nothing of it is committed: `binaries` makes it anew, and keeps it in a folder.
"""

from __future__ import annotations

import base64
import hashlib
import io
import shutil
import subprocess
import sysconfig
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.fuzz import mutate
from tests.fuzz.mutate import Seed
from tests.support import corpus, shared
from tests.support.macho import BUNDLE, LOAD, PROGRAM, WEAK, Dylib, dylib, universal
from tests.support.windows import Dll, dll

_LARGEST = 24_000
_MOST = 12
"""So many files of each kind: few and small, so that each is changed often."""

_SOURCE = (
    "extern int first(void); extern int second(void); __thread int t; static int c = 3; int *p = &c;"
    'const char *name(void) { return "libopened.so.2"; } int total(void) { return first() + second() + *p + t; }'
)
_OUTER = "int first(void) { return 1; } int second(void) { return 2; }"
_VERSIONS = "V_1 { global: first; local: *; };\nV_2 { global: second; } V_1;\n"
_TIGHT = ("-Wl,-z,noseparate-code", "-Wl,-z,max-page-size=4096")
_FLAVOURS: Mapping[str, tuple[str, ...]] = {
    "runpath": (*_TIGHT, "-Wl,-rpath,$ORIGIN/../lib", "-Wl,--enable-new-dtags"),
    "rpath": ("-Wl,-rpath,$ORIGIN", "-Wl,--disable-new-dtags", "-Wl,--hash-style=sysv", "-s"),
    "relro": (*_TIGHT, "-Wl,-z,relro,-z,now", "-Wl,--hash-style=both", "-g"),
    "relr": (*_TIGHT, "-Wl,-z,pack-relative-relocs", "-Wl,-z,execstack"),
    "program": (*_TIGHT, "-pie", "-Wl,-e,total", "-Wl,--dynamic-linker=/lib64/ld-linux-x86-64.so.2"),
}


def binaries(folder: Path) -> dict[str, list[Seed]]:
    """Return seeds by format; what the compiler and the channels give is kept in ``folder``."""
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in [*_compiled(folder / "work"), *_from_channels()]:
            (folder / f"{name}.bin").write_bytes(data)
        (folder / "complete").touch()
    kept = {path.name: path.read_bytes() for path in sorted(folder.glob("*.bin"))}
    found = {
        "elf": [mutate.elf(name, data) for name, data in kept.items() if data[:5] == b"\x7fELF\2"],
        "macho": [mutate.macho(name, data) for name, data in kept.items() if data[:4] == b"\xcf\xfa\xed\xfe"],
        "pe": [mutate.pe(name, data) for name, data in kept.items() if data[:2] == b"MZ"],
    }
    found["macho"] += [mutate.macho(f"made-{number}", data) for number, data in enumerate(_machos())]
    found["pe"] += [mutate.pe(f"made-{number}", data) for number, data in enumerate(_pes())]
    return found


def _compiled(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield ELF files of the system's compiler; none where there is no compiler."""
    compiler = shutil.which("gcc")
    if not compiler:
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "v.map").write_text(_VERSIONS)

    def compile_(name: str, source: str, *flags: str) -> Path | None:
        (folder / f"{name}.c").write_text(source)
        shape = () if "-pie" in flags else ("-shared",)
        command = [compiler, *shape, "-fPIC", "-O1", "-nostdlib", *flags, f"{name}.c", "-o", f"{name}.so"]
        command += [] if name == "outer" else ["outer.so"]
        done = subprocess.run(command, cwd=folder, check=False, capture_output=True)
        return folder / f"{name}.so" if done.returncode == 0 else None  # an old linker does not know all flags

    made = compile_("outer", _OUTER, *_TIGHT, "-Wl,-soname,libouter.so.1", "-Wl,--version-script=v.map")
    if made:
        yield "gcc-outer", made.read_bytes()
    for name, flags in _FLAVOURS.items():
        made = compile_(name, _SOURCE, f"-Wl,-soname,lib{name}.so.1", *flags)
        if made:
            yield f"gcc-{name}", made.read_bytes()
    shutil.rmtree(folder)


def _from_channels() -> Iterator[tuple[str, bytes]]:
    """Yield the smallest binaries of the real packages that lie beside the repository, or of this Python."""
    found: dict[str, list[tuple[int, str, bytes]]] = {"elf": [], "macho": [], "pe": []}
    magics = {b"\x7fELF": "elf", b"\xcf\xfa\xed\xfe": "macho", b"MZ\x90\0": "pe", b"MZx\0": "pe"}
    for name in ("forge", "main-win"):
        for archive in sorted((shared.SHARED / "channels" / name).glob("*/*.*")):
            if archive.stat().st_size > 400_000 or not archive.name.endswith((".conda", ".tar.bz2")):
                continue
            for path, data in corpus.contents(archive):
                kind = magics.get(data[:4])
                if kind and len(data) <= 4 * _LARGEST and not path.endswith(".o"):
                    found[kind].append((len(data), f"{archive.name.split('-')[0]}-{Path(path).name}", data))
    if not found["elf"]:
        folder = Path(sysconfig.get_path("platstdlib"), "lib-dynload")
        found["elf"] = [(each.stat().st_size, each.name, each.read_bytes()) for each in folder.glob("*.so")]
    for kind, files in found.items():
        for _, name, data in sorted(files)[:_MOST]:
            if kind != "pe" or data[int.from_bytes(data[60:64], "little") + 24 :][:2] == b"\x0b\x02":
                yield name, data


def _machos() -> Iterator[bytes]:
    needed = (
        ("/usr/lib/libSystem.B.dylib", LOAD),
        ("@rpath/libother.2.dylib", LOAD),
        ("@loader_path/libw.dylib", WEAK),
    )
    shapes = [
        Dylib(needed=needed, search=("@loader_path/../lib", "/opt/x")),
        Dylib(needed=needed, fixups="chains", arch="x86_64", room=0),
        Dylib(kind=BUNDLE, name=None, needed=needed, room=8, old_floor=True),
        Dylib(kind=PROGRAM, name=None, needed=needed, fixups="chains", search=("@executable_path",)),
        Dylib(needed=needed, reexports=(("_passed", 1),), room=0, text=b"libopened.dylib\0"),
        # the same with room for a signature, which the others lack
        Dylib(needed=needed, fixups="chains", arch="x86_64"),
        Dylib(kind=BUNDLE, name=None, needed=needed, old_floor=True),
        Dylib(needed=needed, reexports=(("_passed", 1),), text=b"libopened.dylib\0"),
    ]
    made = [dylib(each) for each in shapes]
    from mamba_press.platforms.macos import codesign

    yield from made
    yield codesign.sign(made[0])
    yield universal(made[0], dylib(Dylib(arch="x86_64", needed=needed)), align=12)


def _pes() -> Iterator[bytes]:
    imports = {"KERNEL32.dll": ["Sleep", "Beep"], "other.dll": ["value"], "vcruntime140.dll": ["memcpy"]}
    yield dll(Dll(imports=imports))
    yield dll(Dll(imports=imports, delayed={"late.dll": ["value"]}, header_room=False, slack=False))
    yield dll(Dll(arch="aarch64", forwards={"passed": "other.value"}, load_flags=0x800, overlay=b"behind" * 20))
    yield dll(Dll(imports=imports, manifest=b"<assembly><dependency/></assembly>", certificate=b"c" * 64, bound=True))
    yield dll(Dll(is_library=False, name=None, imports=imports, checksum=False, integrity=True))


# --- wheels

METADATA = mutate.lines(
    *(
        "Metadata-Version: 2.4",
        "Name: demo-x",
        "Version: 1.0",
        "Summary: To greet with",
        "Author-email: A B <a@example.org>",
    ),
    *("License-Expression: MIT AND (BSD-3-Clause OR Apache-2.0)", "License-File: LICENSE", "Keywords: one,two"),
    *(
        "Classifier: Programming Language :: Python :: 3",
        "Project-URL: Home, https://example.org/x",
        "Requires-Python: >=3.8",
    ),
    *("Requires-Dist: numpy (>=1.2)", "Requires-Dist: tomli>=1; python_version < '3.11' and extra == 'x'"),
    *(
        "Provides-Extra: x",
        "Dynamic: License",
        "Description-Content-Type: text/markdown",
        "",
        "# A title",
        "",
        "Some words.",
    ),
)
ENTRY_POINTS = mutate.lines(
    "[console_scripts]", "greet = demo_x:main", "wave=demo_x.a:b.c [x]", "", "[demo.plugins]", "a = b"
)
WHEEL = mutate.lines("Wheel-Version: 1.0", "Generator: mamba-press 1.0", "Root-Is-Purelib: true", "Tag: py3-none-any")
BILL: dict[str, object] = {
    "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
    "serialNumber": "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79",
    "version": 1,
    "metadata": {
        "tools": {"components": [{"type": "application", "name": "mamba-press", "version": "1.0"}]},
        "component": {
            "type": "library",
            "bom-ref": "pkg:pypi/demo-x@1.0",
            "name": "demo-x",
            "version": "1.0",
            "purl": "pkg:pypi/demo-x@1.0",
            "licenses": [{"expression": "MIT"}],
        },
    },
    "components": [
        {
            "type": "library",
            "bom-ref": "pkg:conda/demo@1.0?build=0",
            "name": "demo",
            "version": "1.0",
            "purl": "pkg:conda/demo@1.0?build=0",
            "licenses": [{"expression": "MIT"}],
            "hashes": [{"alg": "SHA-256", "content": "0" * 64}],
            "components": [
                {
                    "type": "file",
                    "bom-ref": "file:demo_x/__init__.py",
                    "name": "demo_x/__init__.py",
                    "hashes": [{"alg": "SHA-256", "content": "0" * 64}],
                    "pedigree": {
                        "ancestors": [{"type": "file", "name": "lib/x.py"}],
                        "notes": "changed: name, search path",
                    },
                }
            ],
        }
    ],
    "dependencies": [{"ref": "pkg:pypi/demo-x@1.0", "dependsOn": ["pkg:conda/demo@1.0?build=0"]}],
}


def files(**texts: bytes) -> dict[str, bytes]:
    """Return the files of a small wheel, RECORD left out; ``texts`` go over those of ``.dist-info`` or add to them."""
    named = {"METADATA": METADATA, "WHEEL": WHEEL, "entry_points.txt": ENTRY_POINTS, "licenses/LICENSE": b"Free.\n"}
    named |= {"sboms/mamba-press.cdx.json": mutate.dumped(BILL), **texts}
    payload = {"demo_x/__init__.py": b'"""Greets."""\n' * 30, "demo_x/data/é.txt": b"text\n"}
    return {**payload, **{f"demo_x-1.0.dist-info/{name}": data for name, data in named.items()}}


def record(held: Mapping[str, bytes]) -> bytes:
    """Return RECORD of these files."""
    rows = []
    for path, data in held.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(data)}")
    return mutate.lines(*rows, "demo_x-1.0.dist-info/RECORD,,")


def packed(held: Mapping[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return an archive of these files."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for path, data in held.items():
            info = zipfile.ZipInfo(path, (2024, 1, 2, 3, 4, 6))
            info.external_attr, info.compress_type = 0o100644 << 16, method
            archive.writestr(info, data)
    return target.getvalue()


def wheel(**texts: bytes) -> dict[str, bytes]:
    """Return the files of a small wheel with its RECORD."""
    held = files(**texts)
    return {**held, "demo_x-1.0.dist-info/RECORD": record(held)}


# --- texts

PYPROJECT = b"""\
[build-system]
requires = ["mamba-press"]
build-backend = "mamba_press.build"

[project]
name = "demo-x"
version = "1.0"
description = "To greet with"
requires-python = ">=3.10"
license = "MIT"
authors = [{ name = "A B", email = "a@example.org" }]
dependencies = ["numpy >= 1.2", "tomli; python_version < '3.11'"]
classifiers = ["Programming Language :: Python :: 3"]
keywords = ["one", "two"]

[project.urls]
Home = "https://example.org"

[project.scripts]
greet = "demo_x:main"

[project.entry-points."demo.plugins"]
a = "b:c"

[project.optional-dependencies]
x = ["attrs"]

[tool.mamba-press]
packages = ["libmambapy >=1.5,<3", "conda-forge::fmt"]
channels = ["conda-forge", "./local"]
constraints = ["zlib >=1.2"]
exclude-newer = 2024-05-06T07:08:09Z
platform = "manylinux_2_28_x86_64"
requires-constrains = true

[tool.mamba-press.requires]
numpy = "numpy >= 1.20"

[tool.mamba-press.select]
exclude = ["**/*.md", "share/**"]

[tool.mamba-press.wheel]
compression = "store"

[[tool.mamba-press.overrides]]
if.platform = "linux"
channels = ["x"]
inherit.channels = "append"
"""

RECIPE = b"""\
version: 0
source:
  packages: [libmambapy >=1.5, 'fmt[build_string="h1_0"]']
  constraints: [zlib <2]
  python: python=3.13
target:
  name: demo-${{ package_name }}
  platform: {os: manylinux, version: "2.28", arch: x86_64}
build:
  filter:
    packages:
      - default
      - by-name: {to-prune: [numpy], recursive: false}
    files:
      - default
      - unix-glob: {patterns: [share/doc, "*.md"], exclude: true}
  transform:
    path:
      - default
      - explicit:
          mapping:
            - {from: share/x, to: demo/data/y}
    dynlib:
      add-rpaths: [../../other.libs/libother.so]
      remove-rpaths: [libz.so.1]
"""

LOCK = b"""\
version: 6
environments:
  default:
    channels:
    - url: https://conda.anaconda.org/conda-forge/
    packages:
      linux-64:
      - conda: https://conda.anaconda.org/conda-forge/linux-64/bzip2-1.0.8-h4bc722f_7.conda
packages:
- conda: https://conda.anaconda.org/conda-forge/linux-64/bzip2-1.0.8-h4bc722f_7.conda
  sha256: 5ced96500d945fb286c9c838e54fa759aa04a7129c59800f0846b4335cee770d
  md5: 62ee74e96c5ebb0af99386de58cf9553
  depends:
  - __glibc >=2.17,<3.0.a0
  channel: ./local
mamba-press:
  default linux-64-linux-2.28:
    packages: ["bzip2"]
    channels: ["conda-forge", "./local"]
    python: "3.11"
mamba-press-contents:
  "numpy-1.0-0.conda": {"folders": ["numpy-1.0.dist-info"], "files": 3}
"""

SPECS = (
    *(
        "numpy",
        "numpy >=1.20",
        "numpy >=1.20,<2.0a0",
        "python_abi 3.11.* *_cp311",
        "conda-forge::zlib >=1.2.13,<2",
        "x=1.2=h1_0",
    ),
    *(
        "x ~=1.4.2",
        "x !=1.5",
        "x 1.2.*|>=3,<4|==5.1",
        "x[version='>=1,<2',build=py*]",
        "x >1,!=1.5.*",
        "x 2024a",
        "x 1!2.3.post1",
    ),
    *(
        "x ==1.0.0rc1",
        "x >=1.0.dev0",
        "x (>=1|<0.5),!=0.3",
        "x >=1;if python >3.8",
        "x *",
        "x 1.*.2",
        "x=1.2.*",
        "x ^1.2",
        "x <2,>=2",
    ),
)
LICENCES = (
    *(
        "MIT",
        "BSD 3-Clause",
        "GPL-3.0-only WITH GCC-exception-3.1",
        "Apache 2.0 AND (MIT OR ISC)",
        "LGPL-2.1-or-later",
        "Public Domain",
    ),
    *(
        "LicenseRef-x",
        "GPLv3+ / MIT",
        "BSD-3-Clause AND MPL-2.0",
        "PSF",
        "zlib/libpng",
        "Proprietary",
        "MIT and (",
        "(MIT OR",
        "mit or apache-2.0",
    ),
)
INDEX: dict[str, object] = {
    "name": "demo",
    "version": "1.0",
    "build": "py311_0",
    "build_number": 0,
    "subdir": "linux-64",
    "fn": "demo-1.0-py311_0.conda",
    "url": "https://conda.anaconda.org/conda-forge/linux-64/demo-1.0-py311_0.conda",
    "channel": "https://conda.anaconda.org/conda-forge/",
    "depends": ["python >=3.11,<3.12.0a0", "numpy >=1.20", "libzlib >=1.2.13,<2"],
    "constrains": ["pandas >=2"],
    "license": "BSD-3-Clause",
    "noarch": "python",
    "timestamp": 1_700_000_000_000,
    "size": 1234,
    "sha256": "0" * 64,
    "md5": "0" * 32,
}
ABOUT: dict[str, object] = {
    "home": "https://example.org",
    "dev_url": ["https://example.org/source"],
    "doc_url": "https://example.org/doc",
    "license": "MIT",
    "license_family": "MIT",
    "license_file": "LICENSE",
    "summary": "To greet with",
    "description": "Greets,\nin many words.",
    "keywords": ["one"],
    "extra": {"recipe-maintainers": ["a"]},
    "root_pkgs": ["x"],
}
LINK: dict[str, object] = {
    "noarch": {"type": "python", "entry_points": ["greet = demo:main", "wave=demo.a:b"]},
    "package_metadata_version": 1,
}
PATHS: dict[str, object] = {
    "paths": [
        {"_path": "lib/libx.so.1", "path_type": "hardlink", "sha256": "0" * 64, "size_in_bytes": 10},
        {"_path": "lib/libx.so", "path_type": "softlink", "sha256": "0" * 64, "size_in_bytes": 10},
        {
            "_path": "site-packages/demo-1.0.dist-info/METADATA",
            "path_type": "hardlink",
            "file_mode": "text",
            "prefix_placeholder": "/opt/placehold",
            "sha256": "0" * 64,
            "size_in_bytes": 20,
        },
        {"_path": "bin/demo", "path_type": "unix_python_entry_point"},
    ],
    "paths_version": 1,
}
MANIFEST: dict[str, object] = {
    "format": 1,
    "made_by": "mamba-press 1.0",
    "name": "house",
    "subdir": "linux-64",
    "floor": "2.27",
    "pythons": ["cp311"],
    "elsewhere": [],
    "wheels": [
        {
            "file": "demo_x-1.0-py3-none-any.whl",
            "name": "demo-x",
            "version": "1.0",
            "package": "demo 1.0 0",
            "requested": True,
            "size": 10,
            "sha256": "0" * 64,
        }
    ],
    "left": {"python": "is the interpreter"},
    "lock": "0" * 64,
}
REQUIRES_TXT = mutate.lines(
    "numpy>=1.2",
    "",
    "[x]",
    "attrs",
    "",
    '[y:python_version<"3.11"]',
    "tomli @ https://example.org/t",
    "[:sys_platform=='win32']",
    "colorama",
)
