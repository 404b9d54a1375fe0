"""Whose flow is worked at next."""

from __future__ import annotations

from tq.master.flows.turns import Turns


def test_keys_take_turns_and_the_flows_of_one_are_in_order() -> None:
    turns = Turns()
    for key, number in (("a", 1), ("a", 2), ("a", 3), ("b", 4), ("a", 1), ("c", 5)):
        turns.add(key, number)
    found = []
    while turns:
        found.append(turns.next())
        if found == [("a", 1)]:
            turns.add("a", 1)  # there is more of it
    assert found == [("a", 1), ("b", 4), ("c", 5), ("a", 2), ("a", 3), ("a", 1)]
