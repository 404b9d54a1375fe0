"""Pausing queues of plain values, and what operators see of queues and locks, and do with them."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.model import Role
from tq.common.errors import Forbidden, InvalidArgument
from tq.master.locks import admin as admin_module

from ..conftest import OpenKept
from ..items.test_items import QUEUE, Putter, take, token
from .test_locks import GRACE_SECONDS, LEASE_SECONDS, LOCK, SEMAPHORE

LOCKS = "get_locks"


def test_a_paused_queue_gives_nothing_out_until_it_goes_on_and_takes_what_is_put(bench: Any) -> None:
    client, other, admin = bench.client(), bench.client(), bench.client(role=Role.ADMIN)
    putter = Putter(client)
    putter.put(b"a")
    admin.call(("get_task_queue", "q"), "pause", "moving")
    assert client.call(QUEUE, "get", token(), False) is None
    first, second = token(), token()
    calls = [client.ask(QUEUE, "get", first, True), other.ask(QUEUE, "get", second, True)]
    bench.step()
    assert putter.put(b"b") is True
    assert (client.answers, other.answers) == ({}, {})
    assert client.call(QUEUE, "size") == [2, 0, "fifo", 2]
    admin.call(("get_task_queue", "q"), "resume")
    assert [client.answer(calls[0]), other.answer(calls[1])] == [b"a", b"b"]


def test_a_queue_stays_paused_over_a_restart_and_what_is_given_back_waits(
    make_bench: Any, open_kept: OpenKept
) -> None:
    bench = make_bench(open_kept())
    client, admin = bench.client(), bench.client(role=Role.ADMIN)
    putter, mine = Putter(client), token()
    putter.put(b"a")
    assert client.call(QUEUE, "get", mine, False) == b"a"
    admin.call(("get_task_queue", "q"), "pause", "")
    waits = client.ask(QUEUE, "get", token(), True)
    client.call(QUEUE, "release", [mine])
    assert waits not in client.answers
    bench = make_bench(open_kept())
    client, admin = bench.client(), bench.client(role=Role.ADMIN)
    assert client.call(QUEUE, "get", token(), False) is None
    admin.call(("get_task_queue", "q"), "resume")
    assert take(client) == b"a"


def test_who_waits_for_room_in_a_paused_queue_is_served_when_it_goes_on(bench: Any) -> None:
    client, other, admin = bench.client(), bench.client(), bench.client(role=Role.ADMIN)
    small = ("get_queue", "small", "fifo", 1)
    putter = Putter(client, small)
    putter.put(b"a")
    admin.call(("get_task_queue", "small"), "pause", "")
    gets = other.ask(small, "get", token(), True)
    puts = putter.ask(b"b", step=True)
    assert (client.answers.get(puts), other.answers) == (None, {})
    admin.call(("get_task_queue", "small"), "resume")
    assert (other.answer(gets), client.answer(puts)) == (b"a", True)
    assert take(client, small) == b"b"


def test_a_queue_that_is_shut_while_it_is_paused_still_gives_what_it_has(bench: Any) -> None:
    client, others, admin = bench.client(), [bench.client() for _ in range(2)], bench.client(role=Role.ADMIN)
    Putter(client).put(b"a")
    admin.call(("get_task_queue", "q"), "pause", "")
    calls = [one.ask(QUEUE, "get", token(), True) for one in others]
    client.call(QUEUE, "shutdown", False)
    assert [one.answers for one in others] == [{}, {}]
    admin.call(("get_task_queue", "q"), "resume")
    assert [one.answer(call) for one, call in zip(others, calls, strict=True)] == [b"a", False]


# queues, for operators


def test_a_queue_is_listed_with_its_kind_and_who_waits(bench: Any) -> None:
    client, other, viewer = bench.client(), bench.client(), bench.client(role=Role.VIEWER)
    putter = Putter(client)
    for payload in (b"a", b"b"):
        putter.put(payload)
    client.call(QUEUE, "get", token(), False)
    other.ask(("get_queue", "empty"), "get", token(), True)
    bench.step()
    rows = {row["name"]: row for row in viewer.call("get_queues", "list")}
    assert rows["q"]["items"] == 1
    shown = rows["q"]["item_queue"]
    assert shown.pop("come") > shown.pop("gone") == 0.0
    assert shown == {
        "kind": "fifo",
        "maxsize": 0,
        "taken": 1,
        "unfinished": 2,
        "getting": 0,
        "putting": 0,
        "joining": 0,
        "shut": False,
    }
    assert rows["empty"]["item_queue"]["getting"] == 1


def test_a_queue_is_deleted_only_when_it_is_not_in_use_and_with_its_items_only_on_request(
    make_bench: Any, open_kept: OpenKept
) -> None:
    bench = make_bench(open_kept())
    client, admin, mine = bench.client(), bench.client(role=Role.ADMIN), token()
    putter = Putter(client)
    for payload in (b"a", b"b"):
        putter.put(payload)
    client.call(QUEUE, "get", mine, False)
    with pytest.raises(InvalidArgument, match="in use: 1 taken and not confirmed"):
        admin.call("get_queues", "delete", "q", True)
    client.call(QUEUE, "confirm", [mine])
    with pytest.raises(InvalidArgument, match=r"is not empty .1 in it.*tq queues delete q --items"):
        admin.call("get_queues", "delete", "q")
    assert admin.call("get_queues", "delete", "q", True) == 1
    with pytest.raises(InvalidArgument, match="no item queue 'q'"):
        admin.call("get_queues", "delete", "q")
    bench = make_bench(open_kept())
    assert bench.client().call(QUEUE, "size") == [0, 0, "fifo", 0]


# locks, for operators


def test_locks_events_and_barriers_are_listed_with_who_holds_and_waits(bench: Any) -> None:
    client, other, viewer = bench.client(), bench.client(), bench.client(role=Role.VIEWER)
    client.call(LOCK, "acquire", token())
    other.ask(LOCK, "acquire", token())
    client.call(("get_event", "ready"), "set", token())
    client.call(("get_lock", "own.x", "lock", 1, True), "acquire", token())
    answer = viewer.call(LOCKS, "list")
    event, lock = answer["rows"]
    assert (event["name"], event["kind"], event["value"]) == ("ready", "event", 1)
    assert (lock["name"], lock["kind"], lock["held"], lock["waiters"]) == ("x", "lock", 1, 1)
    [holder] = lock["holders"]
    assert (holder["node"], holder["token"]) == (client.session.node.hex(), 1)
    assert holder["address"] == client.session.address
    assert holder["since"] == pytest.approx(bench.now.wall / 1000, abs=1)
    assert answer["left_out"] == 0


def test_a_lock_that_is_taken_away_goes_to_the_next_waiter_and_its_holder_learns_it(bench: Any) -> None:
    client, other, admin, mine = bench.client(), bench.client(), bench.client(role=Role.ADMIN), token()
    client.call(LOCK, "acquire", mine)
    waits = other.ask(LOCK, "acquire", token())
    bench.step()
    with pytest.raises(InvalidArgument, match="token 7 does not hold lock 'x'; held by 1"):
        admin.call(LOCKS, "take_away", "x", 7)
    assert admin.call(LOCKS, "take_away", "x") == [1]
    assert other.answer(waits) == 2
    assert client.call(LOCK, "release", mine) is False
    assert client.call(LOCK, "held", mine) is False


def test_of_a_semaphore_one_permit_may_be_taken_away(bench: Any) -> None:
    client, admin, mine = bench.client(), bench.client(role=Role.ADMIN), [token(), token()]
    assert [client.call(SEMAPHORE, "acquire", one) for one in mine] == [1, 2]
    assert admin.call(LOCKS, "take_away", "s", 2) == [2]
    assert [client.call(SEMAPHORE, "held", one) for one in mine] == [True, False]
    assert client.call(SEMAPHORE, "state")[0] == 1
    assert admin.call(LOCKS, "take_away", "s") == [1]
    with pytest.raises(InvalidArgument, match="semaphore 's' has no holder"):
        admin.call(LOCKS, "take_away", "s")


def test_a_lock_that_is_not_in_use_is_deleted_and_stays_deleted(make_bench: Any, open_kept: OpenKept) -> None:
    bench = make_bench(open_kept())
    client, admin, mine = bench.client(), bench.client(role=Role.ADMIN), token()
    client.call(LOCK, "acquire", mine)
    client.call(("get_event", "x"), "set", token())
    with pytest.raises(InvalidArgument, match="'x' is lock and event; say which: --kind lock"):
        admin.call(LOCKS, "delete", "x")
    with pytest.raises(InvalidArgument, match="in use: 1 held; `tq locks break x` frees it"):
        admin.call(LOCKS, "delete", "x", "lock")
    with pytest.raises(InvalidArgument, match="'x' is no barrier; it is: lock and event"):
        admin.call(LOCKS, "delete", "x", "barrier")
    client.call(LOCK, "release", mine)
    assert admin.call(LOCKS, "delete", "x", "lock") == "lock"
    assert admin.call(LOCKS, "delete", "x") == "event"
    with pytest.raises(InvalidArgument, match="there is no lock, event or barrier 'x'"):
        admin.call(LOCKS, "delete", "x")
    bench = make_bench(open_kept())
    assert bench.client(role=Role.VIEWER).call(LOCKS, "list")["rows"] == []
    # A program that compares fencing tokens has seen 1.
    assert bench.client().call(LOCK, "acquire", token()) == 2


def test_after_a_restart_it_is_unknown_since_when_a_lock_is_held(
    make_bench: Any, open_kept: OpenKept
) -> None:
    bench = make_bench(open_kept())
    bench.client().call(LOCK, "acquire", token())
    bench = make_bench(open_kept())
    [row] = bench.client(role=Role.VIEWER).call(LOCKS, "list")["rows"]
    [holder] = row["holders"]
    assert (holder["since"], holder["address"]) == (None, None)
    assert holder["lost_in_seconds"] == LEASE_SECONDS


def test_a_key_of_some_queues_sees_and_breaks_only_locks_of_those_names(bench: Any) -> None:
    bench.client().call(LOCK, "acquire", token())
    bound = bench.client(role=Role.ADMIN, queues=("img.*",))
    assert bound.call(LOCKS, "list")["rows"] == []
    with pytest.raises(Forbidden):
        bound.call(LOCKS, "take_away", "x")


def test_what_belongs_to_a_program_is_not_an_operators(bench: Any) -> None:
    client, admin = bench.client(), bench.client(role=Role.ADMIN)
    client.call(("get_lock", "own.x", "lock", 1, True), "acquire", token())
    client.call(("get_event", "own.e", True), "state")
    client.call(("get_queue", "own.q", "fifo", 0, True), "make")
    for target, method, name in (
        (LOCKS, "take_away", "own.x"),
        (LOCKS, "delete", "own.e"),
        ("get_queues", "delete", "own.q"),
    ):
        with pytest.raises(InvalidArgument, match="there is no"):
            admin.call(target, method, name)
    client.close()
    bench.advance(GRACE_SECONDS + 1)
    assert admin.call(LOCKS, "list")["rows"] == []


def test_a_list_of_locks_ends_where_an_answer_is_full_and_counts_the_others(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Semaphores of one key, with twenty holders each, made `tq locks` fail for everybody."""
    monkeypatch.setattr(admin_module, "LOCKS_BYTES_MAX", 20_000)
    client = bench.client()
    for number in range(30):
        for _ in range(20):
            client.ask(("get_lock", f"{number:02}" + "x" * 200, "semaphore", 100), "acquire", token())
    bench.step()
    client.call(("get_lock", "00idle"), "state")
    answer = client.call(LOCKS, "list")
    names = [row["name"][:2] for row in answer["rows"]]
    assert 1 <= len(names) < 10
    assert names == [f"{number:02}" for number in range(len(names))], "those in use first"
    assert answer["left_out"] == 31 - len(names)
