"""Single submits: each caller waits for its own task, and those that come together travel together.

::

    any thread: add ──► gathered ──► I/O thread: one submit call for neighbours of a kind ──► master
    the caller's Future  ◄──────────────────────────────────────────── stored, or refused ◄──┘

No task waits for others: the I/O thread sends what is there when it gets to it. What has gathered until then comes from other
threads, or from the tasks of an event loop.

Invariants: 1. every Future completes, with the answer of the call that had its task; 2. an error that one task of a call may
have caused reaches that task alone: the call is repeated task by task.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from ...common.errors import Unreachable
from ..core.shard_line import settle
from .joining import OF_ONE_TASK, JoinedTasks, joined
from .outcomes import OutcomeBox
from .submission import Parent, runs_of_tasks, submit_many

if TYPE_CHECKING:
    from ...common.domain.id_runs import IdRun
    from ...common.values.blob import Blob
    from ..core.io_thread import ClientLink
    from ..core.session import ClientSession
    from .kinds import TaskKind


class SingleSubmit(NamedTuple):
    """``needs``: the tasks whose results are arguments of this one. ``blobs``: uploaded before. ``box``: receives the outcome; None: the task is not watched yet.
    ``same``: by what it is the same as others, if its kind says ``unique``. ``parent``: the task that submits it."""

    kind: TaskKind
    id: bytes
    payload: bytes
    blobs: Sequence[Blob]
    box: OutcomeBox | None
    stored: Future[Any]
    needs: Sequence[IdRun] = ()
    same: str = ""
    parent: Parent | None = None


class SingleSubmits:
    """A part of a session. Thread-safe."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session
        self._gathered: deque[SingleSubmit] = deque()
        self._is_due = False

    def add(self, link: ClientLink, submit: SingleSubmit) -> None:
        self._gathered.append(submit)
        # One post for all that comes until the I/O thread gets to it: that is how they travel together.
        if not self._is_due:
            self._is_due = True
            # Closed: that thread may never look, so the futures are completed here.
            if not link.post(partial(self._send, link)):
                self._is_due = False
                for one in self._taken():
                    settle(one.stored, None, Unreachable("the app was closed; make a new one"))

    # the I/O thread

    def _send(self, link: ClientLink) -> None:
        self._is_due = False  # first: what is added from here on is posted again
        submits = list(self._taken())
        if len(submits) == 1:  # of a single thread, and nothing to look up
            [one] = submits
            [call] = joined([(one.kind, one.id, one.payload, one.blobs)])
            self._call(link, call, submits, one.box is not None)
            return
        of_id = {one.id: one for one in submits}
        for watched, some in _runs(submits):
            for call in joined((one.kind, one.id, one.payload, one.blobs) for one in some):
                self._call(link, call, [of_id[id] for id in call.ids], watched)

    def _call(self, link: ClientLink, call: JoinedTasks, submits: list[SingleSubmit], watched: bool) -> None:
        boxes = [one.box for one in submits if one.box is not None] if watched else ()
        kind, runs = call.kind, runs_of_tasks(call.tasks)
        needs = {one.id: one.needs for one in submits if one.needs}
        unique = None
        if kind.choice.unique is not None:
            from ...common.domain.unique import wire_of_many  # a program without them never loads it

            unique = wire_of_many(kind.choice.unique, [one.same for one in submits])
        answer = submit_many(
            self._session, kind.name, kind.choice, runs, None, link, call.named, boxes, needs, unique,
            parent=submits[0].parent,  # as all of them
        )  # fmt: skip
        answer.add_done_callback(partial(self._answered, link, call, submits))

    def _answered(
        self, link: ClientLink, call: JoinedTasks, submits: list[SingleSubmit], answer: Future[Any]
    ) -> None:
        error = answer.exception()
        if isinstance(error, OF_ONE_TASK) and len(submits) > 1:
            # In a turn of its own: the boxes are failed by this refusal in the present one.
            link.post(partial(self._repeat, link, call, submits))
            return
        if call.kind.choice.unique is None or error is not None:
            for one in submits:
                settle(one.stored, None if error else answer.result(), error)
            return
        others = dict(answer.result())
        for place, one in enumerate(submits):
            other = others.get(place)
            if other is not None and one.box is not None:
                link.forget(one.box)  # this task is never stored
            settle(one.stored, other, None)

    def _repeat(self, link: ClientLink, call: JoinedTasks, submits: list[SingleSubmit]) -> None:
        for alone, one in zip(call.one_by_one(), submits, strict=True):
            if one.box is not None:
                # It has the error of the refused call, which was about another task.
                one.box.restart()
            self._call(link, alone, [one], one.box is not None)

    def _taken(self) -> Iterator[SingleSubmit]:
        # Other threads append meanwhile; popping until it is empty needs no lock.
        with contextlib.suppress(IndexError):
            while True:
                yield self._gathered.popleft()


def _runs(submits: Sequence[SingleSubmit]) -> Iterator[tuple[bool, list[SingleSubmit]]]:
    """Neighbours that are all watched, or all not, and all need others, or none, and were submitted by the same task, or by none."""
    for (watched, _, _), run in groupby(
        submits, lambda one: (one.box is not None, bool(one.needs), one.parent)
    ):
        yield watched, list(run)
