"""What programs with stock clients do besides put and get: they end, run threads, fork, are killed, show their proxies."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tq
from tq.client.items.queue import ItemQueue
from xprocess import XProcess

from .conftest import MasterFactory
from .programs import TASKS_FILE, Master, Program, Worker, text_process
from .test_gateway import Door, client, door, gateway_port, interpreters, own_door, run_client, shared_door

__all__ = ["door", "own_door", "shared_door"]

SECONDS = 60


@pytest.fixture
def items(door: Door) -> Iterator[ItemQueue]:
    """The queue of the clients' ``get_task_queue``, by a program of tq."""
    with tq.App(door[0].url, door[0].authkey) as app:
        yield ItemQueue(app.session, "default")


def next_line(program: subprocess.Popen[str]) -> str:
    """The next line a program prints."""
    assert program.stdout is not None
    return program.stdout.readline()


def assert_it_is_gone(items: ItemQueue) -> None:
    """Whatever was taken has been taken for good: the next item is a new one, and the only one."""
    items.put("the next")
    assert (items.get(timeout=SECONDS), items.qsize()) == ("the next", 0)


# ends


@pytest.mark.parametrize("end", ["", "sys.exit(0)", "del q; import gc; gc.collect(); import os; os._exit(0)"])
def test_a_program_that_ends_in_good_order_has_its_last_item_for_good(
    door: Door, items: ItemQueue, end: str
) -> None:
    for python in interpreters():
        items.put("the last one")
        assert run_client(python, f"print(q.get())\n{end}", door[1]) == "the last one\n"
        assert_it_is_gone(items)


def test_a_program_that_ends_with_a_traceback_has_its_last_item_for_good(
    door: Door, items: ItemQueue
) -> None:
    items.put("the last one")
    with client(sys.executable, "1 / len(q.get()[:0])", door[1]) as program:
        assert "ZeroDivisionError" in program.communicate(timeout=SECONDS)[1]
    assert_it_is_gone(items)


THREAD = """
import threading
def take():
    print(q.get(timeout=30))
    {after}
thread = threading.Thread(target=take)
thread.start()
thread.join()
"""
FORK = """
import multiprocessing
def take():
    print(q.get(timeout=30), flush=True)
    {after}
child = multiprocessing.get_context("fork").Process(target=take)
child.start()
child.join()
"""


@pytest.mark.parametrize("program", [THREAD, FORK])
def test_a_thread_or_a_forked_child_confirms_its_last_item_by_any_call(
    door: Door, items: ItemQueue, program: str
) -> None:
    for python in interpreters():
        items.put("theirs")
        assert run_client(python, program.format(after="q.task_done()"), door[1]) == "theirs\n"
        assert_it_is_gone(items)


@pytest.mark.parametrize("program", [THREAD, FORK])
def test_a_thread_or_a_forked_child_that_ends_right_after_get_gives_its_item_back(
    door: Door, items: ItemQueue, program: str
) -> None:
    items.put("unconfirmed")
    assert run_client(sys.executable, program.format(after=""), door[1]) == "unconfirmed\n"
    assert (items.get(timeout=SECONDS), items.qsize()) == ("unconfirmed", 0)


def test_who_is_killed_while_blocked_in_get_is_given_nothing(door: Door, items: ItemQueue) -> None:
    with client(sys.executable, "print('ready', flush=True)\nq.get()", door[1]) as taker:
        assert next_line(taker) == "ready\n"
        taker.kill()
        taker.communicate()
    assert_it_is_gone(items)


TAKE_ALL = """
print("ready", flush=True)
while True:
    print(q.get(), flush=True)
"""


def test_of_a_taker_killed_at_work_only_the_last_item_comes_again(door: Door, items: ItemQueue) -> None:
    for number in range(200):
        items.put(number)
    with client(sys.executable, TAKE_ALL, door[1]) as taker:
        assert next_line(taker) == "ready\n"
        assert [next_line(taker) for _ in range(50)] == [f"{number}\n" for number in range(50)]
        taker.kill()
        assert taker.stdout is not None
        printed = 50 + len(
            taker.stdout.read().split()
        )  # communicate() would leave out what is read ahead already
    unprinted = set(range(printed, 200))
    left = []
    # What it held comes back when the master sees that its connection is lost.
    while not unprinted <= set(left):
        left.append(items.get(timeout=SECONDS))
    assert len(left) == len(set(left))
    # One more, if it was killed after the print and before its confirmation.
    assert set(left) <= unprinted | {printed - 1}


