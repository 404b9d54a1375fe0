"""A master's server without a port, whose clock is moved by hand, and the peers that connect to it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tq.common.auth.certificate import certificate_der, ensure_certificate, fingerprint
from tq.common.auth.keys import Credential
from tq.common.domain.model import NODE_ID_BYTES, Role
from tq.common.errors import ProtocolError, TqError, Unreachable, from_wire
from tq.common.wire.frames import FrameReader, Kind, encode_frame, pack, unpack
from tq.common.wire.handshake import CLUSTER_ID_BYTES, ClientHandshake
from tq.common.wire.protocol import Caller
from tq.common.wire.tls import TlsPipe, client_context, server_context
from tq.master.keys.keyring import Keyring
from tq.master.net.connection import Connection
from tq.master.net.context import PortContext, ServerIdentity
from tq.master.net.liveness import SILENT_HEARTBEATS_MAX
from tq.master.net.server import MasterServer
from tq.master.net.transactions import UNCERTAIN_PAUSE_SECONDS, TransactionRunner

HEARTBEAT, FRAME_BYTES_MAX = 5.0, 2**20
START = 1_024.0  # eighths of seconds from here are exact
SILENCE = HEARTBEAT * SILENT_HEARTBEATS_MAX
TURNS = 12  # of the loop; everything here is on this machine and needs no waiting
WRONG = b"w" * 32
SECONDS_MAX = 10.0  # for what other threads do


class HandLoop(asyncio.SelectorEventLoop):
    """A loop whose clock is moved by hand.

    A store in a database is uncertain for a moment when a loaded machine has given its renewals no time, and then a transaction waits for a
    pause of this clock. Who waits here for transactions has to ``skip_pauses``, or nothing would ever end that.
    """

    now = START

    def __init__(self) -> None:
        super().__init__()
        self._pauses: list[tuple[asyncio.TimerHandle, Callable[..., Any]]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Any, *args: Any, **more: Any) -> asyncio.TimerHandle:
        handle = super().call_later(delay, callback, *args, **more)
        if (
            getattr(callback, "__func__", None) is TransactionRunner._pump
            and delay == UNCERTAIN_PAUSE_SECONDS
        ):
            self._pauses.append((handle, callback))
        return handle

    def skip_pauses(self) -> None:
        """Let transactions look again now whether their store is certain."""
        pauses, self._pauses = self._pauses, []
        for handle, pump in pauses:
            if handle.when() > self.now:
                handle.cancel()
                self.call_soon(pump)


class ServerHarness:
    """A master's server without a port: connections come in as pairs of sockets."""

    def __init__(self, bench: Any, folder: Path) -> None:
        files = ensure_certificate(folder)
        self.loop = HandLoop()
        self.reports: list[tuple[str, dict[str, Any]]] = []
        bench.engine.part(Keyring).pin = fingerprint(certificate_der(files[0]))
        self.token = self.clients = bench.client(role=Role.ADMIN).call("get_keys", "add", "client", [], "")
        identity = ServerIdentity(
            server_context(*files),
            certificate_der(files[0]),
            b"c" * CLUSTER_ID_BYTES,
            HEARTBEAT,
            FRAME_BYTES_MAX,
            bench.engine.core.shard.of,
        )
        self.port = PortContext(
            identity, self.loop, lambda action, **fields: self.reports.append((action, fields))
        )
        self.server = MasterServer(bench.engine, bench.registry, self.port, clock=lambda: bench.now)
        self.entrance: PortContext = self.server.context  # to which each connection comes
        self._peers: list[Peer] = []

    def turn(self) -> None:
        async def turns() -> None:
            for _ in range(TURNS):
                await asyncio.sleep(0)

        self.loop.run_until_complete(turns())

    def settle(self) -> None:
        """Until no transaction is under way; the test's time limit ends it. Before the bench makes one itself."""
        while self.server.transactions.is_busy:
            self.loop.skip_pauses()
            self.turn()

    def at(self, seconds: float) -> None:
        """So many seconds after the start."""
        assert START + seconds >= self.loop.now
        self.loop.now = START + seconds
        self.turn()

    def connect(self) -> Peer:
        ours, theirs = socket.socketpair()
        self.loop.run_until_complete(
            self.loop.connect_accepted_socket(lambda: Connection(self.entrance), theirs)
        )
        self._peers.append(Peer(self, ours))
        self.turn()
        return self._peers[-1]

    def close(self) -> None:
        drained = self.loop.create_task(self.server.drain())
        while not drained.done():
            self.loop.skip_pauses()
            self.turn()
        drained.result()
        for connection in list(self.port.connections):
            connection.disconnect("the test is over")
        self.turn()
        self.server.close()
        for peer in self._peers:
            peer.socket.close()
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()


