"""The keys of ``[tool.mamba-press.link]`` from end to end: pressed, installed, imported."""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support import press
from tests.support.channel import write_channel
from tests.support.compile import Linking, shared_library
from tests.support.environment import environment

pytestmark = pytest.mark.skipif(not press.MACHINE, reason="the compiled packages are for Linux on x86_64")


def other_wheel(folder: Path) -> Path:
    """A wheel of somebody else with another build of the library, whose answer is 43."""
    library = shared_library(
        folder / "libgreet.so", "int greet_number(void) { return 43; }", Linking(soname="libgreet.so")
    )
    info = "greetlib-1.5.dist-info"
    tag = "py3-none-manylinux_2_17_x86_64"
    files = {
        "greetlib/__init__.py": b"",
        "greetlib/lib/libgreet.so": library.read_bytes(),
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: greetlib\nVersion: 1.5\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: {tag}\n".encode(),
    }
    lines = []
    for path, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(data)}\n")
    files[f"{info}/RECORD"] = "".join([*lines, f"{info}/RECORD,,\n"]).encode()
    wheel = folder / f"greetlib-1.5-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return wheel


EXTERNAL = """packages = ["pygreet", "words"]
link.external = { "libgreet.so" = "greetlib >=1.5,<2: greetlib/lib/libgreet.so" }
"""


def test_a_library_of_another_wheel_is_required_found_and_used(greeting, make_project, tmp_path):
    table = f'{EXTERNAL}python = "{press.HERE}"\n'
    project = make_project(greeting, table)
    text = (project / "pyproject.toml").read_text()
    (project / "pyproject.toml").write_text(text.replace('["version"]', '["version", "dependencies"]'))
    wheel = Path(press.command("press", project, "-o", "dist", cwd=tmp_path).ok().out.strip())
    wheel = tmp_path / wheel
    with zipfile.ZipFile(wheel) as archive:
        assert not any("libgreet" in name for name in archive.namelist())
        metadata = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        assert b"Requires-Dist: greetlib<2,>=1.5" in archive.read(metadata)
    (report,) = json.loads(press.command("check", wheel, "--json", cwd=tmp_path).ok().out).values()
    assert any("another wheel has to bring as greetlib/lib/libgreet.so" in note for note in report["notes"])
    fresh = environment(tmp_path / "environment", Path(sys.executable))
    fresh.install("--no-index", other_wheel(tmp_path / "other"), wheel)
    libraries = fresh.libraries("import pygreet; assert pygreet.call() == 43")
    assert [path.parts[-3:] for path in libraries if "greet" in path.name and path.name.startswith("lib")] == [
        ("greetlib", "lib", "libgreet.so")
    ]


def test_what_demands_a_later_processor_is_refused_and_told_where_it_is_allowed(make_project, tmp_path):
    flags = ("-march=x86-64-v3", "-Wl,-z,x86-64-v3")
    packages = press.greeting_packages(tmp_path / "compiled")
    greet = packages[0]
    fast = shared_library(
        tmp_path / "fast" / "libgreet.so.1.2",
        "int greet_number(void) { return 42; }",
        Linking(soname="libgreet.so.1", flags=flags),
    )
    greet.files["lib/libgreet.so.1.2"] = fast  # type: ignore[index]
    project = make_project(write_channel(tmp_path / "channel", packages), 'packages = ["pygreet", "words"]\n')
    refused = press.command("press", project, "-o", "dist", cwd=tmp_path)
    assert refused.code == 5
    assert "needs a processor of level x86-64-v3" in refused.err
    allowed = press.command("press", project, "-o", "dist", "-C", "link.isa=x86-64-v3", cwd=tmp_path).ok()
    assert "needs a processor of level x86-64-v3" in allowed.err
    checked = press.command("check", allowed.out.strip(), cwd=tmp_path).ok()
    assert "note: needs a processor of level x86-64-v3, which no tag says" in checked.out


def test_a_library_that_a_dependency_opens_by_name_and_a_cleared_stack_are_right_when_used(make_project, tmp_path):
    packages = press.greeting_packages(tmp_path / "compiled")
    opens = (
        "#include <dlfcn.h>\n"
        'int greet_number(void) { void *core = dlopen("libgreetcore.so.2", RTLD_NOW);'
        ' return core ? ((int (*)(void))dlsym(core, "core"))() : -1; }'
    )
    asm = Linking(soname="libgreetcore.so.2", flags=("-Wl,-z,execstack",))
    files = packages[0].files
    files["lib/libgreet.so.1.2"] = shared_library(tmp_path / "a.so", opens, Linking(soname="libgreet.so.1"))  # type: ignore[index]
    files["lib/libgreetcore.so.2"] = shared_library(tmp_path / "b.so", "int core(void) { return 42; }", asm)  # type: ignore[index]
    channel = write_channel(tmp_path / "channel", packages)
    project = make_project(channel, 'packages = ["pygreet", "words"]\n')
    refused = press.command("press", project, "-o", "dist", cwd=tmp_path)
    assert refused.code == 5
    assert 'clear-execstack = ["libgreetcore.so.2"]' in refused.err
    setting = ("-C", "link.clear-execstack=libgreetcore.so*")
    wheel = tmp_path / press.command("press", project, *setting, "-o", "dist", cwd=tmp_path).ok().out.strip()
    fresh = environment(tmp_path / "environment", Path(sys.executable))
    fresh.install("--no-index", wheel)
    stack = "[line.split()[1] for line in open('/proc/self/maps') if line.endswith('[stack]\\n')]"
    assert fresh.run(f"import pygreet; print(pygreet.call(), {stack})") == "42 ['rw-p']"
