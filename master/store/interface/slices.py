"""The store's verbs for tasks of arrays, which were accepted together: what concerns many of them at once. Part of
``interface.Store``; the same rules.

Each task of an array is a task for every other verb, too: by its id or its number it is found, ended, cancelled and deleted like
any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class LeasedSlice(NamedTuple):
    """Neighbours in an array, leased together."""

    priority: int
    seq: int  # of the first one
    stop: int  # behind the last one
    id: bytes  # of the first one; the i-th has this plus i
    route: int
    attempt: int
    returned: int
    timeout: float | None
    origin: int | None
    options: bytes | None
    payloads: list[bytes]


class SucceededSlice(NamedTuple):
    """Neighbours of one leased slice that succeeded."""

    seq: int
    stop: int
    attempt: int
    lease: bytes
    finished: int
    seconds: list[float]  # how long each ran
    results: list[bytes | None]
    # The slice they are leased in, from and to, if it is known: it need not be looked for
    leased: tuple[int, int] | None = None


class RunningSlice(NamedTuple):
    seq: int
    stop: int
    id: bytes  # of the first one; the i-th has this plus i
    route: int
    attempt: int
    returned: int
    lease: bytes
    worker: int
    started: int
    origin: int | None
    options: bytes | None


class ArrayLanes(NamedTuple):
    seq: int  # of its first task
    id: bytes
    lanes: bytes | None  # as ``NewArray.lanes``


class ArrayTags(NamedTuple):
    seq: int  # of its first task
    stop: int  # behind the last one
    tags: bytes | None  # as ``NewArray.tags``


class SliceStore(Protocol):
    def succeed_slices(self, rows: Sequence[SucceededSlice]) -> None: ...
    def lanes_of_array(self, seq: int) -> ArrayLanes | None:
        """Of the array with this task, also if the task has left it."""

    def tags_upto(self, seq: int) -> ArrayTags | None:
        """Of the last array that begins at or below this task: it may end below it, too."""

    def waiting_in(self, route: int) -> list[tuple[int, int, int]]:
        """From which task to which, and in which state: all of a lane that have not ended and are not leased."""
