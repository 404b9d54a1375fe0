"""What calls that wait are given is bounded in each transaction, and each queue and lock has its turn."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from tq.common.domain.model import Role
from tq.common.errors import StoreError
from tq.master.engine.portions import GIVEN_BYTES_MAX, GIVEN_MAX, Portions

from ..conftest import Bench, Peer

MANY = 2 * GIVEN_MAX + 100  # three transactions
QUEUE, ROOM = ("get_queue", "q"), ("get_queue", "small", "fifo", 1)
SEMAPHORE = ("get_lock", "s", "semaphore", 0)


def token() -> bytes:
    return os.urandom(16)


def drained(bench: Bench) -> None:
    while bench.engine.has_work or ((at := bench.engine.next_wakeup()) is not None and at <= bench.now.mono):
        bench.step()


class Giving:
    """Things that have so many calls to answer."""

    def __init__(self, **left: int) -> None:
        self.portions = Portions[str](lambda is_left: None)
        self.left = left
        self.given: list[str] = []
        self.portions.load(list(left))

    def give(self, name: str) -> None:
        while self.left[name]:
            if not self.portions.is_left:
                self.portions.later(name)
                return
            self.portions.gave()
            self.left[name] -= 1
            self.given.append(name)

    def transaction(self) -> dict[str, int]:
        self.given.clear()
        self.portions.begin()
        self.portions.serve(self.give)
        return {name: self.given.count(name) for name in self.given}


def test_all_share_a_transaction_and_what_one_does_not_use_is_for_the_others() -> None:
    giving = Giving(a=5 * GIVEN_MAX, b=10, c=5 * GIVEN_MAX)
    third = GIVEN_MAX // 3
    assert giving.transaction() == {"a": third, "b": 10, "c": GIVEN_MAX - third - 10}
    assert giving.transaction() == {"a": GIVEN_MAX // 2, "c": GIVEN_MAX // 2}


def test_of_more_than_have_a_turn_each_has_one_before_any_has_a_second() -> None:
    giving = Giving(**{f"q{number}": 2 for number in range(GIVEN_MAX + 500)})
    first, second = giving.transaction(), giving.transaction()
    assert (set(first.values()), set(second.values())) == ({1}, {1})
    assert list(second)[:500] == [f"q{number}" for number in range(GIVEN_MAX, GIVEN_MAX + 500)]


def test_what_is_given_counts_by_its_bytes_too() -> None:
    portions = Portions[str](lambda is_left: None)
    for _ in range(8):
        assert portions.is_left
        portions.gave(GIVEN_BYTES_MAX // 8)
    assert not portions.is_left


def waiting_gets(bench: Bench, many: Peer, other: Peer) -> Callable[[], None]:
    admin = bench.client(role=Role.ADMIN)
    admin.call(("get_task_queue", "q"), "pause", "")
    for _ in range(MANY):
        many.ask(QUEUE, "put", token(), 1, b"x")
        many.ask(QUEUE, "get", token())
    drained(bench)
    many.answers.clear()  # of the puts
    return lambda: admin.call(("get_task_queue", "q"), "resume")


def waiting_puts(bench: Bench, many: Peer, other: Peer) -> Callable[[], None]:
    """In a queue with room for one item: each that goes makes room for one that waits."""
    admin = bench.client(role=Role.ADMIN)
    admin.call(("get_task_queue", "small"), "pause", "")
    for _ in range(MANY // 2):
        many.ask(ROOM, "put", token(), 1, b"x")
        many.ask(ROOM, "get", token())
    drained(bench)
    many.answers.clear()
    return lambda: admin.call(("get_task_queue", "small"), "resume")


def waiting_acquires(bench: Bench, many: Peer, other: Peer) -> Callable[[], None]:
    for _ in range(MANY):
        many.ask(SEMAPHORE, "acquire", token())
    drained(bench)
    return lambda: other.call(SEMAPHORE, "add", token(), MANY)


KINDS = [waiting_gets, waiting_puts, waiting_acquires]


@pytest.mark.parametrize("wait", KINDS, ids=[kind.__name__ for kind in KINDS])
def test_very_many_that_wait_are_answered_in_portions_and_none_is_left(
    bench: Bench, wait: Callable[[Bench, Peer, Peer], Callable[[], None]]
) -> None:
    many, other = bench.client(), bench.client()
    release = wait(bench, many, other)
    waiting = len(many.session.calls)
    release()
    answered = [len(many.answers)]
    while answered[-1] < waiting:
        bench.step()
        answered.append(len(many.answers))
        assert 0 < answered[-1] - answered[-2] <= GIVEN_MAX
    assert 0 < answered[0] <= GIVEN_MAX + 1  # one in exchange for that call


def test_who_waits_for_another_lock_is_served_beside_them(bench: Bench) -> None:
    many, other, mine = bench.client(), bench.client(), token()
    release = waiting_acquires(bench, many, other)
    other.call(("get_lock", "x"), "acquire", mine)
    waits = other.ask(("get_lock", "x"), "acquire", token())
    bench.step()
    release()
    other.ask(("get_lock", "x"), "release", mine)
    bench.step()
    bench.step()
    assert other.answer(waits) == 2
    drained(bench)
    assert len(many.answers) == MANY


def test_who_comes_while_they_are_served_does_not_pass_them(bench: Bench) -> None:
    """Of what there is for all of them it takes what they leave."""
    many, other = bench.client(), bench.client()
    release = waiting_acquires(bench, many, other)
    release()
    assert other.call(SEMAPHORE, "acquire", token(), False) is None
    late = other.ask(SEMAPHORE, "acquire", token())
    drained(bench)
    assert (len(many.answers), other.answers) == (MANY, {})
    other.call(SEMAPHORE, "add", token(), 1)
    assert other.answer(late) == MANY + 1
    many.answers.clear()
    waiting_gets(bench, many, other)()
    assert other.call(QUEUE, "get", token(), False) is None
    drained(bench)
    assert len(many.answers) == MANY


def test_a_disk_that_fails_in_between_leaves_none_waiting(bench: Bench) -> None:
    many, other = bench.client(), bench.client()
    waiting_acquires(bench, many, other)()

    def full_disk() -> None:
        raise StoreError("the store says: database or disk is full")

    bench.step(commit=full_disk)
    bench.advance(1)
    drained(bench)
    refused = [error for _, error in many.answers.values() if error is not None]
    assert (len(many.answers), len(refused)) == (MANY, GIVEN_MAX)
