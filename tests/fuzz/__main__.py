"""``nox -s fuzz -- MINUTES [TARGET…]``: every target for its share of so many minutes of the processor.

It goes on where it stopped: the numbers of the inputs, and what came of them, stand in ``FOLDER/totals.json``. The same
seed and corpus give the same inputs. ``nox -s fuzz -- replay TARGET FILE`` runs one saved input again, without limits.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from tests.fuzz import engine, judge, targets
from tests.fuzz.engine import Plan, Tally
from tests.fuzz.targets import Target
from tests.support import shared

_ENOUGH = 10_000_000


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for; the exit code says whether anything is wrong."""
    if arguments[:1] == ["replay"]:
        return replay(*arguments[1:3])
    asked = _parsed(arguments)
    folder = asked.folder.resolve()
    if asked.fresh:
        shutil.rmtree(folder / "faults", ignore_errors=True)
    (folder / "faults").mkdir(parents=True, exist_ok=True)
    with engine.scratch() as scratch:
        found = targets.every(folder / "corpus", scratch)
    chosen = {name: found[name] for name in asked.target or found}
    totals = _kept(folder, asked.seed, fresh=asked.fresh)
    shares = sum(target.share for target in chosen.values())
    with ThreadPoolExecutor(asked.jobs) as pool:
        jobs = {}
        for name, target in sorted(chosen.items(), key=lambda item: -item[1].share):
            seconds = 60 * asked.minutes * target.share / shares
            jobs[name] = pool.submit(_one, target, asked, folder, (totals[name].next, seconds))
        for name, job in jobs.items():
            _add(totals[name], job.result())
    kept = {"seed": asked.seed, "targets": {name: asdict(tally) for name, tally in totals.items()}}
    (folder / "totals.json").write_text(json.dumps(kept, indent=1))
    print("\n".join(table(found, totals)))
    return _verdict(found, {name: totals[name] for name in chosen}, folder)


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nox -s fuzz --", description=__doc__)
    parser.add_argument("minutes", type=float, help="of the processor, for all targets together")
    parser.add_argument("target", nargs="*", help="the targets that are run; all, where none is named")
    parser.add_argument("--seed", type=int, default=1, help="another one gives other inputs")
    parser.add_argument("--jobs", type=int, default=2, help="so many targets at a time")
    parser.add_argument("--inputs", type=int, default=1 << 40, help="at most so many inputs for each target")
    parser.add_argument("--others", action="store_true", help="readelf and LLVM judge a sample of the edited binaries")
    parser.add_argument("--folder", type=Path, default=Path(".fuzz"), help="corpus, totals and what failed")
    parser.add_argument("--fresh", action="store_true", help="begin anew, with the first inputs")
    return parser.parse_args(arguments)


def _kept(folder: Path, seed: int, *, fresh: bool) -> dict[str, Tally]:
    """Return what earlier runs with this seed came to."""
    with engine.scratch() as scratch:
        names = list(targets.every(folder / "corpus", scratch))
    path = folder / "totals.json"
    said = json.loads(path.read_text()) if path.exists() and not fresh else {}
    known = said.get("targets", {}) if said.get("seed") == seed else {}
    return {name: Tally(**known.get(name, {})) for name in names}


def _one(target: Target, asked: argparse.Namespace, folder: Path, part: tuple[int, float]) -> Tally:
    """Run one target for its time, and let others judge what it edited."""
    with tempfile.TemporaryDirectory(prefix="samples-", dir=folder) as samples:
        plan = Plan(
            target=target.name,
            seed=asked.seed,
            first=part[0],
            seconds=part[1],
            inputs=asked.inputs,
            corpus=folder / "corpus",
            faults=folder / "faults",
            samples=Path(samples),
            sample=targets.JUDGED[target.format] if asked.others and target.format else 0,
        )
        tally = engine.supervised(plan)
        if plan.sample and target.format:
            tally.sampled = len(list(Path(samples).glob("*.after")))
            for name, said in judge.worse(Path(samples), target.format):
                tally.faults += 1
                engine.save(plan, Path(samples, f"{name}.before").read_bytes(), f"others say: {said}", "")
    print(f"{target.name}: {tally.inputs:,} inputs, {tally.faults:,} faults", flush=True)
    return tally


def _add(total: Tally, part: Tally) -> None:
    for name in ("done", "refused", "faults", "sampled", "seconds"):
        setattr(total, name, getattr(total, name) + getattr(part, name))
    total.next = part.next
    total.worst, total.peak = max(total.worst, part.worst), max(total.peak, part.peak)


def table(found: Mapping[str, Target], totals: Mapping[str, Tally]) -> Iterator[str]:
    """Yield the lines of a table of what was run, as Markdown."""
    yield "| target | inputs | of at least | read or edited | refused | inputs/s | worst | memory | judged | faults |"
    yield "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    whole = Tally()
    for name, tally in totals.items():
        if tally.inputs:
            yield _row(name, tally, f"{found[name].minimum:,}")
            _add(whole, tally)
    yield _row("all", whole, f"{_ENOUGH:,}")


def _row(name: str, tally: Tally, least: str) -> str:
    rate = tally.inputs / max(tally.seconds, 0.001)
    share = 100 * tally.done / max(tally.inputs, 1)
    cells = [name, f"{tally.inputs:,}", least, f"{tally.done:,} ({share:.0f} %)", f"{tally.refused:,}", f"{rate:,.0f}"]
    cells += [f"{tally.worst:.2f} s", f"{tally.peak >> 20} MB", f"{tally.sampled:,}", f"{tally.faults:,}"]
    return f"| {' | '.join(cells)} |"


def _verdict(found: Mapping[str, Target], totals: Mapping[str, Tally], folder: Path) -> int:
    """Say what is wrong: faults, and editors that refuse most of what they are given."""
    lazy = [
        name
        for name, tally in totals.items()
        if found[name].is_editor and tally.inputs > 1000 and tally.done * 2 < tally.inputs
    ]
    if not (shared.SHARED / "channels").is_dir():
        lazy = []  # without real packages the few files of the compiler and of values are what is changed
    for name in lazy:
        print(f"{name}: less than half of the inputs were edited")
    kinds = {name for name, tally in totals.items() if tally.faults}
    for path in sorted((folder / "faults").glob("*.txt")):
        if path.stem.rpartition("-")[0] in kinds:
            kind, command, *_ = path.read_text().splitlines()
            print(f"{path.stem}: {kind}\n    {command}")
    return 1 if lazy or kinds else 0


def replay(name: str, file: str) -> int:
    """Run one saved input; what goes wrong is a traceback."""
    data = Path(file).read_bytes()
    with engine.scratch() as scratch:
        target = targets.every(Path(".fuzz/corpus"), scratch)[name]
        start = time.process_time()
        outcome = target.run(data)
        print(f"{name}: {'done' if outcome.done else 'refused'} in {time.process_time() - start:.2f} s")
    if outcome.after and target.format:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "input.before").write_bytes(outcome.before)
            Path(folder, "input.after").write_bytes(outcome.after)
            said = [text for _, text in judge.worse(Path(folder), target.format)]
        print("\n".join(said))
        return 1 if said else 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
