"""What a worker announces of the parameters of a task."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import pytest
from tq.common.contract.signatures import SIGNATURE_BYTES_MAX, in_words, unpacked
from tq.worker.child.signature import signature_of

HUSH = "hush"


@dataclass
class Order:
    item: str
    price: float = 1.0


def send(
    order: Order,
    count: int = 3,
    *,
    password: str = HUSH,
    only_for_checkers: Missing = None,  # type: ignore[name-defined]  # noqa: F821
) -> None: ...


def test_it_has_names_annotations_defaults_and_forms_and_no_secret() -> None:
    body = signature_of(send)
    rows = unpacked(body)
    assert in_words(rows) == (
        "(order: Order, count: int = 3, *, password: str = [hidden], only_for_checkers: Missing = None)"
    )
    assert b"hush" not in body
    assert [row.form for row in rows] == [
        ["fields", "Order", [["item", True, ["str"]], ["price", False, ["float"], "1.0"]]],
        ["int"],
        ["str"],
        ["any"],
    ]


def test_what_a_worker_fills_in_is_left_out() -> None:
    assert [row.name for row in unpacked(signature_of(send, {"count", "only_for_checkers"}))] == [
        "order",
        "password",
    ]


def test_a_function_that_gets_a_list_of_many_calls_takes_one_value_of_any_form() -> None:
    def many(items: list[int]) -> None: ...

    assert [(row.note, row.form) for row in unpacked(signature_of(many, of_many=True))] == [("", ["any"])]


def test_a_function_without_a_signature_says_nothing_and_one_that_is_too_long_says_less() -> None:
    assert signature_of(dict) == b""

    def wide(*args: int) -> None: ...

    choice = Literal[tuple(f"choice {one}" for one in range(30))]  # type: ignore[valid-type]
    by_name = [
        inspect.Parameter(f"parameter_{one}", inspect.Parameter.KEYWORD_ONLY, annotation=choice)
        for one in range(200)
    ]
    wide.__signature__ = inspect.Signature(by_name[:20])  # type: ignore[attr-defined]
    rows = unpacked(body := signature_of(wide))
    assert len(body) <= SIGNATURE_BYTES_MAX
    assert {str(row.form) for row in rows} == {"['any']"}
    wide.__signature__ = inspect.Signature(by_name)  # type: ignore[attr-defined]
    assert signature_of(wide) == b""


def test_a_default_that_raises_when_it_is_shown_does_not_keep_the_worker_from_starting() -> None:
    class Unshowable:
        def __repr__(self) -> str:
            raise RuntimeError

    def waits(until: object = Unshowable()) -> None: ...

    assert "Unshowable" in str(unpacked(signature_of(waits))[0].default)


def test_a_model_of_pydantic_is_its_fields_as_json() -> None:
    pydantic = pytest.importorskip("pydantic")
    model = pydantic.create_model("Visit", at=(datetime, ...), guests=(int, 2))

    def book(visit) -> None: ...  # type: ignore[no-untyped-def]

    book.__annotations__["visit"] = model
    [row] = unpacked(signature_of(book))
    assert row.form == [
        "model",
        "Visit",
        [["at", True, ["str", "datetime"]], ["guests", False, ["int"], "2"]],
    ]
