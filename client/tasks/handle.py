"""A handle: the future of one task. It holds the id, and the outcome once that has arrived.

A handle costs the master nothing until a program waits for its result. It works in any thread, survives reconnects, and
``app.get`` makes an equal one from the id.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from ...common.domain.id_runs import IdRun
from ...common.domain.model import State
from ...common.errors import TaskError
from ..core.blocking import warn_on_loop
from .answers import TASKS, state_of
from .async_calls import AsyncCalls
from .looks import TaskLooks
from .outcomes import UNKNOWN, OutcomeBox, TaskOutcome
from .stalls import Stall
from .submission import WatchPrediction, parent_here

if TYPE_CHECKING:
    from concurrent.futures import Future

    from ...common.domain.id_runs import IdRun
    from ...common.values.blob import Blob
    from ...common.values.needed import Needed
    from ..core.io_thread import ClientLink
    from ..core.session import ClientSession
    from .kinds import TaskKind
    from .single_submits import SingleSubmit, SingleSubmits

T = TypeVar("T")


class Handle(AsyncCalls, TaskLooks, Generic[T]):
    """The future of one task; ``T`` is what its function returns.

    ``await handle`` gives the result in an event loop. A handle works in any thread and survives reconnects; ``app.get``
    makes an equal one from its id.
    """

    __slots__ = ("__weakref__", "_box", "_id", "_outcome", "_received", "_session", "_watching")
    _tq_remedy = "send what its result() gives, or its id, of which app.get(id) makes a handle"

    def __init__(
        self,
        session: ClientSession,
        id: bytes,
        outcome: TaskOutcome | None = None,
        box: OutcomeBox | None = None,
        watching: ClientLink | None = None,
        received: Callable[[Any], Any] | None = None,
    ) -> None:
        """``received``: makes the result of plain data; see ``Definition.received``."""
        self._session, self._id, self._outcome, self._received = session, id, outcome, received
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
        # The same id at another master is another task.
        return isinstance(other, Handle) and other._id == self._id and other._session is self._session

    def __hash__(self) -> int:
        return hash(self._id)

    def _tq_needed(self) -> tuple[ClientSession, Needed]:
        """What stands for it in the arguments of a task."""
        from ...common.domain.id_runs import IdRun
        from ...common.values.needed import Needed

        return self._session, Needed((IdRun(self._id, 1),), is_list=False)

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
        if self._outcome is None:
            warn_on_loop("await handle")
        return self._value_of(self._outcome or self._wait(timeout))

    def exception(self, timeout: float | None = None) -> TaskError | None:
        """Wait for the task and return its error.

        Args:
            timeout: Seconds to wait; by default there is no limit.

        Returns:
            The error; None when the task succeeded.

        Raises:
            TimeoutError: The task has not ended in time. It goes on.
        """
        if self._outcome is None:
            warn_on_loop("await handle.aexception()")
        return self._wait(timeout).error(self._id)

    def __await__(self) -> Generator[Any, None, T]:
        return self._await().__await__()

    async def _await(self) -> T:
        return self._value_of(await self._wait_async(None))

    def _value_of(self, outcome: TaskOutcome) -> T:
        value = outcome.value(self._id, self._session)
        return cast(T, value if self._received is None else self._received(value))

    async def _wait_async(self, timeout: float | None) -> TaskOutcome:
        deadline = None if timeout is None else time.monotonic() + timeout
        stall = Stall(self._session, lambda: self._id, timeout, runs=lambda: [IdRun(self._id, 1)])
        while self._outcome is None:
            box = self._watch()
            if not await stall.wait_async(box, self._id, deadline):
                raise self._late(timeout, stall)
            self._outcome = box.peek(self._id)
        return self._outcome

    def _late(self, timeout: float | None, stall: Stall) -> TimeoutError:
        because = f": {stall.reason}" if stall.reason else ""
        return TimeoutError(f"task {self.id} has no result after {timeout:g} s; it goes on{because}")

    def _wait(self, timeout: float | None) -> TaskOutcome:
        if self._outcome is not None:
            return self._outcome
        deadline = None if timeout is None else time.monotonic() + timeout
        stall = Stall(self._session, lambda: self._id, timeout, runs=lambda: [IdRun(self._id, 1)])
        while self._outcome is None:
            box = self._watch()
            try:
                arrived = stall.wait(box, self._id, deadline)
            except BaseException:
                self._watching = None  # the box may have failed: the next wait watches the task again
                raise
            if not arrived:
                raise self._late(timeout, stall)
            self._outcome = box.peek(self._id)
        return self._outcome

    def _watch(self) -> OutcomeBox:
        """The box that receives the outcome; starts watching the task unless this link does already."""
        box = self._box
        if box is None:
            box = self._box = self._new_box()
        link = self._session.sent_link()
        if self._watching is not link:  # never watched, or the app was closed or the process forked since
            # The error in the box is of the link that is gone.
            box.restart()
            link.watch(box, (IdRun(self._id, 1),))
            self._watching = link
        # This program waits for its tasks: the next submit watches its own, which saves a call.
        self._session.part(WatchPrediction).watch_next = True
        return box

    def _new_box(self) -> OutcomeBox:
        return OutcomeBox()

    def __del__(self) -> None:
        # No one can ask for it now: the master need not send it.
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
        warn_on_loop("await handle.astate()")
        return state_of(self._id, self._session.call(TASKS, "states", [self._id]))

    def done(self) -> bool:
        """Ask whether the task has ended, successfully or not.

        Returns:
            True when its state is final.
        """
        return self.state.is_terminal

    def why(self) -> str:
        """Say why the task waits, or how it ended, and what would change that. One call to the master.

        Returns:
            The sentence that ``tq why`` prints.
        """
        from .explanation import explanation

        warn_on_loop("await handle.awhy()")
        return explanation(self._session.call(TASKS, "show", self._id))

    def cancel(self, *, tree: bool = False) -> State:
        """Cancel the task.

        Args:
            tree: With all tasks that it has submitted, and what these have submitted in turn; running ones, too.

        Returns:
            Its state after that. CANCELLED, or RUNNING when its worker was notified and will end it; another one when
            the task had ended before.

        Raises:
            UnknownTask: The master knows no such task.
        """
        warn_on_loop("await handle.acancel()")
        return state_of(self._id, self._session.call(TASKS, "cancel", [self._id], True, tree))

    def signal(self, name: str, value: Any = None) -> None:
        """Send the task a signal, which it gets by ``ctx.wait_for``; one that it does not wait for yet is kept.

        Args:
            name: Of the signal; at most 100 characters.
            value: What to send with it, at most 64 KiB.

        Raises:
            InvalidArgument: The task has ended, or an argument cannot be used.
            QuotaExceeded: The task was sent 100 signals already.
            UnknownTask: The master knows no such task.
        """
        from .signals import STEPS, signal_arguments

        warn_on_loop("await handle.asignal()")
        self._session.call(STEPS, "signal", *signal_arguments(self._id, name, value))

    def retry(self) -> State:
        """Run a task again that ended without success.

        Returns:
            Its new state.

        Raises:
            UnknownTask: The master knows no such task.
        """
        warn_on_loop("await handle.aretry()")
        return self._retried(self._session.call(TASKS, "retry", [self._id]))

    def _retried(self, answer: list[Any]) -> State:
        state = state_of(self._id, answer)
        if not state.is_terminal:  # its outcome is still to come
            self._outcome = self._box = self._watching = None
        return state


class FoundHandle(Handle[T]):
    """Of a task that was there when one was submitted that is the same."""

    __slots__ = ()

    @property
    def cached(self) -> bool:
        return True


def submit_one(
    session: ClientSession,
    kind: TaskKind,
    id: bytes,
    payload: bytes,
    blobs: Sequence[Blob] = (),
    needs: Sequence[IdRun] = (),
    received: Callable[[Any], Any] | None = None,
) -> tuple[Handle[Any], Future[Any]]:
    """Send one task, with others that are submitted at once; the future completes when it is stored. ``blobs``: that it names,
    uploaded before. ``needs``: the tasks whose results it needs."""
    future, submit, submits = _submitting()
    # Not ``sent_link``: this task joins no batch, and flushing one would send it too early.
    link = session.link
    box = OutcomeBox() if session.part(WatchPrediction).watch_next else None
    stored: Future[Any] = future()
    session.part(submits).add(
        link, submit(kind, id, payload, blobs, box, stored, needs, parent=parent_here())
    )
    return Handle(session, id, None, box, None if box is None else link, received), stored


@functools.cache
def _submitting() -> tuple[type[Future[Any]], type[SingleSubmit], type[SingleSubmits]]:
    """A program that submits nothing never loads them; cached: an import statement for each task takes longer than what it
    imports."""
    from concurrent.futures import Future

    from .single_submits import SingleSubmit, SingleSubmits

    return Future, SingleSubmit, SingleSubmits


def handle_of(session: ClientSession, task_id: str) -> Handle[Any]:
    """The handle of any task of this master; raises UnknownTask at once when there is none."""
    from .named import task_named

    id = task_named(session, task_id)
    # Raises UnknownTask: a mistyped id is found here, not after a wait without end.
    state_of(id, session.call(TASKS, "states", [id]))
    return Handle(session, id)


async def handle_of_async(session: ClientSession, task_id: str) -> Handle[Any]:
    """``handle_of`` for an event loop."""
    import asyncio

    from .named import task_named_async

    id = await task_named_async(session, task_id)
    state_of(id, await asyncio.wrap_future(session.start_call(TASKS, "states", [id])))
    return Handle(session, id)
