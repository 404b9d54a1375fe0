"""A handle: the future of one task. It holds the id, and the outcome once that has arrived.

A handle costs the master nothing until a program waits for its result. It works in any thread, survives reconnects, and
``app.get`` makes an equal one from the id.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from ...common.contract.rows import all_from_wire, from_wire
from ...common.contract.tasks import StateRow, TaskProgress
from ...common.domain.model import Outcome as AttemptOutcome
from ...common.domain.model import State
from ...common.errors import TaskError
from .outcomes import UNKNOWN, OutcomeBox, TaskOutcome, unknown_task
from .stalls import Stall
from .submission import WatchPrediction

if TYPE_CHECKING:
    from concurrent.futures import Future

    from ...common.values.blob import Blob
    from ..core.io_thread import ClientLink
    from ..core.session import ClientSession
    from .kinds import TaskKind

T = TypeVar("T")

TASKS = ("get_tasks",)
NO_TEXT = 2**53  # an offset past the end of every log: the answer has no text


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One attempt to run a task, as ``handle.attempts`` lists it.

    Attributes:
        attempt: Its number, from 1.
        worker: Name of the worker, if it is known.
        outcome: How it ended, as text such as ``"success"``; None while it runs.
        started: Unix seconds.
        ended: Unix seconds; None while it runs.
        error: Type and message of its error; empty unless it failed.
        log: The last 64 KiB of its output, kept for the latest attempts only.
    """

    attempt: int
    worker: str | None
    outcome: AttemptOutcome | None  # None: still running
    started: float | None
    ended: float | None
    error: str = ""
    log: str = ""  # its output: the last 64 KiB; kept for the latest attempts only


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """Progress as a task reported it.

    Attributes:
        done: How much is done.
        total: Of how much; None when the task reported no total.
        note: A few words, at most 200 characters.
    """

    done: float
    total: float | None
    note: str


