"""Submitting: the call that stores tasks of one callable, and whether it also watches their outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Protocol

from ...common.domain.id_runs import runs_with
from ...common.domain.ids import COMPUTED, proofs
from .options import Choice

if TYPE_CHECKING:
    from concurrent.futures import Future

    from ...common.values.blob import Blob
    from ..blobs.blobs import Named
    from ..core.io_thread import ClientLink
    from ..core.listener import Listener
    from ..core.session import ClientSession
    from .kinds import TaskKind

Tasks = list[tuple[bytes, bytes]]  # id, payload: as tuples, which the garbage collector need not visit


class OpenBatch(Protocol):
    """An open batch, which submits join; see ``batch.py``."""

    session: ClientSession

    def add(self, kind: TaskKind, id: bytes, payload: bytes, blobs: Sequence[Blob]) -> None: ...
    def flush(self) -> None: ...


OPEN: Final[ContextVar[OpenBatch | None]] = ContextVar("tq_batch", default=None)


def open_batch(session: ClientSession) -> OpenBatch | None:
    """The batch that a submit of this session in this thread joins."""
    batch = OPEN.get()
    return batch if batch is not None and batch.session is session else None


class WatchPrediction:
    """Predicts whether the next single task will be waited for: as the last one was. A predicted task is watched by its
    submit already, which saves a round trip."""

    def __init__(self, session: ClientSession) -> None:
        self.watch_next = False


def submit_many(
    session: ClientSession,
    name: str,
    choice: Choice,
    tasks: Tasks,
    ids: Sequence[bytes],
    box: Listener | None,
    link: ClientLink,
    named: Named | None = None,
    boxes: Sequence[Listener] = (),
) -> Future[Any]:
    """Send tasks; the future completes when they are stored. ``box`` receives their outcomes, or one of ``boxes`` the outcome
    of each. ``named``: their blobs, uploaded before."""
    stream = None if box is None and not boxes else link.stream
    target = ("get_task_queue", choice.queue)
    runs = list(runs_with(ids, [payload for _, payload in tasks]))
    args: tuple[Any, ...] = (name, choice.wire, runs, stream)
    if named:
        from ..blobs.blobs import to_wire

        args = (*args, to_wire(named))
    if ids and max(ids) >= COMPUTED:
        args = (*args, *(() if named else (None,)), proofs(ids))
    future = link.call(target, "submit", args, repeatable=True, ids=ids, box=box, boxes=boxes)
    if named:
        from ..blobs.blobs import SessionBlobs

        blobs = session.part(SessionBlobs)
        future.add_done_callback(lambda done: blobs.submitted(named, done))
    return future
