"""One queue of plain values as the engine has it in memory, and the answers that a put or a get may have. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ...common.errors import InvalidArgument
from ...common.values.sort_keys import comparable
from ..engine.session import Call
from ..store.interface.items import ItemQueueRow

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
    """One put, as it was asked for. ``putter`` is who numbers it; ``numbered``: it may come again, and is taken once."""

    putter: bytes
    number: int
    payload: bytes
    rank: bytes | None
    numbered: bool = True


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

    def restore(self, row: ItemQueueRow) -> None:
        """As the store has it."""
        self.number, self.kind, self.maxsize, self.owner = row.queue, row.kind, row.maxsize, row.owner
        self.unfinished, self.shut, self.waiting = row.unfinished, row.shut, row.waiting

    @property
    def is_full(self) -> bool:
        return 0 < self.maxsize <= self.waiting

    def end_get(self, token: bytes) -> None:
        """A get that is parked, if it is, is answered that there is no item."""
        getter = next((one for one in self.getters if one.token == token), None)
        if getter is not None:
            self.getters.remove(getter)
            getter.call.abandon = None
            getter.call.answer(EMPTY)


def conflict(name: str, rank: bytes | None, neighbours: Callable[[bytes], list[bytes]]) -> str | None:
    """TypeError's words when Python could not compare an item with one that waits: a heap would break.

    Its two neighbours are enough: among items that compare with each other, whatever would not compare
    with a new one has the same beginning, and so has everything between them.
    """
    if rank is None:
        raise InvalidArgument("an item of a priority queue needs a rank")
    comparable(rank, rank)  # DecodeError for bytes that are no rank
    for other in neighbours(rank):
        kinds = comparable(rank, other)
        if kinds is not None:
            return (
                f"'<' not supported between {kinds[0]} and {kinds[1]}: this item cannot be ordered among those "
                f"in queue {name!r}"
            )
    return None
