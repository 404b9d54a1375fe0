"""``task.using(outbox=connection)``: submits become rows of the program's own database, within its transaction.

::

    submit ─► encoded here, with the id made here ─► INSERT on the program's connection ─► its commit ─► a relay ─► the master

Nothing of it asks the master, so a program submits while there is none. What only a master could say at once is refused where it is
written: ``on_full="raise"``, content of a Blob, a flow.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...common.contract.outbox import ROW_BYTES_MAX, OutboxSubmit
from ...common.domain.columns import NO_COLUMNS
from ...common.domain.id_runs import IdRun
from ...common.domain.ids import IdSource, new_ids, proofs
from ...common.domain.model import TASK_ID_BYTES
from ...common.domain.on_full import WAIT
from ...common.domain.unique import terms_of, wire_of_many
from ...common.errors import InvalidArgument
from ..outbox.table import NewRow
from .home import ANY_SHARD, ONE_SHARD, home_of
from .indexed import MapIndex
from .lane_keys import LaneKeys
from .map_keys import MapKeys
from .needs import GatheredNeeds
from .outbox_handles import OutboxHandle, OutboxHandles
from .payloads import CallEncoder
from .spreading import Scattered, ScatteredPart, Scattering
from .submission import PayloadRun, lane_columns, wire_rows
from .unique_submits import UniqueKeys

if TYPE_CHECKING:
    from ...common.values.blob import Blob
    from ..core.session import ClientSession
    from .definition import Definition
    from .kinds import TaskKind
    from .needs import TaskNeeds
    from .options import Choice


def check_on_full_of_outbox(choice: Choice) -> None:
    """Raises InvalidArgument."""
    if choice.on_full != WAIT:
        raise InvalidArgument(
            f"on_full={choice.on_full!r} is answered to who submits, and that will be the relay; leave it out for an outbox: the row waits "
            "until the queue has room"
        )


def outbox_row(
    session: ClientSession,
    kind: TaskKind,
    definition: Definition,
    id: bytes,
    payload: bytes,
    blobs: Sequence[Blob],
    needs: Sequence[IdRun],
    call: tuple[tuple[Any, ...], dict[str, Any]],
) -> tuple[NewRow, Any]:
    """The row of one task, and its handle; None, if it is known only later which task there is, by ``unique``."""
    _check_flow(kind.choice)
    _check_blobs(bool(blobs))
    unique = None
    if kind.choice.unique is not None:
        keys = UniqueKeys(session, kind.choice.unique, definition)
        unique = terms_of(kind.choice.unique, keys.of_call(*call)).to_wire()
    row = _new_row(kind.name, kind.choice, PayloadRun(id, [payload]), {id: needs} if needs else None, unique)
    return row, None if unique is not None else OutboxHandle(session, id, received=definition.received)


def outbox_rows(
    session: ClientSession, definition: Definition, choice: Choice, calls: Iterable[tuple[Any, ...]]
) -> tuple[list[NewRow], Any]:
    """The rows of a map, and its handles; None, as of ``outbox_row``."""
    _check_flow(choice)
    handles: OutboxHandles[Any] = OutboxHandles(session, received=definition.received)
    rows = []
    for runs, some in _mapped(session, definition, choice, calls):
        rows += some
        for run in runs:
            handles.submitted(int.from_bytes(run.first, "big"), run.length, watched=False)
    return rows, handles if choice.unique is None else None


def _mapped(
    session: ClientSession, definition: Definition, choice: Choice, calls: Iterable[tuple[Any, ...]]
) -> Iterator[tuple[Sequence[IdRun], list[NewRow]]]:
    """The tasks of a map in the order of its calls, and their rows: one for as many calls as travel in one submit, of each shard."""
    # No master is asked: before one has answered, a cluster is taken for one with one shard.
    home = ONE_SHARD if session.known_shards is None else home_of(session, choice)
    scattering = Scattering(session, choice) if home == ANY_SHARD else None
    ids = IdSource(seconds=math.inf, shard=max(0, home))  # one block: a map is one array to people
    keys = None if choice.columns is not None else MapKeys(LaneKeys(choice.terms, definition))
    unique = None if choice.unique is None else UniqueKeys(session, choice.unique, definition)
    same = deque[str]()
    if unique is not None:
        calls = unique.noted(calls, same.append)
    index = MapIndex(choice, definition) if choice.indexed else None
    if index is not None:
        calls = index.noted(calls)
    note = None if keys is None else keys.note
    for payloads, blobs, met in CallEncoder(definition, calls, GatheredNeeds(session), note).chunks():
        _check_blobs(bool(blobs))
        if keys is not None:
            choice = keys.of_next(choice, len(payloads))
        if index is not None:
            choice = index.of_next(choice, len(payloads))
        if scattering is None:
            run = IdRun(ids.take(len(payloads)).to_bytes(TASK_ID_BYTES, "big"), len(payloads))
            scattered = Scattered([ScatteredPart(run, range(run.length), choice.columns)], [run])
        else:
            scattered = scattering.of_calls(choice.columns, met, len(payloads))
        terms = None
        if choice.unique is not None:
            terms = wire_of_many(choice.unique, [same.popleft() for _ in payloads])
        yield (
            scattered.calls,
            [_row_of(definition.name, choice, part, payloads, met, terms) for part in scattered.parts],
        )


def _row_of(
    name: str,
    choice: Choice,
    part: ScatteredPart,
    payloads: Sequence[bytes],
    needs: Mapping[int, Sequence[IdRun]],
    unique: list[Any] | None,
) -> NewRow:
    """Of some calls of a map. ``needs``: by the places of the calls."""
    run = PayloadRun(part.run.first, [payloads[place] for place in part.places])
    at = {place: part.run.id(number) for number, place in enumerate(part.places) if place in needs}
    choice = choice._replace(columns=part.columns)
    return _new_row(name, choice, run, {id: needs[place] for place, id in at.items()}, unique)


def _new_row(
    name: str, choice: Choice, run: PayloadRun, needs: TaskNeeds | None, unique: list[Any] | None
) -> NewRow:
    body = OutboxSubmit(
        queue=choice.queue,
        task=name,
        options=choice.wire,
        tasks=wire_rows([run], needs),
        proofs=proofs([run.first]) or None,
        columns=None if choice.columns is NO_COLUMNS else lane_columns(choice).to_wire(),
        unique=unique,
    ).to_bytes()
    if len(body) > ROW_BYTES_MAX:
        raise InvalidArgument(
            f"the arguments make a row of {len(body):,} bytes, and one of an outbox has at most {ROW_BYTES_MAX:,}; put what is large into the "
            "database or a file, and submit its key or path"
        )
    # Not the task's id: with key= the same one may be submitted twice, and each is a row.
    return NewRow(new_ids(), choice.queue, name, len(run.payloads), body)


def _check_flow(choice: Choice) -> None:
    if choice.flow is not None:
        raise InvalidArgument(
            "a flow is known to the master alone, and an outbox does not ask it; submit outside of `with app.flow(…)`, or a task that makes "
            "the flow"
        )


def _check_blobs(has_blobs: bool) -> None:
    if has_blobs:
        raise InvalidArgument(
            "the content of a tq.Blob is sent to the master, and an outbox does not ask it; put it where the worker can read it, and submit "
            "its path or key"
        )
