"""Workers that apply a callable to the items of a queue: items become tasks, results become items. Pure but for the store.

::

    tq-worker --queue jobs --apply mymodule:square --results done

    queue jobs ──a few at a time──► tasks mymodule:square in queue jobs ──success──► queue done

An item becomes a task in the transaction that takes it out of its queue, and from then on has what every task has:
leases, crash counts, post-mortems, `tq why`. That it was an item stands in the task's row, as its *origin*. Its result is
put, and the item is done, in the transaction that ends the task, in whatever way it ends. Only so many items are tasks at
a time: the rest stay items, which others may get.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from ...common.domain.ids import id_of_moment, show_id
from ...common.domain.model import StateNumber, TaskOptions, check_name, check_new
from ...common.errors import InvalidArgument
from ...common.values.brief import brief
from ..engine.accounts import Account
from ..engine.clock import Now
from ..engine.endings import Ended
from ..engine.part import Part
from ..engine.presence import Presence
from ..engine.session import Session
from ..engine.work import Work
from ..tasks.dispatch import Intake
from ..tasks.origins import Origins
from ..tasks.routes import Lanes
from .items import Items

READY_MAX: Final = 2_000  # tasks of one feed that wait: some hundred milliseconds of the shortest work
ITEMS_AT_ONCE: Final = 16  # taken out of a queue: they may be large
OPTIONS: Final = TaskOptions()  # of a task that was an item
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
                return cls(check_new("queue", queue, mine=False), check_name("task", task), None)
            case [queue, task, results]:
                queues = [check_new("queue", name, mine=False) for name in (queue, results)]
                return cls(queues[0], check_name("task", task), queues[1])
        raise InvalidArgument(f"not [queue, task, results]: {brief(feed, 80)}")


class Feeds(Part):
    """All of them, by the worker that announced them; and what comes of their tasks, by the tasks' origin."""

    def __init__(
        self,
        lanes: Lanes,
        intake: Intake,
        items: Items,
        origins: Origins,
        presence: Presence,
        random_bytes: Callable[[int], bytes],
        report: Callable[..., None],
    ) -> None:
        self._lanes, self._intake, self._items, self._origins = lanes, intake, items, origins
        self._presence, self._random_bytes, self._report = presence, random_bytes, report
        self._of: dict[bytes, list[Feed]] = {}
        self._has_more = False  # items that could be tasks were put off

    def closed(self, session: Session, now: Now) -> None:
        if self._presence.is_serving(session):
            self.forget(session.node)

    def node_lost(self, node: bytes, now: Now) -> bool:
        self.forget(node)
        return False

    def announce(self, node: bytes, feeds: list[Feed], account: Account | None = None) -> None:
        """Raises InvalidArgument or QuotaExceeded when there are too many names: what ``run`` needs is made here, at one worker's cost."""
        for feed in feeds:
            self._lanes.lane(feed.queue, feed.task, account)
            self._origins.number(feed.queue, feed.results, account)
        if feeds:
            self._of[node] = feeds
        else:
            self._of.pop(node, None)

    def forget(self, node: bytes) -> None:
        """This worker is not connected."""
        self._of.pop(node, None)

    def has_more(self) -> bool:
        return self._has_more

    def give_out(self, now: Now) -> None:
        """Make tasks of the first items, as many as there is room for, and time: the rest in the next transaction."""
        work = Work()
        self._has_more = False
        for feed in dict.fromkeys(feed for feeds in self._of.values() for feed in feeds):
            lane = self._lanes.lane(feed.queue, feed.task)
            queue = self._items.by_name.get(feed.queue)
            if queue is None or not queue.waiting or lane.queue.paused:
                continue
            if not work.is_left:
                self._has_more = True
                break
            room = READY_MAX - lane.counts[StateNumber.READY]
            payloads: list[bytes] = []
            while work.is_left and (some := self._items.take_first(queue, min(room, ITEMS_AT_ONCE))):
                payloads += some
                room -= len(some)
                work.gave(len(some), sum(map(len, some)))
            tasks = [
                [id_of_moment(now.wall, self._random_bytes), CALL_BEGINS + payload + CALL_ENDS]
                for payload in payloads
            ]
            if tasks:
                origin = self._origins.number(feed.queue, feed.results)
                self._intake.take_in(lane, OPTIONS, tasks, origin)

    def ended(self, tasks: Sequence[Ended], now: Now) -> None:
        """Tasks that were items have ended: their results are put if they succeeded, and the items are done."""
        for id, _, _, state, body, origin in tasks:
            if origin is None:
                continue
            queue, results = self._origins.of(origin)
            if state == StateNumber.SUCCEEDED and results is not None and body is not None:
                self._put(results, body, id)
            if queue is not None:
                self._items.done_quietly(queue)

    def revived(self, origin: int) -> None:
        """A task of this origin that had ended goes on: so does its item."""
        queue, _ = self._origins.of(origin)
        if queue is not None:
            self._items.not_done(queue)

    def _put(self, results: str, body: bytes, id: bytes) -> None:
        try:
            queue = self._items.queue(results)
        except InvalidArgument as error:  # deleted meanwhile, and there are as many as there may be
            self._report(
                "item.result_kept", level="warning", task=show_id(id), queue=results, error=str(error)
            )
        else:
            self._items.add(queue, body)