class Handle(Generic[T]):
    """The future of one task; ``T`` is what its function returns.

    ``await handle`` gives the result in an event loop. A handle works in any thread and survives reconnects; ``app.get``
    makes an equal one from its id.
    """

    __slots__ = ("__weakref__", "_box", "_id", "_outcome", "_session", "_watching")
    _tq_remedy = "send what its result() gives, or its id, of which app.get(id) makes a handle"

    def __init__(
        self,
        session: ClientSession,
        id: bytes,
        outcome: TaskOutcome | None = None,
        box: OutcomeBox | None = None,
        watching: ClientLink | None = None,
    ) -> None:
        self._session, self._id, self._outcome = session, id, outcome
        self._box, self._watching = box, watching  # ``watching``: the link that fills the box

    @property
    def id(self) -> str:
        """The id of the task as text."""
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
        """Wait for the task and return its result.

        Args:
            timeout: Seconds to wait; by default there is no limit.

        Returns:
            What the function returned.

        Raises:
            TaskError: The task did not succeed; it has the remote type, message and traceback.
            TimeoutError: The task has not ended in time. It goes on.
            UnknownTask: The master knows no such task, or its result has expired.
        """
        return cast(T, (self._outcome or self._wait(timeout)).value(self._id, self._session))

    def exception(self, timeout: float | None = None) -> TaskError | None:
        """Wait for the task and return its error.

        Args:
            timeout: Seconds to wait; by default there is no limit.

        Returns:
            The error; None when the task succeeded.

        Raises:
            TimeoutError: The task has not ended in time. It goes on.
        """
        return self._wait(timeout).error(self._id)

    def __await__(self) -> Generator[Any, None, T]:
        return self._await().__await__()

    async def _await(self) -> T:
        while self._outcome is None:
            box = self._watch()
            await Stall(self._session, lambda: self._id, None).wait_async(box, self._id, None)
            self._outcome = box.peek(self._id)
        return cast(T, self._outcome.value(self._id, self._session))

    def _wait(self, timeout: float | None) -> TaskOutcome:
        if self._outcome is not None:
            return self._outcome
        deadline = None if timeout is None else time.monotonic() + timeout
        stall = Stall(self._session, lambda: self._id, timeout)
        while self._outcome is None:
            box = self._watch()
            try:
                arrived = stall.wait(box, self._id, deadline)
            except BaseException:
                self._watching = None  # the box may have failed: the next wait watches the task again
                raise
            if not arrived:
                because = f": {stall.reason}" if stall.reason else ""
                raise TimeoutError(f"task {self.id} has no result after {timeout:g} s; it goes on{because}")
            self._outcome = box.peek(self._id)
        return self._outcome

    def _watch(self) -> OutcomeBox:
        """The box that receives the outcome; starts watching the task unless this link does already."""
        box = self._box
        if box is None:
            box = self._box = OutcomeBox()
        link = self._session.sent_link()
        if self._watching is not link:  # never watched, or the app was closed or the process forked since
            box.restart()
            link.watch(box, (self._id,))
            self._watching = link
        self._session.part(WatchPrediction).watch_next = True
        return box

    def __del__(self) -> None:
        if self._watching is not None and self._box is not None and self._outcome is None:
            self._session.part(
                WatchPrediction
            ).watch_next = False  # dropped without a wait: do not watch the next one at once
            self._watching.forget(self._box)

    # the task

    @property
    def state(self) -> State:
        """The current state of the task. One call to the master, unless the outcome has arrived."""
        if self._outcome is not None and self._outcome.state != UNKNOWN:
            return State.from_number(self._outcome.state)
        return self._known_state(self._session.call(TASKS, "states", [self._id]))

    def done(self) -> bool:
        """Ask whether the task has ended, successfully or not.

        Returns:
            True when its state is final.
        """
        return self.state.is_terminal

    @property
    def progress(self) -> Progress | None:
        """What the latest attempt reported by ``ctx.progress``, at most a second old.

        None when it reported nothing. One call to the master.
        """
        log = self._session.call(TASKS, "log", self._id, None, NO_TEXT)
        if log["progress"] is None:
            return None
        reported = from_wire(TaskProgress, log["progress"])
        return Progress(done=reported.done, total=reported.total, note=reported.note)

    @property
    def attempts(self) -> list[Attempt]:
        """All attempts so far, with worker, times, error and output.

        A task that a worker returned before it began adds no attempt. One call to the master.
        """
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

    def why(self) -> str:
        """Say why the task waits, or how it ended, and what would change that. One call to the master.

        Returns:
            The sentence that ``tq why`` prints.
        """
        from .explanation import explanation

        return explanation(self._session.call(TASKS, "show", self._id))

    def cancel(self) -> State:
        """Cancel the task.

        Returns:
            Its state after that. CANCELLED, or RUNNING when its worker was notified and will end it; another one when
            the task had ended before.

        Raises:
            UnknownTask: The master knows no such task.
        """
        return self._known_state(self._session.call(TASKS, "cancel", [self._id]))

    def retry(self) -> State:
        """Run a task again that ended without success.

        Returns:
            Its new state.

        Raises:
            UnknownTask: The master knows no such task.
        """
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
    session: ClientSession, kind: TaskKind, id: bytes, payload: bytes, blobs: Sequence[Blob] = ()
) -> tuple[Handle[Any], Future[Any]]:
    """Send one task, with others that are submitted at once; the future completes when it is stored. ``blobs``: that it names,
    uploaded before."""
    from concurrent.futures import Future

    from .single_submits import SingleSubmit, SingleSubmits  # a program that submits nothing never loads them

    link = session.link
    box = OutcomeBox() if session.part(WatchPrediction).watch_next else None
    stored: Future[Any] = Future()
    session.part(SingleSubmits).add(link, SingleSubmit(kind, id, payload, blobs, box, stored))
    return Handle(session, id, None, box, None if box is None else link), stored


def handle_of(session: ClientSession, task_id: str) -> Handle[Any]:
    """The handle of any task of this master; raises UnknownTask at once when there is none."""
    from ...common.domain.ids import parse_id

    id = parse_id(task_id)
    [found] = all_from_wire(StateRow, session.call(TASKS, "states", [id]))
    if found.state == UNKNOWN:
        raise unknown_task(id)
    return Handle(session, id)
