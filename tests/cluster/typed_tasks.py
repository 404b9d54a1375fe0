"""Tasks whose arguments and results are typed, for test_typed.py."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import NamedTuple, NotRequired, TypedDict

import tq

app = tq.App()


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Place(NamedTuple):
    x: float
    y: float


class Wishes(TypedDict):
    gift: bool
    note: NotRequired[str]


@dataclass(frozen=True)
class Line:
    item: str
    price: float
    color: Color = Color.RED


@dataclass(frozen=True)
class Order:
    number: int
    lines: list[Line] = field(default_factory=list)
    place: Place | None = None


@app.task
def cheapest(order: Order, wishes: Wishes | None = None) -> Line | None:
    assert isinstance(order, Order)
    return min(order.lines, key=lambda line: line.price, default=None)


@app.task
async def merged(ctx: tq.Context, orders: list[Order], *, by_name: dict[str, Line]) -> Order:
    lines = [line for order in orders for line in order.lines]
    return Order(ctx.attempt, [*lines, *by_name.values()], Place(1, 2))


@app.task
def painted(line: Line, color: Color = Color.BLUE) -> Line:
    return Line(line.item, line.price, color)


@app.task
def lies(number: int) -> Line:
    return number  # type: ignore[return-value]
