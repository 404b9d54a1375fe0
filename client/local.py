"""``tq.local()``: a cluster inside one program, for work that fits one machine.

::

    with tq.local() as q:
        for path in paths:
            q.add_task(resize, path, width=300)
        q.join()

A real master and a real worker run as children of this program and end with it. With ``file`` the queue is kept
in that directory: tasks that were not finished when the program ended, however it ended, are finished next time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from ..common.errors import InvalidArgument
from ..common.link import ambient
from .app import App
from .executor import Executor
from .own_cluster import OwnCluster

if TYPE_CHECKING:
    from typing import Unpack

    from .options import Options

P = ParamSpec("P")
T = TypeVar("T")

LOOK_SECONDS: Final = 0.1  # between looks at what an earlier program left
UNFINISHED: Final = ("ready", "scheduled", "blocked", "running")


class Local(Executor):
    """An Executor with a cluster of its own. ``processes``: how many tasks run at a time; the machine's cores."""

    def __init__(
        self, processes: int | None = None, *, file: str | Path | None = None, **options: Unpack[Options]
    ) -> None:
        self.cluster = own_cluster(processes, file)
        app = App(self.cluster.url, self.cluster.key("client"))
        super().__init__(app=app, **options)
        self._courier.at_end += [app.close, self.cluster.stop]

    def add_task(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Queue ``fn(*args, **kwargs)``. As ``submit``, but when this returns, the task is stored."""
        future = self.submit(fn, *args, **kwargs)
        self._courier.flush()
        return future

    def join(self) -> None:
        """Wait until everything is done, what an earlier program left in the file included."""
        self._courier.join()
        while any(row[state] for row in self._app.call(("get_queues",), "list") for state in UNFINISHED):
            threading.Event().wait(LOOK_SECONDS)


def local(
    processes: int | None = None, *, file: str | Path | None = None, **options: Unpack[Options]
) -> Local:
    """A cluster of this program's own; see ``Local``. ``options``: of its tasks, as for ``app.task``.

    Functions are found by their names, as always: those of a script need its ``if __name__ == "__main__":``
    around what starts the work, as with multiprocessing.
    """
    return Local(processes, file=file, **options)


def own_cluster(processes: int | None, file: str | Path | None) -> OwnCluster:
    """A started master and worker. Raises RuntimeError where that would start them without end."""
    if processes is not None and processes < 1:
        raise InvalidArgument(f"processes must be at least 1, not {processes}")
    if ambient() is not None:
        raise RuntimeError(
            "a worker imports this module to run its functions, and the module starts a cluster when it is imported; "
            'put what starts the work under: if __name__ == "__main__":'
        )
    cluster = OwnCluster(file, durability="memory" if file is None else "fsync")
    try:
        cluster.start_master()
        cluster.start_worker(slots=processes, allow=("*",))  # ours alone: only we have its key
    except BaseException:
        cluster.stop()
        raise
    return cluster
