"""``tq.Pool`` and ``tq.Executor`` beside what they stand in for: the same no-op items in chunks of the same size.

All are up from the beginning and take turns, so that what else the machine does happens to all of them. Besides the
rate, which depends on who else wants the processors, the processor time an item took in all processes together.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import Any, Final

import psutil
from tq.client.stdlib.executor import Executor
from tq.client.stdlib.pool import Pool

from .cluster import cluster
from .readings import Readings
from .scale import Scale

SLOTS: Final = 2
CHUNK_SIZES: Final = {
    1: 1,
    10: 5,
    100: 20,
    1_000: 20,
}  # and how many times as many items, for they are over sooner
CHOSEN_TIMES: Final = 20  # as many items where the pool chooses
WARM_UP_ITEMS: Final = 2_000

Read = Callable[[int, int], Iterable[Any]]  # items, chunk size ─► results


def pools(scale: Scale) -> Readings:
    """``pools.KIND.CHUNK.WHO.items`` a second, and ``….busy_seconds`` an item; ``pools.chosen.items`` a second, by the ``Pool``
    that chooses the size of its chunks."""
    numbers: dict[str, float] = {}
    context = multiprocessing.get_context("spawn")
    with (
        cluster(slots=SLOTS, allow="builtins.abs") as measured,
        context.Pool(SLOTS) as local_pool,
        ProcessPoolExecutor(SLOTS, mp_context=context) as local_executor,
        Pool(SLOTS, app=measured.app) as pool,
        Executor(app=measured.app) as executor,
    ):
        sides: dict[str, dict[str, Read]] = {
            "pool": {
                "tq": lambda items, chunk: pool.imap_unordered(abs, range(items), chunk),
                "local": lambda items, chunk: local_pool.imap_unordered(abs, range(items), chunk),
            },
            "executor": {
                "tq": lambda items, chunk: executor.map(abs, range(items), chunksize=chunk),
                "local": lambda items, chunk: local_executor.map(abs, range(items), chunksize=chunk),
            },
        }

        def chosen(items: int, _: int) -> Iterable[int]:
            return pool.imap_unordered(abs, range(items))

        for kind, reads in sides.items():
            for chunk, times in CHUNK_SIZES.items():
                for who, read in reads.items():
                    _take(read, WARM_UP_ITEMS, chunk)
                    rate, busy = _take(read, scale.pool_items * times, chunk)
                    numbers[f"pools.{kind}.{chunk}.{who}.items"] = rate
                    numbers[f"pools.{kind}.{chunk}.{who}.busy_seconds"] = busy
        _take(chosen, WARM_UP_ITEMS, 1)
        numbers["pools.chosen.items"], _ = _take(chosen, scale.pool_items * CHOSEN_TIMES, 1)
    return Readings(numbers=numbers)


def _take(read: Read, items: int, chunk: int) -> tuple[float, float]:
    """Items a second, and processor seconds an item of this process and of all that it started."""
    before, began = _busy(), time.perf_counter()
    count = sum(1 for _ in read(items, chunk))
    seconds = time.perf_counter() - began
    if count != items:
        raise AssertionError(f"{count} results of {items}")
    return items / seconds, (_busy() - before) / items


def _busy() -> float:
    own = psutil.Process()
    return float(sum(sum(one.cpu_times()[:2]) for one in [own, *own.children(recursive=True)]))
