"""The peers that every Python has: ``multiprocessing.Pool`` and the ``BaseManager`` tutorial, both in memory."""

from __future__ import annotations

import multiprocessing
import time
from multiprocessing.managers import BaseManager
from queue import Queue
from typing import Any

from .readings import Readings
from .scale import Scale

_queues: dict[str, Queue[Any]] = {"tasks": Queue(), "results": Queue()}


def stdlib_peers(scale: Scale) -> Readings:
    """``pool.tasks`` and ``tutorial.tasks`` a second."""
    return Readings(
        numbers={"pool.tasks": pool(scale.pool_tasks), "tutorial.tasks": tutorial(scale.tutorial_tasks)}
    )


def same(value: Any) -> Any:
    return value


def pool(tasks: int) -> float:
    """``imap_unordered(chunksize=1)`` with two processes: local, nothing encrypted, nothing kept."""
    with multiprocessing.get_context("spawn").Pool(2) as workers:
        workers.map(same, range(100))
        began = time.perf_counter()
        for _ in workers.imap_unordered(same, range(tasks), chunksize=1):
            continue
        return tasks / (time.perf_counter() - began)


def get_tasks() -> Queue[Any]:
    return _queues["tasks"]


def get_results() -> Queue[Any]:
    return _queues["results"]


class Tutorial(BaseManager):
    pass


Tutorial.register("get_tasks", callable=get_tasks)
Tutorial.register("get_results", callable=get_results)


def _tutorial_worker(address: tuple[str, int]) -> None:
    manager = Tutorial(address=address, authkey=b"bench")
    manager.connect()
    tasks, results = manager.get_tasks(), manager.get_results()  # type: ignore[attr-defined]
    while (task := tasks.get()) is not None:
        results.put(task)


def tutorial(tasks: int) -> float:
    """The documentation's program: a manager, two workers, one client; one task a ``get``."""
    context = multiprocessing.get_context("spawn")
    manager = Tutorial(address=("127.0.0.1", 0), authkey=b"bench", ctx=context)
    manager.start()
    workers = [context.Process(target=_tutorial_worker, args=(manager.address,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    queue, results = manager.get_tasks(), manager.get_results()  # type: ignore[attr-defined]
    for _ in workers:  # both have connected, as far as anybody can tell
        queue.put(0)
        results.get()
    began = time.perf_counter()
    for number in range(tasks):
        queue.put(number)
    for _ in range(tasks):
        results.get()
    seconds = time.perf_counter() - began
    for _ in workers:
        queue.put(None)
    for worker in workers:
        worker.join()
    manager.shutdown()
    return tasks / seconds
