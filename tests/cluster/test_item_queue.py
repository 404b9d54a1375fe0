"""Queues of plain values over real programs: as ``queue.Queue``, and no item is lost when a program dies."""

from __future__ import annotations

import queue
import signal
import subprocess
import sys
import threading
import uuid
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import tq
from tq.client.items.queue import ItemQueue

from .conftest import Cluster
from .programs import Master, clean_environment, eventually, text_process
from .proxy import Proxy

SECONDS = 20


@pytest.fixture
def name() -> str:
    """Of a queue of the test's own: the master is shared."""
    return f"items-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def items(cluster: Cluster, name: str) -> ItemQueue:
    return ItemQueue(cluster.app.session, name)


@pytest.fixture
def lasting(app: tq.App) -> ItemQueue:
    """A queue of a master that the test may stop or kill."""
    return ItemQueue(app.session, "items")


def test_it_behaves_as_a_queue(cluster: Cluster, name: str) -> None:
    small = ItemQueue(cluster.app.session, name, "fifo", 2)
    assert small.empty()
    small.put({"a": (1, None)})
    small.put_nowait(b"b")
    assert (small.qsize(), small.full()) == (2, True)
    with pytest.raises(queue.Full):
        small.put_nowait("c")
    with pytest.raises(queue.Full):
        small.put("c", timeout=0.05)
    assert small.get() == {"a": (1, None)}
    assert small.get_nowait() == b"b"
    with pytest.raises(queue.Empty):
        small.get_nowait()
    with pytest.raises(queue.Empty):
        small.get(timeout=0.05)
    small.task_done()
    small.task_done()
    small.join()
    with pytest.raises(ValueError, match=r"task_done\(\) called too many times"):
        small.task_done()
    for call in (small.get, lambda timeout: small.put(1, timeout=timeout)):
        with pytest.raises(ValueError, match="non-negative"):
            call(timeout=-1)


def test_a_priority_queue_orders_and_a_lifo_turns_round(cluster: Cluster, name: str) -> None:
    heap = ItemQueue(cluster.app.session, f"{name}-heap", "priority")
    for item in [(3, "c"), (1, "z"), (2, "b"), (1, "a")]:
        heap.put(item)
    assert [heap.get() for _ in range(4)] == [(1, "a"), (1, "z"), (2, "b"), (3, "c")]
    heap.put((1, "text"))
    with pytest.raises(TypeError, match="'<' not supported between a number and text"):
        heap.put((1, 5))
    with pytest.raises(TypeError, match="between a value without an order and a tuple"):
        heap.put({})
    stack = ItemQueue(cluster.app.session, f"{name}-stack", "lifo")
    for number in range(3):
        stack.put(number)
    assert [stack.get() for _ in range(3)] == [2, 1, 0]


def test_an_item_that_cannot_travel_is_refused_with_its_path(items: ItemQueue) -> None:
    with pytest.raises(tq.NotSerializable, match=r"item\[1\]\.x"):
        items.put([1, {"x": object()}])
    assert items.empty()


def test_a_get_that_waits_survives_the_masters_death(master: Master, lasting: ItemQueue, app: tq.App) -> None:
    got: queue.Queue[object] = queue.Queue()
    thread = threading.Thread(target=lambda: got.put(lasting.get()))
    thread.start()
    master.kill()
    master.start()
    lasting.put("there it is")
    assert got.get(timeout=SECONDS) == "there it is"
    thread.join(SECONDS)
    eventually(lambda: lasting.qsize() == 0)


def test_items_outlive_the_master(master: Master, lasting: ItemQueue) -> None:
    for number in range(50):
        lasting.put(number)
    master.kill()
    master.start()
    assert [lasting.get() for _ in range(50)] == list(range(50))


def test_a_timeout_holds_while_the_master_is_away(master: Master, lasting: ItemQueue) -> None:
    lasting.put("later")
    assert lasting.get() == "later"
    master.signal(signal.SIGSTOP)
    try:
        with pytest.raises(queue.Empty):
            lasting.get(timeout=0.1)
    finally:
        master.signal(signal.SIGCONT)
    lasting.put("next")
    assert lasting.get(timeout=SECONDS) == "next"


def test_a_put_whose_time_is_over_without_an_answer_says_that_it_may_be_stored(
    master: Master, lasting: ItemQueue
) -> None:
    lasting.put("first")
    master.signal(signal.SIGSTOP)
    try:
        with pytest.raises(queue.Full, match="did not answer in time; the item may still be stored"):
            lasting.put("second", timeout=0.1)
    finally:
        master.signal(signal.SIGCONT)
    assert [lasting.get(timeout=SECONDS) for _ in range(2)] == ["first", "second"]


