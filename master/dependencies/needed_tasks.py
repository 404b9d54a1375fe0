"""The states and outcomes of needed tasks, wherever they are: the one place that knows that there are two sources.

::

    a task of this shard      the store's tasks. One that is not there has ended: UNKNOWN
    a task of another one     the mirror of those that have ended, by the rights of the dependent. One that is not in it has not ended
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from ...common.domain.id_runs import IdRun, runs_of
from ...common.domain.model import StateNumber
from ...common.domain.shards import Shard, shard_of_id
from ..store.interface.dependencies import StateSpan
from ..store.interface.edges import MirrorSpan
from ..store.interface.store import Store
from ..tasks.routes import Routes
from .dependent import UNKNOWN, Culprit

WAITS: Final = int(StateNumber.READY)  # of tasks elsewhere that have not ended
NO_ROUTE: Final = -1  # of tasks elsewhere

Outcome = tuple[bytes, int, bytes | None]  # id, state, result or failure


class NeededTasks:
    """``queues``: by whose rights tasks of other shards are needed; None: there are none among them."""

    def __init__(self, store: Store, routes: Routes, shard: Shard) -> None:
        self._store, self._routes, self._shard = store, routes, shard

    def is_elsewhere(self, id: bytes) -> bool:
        return self._shard.of > 1 and shard_of_id(id) != self._shard.number

    def states(self, run: IdRun, queues: bytes | None) -> Iterator[StateSpan]:
        """Of all tasks of a run, in order; of another shard they are all of that."""
        if queues is not None and self.is_elsewhere(run.first):
            yield from _without_gaps(run, self._store.edges.mirrored_states(queues, run), WAITS)
        else:
            yield from _without_gaps(run, self._store.dependencies.states(run), UNKNOWN)

    def outcomes(self, ids: Sequence[bytes], queues: bytes | None) -> list[Outcome]:
        """Of each of these, in their order; UNKNOWN of one that is not there."""
        if queues is None:
            rows = {row.id: (row.state, row.body) for row in self._store.outcomes(ids)}
        else:
            rows = {
                row.id: (row.state, row.body)
                for row in self._store.outcomes([id for id in ids if not self.is_elsewhere(id)])
            }
            for run in runs_of(id for id in ids if self.is_elsewhere(id)):
                rows.update(
                    (row.id, (row.state, row.body)) for row in self._store.edges.mirrored(queues, run)
                )
        return [(id, *rows.get(id, (UNKNOWN, None))) for id in ids]

    def culprit(self, id: bytes, queues: bytes | None) -> Culprit:
        if queues is not None and self.is_elsewhere(id):
            for row in self._store.edges.mirrored(queues, IdRun(id, 1)):
                return Culprit(id, row.task, row.state, row.body)
        else:
            for found in self._store.outcomes([id]):
                return Culprit(id, self._routes.by_number[found.route].task, found.state, found.body)
        return Culprit(id, "", UNKNOWN, None)


def _without_gaps(run: IdRun, found: Iterable[StateSpan | MirrorSpan], state: int) -> Iterator[StateSpan]:
    """These, and that state of those between them."""
    following, left = run, run.length
    for span in found:
        gap = following.place_of(span.first)
        if gap:
            yield StateSpan(following.first, gap, NO_ROUTE, state)
        yield (
            StateSpan(span.first, span.length, NO_ROUTE, span.state) if isinstance(span, MirrorSpan) else span
        )
        left -= gap + span.length
        following = IdRun(following.id(gap + span.length), max(left, 1))
    if left:
        yield StateSpan(following.first, left, NO_ROUTE, state)
