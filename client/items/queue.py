"""A durable queue of plain values with the interface of ``queue.Queue``: the queue proxies of the managers.

``put`` returns when the item is stored. Each ``get`` carries a random token, under which the master leases the item to it
until the confirmation. The confirmation follows at once; ``get`` does not wait for it, and it is repeated until the master
has it. If this process dies in between, another consumer gets the item a few seconds later. So no item is lost, and a
confirmed item never comes again.
"""

from __future__ import annotations

import os
import queue
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from ...common.contract.items import QueueSize
from ...common.contract.rows import from_wire
from ...common.errors import DecodeError, InvalidArgument, NotSerializable, StoreError
from ...common.values.codec import decode, encode
from ...common.values.references import Reference
from ...common.values.sort_keys import rank
from ..core.deadlines import GIVE_UP_SECONDS, deadline_in, pause_before, rest_of
from ..core.numbering import NumberedCallers
from ..core.pickling import MasterAddress, master_address_of, session_to

if TYPE_CHECKING:
    from ..core.session import ClientSession

TOKEN_BYTES: Final = 16
UNKNOWN: Final = object()  # the result of a put whose answer did not come
SILENT: Final = "the master did not answer in time; the item may still be stored when it does: is tq-master running there?"

if sys.version_info >= (3, 13):
    from queue import ShutDown
else:

    class ShutDown(Exception):
        """Raised by put and get of a queue that was shut down; ``queue.ShutDown`` where the running Python has that."""


class SimpleQueue:
    """One queue by its name, with what ``queue.SimpleQueue`` has. Threads may share it. ``kind``: fifo, lifo or priority."""

    def __init__(
        self,
        session: ClientSession,
        name: str,
        kind: str | None = None,
        maxsize: int = 0,
        *,
        mine: bool = False,
    ) -> None:
        self._session, self._target = session, ("get_queue", name, kind, max(0, maxsize), mine)
        self._kind = kind
        self._putters = NumberedCallers()
        if mine:  # created now, because another process may use the proxy before this one does
            self._now("make")

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrived, (master_address_of(self._session), type(self), *self._target[1:4])

    def _tq_reference(self) -> Reference:
        """Its form inside values."""
        return Reference("queue", (type(self).__name__, *self._target[1:4]), self._session.cluster_id())

    def __repr__(self) -> str:
        return f"<tq.{type(self).__name__} {self._target[1]!r}>"

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Put an item; it is stored when this returns. It never blocks for room, so ``block`` and ``timeout`` have no
        effect.

        Raises NotSerializable, with the path, for a value that cannot be sent; StoreError when the master cannot store it.
        """
        self._put(item, True, None)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Wait for the next item and return it. Raises queue.Empty as the standard library's queue does, and ShutDown when
        the queue was shut down and is empty."""
        token, item = self._get(block, timeout)
        self._start_until_done("confirm", [token])
        return item

    def put_nowait(self, item: Any) -> None:
        self.put(item, block=False)

    def get_nowait(self) -> Any:
        return self.get(block=False)

    def qsize(self) -> int:
        return self._size().waiting

    def empty(self) -> bool:
        return self.qsize() == 0

    # beyond the standard library's queues

    @contextmanager
    def lease(self, timeout: float | None = None) -> Iterator[Any]:
        """``with q.lease() as item:`` removes the item when the block succeeds, and returns it to the queue when the block
        raises or its process dies: every item is processed at least once."""
        token, item = self._get(True, timeout)
        try:
            yield item
        except BaseException:
            self._start_until_done("release", [token])
            raise
        self._session.confirmed(self._start_until_done("confirm", [token]))

    # inside

    def _put(self, item: Any, block: bool, timeout: float | None) -> None:
        deadline = _deadline(block, timeout)
        ordered = self._is_priority(block, deadline)
        payload = _of_ordered(item) if ordered else encode(item, root="item")
        order = rank(item) if ordered else None
        # Numbered, so that a put repeated after a lost connection stores its item once.
        putter = self._putters.take()
        name, number = putter.name, next(putter.numbers)
        answer = self._ask("put", name, number, payload, block, order)
        try:
            stored = self._waited(answer, block, deadline)
        except TimeoutError:
            stored = self._given_up("give_up_put", UNKNOWN, name, number)
        except BaseException:
            # Ctrl-C: the item must not be stored after the caller was interrupted, if we can prevent it.
            self._start_until_done("give_up_put", name, number)
            raise
        if stored is not UNKNOWN:
            self._putters.give_back(putter)
        if isinstance(stored, str):
            raise TypeError(stored)
        if stored is None:
            raise ShutDown
        if stored is UNKNOWN:
            raise queue.Full(SILENT)
        if stored is not True:
            raise queue.Full

    def _get(self, block: bool, timeout: float | None) -> tuple[bytes, Any]:
        deadline = _deadline(block, timeout)
        # A repeated get with the same token gets the same item, not a second one.
        token = os.urandom(TOKEN_BYTES)
        try:
            payload = self._payload(token, block, deadline)
        except BaseException:  # Ctrl-C: an item already under way to us returns to the queue
            self._start_until_done("release", [token])
            raise
        if payload is None:
            raise queue.Empty
        if payload is False:
            raise ShutDown
        try:
            return token, decode(payload)
        except DecodeError:  # another consumer may be able to decode it
            self._start_until_done("release", [token])
            raise

    def _payload(self, token: bytes, block: bool, deadline: float | None) -> Any:
        while True:
            answer = self._ask("get", token, block)
            try:
                return self._waited(answer, block, deadline)
            except StoreError:  # the shared transaction failed; trying again with the same token is safe
                if not pause_before(deadline):
                    raise
            except TimeoutError:
                return self._given_up("give_up_get", None, token)

    def _given_up(self, method: str, otherwise: Any, *args: Any) -> Any:
        """The timeout has passed: returns the master's result of the call, or ``otherwise`` if it does not answer."""
        try:
            return self._start_until_done(method, *args).result(GIVE_UP_SECONDS)
        except TimeoutError:
            if method == "give_up_get":
                self._start_until_done("release", [args[0]])
            return otherwise

    def _is_priority(self, block: bool, deadline: float | None) -> bool:
        if self._kind is None:
            if deadline is not None:  # the caller's timeout is for room in the queue, not for this call
                deadline = max(deadline, time.monotonic() + GIVE_UP_SECONDS)
            try:
                answer = self._waited(self._ask("size"), block, deadline)
                self._kind = from_wire(QueueSize, answer).kind
            except TimeoutError:
                raise queue.Full from None
        return self._kind == "priority"

    def _size(self) -> QueueSize:
        return from_wire(QueueSize, self._now("size"))

    def _waited(self, answer: Future[Any], block: bool, deadline: float | None) -> Any:
        """The answer to a call that the master may park. A non-blocking call does not wait for an absent master, either."""
        return answer.result(rest_of(deadline)) if block else self._session.answer_of(answer)

    def _now(self, method: str, *args: Any) -> Any:
        """The answer to a call that the master answers at once."""
        return self._session.answer_of(self._ask(method, *args))

    def _ask(self, method: str, *args: Any) -> Future[Any]:
        return self._session.start_call(self._target, method, *args)

    def _start_until_done(self, method: str, *args: Any) -> Future[Any]:
        """Repeated until it is done: no caller would see its failure."""
        return self._session.start_until_done(self._target, method, *args)


