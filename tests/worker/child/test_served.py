"""Many calls of which each ends for itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from tq.common.domain.callables import NamedCallable
from tq.common.domain.context import Context
from tq.common.domain.directives import Retry
from tq.common.runtime.made_resources import MadeResources
from tq.common.values.blob import Blob
from tq.common.values.codec import EACH, NotSerializable, decode
from tq.common.values.failure import Failure
from tq.worker.child.served import ServedTask, encode_result


def picky(item: int) -> int:
    if item % 10 == 3:
        raise KeyError(item)
    if item % 10 == 4:
        raise StopIteration
    return 2 * item


def with_context(item: int, ctx: Context) -> int:
    return picky(item)


async def later(item: int) -> int:
    if item % 10 == 4:  # a coroutine cannot raise StopIteration
        raise ValueError
    return picky(item)


@pytest.mark.parametrize("function", [picky, with_context, later])
def test_what_a_call_raises_is_its_own_and_the_others_go_on(function: Callable[..., Any]) -> None:
    served = ServedTask.of(NamedCallable(name="m:f", function=function), MadeResources())
    answer = served.run_chunk(list(range(30)), EACH, None)
    results, failures = asyncio.run(answer) if served.is_coroutine else answer
    assert results == [None if item % 10 in (3, 4) else 2 * item for item in range(30)]
    assert [place for place, _ in failures] == [3, 4, 13, 14, 23, 24]
    assert Failure.decode(failures[0][1]).type == "KeyError"


def test_what_directs_the_tasks_fate_is_that_of_the_chunk() -> None:
    def retrying(item: int) -> int:
        raise Retry

    with pytest.raises(Retry):
        ServedTask.of(NamedCallable(name="m:f", function=retrying), MadeResources()).run_chunk(
            [1, 2], EACH, None
        )


def test_a_result_that_cannot_be_sent_is_a_failure_of_its_own() -> None:
    blobs: list[Blob] = []
    results, failures = decode(encode_result([[1, object(), 3], []], EACH, blobs))
    assert results == [1, None, 3]
    [(place, failure)] = failures
    assert (place, Failure.decode(failure).type.rpartition(".")[2]) == (1, "NotSerializable")
    with pytest.raises(NotSerializable):
        encode_result([1, object()], "map", blobs)
