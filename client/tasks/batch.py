"""``with app.batch():`` sends single submits together; all are stored when the block ends. It has no thread.

::

    submit ─► a list per callable and options ─ 1,000 tasks, or the end ─► one call, a few under way at a time
    submit with a key ─────────────────────────────────────────────────► a call of its own: it may be refused alone

The open batch belongs to its thread or asyncio task: submits of other threads and tasks do not join it.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from contextvars import Token
from typing import TYPE_CHECKING, Any, Self

from ...common.domain.model import TaskOptions
from .mapping import CALLS_UNDER_WAY
from .payloads import CHUNK_BYTES, CHUNK_TASKS
from .submission import OPEN, OpenBatch, Tasks, open_batch, submit_many

if TYPE_CHECKING:
    from ..blobs.blobs import Named
    from ..core.io_thread import ClientLink
    from ..core.session import ClientSession
    from .options import Choice


def flush_open_batch(session: ClientSession) -> None:
    """Send the tasks that this thread has gathered for this session: the next call may be about them."""
    batch = open_batch(session)
    if batch is not None:
        batch.flush()


class _Group:
    """Tasks of one callable with the same options."""

    __slots__ = ("choice", "name", "named", "size", "tasks")

    def __init__(self, name: str, choice: Choice) -> None:
        self.name, self.choice = name, choice
        self.tasks: Tasks = []
        self.named: Named = {}
        self.size = 0


class Batch:
    """The context of ``app.batch()``. The end of the block waits until all its tasks are stored, or raises the first error.
    If the block raises itself, its tasks are still stored and its own exception is raised, with a note about the error.
    """

    def __init__(self, session: ClientSession) -> None:
        self.session = session
        session.before_call = flush_open_batch
        self._groups: dict[tuple[str, str, TaskOptions], _Group] = {}
        self._group: _Group | None = None  # of the last task: usually the next one joins it too
        self._gathered = 0
        self._under_way: deque[Future[Any]] = deque()
        self._error: BaseException | None = None
        self._token: Token[OpenBatch | None] | None = None

    def add(
        self,
        name: str,
        choice: Choice,
        id: bytes,
        payload: bytes,
        *,
        alone: bool,
        named: Named | None = None,
    ) -> None:
        """Add a task. ``alone``: send it at once in its own call, because the master may refuse it."""
        if alone:  # the master may refuse it, and it refuses a call as a whole
            self._send(self.session.link, name, choice, [(id, payload)], named)
            return
        group = self._group
        if group is None or group.choice is not choice or group.name != name:
            group = self._group = self._groups.setdefault(
                (name, choice.queue, choice.options), _Group(name, choice)
            )
        if group.size + len(payload) > CHUNK_BYTES and group.tasks:
            self.flush()
            group = self._group = self._groups.setdefault(
                (name, choice.queue, choice.options), _Group(name, choice)
            )
        if named:
            group.named.update(named)
        group.tasks.append((id, payload))
        group.size += len(payload)
        self._gathered += 1
        if self._gathered >= CHUNK_TASKS:
            self.flush()

    def flush(self) -> None:
        """Send the gathered tasks, without waiting until they are stored."""
        if self._groups:
            link = self.session.link
            groups, self._groups = self._groups, {}
            self._group, self._gathered = None, 0
            for group in groups.values():
                self._send(link, group.name, group.choice, group.tasks, group.named)

    def __enter__(self) -> Self:
        self._token = OPEN.set(self)
        return self

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        self._leave()
        self.flush()
        while self._under_way:
            self._settle(self._under_way.popleft())
        self._raise(error)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        import asyncio

        self._leave()
        self.flush()
        while self._under_way:
            stored = self._under_way.popleft()
            await asyncio.wait([asyncio.wrap_future(stored)])
            self._settle(stored)
        self._raise(error)

    def _leave(self) -> None:
        if self._token is not None:
            OPEN.reset(self._token)
            self._token = None

    def _send(self, link: ClientLink, name: str, choice: Choice, tasks: Tasks, named: Named | None) -> None:
        ids = [task[0] for task in tasks]
        self._under_way.append(submit_many(self.session, name, choice, tasks, ids, None, link, named))
        while len(self._under_way) > CALLS_UNDER_WAY:
            self._settle(self._under_way.popleft())

    def _settle(self, stored: Future[Any]) -> None:
        # Only the first error is kept: later ones usually have the same cause.
        error = stored.exception()
        if self._error is None:
            self._error = error

    def _raise(self, error: BaseException | None) -> None:
        if self._error is None:
            return
        if error is not None:
            error.add_note(f"and not everything submitted in the batch was stored: {self._error}")
            return
        raise self._error
