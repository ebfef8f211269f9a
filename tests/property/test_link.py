"""What decides a hashed name, for graphs of libraries of any shape."""

from __future__ import annotations

import hashlib
from dataclasses import fields, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from mamba_press.config import reader
from mamba_press.types import Edits, Environment, File
from mamba_press.vendoring import link
from tests.support.values import binary, entry, package

CONFIG = reader.from_values({"packages": ["app"]}, {}, {})


@st.composite
def graphs(draw):
    """Which of some libraries needs which others; cycles are wanted."""
    count = draw(st.integers(1, 6))
    numbers = st.integers(0, count - 1)
    return [sorted(draw(st.sets(numbers, max_size=3)) - {index}) for index in range(count)]


def names(folder, graph, contents, step=1):
    """The new name of each library; with a ``step`` of -1 the last comes first."""
    entries = []
    for index, needs in list(enumerate(graph))[::step]:
        path = folder / hashlib.sha256(contents[index].encode()).hexdigest()
        path.write_text(contents[index])
        file = File(path=f"lib/lib{index}.so", source=path, package="dep", size=1)
        links = {f"lib{other}.so": f"lib/lib{other}.so" for other in needs}
        entries.append(entry(file, facts=binary(f"lib{index}.so", *links), links=links))
    environment = Environment(
        prefix=folder, files=tuple(e.origin for e in entries), packages=(package("dep"),), info={}
    )
    linked = link.link(entries, environment, CONFIG)
    new = {each.original: each.path.rpartition("/")[2] for each in linked.entries}
    return [new[f"lib/lib{index}.so"] for index in range(len(graph))]


def reached(graph, start):
    seen, todo = {start}, [start]
    while todo:
        for other in graph[todo.pop()]:
            if other not in seen:
                seen.add(other)
                todo.append(other)
    return seen


@settings(max_examples=60, deadline=None)
@given(graphs(), st.data())
def test_a_name_changes_with_what_it_reaches_and_with_nothing_else(tmp_path_factory, graph, data):
    folder = tmp_path_factory.mktemp("link")
    contents = [f"content {index}" for index in range(len(graph))]
    changed = data.draw(st.integers(0, len(graph) - 1))
    before = names(folder, graph, contents)
    after = names(folder, graph, [*contents[:changed], "another", *contents[changed + 1 :]])
    differ = {index for index in range(len(graph)) if before[index] != after[index]}
    assert differ == {index for index in range(len(graph)) if changed in reached(graph, index)}


@settings(max_examples=30, deadline=None)
@given(graphs())
def test_the_order_of_the_files_decides_no_name(tmp_path_factory, graph):
    folder = tmp_path_factory.mktemp("link")
    contents = [f"content {index}" for index in range(len(graph))]
    assert names(folder, graph, contents, step=-1) == names(folder, graph, contents)


EDITS = st.builds(
    Edits,
    name=st.none() | st.just("libx-0123abcd.so"),
    needed=st.lists(st.tuples(st.sampled_from(["liba.so", "libb.so"]), st.none() | st.just("libc.so"))).map(tuple),
    search=st.none() | st.lists(st.sampled_from(["$ORIGIN", "$ORIGIN/.."])).map(tuple),
    **{name: st.booleans() for name in ("inherited", "unbind_unique", "sign", "strip", "clear_execstack")},
)


@given(EDITS, EDITS, st.sampled_from([each.name for each in fields(Edits) if each.name != "needed"]))
def test_a_library_edited_in_any_other_way_than_by_names_gets_another_digest(one, other, name):
    """The promise that two wheels in one process never take each other's: a new field of Edits breaks it or is here."""
    changed = replace(one, **{name: getattr(other, name)})
    decides = name not in ("name", "sign") and changed != one
    assert (link.decisive(changed) != link.decisive(one)) == decides


@given(EDITS, EDITS)
def test_of_needed_names_those_that_are_removed_decide(one, other):
    def removed(edits):
        return [old for old, new in edits.needed if new is None]

    changed = replace(one, needed=other.needed)
    assert (link.decisive(changed) != link.decisive(one)) == (removed(one) != removed(other))


def test_who_answers_a_name_decides_even_among_the_same_libraries(tmp_path):
    """Two needed names that swap the files behind them: the bytes are all the same, the behaviour is not."""

    def top(first, second):
        folder = tmp_path
        made = []
        for name, links in {
            "top": {"liba.so": "lib/liba.so"},
            "a": {"libx.so": first, "liby.so": second},
            "x": {},
            "y": {},
        }.items():
            (folder / name).write_text(name)
            file = File(path=f"lib/lib{name}.so", source=folder / name, package="dep", size=1)
            made.append(entry(file, facts=binary(f"lib{name}.so", *links), links=links))
        environment = Environment(
            prefix=folder, files=tuple(e.origin for e in made), packages=(package("dep"),), info={}
        )
        linked = link.link([replace(each) for each in made], environment, CONFIG)
        return next(each.path for each in linked.entries if each.original == "lib/libtop.so")

    assert top("lib/libx.so", "lib/liby.so") != top("lib/liby.so", "lib/libx.so")
