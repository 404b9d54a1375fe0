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
from typing import TYPE_CHECKING, Any, Final, Self

from ...common.domain.ids import COMPUTED
from .joining import joined
from .mapping import CALLS_UNDER_WAY
from .payloads import CHUNK_BYTES, CHUNK_TASKS
from .submission import OPEN, OpenBatch, open_batch, parent_here, runs_of_tasks, submit_many

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...common.domain.id_runs import IdRun
    from ...common.values.blob import Blob
    from ..core.session import ClientSession
    from .joining import PendingTask
    from .kinds import TaskKind
    from .needs import TaskNeeds

# Of all kinds: bounds the memory of a batch that alternates between very many
GATHERED_TASKS_MAX: Final = 10_000


def flush_open_batch(session: ClientSession) -> None:
    """Send the tasks that this thread has gathered for this session: the next call may be about them."""
    batch = open_batch(session)
    if batch is not None:
        batch.flush()


class _Group:
    """The gathered tasks of one kind."""

    __slots__ = ("bytes", "kind", "tasks")

    def __init__(self, kind: TaskKind) -> None:
        self.kind = kind
        self.tasks: list[PendingTask] = []
        self.bytes = 0  # of payloads


class Batch:
    """The context of ``app.batch()``. The end of the block waits until all its tasks are stored, or raises the first error.
    If the block raises itself, its tasks are still stored and its own exception is raised, with a note about the error.
    """

    def __init__(self, session: ClientSession) -> None:
        self.session = session
        # Set at the first batch: programs without one pay nothing for it in their calls.
        session.before_call = flush_open_batch
        self._groups: dict[TaskKind, _Group] = {}
        self._group: _Group | None = None  # of the last task: usually the next one joins it too
        self._gathered = 0
        self._under_way: deque[Future[Any]] = deque()
        self._error: BaseException | None = None
        self._token: Token[OpenBatch | None] | None = None

    def add(
        self, kind: TaskKind, id: bytes, payload: bytes, blobs: Sequence[Blob], needs: Sequence[IdRun]
    ) -> None:
        """Add a task. One with a key, or one that needs others, is sent at once in its own call: the master may refuse it, and it
        refuses a call as a whole. What it needs may be among those that are gathered: they go first."""
        if needs:
            self.flush()
            self._send([(kind, id, payload, blobs)], {id: needs})
            return
        if id >= COMPUTED:
            self._send([(kind, id, payload, blobs)])
            return
        group = self._group
        if group is None or group.kind is not kind:
            group = self._group = self._groups.get(kind) or self._groups.setdefault(kind, _Group(kind))
        # Before it is added, so that a call stays within its size.
        if group.bytes + len(payload) > CHUNK_BYTES and group.tasks:
            self._send_group(group)
        group.tasks.append((kind, id, payload, blobs))
        group.bytes += len(payload)
        self._gathered += 1
        if len(group.tasks) >= CHUNK_TASKS:
            self._send_group(group)
        # Many kinds with few tasks each: none of them is full, all of them together are.
        elif self._gathered >= GATHERED_TASKS_MAX:
            self.flush()

    def flush(self) -> None:
        """Send the gathered tasks, without waiting until they are stored."""
        groups, self._groups, self._group = self._groups, {}, None
        for group in groups.values():
            self._send_group(group)

    def _send_group(self, group: _Group) -> None:
        tasks, group.tasks, group.bytes = group.tasks, [], 0
        self._gathered -= len(tasks)
        self._send(tasks)

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
        # A submit in the block must not wait for the first connection.
        await self.session.ashards()
        return self.__enter__()

    async def __aexit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        import asyncio

        self._leave()
        self.flush()
        while self._under_way:
            stored = self._under_way.popleft()
            # ``wait`` raises nothing: all calls are settled before the first error is raised.
            await asyncio.wait([asyncio.wrap_future(stored)])
            self._settle(stored)
        self._raise(error)

    def _leave(self) -> None:
        if self._token is not None:
            OPEN.reset(self._token)
            self._token = None

    def _send(self, tasks: list[PendingTask], needs: TaskNeeds | None = None) -> None:
        link = self.session.link
        for kind, some, named in joined(tasks):
            runs = runs_of_tasks(some)
            self._under_way.append(
                submit_many(
                    self.session,
                    kind.name,
                    kind.choice,
                    runs,
                    None,
                    link,
                    named,
                    needs=needs,
                    parent=parent_here(),
                )
            )
        # The oldest first, which is answered first: the program is slowed down to the master's pace.
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
            # The block's own exception stays the one that is raised: it came first.
            error.add_note(f"and not everything submitted in the batch was stored: {self._error}")
            return
        raise self._error
