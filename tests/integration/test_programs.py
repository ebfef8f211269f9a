"""Vendored programs, and data that libraries look for, used from the environment into which a wheel was installed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import press
from tests.support.channel import CondaPackage, Content, dist_info, python_abi, python_package, write_channel
from tests.support.environment import environment, interpreter

pytestmark = pytest.mark.skipif(not press.MACHINE, reason="what is pressed here is for Linux on x86_64")

PYTHON = (python_package(press.HERE), python_abi(press.HERE))
SITE = f"lib/python{press.HERE}/site-packages"

TOOL = CondaPackage(
    name="tool",
    files={
        "bin/show": Content('#!/bin/sh\necho "$SHOW_DATA" "$@"\nexit 3\n', executable=True),
        "bin/other": Content("#!/bin/sh\n", executable=True),
        "share/show/text.txt": "x\n",
        "lib/tool.txt": "y\n",
    },
)
"""A dependency with two programs and data."""

APP = CondaPackage(
    name="app",
    depends=("tool", f"python {press.HERE}.*"),
    files={
        f"{SITE}/app/__init__.py": '"""An app."""\nfrom __future__ import annotations\nimport os\n'
        'SEEN = os.environ["SHOW_DATA"]\n',
        **{f"{SITE}/{path}": text for path, text in dist_info("app", "1.0").items()},
    },
)


@pytest.fixture
def pressed(tmp_path):
    """Press the app, with more settings."""

    def run(*settings: str) -> press.Done:
        channel = write_channel(tmp_path / "channel", [TOOL, APP, *PYTHON])
        more = [part for setting in settings for part in ("-C", setting)]
        return press.command("press", "app", "-c", channel.root, *more, cwd=tmp_path)

    return run


def start(*command: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command with nothing in its environment."""
    return subprocess.run([str(part) for part in command], check=False, capture_output=True, text=True, env=environ)


def test_a_packages_own_home_sets_the_environment_before_its_own_code_runs(pressed, tmp_path):
    done = pressed("wheel.environment=SHOW_DATA=share/show").ok()
    place = environment(tmp_path / "environment")
    place.install("--no-deps", tmp_path / done.out.strip())
    code = "import app; print(app.SEEN); print(app.__doc__)"
    data, text = place.run(code).splitlines()
    assert Path(data, "text.txt").read_text() == "x\n"
    assert place.root in Path(data).parents
    assert text == "An app."
    assert place.run(code, SHOW_DATA="mine").splitlines()[0] == "mine"


def test_a_program_of_a_dependency_stays_when_it_is_named_and_is_called_by_its_name(pressed, tmp_path):
    done = pressed("wheel.executables=bin/show", "wheel.environment=SHOW_DATA=share/show").ok()
    place = environment(tmp_path / "environment")
    place.install("--no-deps", tmp_path / done.out.strip())
    ended = start(place.root / "bin" / "show", "a word", "--flag")
    assert ended.returncode == 3, ended.stderr
    assert ended.stdout.strip().endswith("/_prefix/share/show a word --flag")
    assert not (place.root / "bin" / "other").exists()


@pytest.mark.parametrize(
    ("setting", "code", "says"),
    [
        ("wheel.executables=bin/sho", 5, "the wheel has no 'bin/sho'\n  did you mean bin/show"),
        ("wheel.environment=SHOW_DATA=share/sow", 5, "SHOW_DATA: the wheel has no 'share/sow'"),
        ("wheel.environment=SSL_CERT_FILE=share/show", 2, "must not replace the process's certificate store"),
        ("wheel.environment=LD_LIBRARY_PATH=lib", 2, "must not change where other programs and libraries look"),
        ("wheel.environment=XDG_DATA_DIRS=share", 2, "must not change where other programs and libraries look"),
        ("wheel.environment=PATH=bin", 2, "must not change where other programs and libraries look"),
        ("wheel.environment=PYTHONPATH=lib", 2, "must not change where other programs and libraries look"),
    ],
)
def test_what_cannot_be_provided_is_refused_with_the_reason(pressed, setting, code, says):
    # Where the program is misspelt, another one keeps the package in the wheel.
    done = pressed(setting, *(["wheel.executables=bin/show"] if "executables" in setting else []))
    assert done.code == code
    assert says in done.err


def test_a_script_of_the_project_and_a_program_of_one_name_are_refused(tmp_path):
    channel = write_channel(tmp_path / "channel", [TOOL, *PYTHON])
    table = f'channels = ["{channel.root}"]\npackages = ["tool"]\nwheel.executables = ["bin/show"]\n'
    root = press.project(tmp_path / "project", table + '[project.scripts]\nshow = "mine:main"\n', name="tool")
    done = press.command("press", root, cwd=tmp_path)
    assert done.code == 2
    assert "project.scripts.show: is also the name of a program in tool.mamba-press.wheel.executables" in done.err


