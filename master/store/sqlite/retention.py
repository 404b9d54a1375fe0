"""The embedded store's verbs for deleting tasks: see ``interface.retention.RetentionStore``.

A slice goes as a whole wherever it can: a statement for its row, one for its array. Where a bound leaves a part of it, that is
written again once at least half of it goes, so that all of them together write no more than twice what there was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from typing import Final, NamedTuple

from ....common.domain.id_runs import IdRun
from ....common.domain.ids import id_behind
from ..interface.retention import PASSED_MAX, Purged
from .blobs import SqliteBlobs
from .counts import SqliteCounts
from .dependencies import SqliteDependencies
from .executor import StatementExecutor
from .slices import SqliteSlices
from .steps import SqliteSteps

NEVER: Final = 2**62  # later than any moment
# Bytes that tasks of one portion keep of their steps: some tenth of a second
STEPS_AT_ONCE: Final = 16 * 1024 * 1024
PAGE: Final = 4  # slices in the first look: mostly one of them is enough
BEGINNING: Final = -NEVER


class Candidate(NamedTuple):
    """A task, or neighbours of an array, that ended together."""

    moment: int
    seq: int
    stop: int
    route: int
    state: int
    array: int | None
    size: int  # bytes of arguments and results
    id: bytes  # of the task, or of the first one of the array

    @property
    def run(self) -> IdRun:
        first = self.id if self.array is None else id_behind(self.id, self.seq - self.array)
        return IdRun(first, self.stop - self.seq)


class Walk:
    """Those of the candidates that no task needs. ``goes_on_at``: the moment of the candidate at which the next walk begins. ``is_cut``: so
    many were passed over that it ended before the last of them."""

    def __init__(self, found: Iterator[Candidate], is_needed: Callable[[IdRun], bool] | None) -> None:
        self._found, self._is_needed = found, is_needed
        self.goes_on_at, self.is_cut = BEGINNING, False

    def __iter__(self) -> Iterator[Candidate]:
        passed, before = 0, BEGINNING
        for one in self._found:
            # Not between those of one moment: the next walk begins with a moment. One transaction ends no more than some thousand.
            if passed >= PASSED_MAX and one.moment > before:
                self.goes_on_at, self.is_cut = one.moment, True
                return
            self.goes_on_at = before = one.moment
            if self._is_needed is not None and self._is_needed(one.run):
                passed += 1
            else:
                yield one
        # It has come to the end: the next walk finds what is not needed any longer.
        self.goes_on_at = BEGINNING


class SqliteRetention(StatementExecutor):
    blobs: SqliteBlobs
    slices: SqliteSlices
    counts: SqliteCounts
    steps: SqliteSteps
    dependencies: SqliteDependencies
    looks_on = False
    _is_needed: Callable[[IdRun], bool] | None = None
    _old_from = _surplus_from = BEGINNING  # the moments at which the walks go on

    def keep(self, is_needed: Callable[[IdRun], bool]) -> None:
        self._is_needed = is_needed

    def purge(self, finished_before: int, limit: int, ttl: int = 0) -> list[Purged]:
        self.settle()
        gone: list[Candidate] = []
        left = STEPS_AT_ONCE
        walk = self._over(self._old_from, finished_before + ttl, limit, ttl)
        for one in walk:
            gone.append(one)
            # Also by what they keep besides: a hundred tasks may have a hundred megabytes of steps.
            limit, left = limit - (one.stop - one.seq), left - self.steps.size_of(one.seq, one.stop)
            if limit <= 0 or left <= 0:
                break
        self._old_from, self.looks_on = walk.goes_on_at, walk.is_cut
        return self._drop(gone)

    def purge_surplus(self, tasks: int, size: int, limit: int, ttl: int = 0) -> list[Purged]:
        self.settle()
        gone: list[Candidate] = []
        left = STEPS_AT_ONCE
        walk = self._over(self._surplus_from, NEVER, limit, ttl)
        is_enough = False
        for one in walk:
            is_enough = tasks <= 0 and size <= 0
            if is_enough or limit <= 0 or left <= 0:
                break
            has = one.stop - one.seq
            # As many as reach both bounds, by the mean size of its tasks, rounded up.
            wanted = min(has, max(tasks, -(-size * has // max(1, one.size))))
            # Less than half of a slice: the rest would be written again, see the
            # module's docstring. It waits until more is over.
            if 2 * wanted < has:
                is_enough = True
                break
            gone.append(one._replace(stop=one.seq + wanted, size=one.size * wanted // has))
            tasks, size, limit = tasks - wanted, size - gone[-1].size, limit - wanted
            left -= self.steps.size_of(one.seq, one.stop)
        # Once there is enough the next one begins with the first, which may not be needed any more.
        self._surplus_from = BEGINNING if is_enough else walk.goes_on_at
        self.looks_on = walk.is_cut
        return self._drop(gone)

    def delete(self, seqs: Sequence[int]) -> None:
        alone = self.slices.delete(seqs)
        if not alone:
            self._forget_relatives(seqs)
            return
        sequence = [(seq,) for seq in alone]
        # While their rows are there to be measured.
        self.counts.measure(alone, -1)
        self._many("delete_attempts", sequence)
        self._many("delete_logs", sequence)
        self.blobs.unname(sequence)
        self.steps.delete(sequence)
        self._exactly("delete", sequence)
        self.slices.drop_arrays_of(alone)
        self._forget_relatives(seqs)

    def _forget_relatives(self, seqs: Sequence[int]) -> None:
        if seqs and self.dependencies.have_relatives:
            gone = sorted(seqs)
            edges = [at for at in range(1, len(gone)) if gone[at] != gone[at - 1] + 1]
            # As runs of neighbours: one range a statement.
            for start, stop in zip([0, *edges], [*edges, len(gone)], strict=True):
                self.dependencies.forget(gone[start], gone[stop - 1] + 1)

    def _over(self, since: int, now: int, limit: int, ttl: int) -> Walk:
        """Tasks whose time is over by then, and not before ``since``, and that no other needs, the first ones first, as many as make that
        many."""
        of_all = (
            self._page_by_page("finished_before", since - ttl, now - ttl, limit),
            self._page_by_page("slices_finished_before", since - ttl, now - ttl, PAGE),
        )
        own = (
            self._page_by_page("kept_until", since, now, limit),
            self._page_by_page("slices_kept_until", since, now, PAGE),
        )
        # As the moment at which each is over, so that both kinds merge into one order.
        timed = (one._replace(moment=one.moment + ttl) for one in merge(*of_all, key=_moment))
        return Walk(merge(timed, *own, key=_moment), self._is_needed)

    def _page_by_page(self, name: str, since: int, before: int, page: int) -> Iterator[Candidate]:
        place = 0
        while rows := self._all(name, (since, before, page, place)):
            yield from (Candidate(*row) for row in rows)
            # Growing pages: candidates that are still needed are skipped, and may be many.
            place, page = place + page, 2 * page

    def _drop(self, gone: Sequence[Candidate]) -> list[Purged]:
        self.delete([seq for one in gone for seq in range(one.seq, one.stop)])
        return [Purged(one.route, one.state, one.stop - one.seq) for one in gone]


def _moment(one: Candidate) -> int:
    return one.moment
