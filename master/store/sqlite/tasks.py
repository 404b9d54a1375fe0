"""The embedded store's verbs for the life of tasks: submitted, ended, due, forgotten: see ``interface.tasks.TaskStore``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ....common.domain.model import OutcomeNumber, StateNumber
from ..interface.slices import ArrayLanes, ArrayTags, SucceededSlice
from ..interface.store import Inconsistent
from ..interface.tasks import (
    EndedAttempt,
    Expired,
    NewArray,
    NewTasks,
    Promoted,
    Returned,
    Success,
)
from .counts import ENDED, ONE_BY_ONE_MAX, SqliteCounts
from .leases import SqliteLeases
from .slice_table import SUCCEEDED

PLAIN: Final = (
    0,
    *[None] * 7,
)  # priority, due, expires, timeout, options, origin, ttl, deadline: of most tasks
SNOOZE: Final = int(OutcomeNumber.SNOOZE)
GOES_ON: Final = frozenset({SNOOZE, int(OutcomeNumber.BECAME)})  # later, though its attempt has ended


class SqliteTasks(SqliteLeases):
    _beginnings: frozenset[StateNumber]
    counts: SqliteCounts

    def insert(self, groups: Sequence[NewTasks | NewArray]) -> bool:
        plain: list[tuple[Any, ...]] = []  # most tasks: fewer parameters are a fifth less work
        full: list[tuple[Any, ...]] = []
        arrays: list[NewArray] = []
        for group in groups:
            # The only place at which a task comes to be: whatever made it, the table of common/domain/lifecycle.py decides.
            if group.state not in self._beginnings:
                raise ValueError(
                    f"no task may begin as {StateNumber(group.state)}: see the table of lifecycle.py"
                )
            if isinstance(group, NewArray):
                arrays.append(group)
                continue
            shared = (
                group.route,
                group.state,
                group.attempt,
                group.lease,
                group.worker,
                group.created,
                group.started,
            )
            # One column for both clocks: below zero, an instant of the wall's.
            due = group.due if group.at is None else -group.at
            rest = (
                group.priority,
                due,
                group.expires,
                group.timeout,
                group.options,
                group.origin,
                group.ttl,
                group.deadline,
            )
            if rest == PLAIN:
                plain += [(*task, *shared) for task in group.tasks]
            else:
                full += [(*task, *shared, *rest) for task in group.tasks]
        if not arrays and len(plain) + len(full) == 1:  # it is there, or it is not: nothing to take back
            return not self._in_arrays([row[1] for row in plain + full]) and bool(
                self._many("insert_plain", plain) + self._many("insert", full)
            )
        # A submit whose ids are partly there is a repeat: nothing of it
        # stays, and the caller goes through it one by one.
        self._run("SAVEPOINT insertion")
        whole = (
            all(map(self.slices.add, arrays))
            and not self._in_arrays([row[1] for row in plain + full])
            and self._many("insert_plain", plain) + self._many("insert", full) == len(plain) + len(full)
        )
        if not whole:
            self._run("ROLLBACK TO insertion")
        self._run("RELEASE insertion")
        return whole

    def _in_arrays(self, ids: list[bytes]) -> bool:
        """Whether one of these is the id of a task that is in an array."""
        # One look rules out nearly all calls: ids of one submit lie near each other, and repeats are rare.
        if not ids or not self.slices.has_between(min(ids), max(ids)):
            return False
        numbers = map(self.slices.number_of, ids)
        return any(self.slices.at(seq) is not None for seq in numbers if seq is not None)

    # ends

    def succeed(self, rows: Sequence[Success]) -> None:
        if len(rows) > ONE_BY_ONE_MAX:
            # Of many, one look at all sizes costs less than a RETURNING for each.
            self._exactly("succeed", rows)
            self.counts.measure([row[3] for row in rows])
            return
        for row in rows:  # of a few each says its size with its end
            ended = self._all("succeed_one", row)
            if not ended:
                raise Inconsistent("succeed_one: the task is not leased as expected")
            [(route, size)] = ended
            self.counts.add(route, SUCCEEDED, 1, size)

    def succeed_slices(self, rows: Sequence[SucceededSlice]) -> None:
        self.slices.succeed(rows)

    def lanes_of_array(self, seq: int) -> ArrayLanes | None:
        return self.slices.lanes_of_array(seq)

    def tags_upto(self, seq: int) -> ArrayTags | None:
        return self.slices.tags_upto(seq)

    def waiting_in(self, route: int) -> list[tuple[int, int, int]]:
        return self._all("waiting_in", {"route": route})

    def end_attempts(self, rows: Sequence[EndedAttempt]) -> None:
        # Slices first: what is left over are the tasks that had rows of their own.
        self._exactly("end_attempt", [row._asdict() for row in self.slices.end_attempts(rows)])
        self.counts.measure([row.seq for row in rows if row.state >= ENDED])
        self._many("log_attempt", list(map(_logged, rows)))
        snoozed = [row._asdict() for row in rows if row.outcome == SNOOZE]
        # A task that polls by snoozing would keep a log an attempt, without end.
        self._many("forget_snoozed_logs", snoozed)
        self._many("forget_snoozed", snoozed)
        self._many("keep_begun", [row._asdict() for row in rows if row.outcome in GOES_ON])

    def return_unstarted(self, rows: Sequence[Returned]) -> None:
        alone = self.slices.give_back(rows)
        self._exactly("return_unstarted", alone)
        self.counts.measure([row.seq for row in alone if row.state >= ENDED])

    def request_cancel(self, seq: int) -> None:
        self.slices.take_out([seq])
        self._exactly("request_cancel", [(seq,)])

    def cancel_waiting(self, seqs: Sequence[int], now: int) -> None:
        alone = self.slices.cancel(seqs, now)
        if alone:
            self._exactly("cancel_waiting", [(now, seq) for seq in alone])
            self.counts.measure(alone)

    def revive(self, seq: int, *, blocked: bool = False) -> None:
        self.slices.take_out([seq])
        # It has not ended now: its bytes leave the sums of ended tasks.
        self.counts.measure([seq], -1)
        self._exactly("revive_blocked" if blocked else "revive", [(seq,)])

    # time

    def next_due(self) -> int | None:
        self.settle()
        return _nearest(self._value("next_due"), self._value("next_due_slice"))

    def promote(self, now: int, limit: int) -> list[Promoted]:
        self.settle()
        return self._promoted(self._all("promote_due", (now, limit)), self._all("slices_due", (now, limit)))

    def wake(self, seq: int) -> None:
        self._exactly("promote", [(seq,)])

    def next_at(self) -> int | None:
        self.settle()
        return _nearest(self._value("next_at"), self._value("next_at_slice"))

    def promote_at(self, wall: int, limit: int) -> list[Promoted]:
        self.settle()
        return self._promoted(
            self._all("promote_at", (wall, limit)), self._all("slices_due_at", (wall, limit))
        )

    def _promoted(self, rows: list[tuple[int, int]], slices: list[tuple[int, int, int]]) -> list[Promoted]:
        return [Promoted(route, seq, seq + 1) for seq, route in rows] + self.slices.promote(slices)

    def next_expiry(self) -> int | None:
        self.settle()
        return _nearest(self._value("next_expiry"), self._value("next_slice_expiry"))

    def expire(self, now: int, limit: int) -> list[Expired]:
        self.settle()
        expired = self.slices.expire(now, limit)
        # One bound on both tables: a portion is one transaction.
        left = limit - sum(one.stop - one.seq for one in expired)
        rows = [Expired(*row) for row in self._all("overdue", (now, left))] if left > 0 else []
        if rows:
            self._exactly("expire", [(now, row.seq, row.state) for row in rows])
            self.counts.measure([row.seq for row in rows])
        return expired + rows


def _logged(row: EndedAttempt) -> tuple[Any, ...]:
    return row.seq, row.number, row.worker, row.outcome, row.started, row.ended, row.body, row.lease


def _nearest(one: int | None, other: int | None) -> int | None:
    return min((moment for moment in (one, other) if moment is not None), default=None)
