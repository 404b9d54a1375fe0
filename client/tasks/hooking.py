"""Functions around tasks: ``@app.on_child_start``, ``@app.on_child_stop``, ``@app.before``, ``@app.after``, ``@app.resource``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ...common.domain.hooks import AFTER, BEFORE, CHILD_START, CHILD_STOP, Hooks
from ...common.domain.resources import SharedResource

if TYPE_CHECKING:
    from ...common.domain.context import Context
    from ...common.domain.hooks import Ended

T = TypeVar("T")
Start = TypeVar("Start", bound=Callable[[], object])
Before = TypeVar("Before", bound="Callable[[Context], Any]")
After = TypeVar("After", bound="Callable[[Context, Ended], Any]")


class HookingApp:
    """What an App has for what runs around its tasks."""

    _hooks: Hooks

    def on_child_start(self, function: Start, /) -> Start:
        """Have a function called in each child of a worker when it has loaded the code, before its first task.

        What it changes of the process stays for all tasks of the child. An exception in it is logged under its name, and
        the child serves all the same. In a worker that runs tasks in threads it is called once in each of them.

        Args:
            function: Without arguments, ``def``. Several run in the order in which they stand in the code.

        Returns:
            The function.

        Raises:
            InvalidArgument: It has no name, takes arguments, or is ``async def``.

        Example::

            @app.on_child_start
            def warm_up() -> None:
                load_model()
        """
        self._hooks.add(CHILD_START, function)
        return function

    def on_child_stop(self, function: Start, /) -> Start:
        """Have a function called in each child that ends by itself, after its last task.

        A worker that drains, and one that replaces a child, let it end by itself, and give it ``kill_grace_seconds`` for that. A
        child that is killed calls nothing. Resources are closed before.

        Args:
            function: Without arguments, ``def``. Several run in the reverse order.

        Returns:
            The function.

        Raises:
            InvalidArgument: It has no name, takes arguments, or is ``async def``.
        """
        self._hooks.add(CHILD_STOP, function)
        return function

    def before(self, function: Before, /) -> Before:
        """Have a function called before each attempt of the app's tasks, in its child.

        It is within the time limit of the task. An exception in it is logged under its name, in the log of the attempt, and
        the task runs all the same: what a task cannot do without is a resource.

        Args:
            function: It is given the ``tq.Context``. One that is ``async def`` runs around ``async def`` tasks only. Several run in
                the order in which they stand in the code.

        Returns:
            The function.

        Raises:
            InvalidArgument: It has no name, or cannot be called with a context.

        Example::

            @app.before
            def note_start(ctx: tq.Context) -> None:
                ctx.log.info("attempt %s", ctx.attempt)
        """
        self._hooks.add(BEFORE, function)
        return function

    def after(self, function: After, /) -> After:
        """Have a function called after each attempt of the app's tasks, in its child, however the attempt ended.

        It knows the outcome and does not change it. An exception in it is logged under its name. It is not called when the child
        was killed or crashed.

        Args:
            function: It is given the ``tq.Context`` and a ``tq.Ended``. One that is ``async def`` runs around ``async def`` tasks
                only. Several run in the reverse order.

        Returns:
            The function.

        Raises:
            InvalidArgument: It has no name, or cannot be called with these two.

        Example::

            @app.after
            def note_end(ctx: tq.Context, ended: tq.Ended) -> None:
                ctx.log.info("%s after %.1f s", ended.outcome, ended.seconds)
        """
        self._hooks.add(AFTER, function)
        return function

    @overload
    def resource(self, function: Callable[..., AsyncIterator[T]], /) -> SharedResource[T]: ...
    @overload
    def resource(self, function: Callable[..., Iterator[T]], /) -> SharedResource[T]: ...
    def resource(self, function: Callable[..., Any], /) -> SharedResource[Any]:
        """Name how something is made that tasks need and are not sent: a connection, a client, a model.

        It is made once in each child of a worker, when the first task asks for it, and what stands behind the ``yield`` runs at
        the end of the child, in the reverse order of making. Tasks, and other resources, ask for it by the default of a
        parameter, ``tq.resource(db)``. When its function raises before the ``yield``, the attempt fails with ResourceFailed, and the
        next one that asks makes it again. Tasks of any App may ask for it.

        Args:
            function: A generator function that yields once. Parameters are other resources. One that is ``async def`` is for
                ``async def`` tasks, and is made in their event loop.

        Returns:
            The resource, for ``tq.resource``.

        Raises:
            InvalidArgument: It does not yield, or has a parameter that no worker can give.

        Example::

            @app.resource
            def db() -> Iterator[Connection]:
                conn = connect()
                yield conn
                conn.close()

            @app.task
            def count(table: str, conn: Connection = tq.resource(db)) -> int: ...
        """
        return SharedResource(function)
