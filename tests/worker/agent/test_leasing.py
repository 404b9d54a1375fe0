"""How many tasks a worker with one master asks for."""

from __future__ import annotations

import pytest
from tq.worker.agent.backlog import Backlog
from tq.worker.agent.leasing import LEASE_CALLS_MAX, Leasing
from tq.worker.agent.task_durations import TaskDurations

from ..workshop import SHORT, Workshop


@pytest.fixture
def shop() -> Workshop:
    """The effects of a worker that has leased nothing yet."""
    shop = Workshop(connected=False)
    shop.leases.clear()
    return shop


def leasing(shop: Workshop, *, seconds: float | None = None) -> Leasing:
    """``seconds``: how long tasks take, if that is known."""
    durations = TaskDurations()
    if seconds is not None:
        durations.record("m:f", seconds)
    return Leasing(shop, durations, Backlog(shop, durations))


def test_one_task_a_slot_is_leased_while_nothing_is_known_of_durations(shop: Workshop) -> None:
    leasing(shop).more(4, 1, shop.now)
    assert list(shop.leases) == [3]


def test_short_tasks_are_leased_in_two_calls_and_no_more_until_one_is_answered(shop: Workshop) -> None:
    short = leasing(shop, seconds=SHORT)
    for _ in range(3):
        short.more(2, 0, shop.now)
    assert len(shop.leases) == LEASE_CALLS_MAX
    short.answered(0, [])
    short.more(2, 0, shop.now)
    assert len(shop.leases) == LEASE_CALLS_MAX + 1
