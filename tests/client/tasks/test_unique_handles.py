"""Handles of a map whose places share tasks: each task is waited for once, and read in each of its places."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import tq
from tq.client.tasks.outcomes import OutcomeBox
from tq.client.tasks.readers import OutcomeReading
from tq.client.tasks.unique_handles import SharedResults, UniqueHandles
from tq.common.contract.tasks import OutcomeSlice
from tq.common.domain.id_runs import IdRun
from tq.common.domain.model import StateNumber
from tq.common.values.codec import encode
from tq.common.values.failure import Failure

A, B, C, OTHER = ((number << 40).to_bytes(16, "big") for number in (1, 2, 3, 4))
FAILURE = Failure("ValueError", "no").encode()


class Done(UniqueHandles[Any]):
    """Whose tasks have ended: B has failed, each other one has its first byte that is not 0 as its result."""

    def _reading(self) -> OutcomeReading:
        box = OutcomeBox()
        for id in self._known:
            state, body = (
                (int(StateNumber.FAILED), FAILURE)
                if id == B
                else (int(StateNumber.SUCCEEDED), encode(max(id)))
            )
            box.put([OutcomeSlice(id, state, [body])])
        return OutcomeReading([], box, self._tasks.between, len(self._tasks), len(self._tasks))


def handles(*ids: bytes, found: tuple[int, ...] = ()) -> Done:
    made = Done(tq.App("tq://127.0.0.1:1").session)
    for place, id in enumerate(ids):
        made.add(id, was_there=place in found)
    return made


def test_an_answer_says_which_places_have_another_task() -> None:
    run = IdRun(A, 3)
    first, _, third = run.ids()
    made = handles()
    made.answered([run], [[1, OTHER], [2, first]], skips=False)
    assert [one._id for one in made] == [first, OTHER, first]
    assert [one.cached for one in made] == [False, True, True]
    assert made[1].cached
    assert (made[-1]._id, len(made)) == (first, 3)
    skipped = handles()
    skipped.answered([run], [[1, OTHER]], skips=True)
    assert [one._id for one in skipped] == [first, third]


def test_a_part_of_them_shares_tasks_as_well() -> None:
    part = handles(A, C, A, C, found=(2, 3))[1:]
    assert isinstance(part, UniqueHandles)
    assert [(one._id, one.cached) for one in part] == [(C, False), (A, True), (C, True)]
    assert len(part._tasks) == 2


def test_results_stand_in_all_their_places() -> None:
    shared = handles(A, C, A, OTHER, C, A)
    assert list(shared.results(5)) == [1, 3, 1, 4, 3, 1]
    assert list(shared.results(5)) == [1, 3, 1, 4, 3, 1], "as often as they are asked for"

    async def main() -> list[int]:
        return [value async for value in shared.results(5)]

    assert asyncio.run(main()) == [1, 3, 1, 4, 3, 1]
    assert list(handles(A, C).results(5)) == [1, 3]


def test_an_error_is_raised_in_each_place_and_the_next_ones_go_on() -> None:
    results = handles(A, B, A, B, C).results(5)
    assert isinstance(results, SharedResults)
    read: list[object] = []
    while True:
        try:
            read.append(next(results))
        except StopIteration:
            break
        except tq.TaskError as error:
            read.append("failed" if "no" in str(error) else error)
    assert read == [1, "failed", 1, "failed", 3]
    with_errors = list(handles(B, A, B).results(5, return_exceptions=True))
    assert [type(one) is int for one in with_errors] == [False, True, False]


def test_what_is_kept_goes_with_its_last_place() -> None:
    results = handles(A, A, C, A).results(5)
    assert isinstance(results, SharedResults)
    assert [next(results) for _ in range(2)] == [1, 1]
    assert set(results._kept) == {0}
    assert list(results) == [3, 1]
    assert results._kept == {}


def test_each_place_is_completed() -> None:
    done = list(handles(A, C, A, found=(2,)).as_completed(5))
    assert sorted((max(one._id), one.cached) for one in done) == [(1, False), (1, True), (3, False)]
    assert [one.result() for one in done if one._id == C] == [3]
    assert handles(A, A, B).wait(5)


@pytest.mark.parametrize("ids", [(), (A,)])
def test_few_or_none(ids: tuple[bytes, ...]) -> None:
    assert list(handles(*ids).results(5)) == [1] * len(ids)
