"""Rows on the wire are lists; in programs they are records, so that no reader counts positions.

A record is a NamedTuple of a subject's module here. ``from_wire`` refuses a list of another length, as it comes from a
program of another version or another make.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, TypeVar

from ..errors import ProtocolError
from ..values.brief import brief

R = TypeVar("R", bound=tuple[Any, ...])


def to_wire(row: tuple[Any, ...]) -> list[Any]:
    return list(row)


def from_wire(kind: type[R], fields: Any) -> R:
    """Raises ProtocolError for anything but a list of as many fields; what stands behind them by default may be missing."""
    try:
        return kind(*fields)
    except TypeError:
        raise _unknown_form(kind, fields) from None


def all_from_wire(kind: type[R], rows: Sequence[Any]) -> list[R]:
    """Many, each with all its fields; quickly, for there is one for every task."""
    fields: tuple[str, ...] = kind._fields  # type: ignore[attr-defined]
    try:
        sizes = set(map(len, rows))
    except TypeError:
        raise _unknown_form(kind, rows) from None
    if not sizes <= {len(fields)}:
        raise _unknown_form(kind, next(row for row in rows if len(row) != len(fields)))
    return list(map(partial(tuple.__new__, kind), rows))


def _unknown_form(kind: type, fields: Any) -> ProtocolError:
    return ProtocolError(f"the peer sent a {kind.__name__} of an unknown form: {brief(fields, 80)}")
