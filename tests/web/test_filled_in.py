"""What was typed into a form as a call, and what is refused, with the parameter."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import pytest
from tq.common.contract.signatures import ParameterKind, ParameterRow
from tq.common.errors import InvalidArgument
from tq.web.fields import all_of, fields_of
from tq.web.filled_in import call_of_fields, parameter_of

from .test_fields import ORDER, row

ROWS = [
    row("order", ORDER),
    row("n", ["int"], "3"),
    row("day", ["date"], "None", ParameterKind.BY_NAME),
    row("colour", ["one", ["red", 2]], "'red'", ParameterKind.BY_NAME),
    row("ids", ["set", ["int"]], "()", ParameterKind.BY_NAME),
    row("more", ["any"], None, ParameterKind.MORE),
]
TYPED = {"p.order.item": "tea", "p.order.price": "2.5"}


def test_what_is_typed_arrives_as_its_annotation_says() -> None:
    more = {"p.n": " 7 ", "p.day": "2026-11-30", "p.colour": "2", "p.ids": "1\r\n2\r\n", "p.more": "size=[1]"}
    assert call_of_fields(ROWS, TYPED | more) == (
        [{"item": "tea", "price": 2.5}, 7],
        {"day": date(2026, 11, 30), "colour": 2, "ids": {1, 2}, "size": [1]},
    )


def test_what_is_left_empty_has_its_default() -> None:
    assert call_of_fields(ROWS, {"p.order.item": ""}) == ([{"item": ""}], {})


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ({"p.n": "x"}, "n: expected int, got 'x'"),
        ({"p.n": "1.5"}, "n: expected int, got '1.5'"),
        ({"p.order.price": "dear"}, "order.price: expected float, got 'dear'"),
        ({"p.day": "tomorrow"}, "day: expected date, got 'tomorrow'"),
        ({"p.colour": '"green"'}, "colour: expected one of 'red', 2, got '\"green\"'"),
        ({"p.ids": "1\nx"}, r"ids: expected set of int, got '1\nx'"),
        ({"p.more": "n=1"}, "more: n has a field of its own"),
        ({"p.more": "7"}, "more: '7': a keyword argument is name=JSON"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_parameter(typed: Mapping[str, str], why: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        call_of_fields(ROWS, {**TYPED, **typed})
    assert str(refused.value).startswith(why)
    assert parameter_of(str(refused.value)) == why.partition(":")[0].partition(".")[0]


def test_a_value_that_has_no_default_is_asked_for() -> None:
    with pytest.raises(InvalidArgument, match="n: a value is missing; it is int"):
        call_of_fields([row("n", ["int"])], {})
    with pytest.raises(InvalidArgument, match="it: a value is missing"):
        call_of_fields([row("it", ["any"])], {"p.it": " "})
    assert call_of_fields([row("n", ["union", [["int"], ["none"]]])], {}).args == [None]


def test_json_is_judged_by_the_annotation_as_a_submit_from_python_is() -> None:
    rows = [row("orders", ["list", ORDER])]
    assert call_of_fields(rows, {"p.orders": '[{"item": "tea"}]'}).args == [[{"item": "tea"}]]
    with pytest.raises(InvalidArgument, match=r"orders\[0\]\.price: expected float, got str 'x'"):
        call_of_fields(rows, {"p.orders": '[{"item": "tea", "price": "x"}]'})
    with pytest.raises(InvalidArgument, match=r"orders: .*is not JSON"):
        call_of_fields(rows, {"p.orders": "[oops"})


def test_a_parameter_by_place_behind_one_that_is_left_out_goes_by_its_name_or_is_refused() -> None:
    rows = [row("a", ["int"], "1"), row("b", ["int"], "2")]
    assert call_of_fields(rows, {"p.b": "7"}) == ([], {"b": 7})
    rest = ParameterRow("rest", ParameterKind.REST, "", None, ["any"])
    with pytest.raises(
        InvalidArgument, match=r"a: a value is missing, because values of \*rest come behind it"
    ):
        call_of_fields([rows[0], rest], {"p.rest": "1\n2"})
    assert call_of_fields([rows[0], rest], {"p.a": "5", "p.rest": "1\n2"}).args == [5, 1, 2]
    by_place = [one._replace(kind=ParameterKind.BY_PLACE) for one in rows]
    with pytest.raises(InvalidArgument, match="a: a value is missing, because b comes behind it"):
        call_of_fields(by_place, {"p.b": "7"})


def test_what_was_not_changed_of_a_task_stays_as_it_was_hidden_or_not() -> None:
    like: dict[str, Any] = {
        "order": {"item": "tea", "token": "hush"},
        "n": 3,
        "day": datetime(2026, 11, 30, 9),
        "more": {"key": b"x"},
    }
    typed = {one.name: one.value for one in all_of(fields_of(ROWS, like))}
    assert "hush" not in str(typed)
    assert call_of_fields(ROWS, typed, like) == ([like["order"], 3], {"day": like["day"], "key": b"x"})
    changed = call_of_fields(ROWS, typed | {"p.order.item": "leaf", "p.n": ""}, like)
    assert changed.args == [{"item": "leaf", "token": "hush"}]
    with pytest.raises(InvalidArgument, match=r"order\.item: .*nothing of that kind was hidden"):
        call_of_fields(ROWS, typed | {"p.order.item": "[hidden]"}, like)
