"""Calls that one deed releases all at once are answered in portions, and nothing that happens later changes their answers."""

from __future__ import annotations

import os
from typing import Any

import pytest
from tq.common.domain.model import Role
from tq.common.errors import InvalidArgument, StoreError
from tq.master.engine.portions import GIVEN_MAX

from ..conftest import Bench, Peer
from .test_portions import drained

MANY = GIVEN_MAX + 300  # two transactions
EVENT, QUEUE, ROOM = ("get_event", "e"), ("get_queue", "q"), ("get_queue", "small", "fifo", 1)
BARRIER = ("get_barrier", "b", MANY)


def token() -> bytes:
    return os.urandom(16)


def full_disk() -> None:
    raise StoreError("the store says: database or disk is full")


class Waiting:
    """Very many calls that wait for the same."""

    def __init__(self, bench: Bench, target: Any, method: str, *arguments: Any, calls: int = MANY) -> None:
        self.bench, self.peers = bench, [bench.client() for _ in range(2)]
        self.calls: list[tuple[Peer, int]] = []
        for number in range(calls):
            peer = self.peers[number % 2]
            given = [one() if callable(one) else one for one in arguments]
            self.calls.append((peer, peer.ask(target, method, *given)))
        drained(bench)
        assert not self.answered

    @property
    def answered(self) -> int:
        return sum(len(peer.answers) for peer in self.peers)

    def answers(self) -> list[Any]:
        drained(self.bench)
        return [peer.answer(call) for peer, call in self.calls]


def test_an_event_releases_all_that_waited_for_it_in_portions_and_is_cleared_meanwhile(bench: Bench) -> None:
    waiting, client = Waiting(bench, EVENT, "wait", token, 0), bench.client()
    client.ask(EVENT, "set", token())
    client.ask(EVENT, "clear", token())
    late = client.ask(EVENT, "wait", token(), 1)
    bench.step()
    assert waiting.answered == GIVEN_MAX
    assert waiting.answers() == [True] * MANY
    assert late not in client.answers, "it waits for the next one"


def test_a_wait_that_is_given_up_before_it_is_answered_was_released(bench: Bench) -> None:
    waiting, client, mine = Waiting(bench, EVENT, "wait", token, 0), bench.client(), token()
    call = client.ask(EVENT, "wait", mine, 0)
    bench.step()
    client.ask(EVENT, "set", token())
    bench.step()
    assert call not in client.answers
    assert client.call(EVENT, "give_up_wait", mine, 0) is True
    drained(bench)
    assert client.answer(call) is True
    assert waiting.answered == MANY


def test_who_is_gone_before_it_is_answered_keeps_no_other_one_waiting(bench: Bench) -> None:
    waiting = Waiting(bench, EVENT, "wait", token, 0)
    bench.client().ask(EVENT, "set", token())
    bench.step()
    gone, there = waiting.peers
    gone.close()
    drained(bench)
    assert len(there.answers) == MANY // 2


def test_a_set_whose_transaction_fails_releases_no_one_for_good(bench: Bench) -> None:
    waiting, client = Waiting(bench, EVENT, "wait", token, 0), bench.client()
    client.ask(EVENT, "set", token())
    bench.step(commit=full_disk)
    assert waiting.answered == MANY
    for peer, call in waiting.calls:
        with pytest.raises(StoreError, match="disk is full"):
            peer.answer(call)
    assert client.call(EVENT, "state") == [False, 0]


def test_a_later_transaction_that_fails_leaves_those_that_are_not_answered_yet(bench: Bench) -> None:
    waiting = Waiting(bench, EVENT, "wait", token, 0, calls=2 * GIVEN_MAX + 300)
    bench.client().ask(EVENT, "set", token())
    bench.step()
    bench.client().ask(("get_event", "another"), "set", token())
    bench.step(commit=full_disk)
    bench.advance(1)
    drained(bench)
    answers = [peer.answers[call] for peer, call in waiting.calls]
    assert answers.count((True, None)) == GIVEN_MAX + 300
    assert sum(isinstance(error, StoreError) for _, error in answers) == GIVEN_MAX


def test_each_party_of_a_large_barrier_has_its_place_also_if_it_asks_again_before_it_is_answered(
    bench: Bench,
) -> None:
    waiting, client, mine = Waiting(bench, BARRIER, "wait", token, calls=MANY - 2), bench.client(), token()
    client.ask(BARRIER, "wait", mine)
    last = bench.client().ask(BARRIER, "wait", token())
    bench.step()
    assert waiting.answered == GIVEN_MAX
    client.close()
    back = Peer(bench, Role.CLIENT, client.session.node)
    assert back.call(BARRIER, "wait", mine) == MANY - 2
    assert waiting.answers() == list(range(MANY - 2))
    assert last


def test_all_that_join_a_queue_are_released_by_its_last_item_and_not_by_what_is_put_then(
    bench: Bench,
) -> None:
    client = bench.client()
    client.call(QUEUE, "put", client.session.node, 1, b"x")
    waiting = Waiting(bench, QUEUE, "join")
    client.call(QUEUE, "task_done", client.session.node, 2)
    client.call(QUEUE, "put", client.session.node, 3, b"y")
    assert waiting.answers() == [None] * MANY


def test_a_shutdown_ends_all_gets_and_puts_in_portions(bench: Bench) -> None:
    client = bench.client()
    client.call(ROOM, "put", client.session.node, 1, b"x")
    gets = Waiting(bench, QUEUE, "get", token)
    numbers = iter(range(2, MANY + 2))
    puts = Waiting(bench, ROOM, "put", client.session.node, lambda: next(numbers), b"y")
    for target in (QUEUE, ROOM):
        client.call(target, "shutdown")
    assert 0 < gets.answered + puts.answered <= 2 * GIVEN_MAX
    assert gets.answers() == [False] * MANY
    assert puts.answers() == [None] * MANY


def test_what_waits_for_an_event_of_a_program_that_is_gone_is_refused_in_portions(bench: Bench) -> None:
    owned = ("get_event", "e", True)
    owner = bench.client()
    owner.call(owned, "state")
    waiting = Waiting(bench, EVENT, "wait", token, 0)
    owner.close()
    while not waiting.answered:
        bench.advance(1)
    assert waiting.answered == GIVEN_MAX
    drained(bench)
    for peer, call in waiting.calls:
        with pytest.raises(InvalidArgument, match="'e' is gone with the program that made it"):
            peer.answer(call)


def test_all_that_wait_for_a_flow_are_released_by_its_end_in_portions(bench: Bench) -> None:
    flow, client = token(), bench.client()
    client.call("get_flows", "open", flow, "nightly")
    waiting = Waiting(bench, "get_flows", "wait", flow)
    client.call("get_flows", "seal", flow)
    while not waiting.answered:
        bench.step()
    assert waiting.answered == GIVEN_MAX
    assert waiting.answers() == [None] * MANY
