"""The window: bounded, every item out once, in order when asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.client.cli.map.items import Item
from tq.client.cli.map.window import Window, WindowEntry

DONE = 10


def entry(number: int, weight: int = 10) -> WindowEntry:
    return WindowEntry(Item(number=number, raw=b"", shown=""), number.to_bytes(16, "big"), weight)


def numbers(entries: list[WindowEntry]) -> list[int]:
    return [one.item.number for one in entries]


def filled(ordered: bool, count: int = 4, **bounds: int) -> tuple[Window, list[WindowEntry]]:
    window = Window(**{"items_max": 10, "bytes_max": 1_000, **bounds}, ordered=ordered)
    entries = [entry(number) for number in range(1, count + 1)]
    for one in entries:
        window.add(one)
    return window, entries


def test_in_order_the_first_holds_back_the_others() -> None:
    window, [a, b, c, d] = filled(ordered=True)
    window.end(c.id, DONE, b"")
    window.end(b.id, DONE, b"")
    assert window.take(9) == []
    assert window.ended == 2
    assert window.oldest_open(1) == [a.id]
    window.end(a.id, DONE, b"")
    assert window.take(2) == [a, b]
    assert window.ended == 1
    assert window.take(9) == [c]
    assert not window.is_done
    window.end(d.id, DONE, b"")
    assert window.take(9) == [d]
    assert window.is_done


def test_out_of_order_they_come_as_they_end() -> None:
    window, [a, b, c, d] = filled(ordered=False)
    for one in (c, a, d, b):
        window.end(one.id, DONE, b"")
    assert window.take(9) == [c, a, d, b]
    assert window.is_done


def test_what_has_ended_makes_room_only_when_it_is_taken() -> None:
    window, entries = filled(ordered=True, count=10)
    assert window.room == 0
    for one in entries[1:]:
        window.end(one.id, DONE, b"")
    assert window.room == 0
    window.end(entries[0].id, DONE, b"")
    assert len(window.take(9)) == 9
    assert window.room == 9


def test_large_results_make_it_smaller() -> None:
    window, [first, *_] = filled(ordered=True)
    window.end(first.id, DONE, bytes(400))  # the three others may well weigh as much
    assert window.room == 0
    window.take(1)
    assert window.room == 0
    for one in (2, 3, 4):
        window.end(one.to_bytes(16, "big"), DONE, b"")
    window.take(9)
    assert window.room > 0


def test_one_item_may_always_come_in_when_there_is_none() -> None:
    window = Window(items_max=10, bytes_max=100, ordered=True)
    assert window.room > 0
    window.add(entry(1, weight=1_000))
    assert window.room == 0


def test_a_second_end_is_ignored() -> None:
    window, [a, *_] = filled(ordered=True)
    window.end(a.id, DONE, b"first")
    window.end(a.id, DONE, b"second")
    assert [one.body for one in window.take(9)] == [b"first"]
    window.end(bytes(16), DONE, b"")
    assert window.take(9) == []


def test_nothing_is_taken_in_order_behind_what_was_dropped() -> None:
    window, [a, b, c, d] = filled(ordered=True)
    for one in (a, c, d):
        window.end(one.id, DONE, b"")
    assert window.drop([b.id, b.id]) == 1
    assert window.take(9) == [a]
    assert window.is_done


def test_out_of_order_the_others_are_taken() -> None:
    window, [a, b, c, d] = filled(ordered=False)
    for one in (a, c, d):
        window.end(one.id, DONE, b"")
    window.drop([b.id])
    assert window.take(9) == [a, c, d]
    assert window.is_done


def test_when_results_are_too_large_they_are_asked_for_one_by_one() -> None:
    window, [a, b, c, d] = filled(ordered=True)
    assert not window.is_overweight
    window.end(b.id, DONE, bytes(980))
    assert window.is_overweight
    assert (window.watch_room(0), window.watch_room(1)) == (1, 0)  # the one that holds back the others
    window.end(a.id, DONE, bytes(10))
    window.take(9)
    assert not window.is_overweight
    assert window.watch_room(0) == 1
    for one in (c, d):
        window.end(one.id, DONE, bytes(2_000))
    assert not window.is_overweight  # nothing more will come


@given(st.booleans(), st.lists(st.tuples(st.sampled_from("atd"), st.integers(0, 10**6)), max_size=200))
def test_whatever_happens_it_stays_bounded_and_gives_everything_once(
    ordered: bool, steps: list[tuple[str, int]]
) -> None:
    window = Window(items_max=8, bytes_max=500, ordered=ordered)
    added, taken, weights = 0, list[int](), dict[bytes, int]()
    for step, chance in steps:
        match step:
            case "a" if window.room:
                added += 1
                one = entry(added, weight=chance % 60)
                window.add(one)
                weights[one.id] = chance % 60
            case "t" if weights:
                id = sorted(weights)[chance % len(weights)]
                window.end(id, DONE, bytes(chance % 40))
                del weights[id]
            case "d":
                taken += numbers(window.take(chance % 4))
        assert len(window) <= 8
    for id in weights:
        window.end(id, DONE, b"")
    taken += numbers(window.take(1_000))
    assert sorted(taken) == list(range(1, added + 1))
    assert not ordered or taken == sorted(taken)
    assert window.is_done
    assert window.room == 8


@pytest.mark.parametrize("ordered", [True, False])
def test_more_comes_in_when_a_part_of_the_window_is_free_and_not_for_each_item_that_ended(
    ordered: bool,
) -> None:
    window = Window(items_max=32, bytes_max=10**6, ordered=ordered)
    for number in range(1, 33):
        assert window.takes_more == (number < 32)
        window.add(entry(number))
    takes = []
    for number in range(1, 4):
        takes.append(window.takes_more)
        window.end(number.to_bytes(16, "big"), DONE, b"")
        assert len(window.take(9)) == 1
        assert window.room == number
    assert [*takes, window.takes_more] == [False, False, True, True]


def test_a_window_in_which_nothing_is_always_takes_an_item() -> None:
    assert Window(items_max=1, bytes_max=1, ordered=True).takes_more
