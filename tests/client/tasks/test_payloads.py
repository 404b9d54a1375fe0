"""How the calls of a map are read, encoded and cut into submits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import tq
from tq.client.tasks.definition import Definition
from tq.client.tasks.needs import GatheredNeeds
from tq.client.tasks.payloads import CHUNK_BYTES, CHUNK_TASKS, PORTION_CALLS, CallEncoder, EncodedCalls
from tq.common.values.codec import decode_call, encode_call

from .. import jobs


def encoder(calls: Iterable[tuple[Any, ...]], function: Any = jobs.add) -> CallEncoder:
    return CallEncoder(Definition(function, None), calls, GatheredNeeds(tq.App().session))


def sizes(calls: Iterable[tuple[Any, ...]]) -> list[int]:
    return [len(chunk.payloads) for chunk in encoder(calls).chunks()]


def arguments(chunks: Iterable[EncodedCalls]) -> list[Any]:
    return [decode_call(payload)[0] for chunk in chunks for payload in chunk.payloads]


@pytest.mark.parametrize("kind", [int, lambda number: [number], lambda number: "x" * (number % 7)])
@pytest.mark.parametrize("count", [0, 1, 2, CHUNK_TASKS - 1, CHUNK_TASKS, CHUNK_TASKS + 1, 2_500])
def test_plain_and_other_arguments_are_cut_into_full_chunks_in_order(count: int, kind: Any) -> None:
    calls = [(kind(number), number) for number in range(count)]
    chunks = list(encoder(calls).chunks())
    full, rest = divmod(count, CHUNK_TASKS)
    assert [len(chunk.payloads) for chunk in chunks] == [CHUNK_TASKS] * full + [rest] * (rest > 0)
    assert [payload for chunk in chunks for payload in chunk.payloads] == [
        encode_call(call, {}) for call in calls
    ]


def test_a_chunk_ends_before_it_has_too_many_bytes_and_what_is_larger_travels_alone() -> None:
    half = "x" * (CHUNK_BYTES // 2 - 1_000)
    assert sizes((half, number) for number in range(5)) == [2, 2, 1]
    assert sizes([(1, 1), ("x" * CHUNK_BYTES, 1), (2, 1)]) == [1, 1, 1]
    quarter = half[: len(half) // 2]
    assert sizes([(number, 1) for number in range(300)] + [(quarter, 1)] * 300)[0] == 304
    assert sum(sizes([(number, 1) for number in range(300)] + [(quarter, 1)] * 300)) == 600


def test_items_are_read_a_portion_ahead_and_large_ones_a_few() -> None:
    read = 0

    def counted(item: object) -> Iterator[tuple[Any, ...]]:
        nonlocal read
        while True:
            read += 1
            yield item, 1

    chunks = encoder(counted(1)).chunks()
    for number in range(1, 4):
        next(chunks)
        assert read <= number * CHUNK_TASKS + PORTION_CALLS
    read = 0
    next(encoder(counted("x" * 600_000)).chunks())
    assert read <= 5


def test_an_item_that_cannot_be_sent_is_an_error_behind_the_chunk_of_those_before_it() -> None:
    for bad in (object(), 2**70 * 1j):
        chunks = encoder([(number, 1) for number in range(70)] + [(bad, 1)]).chunks()
        assert arguments([next(chunks)]) == [[number, 1] for number in range(70)]
        with pytest.raises(tq.NotSerializable, match="argument x"):
            next(chunks)


def test_so_is_a_call_that_does_not_fit_and_an_error_of_the_iterable() -> None:
    chunks = encoder([(1, 1), (2, 2), (3,)]).chunks()
    assert arguments([next(chunks)]) == [[1, 1], [2, 2]]
    with pytest.raises(TypeError, match="missing a required argument: 'y'"):
        next(chunks)

    def broken() -> Iterator[tuple[Any, ...]]:
        yield from ((number, 1) for number in range(30))
        raise KeyError("out of items")

    chunks = encoder(broken()).chunks()
    assert arguments([next(chunks)]) == [[number, 1] for number in range(30)]
    with pytest.raises(KeyError, match="out of items"):
        next(chunks)


@pytest.mark.parametrize("before", [0, 1, PORTION_CALLS + 7, 2 * CHUNK_TASKS])
def test_an_error_says_which_item_it_is_of(before: int) -> None:
    def noted(calls: Iterable[tuple[Any, ...]]) -> str:
        with pytest.raises((TypeError, tq.InvalidArgument)) as caught:
            list(encoder(calls).chunks())
        return caught.value.__notes__[-1]

    good = [(number, 1) for number in range(before)]
    assert noted([*good, (object(), 1), (2, 2)]) == f"it is item {before:,} of the map, counted from 0"
    assert noted([*good, (1,), (2, 2)]) == f"it is item {before:,} of the map, counted from 0"

    def keyed() -> Iterator[tuple[Any, ...]]:
        yield from good
        raise tq.InvalidArgument("by='{x}': a key is made of text and numbers")

    assert noted(keyed()) == f"it is item {before:,} of the map, counted from 0"


def test_blobs_stand_at_the_places_of_their_calls() -> None:
    blobs = [tq.Blob.of(bytes([number])) for number in range(3)]
    [chunk] = encoder([(1, 1), (blobs[0], 1), (2, 2), (blobs[1], blobs[2])]).chunks()
    assert chunk.blobs == {1: [blobs[0]], 3: blobs[1:]}
