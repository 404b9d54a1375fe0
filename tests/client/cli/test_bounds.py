"""Bounds that ``none`` lifts, and options that are given and empty."""

from __future__ import annotations

import pytest
import tq
from tq.client.cli.bounds import bound, named
from tq.client.cli.task_options import given_options


@pytest.mark.parametrize(("text", "number"), [("none", None), ("0", 0), ("100000", 100_000)])
def test_a_bound_is_a_number_or_none(text: str, number: int | None) -> None:
    assert bound("--maxsize", text) == number


@pytest.mark.parametrize("text", ["", "-3", "many", "1.5", "--3", "٣", "None"])
def test_what_is_no_bound_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(tq.InvalidArgument, match="--maxsize is a whole number, or none; not "):
        bound("--maxsize", text)


def test_thousands_of_digits_are_a_number_beyond_any_bound() -> None:
    assert (bound("--maxsize", "9" * 10_000) or 0) > 10**17


@pytest.mark.parametrize("text", ["", "  "])
def test_a_name_that_is_given_and_empty_is_refused_and_not_taken_for_none(text: str) -> None:
    with pytest.raises(
        tq.InvalidArgument, match=r"--tenant .*: it is empty; write --tenant acme, or leave it out"
    ):
        named("--tenant", text, "acme")
    for option in ("tenant", "where"):
        with pytest.raises(tq.InvalidArgument, match=rf"--{option} .*: it is empty"):
            given_options(**{option: text})
    assert given_options() == {}
    assert named("--tenant", None, "acme") is None
    assert named("--tenant", "a b", "acme") == "a b"
