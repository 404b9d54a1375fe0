"""``manager.Pool(…)``: a pool whose processes belong to the manager, as in the standard library's server.

A started manager starts worker processes for each pool, which serve that pool's private queue. A manager that is
connected to a master elsewhere uses the workers there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from .pool import Pool

if TYPE_CHECKING:
    from ..app import App
    from ..local.cluster import EmbeddedCluster


def pool_of(
    app: App,
    cluster: EmbeddedCluster | None,
    number: int,
    processes: int | None = None,
    initializer: Callable[..., Any] | None = None,
    initargs: Iterable[Any] = (),
    maxtasksperchild: int | None = None,
    context: Any = None,
    **options: Any,
) -> Pool:
    """``number``: the serial number of the pool in its manager. ``options``: options of its tasks, as for ``tq.Pool``."""
    if cluster is None:
        return Pool(processes, initializer, initargs, maxtasksperchild, context, app=app, **options)
    if maxtasksperchild is not None and (not isinstance(maxtasksperchild, int) or maxtasksperchild < 1):
        raise ValueError("maxtasksperchild must be a positive int or None")
    queue = f"pool-{number}"
    slots = (os.cpu_count() or 1) if processes is None else processes
    pool = Pool(slots, initializer, initargs, None, context, app=app, **{"queue": queue, **options})
    submissions = pool._submissions  # a reference to the pool itself would keep it from being collected

    def on_exit(how: str) -> None:
        submissions.mark_broken(
            f"the worker processes of this pool have ended: their worker {how}; make a new one"
        )

    try:
        end = cluster.start_worker(  # ``allow`` is safe: no other program has its key
            slots=slots, allow=("*",), queue=queue, tasks_per_child=maxtasksperchild, on_exit=on_exit
        )
    except BaseException:
        pool.terminate()
        raise
    cluster.on_end.append(submissions.mark_broken)
    submissions.on_end += [end, lambda: cluster.on_end.remove(submissions.mark_broken)]
    return pool
