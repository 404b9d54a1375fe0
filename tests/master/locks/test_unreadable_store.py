"""Locks while the store cannot be opened or read again after a commit that failed: no permit is given twice, and none is lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, Final

import pytest
from tq.common.domain.model import Role
from tq.common.errors import StoreError
from tq.master.engine.trouble import PAUSE_MS_MAX
from tq.master.locks.primitives import Primitives

from ..conftest import Bench, OpenKept, Peer
from .test_locks import GRACE_SECONDS, LOCK, full_disk, token

UNREADABLE: Final = 3  # times
Spoil = Callable[[Bench, int], None]


def spoil_opening(bench: Bench, times: int) -> None:
    """The next so many handles cannot be opened; the failed one is closed all the same."""
    _spoil(bench.engine.store, "_connect", times, sqlite3.OperationalError("unable to open database file"))


def spoil_first_read(bench: Bench, times: int) -> None:
    _spoil(bench.engine.store, "load", times, StoreError("the store says: disk I/O error"))


def spoil_locks(bench: Bench, times: int) -> None:
    """What stands before them is loaded, they are not."""
    _spoil(bench.engine.store.locks, "load", times, StoreError("the store says: disk I/O error"))


def spoil_what_follows(bench: Bench, times: int) -> None:
    """They are loaded, and others are not: each time again."""
    _spoil(bench.engine.store.data, "load", times, StoreError("the store says: disk I/O error"))


def _spoil(owner: Any, name: str, times: int, error: Exception) -> None:
    real, left = getattr(owner, name), [times]

    def spoilt(*arguments: Any) -> Any:
        if not left[0]:
            return real(*arguments)
        left[0] -= 1
        raise error

    setattr(owner, name, spoilt)


WAYS: Final = [spoil_opening, spoil_first_read, spoil_locks, spoil_what_follows]


class Faulty:
    """Clients of a lock whose commit fails, after which the store cannot be read for a while: they ask again, as programs do."""

    def __init__(self, bench: Bench, spoil: Spoil) -> None:
        self.bench, self._spoil = bench, spoil

    def fails(self) -> None:
        """The transaction under way does, and then each attempt to read the store again."""
        self._spoil(self.bench, UNREADABLE)
        self.bench.step(commit=full_disk)
        assert self.bench.engine._reloading.error is not None

    def refuses(self, peer: Peer, method: str, *arguments: Any) -> None:
        """While the store cannot be read, no caller is given or answered anything."""
        with pytest.raises(StoreError):
            peer.call(LOCK, method, *arguments)

    def recovers(self) -> None:
        for _ in range(100):
            self.bench.now = self.bench.now._replace(mono=self.bench.now.mono + PAUSE_MS_MAX)
            self.bench.step()
            if self.bench.engine.trouble.since is None:
                return
        raise AssertionError("the trouble has no end")

    def back(self, peer: Peer) -> Peer:
        """The same program; the master hung up on who asked meanwhile."""
        return peer if peer.session.open else Peer(self.bench, Role.CLIENT, peer.session.node)

    def holders(self) -> dict[bytes, int]:
        """By node, as memory and store say: with their fencing tokens."""
        primitive = self.bench.engine.part(Primitives).by_name["lock", "x"]
        in_memory = {claim.node: claim.fence for claim in primitive.held.values()}
        rows, claims = self.bench.engine.store.locks.load()
        assert in_memory == {claim.node: claim.number for claim in claims if claim.held}
        assert [(row.value, row.counter) for row in rows] == [(primitive.value, primitive.counter)]
        assert primitive.value + len(primitive.held) == 1
        return in_memory


@pytest.fixture(params=WAYS, ids=lambda spoil: str(spoil.__name__))
def faulty(request: pytest.FixtureRequest, make_bench: Any, open_kept: OpenKept) -> Faulty:
    return Faulty(make_bench(open_kept()), request.param)


def test_a_permit_that_was_given_in_a_void_transaction_was_given_to_no_one(faulty: Faulty) -> None:
    bench, mine, others = faulty.bench, token(), token()
    client, other = bench.client(), bench.client()
    client.call(LOCK, "state")
    got = client.ask(LOCK, "acquire", mine)
    faulty.fails()
    with pytest.raises(StoreError):
        client.answer(got)
    faulty.refuses(other, "acquire", others, False)
    faulty.recovers()
    assert faulty.holders() == {}
    other, client = faulty.back(other), faulty.back(client)
    assert other.call(LOCK, "acquire", others, False) == 1
    assert client.call(LOCK, "acquire", mine, False) is None
    assert faulty.holders() == {other.session.node: 1}


def test_a_permit_whose_release_is_void_is_still_its_holders_and_who_waits_goes_on_waiting(
    faulty: Faulty,
) -> None:
    bench, mine, waits = faulty.bench, token(), token()
    holder, waiter, other = bench.client(), bench.client(), bench.client()
    holder.call(LOCK, "acquire", mine)
    parked = waiter.ask(LOCK, "acquire", waits)
    bench.step()
    holder.ask(LOCK, "release", mine)
    faulty.fails()
    with pytest.raises(StoreError):
        waiter.answer(parked)
    faulty.refuses(other, "acquire", token(), False)
    faulty.recovers()
    assert faulty.holders() == {holder.session.node: 1}
    holder, waiter, other = faulty.back(holder), faulty.back(waiter), faulty.back(other)
    assert other.call(LOCK, "acquire", token(), False) is None
    parked = waiter.ask(LOCK, "acquire", waits)
    assert holder.call(LOCK, "release", mine) is True
    assert waiter.answer(parked) == 2
    assert faulty.holders() == {waiter.session.node: 2}


def test_a_holder_that_was_given_up_in_a_void_transaction_and_is_back_holds_it(faulty: Faulty) -> None:
    bench, mine, waits = faulty.bench, token(), token()
    holder, waiter = bench.client(), bench.client()
    holder.call(LOCK, "acquire", mine)
    parked = waiter.ask(LOCK, "acquire", waits)
    bench.step()
    holder.close()
    bench.now = bench.now._replace(mono=bench.now.mono + 1000 * GRACE_SECONDS)
    faulty.fails()
    with pytest.raises(StoreError):
        waiter.answer(parked)
    back = faulty.back(holder)
    faulty.refuses(back, "held", mine)
    back = faulty.back(back)
    faulty.recovers()
    assert faulty.holders() == {back.session.node: 1}
    assert back.call(LOCK, "held", mine) is True
    assert faulty.back(waiter).call(LOCK, "acquire", waits, False) is None


def test_a_condition_wait_that_is_void_has_released_nothing(faulty: Faulty) -> None:
    bench, mine, waits = faulty.bench, token(), token()
    client, other = bench.client(), bench.client()
    client.call(LOCK, "acquire", mine)
    client.ask(LOCK, "wait", "c", mine, waits)
    other.ask(LOCK, "acquire", token())  # is given it in the same transaction
    faulty.fails()
    faulty.recovers()
    assert faulty.holders() == {client.session.node: 1}
    client, other = faulty.back(client), faulty.back(other)
    assert other.call(LOCK, "acquire", token(), False) is None
    assert client.call(LOCK, "held", mine) is True


def test_a_master_that_restarts_before_it_could_read_its_store_gives_no_permit_twice(
    make_bench: Any, open_kept: OpenKept, faulty: Faulty
) -> None:
    bench, mine = faulty.bench, token()
    holder, other = bench.client(), bench.client()
    holder.call(LOCK, "acquire", mine)
    holder.ask(LOCK, "release", mine)
    other.ask(LOCK, "acquire", token())
    faulty.fails()
    bench.engine.store.close()
    faulty.bench = after = make_bench(open_kept())
    back = Peer(after, Role.CLIENT, holder.session.node)
    assert faulty.holders() == {back.session.node: 1}
    assert after.client().call(LOCK, "acquire", token(), False) is None
    assert back.call(LOCK, "release", mine) is True
