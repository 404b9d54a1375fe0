"""Arguments by which tasks are found again: which text of which argument a task is tagged with, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import tq
from tq.client.tasks.definition import Definition
from tq.client.tasks.indexed import ArgumentIndex
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


def test_a_map_is_refused_with_what_can_be_written() -> None:
    task = tq.App("tq://127.0.0.1:1", authkey="x" * 32).task(index=["customer"])(charge)
    with pytest.raises(InvalidArgument, match=r"share their tags; .* using\(index=\[\]\)"):
        task.map([1, 2])
    assert task.using(index=[]).parts[1].indexed == ()


def test_of_a_task_known_by_its_name_arguments_are_indexed_that_are_given_by_name() -> None:
    choice = choose({"index": ["customer"]})
    index = ArgumentIndex(choice.indexed, Definition(None, "jobs:charge"))
    assert index.of_call(choice, (), {"customer": 7}).wire["tags"] == {"arg.customer": "7"}
    with pytest.raises(InvalidArgument, match="pass it by name, customer="):
        index.of_call(choice, (7,), {})
