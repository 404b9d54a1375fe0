"""What tasks of this shard need of other shards: asked for once, mirrored as it ends, and released when no dependent is left.

::

    the first dependent of a run ─► NEED ─► ENDED ─► the mirror ─► the dependents are counted, as if a task of this shard had ended
    the last one is gone ─► the mirror is emptied, in portions ─► RELEASE

A row of ``edges_needs`` is there from NEED to RELEASE: so a start knows what was asked for, and what is left to be released. Tasks that are
needed by keys with different rights are needed once for each: one key gets to know of a task that the other may not see.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, Protocol

from ...common.domain.id_runs import IdRun, disjoint, runs_of
from ...common.domain.shards import shard_of_id
from ..engine.accounts import Account, Resource, give_back
from ..engine.overlaps import Overlaps
from ..store.interface.edges import ElsewhereRow, MirrorRow
from ..store.interface.store import Store
from .bodies import EdgeKind, EndedSpan, pack_runs
from .lines import EdgeLines

ROW_RUNS: Final = 1_000  # in one row
FORGOTTEN_MAX: Final = 2_000  # tasks of the mirror that one transaction deletes: some milliseconds


class Dependents(Protocol):
    """Tasks that need others: ``master/dependencies``."""

    def ended_elsewhere(self, queues: bytes, run: IdRun, state: int) -> None:
        """Tasks of another shard have ended, for those that need them by these rights."""

    def again_elsewhere(self, queues: bytes, run: IdRun, state: int) -> None:
        """They had ended in this state, and run again."""


class NeedsElsewhere:
    """``dependents``: set by who makes both."""

    dependents: Dependents

    def __init__(self, store: Store, lines: EdgeLines) -> None:
        self._store, self._lines = store, lines
        self._asked: set[ElsewhereRow] = set()  # as the store has them
        self._uses: Counter[ElsewhereRow] = Counter()  # dependents
        # Of the key that needed it first, until no dependent does. Those that were here when the master started are on none.
        self._accounts: dict[ElsewhereRow, Account] = {}
        self._open: Overlaps[bytes] = Overlaps()  # the runs that have any, and by whose rights
        self._numbers: dict[ElsewhereRow, int] = {}  # of them there
        self._fresh: dict[ElsewhereRow, None] = {}  # to be asked for in this transaction
        self._unused: dict[ElsewhereRow, None] = {}  # to be released
        self._by_shard: Counter[int] = Counter()  # runs that were asked for
        self._next_number = 0
        lines.before_write.append(self._write)
        lines.after_load.append(self._find_unused)

    def load(self) -> None:
        """Before the dependents are loaded, each of which is added."""
        self._asked = set(self._store.edges.needs())
        self._by_shard = Counter(shard_of_id(row.run.first) for row in self._asked)
        self._uses.clear()
        self._open.clear()
        self._numbers.clear()
        self._fresh.clear()
        self._unused.clear()

    def _find_unused(self) -> None:
        for row in self._accounts.keys() - self._uses.keys():  # submitted in the transaction that failed
            give_back(self._accounts.pop(row), Resource.NEEDED_ELSEWHERE, row.run.length)
        self._unused = dict.fromkeys(self._asked - self._uses.keys())

    @property
    def shards(self) -> set[int]:
        """Of which something is needed."""
        return {shard for shard, runs in self._by_shard.items() if runs}

    @property
    def has_unused(self) -> bool:
        return bool(self._unused)

    # dependents come and go

    def needed(self, queues: bytes, run: IdRun, account: Account | None) -> None:
        row = ElsewhereRow(queues, run)
        self._uses[row] += 1
        if self._uses[row] > 1:
            return
        if account is not None:
            account.note(Resource.NEEDED_ELSEWHERE, run.length)
            self._accounts[row] = account
        self._next_number += 1
        self._numbers[row] = self._next_number
        self._open.add(run, self._next_number, queues)
        if row in self._unused:  # a part of its mirror may be gone
            del self._unused[row]
            self._fresh[row] = None
        elif row not in self._asked:
            self._fresh[row] = None

    def dropped(self, queues: bytes, run: IdRun) -> None:
        row = ElsewhereRow(queues, run)
        self._uses[row] -= 1
        if self._uses[row]:
            return
        del self._uses[row]
        give_back(self._accounts.pop(row, None), Resource.NEEDED_ELSEWHERE, run.length)
        self._open.forget(run, self._numbers.pop(row))
        self._fresh.pop(row, None)
        if row in self._asked:
            self._unused[row] = None

    def not_needed_yet(self, queues: bytes, runs: Iterable[IdRun]) -> int:
        return sum(run.length for run in runs if ElsewhereRow(queues, run) not in self._uses)

    # what the other shards say

    def ended(self, queues: bytes, span: EndedSpan) -> None:
        run, bodies = span.run, span.bodies
        for part in disjoint(part for part, _, by in self._open.over(run) if by == queues):
            start = run.place_of(part.first)
            some = [None] * part.length if isinstance(bodies, int) else bodies[start : start + part.length]
            ends = zip(part.ids(), some, strict=True)
            self._mirror([MirrorRow(queues, id, span.state, span.task, body) for id, body in ends], part)

    def _mirror(self, rows: list[MirrorRow], run: IdRun) -> None:
        """What it has already changes nothing: it may be said again when a line has started over."""
        queues, state = rows[0].queues, rows[0].state
        known = {row.id: row for row in self._store.edges.mirrored(queues, run)}
        if known:
            rows = [row for row in rows if known.get(row.id) != row]
            if not rows:
                return
        self._store.edges.mirror(rows)
        counted = list[bytes]()
        for row in rows:
            before = known.get(row.id)
            if before is not None and not before.again:
                if before.state == state:
                    continue  # the same end with another result, after a restore: it was counted
                self.dependents.again_elsewhere(queues, IdRun(row.id, 1), before.state)
            counted.append(row.id)
        for part in runs_of(counted):
            self.dependents.ended_elsewhere(queues, part, state)

    def again(self, queues: bytes, run: IdRun) -> None:
        """It had ended, and runs again. What was unblocked by that end still gets it."""
        rows = [row for row in self._store.edges.mirrored(queues, run) if not row.again]
        self._store.edges.mirror([row._replace(again=1) for row in rows])
        for row in rows:
            self.dependents.again_elsewhere(queues, IdRun(row.id, 1), row.state)

    # what is said to them

    def say_all(self, to_shard: int) -> None:
        """All that is needed of it."""
        self._say(EdgeKind.NEED, (row for row in self._uses if shard_of_id(row.run.first) == to_shard))

    def _write(self) -> None:
        """At the end of a transaction: what was not asked for yet, and what is not needed any more."""
        if self._unused and self._lines.may_tidy:
            self._release()
        if self._fresh:
            self._store.edges.add_needs(self._fresh)
            for row in self._fresh.keys() - self._asked:
                self._by_shard[shard_of_id(row.run.first)] += 1
            self._asked.update(self._fresh)
            self._say(EdgeKind.NEED, self._fresh)
            self._fresh = {}

    def _release(self) -> None:
        left, released = FORGOTTEN_MAX, list[ElsewhereRow]()
        for row in self._unused:
            if left <= 0:
                break
            for part in self._not_needed(row):
                left -= self._store.edges.forget_mirrored(row.queues, part, max(1, left))
            left -= 1
            if left > 0:
                released.append(row)
        for row in released:
            del self._unused[row]
            self._asked.discard(row)
            self._by_shard[shard_of_id(row.run.first)] -= 1
        self._store.edges.forget_needs(released)
        self._say(EdgeKind.RELEASE, released)

    def _not_needed(self, row: ElsewhereRow) -> Iterator[IdRun]:
        """The parts of a run that no other run has which is needed by the same rights."""
        following, left = row.run, row.run.length
        for part in disjoint(part for part, _, by in self._open.over(row.run) if by == row.queues):
            gap = following.place_of(part.first)
            if gap:
                yield following.part(0, gap)
            left -= gap + part.length
            following = IdRun(part.id(part.length), max(left, 1))
        if left:
            yield following

    def _say(self, kind: EdgeKind, rows: Iterable[ElsewhereRow]) -> None:
        by_shard: dict[int, list[ElsewhereRow]] = {}
        for row in rows:
            by_shard.setdefault(shard_of_id(row.run.first), []).append(row)
        for shard, some in by_shard.items():
            of_shard = iter(some)
            while portion := list(islice(of_shard, ROW_RUNS)):
                self._lines.say(shard, kind, pack_runs(portion))
