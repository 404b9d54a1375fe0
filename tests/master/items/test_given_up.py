"""What a caller says when it waits no longer, or has what it waited for: once or twice, in time or late, it means one thing."""

from __future__ import annotations

import os
from typing import Any

import pytest
from tq.common.domain.model import Role
from tq.common.errors import StoreError

from ..conftest import GRACE_MS, Peer

QUEUE = ("get_queue", "q")
LOCK = ("get_lock", "x")
BARRIER = ("get_barrier", "b", 2)
LONG_AWAY_SECONDS = GRACE_MS / 1000 + 1


def token() -> bytes:
    return os.urandom(16)


def again(peer: Any) -> Peer:
    """The same node, connected again."""
    return Peer(peer.bench, Role.CLIENT, peer.session.node)


def put(peer: Any, *payloads: bytes) -> None:
    for number, payload in enumerate(payloads, 1):
        assert peer.call(QUEUE, "put", token(), number, payload) is True


def full_disk() -> None:
    raise StoreError("the store says: database or disk is full")


# items


def test_an_item_that_was_given_back_and_still_waits_is_taken_by_a_late_confirm(bench: Any) -> None:
    putter, taker, mine = bench.client(), bench.client(), token()
    put(putter, b"a", b"b")
    assert taker.call(QUEUE, "get", mine, False) == b"a"
    taker.close()
    bench.advance(LONG_AWAY_SECONDS)
    assert putter.call(QUEUE, "size")[0] == 2
    taker = again(taker)
    for _ in range(2):
        taker.call(QUEUE, "confirm", [mine])
    assert putter.call(QUEUE, "size")[0] == 1
    assert putter.call(QUEUE, "get", token(), False) == b"b"


def test_a_late_confirm_takes_nothing_from_who_has_it_now_and_nothing_of_another_nodes(bench: Any) -> None:
    taker, other, mine, theirs = bench.client(), bench.client(), token(), token()
    put(other, b"a")
    assert taker.call(QUEUE, "get", mine, False) == b"a"
    taker.close()
    bench.advance(LONG_AWAY_SECONDS)
    other.call(QUEUE, "confirm", [mine])
    assert other.call(QUEUE, "get", theirs, False) == b"a"
    again(taker).call(QUEUE, "confirm", [mine])
    other.call(QUEUE, "release", [theirs])
    assert other.call(QUEUE, "size")[0] == 1


def test_a_late_confirm_never_takes_an_item_that_has_the_place_of_a_lost_one(bench: Any) -> None:
    taker, other, mine, theirs = bench.client(), bench.client(), token(), token()
    put(other, b"a")
    assert taker.call(QUEUE, "get", mine, False) == b"a"
    taker.close()
    bench.advance(LONG_AWAY_SECONDS)
    assert other.call(QUEUE, "get", theirs, False) == b"a"
    other.call(QUEUE, "confirm", [theirs])
    other.ask(QUEUE, "put", token(), 1, b"refused")
    bench.step(commit=full_disk)  # memory is read back from a store that has no item any more
    bench.advance(10)
    other = bench.client()
    put(other, b"new")
    again(taker).call(QUEUE, "confirm", [mine])
    assert other.call(QUEUE, "get", token(), False) == b"new"


def test_a_late_confirm_makes_room_for_who_waits_to_put(bench: Any) -> None:
    queue = ("get_queue", "bounded", "fifo", 1)
    taker, other, mine = bench.client(), bench.client(), token()
    assert other.call(queue, "put", token(), 1, b"a") is True
    assert taker.call(queue, "get", mine, False) == b"a"
    taker.close()
    bench.advance(LONG_AWAY_SECONDS)
    waits = other.ask(queue, "put", token(), 1, b"b")
    bench.step()
    assert waits not in other.answers
    again(taker).call(queue, "confirm", [mine])
    assert other.answer(waits) is True


def test_release_ends_a_parked_get_so_that_no_item_is_handed_to_it(bench: Any) -> None:
    taker, mine = bench.client(), token()
    waits = taker.ask(QUEUE, "get", mine, True)
    bench.step()
    for _ in range(2):
        taker.call(QUEUE, "release", [mine])
    assert taker.answer(waits) is None
    put(taker, b"a")
    assert taker.call(QUEUE, "size")[0] == 1


# locks and barriers


def test_release_ends_an_acquire_that_waits_and_the_lock_goes_to_the_next(bench: Any) -> None:
    holder, gone, other, held, mine = bench.client(), bench.client(), bench.client(), token(), token()
    assert holder.call(LOCK, "acquire", held) == 1
    waits = gone.ask(LOCK, "acquire", mine)
    bench.step()
    for _ in range(2):
        assert gone.call(LOCK, "release", mine) is False
    assert gone.answer(waits) is None
    assert holder.call(LOCK, "release", held) is True
    assert other.call(LOCK, "acquire", token(), False) == 2


@pytest.mark.parametrize("notified", [False, True])
def test_release_ends_a_wait_for_a_condition_and_the_lock_is_free(bench: Any, notified: bool) -> None:
    waiter, other, held, mine = bench.client(), bench.client(), token(), token()
    assert waiter.call(LOCK, "acquire", held) == 1
    waits = waiter.ask(LOCK, "wait", "c", held, mine)
    bench.step()
    theirs = token()
    assert other.call(LOCK, "acquire", theirs, False) == 2
    if notified:
        assert other.call(LOCK, "notify", "c", theirs) is True
    waiter.call(LOCK, "release", mine)
    assert waiter.answer(waits) is None
    assert other.call(LOCK, "release", theirs) is True
    assert other.call(LOCK, "acquire", token(), False) == 3


def test_giving_up_at_a_barrier_breaks_it_once_though_it_is_said_again_after_a_reset(bench: Any) -> None:
    gone, other, mine = bench.client(), bench.client(), token()
    assert gone.call(BARRIER, "give_up_wait", mine) == -1
    assert other.call(BARRIER, "state") == [0, True]
    other.call(BARRIER, "reset", token())
    assert gone.call(BARRIER, "give_up_wait", mine) == -1
    assert other.call(BARRIER, "state") == [0, False]
