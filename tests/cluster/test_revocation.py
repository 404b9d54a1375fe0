"""A revoked key: its connections and handshakes end, however old they are."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Callable, Iterator
from multiprocessing.connection import Client

import pytest
import tq
from tq.common.auth.keys import Credential
from tq.common.errors import TqError
from xprocess import XProcess

from .programs import Master, eventually
from .step_by_step import Steps
from .test_gateway import KEY, gateway_port

Connect = Callable[..., Steps]


@pytest.fixture(scope="module")
def house(xprocess: XProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Master]:
    home = tmp_path_factory.mktemp("revocation")
    key = home / "gateway.key"
    key.write_text(KEY, "utf-8")
    key.chmod(0o600)
    master = Master(xprocess, home, "--gateway", "127.0.0.1:0", "--gateway-authkey-file", key, authkey=None)
    try:
        master.start()
        yield master
    finally:
        master.end()


@pytest.fixture
def admin(house: Master) -> Iterator[tq.App]:
    with tq.App(house.url, house.key("admin"), role="admin") as app:
        yield app


@pytest.fixture
def connect(house: Master) -> Iterator[Connect]:
    with contextlib.ExitStack() as stack:
        yield lambda token, role="client": stack.enter_context(
            contextlib.closing(Steps(house.port, token, role))
        )


def new_key(admin: tq.App, role: str) -> str:
    return str(admin.call(["get_keys"], "add", role, [], ""))


def revoke(admin: tq.App, token: str) -> None:
    admin.call(["get_keys"], "revoke", Credential.parse(token).key_id)


@pytest.mark.parametrize("role", ["client", "worker", "admin", "viewer"])
def test_a_handshake_begun_before_a_revocation_is_refused_after_it(
    admin: tq.App, connect: Connect, role: str
) -> None:
    token = new_key(admin, role)
    half = connect(token, role).hello()
    revoke(admin, token)
    refusal = half.prove()
    assert refusal is not None
    assert "the key was refused: unknown, revoked" in refusal[1]
    assert half.is_hung_up_on()


def test_every_session_of_the_key_ends_old_or_new_idle_or_waiting(admin: tq.App, connect: Connect) -> None:
    token = new_key(admin, "client")
    idle, waiting = connect(token).enter(), connect(token).enter()
    waiting.send(waiting._caller.call(["get_queue", "revocation"], "get", [os.urandom(16)], {})[1])
    other = connect(new_key(admin, "client")).enter()
    revoke(admin, token)
    assert idle.is_hung_up_on()
    assert waiting.is_hung_up_on()
    assert other.call("get_tasks", "states", []) == []


def test_the_children_of_a_worker_end_with_its_key(admin: tq.App, connect: Connect) -> None:
    token = new_key(admin, "worker")
    worker, child = connect(token, "worker").enter(), os.urandom(16)
    worker.have_child(child)
    assert worker.call("get_lock/revocation", "acquire", os.urandom(16), False, child=child)
    revoke(admin, token)
    assert worker.is_hung_up_on()

    def is_free() -> bool:  # what the child held is given back when its grace is over
        [lock] = [row for row in admin.call(["get_locks"], "list")["rows"] if row["name"] == "revocation"]
        return bool(lock["held"] == 0)

    eventually(is_free)


def test_a_call_that_crosses_the_revocation_is_not_done(admin: tq.App, connect: Connect) -> None:
    token = new_key(admin, "client")
    line, queue = connect(token).enter(), f"crossing-{os.urandom(4).hex()}"
    revoke(admin, token)
    with pytest.raises((EOFError, ConnectionError, TqError)):
        line.call(f"get_queue/{queue}", "make")
    assert queue not in {row["name"] for row in admin.call(["get_queues"], "list")}


def test_the_gateways_key_is_revoked_like_any_other_until_the_next_start(
    house: Master, admin: tq.App
) -> None:
    """Last of this file: afterwards the gateway is closed."""
    address = ("127.0.0.1", int(gateway_port(house)))
    inside = Client(address, authkey=KEY.encode())
    inside.send((None, "accept_connection", ("stock",), {}))
    assert inside.recv()[0] == "#RETURN"
    admin.call(["get_keys"], "revoke", "gateway")
    with contextlib.suppress(ConnectionError):
        inside.send(("default", "qsize", (), {}))
    with pytest.raises((EOFError, ConnectionError)):
        inside.recv()
    inside.close()
    with pytest.raises((multiprocessing.AuthenticationError, EOFError, ConnectionError)):
        Client(address, authkey=KEY.encode())
    house.restart()
    with Client(("127.0.0.1", int(gateway_port(house))), authkey=KEY.encode()) as again:
        again.send((None, "dummy", (), {}))
        assert again.recv()[0] == "#RETURN"
