"""Amounts of resources are exact: what is written is what is counted."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.domain.amounts import AMOUNT_MAX, check_amount, read_amount, show_amount
from tq.common.errors import InvalidArgument

from ...properties import examples


@pytest.mark.parametrize(
    ("written", "thousandths"),
    [
        (2, 2_000),
        (0.5, 500),
        (0.1, 100),
        (1e3, 1_000_000),
        ("1", 1_000),
        ("0.125", 125),
        ("0.500000", 500),
        (" 3 ", 3_000),
        ("16G", 16 * 10**12),
        ("16GB", 16 * 10**12),
        ("16 Gi", 16 * 2**30 * 1000),
        (" 1GiB ", 2**30 * 1000),
        ("0.5Ki", 512_000),
        ("1.5M", 1_500_000_000),
        ("1P", 10**18),
    ],
)
def test_an_amount_is_counted_as_it_is_written(written: object, thousandths: int) -> None:
    assert read_amount("gpu", written) == thousandths


@pytest.mark.parametrize(
    "written",
    [
        True, None, "", "two", "-1", -1, "1e3", "1.", ".5", "5m", "5g", "1,5", "1 1", float("nan"), float("inf"), "٣",
        [1], b"1", "9" * 21, 10**400, "1Gib",
    ],
)  # fmt: skip
def test_what_is_no_amount_is_refused_with_what_would_be_one(written: object) -> None:
    with pytest.raises(InvalidArgument, match="gpu is an amount such as"):
        read_amount("gpu", written)


@pytest.mark.parametrize("written", [0, "0", 0.0, "1001P", 2e15])
def test_an_amount_out_of_range_is_refused(written: object) -> None:
    with pytest.raises(InvalidArgument, match=r"gpu is out of range: an amount is at least 0.001"):
        read_amount("gpu", written)


def test_what_is_finer_than_a_thousandth_is_refused_and_not_rounded() -> None:
    with pytest.raises(InvalidArgument, match=r"finer than a thousandth; write 0\.333"):
        read_amount("gpu", 1 / 3)


@pytest.mark.parametrize("amount", [0, -1, 1.0, True, "1", None, AMOUNT_MAX + 1])
def test_an_amount_from_the_wire_is_a_whole_number_in_range(amount: object) -> None:
    with pytest.raises(InvalidArgument):
        check_amount("gpu", amount)


@examples(300)
@given(st.integers(1, 99_999), st.sampled_from(["", "K", "M", "G", "Ki", "Mi", "Gi"]))
def test_a_round_amount_is_shown_so_that_it_reads_back_as_itself(units: int, suffix: str) -> None:
    amount = read_amount("mem", f"{units}{suffix}")
    assert read_amount("mem", show_amount(amount)) == amount


@examples(300)
@given(st.integers(1, AMOUNT_MAX))
def test_no_amount_is_shown_as_more_than_it_is(amount: int) -> None:
    shown = read_amount("mem", show_amount(amount))
    assert shown <= amount
    assert Fraction(shown, amount) > Fraction(9, 10)
