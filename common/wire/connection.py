"""One authenticated connection to a master, from the calling side: of a client or of a worker.

::

    TCP bytes ─► SecureTransport ─► FrameReader ─► ClientHandshake ─► Caller ─► futures
                                         (until WELCOME)      (after it)

Owns the order of the phases and the heartbeat. Reconnecting, resending and deciding what a lost connection means are up to
its owner. Everything here runs on one event loop.

Invariants: 1. nothing of tq is sent before the certificate was checked, against the key's pin or against what is known about
this address; 2. no call is sent before WELCOME proved that the master knows the key; 3. every call's future is done at the
latest when the connection is; 4. only what was decrypted counts as a sign of life, bytes do not; 5. every callback ends with a
deadline armed or the connection closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from ..auth.keys import Credential
from ..auth.recognition import Recognition
from ..domain.model import Role
from ..errors import NotOwner, ProtocolError, TqError, Unreachable, from_wire
from ..runtime.callbacks import contained
from ..runtime.own_thread import in_own_thread
from ..values.brief import brief
from .address import Address
from .frames import HANDSHAKE_FRAME_BYTES_MAX, FrameReader, Kind, encode_frame, unpack
from .handshake import ClientHandshake, Welcome
from .protocol import PING, Caller, Goodbye, child_frame, goodbye
from .silence import Silence
from .tls import NO_CA, OwnCa, TlsPipe, client_context
from .transport import SecureTransport

SILENT_HEARTBEATS_MAX: Final = 3  # after so many heartbeats without a sign of life, the master counts as gone
CONNECT_SECONDS: Final = 10.0  # TCP, TLS and the proof together


class CallerConnection(asyncio.Protocol):
    """One connection, from TCP to the last answer. Made by ``open``; single use."""

    welcome: Welcome

    def __init__(
        self, address: Address, credential: Credential, role: Role, node: bytes, own_ca: OwnCa, shard: int
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.address, self._credential, self._role = address, credential, role
        self._node, self._shard = node, shard
        self._recognition = Recognition(address, credential, own_ca)
        tls = TlsPipe(client_context(*own_ca), server_side=False, server_hostname=address.host)
        self._wire = SecureTransport(self, tls, self._loop)
        self._frames = FrameReader(HANDSHAKE_FRAME_BYTES_MAX)
        self._handshake: ClientHandshake | None = None
        self._caller: Caller | None = None
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._spoke = self._loop.time()
        self._silence = Silence()
        self._heartbeat: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._admitted: asyncio.Future[None] = self._loop.create_future()
        self._closed: asyncio.Future[str] = self._loop.create_future()

    @classmethod
    async def open(
        cls,
        address: Address,
        credential: Credential,
        *,
        role: Role,
        node: bytes,
        timeout: float = CONNECT_SECONDS,
        own_ca: OwnCa = NO_CA,
        place: str | None = None,
        shard: int = 0,
    ) -> CallerConnection:
        """A connection that has been admitted.

        Raises Unreachable (no answer, or too slow), NotOwner (it stands by), Rejected (wrong key, role or pin) or ProtocolError
        (another program answers at that port). ``timeout``: seconds for everything together. ``place``: the one that is meant of
        those that the address's name stands for. ``shard``: the one of the cluster that is asked.
        """
        connection: CallerConnection | None = None
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                made = partial(cls, address, credential, role, node, own_ca, shard)
                _, connection = await loop.create_connection(made, place or address.host, address.port)
                # Shielded: the timeout must end this wait, not the future that ``_end`` completes.
                await asyncio.shield(connection._admitted)
        except TimeoutError:
            if connection is not None:
                connection._end(Unreachable("no answer in time"))
            raise Unreachable(
                f"{address} did not answer within {timeout:g} s; is tq-master running there, "
                "and does no firewall stand between?"
            ) from None
        except OSError as error:
            # Unreachable is an OSError, too, and has its sentence already.
            if isinstance(error, TqError):
                raise
            raise Unreachable(
                f"cannot connect to {address}: {error.strerror or error}; is tq-master running there?"
            ) from None
        return connection

    def call(
        self, target: Sequence[Any], method: str, *args: Any, child: bytes | None = None, **kwargs: Any
    ) -> asyncio.Future[Any]:
        """Send a call; the future gives the answer or raises what the master answered.

        Calls made in one turn of the event loop leave in one write. InvalidArgument when it is too large. ``child``: the
        node of a worker's child, which makes it.
        """
        if self._caller is None or self.is_closed:
            raise Unreachable(f"the connection to {self.address} is closed")
        call_id, frame = self._caller.call(target, method, args, kwargs, child)
        future: asyncio.Future[Any] = self._loop.create_future()
        self._pending[call_id] = future
        # A caller that cancels its future has the master spared the answer.
        future.add_done_callback(lambda done: self._forget(call_id, done))
        self._wire.queue(frame)
        return future

    def announce_child(self, node: bytes, *, here: bool) -> None:
        """Notify the master that a child of this worker is here, or has died."""
        if not self.is_closed:
            self._wire.queue(child_frame(node, here))

    def probe(self) -> Callable[[], bool]:
        """Ask for a sign of life now, which a master gives between two transactions; what says whether one has come since."""
        asked_at = self._loop.time()
        self._wire.queue(PING)
        return lambda: self._wire.received_at > asked_at

    def close(self, reason: str = "") -> None:
        """Say goodbye and close. Pending calls fail with Unreachable."""
        if not self.is_closed:
            if self._caller is not None and not self._wire.tls.broken:
                self._wire.queue(goodbye(reason))
                # In this turn: the socket is closed before the next one.
                self._wire.send_queued()
            self._end(Unreachable(reason or "closed on this side"))

    @property
    def is_closed(self) -> bool:
        return self._closed.done()

    async def wait_closed(self) -> str:
        """Wait for the end and return its reason. Shielded: a caller that is cancelled cancels its own wait, never the
        future, by which all others learn whether the connection is still open."""
        return await asyncio.shield(self._closed)

    def fileno(self) -> int:
        """The socket's descriptor; -1 when there is none, or none any more."""
        return self._wire.fileno()

    # asyncio.Protocol

    @contained
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._wire.connected(transport)
        self._wire.write()  # the TLS client hello

    @contained
    def data_received(self, data: bytes) -> None:
        if self.is_closed:
            return
        try:
            plaintext = self._wire.receive(data)
            # Only now is the certificate known that the proof is bound to.
            if self._handshake is None and self._wire.tls.established:
                self._say_hello()
            if plaintext:
                for kind, body in self._frames.feed(plaintext):
                    self._understand(kind, body)
            # After the frames: a master that refuses says why before it closes.
            if self._wire.tls.eof:
                self._end(Unreachable("the master closed the connection"))
        except TqError as error:
            self._wire.write()  # a TLS alert may explain it to the other side
            self._end(error)

    @contained
    def eof_received(self) -> None:
        self._end(Unreachable("the master closed the connection"))

    @contained
    def connection_lost(self, exc: Exception | None) -> None:
        self._end(Unreachable(f"the connection broke: {exc}" if exc else "the connection was closed"))

    # the phases, in order

    def _say_hello(self) -> None:
        certificate = self._wire.tls.peer_certificate or b""
        known = self._recognition.check(certificate)
        self._handshake = ClientHandshake(
            credential=self._credential,
            role=self._role,
            node=self._node,
            certificate=certificate,
            cluster_id=known,
            shard=self._shard,
        )
        self._wire.queue(encode_frame(Kind.HELLO, self._handshake.hello()))

    def _understand(self, kind: int, body: memoryview) -> None:
        if self._caller is not None:
            self._take(kind, body)
        elif kind == Kind.REFUSED:
            error = from_wire(unpack(body))
            # A master that stands by names the one that serves. A stranger could name any.
            if isinstance(error, NotOwner) and not self._recognition.is_certain:
                error = NotOwner(str(error))
            raise error
        elif self._handshake is None:
            raise ProtocolError("the master spoke before it was greeted")
        # Once: a second challenge would have the key prove another text.
        elif kind == Kind.CHALLENGE and self._task is None:
            self._task = self._loop.create_task(self._prove(self._handshake, bytes(body)))
        elif kind == Kind.WELCOME:
            self.welcome = self._handshake.on_welcome(bytes(body))
            self._recognition.keep(self.welcome.cluster_id, self.welcome.revoked)
            self._caller = Caller(self.welcome.frame_bytes_max)
            self._frames.frame_bytes_max = self.welcome.frame_bytes_max
            self._beat_in(self.welcome.heartbeat_seconds)
            self._admitted.set_result(None)
        else:
            raise ProtocolError(f"the master sent a frame of kind {kind} in the middle of the handshake")

    async def _prove(self, handshake: ClientHandshake, challenge: bytes) -> None:
        try:  # stretching a plain authkey takes a tenth of a second of computing: not on the loop
            proof = await in_own_thread(handshake.on_challenge, challenge, name="tq-proof")
        except Exception as error:
            self.broke(error)
        else:
            self._wire.queue(encode_frame(Kind.PROOF, proof))

    def _take(self, kind: int, body: memoryview) -> None:
        event = self._caller.understand(kind, body)  # type: ignore[union-attr]
        if event is None:
            return
        if isinstance(event, Goodbye):
            self._end(Unreachable(f"the master closed the connection: {event.reason}"))
            return
        future = self._pending.pop(event.call_id, None)
        if future is None or future.done():
            return  # abandoned: the answer crossed the ABANDON
        if event.error is None:
            future.set_result(event.value)
        else:
            future.set_exception(event.error)

    def _forget(self, call_id: int, future: asyncio.Future[Any]) -> None:
        if self._pending.pop(call_id, None) is not None and future.cancelled() and self._caller is not None:
            self._wire.queue(self._caller.abandon(call_id))

    # signs of life

    def frames_sent(self) -> None:
        self._spoke = self._loop.time()

    @contained
    def _beat(self) -> None:
        every = self.welcome.heartbeat_seconds
        now = self._loop.time()
        silent_seconds = self._silence.seconds(now, self._wire.received_at)
        left = every * SILENT_HEARTBEATS_MAX - silent_seconds
        if left <= 0:
            self._end(
                Unreachable(f"nothing that could be read came from the master for {silent_seconds:.0f} s")
            )
            return
        # A tenth of tolerance, or a timer that is early by a millisecond would skip a whole beat.
        if now - self._spoke >= every * 0.9 or now - self._wire.received_at >= every * 0.9:
            self._wire.queue(PING)
        # Sooner than a beat if its silence runs out before.
        self._beat_in(min(every, left))

    def _beat_in(self, seconds: float) -> None:
        self._silence.look_at(self._loop.time() + seconds)
        self._heartbeat = self._loop.call_later(seconds, self._beat)

    def broke(self, error: Exception) -> None:
        """A callback of this connection failed. See ``common/runtime/callbacks.py``."""
        self._end(
            error
            if isinstance(error, TqError)
            else ProtocolError(f"the connection failed: {brief(error, 200)}")
        )

    def _end(self, error: TqError) -> None:
        """The one way out: everything that waits is notified, once."""
        if self.is_closed:
            return
        self._closed.set_result(str(error))
        if self._heartbeat is not None:
            self._heartbeat.cancel()
        if self._task is not None and not self._task.done():
            self._task.cancel()
        if not self._admitted.done():
            self._admitted.set_exception(error)
            self._admitted.exception()  # open() may have stopped waiting: then nothing else retrieves it
        pending, self._pending = self._pending, {}
        for future in pending.values():
            if not future.done():
                future.set_exception(Unreachable(str(error)))
        self._wire.close()
