"""sd_notify against a real datagram socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tq.common.runtime.sd_notify import Notifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.settimeout(10)
        receiver.bind(str(tmp_path / "notify"))
        yield receiver


def test_lines_arrive_as_one_datagram(manager: socket.socket) -> None:
    Notifier({"NOTIFY_SOCKET": manager.getsockname()}).notify("READY=1", "STATUS=ready: workers 2")
    assert manager.recv(1_000) == b"READY=1\nSTATUS=ready: workers 2"


@pytest.mark.skipif(not os.path.exists("/proc/self"), reason="only Linux has abstract sockets")
def test_an_abstract_socket_is_found() -> None:
    name = f"tq-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.settimeout(10)
        receiver.bind("\0" + name)
        Notifier({"NOTIFY_SOCKET": "@" + name}).notify("READY=1")
        assert receiver.recv(1_000) == b"READY=1"


def test_children_do_not_inherit_the_way_to_the_manager(manager: socket.socket) -> None:
    environment = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}
    Notifier(environment)
    assert environment == {}


def test_the_watchdog_is_fed_twice_in_its_time() -> None:
    given = {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}
    assert Notifier(given).watchdog_seconds == 15.0


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"NOTIFY_SOCKET": "/nowhere"},
        {"WATCHDOG_USEC": "30000000"},
        {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"},
        {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "soon"},
    ],
)
def test_a_watchdog_that_is_not_ours_is_not_fed(given: dict[str, str]) -> None:
    assert Notifier(given).watchdog_seconds is None


def test_a_manager_that_is_gone_costs_nothing(tmp_path: Path) -> None:
    Notifier({}).notify("READY=1")
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).notify("READY=1")


def test_a_manager_that_does_not_read_is_not_waited_for(manager: socket.socket) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.getsockname()})
    for _ in range(10_000):  # far more than its queue holds
        notifier.notify("WATCHDOG=1")
    assert manager.recv(1_000) == b"WATCHDOG=1"
