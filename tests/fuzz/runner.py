"""Runs cases of a target from a seed: the same cases each time."""

from __future__ import annotations

import traceback
from random import Random
from typing import NamedTuple

from .targets import TARGETS

CASES_OF_CHUNK = 5_000  # by one instance of a target, from one seed


class Chunk(NamedTuple):
    target: str
    seed: int
    cases: int


def run(chunk: Chunk) -> tuple[Chunk, str]:
    """Cases of one target from one seed; what went wrong, or nothing."""
    random, case = Random(f"{chunk.target}/{chunk.seed}"), 0
    try:
        target = TARGETS[chunk.target]()
        for case in range(chunk.cases):  # noqa: B007 - reported when it fails
            target(random)
    except Exception:
        return chunk, f"case {case}: {traceback.format_exc()}"
    return chunk, ""
