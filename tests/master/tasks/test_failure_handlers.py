"""Handlers of failures, on the shipped engine: which ends have one, once each, in bounded portions, and by whose rights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tq.common.domain.id_runs import IdRun
from tq.common.domain.ids import show_id
from tq.common.domain.model import OutcomeNumber, Role
from tq.common.errors import Forbidden, InvalidArgument, StoreError
from tq.common.values.failure import Failure
from tq.common.wire.frames import unpack
from tq.master.keys.keyring import Keyring
from tq.master.tasks.failure_handlers import MADE_AT_ONCE

from ..conftest import Bench, Peer
from ..flows.conftest import run_of
from ..schedules.conftest import TASK, Scheduling

FAILURE = Failure("ValueError", "no such order").encode()
HANDLER = "jobs:complain"
SUCCESS, ERROR, CRASH = map(int, (OutcomeNumber.SUCCESS, OutcomeNumber.ERROR, OutcomeNumber.CRASH))


@pytest.fixture
def scheduling(bench: Bench) -> Scheduling:
    return Scheduling(bench)


def submit(
    peer: Peer,
    tasks: int = 1,
    handler: list[Any] | None = None,
    queue: str = "default",
    run: IdRun | None = None,
    **options: Any,
) -> IdRun:
    run = run or run_of(tasks)
    columns = {"on_failure": handler or ["alarms", HANDLER, {"priority": 7}, {}]}
    rows = [[run.first, [b"p"] * run.length]]
    peer.call(("get_task_queue", queue), "submit", TASK, options, rows, columns=columns)
    return run


def lease(worker: Peer, want: int = 1_000) -> list[tuple[bytes, int, bytes]]:
    call = worker.ask("get_dispatcher", "lease", want)
    worker.bench.step()
    lease, groups = worker.answer(call)
    return [
        (id, entry[1], lease)
        for group in groups
        for entry in group[3]
        for id in IdRun(entry[0], len(entry[2]) if isinstance(entry[2], list) else 1).ids()
    ]


def fail(worker: Peer, want: int = 1_000, outcome: int = ERROR) -> int:
    held = lease(worker, want)
    worker.call("get_dispatcher", "finish", [[*one, outcome, FAILURE, 0.0, 0.5, None] for one in held])
    return len(held)


def made(scheduling: Scheduling) -> list[dict[str, Any]]:
    """What the handlers were given, oldest first."""
    rows = scheduling.client.call("get_tasks", "list", {"name": HANDLER}, 2_000)
    given = []
    for row in reversed(rows):
        [[record], keywords] = unpack(scheduling.client.call("get_tasks", "show", row["id"])["payload"])
        assert keywords == {}
        given.append(record)
    return given


def count(scheduling: Scheduling) -> int:
    rows = {row["name"]: row for row in scheduling.client.call("get_queues", "list")}
    return rows["alarms"]["ready"] if "alarms" in rows else 0


def test_a_task_that_fails_for_good_has_one_handler_that_gets_the_reason(scheduling: Scheduling) -> None:
    [id] = submit(scheduling.client, retries=1, backoff=0).ids()
    worker = scheduling.worker()
    fail(worker)
    scheduling.pass_time(2)
    assert made(scheduling) == [], "it will be tried again"
    fail(worker)
    assert made(scheduling) == [
        {
            "id": show_id(id),
            "task": TASK,
            "queue": "default",
            "state": "failed",
            "attempts": 2,
            "error": {"type": "ValueError", "message": "no such order"},
        }
    ]


def test_the_handler_is_stored_with_the_end_or_neither_is(scheduling: Scheduling) -> None:
    [id] = submit(scheduling.client).ids()
    worker = scheduling.worker()
    [held] = lease(worker)
    row = [*held, ERROR, FAILURE, 0.0, 0.5, None]
    worker.ask("get_dispatcher", "finish", [row])

    def full() -> None:
        raise StoreError("the disk is full")

    scheduling.bench.step(commit=full)
    assert made(scheduling) == []
    scheduling.bench.advance(1)
    scheduling.worker().call("get_dispatcher", "finish", [row])
    assert [one["id"] for one in made(scheduling)] == [show_id(id)]


def test_dead_lost_and_expired_tasks_have_handlers_and_cancelled_and_succeeded_ones_have_not(
    scheduling: Scheduling,
) -> None:
    worker = scheduling.worker()
    submit(scheduling.client, max_crashes=1)
    fail(worker, outcome=CRASH)
    submit(scheduling.client, delivery="at_most_once")
    fail(worker, outcome=CRASH)
    submit(scheduling.client)
    held = lease(worker)
    worker.call("get_dispatcher", "finish", [[*held[0], SUCCESS, b"r", 0.0, 0.5, None]])
    cancelled = submit(scheduling.client)
    scheduling.client.call("get_tasks", "cancel", cancelled.ids())
    submit(scheduling.client, expires=5)
    scheduling.pass_time(6)
    given = made(scheduling)
    assert [one["state"] for one in given] == ["dead", "lost", "expired"]
    assert [one["attempts"] for one in given] == [1, 1, 0]
    assert given[0]["error"]["type"] == "TaskCrashed"
    assert given[2]["error"] is None


def test_each_end_has_its_handler(scheduling: Scheduling) -> None:
    [id] = submit(scheduling.client).ids()
    worker = scheduling.worker()
    for _ in range(3):
        fail(worker)
        scheduling.pass_time(1)
        scheduling.client.call("get_tasks", "retry", [id])
    assert [one["attempts"] for one in made(scheduling)] == [1, 2, 3]


def test_of_a_map_each_task_that_fails_has_one(scheduling: Scheduling) -> None:
    run = submit(scheduling.client, 10)
    worker = scheduling.worker()
    held = lease(worker)
    rows = [
        [*one, ERROR if place % 2 else SUCCESS, FAILURE, 0.0, 0.5, None] for place, one in enumerate(held)
    ]
    worker.call("get_dispatcher", "finish", rows)
    assert [one["id"] for one in made(scheduling)] == [show_id(id) for id in run.ids()[1::2]]


def test_a_map_that_expires_at_once_is_handled_in_portions_and_once_each_across_a_restart(
    make_bench: Callable[..., Bench],
) -> None:
    scheduling = Scheduling(make_bench())
    store = scheduling.bench.engine.store
    run = submit(scheduling.client, 1_000, expires=5)
    scheduling.bench.now = now = scheduling.bench.now._replace(
        mono=scheduling.bench.now.mono + 6_000, wall=scheduling.bench.now.wall + 6_000
    )
    scheduling.bench.step()
    assert count(scheduling) == 2 * MADE_AT_ONCE, "in two transactions"
    after = Scheduling(Bench(store, now=now))
    after.settle()
    assert count(after) == 1_000
    assert {one["id"] for one in made(after)} == {show_id(id) for id in run.ids()}
    for id in (run.ids()[0], run.ids()[-1]):
        assert after.client.call("get_tasks", "show", id)["on_failure"]["id"] is not None


def test_a_handler_acts_by_the_rights_of_the_key_that_submitted(scheduling: Scheduling) -> None:
    bound = scheduling.peer(queues=("default",))
    with pytest.raises(Forbidden, match="may use the queues default, not 'alarms'"):
        submit(bound)
    submit(scheduling.client)
    keyring = scheduling.bench.engine.part(Keyring)
    verifier = scheduling.client.session.verifier
    keyring.add_unstored(replace(verifier, state="revoked"))
    fail(scheduling.worker())
    assert [fields for action, fields in scheduling.bench.reports if action == "task.handler_refused"] == [
        {"level": "warning", "tasks": 1, "handler": HANDLER, "queue": "alarms", "key": verifier.key_id}
    ]


def test_a_handler_that_fails_has_no_handler(scheduling: Scheduling) -> None:
    again = ["alarms", HANDLER, {}, {"on_failure": ["alarms", HANDLER, {}, {}]}]
    with pytest.raises(InvalidArgument, match="its columns have no on_failure"):
        submit(scheduling.client, handler=again)
    submit(scheduling.client)
    fail(scheduling.worker())
    fail(scheduling.worker(HANDLER))
    assert len(made(scheduling)) == 1


def test_what_says_the_handler_is_bounded(scheduling: Scheduling) -> None:
    limits = [[{"name": f"{number}{'n' * 240}", "max_running": 1}, "k" * 250] for number in range(8)]
    with pytest.raises(InvalidArgument, match="at most 4,096: give it fewer tags or limits"):
        submit(
            scheduling.client, handler=["alarms", HANDLER, {"where": f"a={'b' * 900}"}, {"limits": limits}]
        )


def test_a_handler_stands_under_its_limits_and_takes_its_tenants_turn(scheduling: Scheduling) -> None:
    columns = {"limits": [[{"name": "pager", "max_running": 1}, ""]], "tenant": "ops"}
    submit(scheduling.client, 3, handler=["alarms", HANDLER, {}, columns])
    fail(scheduling.worker())
    worker = scheduling.worker(HANDLER)
    assert len(lease(worker)) == 1
    [row] = scheduling.peer(Role.ADMIN).call("get_limits", "list")
    assert (row["name"], row["running"], row["waiting"]) == ("pager", 1, 2)
