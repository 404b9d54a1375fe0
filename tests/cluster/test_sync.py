"""Locks, events, conditions and barriers over real programs: as ``threading``'s, and safe when a holder dies or stops."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import tq
from tq.client.locks.events_and_barriers import Barrier, Event
from tq.client.locks.locks import BoundedSemaphore, Condition, Lock, RLock, Semaphore
from tq.managers import LockLost, SyncManager

from .programs import Master, clean_environment, eventually

SECONDS = 20


@pytest.fixture(scope="module")
def manager() -> Iterator[SyncManager]:
    with SyncManager() as manager:
        yield manager


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def result(future: Future[Any]) -> Any:
    return future.result(SECONDS)


@pytest.mark.parametrize("kind", ["Lock", "RLock", "Semaphore", "BoundedSemaphore"])
def test_it_is_acquired_and_released(manager: Any, threads: ThreadPoolExecutor, kind: str) -> None:
    lock = getattr(manager, kind)()
    assert lock.token is None
    assert lock.acquire() is True
    first = lock.token
    assert lock.held
    assert result(threads.submit(lock.acquire, False)) is False
    assert result(threads.submit(lock.acquire, timeout=0.05)) is False
    with pytest.raises(ValueError, match="non-blocking"):
        lock.acquire(False, 1)
    with pytest.raises(OverflowError, match="too large"):
        lock.acquire(timeout=threading.TIMEOUT_MAX * 2)
    with pytest.raises(ValueError, match="NaN"):
        lock.acquire(timeout=float("nan"))
    lock.release()
    assert (lock.token, lock.held) == (None, False)
    with lock as entered:
        assert entered is True
        assert lock.token == first + 1


@pytest.mark.parametrize("kind", ["Lock", "RLock"])
def test_to_a_lock_minus_one_is_no_end_and_no_other_number_below_zero_is_a_timeout(
    manager: Any, kind: str
) -> None:
    lock = getattr(manager, kind)()
    assert lock.acquire(blocking=True, timeout=-1) is True
    lock.release()
    assert lock.acquire(False, -1) is True
    with pytest.raises(ValueError, match="timeout value must be a non-negative number"):
        lock.acquire(timeout=-2)
    lock.release()


@pytest.mark.parametrize("kind", ["Semaphore", "BoundedSemaphore"])
def test_to_a_semaphore_a_negative_timeout_is_over(manager: Any, kind: str) -> None:
    semaphore = getattr(manager, kind)()
    assert semaphore.acquire(timeout=-1) is True
    assert semaphore.acquire(timeout=-1) is False
    with pytest.raises(ValueError, match="can't specify timeout for non-blocking acquire"):
        semaphore.acquire(False, -1)
    semaphore.release()


def test_to_whatever_waits_a_negative_timeout_is_over(manager: Any) -> None:
    condition = manager.Condition()
    with condition:
        assert condition.wait(-1) is False
        assert condition.wait_for(list, -1) == []
    assert manager.Event().wait(-1) is False
    with pytest.raises(threading.BrokenBarrierError):
        manager.Barrier(2).wait(-1)
    for wait in (manager.Event().wait, manager.Barrier(2).wait):
        with pytest.raises(OverflowError):
            wait(float("inf"))


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        ("Lock", RuntimeError, "release unlocked lock"),
        ("RLock", RuntimeError, "cannot release un-acquired lock"),
        ("BoundedSemaphore", ValueError, "Semaphore released too many times"),
    ],
)
def test_what_is_not_held_is_not_released(
    manager: Any, kind: str, error: type[Exception], words: str
) -> None:
    lock = getattr(manager, kind)()
    for _ in range(2):
        with pytest.raises(error, match=words):
            lock.release()
        with lock:
            pass


def test_a_lock_is_released_by_any_thread_and_an_rlock_by_its_own(
    manager: Any, threads: ThreadPoolExecutor
) -> None:
    lock, recursive = manager.Lock(), manager.RLock()
    lock.acquire()
    assert lock.locked()
    result(threads.submit(lock.release))
    assert not lock.locked()
    with recursive, recursive:
        token = recursive.token
        with pytest.raises(RuntimeError, match="un-acquired"):
            result(threads.submit(recursive.release))
        recursive.acquire()
        recursive.release()
        assert recursive.token == token
        assert result(threads.submit(recursive.acquire, False)) is False
    assert not recursive.locked()


def test_a_semaphore_counts(manager: Any) -> None:
    semaphore = manager.Semaphore(2)
    assert [semaphore.acquire(False) for _ in range(3)] == [True, True, False]
    semaphore.release(3)
    assert semaphore.get_value() == 3
    with pytest.raises(ValueError, match="one or more"):
        semaphore.release(0)
    with pytest.raises(ValueError, match=">= 0"):
        manager.Semaphore(-1)
    bounded = manager.BoundedSemaphore(value=2)
    bounded.acquire()
    with pytest.raises(ValueError, match="too many times"):
        bounded.release(2)
    assert bounded.get_value() == 1


def test_one_name_is_one_lock(manager: Any) -> None:
    lock = manager.Lock(name="report")
    with lock:
        assert manager.Lock(name="report").acquire(False) is False
        assert manager.Lock(name="report").token == lock.token
    with pytest.raises(tq.InvalidArgument, match="'report' is a lock already"):
        manager.Semaphore(3, name="report")


@pytest.mark.parametrize("kind", ["Lock", "RLock", "Semaphore", "Event", "Condition"])
def test_an_empty_name_is_no_name(manager: Any, kind: str) -> None:
    with pytest.raises(tq.InvalidArgument, match="name must be 1 to 255 characters"):
        getattr(manager, kind)(name="")


def test_threads_take_turns(manager: Any, threads: ThreadPoolExecutor) -> None:
    lock, inside = manager.Lock(), []

    def work() -> list[int]:
        tokens = []
        for _ in range(20):
            with lock:
                inside.append(1)
                assert len(inside) == 1
                tokens.append(lock.token)
                inside.pop()
        return tokens

    tokens = [token for future in [threads.submit(work) for _ in range(4)] for token in result(future)]
    assert sorted(tokens) == list(range(1, 81))


def test_an_event_is_set_cleared_and_waited_for(manager: Any, threads: ThreadPoolExecutor) -> None:
    event = manager.Event()
    assert not event.is_set()
    assert event.wait(0.05) is False
    waiting = [threads.submit(event.wait) for _ in range(3)]
    event.set()
    assert [result(one) for one in waiting] == [True] * 3
    assert event.wait() is True
    event.clear()
    assert event.wait(0) is False


@pytest.mark.parametrize("kind", ["Lock", "RLock"])
def test_a_condition_wakes_those_who_wait(manager: Any, threads: ThreadPoolExecutor, kind: str) -> None:
    condition = manager.Condition(getattr(manager, kind)())
    items: list[int] = []

    def take() -> int:
        with condition:
            condition.wait_for(lambda: items)
            return items.pop()

    waiting = [threads.submit(take) for _ in range(3)]
    for number in range(3):
        with condition:
            items.append(number)
            condition.notify()
    assert sorted(result(one) for one in waiting) == [0, 1, 2]


def test_a_condition_times_out_with_the_lock_and_all_its_depth(manager: Any) -> None:
    condition = manager.Condition()
    with condition, condition:
        before = condition.token
        assert condition.wait(0.05) is False
        assert condition.token > before
        assert condition.wait_for(lambda: False, 0.05) is False
        condition.notify_all()
    for call in (condition.wait, condition.notify, condition.release):
        with pytest.raises(RuntimeError, match="un-acquired lock"):
            call()
    with pytest.raises(tq.InvalidArgument, match="needs a Lock or RLock"):
        manager.Condition(threading.Lock())


def test_a_barrier_lets_all_pass_and_breaks(manager: Any, threads: ThreadPoolExecutor) -> None:
    barrier = manager.Barrier(3)
    for _ in range(2):
        waiting = [threads.submit(barrier.wait) for _ in range(3)]
        assert sorted(result(one) for one in waiting) == [0, 1, 2]
    assert (barrier.parties, barrier.n_waiting, barrier.broken) == (3, 0, False)
    with pytest.raises(threading.BrokenBarrierError):
        barrier.wait(0.05)
    assert barrier.broken
    barrier.reset()
    waiting = [threads.submit(barrier.wait)]
    eventually(lambda: barrier.n_waiting == 1)
    barrier.abort()
    with pytest.raises(threading.BrokenBarrierError):
        result(waiting[0])
    with pytest.raises(tq.InvalidArgument, match=r"barrier.wait\(\) == 0"):
        manager.Barrier(2, print)
    with pytest.raises(ValueError, match="parties"):
        manager.Barrier(0)
    with pytest.raises(threading.BrokenBarrierError):
        manager.Barrier(2, timeout=0.05).wait()


HOLDER = """
import sys, tq
from tq.client.locks.locks import Lock
from tq.managers import LockLost
lock = Lock(tq.App().session, "report")
lock.acquire()
print(lock.token, flush=True)
sys.stdin.readline()
try:
    lock.release()
    print("released", flush=True)
