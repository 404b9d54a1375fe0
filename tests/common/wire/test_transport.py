"""A secure transport over loopback: what counts as a sign of life, what leaves when, and the end."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tq.common.auth.certificate import ensure_certificate
from tq.common.wire.tls import TlsPipe, client_context, server_context
from tq.common.wire.transport import SecureTransport

SECONDS = 10.0


class Owner(asyncio.Protocol):
    """Keeps what it receives, and how often it was notified that frames have left."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.wire = SecureTransport(self, TlsPipe(context, server_side=True), asyncio.get_running_loop())
        self.received, self.writes, self.arrivals = b"", 0, asyncio.Queue[bytes]()
        self.errors: list[Exception] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.wire.connected(transport)

    def data_received(self, data: bytes) -> None:
        plaintext = self.wire.receive(data)
        self.received += plaintext
        self.arrivals.put_nowait(data)

    def frames_sent(self) -> None:
        self.writes += 1

    def broke(self, error: Exception) -> None:
        self.errors.append(error)


class Peer:
    """The other end: a socket and its own TLS."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, owner: Owner) -> None:
        self.tls = TlsPipe(client_context(), server_side=False)
        self.owner, self._reader, self._writer = owner, reader, writer

    async def shake_hands(self) -> None:
        while not (self.tls.established and self.owner.wire.tls.established):
            await self.send(self.tls.take_output())
            if not self.tls.established:
                self.tls.receive(await self._reader.read(65_536))

    async def send(self, data: bytes) -> None:
        """Until the owner has it."""
        if data:
            self._writer.write(data)
            got = 0
            while got < len(data):
                got += len(await asyncio.wait_for(self.owner.arrivals.get(), SECONDS))

    async def read(self, size: int) -> bytes:
        """At least so many bytes of plaintext; fewer when the connection ends."""
        plaintext = b""
        while len(plaintext) < size and (data := await asyncio.wait_for(self._reader.read(65_536), SECONDS)):
            plaintext += self.tls.receive(data)
        return plaintext


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    folder: Path = tmp_path_factory.mktemp("certificate")
    return server_context(*ensure_certificate(folder))


def met(context: ssl.SSLContext, scene: Callable[[Peer], Awaitable[None]]) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        accepted: asyncio.Future[Owner] = loop.create_future()

        def make() -> Owner:
            accepted.set_result(owner := Owner(context))
            return owner

        server = await loop.create_server(make, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
            owner = await asyncio.wait_for(accepted, SECONDS)
            peer = Peer(reader, writer, owner)
            await asyncio.wait_for(peer.shake_hands(), SECONDS)
            await scene(peer)
            owner.wire.close()
            writer.close()

    asyncio.run(run())


def test_bytes_are_no_sign_of_life_until_something_is_decrypted(context: ssl.SSLContext) -> None:
    async def scene(peer: Peer) -> None:
        peer.tls.send(b"hello")
        record = peer.tls.take_output()
        before = peer.owner.wire.received_at
        await peer.send(record[:-1])
        assert (peer.owner.received, peer.owner.wire.received_at) == (b"", before)
        await peer.send(record[-1:])
        assert peer.owner.received == b"hello"
        assert peer.owner.wire.received_at > before

    met(context, scene)


def test_frames_of_one_turn_leave_together_and_in_order(context: ssl.SSLContext) -> None:
    async def scene(peer: Peer) -> None:
        wire = peer.owner.wire
        for frame in (b"one", b"two", b"three"):
            wire.queue(frame)
        assert await peer.read(11) == b"onetwothree"
        assert peer.owner.writes == 1

    met(context, scene)


def test_what_was_queued_before_the_end_leaves_and_nothing_after_it(context: ssl.SSLContext) -> None:
    async def scene(peer: Peer) -> None:
        wire = peer.owner.wire
        wire.queue(b"goodbye")
        wire.send_queued()
        assert wire.close()
        wire.queue(b"too late")
        assert (wire.is_open, wire.fileno(), wire.unsent_bytes()) == (False, -1, 0)
        assert not wire.close(), "it was closed before"
        assert await peer.read(20) == b"goodbye"
        assert (peer.owner.writes, peer.owner.errors) == (1, [])

    met(context, scene)


def test_an_error_while_frames_leave_reaches_the_owner(
    context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(peer: Peer) -> None:
        with monkeypatch.context() as plant:
            plant.setattr(TlsPipe, "send", lambda *_: 1 / 0)
            peer.owner.wire.queue(b"frame")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert [type(error) for error in peer.owner.errors] == [ZeroDivisionError]

    met(context, scene)
