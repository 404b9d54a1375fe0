"""Ended attempts on their way to the master: one by itself, or a slice of results. Pure.

::

    a child's slice of results ─► EndedSlice ─┐
    anything else ─────────────► EndedJob ────┴► Outbox ─► FinishCall ─► [rows, blobs, slices] of ``finish``
"""

from __future__ import annotations

from array import array
from collections.abc import Container, Sequence
from dataclasses import dataclass
from itertools import pairwise, repeat
from typing import Any

from ...common.contract.workers import ReportRow
from ...common.domain.id_runs import IdRun
from ...common.domain.ids import id_behind
from ...common.domain.model import OutcomeNumber
from .runs import Key


@dataclass(slots=True, eq=False)
class EndedJob:
    """One attempt. ``blobs``: hashes of the content that its result refers to. ``refusals``: how often the master has refused
    it when it travelled alone. ``is_replaced``: it is a failure of ours, in the place of what the master has refused."""

    row: ReportRow
    blobs: Sequence[bytes] = ()
    refusals: int = 0
    is_replaced: bool = False

    def __len__(self) -> int:
        return 1

    @property
    def size_bytes(self) -> int:
        return len(self.row.body or b"")

    @property
    def held(self) -> list[Any]:
        return [self.row.id, self.row.attempt, self.row.lease]

    @property
    def seconds_max(self) -> float:
        return self.row.seconds

    def keys(self) -> list[Key]:
        return [(self.row.id, self.row.attempt)]

    def rows(self) -> list[ReportRow]:
        return [self.row]


@dataclass(slots=True, eq=False)
class EndedSlice:
    """Attempts of tasks with consecutive ids that have succeeded, under one lease, and whose results refer to no content."""

    id: bytes
    attempt: int
    lease: bytes
    bodies: list[bytes]
    started: array[float]
    seconds: array[float]
    size_bytes: int

    def __len__(self) -> int:
        return len(self.bodies)

    @property
    def end(self) -> int:
        """The id behind the last one, as a number."""
        return int.from_bytes(self.id, "big") + len(self.bodies)

    @property
    def held(self) -> list[Any]:
        return [IdRun(self.id, len(self.bodies)).to_wire(), self.attempt, self.lease]

    @property
    def seconds_max(self) -> float:
        return max(self.seconds)

    def is_followed_by(self, other: EndedSlice) -> bool:
        """Whether ``other`` has the tasks behind these, under the same lease."""
        return (
            self.attempt == other.attempt
            and self.lease == other.lease
            and self.end == int.from_bytes(other.id, "big")
        )

    def join(self, other: EndedSlice) -> None:
        """``other`` follows it."""
        # In place: joining slices of a million results must not copy them over and over.
        self.bodies += other.bodies
        self.started += other.started
        self.seconds += other.seconds
        self.size_bytes += other.size_bytes

    def part(self, start: int, stop: int) -> EndedSlice:
        bodies = self.bodies[start:stop]
        return EndedSlice(
            id_behind(self.id, start),
            self.attempt,
            self.lease,
            bodies,
            self.started[start:stop],
            self.seconds[start:stop],
            sum(map(len, bodies)),
        )

    def one(self, place: int) -> EndedJob:
        """This one by itself."""
        id, success = id_behind(self.id, place), int(OutcomeNumber.SUCCESS)
        body, started, seconds = self.bodies[place], self.started[place], self.seconds[place]
        return EndedJob(ReportRow(id, self.attempt, self.lease, success, body, started, seconds, None))

    def keys(self) -> list[Key]:
        return list(zip(IdRun(self.id, len(self.bodies)).ids(), repeat(self.attempt), strict=False))

    def rows(self) -> list[ReportRow]:
        return [self.one(place).row for place in range(len(self.bodies))]

    def without(self, lost: Container[Key]) -> list[EndedSlice]:
        """What is left of it."""
        cuts = [-1, *(place for place, key in enumerate(self.keys()) if key in lost), len(self)]
        return [self.part(at + 1, stop) for at, stop in pairwise(cuts) if stop - at > 1]


Ended = EndedJob | EndedSlice
