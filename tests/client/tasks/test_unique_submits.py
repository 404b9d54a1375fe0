"""``unique=`` in a program: what is refused before anything is sent, and the key of a call."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import tq
from tq.client.tasks.definition import Definition
from tq.client.tasks.options import choose
from tq.client.tasks.unique_submits import UniqueKeys
from tq.common.domain.unique import wire_of_many
from tq.common.errors import InvalidArgument


def test_an_unknown_parameter_is_refused_where_the_task_is_defined() -> None:
    app = tq.App("tq://127.0.0.1:1")
    with pytest.raises(InvalidArgument, match=r"charge has no parameter 'oder'.*did you mean \{order\}"):

        @app.task(unique=tq.Unique(by="{oder}"))
        def charge(order: int) -> None: ...

    @app.task
    def other(order: int, customer: str = "none") -> None: ...

    with pytest.raises(InvalidArgument, match="has no parameter 'oder'"):
        other.using(unique=tq.Unique(by="{oder}"))
    with pytest.raises(InvalidArgument, match=r"unique='order' is not a tq\.Unique; write unique=tq\.Unique"):
        other.using(unique="order")  # type: ignore[typeddict-item]


def key_of(unique: tq.Unique, definition: Definition, *args: Any, **kwargs: Any) -> str:
    app = tq.App("tq://127.0.0.1:1")
    return UniqueKeys(app.session, unique, definition).of_call(args, kwargs)


def test_the_key_of_a_call_is_that_of_its_arguments_however_they_are_given() -> None:
    def charge(order: int, customer: str = "none") -> None: ...

    known, named = Definition(charge, "m:charge"), Definition(None, "m:charge")
    by = tq.Unique(by="{order}/{customer}")
    assert key_of(by, known, 7) == key_of(by, known, order=7, customer="none") == "7/none"
    assert key_of(by, named, order=7, customer="x") == "7/x"
    with pytest.raises(InvalidArgument, match="pass it by name"):
        key_of(by, named, 7, "x")
    with pytest.raises(InvalidArgument, match="a key is made of text and numbers"):
        key_of(by, known, [7])


def test_without_an_expression_it_is_that_of_all_arguments_in_one_form() -> None:
    def charge(order: Any, customer: str = "none", *more: int, **names: int) -> None: ...

    known = Definition(charge, "m:charge")
    everything = tq.Unique()
    same = [((7,), {}), ((7, "none"), {}), ((), {"order": 7}), ((), {"customer": "none", "order": 7})]
    assert len({key_of(everything, known, *args, **kwargs) for args, kwargs in same}) == 1
    one, other = {"a": 1, "b": {2, 3, 10}}, {"b": {10, 3, 2}, "a": 1}
    assert key_of(everything, known, one) == key_of(everything, known, other)
    assert key_of(everything, known, 1, x=1, y=2) == key_of(everything, known, 1, y=2, x=1)
    differ = [7, 7.0, "7", True, 1, None, [7], (7,), {7}, {"set": [7]}, {7: None}, [[7]], b"7"]
    assert len({key_of(everything, known, value) for value in differ}) == len(differ)
    assert key_of(everything, Definition(None, "m:charge"), 7) == key_of(
        everything, Definition(None, "m:x"), 7
    )


def test_a_cache_is_a_unique_of_which_one_that_has_succeeded_counts() -> None:
    assert choose({"cache": 60}).unique == tq.Unique(states=(*tq.Unique.OPEN, "succeeded"), fresh=60.0)
    hour = choose({"cache": timedelta(hours=1), "cache_by": "{url}"})
    assert hour.unique == tq.Unique(by="{url}", states=(*tq.Unique.OPEN, "succeeded"), fresh=3600.0)
    assert choose({"cache": True}).unique == tq.Unique(states=(*tq.Unique.OPEN, "succeeded"))
    assert choose({"cache_by": "{id}"}, hour).unique == tq.Unique(
        by="{id}", states=(*tq.Unique.OPEN, "succeeded"), fresh=3600.0
    )
    assert choose({"cache": 5}, hour).unique.by == "{url}"  # type: ignore[union-attr]
    assert choose({"priority": 1}, hour).unique == hour.unique
    assert choose({"cache": None}, hour).unique is None
    assert choose({"cache": False}).unique is None


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"cache": 0}, "cache=0 is out of range"),
        (
            {"cache": "1h"},
            "cache='1h': write for how many seconds a result is returned, cache=3600, or cache=True",
        ),
        ({"cache_by": "{url}"}, "cache_by='{url}' goes with cache=; write cache=3600, cache_by='{url}'"),
        ({"cache": 5, "cache_by": "{url"}, "cache_by='{url': the brace at character 1 has no other"),
        ({"cache": 5, "unique": tq.Unique()}, "cache= is a unique= of its own, and a task has one of them"),
        ({"cache": 5, "result": "errors"}, "cache= returns results, and result='errors' keeps none"),
    ],
)
def test_a_cache_that_cannot_be_is_refused_where_it_is_written(given: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        choose(given)
    assert why in str(refused.value)


def test_a_fresh_one_has_succeeded() -> None:
    with pytest.raises(InvalidArgument, match=r"fresh=5 says how long .* states has no 'succeeded'"):
        tq.Unique(fresh=5)


def test_the_keys_of_a_map_travel_once_each() -> None:
    assert wire_of_many(tq.Unique(), ["a", "b", "a"]) == [[["a", "b"], [0, 1, 0]], 0b1111, None, "return"]
    assert wire_of_many(tq.Unique(period=1), ["a", "a"]) == [[["a"], [0, 0]], 0b1111, 1000, "return"]
