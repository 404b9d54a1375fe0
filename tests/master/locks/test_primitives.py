"""Locks, events and barriers by name: lost nodes, owners, restarts and failed commits."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.model import Role
from tq.common.errors import InvalidArgument, StoreError
from tq.master.locks import primitives
from tq.master.locks.primitives import Primitives

from ..conftest import OpenKept, Peer
from .test_locks import GRACE_SECONDS, LEASE_SECONDS, LOCK, SEMAPHORE, again, full_disk, token


def test_what_a_vanished_holder_had_is_the_next_ones_with_a_greater_token(bench: Any) -> None:
    gone, other, mine = bench.client(), bench.client(), token()
    gone.call(LOCK, "acquire", mine)
    parked = other.ask(LOCK, "acquire", token())
    gone.close()
    bench.advance(GRACE_SECONDS - 1)
    assert parked not in other.answers
    bench.advance(2)
    assert other.answer(parked) == 2
    back = again(gone)
    assert back.call(LOCK, "held", mine) is False
    assert back.call(LOCK, "release", mine) is False
    assert other.call(LOCK, "state") == [0, 0, 2]


def test_a_holder_that_comes_back_in_time_keeps_it(bench: Any) -> None:
    client, mine = bench.client(), token()
    client.call(LOCK, "acquire", mine)
    client.close()
    bench.advance(GRACE_SECONDS - 1)
    back = again(client)
    bench.advance(GRACE_SECONDS * 2)
    assert back.call(LOCK, "acquire", mine) == 1
    assert back.call(LOCK, "release", mine) is True


def test_a_name_is_one_thing(bench: Any) -> None:
    client = bench.client()
    client.call(LOCK, "state")
    with pytest.raises(InvalidArgument, match="'x' is a lock already, not a semaphore of 2"):
        client.call(("get_lock", "x", "semaphore", 2), "state")
    assert client.call(("get_event", "x"), "state") == [False, 0]
    with pytest.raises(InvalidArgument, match="has the value 1, not 2"):
        client.call(("get_lock", "y", "lock", 2), "state")
    with pytest.raises(InvalidArgument, match="kind must be one of"):
        client.call(("get_lock", "y", "mutex"), "state")


def test_a_private_lock_is_deleted_with_its_owner_and_waiting_calls_are_refused(bench: Any) -> None:
    owner, other = bench.client(), bench.client()
    own = ("get_lock", "own", "lock", 1, True)
    owner.call(own, "acquire", token())
    parked = other.ask(("get_lock", "own"), "acquire", token())
    bench.step()
    owner.close()
    bench.advance(GRACE_SECONDS + 1)
    with pytest.raises(InvalidArgument, match="gone with the program that made it"):
        other.answer(parked)
    assert bench.engine.part(Primitives).by_name == {}
    assert bench.engine.store.locks.load() == ([], [])


def test_tokens_go_on_growing_when_an_owner_comes_back_too_late(bench: Any) -> None:
    owner, mine = bench.client(), token()
    own = ("get_lock", "own", "lock", 1, True)
    assert owner.call(own, "acquire", mine) == 1
    owner.close()
    bench.advance(GRACE_SECONDS + 1)
    back = again(owner)
    assert back.call(own, "release", mine) is False
    assert back.call(own, "acquire", token()) == 2
    assert bench.engine.store.locks.load()[0][0].counter == 2


def test_of_very_many_deleted_ones_the_last_are_remembered(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(primitives, "DELETED_MAX", 2)
    admin = bench.client(role=Role.ADMIN)
    for name in ("a", "b", "a", "c"):
        mine, lock = token(), ("get_lock", name)
        admin.call(lock, "acquire", mine)
        admin.call(lock, "release", mine)
        admin.call(("get_locks",), "delete", name)
    assert [row[1:] for row in bench.engine.store.locks.deleted()] == [("a", 2), ("c", 1)]
    bench.engine._load()
    assert admin.call(("get_lock", "a"), "acquire", token()) == 3
    assert [row[1:] for row in bench.engine.store.locks.deleted()] == [("c", 1)]


def test_a_restarted_master_keeps_holders_for_a_lease_and_counts_on(
    make_bench: Any, open_kept: OpenKept
) -> None:
    before = make_bench(open_kept())
    holder, lost = before.client(), before.client()
    mine, one = token(), token()
    assert holder.call(LOCK, "acquire", mine) == 1
    assert lost.call(SEMAPHORE, "acquire", one) == 1
    after = make_bench(open_kept())
    other = after.client()
    parked = other.ask(LOCK, "acquire", token())
    back = Peer(after, Role.CLIENT, holder.session.node)
    assert back.call(LOCK, "acquire", mine) == 1
    assert other.call(SEMAPHORE, "state") == [1, 0, 1]
    after.advance(LEASE_SECONDS + 1)
    assert other.call(SEMAPHORE, "state") == [2, 0, 1]
    assert back.call(LOCK, "release", mine) is True
    assert other.answer(parked) == 2
    assert Peer(after, Role.CLIENT, lost.session.node).call(SEMAPHORE, "release", one) is False


def test_a_failed_commit_undoes_what_it_gave(bench: Any) -> None:
    client, other, mine = bench.client(), bench.client(), token()
    got = client.ask(LOCK, "acquire", mine)
    bench.step(commit=full_disk)
    with pytest.raises(StoreError):
        client.answer(got)
    assert other.call(LOCK, "acquire", token(), False) == 1