except LockLost as error:
    print("lost:", lock.token, error, flush=True)
"""


@pytest.fixture
def holder(master: Master, home: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """A program that acquires the lock "report", prints its token, and releases it on request."""
    started: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        environment = clean_environment(home, {"TQ_URL": master.url, "TQ_AUTHKEY": master.authkey})
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", HOLDER],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    yield start
    for program in started:
        program.kill()
        program.communicate(timeout=SECONDS)


def said(program: subprocess.Popen[str]) -> str:
    assert program.stdout is not None
    return program.stdout.readline().strip()


def tell(program: subprocess.Popen[str]) -> None:
    assert program.stdin is not None
    program.stdin.write("\n")
    program.stdin.flush()


def test_a_lock_whose_holder_is_killed_is_the_next_ones(
    app: tq.App, holder: Callable[[], subprocess.Popen[str]]
) -> None:
    program = holder()
    assert said(program) == "1"
    lock = Lock(app.session, "report")
    assert lock.acquire(False) is False
    program.kill()
    assert lock.acquire(timeout=SECONDS)
    assert lock.token == 2


def test_a_holder_that_was_stopped_for_too_long_has_lost_it_and_gets_an_error(
    app: tq.App, holder: Callable[[], subprocess.Popen[str]]
) -> None:
    program = holder()
    assert said(program) == "1"
    program.send_signal(signal.SIGSTOP)
    lock = Lock(app.session, "report")
    assert lock.acquire(timeout=SECONDS)
    assert lock.token == 2
    program.send_signal(signal.SIGCONT)
    tell(program)
    assert said(program).startswith(
        "lost: None <tq.Lock 'report'> with token 1 was lost: this process was away"
    )
    assert lock.held
    lock.release()


@pytest.mark.parametrize("kind", [Lock, RLock])
def test_a_thread_that_lost_its_lock_does_not_release_the_next_threads(
    master: Master, app: tq.App, threads: ThreadPoolExecutor, kind: type[Lock | RLock]
) -> None:
    lock = kind(app.session, "shared")
    lock.acquire()
    lost = lock._holdings.latest()
    assert lost is not None
    lock._call("release", lost.token)  # as if the master had given it up
    lock._holdings.take()
    lock._holdings._acquired.append(lost._replace(token=os.urandom(16)))
    assert result(threads.submit(lock.acquire)) is True
    with pytest.raises(LockLost, match="token 1 was lost"):
        lock.release()
    assert lock.locked()
    assert lock.token == 2


def test_a_lock_is_held_and_waited_for_over_the_masters_death(
    master: Master, app: tq.App, holder: Callable[[], subprocess.Popen[str]], threads: ThreadPoolExecutor
) -> None:
    program = holder()
    assert said(program) == "1"
    lock = Lock(app.session, "report")
    waiting = threads.submit(lock.acquire)
    eventually(lambda: lock._call("state")[1] == 1)
    master.kill()
    master.start()
    assert not waiting.done()
    tell(program)
    assert said(program) == "released"
    assert result(waiting) is True
    assert lock.token == 2
    lock.release()


def test_everything_is_waited_for_over_the_masters_death(
    master: Master, app: tq.App, threads: ThreadPoolExecutor
) -> None:
    event, barrier, lock = Event(app.session, "e"), Barrier(app.session, 2, name="b"), RLock(app.session, "l")
    condition, ready = Condition(app.session, lock, "c"), queue.SimpleQueue[None]()

    def wait() -> bool:
        with condition:
            ready.put(None)
            return condition.wait()

    waiting = [threads.submit(event.wait), threads.submit(barrier.wait), threads.submit(wait)]
    ready.get(timeout=SECONDS)
    with lock:
        pass  # the waiter has given it back
    eventually(lambda: barrier.n_waiting == 1)
    semaphore = Semaphore(app.session, 0, "s")
    semaphore.release(3)
    master.kill()
    master.start()
    event.set()
    barrier.wait(SECONDS)
    with condition:
        condition.notify_all()
    results = [result(one) for one in waiting]
    assert results in ([True, 0, True], [True, 1, True])
    assert semaphore.get_value() == 3


def test_a_timeout_holds_while_the_master_is_away(master: Master, app: tq.App) -> None:
    lock, event, bounded = (
        Lock(app.session, "l"),
        Event(app.session, "e"),
        BoundedSemaphore(app.session, 1, "b"),
    )
    master.signal(signal.SIGSTOP)
    try:
        assert lock.acquire(timeout=0.1) is False
        assert bounded.acquire(timeout=0.1) is False
    finally:
        master.signal(signal.SIGCONT)
    assert event.wait(0.05) is False
    assert lock.acquire(timeout=SECONDS)
    lock.release()
    eventually(lambda: bounded.get_value() == 1)


def test_the_loss_of_a_lock_is_a_runtime_error() -> None:
    assert issubclass(LockLost, RuntimeError)
