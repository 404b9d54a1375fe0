"""The box between the I/O thread and one reader."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
import tq
from tq.client.tasks.outcomes import UNKNOWN, OutcomeBox, TaskOutcome
from tq.common.contract.tasks import OutcomeRow
from tq.common.domain.model import StateNumber
from tq.common.values.codec import encode
from tq.common.values.failure import Failure

A, B = b"a" * 16, b"b" * 16


def row(id: bytes, value: object = None) -> OutcomeRow:
    return OutcomeRow(id, int(StateNumber.SUCCEEDED), encode(value))


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
    assert [taken[0] for taken in box.take_arrived()] == [B, A]
    assert box.take_arrived() == []
    assert box.peek(A) is None


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
