"""Attempts as people count them: what began. And RUNNING as people read it: it runs, and does not only wait at a worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tq.common.domain.ids import new_ids
from tq.common.domain.model import OutcomeNumber, Role, StateNumber
from tq.common.errors import ProtocolError
from tq.common.values.failure import Failure
from tq.master.tasks.leases import Leases
from tq.master.workers.membership import ORDERS_MIN, Membership

from tests.master.leased import each

from ..conftest import GRACE_MS, Bench, OpenKept, Peer

DISPATCHER = "get_dispatcher"
READY, RUNNING = int(StateNumber.READY), int(StateNumber.RUNNING)
Lease = list[Any]  # [id, attempt, lease]


def submit(bench: Bench, count: int = 1, **options: Any) -> list[bytes]:
    ids = new_ids.many(count)
    bench.client().call("get_task_queue/q", "submit", "m:f", options, [[id, b""] for id in ids])
    return ids


def lease(worker: Peer, want: int = 1) -> list[tuple[Lease, int]]:
    """What was leased, each with the number of the attempt that its task sees."""
    lease, groups = worker.call(DISPATCHER, "lease", want)
    entries = each(groups)
    return [([entry[0], entry[1], lease], entry[4] if len(entry) > 4 else entry[1]) for entry in entries]


def finish(worker: Peer, held: Lease, outcome: OutcomeNumber = OutcomeNumber.SUCCESS) -> list[int]:
    body = None if outcome == OutcomeNumber.SUCCESS else Failure("ValueError", "no").encode()
    answer: list[int] = worker.call(DISPATCHER, "finish", [[*held, int(outcome), body, 0.0, 0.1, None]])
    return answer


def show(bench: Bench, id: bytes) -> dict[str, Any]:
    shown: dict[str, Any] = bench.client().call("get_tasks", "show", id)
    return shown


def outcomes(bench: Bench, id: bytes) -> list[tuple[int, int | None]]:
    return [(row["attempt"], row["outcome"]) for row in show(bench, id)["attempts"]]


def shown_state(bench: Bench, id: bytes) -> int:
    [[_, state]] = bench.client().call("get_tasks", "states", [id])
    return int(state)


# what counts


def test_a_task_that_was_handed_back_unstarted_is_at_its_first_attempt(bench: Bench) -> None:
    worker, [id] = bench.worker("m:f"), submit(bench)
    for _ in range(7):
        [(held, number)] = lease(worker)
        assert number == 1
        worker.call(DISPATCHER, "release", [held])
        assert (show(bench, id)["attempt"], outcomes(bench, id)) == (0, [])
    [(held, number)] = lease(worker)
    assert (held[1], number) == (8, 1), "the fence grows all the same"
    assert finish(worker, held) == []
    assert outcomes(bench, id) == [(1, OutcomeNumber.SUCCESS)]
    [row] = bench.client().call("get_tasks", "list", {}, 10)
    assert (row["attempt"], show(bench, id)["returned"]) == (1, 7)


def test_a_fence_that_was_handed_back_is_refused_though_the_number_is_the_same(bench: Bench) -> None:
    worker, [id] = bench.worker("m:f"), submit(bench)
    [(before, _)] = lease(worker)
    worker.call(DISPATCHER, "release", [before])
    [(held, _)] = lease(worker)
    assert finish(worker, before) == [0]
    assert finish(worker, [id, before[1], held[2]]) == [0]
    assert finish(worker, held) == []


def test_every_attempt_that_began_counts_and_one_that_may_have(bench: Bench) -> None:
    [id] = submit(bench, retries=1, backoff=0.001)
    worker = bench.worker("m:f")
    [(held, number)] = lease(worker)
    assert number == 1
    finish(worker, held, OutcomeNumber.ERROR)
    bench.advance(1)
    [(held, number)] = lease(worker)
    assert number == 2
    finish(worker, held, OutcomeNumber.CRASH)
    [(held, number)] = lease(worker)
    assert number == 3
    worker.call(DISPATCHER, "release", [held])
    lease(worker)
    worker.call(DISPATCHER, "starting", [id])  # it is a suspect
    worker.close()  # whether it had begun is unknown
    bench.advance(GRACE_MS / 1000 + 1)
    other = bench.worker("m:f")
    [(held, number)] = lease(other)
    assert number == 4
    finish(other, held)
    assert outcomes(bench, id) == [
        (1, OutcomeNumber.ERROR),
        (2, OutcomeNumber.CRASH),
        (3, OutcomeNumber.LOST),
        (4, OutcomeNumber.SUCCESS),
    ]


def test_what_had_begun_and_is_handed_back_says_so_with_its_times(bench: Bench) -> None:
    worker, [id] = bench.worker("m:f"), submit(bench)
    [(held, _)] = lease(worker)
    bench.advance(20)
    worker.call(DISPATCHER, "release", [[*held, 12.5]], True)
    [row] = show(bench, id)["attempts"]
    assert (row["attempt"], row["outcome"], row["ended"] - row["started"]) == (
        1,
        OutcomeNumber.RELEASED,
        12.5,
    )
    assert Failure.decode(row["body"]).message == "its worker was stopped while it ran"
    assert (show(bench, id)["state"], show(bench, id)["attempt"], show(bench, id)["returned"]) == (
        READY,
        1,
        0,
    )
    [(_, number)] = lease(worker)
    assert number == 2


def test_what_its_worker_reports_as_handed_back_runs_again_uncharged_with_its_words(bench: Bench) -> None:
    worker, [id] = bench.worker("m:f"), submit(bench)
    [(held, _)] = lease(worker)
    body = Failure("Interrupted", "another task has ended its process").encode()
    report = [*held, int(OutcomeNumber.RELEASED), body, 0.0, 0.1, None]
    assert worker.call(DISPATCHER, "finish", [report]) == []
    shown = show(bench, id)
    assert (shown["state"], shown["failures"], shown["crashes"]) == (READY, 0, 0)
    assert Failure.decode(shown["attempts"][0]["body"]).message == "another task has ended its process"
    assert worker.call(DISPATCHER, "finish", [report]) == [], "a repeated one is answered as the first"
    [(_, number)] = lease(worker)
    assert number == 2


def test_what_may_not_start_twice_and_is_reported_as_handed_back_is_lost(bench: Bench) -> None:
    worker, [id] = bench.worker("m:f"), submit(bench, delivery="at_most_once")
    [(held, _)] = lease(worker)
    body = Failure("Interrupted", "another task has ended its process").encode()
    report = [*held, int(OutcomeNumber.RELEASED), body, 0.0, 0.1, None]
    for _ in range(2):
        assert worker.call(DISPATCHER, "finish", [report]) == []
    assert show(bench, id)["state"] == StateNumber.LOST
    [row] = show(bench, id)["attempts"]
    assert (
        Failure.decode(row["body"]).message
        == "another task has ended its process, and it may not be started twice"
    )


def test_a_worker_that_leaves_with_a_task_it_reported_as_running_has_not_returned_it_unstarted(
    bench: Bench,
) -> None:
    worker = bench.worker("m:f")
    [id] = submit(bench, delivery="at_most_once")
    [other] = submit(bench, delivery="at_most_once")
    (held, _), _ = lease(worker, 2)
    worker.call(DISPATCHER, "beat", [[*held, 0.2]])
    worker.call(DISPATCHER, "leave")
    assert shown_state(bench, id) == StateNumber.LOST
    assert shown_state(bench, other) == READY
    assert outcomes(bench, other) == []


def test_a_task_that_is_cancelled_before_it_begins_has_no_attempt(bench: Bench) -> None:
    worker, [id] = bench.worker("m:f"), submit(bench)
    [(held, _)] = lease(worker)
    bench.client().call("get_tasks", "cancel", [id])
    worker.call(DISPATCHER, "release", [held])
    assert (shown_state(bench, id), outcomes(bench, id)) == (StateNumber.CANCELLED, [])


def test_the_times_of_a_lost_attempt_are_known_if_its_start_was_reported(bench: Bench) -> None:
    worker, [id] = bench.worker("m:f"), submit(bench)
    [(held, _)] = lease(worker)
    worker.call(DISPATCHER, "beat", [[*held, 1.0]])
    began = bench.now.wall / 1000 - 1.0
    worker.close()
    bench.advance(GRACE_MS / 1000 + 1)
    [row] = show(bench, id)["attempts"]
    assert (row["outcome"], row["started"]) == (OutcomeNumber.LOST, began)


def test_a_report_of_a_lost_lease_is_stale_even_if_the_task_is_not_leased_again_yet(bench: Bench) -> None:
    worker, [id] = bench.worker("m:f"), submit(bench, retries=3)
    [(held, _)] = lease(worker)
    worker.close()
    bench.advance(GRACE_MS / 1000 + 1)
    again = bench.worker("m:f", node=worker.session.node)
    assert finish(again, held) == [0]
    assert shown_state(bench, id) == READY


def test_a_repeated_report_of_a_failure_is_not_stale_while_its_task_waits(bench: Bench) -> None:
    worker, _ = bench.worker("m:f"), submit(bench, retries=3)
    [(held, _)] = lease(worker)
    assert finish(worker, held, OutcomeNumber.ERROR) == []
    assert finish(worker, held, OutcomeNumber.ERROR) == []


def test_a_repeated_report_of_a_failure_is_not_stale_once_its_task_is_leased_again(bench: Bench) -> None:
    worker, _ = bench.worker("m:f"), submit(bench, 3, retries=3, backoff=0.001, delay=0)
    rows = [held for held, _ in lease(worker, 3)]
    assert finish(worker, rows[1], OutcomeNumber.ERROR) == []
    bench.advance(5)
    [(again, _)] = lease(worker, 3)
    assert again[0] == rows[1][0]
    assert finish(worker, rows[1], OutcomeNumber.ERROR) == []
    assert finish(worker, [*rows[1][:2], b"x" * 16], OutcomeNumber.ERROR) == [0]
    assert finish(worker, again) == []
    assert finish(worker, rows[1], OutcomeNumber.ERROR) == []


# what runs


def test_a_task_that_waits_at_a_worker_is_ready_until_the_worker_reports_its_start(bench: Bench) -> None:
    worker, [id] = bench.worker("m:f"), submit(bench)
    [(held, _)] = lease(worker)
    shown = show(bench, id)
    assert (shown["state"], shown["attempt"], shown["started"], shown["attempts"]) == (READY, 0, None, [])
    assert shown["why"] == "it waits for a slot of host (pid 1), which was given it 0.0 s ago"
    worker.call(DISPATCHER, "beat", [[*held, 0.5]])
    shown = show(bench, id)
    assert (shown["state"], shown["attempt"]) == (RUNNING, 1)
    assert shown["started"] == bench.now.wall / 1000 - 0.5
    assert [row["outcome"] for row in shown["attempts"]] == [None]


def test_only_the_holder_of_the_lease_can_report_a_start(bench: Bench) -> None:
    worker, [id] = bench.worker("m:f"), submit(bench)
    [(held, _)] = lease(worker)
    for row in ([id, 1, b"x" * 16, 0.5], [id, 2, held[2], 0.5], held):
        worker.call(DISPATCHER, "beat", [row])
        assert shown_state(bench, id) == READY
    for seconds in (-1.0, float("nan"), float("inf"), 1e10, "1", None):
        with pytest.raises(ProtocolError):
            worker.call(DISPATCHER, "beat", [[*held, seconds]])
    assert shown_state(bench, id) == READY


@pytest.fixture
def crowd(bench: Bench) -> tuple[list[bytes], Peer]:
    """Seven slots and 868 tasks leased to their worker, of which two were reported as running."""
    ids, worker = submit(bench, 900), bench.worker("m:f", slots=7)
    held = [one for one, _ in lease(worker, 868)]
    worker.call(DISPATCHER, "beat", [[*one, 0.3] for one in held[:2]])
    return ids, worker


def test_no_more_run_than_there_are_slots(bench: Bench, crowd: tuple[list[bytes], Peer]) -> None:
    [queue] = bench.client().call("get_queues", "list")
    assert (queue["running"], queue["ready"], queue["assigned"]) == (7, 893, 861)
    [worker] = bench.client().call("get_workers", "list")
    assert (worker["running"], worker["slots"], worker["leased"]) == (7, 7, 868)


def test_a_worker_cannot_tell_of_more_than_it_has_slots(bench: Bench) -> None:
    submit(bench, 10)
    worker = bench.worker("m:f", slots=2)
    worker.call(DISPATCHER, "beat", [[*held, 1.0] for held, _ in lease(worker, 10)])
    [queue] = bench.client().call("get_queues", "list")
    assert (queue["running"], queue["ready"]) == (2, 8)


def test_filters_take_states_as_they_are_shown(bench: Bench, crowd: tuple[list[bytes], Peer]) -> None:
    ids, _ = crowd
    client = bench.client()

    def listed(*states: int) -> list[bytes]:
        return [row["id"] for row in client.call("get_tasks", "list", {"states": list(states)}, 2_000)]

    def selected(*states: int) -> dict[int, int]:
        return dict(client.call("get_tasks", "select", {"states": list(states)})["states"])

    assert listed(RUNNING) == ids[1::-1]
    assert listed(READY) == ids[:1:-1]
    assert listed(READY, RUNNING) == listed() == ids[::-1]
    assert listed(int(StateNumber.FAILED)) == []
    assert (selected(RUNNING), selected(READY)) == ({RUNNING: 2}, {READY: 898})
    assert selected() == {RUNNING: 2, READY: 898}


def test_what_is_ready_is_cancelled_wherever_it_waits(bench: Bench, crowd: tuple[list[bytes], Peer]) -> None:
    ids, worker = crowd
    orders = worker.ask(DISPATCHER, "orders")
    bench.client().call("get_tasks", "cancel_where", {"states": [READY]})
    ordered = {order[1] for order in worker.answer(orders)}
    assert ordered == set(ids[2:868])
    assert shown_state(bench, ids[899]) == StateNumber.CANCELLED


def test_a_purge_leaves_what_a_worker_has(bench: Bench, crowd: tuple[list[bytes], Peer]) -> None:
    admin = bench.client(role=Role.ADMIN)
    assert admin.call("get_tasks", "purge", {"queues": ["q"]})["tasks"] == 32
    assert len(bench.engine.part(Leases).running) == 868


def test_after_a_restart_workers_tell_again_what_has_begun(
    make_bench: Callable[..., Bench], open_kept: OpenKept
) -> None:
    bench = make_bench(open_kept())
    ids, worker = submit(bench, 2), bench.worker("m:f")
    (begun, _), (waits, _) = lease(worker, 2)
    worker.call(DISPATCHER, "beat", [[*begun, 0.5]])
    bench.engine.store.close()
    after = make_bench(open_kept())
    assert [shown_state(after, id) for id in ids] == [READY, READY]
    assert "whether it has begun is not known" in show(after, ids[0])["why"]
    after.worker("m:f", node=worker.session.node, held=[[*begun, 7.0], waits])
    assert [shown_state(after, id) for id in ids] == [RUNNING, READY]
    assert show(after, ids[0])["started"] == after.now.wall / 1000 - 7.0


def test_the_log_of_a_task_that_waits_at_a_worker_is_that_of_its_last_attempt(bench: Bench) -> None:
    worker, [id] = bench.worker("m:f"), submit(bench)
    [(held, _)] = lease(worker)
    worker.call(DISPATCHER, "observe", [[*held, 5, b"first", None]])
    finish(worker, held, OutcomeNumber.CRASH)
    [(held, number)] = lease(worker)
    log = bench.client().call("get_tasks", "log", id)
    assert (number, log["attempt"], log["text"], log["running"], log["state"]) == (
        2,
        1,
        b"first",
        False,
        READY,
    )
    worker.call(DISPATCHER, "observe", [[*held, 6, b"second", None]])
    log = bench.client().call("get_tasks", "log", id)
    assert (log["attempt"], log["text"], log["running"], log["state"]) == (2, b"second", True, RUNNING)


def test_a_worker_that_never_asks_for_its_orders_has_one_for_each_task_it_holds(bench: Any) -> None:
    client, worker = bench.client(), bench.worker("m:f", slots=4)
    ids = [new_ids() for _ in range(300)]
    client.call("get_task_queue/q", "submit", "m:f", {}, [[id, b"\x92\x90\x80"] for id in ids])
    lease, groups = worker.call(DISPATCHER, "lease", 300)
    for _ in range(20):
        client.call("get_tasks", "cancel", ids)
    [row] = bench.engine.part(Membership).by_node.values()
    assert len(row.orders) == 300
    held = [[id, attempt, lease] for id, attempt, _ in each(groups)]
    worker.call(DISPATCHER, "release", held)
    for _ in range(10):  # others, which are cancelled and handed back in turn
        more = [new_ids() for _ in range(200)]
        client.call("get_task_queue/q", "submit", "m:f", {}, [[id, b"\x92\x90\x80"] for id in more])
        lease, groups = worker.call(DISPATCHER, "lease", 200)
        client.call("get_tasks", "cancel", more)
        worker.call(DISPATCHER, "release", [[id, attempt, lease] for id, attempt, _ in each(groups)])
    assert len(row.orders) <= ORDERS_MIN
