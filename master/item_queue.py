"""One queue of plain values as the engine has it in memory, and the answers that a put or a get may have. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from .sessions import Call

FIFO, LIFO, PRIORITY = "fifo", "lifo", "priority"
KINDS: Final = (FIFO, LIFO, PRIORITY)
OPEN, SHUT, DRAINED = 0, 1, 2  # DRAINED: shut at once; what was taken does not come back
FULL: Final = False  # the answer to a put that does not wait, or no longer
EMPTY: Final = None  # the answer to a get that does not wait, or no longer
NOT_PUT: Final = None  # the answer to a put into a queue that is shut
NO_MORE: Final = False  # the answer to a get from one that is shut and empty


class Getter(NamedTuple):
    token: bytes
    call: Call


class NewPut(NamedTuple):
    """One put, as it was asked for. ``putter`` is who numbers it."""

    putter: bytes
    number: int
    payload: bytes
    rank: bytes | None


class Putter(NamedTuple):
    put: NewPut
    call: Call


@dataclass(slots=True, eq=False)
class ItemQueue:
    """One queue as the engine sees it. Everything but the parked calls is the store's."""

    number: int
    name: str
    kind: str
    maxsize: int
    unfinished: int = 0
    shut: int = 0  # OPEN, SHUT or DRAINED
    owner: bytes | None = None  # the node with which it goes
    waiting: int = 0
    getters: deque[Getter] = field(default_factory=deque)
    putters: deque[Putter] = field(default_factory=deque)
    joiners: list[Call] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        return 0 < self.maxsize <= self.waiting
