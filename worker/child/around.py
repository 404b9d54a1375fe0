"""What a program has run around its tasks, in the child: see ``common/domain/hooks.py``.

An exception in a hook is logged under the hook's name and changes nothing for the task. What ends the task is none: a time
limit or a cancel that is raised while a hook runs is the task's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, NamedTuple

from ...common.domain.context import Context
from ...common.domain.hooks import AFTER, BEFORE, Ended, Hook, Hooks
from ...common.domain.model import Outcome, OutcomeNumber
from ...common.domain.task_log import task_logger
from ...common.errors import CancelRequested, LeaseLost, TimeLimit
from ...common.values.blob import Blob
from .became import became
from .verdict import verdict

ENDS_TASKS: Final = (TimeLimit, CancelRequested, LeaseLost, GeneratorExit)
Why = Callable[[], type[BaseException] | None]
Encode = Callable[[Any, str | None, list[Blob]], bytes]


class Encoded(NamedTuple):
    """A result that was encoded before the hooks were called that know the outcome."""

    body: bytes
    blobs: list[Blob]


class Around:
    """The hooks around the attempts of one task. ``encode``: a result, given how the arguments were passed."""

    _clock = staticmethod(time.perf_counter)

    def __init__(self, hooks: Hooks, *, is_coroutine: bool, encode: Encode) -> None:
        self._before = hooks.of(BEFORE, with_coroutines=is_coroutine)
        self._after = hooks.of(AFTER, with_coroutines=is_coroutine)
        self._encode = encode

    def run(self, call: Callable[[], Any], style: str | None, context: Context | None) -> Any:
        """What the loop sends as the result; raises what ``call`` raises."""
        started, raised, sent = self._clock(), None, None
        try:
            for hook in self._before:
                _call(hook, context, context)
            value = call()
            sent, outcome = self._sent(value, style)
            ended = self._ended(outcome, value, started)
        except BaseException as error:
            raised, ended = error, self._ended_by(error, started)
        for (
            hook
        ) in self._after:  # behind the ``except``: what they raise has no error of the task as its context
            _call(hook, context, context, ended)
        return _outcome(sent, raised)

    async def run_coroutine(
        self,
        call: Callable[[], Coroutine[Any, Any, Any]],
        style: str | None,
        context: Context | None,
        why: Why | None = None,
    ) -> Any:
        """``why``: what a cancelled coroutine was asked to end by; None: it was not asked."""
        from asyncio import CancelledError  # loaded already: this runs in a loop

        started, raised, sent = self._clock(), None, None
        try:
            for hook in self._before:
                await _call_either(hook, context, context)
            value = await call()
            sent, outcome = self._sent(value, style)
            ended = self._ended(outcome, value, started)
        except GeneratorExit:  # its loop is gone: nothing can be awaited any more
            raise
        except BaseException as error:
            asked = why() if why is not None and isinstance(error, CancelledError) else None
            # As what it was asked to end by: hooks see a TimeLimit, not asyncio's CancelledError.
            raised, ended = error, self._ended_by(error if asked is None else asked(), started)
        for hook in self._after:
            await _call_either(hook, context, context, ended)
        return _outcome(sent, raised)

    def _sent(self, value: Any, style: str | None) -> tuple[Any, Outcome]:
        """What cannot be sent is the task's error, and the hooks are to know that."""
        # A handle is not a result: nothing of it is encoded.
        if style is None and became(value) is not None:
            return value, Outcome.BECAME
        blobs: list[Blob] = []
        return Encoded(self._encode(value, style, blobs), blobs), Outcome.SUCCESS

    def _ended(self, outcome: Outcome, value: Any, started: float) -> Ended:
        return Ended(outcome=outcome, result=value, seconds=self._clock() - started)

    def _ended_by(self, error: BaseException, started: float) -> Ended:
        outcome = Outcome.from_number(OutcomeNumber(verdict(error)[0]))
        return Ended(outcome=outcome, error=error, seconds=self._clock() - started)


def _outcome(sent: Any, raised: BaseException | None) -> Any:
    if raised is None:
        return sent
    try:
        raise raised
    finally:
        raised = None  # it has this frame in its traceback


def call_hooks(hooks: list[Hook]) -> None:
    """Those of the start or the end of a child."""
    for hook in hooks:
        _call(hook, None)


def _call(hook: Hook, context: Context | None, *args: Any) -> None:
    try:
        hook.function(*args)
    except ENDS_TASKS:
        raise
    except BaseException as error:
        _log(hook, context, error)


async def _call_either(hook: Hook, context: Context | None, *args: Any) -> None:
    from asyncio import CancelledError  # loaded already: this runs in a loop

    try:
        answer = hook.function(*args)
        if hook.is_coroutine:
            await answer
    except (*ENDS_TASKS, CancelledError):
        raise
    except BaseException as error:
        _log(hook, context, error)


def _log(hook: Hook, context: Context | None, error: BaseException) -> None:
    """In the log of the attempt, or of the worker."""
    log = task_logger if context is None else context.log
    log.error(
        "the hook @app.%s %s raised; nothing else is changed by it",
        hook.kind,
        hook.name,
        exc_info=(type(error), error, error.__traceback__),
    )
