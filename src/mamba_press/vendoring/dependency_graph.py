"""What needs what: all that is reached from one, and digests that change with all that is reached."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence


def reachable(path: str, graph: Mapping[str, Iterable[str]]) -> set[str]:
    """Return all that one needs, perhaps through others; itself only where it is in a cycle."""
    seen: set[str] = set()
    todo = [path]
    while todo:
        here = todo.pop()
        for other in graph.get(here, ()):
            if other not in seen:
                seen.add(other)
                todo.append(other)
    return seen


def digests(graph: Mapping[str, Sequence[str]], content: Mapping[str, bytes]) -> dict[str, str]:
    """Return a digest per library over its own content and the digests of what it needs, a cycle counting as one."""
    needs = {path: reachable(path, graph) for path in graph}
    found: dict[str, str] = {}
    # What reaches less comes first, so what a cycle needs outside of itself has its digest before it.
    for path in sorted(graph, key=lambda path: (len(needs[path] | {path}), path)):
        cycle = {other for other in needs[path] if path in needs[other]} or {path}
        parts = []
        for other in cycle:  # each adds its content, and who answers each name that it needs
            answers = (content[each] if each in cycle else bytes.fromhex(found[each]) for each in graph[other])
            parts.append(hashlib.sha256(content[other] + b"".join(answers)).digest())
        found[path] = hashlib.sha256(content[path] + b"".join(sorted(parts))).hexdigest()
    return found
