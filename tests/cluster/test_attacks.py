"""Strangers at the master's port. Whatever they do, others are served."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Iterator

import psutil
import pytest
import tq
from tq.common.runtime.limited_log import LINES_AT_ONCE
from tq.common.wire.frames import Kind, encode_frame, pack
from tq.common.wire.tls import client_context
from tq.master.net.admission import UNAUTHENTICATED_PER_ADDRESS_MAX
from xprocess import XProcess

from .programs import Master, eventually
from .step_by_step import Steps

pytestmark = pytest.mark.few

IN_TIME_SECONDS = 1.0  # for a good client, whatever strangers do
ATTACKERS = UNAUTHENTICATED_PER_ADDRESS_MAX - 2  # as many as leave a place for others of the same host
FLOOD_HELD, GOOD_ONES = 400, 30  # connections of one flooding thread; clients that come meanwhile
BOTTOMLESS_HELLO = (
    b"\x95" + b"\x91" * 1_000 + b"\x90" + b"".join(map(pack, ("client", "k", b"n" * 32, b"d" * 16)))
)


@pytest.fixture(scope="module")
def fortress(xprocess: XProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Master]:
    """A master with keys of its own, for all tests that do it no harm."""
    master = Master(xprocess, tmp_path_factory.mktemp("fortress"), authkey=None)
    try:
        master.start()
        yield master
    finally:
        master.end()


@pytest.fixture(autouse=True)
def free_places(fortress: Master) -> None:
    """The master has noticed that all connections of earlier tests are gone."""

    def connections() -> list[str]:
        everyone = psutil.net_connections("tcp")  # of one process only root may ask: it is hidden
        ours = (one for one in everyone if one.laddr and one.laddr.port == fortress.port)
        return [one.status for one in ours if one.status != psutil.CONN_LISTEN]

    eventually(lambda: set(connections()) <= {psutil.CONN_TIME_WAIT})


@pytest.fixture
def attackers(fortress: Master, free_places: None) -> Iterator[list[socket.socket]]:
    """Connections to the master, closed after the test."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(knock(fortress)) for _ in range(ATTACKERS)]


def knock(master: Master) -> socket.socket:
    return socket.create_connection(("127.0.0.1", master.port), timeout=10)


def client_hello() -> bytes:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        client_context().wrap_bio(incoming, outgoing).do_handshake()
    return outgoing.read()


def assert_is_served(master: Master) -> None:
    """A client that has never been here comes in and is answered."""
    began = time.monotonic()
    with tq.App(master.url, master.key("client"), connect_timeout=IN_TIME_SECONDS) as app:
        assert isinstance(app.call(["get_master"], "info"), dict)
    assert time.monotonic() - began < IN_TIME_SECONDS


def assert_hung_up(connection: socket.socket) -> bytes:
    """What the master still said before it closed the connection."""
    said = b""
    with contextlib.suppress(ConnectionResetError):
        while data := connection.recv(65_536):
            said += data
    return said


# strangers


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (b"\0" * 10_000, "the peer does not speak TLS"),
        (bytes(range(256)) * 100, "the peer does not speak TLS"),
        (b"GET / HTTP/1.1\r\nHost: queue.example.org\r\n\r\n", "this is tq's port, it speaks no HTTP"),
        (
            b"POST /run HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\n{",
            "this is tq's port, it speaks no HTTP",
        ),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "the peer does not speak TLS"),
        (b"\x16\x03\x01\xff\xff" + b"\xff" * 1_000, "no TLS with this peer"),
        (b"\x16\x03\x01\x00\x05hello", "no TLS with this peer"),
        (b"\x80\x04\x95]q\x00", "the peer does not speak TLS"),  # a pickle
    ],
)
def test_who_speaks_no_tls_is_hung_up_on_while_others_are_served(
    fortress: Master, attackers: list[socket.socket], first: bytes, reason: str
) -> None:
    before = len(fortress.log)
    for connection in attackers:
        with contextlib.suppress(ConnectionError):
            connection.sendall(first)
    assert_is_served(fortress)
    for connection in attackers:
        assert_hung_up(connection)
    refusals = [line for line in fortress.log[before:].splitlines() if "connection.refused" in line]
    assert len(refusals) <= LINES_AT_ONCE + 5  # and those of a flood are counted in one of the next
    assert [line for line in refusals if reason not in line] == []
    assert "Traceback" not in fortress.log


def test_a_silent_connection_blocks_no_other(fortress: Master, attackers: list[socket.socket]) -> None:
    assert_is_served(fortress)
    for connection in attackers:
        connection.setblocking(False)
        with pytest.raises(BlockingIOError):  # has its time still
            connection.recv(1)


