"""Output: tables and sentences for people, JSON for programs. Colour only on a terminal."""

from __future__ import annotations

import datetime
import os
import sys
import time
from array import array
from collections.abc import Iterable, Sequence
from typing import Any, Final

from ...common.domain.durations import span
from ...common.domain.ids import show_id
from ...common.domain.model import State
from ...common.runtime.cleaning import clean_line
from ...common.runtime.terminal import console, write, write_json
from ...common.values.blob import Blob
from ...common.values.unmade import Unmade

GAP: Final = 2  # between two columns of a table
CUT: Final = "error"  # the column whose texts are cut on a terminal, and get what the others leave
CUT_COLUMNS_MIN: Final = 24
WHOLE: Final = ("id", "state")  # columns that are not folded
FOLDED_COLUMNS_MIN: Final = 8  # of a text that is
JSON_ATOMS: Final = frozenset((str, float, bool, type(None)))  # most parts of most values
JSON_KEYS: Final = frozenset((str,))
MOMENTS: Final = frozenset(
    {"at", "created", "last_seen", "last_used", "now", "since", "started", "until"}
)  # fields of rows
DECIMAL_BITS_MAX: Final = 14_000  # of a number that Python writes in decimal: 4,300 digits
STATE_STYLES = {
    "succeeded": "green",
    "running": "cyan",
    "failed": "red",
    "dead": "bold red",
    "lost": "bold red",
    "expired": "yellow",
    "cancelled": "yellow",
}


class CellTexts(tuple[str, ...]):
    """Texts of one cell: side by side, or each on a line where a terminal is narrow. One that names a state has its colour."""

    __slots__ = ()

    def __str__(self) -> str:
        return ", ".join(self)


def print_json(value: Any) -> None:
    """One JSON document; types that JSON lacks (bytes, dates, …) become text."""
    write_json(plain(value), indent=2, default=str)


def plain(value: Any) -> Any:
    """A value in JSON's terms: bytes as hex, tuples and sets as lists, keys as text."""
    # By type and not isinstance: True is an int, and a str may be a subclass that prints otherwise.
    kind = type(value)
    if kind in JSON_ATOMS:
        return value
    if kind is int:
        return hex(value) if value.bit_length() > DECIMAL_BITS_MAX else value
    # Most dicts are as they should be.
    if (
        kind is dict
        and JSON_KEYS.issuperset(map(type, value))
        and JSON_ATOMS.issuperset(map(type, value.values()))
    ):
        return value
    if isinstance(value, Unmade):
        value = value.made()
    if isinstance(value, Blob):
        return {"blob": value.hash, "size": value.size}
    if isinstance(value, dict):
        return {
            key if type(key) is str else str(plain(key)): item if type(item) in JSON_ATOMS else plain(item)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple, set, frozenset, array)):
        return [plain(item) for item in value]
    return value.hex() if isinstance(value, bytes) else value


def shown(value: Any) -> str:
    """The value's repr, or the reason why there is none: one bad value of another program must not hide the others."""
    try:
        return repr(value)
    except Exception as error:
        return f"<a {type(value).__name__} that cannot be written out: {error}>"


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str, spare: Sequence[str] = ()
) -> None:
    """A table without lines, as wide as needed; ``empty`` is printed if there are no rows.

    A name that begins with # is of a column of numbers. On a terminal that is too narrow the columns named in ``spare`` are
    left out, one after the other, until it fits.
    """
    shown = list(rows)
    if not shown:
        write(empty + "\n")
    elif for_eyes():
        _print_on_terminal(columns, shown, spare)
    else:
        write(_as_text(columns, shown))


def for_eyes() -> bool:
    """Whether stdout is a terminal, or the environment says that it is to be taken for one: rich knows how."""
    return sys.stdout.isatty() or any(os.environ.get(name) for name in ("FORCE_COLOR", "TTY_COMPATIBLE"))


def _as_text(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """For a pipe or a file, which has no width: cut nothing. Without rich, whose tables take as long to import as all of ours."""
    from rich.cells import cell_len

    lines = [[column.lstrip("#") for column in columns], *([_text(value) for value in row] for row in rows)]
    sizes = [[cell_len(cell) for cell in line] for line in lines]
    widths = [max(column) for column in zip(*sizes, strict=True)]
    aligned = []
    for line, taken in zip(lines, sizes, strict=True):
        spaces = [" " * (width - size) for width, size in zip(widths, taken, strict=True)]
        cells = zip(columns, line, spaces, strict=True)
        parts = [space + cell if column.startswith("#") else cell + space for column, cell, space in cells]
        aligned.append((" " * GAP).join(parts).rstrip())
    # A pipe in the C locale cannot write it.
    dash = "─" if sys.stdout.encoding.lower().startswith("utf") else "-"
    aligned.insert(1, dash * (sum(widths) + GAP * (len(widths) - 1)))
    return "\n".join(aligned) + "\n"


def _print_on_terminal(
    columns: Sequence[str], rows: Sequence[Sequence[object]], spare: Sequence[str]
) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    screen = console()
    cells = [[_cell(value) for value in row] for row in rows]
    if _width(columns, cells, range(len(columns))) > screen.width:
        # First narrower cells, then fewer columns, then folded texts.
        cells = [[_cell(value, "\n") for value in row] for row in rows]
    shown = _fitting(columns, cells, spare, screen.width)
    widths = _widths(columns, cells)
    if CUT in columns:
        taken = sum(widths[index] + GAP for index in shown if columns[index] != CUT)
        widths[columns.index(CUT)] = max(
            CUT_COLUMNS_MIN, min(widths[columns.index(CUT)], screen.width - taken)
        )
    _narrow(columns, widths, shown, screen.width)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for index in shown:
        column = columns[index]
        numeric = column.startswith("#")
        table.add_column(
            column.lstrip("#"),
            justify="right" if numeric else "left",
            no_wrap=column in ("id", CUT) or numeric,
            overflow="ellipsis" if column == CUT else "fold",
            width=widths[index],
        )
    for row in cells:
        table.add_row(*(row[index] for index in shown))
    screen.print(table)


def _fitting(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], spare: Sequence[str], width: int
) -> list[int]:
    """The columns to show: all, or without as many spare ones as needed to fit."""
    shown = list(range(len(columns)))
    for column in spare:
        if _width(columns, rows, shown) <= width:
            break
        shown.remove(columns.index(column))
    return shown


