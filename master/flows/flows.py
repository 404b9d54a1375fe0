"""Flows: which there are, whose tasks they count, and what is done to all tasks of one.

::

    submit ─► Dispatch ─► accepted ─┐                        ┌─► work: cancel or retry all tasks, in portions
    an end ─► Endings ─► ended ─────┼─► counts of the flow ──┼─► the end: those who wait for it, its callbacks
    retry ──► Endings ─► revived ───┘   in that transaction  └─► the next run

A task knows its flow by its origin, the number of the flow with a minus. In memory is what has not ended.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Final

from ...common.domain.flow import COLLECT, FlowState
from ...common.domain.id_runs import IdRun
from ...common.domain.ids import id_behind, show_id
from ...common.errors import Forbidden, InvalidArgument
from ..engine.accounts import Resource, charged
from ..engine.clock import Now
from ..engine.core import Core
from ..engine.endings import Ended
from ..engine.part import Part
from ..engine.session import Session
from ..engine.work import Work
from ..store.interface.flows import FlowMembers, FlowRow, NewFlow
from ..store.interface.store import Picture
from ..tasks.completion import Completion
from ..tasks.origins import is_of_flow
from .live import NOTHING, RETRIES, LiveFlow
from .shown import listed
from .table import FlowTable
from .turns import Turns

LAST: Final = 1 << 62  # place of a task in its flow, above all
WORKED_MAX: Final = 2_000  # tasks that are cancelled in one transaction, of all flows, some 11 µs each
PORTION: Final = 200  # of one flow, before it is the next key's turn
RETRIED_COST: Final = 10  # one that is retried takes as long as so many that are cancelled
WORK: Final = "work"
LOST_MAX: Final = 1_000  # of a lost program, in one transaction
HOW_ENDED: Final = {
    FlowState.SUCCEEDED: "has succeeded",
    FlowState.FAILED: "has failed",
    FlowState.CANCELLED: "was cancelled",
}
LOST: Final = "the program that filled it was lost before it was complete"


class Flows(Part):
    """``ended_listeners`` are called with each flow that ends, in that transaction."""

    name = "tasks of flows that are cancelled or retried"

    def __init__(self, core: Core, completion: Completion) -> None:
        self._core, self._completion = core, completion
        self._all, self._store = core.store, core.store.flows
        self._presence, self._agenda = core.presence, core.agenda
        self.table = FlowTable(self._store)
        self._turns, self._share = Turns(), Work(core.seconds)
        # Of tasks of flows that had ended: number of the flow, tasks, state.
        self._ends: list[tuple[int, IdRun, int]] = []
        self._revivals: list[tuple[int, int]] = []
        self._members: list[FlowMembers] = []
        self.ended_listeners: list[Callable[[FlowRow, Now], None]] = []

    def load(self, picture: Picture, now: Now) -> None:
        self._turns.clear()
        for row in self.table.load():
            if row.node is not None:
                self._presence.expect(row.node, now)
            if row.work != NOTHING:
                self._turns.add(row.key, row.number)
        self._wake(now)
        self._forget_transaction()

    def void(self) -> Iterable[Session]:
        self._forget_transaction()
        return ()

    def _forget_transaction(self) -> None:
        self.table.take_changed()
        for some in (self._ends, self._revivals, self._members):
            some.clear()

    # opened, sealed, cancelled, retried

    def open(self, session: Session, id: bytes, name: str, on_error: str, now: Now) -> FlowRow:
        """Open a flow, or go on with one that this key has opened before."""
        row = self.table.row(id)
        live = None if row is None else self.table.live(row.number)
        if row is None:
            collects, state = int(on_error == COLLECT), str(FlowState.OPEN)
            new = NewFlow(id, name, session.verifier.key_id, session.node, collects, state, now.steady)
            with charged(session.account, Resource.FLOWS):
                row = self._store.add(new)
            self.table.know(LiveFlow(row, set(), session.account))
        elif row.key != session.verifier.key_id:
            raise Forbidden(f"the flow {show_id(id)} is another key's")
        elif live is not None and row.node is not None and row.node != session.node:
            # The program was started again: it fills the flow from now on, and losing the former one means nothing.
            self.table.filled_by_none(live)
            live.row = row = row._replace(node=session.node)
            self.table.know(live)
            self.table.changed(live)
        return row

    def seal(self, session: Session, id: bytes) -> None:
        """Nothing more is submitted into it, but by its own tasks."""
        flow = self.table.live(self.table.find(session, id).number)
        if flow is None:  # it has ended
            return
        self.table.filled_by_none(flow)
        flow.seal()
        self.table.changed(flow)

    def cancel(self, session: Session, id: bytes, reason: str) -> FlowRow:
        row = self.table.find(session, id)
        flow = self.table.live(row.number)
        if flow is not None and row.finished is None:
            self._cancel(flow, reason)
            row = flow.row
        return row

    def _cancel(self, flow: LiveFlow, reason: str) -> None:
        self.table.filled_by_none(flow)
        flow.cancel(reason)
        self.table.changed(flow)

    def retry(self, session: Session, id: bytes, run: int) -> FlowRow:
        """Retry all tasks that did not succeed. ``run``: the last one that the caller knows; if there is a later one, it was
        retried since, perhaps by this call."""
        row = self.table.find(session, id)
        if row.run > run or row.state == FlowState.SUCCEEDED:
            return row
        if row.finished is None:
            raise InvalidArgument(
                f"the flow {show_id(id)} is {row.state}; wait until it has ended, or cancel it first"
            )
        flow = self.table.own(session, id)
        flow.next_run(RETRIES)
        self.table.changed(flow)
        return flow.row

    # its tasks

    def origin(self, session: Session, id: bytes, ids: Iterable[bytes]) -> int:
        """The origin of tasks that are submitted into it. One that has ended takes no new ones, but knows those that a repeated
        program submits again."""
        row = self.table.find(session, id)
        flow = self.table.live(row.number)
        if flow is not None and flow.takes_tasks:
            return -row.number
        ids = list(ids)
        # Of a program that is repeated all are known: it gets its handles, though the flow has ended.
        if len(self._all.find(ids)) < len(ids):
            how = "is being ended" if row.finished is None else HOW_ENDED[FlowState(row.state)]
            raise InvalidArgument(
                f"the flow {row.name or show_id(id)} {how} and takes no more tasks; open another one, or submit outside of it"
            )
        return -row.number

    def origin_of(self, session: Session, id: bytes) -> int:
        """Of the tasks of a flow that this key may see."""
        return -self.table.find(session, id).number

    def shown(self, session: Session, origin: int, running: int, now: Now) -> dict[str, Any] | None:
        """For a list of tasks in which it is one line."""
        live = self.table.live(-origin)
        row = self._store.get(-origin) if live is None else live.row
        return None if row is None or not self.table.may_see(session, row) else listed(row, running, now)

    def ends(self, origin: int) -> tuple[bytes, bytes] | None:
        [*first] = self._store.members(-origin, 0, 1)
        [*last] = self._store.members(-origin, LAST, 1)
        return (first[0].id, id_behind(last[0].id, last[0].tasks - 1)) if first and last else None

    def digits(self, session: Session, id: bytes) -> int:
        return self.table.digits(session, id)

    def accepted(self, origin: int, queue: str, runs: Iterable[IdRun]) -> None:
        """New tasks of a flow."""
        flow = self.table.live(-origin)
        if flow is None:
            return
        if queue not in flow.queues:
            flow.queues.add(queue)
            self._store.add_queue(-origin, queue)
        for run in runs:
            self._members.append(FlowMembers(-origin, flow.accepted(run.length), run.first, run.length))
        self.table.changed(flow)

    def ended(self, tasks: Sequence[Ended], now: Now) -> None:
        """Some of these may be of flows."""
        for run, _, _, state, _, origin in tasks:
            if not is_of_flow(origin):
                continue
            flow = self.table.live(-origin)
            if flow is None:  # it ended before one of its tasks was retried
                self._ends.append((-origin, run, state))
            else:
                flow.ended(run, state)
                self.table.changed(flow)

    def revived(self, origin: int, state: int) -> None:
        """A task that had ended in this state goes on."""
        if is_of_flow(origin):
            flow = self.table.live(-origin)
            if flow is None:
                self._revivals.append((-origin, state))
            else:
                flow.revived(state)
                self.table.changed(flow)

    # nodes

    def holds(self, node: bytes) -> bool:
        return node in self.table.filled

    def node_lost(self, node: bytes, now: Now) -> bool:
        """The program is gone that fills these: they are cancelled."""
        # The rest in the next transactions: the answer below says that some are left.
        for number in list(self.table.filled.get(node, ()))[:LOST_MAX]:
            if (flow := self.table.live(number)) is not None:
                self._cancel(flow, LOST)
        return node in self.table.filled

    # one transaction

    def settle(self, now: Now) -> None:
        # First: what was retried may change counts that are written below.
        self._catch_up()
        if self._members:
            self._store.add_members(self._members)
            self._members.clear()
        changed = self.table.take_changed()
        if not changed:
            return
        for flow in changed:
            if flow.row.work != NOTHING:
                self._turns.add(flow.row.key, flow.row.number)
            if flow.end(now):
                self._end(flow, now)
        # After the ends: each row is written once in a transaction.
        self._store.put([flow.row for flow in changed])
        self._wake(now)

    def _catch_up(self) -> None:
        """Flows that had ended go on with a task that was retried."""
        revivals, self._revivals = self._revivals, []
        ends, self._ends = self._ends, []
        for number, state in revivals:
            if (flow := self.table.again(number)) is not None:
                flow.revived(state)
        for number, run, state in ends:
            if (flow := self.table.again(number)) is not None:
                flow.ended(run, state)

    def _end(self, flow: LiveFlow, now: Now) -> None:
        self.table.forget(flow)
        for listener in self.ended_listeners:
            listener(flow.row, now)

    # time

    def due(self, key: Hashable, now: Now) -> None:
        """Cancel or retry tasks of flows, a portion of each in turn."""
        left = WORKED_MAX
        self._share.begin()
        while self._turns and left > 0 and self._share.is_left:
            maker, number = self._turns.next()
            flow = self.table.live(number)
            if flow is not None and flow.row.work != NOTHING:
                left -= 1 + self._work_at(flow, min(left, PORTION), now)
                if flow.row.work != NOTHING:
                    self._turns.add(maker, number)
        self._wake(now)

    def _wake(self, now: Now) -> None:
        if self._turns:
            self._agenda.set(self, WORK, now.mono)

    def _work_at(self, flow: LiveFlow, left: int, now: Now) -> int:
        """Cancel or retry so many tasks of a flow; as how many cancelled ones that counts."""
        place, ids = flow.row.place, list[bytes]()
        for one in self._store.members(flow.row.number, place, left):
            # The last portion may have ended inside this run.
            skipped = place - one.place
            run = IdRun(id_behind(one.id, skipped), min(one.tasks - skipped, left))
            ids += run.ids()
            place, left = place + run.length, left - run.length
            if not left:
                break
        found, retries = self._all.find(ids), flow.row.work == RETRIES
        if retries:
            self._completion.revive(found)
        else:
            self._completion.cancel(found, now)
        # Nothing was found: its members were deleted, and the work is done.
        flow.moved(place if ids else flow.row.total)
        self.table.changed(flow)
        return len(ids) * (RETRIED_COST if retries else 1)
