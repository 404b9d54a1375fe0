"""Recipients from CSV as programs write it: with or without a byte order mark, commas, semicolons or tabs, any line
ends, quoted line breaks. Pure: bytes in, rows with their line numbers out. A damaged row is reported by itself and hides no
other.
"""

from __future__ import annotations

import codecs
import csv
import io
from dataclasses import dataclass
from typing import Final, NamedTuple

from ....common.errors import InvalidArgument

FILE_BYTES_MAX: Final = 256 * 1024 * 1024  # about three million recipients; all are held in memory
DELIMITERS: Final = ",;\t|"
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class Problem(NamedTuple):
    """``line``: of the file, the first is 1."""

    line: int
    text: str


class Row(NamedTuple):
    line: int
    fields: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    columns: tuple[str, ...]
    rows: list[Row]
    problems: list[Problem]


def read_table(data: bytes, *, encoding: str | None = None, delimiter: str | None = None) -> Table:
    """The table in a file. Raises InvalidArgument for what concerns the file as a whole."""
    if len(data) > FILE_BYTES_MAX:
        raise InvalidArgument(f"it has {len(data):,} bytes, more than {FILE_BYTES_MAX:,}; split it")
    text = _decoded(data, encoding)
    header = next((line for line in text.splitlines() if line.strip()), "")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter or _delimiter(header), strict=True)
    columns: tuple[str, ...] | None = None
    rows: list[Row] = []
    problems: list[Problem] = []
    while True:
        # Before it is read: a row with line breaks inside begins there.
        line = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            problems.append(Problem(line, f"it is not a CSV row: {error}"))
            continue
        # Spreadsheets leave rows of mere commas at the end.
        if not any(field.strip() for field in fields):
            continue
        if columns is None:
            columns = _columns(fields)
        elif len(fields) != len(columns):
            problems.append(Problem(line, f"it has {len(fields)} fields, the header has {len(columns)}"))
        else:
            rows.append(Row(line, tuple(fields)))
    if columns is None:
        problem = f": line {problems[0].line}: {problems[0].text}" if problems else ""
        raise InvalidArgument(f"it has no header, a first line with the names of the columns{problem}")
    return Table(columns=columns, rows=rows, problems=problems)


def _decoded(data: bytes, encoding: str | None) -> str:
    found = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding or found)
    except LookupError:
        raise InvalidArgument(
            f"--encoding {encoding!r:.40} is unknown; write cp1252, latin-1 or utf-8"
        ) from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidArgument(
            f"line {line} is not {error.encoding.upper()} (byte 0x{data[error.start]:02x}); say how it is written, "
            "as a rule --encoding cp1252, or save it as 'CSV UTF-8'"
        ) from None


def _delimiter(header: str) -> str:
    """The one that the header has most of; names of columns seldom have any. (csv.Sniffer guesses at letters.)"""
    return max(DELIMITERS, key=header.count)


def _columns(fields: list[str]) -> tuple[str, ...]:
    names = tuple(field.strip() for field in fields)
    double = next((name for name in names if name and names.count(name) > 1), None)
    if double is not None:
        raise InvalidArgument(f"its header has the column {double!r:.80} twice")
    return names
