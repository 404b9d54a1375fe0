"""What is reported about starts: what runs for a while, soon, and never a message a task."""

from __future__ import annotations

import pytest
from tq.worker.agent.start_reports import LATE_SECONDS_MAX, REPORT_SECONDS, seconds_between
from tq.worker.agent.task_durations import LONG_SECONDS
from tq.worker.agent.watchdog import TICK_SECONDS
from tq.worker.pools.process import block_of

from ..workshop import Workshop, one_by_one


@pytest.fixture
def shop() -> Workshop:
    shop = Workshop(slots=2)
    shop.wait(1)
    return shop


def test_a_task_that_runs_for_a_while_is_reported_with_its_seconds(shop: Workshop) -> None:
    [id] = shop.grant(1)
    assert shop.begin(1) == id
    shop.wait(LONG_SECONDS + 2 * TICK_SECONDS)
    [[row]] = shop.begun_rows
    assert row[0] == id
    assert LONG_SECONDS <= row[3] <= LONG_SECONDS + 2 * TICK_SECONDS
    shop.wait(5)
    assert len(shop.begun_rows) == 1, "what was reported is not reported again"


def test_a_task_that_its_child_may_still_leave_is_not_reported(shop: Workshop) -> None:
    [id] = shop.grant(1)
    assert shop.sims[1].come_to().id == id
    shop.wait(1)
    assert shop.begun_rows == []
    assert shop.sims[1].go_on()
    shop.wait(LONG_SECONDS + 2 * TICK_SECONDS + REPORT_SECONDS)
    assert [row[0] for rows in shop.begun_rows for row in rows] == [id]


def test_short_tasks_cost_no_message(shop: Workshop) -> None:
    shop.warm_up()
    for _ in range(100):
        shop.grant(1)
        shop.run(1)
        shop.acknowledge()
        shop.wait(TICK_SECONDS)
    assert shop.begun_rows == []


def test_tasks_of_a_fifth_of_a_second_are_reported_together_and_not_each(shop: Workshop) -> None:
    began = shop.now
    for _ in range(25):
        shop.grant(2)
        running = [child for child in (1, 2) if shop.sims[child].unstarted]
        for child in running:
            shop.begin(child)
        shop.wait(0.2)
        for child in running:
            shop.sims[child].end()
            shop.report(child)
        shop.acknowledge()
    assert 0 < len(shop.begun_rows) <= (shop.now - began) / REPORT_SECONDS + 1


def test_hundreds_that_run_at_a_time_and_soon_end_are_reported_once_a_second() -> None:
    shop = Workshop(1, places=200)
    began = shop.now
    for _ in range(20):
        shop.grant(200)
        ordinals = shop.begin_all(1)
        shop.wait(0.2)
        shop.end(1, *ordinals, seconds=0.2)
        shop.agent.side.gathering.over(shop.now + 1)
        shop.acknowledge()
    assert sum(map(len, shop.begun_rows)) > 200
    assert len(shop.begun_rows) <= (shop.now - began) / LATE_SECONDS_MAX + 1
    assert [seconds_between(tasks) for tasks in (1, 50, 100, 200, 5_000)] == [0.25, 0.25, 0.5, 1.0, 1.0]


def test_nothing_is_reported_while_there_is_no_connection(shop: Workshop) -> None:
    [id] = shop.grant(1)
    shop.begin(1)
    shop.agent.disconnect()
    shop.wait(1)
    assert shop.begun_rows == []
    [row] = one_by_one(shop.agent.held_with_seconds(shop.now))
    assert row[0] == id
    assert row[3] > 0.5, "the announcement says so"


def test_what_waits_is_announced_without_seconds_and_what_has_ended_with_those_it_took(
    shop: Workshop,
) -> None:
    shop.warm_up()
    ids = shop.grant(6)
    ended = shop.run(1)
    begun = shop.begin(1)
    rows = {row[0]: row[3:] for row in one_by_one(shop.agent.held_with_seconds(shop.now))}
    assert set(rows) == set(ids)
    assert all(len(seconds) == (id in (ended, begun)) for id, seconds in rows.items())


def test_the_number_of_an_attempt_goes_to_the_child_beside_its_fence(shop: Workshop) -> None:
    shop.agent.granted(b"L" * 16, [["q", "m:f", None, [[b"i" * 16, 8, b"", False, 1]]]], shop.now)
    [job] = shop.sims[1].jobs.values()
    assert (job.attempt, job.number, job.suspect) == (8, 1, False)
    block = block_of(shop.agent.runs, is_swift=False)
    assert block.job(0) == (b"i" * 16, 8, 1)
    shop.agent.granted(b"M" * 16, [["q", "m:f", None, [[b"j" * 16, 3, b"", True, 2]]]], shop.now)
    [waiting] = shop.agent.backlog.announced.values()
    assert (waiting.attempt, waiting.number, waiting.suspect) == (3, 2, True)
