"""An App: the object through which a program defines and submits tasks. A façade over its session and the subjects.

One App serves any number of threads and event loops. After ``os.fork`` the child gets its own connection. Inside a task
the App uses the worker's connection, so neither address nor key is needed there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, Self, TypeVar, overload

from ..common.domain.callables import NamedCallable
from ..common.domain.context import Context
from ..common.domain.hooks import Hooks
from ..common.domain.model import Role
from ..common.errors import InvalidArgument, NotNamed
from ..common.values.brief import brief
from .core.blocking import warn_on_loop
from .core.objects import RemoteObject
from .core.session import ClientSession
from .core.settings import Settings
from .flows.flows import FlowingApp, apps
from .schedules.declaring import SchedulingApp
from .tasks.definition import Definition
from .tasks.handle import Handle, handle_of, handle_of_async
from .tasks.hooking import HookingApp
from .tasks.options import Options, choose
from .tasks.shared_limits import SharedLimits
from .tasks.steering import SteeringApp
from .tasks.submitter import Submitter
from .tasks.task import Task

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Unpack

    from .tasks.batch import Batch

P = ParamSpec("P")
R = TypeVar("R")


class TaskDecorator(Protocol):
    """The decorator that ``@app.task(…)`` returns: see ``App.task``."""

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


class App(HookingApp, SchedulingApp, FlowingApp, SteeringApp):
    """The entry point of tq: defines tasks, submits them and finds them again.

    An App connects when it is first used, and serves any number of threads and event loops. Inside a task it uses the
    worker's connection and needs neither address nor key.

    Args:
        url: Address of the master, ``tq://host:5000``; of several masters of one cluster, ``tq://a:5000,b:5000``, the one that serves
            is found. By default it is looked up: a ``tq dev`` that runs in the current
            directory, then ``TQ_URL``, then the file ``tq/url`` in the user's configuration directory.
        authkey: A join token or the master's authkey. By default it is looked up in the same places: ``tq dev``,
            ``TQ_AUTHKEY``, ``tq/client.key``.
        role: As what to connect, no more than the key may: ``"client"`` (the default), ``"viewer"``, or ``"admin"`` for what steers others,
            such as ``set_limit``.
        connect_timeout: Seconds that the first connection may take; by default ``TQ_CONNECT_TIMEOUT``, or else 10. A
            connection that is lost later is tried again without end, within the timeouts of the calls that wait.
        ca_file: PEM file with the certificates of your own CA; by default ``TQ_CA_FILE``.
        certificate_file: PEM file with this client's certificate of that CA and its key; by default
            ``TQ_CERTIFICATE_FILE``.

    Raises:
        InvalidArgument: An argument cannot be used. That no master answers is raised by the first call, as Unreachable.

    Example::

        app = tq.App("tq://queue.example.org:5000", authkey=key)

        @app.task(retries=3, timeout=60)
        def square(x: int) -> int:
            return x * x

        assert square.submit(7).result(timeout=10) == 49
    """

    _tq_remedy = "it belongs to this process: make one at the top of the module of the task, tq.App()"

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
        settings = Settings.of(url, authkey, role, connect_timeout, ca_file, certificate_file)
        self.session = ClientSession(settings)
        self._tasks: dict[int, Task[..., Any, Any]] = {}
        self._limits = SharedLimits()
        self._hooks = Hooks()
        apps.add(self)

    @classmethod
    def _using(cls, session: ClientSession) -> App:
        """An App on the connection of a proxy or manager that this process has."""
        app = cls.__new__(cls)
        app.session, app._tasks, app._limits, app._hooks = session, {}, SharedLimits(), Hooks()
        return app

    def __repr__(self) -> str:
        return f"<tq.App {self.session.settings.shown_url}>"

    @property
    def url(self) -> str | None:
        """The address of the master as it was given; None when it is looked up."""
        return self.session.url

    @property
    def authkey(self) -> str | None:
        """The key as it was given; None when it is looked up."""
        return self.session.authkey

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
        """Turn a function into a task: ``@app.task`` or ``@app.task(queue="images", retries=5)``.

        A parameter with the annotation ``tq.Context`` is filled in where the task runs. Times are seconds or a timedelta, up
        to ten years.

        Args:
            function: The function, sync or async. It needs a name that a worker can import.
            name: Name of the task; by default ``module:function``.
            queue: Queue of the task, 1 to 255 printable characters without white space; by default ``"default"``.
            priority: From -100 to 100, higher first; by default 0.
            delay: Seconds from the moment the master accepts the task until it may start; by default 0.
            at: Moment from which the task may start, as Unix seconds or a datetime with a time zone. Excludes ``delay``.
            retries: Further tries after an error, a Retry or a time limit, up to 10,000; by default 0.
            backoff: Seconds before the first retry, by default 1. Each further wait is twice as long, with jitter.
            backoff_max: Seconds that no wait before a retry exceeds; by default 600.
            timeout: Seconds that one attempt may take, from 0.001; by default there is no limit.
            expires: Seconds after which a task that has not started expires, from 0.001; by default it never does.
            deadline: When the task should have ended: seconds after its submit, a Unix time, or a datetime with a time zone. Of
                waiting tasks with the same priority the one with the earliest starts first. One that is late still runs; by default none.
            delivery: ``"at_least_once"`` (the default), or ``"at_most_once"``: never started twice, without retries.
            max_crashes: Deaths of its process, from 1, after which the task is quarantined as dead; by default 3.
            on_error: What becomes of the task when a task whose result it needs does not succeed: ``"fail"`` (the default); or it
                runs with ``tq.Failed`` in the place of each missing result, ``"collect"``, if ``tq.at_least(so many)`` succeeded, or
                ``"catch"``, only if one did not succeed; else it is cancelled.
            result: What the master keeps of how the task ends: ``"all"`` (the default); ``"errors"``: only failures, a success
                has the result None; ``"none"``: neither, a failure says only that it is one.
            result_ttl: Seconds from its end until the task is deleted with all that is kept of it, up to 366 days; by default
                the master's ``result_ttl_seconds``.
            limits: Bounds on how many of such tasks run at once and start in a time, shared by name: a list of ``tq.Limit``, at
                most 8; by default none.
            tenant: Whose task it is: a text, or an expression such as ``"{customer}"``. Tenants take turns, so that many tasks of
                one do not keep those of another waiting; by default all tasks without a tenant are one.
            tags: Names with a text each, such as ``{"order": "4711"}``, by which ``tq ls --where 'tag.order=4711'`` finds the
                task; at most 16, each text of up to 256 bytes.
            index: Parameters by which a task is found again, such as ``["customer"]``: it has the tag ``arg.customer``, with the text of
                that argument, for ``tq ls --where 'arg.customer=4711'``, in a map each task its own; by default none.
            on_full: What a submit does when the queue has a bound and is full: ``"wait"`` for room (the default), or ``"raise"``
                tq.Full.
            unique: A ``tq.Unique``: what becomes of the task when there is one with the same key already.
            cache: Seconds for which the result of an equal call is returned, counted from its success; True: as long as it is kept.
                Equal calls share the task while it waits or runs. By default each call makes a task.
            cache_by: With ``cache``, an expression such as ``"{url}"`` by which calls are equal; by default all their arguments.
            on_failure: A task that is made when this one has ended failed, dead, lost or expired, with a dict that says how; by
                default none.
            coalesce: A ``tq.Coalesce``: up to so many calls run as one. The function gets a list, with the argument of each call, and
                returns as many results; by default each call is one of the function.
            needs: What a worker must have free to run the task, as ``tq-worker --resource`` gives it, and what the task holds while
                a worker has it: ``{"gpu": 0.5, "mem": "4G"}``; by default nothing.
            where: Condition on the labels of the worker: ``"zone=eu"``, ``"arch in (x86_64, arm64) and not has slow"``; by default
                every worker that serves the task may run it.

        Returns:
            The task. Calling it runs the function here; ``submit`` runs it on a worker.

        Raises:
            InvalidArgument: An option is unknown or out of its range, or another task says something else of a limit of that name.
        """
        choice = choose(options)

        def decorate(function: Callable[..., Any]) -> Task[..., Any, Any]:
            self._limits.declare(function, choice.terms.limits)
            task: Task[..., Any, Any] = Task(self.session, function, name, choice, self._hooks)
            self._tasks[id(task)] = task
            return task

        return decorate if function is None else decorate(function)

    @property
    def __tq_tasks__(self) -> Mapping[str, NamedCallable]:
        """The tasks of this app by name, for a worker that serves this module."""
        offers = [task.__tq_task__ for task in self._tasks.values()]
        return {offer.name: offer for offer in offers}

    def has_task(self, name: str) -> bool:
        """Tell whether a function of this app is a task of this name.

        Args:
            name: The name, ``module:function``.

        Returns:
            Whether one is. A function that no worker could find has no name.
        """
        for task in self._tasks.values():
            with contextlib.suppress(NotNamed):
                if task.name == name:
                    return True
        return False

    def named(self, name: str, **options: Unpack[Options]) -> Submitter[..., Any]:
        """Make a task that is known only by its name, for a program that cannot import it.

        Args:
            name: Name of the task, ``module:function``.
            options: The queue and options of ``task``.

        Returns:
            What has ``submit``, ``map`` and ``using`` as a task has. The worker checks the arguments.

        Raises:
            InvalidArgument: The name is none, or an option cannot be used.
        """
        if not isinstance(name, str):
            raise InvalidArgument(
                f"a task's name is text, 'module:function', not {brief(name, 80)}; a function of your own becomes a task "
                "with @app.task, and any other with a name is run by tq.Executor"
            )
        if ":" not in name:
            raise InvalidArgument(f"{name!r:.80} is not a task's name; write 'module:function'")
        return Submitter(self.session, Definition(None, name), choose(options))

    def submit(self, name: str, /, *args: Any, **kwargs: Any) -> Handle[Any]:
        """Submit a task by its name with default options; for others use ``app.named``.

        Args:
            name: Name of the task, ``module:function``.
            args: Its positional arguments, which the worker checks.
            kwargs: Its keyword arguments.

        Returns:
            The handle of the task, which is stored.
        """
        return self.named(name).submit(*args, **kwargs)

    def batch(self) -> Batch:
        """Send the single submits of a block together; all of them are stored when the block ends.

        A plain ``submit`` waits for the disk each time; a batch stores about a hundred times as many tasks in the same time.
        Waiting for a result inside the block sends the tasks gathered so far. The first submit of a program waits for its connection
        to the master, which says in how many shards the tasks may be; the others are gathered without it. ``async with`` works as well.

        Returns:
            The context of the block. Its end raises the first error.

        Example::

            with app.batch():
                handles = [resize.submit(path) for path in paths]
        """
        from .tasks.batch import Batch

        return Batch(self.session)

    def get(self, task_id: str) -> Handle[Any]:
        """Find a task by its id, also one that another program submitted.

        Args:
            task_id: The id as text, as ``handle.id`` and ``tq ls`` show it, whole or shortened; ``ID+5`` is the
                task five places behind the first one of an array.

        Returns:
            The handle of the task.

        Raises:
            UnknownTask: The master knows no such task.
            InvalidArgument: It is not an id, or a shortened one that may mean several.
        """
        warn_on_loop("await app.aget(…)")
        return handle_of(self.session, task_id)

    async def aget(self, task_id: str) -> Handle[Any]:
        """Find a task by its id, for an event loop.

        Args:
            task_id: The id as text, as ``handle.id`` and ``tq ls`` show it, whole or shortened; ``ID+5`` is the
                task five places behind the first one of an array.

        Returns:
            The handle of the task.

        Raises:
            UnknownTask: The master knows no such task.
            InvalidArgument: It is not an id, or a shortened one that may mean several.
        """
        return await handle_of_async(self.session, task_id)

    # the master's objects

    def object(self, name: str, /, *args: Any) -> RemoteObject:
        """Make a proxy of an object that the master exposes.

        Args:
            name: Name under which the master exposes it.
            args: Arguments that belong to its address.

        Returns:
            The proxy. Its methods run in the master.

        Example::

            app.object("get_counter", "visits").add(1)
        """
        return RemoteObject(self.session, name, args)

    def cluster_id(self) -> str:
        """Return the id of the master's cluster.

        Returns:
            Hexadecimal digits. The first use makes a call, later ones do not.
        """
        return self.session.cluster_id()

    def call(self, target: Sequence[Any], method: str, *args: Any, timeout: float | None = None) -> Any:
        """Call a method of an exposed object with values of the protocol.

        Args:
            target: The object: its name, then its arguments.
            method: Name of the method.
            args: None, bool, int, float, str, bytes, and lists and dicts of them.
            timeout: Seconds to wait for the answer; by default there is no limit.

        Returns:
            The answer.

        Raises:
            TimeoutError: No answer came in time. The call may have been carried out.
            Forbidden: The key's role or queues do not allow it.
            UnknownObject: There is no such object or method.
        """
        warn_on_loop("await app.acall(…)")
        return self.session.call(target, method, *args, timeout=timeout)

    async def acall(self, target: Sequence[Any], method: str, *args: Any) -> Any:
        """Do as ``call``, for an event loop.

        Args:
            target: The object: its name, then its arguments.
            method: Name of the method.
            args: None, bool, int, float, str, bytes, and lists and dicts of them.

        Returns:
            The answer.
        """
        import asyncio

        return await asyncio.wrap_future(self.session.start_call(target, method, *args))

    # the connection

    @property
    def away_seconds(self) -> float:
        """Seconds without a connection; 0 while there is one, or when none was needed yet."""
        return self.session.away_seconds

    @contextlib.contextmanager
    def redirected(self, url: str, authkey: str) -> Iterator[Self]:
        """Use another master inside the block. A handle is valid only with the master it came from.

        Args:
            url: Address of the other master.
            authkey: Key for it.

        Returns:
            The context of the block, which gives this app.
        """
        with self.session.redirected(url, authkey):
            yield self

    def close(self) -> None:
        """Close the connection. Calls under way fail with Unreachable; a later use connects again."""
        self.session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: Any) -> None:
        import asyncio

        await asyncio.to_thread(self.close)
