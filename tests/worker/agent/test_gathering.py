"""When reports wait for others, and how what was gathered travels: never the result of a task that runs alone."""

from __future__ import annotations

from array import array

import pytest
from tq.worker.agent.concurrent_children import LONG_AHEAD_SECONDS, ConcurrentDurations
from tq.worker.agent.ended import EndedSlice
from tq.worker.agent.gathering import BUSY_SECONDS_MAX, GATHER_SECONDS_MAX, gather_seconds
from tq.worker.agent.outbox import Outbox
from tq.worker.agent.task_durations import LONG_SECONDS

from ..workshop import Workshop

FETCH_SECONDS = 0.06


@pytest.mark.parametrize(
    ("running", "usual_seconds"),
    [(1, 0.05), (19, 0.05), (200, None), (200, 0.0), (200, 0.002), (3_000, 60.0)],
    ids=["one", "a few", "unknown", "no time", "short ones", "long ones"],
)
def test_nothing_waits_where_few_others_would_end_meanwhile(
    running: int, usual_seconds: float | None
) -> None:
    for is_busy in (False, True):
        assert gather_seconds(running, usual_seconds, is_busy=is_busy) == 0.0


def test_where_many_end_the_first_waits_two_fifths_of_what_tasks_take_and_no_longer_than_is_stated() -> None:
    assert gather_seconds(100, 0.02, is_busy=False) == pytest.approx(0.008)
    assert gather_seconds(1_000, 10 * FETCH_SECONDS, is_busy=False) == pytest.approx(GATHER_SECONDS_MAX)


def test_where_more_wait_for_a_place_the_first_waits_as_long_as_tasks_take_and_no_longer_than_is_stated() -> (
    None
):
    assert gather_seconds(100, 0.02, is_busy=True) == pytest.approx(0.02)
    assert gather_seconds(1_000, 10 * FETCH_SECONDS, is_busy=True) == pytest.approx(BUSY_SECONDS_MAX)


def test_the_wait_is_the_shorter_one_again_when_none_waits_for_a_place_any_more() -> None:
    shop = Workshop(1, places=100)
    shop.grant(100)
    first, *others = shop.begin_all(1)
    shop.end(1, first, seconds=FETCH_SECONDS)
    shop.agent.side.gathering.over(shop.now + 1)
    shop.acknowledge()
    shop.grant(30)
    shop.end(1, *others[:10], seconds=FETCH_SECONDS)
    assert len(shop.agent.backlog) == 19
    shop.agent.work(shop.now + GATHER_SECONDS_MAX)
    assert not shop.finishing, "it is worth waiting for more"
    shop.end(1, *others[10:29], seconds=FETCH_SECONDS)
    assert len(shop.agent.backlog) == 0
    shop.agent.work(shop.now + GATHER_SECONDS_MAX)
    assert len(shop.acknowledge()) == 29


def test_the_result_of_a_task_among_a_few_is_reported_at_once() -> None:
    shop = Workshop(1, places=100)
    shop.grant(10)
    for ordinal in shop.begin_all(1):
        shop.end(1, ordinal, seconds=FETCH_SECONDS)
        assert len(shop.acknowledge()) == 1
    assert shop.gathers == []


def test_what_many_tasks_end_with_travels_in_one_call_and_the_last_of_it_within_the_stated_time() -> None:
    shop = Workshop(1, places=100)
    shop.grant(100)
    first, *others = shop.begin_all(1)
    shop.end(1, first, seconds=FETCH_SECONDS)
    for ordinal in others[:20]:
        shop.end(1, ordinal, seconds=FETCH_SECONDS)
    [until] = shop.gathers
    assert until <= shop.now + GATHER_SECONDS_MAX
    assert not shop.finishing
    shop.agent.side.gathering.over(until - 1e-9)  # a timer that is as good as over
    assert len(shop.acknowledge()) == 21
    assert len(shop.gathers) == 1


