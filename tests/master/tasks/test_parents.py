"""Tasks that were submitted inside tasks, and a cancel of all of them."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.id_runs import IdRun
from tq.common.domain.ids import new_ids
from tq.common.domain.model import Role, State
from tq.common.errors import InvalidArgument
from tq.common.values.codec import encode
from tq.master.tasks.parents import PORTION_TASKS, PORTIONS_MAX

from ..conftest import Bench, Peer

TASK = "m:f"


def submit(client: Peer, count: int = 1, *, queue: str = "q", parent: list[bytes] | None = None) -> IdRun:
    run = IdRun(new_ids.many(count)[0], count)
    payloads = [encode([[], {}])] * count
    row: list[Any] = [run.first, payloads if count > 1 else payloads[0]]
    client.call(("get_task_queue", queue), "submit", TASK, {}, [row], None, None, None, None, parent)
    return run


def lease(worker: Peer) -> list[bytes]:
    """``[id, lease]`` of the next task, which begins."""
    lease, [[_, _, _, [[id, *_]]]] = worker.call("get_dispatcher", "lease", 1)
    worker.call("get_dispatcher", "beat", [[id, 1, lease, 0.1]])
    return [id, lease]


def states(client: Peer, *runs: IdRun) -> list[str]:
    rows = client.call("get_tasks", "states", [run.to_wire() for run in runs])
    return [str(State.from_number(number)) for _, number in rows]


def cancel(bench: Bench, client: Peer, *ids: bytes) -> list[str]:
    call = client.ask("get_tasks", "cancel", list(ids), True, True)
    while call not in client.answers:
        bench.step()
    return [str(State.from_number(number)) for _, number in client.answer(call)]


def test_a_cancel_of_a_tree_reaches_what_was_submitted_in_turn_and_nothing_else(bench: Bench) -> None:
    client, worker = bench.client(), bench.worker(TASK)
    root = submit(client)
    held = lease(worker)
    children, stranger = submit(client, 5, parent=held), submit(client)
    grandchildren = submit(client, 3, parent=lease(worker))
    assert cancel(bench, client, root.first) == ["running"]
    assert states(client, children) == ["running"] + ["cancelled"] * 4
    assert states(client, grandchildren, stranger) == ["cancelled"] * 3 + ["ready"]
    orders = worker.call("get_dispatcher", "orders")
    assert sorted(order[1] for order in orders) == sorted([root.first, children.first])


def test_what_a_task_submits_until_it_has_ended_is_cancelled_too(bench: Bench) -> None:
    client, worker = bench.client(), bench.worker(TASK)
    root = submit(client)
    held = lease(worker)
    cancel(bench, client, root.first)
    late = submit(client, 2, parent=held)
    bench.step()
    assert states(client, late) == ["cancelled"] * 2
    worker.call("get_dispatcher", "finish", [[root.first, 1, held[1], 7, None, 0.0, 0.1, None]])
    assert states(client, root) == ["cancelled"]
    assert states(client, submit(client, parent=held)) == ["ready"], "its lease is over"


def test_a_large_tree_is_cancelled_in_portions(bench: Bench) -> None:
    client, worker = bench.client(), bench.worker(TASK)
    root = submit(client)
    many = submit(client, PORTION_TASKS * PORTIONS_MAX * 2, parent=lease(worker))
    call = client.ask("get_tasks", "cancel", [root.first], True, True)
    bench.step()
    assert call not in client.answers
    while call not in client.answers:
        bench.step()
    assert set(states(client, many)) == {"cancelled"}


def test_a_tree_is_cancelled_as_far_as_the_key_covers_its_queues(bench: Bench) -> None:
    client, worker, bound = bench.client(), bench.worker(TASK), bench.client(queues=("q",))
    root = submit(client)
    held = lease(worker)
    others = submit(client, queue="other", parent=held)
    below = submit(client, parent=lease(worker))
    mine = submit(client, parent=held)
    cancel(bench, bound, root.first)
    assert states(client, others, below, mine) == ["running", "ready", "cancelled"]


def test_only_who_holds_the_lease_of_a_task_is_its_parent(bench: Bench) -> None:
    client, worker = bench.client(role=Role.ADMIN), bench.worker(TASK)
    root = submit(client)
    lease(worker)
    child = submit(client, parent=[root.first, b"x" * 16])
    cancel(bench, client, root.first)
    assert states(client, child) == ["ready"]
    with pytest.raises(InvalidArgument, match=r"the parent of tasks is \[id, lease\]"):
        submit(client, parent=[root.first])


def test_a_tree_is_known_after_a_restart(bench: Bench, make_bench: Any) -> None:
    client, worker = bench.client(), bench.worker(TASK)
    root = submit(client)
    child = submit(client, parent=lease(worker))
    again = make_bench(bench.engine.store)
    client = again.client()
    assert client.call("get_tasks", "show", child.first)["parent"] == root.first
    cancel(again, client, root.first)
    assert states(client, child) == ["cancelled"]
