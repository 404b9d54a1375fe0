"""The gateway, with stock clients of every Python that is installed, not changed in one byte."""

from __future__ import annotations

import contextlib
import datetime
import functools
import re
import shutil
import socket
import struct
import subprocess
import sys
import time
import zoneinfo
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from uuid import UUID

import pytest
import tq
from tq.client.items.queue import ItemQueue
from xprocess import XProcess

from .conftest import MasterFactory
from .programs import Master, eventually, run_program, text_process

Door = tuple[Master, str]

KEY = "a key for stock clients"
SECONDS = 60
DRIP_SECONDS_MAX = 30.0  # ten, on a loaded machine; all the bytes take forty
HEAD = """
import queue, sys, time
from multiprocessing import AuthenticationError
from multiprocessing.managers import BaseManager
class Manager(BaseManager): pass
for name in ("get_task_queue", "get_result_queue", "get_queue", "get_nothing"):
    Manager.register(name)
def connect(key):
    manager = Manager(address=("127.0.0.1", int(sys.argv[1])), authkey=key)
    manager.connect()
    return manager
manager = connect(b"a key for stock clients")
q = manager.get_task_queue()
"""
EVERYTHING = """
for value in (1, "e\\u0301", b"x" * 500, [1, (2, 3)], {"a": {1, 2}}, 2**70, None, 1.5):
    q.put(value)
    assert q.get(timeout=30) == value, value
assert (q.empty(), q.qsize(), q.full()) == (True, 0, False)
def raises(kind, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except kind as error:
        return str(error)
    raise SystemExit("%s was not raised by %s" % (kind, call))
raises(queue.Empty, q.get, timeout=0.05)
raises(queue.Empty, q.get_nowait)
small = manager.get_queue(sys.argv[2], "fifo", 1)
small.put(1)
raises(queue.Full, small.put, 2, timeout=0.05)
raises(queue.Full, small.put_nowait, 2)
assert small.get() == 1
small.task_done()
small.join()
raises(ValueError, small.task_done)
raises(ValueError, q.get, timeout=-1)
small.put(1)
small.shutdown()
ShutDown = getattr(queue, "ShutDown", ValueError)
assert raises(ShutDown, small.put, 2) == "the queue was shut down"
assert small.get() == 1
raises(ShutDown, small.get)
small.shutdown(immediate=True)
raises(Exception, q.put, bytearray(b"x"))
raises(Exception, manager.get_nothing)
raises(Exception, q._callmethod, "evil")
raises(AuthenticationError, connect, b"another key")
assert q.qsize() == 0
print("well")
"""
BLOCKED = "print('ready', flush=True)\nprint(q.get(), flush=True)\ntime.sleep(60)\n"


@functools.cache
def interpreters() -> list[str]:
    """One of each minor version that is here: this one, on the path, or of pyenv."""
    found = {f"{sys.version_info.major}.{sys.version_info.minor}": sys.executable}
    for minor in range(8, 15):
        if path := shutil.which(f"python3.{minor}"):
            found.setdefault(f"3.{minor}", path)
    for path in sorted(Path.home().glob(".pyenv/versions/3.*/bin/python")):
        version = re.match(r"3\.\d+", path.parts[-3])
        if version and int(version[0][2:]) >= 8:
            found[version[0]] = str(path)
    return [path for path in found.values() if works(path)]


def works(python: str) -> bool:
    done = subprocess.run([python, "-c", "import multiprocessing.managers"], capture_output=True, check=False)
    return done.returncode == 0


