"""What needs what: all that is reached from one, and digests that change with all that is reached."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
        parts = sorted(_part(other, graph, content, found, cycle) for other in cycle)
        found[path] = hashlib.sha256(content[path] + b"".join(parts)).hexdigest()
    return found


def _part(
    path: str,
    graph: Mapping[str, Sequence[str]],
    content: Mapping[str, bytes],
    digests: Mapping[str, str],
    cycle: set[str],
) -> bytes:
    """Return what one library adds to the digest of its cycle: its content and who answers each name it needs."""
    answers = (content[other] if other in cycle else bytes.fromhex(digests[other]) for other in graph[path])
    return hashlib.sha256(content[path] + b"".join(answers)).digest()
