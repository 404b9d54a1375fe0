"""What a waiter at a condition laid down is remembered as long as it waits, and no longer."""

from __future__ import annotations

import os
from typing import Any

import pytest
from tq.common.domain.model import Role
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
