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
store's at every commit; 3. no get is parked while an item waits, unless the queue is paused or the next transaction serves it, and no
put while there is room; 4. an answer is sent after the commit it depends on, as for every call.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from functools import partial
from typing import Final

from ...common.errors import InvalidArgument, StoreError, TqError
from ..engine.accounts import Account, Resource
from ..engine.agenda import Agenda
from ..engine.clock import Now
from ..engine.part import Part
from ..engine.presence import Presence
from ..engine.session import LATER, Call, Session
from ..store.interface.items import NewItem
from ..store.interface.store import Picture, Store
from .holders import Holder, Holders
from .lost_items import LostItems
from .names import QueueNames
from .put_numbers import PutNumbers
from .queue import (
    DRAINED,
    EMPTY,
    FULL,
    LIFO,
    NO_MORE,
    NOT_PUT,
    OPEN,
    PRIORITY,
    SHUT,
    Getter,
    ItemQueueState,
    NewPut,
    Putter,
    check_rank,
    conflict,
)

ENDED_AT_ONCE: Final = 1_000  # items returned, and queues deleted with their owner, in one transaction
SERVED_BYTES_MAX: Final = 8 * 1024 * 1024  # of items handed to parked gets in one transaction
SERVE: Final = "serve"  # the key of ``Items.due``
LAST_RANK: Final = b"\xff"  # above every kind of common/values/sort_keys.py


