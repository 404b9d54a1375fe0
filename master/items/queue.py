"""One queue of plain values as the engine has it in memory, and the answers that a put or a get may have. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ...common.errors import InvalidArgument
from ...common.values.sort_keys import comparable
from ..engine.accounts import Account
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

    @property
    def key(self) -> tuple[bytes, int]:
        """What it is known by: who puts and the number, which is its own whether it may come again or not."""
        return self.put.putter, self.put.number


@dataclass(slots=True, eq=False)
class ItemQueueState:
    """One queue as the engine sees it. Everything but the parked calls is the store's."""

    number: int
    name: str
    kind: str
    maxsize: int
    unfinished: int = 0
    shut: int = 0  # OPEN, SHUT or DRAINED
    owner: bytes | None = None  # the node with which it goes
    waiting: int = 0
    account: Account | None = None  # of the key that made it; None: it was there when the master started
    # Those that wait, in order. Each goes by what it is known by, however many there are; a dict that is emptied from the front
    # would look at all the places that were freed.
    getters: OrderedDict[bytes, Getter] = field(default_factory=OrderedDict)  # by token
    putters: OrderedDict[tuple[bytes, int], Putter] = field(default_factory=OrderedDict)
    joiners: dict[Call, None] = field(default_factory=dict)

    def restore(self, row: ItemQueueRow) -> None:
        """As the store has it."""
        self.number, self.kind, self.maxsize, self.owner = row.queue, row.kind, row.maxsize, row.owner
        self.unfinished, self.shut, self.waiting = row.unfinished, row.shut, row.waiting

    @property
    def is_full(self) -> bool:
        return 0 < self.maxsize <= self.waiting

    def park_get(self, getter: Getter) -> None:
        """One that is repeated keeps its place, and is the one that is answered."""
        before, self.getters[getter.token] = self.getters.get(getter.token), getter
        if before is not None:
            before.call.abandon = None
            before.call.answer(EMPTY)

        def abandon() -> None:
            if self.getters.get(getter.token) is getter:
                del self.getters[getter.token]

        getter.call.abandon = abandon

    def park_put(self, putter: Putter) -> None:
        """As ``park_get``."""
        key = putter.key
        before, self.putters[key] = self.putters.get(key), putter
        if before is not None:
            before.call.abandon = None
            before.call.answer(FULL)

        def abandon() -> None:
            if self.putters.get(key) is putter:
                del self.putters[key]

        putter.call.abandon = abandon

    def parked_calls(self) -> list[Call]:
        gets = [one.call for one in self.getters.values()]
        return [*gets, *(one.call for one in self.putters.values()), *self.joiners]

    def end_get(self, token: bytes) -> None:
        """A get that is parked, if it is, is answered that there is no item."""
        getter = self.getters.pop(token, None)
        if getter is not None:
            getter.call.abandon = None
            getter.call.answer(EMPTY)


def check_rank(kind: str, rank: bytes | None) -> None:
    """InvalidArgument or DecodeError for what no item of such a queue can have: when it comes, for an item may have to wait
    for room, and is then accepted in a call of somebody else."""
    if kind == PRIORITY:
        if rank is None:
            raise InvalidArgument("an item of a priority queue needs a rank")
        comparable(rank, rank)


def conflict(name: str, rank: bytes, neighbours: Callable[[bytes], list[bytes]]) -> str | None:
    """TypeError's words when Python could not compare an item with one that waits: a heap would break.

    Its two neighbours are enough: among items that compare with each other, whatever would not compare
    with a new one has the same beginning, and so has everything between them.
    """
    for other in neighbours(rank):
        kinds = comparable(rank, other)
        if kinds is not None:
            return (
                f"'<' not supported between {kinds[0]} and {kinds[1]}: this item cannot be ordered among those "
                f"in queue {name!r}"
            )
    return None
