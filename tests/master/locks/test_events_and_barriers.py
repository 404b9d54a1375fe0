"""Events and barriers: every wait is answered, whatever happens to connections and the master."""

from __future__ import annotations

import os
from typing import Any

import pytest
from tq.common.domain.model import Role
from tq.common.errors import Forbidden, StoreError

from ..conftest import OpenKept, Peer

EVENT, BARRIER = ("get_event", "e"), ("get_barrier", "b", 2)


def token() -> bytes:
    return os.urandom(16)


def full_disk() -> None:
    raise StoreError("the store says: database or disk is full")


def test_all_waits_for_an_event_are_answered_and_later_ones_immediately(bench: Any) -> None:
    peers = [bench.client() for _ in range(3)]
    calls = [peer.ask(EVENT, "wait", token(), 0) for peer in peers]
    bench.step()
    assert not any(peer.answers for peer in peers)
    bench.client().call(EVENT, "set", token())
    assert [peer.answer(call) for peer, call in zip(peers, calls, strict=True)] == [True] * 3
    assert peers[0].call(EVENT, "state") == [True, 1]
    assert peers[0].call(EVENT, "wait", token(), 1) is True


def test_a_wait_that_was_disconnected_while_the_event_was_set_and_cleared_returns(bench: Any) -> None:
    client, other, mine = bench.client(), bench.client(), token()
    client.ask(EVENT, "wait", mine, 0)
    bench.step()
    client.close()
    other.call(EVENT, "set", token())
    other.call(EVENT, "clear", token())
    back = Peer(bench, Role.CLIENT, client.session.node)
    assert back.call(EVENT, "wait", mine, 0) is True
    assert other.call(EVENT, "give_up_wait", token(), 1) is False


def test_a_set_that_comes_twice_does_not_undo_a_clear(bench: Any) -> None:
    client, mine = bench.client(), token()
    client.call(EVENT, "set", mine)
    client.call(EVENT, "clear", token())
    client.call(EVENT, "set", mine)
    assert client.call(EVENT, "state") == [False, 1]


def test_giving_up_a_wait_for_an_event_is_certain(bench: Any) -> None:
    client, mine = bench.client(), token()
    parked = client.ask(EVENT, "wait", mine, 0)
    bench.step()
    assert client.call(EVENT, "give_up_wait", mine, 0) is False
    assert client.answer(parked) is False
    client.call(EVENT, "set", token())
    assert client.call(EVENT, "give_up_wait", mine, 0) is True


def test_an_event_outlives_the_master_and_a_failed_commit_sets_nothing(
    make_bench: Any, open_kept: OpenKept
) -> None:
    bench = make_bench(open_kept())
    client = bench.client()
    client.call(EVENT, "state")
    client.ask(EVENT, "set", token())
    bench.step(commit=full_disk)
    assert client.call(EVENT, "state") == [False, 0]
    client.call(EVENT, "set", token())
    after = make_bench(open_kept())
    assert after.client().call(EVENT, "state") == [True, 1]


def test_all_parties_pass_a_barrier_together_each_with_a_place(bench: Any) -> None:
    first, second = bench.client(), bench.client()
    for _ in range(3):
        one = first.ask(BARRIER, "wait", token())
        bench.step()
        assert first.call(BARRIER, "state") == [1, False]
        assert one not in first.answers
        assert second.call(BARRIER, "wait", token()) == 1
        assert first.answer(one) == 0


def test_a_wait_at_a_barrier_that_is_asked_again_is_one(bench: Any) -> None:
    client, other, mine = bench.client(), bench.client(), token()
    client.ask(BARRIER, "wait", mine)
    bench.step()
    client.close()
    assert other.call(BARRIER, "state") == [0, False]
    back = Peer(bench, Role.CLIENT, client.session.node)
    back.ask(BARRIER, "wait", mine)
    bench.step()
    assert other.call(BARRIER, "wait", token()) == 1
    assert back.call(BARRIER, "wait", mine) == 0, "it has passed, and gets the same answer again"
    assert other.call(BARRIER, "state") == [0, False]


def test_a_restarted_master_knows_who_has_passed(make_bench: Any, open_kept: OpenKept) -> None:
    before = make_bench(open_kept())
    client, mine = before.client(), token()
    client.ask(BARRIER, "wait", mine)
    before.client().call(BARRIER, "wait", token())
    after = make_bench(open_kept())
    assert after.client().call(BARRIER, "wait", mine) == 0


def test_a_barrier_breaks_when_a_party_gives_up_or_aborts_until_it_is_reset(bench: Any) -> None:
    client, other, mine = bench.client(), bench.client(), token()
    for break_it in (("give_up_wait", mine), ("abort",)):
        parked = client.ask(BARRIER, "wait", mine)
        bench.step()
        other.call(BARRIER, *break_it)
        assert client.answer(parked) == -1
        assert other.call(BARRIER, "wait", token()) == -1
        assert other.call(BARRIER, "state") == [0, True]
        other.call(BARRIER, "reset", token())
        assert other.call(BARRIER, "state") == [0, False]
        mine = token()


def test_a_reset_answers_waiting_parties_and_takes_effect_once(bench: Any) -> None:
    client, other, resets = bench.client(), bench.client(), token()
    parked = client.ask(BARRIER, "wait", token())
    bench.step()
    other.call(BARRIER, "reset", resets)
    assert client.answer(parked) == -1
    parked = client.ask(BARRIER, "wait", token())
    bench.step()
    other.call(BARRIER, "reset", resets)
    assert parked not in client.answers


def test_no_party_passes_a_barrier_that_could_not_be_stored(bench: Any) -> None:
    client, other = bench.client(), bench.client()
    mine, last = token(), token()
    parked = client.ask(BARRIER, "wait", mine)
    bench.step()
    call = other.ask(BARRIER, "wait", last)
    bench.step(commit=full_disk)
    for peer, each in ((client, parked), (other, call)):
        with pytest.raises(StoreError):
            peer.answer(each)
    parked = client.ask(BARRIER, "wait", mine)
    assert other.call(BARRIER, "wait", last) == 1
    assert client.answer(parked) == 0


@pytest.mark.parametrize("target", [EVENT, BARRIER])
def test_a_key_reaches_only_its_names(bench: Any, target: tuple[Any, ...]) -> None:
    with pytest.raises(Forbidden):
        bench.client(queues=("mail.*",)).call(target, "state")