def _narrow(columns: Sequence[str], widths: list[int], shown: Sequence[int], width: int) -> None:
    """Take from the widest text until all fit: texts are folded, but for ids, states and numbers, which would be no such things then."""
    over = sum(widths[index] + GAP for index in shown) - GAP - width
    foldable = [
        index for index in shown if columns[index] not in WHOLE and not columns[index].startswith("#")
    ]
    # One column at a time, always from the widest: texts end up about as wide as each other.
    for _ in range(over):
        widest = max(foldable, key=lambda index: widths[index], default=None)
        if widest is None or widths[widest] <= FOLDED_COLUMNS_MIN:
            return  # a terminal of very few columns: rich folds whatever there is
        widths[widest] -= 1


def _width(columns: Sequence[str], rows: Sequence[Sequence[Any]], shown: Iterable[int]) -> int:
    """What these columns need, if what can be cut is."""
    widths = _widths(columns, rows)
    if CUT in columns:
        widths[columns.index(CUT)] = min(CUT_COLUMNS_MIN, widths[columns.index(CUT)])
    return sum(widths[index] + GAP for index in shown) - GAP


def _widths(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[int]:
    from rich.cells import cell_len

    return [
        max(
            len(column.lstrip("#")),
            *(cell_len(line) for row in rows for line in row[index].plain.split("\n")),
        )
        for index, column in enumerate(columns)
    ]


def _cell(value: object, between: str = ", ") -> Any:
    from rich.text import Text

    if isinstance(value, CellTexts):
        parts = [Text(_text(part), style=_style(part)) for part in value]
        return Text(between).join(parts)
    return Text(_text(value), style=STATE_STYLES.get(value, "") if isinstance(value, State) else "")


def _style(part: str) -> str:
    return next((STATE_STYLES[word] for word in part.split() if word in STATE_STYLES), "")


def _text(value: object) -> str:
    return "" if value is None else clean_line(str(value))


def task_row(task: dict[str, Any]) -> dict[str, Any]:
    """A task as ``--json`` shows it: id and state as text, times as ISO 8601."""
    times = ("created", "due", "started", "finished")
    return {
        **task,
        "id": show_id(task["id"]),
        "state": State.from_number(task["state"]),
        **{name: iso(task[name]) for name in times},
    }


def iso(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="milliseconds")


def with_moments(value: Any) -> Any:
    """Rows of what a cluster has, with their moments as programs read them everywhere: ISO 8601 in UTC. Not for what users wrote: a number
    of theirs under such a name is their own."""
    if isinstance(value, dict):
        return {
            name: iso(one) if name in MOMENTS and type(one) in (int, float) else with_moments(one)
            for name, one in value.items()
        }
    return [with_moments(one) for one in value] if isinstance(value, list | tuple) else value


def ago(seconds: float | None) -> str:
    """The time since or until a moment, in one unit: ``3 min``, ``in 20 s``."""
    if seconds is None:
        return ""
    away = time.time() - seconds
    return span(away) if away >= 0 else f"in {span(-away)}"


def count(number: int) -> str:
    return f"{number:,}"


def rate(per_second: float) -> str:
    """``1,240/s``, ``2.4/s``, ``3/min``; empty for almost zero."""
    if per_second >= 10:
        return f"{per_second:,.0f}/s"
    if per_second >= 0.1:
        return f"{per_second:.1f}/s"
    return f"{per_second * 60:.0f}/min" if per_second * 60 >= 1 else ""


def size(size_bytes: int) -> str:
    """``12 B``, ``1.5 kB``, ``4.2 GB``: also of what is small."""
    amount, unit = float(size_bytes), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:,.0f} {unit}" if amount.is_integer() or amount >= 100 else f"{amount:.1f} {unit}"


def memory(size_bytes: int | None) -> str:
    """``312 MB``, ``4.2 GB``; empty when unknown."""
    if size_bytes is None:
        return ""
    return f"{size_bytes / 1e6:,.0f} MB" if size_bytes < 1e9 else f"{size_bytes / 1e9:,.1f} GB"
