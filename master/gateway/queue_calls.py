"""One client's calls of queues, one at a time: from a request to a call of the engine, and from its answer to a reply.

An item that was given out is held by a token until the client sends its next request, or drops its proxy in good order: only
then is it known to have arrived. A connection that ends before that gives it back at once.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol

from ...common.errors import DecodeError, InvalidArgument, TqError
from ...common.runtime.callbacks import Breakable, contained, report_bug
from ...common.values.brief import brief
from ...common.values.codec import encode
from ...common.values.sort_keys import rank
from ..api.validation import TOKEN_BYTES
from ..engine.session import Call, Session
from ..items.items import Items
from ..items.queue import EMPTY, NO_MORE, NOT_PUT, PRIORITY, NewPut
from .context import GatewayContext
from .requests import EXPOSED, GET_VALUE, READS, Creation, QueueRequest
from .writer import RETURN, TRACEBACK, UNSERIALIZABLE, raising, reply, returning

SHUT_DOWN: Final = "the queue was shut down"


class Requester(Breakable, Protocol):
    """The connection whose requests these are."""

    address: str

    def answer(self, body: bytes) -> None:
        """Send a reply. The next request may follow it."""

    def end(self, complaint: str | None = None) -> None: ...
    def unsent_bytes(self) -> int: ...


class _HeldItem(NamedTuple):
    ident: str
    token: bytes


class QueueCalls:
    """The ``Wire`` of its session (see ``master/engine/session.py``), which is opened with the first call."""

    def __init__(self, context: GatewayContext, connection: Requester) -> None:
        self._context, self._connection = context, connection
        self._master, self._items = context.master, context.master.engine.part(Items)
        self._session: Session | None = None
        self.is_busy = False  # a call is not answered yet
        self._timeout: asyncio.TimerHandle | None = None
        self._held: _HeldItem | None = None
        self._call_ids, self._numbers = itertools.count(1), itertools.count(1)
        self._putter = context.random_bytes(TOKEN_BYTES)
        # Of the call under way: how its answer is written, whether the client cannot read it, what a refusal raises there.
        self._write_reply: Callable[[Any], bytes] = _returned
        self._unreadable = False
        self._refused: str | None = None

    # requests in

    def open(self) -> Session:
        if self._session is None:
            self._session = self._context.session(self, self._connection.address)
            self._master.engine.sessions.opened(self._session)
        return self._session

    def create(self, creation: Creation) -> None:
        """Make a queue, or find it, and a reference to it."""

        def made(_: Any) -> bytes:
            return reply(RETURN, (self._context.references.new(creation.queue), EXPOSED))

        def run(call: Call) -> None:
            self._items.queue(creation.queue, creation.kind, creation.maxsize, account=call.session.account)

        self._call(run, made)

    def call(self, request: QueueRequest) -> None:
        if request.method == "put":
            self._put(request)
        elif request.method == "get":
            self._get(request)
        elif request.method == "task_done":
            self._call(
                self._on(request, lambda call, queue: self._items.task_done(queue, 1)), refused="ValueError"
            )
        elif request.method == "shutdown":
            self._call(self._on(request, lambda call, queue: self._items.shut_down(queue, request.immediate)))
        elif request.method == GET_VALUE:
            self._connection.answer(
                reply(UNSERIALIZABLE, "a queue stays with the tq-master; call its methods\n")
            )
        elif request.method == "join":
            self._call(self._on(request, self._items.join))
        else:
            self._call(self._on(request, lambda call, queue: READS[request.method](queue)))

    def _on(self, request: QueueRequest, act: Callable[[Call, Any], Any]) -> Callable[[Call], Any]:
        return lambda call: act(call, self._items.queue(request.queue, account=call.session.account))

    def _put(self, request: QueueRequest) -> None:
        payload, number = encode(request.item, root="item"), next(self._numbers)
        if len(payload) > self._master.engine.limits.payload_bytes_max:
            raise InvalidArgument(f"an item of {len(payload):,} bytes is too large")

        def act(call: Call, queue: Any) -> Any:
            try:
                order = rank(request.item) if queue.kind == PRIORITY else None
            except (TypeError, ValueError) as error:
                return str(error)
            put = NewPut(self._putter, number, payload, order, numbered=False)  # stock clients ask once
            return self._items.put(call, queue, put, request.seconds != 0)

        def written(stored: Any) -> bytes:
            if isinstance(stored, str):
                return raising("TypeError", stored)
            if stored is NOT_PUT:
                return raising("ShutDown", SHUT_DOWN)
            return reply(RETURN, None) if stored else raising("Full")

        self._call(self._on(request, act), written, size_bytes=len(payload))
        self._limit(request, lambda queue: self._items.give_up_put(queue, self._putter, number))

    def _get(self, request: QueueRequest) -> None:
        token = self._context.random_bytes(TOKEN_BYTES)
        self._held = _HeldItem(request.ident, token)
        self._context.references.used(request.ident)

        def written(payload: Any) -> bytes:
            if payload is EMPTY:
                return raising("Empty")
            if payload is NO_MORE:
                return raising("ShutDown", SHUT_DOWN)
            try:
                return returning(payload)
            except DecodeError as error:
                self._unreadable = True
                return reply(UNSERIALIZABLE, f"{error}\n")

        self._call(
            self._on(request, lambda call, queue: self._items.get(call, queue, token, request.seconds != 0)),
            written,
        )
        self._limit(request, lambda queue: self._items.give_up_get(self.open(), queue, token))

    def _limit(self, request: QueueRequest, give_up: Callable[[Any], Any]) -> None:
        """A stock client waits for its answer without end: its timeout passes here."""
        if request.seconds:
            self._timeout = self._master.loop.call_later(
                request.seconds, self._later, lambda: give_up(self._items.queue(request.queue))
            )

    def _call(
        self,
        run: Callable[[Call], Any],
        write: Callable[[Any], bytes] | None = None,
        *,
        size_bytes: int = 0,
        refused: str | None = None,
    ) -> None:
        """Have the engine do it. ``refused``: what the client raises when the engine refuses it."""
        self._master.engine.call(self.open(), next(self._call_ids), run, size_bytes)
        self.is_busy, self._unreadable, self._refused = True, False, refused
        self._write_reply = write or _returned
        self._master.wake()

    # answers out (session.Wire)

    def encode(self, call: Call) -> bytes:
        value, error = call.reply or (None, None)
        if error is None:
            try:
                return self._write_reply(value)
            except Exception as bug:  # or there is no memory: the answers to others have to leave
                report_bug(self._master.report, bug)
                self._unreadable, error = True, TqError(f"the master could not write it: {brief(bug, 200)}")
        if self._refused is not None and isinstance(error, InvalidArgument):
            return raising(self._refused, str(error))
        return reply(TRACEBACK, f"{type(error).__name__}: {error}\n")

    @contained
    def send(self, body: bytes) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None
        self.is_busy = False
        if self._unreadable:
            self._give_back()
        self._connection.answer(body)

    def disconnect(self, reason: str) -> None:
        self._connection.end()

    def unsent_bytes(self) -> int:
        return self._connection.unsent_bytes()

    # items on their way

    def confirm_held(self) -> None:
        """The client asks on: what it was given before has arrived."""
        held, self._held = self._held, None
        session = self._session
        if held is not None and session is not None:
            self._later(lambda: self._items.confirm(session, [held.token]))

    def _give_back(self) -> None:
        held, self._held = self._held, None
        session = self._session
        if held is not None and session is not None:
            self._later(lambda: self._items.release(session, [held.token]))

    def reference_dropped(self, ident: str) -> None:
        if self._held is not None and self._held.ident == ident and not self.is_busy:
            self.confirm_held()

    @contained
    def _later(self, job: Callable[[], Any]) -> None:
        """Do this even if transactions fail: it may be done twice, which for each of these jobs is the same as once."""
        self._master.engine.later(job, again=True)
        self._master.wake()

    # the end

    def close(self) -> None:
        """The connection is closed."""
        if self._timeout is not None:
            self._timeout.cancel()
        session, engine = self._session, self._master.engine
        if session is None:
            return
        # First the session's end: a get that is still parked must not be given the item that comes back.
        engine.note(lambda: engine.sessions.closed(session))
        self._give_back()
        self._master.wake()

    def broke(self, error: Exception) -> None:
        self._connection.broke(error)


def _returned(value: Any) -> bytes:
    return reply(RETURN, value)
