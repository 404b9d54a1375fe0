"""The store's verbs for the attempts that ended lately. Part of ``interface.Store``; the same rules."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class EndedRow(NamedTuple):
    """An attempt that ended, or those of neighbours in an array that succeeded and were reported together. ``started``: of several,
    when they were leased; ``seconds``: how long they ran, in all."""

    seq: int
    tasks: int
    id: bytes
    route: int
    worker: int | None
    attempt: int  # its number, as people count
    outcome: int
    started: int
    ended: int
    seconds: float


class EndedStore(Protocol):
    def between(self, since: int, until: int, most: int) -> tuple[list[EndedRow], bool]:
        """The attempts that began and ended at or after ``since`` and before ``until``, those that ended last first, and whether these
        are all. Of each table at most so many rows are read. What was deleted is not among them."""

    def worker(self, number: int) -> tuple[bytes, str] | None:
        """The node and the host of a worker; None: it was forgotten."""
