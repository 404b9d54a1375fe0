"""Integers, no two of one hash, whose places in the table of a dict follow one another in a chain that many walk to its end."""

from __future__ import annotations

from functools import lru_cache

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
    key = 1 << bits
    while len(found) < walkers:
        if _walks(key, mask, run, filler // 4):
            found.append(key)
        key += 1
    return [*run, *found]


def _walks(key: int, mask: int, run: dict[int, int], upto: int) -> bool:
    place, left = key & mask, key
    for _ in range(STEPS):
        if place not in run:
            return False
        left >>= PERTURB_SHIFT
        place = (5 * place + left + 1) & mask
    return run.get(place, upto) < upto
