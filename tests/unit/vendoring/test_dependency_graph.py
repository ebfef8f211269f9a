"""What needs what, and digests over it."""

from __future__ import annotations

from mamba_press.vendoring.dependency_graph import digests, reachable

GRAPH = {"app": ["x", "y"], "x": ["y"], "y": ["z"], "z": ["y"], "alone": []}


def test_all_is_reached_that_one_needs_through_others_and_itself_only_in_a_cycle():
    assert reachable("app", GRAPH) == {"x", "y", "z"}
    assert reachable("y", GRAPH) == {"y", "z"}
    assert reachable("alone", GRAPH) == reachable("not there", GRAPH) == set()


def test_a_digest_changes_with_all_that_is_reached_and_with_nothing_else():
    content = {name: name.encode() for name in GRAPH}
    before = digests(GRAPH, content)
    after = digests(GRAPH, content | {"z": b"other"})
    assert {name for name in GRAPH if before[name] != after[name]} == {"app", "x", "y", "z"}


def test_who_answers_for_a_name_is_in_the_digest():
    content = {"app": b"app", "x": b"x", "y": b"y"}
    one = digests({"app": ["x", "y"], "x": [], "y": []}, content)
    other = digests({"app": ["y", "x"], "x": [], "y": []}, content)
    assert one["app"] != other["app"]
    assert one["x"] == other["x"]
