"""Arguments by which tasks are found again: which text of which argument a task is tagged with, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import tq
from tq.client.tasks.definition import Definition
from tq.client.tasks.indexed import ArgumentIndex, MapIndex
from tq.client.tasks.made_by_master import A_CALLBACK, A_SCHEDULE, called_back, scheduled
from tq.client.tasks.options import choose
from tq.common.errors import InvalidArgument


def charge(customer: Any, amount: int = 1, *, shop: str = "main") -> None:
    """A task."""


def tags(index: list[str], *args: Any, given: dict[str, str] | None = None, **kwargs: Any) -> dict[str, str]:
    choice = choose({"index": index, "tags": given or {}})
    found = ArgumentIndex(choice.indexed, Definition(charge, "jobs:charge")).of_call(choice, args, kwargs)
    assert found.wire.get("tags", {}) == dict(found.options.tags), "what travels is what is said"
    return dict(found.options.tags)


def test_a_task_is_tagged_with_its_arguments_however_they_are_given_and_with_defaults() -> None:
    assert tags(["customer"], 4711) == {"arg.customer": "4711"}
    assert tags(["customer"], customer="ann") == {"arg.customer": "ann"}
    assert tags(["customer", "shop", "amount"], "ann") == {
        "arg.customer": "ann",
        "arg.shop": "main",
        "arg.amount": "1",
    }
    assert tags(["shop"], "ann", shop="north", given={"order": "1"}) == {"arg.shop": "north", "order": "1"}


def test_an_empty_argument_has_no_tag() -> None:
    assert tags(["customer"], "") == {}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (["ann"], "a key is made of text and numbers"),
        ("x" * 300, "at most 256"),
        ("two\nlines", "arg.customer"),
    ],
)
def test_an_argument_that_is_no_short_text_is_refused_by_its_name(value: object, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words) as caught:
        tags(["customer"], value)
    assert "customer" in str(caught.value)


@pytest.mark.parametrize(
    ("index", "words"),
    [
        ("customer", r"not 'customer'; write index=\['customer'\]"),
        ([1], "is a list of names of parameters"),
        (7, "is a list of names of parameters"),
        ([f"p{number}" for number in range(17)], "at most 16 parameters, and here are 17"),
        (["two words"], "is not a name of a tag"),
    ],
)
def test_what_is_no_list_of_parameters_is_refused(index: object, words: str) -> None:
    with pytest.raises(InvalidArgument, match=words):
        choose({"index": index})


def test_a_parameter_that_the_function_does_not_have_is_refused_where_it_is_written() -> None:
    app = tq.App("tq://127.0.0.1:1", authkey="x" * 32)
    with pytest.raises(InvalidArgument, match=r"has no parameter 'custmer'.*did you mean .customer."):
        app.task(index=["custmer"])(charge)


def of_map(index: list[str], calls: list[tuple[Any, ...]], **options: Any) -> dict[str, Any]:
    """What travels of a map's calls."""
    choice = choose({"index": index, **options})
    noted = MapIndex(choice, Definition(charge, "jobs:charge"))
    assert list(noted.noted(calls)) == calls
    columns = noted.of_next(choice, len(calls)).columns
    assert columns is not None
    found: dict[str, Any] = columns.to_wire()["index"]
    return found


def test_of_a_map_the_texts_travel_in_columns_each_once() -> None:
    assert of_map(["customer", "amount"], [("ann", 1), ("ben",), ("ann", 1), ("", 1)]) == {
        "arg.customer": [["ann", "ben", ""], [0, 1, 0, 2]],
        "arg.amount": "1",
    }


def test_the_calls_of_a_map_have_their_texts_in_the_submit_that_they_travel_in() -> None:
    choice = choose({"index": ["customer"]})
    noted = MapIndex(choice, Definition(charge, "jobs:charge"))
    calls = noted.noted([("ann",), ("ben",), ("cid",)])
    next(calls), next(calls)
    found = [noted.of_next(choice, 1).columns]
    next(calls)
    found += [noted.of_next(choice, 2).columns]
    assert [one and one.to_wire()["index"] for one in found] == [
        {"arg.customer": "ann"},
        {"arg.customer": [["ben", "cid"], [0, 1]]},
    ]


def test_a_map_is_refused_for_an_argument_that_is_no_short_text_and_for_a_tag_of_the_same_name() -> None:
    with pytest.raises(InvalidArgument, match=r"arg.customer=.* printable"):
        of_map(["customer"], [("two\nlines",)])
    with pytest.raises(InvalidArgument, match=r"arg.customer is among tags= and in index="):
        of_map(["customer"], [("ann",)], tags={"arg.customer": "ben"})
    with pytest.raises(InvalidArgument, match="at most 16 tags"):
        of_map(["customer"], [("ann",)], tags={f"t{number}": "x" for number in range(16)})


def test_the_result_of_another_task_is_not_known_yet_and_has_no_tag() -> None:
    handle: tq.Handle[Any] = tq.Handle(tq.App("tq://127.0.0.1:1", authkey="x" * 32).session, b"t" * 16)
    assert tags(["customer", "amount"], handle, 7) == {"arg.amount": "7"}
    assert of_map(["customer"], [(handle,), ("ann",)]) == {"arg.customer": [["", "ann"], [0, 1]]}


def test_what_the_master_makes_has_the_tags_of_what_is_known_when_it_is_declared() -> None:
    task = tq.App("tq://127.0.0.1:1", authkey="x" * 32).task(index=["customer", "amount"])(charge)
    choice, _ = scheduled(task.made_by(A_SCHEDULE), ("ann",), {"amount": 3})
    assert choice.wire["tags"] == {"arg.customer": "ann", "arg.amount": "3"}
    # its first argument is what has ended
    assert called_back(task.made_by(A_CALLBACK)).wire["tags"] == {"arg.amount": "1"}
    assert dict(task.failure_handler().options.tags) == {"arg.amount": "1"}


def test_of_a_task_known_by_its_name_arguments_are_indexed_that_are_given_by_name() -> None:
    choice = choose({"index": ["customer"]})
    index = ArgumentIndex(choice.indexed, Definition(None, "jobs:charge"))
    assert index.of_call(choice, (), {"customer": 7}).wire["tags"] == {"arg.customer": "7"}
    with pytest.raises(InvalidArgument, match="pass it by name, customer="):
        index.of_call(choice, (7,), {})
