"""A flow that has not ended, or of which something is still to be done: its row, and what changes it. Pure.

::

    open ──sealed──► running ──each of its tasks has ended──► succeeded, failed or cancelled ──retry──► running, the next run
       └──────────────┴─ a task failed (fail_fast), or it is cancelled: the others are cancelled, in portions ─┘

Invariants: 1. its counts are those of its tasks that have ended, in the transaction of each end; 2. it ends once in each run, when
it is sealed, nothing is done to its tasks, and each has ended.
"""

from __future__ import annotations

from typing import Final

from ...common.domain.flow import FlowState
from ...common.domain.id_runs import IdRun
from ...common.domain.model import StateNumber
from ..engine.accounts import Account
from ..engine.clock import Now
from ..store.interface.flows import FlowRow

GOES_ON, FAILS, IS_CANCELLED = range(3)  # ``ending``
NOTHING, CANCELS, RETRIES = range(3)  # ``work``
SUCCEEDED: Final = int(StateNumber.SUCCEEDED)
FAILURES: Final = frozenset(map(int, (StateNumber.FAILED, StateNumber.DEAD, StateNumber.LOST)))


class LiveFlow:
    __slots__ = ("account", "queues", "row")

    def __init__(self, row: FlowRow, queues: set[str], account: Account | None = None) -> None:
        """``queues``: of its tasks. ``account``: it is counted there; None: it was here when the master started."""
        self.row, self.queues, self.account = row, queues, account

    @property
    def ended_tasks(self) -> int:
        return self.row.succeeded + self.row.failed + self.row.cancelled

    def accepted(self, tasks: int) -> int:
        """So many tasks were accepted; the place of the first. In a flow that ends they are cancelled as the others are."""
        row, place = self.row, self.row.total
        if row.ending:
            # From here on: what is before these was cancelled already.
            row = row._replace(work=CANCELS, place=row.place if row.work == CANCELS else place)
        self.row = row._replace(total=place + tasks)
        return place

    @property
    def takes_tasks(self) -> bool:
        """While its program fills it, also after a task of it has failed: then what is submitted is cancelled."""
        row = self.row
        return row.finished is None and (not row.ending or (row.ending == FAILS and row.node is not None))

    def ended(self, run: IdRun, state: int) -> None:
        """Tasks of it have ended."""
        self._count(state, run.length)
        row = self.row
        if state == SUCCEEDED:
            return
        if row.culprit is None and row.ending != IS_CANCELLED:
            self.row = row = row._replace(culprit=run.first)
        if not row.collects and not row.ending:
            self._end_others(FAILS, "")

    def revived(self, state: int, tasks: int = 1) -> None:
        """Tasks that had ended in this state go on."""
        self._count(state, -tasks)
        if self.row.finished is not None:
            self.next_run(NOTHING)

    def _count(self, state: int, tasks: int) -> None:
        row = self.row
        if state == SUCCEEDED:
            self.row = row._replace(succeeded=row.succeeded + tasks)
        elif state in FAILURES:
            self.row = row._replace(failed=row.failed + tasks)
        else:
            self.row = row._replace(cancelled=row.cancelled + tasks)

    def seal(self) -> None:
        if self.row.node is not None:
            self.row = self.row._replace(node=None, state=str(FlowState.RUNNING))

    def cancel(self, reason: str) -> None:
        """End all of its tasks that have not ended. What is open is sealed by it."""
        self.seal()
        if self.row.finished is None and self.row.ending != IS_CANCELLED:
            self._end_others(IS_CANCELLED, reason)

    def _end_others(self, ending: int, reason: str) -> None:
        self.row = self.row._replace(ending=ending, reason=reason, work=CANCELS, place=0)

    def next_run(self, work: int) -> None:
        row = self.row
        self.row = row._replace(
            state=str(FlowState.RUNNING),
            ending=GOES_ON,
            reason="",
            work=work,
            place=0,
            run=row.run + 1,
            culprit=None,
            finished=None,
        )

    def moved(self, place: int) -> None:
        """What is done to its tasks is done up to this place."""
        is_done = place >= self.row.total
        self.row = self.row._replace(place=place, work=NOTHING if is_done else self.row.work)

    def end(self, now: Now) -> bool:
        """End it if nothing is left of it; whether it has ended by that."""
        row = self.row
        # Not while tasks are retried: until the first portion is, all of them have ended.
        is_over = row.node is None and row.work != RETRIES and self.ended_tasks >= row.total
        if row.finished is not None or not is_over:
            return False
        state = FlowState.SUCCEEDED
        if row.ending == IS_CANCELLED:
            state = FlowState.CANCELLED
        elif row.failed or row.cancelled:
            state = FlowState.FAILED
        self.row = row._replace(state=str(state), work=NOTHING, finished=now.steady)
        return True
