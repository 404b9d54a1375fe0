"""What the rows say that shards have for one another, as bytes. Pure.

::

    NEED, RELEASE, AGAIN    [[queues, first id, length], …]
    ENDED                   [queues, [[first id, state, what it calls, [body, …]], …]]     without bodies: how many, in the place of the list
    RESET, ALL              [true or false]     of RESET: whether the other one is to start over as well

``queues``: by whose rights, see ``interface.edges.ElsewhereRow``.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ...common.domain.id_runs import IdRun
from ...common.errors import ProtocolError
from ...common.wire.frames import pack, unpack
from ..store.interface.edges import EdgeRow, ElsewhereRow


class EdgeKind(enum.IntEnum):
    NEED = 1  # tasks of mine need these of yours
    RELEASE = 2  # none needs them any more
    ENDED = 3  # of mine that you need these have ended, and so
    AGAIN = 4  # these had ended, and are to run again by hand
    RESET = 5  # I say again all that I need
    ALL = 6  # that was all


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


def pack_flag(flag: bool) -> bytes:
    return pack([flag])


def unpack_row(row: EdgeRow) -> list[Any]:
    """What a row says: of ENDED pairs of rights and ``EndedSpan``, of runs ``ElsewhereRow``. Raises ProtocolError: a newer version wrote
    it."""
    try:
        kind, said = EdgeKind(row.kind), unpack(row.body)
        if kind is EdgeKind.ENDED:
            queues, spans = said
            return [(queues, EndedSpan(*span)) for span in spans]
        if kind in (EdgeKind.RESET, EdgeKind.ALL):
            return [bool(said[0])]
        return [ElsewhereRow(queues, IdRun(first, length)) for queues, first, length in said]
    except (TypeError, ValueError, LookupError) as error:
        raise ProtocolError(
            f"row {row.number} of kind {row.kind} is not one that this version knows"
        ) from error


def unpack_queues(queues: bytes) -> tuple[str, ...]:
    return tuple(unpack(queues)) if queues else ()
