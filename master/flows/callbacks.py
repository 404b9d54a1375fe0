"""What is to be done when a flow ends: a task for each callback, once in each run.

Each callback is decided in one transaction with its row, in bounded portions; its task has an id that is computed from flow, run
and callback, so that it is the same task however often it is made.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Final

from ...common.auth.keys import Verifier
from ...common.domain.columns import LaneColumns
from ...common.domain.flow import FlowState, callback_id
from ...common.domain.ids import show_id
from ...common.domain.model import TaskOptions
from ...common.errors import Forbidden, InvalidArgument
from ...common.wire.frames import pack, unpack
from ..engine.agenda import Agenda
from ..engine.clock import Now
from ..engine.part import Part
from ..engine.session import Session
from ..store.interface.flows import FlowCallback, FlowRow
from ..store.interface.store import Picture, Store
from ..tasks.dispatch import Dispatch
from ..tasks.routes import Routes

CALLBACKS_MAX: Final = 20  # of one flow
FLOWS_AT_ONCE: Final = 25  # whose callbacks are made in one transaction
DECIDE: Final = "decide"


class FlowCallbacks(Part):
    """``key_of``: a key that is known, by its id. ``summary``: what a callback is given of its flow."""

    name = "callbacks of flows"

    def __init__(
        self,
        store: Store,
        routes: Routes,
        dispatch: Dispatch,
        agenda: Agenda,
        report: Callable[..., None],
        key_of: Callable[[str], Verifier | None],
        summary: Callable[[FlowRow, Now], dict[str, Any]],
    ) -> None:
        self._store, self._routes, self._dispatch = store.flows, routes, dispatch
        self._agenda, self._report, self._key_of, self._summary = agenda, report, key_of, summary
        self._ended: dict[int, None] = {}  # flows, by number

    def load(self, picture: Picture, now: Now) -> None:
        self._ended = dict.fromkeys(self._store.with_callbacks())
        self._decide_soon(now)

    def _decide_soon(self, now: Now) -> None:
        if self._ended:
            self._agenda.set(self, DECIDE, now.mono)

    def add(self, session: Session, row: FlowRow, callback: FlowCallback, now: Now) -> None:
        """A callback that is there already stays as it is. Of a flow that has ended it is made at once."""
        if row.key != session.verifier.key_id:
            raise Forbidden(
                "callbacks act by the rights of the key that opened the flow, and only that key adds them"
            )
        if self._store.count_callbacks(row.number, callback.token) >= CALLBACKS_MAX:
            raise InvalidArgument(
                f"the flow has {CALLBACKS_MAX} callbacks; make one that calls several functions"
            )
        # Made now, so that the key which adds it pays for the name, and is the one to be refused.
        self._routes.route(callback.queue, callback.task, session.account)
        self._store.add_callback(callback)
        if row.finished is not None:
            self.ended(row, now)

    def ended(self, row: FlowRow, now: Now) -> None:
        self._ended[row.number] = None
        self._decide_soon(now)

    def due(self, key: Hashable, now: Now) -> None:
        for number in list(self._ended)[:FLOWS_AT_ONCE]:
            del self._ended[number]
            row = self._store.get(number)
            if row is not None and row.finished is not None:
                self._decide(row, now)
        self._decide_soon(now)

    def _decide(self, row: FlowRow, now: Now) -> None:
        decided = []
        for one in self._store.callbacks(row.number, row.run, CALLBACKS_MAX):
            if fits(one.kind, row.state):
                self._make(row, one, now)
            decided.append(one._replace(run=row.run))
        self._store.decided(decided)

    def _make(self, row: FlowRow, callback: FlowCallback, now: Now) -> None:
        # As it is now: it may have been revoked, or bound to other queues, since it added the callback.
        key = self._key_of(row.key)
        if key is None or key.is_revoked or not key.allows_queue(callback.queue):
            self._report(
                "flow.callback_refused",
                level="warning",
                flow=show_id(row.id),
                task=callback.task,
                key=row.key,
            )
            return
        route = self._routes.route(callback.queue, callback.task)
        options = TaskOptions.from_wire({} if callback.options is None else unpack(callback.options))
        payload = pack([[self._summary(row, now)], {}])
        id = callback_id(row.id, row.run, callback.token)
        said = LaneColumns.from_wire(None if callback.columns is None else unpack(callback.columns), 1)
        self._dispatch.submit_own(route, options, [(id, [payload])], said=said, key=row.key)


def fits(kind: str, state: str) -> bool:
    """Whether a callback of this kind is made after a run that ended in this state."""
    return kind == "finally" or (kind == "then") == (state == FlowState.SUCCEEDED)
