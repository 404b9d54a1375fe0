"""One client's calls of queues, one at a time: from a request to a call of the engine, and from its answer to a reply.

Over one connection a client calls whatever queues it has; each call goes to the engine of its queue's shard. A shard that goes to another master
while the connection is open ends the call that waits there, with where it goes, and nothing else.

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
from ..engine.session import Call, Session, Wire
from ..items.items import Items
from ..items.queue import EMPTY, NO_MORE, NOT_PUT, PRIORITY, NewPut
from ..net.server import MasterServer
from .context import GatewayContext
from .requests import EXPOSED, GET_VALUE, READS, Creation, QueueRequest
from .writer import RETURN, TRACEBACK, UNSERIALIZABLE, raising, reply, returning

SHUT_DOWN: Final = "the queue was shut down"


class Requester(Breakable, Protocol):
    """The connection whose requests these are."""

    address: str  # of the client
    reached_at: str  # the host by which it has come

    def answer(self, body: bytes) -> None:
        """Send a reply. The next request may follow it."""

    def end(self, complaint: str | None = None) -> None: ...
    def unsent_bytes(self) -> int: ...


class _Side:
    """What is of one shard: the ``Wire`` of the session there (see ``master/engine/session.py``)."""

    def __init__(self, calls: QueueCalls, server: MasterServer, session: Callable[[Wire], Session]) -> None:
        self._calls, self.server, self.items = calls, server, server.engine.part(Items)
        self.session = session(self)

    def encode(self, call: Call) -> bytes:
        return self._calls.encode(call)

    def send(self, body: bytes) -> None:
        self._calls.send(body)

    def disconnect(self, reason: str) -> None:
        self._calls.disconnected(self)

    def unsent_bytes(self) -> int:
        return self._calls.unsent_bytes()


class _HeldItem(NamedTuple):
    ident: str
    token: bytes
    side: _Side


class QueueCalls:
    """It has a session with each shard, opened with the first call there."""

    def __init__(self, context: GatewayContext, connection: Requester) -> None:
        self._context, self._connection = context, connection
        self._loop, self._report = context.port.loop, context.port.report
        self._sides: dict[MasterServer, _Side] = {}
        self.is_busy = False  # a call is not answered yet
        self._asked: _Side | None = None  # where it is, or the one before was
        self._queue = ""  # of that call
        self._timeout: asyncio.TimerHandle | None = None
        self._held: _HeldItem | None = None
        self._call_ids, self._numbers = itertools.count(1), itertools.count(1)
        self._putter = context.random_bytes(TOKEN_BYTES)
        # Of the call under way: how its answer is written, whether the client cannot read it, what a refusal raises there.
        self._write_reply: Callable[[Any], bytes] = _returned
        self._unreadable = False
        self._refused: str | None = None

    # requests in

    def open(self) -> None:
        """It will call: from now on it is seen as connected."""
        server = self._context.any_server()
        if server is not None:
            self._open(server)

    def _open(self, server: MasterServer) -> _Side:
        side = self._sides.get(server)
        if side is None:
            side = self._sides[server] = _Side(
                self, server, lambda wire: self._context.session(server, wire, self._connection.address)
            )
            server.engine.sessions.opened(side.session)
        return side

    def _at(self, queue: str) -> _Side:
        """Where a queue is. Raises InvalidArgument when that is not here."""
        self._queue = queue
        return self._open(self._context.server_of(queue, self._connection.reached_at))

    def create(self, creation: Creation) -> None:
        """Make a queue, or find it, and a reference to it."""
        side = self._at(creation.queue)

        def made(_: Any) -> bytes:
            return reply(RETURN, (self._context.references.new(creation.queue), EXPOSED))

        def run(call: Call) -> None:
            side.items.queue(creation.queue, creation.kind, creation.maxsize, account=call.session.account)

        self._call(side, run, made)

    def call(self, request: QueueRequest) -> None:
        side = self._at(request.queue)
        items = side.items
        if request.method == "put":
            self._put(side, request)
        elif request.method == "get":
            self._get(side, request)
        elif request.method == "task_done":
            self._call(
                side, _on(side, request, lambda call, queue: items.task_done(queue, 1)), refused="ValueError"
            )
        elif request.method == "shutdown":
            self._call(
                side, _on(side, request, lambda call, queue: items.shut_down(queue, request.immediate))
            )
        elif request.method == GET_VALUE:
            self._connection.answer(
                reply(UNSERIALIZABLE, "a queue stays with the tq-master; call its methods\n")
            )
        elif request.method == "join":
            self._call(side, _on(side, request, items.join))
        else:
            self._call(side, _on(side, request, lambda call, queue: READS[request.method](queue)))

    def _put(self, side: _Side, request: QueueRequest) -> None:
        payload, number = encode(request.item, root="item"), next(self._numbers)
        if len(payload) > side.server.engine.limits.payload_bytes_max:
            raise InvalidArgument(f"an item of {len(payload):,} bytes is too large")

        def act(call: Call, queue: Any) -> Any:
            try:
                order = rank(request.item) if queue.kind == PRIORITY else None
            except (TypeError, ValueError) as error:
                return str(error)
            put = NewPut(self._putter, number, payload, order, numbered=False)  # stock clients ask once
            return side.items.put(call, queue, put, request.seconds != 0)

        def written(stored: Any) -> bytes:
            if isinstance(stored, str):
                return raising("TypeError", stored)
            if stored is NOT_PUT:
                return raising("ShutDown", SHUT_DOWN)
            return reply(RETURN, None) if stored else raising("Full")

        self._call(side, _on(side, request, act), written, size_bytes=len(payload))
        self._limit(side, request, lambda queue: side.items.give_up_put(queue, self._putter, number))

    def _get(self, side: _Side, request: QueueRequest) -> None:
        token = self._context.random_bytes(TOKEN_BYTES)
        self._held = _HeldItem(request.ident, token, side)
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
            side,
            _on(side, request, lambda call, queue: side.items.get(call, queue, token, request.seconds != 0)),
            written,
        )
        self._limit(side, request, lambda queue: side.items.give_up_get(side.session, queue, token))

    def _limit(self, side: _Side, request: QueueRequest, give_up: Callable[[Any], Any]) -> None:
        """A stock client waits for its answer without end: its timeout passes here."""
        if request.seconds:
            self._timeout = self._loop.call_later(
                request.seconds, self._later, side, lambda: give_up(side.items.queue(request.queue))
            )

    def _call(
        self,
        side: _Side,
        run: Callable[[Call], Any],
        write: Callable[[Any], bytes] | None = None,
        *,
        size_bytes: int = 0,
        refused: str | None = None,
    ) -> None:
        """Have the engine do it. ``refused``: what the client raises when the engine refuses it."""
        side.server.engine.call(side.session, next(self._call_ids), run, size_bytes)
        self.is_busy, self._unreadable, self._refused, self._asked = True, False, refused, side
        self._write_reply = write or _returned
        side.server.wake()

    # answers out

    def encode(self, call: Call) -> bytes:
        value, error = call.reply or (None, None)
        if error is None:
            try:
                return self._write_reply(value)
            except Exception as bug:  # or there is no memory: the answers to others have to leave
                report_bug(self._report, bug)
                self._unreadable, error = True, TqError(f"the master could not write it: {brief(bug, 200)}")
        if self._refused is not None and isinstance(error, InvalidArgument):
            return raising(self._refused, str(error))
        return reply(TRACEBACK, f"{type(error).__name__}: {error}\n")

    @contained
    def send(self, body: bytes) -> None:
        if self._unreadable:
            self._give_back()
        self._answer(body)

    def _answer(self, body: bytes) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None
        self.is_busy = False
        self._connection.answer(body)

    @contained
    def disconnected(self, side: _Side) -> None:
        """A shard ends its session. One that another master has from now on is the end of nothing else."""
        if self._context.hosts(side.server):
            self._connection.end()
            return
        self._sides.pop(side.server, None)
        _end(side)
        if self._held is not None and self._held.side is side:
            self._held = None  # an item that was not confirmed there comes again, where the shard is
        if self.is_busy and self._asked is side:
            self._answer(
                reply(TRACEBACK, f"{self._context.moved(self._queue, self._connection.reached_at)}\n")
            )

    def unsent_bytes(self) -> int:
        return self._connection.unsent_bytes()

    # items on their way

    def confirm_held(self) -> None:
        """The client asks on: what it was given before has arrived."""
        held, self._held = self._held, None
        if held is not None:
            side = held.side
            self._later(side, lambda: side.items.confirm(side.session, [held.token]))

    def _give_back(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            side = held.side
            self._later(side, lambda: side.items.release(side.session, [held.token]))

    def reference_dropped(self, ident: str) -> None:
        if self._held is not None and self._held.ident == ident and not self.is_busy:
            self.confirm_held()

    @contained
    def _later(self, side: _Side, job: Callable[[], Any]) -> None:
        """Do this even if transactions fail: it may be done twice, which for each of these jobs is the same as once."""
        side.server.engine.later(job, again=True)
        side.server.wake()

    # the end

    def close(self) -> None:
        """The connection is closed."""
        if self._timeout is not None:
            self._timeout.cancel()
        # First the end of each session: a get that is still parked must not be given the item that comes back.
        for side in self._sides.values():
            _end(side)
        self._give_back()
        for side in self._sides.values():
            side.server.wake()

    def broke(self, error: Exception) -> None:
        self._connection.broke(error)


def _returned(value: Any) -> bytes:
    return reply(RETURN, value)


def _on(side: _Side, request: QueueRequest, act: Callable[[Call, Any], Any]) -> Callable[[Call], Any]:
    return lambda call: act(call, side.items.queue(request.queue, account=call.session.account))


def _end(side: _Side) -> None:
    sessions, session = side.server.engine.sessions, side.session
    side.server.engine.note(lambda: sessions.closed(session))
