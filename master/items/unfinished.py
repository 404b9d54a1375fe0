"""Unfinished items of each queue: those that were put and are not marked as done. ``join`` waits for them. Pure but for the store."""

from __future__ import annotations

from ...common.errors import InvalidArgument
from ..engine.accounts import Account
from ..engine.released import Released
from ..engine.session import LATER, Call
from ..store.interface.items import ItemStore
from .names import QueueNames
from .put_numbers import PutNumbers
from .queue import ItemQueueState


class Unfinished:
    """Counts unfinished items, and writes the rows of queues that changed in this transaction."""

    def __init__(self, store: ItemStore, names: QueueNames, numbers: PutNumbers, released: Released) -> None:
        self._store, self._names, self._numbers, self._released = store, names, numbers, released
        self._changed: set[ItemQueueState] = set()  # in this transaction

    def changed(self, queue: ItemQueueState) -> None:
        """Have the row of a queue written in ``write``."""
        self._changed.add(queue)

    def added(self, queue: ItemQueueState) -> None:
        """An item was put."""
        queue.unfinished += 1
        self._changed.add(queue)

    def item_done(self, name: str) -> None:
        """Mark one item as done, unless a program has marked it before."""
        queue = self._names.by_name.get(name)
        if queue is not None and queue.unfinished:
            self.task_done(queue, 1)

    def item_revived(self, name: str) -> None:
        """One item that was done is unfinished again: its task is ready again."""
        queue = self._names.by_name.get(name)
        if queue is not None:
            self.added(queue)

    def task_done(self, queue: ItemQueueState, count: int) -> None:
        if count > queue.unfinished:
            raise InvalidArgument("task_done() called too many times")
        queue.unfinished -= count
        self._changed.add(queue)
        if not queue.unfinished:
            self._released.answer_all(queue.joiners, None)
            queue.joiners.clear()

    def task_done_once(
        self, queue: ItemQueueState, putter: bytes, number: int, count: int, account: Account
    ) -> None:
        """As ``task_done``, numbered as puts are, because the call may be repeated."""
        if not self._numbers.is_known(queue.number, putter, number):
            self._numbers.check_room(queue.number, putter, account)
            self.task_done(queue, count)
            self._numbers.remember(queue.number, putter, number, account)

    def join(self, call: Call, queue: ItemQueueState) -> object:
        """Answered when every item that was put is marked as done."""
        if not queue.unfinished:
            return None
        queue.joiners[call] = None
        call.abandon = lambda: queue.joiners.pop(call, None)
        return LATER

    def forget(self, queue: ItemQueueState) -> None:
        """The queue is being deleted."""
        self._changed.discard(queue)

    def write(self) -> None:
        for queue in self._changed:
            self._store.set_queue(queue.number, queue.unfinished, queue.shut)
        self._changed.clear()

    def void(self) -> None:
        self._changed.clear()