def test_more_is_asked_for_with_the_reports_that_wait_and_at_once_where_places_would_stay_empty() -> None:
    shop = Workshop(1, places=100)
    shop.grant(100)
    ordinals = shop.begin_all(1)
    shop.end(1, ordinals[0], seconds=FETCH_SECONDS)
    shop.agent.side.gathering.over(shop.now + 1)
    shop.acknowledge()
    shop.grant(80)  # read ahead
    shop.leases.clear()
    shop.agent.side.leasing.answered(0, [])
    shop.end(1, *ordinals[1:20], seconds=FETCH_SECONDS)
    assert (len(shop.finishing), list(shop.leases)) == (0, [])
    shop.agent.side.gathering.over(shop.now + 1)
    assert (len(shop.finishing), len(shop.leases)) == (1, 1), "in one message"

    shop.acknowledge()
    shop.leases.clear()
    shop.agent.side.leasing.answered(0, [])
    shop.end(1, *ordinals[20:70], seconds=FETCH_SECONDS)  # hardly any are left for the next places
    assert 0 < len(shop.agent.backlog) < 40
    assert (len(shop.finishing), len(shop.leases)) == (1, 1), "what waits to be reported goes with that"


def test_while_a_call_is_under_way_with_what_was_asked_for_no_more_is_asked_for() -> None:
    shop = Workshop(1, places=100)
    shop.grant(100)
    ordinals = shop.begin_all(1)
    shop.end(1, ordinals[0], seconds=FETCH_SECONDS)
    shop.grant(80)  # read ahead
    shop.leases.clear()
    shop.agent.side.leasing.answered(0, [])
    shop.agent.side.gathering.over(shop.now + 1)
    assert (len(shop.finishing), len(shop.leases)) == (1, 1)
    shop.leases.clear()
    shop.agent.side.leasing.answered(0, [])  # before the reports are acknowledged
    shop.end(1, *ordinals[1:10], seconds=FETCH_SECONDS)
    assert not shop.leases, "it goes with the next reports"
    shop.end(1, *ordinals[10:70], seconds=FETCH_SECONDS)
    assert len(shop.leases) == 1, "what is in hand does not last until then"


def test_what_is_gathered_is_reported_at_once_when_the_worker_drains_and_again_after_a_lost_connection() -> (
    None
):
    shop = Workshop(1, places=100)
    shop.grant(100)
    ordinals = shop.begin_all(1)
    shop.end(1, *ordinals[:5], seconds=FETCH_SECONDS)
    shop.cut()
    shop.agent.side.gathering.over(shop.now + 1)  # the timer of the connection before
    assert not shop.finishing
    shop.agent.connect([], shop.now)
    shop.agent.drain(shop.now)
    shop.agent.work(shop.now)
    assert len(shop.acknowledge()) == 5


def ended(first: int, count: int = 1, *, attempt: int = 1, lease: bytes = b"L") -> EndedSlice:
    bodies = [b"%d" % number for number in range(first, first + count)]
    times = array("d", [1.0] * count)
    return EndedSlice(
        first.to_bytes(16, "big"), attempt, lease, bodies, times, times[:], sum(map(len, bodies))
    )


def test_neighbours_that_ended_in_any_order_are_one_slice() -> None:
    outbox = Outbox()
    for one in (
        ended(5),
        ended(3),
        ended(9, 2),
        ended(4),
        ended(1),
        ended(11),
        ended(6, lease=b"M"),
        ended(2, attempt=2),
    ):
        outbox.put_slice(one)
    assert len(outbox) == 9
    call = outbox.take_call()
    assert call is not None
    slices = {
        (one.id[-1], one.lease, one.attempt): one.bodies for one in call.ended if isinstance(one, EndedSlice)
    }
    assert slices == {
        (1, b"L", 1): [b"1"],
        (3, b"L", 1): [b"3", b"4", b"5"],
        (9, b"L", 1): [b"9", b"10", b"11"],
        (2, b"L", 2): [b"2"],
        (6, b"M", 1): [b"6"],
    }
    assert len(call) == 9


def test_as_many_tasks_wait_here_as_places_become_free_in_eighty_milliseconds() -> None:
    durations = ConcurrentDurations(places=200)
    durations.record_running("m:f", 1.0)
    assert durations.prefetch(200) == 200, "nothing has ended: how fast places become free is not known"
    durations.record_all("m:f", [LONG_SECONDS] * 100)
    assert durations.prefetch(200) > 300, (
        "many have ended, though the first of them was seen running for long"
    )
    durations = ConcurrentDurations(places=200)
    durations.record("m:f", LONG_SECONDS)
    assert durations.prefetch(200) == 520
    durations = ConcurrentDurations(places=200)
    durations.record("m:f", 1.0)
    assert durations.prefetch(200) == 200 + int(200 * LONG_AHEAD_SECONDS)
    durations = ConcurrentDurations(places=2)
    durations.record("m:f", 60.0)
    assert durations.prefetch(2) == 2