class Items(Part):
    """All item queues of one master."""

    name = "items for gets that wait"

    def __init__(
        self,
        store: Store,
        presence: Presence,
        agenda: Agenda,
        numbers: PutNumbers,
        *,
        is_paused: Callable[[str], bool],
        deleted: Callable[[str], None],
    ) -> None:
        self._store, self._presence, self._agenda, self._numbers = store, presence, agenda, numbers
        self._is_paused, self._deleted = is_paused, deleted
        self._names = QueueNames(store.items)
        self.by_name, self._by_number = self._names.by_name, self._names.by_number
        self.queue = self._names.get
        self._holders = Holders()
        self._owned = self._names.owned
        self._lost = LostItems(store.items)
        self._last_seq = 0
        self._room = ENDED_AT_ONCE  # what is left of it in this transaction
        # of this transaction
        self._new: list[NewItem] = []
        self._counted: set[ItemQueueState] = set()
        self._served_bytes = 0
        self._unserved: dict[
            ItemQueueState, None
        ] = {}  # have items for parked gets: served in the next transaction

    def load(self, _: Picture, now: Now) -> None:
        """Parked calls stay: their sessions are still open."""
        picture = self._store.items.load()
        self._names.load(picture.queues)
        self._holders.load((row.token, Holder(row.queue, row.node)) for row in picture.held)
        self._numbers.take_over(picture.putters, now)
        self._last_seq = max(self._last_seq, picture.last_seq)  # no number is used twice: see ``_lost``
        self._unserved = {one: None for one in self.by_name.values() if one.waiting and one.getters}
        self._agenda.set(self, SERVE, 0 if self._unserved else None)
        for node in {*self._holders.nodes, *self._owned}:
            self._presence.expect(node, now)

    # in

    def put(self, call: Call, queue: ItemQueueState, put: NewPut, wait: bool) -> object:
        """True once the item is stored; False when the queue is full and ``wait`` is false, else the call waits for room; None when
        the queue is shut; a text when the item cannot be ordered among those that wait."""
        if put.numbered and self._numbers.is_known(queue.number, put.putter, put.number):
            return True
        if queue.shut:
            return NOT_PUT
        check_rank(queue.kind, put.rank)
        if put.numbered:
            self._numbers.check_room(queue.number, put.putter, call.session.account)
        if queue.is_full or queue.putters:
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
            self._write()
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

    def take_first(self, queue: ItemQueueState, limit: int) -> list[bytes]:
        """Remove the first items; returns their payloads."""
        if limit <= 0 or not queue.waiting or self._is_paused(queue.name):
            return []
        self._write()
        payloads = self._store.items.take_first(queue.number, limit)
        queue.waiting -= len(payloads)
        self._accept_parked_puts(queue)
        return payloads

    def item_done(self, name: str) -> None:
        """Mark one item as done, unless a program has marked it before."""
        queue = self.by_name.get(name)
        if queue is not None and queue.unfinished:
            self.task_done(queue, 1)

    def item_revived(self, name: str) -> None:
        """One item that was done is unfinished again: its task is ready again."""
        queue = self.by_name.get(name)
        if queue is not None:
            queue.unfinished += 1
            self._counted.add(queue)

    def _add(self, queue: ItemQueueState, payload: bytes, rank: bytes | None) -> None:
        """Hand a new item to a parked get, else add it to the queue."""
        self._last_seq += 1
        place: bytes | int = 0
        if queue.kind == PRIORITY and rank is not None:
            place = rank
        elif queue.kind == LIFO:
            place = -self._last_seq
        queue.unfinished += 1
        self._counted.add(queue)
        if queue.waiting and queue.getters:
            self._serve_later(queue)
        getter = None if queue.waiting or self._is_paused(queue.name) else self._next_getter(queue)
        if getter is not None:  # the queue is empty, so this item is the first regardless of its rank
            token, call = getter
            node = call.session.node
            self._new.append(NewItem(self._last_seq, queue.number, place, token, node, payload))
            self._holders.hold(token, Holder(queue.number, node), call.session.account)
            call.answer(payload)
        else:
            self._new.append(NewItem(self._last_seq, queue.number, place, None, None, payload))
            queue.waiting += 1

    # out

    def get(self, call: Call, queue: ItemQueueState, token: bytes, wait: bool) -> object:
        """The payload of the first item; None when the queue is empty and ``wait`` is false; False when it is empty and shut;
        else the call waits for an item."""
        holder = Holder(queue.number, call.session.node)
        if self._holders.holds(token, holder):  # a repeated get
            self._write()
            return self._store.items.held(token)
        if token in self._holders:
            raise InvalidArgument("this token holds another item already: each get has one of its own")
        call.session.account.check(Resource.HELD, 1)
        if not queue.waiting or self._is_paused(queue.name):
            if queue.shut and not queue.waiting:
                return NO_MORE
            if not wait:
                return EMPTY
            queue.park_get(Getter(token, call))
            return LATER
        self._write()
        payload = self._store.items.take(queue.number, token, call.session.node)
        self._holders.hold(token, holder, call.session.account)
        queue.waiting -= 1
        self._accept_parked_puts(queue)
        return payload

    def give_up_get(self, session: Session, queue: ItemQueueState, token: bytes) -> object:
        """End a parked get; the payload if it was given an item after all."""
        if self._holders.holds(token, Holder(queue.number, session.node)):
            self._write()
            return self._store.items.held(token)
        queue.end_get(token)
        return EMPTY

    def confirm(self, session: Session, tokens: list[bytes]) -> None:
        """Delete these items, also those that were returned to their queue meanwhile and still wait there. An unknown token was
        confirmed before, or comes too late."""
        mine = self._holders.among(tokens, session.node)
        self._write()
        for number in self._lost.arrived(session.node, tokens):
            queue = self._by_number[number]
            queue.waiting -= 1
            self._accept_parked_puts(queue)
        self._store.items.delete(mine)
        for token in mine:
            self._holders.end(token)

    def release(self, session: Session, tokens: list[bytes], queue: ItemQueueState | None = None) -> None:
        """Return these items to their former places. ``queue``: also end the gets that are parked there with one of these
        tokens."""
        if queue is not None:
            for token in tokens:
                queue.end_get(token)
        self._give_back(self._holders.among(tokens, session.node))

    def _give_back(self, tokens: list[bytes]) -> None:
        self._write()
        back = {token: self._by_number[self._holders.end(token).queue] for token in tokens}
        self._store.items.delete([token for token, queue in back.items() if queue.shut == DRAINED])
        self._store.items.release([token for token, queue in back.items() if queue.shut != DRAINED])
        for queue in back.values():
            if queue.shut == DRAINED:
                self.task_done(queue, min(1, queue.unfinished))
            else:
                queue.waiting += 1
                self._serve(queue)

    def _serve(self, queue: ItemQueueState) -> None:
        """Hand waiting items to parked gets, in order."""
        if self._is_paused(queue.name):
            return
        while queue.waiting and queue.getters:
            if self._served_bytes >= SERVED_BYTES_MAX:
                self._serve_later(queue)
                return
            getter = self._next_getter(queue)
            if getter is None:
                return
            token, call = getter
            payload = self._store.items.take(queue.number, token, call.session.node)
            self._holders.hold(token, Holder(queue.number, call.session.node), call.session.account)
            queue.waiting -= 1
            self._served_bytes += len(payload)
            call.answer(payload)

    def _next_getter(self, queue: ItemQueueState) -> Getter | None:
        """Remove and return the get that was parked first."""
        while queue.getters:
            _, getter = queue.getters.popitem(last=False)
            getter.call.abandon = None
            if getter.token not in self._holders:
                return getter
            getter.call.answer(EMPTY)  # two gets with one token: a dishonest peer
        return None

    def _accept_parked_puts(self, queue: ItemQueueState) -> None:
        """Accept parked puts while there is room, in order."""
        while queue.putters and not queue.is_full:
            _, putter = queue.putters.popitem(last=False)
            putter.call.abandon = None
            try:
                putter.call.answer(self._accept(queue, putter.put, putter.call.session.account))
            except StoreError:
                raise
            except TqError as error:  # an error of that put, and not of the call that made room
                putter.call.refuse(error)

    # operators

    def resumed(self, name: str) -> None:
        """The queue is no longer paused: serve parked gets, then accept parked puts."""
        queue = self.by_name.get(name)
        if queue is not None:
            self._serve(queue)
            self._accept_parked_puts(queue)
            self._refuse_parked_gets(queue)

    def taken(self, queue: ItemQueueState) -> int:
        """How many of its items are held."""
        return self._holders.count(queue.number)

    # shut down, and done

    def shut_down(self, queue: ItemQueueState, immediate: bool) -> None:
        """Accept no more puts, and no more gets once the queue is empty; ``immediate`` empties it now. Idempotent."""
        queue.shut = max(queue.shut, DRAINED if immediate else SHUT)
        self._counted.add(queue)
        for putter in queue.putters.values():
            putter.call.abandon = None
            putter.call.answer(NOT_PUT)
        queue.putters.clear()
        if immediate and queue.waiting:
            self._write()
            self._store.items.drop_waiting(queue.number)
            dropped, queue.waiting = queue.waiting, 0
            self.task_done(queue, min(dropped, queue.unfinished))
        self._refuse_parked_gets(queue)

    def _refuse_parked_gets(self, queue: ItemQueueState) -> None:
        """End the parked gets of a queue that is shut and empty."""
        if queue.shut and not queue.waiting:
            for getter in queue.getters.values():
                getter.call.abandon = None
                getter.call.answer(NO_MORE)
            queue.getters.clear()

    def reopen(self, queue: ItemQueueState) -> None:
        queue.shut = OPEN
        self._counted.add(queue)

    def task_done(self, queue: ItemQueueState, count: int) -> None:
        if count > queue.unfinished:
            raise InvalidArgument("task_done() called too many times")
        queue.unfinished -= count
        self._counted.add(queue)
        if not queue.unfinished:
            for call in queue.joiners:
                call.abandon = None
                call.answer(None)
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

    # lost nodes

    def begin(self) -> None:
        self._room, self._served_bytes = ENDED_AT_ONCE, 0

    def holds(self, node: bytes) -> bool:
        return node in self._owned or node in self._holders.nodes

    def node_lost(self, node: bytes, now: Now) -> bool:
        """Return what the node held and delete the queues it owned, a bounded number in one transaction."""
        if self._room <= 0:
            return True
        held = {token: self._holders[token] for token in self._holders.of_node(node)[: self._room]}
        self._lost.remember(held)
        self._give_back(list(held))
        owned = list(self._owned.get(node, ()))[: self._room - len(held)]
        for queue in owned:
            self.drop(queue, "is gone with the program that made it")
        self._room -= len(held) + len(owned) + 1
        return self._room <= 0 or self.holds(node)

    def due(self, key: Hashable, now: Now) -> None:
        """Serve the parked gets for which the last transaction had no room."""
        unserved, self._unserved = self._unserved, {}
        for queue in unserved:
            if self.by_name.get(queue.name) is queue:
                self._serve(queue)
                self._refuse_parked_gets(queue)

    def _serve_later(self, queue: ItemQueueState) -> None:
        self._unserved[queue] = None
        self._agenda.set(self, SERVE, 0)

    def drop(self, queue: ItemQueueState, why: str) -> None:
        """Delete a queue and its items; calls that still wait there are refused with ``why``."""
        gone = InvalidArgument(f"queue {queue.name!r} {why}")
        for call in queue.parked_calls():
            call.abandon = None
            call.refuse(gone)
        self._write()
        self._counted.discard(queue)
        self._numbers.drop(queue.number)
        self._store.items.drop_queue(queue.number)
        for token in self._holders.of_queue(queue.number):
            self._holders.end(token)
        self._names.forget(queue)
        self._deleted(queue.name)

    # one transaction

    def settle(self, now: Now) -> None:
        """Write new items and changed counts."""
        self._write()
        for queue in self._counted:
            self._store.items.set_queue(queue.number, queue.unfinished, queue.shut)
        self._counted.clear()

    def void(self) -> Iterable[Session]:
        self._new.clear()
        self._counted.clear()
        return ()

    def _write(self) -> None:
        """Write new items to the store. Called before every read of items, so that the read sees them."""
        if self._new:
            self._store.items.put(self._new)
            self._new.clear()
