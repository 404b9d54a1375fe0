"""Strangers at the gateway's port. Stock clients do not try again: they have to be served the first time."""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from multiprocessing.connection import Client, Connection
from pathlib import Path

import psutil
import pytest
import tq
from tq.client.items.queue import ItemQueue
from tq.common.runtime.limited_log import LINES_AT_ONCE
from tq.master.net.admission import UNAUTHENTICATED_MAX
from xprocess import XProcess

from .programs import Master, Program, eventually
from .test_gateway import KEY, gateway_port, run_client

pytestmark = pytest.mark.few

FLOOD = UNAUTHENTICATED_MAX + 100
IN_TIME_SECONDS = 15.0  # an interpreter starts, and twenty handshakes; on a loaded machine
GROWTH_BYTES_MAX = 64 * 2**20
LINES_MAX = 2 * LINES_AT_ONCE  # of one flood, which is over within seconds


@pytest.fixture(scope="module")
def fortress(xprocess: XProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Master]:
    home = tmp_path_factory.mktemp("gateway")
    key = home / "gateway.key"
    key.write_text(KEY, "utf-8")
    key.chmod(0o600)
    master = Master(xprocess, home, "--gateway", "127.0.0.1:0", "--gateway-authkey-file", key)
    try:
        master.start()
        yield master
    finally:
        master.end()


def knock(master: Master) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(gateway_port(master))), timeout=10)


def assert_all_are_served(master: Master) -> None:
    """A stock client that has never been here, and a program of tq, use one queue."""
    began = time.monotonic()
    with tq.App(master.url, master.authkey) as app:
        items = ItemQueue(app.session, "default")
        items.put("from tq")
        assert run_client(sys.executable, "print(q.get()); q.put('for tq')", gateway_port(master)) == (
            "from tq\n"
        )
        assert items.get(timeout=IN_TIME_SECONDS) == "for tq"
    assert time.monotonic() - began < IN_TIME_SECONDS


def nothing(connection: socket.socket) -> None:
    """Says nothing."""


def half_a_header(connection: socket.socket) -> None:
    connection.sendall(b"\0\0")


def half_a_proof(connection: socket.socket) -> None:
    connection.sendall(struct.pack("!i", 16) + b"x" * 8)


def half_a_handshake(connection: socket.socket) -> None:
    """A wrong proof, from a client that does not read the answer."""
    connection.sendall(struct.pack("!i", 16) + b"x" * 16)


def a_huge_length(connection: socket.socket) -> None:
    connection.sendall(struct.pack("!i", 2**31 - 1) + b"x" * 1_000)


def a_negative_length(connection: socket.socket) -> None:
    connection.sendall(struct.pack("!i", -1) + struct.pack("!Q", 2**63))


def a_page_request(connection: socket.socket) -> None:
    connection.sendall(b"GET / HTTP/1.1\r\nHost: queue.example.org\r\n\r\n")


def a_pickle(connection: socket.socket) -> None:
    connection.sendall(struct.pack("!i", 9) + b"\x80\x04\x95]q\x00\x85R.")


@pytest.mark.parametrize(
    "say",
    [
        nothing, half_a_header, half_a_proof, half_a_handshake, a_huge_length, a_negative_length, a_page_request,
        a_pickle,
    ],
)  # fmt: skip
def test_a_flood_keeps_no_other_out_and_leaves_nothing_behind(
    fortress: Master, say: Callable[[socket.socket], None]
) -> None:
    assert_all_are_served(fortress)
    process = psutil.Process(fortress.pid)
    descriptors, threads, memory = process.num_fds(), process.num_threads(), process.memory_info().rss
    lines = fortress.log.count("gateway.refused")
    with contextlib.ExitStack() as stack:
        for _ in range(FLOOD):
            stranger = stack.enter_context(knock(fortress))
            with contextlib.suppress(ConnectionError):
                say(stranger)
        assert_all_are_served(fortress)
        assert process.num_fds() <= descriptors + UNAUTHENTICATED_MAX
        assert process.memory_info().rss < memory + GROWTH_BYTES_MAX
    eventually(lambda: process.num_fds() <= descriptors)
    assert process.num_threads() <= threads
    assert fortress.log.count("gateway.refused") - lines <= LINES_MAX
    assert "Traceback" not in fortress.log


def test_unauthenticated_peers_who_come_again_and_again_keep_no_other_out(fortress: Master) -> None:
    over = threading.Event()
    came = []

    def come_again() -> None:
        held: deque[socket.socket] = deque()
        while not over.is_set():
            held.append(knock(fortress))
            came.append(1)
            if len(held) > FLOOD:
                held.popleft().close()
        for stranger in held:
            stranger.close()

    flood = threading.Thread(target=come_again)
    flood.start()
    try:
        eventually(lambda: len(came) > FLOOD)
        while len(came) < 3 * FLOOD:
            assert_all_are_served(fortress)
    finally:
        over.set()
        flood.join()


CROWD = """
import threading
problems = []
def come():
    try:
        connect(b"a key for stock clients").get_result_queue().put(1)
    except Exception as error:
        problems.append(repr(error))
threads = [threading.Thread(target=come) for _ in range(60)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(problems or manager.get_result_queue().qsize())
"""


def test_a_crowd_of_honest_clients_of_one_host_comes_in_at_once(fortress: Master) -> None:
    assert run_client(sys.executable, CROWD, gateway_port(fortress)) == "60\n"


def come_in(port: int) -> Connection:
    """A stock client that takes a place and asks for nothing."""
    connection = Client(("127.0.0.1", port), authkey=KEY.encode())
    connection.send((None, "accept_connection", ("idle",), {}))
    assert connection.recv() == ("#RETURN", None)
    return connection


def test_who_has_the_key_and_takes_all_places_keeps_out_stock_clients_only(
    xprocess: XProcess, tmp_path: Path, programs: list[Program]
) -> None:
    key = tmp_path / "gateway.key"
    key.write_text(KEY, "utf-8")
    master = Master(xprocess, tmp_path, "--gateway", "127.0.0.1:0", "--gateway-authkey-file", key)
    master.command = ["sh", "-c", 'ulimit -n 400; exec "$@"', "sh", *master.command]
    programs.append(master)
    master.start()
    port = int(gateway_port(master))
    with contextlib.ExitStack() as stack:
        inside: list[Connection] = []
        with contextlib.suppress(EOFError, ConnectionError):
            while len(inside) < 400:
                inside.append(stack.enter_context(come_in(port)))
        assert 50 <= len(inside) <= 100
        eventually(lambda: "too low a limit of open files (ulimit -n)" in master.log)
        with tq.App(master.url, master.authkey, connect_timeout=IN_TIME_SECONDS) as app:
            assert isinstance(app.call(["get_master"], "info"), dict)
        for connection in inside[:20]:
            connection.close()
        for _ in range(200):  # strangers take none of these places
            stack.enter_context(knock(master))
        assert_all_are_served(master)
    assert "server.full" not in master.log
