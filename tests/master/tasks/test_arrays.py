"""What may happen to tasks of one array while they are leased together: to one, to some, to all, and across a restart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tq.common.domain.id_runs import ids_named
from tq.common.domain.ids import id_behind
from tq.common.domain.model import OutcomeNumber, StateNumber
from tq.common.values.failure import Failure
from tq.master.store.sqlite.store import SqliteStore
from tq.master.tasks.leases import Leases

from tests.master.leased import each

from ..conftest import GRACE_MS, Bench, OpenKept, Peer

DISPATCHER = "get_dispatcher"
FIRST = bytes(7) + b"\x01" + bytes(8)
FAILED = Failure("ValueError", "no").encode()
READY, RUNNING, SUCCEEDED = int(StateNumber.READY), int(StateNumber.RUNNING), int(StateNumber.SUCCEEDED)


def submit(bench: Bench, tasks: int, **options: Any) -> list[bytes]:
    ids = [id_behind(FIRST, place) for place in range(tasks)]
    bench.client().call(
        "get_task_queue/q", "submit", "m:f", options, [[id, b"%d" % place] for place, id in enumerate(ids)]
    )
    return ids


def lease(worker: Peer, want: int) -> list[list[Any]]:
    """Rows ``[id, attempt, lease]``."""
    token, groups = worker.call(DISPATCHER, "lease", want)
    return [[entry[0], entry[1], token] for entry in each(groups)]


def report(held: list[Any], outcome: OutcomeNumber = OutcomeNumber.SUCCESS) -> list[Any]:
    return [*held, int(outcome), b"r" if outcome == OutcomeNumber.SUCCESS else FAILED, 0.0, 0.1, None]


def states(bench: Bench, ids: list[bytes]) -> list[StateNumber]:
    found = {row.id: StateNumber(row.state) for row in bench.engine.store.find(ids)}
    return [found[id] for id in ids]


def test_a_cancel_of_one_leaves_the_others_of_its_slice_together(bench: Bench) -> None:
    ids, worker = submit(bench, 5), bench.worker("m:f")
    held = lease(worker, 5)
    bench.client().call("get_tasks", "cancel", [ids[2]])
    assert worker.call(DISPATCHER, "finish", [report(one) for one in held]) == []
    assert states(bench, ids) == [StateNumber.SUCCEEDED] * 5
    assert not worker.disconnected, "the transaction was not done again"


def test_one_that_fails_is_tried_again_and_the_others_are_done(bench: Bench) -> None:
    ids, worker = submit(bench, 4, retries=1), bench.worker("m:f")
    held = lease(worker, 4)
    outcomes = [OutcomeNumber.SUCCESS, OutcomeNumber.ERROR, OutcomeNumber.SUCCESS, OutcomeNumber.SUCCESS]
    worker.call(DISPATCHER, "finish", [report(*pair) for pair in zip(held, outcomes, strict=True)])
    assert states(bench, ids)[1] == StateNumber.SCHEDULED
    bench.advance(60)
    [again] = lease(worker, 4)
    assert again[:2] == [ids[1], 2]
    worker.call(DISPATCHER, "finish", [report(again)])
    assert states(bench, ids) == [StateNumber.SUCCEEDED] * 4


def test_a_report_that_is_repeated_is_neither_stale_nor_counted_again(bench: Bench) -> None:
    ids, worker = submit(bench, 3), bench.worker("m:f")
    held = lease(worker, 3)
    reports = [report(one) for one in held]
    assert worker.call(DISPATCHER, "finish", reports[:2]) == []
    assert worker.call(DISPATCHER, "finish", reports) == []
    assert states(bench, ids) == [StateNumber.SUCCEEDED] * 3
    [queue] = bench.client().call("get_queues", "list")
    assert queue["succeeded"] == 3


def test_a_report_under_a_lease_that_was_lost_is_stale_for_those_it_no_longer_owes(bench: Bench) -> None:
    ids, first, second = submit(bench, 4), bench.worker("m:f"), bench.worker("m:f")
    held = lease(first, 4)
    first.call(DISPATCHER, "release", held[1:3])
    again = lease(second, 4)
    assert [row[:2] for row in again] == [[ids[1], 2], [ids[2], 2]]
    assert first.call(DISPATCHER, "finish", [report(one) for one in held]) == [1, 2]
    assert states(bench, ids) == [SUCCEEDED, RUNNING, RUNNING, SUCCEEDED]
    assert second.call(DISPATCHER, "finish", [report(one) for one in again]) == []


def test_all_that_a_lost_worker_owed_is_suspect_and_is_run_again(bench: Bench) -> None:
    ids, worker = submit(bench, 4), bench.worker("m:f")
    lease(worker, 3)
    worker.close()
    bench.advance(GRACE_MS / 1000 + 1)
    again = bench.worker("m:f")
    token, groups = again.call(DISPATCHER, "lease", 9)
    entries = each(groups)
    suspects = {entry[0] for entry in entries if len(entry) > 3 and entry[3]}
    assert suspects == set(ids[:3])
    assert {entry[0] for entry in entries} == set(ids)
    assert token


def test_tasks_of_an_array_that_were_purged_are_other_tasks_when_they_are_submitted_again(
    make_bench: Callable[..., Bench],
) -> None:
    bench = make_bench(SqliteStore(None, "memory"), result_ttl_ms=60_000)
    ids, worker = submit(bench, 6), bench.worker("m:f")
    held = lease(worker, 6)
    assert worker.call(DISPATCHER, "finish", [report(one) for one in held[:4]]) == []
    for _ in range(10):
        bench.advance(10)
    assert [row.id for row in bench.engine.store.find(ids)] == ids[4:]
    assert submit(bench, 6) == ids
    assert states(bench, ids) == [READY] * 4 + [RUNNING] * 2
    again = lease(worker, 6)
    assert [row[:2] for row in again] == [[id, 1] for id in ids[:4]]
    assert worker.call(DISPATCHER, "finish", [report(one) for one in held[4:] + again]) == []
    assert states(bench, ids) == [SUCCEEDED] * 6
    assert submit(bench, 6) == ids, "a repeated submit"
    assert bench.client().call("get_queues", "list")[0]["succeeded"] == 6


@pytest.mark.parametrize("done", [0, 2])
def test_a_worker_that_comes_back_after_a_restart_keeps_what_it_holds_and_gives_up_the_rest(
    make_bench: Callable[..., Bench], open_kept: OpenKept, done: int
) -> None:
    before = make_bench(open_kept())
    ids, worker = submit(before, 5), before.worker("m:f")
    held = lease(worker, 5)
    worker.call(DISPATCHER, "finish", [report(one) for one in held[:done]])
    before.engine.store.close()
    after = make_bench(open_kept())
    assert len(after.engine.part(Leases).running) == 5 - done
    back = after.worker("m:f", node=worker.session.node, held=held[:4])
    assert ids_named(back.announced["dropped"]) == [row[0] for row in held[:done]]
    assert states(after, ids) == [SUCCEEDED] * done + [RUNNING] * (4 - done) + [READY]
    assert back.call(DISPATCHER, "finish", [report(one) for one in held[done:4]]) == []
    [last] = lease(back, 9)
    assert last[:2] == [ids[4], 2]


def test_tasks_of_an_array_expire_and_wait_as_others_do(bench: Bench) -> None:
    ids = submit(bench, 3, delay=10.0, expires=20.0)
    assert states(bench, ids) == [StateNumber.SCHEDULED] * 3
    bench.advance(11)
    assert states(bench, ids) == [StateNumber.READY] * 3
    bench.advance(10)
    assert states(bench, ids) == [StateNumber.EXPIRED] * 3
