"""What runs around a task in its child: the order, what the last ones know, and that an exception there is not the task's."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
import tq
from tq.common.domain.callables import NamedCallable
from tq.common.domain.hooks import AFTER, BEFORE, CHILD_START, CHILD_STOP, Ended, Hooks
from tq.common.domain.model import Outcome
from tq.common.runtime.made_resources import MadeResources
from tq.common.values.codec import decode
from tq.worker.child.served import ServedTask, ServedTasks, encode_result

CONTEXT = tq.Context(id="1", attempt=1, queue="q", name="m:f", token="", deadline=None)


class Notes:
    """Hooks that note that they were called, and what with."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.ended: list[Ended] = []
        self.hooks = Hooks()
        for kind in (BEFORE, AFTER, CHILD_START, CHILD_STOP):
            for number in (1, 2):
                self.hooks.add(kind, self._noting(f"{kind} {number}"))

    def _noting(self, name: str) -> Any:
        def note(*args: Any) -> None:
            self.calls.append(name)
            self.ended += [one for one in args if isinstance(one, Ended)]

        return note

    def served(self, function: Any) -> ServedTask:
        return ServedTask.of(NamedCallable(name="m:f", function=function, hooks=self.hooks), MadeResources())

    def run(self, function: Any, *args: Any, style: str | None = None) -> Any:
        served = self.served(function)
        value = served.perform(args[0] if style else args, {}, style, lambda: CONTEXT)
        value = asyncio.run(value) if served.is_coroutine else value
        return decode(encode_result(value, style, []))


AROUND = ["before 1", "before 2", "after 2", "after 1"]


def double(number: int) -> int:
    return 2 * number


def idle() -> None: ...


async def double_later(number: int) -> int:
    return 2 * number


@pytest.mark.parametrize("function", [double, double_later])
def test_hooks_run_around_a_task_and_know_its_result(function: Any) -> None:
    notes = Notes()
    assert notes.run(function, 4) == 8
    assert notes.calls == AROUND
    assert [(one.outcome, one.result, one.error) for one in notes.ended] == 2 * [(Outcome.SUCCESS, 8, None)]


def test_many_calls_that_are_one_task_have_them_once() -> None:
    notes = Notes()
    assert notes.run(double, [1, 2, 3], style="map") == [2, 4, 6]
    assert notes.calls == AROUND


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (KeyError("x"), Outcome.ERROR),
        (tq.Retry(), Outcome.RETRY),
        (tq.Discard(), Outcome.DISCARD),
        (tq.TimeLimit(), Outcome.TIMEOUT),
        (tq.CancelRequested(), Outcome.CANCELLED),
    ],
)
@pytest.mark.parametrize("is_coroutine", [False, True])
def test_they_know_what_the_task_raised(error: BaseException, outcome: Outcome, is_coroutine: bool) -> None:
    def fails() -> None:
        raise error

    async def fails_later() -> None:
        raise error

    notes = Notes()
    with pytest.raises(type(error)):
        notes.run(fails_later if is_coroutine else fails)
    assert notes.calls == AROUND
    assert [(one.outcome, one.error) for one in notes.ended] == 2 * [(outcome, error)]


def test_a_result_that_cannot_be_sent_is_an_error_for_them_too() -> None:
    notes = Notes()
    with pytest.raises(tq.NotSerializable):
        notes.run(object)
    assert notes.ended[0].outcome == Outcome.ERROR


@pytest.mark.parametrize("function", [double, double_later])
@pytest.mark.parametrize("kind", [BEFORE, AFTER])
@pytest.mark.parametrize("error", [ValueError, SystemExit, tq.Discard])
def test_an_exception_in_one_is_logged_by_name_and_not_the_tasks(
    function: Any, kind: str, error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    def broken_hook(*args: Any) -> None:
        raise error

    notes = Notes()
    notes.hooks.add(kind, broken_hook)
    with caplog.at_level(logging.ERROR):
        assert notes.run(function, 4) == 8
    assert notes.calls == AROUND
    [record] = caplog.records
    assert f"@app.{kind}" in record.getMessage()
    assert "broken_hook raised" in record.getMessage()
    assert record.exc_info is not None
    assert record.exc_info[0] is error
    assert record.__dict__["task"] == CONTEXT.id


@pytest.mark.parametrize("function", [double, double_later])
def test_a_time_limit_that_is_raised_in_a_hook_is_the_tasks(function: Any) -> None:
    def slow(ctx: tq.Context) -> None:
        raise tq.TimeLimit

    notes = Notes()
    notes.hooks.add(BEFORE, slow)
    with pytest.raises(tq.TimeLimit):
        notes.run(function, 4)
    assert notes.ended[0].outcome == Outcome.TIMEOUT


def test_coroutines_are_awaited_around_coroutines_and_left_out_around_functions() -> None:
    notes = Notes()

    async def awaited(ctx: tq.Context) -> None:
        await asyncio.sleep(0)
        notes.calls.append("awaited")

    notes.hooks.add(BEFORE, awaited)
    notes.run(double, 1)
    assert "awaited" not in notes.calls
    notes.run(double_later, 1)
    assert "awaited" in notes.calls


def test_a_task_whose_program_has_none_around_it_is_called_directly() -> None:
    hooks = Hooks()
    hooks.add(CHILD_START, idle)  # not around tasks
    assert (
        ServedTask.of(NamedCallable(name="m:f", function=double, hooks=hooks), MadeResources()).plain
        is double
    )


def test_those_of_a_child_run_once_for_each_app() -> None:
    one, other = Notes(), Notes()
    tasks = ServedTasks(
        {
            name: NamedCallable(name=name, function=double, hooks=hooks)
            for name, hooks in [("a", one.hooks), ("b", one.hooks), ("c", other.hooks), ("d", None)]
        },
        [],
        imported=lambda: None,
    )
    tasks.start()
    tasks.start()
    assert one.calls == other.calls == ["on_child_start 1", "on_child_start 2"]
    tasks.stop(asyncio.run)
    assert one.calls[2:] == ["on_child_stop 2", "on_child_stop 1"]


@pytest.mark.parametrize(
    ("why", "outcome"),
    [(tq.TimeLimit, Outcome.TIMEOUT), (tq.CancelRequested, Outcome.CANCELLED), (None, Outcome.ERROR)],
)
def test_a_coroutine_that_was_cancelled_ended_as_it_was_asked_to(
    why: type[BaseException] | None, outcome: Outcome
) -> None:
    async def waits() -> None:
        await asyncio.Event().wait()

    async def test() -> None:
        coroutine = notes.served(waits).perform([], {}, None, lambda: CONTEXT, lambda: why)
        task = asyncio.ensure_future(coroutine)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    notes = Notes()
    asyncio.run(test())
    assert notes.calls == AROUND
    assert notes.ended[0].outcome == outcome
