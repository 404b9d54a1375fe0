"""How rows of several shards that are about the same thing become one row. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

Row = dict[str, Any]


def one_of_each(rows: Iterable[Row], name: str, merge: Callable[[Row, Row], Row]) -> list[Row]:
    """Rows that say the same under ``name`` are one, in the order in which each was first answered."""
    found: dict[Any, Row] = {}
    for row in rows:
        known = found.get(row[name])
        found[row[name]] = row if known is None else merge(known, row)
    return list(found.values())
