"""The shape of an annotation as data, and a shape again that judges the same."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, NamedTuple

import pytest
from tq.common.errors import InvalidArgument
from tq.common.values.annotations import shape_of_note
from tq.common.values.forms import ANY, form_of, shape_of
from tq.common.values.shapes import received


@dataclass
class Order:
    item: str
    price: float = 1.0
    parts: list[Order] = field(default_factory=list)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Odd(enum.Enum):
    ONE = (1, 2)


class Place(NamedTuple):
    x: int
    y: int


def no_models(model: Any) -> list[Any]:
    raise AssertionError(model)


def form(note: Any) -> list[Any]:
    return form_of(shape_of_note(form, note), no_models)


@dataclass
class Letter:
    number: int
    city: str = "Wien"
    colour: Colour = Colour.RED
    password: str = "s3cret"
    notes: list[str] = field(default_factory=list)
    made: object = field(default_factory=object)


def test_fields_of_a_class_say_their_defaults_and_no_secret() -> None:
    _, _, fields = form(Letter)
    assert {name: said for name, _, _, *said in fields} == {
        "number": [],
        "city": ["'Wien'"],
        "colour": ["'red'"],
        "password": ["[hidden]"],
        "notes": ["[]"],
        "made": [],
    }
    shape = shape_of(form(Letter))
    assert shape.made({"number": 7}) == {"number": 7}


@pytest.mark.parametrize(
    ("note", "fits", "made"),
    [
        (int, 7, 7),
        (float, 7, 7),
        (bool, True, True),
        (date, date(2026, 11, 30), date(2026, 11, 30)),
        (Literal["fast", 2], 2, 2),
        (Colour, "red", "red"),
        (Odd, "ONE", "ONE"),
        (list[int], [1], [1]),
        (set[int], [1, 1], {1}),
        (tuple[int, ...], [1], (1,)),
        (Place, [1, 2], (1, 2)),
        (dict[str, int], {"a": 1}, {"a": 1}),
        (int | None, None, None),
        (Order, {"item": "tea"}, {"item": "tea"}),
        (Order, {"item": "tea", "parts": [{"item": "leaf"}]}, {"item": "tea", "parts": [{"item": "leaf"}]}),
    ],
)
def test_what_fits_the_annotation_fits_its_form(note: Any, fits: object, made: object) -> None:
    found = received(shape_of(form(note)), fits, "it")
    assert found == made
    assert type(found) is type(made)


@pytest.mark.parametrize(
    ("note", "misfit", "why"),
    [
        (int, "7", "it: expected int, got str '7'"),
        (int, True, "it: expected int, got bool True"),
        (Literal["fast", 2], "slow", "it: expected one of 'fast', 2, got str 'slow'"),
        (Colour, "green", "it: expected one of 'red', 'blue', got str 'green'"),
        (list[int], [1, "2"], r"it\[1\]: expected int, got str '2'"),
        (Order, {"price": 2}, "it: Order needs the field 'item'"),
        (Order, {"item": "tea", "prize": 2}, "it: Order has no field 'prize'"),
        (Order, {"item": "tea", "price": "x"}, "it.price: expected float, got str 'x'"),
        (int | None, "x", r"it: expected .*, got str 'x'"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_path(note: Any, misfit: object, why: str) -> None:
    with pytest.raises(InvalidArgument, match=why):
        received(shape_of(form(note)), misfit, "it")


def test_a_class_in_itself_and_too_many_choices_end_as_anything() -> None:
    assert str(form(Order)).count("Order") <= 6
    assert form(Literal[tuple(range(200))]) == ANY


@pytest.mark.parametrize(
    "of_another", [None, 7, [], ["new"], ["one", []], ["fields", "X", [["a"]]], ["one", [[]]]]
)
def test_a_form_that_is_not_understood_is_anything(of_another: Any) -> None:
    assert received(shape_of(of_another), {"any": [1]}, "it") == {"any": [1]}


def test_a_form_that_is_nested_without_end_costs_a_bounded_time() -> None:
    deep: list[Any] = ["int"]
    for _ in range(10_000):
        deep = ["list", deep]
    assert received(shape_of(deep), [[[]]], "it") == [[[]]]
