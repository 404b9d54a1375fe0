"""Waits inside a task: what is said to the worker, and when."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest
from tq.client.tasks.lent_slot import UNLENT_SECONDS, wait_lending
from tq.common.domain import context
from tq.common.domain.id_runs import IdRun
from tq.common.errors import WouldDeadlock

RUNS = [IdRun(b"t" * 16, 1)]
LONG_SECONDS = 100 * UNLENT_SECONDS  # beside which a busy machine's delay of the first look is short


class Slot:
    """Where a task runs, and its slot: what it is asked for is noted."""

    owns_process = False

    def __init__(self) -> None:
        self.lent: list[Sequence[IdRun]] = []
        self.ended = 0
        self.refusal: WouldDeadlock | None = None

    def lend_slot(self, runs: Sequence[IdRun]) -> Slot:
        self.lent.append(runs)
        return self

    def check(self) -> None:
        if self.refusal is not None:
            raise self.refusal

    def end(self) -> None:
        self.ended += 1


@pytest.fixture
def slot() -> Iterator[Slot]:
    made = Slot()
    context.provide(made)  # type: ignore[arg-type] # it has what is asked for here
    yield made
    context.provide(None)


def slept(until: float, seconds: float | None) -> bool:
    threading.Event().wait(max(0.0, min(until - time.monotonic(), seconds or 60.0)))
    return time.monotonic() >= until


def lent_so_often(slot: Slot, times: int) -> Callable[[float | None], bool]:
    """A wait that is over at the second look after the slot was lent so often: how long that takes is the machine's affair."""
    looks = 0

    def wait(seconds: float | None) -> bool:
        nonlocal looks
        threading.Event().wait(seconds)
        looks += len(slot.lent) >= times
        return looks == 2

    return wait


def test_outside_of_a_task_a_wait_is_what_it_was() -> None:
    asked: list[float | None] = []
    assert not wait_lending(lambda seconds: bool(asked.append(seconds)), lambda: RUNS, 7.0)
    assert asked == [7.0]


def test_a_short_wait_lends_nothing(slot: Slot) -> None:
    until = time.monotonic() + UNLENT_SECONDS / 4
    assert wait_lending(lambda seconds: slept(until, seconds), lambda: RUNS)
    assert slot.lent == []


def test_a_longer_one_lends_the_slot_and_takes_it_back(slot: Slot) -> None:
    assert wait_lending(lent_so_often(slot, 1), lambda: RUNS)
    assert (slot.lent, slot.ended) == ([RUNS], 1)


def test_what_joins_the_wait_is_named_too(slot: Slot) -> None:
    named = [[], RUNS, RUNS * 2, RUNS * 2]
    assert wait_lending(lent_so_often(slot, 2), lambda: named.pop(0) if len(named) > 1 else named[0])
    assert slot.lent == [RUNS, RUNS * 2]


def test_a_timeout_is_kept_and_ends_the_loan(slot: Slot) -> None:
    until = time.monotonic() + 60
    assert not wait_lending(lambda seconds: slept(until, seconds), lambda: RUNS, LONG_SECONDS)
    assert slot.ended == len(slot.lent) == 1


def test_a_refusal_is_raised_in_the_wait(slot: Slot) -> None:
    slot.refusal = WouldDeadlock("no slot is left")
    until = time.monotonic() + 60
    with pytest.raises(WouldDeadlock, match="no slot is left"):
        wait_lending(lambda seconds: slept(until, seconds), lambda: RUNS)
    assert slot.ended == 1
