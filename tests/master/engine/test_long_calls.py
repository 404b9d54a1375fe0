"""Calls that take more than one transaction are done in portions, each item once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from tq.common.errors import InvalidArgument, QuotaExceeded, RemoteError, StoreError
from tq.master.engine.accounts import Account, Accounts
from tq.master.engine.agenda import Agenda
from tq.master.engine.clock import Now
from tq.master.engine.long_calls import LongCalls
from tq.master.engine.session import LATER, Call

from ..conftest import Bench

NOW = Now(0, 0)


class Doing:
    """Transactions with long calls, and what was done in them."""

    def __init__(self, bench: Bench) -> None:
        self.agenda = Agenda()
        self.calls = LongCalls(self.agenda)
        self.done: list[int] = []
        self.replies: list[Call] = []
        self.bench = bench
        self.session = bench.client().session

    def call(self) -> Call:
        return Call(self.session, 1, lambda _: None, self.replies)

    def call_of(self, key: Account) -> Call:
        session = self.bench.client().session
        session.account = key
        return Call(session, 1, lambda _: None, self.replies)

    def do(self, items: Sequence[Any], now: Now) -> list[Any]:
        self.done += items
        return [item * 10 for item in items]

    def perform(self, call: Call | None, items: Sequence[Any], **more: Any) -> object:
        return self.calls.perform(call, items, self.do, NOW, most=4, **more)

    def transaction(self, *, fails: bool = False) -> None:
        self.calls.begin()
        for part, key in self.agenda.take(NOW):
            part.due(key, NOW)
        self.end(fails=fails)

    def end(self, *, fails: bool = False) -> None:
        for one in (self.agenda, self.calls):
            one.void() if fails else one.committed()


@pytest.fixture
def doing(bench: Bench) -> Doing:
    return Doing(bench)


def test_a_short_call_is_answered_at_once(doing: Doing) -> None:
    assert doing.perform(doing.call(), [1, 2, 3, 4]) == [10, 20, 30, 40]


def test_a_long_one_is_answered_at_its_end_and_others_wait_for_their_turn(doing: Doing) -> None:
    first, second = doing.call(), doing.call()
    assert doing.perform(first, [1, 2, 3, 4, 5, 6]) is LATER
    assert doing.perform(second, [7]) is LATER
    assert doing.done == [1, 2, 3, 4]
    doing.end()
    assert doing.replies == []
    doing.transaction()
    assert [call.reply for call in doing.replies] == [([10, 20, 30, 40, 50, 60], None), ([70], None)]
    doing.transaction()
    assert doing.done == [1, 2, 3, 4, 5, 6, 7]


def test_a_transaction_that_fails_is_done_again_and_nothing_else(doing: Doing) -> None:
    call = doing.call()
    doing.perform(call, list(range(6)))
    doing.end()
    doing.transaction(fails=True)
    doing.transaction()
    assert doing.done == [0, 1, 2, 3, 4, 5, 4, 5]
    doing.transaction()
    assert len(doing.done) == 8


def test_who_no_longer_waits_gets_no_answer_and_it_is_done_all_the_same(doing: Doing) -> None:
    call = doing.call()
    doing.perform(call, list(range(6)))
    assert call.abandon is not None
    call.abandon()
    doing.end()
    doing.transaction()
    assert (doing.done, doing.replies) == (list(range(6)), [])


def test_what_is_begun_for_the_same_owner_takes_the_place_of_what_was_begun_before(doing: Doing) -> None:
    doing.perform(None, list(range(6)), owner="a")
    doing.perform(None, [9], owner="a")
    doing.end()
    doing.transaction()
    assert doing.done == [0, 1, 2, 3, 9]


def test_what_waits_is_on_the_account_of_the_key(doing: Doing) -> None:
    account = doing.session.account = Accounts().of("a")
    with pytest.raises(QuotaExceeded, match="bytes in calls that wait"):
        doing.perform(doing.call(), range(1_000_000))
    assert (doing.done, account.bytes) == ([], 0)


def test_a_key_that_asks_for_much_waits_for_itself(doing: Doing) -> None:
    accounts = Accounts()
    greedy, modest = accounts.of("a"), accounts.of("b")
    for _ in range(50):
        doing.perform(doing.call_of(greedy), range(100))
    doing.end()
    short = doing.call_of(modest)
    doing.transaction()  # its share is used up by those who waited
    assert doing.perform(short, [1, 2]) is LATER
    doing.end()
    doing.transaction()
    assert [call is short for call in doing.replies] == [True]
    assert short.reply == ([10, 20], None)


def test_a_short_call_of_another_key_does_not_wait_for_a_share(doing: Doing) -> None:
    accounts = Accounts()
    doing.calls.perform(doing.call_of(accounts.of("a")), range(100), doing.do, NOW, most=40)
    short = doing.calls.perform(doing.call_of(accounts.of("b")), [1, 2], doing.do, NOW, most=40)
    assert short == [10, 20]


def test_of_more_keys_than_a_transaction_does_items_each_has_its_turn(doing: Doing) -> None:
    """Always the last four of them were served, until they had ended."""
    accounts = Accounts()
    doing.perform(doing.call_of(accounts.of("first")), [0] * 4)  # the share of this transaction
    for key in range(10):
        doing.perform(doing.call_of(accounts.of(str(key))), [key] * 3)
    doing.end()
    rounds = []
    for _ in range(5):
        doing.done.clear()
        doing.transaction()
        rounds.append(list(doing.done))
    assert rounds == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 0, 1], [2, 3, 4, 5], [6, 7, 8, 9]]


def test_who_asks_again_and_again_does_not_pass_those_who_wait(doing: Doing) -> None:
    accounts = Accounts()
    doing.perform(doing.call_of(accounts.of("first")), [0] * 4)
    early = [doing.call_of(accounts.of(f"early {key}")) for key in range(6)]
    for call in early:
        doing.perform(call, [1])
    doing.end()
    for turn in range(2):
        for key in range(4):
            doing.perform(doing.call_of(accounts.of(f"late {turn} {key}")), [2] * 100)
        doing.transaction()
    assert [call.reply for call in early] == [([10], None)] * 6


def test_of_one_key_calls_are_done_in_order(doing: Doing) -> None:
    long, short = doing.call(), doing.call()
    doing.perform(long, list(range(6)))
    doing.end()
    doing.calls.begin()
    assert doing.perform(short, [9]) is LATER  # there would be room for it
    doing.transaction()
    doing.transaction()
    assert doing.done == [0, 1, 2, 3, 4, 5, 9]


@pytest.mark.parametrize("is_bug", [False, True])
def test_what_an_item_raises_ends_its_call_and_no_other(doing: Doing, is_bug: bool) -> None:
    def refuses(items: Sequence[Any], now: Now) -> None:
        if 4 in items:
            raise ZeroDivisionError if is_bug else InvalidArgument("not four")

    bad, good = doing.call(), doing.call()
    doing.calls.perform(bad, list(range(6)), refuses, NOW, most=4)
    doing.perform(good, [7])
    doing.end()
    if is_bug:
        with pytest.raises(ZeroDivisionError):
            doing.transaction()  # memory is not to be trusted: all of it is done again
        doing.end(fails=True)
    doing.transaction()
    assert [call.reply for call in doing.replies if call is good] == [([70], None)]
    assert bad.reply is not None, "nothing else would answer it"
    assert isinstance(bad.reply[1], RemoteError if is_bug else InvalidArgument)
    doing.transaction()
    assert doing.done == [7]


def test_a_store_that_fails_ends_no_call(doing: Doing) -> None:
    fails = [True]

    def asks(items: Sequence[Any], now: Now) -> None:
        if 4 in items and fails.pop():
            raise StoreError("the disk does not answer")

    doing.calls.perform(doing.call(), list(range(6)), asks, NOW, most=4)
    doing.end()
    with pytest.raises(StoreError):
        doing.transaction()
    doing.end(fails=True)
    fails.append(False)
    doing.transaction()
    assert [call.reply for call in doing.replies] == [(None, None)]


def test_items_that_a_failed_transaction_has_added_are_not_done_and_those_that_are_done_not_kept(
    doing: Doing,
) -> None:
    items: list[int] = [0]

    def grows(portion: Sequence[int], now: Now) -> list[int]:
        doing.done += portion
        items.extend(item + 1 for item in portion if item < 3)
        return list(portion)

    doing.calls.perform(doing.call(), items, grows, NOW, most=1, grows=True)
    doing.end()
    assert items == [1]
    doing.transaction(fails=True)
    assert items == [1]
    for _ in range(3):
        doing.transaction()
    assert (items, doing.done) == ([], [0, 1, 1, 2, 3])
    assert [call.reply for call in doing.replies] == [([0, 1, 2, 3], None)]
