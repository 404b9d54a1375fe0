"""Strangers at the master's port, and keys that are not enough. Whatever they do, others are served."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import tq
from tq.common.auth.keys import Credential, mint_token
from tq.common.wire.frames import Kind, encode_frame, pack
from tq.common.wire.tls import client_context
from tq.master.net.admission import UNAUTHENTICATED_PER_ADDRESS_MAX
from tq.master.net.rejections import LINES_AT_ONCE
from xprocess import XProcess

from .conftest import AppFactory, MasterFactory, WorkerFactory
from .programs import TASKS_FILE, Master, eventually, run_program
from .step_by_step import Steps

pytestmark = pytest.mark.alone

IN_TIME_SECONDS = 1.0  # for a good client, whatever strangers do
ATTACKERS = UNAUTHENTICATED_PER_ADDRESS_MAX - 2  # as many as leave a place for others of the same host
FLOOD_HELD, GOOD_ONES = 400, 30  # connections of one flooding thread; clients that come meanwhile
REFUSED = 4  # exit status
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
    told = [line for line in fortress.log[before:].splitlines() if "connection.refused" in line]
    assert len(told) <= LINES_AT_ONCE + 5  # and those of a flood are counted in one of the next
    assert [line for line in told if reason not in line] == []
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


# keys that are not enough

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def tq_command(fortress: Master, home: Path) -> Command:
    """``tq_command(key, *arguments)``: the command's end, which must have been quick."""

    def run(key: str, *arguments: object, program: str = "tq") -> subprocess.CompletedProcess[str]:
        done = run_program(
            program, *arguments, home=home, environment={"TQ_URL": fortress.url, "TQ_AUTHKEY": key}
        )
        assert "Traceback" not in done.stderr
        assert not key or key not in done.stdout + done.stderr + fortress.log
        return done

    return run


def other_secret(token: str) -> str:
    """The same key, but for what only its owner knows."""
    credential = Credential.parse(token)
    assert credential.pin is not None
    return mint_token(credential.key_id, b"w" * 32, credential.pin)


def other_pin(token: str) -> str:
    credential = Credential.parse(token)
    return mint_token(credential.key_id, credential.secret, b"p" * 32)


UNKNOWN = (
    "the key was refused: unknown, revoked or not the one this master accepts; `tq keys list` shows them"
)
SEE = "tq: see: tq help rejected\n"  # the section of the page of errors


def test_a_wrong_key_is_refused_and_says_what_may_be_wrong(tq_command: Command, fortress: Master) -> None:
    done = tq_command(other_secret(fortress.key("client")), "queues")
    assert (done.returncode, done.stdout, done.stderr) == (REFUSED, "", f"tq: {UNKNOWN}\n{SEE}")


def test_a_plain_key_is_refused_where_there_is_none(tq_command: Command) -> None:
    done = tq_command("correct horse battery staple", "queues")
    assert (done.returncode, done.stdout, done.stderr) == (REFUSED, "", f"tq: {UNKNOWN}\n{SEE}")


def test_a_key_of_another_master_is_not_even_shown_to_this_one(tq_command: Command, fortress: Master) -> None:
    refused = fortress.log.count("connection.refused")
    done = tq_command(other_pin(fortress.key("client")), "queues")
    assert (done.returncode, done.stdout) == (REFUSED, "")
    assert f"the master at {fortress.address} is not the one this key was made for" in done.stderr
    assert "make a new key there with `tq keys add`, or beware of an impostor" in done.stderr
    assert fortress.log.count("connection.refused") == refused


def test_a_mistyped_key_never_leaves_the_machine(tq_command: Command, fortress: Master) -> None:
    done = tq_command(fortress.key("client")[:-1], "queues")
    assert (done.returncode, done.stdout) == (2, "")
    assert "mistyped or cut off; copy all of the line that starts with tq1." in done.stderr


def test_a_workers_key_does_not_submit(tq_command: Command, fortress: Master) -> None:
    done = tq_command(fortress.key("worker"), "submit", "cluster_tasks:add", 1, 2)
    assert (done.returncode, done.stdout) == (REFUSED, "")
    assert done.stderr == (
        "tq: this key is a worker key and cannot be used as client; make one with `tq keys add --role client`\n"
        + SEE
    )


@pytest.fixture
def viewer_key(tq_command: Command, fortress: Master) -> str:
    done = tq_command(fortress.key("admin"), "keys", "add", "--role", "viewer")
    [token] = [word for word in done.stdout.split() if word.startswith("tq1.")]
    return token