class Peer:
    """A peer: sends what a test says, and keeps what it receives."""

    def __init__(self, harness: ServerHarness, ours: socket.socket) -> None:
        self.harness, self.socket = harness, ours
        ours.setblocking(False)
        self.tls = TlsPipe(client_context(), server_side=False)
        self.frames: list[tuple[int, Any]] = []
        self._reader = FrameReader(FRAME_BYTES_MAX)
        self._closed = False

    @property
    def hung_up(self) -> bool:
        """Whether the master has closed the connection."""
        self.listen()
        return self._closed

    @property
    def refusal(self) -> TqError | None:
        """Why, if it said so."""
        self.listen()
        return next((from_wire(body) for kind, body in self.frames if kind == Kind.REFUSED), None)

    def listen(self) -> None:
        self.harness.turn()
        with contextlib.suppress(BlockingIOError):
            while not self._closed:
                try:
                    data = self.socket.recv(65_536)
                except ConnectionResetError:
                    data = b""
                self._closed = not data
                for kind, body in self._reader.feed(self.tls.receive(data)) if data else ():
                    self.frames.append((kind, unpack(body) if body else None))

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)
        self.harness.turn()

    def say(self, frame: bytes) -> None:
        self.tls.send(frame)
        self.send(self.tls.take_output())

    def do_tls(self) -> Peer:
        while data := self.tls.take_output():
            self.send(data)
            self.listen()
        assert self.tls.established
        return self

    def do_hello(
        self,
        secret: bytes | None = None,
        role: Role = Role.CLIENT,
        node: bytes | None = None,
        shard: int = 0,
    ) -> ClientHandshake:
        key = Credential.parse(self.harness.token)
        credential = Credential(key_id=key.key_id, secret=secret or key.secret)
        handshake = ClientHandshake(
            credential=credential,
            role=role,
            node=node or os.urandom(NODE_ID_BYTES),
            certificate=self.tls.peer_certificate or b"",
            shard=shard,
        )
        self.say(encode_frame(Kind.HELLO, handshake.hello()))
        self.listen()
        return handshake

    def prove(
        self,
        secret: bytes | None = None,
        role: Role = Role.CLIENT,
        node: bytes | None = None,
        shard: int = 0,
    ) -> Peer:
        handshake = self.do_hello(secret, role, node, shard)
        kind, challenge = self.frames[-1]
        assert kind == Kind.CHALLENGE
        self.say(encode_frame(Kind.PROOF, handshake.on_challenge(pack(challenge))))
        self.listen()
        return self

    def admitted(self, node: bytes | None = None, role: Role = Role.CLIENT, shard: int = 0) -> Peer:
        self.do_tls().prove(role=role, node=node, shard=shard)
        assert self.frames[-1][0] == Kind.WELCOME
        return self


LOCK = ["get_lock", "held"]


class Client:
    """An admitted peer that makes calls."""

    def __init__(
        self,
        harness: ServerHarness,
        node: bytes | None = None,
        role: Role = Role.CLIENT,
        shard: int = 0,
    ) -> None:
        self.harness, self._caller = harness, Caller()
        self.peer = harness.connect().admitted(node, role, shard)
        harness.settle()

    def ask(self, target: list[Any], method: str, *args: Any) -> int:
        call_id, frame = self._caller.call(target, method, args, {})
        self.peer.say(frame)
        return call_id

    def answer(self, call_id: int) -> Any:
        """What a call came to; None when there is no answer."""
        self.harness.settle()
        with contextlib.suppress(
            ProtocolError, Unreachable
        ):  # the alert of a master whose side of TLS is broken
            self.peer.listen()
        answers = [body for kind, body in self.peer.frames if kind in (Kind.RETURN, Kind.ERROR)]
        return next((value for id, value, *_ in answers if id == call_id), None)

    def call(self, target: list[Any], method: str, *args: Any) -> Any:
        return self.answer(self.ask(target, method, *args))

    def say_damaged(self, frame: bytes, *, at: int, mask: int) -> None:
        """Send a frame with a bit of its record changed."""
        self.peer.tls.send(frame)
        record = bytearray(self.peer.tls.take_output())
        record[at] ^= mask
        self.peer.send(bytes(record))

    @property
    def hung_up(self) -> bool:
        with contextlib.suppress(ProtocolError, Unreachable):
            return self.peer.hung_up
        return self.peer.hung_up


def actions(harness: ServerHarness) -> list[str]:
    return [action for action, _ in harness.reports]


def is_served(client: Client) -> bool:
    return isinstance(client.call(LOCK, "state"), list)
