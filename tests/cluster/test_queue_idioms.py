"""Queues of a manager as the documentation of ``queue`` has them: arguments, order, bounds, many threads, shutdown."""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import tq
from tq.client.items.queue import ItemQueue
from tq.managers import QueueManager, ShutDown, SyncManager

from .programs import Master, eventually

SECONDS = 20
KINDS = ["Queue", "JoinableQueue", "LifoQueue", "PriorityQueue"]


@pytest.fixture(scope="module")
def manager() -> Iterator[Any]:
    with SyncManager() as manager:
        yield manager


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as pool:
        yield pool


def result(future: Future[Any]) -> Any:
    return future.result(SECONDS)


# arguments


@pytest.mark.parametrize("kind", KINDS)
def test_arguments_are_named_and_placed_as_in_queue(manager: Any, kind: str) -> None:
    items = getattr(manager, kind)(maxsize=2)
    items.put(item=1, block=True, timeout=None)
    items.put(2, True, 1.0)
    for call in (
        lambda: items.put(3, False),
        lambda: items.put(3, block=False, timeout=-1),  # no waiting: the timeout is ignored
        lambda: items.put(3, True, 0),
        lambda: items.put(3, timeout=0.05),
        lambda: items.put_nowait(item=3),
    ):
        with pytest.raises(queue.Full):
            call()
    assert sorted([items.get(True, 1.0), items.get(block=False, timeout=-1)]) == [1, 2]
    for call in (
        lambda: items.get(False),
        lambda: items.get(True, 0),
        lambda: items.get(timeout=0.05),
        items.get_nowait,
    ):
        with pytest.raises(queue.Empty):
            call()


@pytest.mark.parametrize("kind", KINDS)
def test_a_timeout_that_is_none_is_refused_in_the_standard_librarys_words(manager: Any, kind: str) -> None:
    items = getattr(manager, kind)(1)
    for timeout, error, words in (
        (-1, ValueError, "'timeout' must be a non-negative number"),
        (float("nan"), ValueError, "NaN"),
        (float("inf"), OverflowError, "too large"),
        ("soon", TypeError, "not supported between"),
    ):
        with pytest.raises(error, match=words):
            items.get(True, timeout)
        with pytest.raises(error, match=words):
            items.put(1, True, timeout)
    assert items.empty()


def test_a_timeout_of_nothing_still_puts_and_gets(manager: Any) -> None:
    items = manager.Queue(1)
    items.put("there", timeout=0)
    assert items.get(timeout=0) == "there"
    items.put("again", timeout=threading.TIMEOUT_MAX / 2)
    assert items.get(timeout=threading.TIMEOUT_MAX / 2) == "again"
    tutorial = manager.get_result_queue()
    tutorial.put("there", timeout=0)
    assert tutorial.get(timeout=0) == "there"


@pytest.mark.parametrize("maxsize", [0, -1, -(10**12)])
def test_without_a_bound_it_is_never_full(manager: Any, maxsize: int) -> None:
    items = manager.Queue(maxsize)
    for number in range(50):
        items.put_nowait(number)
    assert (items.qsize(), items.full(), items.empty()) == (50, False, False)


def test_a_simple_queue_ignores_how_to_put_and_has_no_more_than_it_says(manager: Any) -> None:
    items = manager.SimpleQueue()
    items.put(1, False, -1)
    items.put(2, block=True, timeout=float("nan"))
    items.put_nowait(3)
    assert items.get(True, 1) == 1
    assert items.get(block=False) == 2
    assert items.get_nowait() == 3
    assert (items.empty(), items.qsize()) == (True, 0)
    with pytest.raises(ValueError, match="non-negative"):
        items.get(timeout=-1)
    with pytest.raises(queue.Empty):
        items.get(timeout=0.01)
    for name in ("task_done", "join", "full", "shutdown"):
        assert not hasattr(items, name)


def test_what_they_say_of_themselves(manager: Any) -> None:
    assert repr(manager.Queue(name="numbers")) == "<tq.ItemQueue 'numbers'>"
    assert repr(manager.SimpleQueue(name="simple")) == "<tq.SimpleQueue 'simple'>"


# items and their order


def test_items_of_every_kind_of_plain_value_and_none(manager: Any) -> None:
    items = manager.Queue()
    values = [None, [], {}, {"a": [1, {2}]}, b"", "", 0, False, (None, (1.5, -0.0)), 2**80]
    for value in values:
        items.put(value)
    taken = [items.get(timeout=SECONDS) for _ in values]
    assert taken == values
    assert [type(value) for value in taken] == [type(value) for value in values]


