"""What the benchmarks say of what they measure: verdicts, ratios, curves, and whether a run was what it claims."""

from __future__ import annotations

import shutil
import sys

import pytest

from benchmarks import growth, isolated, measure, report
from benchmarks.__main__ import PARTS
from benchmarks.isolated import Installed
from benchmarks.measure import FailedError, NotWarmError, Point, Result, Row, Run, Subject


def result(name: str, *cpus: float) -> Result:
    return Result(name=name, runs=tuple(Run(cpu=cpu, wall=1, peak=1) for cpu in cpus))


def point(count: int, program: str, cpu: float) -> Point:
    return Point(curve="files", program=program, count=count, cpu=cpu, peak=20, largest=1)


def python(code: str, **more) -> Subject:
    return Subject(name="it", command=[sys.executable, "-c", code], **more)


def test_every_target_belongs_to_one_part():
    assert sorted(number for numbers, _ in PARTS.values() for number in numbers) == list(range(1, 20))


def test_a_ratio_is_one_of_medians_over_the_sum_of_what_it_is_measured_over():
    results = {each.name: each for each in (result("press", 9, 1, 6), result("a", 1, 1, 5), result("b", 2, 2, 2))}
    assert measure.ratio(results, Row(number=1, measured="press", base="a + b")).ratio == 2


def test_what_did_not_run_is_named_instead_of_measured():
    row = measure.ratio({"press": result("press", 1)}, Row(number=5, measured="press", base="uv_build"))
    assert (row.ratio, row.note) == (None, "not run here: uv_build")


def test_the_table_says_what_is_met_and_what_is_missed_in_the_order_of_the_targets():
    rows = [
        Row(number=10, measured="slow", base="x", most=1.1, ratio=1.2, note="for a reason"),
        Row(number=2, measured="fast", base="x", most=1.1, ratio=1.1),
        Row(number=13, measured="free", base="x", ratio=7),
        Row(number=14, measured="absent", base="x", most=4, note="not run"),
    ]
    assert report.table(rows).splitlines()[2:] == [
        "| 2 | fast | x | cpu | 1.1 | 1.10 | met |",
        "| 10 | slow | x | cpu | 1.1 | 1.20 | **missed** for a reason |",
        "| 13 | free | x | cpu |  | 7.00 |  |",
        "| 14 | absent | x | cpu | 4 |  | not run |",
    ]


def test_a_limit_is_not_met_by_what_only_rounds_to_it():
    (line,) = report.table([Row(number=1, measured="it", base="x", most=1.1, ratio=1.104)]).splitlines()[2:]
    assert line.endswith("| 1.1 | 1.10 | **missed** |")


def test_a_curve_has_the_floor_beside_each_program():
    points = [point(1000, "floor", 2), point(1000, "press", 5), point(5000, "press", 9)]
    assert report.curves(points).splitlines()[2:] == [
        "| 1000 files | floor | 2.00 | 1.00 | 20 |",
        "| 1000 files | press | 5.00 | 2.50 | 20 |",
        "| 5000 files | press | 9.00 |  | 20 |",
    ]
    assert growth.slope(points, "files", "press") == 0.001


def test_what_is_installed_is_told_with_its_cost_over_hatchling():
    brought = {name: Installed(download=1.5, size=3, files=7) for name in ("hatchling", "ours")}
    results = {name: result(name, cpu) for name, cpu in (("install hatchling", 0.1), ("install ours", 0.2))}
    assert isolated.table(brought, results).splitlines()[-2:] == [
        "| hatchling | 1.50 | 3.00 | 7 | 1.00 |",
        "| ours | 1.50 | 3.00 | 7 | 2.00 |",
    ]


def test_a_program_is_charged_its_own_memory_and_not_that_of_the_benchmark():
    ballast = bytearray(b"x") * (150 << 20)
    assert measure.run(python("pass")).peak < 50 < measure.run(python("b'x' * (60 << 20)")).peak < 140
    assert len(ballast) == 150 << 20


def test_a_program_that_fails_is_left_out_and_says_why():
    with pytest.raises(FailedError, match=r"(?s)it: exit code 3.*broken"):
        measure.run(python("import sys; print('broken'); sys.exit(3)"))
    said = []
    assert measure.compare([python("import nothing_of_this_name")], 1, said.append) == {}
    assert said[0].startswith("left out: it: exit code 1")


def test_a_warm_run_that_extracts_a_package_is_an_error(tmp_path):
    package = tmp_path / "pkgs" / "numpy-1-0"

    def evict() -> None:
        shutil.rmtree(package, ignore_errors=True)

    make = f"import os; os.makedirs({str(package)!r}, exist_ok=True)"
    assert measure.compare([python(make, cache=tmp_path)], 2, lambda _: None).keys() == {"it"}
    shutil.rmtree(tmp_path / "pkgs")
    subjects = [python(make, cache=tmp_path), python(f"import shutil; shutil.rmtree({str(package)!r})")]
    with pytest.raises(NotWarmError, match="it extracted numpy-1-0"):
        measure.compare(subjects, 2, lambda _: None)
    with pytest.raises(NotWarmError, match="it extracted numpy-1-0"):
        measure.compare([python(make, cache=tmp_path, prepare=evict)], 2, lambda _: None)
