"""Jobs that run together: they go to one child at once, count as one, and none of them is ended by itself."""

from __future__ import annotations

import pytest
from tq.common.domain.model import OutcomeNumber

from ..workshop import Workshop, failure_of

CALLS = 10


@pytest.fixture
def shop() -> Workshop:
    made = Workshop()
    made.agent.durations.together = {"m:f": CALLS}
    return made


def begin_all(shop: Workshop, child: int) -> list[bytes]:
    sim, ids = shop.sims[child], []
    while sim.unstarted:
        ids.append(sim.begin().id)
        if sim.unstarted:
            sim.running = None
    return ids


def test_they_go_to_one_child_and_leave_the_other_one_free(shop: Workshop) -> None:
    ids = shop.grant(CALLS)
    assert [len(sim.unstarted) for sim in shop.sims.values()] == [CALLS, 0]
    assert begin_all(shop, 1) == ids
    assert sum(shop.leases) == 1, "for the child that is free"
    assert shop.swift == [False]


def grant_ahead(shop: Workshop, tasks: int) -> list[bytes]:
    """Of a call that was sent before the children had so much to do."""
    shop.leases.append(1)
    return shop.grant(tasks)


def test_what_waits_counts_by_calls_and_goes_back_whole(shop: Workshop) -> None:
    shop.grant(CALLS)
    shop.grant(CALLS)
    ids = grant_ahead(shop, CALLS)
    assert [len(sim.unstarted) for sim in shop.sims.values()] == [CALLS, CALLS]
    assert len(shop.agent.backlog) == 1
    for child in (1, 2):
        begin_all(shop, child)
    shop.wait(1.0)
    assert [row[0] for row in shop.released] == ids, "no call waits here behind long ones"


def test_one_that_is_tried_again_runs_by_itself(shop: Workshop) -> None:
    shop.grant([[b"a" * 16, 2, b"p"], [b"b" * 16, 1, b"p"], [b"c" * 16, 1, b"p"], [b"d" * 16, 3, b"p"]])
    assert [len(sim.unstarted) for sim in shop.sims.values()] == [1, 2]


def test_a_cancel_of_one_that_runs_ends_none(shop: Workshop) -> None:
    ids = shop.grant(CALLS)
    begin_all(shop, 1)
    for id in (ids[0], ids[-1]):
        shop.agent.cancel(id, 1, shop.now)
    shop.wait(1.0)
    assert (shop.notices, shop.signals, shop.released) == ([], [], [])


def test_a_cancel_of_one_that_waits_takes_it_out(shop: Workshop) -> None:
    for _ in range(2):
        shop.grant(CALLS)
    ids = grant_ahead(shop, 3)
    shop.agent.cancel(ids[1], 1, shop.now)
    assert [row[0] for row in shop.released] == [ids[1]]


def test_the_death_of_their_process_is_charged_to_each(shop: Workshop) -> None:
    shop.grant(3)
    begin_all(shop, 1)
    shop.die(1)
    [rows] = shop.finishing
    assert [row[3] for row in rows] == [OutcomeNumber.CRASH] * 3
    assert {failure_of(row).message.partition(" it ")[0] for row in rows} == {"the process running"}
