"""One connection of a stock client: handshake, one question to the server, or calls of queues one after another.

::

    bytes ─► FrameSplitter ─► Handshake ─► decoder ─► requests ─► Engine.call ─► writer ─► bytes

An item that was given out is held by a token until the next request on this connection, or until the program lets go of
its proxy in good order; a connection that ends before that gives it back at once.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from ...common.errors import DecodeError, InvalidArgument, NotSerializable, Rejected, TqError
from ...common.runtime.callbacks import contained, report_bug
from ...common.values.brief import brief
from ...common.values.codec import encode
from ...common.values.sort_keys import rank
from ..api.validation import TOKEN_BYTES
from ..engine.session import Call, Session
from ..items.items import Items
from ..items.queue import EMPTY, NO_MORE, NOT_PUT, PRIORITY, NewPut
from ..keys.keyring import KEY_REVOKED
from ..net.admission import HANDSHAKE_SECONDS_MAX
from .decoder import loads
from .handshake import FAILURE, FRAME_BYTES_MAX, FrameSplitter, Handshake, frame
from .requests import (
    EXPOSED,
    GET_VALUE,
    PUBLIC,
    READS,
    QueueRequest,
    ident_of,
    read_call,
    read_creation,
    split_request,
)
from .socket_options import acknowledge_at_once, notice_its_end
from .writer import RETURN, TRACEBACK, UNSERIALIZABLE, raising, reply, returning

if TYPE_CHECKING:
    from .server import Gateway

SHUT_DOWN: Final = "the queue was shut down"
TOO_SLOW: Final = f"no handshake and no request within {HANDSHAKE_SECONDS_MAX:g} s"
UNREAD_BYTES_MAX: Final = 2 * FRAME_BYTES_MAX  # of requests that come before the last was answered
LINGER_SECONDS: Final = 10.0  # for who has not read its last answer yet
WORDS_MAX: Final = 2_000  # characters of an error: a path to the bad part of an item has keys in it
REQUESTS_A_TURN: Final = 16  # of the loop: those of others come in between


class _HeldItem(NamedTuple):
    ident: str
    token: bytes


class StockConnection(asyncio.Protocol):
    def __init__(self, gateway: Gateway) -> None:
        self._gateway, self._master = gateway, gateway.master
        self._transport: asyncio.Transport | None = None
        self._frames = FrameSplitter()
        self._handshake = Handshake(gateway.key, gateway.random_bytes)
        self._session: Session | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._timeout: asyncio.TimerHandle | None = None
        self._serves = False  # calls of queues; else one question to the server
        self._busy = self._clogged = self._refusing = False
        self._held: _HeldItem | None = None
        self._call_ids, self._numbers = itertools.count(1), itertools.count(1)
        self._putter = gateway.random_bytes(TOKEN_BYTES)
        self._write_reply: Callable[[Any], bytes] = lambda value: reply(RETURN, value)
        self._asked: int | None = None
        self._unreadable = False
        self._refused: str | None = None
        self._address = ""

    # asyncio.Protocol

    @contained
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]) if peer else "unknown"
        plug = transport.get_extra_info("socket")
        admitted, evicted = False, None
        if plug is not None and self._gateway.has_room(plug.fileno()):
            admitted, evicted = self._gateway.admission.enter(self, self._address, self._master.loop.time())
        if evicted is not None:
            evicted.end("its place went to the next: too many connections have not shown the key yet")
        if not admitted:
            self._gateway.log_rejection(
                self._address,
                "no room for one more connection: too many clients, or too low a limit of open files (ulimit -n)",
            )
            self._transport = None
            transport.abort()
            return
        notice_its_end(plug)
        self._gateway.connections.add(self)
        self._deadline = self._master.loop.call_later(HANDSHAKE_SECONDS_MAX, self.end, TOO_SLOW)
        self._send(self._handshake.opening())

    @contained
    def data_received(self, data: bytes) -> None:
        if self._transport is None or self._refusing:
            return
        self._frames.feed(data)
        if self._frames.held_bytes > UNREAD_BYTES_MAX:
            self.end("it asks on and on without waiting for answers")
            return
        self._proceed()

    @contained
    def pause_writing(self) -> None:
        self._clogged = True
        self._gateway.clogged(self)

    @contained
    def resume_writing(self) -> None:
        self._clogged = False
        self._gateway.unread.pop(self, None)
        self._proceed()

    @contained
    def eof_received(self) -> None:
        self.end()

    @contained
    def connection_lost(self, exc: Exception | None) -> None:
        self.end()
        self._gateway.connections.discard(self)
        if self._deadline is not None:
            self._deadline.cancel()

    # requests, one at a time

    @contained
    def _proceed(self) -> None:
        try:
            for _ in range(REQUESTS_A_TURN):
                if self._busy or self._clogged or self._refusing or self._transport is None:
                    return
                found = self._frames.next()
                if found is None:
                    return
                self._understand(found[0])
        except TqError as error:
            self._refuse(error)
        else:
            self._master.loop.call_soon(self._proceed)

    def broke(self, error: Exception) -> None:
        """A callback failed: a bug costs this connection and nobody else's. See ``common/runtime/callbacks.py``."""
        self._report_bug(error)
        self.end("a bug of the master's")

    def _report_bug(self, error: Exception) -> None:
        report_bug(self._master.report, error)

    def _understand(self, body: bytes | None) -> None:
        if self._gateway.verifier.is_revoked:  # asked each time: also in the middle of a handshake
            raise Rejected(KEY_REVOKED)
        if self._handshake.done:
            self._request(body)
            return
        answer = self._handshake.on_frame(body or b"")
        if answer is not None:
            self._send(answer)
        if self._handshake.done:
            acknowledge_at_once(cast(asyncio.Transport, self._transport).get_extra_info("socket"))
            self._gateway.admission.leave(self)
            self._frames.bytes_max, self._frames.skips = FRAME_BYTES_MAX, True

    def _request(self, body: bytes | None) -> None:
        self._settle_held()
        try:
            if body is None:
                raise InvalidArgument(f"a request of more than {FRAME_BYTES_MAX:,} bytes; send less at once")
            ident, method, args, kwds = split_request(loads(body))
            if self._serves:
                self._call_queue(read_call(ident, method, args, kwds))
            else:
                self._serve(method, args, kwds)
        except NotSerializable as error:
            self._answer(raising("TypeError", f"{error!s:.{WORDS_MAX}}"))
        except (InvalidArgument, DecodeError) as error:
            self._answer(reply(TRACEBACK, f"{error!s:.{WORDS_MAX}}\n"))
        except ValueError as error:
            self._answer(raising("ValueError", f"{error!s:.{WORDS_MAX}}"))

    def _serve(self, method: str, args: tuple[Any, ...], kwds: dict[str, Any]) -> None:
        """A question to the server itself; the connection ends with the answer, unless it is to carry calls."""
        references = self._gateway.references
        if method not in PUBLIC:
            raise InvalidArgument(f"{brief(method, 60)} unrecognized; a server has {', '.join(PUBLIC)}")
        if method == "create":
            self._create(args, kwds)
            return
        value: Any = None
        if method == "accept_connection":
            self._serves = True
            self._open()
        elif method == "shutdown":
            raise InvalidArgument("this is a tq-master, which clients cannot shut down")
        elif method == "number_of_objects":
            value = len(references)
        elif method == "debug_info":
            value = f"tq-master; {len(references)} references"
        elif method != "dummy":
            ident = ident_of(args[0] if len(args) == 1 else None)
            if method == "incref":
                references.add(ident)
            elif method == "decref" and references.drop(ident):
                self._gateway.let_go(ident)
            elif method == "get_methods":
                value = EXPOSED
        self._answer(reply(RETURN, value))

    def _create(self, args: tuple[Any, ...], kwds: dict[str, Any]) -> None:
        creation = read_creation(args, kwds)
        items = self._master.engine.part(Items)

        def made(_: Any) -> bytes:
            return reply(RETURN, (self._gateway.references.new(creation.queue), EXPOSED))

        def run(call: Call) -> None:
            items.queue(creation.queue, creation.kind, creation.maxsize, account=call.session.account)

        self._ask(run, made)

    # queues

    def _call_queue(self, request: QueueRequest) -> None:
        if request.method == "put":
            self._put(request)
        elif request.method == "get":
            self._get(request)
        elif request.method == "task_done":
            self._ask(
                self._on(request, lambda items, call, queue: items.task_done(queue, 1)), refused="ValueError"
            )
        elif request.method == "shutdown":
            self._ask(self._on(request, lambda items, call, queue: items.shut_down(queue, request.immediate)))
        elif request.method == GET_VALUE:
            self._answer(reply(UNSERIALIZABLE, "a queue stays with the tq-master; call its methods\n"))
        elif request.method == "join":
            self._ask(self._on(request, lambda items, call, queue: items.join(call, queue)))
        else:
            self._ask(self._on(request, lambda items, call, queue: READS[request.method](queue)))

    def _on(self, request: QueueRequest, act: Callable[[Any, Call, Any], Any]) -> Callable[[Call], Any]:
        items = self._master.engine.part(Items)
        return lambda call: act(items, call, items.queue(request.queue, account=call.session.account))

    def _put(self, request: QueueRequest) -> None:
        payload, number = encode(request.item, root="item"), next(self._numbers)
        if len(payload) > self._master.engine.limits.payload_bytes_max:
            raise InvalidArgument(f"an item of {len(payload):,} bytes is too large")

        def act(items: Any, call: Call, queue: Any) -> Any:
            try:
                order = rank(request.item) if queue.kind == PRIORITY else None
            except (TypeError, ValueError) as error:
                return str(error)
            put = NewPut(self._putter, number, payload, order, numbered=False)  # stock clients ask once
            return items.put(call, queue, put, request.seconds != 0)

        def written(stored: Any) -> bytes:
            if isinstance(stored, str):
                return raising("TypeError", stored)
            if stored is NOT_PUT:
                return raising("ShutDown", SHUT_DOWN)
            return reply(RETURN, None) if stored else raising("Full")

        self._ask(self._on(request, act), written, size_bytes=len(payload))
        self._limit(request, lambda items, queue: items.give_up_put(queue, self._putter, number))

    def _get(self, request: QueueRequest) -> None:
        token = self._gateway.random_bytes(TOKEN_BYTES)
        self._held = _HeldItem(request.ident, token)
        self._gateway.references.used(request.ident)

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

        act = self._on(
            request, lambda items, call, queue: items.get(call, queue, token, request.seconds != 0)
        )
        self._ask(act, written)
        self._limit(request, lambda items, queue: items.give_up_get(self._open(), queue, token))

    def _limit(self, request: QueueRequest, give_up: Callable[[Any, Any], Any]) -> None:
        if not request.seconds:
            return
        items = self._master.engine.part(Items)
        self._timeout = self._master.loop.call_later(
            request.seconds, self._later, lambda: give_up(items, items.queue(request.queue))
        )

    # the engine's side (sessions.Wire)

    def _open(self) -> Session:
        if self._session is None:
            self._session = self._gateway.session(self, self._address)
            self._master.engine.opened(self._session)
        return self._session

    def _ask(
        self,
        run: Callable[[Call], Any],
        write: Callable[[Any], bytes] | None = None,
        *,
        size_bytes: int = 0,
        refused: str | None = None,
    ) -> None:
        """Have the engine do it. ``refused``: what a client raises when that says no."""
        self._asked = next(self._call_ids)
        self._master.engine.call(self._open(), self._asked, run, size_bytes)
        self._busy, self._unreadable, self._refused = True, False, refused
        self._write_reply = write or (lambda value: reply(RETURN, value))
        self._master.wake()

    def encode(self, call: Call) -> bytes:
        value, error = call.reply or (None, None)
        if error is None:
            try:
                return self._write_reply(value)
            except Exception as bug:  # or there is no memory: the answers to others have to leave
                self._report_bug(bug)
                self._unreadable, error = True, TqError(f"the master could not write it: {brief(bug, 200)}")
        if self._refused is not None and isinstance(error, InvalidArgument):
            return raising(self._refused, str(error))
        return reply(TRACEBACK, f"{type(error).__name__}: {error}\n")

    @contained
    def send(self, body: bytes) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None
        self._busy = False
        if self._unreadable:
            self._give_back()
        self._answer(body)
        self._master.loop.call_soon(self._proceed)

    @contained
    def disconnect(self, reason: str) -> None:
        self.end()

    def unsent_bytes(self) -> int:
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    # items on their way

    def _settle_held(self) -> None:
        """The client asks on: what it was given before has arrived."""
        held, self._held = self._held, None
        session = self._session
        if held is not None and session is not None:
            self._later(lambda: self._master.engine.part(Items).confirm(session, [held.token]))

    def _give_back(self) -> None:
        held, self._held = self._held, None
        session = self._session
        if held is not None and session is not None:
            self._later(lambda: self._master.engine.part(Items).release(session, [held.token]))

    def let_go(self, ident: str) -> None:
        if self._held is not None and self._held.ident == ident and not self._busy:
            self._settle_held()

    @contained
    def _later(self, job: Callable[[], Any]) -> None:
        """Once, whatever becomes of the transactions: done twice, each of these is as done once."""
        self._master.engine.later(job, again=True)
        self._master.wake()

    # out

    def _answer(self, body: bytes) -> None:
        self._send(body)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if not self._serves:
            self.end()

    def _send(self, body: bytes) -> None:
        if self._transport is not None:
            self._transport.write(frame(body))

    def _refuse(self, error: TqError) -> None:
        self._refusing = True
        if not isinstance(error, Rejected) or self._handshake.done:
            self.end(str(error))
            return
        self._gateway.log_rejection(self._address, str(error))
        delay = self._gateway.admission.refusal_delay(self._address, self._master.loop.time())
        self._master.loop.call_later(delay, self._say_failure)

    @contained
    def _say_failure(self) -> None:
        self._send(FAILURE)
        self.end()

    def end(self, complaint: str | None = None) -> None:
        """The one way out, taken once."""
        transport, self._transport = self._transport, None
        if transport is None:
            return
        if complaint is not None:
            self._gateway.log_rejection(self._address, complaint)
        for timer in (self._deadline, self._timeout):
            if timer is not None:
                timer.cancel()
        self._gateway.admission.leave(self)
        self._gateway.unread.pop(self, None)
        if complaint is None:
            transport.close()
            if transport.get_write_buffer_size():  # else it would stay for as long as it does not read
                self._deadline = self._master.loop.call_later(LINGER_SECONDS, transport.abort)
        else:
            transport.abort()
        session = self._session
        if session is None:
            return
        for_good, self._held = self._held, None

        engine = self._master.engine
        engine.note(lambda: engine.closed(session))  # it waits for no item any more when one is given back
        if for_good is not None:
            self._later(lambda: engine.part(Items).release(session, [for_good.token]))
        self._master.wake()