def test_a_viewers_key_reads_and_does_not_pause(
    tq_command: Command, fortress: Master, viewer_key: str
) -> None:
    assert tq_command(viewer_key, "queues").returncode == 0
    done = tq_command(viewer_key, "pause", "default")
    assert (done.returncode, done.stdout) == (REFUSED, "")
    assert done.stderr == (
        "tq: this key is a viewer key and cannot be used as admin; make one with `tq keys add --role admin`\n"
        + SEE
    )


def test_a_viewers_call_of_an_admin_method_is_refused_with_the_role(
    fortress: Master, viewer_key: str, app_factory: AppFactory
) -> None:
    app = app_factory(fortress.url, viewer_key, role="viewer")
    for target, method, needed in (
        (["get_task_queue", "default"], "pause", "admin"),
        (["get_keys"], "list", "admin"),
        (["get_tasks"], "cancel", "client"),
        (["get_dispatcher"], "leave", "worker"),
    ):
        with pytest.raises(
            tq.Forbidden, match=rf"{method} needs the role {needed}, this key has viewer; ask for a"
        ):
            app.call(target, method)
    assert isinstance(app.call(["get_master"], "info"), dict)


@pytest.mark.parametrize("command", [("keys", "list"), ("keys", "add", "--role", "admin"), ("drain", "00")])
def test_a_clients_key_does_not_govern(
    master_factory: MasterFactory, home: Path, command: tuple[str, ...]
) -> None:
    master = master_factory(authkey=None)
    environment = {"TQ_URL": master.url, "TQ_AUTHKEY": master.key("client")}
    done = run_program("tq", *command, home=home, environment=environment)
    assert (done.returncode, done.stdout) == (REFUSED, "")
    assert "this key is a client key and cannot be used as admin" in done.stderr


def test_a_revoked_key_is_shown_the_door_and_not_let_in_again(
    master_factory: MasterFactory, app_factory: AppFactory, home: Path
) -> None:
    master = master_factory(authkey=None)
    admin = app_factory(master.url, master.key("admin"), role="admin")
    token = admin.call(["get_keys"], "add", "client", [], "")
    app = app_factory(master.url, token)
    app.call(["get_master"], "info")
    admin.call(["get_keys"], "revoke", Credential.parse(token).key_id)
    with pytest.raises(tq.Rejected, match="the key was refused: unknown, revoked"):
        eventually(lambda: app.call(["get_master"], "info") is None)
    assert isinstance(admin.call(["get_master"], "info"), dict)


def test_a_key_given_as_an_option_is_not_in_the_list_of_processes(
    master_factory: MasterFactory, app_factory: AppFactory
) -> None:
    key = "correct horse battery staple"
    master = master_factory("--authkey", key, authkey=None)
    shown = " ".join(psutil.Process(master.pid).cmdline())
    assert "tq-master" in shown
    assert key not in shown
    assert key not in master.log
    assert isinstance(app_factory(master.url, key).call(["get_master"], "info"), dict)


# workers


def test_a_worker_with_a_refused_key_ends_at_once_and_says_why(
    master_factory: MasterFactory, home: Path
) -> None:
    master = master_factory(authkey=None)
    began = time.monotonic()
    for key, reason in (
        (other_secret(master.key("worker")), UNKNOWN),
        (
            other_pin(master.key("worker")),
            f"the master at {master.address} is not the one this key was made for",
        ),
        (
            master.key("client"),
            "this key is a client key and cannot be used as worker; make one with `tq keys add",
        ),
    ):
        done = run_program(
            "tq-worker",
            *("--connect", master.address, "--slots", 1, TASKS_FILE),
            home=home,
            environment={"TQ_AUTHKEY": key},
        )
        assert done.returncode == REFUSED
        assert f"tq-worker: {reason}" in done.stderr
        assert "Traceback" not in done.stderr
        assert key not in done.stdout + done.stderr
    assert time.monotonic() - began < 10


def test_a_worker_whose_key_is_revoked_ends_and_takes_its_children_along(
    master_factory: MasterFactory, worker_factory: WorkerFactory, app_factory: AppFactory
) -> None:
    master = master_factory(authkey=None)
    worker = worker_factory(address=master.address, authkey=master.key("worker"))
    children = worker.children()
    admin = app_factory(master.url, master.key("admin"), role="admin")
    admin.call(["get_keys"], "revoke", Credential.parse(master.key("worker")).key_id)
    assert worker.wait() == REFUSED
    assert f"tq-worker: {UNKNOWN}" in worker.log
    assert children
    eventually(lambda: not any(child.is_running() for child in children))
