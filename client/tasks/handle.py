"""A handle: the future of one task. Holds the id, and the outcome once it has been seen.

A handle costs the master nothing until its result is waited for; it is as good in another thread, after
a reconnect, or made anew from the id by ``app.get``.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from ...common.contract.rows import all_from_wire, from_wire
from ...common.contract.tasks import StateRow, TaskProgress
from ...common.domain.model import Outcome as AttemptOutcome
from ...common.domain.model import State
from ...common.errors import TaskError
from .outcomes import UNKNOWN, OutcomeBox, TaskOutcome, unknown_task
from .submission import WatchPrediction, submit_many

if TYPE_CHECKING:
    from concurrent.futures import Future

    from ..blobs.blobs import Named
    from ..core.io_thread import ClientLink
    from ..core.session import ClientSession
    from .options import Choice

T = TypeVar("T")

TASKS = ("get_tasks",)
NO_TEXT = 2**53  # an offset behind every log


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One start of a task. Times are Unix seconds; ``error`` is what it ended with, if not well."""

    attempt: int
    worker: str | None
    outcome: AttemptOutcome | None  # None: it runs
    started: float | None
    ended: float | None
    error: str = ""
    log: str = ""  # what it printed: the last 64 KiB, of the latest attempts


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a task said it was. ``total`` None: it did not say how much there is."""

    done: float
    total: float | None
    note: str


class Handle(Generic[T]):
    """The future of a task; ``T`` is what its callable returns."""

    __slots__ = ("__weakref__", "_box", "_id", "_outcome", "_session", "_watching")

    def __init__(
        self,
        session: ClientSession,
        id: bytes,
        outcome: TaskOutcome | None = None,
        box: OutcomeBox | None = None,
        watching: ClientLink | None = None,
    ) -> None:
        self._session, self._id, self._outcome = session, id, outcome
        self._box, self._watching = box, watching  # the box is being filled by that link, when there is one

    @property
    def id(self) -> str:
        from ...common.domain.ids import show_id

        return show_id(self._id)

    def __repr__(self) -> str:
        seen = (
            f" {State.from_number(self._outcome.state)}"
            if self._outcome and self._outcome.state != UNKNOWN
            else ""
        )
        return f"<tq.Handle {self.id}{seen}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Handle) and other._id == self._id and other._session is self._session

    def __hash__(self) -> int:
        return hash(self._id)

    # the result

    def result(self, timeout: float | None = None) -> T:
        """What the task returned; waits for it.

        Raises a TaskError (remote type, message and traceback inside) when it did not succeed,
        TimeoutError when ``timeout`` seconds pass first, UnknownTask when the master knows no such task.
        """
        return cast(T, (self._outcome or self._wait(timeout)).value(self._id, self._session))

    def exception(self, timeout: float | None = None) -> TaskError | None:
        """The error the task ended with, None when it succeeded; waits like ``result``."""
        return self._wait(timeout).error(self._id)

    def __await__(self) -> Generator[Any, None, T]:
        return self._await().__await__()

    async def _await(self) -> T:
        while self._outcome is None:
            box = self._watch()
            await box.wait_async(self._id, None)
            self._outcome = box.peek(self._id)
        return cast(T, self._outcome.value(self._id, self._session))

    def _wait(self, timeout: float | None) -> TaskOutcome:
        deadline = None if timeout is None else time.monotonic() + timeout
        while self._outcome is None:
            box = self._watch()
            try:
                arrived = box.wait(self._id, deadline)
            except BaseException:
                self._watching = None  # the box may have failed: the next wait watches anew
                raise
            if not arrived:
                raise TimeoutError(f"task {self.id} has no result after {timeout:g} s; it goes on")
            self._outcome = box.peek(self._id)
        return self._outcome

    def _watch(self) -> OutcomeBox:
        """The box that gets the outcome, and word to the master if it has not been told yet."""
        box = self._box
        if box is None:
            box = self._box = OutcomeBox()
        link = self._session.sent_link()
        if self._watching is not link:
            box.restart()
            link.watch(box, (self._id,))
            self._watching = link
        self._session.part(WatchPrediction).watch_next = True
        return box

    def __del__(self) -> None:
        if self._watching is not None and self._box is not None and self._outcome is None:
            self._session.part(
                WatchPrediction
            ).watch_next = False  # submitted and let go: the next need not be watched at once
            self._watching.forget(self._box)

    # the task

    @property
    def state(self) -> State:
        """Where the task is now; one question to the master unless its end has been seen."""
        if self._outcome is not None and self._outcome.state != UNKNOWN:
            return State.from_number(self._outcome.state)
        return self._known_state(self._session.call(TASKS, "states", [self._id]))

    def done(self) -> bool:
        """Whether the task has ended, in whatever way."""
        return self.state.is_terminal

    @property
    def progress(self) -> Progress | None:
        """What its latest attempt told by ``ctx.progress``; at most a second old. One question to the master."""
        log = self._session.call(TASKS, "log", self._id, None, NO_TEXT)
        if log["progress"] is None:
            return None
        told = from_wire(TaskProgress, log["progress"])
        return Progress(done=told.done, total=told.total, note=told.note)

    @property
    def attempts(self) -> list[Attempt]:
        """Every start so far, with its worker, times and error; what a worker handed back before it began is none."""
        from ...common.values.failure import Failure

        shown = self._session.call(TASKS, "show", self._id)
        attempts = []
        for row in shown["attempts"]:
            outcome = None if row["outcome"] is None else AttemptOutcome.from_number(row["outcome"])
            failure = Failure.decode(row["body"]) if row["outcome"] else None  # SUCCESS is 0
            error = f"{failure.type}: {failure.message}" if failure and failure.type else ""
            attempts.append(
                Attempt(
                    attempt=row["attempt"],
                    worker=row["worker"],
                    outcome=outcome,
                    started=row["started"],
                    ended=row["ended"],
                    error=error,
                    log=row["log"] or "",
                )
            )
        return attempts

    def cancel(self) -> State:
        """Ask for the task's end. The state it is in then: CANCELLED; RUNNING when its worker has been told
        and will end it; another when it had ended before."""
        return self._known_state(self._session.call(TASKS, "cancel", [self._id]))

    def retry(self) -> State:
        """Make a task that ended without success ready again."""
        state = self._known_state(self._session.call(TASKS, "retry", [self._id]))
        if not state.is_terminal:
            self._outcome = self._box = self._watching = None
        return state

    def _known_state(self, answer: list[Any]) -> State:
        states = [row.state for row in all_from_wire(StateRow, answer)]
        if not states or states[0] == UNKNOWN:
            raise unknown_task(self._id)
        return State.from_number(states[0])


def submit_one(
    session: ClientSession, name: str, choice: Choice, id: bytes, payload: bytes, named: Named | None = None
) -> tuple[Handle[Any], Future[Any]]:
    """Send one task; the future is done when it is stored. ``named``: its blobs, which the master has."""
    link = session.link
    tasks = [[id, payload]]
    if session.part(WatchPrediction).watch_next:
        box = OutcomeBox()
        handle: Handle[Any] = Handle(session, id, None, box, link)
        return handle, submit_many(session, name, choice, tasks, (id,), box, link, named)
    return Handle(session, id), submit_many(session, name, choice, tasks, (id,), None, link, named)


def handle_of(session: ClientSession, task_id: str) -> Handle[Any]:
    """Of a task submitted by anybody; raises UnknownTask at once when there is none."""
    from ...common.domain.ids import parse_id

    id = parse_id(task_id)
    [found] = all_from_wire(StateRow, session.call(TASKS, "states", [id]))
    if found.state == UNKNOWN:
        raise unknown_task(id)
    return Handle(session, id)