# -- real packages


@pytest.fixture
def installed(forge, tmp_path):
    """Press real packages and install the wheel into a fresh environment, whose folder is returned."""

    def run(*arguments: str) -> Path:
        done = press.command("press", *arguments, "-c", forge, "--python", "3.10", cwd=tmp_path).ok()
        place = environment(tmp_path / "environment", interpreter("3.10"))
        place.install("--no-deps", tmp_path / done.out.strip())
        return place.root

    return run


@pytest.mark.real
@pytest.mark.slow
def test_openssl_and_xmllint_run_from_a_fresh_environments_bin(installed, tmp_path):
    programs = ("-C", "wheel.executables=bin/openssl", "-C", "wheel.executables=bin/xmllint")
    root = installed("libmambapy", *programs, "-C", "wheel.environment.OPENSSL_CONF=ssl/openssl.cnf")
    assert {path.name for path in root.rglob("libmambapy/_prefix/bin/*")} == {"openssl", "xmllint"}
    openssl, xmllint = root / "bin" / "openssl", root / "bin" / "xmllint"
    assert start(openssl, "version").stdout.startswith("OpenSSL 3.2.1")
    (tmp_path / "text").write_bytes(b"text")
    digest = start(openssl, "dgst", "-sha256", "-r", tmp_path / "text").stdout.split()[0]
    assert digest == hashlib.sha256(b"text").hexdigest()
    request = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x")
    made = start(openssl, *request, "-keyout", tmp_path / "key", "-out", tmp_path / "certificate")
    assert made.returncode == 0, made.stderr  # without its configuration it makes none
    (tmp_path / "a.xml").write_text("<a><b></b></a>")
    assert start(xmllint, "--format", tmp_path / "a.xml").stdout.splitlines()[1:] == ["<a>", "  <b/>", "</a>"]
    assert start(xmllint, tmp_path / "missing.xml").returncode == 1


@pytest.mark.real
def test_tput_finds_the_terminals_of_its_wheel(installed):
    root = installed("ncurses", "-C", "wheel.executables=bin/tput", "-C", "wheel.environment.TERMINFO=share/terminfo")
    assert start(root / "bin" / "tput", "cols", TERM="xterm").stdout.strip() == "80"
    assert start(root / "bin" / "tput", "longname", TERM="vt100").stdout.strip() == "DEC VT100 (w/advanced video)"
    assert start(root / "bin" / "tput", "longname", TERM="vt100", TERMINFO="/nowhere").returncode != 0


@pytest.mark.real
def test_kerberos_starts_without_the_configuration_of_a_conda_environment(installed):
    root = installed("krb5", "-C", "wheel.executables=bin/klist", "-C", "wheel.executables=bin/kinit")
    cache = f"FILE:{root / 'none'}"
    assert "No credentials cache found" in start(root / "bin" / "klist", KRB5CCNAME=cache).stderr
    # The system's own configuration is read, or the one that a variable names.
    root.joinpath("krb5.conf").write_text("[libdefaults]\ndefault_realm = EXAMPLE.INVALID\ndns_lookup_kdc = false\n")
    asked = start(root / "bin" / "kinit", "someone", KRB5_CONFIG=str(root / "krb5.conf"), KRB5CCNAME=cache)
    assert 'Cannot find KDC for realm "EXAMPLE.INVALID"' in asked.stderr


@pytest.fixture
def display():
    """A screen without a monitor; its name."""
    if not shutil.which("Xvfb"):
        pytest.skip("Xvfb is not here")
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "320x240x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL) as process:
        os.close(write)
        with os.fdopen(read) as stream:
            number = stream.readline().strip()
        if not number:
            pytest.skip("Xvfb does not start")
        yield f":{number}"
        process.terminate()


TK = """
package require Tk
label .l -text "pressed"
pack .l
update
puts [list [info patchlevel] [winfo ismapped .l] [expr {[winfo width .l] > 10}] $tcl_library $tk_library]
exit
"""


@pytest.mark.real
def test_tk_shows_a_window(installed, tmp_path, display):
    libraries = ("-C", "wheel.environment.TCL_LIBRARY=lib/tcl8.6", "-C", "wheel.environment.TK_LIBRARY=lib/tk8.6")
    root = installed("tk", "-C", "wheel.executables=bin/wish8.6", *libraries)
    (tmp_path / "window.tcl").write_text(TK)
    said = start(root / "bin" / "wish8.6", tmp_path / "window.tcl", DISPLAY=display)
    assert said.returncode == 0, said.stderr
    version, mapped, wide, tcl, tk = said.stdout.split()
    assert (version, mapped, wide) == ("8.6.13", "1", "1")
    assert Path(tcl).is_relative_to(root)
    assert Path(tk).is_relative_to(root)
