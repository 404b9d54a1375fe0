"""What a waiter at a condition laid down is remembered as long as it waits, and no longer."""

from __future__ import annotations

import os
from typing import Any

import pytest
from tq.common.domain.model import Role
from tq.common.errors import InvalidArgument, StoreError
from tq.master.engine import portions
from tq.master.locks.claims import REMEMBERED_MAX
from tq.master.locks.primitives import Primitives

from ..conftest import OpenKept, Peer

LOCK = ("get_lock", "x")
GRACE_SECONDS = 3


def token() -> bytes:
    return os.urandom(16)


def waiting(bench: Any, peer: Any) -> tuple[int, bytes, bytes]:
    """A peer that waits at the condition c: its call, what it held, what it will hold."""
    held, waits = token(), token()
    assert isinstance(peer.call(LOCK, "acquire", held), int)
    call = peer.ask(LOCK, "wait", "c", held, waits)
    bench.step()
    assert call not in peer.answers
    return call, held, waits


@pytest.mark.parametrize("restarts", [False, True])
def test_a_waiter_that_was_away_is_woken_however_many_turns_others_took(
    make_bench: Any, open_kept: OpenKept, restarts: bool
) -> None:
    bench = make_bench(open_kept())
    client, other = bench.client(), bench.client()
    _, held, waits = waiting(bench, client)

    def take_turns(peer: Any) -> None:
        for _ in range(REMEMBERED_MAX + 2):
            mine = token()
            peer.call(LOCK, "acquire", mine)
            peer.call(LOCK, "release", mine)

    take_turns(other)
    if restarts:
        bench = make_bench(open_kept())
        other = bench.client()
        take_turns(other)
    else:
        client.close()
    back = Peer(bench, Role.CLIENT, client.session.node)
    assert isinstance(back.call(LOCK, "wait", "c", held, waits), int)
    back.call(LOCK, "release", waits)
    take_turns(other)
    primitive = bench.engine.part(Primitives).by_name[("lock", "x")]
    assert (len(primitive.remembered), primitive.suspended) == (REMEMBERED_MAX, {}), (
        "it is over, and nothing more is remembered"
    )


def test_a_suspended_claim_is_forgotten_when_its_waiter_does_not_come_back(bench: Any) -> None:
    client, quitter, other = (bench.client() for _ in range(3))
    waiting(bench, client)
    _, _, waits = waiting(bench, quitter)
    primitive = bench.engine.part(Primitives).by_name[("lock", "x")]
    assert len(primitive.suspended) == 2
    mine = token()
    other.call(LOCK, "acquire", mine)
    quitter.call(LOCK, "give_up_wait", "c", waits)
    assert quitter.call(LOCK, "give_up_acquire", waits) is None
    client.close()
    bench.advance(GRACE_SECONDS + 1)
    assert primitive.suspended == {}
    assert bench.engine.part(Primitives).claims.suspended_by == {}


@pytest.fixture
def many(bench: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[tuple[int, bytes, bytes]]]:
    """A peer with very many waits at the condition c: three transactions to wake them all."""
    monkeypatch.setattr(portions, "GIVEN_MAX", 50)
    peer = bench.client()
    return peer, [waiting(bench, peer) for _ in range(120)]


def moved(bench: Any) -> int:
    """How many of them queue for the lock."""
    return len(bench.engine.part(Primitives).by_name[("lock", "x")].queue)


def test_a_notify_of_very_many_is_answered_when_all_that_waited_then_queue_for_the_lock(
    bench: Any, many: Any
) -> None:
    peer, waits = many
    notifier, held = bench.client(), token()
    notifier.call(LOCK, "acquire", held)
    call = notifier.ask(LOCK, "notify", "c", held, 1_000)
    found = []
    while call not in notifier.answers:
        bench.step()
        found.append(moved(bench))
    assert found == [50, 100, 120]
    assert notifier.answer(call) is True
    notifier.call(LOCK, "release", held)
    for number, (waiter, _, mine) in enumerate(waits):
        while waiter not in peer.answers:
            bench.step()
        assert isinstance(peer.answer(waiter), int), number
        peer.call(LOCK, "release", mine)


def test_a_notify_of_very_many_wakes_so_many_and_no_more_over_a_failed_transaction(
    bench: Any, many: Any
) -> None:
    notifier, held = bench.client(), token()
    notifier.call(LOCK, "acquire", held)
    call = notifier.ask(LOCK, "notify", "c", held, 110)
    bench.step()
    assert moved(bench) == 50
    bench.client().ask(("get_event", "e"), "set", token())

    def fail() -> None:
        raise StoreError("disk full")

    bench.step(commit=fail)
    assert call not in notifier.answers
    bench.advance(1)
    while call not in notifier.answers:
        bench.step()
    assert notifier.answer(call) is True
    assert moved(bench) == 110


def test_a_lock_that_is_dropped_while_its_waiters_are_woken_answers_all_of_them(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portions, "GIVEN_MAX", 2)
    owned, owner, peer = ("get_lock", "x", "lock", 1, True), bench.client(), bench.client()
    owner.call(owned, "state")
    calls = [waiting(bench, peer)[0] for _ in range(9)]
    notifier, held = bench.client(), token()
    notifier.call(LOCK, "acquire", held)
    call = notifier.ask(LOCK, "notify", "c", held, 9)
    primitives = bench.engine.part(Primitives)
    bench.step()
    assert call not in notifier.answers
    dropped = primitives.by_name[("lock", "x")]
    bench.engine.later(lambda: primitives.drop(dropped, "is gone with the program that made it"))
    while bench.engine.has_work or call not in notifier.answers:
        bench.step()
    for one, asked in ((notifier, call), *((peer, waiter) for waiter in calls)):
        with pytest.raises(InvalidArgument, match="'x' is gone"):
            one.answer(asked)
