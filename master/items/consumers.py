"""Workers that apply a callable to the items of a queue: items become tasks, results become items. Pure but for the store.

::

    tq-worker --queue jobs --apply mymodule:square --results done

    queue jobs ──a few at a time──► tasks mymodule:square in queue jobs ──success──► queue done

An item becomes a task in the transaction that takes it out of its queue, and from then on has what every task has:
leases, crash counts, post-mortems, `tq why`. The task's row records that it was an item, as its *origin*. The transaction that
ends the task, with any outcome, puts its result and marks the item as done. The number of items that are tasks at one time is
bounded: the others stay items, which other programs may get.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from ...common.domain.ids import id_of_moment, show_id
from ...common.domain.model import StateNumber, TaskOptions, check_name, check_new
from ...common.errors import InvalidArgument
from ...common.values.brief import brief
from ..engine.accounts import Account
from ..engine.clock import Now
from ..engine.core import Core
from ..engine.endings import Ended
from ..engine.part import Part
from ..engine.session import Session
from ..engine.work import Work
from ..tasks.dispatch import Dispatch
from ..tasks.origins import Origins, is_of_flow
from ..tasks.routes import Routes
from .items import Items

READY_MAX: Final = 2_000  # tasks of one consumer that wait: a few hundred milliseconds of the shortest work
ITEMS_AT_ONCE: Final = 16  # taken out of a queue in one read: items may be large
OPTIONS: Final = TaskOptions()  # of every task that was an item
CONSUMERS_MAX: Final = 1_000  # of one worker
# A call with one argument, of which the item is the encoding: [[item], {}] in msgpack.
CALL_BEGINS, CALL_ENDS = b"\x92\x91", b"\x80"


class Consumer(NamedTuple):
    queue: str
    task: str
    results: str | None

    @classmethod
    def from_wire(cls, consumers: Any) -> list[Consumer]:
        """The consumers that a worker announces; raises InvalidArgument."""
        if not isinstance(consumers, list) or len(consumers) > CONSUMERS_MAX:
            raise InvalidArgument(f"apply must be a list of at most {CONSUMERS_MAX:,} [queue, task, results]")
        return [cls._checked(consumer) for consumer in consumers]

    @classmethod
    def _checked(cls, consumer: Any) -> Consumer:
        match consumer:
            case [queue, task, None]:
                return cls(check_new("queue", queue, mine=False), check_name("task", task), None)
            case [queue, task, results]:
                queues = [check_new("queue", name, mine=False) for name in (queue, results)]
                return cls(queues[0], check_name("task", task), queues[1])
        raise InvalidArgument(f"not [queue, task, results]: {brief(consumer, 80)}")


class Consumers(Part):
    """All consumers, by the worker that announced them. Results of their tasks are matched by the tasks' origin."""

    def __init__(
        self, core: Core, routes: Routes, dispatch: Dispatch, items: Items, origins: Origins
    ) -> None:
        self._routes, self._dispatch, self._items, self._origins = routes, dispatch, items, origins
        self._presence, self._random_bytes, self._report = core.presence, core.random_bytes, core.report
        self._shard = core.shard.number
        self._of: dict[bytes, list[Consumer]] = {}
        self._has_more = False  # items that could become tasks are left for the next transaction

    def closed(self, session: Session, now: Now) -> None:
        if self._presence.is_serving(session):  # else the worker has announced itself on a newer connection
            self.forget(session.node)

    def node_lost(self, node: bytes, now: Now) -> bool:
        self.forget(node)
        return False

    def announce(self, node: bytes, consumers: list[Consumer], account: Account | None = None) -> None:
        """Raises InvalidArgument or QuotaExceeded when there are too many names. Routes and origins are created here and not
        in ``give_out``, so that the worker's own key pays for them and ``give_out`` cannot fail."""
        for consumer in consumers:
            self._routes.route(consumer.queue, consumer.task, account)
            self._origins.number(consumer.queue, consumer.results, account)
        if consumers:
            self._of[node] = consumers
        else:
            self._of.pop(node, None)

    def forget(self, node: bytes) -> None:
        """The worker is no longer connected."""
        self._of.pop(node, None)

    def has_more(self) -> bool:
        return self._has_more

    def give_out(self, now: Now) -> None:
        """Turn the first items of each queue into tasks, within the room and the share of this transaction; the rest follow in the next."""
        work = Work()
        self._has_more = False
        for consumer in dict.fromkeys(consumer for consumers in self._of.values() for consumer in consumers):
            route = self._routes.route(consumer.queue, consumer.task)
            queue = self._items.by_name.get(consumer.queue)
            if queue is None or not self._items.deliveries.gives(queue):
                continue
            if not work.is_left:
                self._has_more = True
                break
            # Only what is ready counts: tasks that wait for a retry must not keep others from becoming tasks.
            room = READY_MAX - route.counts[StateNumber.READY]
            payloads: list[bytes] = []
            while work.is_left and (
                some := self._items.deliveries.take_first(queue, min(room, ITEMS_AT_ONCE))
            ):
                payloads += some
                room -= len(some)
                work.gave(len(some), sum(map(len, some)))
            if payloads:
                origin = self._origins.number(consumer.queue, consumer.results)
                first = id_of_moment(now.wall, self._random_bytes, len(payloads), self._shard)
                calls = [CALL_BEGINS + payload + CALL_ENDS for payload in payloads]
                self._dispatch.submit_own(route, OPTIONS, [(first, calls)], origin)

    def ended(self, tasks: Sequence[Ended], now: Now) -> None:
        """Of tasks that were items: put the results of those that succeeded, and mark all the items as done."""
        for run, _, _, state, bodies, origin in tasks:
            if origin is None or is_of_flow(origin):
                continue
            queue, results = self._origins.of(origin)
            if state == StateNumber.SUCCEEDED and results is not None:
                for id, body in zip(run.ids(), bodies, strict=True):
                    if body is not None:
                        self._put(results, body, id)
            if queue is not None:
                for _ in range(run.length):
                    self._items.unfinished.item_done(queue)

    def revived(self, origin: int, state: int) -> None:
        """A task of this origin that had ended is ready again: its item is unfinished again."""
        if is_of_flow(origin):
            return
        queue, _ = self._origins.of(origin)
        if queue is not None:
            self._items.unfinished.item_revived(queue)

    def _put(self, results: str, body: bytes, id: bytes) -> None:
        try:
            queue = self._items.queue(results)
        except (
            InvalidArgument
        ) as error:  # the queue was deleted meanwhile, and the number of queues is at its limit
            self._report(
                "item.result_kept", level="warning", task=show_id(id), queue=results, error=str(error)
            )
        else:
            self._items.add(queue, body)
