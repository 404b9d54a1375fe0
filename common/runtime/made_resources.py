"""Resources that were made here: each once, at its first use, and closed in the reverse order.

::

    a task asks ──► get / aget ──► made already? ──► its value
                                   else: what it asks for itself, then the generator up to its ``yield``

Any threads and the tasks of one event loop may ask at once: one of them makes it, the others wait. A resource that could not be
made is made again by the next one that asks. An async one belongs to its event loop, and is gone with that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..domain.directives import Directive
from ..domain.resources import SharedResource
from ..domain.task_log import task_logger
from ..errors import ResourceFailed
from ..values.exception_text import message, type_name

if TYPE_CHECKING:
    import asyncio

MISSING: Final = object()
ERROR_CHARS_MAX: Final = 1_000
Run = Callable[[Coroutine[Any, Any, None]], Any]


class Opened(NamedTuple):
    """A resource that waits at its ``yield``. ``loop``: of an async one."""

    resource: SharedResource[Any]
    generator: Any
    loop: asyncio.AbstractEventLoop | None


class MadeResources:
    """Those of one child, or of one call of a task as a function."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # held while a resource is made that is not async
        self._values: dict[SharedResource[Any], Any] = {}
        self._opened: list[Opened] = []  # in the order in which they were made
        self._under_way: set[SharedResource[Any]] = set()  # guarded by the lock
        self._turns: dict[SharedResource[Any], asyncio.Lock] = {}  # of the async ones, in their loop
        self._loop: asyncio.AbstractEventLoop | None = None  # of these

    def given(self, asked: Mapping[str, SharedResource[Any]]) -> dict[str, Any]:
        """The arguments of a plain function."""
        return {name: self.get(one) for name, one in asked.items()}

    async def given_to_coroutine(self, asked: Mapping[str, SharedResource[Any]]) -> dict[str, Any]:
        return {name: await self.aget(one) for name, one in asked.items()}

    def get(self, one: SharedResource[Any]) -> Any:
        value = self._values.get(one, MISSING)
        return self._make(one) if value is MISSING else value

    async def aget(self, one: SharedResource[Any]) -> Any:
        if not one.is_coroutine:
            return self.get(one)
        from asyncio import Lock, get_running_loop  # by a coroutine: a child without any does not load it

        self._enter(get_running_loop())
        async with self._turns.setdefault(one, Lock()):
            value = self._values.get(one, MISSING)
            return await self._make_async(one) if value is MISSING else value

    def _make(self, one: SharedResource[Any]) -> Any:
        with self._lock:
            if one in self._values:  # made by another thread meanwhile
                return self._values[one]
            if one in self._under_way:
                raise ResourceFailed(f"the resource {one.name} asks for itself while it is made")
            self._under_way.add(one)
            try:
                given = self.given(one.asks)
                with _named(one):
                    generator = one.function(**given)
                    value = next(generator, MISSING)
            finally:
                self._under_way.discard(one)
            return self._keep(Opened(one, generator, None), value)

    async def _make_async(self, one: SharedResource[Any]) -> Any:
        given = await self.given_to_coroutine(one.asks)
        with _named(one):
            generator = one.function(**given)
            value = await anext(generator, MISSING)
        return self._keep(Opened(one, generator, self._loop), value)

    def _keep(self, opened: Opened, value: Any) -> Any:
        if value is MISSING:
            raise ResourceFailed(
                f"the resource {opened.resource.name} yielded nothing: it ended before its yield"
            )
        self._opened.append(opened)
        self._values[opened.resource] = value
        return value

    def _enter(self, loop: asyncio.AbstractEventLoop) -> None:
        """Those of an earlier loop, which a time limit has ended, are gone with it."""
        if self._loop is loop:
            return
        self._loop = loop
        self._turns.clear()
        gone = [one for one in self._opened if one.loop not in (None, loop)]
        for one in gone:
            self._opened.remove(one)
            del self._values[one.resource]
            task_logger.warning(
                "the async resource %s is made again: a time limit or a cancel has ended its event loop",
                one.resource.name,
            )

    # the end

    def close(self, run: Run) -> None:
        """In the reverse order. ``run`` runs a coroutine in the loop of the async ones. What one raises is logged by its name."""
        while self._opened:
            one = self._taken()
            try:
                if one.loop is None:
                    _end(one.generator)
                elif not one.loop.is_closed():
                    run(_end_async(one.generator))
            except BaseException as error:
                _log(one.resource, error)

    async def aclose(self) -> None:
        """``close`` inside the loop."""
        from asyncio import CancelledError

        while self._opened:
            one = self._taken()
            try:
                if one.loop is None:
                    _end(one.generator)
                else:
                    await _end_async(one.generator)
            except CancelledError:
                raise
            except BaseException as error:
                _log(one.resource, error)

    def _taken(self) -> Opened:
        one = self._opened.pop()
        del self._values[one.resource]
        return one


@contextmanager
def _named(one: SharedResource[Any]) -> Iterator[None]:
    """What the user's code raises while it makes a resource, with the resource's name. What a task may raise to direct its own fate
    it may raise there, too."""
    try:
        yield
    except (Directive, ResourceFailed):
        raise
    except Exception as error:
        text = message(error, ERROR_CHARS_MAX)
        raise ResourceFailed(
            f"the resource {one.name} could not be made: {type_name(error)}: {text}"
        ) from error


def _end(generator: Any) -> None:
    if next(generator, MISSING) is not MISSING:
        generator.close()
        raise ResourceFailed("it yields a second time, where it should end")


async def _end_async(generator: Any) -> None:
    if await anext(generator, MISSING) is not MISSING:
        await generator.aclose()
        raise ResourceFailed("it yields a second time, where it should end")


def _log(one: SharedResource[Any], error: BaseException) -> None:
    task_logger.error(
        "the resource %s was not closed: its function raised",
        one.name,
        exc_info=(type(error), error, error.__traceback__),
    )


class _OfThread(threading.local):
    """Where tasks run, for tasks that are called as functions there. A thread that is a child sees its own."""

    made: MadeResources | None = None


_of_thread = _OfThread()
_of_process: list[MadeResources] = []


def provide(made: MadeResources | None, *, of_thread: bool = False) -> None:
    """Called by what runs tasks: in this process, or in this thread."""
    if of_thread:
        _of_thread.made = made
    else:
        _of_process[:] = [] if made is None else [made]


def made_here() -> MadeResources | None:
    """None: no tasks run here."""
    return _of_thread.made or (_of_process[0] if _of_process else None)
