"""``tq.Executor``: a ``concurrent.futures.Executor`` whose processes are all the workers of a cluster.

It behaves as the standard library documents it, with a subclass of the standard library's ``Future``. Only the network
makes a difference: a callable is sent by its name, so it needs one; and tasks are durable, so they continue if this
program dies.
"""

from __future__ import annotations

import atexit
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError, Future
from concurrent.futures import Executor as StandardExecutor
from concurrent.futures._base import CANCELLED, CANCELLED_AND_NOTIFIED, FINISHED, PENDING
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar, cast

from ...common.contract.rows import all_from_wire
from ...common.contract.tasks import StateRow
from ...common.domain.context import is_of_task
from ...common.domain.id_runs import IdRun
from ...common.domain.ids import show_id
from ...common.domain.model import StateNumber
from ...common.errors import InvalidArgument, TaskError, TqError
from ...common.values.blob import Blob
from ..app import App
from ..core.fork import guard
from ..tasks.answers import TASKS
from ..tasks.lent_slot import wait_lending
from ..tasks.outcomes import UNKNOWN, TaskOutcome
from .exceptions import as_broken_cluster, rebuilt
from .remote_functions import RemoteFunction, RemoteFunctions
from .submission_queue import CANCEL_SECONDS, UNREACHABLE_SECONDS_MAX, SubmissionQueue
from .timed_waits import TimedWait

if TYPE_CHECKING:
    from typing import Unpack

    from ..tasks.options import Options

ENDED: Final = frozenset({CANCELLED, CANCELLED_AND_NOTIFIED, FINISHED})

P = ParamSpec("P")
T = TypeVar("T")

THEIRS: Final = {
    "max_workers",
    "mp_context",
    "initializer",
    "initargs",
    "max_tasks_per_child",
    "thread_name_prefix",
}

# Guards the ends of futures, for a moment. Reentrant: the garbage collector may run code that looks at one.
_lock = guard(threading.RLock())

Work = tuple[bytes, list[Blob]]
"""A payload, and the blobs that it names."""


class TaskFuture(Future[T]):
    """A standard Future that knows its task. ``cancel`` and ``running`` ask the master, which takes a round trip.

    What only those need who wait for it is made when the first of them asks for its condition, as all that the standard library
    does with a future begins: most futures of a long loop have ended before.
    """

    def __init__(
        self, submissions: SubmissionQueue, task: bytes, received: Callable[[Any], Any] | None = None
    ) -> None:
        """``received``: makes the result of plain data, as the annotation of the function says."""
        self._state, self._result, self._exception = PENDING, None, None
        self._submissions, self.task, self._received = submissions, task, received
        self._asked_for: threading.Condition | None = None  # guarded
        self._begun = False  # guarded: set_running_or_notify_cancel was called, which may be done once

    @property
    def _condition(self) -> threading.Condition:  # type: ignore[override] # an attribute of every other future
        known = self._asked_for
        if known is None:
            # Made before the lock is taken: it is held for a moment only.
            made = threading.Condition()
            with _lock:
                known = self._asked_for
                if known is None:
                    self._waiters: list[Any] = []
                    self._done_callbacks: list[Any] = []
                    known = self._asked_for = made
        return known

    @property
    def task_id(self) -> str:
        """The id by which `tq show` and ``App.get`` know the task."""
        return show_id(self.task)

    def done(self) -> bool:
        return self._state in ENDED

    def result(self, timeout: float | None = None) -> T:
        # The usual end of a loop over many futures: no condition is made for it.
        if self._state == FINISHED and self._exception is None:
            return cast(T, self._result)
        self._await(timeout)
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        self._await(timeout)
        return super().exception(timeout)

    def _await(self, timeout: float | None) -> None:
        """Raises TimeoutError with the reason why the task waits. A wait without a limit is the caller's."""
        if self.done():
            return
        if timeout is None:
            self._submissions.check_may_wait()
            if is_of_task():
                wait_lending(self._ends_within, self._runs)
            return
        session = self._submissions.session
        timed = TimedWait(session, lambda: self.task, self._ends_within, timeout, self._runs)
        if not timed.succeeds():
            raise TimeoutError(timed.complaint)

    def _runs(self) -> list[IdRun]:
        return [IdRun(self.task, 1)]

    def _ends_within(self, seconds: float | None) -> bool:
        try:
            super().exception(seconds)
        except TimeoutError:
            return self.done()
        except CancelledError:
            return True
        return True

    def cancel(self) -> bool:
        """Cancel the task if no worker has started it; False when one has, or when it has ended."""
        if self.done():
            return self.cancelled()
        if super().running():  # known from an earlier answer: saves the round trip
            return False
        [answer] = self._submissions.cancel([self.task], running=False)
        return self._found(answer)

    def running(self) -> bool:
        if not self.done() and not super().running():
            self._submissions.push()
            self._found(self._submissions.session.start_call(TASKS, "states", [self.task]))
        return super().running()

    def _found(self, answer: Future[list[list[Any]]]) -> bool:
        """Take over the state that the master answers, if it answers in time; returns whether the task is cancelled."""
        try:
            rows = all_from_wire(StateRow, answer.result(CANCEL_SECONDS))
        except (TqError, TimeoutError):
            return self.cancelled()
        state = next((row.state for row in rows), UNKNOWN)
        if state == StateNumber.CANCELLED:
            super().cancel()
        if state in (StateNumber.CANCELLED, StateNumber.RUNNING):
            self._begin()
        return self.cancelled()

    def _begin(self) -> None:
        """Mark the future as running, or as cancelled, which notifies wait() and as_completed(). Once only."""
        # set_running_or_notify_cancel raises when it is called twice, and both the user's thread and the outcome call this.
        with _lock:
            begun, self._begun = self._begun, True
        if not begun:
            self.set_running_or_notify_cancel()

    # the submission queue calls these

    def succeeded(self, value: Any) -> None:
        if self._received is not None:
            try:
                value = self._received(value)
            except TqError as error:
                self._begin()
                if not self.cancelled():
                    self.set_exception(error)
                return
        with _lock:
            unasked = self._asked_for is None
            if unasked:
                self._begun, self._result = True, value
                self._state = FINISHED
                if self._asked_for is None:
                    return
        if unasked:  # until just now: the garbage collector has run code that asked, in this thread
            self._notify()
            return
        self._begin()
        if not self.cancelled():
            self.set_result(value)

    def _notify(self) -> None:
        with self._condition:
            for waiter in self._waiters:
                waiter.add_result(self)
            self._condition.notify_all()
        self._invoke_callbacks()  # type: ignore[attr-defined]

    def ended(self, outcome: TaskOutcome) -> None:
        if outcome.state == StateNumber.CANCELLED:
            super().cancel()  # has no effect on one that runs
        self._begin()
        if self.cancelled():
            return
        try:
            value = outcome.value(self.task, self._submissions.session)
            self.set_result(value if self._received is None else self._received(value))
        except TaskError as error:
            cancelled = outcome.state == StateNumber.CANCELLED
            self.set_exception(CancelledError(str(error)) if cancelled else rebuilt(error))
        except TqError as error:
            self.set_exception(error)

    def failed(self, error: TqError) -> None:
        self._begin()
        if not self.cancelled():
            self.set_exception(as_broken_cluster(error))


