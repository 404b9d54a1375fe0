"""The state of one item queue in memory, and the answers to puts and gets. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ...common.errors import InvalidArgument
from ...common.values.sort_keys import comparable
from ..engine.accounts import Account
from ..engine.rates import Rate
from ..engine.session import Call
from ..store.interface.items import ItemQueueRow

FIFO, LIFO, PRIORITY = "fifo", "lifo", "priority"
KINDS: Final = (FIFO, LIFO, PRIORITY)
OPEN, SHUT, DRAINED = 0, 1, 2  # DRAINED: shut immediately; held items that are returned are dropped
FULL: Final = False  # the answer to a put that does not wait, or has stopped waiting
EMPTY: Final = None  # the answer to a get that does not wait, or has stopped waiting
NOT_PUT: Final = None  # the answer to a put into a queue that is shut
NO_MORE: Final = False  # the answer to a get from one that is shut and empty


class Getter(NamedTuple):
    token: bytes
    call: Call


class NewPut(NamedTuple):
    """One put, as requested. ``putter`` names the program that numbers its puts; ``numbered``: the put may be repeated, and is
    stored once."""

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
        """Identifies the put: each has a number of its own, whether it may be repeated or not."""
        return self.put.putter, self.put.number


@dataclass(slots=True, eq=False)
class ItemQueueState:
    """One queue as the engine sees it. The store has all of it but the parked calls."""

    number: int
    name: str
    kind: str
    maxsize: int
    unfinished: int = 0
    shut: int = 0  # OPEN, SHUT or DRAINED
    owner: bytes | None = None  # the owning node: the queue is deleted when it is lost
    waiting: int = 0
    account: Account | None = None  # of the key that made it; None: made before the master started
    # Parked calls, in order, each found by its key in constant time. Not plain dicts: popping the first entry of a dict scans
    # all entries that were removed before it.
    getters: OrderedDict[bytes, Getter] = field(default_factory=OrderedDict)  # by token
    putters: OrderedDict[tuple[bytes, int], Putter] = field(default_factory=OrderedDict)
    joiners: dict[Call, None] = field(default_factory=dict)
    come: Rate | None = None  # of items, see traffic.py; None: there were none since the master started
    gone: Rate | None = None

    def restore(self, row: ItemQueueRow) -> None:
        """Take the store's row."""
        self.number, self.kind, self.maxsize, self.owner = row.queue, row.kind, row.maxsize, row.owner
        self.unfinished, self.shut, self.waiting = row.unfinished, row.shut, row.waiting

    @property
    def is_full(self) -> bool:
        return 0 < self.maxsize <= self.waiting

    def park_get(self, getter: Getter) -> None:
        """A repeated get keeps the place of the first call; the newer call is the one that is answered."""
        before, self.getters[getter.token] = self.getters.get(getter.token), getter
        if before is not None:  # its connection may still be open: no call stays unanswered
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
        """Answer a parked get, if there is one with this token, that there is no item."""
        getter = self.getters.pop(token, None)
        if getter is not None:
            getter.call.abandon = None
            getter.call.answer(EMPTY)


def check_rank(kind: str, rank: bytes | None) -> None:
    """InvalidArgument or DecodeError for a rank that no item of such a queue can have. Checked when the put arrives: a put may wait
    for room and be accepted during another client's call, which must not fail for it."""
    if kind == PRIORITY:
        if rank is None:
            raise InvalidArgument("an item of a priority queue needs a rank")
        comparable(rank, rank)


def conflict(name: str, rank: bytes, neighbours: Callable[[bytes], list[bytes]]) -> str | None:
    """The text of Python's TypeError when an item cannot be compared with one that waits: in Python, a heap would break.

    Comparing with the two neighbours is enough. All items in the queue compare with each other; an item that does not compare with
    the new one shares a prefix of its rank with it, and so does every item between the two.
    """
    for other in neighbours(rank):
        kinds = comparable(rank, other)
        if kinds is not None:
            return (
                f"'<' not supported between {kinds[0]} and {kinds[1]}: this item cannot be ordered among those "
                f"in queue {name!r}; put a number of its own before what has no order: (priority, number, item)"
            )
    return None
