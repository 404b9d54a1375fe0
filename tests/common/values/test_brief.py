"""The words for a value in an error: never an error themselves, and no more work than what is shown."""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.values.brief import brief
from tq.common.values.unmade import Unmade

from ...properties import examples

pytestmark = pytest.mark.usefixtures("frozen")  # processor time is bounded here


def nested(kind: Callable[[list[Any]], Any], depth: int) -> Any:
    value: Any = None
    for _ in range(depth):
        value = kind([value])
    return value


class Rude:
    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "value", [None, True, 3, -2.5, "it's", b"\x00", [1, "a"], (1,), (), {"a": [1]}, {1}, set()]
)
def test_a_small_value_is_shown_as_python_shows_it(value: object) -> None:
    assert brief(value) == repr(value)


UNSHOWABLE = {
    "an int": 10**5_000,
    "an int in a list": [10**5_000],
    "an int as a key": {10**5_000: 1},
    "a fraction": Fraction(10**5_000, 3),
    "a deep list": nested(list, 5_000),
    "a deep tuple": nested(tuple, 5_000),
    "an object": Rude(),
    "an object in a list": [Rude()],
    "an error": KeyError(10**5_000),
    "an unmade set": Unmade(set, [10**5_000]),
}


@pytest.mark.parametrize("name", UNSHOWABLE)
def test_what_has_no_repr_is_described_all_the_same(name: str) -> None:
    assert 0 < len(brief(UNSHOWABLE[name], 60)) <= 60


def test_of_a_number_of_thousands_of_digits_it_is_said_how_large_it_is() -> None:
    assert brief(10**5_000) == "<an int of 16,610 bits>"


def test_of_a_large_value_only_what_is_shown_is_looked_at() -> None:
    wide = [[[["x"] * 1_000] * 1_000] * 1_000] * 1_000
    began = time.thread_time()
    text = brief([wide, "y" * 10_000_000, dict.fromkeys(range(10000), wide)], 200)
    assert time.thread_time() - began < 0.1
    assert len(text) <= 200


@examples(40)
@given(
    st.recursive(
        st.none() | st.integers() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_it_is_never_longer_than_asked_and_never_raises(value: object) -> None:
    assert len(brief(value)) <= 40
