"""Maps of tasks that are the same by a key, and results that are returned again, on the shipped engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import tq
from tq.common.domain.id_runs import IdRun
from tq.common.domain.model import Role, StateNumber
from tq.common.domain.unique import cached, wire_of_many
from tq.common.errors import InvalidArgument, TaskConflict
from tq.master.tasks.unique_call import UNIQUE_TASKS_MAX
from tq.master.tasks.uniques import SWEPT_TOGETHER

from ..conftest import Bench, Peer
from ..flows.conftest import run_of
from .test_explain import finish, lease
from .test_uniques import QUEUE, state, submit


@pytest.fixture
def client(bench: Bench) -> Peer:
    return bench.client(role=Role.ADMIN)


def ask_many(
    peer: Peer, keys: Sequence[str], unique: tq.Unique | None = None, run: IdRun | None = None, **options: Any
) -> tuple[IdRun, int]:
    run = run or run_of(len(keys))
    terms = wire_of_many(unique or tq.Unique(), keys)
    payloads = [key.encode() for key in keys]
    return run, peer.ask(QUEUE, "submit", "m:f", options, [[run.first, payloads]], *[None] * 6, "wait", terms)


def submit_many(
    peer: Peer, keys: Sequence[str], unique: tq.Unique | None = None, run: IdRun | None = None, **options: Any
) -> list[bytes]:
    """The task that each place has."""
    run, call = ask_many(peer, keys, unique, run, **options)
    peer.bench.step()
    instead = dict(peer.answer(call))
    return [instead.get(place, id) for place, id in enumerate(run.ids())]


def ready(peer: Peer) -> int:
    return sum(row["ready"] for row in peer.call("get_queues", "list"))


def test_each_element_is_judged_with_its_key_and_the_others_are_stored_in_order(client: Peer) -> None:
    first = submit(client, "b")
    found = submit_many(client, ["a", "b", "c", "a", "b", "d"])
    assert (found[1], found[4]) == (first, first)
    assert found[3] == found[0]
    assert len(set(found)) == 4
    assert ready(client) == 4
    assert submit_many(client, ["d", "a", "x"])[:2] == [found[5], found[0]]
    assert submit(client, "c") == found[2], "the key of an element is a key as any other"


def test_elements_with_keys_of_their_own_stay_an_array(bench: Bench, client: Peer) -> None:
    _, call = ask_many(client, [str(number) for number in range(500)])
    bench.step()
    assert client.answer(call) == []
    [row] = client.call("get_tasks", "lines", {})["rows"]
    assert row["tasks"] == 500


def test_a_key_is_free_again_when_its_element_has_ended(bench: Bench, client: Peer) -> None:
    found = submit_many(client, ["a", "b"])
    worker = bench.worker("m:f")
    held = lease(worker, 2)
    assert submit_many(client, ["a", "b"]) == found
    finish(worker, held[:1])
    again = submit_many(client, ["a", "b"])
    assert (again[0] == found[0], again[1] == found[1]) == (False, True)


def test_a_map_that_is_submitted_again_is_the_same_map(bench: Bench, client: Peer) -> None:
    run = run_of(3)
    found = submit_many(client, ["a", "b", "a"], run=run)
    assert found == [run.ids()[0], run.ids()[1], run.ids()[0]]
    assert submit_many(client, ["a", "b", "a"], run=run) == found
    assert ready(client) == 2


def test_raise_stores_none_of_a_call_with_a_conflict(bench: Bench, client: Peer) -> None:
    raising = tq.Unique(on_conflict="raise")
    submit(client, "c")
    for keys, why in (
        (["a", "c"], "has the same key 'c'"),
        (["a", "b", "a"], "two tasks of this map have the same key 'a'"),
    ):
        _, call = ask_many(client, keys, raising)
        bench.step()
        with pytest.raises(TaskConflict, match=why):
            client.answer(call)
    assert ready(client) == 1
    assert len(set(submit_many(client, ["a", "b"], raising))) == 2


def test_replace_stores_the_last_of_each_key(bench: Bench, client: Peer) -> None:
    replacing = tq.Unique(on_conflict="replace")
    waiting = submit_many(client, ["a", "b"])
    found = submit_many(client, ["a", "c", "a"], replacing)
    assert found[0] == found[2] != waiting[0]
    assert [state(client, id) for id in waiting] == [StateNumber.CANCELLED, StateNumber.READY]
    worker = bench.worker("m:f")
    held = [id for id, *_ in lease(worker, 10)]
    assert set(held) == {waiting[1], found[1], found[2]}
    assert submit_many(client, ["a"], replacing) != [found[2]], "one that runs does not wait"


def test_what_is_delayed_is_met_where_that_is_a_conflict(client: Peer) -> None:
    running = tq.Unique(states=["running"])
    assert len(set(submit_many(client, ["a", "a"], running))) == 2, "one that waits is none"
    scheduled = tq.Unique(states=["scheduled"])
    assert len(set(submit_many(client, ["b", "b"], scheduled, delay=60))) == 1


def test_a_result_is_returned_for_so_long_after_its_success(bench: Bench, client: Peer) -> None:
    hour = cached(3600, None)
    [first] = submit_many(client, ["a"], hour)
    worker = bench.worker("m:f")
    held = lease(worker, 1)
    assert submit_many(client, ["a"], hour) == [first], "single flight"
    bench.advance(3_000)
    finish(worker, held)
    bench.advance(3_599)
    assert submit_many(client, ["a", "b"], hour)[0] == first, "counted from its end"
    assert submit_many(client, ["a"], cached(True, None)) == [first]
    assert submit_many(client, ["a"], cached(60, None)) != [first], "what the next one says counts"
    bench.advance(1)
    assert submit_many(client, ["b"], hour) != [first]


def test_a_failed_end_is_not_returned(bench: Bench, client: Peer) -> None:
    hour = cached(3600, None)
    [first] = submit_many(client, ["a"], hour)
    worker = bench.worker("m:f")
    [held] = lease(worker, 1)
    worker.call("get_dispatcher", "finish", [[*held, 3, b"", 0.0, 0.1, None]])
    assert state(client, first) == StateNumber.FAILED
    assert submit_many(client, ["a"], hour) != [first]


def test_keys_outlive_the_master_and_rows_go_when_they_are_of_no_use(
    make_bench: Callable[..., Bench],
) -> None:
    bench = make_bench()
    client = bench.client()
    found = submit_many(client, ["a", "b", "c"])
    after = Bench(bench.engine.store, now=bench.now)
    client = after.client(role=Role.ADMIN)
    assert submit_many(client, ["a", "b", "c"]) == found
    client.call("get_tasks", "cancel", [[found[0], 3]])
    for number in range(SWEPT_TOGETHER):
        submit(client, f"other {number}")
    rows = {row.key for _, row in after.engine.store.uniques.behind(0, 100)}
    assert rows == {f"other {number}" for number in range(SWEPT_TOGETHER)}


def test_a_map_waits_for_room_in_a_full_queue_with_its_keys(bench: Bench, client: Peer) -> None:
    client.call("get_queues", "set", "q", 2)
    there = submit(client, "b")
    run, call = ask_many(client, ["a", "b", "c", "a"])
    bench.step()
    assert call not in client.answers
    worker = bench.worker("m:f")
    for _ in range(3):
        finish(worker, lease(worker, 1))
        bench.step()
    instead = dict(client.answer(call))
    assert instead.get(3) == run.ids()[0] or 3 not in instead, "the first one may have ended by then"
    assert instead.get(1, there) in (there, run.ids()[1])


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("k", "has a column of their keys"),
        ([["a"], [0]], "a column of 2 tasks has a number for each"),
        ([["a" * 300], [0, 0]], "at most 256"),
    ],
)
def test_keys_that_do_not_fit_the_tasks_are_refused(client: Peer, key: Any, why: str) -> None:
    rows = [[run_of(2).first, [b"", b""]]]
    with pytest.raises(InvalidArgument, match=why):
        client.call(QUEUE, "submit", "m:f", {}, rows, *[None] * 6, "wait", [key, 15, None, "return"])


def test_a_call_has_a_bound_of_such_tasks(bench: Bench, client: Peer) -> None:
    _, call = ask_many(client, ["k"] * (UNIQUE_TASKS_MAX + 1))
    bench.step()
    with pytest.raises(InvalidArgument, match="at most 1,000 such tasks"):
        client.answer(call)
