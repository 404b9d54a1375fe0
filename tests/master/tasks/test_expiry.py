"""Results that are too old, too many or too large are deleted in portions; tasks of an array expire together."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from tq.common.domain.ids import id_behind
from tq.common.domain.model import Role, StateNumber
from tq.common.errors import UnknownTask
from tq.master.engine.pace import PORTION_SECONDS, STEPS_MAX
from tq.master.tasks.expiry import PURGE_EVERY_MS, PURGE_SHARE, STEP_TASKS, Retention
from tq.master.tasks.routes import Routes

from tests.master.leased import each, each_outcome

from ..conftest import Bench, Peer

FIRST = bytes(7) + b"\x01" + bytes(8)
SUCCESS = 0
ARRAY = 500


def submit(
    bench: Bench, client: Peer, tasks: int, first: int = 0, payload: bytes = b"", **options: Any
) -> list[bytes]:
    ids = [id_behind(FIRST, first + place) for place in range(tasks)]
    client.call("get_task_queue/q", "submit", "m:f", options, [[id, payload] for id in ids])
    return ids


def done(worker: Peer, want: int, result: bytes = b"") -> None:
    token, groups = worker.call("get_dispatcher", "lease", want)
    rows = [[entry[0], entry[1], token, SUCCESS, result, 0.0, 0.1, None] for entry in each(groups)]
    assert worker.call("get_dispatcher", "finish", rows) == []


def finished(bench: Bench) -> int:
    return bench.engine.part(Routes).finished()


def pass_time(bench: Bench, ms: int) -> None:
    until = bench.now.mono + ms
    while (at := bench.engine.next_wakeup()) is not None and at <= until:
        bench.advance(max(1, at - bench.now.mono) / 1000)
    bench.advance((until - bench.now.mono) / 1000)


def rows(bench: Bench, table: str) -> int:
    return int(bench.engine.store._db.execute("SELECT count(*) FROM " + table).fetchone()[0])  # noqa: S608


def test_results_go_oldest_first_when_they_have_too_many_bytes(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(results_bytes_max=3_500)
    client, worker = bench.client(), bench.worker("m:f")
    ids = [submit(bench, client, 1, place)[0] for place in range(10)]
    for _ in ids:
        done(worker, 1, bytes(1_000))
        bench.advance(0.001)
    pass_time(bench, 2 * PURGE_EVERY_MS)
    states = [state for _, state in client.call("get_tasks", "states", ids)]
    assert states == [-1] * 7 + [StateNumber.SUCCEEDED] * 3
    assert bench.engine.store.counts.kept_bytes == 3_000
    with pytest.raises(UnknownTask):
        client.call("get_tasks", "show", ids[0])


def test_arguments_count_as_results_do(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(results_bytes_max=3_500)
    client, worker = bench.client(), bench.worker("m:f")
    for place in range(10):
        submit(bench, client, 1, place, bytes(1_000))
        done(worker, 1)
    pass_time(bench, 2 * PURGE_EVERY_MS)
    assert finished(bench) == 3


def test_without_a_bound_in_bytes_nothing_goes_for_its_size(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(results_bytes_max=0)
    submit(bench, bench.client(), 3, payload=bytes(100_000))
    done(bench.worker("m:f"), 3)
    pass_time(bench, 2 * PURGE_EVERY_MS)
    assert finished(bench) == 3


def test_arrays_are_purged_as_wholes_and_in_portions_with_pauses(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(results_max=ARRAY)
    client, worker = bench.client(), bench.worker("m:f")
    for number in range(4):
        submit(bench, client, ARRAY, number * ARRAY)
        done(worker, ARRAY)
    assert rows(bench, "slices") == 4
    pass_time(bench, 2 * PURGE_EVERY_MS)
    assert (finished(bench), rows(bench, "arrays"), rows(bench, "slices"), rows(bench, "tasks")) == (
        ARRAY,
        1,
        1,
        0,
    )


def test_a_portion_is_bounded_and_calls_are_answered_between_two(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(results_max=0)
    client = bench.client(role=Role.ADMIN)
    portion = STEPS_MAX * STEP_TASKS
    for first in range(0, 2 * portion, 1_000):  # no array: their ids are not consecutive
        tasks = [[id_behind(FIRST, 2 * place), b""] for place in range(first, first + 1_000)]
        client.call("get_task_queue/q", "submit", "m:f", {}, tasks)
    before = None
    while (answer := client.call("get_tasks", "cancel_where", {}, before))["before"] is not None:
        before = answer["before"]
    kept = finished(bench)
    assert kept >= 2 * portion
    seen = [(bench.now.mono, kept)]
    while finished(bench):
        at = bench.engine.next_wakeup()
        assert at is not None
        bench.advance(max(1, at - bench.now.mono) / 1000)
        if finished(bench) < seen[-1][1]:
            seen.append((bench.now.mono, finished(bench)))
    assert len(seen) > 2
    for (before, more), (after, less) in itertools.pairwise(seen):
        assert more - less <= portion
        assert after - before >= PORTION_SECONDS * 1_000 / PURGE_SHARE


def test_an_array_expires_as_a_whole_and_every_task_of_it_has_its_outcome(bench: Bench) -> None:
    client = bench.client()
    ids = submit(bench, client, ARRAY, expires=5.0)
    client.call("get_result_queue", "watch", ids)
    bench.advance(6)
    outcomes = each_outcome(client.call("get_result_queue", "collect", 2 * ARRAY))
    assert {id: state for id, state, _ in outcomes} == dict.fromkeys(ids, int(StateNumber.EXPIRED))
    assert (rows(bench, "tasks"), rows(bench, "slices")) == (0, 1)
    assert client.call("get_tasks", "retry", ids[3:5]) == [[id, StateNumber.READY] for id in ids[3:5]]
    assert (rows(bench, "tasks"), rows(bench, "slices")) == (2, 2)


def test_a_waiting_array_is_cancelled_as_a_whole_and_some_of_it_are_retried(bench: Bench) -> None:
    client = bench.client()
    ids = submit(bench, client, ARRAY)
    assert client.call("get_tasks", "cancel", ids) == [[id, StateNumber.CANCELLED] for id in ids]
    assert (rows(bench, "tasks"), rows(bench, "slices")) == (0, 1)
    client.call("get_tasks", "retry", [ids[7]])
    worker = bench.worker("m:f")
    done(worker, 10)
    states = [state for _, state in client.call("get_tasks", "states", ids)]
    assert states == [
        *[StateNumber.CANCELLED] * 7,
        StateNumber.SUCCEEDED,
        *[StateNumber.CANCELLED] * (ARRAY - 8),
    ]


def test_tasks_that_end_faster_than_they_are_deleted_are_deleted_faster(bench: Bench) -> None:
    retention, routes = bench.engine.part(Retention), bench.engine.part(Routes)
    client = bench.client()
    retention._keep_up()
    shares = []
    for place in range(5):
        client.call("get_tasks", "cancel", submit(bench, client, 2, 2 * place))
        retention._keep_up()
        shares.append(retention._pace.share)
    assert routes.finished() == 10
    assert shares == [0.2, 0.4, 0.5, 0.5, 0.5]
    for _ in range(5):
        retention._keep_up()
    assert retention._pace.share == 0.5, "what is left is deleted before the pace is as it was"
    bench.advance(PURGE_EVERY_MS / 1_000)  # a portion after which nothing is left that is too old
    assert retention._pace.share == PURGE_SHARE
