"""Tasks that are the same by a key: whether one is accepted while there is another. Pure but for the store.

::

    accept ─► stored already? ─► accepted: it is a repeated submit
            ─► the last one with this key: is it there, in one of the states, within the period?
                 ├─ no ──► accepted; from now on it is the last one
                 └─ yes ─► its id is answered │ it is cancelled, and the new one accepted │ TaskConflict

It is decided in the transaction that stores the task, and nothing of it is kept in memory: a row has the last task of each key, and its
state is looked up. So it holds across restarts, and what ends a task need not know of it. Each accepted task has two rows looked at
that may be of no use any more, so the table stays as small as what it is for.

Invariant: at no commit are there two tasks of a key that were submitted while the other was in a state, and within the period, that the
later one calls a conflict, unless an operator made one of them run again.
"""

from __future__ import annotations

from typing import Final

from ...common.domain.ids import show_id
from ...common.domain.model import State, StateNumber
from ...common.domain.unique import RAISE, REPLACE, UniqueTerms
from ...common.errors import TaskConflict
from ...common.values.brief import brief
from ..engine.clock import Timeline
from ..engine.part import Part
from ..store.interface.queries import Found
from ..store.interface.store import Store
from ..store.interface.uniques import UniqueRow
from .completion import Completion
from .plan import Submission

SWEPT: Final = 2  # rows that are looked at for each that is added
CANCELLED: Final = int(StateNumber.CANCELLED)


class Uniques(Part):
    def __init__(self, store: Store, completion: Completion, timeline: Timeline) -> None:
        self._store, self._completion, self._timeline = store, completion, timeline
        self._swept = 0  # up to which row

    def admits(self, submission: Submission, terms: UniqueTerms) -> bool:
        """Whether the task of a submission is to be stored. If not, its call is answered."""
        [id] = submission.ids()
        call, route = submission.call, submission.route.plain.number
        if self._store.find([id]):  # the look has written what was submitted in this transaction before
            return True
        now = self._timeline.now.steady
        row = self._store.uniques.find(route, terms.key)
        other = None if row is None else self._conflict(row, terms, now)
        if other is not None and terms.on_conflict == REPLACE:
            [reached] = self._completion.cancel([other], self._timeline.now, running=False)
            other = None if reached.state == CANCELLED else other
        if other is None:
            until = None if terms.period_ms is None else now + terms.period_ms
            self._swept = self._store.uniques.sweep(self._swept, SWEPT, now)
            self._store.uniques.put(UniqueRow(route, terms.key, id, terms.states, until))
            return True
        if call is not None and terms.on_conflict == RAISE:
            call.refuse(_refusal(other, terms))
        elif call is not None:
            call.answer(other.id)
        return False

    def _conflict(self, row: UniqueRow, terms: UniqueTerms, now: int) -> Found | None:
        """The last task with the key, if it stands against the next one. What holds is what the last one said of the period, and
        what the next one says of the states."""
        if row.until is not None and now >= row.until:
            return None
        found = self._store.find([row.id])
        return found[0] if found and terms.has(found[0].state) else None


def _refusal(other: Found, terms: UniqueTerms) -> TaskConflict:
    state = State.from_number(other.state)
    return TaskConflict(
        f"task {show_id(other.id)}, which is {state}, has the same key {brief(terms.key, 80)} (unique=, on_conflict='raise'); "
        "wait for it, or use on_conflict='return'"
    )
