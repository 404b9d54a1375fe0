"""Tasks that a program submits one by one, with every result in its hand: by ``Executor.submit``, from one thread and from eight, in a
``batch()``, and by ``submit``, each call of which returns when its task is stored.

Beside them ``ProcessPoolExecutor.submit``: local, nothing encrypted, nothing kept.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import Executor as AnyExecutor
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from typing import Any, Final

from tq.client.stdlib.executor import Executor
from tq.client.tasks.handle import Handle
from tq.client.tasks.handles import as_completed

from .cluster import cluster
from .readings import Readings
from .scale import Scale

SLOTS: Final = 2
THREADS: Final = 8
WARM_UP_TASKS: Final = 1_000

Run = Callable[[int], Any]  # submits so many and has their results


def singles(scale: Scale) -> Readings:
    """``singles.NAME.tasks`` a second: ``executor``, ``threads``, ``batch``, ``stored``, and ``local``."""
    numbers: dict[str, float] = {}
    context = multiprocessing.get_context("spawn")
    with (
        cluster(slots=SLOTS, allow="builtins.abs") as measured,
        Executor(app=measured.app) as executor,
        ProcessPoolExecutor(SLOTS, mp_context=context) as local,
        ThreadPoolExecutor(THREADS) as threads,
    ):
        submitter = measured.app.named("bench_tasks:nothing")

        def in_threads(run: Run, tasks: int) -> None:
            list(threads.map(run, [tasks // THREADS] * THREADS))

        def stored(tasks: int) -> None:
            _read([submitter.submit(number) for number in range(tasks)])

        def batch(tasks: int) -> None:
            with measured.app.batch():
                handles = [submitter.submit(number) for number in range(tasks)]
            _read(handles)

        def submitted(tasks: int) -> None:
            _through(executor, tasks)

        runs: dict[str, tuple[Run, int]] = {  # and how many times fewer tasks, for they take longer
            "executor": (submitted, 1),
            "threads": (partial(in_threads, submitted), 1),
            "batch": (batch, 1),
            "stored": (partial(in_threads, stored), 20),
            "local": (partial(_through, local), 10),
        }
        for name, (run, times) in runs.items():
            run(WARM_UP_TASKS // times)
            tasks = scale.single_tasks // times
            began = time.perf_counter()
            run(tasks)
            numbers[f"singles.{name}.tasks"] = tasks / (time.perf_counter() - began)
    return Readings(numbers=numbers)


def _read(handles: list[Handle[Any]]) -> None:
    for handle in as_completed(handles):
        handle.result()


def _through(executor: AnyExecutor, tasks: int) -> None:
    for future in [executor.submit(abs, number) for number in range(tasks)]:
        future.result()
