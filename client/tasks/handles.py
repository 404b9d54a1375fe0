"""Many handles as one compact sequence: a few bytes for a thousand tasks (``id_runs.py``).

From the submit on, the outcomes of the first ``watched`` tasks arrive in a box. The first reader gets this box; each
further reader fills a new one (see ``readers.py``).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, overload

from ...common.contract.rows import all_from_wire
from ...common.contract.tasks import OutcomeSlice, StateRow
from ...common.domain.id_runs import IdRun, runs_of
from ...common.domain.model import State, StateNumber
from ...common.errors import InvalidArgument
from ...common.values.brief import brief
from .answers import TASKS
from .handle import Handle
from .id_runs import IdRuns
from .outcomes import OutcomeBox, TaskOutcome
from .readers import Completed, OutcomeReading, Results
from .stalls import Stall

if TYPE_CHECKING:
    from ...common.values.needed import Needed
    from ..core.io_thread import ClientLink
    from ..core.session import ClientSession

T = TypeVar("T")

ALL_COMPLETED: Final = "ALL_COMPLETED"  # as of concurrent.futures, which is not loaded for them
FIRST_COMPLETED: Final = "FIRST_COMPLETED"
FIRST_EXCEPTION: Final = "FIRST_EXCEPTION"
CALL_TASKS_MAX: Final = 10_000  # ids in one call to the master
ITERATED_TASKS: Final = 1_000  # whose ids a loop over handles makes at once


class Handles(Sequence[Handle[T]]):
    """The handles of a map, as a sequence that takes some bytes for each run of tasks. A Handle is made when one is taken out."""

    _tq_remedy = "send list(its results()), or its ids, of which app.get(id) makes handles"

    def __init__(
        self,
        session: ClientSession,
        ids: IdRuns | None = None,
        box: OutcomeBox | None = None,
        link: ClientLink | None = None,
        received: Callable[[Any], Any] | None = None,
    ) -> None:
        """``received``: makes each result of plain data; see ``Definition.received``."""
        self._session, self._ids, self._received = session, ids or IdRuns(), received
        self._box, self._link = box, link
        # How many tasks from the start are watched: that link puts their outcomes into the box
        self._watched = 0

    def __len__(self) -> int:
        return len(self._ids)

    def _tq_needed(self) -> tuple[ClientSession, Needed]:
        """What stands for them in the arguments of a task."""
        from ...common.values.needed import Needed

        return self._session, Needed(tuple(self._ids.runs()), is_list=True)

    @overload
    def __getitem__(self, index: int) -> Handle[T]: ...
    @overload
    def __getitem__(self, index: slice) -> Handles[T]: ...
    def __getitem__(self, index: int | slice) -> Handle[T] | Handles[T]:
        if isinstance(index, slice):
            chosen = range(len(self))[index]
            return Handles(self._session, self._ids.chosen(chosen), received=self._received)
        id = self._ids.id(range(len(self))[index])
        return self._one(id)

    def __iter__(self) -> Iterator[Handle[T]]:
        # In portions: ids of a million tasks at once would be what this class is there to avoid.
        for start in range(0, len(self), ITERATED_TASKS):
            for run in self._ids.between(start, start + ITERATED_TASKS):
                for id in run.ids():
                    yield self._one(id)

    def _one(self, id: bytes) -> Handle[T]:
        # Peeked and not taken: the reader of the results still gets it.
        outcome = None if self._box is None else self._box.peek(id)
        return Handle(self._session, id, outcome, received=self._received)

    def __repr__(self) -> str:
        return f"<tq.Handles of {len(self):,} tasks>"

    @property
    def ids(self) -> list[str]:
        """The ids of the tasks as text."""
        return [handle.id for handle in self]

    def results(self, timeout: float | None = None, *, return_exceptions: bool = False) -> Results[T]:
        """Read the results in the order of submission.

        Args:
            timeout: Seconds for all tasks together; by default there is no limit.
            return_exceptions: Yield the error of a task that did not succeed in place of its result, and raise none.

        Returns:
            An iterator for ``for`` or ``async for``. In its turn it raises a task's TaskError, and ``next()`` continues after
            it; it raises TimeoutError when the time is over.
        """
        return Results(self._session, self._reading(), timeout, return_exceptions, self._received)

    def as_completed(self, timeout: float | None = None) -> Completed[T]:
        """Read the handles in the order in which their tasks end.

        Args:
            timeout: Seconds for all tasks together; by default there is no limit.

        Returns:
            An iterator for ``for`` or ``async for``. Each handle has its outcome; TimeoutError is raised when the time is over.
        """
        return Completed(self._session, self._reading(), timeout, self._handle)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until all tasks have ended.

        Args:
            timeout: Seconds to wait; by default there is no limit.

        Returns:
            False when the time is over first.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            # All outcomes come to the box anyway: they are counted there, and stay for a reader.
            if self._box is not None and self._watched == len(self) and self._link is self._session.link:
                stall = Stall(self._session, self._last, timeout, runs=lambda: list(self._ids.runs()))
                return stall.wait(self._box, len(self), deadline)
            for _ in self.as_completed(timeout):
                continue
        except TimeoutError:
            return False
        return True

    def states(self) -> Counter[State]:
        """Count the tasks in each state.

        Returns:
            A Counter of states.
        """
        rows = self._in_chunks("states")
        # Below zero: the master does not know the task.
        return Counter(State.from_number(row.state) for row in rows if row.state >= 0)

    def cancel(self) -> int:
        """Cancel all tasks.

        Returns:
            How many are cancelled, or will be ended by their worker, which was notified.
        """
        rows = self._in_chunks("cancel")
        return sum(row.state in (StateNumber.CANCELLED, StateNumber.RUNNING) for row in rows)

    def _in_chunks(self, method: str) -> Iterator[StateRow]:
        starts = range(0, len(self), CALL_TASKS_MAX)
        answers = (
            self._session.call(TASKS, method, _to_wire(self._ids.between(start, start + CALL_TASKS_MAX)))
            for start in starts
        )
        return chain.from_iterable(all_from_wire(StateRow, answer) for answer in answers)

    def _last(self) -> bytes | None:
        return self._ids.id(len(self) - 1) if self else None

    def _handle(self, id: bytes, outcome: TaskOutcome) -> list[Handle[T]]:
        return [Handle(self._session, id, outcome, received=self._received)]

    def _reading(self) -> OutcomeReading:
        """For the first reader the box filled since the submit, if its link is still open; else a new box."""
        link = self._session.link
        # Readers remove what they read: a second one needs a box of its own.
        box, self._box = self._box, None
        if box is not None and self._link is link:
            return OutcomeReading([link], box, self._ids.between, len(self), self._watched)
        return OutcomeReading([link], OutcomeBox(), self._ids.between, len(self), 0)

    def submitted(self, first: int, count: int, *, watched: bool) -> None:
        """Append ``count`` tasks with consecutive ids as they are sent. ``watched``: their outcomes are delivered to the box."""
        self._ids.append(first, count)
        self._watched += count if watched else 0

    def __del__(self) -> None:
        # Outcomes are still to come that no one will read.
        if self._box is not None and self._link is not None and len(self._box) < self._watched:
            self._link.forget(self._box)


class Waited(NamedTuple):
    """The result of ``wait``: handles in the order given."""

    done: list[Handle[Any]]
    not_done: list[Handle[Any]]


def as_completed(handles: Iterable[Handle[T]], timeout: float | None = None) -> Completed[T]:
    """Read handles in the order in which their tasks end.

    Args:
        handles: Those of a map or any others, also of several apps.
        timeout: Seconds for all tasks together; by default there is no limit.

    Returns:
        An iterator for ``for`` or ``async for``. Each handle has its outcome; TimeoutError is raised when the time is over.

    Example::

        for handle in tq.as_completed(square.map(range(1000))):
            print(handle.result())
    """
    if isinstance(handles, Handles):
        return handles.as_completed(timeout)
    by_id: dict[bytes, list[Handle[T]]] = {}
    for handle in handles:
        # The same task may be given twice: both handles get its outcome.
        by_id.setdefault(handle._id, []).append(handle)

    def seen(id: bytes, outcome: TaskOutcome) -> list[Handle[T]]:
        for handle in by_id[id]:
            handle._outcome = outcome
        return by_id[id]

    session = next((one._session for same in by_id.values() for one in same), None)
    return Completed(session, _reading_of(by_id), timeout, seen)


def wait(
    handles: Iterable[Handle[T]], timeout: float | None = None, return_when: str = ALL_COMPLETED
) -> Waited:
    """Wait until all tasks have ended, or as the standard library's ``wait`` until one has.

    Neither the errors of tasks nor TimeoutError are raised.

    Args:
        handles: Those of a map or any others, also of several apps.
        timeout: Seconds to wait; by default there is no limit.
        return_when: ``"ALL_COMPLETED"``, ``"FIRST_COMPLETED"``, or ``"FIRST_EXCEPTION"``: when one has ended without success that was
            not cancelled, or all have. The constants of ``concurrent.futures`` have these values.

    Returns:
        Two lists, ``done`` and ``not_done``, with handles in the order given.

    Raises:
        InvalidArgument: ``return_when`` is none of these.
    """
    if return_when not in (ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION):
        raise InvalidArgument(
            f"return_when={brief(return_when)} is unknown; use {ALL_COMPLETED!r}, {FIRST_COMPLETED!r} or {FIRST_EXCEPTION!r}"
        )
    given = list(handles)
    done: set[bytes] = set()
    try:
        for handle in as_completed(handles if isinstance(handles, Handles) else given, timeout):
            done.add(handle._id)
            if return_when == FIRST_COMPLETED or (return_when == FIRST_EXCEPTION and _has_failed(handle)):
                break
    except TimeoutError:
        pass  # ``not_done`` of the result shows it
    return Waited(
        [handle for handle in given if handle._id in done],
        [handle for handle in given if handle._id not in done],
    )


def _has_failed(handle: Handle[Any]) -> bool:
    outcome = handle._outcome
    return outcome is not None and outcome.state not in (StateNumber.SUCCEEDED, StateNumber.CANCELLED)


def _reading_of(by_id: dict[bytes, list[Handle[T]]]) -> OutcomeReading:
    """Watch all tasks at once: a program that can hold the handles can hold their outcomes."""
    # All of one outbox or none, as a rule; a plain box learns at once of tasks that are not there.
    box = next((same[0]._new_box() for same in by_id.values()), OutcomeBox())
    by_link: dict[ClientLink, list[bytes]] = {}
    for id, (handle, *_) in by_id.items():
        if handle._outcome is not None:
            # Known here already: the master is not asked for it.
            box.put([OutcomeSlice(id, handle._outcome.state, [handle._outcome.body])])
        else:
            # Handles of several apps may be waited for together.
            by_link.setdefault(handle._session.sent_link(), []).append(id)
    for link, ids in by_link.items():
        link.watch(box, list(runs_of(ids)))
    ids = list(by_id)
    return OutcomeReading(
        list(by_link), box, lambda start, stop: list(runs_of(ids[start:stop])), len(by_id), len(by_id)
    )


def _to_wire(runs: Iterable[IdRun]) -> list[Any]:
    return [run.to_wire() for run in runs]
