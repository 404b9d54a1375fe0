"""Children that have lived long enough are replaced, when they have no job, and not all at once."""

from __future__ import annotations

import asyncio
import itertools
from types import SimpleNamespace
from typing import Any

import pytest
from tq.worker.supervisor.lifetimes import EARLIER_MAX, Lifetimes, life_seconds

SECONDS = 0.001


class Pool:
    """What an agent and its effects are to lifetimes."""

    def __init__(self, *, jobs: int, draining: bool = False) -> None:
        self.child = SimpleNamespace(is_retiring=False, jobs=[object()] * jobs)
        self.children: Any = Children({1: self.child})
        self.draining = draining
        self.replaced: list[int] = []

    def live(self, *, concurrent: bool = False, longest: float = SECONDS) -> None:
        async def test() -> None:
            agent: Any = self
            replace = self.replaced.append if concurrent else None
            lifetimes = Lifetimes(longest, agent, replace, report=lambda *args, **fields: None)
            lifetimes.begin(1)
            lifetimes.begin(2)  # is gone by then
            over = asyncio.Event()
            asyncio.get_running_loop().call_later(20 * SECONDS, over.set)
            await over.wait()

        asyncio.run(test())


class Children(dict[int, Any]):
    def __init__(self, by_number: dict[int, Any]) -> None:
        super().__init__(by_number)
        self.asked: list[Any] = []

    def retire_if_due(self, child: Any) -> None:
        self.asked.append(child)


@pytest.mark.parametrize("jobs", [0, 3])
def test_one_whose_time_is_over_gets_no_more_jobs(jobs: int) -> None:
    pool = Pool(jobs=jobs)
    pool.live()
    assert pool.child.is_retiring
    assert pool.children.asked == [pool.child]
    assert pool.replaced == []


@pytest.mark.parametrize(("jobs", "replaced"), [(0, []), (3, [1])])
def test_where_it_runs_many_jobs_another_is_started_before_the_last_has_ended(
    jobs: int, replaced: list[int]
) -> None:
    pool = Pool(jobs=jobs)
    pool.live(concurrent=True)
    assert pool.child.is_retiring
    assert pool.replaced == replaced


def test_without_a_limit_and_while_the_worker_drains_nothing_happens() -> None:
    for pool, longest in ((Pool(jobs=0), 0.0), (Pool(jobs=0, draining=True), SECONDS)):
        pool.live(longest=longest)
        assert not pool.child.is_retiring


def test_children_that_were_started_together_are_not_replaced_together() -> None:
    lives = [life_seconds(100, number) for number in range(1, 9)]
    assert all(100 * (1 - EARLIER_MAX) <= life <= 100 for life in lives)
    together = sorted(lives)
    assert min(after - before for before, after in itertools.pairwise(together)) > 0.5
