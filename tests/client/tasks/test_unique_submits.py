"""``unique=`` in a program: what is refused before anything is sent, and the key of a call."""

from __future__ import annotations

import pytest
import tq
from tq.client.tasks.definition import Definition
from tq.client.tasks.unique_submits import key_of
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
    with pytest.raises(InvalidArgument, match="judged task by task"):
        other.using(unique=tq.Unique()).map([1, 2])


def test_the_key_of_a_call_is_that_of_its_arguments_however_they_are_given() -> None:
    def charge(order: int, customer: str = "none") -> None: ...

    known, named = Definition(charge, "m:charge"), Definition(None, "m:charge")
    by = tq.Unique(by="{order}/{customer}")
    assert (
        key_of(by, known, (7,), {}, b"")
        == key_of(by, known, (), {"order": 7, "customer": "none"}, b"")
        == "7/none"
    )
    assert key_of(by, named, (), {"order": 7, "customer": "x"}, b"") == "7/x"
    with pytest.raises(InvalidArgument, match="pass it by name"):
        key_of(by, named, (7, "x"), {}, b"")
    with pytest.raises(InvalidArgument, match="a key is made of text and numbers"):
        key_of(by, known, ([7],), {}, b"")
    everything = tq.Unique()
    assert key_of(everything, known, (7,), {}, b"one") != key_of(everything, known, (7,), {}, b"other")
