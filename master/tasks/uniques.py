"""Tasks that are the same by a key: whether one is accepted while there is another. Pure but for the store.

::

    accept ─► stored already? ─► accepted: it is a repeated submit
            ─► the last one with this key: is it there, in one of the states, within the period?
                 ├─ no ──► accepted; from when it is written on it is the last one
                 └─ yes ─► its id is answered │ it is cancelled, and the new one accepted │ TaskConflict

It is decided in the transaction that stores the task, and nothing of it is kept in memory: a row has the last task of each key, and its
state is looked up. So it holds across restarts, and what ends a task need not know of it. For each accepted task two rows are looked at
that may be of no use any more, those of some tasks together, so the table stays as small as what it is for. While a look finds none, as
among results that are kept for an hour, half a row is enough: what is of no use is found before the table has become three times as large.

Several tasks of one call are judged in their order, each with its key: with those that were there, and with the earlier ones of the call.
With ``replace`` it is the later one of a call that is stored.

Invariant: at no commit are there two tasks of a key that were submitted while the other was in a state, and within the period, that the
later one calls a conflict, unless an operator made one of them run again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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
from .submitted import only
from .unique_call import UniqueCall

SWEPT: Final = 2.0  # rows that are looked at for each that is added
SWEPT_IN_VAIN: Final = 0.5  # the same after a look that has found none to forget
# From so many on: the tasks of rows that were added together are found by one look
SWEPT_TOGETHER: Final = 40
CANCELLED, SUCCEEDED = int(StateNumber.CANCELLED), int(StateNumber.SUCCEEDED)


class Uniques(Part):
    def __init__(self, store: Store, completion: Completion, timeline: Timeline) -> None:
        self._store, self._completion, self._timeline = store, completion, timeline
        self._swept = 0  # up to which row
        self._due = 0.0  # rows that are to be looked at: more than are added, so that the table cannot grow faster than it is swept
        self._pace = SWEPT
        self._unwritten = set[
            tuple[int, str]
        ]()  # routes and keys of tasks that are admitted and not yet written

    def admits(self, submission: Submission, said: UniqueCall) -> bool:
        """Whether any task of a submission is to be stored; it has no others any more. If none is, its call is answered. Raises
        TaskConflict."""
        terms, ids = said.terms, list(submission.ids())
        route, now = submission.route.plain.number, self._timeline.now.steady
        # With the first portion of a call that raises all of it is looked at: of what is refused nothing is stored.
        is_whole = terms.on_conflict == RAISE and not submission.stored_before
        looked = list(said.keys) if is_whole else ids
        self._sweep(now)
        rows = self._rows(route, [said.keys[id][1] for id in looked])
        # Mostly there is none, and then no task to look for.
        stored = {found.id for found in self._store.find(looked)} if rows else set[bytes]()
        # Without those that are stored: a repeated submit would be in conflict with itself.
        new_keys = {said.keys[id][1] for id in looked if id not in stored}
        conflicts = self._conflicts([row for row in rows if row.key in new_keys], terms, now)
        if terms.on_conflict == REPLACE and conflicts:
            # One that runs stays: replacing means what waits.
            reached = self._completion.cancel(conflicts.values(), self._timeline.now, running=False)
            gone = {one.id for one in reached if one.state == CANCELLED}
            conflicts = {key: other for key, other in conflicts.items() if other.id not in gone}
        if terms.on_conflict == RAISE:
            self._check(submission, said, looked, stored, conflicts)
        accepted = self._judge(submission, said, ids, stored, conflicts)
        self._unwritten.update((route, said.keys[id][1]) for id in accepted)
        if len(accepted) < len(ids):
            submission.runs = only(submission.runs, set(accepted))
        if not accepted and submission.call is not None:
            submission.call.answer(said.answer(0) if said.is_many else next(iter(said.others.values())))
        return bool(accepted)

    def written(self, submission: Submission, said: UniqueCall) -> None:
        """The tasks of a submission are stored, those of them that were not: they are the last ones with their keys."""
        terms, route = said.terms, submission.route.plain.number
        until = None if terms.period_ms is None else self._timeline.now.steady + terms.period_ms
        rows = [
            UniqueRow(route, said.keys[id][1], id, terms.states, until, terms.fresh_ms)
            for id in submission.ids()
        ]
        self._due += self._pace * len(rows)
        self._store.uniques.put(rows)

    def dropped(self) -> None:
        """Nothing that was admitted is still to be written."""
        self._unwritten.clear()

    def _judge(
        self,
        submission: Submission,
        said: UniqueCall,
        ids: Sequence[bytes],
        stored: Collection[bytes],
        conflicts: Mapping[str, Found],
    ) -> list[bytes]:
        """The tasks that are accepted. For each other one, which is there instead: an earlier task, or one of the same call."""
        meets = said.terms.has(submission.state(self._timeline.now))
        kept: dict[str, bytes] = {}  # by key, of those of this call
        for id in reversed(ids) if said.terms.on_conflict == REPLACE else ids:
            place, key = said.keys[id]
            if id in stored:
                continue
            if key in conflicts:
                said.others[place] = conflicts[key].id
            elif meets and key in kept:
                said.others[place] = kept[key]
            else:
                kept[key] = id
        return [id for id in ids if id in stored or said.keys[id][0] not in said.others]

    def _check(
        self,
        submission: Submission,
        said: UniqueCall,
        ids: Sequence[bytes],
        stored: Collection[bytes],
        conflicts: Mapping[str, Found],
    ) -> None:
        """Of a submit that raises: none of its tasks is stored if one is in conflict."""
        meets = said.terms.has(submission.state(self._timeline.now))
        seen: set[str] = set()
        for key in (said.keys[id][1] for id in ids if id not in stored):
            if key in conflicts:
                raise _refusal(conflicts[key], key)
            if meets and key in seen:
                raise TaskConflict(
                    f"two tasks of this map have the same key {brief(key, 80)} (unique=, on_conflict='raise'); submit one of them, "
                    "or use on_conflict='return'"
                )
            seen.add(key)

    def _rows(self, route: int, keys: Sequence[str]) -> list[UniqueRow]:
        """Of the tasks that were accepted last with these keys."""
        if not self._unwritten.isdisjoint((route, key) for key in keys):
            self._store.settle()  # has what came before in this transaction written
        found = (self._store.uniques.find(route, key) for key in dict.fromkeys(keys))
        return [row for row in found if row is not None]

    def _conflicts(self, rows: Sequence[UniqueRow], terms: UniqueTerms, now: int) -> dict[str, Found]:
        """By key the last task that was accepted with it, if it stands against the next one. What holds is what the last one said of the
        period, and what the next one says of the states."""
        rows = [row for row in rows if row.until is None or now < row.until]
        found = {one.id: one for one in self._store.find([row.id for row in rows])} if rows else {}
        return {
            row.key: found[row.id]
            for row in rows
            if row.id in found
            and terms.has(found[row.id].state)
            and self._is_fresh(found[row.id], terms, now)
        }

    def _is_fresh(self, found: Found, terms: UniqueTerms, now: int) -> bool:
        if found.state != SUCCEEDED or terms.fresh_ms is None:
            return True
        task = self._store.brief(found.seq)
        return task is not None and task.finished is not None and now < task.finished + terms.fresh_ms

    def _sweep(self, now: int) -> None:
        """Look at as many rows as are due, and forget those that will never be a conflict again: their time is over, or their task is deleted
        or has ended in a state that is none."""
        if self._due < SWEPT_TOGETHER:
            return
        rows, self._due = int(self._due), 0.0
        behind = self._store.uniques.behind(self._swept, rows)
        # Behind the last row it starts over.
        self._swept = behind[-1][0] if len(behind) == rows and behind else 0
        found = {one.id: one for one in self._store.find([row.id for _, row in behind])} if behind else {}

        def may_be(row: UniqueRow) -> bool:
            one = found.get(row.id)
            if one is None or (row.until is not None and row.until <= now):
                return False
            return not StateNumber(one.state).is_terminal or bool(row.states >> one.state & 1)

        over = [number for number, row in behind if not may_be(row)]
        self._pace = SWEPT if over else SWEPT_IN_VAIN
        if over:
            self._store.uniques.forget(over)


def _refusal(other: Found, key: str) -> TaskConflict:
    state = State.from_number(other.state)
    return TaskConflict(
        f"task {show_id(other.id)}, which is {state}, has the same key {brief(key, 80)} (unique=, on_conflict='raise'); "
        "wait for it, or use on_conflict='return'"
    )
