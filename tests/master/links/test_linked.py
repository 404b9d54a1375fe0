"""Rows that one shard has for another: those behind the last that the other one has, and the number that it has applied."""

from __future__ import annotations

from tq.master.links.linked import HANDED_MAX, hand

from .shards_of_a_test import ShardOfATest, some


def test_what_the_other_one_has_is_not_handed_again_and_stays_with_its_giver_until_it_is_applied() -> None:
    a, b = some([0, 1])
    a.says(1, b"x", b"y")
    hand(a.linked, b.linked)
    a.says(1, b"z")
    hand(a.linked, b.linked)
    assert b.handed == [(0, [1, 2]), (0, [3])]
    assert len(a.out[1]) == 3
    b.applies()
    hand(a.linked, b.linked)
    assert a.out[1] == []


def test_what_there_was_no_room_for_is_handed_again() -> None:
    a, b = ShardOfATest(0), ShardOfATest(1, room=1)
    a.says(1, b"x", b"y")
    hand(a.linked, b.linked)
    b.applies()
    hand(a.linked, b.linked)
    assert b.handed == [(0, [1, 2]), (0, [2])]


def test_a_bounded_number_is_handed_at_a_time() -> None:
    a, b = some([0, 1])
    a.says(1, *[b"x"] * (HANDED_MAX + 1))
    hand(a.linked, b.linked)
    assert [len(numbers) for _, numbers in b.handed] == [HANDED_MAX]