def test_a_peer_that_drips_single_bytes_blocks_no_other(
    fortress: Master, attackers: list[socket.socket]
) -> None:
    hello = client_hello()
    for place in range(4):
        for connection in attackers:
            connection.sendall(hello[place : place + 1])
        assert_is_served(fortress)


def test_a_peer_that_cuts_the_tls_hello_short_blocks_no_other(
    fortress: Master, attackers: list[socket.socket]
) -> None:
    hello = client_hello()
    for number, connection in enumerate(attackers):
        connection.sendall(hello[: len(hello) * (number + 1) // (ATTACKERS + 1)])
    assert_is_served(fortress)
    for connection in attackers:
        connection.shutdown(socket.SHUT_WR)
        assert_hung_up(connection)
    assert_is_served(fortress)


def test_a_peer_that_is_silent_after_tls_blocks_no_other(
    fortress: Master, attackers: list[socket.socket]
) -> None:
    channels = [client_context().wrap_socket(connection) for connection in attackers]
    assert_is_served(fortress)
    for channel in channels:
        assert channel.version() == "TLSv1.3"
        channel.close()


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"\xff\xff\xff\xff\x01", "a frame of 4,294,967,295 bytes was announced, the limit here is 4,096"),
        (b"\x00\x00\x10\x01\x01", "a frame of 4,097 bytes was announced, the limit here is 4,096"),
        (b"\x00\x00\x00\x00\xff", "frame kind 255 is unknown"),
        (encode_frame(Kind.HELLO, b"\xc1"), "a frame body is not a msgpack value"),
        (encode_frame(Kind.HELLO, pack(["please"])), "a HELLO is"),
        (encode_frame(Kind.HELLO, BOTTOMLESS_HELLO), "a HELLO is"),
        (encode_frame(Kind.PROOF, pack([b"x" * 32])), "a PROOF before HELLO"),
        (
            encode_frame(Kind.CALL, pack([1, ["get_keys"], "list", [], {}])),
            "a frame of kind 6 before WELCOME",
        ),
        (
            encode_frame(Kind.RELAYED_CALL, pack([1, ["get_keys"], "list", [], {}])),
            "a frame of kind 7 before",
        ),
    ],
)
def test_a_peer_that_breaks_the_rules_inside_tls_gets_the_reason_and_is_disconnected(
    fortress: Master, attackers: list[socket.socket], frame: bytes, reason: str
) -> None:
    for connection in attackers[:4]:
        with client_context().wrap_socket(connection) as channel:
            channel.sendall(frame)
            said = b""
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                while data := channel.recv(65_536):
                    said += data
            assert reason.encode() in said
    assert "Traceback" not in fortress.log
    assert_is_served(fortress)


def test_a_host_whose_places_are_all_taken_gets_in_when_one_is_free_again(fortress: Master) -> None:
    strangers = [
        client_context().wrap_socket(knock(fortress)) for _ in range(UNAUTHENTICATED_PER_ADDRESS_MAX)
    ]
    with tq.App(fortress.url, fortress.key("client")) as app:
        answers: list[object] = []
        waiting = threading.Thread(target=lambda: answers.append(app.call(["get_master"], "info")))
        waiting.start()
        for stranger in strangers:
            stranger.close()
        waiting.join(10)
    assert len(answers) == 1


def test_a_flood_of_connections_resets_no_good_one_of_the_same_host(fortress: Master) -> None:
    """A silent connection gives way to the next one, and not the next one to it."""
    over = threading.Event()

    def flood() -> None:
        held: deque[socket.socket] = deque()
        while not over.is_set():
            with contextlib.suppress(OSError):
                held.append(knock(fortress))
            if len(held) > FLOOD_HELD:
                held.popleft().close()
        for one in held:
            one.close()

    floods = [threading.Thread(target=flood) for _ in range(2)]
    for one in floods:
        one.start()
    try:
        for _ in range(GOOD_ONES):
            Steps(fortress.port, fortress.key("client")).enter().close()  # which tries once
    finally:
        over.set()
        for one in floods:
            one.join()


def test_who_is_inside_is_served_while_all_places_before_the_gate_are_taken(fortress: Master) -> None:
    with tq.App(fortress.url, fortress.key("client")) as app, contextlib.ExitStack() as stack:
        app.call(["get_master"], "info")
        for _ in range(UNAUTHENTICATED_PER_ADDRESS_MAX + 4):
            stack.enter_context(knock(fortress))
        began = time.monotonic()
        app.call(["get_master"], "info")
        assert time.monotonic() - began < IN_TIME_SECONDS
