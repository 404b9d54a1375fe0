"""Which field each annotation has, and what stands in it of a task that there is."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from tq.common.contract.signatures import ParameterKind, ParameterRow
from tq.web.calls import EditedCall
from tq.web.fields import all_of, by_parameter, fields_of, in_words

ORDER = ["fields", "Order", [["item", True, ["str"]], ["price", False, ["float"]], ["token", False, ["str"]]]]


def row(
    name: str, form: list[Any], default: str | None = None, kind: int = ParameterKind.EITHER
) -> ParameterRow:
    return ParameterRow(name, kind, in_words(form), default, form)


def kind_of(form: list[Any]) -> str:
    return fields_of([row("it", form)])[0].kind


def shown(form: list[Any], value: object, name: str = "it") -> tuple[str, str]:
    [one] = fields_of([row(name, form)], {name: value})
    return one.kind, one.value


def test_an_annotation_has_a_field_of_its_kind_and_else_a_line_of_json() -> None:
    kinds = {
        "text": [["str"], ["datetime"], ["time"], ["union", [["str"], ["none"]]], ["str", "date"]],
        "number": [["int"], ["float"]],
        "date": [["date"]],
        "choice": [["bool"], ["one", ["fast", 2]]],
        "lines": [["list", ["str"]], ["set", ["int"]]],
        "group": [ORDER],
        "json": [
            ["any"],
            ["list"],
            ["dict"],
            ["list", ORDER],
            ["map", ["str"], ["int"]],
            ["union", [["int"], ["str"]]],
        ],
    }
    for kind, forms in kinds.items():
        assert {kind_of(form) for form in forms} == {kind}, kind


def test_fields_of_classes_show_their_defaults_if_the_worker_says_them() -> None:
    form = [
        "fields",
        "Order",
        [["item", True, ["str"]], ["price", False, ["float"], "9.5"], ["token", False, ["str"]]],
    ]
    assert [one.default for one in fields_of([row("order", form)])[0].fields] == [None, "9.5", ""]


def test_fields_of_classes_are_named_by_their_way_and_say_what_is_needed() -> None:
    fields = all_of(fields_of([row("order", ORDER), row("n", ["int"], "3")]))
    assert [(one.name, one.is_needed) for one in fields] == [
        ("p.order", True),
        ("p.order.item", True),
        ("p.order.price", False),
        ("p.order.token", False),
        ("p.n", False),
    ]


def test_classes_within_classes_have_fields_as_deep_as_a_person_reads() -> None:
    deep: list[Any] = ["int"]
    for _ in range(9):
        deep = ["fields", "A", [["a", True, deep]]]
    assert [one.kind for one in all_of(fields_of([row("a", deep)]))] == ["group", "group", "json"]


def test_what_a_task_has_stands_as_its_field_has_it() -> None:
    assert shown(["str"], "tea") == ("text", "tea")
    assert shown(["int"], 7) == ("number", "7")
    assert shown(["bool"], False) == ("choice", "false")
    assert shown(["date"], date(2026, 11, 30)) == ("date", "2026-11-30")
    assert shown(["datetime"], datetime(2026, 11, 30, 9)) == ("text", "2026-11-30T09:00:00")
    assert shown(["set", ["int"]], {7}) == ("lines", "7")


def test_what_a_field_cannot_have_or_may_not_show_is_a_line_with_a_mark() -> None:
    assert shown(["str"], "two\nlines") == ("json", '"two\\nlines"')
    assert shown(["str"], "hush", "password") == ("json", '"[hidden]"')
    assert shown(["one", ["fast"]], "slow") == ("json", '"slow"')
    assert shown(["str"], "x" * 5_000) == ("json", '"[as it was: str of 5,000]"')
    assert shown(["int"], 10**9_000)[0] == "json"
    assert shown(["list", ["str"]], ["two\nlines"]) == ("json", '["two\\nlines"]')
    [one] = fields_of([row("order", ORDER)], {"order": {"item": "tea", "token": "hush"}})
    assert [(part.kind, part.value) for part in one.fields] == [
        ("text", "tea"),
        ("number", ""),
        ("json", '"[hidden]"'),
    ]


def test_the_values_of_a_call_are_found_by_parameter_or_do_not_fit() -> None:
    rows = [
        row("a", ["int"]),
        row("rest", ["any"], None, ParameterKind.REST),
        row("b", ["int"], "1", ParameterKind.BY_NAME),
        row("more", ["any"], None, ParameterKind.MORE),
    ]
    assert by_parameter(rows, EditedCall([1, 2, 3], {"b": 4, "c": 5})) == {
        "a": 1,
        "rest": [2, 3],
        "b": 4,
        "more": {"c": 5},
    }
    assert by_parameter(rows[:1], EditedCall([1, 2], {})) is None
    assert by_parameter(rows[:1], EditedCall([], {})) is None
