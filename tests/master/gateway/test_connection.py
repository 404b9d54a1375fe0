"""A stock client's connection as an attacker with the key has it: who does not read, who floods, what a bug costs.

Real sockets, a clock by hand, and the master's own engine behind it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import pickle
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tq.common.values.codec import encode
from tq.common.wire.address import Address
from tq.master.gateway import connection as connection_module
from tq.master.gateway.connection import LINGER_SECONDS, UNREAD_BYTES_MAX, WORDS_MAX
from tq.master.gateway.handshake import CHALLENGE, FRAME_BYTES_MAX, WELCOME, FrameSplitter, frame
from tq.master.gateway.server import UNREAD_BYTES_MAX as UNREAD_ANSWERS_MAX
from tq.master.gateway.server import Gateway
from tq.master.gateway.socket_options import NOTICED
from tq.master.items.items import Items
from tq.master.net.server import MasterServer

from tests.master.net.door import HandLoop

KEY = b"a key for stock clients"
SECONDS_MAX = 10.0  # for what other threads and the system do
LARGE = 12 * 2**20  # more than the system keeps for who does not read


class Door:
    """A master's gateway on a port of its own."""

    def __init__(self, bench: Any) -> None:
        self.loop, self.bench = HandLoop(), bench
        self.reports: list[tuple[str, dict[str, Any]]] = []
        self.server = MasterServer(
            bench.engine,
            bench.registry,
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH),
            b"",
            cluster_id=b"c" * 16,
            heartbeat_seconds=5.0,
            frame_bytes_max=2**24,
            report=lambda action, **fields: self.reports.append((action, fields)),
            loop=self.loop,
            clock=lambda: bench.now,
        )
        self.gateway = Gateway(self.server, KEY)
        self.address = self.loop.run_until_complete(self.gateway.listen(Address("127.0.0.1", 0)))
        self._clients: list[StockClient] = []

    def until(self, condition: Callable[[], Any]) -> None:
        began = time.monotonic()
        while not condition():
            assert time.monotonic() - began < SECONDS_MAX
            self.loop.run_until_complete(asyncio.sleep(0))

    def come_in(self, queue: str = "q") -> StockClient:
        self._clients.append(StockClient(self, queue))
        return self._clients[-1].serve()

    def complaints(self) -> str:
        return " ".join(str(fields.get("error")) for _, fields in self.reports)

    def close(self) -> None:
        self.gateway.close()
        for client in self._clients:
            client.socket.close()
        self.until(lambda: not self.gateway.connections)
        self.loop.run_until_complete(self.server.drain())
        self.server.close()
        self.loop.close()


class StockClient:
    """Says what the standard library's says, byte for byte, and what it never would."""

    def __init__(self, door: Door, queue: str) -> None:
        self.door, self.ident = door, f"1/{queue}"
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(door.address)
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

        def heard() -> bool:
            self.listen()
            if one := self._frames.next():
                found.append(one[0] or b"")
            return bool(found)

        self.door.until(heard)
        return found[0]

    def say(self, *bodies: bytes) -> None:
        data = b"".join(map(frame, bodies))
        while data:
            with contextlib.suppress(BlockingIOError):
                data = data[self.socket.send(data) :]
            self.door.loop.run_until_complete(asyncio.sleep(0))

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
        return pickle.dumps((self.ident, method, args, kwds), 5)

    def answer(self) -> Any:
        return pickle.loads(self.hear())  # noqa: S301 - our own

    def call(self, method: str, *args: Any, **kwds: Any) -> Any:
        self.say(self.request(method, *args, **kwds))
        return self.answer()


@pytest.fixture
def door(bench: Any) -> Iterator[Door]:
    door = Door(bench)
    yield door
    door.close()


def put(door: Door, item: Any, queue: str = "q", number: int = 1) -> None:
    target = ("get_queue", queue)
    assert door.bench.client().call(target, "put", b"p" * 16, number, encode(item), True, None) is True


def test_what_is_put_is_got_and_counted(door: Door) -> None:
    client = door.come_in()
    assert client.call("put", [1, {"a": (2,)}], timeout=3) == ("#RETURN", None)
    assert client.call("qsize") == ("#RETURN", 1)
    assert client.call("get") == ("#RETURN", [1, {"a": (2,)}])


def test_of_puts_that_cannot_come_again_nothing_is_remembered(door: Door) -> None:
    for number in range(3):
        door.come_in().call("put", number)
    picture = door.bench.engine.store.items.load()
    assert (picture.putters, picture.queues[0].waiting) == ([], 3)


