"""How many children a pool has: by a clock of its own."""

from __future__ import annotations

import itertools
import random

import pytest
from tq.worker.agent.scaling import GROW_SECONDS, IDLE_SECONDS, Scaling

LOOK_SECONDS = 0.05


class Day:
    """A pool whose children are ready at once; what runs and what waits is what the test says."""

    def __init__(self, least: int, most: int) -> None:
        self.scaling, self.now = Scaling(least, most), 100.0
        self.changes: list[tuple[float, int]] = []

    def go_on(self, seconds: float, *, busy: int, lacking: int = 0, ready: int | None = None) -> int:
        for _ in range(round(seconds / LOOK_SECONDS)):
            self.now += LOOK_SECONDS
            before = self.scaling.children
            found = self.scaling.look(
                before if ready is None else ready, min(busy, before), lacking, self.now
            )
            if found != before:
                self.changes.append((self.now, found))
        return self.scaling.children


def test_it_grows_by_half_of_what_it_has_under_a_line_that_does_not_end_and_to_its_most_and_no_further() -> (
    None
):
    day = Day(2, 10)
    day.go_on(20, busy=10, lacking=100)
    assert [children for _, children in day.changes] == [3, 4, 6, 9, 10]
    times = [at for at, _ in day.changes]
    assert min(after - before for before, after in itertools.pairwise(times)) >= GROW_SECONDS


def test_it_starts_no_more_than_what_waits_would_fill() -> None:
    day = Day(8, 100)
    day.go_on(0.8, busy=8, lacking=1)
    assert day.changes[0][1] == 9


def test_a_line_that_ends_by_itself_makes_it_no_larger() -> None:
    day = Day(2, 10)
    for _ in range(100):
        day.go_on(GROW_SECONDS - LOOK_SECONDS, busy=2, lacking=5)
        day.go_on(LOOK_SECONDS, busy=2)
    assert day.changes == []


def test_while_children_are_started_it_starts_no_others() -> None:
    day = Day(2, 10)
    day.go_on(30, busy=2, lacking=5, ready=1)
    assert day.changes == []


def test_it_goes_down_gently_to_what_the_busiest_moment_needed() -> None:
    day = Day(2, 64)
    day.go_on(30, busy=64, lacking=100)
    assert day.scaling.children == 64
    day.changes.clear()
    for _ in range(40):
        day.go_on(IDLE_SECONDS - 1, busy=1)
        day.go_on(1, busy=5)
    assert day.scaling.children == 5
    assert max(a - b for (_, a), (_, b) in zip(day.changes, day.changes[1:], strict=False)) <= 15
    times = [at for at, _ in day.changes]
    assert min(after - before for before, after in itertools.pairwise(times)) >= IDLE_SECONDS
    day.go_on(600, busy=0)
    assert day.scaling.children == 2


@pytest.mark.parametrize("seed", range(5))
def test_it_stays_in_its_range_and_changes_no_more_often_than_it_says_whatever_happens(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - of a test
    day = Day(least := chance.randint(1, 5), most := least + chance.randint(0, 20))
    for _ in range(300):
        day.go_on(chance.expovariate(1), busy=chance.randint(0, 30), lacking=chance.choice([0, 0, 1, 50]))
        assert least <= day.scaling.children <= most
    before, children = 0.0, least
    for at, count in day.changes:
        assert at - before >= (GROW_SECONDS if count > children else IDLE_SECONDS) - LOOK_SECONDS
        before, children = at, count
