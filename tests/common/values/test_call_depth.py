"""How deep a call may nest: deep enough for every honest one, and no deeper than can be shown."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.errors import ProtocolError
from tq.common.wire.frames import Kind, pack
from tq.common.wire.protocol import CALL_DEPTH_MAX, Answerer, Request


def nested(depth: int, inner: Any = 7) -> Any:
    """So many lists and maps in each other."""
    for number in range(depth):
        inner = {"k": inner} if number % 2 else [inner]
    return inner


def understand(target: list[Any], args: list[Any], kwargs: dict[str, Any]) -> object:
    return Answerer().understand(Kind.CALL, memoryview(pack([1, target, "m", args, kwargs])))


@pytest.mark.parametrize("depth", [0, CALL_DEPTH_MAX - 2, CALL_DEPTH_MAX - 1])
def test_a_call_may_nest_as_deep_as_the_limit(depth: int) -> None:
    """The list of arguments is the first of the levels."""
    assert isinstance(understand(["t"], [nested(depth)], {}), Request)
    assert isinstance(understand(["t"], [], {"k": nested(depth)}), Request)
    assert isinstance(understand(["t", nested(depth)], [], {}), Request)


@pytest.mark.parametrize("depth", [CALL_DEPTH_MAX, CALL_DEPTH_MAX + 1, 400])
def test_a_call_that_nests_deeper_ends_the_connection(depth: int) -> None:
    for target, args, kwargs in (
        (["t"], [nested(depth)], {}),
        (["t"], [1, [nested(depth - 1)]], {}),
        (["t"], [], {"k": nested(depth)}),
        (["t", nested(depth)], [], {}),
    ):
        with pytest.raises(ProtocolError, match="nested at most 32 deep"):
            understand(target, args, kwargs)


def test_a_wide_call_is_not_a_deep_one() -> None:
    assert isinstance(understand(["t"], [[[b"id", b"payload"]] * 10_000], {}), Request)
