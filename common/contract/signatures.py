"""What a worker says of the parameters of a task: a record for each, so that a form can be made of them and a call be checked.

A signature travels as bytes, which the master neither opens nor understands: ``packed`` and ``unpacked`` are for those at its ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any, Final, NamedTuple

import msgpack

from ..errors import ProtocolError
from .rows import from_wire

SIGNATURE_BYTES_MAX: Final = 4_096  # of one task, packed
SIGNATURES_BYTES_MAX: Final = 1 << 20  # of all tasks of a worker: the rest is left out
DESCRIBED_MAX: Final = 1_000  # tasks in one call
ASKED_MAX: Final = 20  # names in one question: each is looked up at every worker
TEXT_CHARS_MAX: Final = 120  # of an annotation, and of a default


class ParameterKind(IntEnum):
    """As Python has them."""

    BY_PLACE = 0  # def f(a, /)
    EITHER = 1
    REST = 2  # *args
    BY_NAME = 3  # def f(*, a)
    MORE = 4  # **kwargs


class ParameterRow(NamedTuple):
    """``note``: the annotation as people write it, empty without one; ``default``: as Python shows it, None: it has none; ``form``: what
    its values look like, see ``common/values/forms.py``."""

    name: str
    kind: int
    note: str
    default: str | None
    form: list[Any]

    @property
    def is_needed(self) -> bool:
        return self.default is None and self.kind not in (ParameterKind.REST, ParameterKind.MORE)

    def __str__(self) -> str:
        stars = {ParameterKind.REST: "*", ParameterKind.MORE: "**"}.get(ParameterKind(self.kind), "")
        noted = f"{stars}{self.name}: {self.note}" if self.note else f"{stars}{self.name}"
        if self.default is None:
            return noted
        return f"{noted} = {self.default}" if self.note else f"{noted}={self.default}"


class KnownSignature(NamedTuple):
    """What ``signatures`` answers of one task: how many connected workers say so."""

    packed: bytes
    workers: int


def packed(rows: Sequence[ParameterRow]) -> bytes:
    return bytes(msgpack.packb([list(row) for row in rows]))


def unpacked(body: bytes) -> list[ParameterRow]:
    """Raises ProtocolError for what is no signature."""
    try:
        rows = [from_wire(ParameterRow, row) for row in msgpack.unpackb(body, strict_map_key=False)]
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise ProtocolError(f"a worker has announced a signature of an unknown form: {error}") from None
    for row in rows:
        match row:
            case ParameterRow(name=str(), kind=int(kind), note=str(), default=str() | None, form=list()):
                if kind in ParameterKind.__members__.values():
                    continue
        raise ProtocolError("a worker has announced a parameter of an unknown form")
    return rows


def in_words(rows: Sequence[ParameterRow]) -> str:
    """``(order: Order, *, retries: int = 3)``, as Python writes it."""
    parts: list[str] = []
    kinds = [row.kind for row in rows]
    for at, row in enumerate(rows):
        if row.kind == ParameterKind.BY_NAME and not {ParameterKind.REST, ParameterKind.BY_NAME} & {
            *kinds[:at]
        }:
            parts.append("*")
        parts.append(str(row))
        if row.kind == ParameterKind.BY_PLACE and kinds[at + 1 : at + 2] != [ParameterKind.BY_PLACE]:
            parts.append("/")
    return f"({', '.join(parts)})"
