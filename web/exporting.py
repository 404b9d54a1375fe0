"""A table as a file: CSV for a spreadsheet, JSON for a program.

A cell of a CSV that begins as a formula would be run by a spreadsheet, so an apostrophe stands before it; numbers stay numbers.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from ..client.cli.output import plain
from ..common.runtime.cleaning import clean
from ..common.runtime.terminal import as_json

FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")

Row = Mapping[str, Any]


def as_csv(rows: Sequence[Row]) -> str:
    """With the names of all columns that any row has."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    written = io.StringIO()
    lines = csv.writer(written)
    lines.writerow(columns)
    lines.writerows([_cell(row.get(name)) for name in columns] for row in rows)
    return written.getvalue()


def as_document(rows: Iterable[Row]) -> str:
    return as_json(plain([dict(row) for row in rows]), indent=2, default=str) + "\n"


def _cell(value: Any) -> object:
    if value is None or isinstance(value, int | float):
        return "" if value is None else value
    if isinstance(value, str):
        text = clean(value)
    elif _is_nested(value):
        text = clean(as_json(plain(value), default=str))
    elif isinstance(value, Mapping):
        text = clean(" ".join(f"{name}={plain(one)}" for name, one in value.items()))
    elif isinstance(value, list | tuple):
        text = clean(" ".join(str(plain(one)) for one in value))
    else:
        text = clean(str(plain(value)))
    return f"'{text}" if text.startswith(FORMULAS) else text


def _is_nested(value: Any) -> bool:
    """Whether it has maps or lists in it: then it is JSON, which a program can read again."""
    inside = (
        value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    )
    return any(isinstance(one, Mapping | list | tuple) for one in inside)
