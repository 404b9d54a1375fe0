"""What children say of tasks that wait, as calls."""

from __future__ import annotations

from typing import Any

from tq.common.errors import ProtocolError, TqError, WouldDeadlock
from tq.common.wire.protocol import Request
from tq.worker.supervisor.waits import SLOT, ChildWaits

from ..workshop import Workshop

TASK = b"w" * 16


class Child:
    def __init__(self, number: int) -> None:
        self.number = number
        self.answers: dict[int, TqError | None] = {}

    def answer(self, call_id: int, value: Any, error: TqError | None) -> None:
        self.answers[call_id] = error


class Owner:
    """A pool with one child, whose task runs."""

    def __init__(self) -> None:
        self.shop = Workshop(slots=1)
        self.agent, self.child = self.shop.agent, Child(1)
        self.by_number: dict[int, Any] = {1: self.child}
        self.waits = ChildWaits(self)
        self.started = 0
        self.shop.grant()
        self.shop.begin(1)

    def now(self) -> float:
        return self.shop.now

    def start_one(self, *, is_lent: bool = False) -> None:
        self.started += is_lent

    def broke(self, error: Exception) -> None:
        raise error

    def call(self, method: str, *args: Any, call_id: int = 1) -> None:
        request = Request(call_id, (SLOT,), method, list(args), {}, child=None, size_bytes=0)
        self.waits.called(self.child, request)  # type: ignore[arg-type]


def ordinal(owner: Owner) -> int:
    running = owner.shop.sims[1].running
    assert running is not None
    return running.ordinal


def test_a_wait_is_answered_when_it_is_over() -> None:
    owner = Owner()
    owner.call("wait", 7, ordinal(owner), [TASK], call_id=1)
    assert owner.agent.lending.sleepers
    assert owner.child.answers == {}
    owner.call("woke", 7, call_id=2)
    assert owner.child.answers == {1: None, 2: None}
    assert not owner.agent.lending.sleepers


def test_a_refused_wait_is_answered_with_the_reason() -> None:
    owner = Owner()
    owner.call("wait", 7, ordinal(owner), [[TASK, 3]])
    owner.waits.refuse_wait(1, 7, "no slot is left")
    assert isinstance(owner.child.answers[1], WouldDeadlock)


def test_a_wait_of_a_task_that_is_over_and_calls_of_another_form_are_answered_at_once() -> None:
    owner = Owner()
    owner.call("wait", 7, ordinal(owner) + 1, [TASK], call_id=1)
    assert owner.child.answers == {1: None}
    for number, (method, *args) in enumerate(
        [("wait", 8, ordinal(owner), [b"short"]), ("wait", 8, ordinal(owner), []), ("wait", "8"), ("sleep",)],
        2,
    ):
        owner.call(method, *args, call_id=number)
        assert isinstance(owner.child.answers[number], ProtocolError)
    assert not owner.agent.lending.sleepers


def test_a_child_that_died_is_answered_no_more_and_its_number_is_forgotten() -> None:
    owner = Owner()
    owner.call("wait", 7, ordinal(owner), [TASK])
    owner.waits.lent.add(1)
    assert owner.waits.forget(owner.child)  # type: ignore[arg-type]
    owner.call("woke", 7, call_id=2)
    assert owner.child.answers == {2: None}
    assert not owner.waits.lent
