"""What the rows say that shards have for one another, as bytes. Pure.

::

    NEED, RELEASE, AGAIN    [[queues, first id, length], …]
    ENDED                   [queues, [[first id, state, what it calls, [body, …]], …]]     without bodies: how many, in the place of the list
    BEGIN                   [the number of the row before it, in an earlier epoch]
    RESET, ALL              [0 or 1]            of RESET: 1, the other one is to start over as well

``queues``: by whose rights, see ``interface.edges.ElsewhereRow``.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ...common.domain.id_runs import IdRun
from ...common.errors import ProtocolError
from ...common.wire.frames import pack, unpack
from ..store.interface.edges import EdgeRow, ElsewhereRow, before_epoch, epoch_of


class EdgeKind(enum.IntEnum):
    NEED = 1  # tasks of mine need these of yours
    RELEASE = 2  # none needs them any more
    ENDED = 3  # of mine that you need these have ended, and so
    AGAIN = 4  # these had ended, and are to run again by hand
    BEGIN = 5  # I was started; this follows what was said before
    RESET = 6  # whatever was said before: I say again all that I need
    ALL = 7  # that was all


class EndedSpan(NamedTuple):
    """Tasks with consecutive ids that ended alike. ``bodies``: results or failures; how many they are, if there is none."""

    first: bytes
    state: int
    task: str
    bodies: Sequence[bytes | None] | int

    @property
    def run(self) -> IdRun:
        return IdRun(self.first, self.bodies if isinstance(self.bodies, int) else len(self.bodies))

    @property
    def bytes(self) -> int:
        return 0 if isinstance(self.bodies, int) else sum(len(body or b"") for body in self.bodies)


def pack_runs(rows: Iterable[ElsewhereRow]) -> bytes:
    return pack([[queues, *run] for queues, run in rows])


def pack_ended(queues: bytes, spans: Iterable[EndedSpan]) -> bytes:
    return pack([queues, [list(span) for span in spans]])


def pack_number(number: int) -> bytes:
    """Of BEGIN, RESET and ALL."""
    return pack([number])


def unpack_row(row: EdgeRow) -> list[Any]:
    """What a row says: of ENDED pairs of rights and ``EndedSpan``, of runs ``ElsewhereRow``. Raises ProtocolError: a newer version wrote
    it."""
    try:
        kind, said = EdgeKind(row.kind), unpack(row.body)
        if kind is EdgeKind.ENDED:
            queues, spans = said
            return [(queues, EndedSpan(*span)) for span in spans]
        if kind in (EdgeKind.BEGIN, EdgeKind.RESET, EdgeKind.ALL):
            return [int(said[0])]
        return [ElsewhereRow(queues, IdRun(first, length)) for queues, first, length in said]
    except (TypeError, ValueError, LookupError) as error:
        raise ProtocolError(
            f"row {row.number} of kind {row.kind} is not one that this version knows"
        ) from error


def unpack_queues(queues: bytes) -> tuple[str, ...]:
    return tuple(unpack(queues)) if queues else ()


def follows(row: EdgeRow, applied: int) -> bool:
    """Whether a row may be applied by who has applied up to that: it is the next one of its epoch; or it begins a later one, and says
    that it follows that number, or any."""
    if row.number == applied + 1:
        return True
    if row.number != before_epoch(epoch_of(row.number)) + 1 or row.number < applied:
        return False
    return row.kind == EdgeKind.RESET or (row.kind == EdgeKind.BEGIN and row.body == pack_number(applied))
