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
from ..common.domain.model import Role
from ..common.errors import InvalidArgument
from ..common.values.brief import brief
from .core.objects import RemoteObject
from .core.session import ClientSession
from .core.settings import Settings
from .tasks.definition import Definition
from .tasks.handle import Handle, handle_of
from .tasks.options import Options, choose
from .tasks.task import Submitter, Task

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


class App:
    """The entry point of tq.

    ``url``: ``tq://host:5000``; ``authkey``: a join token or the master's authkey. An address or key that is not given is
    looked up: a ``tq dev`` running in the current directory, TQ_URL and TQ_AUTHKEY, then ``tq/url`` and ``tq/client.key``
    in the user's configuration directory. ``role``: the role of the key (``client``, ``viewer`` or ``admin``).
    ``connect_timeout``: seconds that the first connection may take (TQ_CONNECT_TIMEOUT, 10); later reconnects are tried
    without end, within the timeouts of the calls that wait. ``ca_file``: certificates of your own CA (TQ_CA_FILE);
    ``certificate_file``: this client's certificate of that CA, with its key (TQ_CERTIFICATE_FILE).
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
        settings = Settings.of(url, authkey, role, connect_timeout, ca_file, certificate_file)
        self.session = ClientSession(settings)
        self._tasks: dict[int, Task[..., Any, Any]] = {}

    def __repr__(self) -> str:
        return f"<tq.App {self.session.settings.shown_url}>"

    @property
    def url(self) -> str | None:
        """The address of the master as it was given, or None when it is looked up."""
        return self.session.url

    @property
    def authkey(self) -> str | None:
        """The key as it was given, or None when it is looked up."""
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
        """Turn a function into a task: ``@app.task`` or ``@app.task(queue="img", retries=5, timeout=60)``.

        ``name``: used instead of ``module:function``. Options: queue and the fields of TaskOptions.
        """
        choice = choose(options)

        def decorate(function: Callable[..., Any]) -> Task[..., Any, Any]:
            task: Task[..., Any, Any] = Task(self.session, function, name, choice)
            self._tasks[id(task)] = task
            return task

        return decorate if function is None else decorate(function)

    @property
    def __tq_tasks__(self) -> Mapping[str, NamedCallable]:
        """The tasks of this app by name, for a worker that serves this module."""
        offers = [task.__tq_task__ for task in self._tasks.values()]
        return {offer.name: offer for offer in offers}

    def named(self, name: str, **options: Unpack[Options]) -> Submitter[..., Any]:
        """A task known only by its name, ``module:function``, for programs that cannot import it."""
        if not isinstance(name, str):
            raise InvalidArgument(
                f"a task's name is text, 'module:function', not {brief(name, 80)}; a function of your own becomes a task "
                "with @app.task, and any other with a name is run by tq.Executor"
            )
        if ":" not in name:
            raise InvalidArgument(f"{name!r:.80} is not a task's name; write 'module:function'")
        return Submitter(self.session, Definition(None, name), choose(options))

    def submit(self, name: str, /, *args: Any, **kwargs: Any) -> Handle[Any]:
        """Submit a task by name; the worker checks its arguments. For options use ``app.named``."""
        return self.named(name).submit(*args, **kwargs)

    def batch(self) -> Batch:
        """Send the single submits of a block together; all of them are stored when the block ends::

            with app.batch():
                handles = [resize.submit(path) for path in paths]

        A plain ``submit`` waits for the disk each time; a batch stores about a hundred times as many tasks in the same
        time. Waiting for a result inside the block sends the tasks gathered so far. ``async with`` works as well. The
        end of the block raises the first error.
        """
        from .tasks.batch import Batch

        return Batch(self.session)

    def get(self, task_id: str) -> Handle[Any]:
        """The handle of a task, whichever program submitted it; raises UnknownTask at once when there is none."""
        return handle_of(self.session, task_id)

    # the master's objects

    def object(self, name: str, /, *args: Any) -> RemoteObject:
        """A proxy of an object that the master exposes, e.g. ``app.object("get_counter", "visits").add(1)``."""
        return RemoteObject(self.session, name, args)

    def cluster_id(self) -> str:
        """The id of its master, hex. The first use makes a call, later ones do not."""
        return self.session.cluster_id()

    def call(self, target: Sequence[Any], method: str, *args: Any, timeout: float | None = None) -> Any:
        """Call a method of an exposed object ``(name, *arguments)`` with plain envelope values; returns the answer."""
        return self.session.call(target, method, *args, timeout=timeout)

    async def acall(self, target: Sequence[Any], method: str, *args: Any) -> Any:
        """``call`` for an event loop."""
        import asyncio

        return await asyncio.wrap_future(self.session.start_call(target, method, *args))

    # the connection

    @property
    def away_seconds(self) -> float:
        """For how long there has been no connection; 0 while there is one, or when none was needed yet."""
        return self.session.away_seconds

    @contextlib.contextmanager
    def redirected(self, url: str, authkey: str) -> Iterator[Self]:
        """Inside the block this app uses another master. A handle stays valid only with the master it came from."""
        with self.session.redirected(url, authkey):
            yield self

    def close(self) -> None:
        """Close the connection; calls under way fail with Unreachable. A later use connects again."""
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
