"""Standard output for the loop: writes without blocking, and knows how many bytes are written."""

from __future__ import annotations

import os
import select
import stat
from collections import deque
from typing import Final

from ....common.errors import InvalidArgument
from ....common.runtime.cleaning import clean
from .journal import File, Record

PIPE_BYTES: Final = 4_096  # a pipe that is ready takes so many without blocking (PIPE_BUF)
FILE_BYTES: Final = 1024 * 1024
WAITING_BYTES_MAX: Final = 1024 * 1024  # beyond this nothing more is put here until some is written


class Output:
    """Unwritten bytes, each batch with the journal record that becomes true once it is written."""

    def __init__(self, descriptor: int = 1) -> None:
        self.descriptor = descriptor
        try:
            found = os.fstat(descriptor)
        except OSError:
            raise InvalidArgument(
                "standard output is closed; send it to /dev/null if it is not needed"
            ) from None
        self.is_file, self._is_terminal = stat.S_ISREG(found.st_mode), os.isatty(descriptor)
        file = (found.st_dev, found.st_ino) if self.is_file else None
        self.file: File | None = file if file != _file_of_stderr() else None  # then not all of it is ours
        self.size = found.st_size if self.is_file else 0
        self._written = os.lseek(descriptor, 0, os.SEEK_END) if self.is_file else 0
        self._put = self._written
        self._waiting: deque[bytes | memoryview] = deque()
        self._records: deque[Record] = deque()

    def cut(self, size: int) -> None:
        """Take away what stands behind ``size`` bytes of the file."""
        os.ftruncate(self.descriptor, size)
        os.lseek(self.descriptor, 0, os.SEEK_END)
        self.size = self._written = self._put = size

    @property
    def shown(self) -> int:
        """Bytes written so far, from the beginning of the file."""
        return self._written

    @property
    def waiting_bytes(self) -> int:
        return self._put - self._written

    def put(self, data: bytes, number: int, digest: int, succeeded: bool) -> None:
        """What is to be written for a line, perhaps nothing; into a file or a pipe as it is."""
        if data and self._is_terminal:
            data = clean(data.decode("utf-8", "replace")).encode()
        if data:
            self._waiting.append(data)
            self._put += len(data)
        self._records.append(Record(number, digest, succeeded, self._put))

    def write(self) -> list[Record]:
        """Write what can be written without waiting; the lines that are out. Raises BrokenPipeError, OSError."""
        poll = select.poll()
        poll.register(self.descriptor, select.POLLOUT)
        while self._waiting and (self.is_file or _is_writable(poll)):
            piece = self._next_piece()
            done = os.write(self.descriptor, piece)
            self._written += done
            if done < len(piece):
                self._waiting.appendleft(memoryview(piece)[done:])
        records = self._records
        return [records.popleft() for _ in range(len(records)) if records[0].shown <= self._written]

    def _next_piece(self) -> bytes | memoryview:
        """As much as one write may take: several short lines, or a part of a long one."""
        most = FILE_BYTES if self.is_file else PIPE_BYTES
        size, parts = 0, []
        while self._waiting and size + len(self._waiting[0]) <= most:
            parts.append(self._waiting.popleft())
            size += len(parts[-1])
        if parts:
            return b"".join(parts)
        long = memoryview(self._waiting.popleft())
        self._waiting.appendleft(long[most:])
        return long[:most]


def _file_of_stderr() -> File | None:
    try:
        found = os.fstat(2)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_writable(poll: select.poll) -> bool:
    events = poll.poll(0)
    return bool(events and events[0][1] & (select.POLLOUT | select.POLLERR | select.POLLHUP))
