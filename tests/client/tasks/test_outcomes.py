"""The box between the I/O thread and one reader."""

from __future__ import annotations

import asyncio
import threading
import time
from random import Random

import pytest
import tq
from hypothesis import given
from hypothesis import strategies as st
from tq.client.tasks.outcomes import UNKNOWN, OutcomeBox, TaskOutcome
from tq.common.contract.tasks import OutcomeSlice
from tq.common.domain.id_runs import IdRun
from tq.common.domain.model import StateNumber
from tq.common.values.codec import encode
from tq.common.values.failure import Failure

A, B = b"a" * 16, b"b" * 16


def row(id: bytes, value: object = None) -> OutcomeSlice:
    return OutcomeSlice(id, int(StateNumber.SUCCEEDED), [encode(value)])


def late() -> float:
    return time.monotonic() + 0.01


def test_a_reader_waits_until_its_outcome_is_put() -> None:
    box = OutcomeBox()
    thread = threading.Thread(target=lambda: (box.put([row(B)]), box.put([row(A, 7)])))
    thread.start()
    assert box.wait(A, time.monotonic() + 10)
    thread.join()
    outcome = box.peek(A)
    assert outcome is not None
    assert outcome.value(A) == 7


def test_waiting_ends_at_the_deadline() -> None:
    assert not OutcomeBox().wait(A, late())
    assert not OutcomeBox().wait(1, late())


def test_a_number_of_outcomes_can_be_waited_for() -> None:
    box = OutcomeBox()
    box.put([row(A)])
    assert box.wait(1, None)
    assert not box.wait(2, late())
    box.put([row(B)])
    assert box.wait(2, None)


def test_a_failed_box_raises_unless_what_is_wanted_is_there() -> None:
    box = OutcomeBox()
    box.put([row(A)])
    box.fail(tq.Unreachable("gone"))
    assert box.wait(A, None)
    with pytest.raises(tq.Unreachable, match="gone"):
        box.wait(B, None)
    box.restart()
    assert not box.wait(B, late())


def test_what_arrived_is_taken_once_and_in_order() -> None:
    box = OutcomeBox()
    box.put([row(B), row(A)])
    assert [taken.first for taken in box.take_arrived()] == [B, A]
    assert box.take_arrived() == []
    assert box.peek(A) is None


def test_an_outcome_that_comes_again_takes_the_place_of_the_first() -> None:
    box = OutcomeBox()
    box.put([row(A, 1), row(B)])
    box.put([row(A, 2)])
    assert len(box) == 2
    outcome = box.peek(A)
    assert outcome is not None
    assert outcome.value(A) == 2
    assert len(box.take_arrived()) == 2
    assert len(box) == 0


BASE = int.from_bytes(b"\x01" * 12 + b"\0" * 4, "big")


def task(place: int) -> bytes:
    return (BASE + place).to_bytes(16, "big")


@given(st.lists(st.integers(1, 5), min_size=1, max_size=8), st.randoms(use_true_random=False), st.data())
def test_a_reader_takes_what_has_arrived_of_a_run_up_to_the_first_gap(
    lengths: list[int], random: Random, data: st.DataObject
) -> None:
    slices, place = [], 0
    for length in lengths:
        bodies: list[bytes | None] = [str(place + index).encode() for index in range(length)]
        slices.append(OutcomeSlice(task(place), 10, bodies))
        place += length
    missing = slices.pop(data.draw(st.integers(0, len(slices) - 1)))
    random.shuffle(slices)
    box = OutcomeBox()
    box.put(slices)
    here = {row.id for one in slices for row in one.rows()}
    for index in range(place):
        outcome = box.peek(task(index))
        assert (outcome is not None) == (task(index) in here) == box.check(task(index))
        assert outcome is None or outcome.body == str(index).encode()
    start = data.draw(st.integers(0, place))
    run = IdRun(task(start), data.draw(st.integers(0, place - start)))
    expected: list[bytes] = []
    for id in run.ids():
        if id not in here:
            break
        expected.append(id)
    taken = [row.id for one in box.take_leading(run) for row in one.rows()]
    assert taken == expected
    assert len(box) == len(here) - len(taken)
    box.put([missing])
    rest = {row.id: row.body for one in box.take_arrived() for row in one.rows()}
    assert set(rest) == {task(index) for index in range(place)} - set(taken)
    assert all(body == str(int.from_bytes(id, "big") - BASE).encode() for id, body in rest.items())


def test_an_event_loop_waits_without_blocking() -> None:
    async def main() -> None:
        box = OutcomeBox()
        loop = asyncio.get_running_loop()
        waits = [asyncio.ensure_future(box.wait_async(want, None)) for want in (A, 2)]
        loop.call_soon(lambda: threading.Thread(target=box.put, args=([row(A)],)).start())
        assert await waits[0]
        assert not waits[1].done()
        box.put([row(B)])
        assert await waits[1]
        assert not await box.wait_async(b"c" * 16, late())

    asyncio.run(main())


def test_an_event_loop_gets_a_failure() -> None:
    async def main() -> None:
        box = OutcomeBox()
        wait = asyncio.ensure_future(box.wait_async(A, None))
        asyncio.get_running_loop().call_soon(box.fail, tq.Unreachable("gone"))
        with pytest.raises(tq.Unreachable):
            await wait
        with pytest.raises(tq.Unreachable):
            await box.wait_async(A, None)

    asyncio.run(main())


def test_an_abandoned_wait_does_not_disturb_the_box() -> None:
    async def main() -> None:
        box = OutcomeBox()
        wait = asyncio.ensure_future(box.wait_async(A, None))
        await asyncio.sleep(0)
        wait.cancel()
        with pytest.raises(asyncio.CancelledError):
            await wait
        box.put([row(A)])
        assert await box.wait_async(A, None)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (StateNumber.FAILED, tq.TaskError),
        (StateNumber.DEAD, tq.TaskCrashed),
        (StateNumber.CANCELLED, tq.TaskCancelled),
        (StateNumber.EXPIRED, tq.TaskExpired),
        (StateNumber.LOST, tq.TaskLost),
    ],
)
def test_every_bad_end_has_its_error(state: StateNumber, kind: type[tq.TaskError]) -> None:
    outcome = TaskOutcome(int(state), Failure("ValueError", "bad", "Traceback …").encode())
    with pytest.raises(tq.TaskError) as raised:
        outcome.value(A)
    assert type(raised.value) is kind
    assert (raised.value.type, raised.value.message) == ("ValueError", "bad")
    assert raised.value.traceback == "Traceback …"


def test_a_bad_end_without_a_report_still_has_a_message() -> None:
    assert "cancelled" in str(TaskOutcome(int(StateNumber.CANCELLED), None).error(A))


def test_a_task_that_is_not_known_is_an_unknown_task() -> None:
    with pytest.raises(tq.UnknownTask, match="61616161-6161"):
        TaskOutcome(UNKNOWN, None).value(A)
