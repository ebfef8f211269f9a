"""Does a test fail where the code is wrong? Small faults are put into it, one at a time: ``nox -s mutants``.

    python -m tests.campaigns.mutants [TARGET…] [--folder FOLDER] [--seed SEED] [--count COUNT] [--seconds SECONDS]

The faults are mutmut's. Its own runner makes each mutant in a file, collects the tests and their fixtures (compiled
libraries) again for each, and leaves no choice of a sample by a seed; so the runner here has everything imported,
collected and set up once. A mutant is a fork in which one function has other code. It runs the tests that reach the
changed lines, those first that have found most and cost least, until one fails, or those that were run would take more
than ``--seconds``: then it may be told as a survivor though a later test would have found it.

A survivor is written to ``FOLDER/TARGET.diff``, unless ``mutants.toml`` beside this file says why no test can see it.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import importlib
import os
import random
import resource
import signal
import subprocess
import sys
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from types import FunctionType

import coverage
import libcst
import pytest
from _pytest.runner import runtestprotocol
from mutmut.mutation.file_mutation import create_mutations

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
EXPLAINED = Path(__file__).with_suffix(".toml")
_EXAMPLES = 60


@dataclass(frozen=True, kw_only=True)
class Target:
    """Modules, the tests that may fail for them, and whether every mutant is tried or only a sample."""

    name: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]
    whole: bool = False

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files of the modules."""
        return tuple(path for glob in self.modules for path in sorted((ROOT / "src/mamba_press").glob(glob)))

    @property
    def files(self) -> tuple[str, ...]:
        """The files of the tests."""
        return tuple(str(path) for glob in self.tests for path in sorted((ROOT / "tests").glob(glob)))


def _target(name: str, modules: str, tests: str, *, whole: bool = False) -> Target:
    return Target(name=name, modules=tuple(modules.split()), tests=tuple(tests.split()), whole=whole)


_ELF = "unit/platforms/linux/test_elf*.py property/test_elf.py unit/platforms/test_hostile_tables.py"
_MACHO = "unit/platforms/macos/test_macho*.py property/test_macho.py"
_TARGETS = (
    _target(
        "specifiers",
        "conda/pep440.py conda/match_specs.py",
        "unit/conda/test_pep440.py unit/conda/test_match_specs.py property/test_pep440.py",
        whole=True,
    ),
    _target(
        "link",
        "vendoring/link*.py vendoring/dependency_graph.py platforms/*/relocate.py",
        "unit/vendoring/test_link*.py unit/vendoring/test_dependency_graph.py property/test_link.py "
        "unit/platforms/*/test_relocate.py",
        whole=True,
    ),
    _target(
        "tags",
        "metadata/tags/*.py platforms/*/tag.py",
        "unit/metadata/tags/test_*.py property/test_tags.py unit/platforms/*/test_*.py unit/platforms/test_tag*.py",
        whole=True,
    ),
    _target(
        "elf_edit",
        "platforms/linux/elf_edit.py platforms/linux/elf_layout.py platforms/linux/elf_strings.py",
        _ELF,
        whole=True,
    ),
    _target("select", "vendoring/select/*.py", "unit/vendoring/select/test_*.py unit/config/test_unmatched.py"),
    _target("requires", "metadata/requirements/*.py", "unit/metadata/requirements/test_*.py property/test_requires.py"),
    _target(
        "wheel",
        "wheel/writer.py wheel/zip_format.py wheel/content.py wheel/compress.py wheel/names.py "
        "wheel/proof.py wheel/huge.py wheel/entry_cache.py",
        "unit/wheel/test_*.py property/test_wheel.py property/test_splice.py",
    ),
    _target("target", "platforms/target*.py", "unit/platforms/test_*.py property/test_target.py"),
    _target("macho_edit", "platforms/macos/macho_edit.py", _MACHO),
    _target("macho_layout", "platforms/macos/macho_layout*.py", _MACHO),
    _target(
        "pe_edit",
        "platforms/windows/pe_edit.py platforms/windows/pe_layout.py",
        "unit/platforms/windows/test_pe*.py property/test_pe.py",
    ),
)
TARGETS = {target.name: target for target in _TARGETS}


