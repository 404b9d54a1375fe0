"""Which get receives which item: items are handed to gets in order, held by the gets' tokens, confirmed, or returned.

A ``get`` that finds no item is parked. What makes an item available, a put, a return, or a resumed queue, calls ``serve``; a put
into an empty queue hands its item to a parked get at once (``next_getter``, ``hand_over``). An item that leaves a queue makes room for
parked puts, which ``items.py`` accepts. In one transaction a bounded number is given and accepted: see ``engine/portions.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Final

from ...common.errors import InvalidArgument
from ..engine.accounts import Resource
from ..engine.agenda import Agenda
from ..engine.clock import Now
from ..engine.part import Part
from ..engine.portions import Portions
from ..engine.released import Released
from ..engine.session import LATER, Call, Session
from ..store.interface.items import HeldItemRow, ItemStore
from .holders import Holder, Holders
from .lost_items import LostItems
from .names import QueueNames
from .new_items import NewItems, Taker
from .queue import DRAINED, EMPTY, NO_MORE, Getter, ItemQueueState
from .traffic import ItemTraffic
from .unfinished import Unfinished

SERVE: Final = "serve"  # the key of ``Deliveries.due``


class Deliveries(Part):
    """The gets of all item queues, and the items they hold. ``room_made`` is called when an item has left a queue."""

    name = "items for gets that wait"

    def __init__(
        self,
        store: ItemStore,
        agenda: Agenda,
        released: Released,
        names: QueueNames,
        new: NewItems,
        unfinished: Unfinished,
        traffic: ItemTraffic,
        *,
        is_paused: Callable[[str], bool],
        room_made: Callable[[ItemQueueState], None],
    ) -> None:
        self._store, self._names, self._released = store, names, released
        self._new, self._unfinished, self._traffic = new, unfinished, traffic
        self._is_paused, self._room_made = is_paused, room_made
        self._holders = Holders()
        self._lost = LostItems(store)
        self.portions = Portions[ItemQueueState](
            lambda is_left: agenda.set(self, SERVE, 0 if is_left else None)
        )

    def restore(self, held: Iterable[HeldItemRow]) -> None:
        """Take the store's held items, once the queues are loaded. Parked gets stay: their sessions are still open."""
        self._holders.load((row.token, Holder(row.queue, row.node)) for row in held)
        queues = self._names.by_name.values()
        self.portions.load(
            [one for one in queues if (one.waiting and one.getters) or (one.putters and not one.is_full)]
        )

    @property
    def nodes(self) -> Iterable[bytes]:
        """The nodes that hold items."""
        return self._holders.nodes

    # gets

    def get(self, call: Call, queue: ItemQueueState, token: bytes, wait: bool) -> object:
        """The payload of the first item; None when the queue is empty and ``wait`` is false; False when it is empty and shut;
        else the call waits for an item."""
        holder = Holder(queue.number, call.session.node)
        if self._holders.holds(token, holder):  # a repeated get
            self._new.write()
            return self._store.held(token)
        if token in self._holders:
            raise InvalidArgument("this token holds another item already: each get has one of its own")
        # Behind the look for a repeated get: what is held already is not refused.
        call.session.account.check(Resource.HELD, 1)
        # Those that wait go first: their items are theirs in the next transaction.
        if not self.gives(queue) or queue.waiting <= len(queue.getters):
            if queue.shut and not queue.waiting:
                return NO_MORE
            if not wait:
                return EMPTY
            queue.park_get(Getter(token, call))
            return LATER
        self._new.write()
        payload = self._store.take(queue.number, token, call.session.node)
        self._holders.hold(token, holder, call.session.account)
        queue.waiting -= 1
        self._room_made(queue)
        return payload

    def gives(self, queue: ItemQueueState) -> bool:
        """Whether it has an item that may be given: a paused queue gives nothing."""
        return queue.waiting > 0 and not self._is_paused(queue.name)

    def give_up_get(self, session: Session, queue: ItemQueueState, token: bytes) -> object:
        """End a parked get; the payload if it was given an item after all."""
        if self._holders.holds(token, Holder(queue.number, session.node)):
            self._new.write()
            return self._store.held(token)
        queue.end_get(token)
        return EMPTY

    def take_first(self, queue: ItemQueueState, limit: int) -> list[bytes]:
        """Remove the first items; returns their payloads."""
        if limit <= 0 or not self.gives(queue):
            return []
        self._new.write()
        payloads = self._store.take_first(queue.number, limit)
        queue.waiting -= len(payloads)
        self._traffic.went(queue, len(payloads))
        self._room_made(queue)
        return payloads

    # held items

    def confirm(self, session: Session, tokens: list[bytes]) -> None:
        """Delete these items, also those that were returned to their queue meanwhile and still wait there. An unknown token was
        confirmed before, or comes too late."""
        mine = self._holders.among(tokens, session.node)
        self._new.write()
        # An item that returned to its queue and was not given to another get is deleted there: it was processed after all.
        for number in self._lost.arrived(session.node, tokens):
            queue = self._names.by_number[number]
            queue.waiting -= 1
            self._traffic.went(queue)
            self._room_made(queue)
        self._store.delete(mine)
        for token in mine:
            self._traffic.went(self._names.by_number[self._holders.end(token).queue])

    def release(self, session: Session, tokens: list[bytes], queue: ItemQueueState | None = None) -> None:
        """Return these items to their former places. ``queue``: also end the gets that are parked there with one of these
        tokens."""
        if queue is not None:
            for token in tokens:
                queue.end_get(token)
        self._give_back(self._holders.among(tokens, session.node))

    def return_lost(self, node: bytes, limit: int) -> int:
        """Return up to ``limit`` items of a lost node to their queues; how many there were."""
        held = {token: self._holders[token] for token in self._holders.of_node(node)[:limit]}
        # First: a row that is given back has no token by which to find it.
        self._lost.remember(held)
        self._give_back(list(held))
        return len(held)

    def taken(self, queue: ItemQueueState) -> int:
        """How many of its items are held."""
        return self._holders.count(queue.number)

    def forget(self, queue: ItemQueueState) -> None:
        """The queue is being deleted: its items are not held any more."""
        for token in self._holders.of_queue(queue.number):
            self._holders.end(token)

    def _give_back(self, tokens: list[bytes]) -> None:
        self._new.write()
        back = {token: self._names.by_number[self._holders.end(token).queue] for token in tokens}
        self._store.delete([token for token, queue in back.items() if queue.shut == DRAINED])
        self._store.release([token for token, queue in back.items() if queue.shut != DRAINED])
        for queue in back.values():
            if queue.shut == DRAINED:
                # A program may have marked it already, while it still held it.
                self._unfinished.task_done(queue, min(1, queue.unfinished))
            else:
                queue.waiting += 1
                self.serve(queue)

    # parked gets

    def serve(self, queue: ItemQueueState) -> None:
        """Hand waiting items to parked gets, in order, and the room that they leave to parked puts."""
        while queue.getters and self.gives(queue):
            if not self.portions.is_left:
                self.portions.later(queue)
                break
            getter = self.next_getter(queue)
            if getter is None:
                break
            token, call = getter
            payload = self._store.take(queue.number, token, call.session.node)
            self._holders.hold(token, Holder(queue.number, call.session.node), call.session.account)
            queue.waiting -= 1
            self.portions.gave(len(payload))
            call.answer(payload)
        self._room_made(queue)

    def next_getter(self, queue: ItemQueueState) -> Getter | None:
        """Remove and return the get that was parked first, unless the queue is paused."""
        while queue.getters and not self._is_paused(queue.name):
            _, getter = queue.getters.popitem(last=False)
            getter.call.abandon = None
            if getter.token not in self._holders:
                return getter
            getter.call.answer(EMPTY)  # two gets with one token: a dishonest peer
        return None

    def hand_over(self, queue: ItemQueueState, getter: Getter, payload: bytes) -> Taker:
        """Answer a get with a new item of a queue that has no other."""
        token, call = getter
        node = call.session.node
        self._holders.hold(token, Holder(queue.number, node), call.session.account)
        self.portions.gave(len(payload))
        call.answer(payload)
        return Taker(token, node)

    def refuse_parked_gets(self, queue: ItemQueueState) -> None:
        """End the parked gets of a queue that is shut and empty."""
        if queue.shut and not queue.waiting:
            self._released.answer_all([getter.call for getter in queue.getters.values()], NO_MORE)
            queue.getters.clear()

    # one transaction

    def begin(self) -> None:
        self.portions.begin()

    def due(self, key: Hashable, now: Now) -> None:
        """Serve the calls for which the last transaction had no room."""
        self.portions.serve(self._serve_turn)

    def _serve_turn(self, queue: ItemQueueState) -> None:
        if self._names.by_name.get(queue.name) is queue:  # it may have been deleted since
            self.serve(queue)
            self.refuse_parked_gets(queue)
