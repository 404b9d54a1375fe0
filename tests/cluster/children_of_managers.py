"""What child processes of the tests do with the proxies that they are handed."""

from __future__ import annotations

import multiprocessing
from typing import Any


def move(source: Any, target: Any, count: int) -> None:
    """Take so many items, put them there, and end at once."""
    for _ in range(count):
        target.put(source.get(timeout=30))
        if hasattr(source, "task_done"):  # a SimpleQueue has none
            source.task_done()


def take_part(lock: Any, shared: Any, turns: int) -> None:
    for _ in range(turns):
        with lock:
            shared["sum"] = shared["sum"] + 1


def meet(barrier: Any, event: Any, semaphore: Any, answers: Any) -> None:
    event.wait(30)
    answers.put(barrier.wait(30))
    semaphore.release()


def wait_for(condition: Any, ready: Any, answers: Any) -> None:
    with condition:
        ready.set()
        answers.put(condition.wait(30))


def recurse(lock: Any) -> list[bool]:
    """An RLock of its own thread, twice."""
    with lock, lock:
        return [lock.held, lock.acquire(False)]


def try_lock(lock: Any) -> tuple[bool, str]:
    """Whether it could be had, and what is said to one that does not hold it and releases it."""
    had = lock.acquire(False)
    try:
        lock.release()
    except RuntimeError as error:
        return had, str(error)
    return had, ""


def add(foo: Any, number: int) -> int:
    return int(foo.add(number))


def use_pool(pool: Any, answers: Any) -> None:
    """And end without closing it."""
    answers.put(
        [pool.apply(abs, (-1,)), pool.map(abs, range(-3, 0)), list(pool.imap(abs, [-7])), repr(pool)[:8]]
    )


def terminate_pool(pool: Any) -> None:
    pool.terminate()
    pool.join()


def receive(pipe: Any, answers: Any) -> None:
    """Proxies that arrive by a queue of ``multiprocessing``."""
    proxy = pipe.get(timeout=30)
    answers.put(proxy.get(timeout=30))


def name_of_error(queue: Any, authkey: bytes) -> str:
    multiprocessing.current_process().authkey = authkey
    try:
        queue.qsize()
    except Exception as error:
        return type(error).__name__
    return "none"


def set_authkey(authkey: bytes) -> None:
    multiprocessing.current_process().authkey = authkey


def qsize(queue: Any) -> int:
    return int(queue.qsize())


def same(value: Any) -> Any:
    return value
