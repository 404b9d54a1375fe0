"""A master's gateway on a port of its own, and a client of the standard library that tells what it reads."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import pickle
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Any

from tq.common.values.codec import encode
from tq.common.wire.address import Address
from tq.master.gateway.handshake import CHALLENGE, WELCOME, FrameSplitter, frame
from tq.master.gateway.server import Gateway
from tq.master.items.items import Items
from tq.master.net.context import PortContext, ServerIdentity
from tq.master.net.hosted import HostedShards
from tq.master.net.server import MasterServer

from tests.master.net.harness import HandLoop

KEY = b"a key for stock clients"
SECONDS_MAX = 10.0  # for what other threads and the system do
LARGE = 12 * 2**20  # more than the system keeps for who does not read


class GatewayHarness:
    """A master's gateway on a port of its own. ``beside``: other shards that it hosts; ``ports``: see GatewayContext."""

    def __init__(self, bench: Any, *beside: Any, ports: Sequence[int] = ()) -> None:
        self.loop, self.bench = HandLoop(), bench
        self.reports: list[tuple[str, dict[str, Any]]] = []
        identity = ServerIdentity(
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH),
            b"",
            b"c" * 16,
            5.0,
            2**24,
            bench.engine.core.shard.of,
        )
        self._port = PortContext(
            identity, self.loop, lambda action, **fields: self.reports.append((action, fields))
        )
        servers = [self.serve(one) for one in (bench, *beside)]
        self.server = servers[0]
        self.hosted = HostedShards(self._port, {one.engine.core.shard.number: one for one in servers})
        self.gateway = Gateway(self.hosted, KEY, ports)
        self.address = self.loop.run_until_complete(self.gateway.listen(Address("127.0.0.1", 0)))
        self._clients: list[StockClient] = []

    def serve(self, bench: Any) -> MasterServer:
        return MasterServer(bench.engine, bench.registry, self._port, clock=lambda: self.bench.now)

    def until(self, condition: Callable[[], Any]) -> None:
        began = time.monotonic()
        while not condition():
            assert time.monotonic() - began < SECONDS_MAX
            self.loop.skip_pauses()
            self.loop.run_until_complete(asyncio.sleep(0))

    def settle(self) -> None:
        """Until no transaction is under way. Before the bench makes one itself."""
        self.until(lambda: not any(one.transactions.is_busy for one in self.hosted.servers.values()))

    def admitted(self, queue: str = "q") -> StockClient:
        self._clients.append(StockClient(self, queue))
        return self._clients[-1].serve()

    def logged_errors(self) -> str:
        return " ".join(str(fields.get("error")) for _, fields in self.reports)

    def close(self) -> None:
        self.gateway.close()
        for client in self._clients:
            client.socket.close()
        self.until(lambda: not self.gateway.context.connections)
        drained = self.loop.create_task(self.hosted.drain())
        self.until(drained.done)  # which no clock of the loop would end
        drained.result()
        self.hosted.close()
        self.loop.close()


class StockClient:
    """Says what the standard library's says, byte for byte, and what it never would."""

    def __init__(self, harness: GatewayHarness, queue: str) -> None:
        self.harness, self.ident = harness, f"1/{queue}"
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(harness.address)
        self.socket.setblocking(False)
        self.answers: list[Any] = []
        self.hung_up = False
        self._frames = FrameSplitter()
        self._frames.bytes_max = 2**30

    def listen(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while not self.hung_up:
                try:
                    data = self.socket.recv(2**20)
                except ConnectionResetError:
                    data = b""
                self.hung_up = not data
                self._frames.feed(data)

    def hear(self) -> bytes:
        found: list[bytes] = []

        def has_arrived() -> bool:
            self.listen()
            if one := self._frames.next():
                found.append(one[0] or b"")
            return bool(found)

        self.harness.until(has_arrived)
        return found[0]

    def say(self, *bodies: bytes) -> None:
        data = b"".join(map(frame, bodies))
        while data:
            with contextlib.suppress(BlockingIOError):
                data = data[self.socket.send(data) :]
            self.harness.loop.run_until_complete(asyncio.sleep(0))

    def serve(self) -> StockClient:
        challenge = self.hear().removeprefix(CHALLENGE)
        self.say(hmac.digest(KEY, challenge, "md5"))
        assert self.hear() == WELCOME
        self.say(CHALLENGE + b"c" * 20)
        assert self.hear() == hmac.digest(KEY, b"c" * 20, "md5")
        self.say(WELCOME)  # and a second small write, as theirs
        self.say(self.request("accept_connection", "name"))
        assert self.answer() == ("#RETURN", None)
        return self

    def request(self, method: str, *args: Any, **kwds: Any) -> bytes:
        return self.request_of(self.ident, method, *args, **kwds)

    def request_of(self, ident: str | None, method: str, *args: Any, **kwds: Any) -> bytes:
        return pickle.dumps((ident, method, args, kwds), 5)

    def answer(self) -> Any:
        return pickle.loads(self.hear())  # noqa: S301 - our own

    def call(self, method: str, *args: Any, **kwds: Any) -> Any:
        self.say(self.request(method, *args, **kwds))
        return self.answer()

    def call_of(self, queue: str, method: str, *args: Any) -> Any:
        """Over the same connection, of another queue."""
        self.say(self.request_of(f"1/{queue}", method, *args))
        return self.answer()


def put(harness: GatewayHarness, item: Any, queue: str = "q", number: int = 1) -> None:
    target = ("get_queue", queue)
    harness.settle()
    assert harness.bench.client().call(target, "put", b"p" * 16, number, encode(item), True, None) is True


def get_and_not_read(client: StockClient) -> None:
    client.say(client.request("get"))
    client.harness.until(lambda: client.harness.gateway.context.unread)


def is_back(harness: GatewayHarness, queue: str = "q") -> bool:
    return bool(harness.bench.engine.part(Items).by_name[queue].waiting)
