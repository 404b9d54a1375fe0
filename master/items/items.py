"""Plain values in named queues: who gets what, in which order, and what happens when a taker vanishes.

::

    put ─► a get that waits, else the queue;   full: parked until there is room, or refused
    get ─► the first item, now *held* by the get's token ─► confirm: it is gone
                │ the taker's connection is gone for longer than the grace, or it gives up
                └─► it stands again where it stood

A ``get`` names itself by a random token. Asked again with the same token, after a lost connection, it is
given the same item; so an item is neither lost nor given twice by what happens on the wire. A ``put`` has a
number, which grows with each of its putter: one that comes twice is taken once. So has a ``task_done``.

Invariants: 1. an item is waiting or held by exactly one token; 2. ``waiting`` of each queue equals the
store's at every commit; 3. no get is parked while an item waits, unless the queue is paused, and no put while there
is room; 4. an answer leaves after the commit it rests on, as for every call.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Final

from ...common.domain.model import check_new
from ...common.errors import InvalidArgument
from ..engine.clock import Now
from ..engine.session import LATER, Call, Session
from ..store.interface.items import NewItem
from ..store.interface.store import Store
from .lost_items import Holder, LostItems
from .put_numbers import PutNumbers
from .queue import (
    DRAINED,
    EMPTY,
    FIFO,
    FULL,
    LIFO,
    NO_MORE,
    NOT_PUT,
    OPEN,
    PRIORITY,
    SHUT,
    Getter,
    ItemQueue,
    NewPut,
    Putter,
    conflict,
)

TOKEN_BYTES: Final = 16
QUEUES_MAX: Final = 100_000
NUMBER_MAX: Final = 2**62
LAST_RANK: Final = b"\xff"  # above every kind of common/values/sort_keys.py


class Items:
    """All item queues of one master. ``grace_ms``: how long a taker whose connection is gone may stay away."""

    def __init__(
        self,
        store: Store,
        *,
        lease_ms: int,
        grace_ms: int,
        is_paused: Callable[[str], bool],
        deleted: Callable[[str], None],
    ) -> None:
        self._store, self._lease_ms, self._grace_ms = store, lease_ms, grace_ms
        self._is_paused, self._deleted = is_paused, deleted
        self.by_name: dict[str, ItemQueue] = {}
        self._by_number: dict[int, ItemQueue] = {}
        self._holders: dict[bytes, Holder] = {}  # by token
        self._lost = LostItems(store.items)
        self._numbers = PutNumbers(store.items)
        self._last_seq = 0
        self._absent: dict[bytes, int] = {}  # node: monotonic ms at which what it holds is given back
        self._nodes: dict[bytes, int] = {}  # open sessions of each
        # of the transaction under way
        self._new: list[NewItem] = []
        self._counted: set[ItemQueue] = set()

    def load(self, now: Now) -> None:
        """Take the store's picture. Parked calls stay: their sessions are as open as before."""
        picture = self._store.items.load()
        before, self.by_name = self.by_name, {}
        self._by_number.clear()
        for row in picture.queues:
            queue = before.get(row.name) or ItemQueue(row.queue, row.name, row.kind, row.maxsize)
            queue.restore(row)
            self.by_name[row.name] = self._by_number[row.queue] = queue
        self._holders = {row.token: Holder(row.queue, row.node) for row in picture.held}
        self._numbers.load(picture.putters)
        self._last_seq = max(self._last_seq, picture.last_seq)  # no number is used twice: see ``_lost``
        self.forget()
        owners = {queue.owner for queue in self.by_name.values() if queue.owner is not None}
        for node in {*(holder.node for holder in self._holders.values()), *owners}:
            if node not in self._nodes:
                self._absent.setdefault(node, now.mono + self._lease_ms)

    # queues

    def queue(
        self, name: str, kind: str | None = None, maxsize: int = 0, owner: bytes | None = None
    ) -> ItemQueue:
        """The queue of a name, made on first use (fifo, unless told). InvalidArgument when it is there with another
        kind or size than is asked for."""
        queue = self.by_name.get(name)
        if queue is None:
            check_new("queue", name, owner is not None)
            if len(self.by_name) >= QUEUES_MAX:
                raise InvalidArgument(f"there are {QUEUES_MAX:,} item queues already; use fewer names")
            number = self._store.items.add_queue(name, kind or FIFO, maxsize, owner)
            queue = ItemQueue(number, name, kind or FIFO, maxsize, owner=owner)
            self.by_name[name] = self._by_number[number] = queue
        elif kind is not None and (queue.kind, queue.maxsize) != (kind, maxsize):
            raise InvalidArgument(
                f"queue {name!r} is {queue.kind} with maxsize={queue.maxsize}, not {kind} with maxsize={maxsize}; "
                "give the same, or use another name"
            )
        return queue

    # in

    def put(self, call: Call, queue: ItemQueue, put: NewPut, wait: bool) -> object:
        """True once it is stored; False when the queue is full and ``wait`` is false, else it waits for room; None when
        it is shut; text that says why it cannot be ordered among what is there."""
        if put.numbered and self._numbers.is_known(queue.number, put.putter, put.number):
            return True
        if queue.shut:
            return NOT_PUT
        if queue.is_full or queue.putters:
            if not wait:
                return FULL
            call.hold(len(put.payload))
            putter = Putter(put, call)
            queue.putters.append(putter)
            call.abandon = lambda: queue.putters.remove(putter)
            return LATER
        return self._accept(queue, put)

    def give_up_put(self, queue: ItemQueue, author: bytes, number: int) -> bool:
        """A put waits no longer; whether it was stored after all."""
        for putter in queue.putters:
            if (putter.put.putter, putter.put.number) == (author, number):
                queue.putters.remove(putter)
                putter.call.abandon = None
                putter.call.answer(FULL)
                return False
        return self._numbers.is_known(queue.number, author, number)

    def _accept(self, queue: ItemQueue, put: NewPut) -> object:
        if queue.kind == PRIORITY:
            self._write()
            told = conflict(queue.name, put.rank, partial(self._store.items.neighbours, queue.number))
            if told is not None:
                return told
        if put.numbered:
            self._numbers.remember(queue.number, put.putter, put.number)
        self._add(queue, put.payload, put.rank)
        return True

    def add(self, queue: ItemQueue, payload: bytes) -> None:
        """An item that the master itself puts: a full or shut queue takes it, too, for it is a result of work. One
        without a rank is the last."""
        self._add(queue, payload, LAST_RANK)

    def take_first(self, queue: ItemQueue, limit: int) -> list[bytes]:
        """The payloads of the first items, which are the caller's from now on."""
        if limit <= 0 or not queue.waiting or self._is_paused(queue.name):
            return []
        self._write()
        payloads = self._store.items.take_first(queue.number, limit)
        queue.waiting -= len(payloads)
        self._admit(queue)
        return payloads

    def done_quietly(self, name: str) -> None:
        """One item is done, unless a program has told so before."""
        queue = self.by_name.get(name)
        if queue is not None and queue.unfinished:
            self.task_done(queue, 1)

    def not_done(self, name: str) -> None:
        """One item that was done is not: its task goes on."""
        queue = self.by_name.get(name)
        if queue is not None:
            queue.unfinished += 1
            self._counted.add(queue)

    def _add(self, queue: ItemQueue, payload: bytes, rank: bytes | None) -> None:
        """One more item: to whoever waits for one, else into the queue."""
        self._last_seq += 1
        place: bytes | int = 0
        if queue.kind == PRIORITY and rank is not None:
            place = rank
        elif queue.kind == LIFO:
            place = -self._last_seq
        queue.unfinished += 1
        self._counted.add(queue)
        if queue.getters and not self._is_paused(
            queue.name
        ):  # nothing waits: this is the first, whatever its rank
            token, call = queue.getters.popleft()
            node = call.session.node
            self._new.append(NewItem(self._last_seq, queue.number, place, token, node, payload))
            self._holders[token] = Holder(queue.number, node)
            call.abandon = None
            call.answer(payload)
        else:
            self._new.append(NewItem(self._last_seq, queue.number, place, None, None, payload))
            queue.waiting += 1

    # out

    def get(self, call: Call, queue: ItemQueue, token: bytes, wait: bool) -> object:
        """The payload of the first item; None when there is none and ``wait`` is false; False when there will be none;
        else waits for one."""
        if token in self._holders:  # asked again
            self._write()
            return self._store.items.held(token)
        if not queue.waiting or self._is_paused(queue.name):
            if queue.shut and not queue.waiting:
                return NO_MORE
            if not wait:
                return EMPTY
            getter = Getter(token, call)
            queue.getters.append(getter)
            call.abandon = lambda: queue.getters.remove(getter)
            return LATER
        self._write()
        payload = self._store.items.take(queue.number, token, call.session.node)
        self._holders[token] = Holder(queue.number, call.session.node)
        queue.waiting -= 1
        self._admit(queue)
        return payload

    def give_up_get(self, queue: ItemQueue, token: bytes) -> object:
        """A get waits no longer; the payload if it was given one after all."""
        if token in self._holders:
            self._write()
            return self._store.items.held(token)
        queue.end_get(token)
        return EMPTY

    def confirm(self, session: Session, tokens: list[bytes]) -> None:
        """These items have arrived: they are gone, also those that were given back meanwhile and still wait. A token nobody
        knows was confirmed before, or is too late."""
        mine = self._held_by(session, tokens)
        self._write()
        for number in self._lost.arrived(session.node, tokens):
            queue = self._by_number[number]
            queue.waiting -= 1
            self._admit(queue)
        self._store.items.delete(mine)
        for token in mine:
            del self._holders[token]

    def release(self, session: Session, tokens: list[bytes], queue: ItemQueue | None = None) -> None:
        """These items are not wanted: they stand again where they stood. ``queue``: nor does any of these tokens' gets
        wait there any longer."""
        if queue is not None and queue.getters:
            for token in tokens:
                queue.end_get(token)
        self._give_back(self._held_by(session, tokens))

    def _held_by(self, session: Session, tokens: list[bytes]) -> list[bytes]:
        return [
            token
            for token in dict.fromkeys(tokens)
            if (holder := self._holders.get(token)) is not None and holder.node == session.node
        ]

    def _give_back(self, tokens: list[bytes]) -> None:
        self._write()
        back = {token: self._by_number[self._holders.pop(token).queue] for token in tokens}
        self._store.items.delete([token for token, queue in back.items() if queue.shut == DRAINED])
        self._store.items.release([token for token, queue in back.items() if queue.shut != DRAINED])
        for queue in back.values():
            if queue.shut == DRAINED:
                self.task_done(queue, min(1, queue.unfinished))
            else:
                queue.waiting += 1
                self._serve(queue)

    def _serve(self, queue: ItemQueue) -> None:
        """Items wait again: those who wait for them first."""
        if self._is_paused(queue.name):
            return
        while queue.waiting and queue.getters:
            token, call = queue.getters.popleft()
            payload = self._store.items.take(queue.number, token, call.session.node)
            self._holders[token] = Holder(queue.number, call.session.node)
            queue.waiting -= 1
            call.abandon = None
            call.answer(payload)

    def _admit(self, queue: ItemQueue) -> None:
        """There is room: those who wait for it, in order."""
        while queue.putters and not queue.is_full:
            putter = queue.putters.popleft()
            putter.call.abandon = None
            putter.call.answer(self._accept(queue, putter.put))

    # operators

    def resumed(self, name: str) -> None:
        """It is not paused any more: those who wait for its items, then those who wait for room."""
        queue = self.by_name.get(name)
        if queue is not None:
            self._serve(queue)
            self._admit(queue)
            self._turn_away(queue)

    def taken(self) -> Counter[int]:
        """How many items of each queue, by its number, are held."""
        return Counter(holder.queue for holder in self._holders.values())

    # shut down, and done

    def shut_down(self, queue: ItemQueue, immediate: bool) -> None:
        """No more puts; no more gets once it is empty, which it is now if ``immediate``. Twice is as once."""
        queue.shut = max(queue.shut, DRAINED if immediate else SHUT)
        self._counted.add(queue)
        for putter in queue.putters:
            putter.call.abandon = None
            putter.call.answer(NOT_PUT)
        queue.putters.clear()
        if immediate and queue.waiting:
            self._write()
            self._store.items.drop_waiting(queue.number)
            dropped, queue.waiting = queue.waiting, 0
            self.task_done(queue, min(dropped, queue.unfinished))
        self._turn_away(queue)

    def _turn_away(self, queue: ItemQueue) -> None:
        """Those who wait for items of a queue that is shut and has none."""
        if queue.shut and not queue.waiting:
            for getter in queue.getters:
                getter.call.abandon = None
                getter.call.answer(NO_MORE)
            queue.getters.clear()

    def reopen(self, queue: ItemQueue) -> None:
        queue.shut = OPEN
        self._counted.add(queue)

    def task_done(self, queue: ItemQueue, count: int) -> None:
        if count > queue.unfinished:
            raise InvalidArgument("task_done() called too many times")
        queue.unfinished -= count
        self._counted.add(queue)
        if not queue.unfinished:
            for call in queue.joiners:
                call.abandon = None
                call.answer(None)
            queue.joiners.clear()

    def task_done_once(self, queue: ItemQueue, putter: bytes, number: int, count: int) -> None:
        """As ``task_done``, numbered as puts are: it may come again."""
        if not self._numbers.is_known(queue.number, putter, number):
            self.task_done(queue, count)
            self._numbers.remember(queue.number, putter, number)

    def join(self, call: Call, queue: ItemQueue) -> object:
        """Answered when everything put has been told done."""
        if not queue.unfinished:
            return None
        queue.joiners.append(call)
        call.abandon = lambda: queue.joiners.remove(call)
        return LATER

    # takers come and go

    def opened(self, session: Session) -> None:
        self._nodes[session.node] = self._nodes.get(session.node, 0) + 1
        self._absent.pop(session.node, None)

    def closed(self, session: Session, now: Now) -> None:
        left = self._nodes.get(session.node, 0) - 1
        if left > 0:
            self._nodes[session.node] = left
            return
        self._nodes.pop(session.node, None)
        owns = any(queue.owner == session.node for queue in self.by_name.values())
        if owns or any(holder.node == session.node for holder in self._holders.values()):
            self._absent[session.node] = now.mono + self._grace_ms

    def deadlines(self) -> list[int]:
        """When the absent are given up, monotonic ms."""
        return list(self._absent.values())

    def stalled(self, missed_ms: int) -> None:
        """This process stood still: nobody is blamed for that time."""
        for node in self._absent:
            self._absent[node] += missed_ms

    def tick(self, now: Now) -> None:
        """What the absent held is given back, and what they owned is gone."""
        for node in [node for node, moment in self._absent.items() if now.mono >= moment]:
            held = {token: holder for token, holder in self._holders.items() if holder.node == node}
            self._lost.remember(held)
            self._give_back(list(held))
            for queue in [queue for queue in self.by_name.values() if queue.owner == node]:
                self.drop(queue, "is gone with the program that made it")
            del self._absent[node]
        self._numbers.tick(now)

    def drop(self, queue: ItemQueue, why: str) -> None:
        """It and what is in it; ``why`` is told to those who still wait there."""
        gone = InvalidArgument(f"queue {queue.name!r} {why}")
        calls = [*(one.call for one in queue.getters), *(one.call for one in queue.putters), *queue.joiners]
        for call in calls:
            call.abandon = None
            call.refuse(gone)
        self._write()
        self._counted.discard(queue)
        self._numbers.drop(queue.number)
        self._store.items.drop_queue(queue.number)
        self._holders = {
            token: holder for token, holder in self._holders.items() if holder.queue != queue.number
        }
        del self.by_name[queue.name], self._by_number[queue.number]
        self._deleted(queue.name)

    # one transaction

    def settle(self, now: Now) -> None:
        """Write what was put and counted."""
        self._write()
        self._numbers.write(now)
        for queue in self._counted:
            self._store.items.set_queue(queue.number, queue.unfinished, queue.shut)
        self._counted.clear()

    def forget(self) -> None:
        """The transaction failed: nothing of it remains."""
        self._new.clear()
        self._numbers.void()
        self._counted.clear()

    def _write(self) -> None:
        """New items into the store: before anything is read from it."""
        if self._new:
            self._store.items.put(self._new)
            self._new.clear()
