"""Masters that share shards under seeds, and what judges them under planted bugs. More: docs/reliability.md, "A simulator"."""

from __future__ import annotations

from collections import Counter

import pytest

from ..sampling import sampled
from .bug import Bug
from .bugs_of_sharing import BUGS_OF_SHARING
from .planted import find, planted
from .sharing_lives import simulate_sharing

LIVES = 3  # `make proof` lives 500
SEEN_WITHIN = 20  # seeds
# Of each kind of law one, by a seed that shows it at once.
QUICK = {
    "leave the last free shard to the others": 0,
    "let the one with the fewest let one go": 1,
    "pass a shard on when the numbers differ by one": 3,
}


def test_every_law_of_shared_shards_holds_in_every_life() -> None:
    faults, moves = Counter[str](), 0
    for seed in range(LIVES):
        outcome = simulate_sharing(seed)
        assert not outcome.broken, f"seed {seed}: {outcome.story[-8_000:]}\n{outcome.broken}"
        faults.update(outcome.faults)
        moves += outcome.tasks
    assert len(faults) > LIVES
    assert moves > LIVES


def test_the_same_seed_is_the_same_life_of_masters() -> None:
    first, second = simulate_sharing(3), simulate_sharing(3)
    assert first.trace == second.trace != ""
    assert first.trace != simulate_sharing(4).trace


@pytest.mark.parametrize("name", sampled([bug.name for bug in BUGS_OF_SHARING], QUICK))
def test_a_planted_bug_of_shared_shards_is_found(name: str) -> None:
    [bug] = [bug for bug in BUGS_OF_SHARING if bug.name == name]
    hunt = find(bug, range(QUICK.get(name, 0), SEEN_WITHIN))
    assert hunt.seed is not None, hunt.said


@pytest.mark.parametrize("bug", BUGS_OF_SHARING, ids=lambda bug: bug.name)
def test_the_place_of_every_planted_bug_of_shared_shards_is_there(bug: Bug) -> None:
    with planted(bug):
        pass
