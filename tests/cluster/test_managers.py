"""The door of ``multiprocessing.managers``: the tutorial's program, and what its documentation promises."""

from __future__ import annotations

import dataclasses
import datetime
import errno
import gc
import multiprocessing
import queue
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import psutil
import pytest
import tq
from tq.managers import QueueManager, SyncManager

from .programs import clean_environment, eventually, text_process

pytestmark = pytest.mark.usefixtures("template")

SECONDS = 60
MASTER = """
from tq.managers import QueueManager

class Manager(QueueManager):
    pass

Manager.register("get_task_queue")
Manager.register("get_result_queue")

if __name__ == "__main__":
    manager = Manager(address=("127.0.0.1", 0), authkey=b"abc")
    manager.start()
    print(manager.address[1], flush=True)
    task, result = manager.get_task_queue(), manager.get_result_queue()
    for number in range(10):
        task.put(number)
    print(sum(result.get(timeout=60) for _ in range(10)))
    task.join()  # the last task_done is answered
    manager.shutdown()
"""
WORKER = """
import queue, sys
from tq.managers import QueueManager

QueueManager.register("get_task_queue")
QueueManager.register("get_result_queue")
manager = QueueManager(address=("127.0.0.1", int(sys.argv[1])), authkey=b"abc")
manager.connect()
task, result = manager.get_task_queue(), manager.get_result_queue()
while True:
    try:
        number = task.get(timeout=1)
    except queue.Empty:
        break
    result.put(number * number)
    task.task_done()
"""


def test_a_port_that_is_taken_and_a_key_of_nothing_are_reported_as_what_they_are() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(OSError, match=r"is in use.* or choose another port in address=") as caught:
            QueueManager(taken.getsockname(), b"abc").start()
        assert caught.value.errno == errno.EADDRINUSE
    with pytest.raises(tq.InvalidArgument, match="the authkey is empty"):
        QueueManager(authkey=b"")


def test_a_server_ends_with_the_last_that_holds_its_manager_or_a_proxy_of_it() -> None:
    before = set(psutil.Process().children())
    manager = SyncManager()
    manager.start()
    [server] = set(psutil.Process().children()) - before
    proxies = [manager.Queue(), manager.Lock(), manager.dict()]
    proxies[0].put(1)
    del manager
    while proxies:
        gc.collect()
        assert server.is_running()
        proxies.pop()
    gc.collect()
    eventually(lambda: not server.is_running())


UNGUARDED = """
from tq.managers import BaseManager

class Manager(BaseManager):
    pass

class Foo:
    pass

Manager.register("Foo", Foo)
Manager().start()
"""


