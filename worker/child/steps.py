"""The steps of the running attempt: what an earlier attempt has recorded is replayed, the rest is done and recorded.

::

    the task: ctx.step, ctx.sleep ─► a generator, which yields what it waits for ─┬► in a function: waited for here
                                                                                  └► in a coroutine: awaited
    a thread per call ──► the relay ──► the master: recorded before it answers

Steps are numbered in the order in which they are called. A first attempt has nothing to replay and asks for nothing; a later one
asks once, at its first step, for what is recorded.

Calls are made in threads of their own, as transfers of blobs are: a time limit is raised in the task's thread at any point, and
in the middle of a frame it would corrupt the connection. A call whose answer is lost is made again, as is one that the master's
store refuses: the function has been called, and it would be called again if that were not recorded.
"""

from __future__ import annotations

import inspect
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Generator
from concurrent.futures import Future
from typing import Any, Final

from ...common.contract.rows import all_from_wire, from_wire
from ...common.contract.steps import RecordedStep, SentSignal
from ...common.domain.directives import Suspended
from ...common.domain.durations import span
from ...common.domain.steps import SLEEP, STEP_BYTES_MAX, STEPS_MAX, WAITS, Signal, StepKind, check_step_name
from ...common.errors import InvalidArgument, LeaseLost, QuotaExceeded, StepChanged, StoreError, Unreachable
from ...common.values.codec import decode, encode
from ...common.wire.caller import PlainLink
from ...common.wire.frames import unpack
from .shard_routes import of_task

STEPS: Final = ("get_steps",)
PAUSE_SECONDS: Final = 0.2  # before a call is made again

Token = tuple[bytes, int, bytes]
"""What an attempt names itself by: the task's id, the number of the lease, the lease."""
Waits = Generator[Any, Any, Any]
"""Yields futures and awaitables, is sent what comes of them, returns what the step returns."""


