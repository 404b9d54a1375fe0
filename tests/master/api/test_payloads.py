"""What is known of arguments before they are decoded: what they weigh, and whether they fit the function."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.errors import InvalidArgument
from tq.common.values.codec import encode_call
from tq.master.api import payloads
from tq.master.api.payloads import check_weight, foreign_arguments, with_slices


def two(first: Any, *, second: Any = None) -> None: ...


def test_arguments_that_do_not_fit_a_function_are_refused_and_if_they_are_large_before_they_are_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    large = encode_call(["x" * payloads.SHAPED_BYTES_MIN, 2], {})
    with monkeypatch.context() as patched:
        patched.setattr(payloads, "decode_call", None)
        with pytest.raises(InvalidArgument, match="two: too many positional arguments"):
            foreign_arguments(two, large)
    assert foreign_arguments(two, encode_call([1], {"second": 2})) == ([1], {"second": 2})
    assert foreign_arguments(len, encode_call(["x"], {})) == (["x"], {})  # a function of C


def test_arguments_that_take_very_much_memory_are_refused_and_few_large_ones_are_not() -> None:
    lists = b"\xdd" + (3_000_000).to_bytes(4, "big") + b"\x90" * 3_000_000
    with pytest.raises(InvalidArgument, match=r"3,000,\d+ bytes and would take \d{3},\d{3},\d{3} of memory"):
        check_weight(b"\x92\x91" + lists + b"\x80")
    check_weight(encode_call([bytes(3_000_000)], {}))


@pytest.mark.parametrize(
    ("args", "at"), [([[1, 2, 3]], 1), ([[1, 2, 3]], -1), ([[1, 2]], 0), ([5], 0), ([[1, 2, 3]], "0")]
)
def test_what_is_named_a_slice_is_one(args: list[Any], at: Any) -> None:
    with pytest.raises(InvalidArgument, match=r"is not a slice: \[start, stop, step\]"):
        with_slices(args, [at])
    assert with_slices([1, [1, None, 2]], [1]) == [1, slice(1, None, 2)]