def test_a_program_that_starts_a_manager_when_it_is_imported_fails_with_the_remedy_and_starts_no_chain(
    home: Path,
) -> None:
    (home / "unguarded.py").write_text(UNGUARDED, "utf-8")
    ended = subprocess.run(
        [sys.executable, "unguarded.py"],
        cwd=home,
        env=clean_environment(home),
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert ended.returncode == 1
    assert (
        "OSError: register('Foo'): 'unguarded:Foo': importing unguarded raised RuntimeError" in ended.stderr
    )
    assert "put what starts it under `if __name__ == '__main__':`" in ended.stderr


def python(program: str, home: Path, *arguments: object) -> AbstractContextManager[subprocess.Popen[str]]:
    return text_process(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=home,
        env={**clean_environment(home), "TMPDIR": str(home)},
        stdout=subprocess.PIPE,
    )


def test_the_tutorials_two_programs_run_and_leave_nothing(home: Path) -> None:
    with python(MASTER, home) as master:
        assert master.stdout is not None
        port = master.stdout.readline().strip()
        with python(WORKER, home, port) as worker:
            assert worker.wait(SECONDS) == 0
        assert master.communicate(timeout=SECONDS)[0] == "285\n"
    assert list(home.iterdir()) == []


def test_a_manager_has_queues_of_every_kind() -> None:
    with QueueManager() as manager:
        fifo, lifo, heap = manager.Queue(2), manager.LifoQueue(), manager.PriorityQueue()
        for one in (fifo, lifo, heap):
            one.put(2)
            one.put(1)
        assert fifo.full()
        assert [one.get(timeout=SECONDS) for one in (fifo, lifo, heap)] == [2, 1, 1]
        with pytest.raises(queue.Empty):
            manager.SimpleQueue().get(timeout=0.01)


@dataclasses.dataclass(order=True)
class Job:
    priority: int
    url: str


def test_a_priority_queue_takes_a_priority_and_anything() -> None:
    """In the order of the standard library's."""
    items: list[Any] = [
        (1, {"url": "u"}),
        (2, None),
        (0, "x" * 5_000),
        (3, ["a", {"b": 1}]),
        (5, datetime.date(2020, 1, 1), {1}),
        (5, datetime.date(2019, 1, 1), {2}),
        (4, b"\0" * 600),
        (2, None),
    ]
    theirs: queue.PriorityQueue[Any] = queue.PriorityQueue()
    with SyncManager() as manager:
        ours = manager.PriorityQueue()
        for item in items:
            theirs.put(item)
            ours.put(item)
        with pytest.raises(TypeError, match=r"'<' not supported .*: \(priority, number, item\)"):
            ours.put((1, {"url": "v"}))
        with pytest.raises(
            TypeError, match=r"item: a Job cannot be sent; put \(priority, data\): what orders it"
        ):
            ours.put(Job(1, "u"))
        assert [ours.get(timeout=10) for _ in items] == [theirs.get() for _ in items]


def test_a_named_queue_with_a_directory_is_there_the_next_time(tmp_path: Path) -> None:
    with QueueManager(data=tmp_path / "kept") as manager:
        manager.Queue(name="work").put("kept")
        address = manager.address
    assert address is not None
    with QueueManager(data=tmp_path / "kept") as manager:
        assert manager.Queue(name="work").get(timeout=SECONDS) == "kept"


def test_states_and_mistakes_are_the_standard_librarys() -> None:
    manager = QueueManager()
    with pytest.raises(AssertionError, match="server not yet started"):
        manager.get_task_queue()
    with manager:
        with pytest.raises(multiprocessing.ProcessError, match="Already started server"):
            manager.start()
        assert manager.address is not None
        stranger = QueueManager(manager.address, b"another key")
        with pytest.raises(multiprocessing.AuthenticationError):
            stranger.connect()
        guest = QueueManager(manager.address, multiprocessing.current_process().authkey)
        guest.connect()
        assert guest.get_task_queue().empty()
        with pytest.raises(multiprocessing.ProcessError):
            guest.shutdown()
        guest.app.close()
    with pytest.raises(multiprocessing.ProcessError, match="Manager has shut down"):
        manager.get_task_queue()
    with pytest.raises(multiprocessing.ProcessError, match="Manager has shut down"):
        manager.start()
    manager.join(SECONDS)


def test_no_listener_at_the_address_is_a_connection_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()[:2]
    with pytest.raises(ConnectionRefusedError):
        QueueManager(address, b"abc").connect()


def test_a_short_key_is_for_this_machine_only_with_a_warning() -> None:
    manager = QueueManager(("", 0), b"abc")
    with pytest.warns(RuntimeWarning, match="3 characters: listening on this machine only"):
        manager.start()
    assert manager.address is not None
    assert manager.address[0] == "127.0.0.1"
    manager.shutdown()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"address": "host:5000"}, tq.InvalidArgument, "an address is"),
        ({"serializer": "pickle"}, ValueError, "never pickled"),
    ],
)
def test_what_it_is_not_made_of_is_refused(
    arguments: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        QueueManager(**arguments)  # type: ignore[arg-type]


def test_serve_forever_serves_until_it_is_interrupted(home: Path) -> None:
    program = """
from tq.managers import QueueManager
if __name__ == "__main__":
    server = QueueManager(("127.0.0.1", %d), "a key of some length").get_server()
    server.serve_forever()
"""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with python(program % port, home) as server:
        manager = QueueManager(("127.0.0.1", port), "a key of some length")

        def connected() -> bool:
            try:
                manager.connect()
            except ConnectionRefusedError:
                return False
            return True

        eventually(connected)
        manager.get_task_queue().put(1)
        assert manager.get_task_queue().get(timeout=SECONDS) == 1
        manager.app.close()
        server.send_signal(2)
        assert server.wait(SECONDS) == 0


FORKING = """
import os, sys
from tq.managers import QueueManager

if __name__ == "__main__":
    with QueueManager() as manager:
        queue = manager.get_task_queue()
        for end in (sys.exit, manager.shutdown):
            child = os.fork()
            if child == 0:
                end()
                sys.exit()
            os.waitpid(child, 0)
            queue.put(1)
        print(manager._cluster.data.exists(), manager._cluster._programs[0].process.poll())
"""


def test_a_forked_child_that_ends_or_shuts_down_leaves_its_parents_server_alone(home: Path) -> None:
    with python(FORKING, home) as program:
        assert program.communicate(timeout=SECONDS)[0] == "True None\n"
    assert list(home.iterdir()) == []


def test_a_wait_for_the_programs_own_server_fails_at_once_when_it_dies() -> None:
    before = set(psutil.Process().children())
    with SyncManager() as manager:
        [server] = set(psutil.Process().children()) - before
        jobs, barrier = manager.Queue(name="jobs"), manager.Barrier(2)
        with ThreadPoolExecutor() as pool:
            waiting = [pool.submit(jobs.get), pool.submit(barrier.wait)]
            eventually(lambda: barrier.n_waiting == 1)
            eventually(lambda: manager.app.object("get_queues").list()[0]["item_queue"]["getting"] == 1)
            server.kill()
            for one in waiting:
                with pytest.raises(tq.Unreachable, match="own cluster was killed by SIGKILL"):
                    one.result(SECONDS)


def test_no_call_waits_without_end_for_a_master_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tq.client.core.session.MASTER_TIMEOUT_SECONDS", 0.5)
    with SyncManager() as manager:
        other = SyncManager(manager.address, multiprocessing.current_process().authkey)
        other.connect()
        known, new = other.Queue(name="known"), other.get_task_queue()
        lock, numbers = other.Lock(), other.list([1])
        known.put(1)
    for call in (
        known.qsize, known.get_nowait, lambda: known.put_nowait(1), lambda: new.put_nowait(1), known.task_done,
        lambda: lock.acquire(block=False), numbers.__len__, other.dict, other.Lock,
    ):  # fmt: skip
        with pytest.raises(tq.Unreachable, match="has been away for"):
            call()
    for one in (known, new):
        with pytest.raises(queue.Full):
            one.put(1, timeout=0.1)
        with pytest.raises(queue.Empty):
            one.get(timeout=0.1)
    assert not lock.acquire(timeout=0.1)