@pytest.mark.parametrize(
    ("item", "path"),
    [(object(), "item"), ([1, {"x": lambda: None}], r"item\[1\]\.x"), (threading.Lock(), "item")],
)
def test_what_cannot_travel_is_refused_with_its_path_and_nothing_is_put(
    manager: Any, item: Any, path: str
) -> None:
    items = manager.Queue(1)
    with pytest.raises(tq.NotSerializable, match=path):
        items.put(item)
    with pytest.raises(TypeError):  # which NotSerializable is
        items.put_nowait(item)
    assert items.empty()
    items.put("next")
    assert items.get(timeout=SECONDS) == "next"


def test_equal_priorities_and_nested_tuples_come_in_order(manager: Any) -> None:
    heap = manager.PriorityQueue()
    entries = [(1, (2, "b")), (1, (2, "a")), (0, (9,)), (1, (1, "z")), (0, ()), (1, (2, "a"))]
    for entry in entries:
        heap.put(entry)
    assert [heap.get(timeout=SECONDS) for _ in entries] == sorted(entries)


@pytest.mark.parametrize(("first", "offender"), [((1, "a"), (1, 2)), (1, "1"), (b"x", "x"), ((1,), [1])])
def test_what_python_could_not_compare_is_refused_where_it_is_put(
    manager: Any, first: Any, offender: Any
) -> None:
    heap = manager.PriorityQueue()
    heap.put(first)
    with pytest.raises(TypeError, match="'<' not supported between"):
        heap.put(offender)
    assert heap.qsize() == 1
    assert heap.get(timeout=SECONDS) == first
    heap.put(offender)  # there is nothing to compare it with now
    assert heap.get(timeout=SECONDS) == offender


# many threads


@pytest.mark.parametrize("maxsize", [0, 3])
def test_many_threads_lose_nothing_and_each_producers_items_stay_in_order(
    manager: Any, threads: ThreadPoolExecutor, maxsize: int
) -> None:
    items, producers, count = manager.Queue(maxsize), 4, 60

    def produce(producer: int) -> None:
        for number in range(count):
            items.put((producer, number))

    def consume() -> list[Any]:
        taken = []
        while (item := items.get(timeout=SECONDS)) is not None:
            taken.append(item)
            items.task_done()
        items.task_done()
        return taken

    consuming = [threads.submit(consume) for _ in range(4)]
    for future in [threads.submit(produce, producer) for producer in range(producers)]:
        result(future)
    items.join()
    for _ in consuming:
        items.put(None)
    taken = [result(future) for future in consuming]
    items.join()
    for part in taken:
        for producer in range(producers):
            mine = [number for owner, number in part if owner == producer]
            assert mine == sorted(mine)
    everything = sorted(item for part in taken for item in part)
    assert everything == [(producer, number) for producer in range(producers) for number in range(count)]


def test_putters_that_wait_for_room_go_in_in_the_order_they_came(
    master: Master, app: tq.App, threads: ThreadPoolExecutor
) -> None:
    items = ItemQueue(app.session, "full", "fifo", 1)
    items.put(0)
    waiting = []
    for number in range(1, 5):
        waiting.append(threads.submit(items.put, number))
        eventually(lambda number=number: len(parked(app)) == number)  # type: ignore[misc]
    assert [items.get(timeout=SECONDS) for _ in range(5)] == [0, 1, 2, 3, 4]
    for future in waiting:
        result(future)


def parked(app: tq.App) -> list[Any]:
    """The calls of this app that are not answered."""
    return list(app.session.link.lines.first.pending._in_flight)


@pytest.mark.parametrize("kind", KINDS)
def test_it_can_be_joined_twice(manager: Any, threads: ThreadPoolExecutor, kind: str) -> None:
    items = getattr(manager, kind)()
    for _ in range(2):
        items.put(1)
        joining = threads.submit(items.join)
        items.get(timeout=SECONDS)
        items.task_done()
        result(joining)
        items.join()
        with pytest.raises(ValueError, match=r"task_done\(\) called too many times"):
            items.task_done()


# shutdown


def test_shut_down_is_the_running_pythons_own_where_it_has_it() -> None:
    assert issubclass(ShutDown, Exception)
    if sys.version_info >= (3, 13):
        assert ShutDown is queue.ShutDown
    else:
        assert not hasattr(queue, "ShutDown")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("immediate", [False, True])
