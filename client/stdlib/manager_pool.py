"""``manager.Pool(…)``: a pool whose processes belong to the manager, as in the standard library's server.

A started manager starts worker processes for each pool, which serve that pool's private queue. A manager that is
connected to a master elsewhere uses the workers there.

Such a pool can be passed to other processes, as a proxy can: each has a Pool of its own on the same worker processes. These end
with the pool of the program that made it; once that was passed on, not before it is terminated or the manager ends.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from ..app import App
from ..core.pickling import MasterAddress, master_address_of, session_to
from .pool import Pool

if TYPE_CHECKING:
    from ..local.cluster import EmbeddedCluster


class ManagerPool(Pool):
    """``options``: of its tasks, by which a copy in another process finds the same workers."""

    def __init__(
        self, processes: int | None, *args: Any, app: App, is_copy: bool = False, **options: Any
    ) -> None:
        super().__init__(processes, *args, app=app, **options)
        self._options = options
        self._is_copy, self._was_pickled = is_copy, False

    def __reduce__(self) -> tuple[Any, ...]:
        self._was_pickled = True
        return _copied, (self._processes, master_address_of(self._app.session), self._options)

    def __del__(self, *warn: Callable[..., None]) -> None:
        if getattr(self, "_is_copy", False):
            super().__del__(_no_warning)
        elif not getattr(self, "_was_pickled", False):
            super().__del__(*warn)


def _copied(processes: int | None, address: MasterAddress, options: dict[str, Any]) -> ManagerPool:
    return ManagerPool(processes, app=App._using(session_to(address)), is_copy=True, **options)


def _no_warning(*about: object, **more: object) -> None:
    """The pool that this one is a copy of is closed where it was made."""


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
        return ManagerPool(processes, initializer, initargs, maxtasksperchild, context, app=app, **options)
    if maxtasksperchild is not None and (not isinstance(maxtasksperchild, int) or maxtasksperchild < 1):
        raise ValueError("maxtasksperchild must be a positive int or None")
    queue = f"pool-{number}"
    slots = (os.cpu_count() or 1) if processes is None else processes
    pool = ManagerPool(slots, initializer, initargs, None, context, app=app, **{"queue": queue, **options})
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
