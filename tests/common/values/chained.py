"""Integers, no two of one hash, whose places in the table of a dict follow one another in a chain that many walk to its end."""

from __future__ import annotations

from functools import lru_cache
from itertools import count

PERTURB_SHIFT, STEPS = 5, 14  # as CPython walks: by then nothing is left of any hash of 64 bits


@lru_cache
def chained(bits: int, filler: int, walkers: int) -> list[int]:
    """``filler`` of them occupy one run of places of a table of ``2**bits``, and ``walkers`` begin in its first quarter."""
    mask, place = (1 << bits) - 1, 1
    run: dict[int, int] = {}
    for step in range(filler):
        run[place] = step
        place = (5 * place + 1) & mask
    found: list[int] = []
    for high in count(1):
        found += sorted(_walking(high << bits, mask, run, filler // 4))
        if len(found) >= walkers:
            return [*run, *found[:walkers]]
    raise AssertionError("there is no last number")


def _walking(high: int, mask: int, run: dict[int, int], upto: int) -> list[int]:
    """Of all keys that begin with ``high``: those that go from place to place of the run until nothing of them is left."""
    keys = [(high + place, place) for place in run]
    for step in range(1, STEPS):
        shift = PERTURB_SHIFT * step
        moved = [(key, (5 * place + (key >> shift) + 1) & mask) for key, place in keys]
        keys = [(key, place) for key, place in moved if place in run]
    return [
        key
        for key, place in keys
        if run.get((5 * place + (key >> PERTURB_SHIFT * STEPS) + 1) & mask, upto) < upto
    ]
