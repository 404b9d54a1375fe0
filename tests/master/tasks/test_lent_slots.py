"""What tasks wait for inside themselves, leased to the workers that wait for it, and to them alone."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.id_runs import IdRun
from tq.common.domain.ids import new_ids, show_id
from tq.common.domain.model import Role
from tq.common.values.codec import encode
from tq.master.engine.accounts import Accounts
from tq.master.tasks import lent_slots
from tq.master.tasks.lent_slots import LentSlots

from ..conftest import Bench, Peer
from ..leased import each

TASK = "m:f"
NOTHING = [b"", []]


def submit(
    client: Peer, count: int = 1, *, queue: str = "q", needs: IdRun | None = None, **options: Any
) -> IdRun:
    run = IdRun(new_ids.many(count)[0], count)
    payloads = [encode([[], {}])] * count
    row: list[Any] = [run.first, payloads if count > 1 else payloads[0]]
    if needs is not None:
        row.append([0, [needs.to_wire()]])
    client.call(("get_task_queue", queue), "submit", TASK, options, [row])
    return run


def lease(worker: Peer, want: int = 1) -> list[bytes]:
    _, groups = worker.call("get_dispatcher", "lease", want)
    return [id for id, *_ in each(groups)]


def lend(worker: Peer, waiter: bytes, *runs: IdRun, want: int = 10) -> int:
    """Its call, which is performed."""
    call = worker.ask("get_dispatcher", "lend", waiter, [run.to_wire() for run in runs], want)
    worker.bench.step()
    return call


def lent(answer: Any) -> list[bytes]:
    return [id for id, *_ in each(answer[1])]


def test_a_worker_gets_what_its_task_waits_for_and_nothing_else(bench: Bench) -> None:
    client, worker = bench.client(), bench.worker(TASK)
    parent, others, wanted = submit(client), submit(client, 5), submit(client, 3)
    assert lease(worker) == [parent.first]
    assert lent(worker.answer(lend(worker, parent.first, wanted.part(1, 3)))) == wanted.ids()[1:]
    assert lease(worker, 10) == [*others.ids(), wanted.first]


def test_what_is_waited_for_twice_is_leased_once(bench: Bench) -> None:
    """By two threads of a task, or because what it waits for needs what it waits for as well."""
    client, worker = bench.client(), bench.worker(TASK)
    parent, wanted = submit(client), submit(client, 3)
    needing = submit(client, needs=wanted.part(1, 2))
    assert lease(worker) == [parent.first]
    call = lend(worker, parent.first, wanted.part(0, 2), wanted.part(1, 3), needing, wanted.part(0, 1))
    assert lent(worker.answer(call)) == wanted.ids()


def test_what_becomes_ready_later_is_leased_then(bench: Bench) -> None:
    client, worker = bench.client(), bench.worker(TASK)
    parent = submit(client)
    lease(worker)
    run = IdRun(new_ids.many(1)[0], 1)
    call = lend(worker, parent.first, run)
    assert call not in worker.answers, "it is not even submitted"
    client.call(("get_task_queue", "q"), "submit", TASK, {"delay": 5.0}, [[run.first, encode([[], {}])]])
    assert call not in worker.answers
    bench.advance(6)
    assert lent(worker.answer(call)) == [run.first]


def test_what_a_task_needs_before_it_can_run_is_waited_for_too(bench: Bench) -> None:
    client, worker = bench.client(), bench.worker(TASK)
    parent, page = submit(client), submit(client, 2)
    lease(worker)
    merged = submit(client, needs=page)
    report = submit(client, needs=merged)
    assert lent(worker.answer(lend(worker, parent.first, report))) == page.ids()


def test_a_free_slot_comes_first(bench: Bench) -> None:
    client, worker, other = bench.client(), bench.worker(TASK), bench.worker(TASK)
    parent = submit(client)
    lease(worker)
    free = other.ask("get_dispatcher", "lease", 1)
    bench.step()
    child = IdRun(new_ids.many(1)[0], 1)
    call = lend(worker, parent.first, child)
    client.call(("get_task_queue", "q"), "submit", TASK, {}, [[child.first, encode([[], {}])]])
    assert lent(other.answer(free)) == [child.first]
    assert call not in worker.answers


def test_every_call_is_answered_when_the_next_one_comes_or_the_wait_is_over(bench: Bench) -> None:
    client, worker = bench.client(), bench.worker(TASK)
    parent, child = submit(client), IdRun(new_ids.many(1)[0], 1)
    lease(worker)
    first = lend(worker, parent.first, child)
    second = lend(worker, parent.first, child)
    assert worker.answer(first) == NOTHING
    assert worker.answer(lend(worker, parent.first)) == NOTHING
    assert worker.answer(second) == NOTHING


def test_a_look_leases_nothing_and_why_names_the_cycle(bench: Bench) -> None:
    client, worker = bench.client(role=Role.ADMIN), bench.worker(TASK)
    parent, child = submit(client), submit(client)
    lease(worker)
    worker.call("get_dispatcher", "beat", [])
    call = lend(worker, parent.first, child, want=0)
    assert worker.answer(call) == NOTHING
    why = client.call("get_tasks", "show", child.first)["why"]
    ends = "that wait ends with WouldDeadlock"
    assert f"task {show_id(parent.first)} waits for it, and holds the slot that it waits for: {ends}" in why
    why = client.call("get_tasks", "show", parent.first)["why"]
    assert (
        f"it waits for task {show_id(child.first)}, which waits for a slot of the worker that it holds: {ends}"
        in why
    )
    lend(worker, parent.first)
    assert "waits for it" not in client.call("get_tasks", "show", child.first)["why"]


def test_why_names_no_task_of_another_queue_and_believes_only_the_worker_that_runs_the_task(
    bench: Bench,
) -> None:
    client, worker, other = bench.client(role=Role.ADMIN), bench.worker(TASK), bench.worker(TASK)
    parent, busy = submit(client, queue="hidden"), submit(client)
    assert [*lease(worker), *lease(other)] == [parent.first, busy.first]
    for one in (worker, other):
        one.call("get_dispatcher", "beat", [])
    child = submit(client)

    def why(run: IdRun) -> str:
        return str(client.call("get_tasks", "show", run.first)["why"])

    lend(other, parent.first, child, want=0)
    assert "waits" not in why(child)
    lend(worker, parent.first, child, want=0)
    assert "; a task waits for it, and holds the slot" in why(child)
    assert "it waits for a task that is not in this queue, which waits for a slot" in why(parent)


def test_a_worker_is_given_only_what_it_serves_and_of_no_paused_queue(bench: Bench) -> None:
    client, worker = bench.client(role=Role.ADMIN), bench.worker(TASK)
    parent, paused = submit(client), submit(client, queue="p")
    lease(worker)
    client.call(("get_task_queue", "p"), "pause", "")
    client.call(
        ("get_task_queue", "q"), "submit", "other:task", {}, [[other := new_ids.many(1)[0], encode([[], {}])]]
    )
    call = lend(worker, parent.first, paused, IdRun(other, 1))
    assert call not in worker.answers
    client.call(("get_task_queue", "p"), "resume")
    assert lent(worker.answer(call)) == [paused.first]


def test_a_worker_that_leaves_or_is_gone_is_leased_nothing_any_more(bench: Bench) -> None:
    client, worker = bench.client(role=Role.ADMIN), bench.worker(TASK)
    parent, child = submit(client), IdRun(new_ids.many(1)[0], 1)
    lease(worker)
    lend(worker, parent.first, child)
    worker.call("get_dispatcher", "leave")
    client.call(("get_task_queue", "q"), "submit", TASK, {}, [[child.first, encode([[], {}])]])
    states = client.call("get_tasks", "states", [child.first])
    assert states[0][1] == 0, "it is ready, for another worker"


def test_calls_that_are_gone_leave_nothing_to_do(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lent_slots, "LOOKS_MAX", 0)  # more is due than one transaction looks at
    client, worker = bench.client(), bench.worker(TASK)
    parent, child = submit(client), submit(client)
    lease(worker)
    worker.ask("get_dispatcher", "lend", parent.first, [child.to_wire()], 1)
    bench.engine.committed(bench.engine.run(bench.now))
    assert bench.engine.part(LentSlots).has_more()
    worker.close()
    bench.engine.committed(bench.engine.run(bench.now))
    assert not bench.engine.part(LentSlots).has_more(), "else the master would never rest"


def test_what_a_worker_waits_for_is_on_the_account_of_its_key(bench: Bench) -> None:
    client, worker = bench.client(), bench.worker(TASK)
    parent = submit(client)
    lease(worker)
    account = worker.session.account = Accounts().of("a")
    named = [IdRun(id, 1) for id in (new_ids.many(1)[0] for _ in range(100))]
    lend(worker, parent.first, *named)
    assert account.bytes >= 100 * lent_slots.RUN_BYTES
    lend(worker, parent.first)
    assert account.bytes == 0
