"""The dependents that have not ended, in memory: by their own ids, and by the ids of what they need. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ...common.domain.id_runs import IdRun
from .dependent import Dependent
from .overlaps import Overlaps


class KnownDependents:
    def __init__(self) -> None:
        self.own: Overlaps[Dependent] = Overlaps()
        self.needed: Overlaps[Dependent] = Overlaps()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, dependent: Dependent) -> None:
        self._count += 1
        self.own.add(dependent.run, dependent.seq, dependent)
        for run in dependent.needs:
            self.needed.add(run, dependent.seq, dependent)

    def remove(self, dependent: Dependent) -> None:
        self._count -= 1
        self.own.remove(dependent.run, dependent.seq)
        for run in dependent.needs:
            self.needed.remove(run, dependent.seq)

    def clear(self) -> None:
        self._count = 0
        self.own.clear()
        self.needed.clear()

    def of(self, id: bytes) -> Dependent | None:
        return next((dependent for _, _, dependent in self.own.over(IdRun(id, 1))), None)

    def needs_of(self, id: bytes) -> Sequence[IdRun]:
        for _, place, dependent in self.own.over(IdRun(id, 1)):
            return dependent.needs_of(place)
        return ()
