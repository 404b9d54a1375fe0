"""Needs between shards under seeds, and what judges them under planted bugs. More: docs/reliability.md, "A simulator"."""

from __future__ import annotations

from collections import Counter

import pytest

from .bug import Bug
from .bugs_of_edges import BUGS_OF_EDGES
from .edge_lives import simulate_edges
from .planted import find

LIVES = 10  # `make proof` lives 500
SEEN_WITHIN = 30  # seeds


def test_every_law_of_needs_between_shards_holds_in_every_life() -> None:
    faults, tasks = Counter[str](), 0
    for seed in range(LIVES):
        outcome = simulate_edges(seed)
        assert not outcome.broken, f"seed {seed}: {outcome.broken}"
        faults.update(outcome.faults)
        tasks += outcome.tasks
    assert tasks > 20 * LIVES
    assert (
        min(faults[name] for name in ("restarts", "deaths amid a transaction", "rows carried twice")) > LIVES
    )
    assert faults["restored stores"] > 0


def test_the_same_seed_is_the_same_life() -> None:
    first, second = simulate_edges(3), simulate_edges(3)
    assert first.trace == second.trace != ""
    assert first.trace != simulate_edges(4).trace


@pytest.mark.parametrize("bug", BUGS_OF_EDGES, ids=lambda bug: bug.name)
def test_a_planted_bug_of_needs_between_shards_is_found(bug: Bug) -> None:
    hunt = find(bug, range(SEEN_WITHIN))
    assert hunt.seed is not None, hunt.said
