"""Jobs that run together: they go to one child at once, count as one, and none of them is ended by itself."""

from __future__ import annotations

import pytest
from tq.common.domain.model import OutcomeNumber

from ..workshop import LEASE, LONG, SHORT, Workshop, failure_of

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


def queued(shop: Workshop) -> tuple[list[bytes], list[bytes]]:
    """Each child runs a call, of those that are known to be short, and the first one has another one behind it: the ids of both."""
    shop.agent.durations.record("m:f", SHORT)
    first = shop.grant(CALLS)
    grant_ahead(shop, CALLS)
    second = grant_ahead(shop, CALLS)
    assert [len(sim.unstarted) for sim in shop.sims.values()] == [2 * CALLS, CALLS]
    assert begin_some(shop, 1, CALLS) == first
    begin_all(shop, 2)
    return first, second


def begin_some(shop: Workshop, child: int, jobs: int) -> list[bytes]:
    sim, ids = shop.sims[child], []
    for _ in range(jobs):
        sim.running = None
        ids.append(sim.begin().id)
    return ids


def report_call(shop: Workshop, child: int, seconds: float = SHORT) -> None:
    """The call that it runs is over."""
    sim, job = shop.sims[child], shop.sims[child].running
    assert job is not None
    for ordinal in range(job.ordinal - CALLS + 1, job.ordinal + 1):
        sim._note(ordinal, int(OutcomeNumber.SUCCESS), b"result", seconds)
    sim.running = None
    shop.report(child)


def test_a_child_has_one_call_in_hand_behind_that_which_it_runs(shop: Workshop) -> None:
    _, second = queued(shop)
    grant_ahead(shop, CALLS)
    third = grant_ahead(shop, CALLS)
    assert [len(sim.unstarted) for sim in shop.sims.values()] == [CALLS, CALLS], "no third one"
    report_call(shop, 1)
    assert begin_some(shop, 1, CALLS) == second
    assert [job.id for job in shop.sims[1].jobs.values()] == third
    assert shop.swift[-1], "reports of short ones may wait for the next"


def test_it_is_taken_back_when_that_one_takes_long(shop: Workshop) -> None:
    first, second = queued(shop)
    report_call(shop, 2)
    shop.wait(LONG)
    assert begin_all(shop, 2) == second, "the other child runs it"
    assert [job.id for job in shop.jobs if job.id in first] == first
    assert shop.agent.durations.queued_max("m:f") == 0, "no call waits behind such a long one"


def test_a_cancel_of_one_of_its_jobs_takes_it_back_and_ends_nothing(shop: Workshop) -> None:
    first, second = queued(shop)
    shop.agent.cancel(second[3], 1, shop.now)
    assert [row[0] for row in shop.released] == [second[3]]
    assert (shop.notices, shop.signals) == ([], [])
    assert [job.id for job in shop.jobs if job.id in first] == first


def test_a_drain_releases_it(shop: Workshop) -> None:
    _, second = queued(shop)
    shop.agent.drain(shop.now)
    assert [row[0] for row in shop.released] == second


def test_its_time_limit_counts_from_its_own_start(shop: Workshop) -> None:
    shop.agent.durations.record("m:f", SHORT)
    for _ in range(3):
        shop.leases.append(1)
        shop.grant(CALLS, timeout=0.3, lease=LEASE)
    begin_some(shop, 1, CALLS)
    shop.wait(0.04)
    report_call(shop, 1)
    begin_some(shop, 1, CALLS)
    last = shop.sims[1].running
    assert last is not None
    shop.wait(0.29)
    assert (1, last.ordinal, "timeout") not in shop.notices
    shop.wait(0.2)
    assert (1, last.ordinal, "timeout") in shop.notices


def test_a_death_while_the_second_runs_is_that_of_the_second(shop: Workshop) -> None:
    first, second = queued(shop)
    begin_some(shop, 1, CALLS)  # the report of the first one is lost with the process
    shop.die(1)
    why = {row[0]: failure_of(row).message.partition(" it ")[0] for rows in shop.finishing for row in rows}
    assert {why[id] for id in second} == {"the process running"}
    assert all(why[id].startswith("it was over, but its process") for id in first)


def test_reports_of_the_first_are_asked_for_when_the_second_takes_long(shop: Workshop) -> None:
    queued(shop)
    begin_some(shop, 1, CALLS)
    for _ in range(3):
        shop.now += 0.005
        shop.agent.look(shop.now)
    last = shop.sims[1].running
    assert last is not None
    assert shop.notices == [(1, last.ordinal, "flush")]


def test_a_plain_job_behind_a_call_is_a_job_by_itself(shop: Workshop) -> None:
    """What its cancel ends, and what the death of the process says of it, is of that job."""
    shop.agent.durations.record("m:plain", SHORT)
    shop.agent.durations.record("m:f", SHORT)
    for _ in range(2):
        shop.leases.append(1)
        shop.grant(CALLS)
    shop.leases.append(1)
    [id] = shop.grant(1, name="m:plain")
    begin_some(shop, 1, CALLS)
    shop.agent.cancel(begin_some(shop, 1, 1)[0], 1, shop.now)
    assert [(child, kind) for child, _, kind in shop.notices] == [(1, "cancel")]
    shop.die(1)
    crashed = [row for rows in shop.finishing for row in rows if row[0] == id]
    assert [row[3] for row in crashed] == [OutcomeNumber.CANCELLED]
