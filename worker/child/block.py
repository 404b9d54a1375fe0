"""A block: jobs that a child is handed in one message. They are of one lease and of one task, and have consecutive ordinals.

Most of them are neighbours in an array, and differ in their payloads alone; so what names them are runs, and a job costs a
child no object of its own. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ...common.domain.context import Context
from ...common.domain.ids import id_behind, show_id


class BlockJob(NamedTuple):
    """Which job one is."""

    id: bytes
    attempt: int
    number: int  # of this attempt, as it is shown


class Block(NamedTuple):
    """``is_swift``: each of these jobs is expected to be over so soon that the reports of those before it may wait for it.
    ``runs``: ``[first id, how many, attempt, number]`` of those with consecutive ids, in the order of the payloads."""

    first: int  # the ordinal of the first job
    name: str
    queue: str
    lease: bytes
    timeout: float | None
    is_swift: bool
    runs: list[list[Any]]
    payloads: Sequence[bytes]
    given: dict[str, list[str]] | None = None  # of a single job: the units of resources that are its own

    def job(self, place: int) -> BlockJob:
        """The job at this place."""
        for first, length, attempt, number in self.runs:
            if place < length:
                return BlockJob(id_behind(first, place), attempt, number)
            place -= length
        raise IndexError(place)

    def context(self, place: int, started: float) -> Context:
        """What the task of the job at this place can learn about itself. ``started``: when it began, in Unix seconds."""
        job = self.job(place)
        return Context(
            id=show_id(job.id),
            attempt=job.number,
            name=self.name,
            queue=self.queue,
            token=self.lease.hex(),
            deadline=None if self.timeout is None else started + self.timeout,
            indexes={name: tuple(units) for name, units in (self.given or {}).items()},
        )