# --- mutants


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """A function with one fault: its text, what changed as a diff, and the lines of the file that did."""

    path: Path
    owner: str
    name: str
    text: str
    diff: str
    lines: frozenset[int]
    is_head: bool

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What ``mutants.toml`` knows it by: where it is, and the changed lines without their indentation."""
        rows = [row for row in self.diff.splitlines() if not row.startswith(("---", "+++", "@@"))]
        old, new = ("\n".join(row[1:].strip() for row in rows if row.startswith(sign)) for sign in "-+")
        return self.module.rpartition(".")[2], f"{self.owner}.{self.name}".lstrip("."), old, new

    @property
    def module(self) -> str:
        """The name that the module is imported by."""
        parts = self.path.relative_to(ROOT / "src").with_suffix("").parts
        return ".".join(parts).removesuffix(".__init__")

    def install(self) -> None:
        """Give the function of this name the code of the mutant; its callers know it as the same object."""
        module = importlib.import_module(self.module)
        space: dict[str, object] = {}
        text = f"class {self.owner}:\n{_indented(self.text)}" if self.owner else self.text
        code = compile(f"from __future__ import annotations\n{text}", "<mutant>", "exec")
        exec(code, vars(module), space)
        new, old = space[self.owner or self.name], vars(module)[self.owner or self.name]
        if self.owner:
            new, old = vars(new)[self.name], vars(old)[self.name]
        new, old = getattr(new, "__func__", new), getattr(old, "__func__", old)
        assert isinstance(new, FunctionType)
        assert isinstance(old, FunctionType)
        old.__code__, old.__defaults__, old.__kwdefaults__ = new.__code__, new.__defaults__, new.__kwdefaults__


def _indented(text: str) -> str:
    return "".join(f"    {line}" for line in text.splitlines(keepends=True))


def mutants(path: Path) -> Iterator[Mutant]:
    """Yield every mutant of a file's functions, in the order of the file; decorated functions have none."""
    source = path.read_text(encoding="utf-8")
    module, found, _, _ = create_mutations(str(path), source)
    owners = {
        id(method): (node.name.value if isinstance(node, libcst.ClassDef) else "", method)
        for node in module.body
        for method in (node.body.body if isinstance(node, libcst.ClassDef) else [node])
    }
    statements = _statements(source)
    at = dict(_functions(source))
    for each in found:
        function = each.contained_by_top_level_function
        if not isinstance(function, libcst.FunctionDef):
            continue
        owner = owners[id(function)][0]
        old = module.code_for_node(function.with_changes(leading_lines=[]))
        new = module.code_for_node(
            function.deep_replace(each.original_node, each.mutated_node).with_changes(leading_lines=[])
        )
        name = function.name.value
        start = at[f"{owner}.{name}"]
        diff = list(difflib.unified_diff(old.splitlines(), new.splitlines(), str(path.name), name, n=2, lineterm=""))
        pairs = zip(old.splitlines(), new.splitlines(), strict=False)
        changed = {start + number for number, (before, after) in enumerate(pairs) if before != after}
        lines = statements.get(min(changed, default=start), frozenset({start}))
        yield Mutant(
            path=path, owner=owner, name=name, text=new, diff="\n".join(diff), lines=lines, is_head=start in lines
        )


def _functions(source: str) -> Iterator[tuple[str, int]]:
    """Yield the functions and methods of a file by their owner and name, each with the line of its ``def``."""
    for node in ast.parse(source).body:
        for each in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(each, ast.FunctionDef):
                first = min([each.lineno, *(decorator.lineno for decorator in each.decorator_list)])
                yield f"{node.name if isinstance(node, ast.ClassDef) else ''}.{each.name}", first


