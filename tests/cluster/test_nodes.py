"""A node belongs to the key that it connected with: another key that claims the same node id is another node."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import tq
from tq.common.auth.keys import node_of
from tq.common.domain.model import StateNumber
from xprocess import XProcess

from .programs import Master, eventually
from .step_by_step import Steps

INFO = {
    "host": "h", "pid": 1, "slots": 1, "labels": {}, "tasks": ["m:f"], "queues": None, "version": "1",
}  # fmt: skip
Connect = Callable[..., Steps]


@pytest.fixture(scope="module")
def house(xprocess: XProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Master]:
    master = Master(xprocess, tmp_path_factory.mktemp("nodes"), authkey=None)
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

        def entered(token: str, role: str, node: bytes) -> Steps:
            line = Steps(house.port, token, role, node)
            return stack.enter_context(contextlib.closing(line)).enter()

        yield entered


def new_key(admin: tq.App, role: str) -> str:
    return str(admin.call(["get_keys"], "add", role, [], ""))


def lock_of(admin: tq.App, name: str) -> dict[str, Any]:
    [lock] = [row for row in admin.call(["get_locks"], "list")["rows"] if row["name"] == name]
    return dict(lock)


def test_a_worker_with_another_key_does_not_take_the_place_of_one(admin: tq.App, connect: Connect) -> None:
    node, id = os.urandom(16), os.urandom(16)
    worker = connect(new_key(admin, "worker"), "worker", node)
    worker.call("get_dispatcher", "announce", INFO, [])
    once = {"delivery": "at_most_once"}
    admin.call(["get_task_queue", "q"], "submit", "m:f", once, [[id, b"\x92\x90\x80"]])
    lease, _ = worker.call("get_dispatcher", "lease", 1)
    worker.call("get_dispatcher", "beat", [[id, 1, lease, 0.5]])  # it has begun
    other = connect(new_key(admin, "worker"), "worker", node)
    other.call("get_dispatcher", "announce", INFO, [[id, 1, lease]])
    assert admin.call(["get_tasks"], "states", [id]) == [[id, StateNumber.RUNNING]]
    assert len({row["node"] for row in admin.call(["get_workers"], "list") if row["host"] == "h"}) == 2
    other.call("get_dispatcher", "leave")
    assert admin.call(["get_tasks"], "states", [id]) == [[id, StateNumber.RUNNING]]
    report = [id, 1, lease, 0, b"\xc0", 0.0, 0.1, None]
    assert worker.call("get_dispatcher", "finish", [report]) == []  # it was never hung up on


def test_a_lock_of_an_absent_holder_is_not_kept_by_another_key(admin: tq.App, connect: Connect) -> None:
    node, token = os.urandom(16), os.urandom(16)
    holder = connect(new_key(admin, "client"), "client", node)
    assert holder.call("get_lock/kept", "acquire", token, False)
    keeper = connect(new_key(admin, "client"), "client", node)
    assert keeper.call("get_lock/kept", "release", token) is False
    assert lock_of(admin, "kept")["held"] == 1
    holder.close()
    eventually(lambda: lock_of(admin, "kept")["held"] == 0)
    assert keeper.call("get_lock/kept", "acquire", os.urandom(16), False)  # it was here all the time


def test_a_client_that_comes_back_with_the_same_key_is_the_same_node(admin: tq.App, connect: Connect) -> None:
    key, node, token = new_key(admin, "client"), os.urandom(16), os.urandom(16)
    first = connect(key, "client", node)
    assert first.call("get_lock/mine", "acquire", token, False)
    first.close()
    back = connect(key, "client", node)
    assert back.call("get_lock/mine", "held", token) is True
    assert lock_of(admin, "mine")["holders"][0]["node"] == node_of(key.split(".")[1], node).hex()


def test_a_child_is_a_node_of_its_workers_key(admin: tq.App, connect: Connect) -> None:
    node, token = os.urandom(16), os.urandom(16)
    holder = connect(new_key(admin, "client"), "client", node)
    assert holder.call("get_lock/childs", "acquire", token, False)
    worker = connect(new_key(admin, "worker"), "worker", os.urandom(16))
    assert worker.call("get_lock/childs", "release", token, child=node) is False
    assert lock_of(admin, "childs")["held"] == 1
