"""Submitting: the call that stores tasks of one callable, and whether it also watches their outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from ...common.domain.columns import NO_COLUMNS, LaneColumns
from ...common.domain.context import current, is_of_task
from ...common.domain.id_runs import IdRun, is_run, runs_of
from ...common.domain.ids import COMPUTED, parse_id, proofs
from ...common.domain.on_full import WAIT
from ...common.domain.shards import shard_of_id
from ...common.errors import InvalidArgument
from .options import Choice

if TYPE_CHECKING:
    from concurrent.futures import Future

    from ...common.values.blob import Blob
    from ..blobs.blobs import Named
    from ..core.io_thread import ClientLink
    from ..core.listener import Listener
    from ..core.session import ClientSession
    from .kinds import TaskKind
    from .needs import TaskNeeds

Tasks = list[tuple[bytes, bytes]]  # id, payload: as tuples, which the garbage collector need not visit
Parent = list[bytes]  # the task inside which others are submitted: its id and lease


class PayloadRun(NamedTuple):
    """Tasks with consecutive ids, and the payload of each."""

    first: bytes
    payloads: list[bytes]

    @property
    def run(self) -> IdRun:
        return IdRun(self.first, len(self.payloads))

    def to_wire(self) -> list[Any]:
        return [self.first, self.payloads[0] if len(self.payloads) == 1 else self.payloads]


def runs_of_tasks(tasks: Tasks) -> list[PayloadRun]:
    """Tasks, in their order, as runs."""
    if len(tasks) == 1:
        [(id, payload)] = tasks
        return [PayloadRun(id, [payload])]
    ids = [id for id, _ in tasks]
    # Mostly all are neighbours, which comparing lists finds out fastest.
    if ids and is_run(ids[0], len(ids)) and ids == IdRun(ids[0], len(ids)).ids():
        return [PayloadRun(ids[0], [payload for _, payload in tasks])]
    runs: list[PayloadRun] = []
    at = 0
    for run in runs_of(ids):
        runs.append(PayloadRun(run.first, [payload for _, payload in tasks[at : at + run.length]]))
        at += run.length
    return runs


class OpenBatch(Protocol):
    """An open batch, which submits join; see ``batch.py``."""

    session: ClientSession

    def add(
        self, kind: TaskKind, id: bytes, payload: bytes, blobs: Sequence[Blob], needs: Sequence[IdRun]
    ) -> None: ...
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


def parent_here() -> Parent | None:
    """The task that runs here: what is submitted in it is its. None: no task runs here. Asked in the thread that submits, for the
    I/O thread sends tasks of many."""
    if not is_of_task():
        return None
    own = current()
    return None if own is None else [parse_id(own.id), bytes.fromhex(own.token)]


def lane_columns(choice: Choice) -> LaneColumns:
    """What the tasks of a call say of limits and tenants. A choice whose terms were not evaluated is never sent without them."""
    if choice.columns is None:
        raise InvalidArgument(
            "by= and tenant= name arguments here, and these tasks are not submitted one by one; use task.submit, task.map or tq.Executor"
        )
    return choice.columns


def wire_rows(runs: Sequence[PayloadRun], needs: TaskNeeds | None) -> list[Any]:
    """The tasks of a submit as they travel. ``needs``: what each of them needs; None or empty: they need nothing."""
    if not needs:
        return [run.to_wire() for run in runs]
    from .needs import rows_with_needs

    return [row for run in runs for row in rows_with_needs(*run, needs)]


def submit_many(
    session: ClientSession,
    name: str,
    choice: Choice,
    runs: Sequence[PayloadRun],
    box: Listener | None,
    link: ClientLink,
    named: Named | None = None,
    boxes: Sequence[Listener] = (),
    needs: TaskNeeds | None = None,
    unique: list[Any] | None = None,
    *,
    parent: Parent | None,
) -> Future[Any]:
    """Send tasks; the future completes when they are stored. ``box`` receives their outcomes, or one of ``boxes`` the outcome
    of each. ``named``: their blobs, uploaded before. ``needs``: what each of the tasks needs; None: they need nothing.
    ``unique``: by what the one task is the same as others. ``parent``: ``parent_here`` of who submits them."""
    # With a stream the submit watches its tasks: no second call, and no outcome can be missed.
    stream = None if box is None and not boxes else link.stream
    target = ("get_task_queue", choice.queue)
    shard = 0
    if session.known_shards != 1:
        shard = shard_of_id(runs[0].first)
        # What a task has submitted is cancelled with it within a shard.
        if parent is not None and shard_of_id(parent[0]) != shard:
            parent = None
    args: tuple[Any, ...] = (name, choice.wire, wire_rows(runs, needs), stream)
    if named:
        from ..blobs.blobs import to_wire

        args = (*args, to_wire(named))
    computed = [
        run.first for run in runs if run.first >= COMPUTED
    ]  # they stand in no block, so each is its own run
    if computed:
        args = (*args, *(() if named else (None,)), proofs(computed))
    # Arguments travel by place, so what is left out before the last one is None; trailing ones are left out.
    if choice.flow is not None or parent is not None:
        flow = None if choice.flow is None else choice.flow.flow_id
        args = (*args, *[None] * (6 - len(args)), flow, *(() if parent is None else (parent,)))
    if choice.columns is not NO_COLUMNS:
        args = (*args, *[None] * (8 - len(args)), lane_columns(choice).to_wire())
    # Only if they say something: most submits travel without them.
    if choice.on_full != WAIT or unique is not None:
        args = (*args, *[None] * (9 - len(args)), choice.on_full, *(() if unique is None else (unique,)))
    # Repeatable: the ids are in it, so a second time stores nothing twice.
    future = link.call(
        target, "submit", args, repeatable=True, runs=[run.run for run in runs], box=box, boxes=boxes
    )
    if named:
        from ..blobs.blobs import SessionBlobs

        blobs = session.part(SessionBlobs).of(shard)
        # Until then the blobs are kept here: the master may have dropped what no task names yet.
        future.add_done_callback(lambda done: blobs.submitted(named, done))
    return future
