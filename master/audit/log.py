"""The audit log: a row for each change that a person or a program makes to the cluster or to others' work.

::

    an audited call succeeds ─► noted ─► settle: a row, in the transaction of the change ─► older ones go, in portions
    more of the same by the same program, soon after ─► the same row: its numbers grow

Invariants: 1. what an audited call changed is durable only with its row; 2. a key has at most ``KEY_ROWS_MAX`` rows and a portion, so
none drives the rows of others out; 3. no argument is in a row but the name of what was changed.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Hashable, Iterable
from functools import partial
from typing import Any, Final

from ..api.audited import OTHERS
from ..engine.agenda import Clock
from ..engine.clock import Now
from ..engine.core import Core
from ..engine.part import Part
from ..engine.session import LATER, Call, Deed, Session
from ..store.interface.audit import AuditedRow
from ..store.interface.store import Picture

KEPT_MS: Final = 90 * 24 * 3_600_000
ROWS_MAX: Final = 100_000  # of all keys: some 20 MB
KEY_ROWS_MAX: Final = 20_000
PORTION: Final = 200  # rows that are deleted in one transaction
PAUSE_MS: Final = 100
OPEN_MAX: Final = 1_000  # rows to which more may be added
TOGETHER_MS: Final = 60_000  # between two calls of one row,
ROW_MS: Final = 600_000  # and from the first of them to the last
OLD, CROWDED = "old", "crowded"  # keys of the agenda


class AuditEntry:
    """A row to which more may be added. ``kept``: as the store has it for certain; None: it is of the transaction under way."""

    __slots__ = ("is_void", "kept", "number", "row")

    def __init__(self, row: AuditedRow) -> None:
        self.row = row
        self.number: int | None = None
        self.kept: AuditedRow | None = None
        self.is_void = False


class AuditLog(Part):
    name = "old rows of the audit log"

    def __init__(self, core: Core) -> None:
        self._store, self._agenda, self._timeline = core.store.audit, core.agenda, core.timeline
        self._open: OrderedDict[tuple[Any, ...], AuditEntry] = OrderedDict()
        self._changed: dict[AuditEntry, None] = {}  # in the transaction under way
        self._rows: Counter[str] = Counter()  # of each key
        self._all_rows = 0
        self._crowded: set[str] = set()  # keys with too many

    def load(self, picture: Picture, now: Now) -> None:
        self._rows = Counter(self._store.counts())
        self._all_rows = self._rows.total()
        self._crowded = {key for key, rows in self._rows.items() if rows > KEY_ROWS_MAX}
        self._expect_oldest()
        self._look_for_room(now)

    # what calls say

    def record(self, call: Call, deed: Deed, answer: Any) -> None:
        """The call has done this. ``answer``: LATER, if it has only begun."""
        entry = self._entry(call, deed, self._timeline.now)
        if answer is LATER:
            deed.answered = partial(self._add, entry, deed)
        else:
            self._add(entry, deed, answer)

    def _entry(self, call: Call, deed: Deed, now: Now) -> AuditEntry:
        session, audited = call.session, deed.audited
        named = "" if audited.together else deed.target
        same = (session.verifier.key_id, session.node, deed.method, named)
        entry = self._open.get(same) if audited.counts else None
        if entry is not None and _goes_on(entry.row, now):
            row = entry.row
            target = row.target
            if target != deed.target and not target.endswith(OTHERS):
                target += OTHERS
            entry.row = row._replace(last=now.steady, target=target, calls=row.calls + 1)
        else:
            key, address = session.verifier.key_id, session.address
            row = AuditedRow(
                now.steady, now.steady, key, address, session.node, deed.method, deed.target, 1, None
            )
            entry = AuditEntry(row)
            if audited.counts:
                self._open[same] = entry
                self._open.move_to_end(same)
                if len(self._open) > OPEN_MAX:
                    self._open.popitem(last=False)
        self._changed[entry] = None
        return entry

    def _add(self, entry: AuditEntry, deed: Deed, answer: Any) -> None:
        """What was done is known. The answer may come long after the row, which is deleted then, or void."""
        if entry.is_void:
            return
        if deed.audited.counts:
            entry.row = entry.row._replace(reached=(entry.row.reached or 0) + how_many(answer))
        self._changed[entry] = None

    # one transaction

    def settle(self, now: Now) -> None:
        if not self._changed:
            return
        again = [(one.number, one.row) for one in self._changed if one.number is not None]
        if again:
            self._store.change(again)
        for one in self._changed:
            if one.number is None:
                one.number = self._store.add(one.row)
                self._all_rows += 1
                self._rows[one.row.key] += 1
                if self._rows[one.row.key] > KEY_ROWS_MAX:
                    self._crowded.add(one.row.key)
        self._look_for_room(now)
        if not self._agenda.has(self, OLD):
            self._agenda.set(self, OLD, now.steady + KEPT_MS + 1, Clock.STEADY)

    def committed(self) -> None:
        for one in self._changed:
            one.kept = one.row
        self._changed.clear()

    def void(self) -> Iterable[Session]:
        for one in self._changed:
            if one.kept is None:
                one.is_void = True
            else:
                one.row = one.kept
        self._changed.clear()
        self._open.clear()
        return ()

    # how long it is kept

    def due(self, key: Hashable, now: Now) -> None:
        if key == CROWDED:
            if self._crowded:
                self._gone(self._store.forget_oldest(PORTION, min(self._crowded)))
            elif self._all_rows > ROWS_MAX:
                self._gone(self._store.forget_oldest(PORTION))
            self._look_for_room(now)
        elif self._timeline.jumped:  # the time is uncertain
            self._agenda.set(self, OLD, now.mono)
        else:
            gone = self._store.forget(now.steady - KEPT_MS, PORTION)
            self._gone(gone)
            if len(gone) == PORTION:
                self._agenda.set(self, OLD, now.mono + PAUSE_MS)
            else:
                self._expect_oldest()

    def _look_for_room(self, now: Now) -> None:
        if (self._crowded or self._all_rows > ROWS_MAX) and not self._agenda.has(self, CROWDED):
            self._agenda.set(self, CROWDED, now.mono + PAUSE_MS)

    def _gone(self, keys: list[str]) -> None:
        self._all_rows -= len(keys)
        for key, rows in Counter(keys).items():
            self._rows[key] -= rows
            if self._rows[key] <= KEY_ROWS_MAX:
                self._crowded.discard(key)
            if not self._rows[key]:
                del self._rows[key]

    def _expect_oldest(self) -> None:
        oldest = self._store.oldest()
        self._agenda.set(self, OLD, None if oldest is None else oldest + KEPT_MS + 1, Clock.STEADY)


def _goes_on(row: AuditedRow, now: Now) -> bool:
    return 0 <= now.steady - row.last <= TOGETHER_MS and now.steady - row.at <= ROW_MS


def how_many(answer: Any) -> int:
    """Of what an audited method answers that says to how many it was done."""
    match answer:
        case list():
            return len(answer)
        case {"tasks": int(tasks)}:
            return tasks
        case int():
            return answer
    return 0
