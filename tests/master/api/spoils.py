"""Values that no method expects, and good arguments with one of them at each place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value within a value, its own included."""
    yield path
    if isinstance(value, list | dict):
        for key in range(len(value)) if isinstance(value, list) else value:
            yield from places(value[key], (*path, key))


def put(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    """A copy of a value with something else at a place."""
    if not path:
        return other
    copy = value.copy()
    copy[path[0]] = put(value[path[0]], path[1:], other)
    return copy


def filled(value: Any, known: Mapping[bytes, bytes]) -> Any:
    """A copy of a value with the ids of this test in place of those that stand for them."""
    if isinstance(value, list):
        return [filled(one, known) for one in value]
    if isinstance(value, dict):
        return {key: filled(one, known) for key, one in value.items()}
    return known.get(value, value) if isinstance(value, bytes) else value


def bottomless(depth: int = 30) -> Any:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


AWKWARD = [
    None, True, -1, 0, 2**63 - 1, 2**63, 2**64 - 1, -(2**63), 1e300, -1e300, float("inf"), float("nan"),
    "", "x", "\0", "a b", "x" * 2_000, b"", b"x" * 16, b"x" * 17, [], [[]], [None], {}, {"x": 1}, {"states": 1},
]  # fmt: skip
