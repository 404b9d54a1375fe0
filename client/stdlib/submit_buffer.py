"""Gathers tasks while earlier submit calls are under way, and sends them in large calls.

::

    any thread: unsent ──► I/O thread: submit calls of up to 1,000 tasks ──► master
    events: [slices of outcomes] or (ids, error)  ◄──── _SubmitBatch ◄──── outcomes

A single submit would cost a round trip and a commit for each task. So only CALLS_UNDER_WAY calls are under way at a time:
while they are, new tasks gather, and the answer of one call sends all of them.

Invariants: 1. gathered tasks are never stranded: either a step that sends them is posted to the I/O thread (``is_due``), or a
call is under way whose answer sends them; 2. an error that one task of a call may have caused reaches that task alone: the
call is repeated task by task.
"""

from __future__ import annotations

import contextlib
from collections import deque
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from ...common.errors import ProtocolError, Rejected, TqError, Unreachable
from ..tasks.joining import OF_ONE_TASK, JoinedTasks, joined
from ..tasks.submission import Parent, runs_of_tasks, submit_many

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future
    from queue import SimpleQueue

    from ...common.contract.tasks import OutcomeSlice
    from ..core.io_thread import ClientLink
    from ..core.session import ClientSession
    from ..tasks.joining import PendingTask

# At this number tasks gather: the master has one call while another is on the wire
CALLS_UNDER_WAY: Final = 2


class _SubmitBatch:
    """The tasks of one submit call, as a ``listener.Listener`` of their outcomes."""

    __slots__ = ("_events", "_ids", "is_repeated")

    def __init__(self, events: SimpleQueue[Any], ids: Sequence[bytes]) -> None:
        self._events, self._ids = events, ids
        self.is_repeated = False  # task by task, each with its own outcome

    def put(self, slices: Sequence[OutcomeSlice]) -> None:
        self._events.put(slices)

    def fail(self, error: TqError) -> None:
        if not self.is_repeated:
            self._events.put((self._ids, error))


class SubmitBuffer:
    """``events`` gets slices of outcomes, and ``(ids, error)`` for tasks that were not stored.

    To add a task, append it to ``unsent`` and call ``schedule`` unless ``is_due``: no method call for each task. If a task submits it,
    say so in ``parents`` before that.
    """

    def __init__(self, session: ClientSession, events: SimpleQueue[Any]) -> None:
        self._session, self._events = session, events
        self.unsent: deque[PendingTask] = deque()
        self.parents: dict[bytes, Parent] = {}  # of unsent tasks
        self.is_due = False
        self._under_way: set[_SubmitBatch] = set()

    def schedule(self, link: ClientLink) -> None:
        """Have the I/O thread send the gathered tasks, as soon as the calls under way allow it."""
        self.is_due = True
        if not link.post(partial(self._submit, link)):
            self.fail_unsent(Unreachable("the app was closed; make a new one"))

    def push(self) -> None:
        """Send the gathered tasks despite the calls under way: the next call may be about them."""
        if self.unsent:
            link = self._session.link
            link.post(partial(self._submit, link, at_once=True))

    def fail_unsent(self, error: TqError) -> None:
        """Fail all gathered tasks instead of sending them."""
        self.is_due = False
        if lost := [id for _, id, _, _ in self._take_unsent()]:
            for id in lost:
                self.parents.pop(id, None)
            self._events.put((lost, error))

    # the I/O thread

    def _submit(self, link: ClientLink, at_once: bool = False) -> None:
        if len(self._under_way) >= CALLS_UNDER_WAY and not at_once:
            return  # still due: the next answer comes back here
        self.is_due = False
        pending = list(self._take_unsent())
        # Only then: of what was taken the parents are there. Mostly there are none, and nothing is asked for each task.
        if not self.parents:
            self._call_with(link, pending, None)
            return
        for parent, some in groupby(pending, lambda one: self.parents.pop(one[1], None)):
            self._call_with(link, list(some), parent)

    def _call_with(self, link: ClientLink, pending: list[PendingTask], parent: Parent | None) -> None:
        for call in joined(pending):
            self._call(link, call, parent)

    def _call(self, link: ClientLink, call: JoinedTasks, parent: Parent | None) -> None:
        ids, kind = call.ids, call.kind
        batch = _SubmitBatch(self._events, ids)
        self._under_way.add(batch)
        runs = runs_of_tasks(call.tasks)
        stored = submit_many(
            self._session, kind.name, kind.choice, runs, batch, link, call.named, parent=parent
        )
        stored.add_done_callback(partial(self._answered, link, call, parent, batch))

    def _answered(
        self,
        link: ClientLink,
        call: JoinedTasks,
        parent: Parent | None,
        batch: _SubmitBatch,
        stored: Future[Any],
    ) -> None:
        self._under_way.discard(batch)
        error = stored.exception()
        if isinstance(error, OF_ONE_TASK) and len(call.tasks) > 1:
            batch.is_repeated = True
            for alone in call.one_by_one():
                self._call(link, alone, parent)
        elif isinstance(error, TqError):
            batch.fail(error)
            if isinstance(error, (Unreachable, Rejected, ProtocolError)):
                # The gathered tasks would wait for the same time and get the same error.
                self.fail_unsent(error)
        if self.is_due:
            self._submit(link)

    def _take_unsent(self) -> Iterator[PendingTask]:
        # Other threads append meanwhile; popping until it is empty needs no lock.
        with contextlib.suppress(IndexError):
            while True:
                yield self.unsent.popleft()
