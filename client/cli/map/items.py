"""Input formats: turn records of bytes into items, each with the arguments of one task. Pure; no file is opened here.

A format gets records (the bytes between two separators) and returns an Item, or None when a record is no item: a header,
a blank line, the first half of a CSV row with a line break in a field. An item that cannot be parsed carries its error and
is never submitted; the other items are not affected.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from ....common.errors import InvalidArgument

RECORD_BYTES_MAX: Final = 16 * 1024 * 1024  # no larger one fits a frame
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


@dataclass(
    kw_only=True, slots=True
)  # not frozen: to make one would take three times as long, and there is one a line
class Item:
    """``number``: its line, or place among the arguments. ``raw``: what it was made from. ``shown``: for reports."""

    number: int
    raw: bytes
    shown: Any
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    error: str = ""


class InputFormat(Protocol):
    """How records are parsed. The journal stores ``name``: with another format the input is a different one."""

    name: str
    separator: bytes

    def item(self, record: bytes, number: int) -> Item | None: ...
    def last(self) -> Item | None:
        """The item that was incomplete when the input ended, if any."""


class RecordSplitter:
    """Bytes in, records out, however the bytes were cut. The last one needs no separator behind it."""

    def __init__(self, separator: bytes) -> None:
        self._separator, self._parts, self._size = separator, list[bytes](), 0

    def feed(self, data: bytes) -> list[bytes]:
        *whole, rest = data.split(self._separator)
        if not whole:
            self._keep(rest)
            return []
        # Parts are joined once, at the end of the record: linear for any size.
        whole[0] = b"".join([*self._parts, whole[0]])
        self._parts, self._size = [], 0
        self._keep(rest)
        return whole

    def end(self) -> list[bytes]:
        record, self._parts, self._size = b"".join(self._parts), [], 0
        return [record] if record else []

    def _keep(self, rest: bytes) -> None:
        if rest:
            self._parts.append(rest)
            self._size += len(rest)
        if self._size > RECORD_BYTES_MAX:
            raise InvalidArgument(
                f"an item of the input is longer than {RECORD_BYTES_MAX:,} bytes; give a path to such data instead"
            )


class Texts:
    """Each record is one str. ``bytes_allowed``: what is not UTF-8 stays, as os.fsdecode gives it."""

    def __init__(self, separator: bytes = b"\n", *, bytes_allowed: bool = False) -> None:
        self.name = "lines" if separator == b"\n" else "null"
        self.separator, self._errors = separator, "surrogateescape" if bytes_allowed else "strict"
        self._strip = separator == b"\n"

    def item(self, record: bytes, number: int) -> Item | None:
        # Of a file from Windows: it would be the end of each argument.
        if self._strip and record.endswith(b"\r"):
            record = record[:-1]
        try:
            text = record.decode("utf-8", self._errors)
        except UnicodeDecodeError as error:
            return unreadable(number, record, f"it is not UTF-8: {_where(error)}")
        return Item(number=number, raw=record, shown=text, args=(text,))

    def last(self) -> Item | None:
        return None


class JsonLines:
    """A JSON value a line is the one argument; with ``star`` a list is the arguments, an object the keywords."""

    separator = b"\n"

    def __init__(self, *, star: bool) -> None:
        self.name, self._star = "jsonl*" if star else "jsonl", star

    def item(self, record: bytes, number: int) -> Item | None:
        if number == 1:
            record = record.removeprefix(BYTE_ORDER_MARK)
        record = record.strip()
        if not record:
            return None
        try:
            value = json.loads(record.decode("utf-8"))
        except UnicodeDecodeError as error:
            return unreadable(number, record, f"it is not UTF-8: {_where(error)}")
        # RecursionError: ten thousand brackets are valid JSON.
        except (ValueError, RecursionError) as error:
            return unreadable(number, record, f"it is not JSON: {error}")
        if self._star and isinstance(value, list):
            return Item(number=number, raw=record, shown=value, args=tuple(value))
        if self._star and isinstance(value, dict):
            return Item(number=number, raw=record, shown=value, kwargs=value)
        return Item(number=number, raw=record, shown=value, args=(value,))

    def last(self) -> Item | None:
        return None


class CsvRows:
    """A header, then rows: each is the keywords of a call, or with ``as_dict`` one dict. Fields stay text."""

    separator = b"\n"

    def __init__(self, *, as_dict: bool) -> None:
        self.name, self._as_dict = "csv-dict" if as_dict else "csv", as_dict
        self._header: list[str] | None = None
        self._open: list[bytes] = []  # lines of a row whose quotes are not closed yet
        self._quotes = self._size = 0
        self._began = 0

    def item(self, record: bytes, number: int) -> Item | None:
        if not self._open:
            self._began = number
        self._open.append(record)
        self._quotes += record.count(b'"')
        self._size += len(record)
        # A quote that is never closed would take in the rest of the file.
        if self._quotes % 2 and self._size <= RECORD_BYTES_MAX:
            return None  # a line break inside a quoted field
        return self._row()

    def last(self) -> Item | None:
        return self._row() if self._open else None

    def _row(self) -> Item | None:
        raw, closed = b"\n".join(self._open), not self._quotes % 2
        self._open, self._quotes, self._size = [], 0, 0
        if not closed:
            return self._bad(raw, "it is not a CSV row: a quote is not closed")
        try:
            text = raw.removeprefix(BYTE_ORDER_MARK).decode("utf-8")
            fields = next(csv.reader([text], strict=True), [])
        except (UnicodeDecodeError, csv.Error) as error:
            reason = f"not UTF-8: {_where(error)}" if isinstance(error, UnicodeDecodeError) else str(error)
            return self._bad(raw, f"it is not a CSV row: {reason}")
        if not fields:
            return None
        if self._header is None:
            self._header = _header(fields)
            return None
        if len(fields) != len(self._header):
            return self._bad(raw, f"it has {len(fields)} fields, the header has {len(self._header)}")
        row = dict(zip(self._header, fields, strict=True))
        if self._as_dict:
            return Item(number=self._began, raw=raw, shown=row, args=(row,))
        return Item(number=self._began, raw=raw, shown=row, kwargs=row)

    def _bad(self, raw: bytes, error: str) -> Item:
        if self._header is None:
            raise InvalidArgument(f"line {self._began}, the header: {error}")
        return unreadable(self._began, raw, error)


def unreadable(number: int, raw: bytes, error: str) -> Item:
    return Item(number=number, raw=raw, shown=raw.decode("utf-8", "backslashreplace"), error=error)


def _header(fields: Sequence[str]) -> list[str]:
    names = [name.strip() for name in fields]
    double = {name for name in names if names.count(name) > 1}
    if double or "" in names:
        what = f"the name {min(double)!r} twice" if double else "a column without a name"
        raise InvalidArgument(f"the header of the CSV has {what}")
    return names


def _where(error: UnicodeDecodeError) -> str:
    return f"byte 0x{error.object[error.start]:02x} at position {error.start + 1}"
