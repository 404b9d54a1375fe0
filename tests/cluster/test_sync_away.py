"""Locks, events, conditions and barriers while the master is away, or has given up who holds one."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import tq
from tq.client.locks.events_and_barriers import Barrier, Event
from tq.client.locks.locks import Condition, Lock, RLock, Semaphore
from tq.managers import LockLost

from .programs import Master, eventually

SECONDS = 20


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tq.client.core.session.MASTER_TIMEOUT_SECONDS", 1.5)


@pytest.mark.usefixtures("impatient")
def test_nothing_that_asked_for_no_waiting_waits_without_end(
    master: Master, app: tq.App, threads: ThreadPoolExecutor
) -> None:
    barrier, semaphore, event = (
        Barrier(app.session, 2, name="b"),
        Semaphore(app.session, 0, "s"),
        Event(app.session, "e"),
    )
    master.kill()
    calls: list[Callable[[], Any]] = [barrier.abort, barrier.reset, semaphore.release, event.set]
    for future in [threads.submit(call) for call in calls]:
        with pytest.raises(tq.Unreachable, match="has been away for"):
            future.result(SECONDS)
    master.start()
    assert semaphore.acquire(timeout=SECONDS), "what was asked is done when the master is back"


def test_an_events_timeout_holds_while_the_master_is_away(master: Master, app: tq.App) -> None:
    event = Event(app.session, "e")
    master.signal(signal.SIGSTOP)
    try:
        assert event.wait(0.1) is False
    finally:
        master.signal(signal.SIGCONT)
    event.set()
    assert event.wait(0.1) is True


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kind", [Lock, RLock])
def test_a_wait_whose_time_is_over_ends_without_a_master_and_keeps_no_lock(
    master: Master, app: tq.App, kind: type[Lock | RLock]
) -> None:
    lock = kind(app.session, "l")
    condition = Condition(app.session, lock, "c")

    def wait() -> None:
        with condition:
            master.kill()
            condition.wait(0.1)

    with pytest.raises(tq.Unreachable, match="has been away for"):
        wait()
    assert lock.token is None
    master.start()
    with tq.App(master.url, master.authkey) as other:
        assert kind(other.session, "l").acquire(timeout=SECONDS)
    assert lock.acquire(timeout=SECONDS)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kind", [Lock, RLock])
def test_a_release_that_was_asked_without_a_master_is_done_and_the_next_acquire_is_a_new_one(
    master: Master, app: tq.App, kind: type[Lock | RLock]
) -> None:
    lock = kind(app.session, "l")
    lock.acquire()
    assert lock.token == 1
    master.kill()
    with pytest.raises(tq.Unreachable):
        lock.release()
    assert lock.token is None
    master.start()
    assert lock.acquire(timeout=SECONDS)
    assert lock.token == 2


@pytest.mark.parametrize("kind", [Lock, RLock])
def test_a_loss_that_a_wait_finds_is_what_the_with_block_raises(
    app: tq.App, kind: type[Lock | RLock]
) -> None:
    lock = kind(app.session, "l")
    condition = Condition(app.session, lock, "c")

    def lose() -> None:
        with condition, condition if kind is RLock else threading.Lock():
            held = lock._holdings.take()
            assert held is not None
            lock._call("release", held.token)  # as if the master had given it up
            lock._holdings.add(os.urandom(16), held.fence)
            condition.wait(SECONDS)

    with pytest.raises(LockLost, match="token 1 was lost"):
        lose()
    assert lock.token is None
    with condition:
        assert condition.token == 2


def test_how_many_are_notified_is_any_whole_number(app: tq.App, threads: ThreadPoolExecutor) -> None:
    condition = Condition(app.session, Lock(app.session, "l"), "c")
    ready = threading.Semaphore(0)

    def wait() -> bool:
        with condition:
            ready.release()
            return condition.wait()

    waiting = [threads.submit(wait) for _ in range(2)]
    for _ in waiting:
        assert ready.acquire(timeout=SECONDS)
    with condition:
        condition.notify(0)
        condition.notify(-1)
        with pytest.raises(TypeError):
            condition.notify(1.5)  # type: ignore[arg-type]
        assert condition._lock._call("state")[1] == 0
        condition.notify(2**40)
        eventually(lambda: condition._lock._call("state")[1] == 2)
    assert [future.result(SECONDS) for future in waiting] == [True, True]