class AttemptSteps:
    """See ``common.domain.context.StepsHere``."""

    _pause, _clock = staticmethod(time.sleep), staticmethod(time.monotonic)

    def __init__(self, link: PlainLink, token: Token) -> None:
        self._link, self.token = link, token
        self._lock = threading.Lock()  # a task may have threads
        self._called = 0  # steps so far
        self._recorded: dict[int, RecordedStep] | None = None if token[1] > 1 else {}
        self._known_at = 0.0  # when that had come
        # Why there are no further steps in this attempt
        self._over: Callable[[], BaseException] | None = None

    # common.domain.context.StepsHere

    def call(
        self, name: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        check_step_name("step", name)
        if not callable(function):
            raise InvalidArgument(
                f"ctx.step({name!r}, …): give it the function and its arguments, not what the function returned"
            )
        # Numbered before it is driven: coroutines may await their steps in another order than they called them.
        return _drive(self._call(self._next(), name, function, args, kwargs))

    def suspend(self, seconds: float) -> Any:
        return _drive(self._suspend(self._next(), seconds))

    def wait(self, name: str, timeout: float | None, role: str | None) -> Any:
        return _drive(self._wait(self._next(), name, timeout, role))

    # each kind of step

    def _call(
        self,
        number: int,
        name: str,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Waits:
        known = yield from self._known(number, (StepKind.CALL,), name)
        if known is not None:
            return decode(known.body or b"")
        began = self._clock()
        value = function(*args, **kwargs)
        if inspect.isawaitable(value):
            value = yield value
        seconds = self._clock() - began
        # Before it is recorded: what cannot be sent fails here, at the step.
        body = encode(value, root=f"the result of step {name!r}")
        if len(body) > STEP_BYTES_MAX:
            raise InvalidArgument(
                f"step {name!r} returned {len(body):,} bytes; at most {STEP_BYTES_MAX:,}: keep it elsewhere and return where it is"
            )
        # Before its value is used: what follows must not happen if the step will be done again.
        yield from self._ask("record", number, name, body, seconds)
        return value

    def _suspend(self, number: int, seconds: float) -> Waits:
        known = yield from self._known(number, (StepKind.SLEEP,), SLEEP)
        if known is None:
            left = yield from self._ask("sleep", number, seconds)
        else:
            left = known.left - (self._clock() - self._known_at)
        if left > 0:
            raise self._end(lambda: Suspended(left, f"it sleeps for {span(left)}"))
        return None

    def _wait(self, number: int, name: str, timeout: float | None, role: str | None) -> Waits:
        step = yield from self._known(number, WAITS, name)
        # Recorded as waiting: whether the signal has come since, the master knows.
        if step is None or step.kind == StepKind.WAIT:
            step = from_wire(RecordedStep, (yield from self._ask("wait", number, name, timeout, role)))
        if step.kind == StepKind.WAIT:
            left = step.left
            raise self._end(lambda: Suspended(left, f"it waits for the signal {name!r}"))
        if step.kind == StepKind.TIMEOUT:
            raise TimeoutError(f"no signal {name!r} came in time")
        sent = from_wire(SentSignal, unpack(step.body or b""))
        return Signal(name=name, value=decode(sent.value), key=sent.key, role=sent.role, at=sent.at)

    # what they have in common

    def _next(self) -> int:
        with self._lock:
            if self._over is not None:
                raise self._over()
            if self._called >= STEPS_MAX:
                raise QuotaExceeded(f"a task has at most {STEPS_MAX:,} steps: do more in each")
            self._called += 1
            return self._called

    def _known(
        self, number: int, kinds: Collection[StepKind], name: str
    ) -> Generator[Any, Any, RecordedStep | None]:
        """What an earlier attempt has recorded in this place."""
        if self._recorded is None:
            found: dict[int, RecordedStep] = {}
            # In portions: the recorded results together may be larger than a frame.
            while rows := (yield from self._ask("recorded", max(found, default=0))):
                found |= {row.number: row for row in all_from_wire(RecordedStep, rows)}
            # The time of the answer, which the seconds that are left are of: while a master is away, the call takes minutes.
            self._recorded, self._known_at = found, self._clock()
        # Taken out, so that large results are not kept for the whole attempt.
        known = self._recorded.pop(number, None)
        if known is not None and (known.kind not in kinds or known.name != name):
            raise self._end(
                lambda: StepChanged(
                    f"step {number} is {name!r} in the code and was {known.name!r} when an earlier attempt recorded it: names and "
                    "order of steps must stay while tasks have some behind them; run the former code, or submit the task again"
                )
            )
        return known

    def _end(self, why: Callable[[], BaseException]) -> BaseException:
        """No further step is done in this attempt, whatever the task makes of the error."""
        self._over = why
        return why()

    def _ask(self, method: str, *args: Any) -> Waits:
        """Call the master as this attempt."""
        answer = yield self._start(method, args)
        if answer is None:
            raise self._end(
                lambda: LeaseLost(
                    "the master has given this task up for lost or to another attempt: what this one has done since is not recorded"
                )
            )
        return answer

    def _start(self, method: str, args: tuple[Any, ...]) -> Future[Any]:
        """A call in a thread of its own. Cancelled, it is not made again."""
        ended: Future[Any] = Future()

        def run() -> None:
            try:
                answer = self._answer(method, args, ended)
            except BaseException as error:
                if ended.set_running_or_notify_cancel():
                    ended.set_exception(error)
            else:
                if ended.set_running_or_notify_cancel():
                    ended.set_result(answer)

        # A daemon: a call that never ends must not keep the process.
        threading.Thread(target=run, name="tq-step", daemon=True).start()
        return ended

    def _answer(self, method: str, args: tuple[Any, ...], ended: Future[Any]) -> Any:
        while True:
            try:
                return self._link.call(of_task(self.token[0], STEPS), method, *self.token, *args).result()
            except (Unreachable, StoreError):
                if ended.cancelled():
                    raise
            self._pause(PAUSE_SECONDS)


class LastSteps:
    """The steps of the last attempt that had any. ``link``: to the master."""

    def __init__(self, link: PlainLink) -> None:
        self._link, self._last = link, AttemptSteps(link, (b"", 0, b""))

    def of(self, token: Token) -> AttemptSteps:
        if self._last.token != token:
            self._last = AttemptSteps(self._link, token)
        return self._last


def _drive(step: Waits) -> Any:
    """Do a step here, or give an awaitable of it where an event loop runs."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is not None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            return _drive_async(step)
    return _drive_here(step)


def _drive_here(step: Waits) -> Any:
    answer: Any = None
    error: BaseException | None = None
    while True:
        try:
            awaited = step.send(answer) if error is None else step.throw(error)
        except StopIteration as end:
            return end.value
        answer = error = None
        if not isinstance(awaited, Future):
            _close(awaited)
            error = InvalidArgument("a step awaits something: write `async def` and `await ctx.step(…)`")
            continue
        try:
            answer = awaited.result()
        except BaseException as raised:
            # The task is ended by its limit: the call is not made again for it.
            awaited.cancel()
            error = raised


async def _drive_async(step: Waits) -> Any:
    import asyncio

    answer: Any = None
    error: BaseException | None = None
    while True:
        try:
            awaited = step.send(answer) if error is None else step.throw(error)
        except StopIteration as end:
            return end.value
        answer = error = None
        try:
            answer = await (asyncio.wrap_future(awaited) if isinstance(awaited, Future) else awaited)
        except BaseException as raised:
            error = raised


def _close(awaited: Awaitable[Any]) -> None:
    """A coroutine that nothing awaits would say so when it is collected."""
    if inspect.iscoroutine(awaited):
        awaited.close()
