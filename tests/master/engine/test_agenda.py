"""What is due when: in order, once, on the clock that it is meant on, and once more if its transaction failed."""

from __future__ import annotations

from collections.abc import Hashable

import pytest
from tq.master.engine.agenda import SPARE_MAX, Agenda, Clock
from tq.master.engine.clock import Now
from tq.master.engine.part import Part

NOW = Now(wall=1_000_000, mono=5_000, shift=100)


def later(ms: int, *, jumped: int = 0) -> Now:
    """``jumped``: the wall was set by so much, which the master's own clock does not follow."""
    return NOW._replace(wall=NOW.wall + ms + jumped, mono=NOW.mono + ms, shift=NOW.shift + jumped)


@pytest.fixture
def agenda() -> Agenda:
    return Agenda()


@pytest.fixture
def part() -> Part:
    return Part()


def keys(taken: list[tuple[Part, Hashable]]) -> list[Hashable]:
    return [key for _, key in taken]


def test_what_is_due_is_taken_in_order_and_once(agenda: Agenda, part: Part) -> None:
    for key, when in (("late", 300), ("first", 100), ("second", 200), ("also second", 200)):
        agenda.set(part, key, NOW.mono + when)
    assert agenda.next_wakeup(NOW) == NOW.mono + 100
    assert keys(agenda.take(later(200))) == ["first", "second", "also second"]
    assert keys(agenda.take(later(200))) == []
    assert agenda.next_wakeup(later(200)) == NOW.mono + 300


def test_a_moment_that_is_set_again_counts_and_the_one_before_does_not(agenda: Agenda, part: Part) -> None:
    agenda.set(part, "key", NOW.mono + 100)
    agenda.set(part, "key", NOW.mono + 200)
    assert agenda.next_wakeup(NOW) == NOW.mono + 200
    assert keys(agenda.take(later(100))) == []
    agenda.set(part, "key", None)
    assert not agenda.has(part, "key")
    assert agenda.next_wakeup(NOW) is None
    assert keys(agenda.take(later(1_000))) == []


def test_a_clock_that_is_set_moves_what_waits_for_it_and_nothing_else(agenda: Agenda, part: Part) -> None:
    agenda.set(part, "mono", NOW.mono + 50_000)
    agenda.set(part, "steady", NOW.steady + 60_000, Clock.STEADY)
    agenda.set(part, "wall", NOW.wall + 3_600_000, Clock.WALL)
    assert agenda.next_wakeup(NOW) == NOW.mono + 50_000
    forward = later(1, jumped=3_600_000)
    assert agenda.next_wakeup(forward) == forward.mono
    assert keys(agenda.take(forward)) == ["wall"]
    assert agenda.next_wakeup(forward) == NOW.mono + 50_000
    assert sorted(map(str, keys(agenda.take(later(60_000, jumped=3_600_000))))) == ["mono", "steady"]


def test_one_parts_moments_can_be_taken_by_themselves(agenda: Agenda, part: Part) -> None:
    other = Part()
    agenda.set(part, "a", 1)
    agenda.set(other, "b", 2)
    assert agenda.take(NOW, other) == [(other, "b")]
    assert agenda.take(NOW) == [(part, "a")]


@pytest.mark.parametrize("then", [None, NOW.mono + 10_000])
def test_what_was_due_in_a_transaction_that_failed_is_due_again(
    agenda: Agenda, part: Part, then: int | None
) -> None:
    agenda.set(part, "key", NOW.mono)
    agenda.take(NOW)
    agenda.set(part, "key", then)  # in the same transaction
    agenda.void()
    assert keys(agenda.take(NOW)) == ["key"]
    agenda.committed()
    agenda.void()
    assert keys(agenda.take(NOW)) == []


def test_setting_a_moment_very_often_takes_no_memory(agenda: Agenda, part: Part) -> None:
    for number in range(10_000):
        agenda.set(part, "key", NOW.mono + number)
    assert sum(map(len, agenda._heaps.values())) <= SPARE_MAX + 2
    assert agenda.next_wakeup(NOW) == NOW.mono + 9_999