OUTLIVING = """
import threading
empty = manager.get_queue("empty")
def wait():
    try:
        empty.get()
    except (EOFError, ConnectionError):
        print("cut off", flush=True)
for letter in "abc":
    q.put(letter)
waiting = threading.Thread(target=wait)
waiting.start()
print(q.get(), q.get(), flush=True)
waiting.join()
sys.argv[1] = input()
q = connect(b"a key for stock clients").get_task_queue()
print(sorted(q.get(timeout=30) for _ in range(2)))
"""


@pytest.mark.parametrize("end", [Master.kill, Master.terminate])
def test_a_master_that_ends_in_mid_call_ends_the_call_and_keeps_the_items(
    own_door: Door, end: Callable[[Master], Any]
) -> None:
    master, port = own_door
    with client(sys.executable, OUTLIVING, port) as taker:
        assert next_line(taker) == "a b\n"
        end(master)
        assert next_line(taker) == "cut off\n"
        master.start()
        said, complaint = taker.communicate(f"{gateway_port(master)}\n", timeout=SECONDS)
    assert (said, taker.returncode) == ("['b', 'c']\n", 0), (
        complaint
    )  # b was taken, and nothing asked for since


# what else a proxy can do

SHOWN = """
from multiprocessing.managers import RemoteError
def why(call, *args):
    try:
        call(*args)
    except Exception as error:
        return type(error).__name__, str(error)
assert str(q) == "<fifo queue 'default' of a tq-master>", str(q)
assert repr(q).startswith("<AutoProxy[get_task_queue] object"), repr(q)
kind, words = why(q._getvalue)
assert kind == "RemoteError" and "a queue stays with the tq-master" in words, words
kind, words = why(manager.get_nothing)
assert kind == "RemoteError" and "the typeid 'get_nothing' is not served here; there are get_task_queue" in words, words
kind, words = why(q._callmethod, "queue")
assert kind == "RemoteError" and "method 'queue' is not in exposed=" in words, words
kind, words = why(q.put, object())
assert kind == "RemoteError" and "nothing is imported here; send plain data" in words, words
q.put({(1, 2): 3, None: 4.5, 1.5: {True: "x"}})
assert q.get() == {(1, 2): 3, None: 4.5, 1.5: {True: "x"}}
q.task_done()
one = []
kind, words = why(q.put, [one, one])
assert kind == "RemoteError" and "the same list occurs twice; send a copy" in words, words
kind, words = why(q.put, "x" * 300000)
assert kind == "RemoteError" and "a request of more than 262,144 bytes" in words, words
kind, words = why(manager.get_queue, "default", "lifo", 3)
assert kind == "RemoteError" and "queue 'default' is fifo" in words, words
q.put(1)
assert q.get() == 1
q.task_done()
q.join()
assert "join" in dir(q) and not hasattr(q, "mutex")
print("well")
"""


def test_what_is_not_possible_is_reported_with_cause_and_remedy(door: Door) -> None:
    for python in interpreters():
        assert run_client(python, SHOWN, door[1]) == "well\n"


MANY_THREADS = """
import threading
results = manager.get_result_queue()
def work():
    while True:
        item = q.get()
        if item is None:
            q.task_done()
            return
        results.put(item * item)
        q.task_done()
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for number in list(range(40)) + [None] * 8:
    q.put(number)
q.join()
for thread in threads:
    thread.join()
assert sorted(results.get() for _ in range(40)) == [number * number for number in range(40)]
assert (q.qsize(), results.qsize()) == (0, 0)
print("well")
"""


def test_threads_of_a_stock_client_share_queues(door: Door) -> None:
    for python in interpreters():
        assert run_client(python, MANY_THREADS, door[1]) == "well\n"


