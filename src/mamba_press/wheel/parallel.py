"""Work for all cores: how many there are, and small pieces handed over many at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

_Piece = TypeVar("_Piece")


def count() -> int:
    """Return how many cores the process may use; Linux knows about taskset and containers' CPU sets."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def batches(pieces: Iterable[_Piece], size: Callable[[_Piece], int], most: int) -> Iterator[list[_Piece]]:
    """Yield the pieces in order, small ones together up to ``most`` bytes or 32 of them, a large one alone.

    To hand over a small piece alone costs a thread as much as its work.
    """
    batch: list[_Piece] = []
    room = most
    for piece in pieces:
        if batch and size(piece) > room:
            yield batch
            batch, room = [], most
        batch.append(piece)
        room -= size(piece) + most // 32
    if batch:
        yield batch
