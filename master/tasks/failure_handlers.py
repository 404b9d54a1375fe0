"""Handlers of failures: for each task with ``on_failure`` that ends without success a task is made, once for each end.

::

    Endings ─► ended ─► this transaction makes the first of them ─► Dispatch
                    └─► more than it has room for: rows, in this transaction ─► made a portion at a time ─► Dispatch

Which handler a task has is said by its lane, so a task without one costs nothing here. A handler has an id that is computed from its task
and from when that ended: it is the same task however often it is made, and `tq show` of the failed task finds it. It acts by the rights
of the key that submitted the failed task, as they are when it is made. It has no handler itself, so failures do not go in circles.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import groupby
from typing import Any, Final

from ...common.auth.keys import Verifier
from ...common.domain.columns import FailureHandler
from ...common.domain.id_runs import IdRun
from ...common.domain.ids import computed_id, id_behind, show_id
from ...common.domain.model import State, StateNumber
from ...common.domain.shards import shard_of_id
from ...common.errors import InvalidArgument
from ...common.values.failure import Failure
from ...common.wire.frames import pack
from ..api.validation import allow_queue
from ..engine.agenda import Agenda
from ..engine.clock import Now
from ..engine.endings import Ended
from ..engine.part import Part
from ..engine.session import Call, Session
from ..store.interface.queries import Found
from ..store.interface.store import Picture, Store
from ..store.interface.unhandled import UnhandledEnd
from .dispatch import Dispatch
from .kept_handler import KeptHandler
from .route import Route
from .routes import Routes

HANDLED: Final = frozenset(
    map(int, (StateNumber.FAILED, StateNumber.DEAD, StateNumber.LOST, StateNumber.EXPIRED))
)
MADE_AT_ONCE: Final = 200  # in one transaction, some 60 µs each
HANDLER_BYTES_MAX: Final = 4 * 1024  # of what says which task is made: it is in memory for each lane
MESSAGE_CHARS_MAX: Final = 2_000  # of the failure, in what a handler is given; its task has it whole
ROWS_AT_ONCE: Final = 50  # that are read: each may have a failure of 64 KiB
MAKE: Final = "make"


def handler_id(task: bytes, ended: int) -> bytes:
    """Of the task that is made when a task has ended at this moment of the steady clock: in the same shard."""
    digest = hashlib.sha256(b"tq1 on_failure" + task + ended.to_bytes(8, "big")).digest()
    return computed_id(digest, shard_of_id(task))


class FailureHandlers(Part):
    """``key_of``: a key that is known, by its id."""

    name = "handlers of tasks that have failed"

    def __init__(
        self,
        store: Store,
        routes: Routes,
        dispatch: Dispatch,
        agenda: Agenda,
        report: Callable[..., None],
        key_of: Callable[[str], Verifier | None],
    ) -> None:
        self._all, self._store = store, store.unhandled
        self._routes, self._dispatch, self._agenda = routes, dispatch, agenda
        self._report, self._key_of = report, key_of
        self._ended: list[UnhandledEnd] = []  # in this transaction
        self.made_at_once = MADE_AT_ONCE
        self._room = MADE_AT_ONCE

    def packed(self, handler: FailureHandler | None, call: Call) -> bytes:
        """Of the tasks of a submit. Raises InvalidArgument, Forbidden and QuotaExceeded."""
        if handler is None:
            return b""
        allow_queue(call, handler.queue)
        # With the key's id, not its rights: they are looked up when the handler is made.
        kept = KeptHandler(call.session.verifier.key_id, handler).packed()
        if len(kept) > HANDLER_BYTES_MAX:
            raise InvalidArgument(
                f"on_failure: what says how {handler.task} is run has {len(kept):,} bytes; at most {HANDLER_BYTES_MAX:,}: give it fewer "
                "tags or limits"
            )
        # Made now, on this account: later no caller is there to be refused.
        self._routes.route(handler.queue, handler.task, call.session.account)
        return kept

    def load(self, picture: Picture, now: Now) -> None:
        self._ended.clear()
        if self._store.first(1):
            self._agenda.set(self, MAKE, now.mono)

    def void(self) -> Iterable[Session]:
        self._ended.clear()
        return ()

    def begin(self) -> None:
        self._room = self.made_at_once

    def ended(self, tasks: Sequence[Ended], now: Now) -> None:
        for run, number, _, state, bodies, _ in tasks:
            if state in HANDLED and (lane := self._routes.by_number[number]).key.handler:
                same_end = groupby(zip(range(run.length), bodies, strict=True), key=lambda one: one[1])
                for body, group in same_end:
                    places = [place for place, _ in group]
                    part = IdRun(id_behind(run.first, places[0]), len(places))
                    # Noted, not made: this runs amid the end, where a listener may not raise.
                    self._ended.append(_end(lane, part, state, body, now.steady))

    def due(self, key: Hashable, now: Now) -> None:
        """A portion of those for which there was no room in the transaction of their end."""
        waiting = self._store.first(ROWS_AT_ONCE)
        made, rest = _portion(waiting, self._room)
        self._make(made)
        # In the transaction that makes them: one that fails leaves the rows, and they are made then.
        self._store.made([one.number for one in waiting[: len(waiting) - len(rest)]])
        if rest and rest[0] is not waiting[-len(rest)]:  # a row of which only the first tasks were made
            self._store.keep(rest[0])
        if waiting:
            self._agenda.set(self, MAKE, now.mono)

    def give_out(self, now: Now) -> None:
        made, self._ended = _portion(self._ended, self._room)
        self._make(made)

    def settle(self, now: Now) -> None:
        if self._ended:
            self._store.add(self._ended)
            self._ended = []
            self._agenda.set(self, MAKE, now.mono)

    def _make(self, ends: Sequence[UnhandledEnd]) -> None:
        self._room -= sum(end.tasks for end in ends)
        ids = [id for end in ends for id in IdRun(end.id, end.tasks).ids()]
        # For the number of attempts alone; a purged task still gets its handler.
        found = {one.id: one for one in self._all.find(ids)} if ids else {}
        made: dict[bytes, list[tuple[bytes, list[bytes]]]] = {}
        for end in ends:
            # By handler: tasks with the same one are one submit.
            made.setdefault(end.handler, []).extend(
                (handler_id(id, end.ended), [pack([[_record(id, end, found.get(id))], {}])])
                for id in IdRun(end.id, end.tasks).ids()
            )
        for packed, tasks in made.items():
            key, handler = KeptHandler.unpacked(packed)
            if self._may(key, handler, len(tasks)):
                route = self._routes.route(handler.queue, handler.task)
                self._dispatch.submit_own(route, handler.options, tasks, said=handler.columns, key=key)

    def _may(self, key: str, handler: FailureHandler, tasks: int) -> bool:
        known, queue = self._key_of(key), handler.queue
        # Now and not at the submit: a revoked key must not go on making tasks.
        if known is not None and not known.is_revoked and known.allows_queue(queue):
            return True
        self._report(
            "task.handler_refused", level="warning", tasks=tasks, handler=handler.task, queue=queue, key=key
        )
        return False


def _end(lane: Route, run: IdRun, state: int, body: bytes | None, ended: int) -> UnhandledEnd:
    queue, task = lane.queue.name, lane.task
    return UnhandledEnd(0, run.first, run.length, queue, task, state, body, lane.key.handler, ended)


def _portion(ends: Sequence[UnhandledEnd], tasks: int) -> tuple[list[UnhandledEnd], list[UnhandledEnd]]:
    """Those of the first so many tasks, and the others."""
    for place, end in enumerate(ends):
        if tasks < end.tasks:
            rest = end._replace(id=id_behind(end.id, tasks), tasks=end.tasks - tasks)
            begun = [end._replace(tasks=tasks)] if tasks > 0 else []
            return [*ends[:place], *begun], [rest if tasks > 0 else end, *ends[place + 1 :]]
        tasks -= end.tasks
    return list(ends), []


def _record(id: bytes, end: UnhandledEnd, found: Found | None) -> dict[str, Any]:
    """What a handler is given of the task. ``found`` None: it was deleted since."""
    failure = None if end.body is None else Failure.heading(end.body)
    return {
        "id": show_id(id),
        "task": end.task,
        "queue": end.queue,
        "state": str(State.from_number(end.state)),
        "attempts": 0 if found is None else found.attempt - found.returned,
        "error": None
        if failure is None
        else {"type": failure.type, "message": failure.message[:MESSAGE_CHARS_MAX]},
    }
