"""The input: standard input, files, or the arguments after ``:::``. Can read without blocking.

It reads 64 KiB at a time, and only when the window has room: a producer at the other end of a pipe is slowed by the full
pipe.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Sequence
from typing import Final

from ....common.errors import InvalidArgument
from .items import InputFormat, Item, RecordSplitter

READ_BYTES: Final = 64 * 1024
STDIN: Final = "-"


class Source:
    """Items, a few at a time. ``paths``: files read one after the other, ``-`` is standard input; or ``arguments``."""

    def __init__(
        self, form: InputFormat, *, paths: Sequence[str] = (STDIN,), arguments: Sequence[str] | None = None
    ) -> None:
        self._form, self._splitter = form, RecordSplitter(form.separator)
        self._records: deque[bytes] = deque()
        self._paths = deque(paths if arguments is None else ())
        self._descriptor: int | None = None
        self._number = self._items = self._bytes = 0
        self._bytes_total: int | None = None
        self._exhausted = arguments is not None
        if arguments is not None:
            self._records.extend(os.fsencode(argument) for argument in arguments)
        else:
            self._bytes_total = _size_of(paths)
            self._open_next()

    @property
    def descriptor(self) -> int | None:
        """What to wait for before ``read``; None when nothing is left to read."""
        return self._descriptor

    @property
    def has_records(self) -> bool:
        """Whether ``take`` may give something without a ``read``."""
        return bool(self._records)

    @property
    def is_exhausted(self) -> bool:
        """Everything was read and taken."""
        return self._exhausted and not self._records

    @property
    def last_number(self) -> int:
        """Of the records taken so far."""
        return self._number

    @property
    def total(self) -> int | None:
        """How many items there will be: exact at the end of the input, a guess by size before, or unknown."""
        if self._exhausted:
            return self._items + len(self._records)
        if self._bytes_total and self._number:
            records = self._number + len(self._records)
            return max(records, round(self._bytes_total * records / max(1, self._bytes)))
        return None

    def read(self) -> None:
        """One read. Blocks unless ``descriptor`` is ready."""
        if self._descriptor is None:
            return
        data = os.read(self._descriptor, READ_BYTES)
        self._bytes += len(data)
        if data:
            self._records.extend(self._splitter.feed(data))
        else:
            self._records.extend(self._splitter.end())
            self._open_next()

    def take(self, most: int) -> list[Item]:
        """The next items of what was read."""
        items: list[Item] = []
        while self._records and len(items) < most:
            self._number += 1
            item = self._form.item(self._records.popleft(), self._number)
            if item is not None:
                items.append(item)
        if self.is_exhausted and (rest := self._form.last()) is not None:
            items.append(rest)
        self._items += len(items)
        return items

    def close(self) -> None:
        if self._descriptor:  # standard input is not ours to close
            os.close(self._descriptor)
        self._descriptor = None

    def _open_next(self) -> None:
        self.close()
        if not self._paths:
            self._exhausted = True
            return
        path = self._paths.popleft()
        try:
            # A directory can be opened; only reading it would fail, and with a worse message.
            self._descriptor = 0 if path == STDIN else os.open(path, os.O_RDONLY)
            if stat.S_ISDIR(os.fstat(self._descriptor).st_mode):
                raise IsADirectoryError("it is a directory")
        except OSError as error:
            raise InvalidArgument(f"cannot read {path}: {error.strerror or error}") from None


def _size_of(paths: Sequence[str]) -> int | None:
    """The bytes of all inputs, if all are files."""
    total = 0
    for path in paths:
        try:
            found = os.fstat(0) if path == STDIN else os.stat(path)
        except OSError:
            return None
        # A pipe has no size: the total is unknown until its end.
        if not stat.S_ISREG(found.st_mode):
            return None
        total += found.st_size
    return total
