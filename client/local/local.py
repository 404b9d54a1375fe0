"""``tq.local()``: a cluster that belongs to one program, for work that fits on one machine.

::

    with tq.local() as q:
        for path in paths:
            q.add_task(resize, path, width=300)
        q.join()

A real master and a real worker belong to this program and end with it; the worker runs tasks in child processes, or in
threads of this program. With ``file`` the queue is kept in that directory: tasks that were unfinished when the program
ended or was killed are finished the next time.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, ParamSpec, TypeVar

from ...common.domain import nameless
from ...common.errors import InvalidArgument, Unreachable
from ...common.wire.caller import ambient
from ..app import App
from ..stdlib.executor import Executor, TaskFuture, Work, finish_first
from .cluster import IMPORTED, TIMINGS, TIMINGS_OF_THREADS, EmbeddedCluster

if TYPE_CHECKING:
    from typing import Unpack

    from ..stdlib.remote_functions import RemoteFunction
    from ..tasks.options import Options

P = ParamSpec("P")
T = TypeVar("T")

Workers = Literal["processes", "threads"]

LOOK_SECONDS: Final = 0.1  # between checks for unfinished tasks of an earlier program
UNFINISHED: Final = ("ready", "scheduled", "blocked", "running")
THREADS_MAX: Final = 32  # by default; this, and four more than there are cores, as in ThreadPoolExecutor
FILE_NEEDS_NAMES: Final = (
    "; with file= the next program may have to finish the task, and finds its function by the name"
)
WORKERS: Final = ("processes", "threads")


class Local(Executor):
    """An Executor with its own cluster; see ``tq.local``."""

    def __init__(
        self,
        processes: int | None = None,
        *,
        workers: Workers = "processes",
        file: str | Path | None = None,
        **options: Unpack[Options],
    ) -> None:
        if workers not in WORKERS:
            raise InvalidArgument(f"workers must be 'processes' or 'threads', not {workers!r:.80}")
        self._is_of_threads, self._is_kept = workers == "threads", file is not None
        self._check_limit("tq.local", options.get("timeout"))
        self.cluster = start_embedded_cluster(processes, file, workers)
        finish_first()
        app = App(self.cluster.url, self.cluster.key("client"))
        super().__init__(app=app, **options)
        self._functions.are_here = self._is_of_threads and not self._is_kept
        if self._is_of_threads and self._is_kept:
            self._functions.why_names = FILE_NEEDS_NAMES
        self.cluster.on_end.append(self._submissions.mark_broken)
        self._submissions.on_end.append(self.cluster.stop)

    def add_task(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Queue ``fn(*args, **kwargs)``. Unlike with ``submit``, the task is stored when this returns.

        Args:
            fn: A function that a worker can import by its name; with threads and without a file, any callable.
            args: Its positional arguments.
            kwargs: Its keyword arguments.

        Returns:
            A Future of the standard library.
        """
        future = self.submit(fn, *args, **kwargs)
        self._submissions.flush()
        return future

    def join(self) -> None:
        """Wait until all tasks are done, including unfinished tasks of an earlier program in the file.

        After ``shutdown`` it waits for the tasks of this object only.

        Raises:
            RuntimeError: With a file, after ``shutdown``: the state of the other tasks is unknown.
            BrokenCluster: The cluster has died.
        """
        self._submissions.join()
        try:
            while self._has_unfinished():
                threading.Event().wait(LOOK_SECONDS)
        except Unreachable:
            if self._has_unfinished():  # it may have ended in between; if not, this raises the better error
                raise

    def _has_unfinished(self) -> bool:
        self._submissions.check_not_broken()
        if self._submissions.is_closed:
            if self._is_kept:
                raise RuntimeError(
                    "the cluster has ended: join() inside the with block, or before shutdown()"
                )
            return False
        return any(row[state] for row in self._app.call(("get_queues",), "list") for state in UNFINISHED)

    def _send(self, remote: RemoteFunction, work: Work, *, chunked: bool = False) -> TaskFuture[Any]:
        self._check_limit(remote.kind.name, remote.kind.choice.options.timeout)
        number = remote.number
        if number is None or remote.function is None:
            return super()._send(remote, work, chunked=chunked)
        # Before it is sent: a thread of this program may run it at once.
        nameless.keep(number, remote.function)
        try:
            future = super()._send(remote, work, chunked=chunked)
        except BaseException:
            nameless.drop(number)
            raise
        future.add_done_callback(lambda _: nameless.drop(number))
        return future

    def _check_limit(self, what: str, timeout: object) -> None:
        if self._is_of_threads and timeout is not None:
            raise InvalidArgument(
                f"{what}: timeout={timeout}: a thread cannot be ended from outside, so its time limit could not be enforced; "
                "use workers='processes', or check the time in the function"
            )


def local(
    processes: int | None = None,
    *,
    workers: Workers = "processes",
    file: str | Path | None = None,
    **options: Unpack[Options],
) -> Local:
    """Start a cluster that belongs to this program, as an Executor.

    Functions are found by name: as with multiprocessing, a script with functions needs ``if __name__ == "__main__":`` around
    the code that starts the work. With ``workers="threads"`` tasks run in threads of this program, for work that waits more
    than it computes: they share its memory, modules and output, start at once, and need no ``if __name__``; without a ``file``
    they also take lambdas, nested functions and methods. A thread cannot
    be ended from outside: a cancelled task continues until it checks ``tq.current().cancelled``, and a task that crashes ends
    the whole program.

    Args:
        processes: How many tasks run at a time; by default the number of cores, and for threads that of ThreadPoolExecutor.
        workers: ``"processes"`` (the default) or ``"threads"``.
        file: A directory that keeps the queue: tasks that were unfinished when the program ended are finished the next time.
            By default nothing is kept.
        options: The queue and options of ``App.task``, for all tasks. ``timeout`` needs processes.

    Returns:
        An Executor that also has ``add_task``, which returns when the task is stored, and ``join``, which waits for all tasks.

    Raises:
        InvalidArgument: An argument or option cannot be used.
        RuntimeError: This runs inside a task.

    Example::

        with tq.local() as q:
            for path in paths:
                q.add_task(resize, path, width=300)
            q.join()
    """
    return Local(processes, workers=workers, file=file, **options)


def start_embedded_cluster(
    processes: int | None, file: str | Path | None, workers: Workers = "processes"
) -> EmbeddedCluster:
    """A started master and worker. Raises RuntimeError inside a task: each import there would start another cluster."""
    if processes is not None and (not isinstance(processes, int) or processes < 1):
        raise InvalidArgument(f"processes must be a whole number from 1, not {processes!r:.80}")
    if ambient() is not None:
        raise RuntimeError(IMPORTED)
    timings = TIMINGS_OF_THREADS if workers == "threads" else TIMINGS
    # Without a file nothing is left for a later program, so nothing has to be on disk.
    cluster = EmbeddedCluster(file, durability="memory" if file is None else "fsync", timings=timings)
    try:
        cluster.start_master()
        if workers == "threads":
            cluster.start_threads(processes or min(THREADS_MAX, (os.cpu_count() or 1) + 4))
        else:
            cluster.start_worker(slots=processes, allow=("*",))  # safe: no other program has its key
    except BaseException:
        cluster.stop()
        raise
    return cluster
