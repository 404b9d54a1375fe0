"""Counts of dependents that are in memory and not yet in their rows, because very many need one task.

The store knows the runs whose ends the rows lack, in the transaction of the ends: a master that starts counts who needs those by what
they need. So a count is written when there is time for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Final

from ...common.domain.id_runs import IdRun
from ...common.wire.frames import pack, unpack
from ..store.interface.store import Store
from .dependent import Dependent
from .known import KnownDependents

WRITTEN_MAX: Final = 1_000  # rows of counts in one transaction
BEHIND_MAX: Final = 1_000  # runs whose ends are not in all rows; of more it is not kept which
BEHIND: Final = "dependencies behind"


class UnwrittenCounts:
    """``len``: dependents whose counts are to be written. ``noted``: in this transaction, as many as were counted."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._counted: dict[int, Dependent] = {}  # by number
        self._runs: dict[IdRun, None] | None = {}  # whose ends their rows lack; None: of any
        self._is_behind = False  # as the store knows it
        self.noted = 0

    def __len__(self) -> int:
        return len(self._counted)

    def begin(self) -> None:
        self.noted = 0

    def note(self, run: IdRun, dependents: int) -> None:
        """Tasks of a run have ended, or run again, and so many need some of them."""
        if dependents:
            self.noted += dependents
            if self._runs is not None:
                self._runs[run] = None
                if len(self._runs) > BEHIND_MAX:
                    self._runs = None

    def add(self, dependent: Dependent) -> None:
        self._counted[dependent.seq] = dependent

    def load(self, known: KnownDependents, dependents: Iterable[Dependent]) -> list[Dependent]:
        """Those whose rows lack ends."""
        self._counted.clear()
        packed = self._store.get_meta(BEHIND)
        behind = unpack(packed) if packed else []
        self._is_behind = behind != []
        if behind is None:
            self._runs = None
            return list(dependents)
        self._runs = {IdRun(first, length): None for first, length in behind}
        over = (known.needed.over(run) for run in self._runs)
        return list(dict.fromkeys(dependent for some in over for _, _, dependent in some))

    def write(self, changed: dict[int, Dependent]) -> None:
        """``changed``: others whose rows are to be written; they are out of it."""
        written = changed | dict(islice(self._counted.items(), WRITTEN_MAX))
        if written:
            self._store.dependencies.advance([one.progress for one in written.values()])
            changed.clear()
            for seq in written:
                self._counted.pop(seq, None)
        if self._counted:
            self._keep(None if self._runs is None else [list(run) for run in self._runs])
        else:
            self._runs = {}
            if self._is_behind:
                self._keep([])

    def _keep(self, runs: list[list[object]] | None) -> None:
        self._store.set_meta(BEHIND, pack(runs))
        self._is_behind = runs != []