def _statements(source: str) -> dict[int, frozenset[int]]:
    """Return, for each line, the lines of the innermost statement there, or of the head of a compound one."""
    found: dict[int, frozenset[int]] = {}
    for node in ast.walk(ast.parse(source)):  # from the outside to the inside
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            end = body[0].lineno - 1 if body else node.end_lineno or node.lineno
            lines = frozenset(range(node.lineno, max(end, node.lineno) + 1))
            found |= dict.fromkeys(lines, lines)
    return found


# --- judging


class Judge:
    """Runs the collected tests once to see which reach what, then those that reach a mutant on each mutant."""

    def __init__(self, target: Target, chosen: Sequence[Mutant], folder: Path, seconds: float) -> None:
        self.target = target
        self.chosen = chosen
        self.folder = folder
        self.seconds = seconds
        self.cost: dict[str, float] = {}
        self.kills: Counter[str] = Counter()
        self.items: dict[str, pytest.Item] = {}

    def pytest_configure(self) -> None:
        """Let properties draw the same examples each time, and look for no smaller ones."""
        import hypothesis

        hypothesis.settings.register_profile(
            "mutants",
            database=None,
            deadline=None,
            derandomize=True,
            phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        hypothesis.settings.load_profile("mutants")

    def pytest_collection_modifyitems(self, items: Sequence[pytest.Item]) -> None:
        """Let no property draw more than some examples: a survivor runs all of them."""
        import hypothesis

        for function in {getattr(item, "function", None) for item in items}:
            if own := getattr(function, "_hypothesis_internal_use_settings", None):
                most = min(own.max_examples, _EXAMPLES)
                function._hypothesis_internal_use_settings = hypothesis.settings(own, max_examples=most)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Take the place of pytest's own loop."""
        reached = self._baseline(session.items)
        explained = explanations()
        outcomes: Counter[str] = Counter()
        survivors = []
        for mutant in self.chosen:
            tests = set().union(*(reached.get((mutant.path, line), set()) for line in mutant.lines))
            if not tests:  # the head of a function is run once, when its module is imported
                body = range(min(mutant.lines), min(mutant.lines) + mutant.text.count("\n"))
                tests = set().union(*(reached.get((mutant.path, line), set()) for line in body if mutant.is_head))
            outcome = self._judged(mutant, tests) if tests else "not reached"
            if outcome in ("survived", "not reached") and mutant.key in explained:
                outcome = "explained"
            outcomes[outcome] += 1
            if outcome in ("survived", "not reached"):
                survivors.append(f"# {outcome}\n{mutant.diff}\n")
                self._write(survivors)
        self._write(survivors)
        self._tell(outcomes)
        return True

    def _write(self, survivors: Sequence[str]) -> None:
        (self.folder / f"{self.target.name}.diff").write_text("\n".join(survivors), encoding="utf-8")

    def _tell(self, outcomes: Mapping[str, int]) -> None:
        killed = sum(outcomes.get(each, 0) for each in ("killed", "timeout"))
        rest = sum(outcomes.values()) - outcomes.get("explained", 0)
        told = ", ".join(f"{number} {outcome}" for outcome, number in sorted(outcomes.items()))
        line = f"{self.target.name}: {killed} of {rest} killed ({killed / max(rest, 1):.1%}): {told}\n"
        with (self.folder / "counts.txt").open("a", encoding="utf-8") as file:
            file.write(line)
        sys.stderr.write(line)

    def _baseline(self, items: Sequence[pytest.Item]) -> dict[tuple[Path, int], set[str]]:
        """Run every test on the code as it is; return the tests that reach each line of the modules."""
        watch = coverage.Coverage(data_file=None, include=[str(path) for path in self.target.paths], config_file=False)
        watch.start()
        for number, item in enumerate(items):
            watch.switch_context(item.nodeid)
            start = time.perf_counter()
            # Never the last one: what a fixture of the session has made stays for all mutants.
            reports = runtestprotocol(item, log=False, nextitem=items[(number + 1) % len(items)])
            if all(report.passed for report in reports):
                self.items[item.nodeid] = item
                self.cost[item.nodeid] = time.perf_counter() - start
            elif any(report.failed for report in reports):
                sys.stderr.write(f"fails without a mutant, left out: {item.nodeid}\n")
        watch.stop()
        return {
            (path, line): {each for each in contexts if each in self.items}
            for path in self.target.paths
            for line, contexts in watch.get_data().contexts_by_lineno(str(path)).items()
        }

    def _judged(self, mutant: Mutant, tests: set[str]) -> str:
        order = sorted(tests, key=lambda test: (-self.kills[test], self.cost[test]))
        total = list(accumulate(self.cost[test] for test in order))
        order = order[: 1 + bisect_right(total, self.seconds)]
        limit = 10 + 10 * sum(self.cost[test] for test in order)
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            self._run(mutant, order, writing, limit)
        os.close(writing)
        with os.fdopen(reading) as file:
            said = file.read()
        status = os.waitpid(child, 0)[1]
        if said in self.items:
            self.kills[said] += 1
            return "killed"
        if os.WIFSIGNALED(status):
            return "timeout" if os.WTERMSIG(status) in (signal.SIGALRM, signal.SIGXCPU) else "killed"
        return {0: "survived", 2: "invalid"}.get(os.WEXITSTATUS(status), "killed")

    def _run(self, mutant: Mutant, order: Sequence[str], writing: int, limit: float) -> None:
        """In the fork: write the first test that fails, and end."""
        code = 1
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(int(limit * 3))  # the machine may be busy
            resource.setrlimit(resource.RLIMIT_CPU, (int(limit), int(limit) + 1))
            resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
            null = os.open(os.devnull, os.O_RDWR)
            for each in (0, 1, 2):
                os.dup2(null, each)
            try:
                mutant.install()
            except (SyntaxError, TypeError, ValueError, NameError):
                os._exit(2)
            code = 0
            for number, test in enumerate(order):
                following = self.items[order[(number + 1) % len(order)]]
                reports = runtestprotocol(self.items[test], log=False, nextitem=following)
                if any(report.failed for report in reports):
                    os.write(writing, test.encode())
                    code = 1
                    break
        finally:
            os._exit(code)


def explanations() -> frozenset[tuple[str, str, str, str]]:
    """Return the mutants that no test can see, as ``mutants.toml`` has them, by `Mutant.key`."""
    table = tomllib.loads(EXPLAINED.read_text(encoding="utf-8"))
    return frozenset(
        (group["module"], group["function"], old, new) for group in table["equal"] for old, new in group["changes"]
    )


def judge(target: Target, asked: argparse.Namespace) -> int:
    """Try the mutants of one target in this process."""
    found = [mutant for path in target.paths for mutant in mutants(path)]
    if not target.whole and len(found) > asked.count:
        found = sorted(random.Random(asked.seed).sample(found, asked.count), key=found.index)
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header", "--no-summary"]
    plugin = Judge(target, found, asked.folder, asked.seconds)
    return int(pytest.main([*options, *target.files], plugins=[plugin]) not in (0, pytest.ExitCode.NO_TESTS_COLLECTED))


def main() -> int:
    """Try each target in a process of its own, for pytest runs once in one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"one of {', '.join(TARGETS)}; by default all")
    parser.add_argument("--folder", type=Path, default=Path(".mutants"))
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--sample", action="store_true", help="also of targets that are tried as a whole")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    if asked.here:
        target = TARGETS[asked.targets[0]]
        return judge(replace(target, whole=target.whole and not asked.sample), asked)
    numbers = ((f"--{name}", str(getattr(asked, name))) for name in ("folder", "seed", "count", "seconds"))
    options = (*(each for pair in numbers for each in pair), *(["--sample"] if asked.sample else []))
    command = [sys.executable, "-m", "tests.campaigns.mutants", "--here", *options]
    return max(subprocess.run([*command, name], check=False, cwd=ROOT).returncode for name in asked.targets or TARGETS)


if __name__ == "__main__":
    sys.exit(main())