class Executor(StandardExecutor):
    """A ``concurrent.futures.Executor`` whose processes are all the workers of a cluster.

    A function is sent by its name: workers serve its module, or allow it by ``tq-worker --allow``. ``submit`` returns before
    the task is stored; a failure to store it becomes the future's exception. Only the content of a ``tq.Blob`` among the
    arguments is sent before ``submit`` returns. The end of a ``with`` block waits for all futures.

    Args:
        url: Address of the master, as for ``App``.
        authkey: Key, as for ``App``.
        app: An App to use in place of ``url`` and ``authkey``.
        master_timeout: Seconds that the master may be unreachable before all waiting futures fail with BrokenCluster; by
            default 300. None: no limit.
        options: The queue and options of ``App.task``, for all tasks.

    Raises:
        InvalidArgument: An option cannot be used, or is one of ProcessPoolExecutor that is the workers' here.

    Example::

        with tq.Executor("tq://queue.example.org:5000", key) as pool:
            print(pool.submit(math.sqrt, 2).result())
    """

    def __init__(
        self,
        url: str | None = None,
        authkey: str | None = None,
        *,
        app: App | None = None,
        master_timeout: float | None = UNREACHABLE_SECONDS_MAX,
        **options: Unpack[Options],
    ) -> None:
        _check_foreign(url, options)
        self._app = app or App(url, authkey)
        self._submissions = SubmissionQueue(self._app.session, master_timeout)
        if app is None:
            self._submissions.on_end.append(self._app.session.close)
        self._functions = RemoteFunctions(self._app.session, options)
        self._finalizer = weakref.finalize(self, self._submissions.close)
        self._finalizer.atexit = False  # at exit ``_finish`` closes and waits
        _submission_queues.add(self._submissions)

    def __repr__(self) -> str:
        return f"<tq.Executor {self._app!r}>"

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Submit ``fn(*args, **kwargs)``.

        Args:
            fn: A function that a worker can import by its name.
            args: Its positional arguments.
            kwargs: Its keyword arguments.

        Returns:
            A Future of the standard library. The exception of a task is raised with its own type where that is loaded here.

        Raises:
            RuntimeError: The executor was shut down.
            NotNamed: The function has no name that a worker could import: a lambda, a nested function.
            Forbidden: No connected worker would run it.
            NotSerializable: An argument cannot be sent.
        """
        self._submissions.check_open()
        remote = self._functions.of(fn).for_call(args, kwargs)
        blobs: list[Blob] = []
        return cast("Future[T]", self._send(remote, (remote.payload(args, kwargs, blobs), blobs)))

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[T]:
        """Call a function for each item on the workers, as ``concurrent.futures.Executor.map`` of Python 3.14.

        Args:
            fn: A function that a worker can import by its name.
            iterables: One iterable per argument of the function; the shortest ends it.
            timeout: Seconds for all results together; by default there is no limit.
            chunksize: Number of calls that are one task, with one start, one retry and one result.
            buffersize: Number of tasks that are submitted ahead of the results; by default all.

        Returns:
            An iterator over the results, in order. It raises TimeoutError when the time is over.
        """
        if chunksize < 1:
            raise ValueError("chunksize must be >= 1.")
        if buffersize is not None and not isinstance(buffersize, int):
            raise TypeError("buffersize must be an integer or None")
        if buffersize is not None and buffersize < 1:
            raise ValueError("buffersize must be None or > 0")
        self._submissions.check_not_broken()
        deadline = None if timeout is None else time.monotonic() + timeout
        remote = self._functions.of(fn)
        if chunksize > 1 and remote.is_of_each_call:
            raise InvalidArgument(
                f"chunksize={chunksize} makes one task of several calls, and its limits count for each call; leave it out"
            )
        works = _works(remote, iterables, chunksize)
        futures: deque[TaskFuture[Any]] = deque()
        try:
            futures.extend(
                self._send(one, work, chunked=chunksize > 1) for one, work in islice(works, buffersize)
            )
        except BaseException:
            # From an iterable or an unsendable value: the caller never gets the other results.
            self._cancel(futures)
            raise
        return self._results(futures, works, deadline, chunksize > 1)

    def _results(
        self,
        futures: deque[TaskFuture[Any]],
        works: Iterator[tuple[RemoteFunction, Work]],
        deadline: float | None,
        chunked: bool,
    ) -> Iterator[Any]:
        try:
            while futures:
                futures.extend(
                    self._send(one, work, chunked=chunked) for one, work in islice(works, 1)
                )  # replaces the one that is about to finish
                rest = None if deadline is None else deadline - time.monotonic()
                value = [futures[0].result(rest)]
                futures.popleft()
                if chunked:
                    yield from value.pop()
                else:
                    yield value.pop()  # popped, so that this frame keeps no reference to the result
        finally:
            self._cancel(futures)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Accept no more work.

        Args:
            wait: Wait for the futures that are left.
            cancel_futures: Cancel the tasks that no worker has started.
        """
        self._submissions.close()
        if cancel_futures:
            self._cancel(
                [one for one in self._submissions.pending_receivers() if isinstance(one, TaskFuture)]
            )
        if wait:
            self._submissions.join()

    def _send(self, remote: RemoteFunction, work: Work, *, chunked: bool = False) -> TaskFuture[Any]:
        received = remote.received_of(chunked=chunked)
        future: TaskFuture[Any] = TaskFuture(self._submissions, remote.kind.ids.take_one(), received)
        payload, blobs = work
        self._submissions.send(remote.kind, payload, future, blobs)
        return future

    def _cancel(self, futures: Iterable[TaskFuture[Any]]) -> None:
        """Cancel waiting tasks without waiting for the answer: their outcomes arrive as all others do."""
        ids = [future.task for future in futures if not future.done()]
        if ids:
            self._submissions.cancel(ids, running=False)


