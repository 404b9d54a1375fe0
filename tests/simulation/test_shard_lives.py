"""Clusters of several shards under seeds, and what judges them under planted bugs. More: docs/reliability.md, "A simulator"."""

from __future__ import annotations

from collections import Counter

import pytest

from .bug import Bug
from .bugs_of_shards import BUGS_OF_SHARDS
from .planted import find
from .shard_lives import simulate_shards

LIVES = 8  # `make proof` lives 500
SEEN_WITHIN = 10  # seeds


def test_every_law_of_shards_holds_in_every_life() -> None:
    faults, tasks = Counter[str](), 0
    for seed in range(LIVES):
        outcome = simulate_shards(seed)
        assert not outcome.broken, f"seed {seed}: {outcome.broken}"
        faults.update(outcome.faults)
        tasks += outcome.tasks
    assert tasks > 10 * LIVES
    assert min(faults[name] for name in ("restarts", "deaths amid a transaction", "wrong routes")) > LIVES
    assert min(faults["limits set"], faults["limits out of place"]) > LIVES


def test_the_same_seed_is_the_same_life() -> None:
    first, second = simulate_shards(3), simulate_shards(3)
    assert first.trace == second.trace != ""
    assert first.trace != simulate_shards(4).trace


@pytest.mark.parametrize("bug", BUGS_OF_SHARDS, ids=lambda bug: bug.name)
def test_a_planted_bug_of_shards_is_found(bug: Bug) -> None:
    hunt = find(bug, range(SEEN_WITHIN))
    assert hunt.seed is not None, hunt.said
