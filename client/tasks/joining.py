"""Joins tasks that are submitted one after the other into submit calls: neighbours of one kind travel in one.

A call has at most CHUNK_TASKS tasks and CHUNK_BYTES of payloads, whichever it reaches first. Tasks with blobs get calls of their
own: the content may be missing on the master, and a call is refused as a whole. For the same reason a task with a key
travels alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from ...common.domain.ids import COMPUTED
from ...common.errors import Full, InvalidArgument, TaskConflict
from .payloads import CHUNK_BYTES, CHUNK_TASKS

if TYPE_CHECKING:
    from ...common.values.blob import Blob
    from ..blobs.blobs import Named
    from .kinds import TaskKind
    from .submission import Tasks

    PendingTask = tuple[TaskKind, bytes, bytes, Sequence[Blob]]
    """Kind, id, payload, and the blobs that it names. A plain tuple: there is one for every task."""

CHUNK_BLOBS: Final = 1_000  # named by the tasks of one call

OF_ONE_TASK: Final = (
    InvalidArgument,
    TaskConflict,
    Full,
)  # refusals of a call that a single one of its tasks may have caused


class JoinedTasks(NamedTuple):
    """The tasks of one submit call. ``named``: their blobs."""

    kind: TaskKind
    tasks: Tasks
    named: Named

    @property
    def ids(self) -> list[bytes]:
        return [id for id, _ in self.tasks]

    def one_by_one(self) -> Iterator[JoinedTasks]:
        """The same tasks, each in a call of its own: to find the one that is refused."""
        for task in self.tasks:
            blobs = self.named.get(task[0])
            yield JoinedTasks(self.kind, [task], {task[0]: blobs} if blobs else {})


def joined(pending: Iterable[PendingTask]) -> Iterator[JoinedTasks]:
    """The calls of tasks, in their order."""
    tasks = pending if isinstance(pending, list) else list(pending)
    alike = _alike(tasks)
    return iter((alike,)) if alike is not None else _joined(tasks)


def _alike(pending: list[PendingTask]) -> JoinedTasks | None:
    """The single call of tasks that all may travel together, seen at a glance; nearly always there is no other."""
    if not 0 < len(pending) <= CHUNK_TASKS:
        return None
    if len(pending) == 1:
        [(kind, id, payload, named)] = pending
        return JoinedTasks(kind, [(id, payload)], {id: list(named)} if named else {})
    kinds, ids, payloads, blobs = zip(*pending, strict=True)
    fits = (
        # ``count`` compares in C: this runs for every batch.
        kinds.count(kinds[0]) == len(kinds)
        and not any(blobs)
        and max(ids) < COMPUTED
        and sum(map(len, payloads)) <= CHUNK_BYTES
    )
    return _in_order(JoinedTasks(kinds[0], list(zip(ids, payloads, strict=True)), {})) if fits else None


def _joined(pending: list[PendingTask]) -> Iterator[JoinedTasks]:
    call: JoinedTasks | None = None
    size = blobs_named = 0
    is_alone = False
    for kind, id, payload, blobs in pending:
        size += len(payload)
        blobs_named += len(blobs)
        if call is not None and (
            kind is not call.kind
            or len(call.tasks) >= CHUNK_TASKS
            or size > CHUNK_BYTES
            or blobs_named > CHUNK_BLOBS
            or bool(blobs) != bool(call.named)
            or is_alone
            or id >= COMPUTED
        ):
            yield _in_order(call)
            call = None
        if call is None:
            call, size, blobs_named, is_alone = (
                JoinedTasks(kind, [], {}),
                len(payload),
                len(blobs),
                id >= COMPUTED,
            )
        call.tasks.append((id, payload))
        if blobs:
            call.named[id] = list(blobs)
    if call is not None:
        yield _in_order(call)


def _in_order(call: JoinedTasks) -> JoinedTasks:
    """In the order of their ids: a thread may draw one and be overtaken before it adds its task."""
    call.tasks.sort()
    return call
