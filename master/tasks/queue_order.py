"""In which order the tasks of a queue start: by priority and age, the newest first, or by priority with what waiting adds to it.

::

    tq queues set ─► the row of the queue ─► its lanes stand in line again, to be looked up in the new order
    aging: a period begins ─► all that waits has one step more than what is submitted from now on ─► the same

No task's row is written for it: the store finds what comes first by priority, number and the time of its submit (``LaneOrder``). With aging the
time is cut into periods, in which nothing changes, so places in line stay true for that long; a task of priority p that was submitted n
periods before one of priority q is before it if p + n > q, and if p + n = q among its equals.

Law: what is submitted ``(q - p) * aging`` later with priority q is not before a task of priority p, but for the turns of tenants.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Final

from ...common.domain.durations import DELAY_SECONDS_MAX, check_number
from ...common.errors import InvalidArgument
from ...common.values.brief import brief
from ..engine.agenda import Agenda, Clock
from ..engine.clock import Now
from ..engine.long_calls import LongCalls
from ..engine.part import Part
from ..store.interface.store import Picture, Store
from .route import Queue
from .routes import Routes

FIFO, LIFO = "fifo", "lifo"
AGING_SECONDS_MIN: Final = 1.0  # a period is looked at when it begins, with all lanes that wait
PORTION: Final = 50  # lanes that are one item of a long call
LANES_AT_ONCE: Final = 20_000  # in one transaction


class QueueOrder(Part):
    name = "what waiting adds to priorities"

    def __init__(self, store: Store, routes: Routes, agenda: Agenda, long_calls: LongCalls) -> None:
        self._store, self._routes, self._agenda, self._long_calls = store, routes, agenda, long_calls

    def load(self, picture: Picture, now: Now) -> None:
        for queue in self._routes.queues.values():
            self._begin_period(queue, now)

    def set(self, name: str, order: str | None, aging: float | None, now: Now) -> None:
        """``order``, and seconds of waiting that count as one step of priority, 0: it does not count; None: as it is. Raises
        InvalidArgument."""
        queue = self._routes.queue(name)
        if order not in (None, FIFO, LIFO):
            raise InvalidArgument(f"order={brief(order)} is unknown; it is 'fifo' or 'lifo'")
        if aging:
            check_number("aging", aging, AGING_SECONDS_MIN, DELAY_SECONDS_MAX)
        is_lifo = queue.is_lifo if order is None else order == LIFO
        ms = queue.aging if aging is None else int(aging * 1000)
        if is_lifo and ms:
            raise InvalidArgument(
                "with aging what has waited longest goes first, with order='lifo' what came last: a queue has one of them; "
                f"tq queues set {name} --order fifo --aging 10min, or --order lifo --aging 0s"
            )
        self._store.order_queue(name, is_lifo, ms)
        bases = [lane for lane in queue.ready if lane.is_base]
        queue.ordered(is_lifo=is_lifo, aging=ms)
        self._begin_period(queue, now)
        for lane in bases:  # whether they stand in line depends on it
            lane.place = None
            self._routes.is_ready(lane)
        self._look_again(queue, now)

    def due(self, key: Hashable, now: Now) -> None:
        """A period begins."""
        queue = self._routes.queues.get(str(key))
        if queue is not None and queue.aging:
            self._begin_period(queue, now)
            self._look_again(queue, now)

    def _begin_period(self, queue: Queue, now: Now) -> None:
        queue.period = now.steady // queue.aging if queue.aging else 0
        upto = (queue.period + 1) * queue.aging if queue.aging else None
        self._agenda.set(self, queue.name, upto, Clock.STEADY)

    def _look_again(self, queue: Queue, now: Now) -> None:
        # Their numbers: after a failed transaction there are other objects of them. Tasks of mixed arrays go by priority and age.
        lanes = [lane.number for lane in queue.ready if lane.is_in_line and not lane.key.is_mixed]
        portions = [lanes[start : start + PORTION] for start in range(0, len(lanes), PORTION)]
        owner, most = (QueueOrder, queue.name), LANES_AT_ONCE // PORTION
        self._long_calls.perform(None, portions, self._ready, now, most=most, owner=owner)

    def _ready(self, portions: Sequence[Sequence[int]], now: Now) -> None:
        for number in (number for portion in portions for number in portion):
            lane = self._routes.by_number.get(number)
            if lane is not None and lane.ready and not lane.struck:
                self._routes.lanes.ready(lane)
