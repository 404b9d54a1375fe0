"""Callables without a name, for threads of this process."""

from __future__ import annotations

from functools import partial

import pytest
from tq.common.domain import nameless
from tq.common.domain.model import check_name
from tq.common.domain.naming import callable_name
from tq.common.errors import NotNamed


class Odd:
    def method(self) -> None: ...
    def __call__(self) -> None: ...


@pytest.mark.parametrize(
    "function", [lambda: 1, Odd().method, Odd(), partial(print, 1), partial(partial(Odd()), 2), len]
)
def test_each_has_a_name_that_a_task_can_have_and_no_function_of_a_module_has(function: object) -> None:
    name = nameless.name_for(function)  # type: ignore[arg-type]
    assert check_name("task", name) == name
    assert nameless.is_for(name)
    assert not nameless.is_for(callable_name(nameless.name_for))


def test_names_of_any_length_and_kind_fit() -> None:
    def odd() -> None: ...

    odd.__qualname__ = "a b\n" * 500
    odd.__module__ = "x y" * 500
    name = nameless.name_for(odd)
    assert check_name("task", name) == name
    assert nameless.is_for(name)


def test_it_is_found_while_one_of_its_tasks_is_unfinished() -> None:
    number = next(nameless.numbers)
    nameless.keep(number, len)
    nameless.keep(number, len)
    nameless.drop(number)
    assert nameless.find(number) is len
    nameless.drop(number)
    for gone in (number, -1, "1", None, [1]):
        with pytest.raises(NotNamed, match="had no name and is gone"):
            nameless.find(gone)
