"""Bytes that are the same for equal values, and for no others."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.values.canonical import canonical_bytes
from tq.common.values.codec import encode


def bytes_of(value: Any) -> bytes:
    return canonical_bytes(value, encode)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ([{1: {"x": 1, "y": 2}}], [{1: {"y": 2, "x": 1}}]),
        ({"apple", "pear", "plum"}, {"plum", "apple", "pear"}),
    ],
)
def test_equal_values_have_equal_bytes(one: Any, other: Any) -> None:
    assert one == other
    assert bytes_of(one) == bytes_of(other)


def test_values_of_other_types_or_shapes_have_other_bytes() -> None:
    values = [
        1,
        True,
        1.0,
        "1",
        b"1",
        None,
        [1],
        (1,),
        {1},
        frozenset({1}),
        {1: None},
        [[1]],
        [1, 1],
        ["1", 1],
        [["1"], 1],
    ]
    assert len({bytes_of(value) for value in values}) == len(values)
    assert bytes_of(["ab", "c"]) != bytes_of(["a", "bc"])