@pytest.fixture(scope="module")
def shared_door(xprocess: XProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    home = tmp_path_factory.mktemp("door")
    master = Master(xprocess, home, *gateway_options(home))
    try:
        master.start()
        yield master, gateway_port(master)
    finally:
        master.end()


@pytest.fixture
def door(shared_door: Door) -> Iterator[Door]:
    """A master with a gateway, and its port, for tests that break nothing. Each finds no item queues of the one before."""
    yield shared_door
    with tq.App(shared_door[0].url, shared_door[0].authkey, role="admin") as app:
        for row in app.call(("get_queues",), "list"):
            if row["item_queue"] is not None:
                eventually(lambda name=row["name"]: delete_queue(app, name))  # type: ignore[misc]


def delete_queue(app: tq.App, name: str) -> bool:
    """With all that is in it, as soon as no client of a test that is over is taken for one that may come back."""
    try:
        app.call(("get_queues",), "delete", name, True)
    except tq.InvalidArgument:
        return False
    return True


@pytest.fixture
def own_door(master_factory: MasterFactory, home: Path) -> Door:
    """A master with a gateway that the test may kill, and its port."""
    master = master_factory(*gateway_options(home))
    return master, gateway_port(master)


def gateway_options(home: Path) -> tuple[object, ...]:
    key = home / "gateway.key"
    key.write_text(KEY, "utf-8")
    key.chmod(0o600)
    return "--gateway", "127.0.0.1:0", "--gateway-authkey-file", key


def gateway_port(master: Master) -> str:
    """Where it listens since its last start."""
    return re.findall(r"gateway\.started.*address=127\.0\.0\.1:(\d+)", master.log)[-1]


def client(
    python: str, program: str, *arguments: str
) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
    return text_process(
        [python, "-c", HEAD + program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def run_client(python: str, program: str, *arguments: str) -> str:
    """What it prints; it ends well."""
    with client(python, program, *arguments) as started:
        said, complaint = started.communicate(timeout=SECONDS)
    assert started.returncode == 0, f"{python}: {complaint}"
    return said


def test_stock_clients_of_every_python_here_find_what_their_documentation_says(
    door: Door,
) -> None:
    for number, python in enumerate(interpreters()):  # one after the other: they share a queue
        assert run_client(python, EVERYTHING, door[1], f"small-{number}") == "well\n"


COLOURS = "import enum\nclass Colour(enum.Enum):\n    RED = 1\n"
RICH = """
import datetime, decimal, pathlib, uuid
expected = [
    datetime.datetime(2026, 10, 25, 0, 30, tzinfo=datetime.timezone.utc), datetime.date(2026, 1, 2),
    datetime.timedelta(days=-1, microseconds=7), decimal.Decimal("1E+9"), uuid.UUID(int=7), pathlib.Path("/srv/x"),
    ("colours:Colour", "RED"),
]
for value in expected:
    got = q.get(timeout=30)
    assert got == value and type(got) is type(value), got
assert q.get(timeout=30) == "next"
assert "colours" not in sys.modules
print("well")
"""


def test_items_of_more_than_plain_data_reach_stock_clients_of_every_python(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    master, port = door
    colours = ModuleType("colours")
    exec(COLOURS, colours.__dict__)  # noqa: S102 - a module that no client has
    monkeypatch.setitem(sys.modules, "colours", colours)
    with tq.App(master.url, master.authkey) as app:
        items = ItemQueue(app.session, "default")
        for python in interpreters():
            for item in (
                datetime.datetime(2026, 10, 25, 2, 30, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
                datetime.date(2026, 1, 2),
                datetime.timedelta(days=-1, microseconds=7),
                Decimal("1E+9"),
                UUID(int=7),
                Path("/srv/x"),
                colours.Colour.RED,
                "next",
            ):
                items.put(item)
            assert run_client(python, RICH, port) == "well\n"


def test_an_item_whose_taker_was_killed_is_the_next_ones(door: Door) -> None:
    master, port = door
    with tq.App(master.url, master.authkey) as app:
        items = ItemQueue(app.session, "default")
        with client(sys.executable, BLOCKED, port) as taker:
            assert taker.stdout is not None
            assert taker.stdout.readline() == "ready\n"
            items.put("precious")
            assert taker.stdout.readline() == "precious\n"
            taker.kill()
            taker.communicate()
        assert items.get(timeout=SECONDS) == "precious"
        eventually(lambda: items.qsize() == 0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--gateway", "127.0.0.1:0"], "needs --gateway-authkey-file"),
        (["--gateway", "0.0.0.0:0", "--gateway-authkey-file", "key"], "say --gateway-public"),
        (["--gateway-public"], "need --gateway HOST:PORT"),
        (["--gateway", "nonsense:x", "--gateway-authkey-file", "key"], "is not a number"),
    ],
)
def test_a_gateway_that_would_be_a_mistake_is_refused(home: Path, options: list[str], words: str) -> None:
    (home / "key").write_text(KEY, "utf-8")
    done = run_program("tq-master", *options, home=home)
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr


def test_who_drips_single_bytes_is_disconnected_when_his_time_is_up(door: Door) -> None:
    master, port = door
    reason = "no handshake and no request within 10 s"
    before = master.log.count(reason)
    with socket.create_connection(("127.0.0.1", int(port)), timeout=10) as stranger:
        stranger.settimeout(0.2)
        stranger.recv(1_000)  # the challenge
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            for byte in struct.pack("!i", 200) + b"x" * 196:
                stranger.sendall(bytes((byte,)))
                with contextlib.suppress(TimeoutError):
                    if stranger.recv(1) == b"":
                        break
        assert time.monotonic() - began < DRIP_SECONDS_MAX
    eventually(lambda: master.log.count(reason) > before)
