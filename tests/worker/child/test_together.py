"""Calls that run as one: what the function gets, and what each call gets of what it returns."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.model import OutcomeNumber
from tq.common.values.blob import Blob
from tq.common.values.codec import decode
from tq.common.values.failure import Failure
from tq.worker.child.served import encode_result
from tq.worker.child.together import end_of, item_of, results_of


def end(value: Any) -> tuple[int, bytes | None]:
    def send(blobs: list[Blob]) -> list[bytes]:
        return [b"hash" for _ in blobs]

    (outcome, body, _), _ = end_of(value, None, encode_result, send, __file__)
    return int(outcome), body


def test_the_argument_of_a_call_may_be_given_by_place_or_by_name() -> None:
    assert item_of([5], {}) == 5
    assert item_of([], {"urls": "x"}) == "x"
    for args in ([], [1, 2]):
        with pytest.raises(TypeError, match="have one argument each"):
            item_of(args, {})


def test_there_is_one_result_for_each_call() -> None:
    assert results_of("m:f", lambda items: [one * 2 for one in items], [1, 2]) == [2, 4]
    assert results_of("m:f", tuple, [1, 2]) == (1, 2)


@pytest.mark.parametrize(
    ("returned", "what"),
    [([1], "1 results"), ([1, 2, 3], "3 results"), (None, "None"), ({1: 2, 3: 4}, "{1: 2, 3: 4}")],
)
def test_another_number_of_results_is_named(returned: Any, what: str) -> None:
    with pytest.raises(TypeError) as refused:
        results_of("m:f", lambda _: returned, [1, 2])
    assert (
        f"m:f was called with a list of 2 (coalesce=) and returned {what}; return a list with one result"
        in str(refused.value)
    )


def test_an_exception_in_the_place_of_a_result_is_the_failure_of_that_call() -> None:
    outcome, body = end(ValueError("no"))
    assert (outcome, Failure.decode(body).message) == (OutcomeNumber.ERROR, "no")
    outcome, body = end([1])
    assert (outcome, decode(body or b"")) == (OutcomeNumber.SUCCESS, [1])
    outcome, body = end(object())
    assert outcome == OutcomeNumber.ERROR
    assert Failure.decode(body).type.endswith("NotSerializable")
