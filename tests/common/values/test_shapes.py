"""Shapes by themselves: what each takes, and where it says that something does not fit."""

from __future__ import annotations

import enum
from typing import Any, NamedTuple

import pytest
import tq
from tq.common.values.shapes import (
    DictShape,
    EnumShape,
    LeafShape,
    ListShape,
    LiteralShape,
    Shape,
    TupleShape,
    UnionShape,
    received,
    sent,
)


class Color(enum.IntEnum):
    RED = 1


class Pair(NamedTuple):
    x: int
    y: str


INT, TEXT = LeafShape("int", (int,)), LeafShape("str", (str,))
COLOR, PAIR = EnumShape(Color, by_value=True), TupleShape("Pair", Pair, Pair, [INT, TEXT], Pair._fields)
INTS = ListShape("list[int]", frozenset({list}), list, INT)
PAIRS = ListShape("tuple[Pair, ...]", frozenset({tuple}), tuple, PAIR)
TABLE = DictShape("dict[str, Pair]", TEXT, PAIR)


@pytest.mark.parametrize(
    ("shape", "value", "plain"),
    [
        (LeafShape("anything"), [object], [object]),
        (INT, 5, 5),
        (COLOR, Color.RED, 1),
        (EnumShape(Color, by_value=False), Color.RED, "RED"),
        (PAIR, Pair(1, "a"), (1, "a")),
        (PAIRS, (Pair(1, "a"), Pair(2, "b")), ((1, "a"), (2, "b"))),
        (TABLE, {"k": Pair(1, "a")}, {"k": (1, "a")}),
        (UnionShape("Pair | int", (PAIR, INT)), 5, 5),
        (UnionShape("Pair | int", (PAIR, INT)), Pair(1, "a"), (1, "a")),
        (LiteralShape("Literal[1, 'a']", (1, "a")), "a", "a"),
    ],
)
def test_a_value_is_sent_as_plain_data_and_made_of_it(shape: Shape, value: Any, plain: Any) -> None:
    assert sent(shape, value, "x") == plain
    made = received(shape, plain, "x")
    assert (made, type(made)) == (value, type(value))


@pytest.mark.parametrize(
    ("shape", "value", "words"),
    [
        (INT, True, "x: expected int, got bool True"),
        (INTS, [1, 2, "c"], r"x\[2\]: expected int, got str 'c'"),
        (INTS, (1,), r"x: expected list\[int\], got tuple \(1,\)"),
        (PAIRS, (Pair(1, "a"), Pair(2, 3)), r"x\[1\].y: expected str, got int 3"),  # type: ignore[arg-type]
        (TABLE, {"k": Pair("a", "b")}, r"x\['k'\].x: expected int, got str 'a'"),  # type: ignore[arg-type]
        (TABLE, {5: Pair(1, "b")}, r"x\[5\]: expected str, got int 5"),
        (COLOR, 1, "x: expected Color, got int 1"),
        (LiteralShape("Literal[1]", (1,)), True, r"x: expected Literal\[1\], got bool True"),
        (UnionShape("Pair | int", (PAIR, INT)), Pair(1, 2), "x.y: expected str, got int 2"),  # type: ignore[arg-type]
        (UnionShape("Pair | int", (PAIR, INT)), "s", r"x: expected Pair \| int, got str 's'"),
    ],
)
def test_what_does_not_fit_is_refused_where_it_is_sent(shape: Shape, value: Any, words: str) -> None:
    with pytest.raises(tq.InvalidArgument, match=f"^{words}"):
        sent(shape, value, "x")


@pytest.mark.parametrize(
    ("shape", "data", "words"),
    [
        (COLOR, 7, "x: expected Color, got int 7"),
        (PAIR, (1, "a", 2), "x: Pair has 2 parts, got 3"),
        (PAIRS, [[1, "a"], [1, 2]], r"x\[1\].y: expected str, got int 2"),
        (TABLE, [], r"x: expected dict\[str, Pair\], got list \[\]"),
    ],
)
def test_what_does_not_fit_is_refused_where_it_is_received(shape: Shape, data: Any, words: str) -> None:
    with pytest.raises(tq.InvalidArgument, match=f"^{words}"):
        received(shape, data, "x")


def test_lists_stand_for_tuples_in_json() -> None:
    assert received(PAIRS, [[1, "a"]], "x") == (Pair(1, "a"),)


def test_a_member_that_came_as_one_stays_one() -> None:
    assert received(COLOR, Color.RED, "x") is Color.RED