def test_every_method_after_shutdown(manager: Any, kind: str, immediate: bool) -> None:
    items = getattr(manager, kind)(2)
    items.put("L")
    items.put_nowait("O")
    items.shutdown(immediate)
    for call in (lambda: items.put("E"), lambda: items.put_nowait("W"), lambda: items.put("X", timeout=1)):
        with pytest.raises(ShutDown):
            call()
    if not immediate:
        assert (items.qsize(), items.full()) == (2, True)
        for _ in range(2):
            assert items.get() in "LO"
            items.task_done()
    assert (items.qsize(), items.empty(), items.full()) == (0, True, False)
    items.join()
    for call in (items.get, items.get_nowait, lambda: items.get(True, 1.0), lambda: items.get(False)):
        with pytest.raises(ShutDown):
            call()
    with pytest.raises(ValueError, match="too many times"):
        items.task_done()


def test_shutdown_goes_on_to_immediate_and_not_back(manager: Any) -> None:
    items = manager.Queue()
    items.put(1)
    items.shutdown()
    items.shutdown(immediate=True)
    items.shutdown(immediate=False)
    with pytest.raises(ShutDown):
        items.get()


@pytest.mark.parametrize("immediate", [False, True])
def test_those_who_wait_are_woken_by_shutdown(
    app: tq.App, threads: ThreadPoolExecutor, immediate: bool
) -> None:
    empty, full = ItemQueue(app.session, "empty"), ItemQueue(app.session, "full", "fifo", 1)
    full.put("in it")
    waiting = [threads.submit(empty.get), threads.submit(empty.get, True, SECONDS)]
    waiting += [threads.submit(full.put, 1), threads.submit(full.put, 2, True, SECONDS)]
    joining = threads.submit(full.join)
    eventually(lambda: len(parked(app)) == 5)
    empty.shutdown(immediate)
    full.shutdown(immediate)
    for future in waiting:
        with pytest.raises(ShutDown):
            result(future)
    if not immediate:
        assert not joining.done()
        assert full.get() == "in it"
        full.task_done()
    result(joining)


def test_takers_and_putters_all_end_when_the_queue_is_shut_down(
    manager: Any, threads: ThreadPoolExecutor
) -> None:
    items, put, taken = manager.Queue(5), queue.SimpleQueue[int](), queue.SimpleQueue[int]()

    def produce(first: int) -> None:
        number = first
        while True:
            items.put(number)
            put.put(number)
            number += 10

    def consume() -> None:
        while True:
            taken.put(items.get())

    working = [threads.submit(produce, number) for number in range(3)]
    working += [threads.submit(consume) for _ in range(3)]
    eventually(lambda: taken.qsize() > 50)
    items.shutdown()
    for future in working:
        with pytest.raises(ShutDown):
            result(future)
    assert sorted(taken.get() for _ in range(taken.qsize())) == sorted(put.get() for _ in range(put.qsize()))


def test_a_lease_that_fails_after_an_immediate_shutdown_gives_nothing_back(manager: Any) -> None:
    items = manager.Queue()
    items.put("work")

    def fail() -> None:
        with items.lease():
            items.shutdown(immediate=True)
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert items.qsize() == 0
    items.join()
    with pytest.raises(ShutDown), items.lease():
        pass


def test_a_queue_stays_shut_down_for_all_programs_over_restarts_until_it_is_opened_again(
    master: Master, app: tq.App
) -> None:
    items = ItemQueue(app.session, "jobs")
    items.put("last")
    items.shutdown()
    master.kill()
    master.start()
    with tq.App(master.url, master.authkey) as other:
        same = ItemQueue(other.session, "jobs")
        with pytest.raises(ShutDown):
            same.put("more")
        assert same.get(timeout=SECONDS) == "last"
        with pytest.raises(ShutDown):
            same.get()
        items.reopen()
        same.put("again")
        assert items.get(timeout=SECONDS) == "again"


# the manager, and its master, go meanwhile


def test_a_get_that_waits_ends_when_its_manager_does(threads: ThreadPoolExecutor) -> None:
    manager = QueueManager()
    manager.start()
    items = manager.Queue()
    waiting = threads.submit(items.get)
    eventually(lambda: parked(manager.app))
    manager.shutdown()
    with pytest.raises(tq.Unreachable):
        result(waiting)


def test_a_named_queue_is_served_again_by_the_next_master(tmp_path: Path) -> None:
    with QueueManager(data=tmp_path / "kept") as manager:
        items = manager.Queue(name="work")
        items.put(1)
        items.shutdown()
    with QueueManager(data=tmp_path / "kept") as manager:
        items = manager.Queue(name="work")
        assert items.get(timeout=SECONDS) == 1
        with pytest.raises(ShutDown):
            items.get()
