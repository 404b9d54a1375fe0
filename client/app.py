"""An App: the tasks a program defines, and its line to the master. Connects when it is first used.

One App serves any number of threads and event loops. After ``os.fork`` the child gets a line of its own.
Inside a task the line is the worker's: neither address nor key is needed there.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import weakref
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, Protocol, Self, TypeVar, overload

from ..common.domain.callables import NamedCallable
from ..common.domain.context import Context
from ..common.domain.model import Role
from ..common.errors import InvalidArgument
from .core.objects import RemoteObject, is_repeatable
from .core.settings import Settings
from .tasks.handle import TASKS, Handle
from .tasks.options import Choice, Options, choose
from .tasks.outcomes import UNKNOWN, Box, Listener, unknown_task
from .tasks.task import Definition, Submitter, Task

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path
    from typing import Unpack

    from .blobs.blobs import AppBlobs, Named
    from .core.io_thread import ClientLink
    from .tasks.batch import Batch

AFTER_EVERYTHING: Final = -100  # of what multiprocessing does at a child's end

P = ParamSpec("P")
R = TypeVar("R")


class TaskDecorator(Protocol):
    """What ``@app.task(…)`` gives: see ``App.task``."""

    @overload
    def __call__(
        self, function: Callable[Concatenate[Context, P], Coroutine[Any, Any, R]], /
    ) -> Task[P, R, Coroutine[Any, Any, R]]: ...
    @overload
    def __call__(self, function: Callable[Concatenate[Context, P], R], /) -> Task[P, R, R]: ...
    @overload
    def __call__(
        self, function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> Task[P, R, Coroutine[Any, Any, R]]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Task[P, R, R]: ...


class App:
    """The way into tq.

    ``url``: ``tq://host:5000``; ``authkey``: a join token or the master's authkey. What is not given is
    looked for: a ``tq dev`` that runs in the current directory, TQ_URL and TQ_AUTHKEY, then ``tq/url`` and
    ``tq/client.key`` in the user's configuration directory. ``role``: what the key is used as (``client``, ``viewer`` or ``admin``).
    ``connect_timeout``: seconds the first connection may take (TQ_CONNECT_TIMEOUT, 10); later ones are
    tried without end, within the timeouts of whoever waits. ``ca_file``: your own CA's
    certificates (TQ_CA_FILE); ``certificate_file``: one of it to show, with its key (TQ_CERTIFICATE_FILE).
    """

    def __init__(
        self,
        url: str | None = None,
        authkey: str | None = None,
        *,
        role: str = Role.CLIENT,
        connect_timeout: float | None = None,
        ca_file: str | Path | None = None,
        certificate_file: str | Path | None = None,
    ) -> None:
        self._settings = Settings.of(url, authkey, role, connect_timeout, ca_file, certificate_file)
        self._lock = threading.Lock()
        self._link: ClientLink | None = None
        self._links_of_parents: list[ClientLink] = []  # kept, so that nothing in them is closed by collection
        self._tasks: dict[int, Task[..., Any, Any]] = {}
        self._blobs: AppBlobs | None = None
        self._open_batch: Callable[[App], Batch | None] | None = None  # known since there was one
        self._cluster: str | None = None  # the id of its master, once it is known
        self.results_are_wanted = False  # the last task submitted alone was waited for: so will be the next
        _apps.add(self)

    def __repr__(self) -> str:
        return f"<tq.App {self._settings.shown_url}>"

    @property
    def url(self) -> str | None:
        """As it was given; None: it is looked for."""
        return self._settings.url

    @property
    def authkey(self) -> str | None:
        """As it was given; None: it is looked for."""
        return self._settings.authkey

    # tasks

    @overload
    def task(
        self, function: Callable[Concatenate[Context, P], Coroutine[Any, Any, R]], /
    ) -> Task[P, R, Coroutine[Any, Any, R]]: ...
    @overload
    def task(self, function: Callable[Concatenate[Context, P], R], /) -> Task[P, R, R]: ...
    @overload
    def task(
        self, function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> Task[P, R, Coroutine[Any, Any, R]]: ...
    @overload
    def task(self, function: Callable[P, R], /) -> Task[P, R, R]: ...
    @overload
    def task(self, /, *, name: str | None = None, **options: Unpack[Options]) -> TaskDecorator: ...
    def task(self, function: Any = None, /, *, name: str | None = None, **options: Any) -> Any:
        """Make a function a task: ``@app.task`` or ``@app.task(queue="img", retries=5, timeout=60)``.

        ``name``: instead of ``module:function``. Options: queue and the fields of TaskOptions.
        """
        choice = choose(options)

        def decorate(function: Callable[..., Any]) -> Task[..., Any, Any]:
            task: Task[..., Any, Any] = Task(self, function, name, choice)
            self._tasks[id(task)] = task
            return task

        return decorate if function is None else decorate(function)

    @property
    def __tq_tasks__(self) -> Mapping[str, NamedCallable]:
        """The tasks of this app, as a worker wants them."""
        offers = [task.__tq_task__ for task in self._tasks.values()]
        return {offer.name: offer for offer in offers}

    def named(self, name: str, **options: Unpack[Options]) -> Submitter[..., Any]:
        """A callable known by its name only, ``module:function``: for programs that cannot import it."""
        if ":" not in name:
            raise InvalidArgument(f"{name!r:.80} is not a task's name; write 'module:function'")
        return Submitter(self, Definition(None, name), choose(options))

    def submit(self, name: str, /, *args: Any, **kwargs: Any) -> Handle[Any]:
        """Submit a task by name; its arguments are judged by the worker. ``app.named`` takes options."""
        return self.named(name).submit(*args, **kwargs)

    def batch(self) -> Batch:
        """Single submits in the block travel together, and all are stored when it ends::

            with app.batch():
                handles = [resize.submit(path) for path in paths]

        A plain ``submit`` waits for the disk each time; in a batch a hundred times as many are stored in
        the same time. Waiting for a result inside the block sends what has been gathered. ``async with``
        works as well. Raises, at its end, the first error there was.
        """
        from .tasks.batch import Batch, open_batch

        self._open_batch = open_batch
        return Batch(self)

    def open_batch(self) -> Batch | None:
        """The batch that a submit of this thread joins."""
        return None if self._open_batch is None else self._open_batch(self)

    def get(self, task_id: str) -> Handle[Any]:
        """The handle of a task submitted by anybody; raises UnknownTask at once when there is none."""
        from ..common.domain.ids import parse_id

        id = parse_id(task_id)
        [[_, state]] = self.call(TASKS, "states", [id])
        if state == UNKNOWN:
            raise unknown_task(id)
        return Handle(self, id)

    # the master's objects

    def object(self, name: str, /, *args: Any) -> RemoteObject:
        """A proxy of an object the master exposes, e.g. ``app.object("get_counter", "visits").add(1)``."""
        return RemoteObject(self, name, args)

    @property
    def _known_cluster(self) -> str | None:
        """The id of its master, if it has been connected; asks nobody."""
        link = self._link
        if self._cluster is None and link is not None:
            self._cluster = link.cluster
        return self._cluster

    def cluster_id(self) -> str:
        """Of its master; hex. The first time it is asked for."""
        known = self._known_cluster
        if known is None:
            from .core.master_timeout import answer_of  # loads what a plain program need not have

            info = answer_of(self, self.start_call(("get_master",), "info"))
            known = self._cluster = str(info["cluster_id"])
        return known

    def call(self, target: Sequence[Any], method: str, *args: Any, timeout: float | None = None) -> Any:
        """One call on an exposed object ``(name, *arguments)``, in plain envelope values; its answer."""
        future = self.start_call(target, method, *args)
        try:
            return future.result(timeout)
        except TimeoutError:
            if future.done():
                raise
            future.cancel()
            raise TimeoutError(f"{target[0]}.{method} was not answered within {timeout:g} s") from None

    async def acall(self, target: Sequence[Any], method: str, *args: Any) -> Any:
        """``call`` for an event loop."""
        import asyncio

        return await asyncio.wrap_future(self.start_call(target, method, *args))

    def start_call(self, target: Sequence[Any], method: str, *args: Any) -> Future[Any]:
        return self.sent_link().call(target, method, args, again=is_repeatable(target[0], method))

    # Repeated until the master has done it, whether its answer is waited for or not.
    def insist(self, target: Sequence[Any], method: str, *args: Any) -> Future[Any]:
        return self.sent_link().call(target, method, args, again=True, insists=True)

    @property
    def away_seconds(self) -> float:
        """For how long the line has been without a connection; 0 while there is one, or no line."""
        return 0.0 if self._link is None else self._link.away_seconds

    # for Submitter and its map

    @property
    def blobs(self) -> AppBlobs:
        """What brings large content to the master and back."""
        if self._blobs is None:
            from .blobs.blobs import AppBlobs

            self._blobs = AppBlobs(self)
        return self._blobs

    def submit_one(
        self, name: str, choice: Choice, id: bytes, payload: bytes, named: Named | None = None
    ) -> tuple[Handle[Any], Future[Any]]:
        """Send one task; the future is done when it is stored. ``named``: its blobs, which the master has.

        When results are wanted it is watched from the start, which saves a round trip later.
        """
        link = self.link
        if self.results_are_wanted:
            box = Box()
            handle: Handle[Any] = Handle(self, id, None, box, link)
            return handle, self.submit_many(name, choice, [[id, payload]], (id,), box, link, named)
        return Handle(self, id), self.submit_many(name, choice, [[id, payload]], (id,), None, link, named)

    def submit_many(
        self,
        name: str,
        choice: Choice,
        tasks: list[list[bytes]],
        ids: Iterable[bytes],
        box: Listener | None,
        link: ClientLink,
        named: Named | None = None,
    ) -> Future[Any]:
        stream = None if box is None else link.stream
        target = ("get_task_queue", choice.queue)
        args: tuple[Any, ...] = (name, choice.wire, tasks, stream)
        ids = tuple(ids)
        from ..common.domain.ids import COMPUTED, proofs

        if named:
            from .blobs.blobs import to_wire

            args = (*args, to_wire(named))
        if ids and max(ids) >= COMPUTED:
            args = (*args, *(() if named else (None,)), proofs(ids))
        future = link.call(target, "submit", args, again=True, ids=ids, box=box)
        if named:
            future.add_done_callback(lambda done: self.blobs.submitted(named, done))
        return future

    # the line

    @property
    def link(self) -> ClientLink:
        """The line to the master, made now if there is none. Raises InvalidArgument without address or key."""
        link = self._link
        if link is None:
            with self._lock:
                link = self._link
                if link is None:
                    link = self._link = self._settings.make_link()
                    _close_with_process()
        return link

    def sent_link(self) -> ClientLink:
        """The line, after everything that this thread has gathered in a batch: what follows may speak of it."""
        batch = self.open_batch()
        if batch is not None:
            batch.flush()
        return self.link

    @contextlib.contextmanager
    def redirected(self, url: str, authkey: str) -> Iterator[Self]:
        """Inside the block this app talks to another master; handles belong to the one they came from."""
        before = self._settings
        self.close()
        self._settings = replace(before, url=url, authkey=authkey)
        try:
            yield self
        finally:
            self.close()
            self._settings = before

    def close(self) -> None:
        """Close the connection; calls under way fail with Unreachable. A later use connects anew."""
        self._let_go()

    def _break_off(self, why: str) -> None:
        """As ``close``, when it is known that no master will come back: calls under way are told why."""
        self._let_go(why)

    def _let_go(self, *why: str) -> None:
        with self._lock:
            link, self._link = self._link, None
        if link is not None:
            link.close(*why)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: Any) -> None:
        import asyncio

        await asyncio.to_thread(self.close)

    def __del__(self) -> None:
        link = getattr(self, "_link", None)
        if link is not None:
            link.stop()  # without waiting: the collector runs in any thread

    def _forked(self) -> None:
        """In the child: the I/O thread and its connection belong to the parent."""
        self._lock = threading.Lock()
        self._blobs = None
        if self._link is not None:
            link, self._link = self._link, None
            self._links_of_parents.append(link)
            link.abandon_in_child()


_apps: weakref.WeakSet[App] = weakref.WeakSet()


def every_app() -> list[App]:
    """Of this process."""
    return list(_apps)


def _close_all() -> None:
    for app in list(_apps):
        app.close()


def _forked() -> None:
    for app in list(_apps):
        app._forked()


def _close_with_process() -> None:
    """A child that ``multiprocessing`` has forked ends without ``atexit``; what was not sent by then would be lost."""
    process, util = (sys.modules.get(f"multiprocessing.{part}") for part in ("process", "util"))
    if process is not None and util is not None and process.parent_process() is not None:
        util.Finalize(None, _end_as_atexit, exitpriority=AFTER_EVERYTHING)


def _end_as_atexit() -> None:
    from .core.io_thread import wait_for_ending

    _close_all()
    wait_for_ending()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
