"""One connection as the master sees it: strangers until their proof holds, a session from then on.

::

    TCP bytes ─► SecureTransport ─► FrameReader ─► ServerHandshake ─► Answerer ─► Server.request
                                       deadlines, 4 KiB frames │ admitted: the master's frame limit

Owns the deadlines of the handshake and the bound on what waits to be sent. A wrong frame
ends the connection with a sentence; it never ends the master.

Invariants: 1. every callback ends with a deadline armed or the connection closed, its session told; 2. nothing that the
engine calls here raises; 3. only what was decrypted counts as a sign of life, bytes do not.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Final

from ...common.contract.exposed import ALLOWED
from ...common.domain.model import Role
from ...common.errors import ProtocolError, QuotaExceeded, Rejected, TqError, to_wire
from ...common.runtime.callbacks import contained, report_bug
from ...common.values.brief import brief
from ...common.version import VERSION
from ...common.wire.frames import Kind, encode_frame, pack
from ...common.wire.handshake import Admitted, ServerHandshake
from ...common.wire.protocol import PONG, Abandoned, Answerer, Child, Goodbye, Ping, Request, goodbye
from ...common.wire.tls import TlsPipe
from ...common.wire.transport import SecureTransport
from ..engine.accounts import What
from ..engine.flow import Flow
from ..engine.session import Call, Session
from .admission import HANDSHAKE_SECONDS_MAX, REFUSAL_DELAY_SECONDS, TLS_SECONDS_MAX
from .inbound import Inbound
from .unread import CLOGGED_BYTES

if TYPE_CHECKING:
    from .server import Server

SILENT_HEARTBEATS_MAX: Final = 4  # one more than the caller allows the master: it speaks, we listen
CHILDREN_A_FRAME: Final = 256  # looked through for a call that is abandoned, in the time that a message takes
LINGER_BYTES_MAX: Final = (
    256 * 1024
)  # that wait for a peer when its connection ends; beyond, nothing is waited for


class Connection(asyncio.Protocol):
    def __init__(self, server: Server) -> None:
        self._server, self._loop = server, server.loop
        self._wire = SecureTransport(self, TlsPipe(server.tls, server_side=True), self._loop)
        self._inbound = Inbound(self, self._understand)
        self._handshake: ServerHandshake | None = None
        self._answerer = Answerer(server.frame_bytes_max)
        self._session: Session | None = None
        self._address = ""
        self._deadline: asyncio.TimerHandle | None = None
        self._encouraged = 0.0
        self._refusing = self._clogged = self._paused = False
        self._challenged = False  # and neither proven nor refused

    # asyncio.Protocol

    @contained
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = self._wire.connected(transport)
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]) if peer else "unknown"
        socket = transport.get_extra_info("socket")
        if socket is not None and not self._server.has_room(socket.fileno()):
            transport.abort()
            return
        admitted, evicted = self._server.gate.enter(self, self._address, self._loop.time())
        if evicted is not None:
            evicted._end("it was slow to prove itself, and others wait", abort=True)
        if not admitted:
            transport.abort()
            return
        self._server.connections.add(self)
        self._deadline = self._loop.call_later(TLS_SECONDS_MAX, self._too_slow)
        transport.set_write_buffer_limits(high=CLOGGED_BYTES)

    @contained
    def pause_writing(self) -> None:
        self._clogged = True

    @contained
    def resume_writing(self) -> None:
        self._clogged = False
        self._server.unread.read(self)

    @contained
    def data_received(self, data: bytes) -> None:
        if self._refusing or not self._wire.is_open:
            return
        try:
            plaintext = self._wire.receive(data)
            if self._is_to_say_hello and not self._expect_hello():
                return
            if plaintext:
                if not self._inbound.add(plaintext):
                    self._encourage()
                if self._session is not None:
                    self._server.heard(self._session)
            if self._wire.tls.eof:
                self._leave("it closed the connection")
        except TqError as error:
            self._refuse(error)

    @contained
    def connection_lost(self, exc: Exception | None) -> None:
        self._leave(f"the connection broke: {exc}" if exc else "it closed the connection")

    # the phases, in order

    @property
    def _is_to_say_hello(self) -> bool:
        """TLS is done, and its handshake has not begun."""
        return self._handshake is None and self._session is None and self._wire.tls.established

    def _expect_hello(self) -> bool:
        """TLS is done. Whether there is a place for its handshake."""
        server = self._server
        admitted, evicted = server.gate.established(self, self._loop.time())
        if evicted is not None:
            evicted._end("it was slow to prove itself, and others wait", abort=True)
        if not admitted:
            self._end("too many of its address are about to prove themselves", abort=True)
            return False
        self._handshake = ServerHandshake(
            lookup=server.keys.find,
            cluster_id=server.cluster_id,
            certificate=server.certificate,
            heartbeat_seconds=server.heartbeat_seconds,
            frame_bytes_max=server.frame_bytes_max,
            version=VERSION,
        )
        self._set_deadline(HANDSHAKE_SECONDS_MAX - TLS_SECONDS_MAX)
        return True

    def _understand(self, kind: int, body: memoryview) -> None:
        if self._session is not None:
            head = self._answerer.head(kind, body)
            if head is None or self._server.may_ask(self._session, head):
                self._take(self._session, self._answerer.understand(kind, body))
        elif self._handshake is None:
            raise ProtocolError("a frame before the TLS handshake was complete")
        elif kind == Kind.HELLO:
            challenge = encode_frame(Kind.CHALLENGE, self._handshake.on_hello(bytes(body)))
            self._challenged = True
            delay = self._server.gate.challenge_delay(self._address, self._loop.time())
            if delay:
                self._loop.call_later(delay, self._send_late, challenge)
            else:
                self._wire.queue(challenge)
        elif kind == Kind.PROOF:
            admitted, welcome = self._handshake.on_proof(bytes(body))
            self._admit(admitted, welcome)
        else:
            raise ProtocolError(f"a frame of kind {kind} before WELCOME")

    def _admit(self, admitted: Admitted, welcome: bytes) -> None:
        self._challenged = False
        account = self._server.accounts.of(admitted.verifier.key_id)
        self._server.admit(account)
        self._server.gate.leave(self)
        self._handshake = None
        self._inbound.admit(account, self._server.frame_bytes_max)
        self._session = Session(
            self,
            verifier=admitted.verifier,
            role=admitted.role,
            node=admitted.node,
            address=self._address,
            account=account,
        )
        self._wire.queue(encode_frame(Kind.WELCOME, welcome))
        self._set_deadline(self._server.heartbeat_seconds * SILENT_HEARTBEATS_MAX)
        self._server.opened(self._session)

    def _take(self, session: Session, event: Request | Child | Abandoned | Ping | Goodbye) -> None:
        if isinstance(event, Request):
            if event.child is not None and session.role in ALLOWED[Role.WORKER]:
                try:
                    session = self._child(session, event.child)
                except QuotaExceeded as error:
                    self._wire.queue(self._answerer.refuse(event.call_id, error))
                    return
            if event.call_id in session.calls:
                raise ProtocolError(f"call id {event.call_id} is in use")
            self._server.request(session, event)
        elif isinstance(event, Ping):
            self._wire.queue(PONG)
        elif isinstance(event, Abandoned):
            session.account.flow.took(len(session.children) // CHILDREN_A_FRAME, 0)
            asked = next((one for one in session.children.values() if event.call_id in one.calls), session)
            self._server.abandoned(asked, event.call_id)
        elif isinstance(event, Child):
            self._hear_of_child(session, event)
        else:
            self._end(event.reason or "it said goodbye", orderly=True)

    def _child(self, session: Session, node: bytes) -> Session:
        known = session.children.get(node)
        if known is None:
            session.account.take(What.CHILDREN)
            known = session.child(node)
            self._server.opened(known)
        return known

    def _hear_of_child(self, session: Session, word: Child) -> None:
        if session.role not in ALLOWED[Role.WORKER]:
            raise ProtocolError("only a worker has children")
        if word.here:
            with contextlib.suppress(QuotaExceeded):  # its next call is told
                self._child(session, word.node)
        elif (gone := session.children.pop(word.node, None)) is not None:
            session.account.give(What.CHILDREN)
            self._server.left(gone)

    def _encourage(self) -> None:
        """A part of a long frame came. Its sender's PING waits behind it, for longer perhaps than our silence is
        borne with: on a slow line it would give up and begin again, for ever."""
        if (
            self._session is not None
            and self._wire.heard - self._encouraged >= self._server.heartbeat_seconds
        ):
            self._encouraged = self._wire.heard
            self._wire.queue(PONG)

    # when its key has too much here (inbound.Peer)

    def hold_up(self, flow: Flow) -> None:
        if self._wire.is_open:
            self._wire.pause_reading()
            self._paused = True
            self._server.hold_up(flow)
            self._set_deadline(self._server.heartbeat_seconds, self._bear_with_it)

    def resume(self) -> None:
        if self._wire.is_open and self._paused:
            self._paused = False
            self._wire.resume_reading()
            self._set_deadline(self._server.heartbeat_seconds * SILENT_HEARTBEATS_MAX)

    def fail(self, error: Exception) -> None:
        if isinstance(error, TqError):
            self._refuse(error)
            return
        self.broke(error)

    @contained
    def _bear_with_it(self) -> None:
        """It is we who do not read: it lives, as far as we know, and is to know that we do."""
        if self._session is not None:
            self._wire.queue(PONG)
            self._server.heard(self._session)
            self._set_deadline(self._server.heartbeat_seconds, self._bear_with_it)

    # sending; the engine's side of a session (sessions.Wire)

    def encode(self, call: Call) -> bytes:
        value, error = call.reply or (None, None)
        try:
            if error is not None:
                return self._answerer.refuse(call.call_id, error)
            return self._answerer.answer(call.call_id, value)
        except Exception as bug:  # or there is no memory: the answers to others have to leave
            self._report_bug(bug)
            return self._answerer.refuse(
                call.call_id, TqError(f"the master could not write the answer: {brief(bug, 200)}")
            )

    def send(self, frame: bytes) -> None:
        self._wire.queue(frame)

    def unsent_bytes(self) -> int:
        return self._wire.unsent_bytes()

    def cut_off(self, reason: str) -> None:
        self._end(reason, abort=True)

    @contained
    def disconnect(self, reason: str) -> None:
        if self._session is not None and not self._wire.tls.broken:
            self._wire.queue(goodbye(reason))
            self._wire.send_queued()
        self._end(reason)

    @contained
    def _send_late(self, frame: bytes) -> None:
        self._wire.queue(frame)

    def frames_sent(self) -> None:
        if self._clogged and self._session is not None:
            self._server.unread.look(self, self._session.account)

    # endings

    def _refuse(self, error: TqError) -> None:
        """Tell a peer what is wrong, after a uniform delay when its proof was, and close; at once when nothing can be
        told it any more, for TLS is broken."""
        self._challenged = False
        if self._session is None:
            self._server.complain(self._address, error)
        else:
            self._server.report("connection.broken", level="warning", address=self._address, error=str(error))
        if self._wire.tls.broken:
            self._wire.write()  # the alert that says so
            self._end(str(error))
            return
        delay = 0.0
        if isinstance(error, Rejected):
            self._server.gate.failed(self._address, self._loop.time())
            delay = REFUSAL_DELAY_SECONDS
        self._refusing = True
        self._set_deadline(delay, self._say_refusal, error)

    @contained
    def _say_refusal(self, error: TqError) -> None:
        if self._session is not None:
            self._wire.queue(goodbye(str(error)))
        elif self._wire.tls.established:
            self._wire.queue(encode_frame(Kind.REFUSED, pack(to_wire(error))))
        self._wire.send_queued()
        self._end(str(error))

    def _leave(self, reason: str) -> None:
        """The peer has gone. One that was given a challenge and shows no proof waits for its next."""
        if self._challenged and self._wire.is_open:
            self._server.gate.failed(self._address, self._loop.time())
        self._end(reason)

    def broke(self, error: Exception) -> None:
        """A callback of this connection failed: that costs this connection. See ``common/runtime/callbacks.py``."""
        if not self._wire.is_open:
            return
        if isinstance(error, TqError) and self._session is None:
            self._server.complain(self._address, error)
        elif isinstance(error, TqError):
            self._server.report("connection.broken", level="warning", address=self._address, error=str(error))
        else:
            self._report_bug(error)
        self._end(str(error), abort=True)

    def _report_bug(self, error: Exception) -> None:
        report_bug(self._server.report, error)

    @contained
    def _too_slow(self) -> None:
        self._end("it did not prove itself in time", abort=True)

    @contained
    def _silent(self) -> None:
        """The session's deadline: checked lazily, so that traffic costs no timer."""
        limit = self._server.heartbeat_seconds * SILENT_HEARTBEATS_MAX
        left = self._wire.heard + limit - self._loop.time()
        if left <= 0:
            self._end(f"it was silent for {limit:g} s", abort=True)
        else:
            self._deadline = self._loop.call_later(left, self._silent)

    def _set_deadline(self, seconds: float, then: Any = None, *arguments: Any) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        if then is None:
            then = self._silent if self._session is not None else self._too_slow
        self._deadline = self._loop.call_later(seconds, then, *arguments)

    def _end(self, reason: str, *, abort: bool = False, orderly: bool = False) -> None:
        """The one way out, taken once. ``orderly``: the peer said goodbye."""
        if not self._wire.close(abort=abort, unsent_bytes_max=LINGER_BYTES_MAX):
            return
        if self._deadline is not None:
            self._deadline.cancel()
        self._server.gate.leave(self)
        self._server.connections.discard(self)
        self._server.unread.read(self)
        self._inbound.close()
        if self._session is not None:
            self._session.account.give(What.SESSIONS)
            self._session.account.give(What.CHILDREN, len(self._session.children))
        if self._session is not None and self._session.open:
            self._server.report(
                "session.closed",
                level="debug",
                address=self._address,
                role=str(self._session.role),
                reason=reason,
            )
            for one in (*self._session.children.values(), self._session):
                (self._server.left if orderly else self._server.closed)(one)
