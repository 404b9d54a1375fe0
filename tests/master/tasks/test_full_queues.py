"""Queues of tasks with a bound, on the shipped engine: who waits, who is refused, and that the bound holds at every commit."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from tq.common.domain.ids import IdSource, consecutive_ids, id_behind, new_ids
from tq.common.domain.model import Role, StateNumber
from tq.common.errors import Full, InvalidArgument, StoreError, TaskConflict, WouldDeadlock
from tq.master.engine.session import Session
from tq.master.tasks.full_queues import FullQueues
from tq.master.tasks.judging import SubmitJudge
from tq.master.tasks.routes import Routes
from tq.master.tasks.subscriptions import Subscriptions

from tests.master.leased import each

from ..conftest import Bench, Peer
from .test_explain import finish, lease

QUEUE = "get_task_queue/q"


@pytest.fixture
def client(bench: Bench) -> Peer:
    return bench.client(role=Role.ADMIN)


def bounded(client: Peer, maxsize: int) -> None:
    client.call("get_queues", "set", "q", maxsize)


def rows(count: int, ids: list[bytes] | None = None) -> list[Any]:
    ids = ids or consecutive_ids(IdSource().take(count), count)
    return [[ids[0], [b"x"] * count]] if count > 1 else [[ids[0], b"x"]]


def ask(peer: Peer, tasks: list[Any], on_full: str = "wait", task: str = "m:f", **options: Any) -> int:
    nothing = [None] * 6
    return peer.ask(QUEUE, "submit", task, options, tasks, *nothing, on_full)


def submit(peer: Peer, tasks: list[Any], on_full: str = "wait", **options: Any) -> Any:
    call = ask(peer, tasks, on_full, **options)
    peer.bench.step()
    return peer.answer(call)


def waiting(bench: Bench) -> int:
    """By its lanes, and as it is counted without looking at each."""
    queue = bench.engine.part(Routes).queue("q")
    assert queue.waiting == sum(sum(lane.counts[: StateNumber.RUNNING]) for lane in bench.engine.part(Routes))
    return queue.waiting


def shown(client: Peer) -> dict[str, Any]:
    [row] = client.call("get_queues", "list")
    return dict(row)


def test_a_submit_that_waits_is_judged_once_and_each_portion_stands_in_its_lanes(
    bench: Bench, client: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounded(client, 1)
    judged: list[int] = []
    judge = SubmitJudge.submission

    def counting(self: SubmitJudge, said: Any, route: Any, runs: Any) -> Any:
        judged.append(1)
        return judge(self, said, route, runs)

    monkeypatch.setattr(SubmitJudge, "submission", counting)
    limit = {"name": "api", "max_running": 100}
    columns = {"limits": [[limit, [["a", "b"], [0] * 4 + [1] * 4]]]}
    tasks = rows(8)
    call = client.ask(QUEUE, "submit", "m:f", {}, tasks, *[None] * 5, columns, "wait")
    bench.step()
    worker, keys = bench.worker("m:f", slots=9), list[str]()
    for _ in range(8):
        assert waiting(bench) == 1
        [[id, *_]] = lease(worker, 1)
        [found] = bench.engine.store.find([id])
        keys += [key for _, key, _ in bench.engine.part(Routes).by_number[found.route].key.limits]
        bench.step()
        bench.step()
    assert client.answer(call) == 8
    assert keys == ["a"] * 4 + ["b"] * 4
    assert sum(judged) == 2  # when it came, and for the first portion


def test_what_waits_in_a_full_queue_is_counted_through_cancels_deletes_and_failed_transactions(
    bench: Bench, client: Peer
) -> None:
    tasks = rows(6)
    submit(client, tasks)
    bounded(client, 9)
    worker = bench.worker("m:f")
    held = lease(worker, 2)
    assert waiting(bench) == 4
    worker.call("get_dispatcher", "release", held[:1])
    assert waiting(bench) == 5
    first = id_behind(tasks[0][0], 4)
    client.call("get_tasks", "cancel", [first])
    assert waiting(bench) == 4
    client.call("get_tasks", "retry", [first])
    assert waiting(bench) == 5
    bench.engine.part(Routes).load(bench.engine.store.load(), bench.engine.now)
    assert waiting(bench) == 5
    client.call("get_tasks", "purge", {"states": [0]})
    assert waiting(bench) == 0


def test_a_submit_waits_for_room_and_is_answered_when_all_of_it_is_stored(bench: Bench, client: Peer) -> None:
    bounded(client, 3)
    assert submit(client, rows(2)) == 2
    call = ask(client, rows(4))
    bench.step()
    assert (waiting(bench), client.answers) == (3, {})
    assert (shown(client)["maxsize"], shown(client)["submits_waiting"]) == (3, 1)
    worker = bench.worker("m:f")
    lease(worker, 2)
    bench.step()
    assert (waiting(bench), client.answers) == (3, {})
    lease(worker, 1)
    bench.step()
    assert (waiting(bench), client.answer(call)) == (3, 4)
    assert shown(client)["submits_waiting"] == 0


def test_submits_are_accepted_in_the_order_of_their_calls(bench: Bench, client: Peer) -> None:
    bounded(client, 2)
    submit(client, rows(2))
    large, small = ask(client, rows(2)), ask(client, rows(1))
    bench.step()
    worker = bench.worker("m:f")
    lease(worker, 1)
    bench.step()
    assert client.answers == {}
    lease(worker, 1)
    bench.step()
    assert (client.answer(large), client.answers) == (2, {})
    lease(worker, 2)
    bench.step()
    assert client.answer(small) == 1


def test_a_submit_that_does_not_wait_is_refused_whole(bench: Bench, client: Peer) -> None:
    bounded(client, 3)
    submit(client, rows(2), "raise")
    with pytest.raises(Full, match="has room for 1 of these 2 tasks: at most 3 may wait in it"):
        submit(client, rows(2), "raise")
    assert submit(client, rows(1), "raise") == 1
    with pytest.raises(Full, match="queue q is full: 3 of at most 3 tasks wait in it; try again later"):
        submit(client, rows(1), "raise")
    assert waiting(bench) == 3


def test_what_is_submitted_together_is_counted_together(bench: Bench, client: Peer) -> None:
    bounded(client, 3)
    calls = [ask(client, rows(1), "raise") for _ in range(5)]
    bench.step()
    replies = [client.answers[call] for call in calls]
    assert [error is None for _, error in replies] == [True, True, True, False, False]
    assert waiting(bench) == 3


def test_a_repeated_submit_is_answered_whatever_the_bound(bench: Bench, client: Peer) -> None:
    bounded(client, 2)
    ids = consecutive_ids(IdSource().take(2), 2)
    submit(client, rows(2, ids))
    for how in ("wait", "raise"):
        assert submit(client, rows(2, ids), how) == 0
    with pytest.raises(TaskConflict):
        submit(client, [[ids[0], [b"x", b"other"]]])
    assert waiting(bench) == 2


def test_a_program_that_was_away_sends_its_submit_again_and_nothing_is_stored_twice(
    bench: Bench, client: Peer
) -> None:
    bounded(client, 2)
    ids = consecutive_ids(IdSource().take(5), 5)
    program = bench.client()
    ask(program, rows(5, ids))
    bench.step()
    program.close()
    again = bench.client()
    call = ask(again, rows(5, ids))
    bench.step()
    assert (waiting(bench), again.answers) == (2, {})
    worker = bench.worker("m:f")
    seen = [id for _ in range(3) for id, *_ in lease(worker, 2)]
    assert again.answer(call) == 3
    assert sorted(seen) == ids


def test_a_submit_that_is_sent_again_gets_the_ends_of_what_was_stored_before(
    bench: Bench, client: Peer
) -> None:
    bounded(client, 1)
    ids = consecutive_ids(IdSource().take(3), 3)
    program = bench.client()
    ask(program, rows(3, ids))
    bench.step()
    program.close()
    again = bench.client()
    call = again.ask(QUEUE, "submit", "m:f", {}, rows(3, ids), "outcomes", *[None] * 5, "wait")
    worker, ended = bench.worker("m:f"), list[bytes]()
    for _ in range(3):
        collected = again.ask("get_result_queue/outcomes", "collect")
        finish(worker, lease(worker, 1))
        bench.step()
        ended += [id for id, *_ in again.answer(collected)]
    assert again.answer(call) == 2
    assert ended == ids


def test_a_failed_transaction_loses_and_doubles_nothing(bench: Bench, client: Peer) -> None:
    bounded(client, 2)
    ids = consecutive_ids(IdSource().take(6), 6)
    call = ask(client, rows(6, ids))
    bench.step()
    worker = bench.worker("m:f")

    def fail() -> None:
        raise StoreError("the disk does not answer")

    worker.ask("get_dispatcher", "lease", 1)
    bench.step(commit=fail)  # one was leased, and another one accepted in its place
    bench.advance(1)
    worker, seen = bench.worker("m:f"), list[bytes]()  # the other one is to connect again
    while len(seen) < 6:
        seen += [id for id, *_ in lease(worker, 1)]
        assert waiting(bench) <= 2
    assert (client.answer(call), sorted(seen)) == (6, ids)


def test_a_disk_that_fails_while_what_waits_is_accepted_voids_the_transaction_and_refuses_no_submit(
    bench: Bench, client: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounded(client, 2)
    ids = consecutive_ids(IdSource().take(6), 6)
    call = ask(client, rows(6, ids))
    bench.step()

    def fail(*_: Any) -> Any:
        monkeypatch.undo()
        raise StoreError("the disk does not answer")

    worker = bench.worker("m:f")
    monkeypatch.setattr(FullQueues, "_in_lanes", fail)
    leasing = worker.ask("get_dispatcher", "lease", 1)
    assert bench.step().failed
    with pytest.raises(StoreError):
        worker.answer(leasing)
    assert call not in client.answers
    bench.advance(1)
    worker, seen = bench.worker("m:f"), list[bytes]()
    while len(seen) < 6:
        seen += [id for id, *_ in lease(worker, 1)]
        assert waiting(bench) <= 2
    assert (client.answer(call), sorted(seen)) == (6, ids)


def test_waiting_workers_take_more_than_the_bound(bench: Bench, client: Peer) -> None:
    bounded(client, 2)
    worker = bench.worker("m:f", slots=10)
    asked = worker.ask("get_dispatcher", "lease", 3)
    bench.step()
    call = ask(client, rows(5))
    for _ in range(3):
        bench.step()
    assert worker.answer(asked)[1]
    assert (waiting(bench), client.answers) == (2, {})
    lease(worker, 1)
    bench.step()
    assert client.answer(call) == 5


def test_a_task_that_submits_to_its_own_full_queue_is_refused(bench: Bench, client: Peer) -> None:
    bounded(client, 1)
    submit(client, rows(1))
    worker = bench.worker("m:f")
    [[id, _, held]] = lease(worker, 1)
    submit(client, rows(1))
    parent = [None] * 4 + [[id, held]]
    with pytest.raises(WouldDeadlock, match="submits to its own queue q, which is full"):
        client.call(QUEUE, "submit", "m:f", {}, rows(1), *parent)
    with pytest.raises(Full):
        client.call(QUEUE, "submit", "m:f", {}, rows(1), *parent, None, "raise")
    client.call("get_queues", "set", "r", 1)
    client.call("get_task_queue/r", "submit", "m:f", {}, rows(1))
    other = client.ask("get_task_queue/r", "submit", "m:f", {}, rows(1), *parent)
    bench.step()
    assert other not in client.answers  # another queue's tasks may make room


def test_why_says_that_the_tasks_of_two_full_queues_wait_for_room_in_each_other(
    bench: Bench, client: Peer
) -> None:
    bounded(client, 1)
    client.call("get_queues", "set", "r", 1)
    worker = bench.worker("m:f", slots=2)
    parents: list[list[Any]] = []
    for name in ("q", "r"):
        client.call(f"get_task_queue/{name}", "submit", "m:f", {}, rows(1))
        [[id, _, held]] = lease(worker, 1)
        parents.append([id, held])
    waits = {name: rows(1) for name in ("q", "r")}
    for name, tasks in waits.items():
        client.call(f"get_task_queue/{name}", "submit", "m:f", {}, tasks)

    def why() -> str:
        return str(client.call("get_tasks", "show", waits["q"][0][0])["why"])

    client.ask("get_task_queue/r", "submit", "m:f", {}, rows(1), *[None] * 4, parents[0])
    bench.step()
    assert "wait for room" not in why(), "the other one may end"
    client.ask(QUEUE, "submit", "m:f", {}, rows(1), *[None] * 4, parents[1])
    bench.step()
    assert why() == (
        "all 2 slots that serve it are busy: the tasks that have them wait for room in queue q, which is full, and in others, and no slot is "
        "left to make some. Raise a bound (tq queues set q --maxsize N), or start a worker more; have such tasks submit with "
        "using(on_full='raise')"
    )


def test_a_bound_that_is_raised_or_removed_lets_in_what_waits(bench: Bench, client: Peer) -> None:
    bounded(client, 1)
    submit(client, rows(1))
    call = ask(client, rows(3))
    bench.step()
    bounded(client, 2)
    assert waiting(bench) == 2
    bounded(client, 0)
    assert (waiting(bench), client.answer(call)) == (4, 3)
    assert submit(client, rows(5)) == 5


def test_a_bound_below_what_waits_takes_nothing_away(bench: Bench, client: Peer) -> None:
    submit(client, rows(5))
    bounded(client, 2)
    assert waiting(bench) == 5
    with pytest.raises(Full):
        submit(client, rows(1), "raise")


def test_a_retry_and_a_scheduled_task_count_and_are_never_refused(bench: Bench, client: Peer) -> None:
    bounded(client, 1)
    submit(client, rows(1), delay=60)
    with pytest.raises(Full):
        submit(client, rows(1), "raise")
    bench.advance(61)
    worker = bench.worker("m:f")
    [held] = lease(worker, 1)
    submit(client, rows(1))
    worker.call("get_dispatcher", "release", [held])
    assert waiting(bench) == 2


def test_a_watch_of_many_unknown_tasks_looks_at_the_submits_that_wait_once(
    bench: Bench, client: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounded(client, 1)
    submit(client, rows(1))
    for _ in range(5):
        ask(client, rows(2))
    bench.step()
    asked: list[int] = []
    coming = FullQueues.coming
    subscriptions, queues = bench.engine.part(Subscriptions), bench.engine.part(FullQueues)

    def counting(session: Session) -> set[bytes]:
        asked.append(1)
        return coming(queues, session)

    monkeypatch.setattr(subscriptions, "coming", counting)
    client.call("get_result_queue", "watch", [new_ids() for _ in range(100)])
    assert sum(asked) == 1
    assert len(coming(queues, client.session)) == 10


def test_what_waits_for_room_may_be_watched(bench: Bench, client: Peer) -> None:
    bounded(client, 1)
    submit(client, rows(1))
    late = new_ids()
    call = ask(client, [[late, b"x"]])
    client.call("get_result_queue", "watch", [late])
    worker = bench.worker("m:f")
    finish(worker, lease(worker, 1))
    bench.step()
    assert client.answer(call) == 1
    collected = client.ask("get_result_queue", "collect")
    finish(worker, lease(worker, 1))
    bench.step()
    [[id, *_]] = client.answer(collected)
    assert id == late


@pytest.mark.parametrize("bad", [-1, 1.5, True, "10", 2**40])
def test_a_bound_is_judged(client: Peer, bad: Any) -> None:
    with pytest.raises(InvalidArgument, match="maxsize"):
        client.call("get_queues", "set", "q", bad)


def test_what_a_submit_does_when_its_queue_is_full_is_judged(client: Peer) -> None:
    with pytest.raises(InvalidArgument, match="on_full='drop' is unknown; use 'wait' or 'raise'"):
        submit(client, rows(1), "drop")


def test_the_bound_survives_a_restart(make_bench: Callable[..., Bench], bench: Bench, client: Peer) -> None:
    bounded(client, 1)
    submit(client, rows(1))
    bench.engine.part(Routes).load(bench.engine.store.load(), bench.now)
    with pytest.raises(Full):
        submit(client, rows(1), "raise")


@pytest.mark.parametrize("seed", range(5))
def test_whatever_comes_the_bound_holds_and_each_task_is_stored_once(
    bench: Bench, client: Peer, seed: int
) -> None:
    draw = random.Random(seed)  # noqa: S311 - no secret
    bounded(client, 5)
    worker, programs = bench.worker("m:f", slots=50), [bench.client() for _ in range(3)]
    asked: list[tuple[Peer, int, int]] = []
    left, seen, leases = 60, set[bytes](), list[int]()
    while left or any(call not in peer.answers for peer, call, _ in asked) or len(seen) < 60:
        if left and draw.random() < 0.6:
            peer, tasks = draw.choice(programs), min(left, draw.randint(1, 12))
            asked.append((peer, ask(peer, rows(tasks)), tasks))
            left -= tasks
        if not leases and draw.random() < 0.5:
            leases.append(worker.ask("get_dispatcher", "lease", draw.randint(1, 4)))
        bench.step()
        assert waiting(bench) <= 5
        if leases and leases[0] in worker.answers:
            ids = [id for id, *_ in each(worker.answer(leases.pop())[1])]
            assert seen.isdisjoint(ids)
            seen.update(ids)
    assert [peer.answer(call) for peer, call, _ in asked] == [tasks for *_, tasks in asked]


def test_a_submit_that_is_refused_takes_no_room(bench: Bench, client: Peer) -> None:
    bounded(client, 10)
    [known] = rows(1)
    submit(client, [known])
    with pytest.raises(TaskConflict):
        submit(client, [[known[0], b"other"], *([id, b"y"] for id in (new_ids() for _ in range(8)))])
    assert submit(client, rows(8), "raise") == 8
