"""Arguments are compared with a method's signature before it runs: quickly where they are simple, and exactly otherwise."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.contract.exposed import exposed
from tq.common.domain.model import Role
from tq.common.errors import InvalidArgument
from tq.common.wire.protocol import Request
from tq.master.api.methods import ExposedMethod, methods_of


class Thing:
    @exposed(Role.VIEWER)
    def plain(self, call: Any, first: int, second: int = 0) -> None: ...

    @exposed(Role.CLIENT)
    def keyword_only(self, call: Any, first: int, *, flag: bool) -> None: ...

    @exposed(Role.WORKER)
    def several(self, call: Any, *rows: int) -> None: ...

    def hidden(self, call: Any) -> None: ...


METHODS = methods_of(Thing)


def request(args: list[Any], kwargs: dict[str, Any]) -> Request:
    return Request(1, ("thing",), "method", args, kwargs, None, 10)


@given(
    name=st.sampled_from(sorted(METHODS)),
    args=st.lists(st.integers(), max_size=4),
    kwargs=st.dictionaries(st.sampled_from(["first", "second", "flag", "call", "rows"]), st.integers()),
)
def test_arguments_are_refused_exactly_when_the_call_would_fail_to_bind(
    name: str, args: list[int], kwargs: dict[str, int]
) -> None:
    try:
        inspect.signature(getattr(Thing, name)).bind(None, None, *args, **kwargs)
    except TypeError:
        with pytest.raises(InvalidArgument, match=name):
            METHODS[name].check(request(args, kwargs))
    else:
        METHODS[name].check(request(args, kwargs))


def test_only_methods_with_a_role_are_exposed_and_only_those_for_viewers_read() -> None:
    assert {name: (method.reads, Role.VIEWER in method.allowed) for name, method in METHODS.items()} == {
        "plain": (True, True),
        "keyword_only": (False, False),
        "several": (False, False),
    }
    assert isinstance(METHODS["plain"], ExposedMethod)
