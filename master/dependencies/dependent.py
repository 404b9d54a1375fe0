"""A task that needs others, in memory as long as it has not ended; and what its failure says. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ...common.domain.id_runs import IdRun
from ...common.domain.ids import id_behind, show_id
from ...common.domain.model import StateNumber
from ...common.domain.on_error import ONE_FAILED, Verdict, verdict
from ...common.domain.shards import shard_of_id
from ...common.values.failure import DEPENDENCY, Failure
from ..store.interface.dependencies import DependentProgress, DependentRow

UNKNOWN = -1  # the state of a task that is not there any more


@dataclass(slots=True, eq=False)
class Dependent:
    """``DependentRow`` has the fields. Neighbours of an array of which each needs one have ``each``, and exactly one run of
    needs."""

    seq: int
    stop: int
    id: bytes
    each: bool
    needed: int
    minimum: int
    left: int
    missed: int
    culprit: bytes | None
    delay: int
    at: int | None
    open: int
    ripe: bool
    queues: bytes | None
    needs: Sequence[IdRun]

    @classmethod
    def from_row(cls, row: DependentRow) -> Dependent:
        fields = row._asdict()
        return cls(**{**fields, "each": bool(row.each), "ripe": bool(row.ripe)})

    @property
    def run(self) -> IdRun:
        return IdRun(self.id, self.stop - self.seq)

    @property
    def row(self) -> DependentRow:
        fields = {name: getattr(self, name) for name in DependentRow._fields}
        return DependentRow(**{**fields, "each": int(self.each), "ripe": int(self.ripe)})

    @property
    def progress(self) -> DependentProgress:
        return DependentProgress(self.left, self.missed, self.culprit, self.open, int(self.ripe), self.seq)

    @property
    def verdict(self) -> Verdict:
        """Of one whose needs are counted."""
        return verdict(self.needed, self.left, self.missed, self.minimum)

    @property
    def collects(self) -> bool:
        """Whether it runs with tasks among its needs that did not succeed."""
        return self.minimum < self.needed

    @property
    def catches(self) -> bool:
        """Whether it runs only if one of its needs does not succeed."""
        return self.minimum == ONE_FAILED

    @property
    def elsewhere(self) -> Sequence[IdRun]:
        """What it needs of other shards."""
        if self.queues is None:
            return ()
        own = shard_of_id(self.id)
        return [run for run in self.needs if shard_of_id(run.first) != own]

    def needs_of(self, place: int) -> Sequence[IdRun]:
        """What the task at this place of it needs."""
        return [IdRun(id_behind(self.needs[0].first, place), 1)] if self.each else self.needs


class EndedPart(NamedTuple):
    """Neighbours of a dependent with ``each``, from ``start`` to ``stop``, whose needs have ended in this state."""

    dependent: Dependent
    start: int
    stop: int
    state: int


class Culprit(NamedTuple):
    """A task that did not succeed, and how many others of the same dependent did not."""

    id: bytes
    task: str  # empty: the task is not there any more
    state: int
    body: bytes | None


def dependency_failed(culprit: Culprit, missed: int, needed: int, minimum: int) -> bytes:
    """The failure of a task that is not run because of ``culprit``."""
    failure = Failure.decode(culprit.body)
    root = failure.detail.get("culprit") if failure.detail.get("outcome") == DEPENDENCY else None
    named = f"{culprit.task or 'a task'} {show_id(culprit.id)}"
    said = failure.message.strip().partition("\n")[0]
    if root is not None and isinstance(root, str):
        what = f"{named} was not run: {said}"
    elif culprit.state == StateNumber.FAILED:
        what = f"{named} failed" + (f": {failure.type}: {said}" if failure.type else "")
    elif culprit.state == UNKNOWN:
        what = f"{named} was deleted"
    else:
        what = f"{named} is {StateNumber(culprit.state)}" + (f": {said}" if said else "")
        root = None
    if needed > 1:
        enough = "" if minimum == needed else f", and {minimum:,} must succeed"
        what += f" ({missed:,} of the {needed:,} tasks that it needs did not succeed{enough})"
    detail = {"outcome": DEPENDENCY, "culprit": root or show_id(culprit.id), "missed": missed}
    return Failure("DependencyFailed", what, detail=detail).encode()
