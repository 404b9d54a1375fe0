"""Tuples that were made to have one hash: what an attacker would put into a set."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

# as CPython mixes the hashes of a tuple's members (xxHash's round), and back
ROUND, MIX, SEED = 11400714785074694791, 14029467366897019727, 2870177450012600261
WORD = 2**64


def turned(word: int, bits: int) -> int:
    return (word << bits | word >> (64 - bits)) % WORD


def alike() -> Iterator[tuple[int, int]]:
    """Pairs that all have one hash."""
    back = turned(123456789 * pow(ROUND, -1, WORD) % WORD, 64 - 31)
    for first in itertools.count(1):
        mixed = turned((SEED + first * MIX) % WORD, 31) * ROUND % WORD
        second = (back - mixed) * pow(MIX, -1, WORD) % WORD
        second -= WORD if second >= WORD // 2 else 0
        if abs(second) < 2**61 - 1 and second != -1:
            yield first, second
