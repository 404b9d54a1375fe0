"""The embedded store's counts: see ``interface.counts.CountStore``.

The verbs that end or delete tasks say how many; what they came to is written with the commit, a row for each route and state,
however many tasks there were. Tasks that wait or run are not counted here: they stand in small indexes of their own.

Invariant: at each commit ``read()`` is ``recount()``.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from ....common.domain.model import StateNumber
from ..interface.counts import Count
from .part import SqlitePart
from .statements import load_statements

ENDED: Final = int(StateNumber.SUCCEEDED)  # states from here on are those of tasks that ended
RECOUNTS: Final = "recount_tasks", "recount_slices"  # statements
ONE_BY_ONE_MAX: Final = 4  # so many rows are measured sooner by themselves than in one statement


MISCOUNTED: Final = (
    "its counts of tasks that ended are not those of the tasks, so that listings may show wrong numbers and results may be kept too "
    "long or not long enough; no task is lost: stop the master and run `tq-master compact`, which counts them again"
)


class SqliteCounts(SqlitePart):
    def __init__(
        self,
        all: Callable[..., list[Any]],
        many: Callable[[str, Sequence[Any]], int],
        exactly: Callable[[str, Sequence[Any]], None],
    ) -> None:
        super().__init__(all, many, exactly)
        self._changes: defaultdict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0])
        self._kept: int | None = None  # as the store has it; None: not read yet
        self._is_written = False  # in this transaction

    # what is asked

    @property
    def kept_bytes(self) -> int:
        if self._kept is None:
            self._kept = int(self._all("kept_bytes")[0][0])
        return self._kept + sum(size for _, size in self._changes.values())

    def read(self) -> list[Count]:
        self.write()
        return [Count(*row) for row in self._all("read_counts")]

    def recount(self) -> list[Count]:
        return _summed(row for name in RECOUNTS for row in self._all(name))

    # what verbs say

    def add(self, route: int, state: int, tasks: int, size: int) -> None:
        """So many more tasks of a route have ended in a state; below zero: fewer. ``size``: their bytes."""
        change = self._changes[route, state]
        change[0] += tasks
        change[1] += size

    def measure(self, seqs: Sequence[int], sign: int = 1) -> None:
        """Count those of these tasks, which have rows of their own, that have ended: with -1 before one is deleted or made ready
        again, with 1 after one has ended."""
        if len(seqs) <= ONE_BY_ONE_MAX:
            rows = [(*row[:2], 1, row[2]) for seq in seqs for row in self._all("measure", (seq,))]
        else:
            rows = self._all("measure_many", (json.dumps(seqs),))
        for route, state, tasks, size in rows:
            self.add(route, state, sign * tasks, sign * size)

    # the transaction

    def write(self) -> None:
        """What the verbs said is in the table; before a commit, and before the table is read."""
        rows = [(*key, *change) for key, change in self._changes.items() if change != [0, 0]]
        # Before the changes are cleared, of which it is the sum.
        kept = self.kept_bytes if rows else self._kept
        self._changes.clear()
        if rows:
            self._is_written = True
            self._many("add_counts", rows)
            self._kept = kept

    def committed(self) -> None:
        self._is_written = False

    def forget(self) -> None:
        """The transaction is rolled back."""
        self._changes.clear()
        if self._is_written:
            self._kept, self._is_written = None, False


# of a file that no master uses


def has_counts(db: sqlite3.Connection) -> bool:
    """Stores of earlier versions have none; they are made when a master of this one opens it."""
    return bool(db.execute("SELECT 1 FROM sqlite_master WHERE name = 'counts'").fetchall())


def kept_counts(db: sqlite3.Connection) -> list[Count]:
    return sorted(Count(*row) for row in db.execute(load_statements()["read_counts"]))


def recounted(db: sqlite3.Connection) -> list[Count]:
    sql = load_statements()
    return sorted(_summed(row for name in RECOUNTS for row in db.execute(sql[name])))


def count_again(db: sqlite3.Connection) -> None:
    """Make the counts those of the tasks, in one transaction."""
    db.execute("BEGIN IMMEDIATE")
    db.execute("DELETE FROM counts")
    db.executemany(load_statements()["add_counts"], recounted(db))
    db.execute("COMMIT")


def _summed(rows: Iterable[tuple[int, int, int, int]]) -> list[Count]:
    found = defaultdict[tuple[int, int], list[int]](lambda: [0, 0])
    for route, state, tasks, size in rows:
        found[route, state][0] += tasks
        found[route, state][1] += size
    return [Count(*key, *numbers) for key, numbers in found.items()]
