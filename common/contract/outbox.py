"""The outbox: submits that a program has written into its own database, and a relay hands over, ``get_outbox``.

A row is the submit itself, by the encoding of ``get_task_queue(queue).submit``, with a version in front: a relay or a master that does not
know the version says so, and the row is set aside until they do.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from ..domain.model import Role
from ..errors import InvalidArgument
from ..values.brief import brief
from .method import Contract, Method
from .rows import from_wire

OUTBOX: Final = Contract(
    "get_outbox",
    {
        # not repeatable: a call that waited for a connection could arrive when the relay has given the row to another one
        "hand_over": Method(Role.CLIENT),
        "forget": Method(Role.CLIENT, repeatable=True, one_way=True),
    },
)
ROW_VERSION: Final = 1  # of what is written; all versions up to it are read
# Of a row, which a portion of a map fits into: a database is no place for more
ROW_BYTES_MAX: Final = 2 * 1024 * 1024
RECEIPTS_TOGETHER: Final = 1_000  # forgotten by one call
_LEVELS: Final = 16  # more than there are around a row on its way
_ENVELOPE: Final = b"\x91" * _LEVELS  # lists of one element, in msgpack


class OutboxSubmit(NamedTuple):
    """The arguments of a submit. What is of its connection is left out: where outcomes go, the task that submits, a flow."""

    queue: str
    task: str
    options: dict[str, Any]
    tasks: list[Any]
    proofs: list[Any] | None = None
    columns: dict[str, Any] | None = None
    unique: list[Any] | None = None

    def to_wire(self) -> list[Any]:
        return [ROW_VERSION, *self]

    def to_bytes(self) -> bytes:
        from ..wire.frames import pack  # loads msgpack, which a program that submits nothing does without

        return pack(self.to_wire())


def row_from_bytes(body: bytes) -> list[Any]:
    """What ``hand_over`` is called with. Raises InvalidArgument and ProtocolError for what no version of a client has written.

    It is read as deep as it travels: a row that is nested just as deep as can be read here would end the connection of each relay that
    hands it over, and no other row would go.
    """
    from ..wire.frames import unpack

    try:
        row = unpack(_ENVELOPE + body)
    except Exception as error:  # each way in which bytes can be damaged has an error of its own
        raise InvalidArgument(f"the row is damaged: {error}") from error
    for _ in range(_LEVELS):
        [row] = row
    submit_from_wire(row)
    return list(row)


def submit_from_wire(row: Any) -> OutboxSubmit:
    """Raises InvalidArgument and ProtocolError."""
    check_version(row)
    return from_wire(OutboxSubmit, row[1:])


def check_version(row: Any) -> None:
    if not isinstance(row, list) or not row or type(row[0]) is not int or row[0] < 1:
        raise InvalidArgument(f"the row is no submit of a tq client: {brief(row, 80)}")
    if row[0] > ROW_VERSION:
        raise InvalidArgument(
            f"the row has version {row[0]}, and here {ROW_VERSION} is the latest that is known: the program that wrote it is newer. Upgrade "
            "tq-master, then the relay, then hand it over again: tq outbox retry"
        )
