"""Plain values in named queues: which get receives which item, and what happens when the node that holds an item is lost.

::

    put ─► a parked get, else the queue;   full: parked until there is room, or refused
    get ─► the first item, now *held* by the get's token ─► confirm: it is deleted
                │ the node is lost (absent for longer than the grace), or releases the item
                └─► the item takes its former place in the queue

A ``get`` names itself by a random token. Repeated with the same token after a lost connection, it receives
the same item: a failure on the wire neither loses an item nor delivers it twice. A ``put`` has a
number that grows with each put of its putter: a repeated put is stored once. A ``task_done`` likewise.

Invariants: 1. an item is waiting or held by exactly one token; 2. ``waiting`` of each queue equals the
store's at every commit; 3. no get is parked while an item waits, and no put while there is room, unless the queue is paused or the
next transaction serves it; 4. an answer is sent after the commit it depends on, as for every call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from ...common.errors import InvalidArgument, TqError
from ..engine.accounts import Account
from ..engine.agenda import Agenda
from ..engine.clock import Now
from ..engine.part import Part
from ..engine.presence import Presence
from ..engine.refusals import voids
from ..engine.released import Released
from ..engine.session import LATER, Call, Session
from ..store.interface.items import PeekedItem
from ..store.interface.store import Picture, Store
from .deliveries import Deliveries
from .names import QueueNames
from .new_items import NewItems
from .put_numbers import PutNumbers
from .queue import (
    DRAINED,
    FULL,
    NOT_PUT,
    OPEN,
    PRIORITY,
    SHUT,
    ItemQueueState,
    NewPut,
    Putter,
    check_rank,
    conflict,
)
from .traffic import ItemTraffic
from .unfinished import Unfinished

ENDED_AT_ONCE: Final = 1_000  # items returned, and queues deleted with their owner, in one transaction
LAST_RANK: Final = b"\xff"  # above every kind of common/values/sort_keys.py


class Items(Part):
    """All item queues of one master, and the puts into them. ``deliveries`` has the gets, ``unfinished`` the counts for ``join``."""

    def __init__(
        self,
        store: Store,
        presence: Presence,
        agenda: Agenda,
        released: Released,
        numbers: PutNumbers,
        *,
        is_paused: Callable[[str], bool],
        deleted: Callable[[str], None],
    ) -> None:
        self._store, self._presence, self._numbers = store, presence, numbers
        self._deleted, self._released = deleted, released
        self._names = QueueNames(store.items)
        self.by_name, self._owned, self.queue = self._names.by_name, self._names.owned, self._names.get
        self._new, self.traffic = NewItems(store.items), ItemTraffic()
        self.unfinished = Unfinished(store.items, self._names, numbers, released)
        self.deliveries = Deliveries(
            store.items,
            agenda,
            released,
            self._names,
            self._new,
            self.unfinished,
            self.traffic,
            is_paused=is_paused,
            room_made=self._accept_parked_puts,
        )
        # The calls of an item queue go to this part, whichever collaborator performs them.
        self.get, self.give_up_get = self.deliveries.get, self.deliveries.give_up_get
        self.confirm, self.release = self.deliveries.confirm, self.deliveries.release
        self.task_done, self.task_done_once = self.unfinished.task_done, self.unfinished.task_done_once
        self.join = self.unfinished.join
        self._room = ENDED_AT_ONCE  # what is left of it in this transaction

    def load(self, _: Picture, now: Now) -> None:
        """Parked calls stay: their sessions are still open."""
        picture = self._store.items.load()
        self._names.load(picture.queues)
        self.deliveries.restore(picture.held)
        self._numbers.take_over(picture.putters, now)
        self._new.load(picture.last_seq)
        for node in {*self.deliveries.nodes, *self._owned}:
            self._presence.expect(node, now)

    # puts

    def put(self, call: Call, queue: ItemQueueState, put: NewPut, wait: bool) -> object:
        """True once the item is stored; False when the queue is full and ``wait`` is false, else the call waits for room; None when
        the queue is shut; a text when the item cannot be ordered among those that wait."""
        # Before the look at the queue: what was stored is stored, though the queue is full or shut by now.
        if put.numbered and self._numbers.is_known(queue.number, put.putter, put.number):
            return True
        if queue.shut:
            return NOT_PUT
        check_rank(queue.kind, put.rank)
        if put.numbered:
            self._numbers.check_room(queue.number, put.putter, call.session.account)
        if queue.is_full or queue.putters:  # those that wait go first
            if not wait:
                return FULL
            call.hold(len(put.payload))
            queue.park_put(Putter(put, call))
            return LATER
        return self._accept(queue, put, call.session.account)

    def give_up_put(self, queue: ItemQueueState, author: bytes, number: int) -> bool:
        """End a parked put; whether it was stored after all."""
        putter = queue.putters.pop((author, number), None)
        if putter is not None:
            putter.call.abandon = None
            putter.call.answer(FULL)
            return False
        return self._numbers.is_known(queue.number, author, number)

    def _accept(self, queue: ItemQueueState, put: NewPut, account: Account) -> object:
        if queue.kind == PRIORITY and put.rank is not None:
            self._new.write()
            reason = conflict(queue.name, put.rank, partial(self._store.items.neighbours, queue.number))
            if reason is not None:
                return reason
        if put.numbered:
            self._numbers.remember(queue.number, put.putter, put.number, account)
        self._add(queue, put.payload, put.rank)
        return True

    def add(self, queue: ItemQueueState, payload: bytes) -> None:
        """Put an item of the master's own: a full or shut queue accepts it too, because it is a result of finished work. In a
        priority queue it comes last."""
        self._add(queue, payload, LAST_RANK)

    def _add(self, queue: ItemQueueState, payload: bytes, rank: bytes | None) -> None:
        """Hand a new item to a parked get, else add it to the queue."""
        self.unfinished.added(queue)
        self.traffic.came(queue)
        if queue.waiting and queue.getters:
            self.deliveries.portions.later(queue)
        getter = None if queue.waiting else self.deliveries.next_getter(queue)
        if getter is None:
            self._new.add(queue, payload, rank, None)
            queue.waiting += 1
        else:  # the queue is empty, so this item is the first regardless of its rank
            self._new.add(queue, payload, rank, self.deliveries.hand_over(queue, getter, payload))

    def _accept_parked_puts(self, queue: ItemQueueState) -> None:
        """Accept parked puts while there is room, in order: as many as were taken out in this transaction, or as it has time for."""
        while queue.putters and not queue.is_full:
            if not self.deliveries.portions.is_left:
                self.deliveries.portions.later(queue)
                return
            self.deliveries.portions.gave()
            _, putter = queue.putters.popitem(last=False)
            putter.call.abandon = None
            try:
                putter.call.answer(self._accept(queue, putter.put, putter.call.session.account))
            except TqError as error:
                if voids(error):
                    raise
                putter.call.refuse(error)  # an error of that put, and not of the call that made room

    def peek(self, queue: ItemQueueState, limit: int, bytes_max: int) -> list[PeekedItem]:
        """The first items that no get holds, which stay where they are. ``bytes_max``: of the payloads of all of them; what is larger than
        its share comes without."""
        self._new.write()
        return self._store.items.first(queue.number, limit, bytes_max // limit)

    # whole queues

    def resumed(self, name: str) -> None:
        """The queue is no longer paused: serve parked gets, then accept parked puts."""
        queue = self.by_name.get(name)
        if queue is not None:
            self.deliveries.serve(queue)
            self.deliveries.refuse_parked_gets(queue)

    def shut_down(self, queue: ItemQueueState, immediate: bool) -> None:
        """Accept no more puts, and no more gets once the queue is empty; ``immediate`` empties it now. Idempotent."""
        queue.shut = max(queue.shut, DRAINED if immediate else SHUT)
        self.unfinished.changed(queue)
        self._released.answer_all([putter.call for putter in queue.putters.values()], NOT_PUT)
        queue.putters.clear()
        if immediate and queue.waiting:
            self._new.write()
            self._store.items.drop_waiting(queue.number)
            dropped, queue.waiting = queue.waiting, 0
            self.unfinished.task_done(queue, min(dropped, queue.unfinished))
        self.deliveries.refuse_parked_gets(queue)

    def reopen(self, queue: ItemQueueState) -> None:
        queue.shut = OPEN
        self.unfinished.changed(queue)

    def drop(self, queue: ItemQueueState, why: str) -> None:
        """Delete a queue and its items; calls that still wait there are refused with ``why``."""
        gone = InvalidArgument(f"queue {queue.name!r} {why}")
        self._released.answer_all(queue.parked_calls(), gone)
        self._new.write()  # so that the store deletes them with the queue
        self.unfinished.forget(queue)
        self._numbers.drop(queue.number)
        self._store.items.drop_queue(queue.number)
        self.deliveries.forget(queue)
        self._names.forget(queue)
        self._deleted(queue.name)

    # lost nodes

    def begin(self) -> None:
        self._room = ENDED_AT_ONCE

    def holds(self, node: bytes) -> bool:
        return node in self._owned or node in self.deliveries.nodes

    def node_lost(self, node: bytes, now: Now) -> bool:
        """Return what the node held and delete the queues it owned, a bounded number in one transaction."""
        if self._room <= 0:
            return True
        returned = self.deliveries.return_lost(node, self._room)
        owned = list(self._owned.get(node, ()))[: self._room - returned]
        for queue in owned:
            self.drop(queue, "is gone with the program that made it")
        self._room -= returned + len(owned) + 1  # a node counts, too: many may be lost at once
        return self._room <= 0 or self.holds(node)

    # one transaction

    def settle(self, now: Now) -> None:
        """Write new items and changed counts."""
        self._new.write()
        self.unfinished.write()
        self.traffic.settle(now)

    def void(self) -> Iterable[Session]:
        self._new.void()
        self.unfinished.void()
        self.traffic.void()
        return ()
