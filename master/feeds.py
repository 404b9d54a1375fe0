"""Workers that apply a callable to the items of a queue: items become tasks, results become items. Pure but for the store.

::

    tq-worker --queue jobs --apply mymodule:square --results done

    queue jobs ──a few at a time──► tasks mymodule:square in queue jobs ──success──► queue done

An item becomes a task in the transaction that takes it out of its queue, and from then on has what every task has:
leases, crash counts, post-mortems, `tq why`. Its result is put in the transaction that ends the task. Only so many
items are tasks at a time: the rest stay items, which others may get.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from ..common.errors import InvalidArgument
from ..common.ids import id_of_moment
from ..common.model import StateNumber, TaskOptions, check_name
from .clock import Now
from .intake import Intake
from .items import Items
from .lanes import Lanes

READY_MAX: Final = 2_000  # tasks of one feed that wait: some hundred milliseconds of the shortest work
FEEDS_MAX: Final = 1_000  # of one worker
# A call with one argument, of which the item is the encoding: [[item], {}] in msgpack.
CALL_BEGINS, CALL_ENDS = b"\x92\x91", b"\x80"


class Feed(NamedTuple):
    queue: str
    task: str
    results: str | None

    @classmethod
    def from_wire(cls, feeds: Any) -> list[Feed]:
        """What a worker announces; raises InvalidArgument."""
        if not isinstance(feeds, list) or len(feeds) > FEEDS_MAX:
            raise InvalidArgument(f"apply must be a list of at most {FEEDS_MAX:,} [queue, task, results]")
        return [cls._checked(feed) for feed in feeds]

    @classmethod
    def _checked(cls, feed: Any) -> Feed:
        match feed:
            case [queue, task, None]:
                return cls(check_name("queue", queue), check_name("task", task), None)
            case [queue, task, results]:
                names = check_name("queue", queue), check_name("task", task), check_name("queue", results)
                return cls(*names)
        raise InvalidArgument(f"not [queue, task, results]: {feed!r:.80}")


class Feeds:
    """All of them, by the worker that announced them."""

    def __init__(
        self, lanes: Lanes, intake: Intake, items: Items, random_bytes: Callable[[int], bytes]
    ) -> None:
        self._lanes, self._intake, self._items, self._random_bytes = lanes, intake, items, random_bytes
        self._of: dict[bytes, list[Feed]] = {}
        self.lanes: dict[int, Feed] = {}  # whose tasks were items

    def announce(self, node: bytes, feeds: list[Feed]) -> None:
        if feeds:
            self._of[node] = feeds
        else:
            self._of.pop(node, None)

    def forget(self, node: bytes) -> None:
        """This worker is not connected."""
        self._of.pop(node, None)

    def run(self, now: Now) -> None:
        """Make tasks of the first items, as many as there is room for."""
        for feed in dict.fromkeys(feed for feeds in self._of.values() for feed in feeds):
            lane = self._lanes.lane(feed.queue, feed.task)
            self.lanes[lane.number] = feed
            queue = self._items.by_name.get(feed.queue)
            if queue is None or not queue.waiting or lane.queue.paused:
                continue
            payloads = self._items.take_first(queue, READY_MAX - lane.counts[StateNumber.READY])
            tasks = [
                [id_of_moment(now.wall, self._random_bytes), CALL_BEGINS + payload + CALL_ENDS]
                for payload in payloads
            ]
            if tasks:
                self._intake.take_in(lane, TaskOptions(), tasks)

    def ended(self, lane: int, state: int, body: bytes | None) -> None:
        """A task that was an item has ended: its result is put, and the item is done."""
        feed = self.lanes[lane]
        if state == StateNumber.SUCCEEDED and feed.results is not None and body is not None:
            self._items.add(self._items.queue(feed.results), body)
        self._items.done_quietly(feed.queue)
