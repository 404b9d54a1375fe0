"""One connection as the master sees it: unauthenticated until its proof holds, a session from then on.

::

    TCP bytes ─► SecureTransport ─► Inbound ─┬─► ServerHandshake: 4 KiB frames, deadlines
                                             └─► PeerSession, once it is admitted: the master's frame limit ─► engine

A wrong frame ends the connection with a sentence; it never ends the master.

Invariants: 1. every callback ends with a deadline armed, or with the connection closed and its session ended; 2. nothing that the
engine calls here raises; 3. only what was decrypted counts as a sign of life, bytes do not.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from ...common.errors import NotOwner, ProtocolError, Rejected, TqError, to_wire
from ...common.runtime.callbacks import contained, report_bug
from ...common.version import VERSION
from ...common.wire.frames import Kind, encode_frame, pack
from ...common.wire.handshake import Admitted, ServerHandshake
from ...common.wire.protocol import goodbye
from ...common.wire.tls import TlsPipe
from ...common.wire.transport import SecureTransport
from ..engine.traffic import Traffic
from .admission import HANDSHAKE_SECONDS_MAX, REFUSAL_DELAY_SECONDS, TLS_SECONDS_MAX
from .context import OpenConnection, PortContext
from .inbound import Inbound
from .liveness import Liveness
from .peer_session import PeerSession
from .unread import CLOGGED_BYTES

# Unsent when a connection ends; with more, it is closed without waiting for its peer
LINGER_BYTES_MAX: Final = 256 * 1024
TOO_SLOW: Final = "it did not prove itself in time"


class Connection(asyncio.Protocol):
    def __init__(self, context: PortContext) -> None:
        self._context, self._loop = context, context.loop
        identity = context.identity
        self._wire = SecureTransport(self, TlsPipe(identity.tls, server_side=True), self._loop)
        self._inbound = Inbound(self, self._shake_hands)
        self._liveness = Liveness(self, self._wire, self._loop, identity.heartbeat_seconds)
        # For the session above (peer_session.PeerConnection). They are called for every answer, so no method wraps them.
        self.queue, self.unsent_bytes = self._wire.queue, self._wire.unsent_bytes
        self._handshake: ServerHandshake | None = None
        self._peer: PeerSession | None = None  # once it is admitted
        self._address = ""
        self._refusing = self._clogged = self._paused = False
        self._challenged = False  # and neither proven nor refused

    # asyncio.Protocol

    @contained
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = self._wire.connected(transport)
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]) if peer else "unknown"
        socket = transport.get_extra_info("socket")
        if socket is not None and not self._context.descriptors.has_room(socket.fileno()):
            # Without a goodbye, which would keep a descriptor that others need.
            transport.abort()
            return
        admitted, evicted = self._context.admission.enter(self, self._address, self._loop.time())
        _evict(evicted)
        if not admitted:
            transport.abort()
            return
        self._context.connections.add(self)
        self._liveness.set(TLS_SECONDS_MAX, self.cut_off, TOO_SLOW)
        transport.set_write_buffer_limits(high=CLOGGED_BYTES)

    @contained
    def pause_writing(self) -> None:
        self._clogged = True

    @contained
    def resume_writing(self) -> None:
        self._clogged = False
        self._context.unread.read(self)

    @contained
    def data_received(self, data: bytes) -> None:
        if self._refusing or not self._wire.is_open:
            return
        try:
            plaintext = self._wire.receive(data)
            # After TLS: only what has finished it takes a place of those that prove themselves.
            if self._is_to_say_hello and not self._expect_hello():
                return
            if plaintext:
                # Before ``eof`` is looked at: what came together with the end was sent before it.
                is_end = self._inbound.add(plaintext)
                if self._peer is not None:
                    # A long message is a sign of life before it is whole.
                    if not is_end:
                        self._liveness.encourage()
                    self._peer.seen()
            if self._wire.tls.eof:
                self._leave("it closed the connection")
        except TqError as error:
            self._refuse(error)

    @contained
    def connection_lost(self, exc: Exception | None) -> None:
        self._leave(f"the connection broke: {exc}" if exc else "it closed the connection")

    # the handshake

    @property
    def _is_to_say_hello(self) -> bool:
        """TLS is done, and the handshake above it has not begun."""
        return self._handshake is None and self._peer is None and self._wire.tls.established

    def _expect_hello(self) -> bool:
        """TLS is done. Whether there is a place for its handshake."""
        context, identity = self._context, self._context.identity
        admitted, evicted = context.admission.established(self, self._loop.time())
        _evict(evicted)
        if not admitted:
            self.cut_off("too many of its address are about to prove themselves")
            return False
        # One for each connection, and not before TLS: a flood of TCP connections makes none.
        self._handshake = ServerHandshake(
            lookup=context.key_of,
            cluster_id=identity.cluster_id,
            certificate=identity.certificate,
            heartbeat_seconds=identity.heartbeat_seconds,
            frame_bytes_max=identity.frame_bytes_max,
            version=VERSION,
            shards=identity.shards,
            revoked=context.revoked_in,
        )
        self._liveness.set(HANDSHAKE_SECONDS_MAX - TLS_SECONDS_MAX, self.cut_off, TOO_SLOW)
        return True

    def _shake_hands(self, kind: int, body: memoryview) -> None:
        """A frame of a connection that is not admitted."""
        if self._handshake is None:
            raise ProtocolError("a frame before the TLS handshake was complete")
        if kind == Kind.HELLO:
            hello = bytes(body)
            again = partial(self._shake_hands, kind, memoryview(hello))
            if self._context.arrivals.holds(hello, self._wire, again, self.fail):
                return
            challenge = encode_frame(Kind.CHALLENGE, self._handshake.on_hello(hello))
            self._challenged = True
            # After wrong proofs from this address its next challenge comes late: guessing is slowed down.
            delay = self._context.admission.challenge_delay(self._address, self._loop.time())
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
        context = self._context.in_shard(admitted.shard)
        account = context.accounts.of(admitted.verifier.key_id)
        # It may raise: before anything of the connection counts as admitted.
        context.descriptors.admit(account)
        context.admission.leave(self)
        # From here on it is a connection of that shard.
        self._context = context
        # Its key material is not kept for the connection's life.
        self._handshake = None
        self._peer = peer = PeerSession(context, self, admitted, account, self._address)
        self._inbound.admit(account, context.identity.frame_bytes_max, peer.understand)
        # Before the session opens: the first answer must come behind it.
        self._wire.queue(encode_frame(Kind.WELCOME, welcome))
        self._liveness.watch()
        context.engine.opened(peer.session)

    @contained
    def _send_late(self, frame: bytes) -> None:
        self._wire.queue(frame)

    # when its key has too much here (inbound.Peer)

    def hold_up(self, traffic: Traffic) -> None:
        if self._wire.is_open:
            self._wire.pause_reading()
            self._paused = True
            self._context.turns.hold_up(traffic)
            self._liveness.hold_up()

    def resume(self) -> None:
        if self._wire.is_open and self._paused:
            self._paused = False
            self._wire.resume_reading()
            self._liveness.watch()

    def fail(self, error: Exception) -> None:
        if isinstance(error, TqError):
            self._refuse(error)
            return
        self.broke(error)

    def alive(self) -> None:
        """See ``liveness.Watched``."""
        if self._peer is not None:
            self._peer.seen()

    def frames_sent(self) -> None:
        """See ``transport.TransportOwner``."""
        if self._clogged and self._peer is not None:
            self._context.unread.look(self, self._peer.session.account)

    # endings

    def said_goodbye(self, reason: str) -> None:
        self._end(reason or "it said goodbye", orderly=True)

    @contained
    def cut_off(self, reason: str) -> None:
        self._end(reason, abort=True)

    @contained
    def disconnect(self, reason: str) -> None:
        if self._peer is not None and not self._wire.tls.broken:
            self._wire.queue(goodbye(reason))
            self._wire.send_queued()
        self._end(reason)

    def _refuse(self, error: TqError) -> None:
        """Tell a peer what is wrong and close; after a uniform delay when its proof was wrong, at once when nothing can be sent
        to it because TLS is broken."""
        self._challenged = False
        self._log(error)
        if self._wire.tls.broken:
            self._wire.write()  # the alert that says so
            self._end(str(error))
            return
        delay = 0.0
        if isinstance(error, Rejected):
            self._context.admission.failed(self._address, self._loop.time())
            delay = REFUSAL_DELAY_SECONDS
        # From here on nothing of what it sends is read.
        self._refusing = True
        self._liveness.set(delay, self._say_refusal, error)

    @contained
    def _say_refusal(self, error: TqError) -> None:
        if self._peer is not None:
            self._wire.queue(goodbye(str(error)))
        elif self._wire.tls.established:
            self._wire.queue(encode_frame(Kind.REFUSED, pack(to_wire(error))))
        self._wire.send_queued()
        self._end(str(error))

    def _leave(self, reason: str) -> None:
        """The peer has gone. If it got a challenge and sent no proof, its address waits for the next one."""
        if self._challenged and self._wire.is_open:
            self._context.admission.failed(self._address, self._loop.time())
        self._end(reason)

    def broke(self, error: Exception) -> None:
        """A callback of this connection failed: that costs this connection. See ``common/runtime/callbacks.py``."""
        if not self._wire.is_open:
            return
        if isinstance(error, TqError):
            self._log(error)
        else:
            report_bug(self._context.report, error)
        # Without a goodbye: what state it is in is not known.
        self.cut_off(str(error))

    def _log(self, error: TqError) -> None:
        if isinstance(error, NotOwner):
            return  # it goes to the other one, which is no fault
        if self._peer is None:
            self._context.log_rejection(self._address, error)
        else:
            self._context.report(
                "connection.broken", level="warning", address=self._address, error=str(error)
            )

    def _end(self, reason: str, *, abort: bool = False, orderly: bool = False) -> None:
        """The one way out, taken once. ``orderly``: the peer said goodbye."""
        if not self._wire.close(abort=abort, unsent_bytes_max=LINGER_BYTES_MAX):
            return
        context = self._context
        self._liveness.cancel()
        context.admission.leave(self)
        context.connections.discard(self)
        context.unread.read(self)
        self._inbound.close()
        if self._peer is not None:
            self._peer.close(reason, orderly=orderly)


def _evict(connection: OpenConnection | None) -> None:
    """Its place goes to another one."""
    if connection is not None:
        connection.cut_off("it was slow to prove itself, and others wait")