class ItemQueue(SimpleQueue):
    """A queue with the full interface of ``queue.Queue`` and its variants."""

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Put an item; it is stored when this returns. Raises queue.Full as the standard library's queue does, and
        ShutDown when the queue was shut down.

        Raises NotSerializable, with the path, for a value that cannot be sent; TypeError for an item that a priority queue
        cannot compare with its other items; StoreError when the master cannot store it.
        """
        self._put(item, block, timeout)

    def full(self) -> bool:
        size = self._size()
        return 0 < size.maxsize <= size.waiting

    def task_done(self) -> None:
        """Mark one taken item as done. Raises ValueError when more items are marked done than were put."""
        putter = self._putters.take()
        try:
            self._now("task_done", putter.name, next(putter.numbers))
        except InvalidArgument as error:
            self._putters.give_back(putter)
            raise ValueError(str(error)) from None
        self._putters.give_back(putter)

    def join(self) -> None:
        """Wait until every item that was put is marked done."""
        self._ask("join").result()

    def shutdown(self, immediate: bool = False) -> None:
        """Shut the queue down: ``put`` raises ShutDown, and so does ``get`` once the queue is empty; waiting calls wake up.

        ``immediate``: the queue is emptied, each item counts as done, and a returned item is dropped. As in Python 3.13,
        but for every program that uses the queue, and across restarts of the master: see ``reopen``.
        """
        self._now("shutdown", immediate)

    def reopen(self) -> None:
        """Undo ``shutdown``: items can be put again. The standard library's queues have no equivalent."""
        self._now("reopen")


def _arrived(address: MasterAddress, kind: type[SimpleQueue], *arguments: Any) -> SimpleQueue:
    """An unpickled queue. It is not created here, so it still belongs to the program that made it."""
    return kind(session_to(address), *arguments)


def _of_ordered(item: Any) -> bytes:
    """An item of a priority queue. One of a class of the caller's own, such as a dataclass that has an order, is refused with what to
    put instead."""
    try:
        return encode(item, root="item")
    except NotSerializable as error:
        if error.path != "item" or type(item).__module__ == "builtins":
            raise
        remedy = "put (priority, data): what orders it, and then its fields as plain data"
        raise NotSerializable(error.path, error.kind, remedy) from None


def _deadline(block: bool, timeout: float | None) -> float | None:
    if not block or timeout is None:
        return None
    if timeout < 0:
        raise ValueError("'timeout' must be a non-negative number")
    return deadline_in(timeout)
