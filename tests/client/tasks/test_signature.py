"""A call that does not fit its function is a TypeError where it is submitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import tq
from tq.client.tasks.signature import Arguments


def plain(url: str, size: int = 128) -> None: ...


def keyword_only(url: str, *, size: int) -> None: ...


def anything(*args: Any, **kwargs: Any) -> None: ...


def context_last(url: str, size: int = 1, *, ctx: tq.Context) -> None: ...


def context_first(ctx: tq.Context, url: str, size: int = 1) -> None: ...


def context_between(url: str, ctx: tq.Context, size: int = 1, **more: int) -> None: ...


def context_before_rest(ctx: tq.Context, *rest: int) -> None: ...


@pytest.mark.parametrize("call", [(("u",), {}), (("u", 1), {}), (("u",), {"size": 1}), ((), {"url": "u"})])
def test_a_call_that_fits_is_sent_as_it_is(call: tuple[tuple[Any, ...], dict[str, Any]]) -> None:
    assert Arguments(plain).fit(*call) == call


@pytest.mark.parametrize(
    ("args", "kwargs", "words"),
    [
        ((), {}, "missing a required argument: 'url'"),
        (("u", 1, 2), {}, "too many positional"),
        (("u",), {"sise": 1}, "unexpected keyword argument 'sise'"),
        (("u",), {"url": "v"}, "multiple values"),
    ],
)
def test_a_call_that_does_not_fit_says_why_and_shows_the_signature(
    args: tuple[Any, ...], kwargs: dict[str, Any], words: str
) -> None:
    with pytest.raises(TypeError, match=words) as raised:
        Arguments(plain).fit(args, kwargs)
    assert str(raised.value).startswith("plain(url: 'str', size: 'int' = 128)")


def test_a_required_keyword_is_missed() -> None:
    with pytest.raises(TypeError, match="missing a required"):
        Arguments(keyword_only).fit(("u",), {})
    assert Arguments(keyword_only).fit(("u",), {"size": 1}) == (("u",), {"size": 1})


def test_functions_of_anything_take_anything() -> None:
    assert Arguments(anything).fit((1, 2, 3), {"a": 1}) == ((1, 2, 3), {"a": 1})


def test_the_context_is_not_the_callers_to_give() -> None:
    arguments = Arguments(context_last)
    assert arguments.fit(("u", 2), {}) == (("u", 2), {})
    with pytest.raises(TypeError, match="unexpected keyword argument 'ctx'"):
        arguments.fit(("u",), {"ctx": None})


def test_what_stands_behind_the_context_travels_by_name() -> None:
    """A worker gives the context by name, and nothing positional may follow that."""
    assert Arguments(context_first).fit(("u", 2), {}) == ((), {"url": "u", "size": 2})
    assert Arguments(context_first).fit((), {"url": "u"}) == ((), {"url": "u"})
    assert Arguments(context_between).fit(("u",), {}) == (("u",), {})
    assert Arguments(context_between).fit(("u", 2), {"z": 3}) == (("u",), {"size": 2, "z": 3})


def test_a_context_that_nothing_can_follow_is_refused_with_the_line_to_write() -> None:
    with pytest.raises(TypeError, match=r"\*, ctx: tq.Context"):
        Arguments(context_before_rest).fit((1, 2), {})


def test_one_check_stands_for_all_items_of_a_map_when_it_can() -> None:
    assert Arguments(plain).fits_plainly(1)
    assert not Arguments(plain).fits_plainly(3)
    assert not Arguments(keyword_only).fits_plainly(1)
    assert not Arguments(context_first).fits_plainly(1)


def later(order: Later, ctx: tq.Context, rest: int = 1) -> list[Later]:  # noqa: F821 - defined below, as far as decoration goes
    return [order]


@dataclass
class Order:
    number: int


def typed(order: Order, ctx: tq.Context, other: Order | None = None, *, last: Order) -> Order:
    return order


def ambiguous(order: Order | dict[str, int]) -> None: ...


def test_an_argument_is_sent_as_its_annotation_says() -> None:
    one, other = Order(1), Order(2)
    fit = Arguments(typed).fit((one, other), {"last": one})
    assert fit == (({"number": 1},), {"other": {"number": 2}, "last": {"number": 1}})
    with pytest.raises(tq.InvalidArgument, match="last: expected Order, got int 5"):
        Arguments(typed).fit((one,), {"last": 5})
    with pytest.raises(TypeError, match="missing a required"):
        Arguments(typed).fit((one,), {})


def test_an_ambiguous_annotation_is_refused_where_the_task_is_defined() -> None:
    with pytest.raises(tq.InvalidArgument, match="ambiguous: the annotation of order is ambiguous"):
        tq.App().task(ambiguous)


def test_a_class_may_stand_below_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    task = tq.App().task(later)
    monkeypatch.setitem(later.__globals__, "Later", Order)
    arguments = task._definition.arguments
    assert arguments is not None
    assert arguments.fit((Order(1),), {}) == (({"number": 1},), {})
    assert task._definition.received is not None


def test_a_function_without_typed_annotations_takes_the_short_way() -> None:
    arguments = Arguments(plain)
    assert arguments.typed is None
    assert arguments.fits_plainly(2)
    call = ("u", 1)
    assert arguments.fit(call, {})[0] is call


@pytest.mark.parametrize(
    "function",
    [plain, keyword_only, anything, context_last, context_first, context_between, context_before_rest],
)
@pytest.mark.parametrize("args", [(), ("u",), ("u", 2), (1, 2, 3)])
def test_what_each_parameter_has_is_what_bind_says(function: Any, args: tuple[Any, ...]) -> None:
    arguments = Arguments(function)
    try:
        bound = arguments._signature.bind(*args)
    except TypeError:
        with pytest.raises(TypeError):
            arguments.values(args, {})
        return
    bound.apply_defaults()
    assert list(arguments.values(args, {}).items()) == list(bound.arguments.items())
