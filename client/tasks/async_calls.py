"""The calls of a handle for an event loop: each as the one of the same name without the ``a``, which blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...common.domain.model import State
from .answers import NO_TEXT, TASKS, Attempt, Progress, arguments_of, attempts_of, progress_of, state_of
from .outcomes import UNKNOWN, TaskOutcome

if TYPE_CHECKING:
    from ...common.errors import TaskError
    from ..core.session import ClientSession
    from .place import Eta, Position


class AsyncCalls:
    """The base of Handle, which has the other half."""

    __slots__ = ()
    if TYPE_CHECKING:
        _session: ClientSession
        _id: bytes
        _outcome: TaskOutcome | None

        async def _wait_async(self, timeout: float | None) -> TaskOutcome: ...
        def _retried(self, answer: list[Any]) -> State: ...
        def _foreseen(self, answer: dict[str, Any]) -> Eta | None: ...

    async def aexception(self, timeout: float | None = None) -> TaskError | None:
        """Wait for the task and return its error, for an event loop.

        Args:
            timeout: Seconds to wait; by default there is no limit.

        Returns:
            The error; None when the task succeeded.

        Raises:
            TimeoutError: The task has not ended in time. It goes on.
        """
        return (await self._wait_async(timeout)).error(self._id)

    async def astate(self) -> State:
        """Ask for the current state, for an event loop.

        Returns:
            The state, as ``handle.state``.

        Raises:
            UnknownTask: The master knows no such task.
        """
        if self._outcome is not None and self._outcome.state != UNKNOWN:
            return State.from_number(self._outcome.state)
        return state_of(self._id, await self._ask("states", [self._id]))

    async def aprogress(self) -> Progress | None:
        """Ask for what the latest attempt reported, for an event loop.

        Returns:
            The progress, at most a second old; None when it reported nothing.
        """
        return progress_of(await self._ask("log", self._id, None, NO_TEXT))

    async def aposition(self) -> Position | None:
        """Ask how many tasks start before this one, for an event loop.

        Returns:
            The position, as ``handle.position``.
        """
        from .place import position_from

        return position_from(await self._ask("why", self._id))

    async def aeta(self) -> Eta | None:
        """Ask when the task starts, for an event loop.

        Returns:
            The range, as ``handle.eta``.
        """
        return self._foreseen(await self._ask("why", self._id))

    async def aarguments(self) -> tuple[list[Any], dict[str, Any]]:
        """``arguments``, for an event loop.

        Returns:
            The positional and the keyword arguments that the task was submitted with.
        """
        return arguments_of(await self._ask("show", self._id))

    async def aattempts(self) -> list[Attempt]:
        """Ask for all attempts so far, for an event loop.

        Returns:
            The attempts, as ``handle.attempts``.
        """
        return attempts_of(await self._ask("show", self._id))

    async def awhy(self) -> str:
        """Say why the task waits, or how it ended, for an event loop.

        Returns:
            The sentence that ``tq why`` prints.
        """
        from .explanation import explanation

        return explanation(await self._ask("show", self._id))

    async def acancel(self, *, tree: bool = False) -> State:
        """Cancel the task, for an event loop.

        Args:
            tree: As for ``handle.cancel()``.

        Returns:
            Its state after that, as ``handle.cancel()``.

        Raises:
            UnknownTask: The master knows no such task.
        """
        return state_of(self._id, await self._ask("cancel", [self._id], True, tree))

    async def asignal(self, name: str, value: Any = None) -> None:
        """Send the task a signal, for an event loop.

        Args:
            name: Of the signal; at most 100 characters.
            value: What to send with it, at most 64 KiB.

        Raises:
            InvalidArgument: The task has ended, or an argument cannot be used.
            QuotaExceeded: The task was sent 100 signals already.
            UnknownTask: The master knows no such task.
        """
        import asyncio

        from .signals import STEPS, signal_arguments

        arguments = signal_arguments(self._id, name, value)
        await asyncio.wrap_future(self._session.start_call(STEPS, "signal", *arguments))

    async def aretry(self) -> State:
        """Run a task again that ended without success, for an event loop.

        Returns:
            Its new state.

        Raises:
            UnknownTask: The master knows no such task.
        """
        return self._retried(await self._ask("retry", [self._id]))

    async def _ask(self, method: str, *args: Any) -> Any:
        import asyncio

        return await asyncio.wrap_future(self._session.start_call(TASKS, method, *args))
