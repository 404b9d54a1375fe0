"""What a master counts, on the shipped engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tq.common.domain.ids import new_ids
from tq.common.domain.model import OutcomeNumber, StateNumber
from tq.master.observe import meters as module
from tq.master.observe.meters import OTHER, SAMPLES, MasterMeters, count
from tq.master.observe.series import Series
from tq.master.tasks.completion import Completion
from tq.master.tasks.dispatch import Dispatch

from tests.master.leased import each

from ..conftest import Bench, Peer

PAIR = ("q", "m:f")


@pytest.fixture
def meters(bench: Bench) -> Iterator[MasterMeters]:
    return count(bench.engine)


def submit(client: Peer, count: int = 1, task: str = "m:f", **options: Any) -> list[bytes]:
    ids = new_ids.many(count)
    client.call("get_task_queue/q", "submit", task, options, [[id, b""] for id in ids])
    return ids


def lease(worker: Peer, want: int = 100) -> list[list[Any]]:
    lease, groups = worker.call("get_dispatcher", "lease", want)
    return [[id, attempt, lease] for id, attempt, *_ in each(groups)]


def finish(worker: Peer, held: list[list[Any]], outcome: OutcomeNumber, seconds: float = 0.02) -> None:
    worker.call("get_dispatcher", "finish", [[*one, int(outcome), b"", 0.0, seconds, None] for one in held])


def test_tasks_are_counted_from_submit_to_end(bench: Bench, meters: MasterMeters) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    submit(client, 10)
    held = lease(worker)
    finish(worker, held, OutcomeNumber.SUCCESS)
    assert (meters.submitted[PAIR], meters.started[PAIR]) == (10, 10)
    assert meters.finished == {(PAIR, StateNumber.SUCCEEDED): 10}
    assert sum(meters.run[PAIR].counts) == 10
    assert meters.run[PAIR].sum == pytest.approx(0.2)


def test_a_report_that_comes_twice_is_counted_once(bench: Bench, meters: MasterMeters) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    submit(client)
    held = lease(worker)
    finish(worker, held, OutcomeNumber.SUCCESS)
    finish(worker, held, OutcomeNumber.SUCCESS)
    assert meters.finished == {(PAIR, StateNumber.SUCCEEDED): 1}
    assert meters.stale == 0


def test_a_stale_report_is_counted_as_that_and_nothing_else(bench: Bench, meters: MasterMeters) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    submit(client)
    [[id, attempt, _]] = lease(worker)
    finish(worker, [[id, attempt, b"x" * 16]], OutcomeNumber.SUCCESS)
    assert meters.stale == 1
    assert not meters.finished


def test_a_failed_attempt_is_counted_apart_from_a_failed_task(bench: Bench, meters: MasterMeters) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    submit(client, retries=1)
    finish(worker, lease(worker), OutcomeNumber.ERROR)
    assert (meters.retried[PAIR], dict(meters.finished)) == (1, {})
    bench.advance(3_600)
    finish(worker, lease(worker), OutcomeNumber.CRASH)
    assert meters.unsuccessful == {(PAIR, OutcomeNumber.ERROR): 1, (PAIR, OutcomeNumber.CRASH): 1}


def test_what_is_handed_back_is_no_retry(bench: Bench, meters: MasterMeters) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    submit(client)
    worker.call("get_dispatcher", "release", lease(worker))
    assert meters.returned == {PAIR: 1}
    assert (meters.started, meters.unsuccessful, meters.retried) == ({}, {}, {})


def test_a_start_is_counted_once_whether_a_beat_or_its_end_reports_it(
    bench: Bench, meters: MasterMeters
) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    submit(client, 3)
    reported, short, lost = lease(worker)
    for _ in range(2):
        worker.call("get_dispatcher", "beat", [[*reported, 0.5]])
    assert meters.started == {PAIR: 1}
    finish(worker, [reported, short], OutcomeNumber.SUCCESS)
    assert meters.started == {PAIR: 2}
    worker.close()
    bench.advance(4)
    assert meters.started == {PAIR: 3}, "the lost one may have begun"
    finish(bench.worker("m:f"), [lost], OutcomeNumber.SUCCESS)
    assert (meters.started, meters.stale) == ({PAIR: 3}, 1)


def test_cancelled_and_expired_tasks_come_to_an_end(bench: Bench, meters: MasterMeters) -> None:
    client = bench.client()
    [id] = submit(client)
    client.call("get_tasks", "cancel", [id])
    submit(client, expires=1.0)
    bench.advance(3)
    assert meters.finished == {(PAIR, StateNumber.CANCELLED): 1, (PAIR, StateNumber.EXPIRED): 1}


def test_a_task_a_worker_waits_for_has_not_waited(bench: Bench, meters: MasterMeters) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    worker.ask("get_dispatcher", "lease", 5)
    submit(client, 3)
    assert (sum(meters.wait[PAIR].counts), meters.wait[PAIR].sum) == (3, 0.0)


@pytest.mark.parametrize("tasks", [1, SAMPLES, SAMPLES + 1, 100])
def test_a_few_stand_for_all_that_waited(bench: Bench, meters: MasterMeters, tasks: int) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    submit(client, tasks)
    bench.advance(7)
    lease(worker)
    assert sum(meters.wait[PAIR].counts) == tasks
    assert meters.wait[PAIR].sum == pytest.approx(7.0 * tasks)


def test_what_is_tried_again_has_not_waited_since_its_submit(bench: Bench, meters: MasterMeters) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    submit(client)
    worker.call("get_dispatcher", "release", lease(worker))
    lease(worker)
    assert sum(meters.wait[PAIR].counts) == 1


def test_names_beyond_the_limit_share_one_label(
    bench: Bench, meters: MasterMeters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TASKS_MAX", 2)
    client = bench.client()
    for number in range(4):
        submit(client, task=f"m:f{number}")
    assert meters.submitted == {("q", "m:f0"): 1, ("q", "m:f1"): 1, OTHER: 2}


def test_without_meters_only_the_series_are_counted(bench: Bench) -> None:
    series = bench.engine.part(Series).meter
    assert bench.engine.part(Dispatch).meters is series
    assert bench.engine.part(Completion).meters is series