def _check_foreign(url: Any, options: Mapping[str, Any]) -> None:
    """Refuse arguments of ProcessPoolExecutor that have no meaning here."""
    theirs = sorted(THEIRS & options.keys())
    if theirs or not isinstance(url, str | None):
        raise InvalidArgument(
            f"{theirs[0] if theirs else f'{url!r:.40} as the first argument'}: the processes are the workers', not this "
            "executor's: tq-worker --slots N --max-tasks-per-child N; write tq.Executor('tq://host:5000', authkey)"
        )


def _work(remote: RemoteFunction, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Work:
    blobs: list[Blob] = []
    return remote.payload(args, kwargs, blobs), blobs


def _works(
    remote: RemoteFunction, iterables: tuple[Iterable[Any], ...], size: int
) -> Iterator[tuple[RemoteFunction, Work]]:
    """The calls of a map, ``size`` at a time."""
    if size == 1:
        for call in zip(*iterables, strict=False):
            yield remote.for_call(call, {}), _work(remote, call, {})
        return
    star = len(iterables) != 1
    calls: Iterator[Any] = zip(*iterables, strict=False) if star else iter(iterables[0])
    first = 0
    while chunk := list(islice(calls, size)):
        blobs: list[Blob] = []
        yield remote, (remote.chunk(chunk, blobs, star=star, first=first), blobs)
        first += len(chunk)


# Also of executors that were garbage collected: their tasks must still be sent
_submission_queues: weakref.WeakSet[SubmissionQueue] = weakref.WeakSet()


def _finish() -> None:
    """As in the standard library: the program does not end before its futures are done."""
    for submissions in list(_submission_queues):
        submissions.close()
        submissions.join()


def finish_first() -> None:
    """Register ``_finish`` again, last, so that ``atexit`` runs it first. Call this after registering an exit step that ends
    a cluster which the futures wait for."""
    atexit.unregister(_finish)
    atexit.register(_finish)


finish_first()
