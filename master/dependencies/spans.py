"""The states of needed tasks, those among them that are not there any more."""

from __future__ import annotations

from collections.abc import Iterator

from ...common.domain.id_runs import IdRun
from ...common.domain.ids import id_behind
from ..store.interface.dependencies import StateSpan
from ..store.interface.store import Store
from .dependent import UNKNOWN


def with_gaps(store: Store, run: IdRun) -> Iterator[StateSpan]:
    """The states of a run's tasks; UNKNOWN of those that are not there."""
    following, left = run.first, run.length
    for span in store.dependencies.states(run):
        gap = int.from_bytes(span.first, "big") - int.from_bytes(following, "big")
        if gap:
            yield StateSpan(following, gap, 0, UNKNOWN)
        yield span
        left -= gap + span.length
        following = id_behind(span.first, span.length)
    if left:
        yield StateSpan(following, left, 0, UNKNOWN)