TAKER = """
import sys, tq
from tq.client.items.queue import ItemQueue
q = ItemQueue(tq.App().session, sys.argv[1])
with q.lease() as item:
    print(item, flush=True)
    sys.stdin.read()
"""
LAST_WORDS = """
import sys, tq
from tq.client.items.queue import ItemQueue
print(ItemQueue(tq.App().session, sys.argv[1]).get())
"""


def python(
    program: str, master: Master, home: Path, name: str
) -> AbstractContextManager[subprocess.Popen[str]]:
    environment = clean_environment(home, {"TQ_URL": master.url, "TQ_AUTHKEY": master.authkey})
    return text_process(
        [sys.executable, "-c", program, name],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def test_an_item_whose_taker_is_killed_is_the_next_ones(
    cluster: Cluster, items: ItemQueue, home: Path, name: str
) -> None:
    items.put("precious")
    with python(TAKER, cluster.master, home, name) as taker:
        assert taker.stdout is not None
        assert taker.stdout.readline() == "precious\n"
        taker.kill()
    assert items.get(timeout=SECONDS) == "precious"


def test_a_lease_gives_back_what_its_block_could_not_do(items: ItemQueue) -> None:
    items.put("work")
    with pytest.raises(LookupError), items.lease():
        raise LookupError
    with items.lease(timeout=SECONDS) as item:
        assert item == "work"
    with pytest.raises(queue.Empty):
        items.get(timeout=0.05)


def test_a_program_that_gets_and_ends_at_once_has_taken_its_item(
    cluster: Cluster, items: ItemQueue, home: Path, name: str
) -> None:
    items.put("one")
    with python(LAST_WORDS, cluster.master, home, name) as taker:
        assert taker.communicate(timeout=SECONDS)[0] == "one\n"
    with pytest.raises(queue.Empty):
        items.get(timeout=2.5)  # longer than the grace of these tests


def test_many_takers_share_and_none_gets_what_another_has(items: ItemQueue) -> None:
    taken: queue.SimpleQueue[int] = queue.SimpleQueue()

    def take() -> None:
        while (item := items.get(timeout=SECONDS)) is not None:
            taken.put(item)

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for number in range(300):
        items.put(number)
    for _ in threads:
        items.put(None)
    for thread in threads:
        thread.join(SECONDS)
    assert sorted(taken.get() for _ in range(taken.qsize())) == list(range(300))


def test_every_put_under_way_has_a_putter_of_its_own(cluster: Cluster, name: str) -> None:
    """Else one that was refused, and is asked again after a lost connection, would look like one that was stored."""
    full = ItemQueue(cluster.app.session, name, maxsize=1)
    full.put("first")
    assert len(full._putters.idle) == 1
    waiting = [threading.Thread(target=full.put, args=(name,)) for name in ("second", "third")]
    for thread in waiting:
        thread.start()
    assert eventually(lambda: not full._putters.idle)
    assert sorted(full.get(timeout=SECONDS) for _ in range(3)) == ["first", "second", "third"]
    for thread in waiting:
        thread.join(SECONDS)
    assert len({putter.name for putter in full._putters.idle}) == 2


FORK = """
import os, sys
import tq
from tq.client.items.queue import ItemQueue

items = ItemQueue(tq.App(sys.argv[1], sys.argv[2]).session, sys.argv[3])
items.put("before")
child = os.fork()
items.put("in the child" if child == 0 else "in the parent")
if child == 0:
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""


def test_a_forked_process_puts_as_itself(cluster: Cluster, items: ItemQueue, home: Path, name: str) -> None:
    command = [sys.executable, "-c", FORK, cluster.master.url, cluster.master.authkey, name]
    subprocess.run(command, check=True, timeout=60, env=clean_environment(home))
    assert sorted(items.get(timeout=SECONDS) for _ in range(3)) == ["before", "in the child", "in the parent"]


def test_outcomes_are_delivered_once_over_lost_connections(
    master: Master, proxy: Proxy, app: tq.App, lasting: ItemQueue
) -> None:
    count = 200
    for number in range(count + 1):
        lasting.put(number)
    with tq.App(f"tq://{proxy.address}", master.authkey) as far:
        worker = ItemQueue(far.session, "items")

        def work() -> None:
            for _ in range(count):
                worker.get(timeout=SECONDS)
                worker.task_done()

        thread = threading.Thread(target=work)
        thread.start()
        for left in range(count, 0, -20):
            eventually(lambda left=left: lasting.qsize() <= left)  # type: ignore[misc]
            proxy.cut()
        thread.join(SECONDS)
        assert proxy.accepted > 5
    eventually(lambda: lasting.qsize() == 1)
    assert lasting._size().unfinished == 1
    lasting.task_done()
    lasting.join()
