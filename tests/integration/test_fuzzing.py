"""A few of the inputs of ``nox -s fuzz``, so that its targets and their corpus stay true."""

from __future__ import annotations

import json
import os
import signal
import sys
from random import Random

import pytest

from tests.fuzz import engine, judge, mutate, targets
from tests.fuzz.__main__ import main
from tests.fuzz.engine import Plan
from tests.fuzz.targets import READ, Target

INPUTS = 40


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return tmp_path_factory.mktemp("corpus")


@pytest.fixture(scope="module")
def every(corpus, tmp_path_factory):
    return targets.every(corpus, tmp_path_factory.mktemp("scratch"))


@pytest.fixture(autouse=True)
def limited():
    """A process in which an input that takes too long is ended, not the process."""
    before = signal.signal(signal.SIGPROF, engine.stop)
    yield
    signal.signal(signal.SIGPROF, before)


@pytest.fixture
def plan(tmp_path, corpus):
    return Plan(
        target="made-up",
        seed=1,
        first=0,
        seconds=60,
        inputs=3,
        corpus=corpus,
        faults=tmp_path,
        samples=tmp_path,
    )


def test_every_target_ends_the_first_inputs_with_an_answer_or_with_an_error_of_ours(every, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = {}
    for name, target in every.items():
        for number in range(INPUTS):
            data = target.make(engine.chance(Random(), name, 1, number))
            engine.held(target, data, lambda kind, told, name=name: found.__setitem__(name, told))
    assert found == {}


def test_most_of_what_an_editor_is_given_is_edited(every, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, target in every.items():
        if target.is_editor:
            inputs = [target.make(engine.chance(Random(), name, 2, number)) for number in range(60)]
            assert sum(target.run(data).done for data in inputs) > 24, name


def test_an_input_is_the_same_each_time_that_it_is_made(every):
    first, second = (every["elf-edit"].make(engine.chance(Random(), "elf-edit", 1, 7)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("run", "kind"),
    [
        (lambda data: {}[0], "KeyError test_fuzzing.py:<lambda>"),
        (lambda data: all(iter(int, 1)) or [None for _ in iter(int, 1)], "too long"),
        (lambda data: len(bytearray(4 << 30)), "too much memory"),
        (lambda data: os.kill(os.getpid(), signal.SIGKILL), "the process ended with -9"),
    ],
)
def test_what_goes_wrong_is_seen_and_the_input_kept(plan, monkeypatch, run, kind):
    target = Target(name="made-up", make=lambda rng: b"input", run=run)
    monkeypatch.setattr(targets, "every", lambda *_: {"made-up": target})
    monkeypatch.setattr(engine, "SECONDS", 0.05)
    tally = engine.supervised(plan)
    assert (tally.faults, tally.next) == (3, 3)
    (kept,) = plan.faults.glob("*.bin")
    assert kept.read_bytes() == b"input"
    assert kept.with_suffix(".txt").read_text().splitlines()[:2] == [kind, f"nox -s fuzz -- replay made-up {kept}"]


def test_a_campaign_goes_on_where_it_stopped(tmp_path, monkeypatch, capsys):
    target = Target(name="made-up", make=lambda rng: b"", run=lambda data: READ)
    monkeypatch.setattr(targets, "every", lambda *_: {"made-up": target})
    for _ in range(2):
        assert main(["0.01", "--inputs", "5", "--folder", str(tmp_path)]) == 0
    tally = json.loads((tmp_path / "totals.json").read_text())["targets"]["made-up"]
    assert (tally["next"], tally["done"]) == (10, 10)
    assert "| made-up | 10 | 200,000 | 10 (100 %) | 0 |" in capsys.readouterr().out


def test_json_that_no_writer_writes_is_made_too():
    rng = Random(1)
    made = [mutate.document(rng, {"a": [1, {"b": "c"}]}) for _ in range(600)]
    assert any(data.startswith(b"[[[") or b"[[[[" in data for data in made)
    assert any(b"NaN" in data for data in made)


def test_what_a_judge_says_of_other_files_is_not_lost_where_it_dies_of_one(tmp_path):
    script = 'for file; do case $file in *bad) kill -9 $$;; *) echo "File: $file"; echo odd;; esac; done'
    files = [tmp_path / name for name in ("a", "bad", "c")]
    found = list(judge.said(["sh", "-c", script, "sh"], files))
    a, bad, c = (f"File: {file}" for file in files)
    expected = [a, a, "odd", bad, f"sh: Error: error: '{files[1]}': dies", c, c, "odd"]
    assert found == expected


def test_a_judge_has_bounds(tmp_path):
    script = "import resource as r, sys; print(r.getrlimit(r.RLIMIT_AS)[0], r.getrlimit(r.RLIMIT_CPU)[0], sys.argv[1])"
    found = list(judge.said([sys.executable, "-c", script], [tmp_path]))
    assert found == [f"{2 << 30} 60 {tmp_path}"]
