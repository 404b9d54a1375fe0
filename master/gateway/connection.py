"""One connection of a stock client: handshake, one question to the server, or calls of queues one after another.

::

    bytes ─► FrameSplitter ─► Handshake ─► decoder ─► requests ─► QueueCalls ─► Engine.call
    bytes ◄───────────────────────────────────────── writer ◄────────┘
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

from ...common.errors import DecodeError, InvalidArgument, NotSerializable, Rejected, TqError
from ...common.runtime.callbacks import contained, report_bug
from ...common.values.brief import brief
from ..keys.keyring import KEY_REVOKED
from ..net.admission import HANDSHAKE_SECONDS_MAX
from .context import GatewayContext
from .decoder import loads
from .handshake import FAILURE, FRAME_BYTES_MAX, FrameSplitter, Handshake, frame
from .queue_calls import QueueCalls
from .requests import EXPOSED, PUBLIC, ident_of, read_call, read_creation, split_request
from .socket_options import acknowledge_at_once, notice_its_end
from .writer import RETURN, TRACEBACK, raising, reply

TOO_SLOW: Final = f"no handshake and no request within {HANDSHAKE_SECONDS_MAX:g} s"
UNREAD_BYTES_MAX: Final = 2 * FRAME_BYTES_MAX  # of requests that come before the last was answered
LINGER_SECONDS: Final = 10.0  # for a client that has not read its last answer yet
WORDS_MAX: Final = 2_000  # characters of an error: a path to the bad part of an item has keys in it
REQUESTS_A_TURN: Final = 16  # of the loop: those of others come in between


class StockConnection(asyncio.Protocol):
    def __init__(self, context: GatewayContext) -> None:
        self._context, self._port = context, context.port
        self._transport: asyncio.Transport | None = None
        self._frames = FrameSplitter()
        self._handshake = Handshake(context.key, context.random_bytes)
        self._calls = QueueCalls(context, self)
        self._deadline: asyncio.TimerHandle | None = None
        self._serves = False  # calls of queues; else one question to the server
        self._clogged = self._refusing = False
        self.address = self.reached_at = ""

    # asyncio.Protocol

    @contained
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if peer else "unknown"
        plug, own = transport.get_extra_info("socket"), transport.get_extra_info("sockname")
        self.reached_at = str(own[0]) if own else "unknown"
        admitted, evicted = False, None
        if plug is not None and self._context.has_room(plug.fileno()):
            admitted, evicted = self._context.admission.enter(self, self.address, self._port.loop.time())
        if evicted is not None:
            evicted.end("its place went to the next: too many connections have not shown the key yet")
        if not admitted:
            self._context.log_rejection(
                self.address,
                "no room for one more connection: too many clients, or too low a limit of open files (ulimit -n)",
            )
            self._transport = None
            transport.abort()
            return
        notice_its_end(plug)
        self._context.connections.add(self)
        self._deadline = self._port.loop.call_later(HANDSHAKE_SECONDS_MAX, self.end, TOO_SLOW)
        self._send(self._handshake.opening())

    @contained
    def data_received(self, data: bytes) -> None:
        if self._transport is None or self._refusing:
            return
        self._frames.feed(data)
        if self._frames.held_bytes > UNREAD_BYTES_MAX:
            self.end("it sends requests without waiting for their answers")
            return
        self._proceed()

    @contained
    def pause_writing(self) -> None:
        self._clogged = True
        self._context.clogged(self)

    @contained
    def resume_writing(self) -> None:
        self._clogged = False
        self._context.unread.pop(self, None)
        self._proceed()

    @contained
    def eof_received(self) -> None:
        self.end()

    @contained
    def connection_lost(self, exc: Exception | None) -> None:
        self.end()
        self._context.connections.discard(self)
        if self._deadline is not None:
            self._deadline.cancel()

    # requests, one at a time

    @contained
    def _proceed(self) -> None:
        try:
            for _ in range(REQUESTS_A_TURN):
                if self._calls.is_busy or self._clogged or self._refusing or self._transport is None:
                    return
                found = self._frames.next()
                if found is None:
                    return
                self._understand(found[0])
        except TqError as error:
            self._refuse(error)
        else:
            self._port.loop.call_soon(self._proceed)

    def broke(self, error: Exception) -> None:
        """A callback failed: a bug ends this connection and no other. See ``common/runtime/callbacks.py``."""
        self._report_bug(error)
        self.end("a bug of the master's")

    def _report_bug(self, error: Exception) -> None:
        report_bug(self._port.report, error)

    def _understand(self, body: bytes | None) -> None:
        if self._context.is_revoked:  # asked each time: also in the middle of a handshake
            raise Rejected(KEY_REVOKED)
        if self._handshake.done:
            self._request(body)
            return
        answer = self._handshake.on_frame(body or b"")
        if answer is not None:
            self._send(answer)
        if self._handshake.done:
            acknowledge_at_once(cast(asyncio.Transport, self._transport).get_extra_info("socket"))
            self._context.admission.leave(self)
            self._frames.bytes_max, self._frames.skips = FRAME_BYTES_MAX, True

    def _request(self, body: bytes | None) -> None:
        self._calls.confirm_held()
        try:
            if body is None:
                raise InvalidArgument(f"a request of more than {FRAME_BYTES_MAX:,} bytes; send less at once")
            ident, method, args, kwds = split_request(loads(body))
            if self._serves:
                self._calls.call(read_call(ident, method, args, kwds))
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
        references = self._context.references
        if method not in PUBLIC:
            raise InvalidArgument(f"{brief(method, 60)} unrecognized; a server has {', '.join(PUBLIC)}")
        if method == "create":
            self._calls.create(read_creation(args, kwds))
            return
        value: Any = None
        if method == "accept_connection":
            self._serves = True
            self._calls.open()
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
                self._context.reference_dropped(ident)
            elif method == "get_methods":
                value = EXPOSED
        self._answer(reply(RETURN, value))

    def reference_dropped(self, ident: str) -> None:
        self._calls.reference_dropped(ident)

    # out

    def answer(self, body: bytes) -> None:
        """The reply to the request under way; the next one follows in a later turn of the loop."""
        self._answer(body)
        self._port.loop.call_soon(self._proceed)

    def _answer(self, body: bytes) -> None:
        self._send(body)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if not self._serves:
            self.end()

    def unsent_bytes(self) -> int:
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    def _send(self, body: bytes) -> None:
        if self._transport is not None:
            self._transport.write(frame(body))

    def _refuse(self, error: TqError) -> None:
        self._refusing = True
        if not isinstance(error, Rejected) or self._handshake.done:
            self.end(str(error))
            return
        self._context.log_rejection(self.address, str(error))
        delay = self._context.admission.refusal_delay(self.address, self._port.loop.time())
        self._port.loop.call_later(delay, self._say_failure)

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
            self._context.log_rejection(self.address, complaint)
        if self._deadline is not None:
            self._deadline.cancel()
        self._context.admission.leave(self)
        self._context.unread.pop(self, None)
        if complaint is None:
            transport.close()
            if transport.get_write_buffer_size():  # else it would stay for as long as it does not read
                self._deadline = self._port.loop.call_later(LINGER_SECONDS, transport.abort)
        else:
            transport.abort()
        self._calls.close()
