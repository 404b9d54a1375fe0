"""What a running task may know of itself, and say: ``tq.Context``, injected by annotation or asked for by ``current``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import InvalidArgument
from ..values.brief import brief
from .model import NOTE_CHARS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import timedelta
    from logging import LoggerAdapter

    from .id_runs import IdRun


class Surroundings(Protocol):
    """Where a task runs: a worker's child, or a thread of a program that is its own worker."""

    owns_process: bool  # nothing but tasks runs here

    def context(self) -> Context | None: ...
    def is_cancelled(self) -> bool: ...
    def progress(self, done: float, total: float | None, note: str) -> None: ...
    def steps(self) -> StepsHere:
        """Of the attempt that runs here."""

    def lend_slot(self, runs: Sequence[IdRun]) -> LentSlot | None:
        """The task that runs here waits for these. None: no task runs here."""


class LentSlot(Protocol):
    """A slot whose task waits for other tasks: its worker starts these in another process meanwhile."""

    def check(self) -> None:
        """Raises WouldDeadlock when no slot is left for them."""

    def end(self) -> None:
        """The task goes on."""


class StepsHere(Protocol):
    """What an attempt does once per task. In a coroutine each method returns an awaitable."""

    def call(
        self, name: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any: ...
    def suspend(self, seconds: float) -> Any: ...
    def wait(self, name: str, timeout: float | None, role: str | None) -> Any: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """One attempt of one task. A parameter with this annotation is filled in where the task runs.

    Attributes:
        id: The id of the task as text.
        attempt: Number of the attempt, from 1. At 1, no attempt before this one began.
        queue: Queue of the task.
        name: Name of the task.
        token: Name of this attempt's lease, which no other attempt ever has: for a service that accepts a token once.
        deadline: Unix seconds at which its time limit is reached; None without one.
        indexes: Which units of its worker's resources are its own, by resource: ``{"gpu": ("1",)}``. Only what it has by
            ``needs=``, and whose units are distinguished.

    Example::

        @app.task
        def fetch(ctx: tq.Context, url: str) -> bytes:
            ctx.progress(0, 100, "downloading")
            return download(url, once=ctx.id)
    """

    id: str  # the task's id, as text
    attempt: int  # 1, 2, …: how many times it began, or may have; 1: no attempt before this one began
    queue: str
    name: str
    token: str  # of this attempt's lease: no other attempt ever has the same; for fencing side effects
    deadline: float | None  # Unix seconds at which its time limit is reached; None: no limit
    indexes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def cancelled(self) -> bool:
        """Whether the task was cancelled. Always False where a task is called as a function."""
        return _surroundings is not None and _surroundings.is_cancelled()

    @property
    def flow(self) -> Any:
        """The flow of the task, a ``tq.Flow``, so that it can submit into it: ``with ctx.flow: fetch.submit(url)``.

        None for a task that is in no flow, and where a task is called as a function. It asks the master; in ``async def`` tasks
        write ``await app.acurrent_flow()``.
        """
        own = None if _surroundings is None else _surroundings.context()
        return None if own is None or _find_flow is None else _find_flow(self)

    @property
    def log(self) -> LoggerAdapter[Any]:
        """A logger of the standard library for this attempt.

        Its records carry ``task`` and ``attempt`` and stand in the attempt's log: ``tq show ID --logs``. Levels and handlers
        are those of ``logging.getLogger("tq.task")``; ``logging.config`` does not disable it.
        """
        import logging

        from .task_log import task_logger

        return logging.LoggerAdapter(task_logger, {"task": self.id, "attempt": self.attempt})

    def progress(self, done: float, total: float | None = None, note: str = "") -> None:
        """Report how far the task is: ``tq show``, ``tq top``, the bar of ``tq map`` and ``handle.progress`` show it.

        Call it as often as you like: a million calls cost about a second, because the worker reads the newest report twice a
        second, and at the end. Where the task is called as a function, nothing happens.

        Args:
            done: How much is done, a finite number.
            total: Of how much; by default that is not known.
            note: A few words, cut after 200 characters.

        Raises:
            InvalidArgument: ``done`` or ``total`` is no finite number.
        """
        done, total = _number("done", done), None if total is None else _number("total", total)
        if _surroundings is not None:
            _surroundings.progress(done, total, _words(note) if note else "")

    def step(self, name: str, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call a function once per task: a later attempt gets what it returned, without calling it.

        What it returns is stored by the master before this returns: until then the function is called at least once, from then
        on never again. What it raises is not recorded. Code between steps runs in each attempt. In ``async def`` tasks:
        ``await ctx.step(…)``.

        Args:
            name: Of the step, for people and to notice changed code; at most 100 characters. It may occur more than once.
            function: What to call; in ``async def`` tasks it may be a coroutine function.
            args: Its arguments. They are not recorded.
            kwargs: Its arguments by name.

        Returns:
            What the function returned, in this attempt or in an earlier one; at most 1 MiB.

        Raises:
            StepChanged: An earlier attempt has recorded another step in this place.
            InvalidArgument: No task runs here, or this is not its context.
            NotSerializable: What the function returned cannot be sent.
            QuotaExceeded: The task has 1,000 steps already, or they returned 16 MiB.

        Example::

            @app.task(retries=5)
            def order(ctx: tq.Context, cart: dict) -> str:
                payment = ctx.step("charge", charge, cart["card"], cart["total"])
                return ctx.step("ship", ship, cart["items"], payment)
        """
        return self._steps().call(name, function, args, kwargs)

    def sleep(self, seconds: float | timedelta) -> Any:
        """Wait without a slot: end the attempt, uncharged, and start the task again when the time has come.

        It is a step: a later attempt passes it once its time has come, and waits only for the rest before. It leaves the task by
        a BaseException, so ``finally`` runs, and ``attempt`` grows by one. In ``async def`` tasks: ``await ctx.sleep(…)``.

        Args:
            seconds: Seconds or a timedelta, from 0 to ten years.

        Raises:
            StepChanged: An earlier attempt has recorded another step in this place.
            InvalidArgument: ``seconds`` is something else, no task runs here, or the task is ``at_most_once``.
        """
        from .durations import check_delay

        return self._steps().suspend(check_delay("ctx.sleep(…): seconds", seconds))

    def wait_for(
        self, name: str, timeout: float | timedelta | None = None, *, role: str | None = None
    ) -> Any:
        """Wait without a slot until the task is sent a signal: by ``handle.signal`` or ``tq signal``.

        A signal that came first is kept until it is waited for. As ``sleep`` does, it leaves the task by a BaseException when it
        has to wait, and it is a step: a later attempt gets the same signal. In ``async def`` tasks: ``await ctx.wait_for(…)``.

        Args:
            name: Of the signal; at most 100 characters.
            timeout: Seconds or a timedelta, from 0 to ten years; by default ten years.
            role: What the key of its sender must be allowed to: ``"client"`` or ``"admin"``. Other signals are left alone.

        Returns:
            The signal, a ``tq.Signal`` with its ``value``, and by which ``key``, of which ``role``, and ``at`` which time it was sent.

        Raises:
            TimeoutError: It did not come in time. A later attempt raises the same.
            StepChanged: An earlier attempt has recorded another step in this place.
            InvalidArgument: An argument is something else, no task runs here, or the task is ``at_most_once``.
        """
        from .durations import check_delay
        from .steps import SENDERS, check_step_name

        if role is not None and role not in SENDERS:
            raise InvalidArgument(
                f"ctx.wait_for(…): role must be {' or '.join(map(repr, SENDERS))}, not {brief(role, 80)}"
            )
        seconds = None if timeout is None else check_delay("ctx.wait_for(…): timeout", timeout)
        return self._steps().wait(check_step_name("signal", name), seconds, role)

    def _steps(self) -> StepsHere:
        own = None if _surroundings is None else _surroundings.context()
        if _surroundings is None or own is None:
            raise InvalidArgument(
                "a step belongs to a task that a worker runs; here none runs: submit the task, or call what the step calls"
            )
        if (own.id, own.token) != (self.id, self.token):
            raise InvalidArgument(
                f"this context is of the task {self.id}, attempt {self.attempt}, which has ended; use the one that the task is given"
            )
        return _surroundings.steps()


_surroundings: Surroundings | None = None
_find_flow: Callable[[Context], Any] | None = None


def current() -> Context | None:
    """Return the context of the task that runs here.

    Returns:
        The context; None where no task runs.
    """
    return _surroundings.context() if _surroundings is not None else None


def is_of_task() -> bool:
    """Whether a task may run here."""
    return _surroundings is not None


def lend_slot(runs: Sequence[IdRun]) -> LentSlot | None:
    """Called where something waits for tasks: if a task waits, its slot is lent until ``end``."""
    return None if _surroundings is None else _surroundings.lend_slot(runs)


def is_importing() -> bool:
    """Whether this is a worker's child in which no task runs: what runs is what a module does when it is imported."""
    return _surroundings is not None and _surroundings.owns_process and _surroundings.context() is None


def provide(surroundings: Surroundings | None) -> None:
    """Called where tasks run: how a Context finds its answers."""
    global _surroundings
    _surroundings = surroundings


def find_flows_by(find: Callable[[Context], Any]) -> None:
    """Called by the client when it is imported: flows are its own, and none of them is known here."""
    global _find_flow
    _find_flow = find


def _number(name: str, value: Any) -> float:
    """A finite int or float; other kinds of number (numpy's) become a float."""
    if type(value) is int and -(2**63) <= value < 2**63:
        return value
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise InvalidArgument(f"progress: {name} must be a number, not {brief(value, 80)}") from None
    if number - number != 0:  # inf, nan
        raise InvalidArgument(f"progress: {name} must be finite, not {number}")
    return number


def _words(note: str) -> str:
    """A note as it can be sent."""
    if not note.isascii():
        note = note.encode("utf-8", "backslashreplace").decode("utf-8")
    return note[:NOTE_CHARS_MAX]