CHILDREN = """
import multiprocessing
if __name__ == "__main__":
    for method in ("fork", "spawn"):
        context = multiprocessing.get_context(method)
        child = context.Process(target=q.put, args=(method,))
        child.start()
        assert q.get(timeout=30) == method
        q.task_done()
        child.join()
        assert child.exitcode == 0
    print("well")
"""


def test_proxies_go_to_child_processes_forked_and_spawned(door: Door) -> None:
    for python in interpreters():
        assert run_client(python, CHILDREN, door[1]) == "well\n"


# together with others

TUTORIAL = """
import queue, random, sys, time
from multiprocessing.managers import BaseManager

class QueueManager(BaseManager):
    pass

QueueManager.register("get_task_queue")
QueueManager.register("get_result_queue")
m = QueueManager(address=("127.0.0.1", int(sys.argv[1])), authkey=b"abc")
m.connect()
task = m.get_task_queue()
result = m.get_result_queue()
"""
TUTORIALS_MASTER = """
for i in range(10):
    task.put(i)
for i in range(10):
    print(result.get(timeout=30))
"""
TUTORIALS_WORKER = """
for i in range(10):
    try:
        n = task.get(timeout=30)
        r = "%d * %d = %d" % (n, n, n * n)
        result.put(r)
    except queue.Empty:
        print("task queue is empty.")
print("worker exit.")
"""


def test_the_tutorials_two_programs_run_unchanged(master_factory: MasterFactory, home: Path) -> None:
    key = home / "gateway.key"
    key.write_text("abc", "utf-8")
    master = master_factory("--gateway", "127.0.0.1:0", "--gateway-authkey-file", key)
    port = gateway_port(master)
    for python in interpreters():
        run: dict[str, Any] = {"stdout": subprocess.PIPE}
        with (
            text_process([python, "-c", TUTORIAL + TUTORIALS_MASTER, port], **run) as asks,
            text_process([python, "-c", TUTORIAL + TUTORIALS_WORKER, port], **run) as works,
        ):
            squares = [f"{number} * {number} = {number * number}" for number in range(10)]
            assert asks.communicate(timeout=SECONDS)[0].splitlines() == squares
            assert works.communicate(timeout=SECONDS)[0] == "worker exit.\n"


def test_stock_clients_and_programs_of_tq_share_a_queue_and_lose_nothing(
    door: Door, items: ItemQueue
) -> None:
    put = "for number in range(150):\n    q.put([sys.argv[2], number])"
    take = "while True:\n    print(q.get(timeout=30)[1])\n    if q.qsize() == 0: break"
    with (
        client(sys.executable, put, door[1], "one") as one,
        client(sys.executable, put, door[1], "two") as two,
    ):
        taken = [tuple(items.get(timeout=SECONDS)) for _ in range(100)]
        for program in (one, two):
            assert program.communicate(timeout=SECONDS)[1] == ""
    assert items.qsize() == 200
    printed = run_client(sys.executable, take, door[1]).split()
    assert (len(taken) + len(printed), items.qsize()) == (300, 0)
    assert sorted([*(number for _, number in taken), *map(int, printed)]) == sorted([*range(150)] * 2)


def test_a_worker_of_tq_applies_a_function_to_items_of_stock_clients(
    door: Door, xprocess: XProcess, programs: list[Program], home: Path
) -> None:
    (home / "sums.py").write_text("def square(x):\n    return x * x\n", "utf-8")
    options = ("--queue", "default", "--apply", "sums:square", "--results", "results")
    master = door[0]
    worker = Worker(xprocess, home, master.address, master.authkey, *options, TASKS_FILE)
    programs.append(worker)
    worker.start()
    for python in interpreters():
        program = (
            "for n in range(20): q.put(n)\n"
            "r = manager.get_result_queue()\n"
            "print(sorted(r.get(timeout=30) for _ in range(20)) == [n * n for n in range(20)])\n"
            "q.join()"
        )
        assert run_client(python, program, door[1]) == "True\n"
