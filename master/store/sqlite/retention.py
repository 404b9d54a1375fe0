"""The embedded store's verbs for deleting tasks: see ``interface.retention.RetentionStore``.

A slice goes as a whole wherever it can: a statement for its row, one for its array. Where a bound leaves a part of it, that is
written again once at least half of it goes, so that all of them together write no more than twice what there was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import merge
from typing import Final, NamedTuple

from ..interface.retention import Purged
from .blobs import SqliteBlobs
from .counts import SqliteCounts
from .executor import StatementExecutor
from .slices import SqliteSlices
from .steps import SqliteSteps

NEVER: Final = 2**62  # later than any moment
PAGE: Final = 4  # slices in the first look: mostly one of them is enough


class Candidate(NamedTuple):
    """A task, or neighbours of an array, that ended together."""

    moment: int
    seq: int
    stop: int
    route: int
    state: int
    array: int | None
    bytes: int


class SqliteRetention(StatementExecutor):
    blobs: SqliteBlobs
    slices: SqliteSlices
    counts: SqliteCounts
    steps: SqliteSteps

    def purge(self, finished_before: int, limit: int, ttl: int = 0) -> list[Purged]:
        self.settle()
        gone: list[Candidate] = []
        for one in self._over(finished_before + ttl, limit, ttl):
            gone.append(one)
            limit -= one.stop - one.seq
            if limit <= 0:
                break
        return self._drop(gone)

    def purge_surplus(self, tasks: int, size: int, limit: int, ttl: int = 0) -> list[Purged]:
        self.settle()
        gone: list[Candidate] = []
        for one in self._over(NEVER, limit, ttl):
            if (tasks <= 0 and size <= 0) or limit <= 0:
                break
            has = one.stop - one.seq
            wanted = min(has, max(tasks, -(-size * has // max(1, one.bytes))))
            if 2 * wanted < has:
                break
            gone.append(one._replace(stop=one.seq + wanted, bytes=one.bytes * wanted // has))
            tasks, size, limit = tasks - wanted, size - gone[-1].bytes, limit - wanted
        return self._drop(gone)

    def delete(self, seqs: Sequence[int]) -> None:
        alone = self.slices.delete(seqs)
        if not alone:
            return
        sequence = [(seq,) for seq in alone]
        self.counts.measure(alone, -1)
        self._many("delete_attempts", sequence)
        self._many("delete_logs", sequence)
        self.blobs.unname(sequence)
        self.steps.delete(sequence)
        self._exactly("delete", sequence)
        self.slices.drop_arrays_of(alone)

    def _over(self, now: int, limit: int, ttl: int) -> Iterator[Candidate]:
        """Tasks whose time is over by then, the first ones first, as many as make that many."""
        alone = (Candidate(*row) for row in self._all("finished_before", (now - ttl, limit)))
        of_all = merge(alone, self._slices("slices_finished_before", now - ttl), key=_moment)
        own = (Candidate(*row) for row in self._all("kept_until", (now, limit)))
        with_own = merge(own, self._slices("slices_kept_until", now), key=_moment)
        timed = (one._replace(moment=one.moment + ttl) for one in of_all)
        return merge(timed, with_own, key=_moment)

    def _slices(self, name: str, before: int) -> Iterator[Candidate]:
        place, page = 0, PAGE
        while rows := self._all(name, (before, page, place)):
            yield from (Candidate(*row) for row in rows)
            place, page = place + page, 2 * page

    def _drop(self, gone: Sequence[Candidate]) -> list[Purged]:
        self.delete([seq for one in gone for seq in range(one.seq, one.stop)])
        return [Purged(one.route, one.state, one.stop - one.seq) for one in gone]


def _moment(one: Candidate) -> int:
    return one.moment