def test_a_request_does_not_wait_for_an_acknowledgement_of_the_handshake(door: Door) -> None:
    many, delay_seconds = 40, 0.04  # with which a system acknowledges what is not answered
    began = time.monotonic()
    for _ in range(many):
        door.come_in()
    assert time.monotonic() - began < many * delay_seconds / 2


# who does not read


def test_a_host_that_vanished_is_noticed_also_while_an_answer_is_on_its_way_to_it(door: Door) -> None:
    door.come_in()
    (one,) = door.gateway.connections
    plug = one._transport.get_extra_info("socket")  # type: ignore[union-attr]
    assert plug.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    for name, value in NOTICED.items():
        if hasattr(socket, name):
            assert plug.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) == value


def get_and_not_read(client: StockClient) -> None:
    client.say(client.request("get"))
    client.door.until(lambda: client.door.gateway.unread)


def is_back(door: Door, queue: str = "q") -> bool:
    return bool(door.bench.engine.part(Items).by_name[queue].waiting)


def test_who_asks_on_and_reads_nothing_is_cut_off_and_leaves_nothing_behind(door: Door) -> None:
    put(door, b"x" * LARGE)
    client = door.come_in()
    get_and_not_read(client)
    with contextlib.suppress(ConnectionError):
        client.say(*[b"x" * FRAME_BYTES_MAX] * (UNREAD_BYTES_MAX // FRAME_BYTES_MAX + 1))
    door.until(lambda: not door.gateway.connections and is_back(door))
    assert "it asks on and on without waiting for answers" in door.complaints()


def test_who_hangs_up_and_reads_nothing_has_seconds_to_do_so(door: Door) -> None:
    put(door, b"x" * LARGE)
    client = door.come_in()
    get_and_not_read(client)
    client.socket.shutdown(socket.SHUT_WR)
    door.until(lambda: is_back(door))
    assert len(door.gateway.connections) == 1  # it counts as long as it is there
    door.loop.now += LINGER_SECONDS
    door.until(lambda: not door.gateway.connections)


def test_of_many_who_do_not_read_the_first_give_way(door: Door) -> None:
    many = UNREAD_ANSWERS_MAX // LARGE + 3
    clients = []
    for number in range(many):
        put(door, b"x" * LARGE, f"q{number}")
        clients.append(door.come_in(f"q{number}"))
        clients[-1].say(clients[-1].request("get"))
        door.until(lambda: not is_back(door, f"q{number}"))  # noqa: B023 - asked at once
    door.until(lambda: is_back(door, "q0"))
    assert sum(one.unsent_bytes() for one in door.gateway.unread) <= UNREAD_ANSWERS_MAX
    assert clients[-1].answer() == ("#RETURN", b"x" * LARGE)
    assert "it does not read its answers, and too many do not" in door.complaints()


# who floods


def test_a_flood_of_requests_on_one_connection_lets_others_be_answered_in_between(door: Door) -> None:
    flood, other = door.come_in(), door.come_in()
    requests = 2_000
    flood.socket.sendall(frame(b"") * requests)
    other.socket.sendall(frame(other.request("qsize")))
    assert other.answer() == ("#RETURN", 0)
    flood.listen()
    answered = 0
    while flood._frames.next():
        answered += 1
    assert answered < requests
    for _ in range(requests - answered):
        assert flood.answer()[0] == "#TRACEBACK"


def test_an_error_is_told_in_a_few_words_whatever_is_in_the_request(door: Door) -> None:
    client = door.come_in()
    value: Any = "\ud800"  # half a character
    for _ in range(10):
        value = {"k" * 10_000: value}
    kind, error = client.call("put", value)
    assert (kind, type(error), len(str(error)) <= WORDS_MAX) == ("#ERROR", TypeError, True)


# what a bug costs


def test_a_bug_in_reading_costs_one_connection(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    struck, other = door.come_in(), door.come_in()
    with monkeypatch.context() as patch:
        patch.setattr(connection_module, "read_call", lambda *_: 1 // 0)
        struck.say(struck.request("qsize"))

        def hung_up() -> bool:
            struck.listen()
            return struck.hung_up

        door.until(hung_up)
    assert any(action == "master.bug" for action, _ in door.reports)
    assert "ZeroDivisionError" in door.complaints()
    assert other.call("qsize") == ("#RETURN", 0)


def test_an_item_for_which_there_is_no_memory_stays_and_everybody_else_is_answered(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(_: bytes) -> bytes:
        raise MemoryError

    client, other = door.come_in(), door.come_in()
    client.call("put", 7)
    with monkeypatch.context() as patch:
        patch.setattr(connection_module, "returning", exhausted)
        kind, words = client.call("get")
    assert (kind, "the master could not write it" in words) == ("#TRACEBACK", True)
    assert other.call("get") == ("#RETURN", 7)
