"""What the engine decides: the promise, case by case, over the real store and without sockets."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.ids import new_ids
from tq.common.domain.model import OutcomeNumber, Role, StateNumber
from tq.common.errors import (
    Forbidden,
    InvalidArgument,
    ProtocolError,
    StoreError,
    TaskConflict,
    UnknownTask,
)
from tq.common.values.failure import Failure
from tq.master.tasks.leases import Leases
from tq.master.tasks.routes import Routes

from tests.master.leased import each, each_outcome

from ..conftest import OpenKept

SUCCESS, ERROR, CRASH = int(OutcomeNumber.SUCCESS), int(OutcomeNumber.ERROR), int(OutcomeNumber.CRASH)


def submit(client: Any, *payloads: bytes, task: str = "m:f", queue: str = "q", **options: Any) -> list[bytes]:
    ids = new_ids.many(len(payloads))
    client.call(
        f"get_task_queue/{queue}",
        "submit",
        task,
        options,
        [list(one) for one in zip(ids, payloads, strict=True)],
    )
    return ids


def lease(worker: Any, want: int = 10) -> tuple[bytes, list[list[Any]]]:
    """The lease id and the entries of an answered lease call."""
    lease_id, groups = worker.call("get_dispatcher", "lease", want)
    return lease_id, each(groups)


def row(
    id: bytes,
    attempt: int,
    lease_id: bytes,
    outcome: int = SUCCESS,
    body: bytes | None = b"r",
    after: float | None = None,
) -> list[Any]:
    return [id, attempt, lease_id, outcome, body, 0.0, 0.1, after]


def state(client: Any, id: bytes) -> StateNumber:
    return StateNumber(client.call("get_tasks", "states", [id])[0][1])


def test_a_submitted_task_goes_through_a_worker_and_its_result_comes_back(bench: Any) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    [id] = submit(client, b"args")
    client.call("get_result_queue", "watch", [id])
    lease_id, [entry] = lease(worker)
    assert entry == [id, 1, b"args"]
    assert worker.call("get_dispatcher", "finish", [row(id, 1, lease_id, body=b"result")]) == []
    assert client.call("get_result_queue", "collect", 10) == [[id, StateNumber.SUCCEEDED, b"result"]]
    shown = client.call("get_tasks", "show", id)
    assert (shown["state"], shown["result"], shown["attempt"]) == (StateNumber.SUCCEEDED, b"result", 1)


def test_a_worker_that_already_waits_gets_the_task_in_the_transaction_that_stores_it(bench: Any) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    waiting = worker.ask("get_dispatcher", "lease", 5)
    bench.step()
    assert waiting not in worker.answers
    ids = submit(client, b"1", b"2")
    _, groups = worker.answer(waiting)
    assert [entry[0] for entry in each(groups)] == ids
    assert ids[0] in bench.engine.part(Leases).running


def test_no_answer_leaves_before_its_commit(bench: Any) -> None:
    client = bench.client()
    id = new_ids()
    call = client.ask("get_task_queue/q", "submit", "m:f", {}, [[id, b""]])
    batch = bench.engine.run(bench.now)
    assert call not in client.answers
    bench.engine.store.commit()
    bench.engine.committed(batch)
    assert client.answer(call) == 1


def test_the_same_submit_twice_is_one_task_and_other_content_is_refused(bench: Any) -> None:
    client = bench.client()
    id = new_ids()
    arguments = ("m:f", {}, [[id, b"x"]])
    assert client.call("get_task_queue/q", "submit", *arguments) == 1
    assert client.call("get_task_queue/q", "submit", *arguments) == 0
    with pytest.raises(TaskConflict, match="another name, queue or arguments"):
        client.call("get_task_queue/q", "submit", "m:f", {}, [[new_ids(), b"new"], [id, b"y"]])
    assert client.call("get_queues", "list")[0]["ready"] == 1


def test_the_same_id_twice_in_one_transaction_is_one_task(bench: Any) -> None:
    first, second = bench.client(), bench.client()
    id = new_ids()
    one = first.ask("get_task_queue/q", "submit", "m:f", {}, [[id, b"x"]])
    two = second.ask("get_task_queue/q", "submit", "m:f", {}, [[id, b"x"], [id, b"x"]])
    bench.step()
    assert (first.answer(one), second.answer(two)) == (1, 0)


def test_a_submit_that_is_repeated_in_the_same_transaction_waits_for_the_outcome_as_the_first_one_does(
    bench: Any,
) -> None:
    before, after, worker = (
        bench.client(),
        bench.client(),
        bench.worker("m:f"),
    )  # one program, connected again
    rows = [[id, b"x"] for id in new_ids.many(3)]
    for session in (before, after):
        session.ask("get_task_queue/q", "submit", "m:f", {}, rows, "results")
    collect = after.ask("get_result_queue/results", "collect", 10)
    bench.step()
    assert collect not in after.answers
    lease_id, entries = lease(worker)
    reports = [row(id, 1, lease_id, body=b"result") for id, _, _ in entries]
    assert worker.call("get_dispatcher", "finish", reports) == []
    assert each_outcome(after.answer(collect)) == [[id, StateNumber.SUCCEEDED, b"result"] for id, _ in rows]


def test_a_worker_gets_only_tasks_it_knows_and_the_others_say_why_they_wait(bench: Any) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    [unknown] = submit(client, b"", task="other:task")
    [known] = submit(client, b"")
    _, entries = lease(worker)
    assert [entry[0] for entry in entries] == [known]
    assert (
        "the only connected worker does not serve other:task"
        in client.call("get_tasks", "show", unknown)["why"]
    )


def test_a_worker_is_given_callables_that_a_pattern_of_its_own_allows(bench: Any) -> None:
    client, worker = bench.client(), bench.worker("m:f", allow=("math.*",))
    ids = submit(client, b"1", task="math:sqrt")
    submit(client, b"2", task="cmath:sqrt")
    _, entries = lease(worker)
    assert [entry[0] for entry in entries] == ids
    assert client.call("get_workers", "serving", "q", "math:cos") == (1, 1)
    assert client.call("get_workers", "serving", "q", "cmath:sqrt") == (0, 1)


def test_higher_priority_is_leased_first_then_the_older(bench: Any) -> None:
    client, worker = bench.client(), bench.worker("m:f", "m:g")
    [low] = submit(client, b"")
    [high] = submit(client, b"", priority=7, task="m:g")
    [low_too] = submit(client, b"", task="m:g")
    _, entries = lease(worker)
    assert [entry[0] for entry in entries] == [high, low, low_too]


def test_a_delayed_task_becomes_ready_at_its_time(bench: Any) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    [id] = submit(client, b"", delay=30)
    waiting = worker.ask("get_dispatcher", "lease", 1)
    bench.advance(29)
    assert waiting not in worker.answers
    assert state(client, id) == StateNumber.SCHEDULED
    bench.advance(2)
    assert worker.answer(waiting)[1][0][3][0][0] == id


def test_a_failed_attempt_is_retried_after_its_backoff_and_then_fails_for_good(bench: Any) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    [id] = submit(client, b"", retries=1, backoff=10)
    body = Failure("ValueError", "no").encode()
    lease_id, _ = lease(worker)
    worker.call("get_dispatcher", "finish", [row(id, 1, lease_id, ERROR, body)])
    assert state(client, id) == StateNumber.SCHEDULED
    bench.advance(10)
    lease_id, [entry] = lease(worker)
    assert entry[1] == 2
    worker.call("get_dispatcher", "finish", [row(id, 2, lease_id, ERROR, body)])
    shown = client.call("get_tasks", "show", id)
    assert (shown["state"], shown["failures"], len(shown["attempts"])) == (StateNumber.FAILED, 2, 2)


@pytest.mark.parametrize(
    ("outcome", "after", "state_after", "failures"),
    [
        (OutcomeNumber.RETRY, 5.0, StateNumber.SCHEDULED, 1),
        (OutcomeNumber.SNOOZE, 5.0, StateNumber.SCHEDULED, 0),
        (OutcomeNumber.DISCARD, None, StateNumber.FAILED, 0),
        (OutcomeNumber.TIMEOUT, None, StateNumber.SCHEDULED, 1),
        (OutcomeNumber.RELEASED, None, StateNumber.READY, 0),
        (OutcomeNumber.CANCELLED, None, StateNumber.CANCELLED, 0),
    ],
)
def test_each_outcome_leads_where_the_life_cycle_says(
    bench: Any, outcome: OutcomeNumber, after: float | None, state_after: StateNumber, failures: int
) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    [id] = submit(client, b"", retries=3)
    lease_id, _ = lease(worker)
    worker.call("get_dispatcher", "finish", [row(id, 1, lease_id, int(outcome), None, after)])
    shown = client.call("get_tasks", "show", id)
    assert (shown["state"], shown["failures"]) == (state_after, failures)


def test_a_repeated_report_is_accepted_silently_and_a_late_one_is_stale(bench: Any) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    [id] = submit(client, b"")
    lease_id, _ = lease(worker)
    report = row(id, 1, lease_id)
    assert worker.call("get_dispatcher", "finish", [report]) == []
    assert worker.call("get_dispatcher", "finish", [report]) == []
    assert worker.call("get_dispatcher", "finish", [row(id, 1, b"another lease is")]) == [0]
    assert worker.call("get_dispatcher", "finish", [row(id, 2, lease_id)]) == [0]


def test_a_closed_worker_may_resume_within_the_grace_and_keeps_its_leases(bench: Any) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    [kept, lost_reply] = submit(client, b"1", b"2")
    lease_id, _ = lease(worker)
    worker.close()
    bench.advance(2)
    again = bench.worker("m:f", node=worker.session.node, held=[[kept, 1, lease_id]])
    assert again.announced["dropped"] == []
    assert kept in bench.engine.part(Leases).running
    assert state(client, lost_reply) == StateNumber.READY, (
        "a lease that the worker never received is taken back"
    )
    assert again.call("get_dispatcher", "finish", [row(kept, 1, lease_id)]) == []


def test_a_worker_that_stays_away_loses_its_tasks_and_its_late_result_is_stale(bench: Any) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    [id] = submit(client, b"")
    lease_id, _ = lease(worker)
    worker.close()
    bench.advance(4)
    assert state(client, id) == StateNumber.READY
    other = bench.worker("m:f")
    other_lease, [entry] = lease(other)
    assert entry[:2] == [id, 2]
    back = bench.worker("m:f", node=worker.session.node, held=[[id, 1, lease_id]])
    assert back.announced["dropped"] == [id]
    assert back.call("get_dispatcher", "finish", [row(id, 1, lease_id, body=b"late")]) == [0]
    assert other.call("get_dispatcher", "finish", [row(id, 2, other_lease, body=b"good")]) == []
    assert client.call("get_tasks", "show", id)["result"] == b"good"


def test_a_silent_worker_is_given_up_after_one_lease_however_its_connection_looks(bench: Any) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    [id] = submit(client, b"")
    lease(worker)
    bench.advance(60)
    bench.advance(15, silent=worker)
    assert id in bench.engine.part(Leases).running
    bench.advance(10, silent=worker)
    assert state(client, id) == StateNumber.READY
    assert worker.disconnected


def test_a_master_that_stood_still_counts_that_time_as_no_workers_silence(bench: Any) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    [id] = submit(client, b"")
    lease(worker)
    bench.now = bench.now._replace(wall=bench.now.wall + 60_000, mono=bench.now.mono + 60_000)
    bench.step()
    assert id in bench.engine.part(Leases).running
    assert not worker.disconnected


def test_a_jump_of_the_wall_clock_ends_no_lease(bench: Any) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    [id] = submit(client, b"")
    lease(worker)
    for jump in (3_600_000, -7_200_000):
        bench.now = bench.now._replace(wall=bench.now.wall + jump)
        bench.step()
    assert id in bench.engine.part(Leases).running


def test_a_task_that_kills_its_worker_is_quarantined_and_its_neighbours_are_not(bench: Any) -> None:
    client = bench.client()
    ids = submit(client, *(b"%d" % number for number in range(20)))
    poison = ids[0]
    for _ in range(3):
        worker = bench.worker("m:f")
        _, entries = lease(worker, 20)
        suspects = [entry[0] for entry in entries if True in entry[3:4]]
        if suspects:
            assert poison in suspects
            worker.call("get_dispatcher", "starting", [poison])
        worker.close()
        bench.advance(4)
    assert state(client, poison) == StateNumber.DEAD
    assert {state(client, id) for id in ids[1:]} == {StateNumber.READY}
    shown = Failure.decode(client.call("get_tasks", "show", poison)["result"])
    assert "died 3 times" in shown.message


def test_a_worker_that_leaves_hands_back_what_it_holds_without_grace_or_blame(bench: Any) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    [id] = submit(client, b"")
    lease(worker)
    worker.call("get_dispatcher", "leave")
    shown = client.call("get_tasks", "show", id)
    assert (shown["state"], shown["crashes"]) == (StateNumber.READY, 0)


def test_at_most_once_ends_lost_when_it_is_unknown_whether_it_ran(bench: Any) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    [id] = submit(client, b"", delivery="at_most_once")
    lease(worker)
    worker.close()
    bench.advance(4)
    assert state(client, id) == StateNumber.LOST


def test_at_most_once_and_retries_exclude_each_other(bench: Any) -> None:
    with pytest.raises(InvalidArgument, match="never started twice"):
        submit(bench.client(), b"", delivery="at_most_once", retries=1)


def test_a_waiting_task_is_cancelled_at_once_and_its_subscriber_is_notified(bench: Any) -> None:
    client = bench.client()
    [id] = submit(client, b"")
    client.call("get_result_queue", "watch", [id])
    assert client.call("get_tasks", "cancel", [id]) == [[id, StateNumber.CANCELLED]]
    assert client.call("get_result_queue", "collect", 1) == [[id, StateNumber.CANCELLED, None]]


def test_a_running_task_is_left_alone_when_only_what_waits_is_to_be_cancelled(bench: Any) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    running, waiting = submit(client, b"1", b"2")
    worker.call("get_dispatcher", "lease", 1)
    assert client.call("get_tasks", "cancel", [running, waiting], False) == [
        [running, StateNumber.RUNNING],
        [waiting, StateNumber.CANCELLED],
    ]
    assert bench.engine.part(Leases).cancelling == set()


def test_cancelling_a_running_task_orders_its_worker_and_survives_its_loss(bench: Any) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    [id] = submit(client, b"")
    lease(worker)
    orders = worker.ask("get_dispatcher", "orders")
    bench.step()
    assert client.call("get_tasks", "cancel", [id]) == [[id, StateNumber.RUNNING]]
    assert worker.answer(orders) == [["cancel", id, 1]]
    worker.close()
    bench.advance(4)
    assert state(client, id) == StateNumber.CANCELLED, "a task whose end was asked for is not run again"


def test_a_paused_queue_hands_out_nothing_and_says_so(bench: Any) -> None:
    admin, worker = bench.client(role=Role.ADMIN), bench.worker("m:f")
    admin.call("get_task_queue/q", "pause", "maintenance")
    waiting = worker.ask("get_dispatcher", "lease", 1)
    [id] = submit(admin, b"")
    assert waiting not in worker.answers
    assert "paused (maintenance)" in admin.call("get_tasks", "show", id)["why"]
    admin.call("get_task_queue/q", "resume")
    assert worker.answer(waiting)[1][0][3][0][0] == id


def test_a_task_not_started_in_time_expires(bench: Any) -> None:
    client = bench.client()
    [id] = submit(client, b"", expires=5)
    bench.advance(6)
    assert state(client, id) == StateNumber.EXPIRED


def test_a_task_that_failed_can_be_made_ready_again(bench: Any) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    [id] = submit(client, b"")
    lease_id, _ = lease(worker)
    worker.call("get_dispatcher", "finish", [row(id, 1, lease_id, ERROR, Failure("E", "").encode())])
    assert client.call("get_tasks", "retry", [id]) == [[id, StateNumber.READY]]
    _, [entry] = lease(worker)
    assert entry[1] == 2, "an attempt number is never used again"


def test_results_are_forgotten_when_they_are_too_old_or_too_many(make_bench: Any) -> None:
    bench = make_bench(results_max=2, result_ttl_ms=60_000)
    client, worker = bench.client(), bench.worker("m:f")
    ids = submit(client, b"1", b"2", b"3")
    for _ in range(3):
        lease_id, entries = lease(worker, 1)
        worker.call("get_dispatcher", "finish", [row(entry[0], 1, lease_id) for entry in entries])
        bench.advance(1)
    bench.advance(10)
    assert [one[1] for one in client.call("get_tasks", "states", ids)] == [
        -1,
        StateNumber.SUCCEEDED,
        StateNumber.SUCCEEDED,
    ]
    bench.advance(60)
    with pytest.raises(UnknownTask):
        client.call("get_tasks", "show", ids[2])


def test_watching_a_task_that_was_never_submitted_is_answered_with_unknown(bench: Any) -> None:
    client = bench.client()
    id = new_ids()
    client.call("get_result_queue", "watch", [id])
    assert client.call("get_result_queue", "collect", 1) == [[id, -1, None]]


def test_two_streams_of_one_session_each_receive_their_own_tasks(bench: Any) -> None:
    client = bench.client()
    one, two = submit(client, b"1", b"2")
    client.call("get_result_queue/a", "watch", [one])
    client.call("get_result_queue/b", "watch", [two])
    client.call("get_tasks", "cancel", [one, two])
    assert [entry[0] for entry in client.call("get_result_queue/b", "collect", 5)] == [two]
    assert [entry[0] for entry in client.call("get_result_queue/a", "collect", 5)] == [one]


def test_a_restarted_master_knows_its_leases_and_gives_workers_a_lease_to_come_back(
    make_bench: Any, open_kept: OpenKept
) -> None:
    before = make_bench(open_kept())
    client, worker = before.client(), before.worker("m:f")
    ids = submit(client, b"1", b"2")
    lease_id, _ = lease(worker)
    after = make_bench(open_kept())
    after.advance(10)
    back = after.worker("m:f", node=worker.session.node, held=[[id, 1, lease_id] for id in ids])
    assert back.announced["dropped"] == []
    assert back.call("get_dispatcher", "finish", [row(ids[0], 1, lease_id)]) == []
    later = make_bench(open_kept())
    later.advance(25)
    assert state(later.client(), ids[1]) == StateNumber.READY


def test_a_failed_commit_acknowledges_nothing_and_leaves_the_engine_usable(bench: Any) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    id = new_ids()
    call = client.ask("get_task_queue/q", "submit", "m:f", {}, [[id, b"x"]])

    def full_disk() -> None:
        raise StoreError("the store says: database or disk is full")

    bench.step(commit=full_disk)
    with pytest.raises(StoreError, match="full"):
        client.answer(call)
    assert worker.disconnected, "it connects again and says what it holds"
    assert client.call("get_tasks", "states", [id]) == [[id, -1]]
    assert client.call("get_task_queue/q", "submit", "m:f", {}, [[id, b"x"]]) == 1


def test_a_first_watch_that_met_a_failing_store_is_said_again_on_the_next_connection(bench: Any) -> None:
    """Its call is refused before the session has a stream, and its client relies on being hung up on."""
    client, other = bench.client(), bench.client()

    def failing(call: Any) -> None:
        raise StoreError("the disk: full")

    bench.engine.call(client.session, 10_000, failing)
    bench.step()
    assert (client.disconnected, other.disconnected) == ("the store failed; connect again", "")


def test_a_key_for_some_queues_can_use_no_other(bench: Any) -> None:
    client = bench.client(queues=("gpu.*",))
    submit(client, b"", queue="gpu.a")
    with pytest.raises(Forbidden, match=r"gpu\.\*"):
        submit(client, b"", queue="mail")


@pytest.mark.parametrize(
    ("tasks", "options"),
    [
        ([[b"short", b""]], {}),
        ([[b"x" * 16, "text"]], {}),
        ([b"x"], {}),
        ({}, {}),
        ([], {"nonsense": 1}),
        ([], {"retries": -1}),
        ([], {"priority": "high"}),
        ([], {"delay": float("nan")}),
        ([], {"timeout": 0}),
    ],
)
def test_a_malformed_submit_is_refused_and_changes_nothing(bench: Any, tasks: Any, options: Any) -> None:
    client = bench.client()
    with pytest.raises(InvalidArgument):
        client.call("get_task_queue/q", "submit", "m:f", options, tasks)
    assert sum(queue["ready"] for queue in client.call("get_queues", "list")) == 0


def test_a_worker_must_announce_itself_before_anything_else(bench: Any) -> None:
    worker = bench.client(role=Role.WORKER)
    with pytest.raises(ProtocolError, match="announce"):
        worker.call("get_dispatcher", "lease", 1)


MEBIBYTE = b"x" * 1024 * 1024


@pytest.mark.parametrize("waits", [True, False], ids=["handed over", "stored before"])
def test_large_tasks_are_leased_in_portions_that_fit_a_frame(bench: Any, waits: bool) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    call = worker.ask("get_dispatcher", "lease", 100) if waits else None
    bench.step()
    submit(client, *[MEBIBYTE] * 10)
    if call is None:
        call = worker.ask("get_dispatcher", "lease", 100)
        bench.step()
    _, groups = worker.answer(call)
    assert len(each(groups)) == 4
    assert [len(lease(worker, 100)[1]) for _ in range(2)] == [4, 2]


@pytest.mark.parametrize("waits", [True, False], ids=["handed over", "stored before"])
def test_a_task_of_nearly_a_frame_travels_alone_even_behind_others(bench: Any, waits: bool) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    call = worker.ask("get_dispatcher", "lease", 100) if waits else None
    bench.step()
    submit(client, b"small", MEBIBYTE * 15, b"small")
    if call is None:
        call = worker.ask("get_dispatcher", "lease", 100)
        bench.step()
    _, groups = worker.answer(call)
    assert len(each(groups)) == 1
    assert [len(lease(worker, 100)[1]) for _ in range(2)] == [1, 1]


def test_a_result_of_nearly_a_frame_is_collected_alone_even_behind_others(bench: Any) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    ids = submit(client, b"1", b"2", b"3")
    lease_id, _ = lease(worker)
    rows = [
        row(id, 1, lease_id, body=body) for id, body in zip(ids, (b"r", MEBIBYTE * 15, b"r"), strict=True)
    ]
    client.call("get_result_queue", "watch", ids)
    worker.call("get_dispatcher", "finish", rows)
    assert [len(client.call("get_result_queue", "collect", 100)) for _ in range(3)] == [1, 1, 1]


def test_small_tasks_after_large_ones_are_leased_by_their_number_again(bench: Any) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    [id] = submit(client, MEBIBYTE)
    lease_id, _ = lease(worker)
    worker.call("get_dispatcher", "finish", [row(id, 1, lease_id)])
    submit(client, *[b"x"] * 50)
    assert not any(route.has_large for route in bench.engine.part(Routes))
    assert len(lease(worker, 100)[1]) == 50


def test_arguments_that_no_frame_could_bring_to_a_worker_are_refused_at_submit(make_bench: Any) -> None:
    bench = make_bench(payload_bytes_max=1_000)
    submit(bench.client(), b"x" * 1_000)
    with pytest.raises(InvalidArgument, match=r"the arguments have 1,001 bytes, the limit is 1,000"):
        submit(bench.client(), b"x" * 1_001)


def test_what_a_session_asked_before_its_goodbye_is_done(bench: Any) -> None:
    client, other = bench.client(), bench.client()
    id = new_ids()
    client.ask("get_task_queue/q", "submit", "m:f", {}, [[id, b""]])
    parked = client.ask("get_result_queue", "collect", 1)
    bench.engine.sessions.leaving(client.session)
    bench.step()
    assert not client.session.open
    assert parked not in client.answers
    assert state(other, id) == StateNumber.READY


def test_a_session_that_leaves_while_the_store_fails_is_closed_all_the_same(bench: Any) -> None:
    client = bench.client()
    client.ask("get_task_queue/q", "submit", "m:f", {}, [[new_ids(), b""]])
    bench.engine.store.begin = lambda: (_ for _ in ()).throw(StoreError("the disk is gone"))
    bench.engine.sessions.leaving(client.session)
    bench.step()
    assert not client.session.open
    assert not bench.engine.has_work
