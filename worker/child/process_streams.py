"""Standard input, output and error of a child, as objects and as descriptors: the same, and open, for each task."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import sys
from typing import Any, Final

from .output import OutputStream, OutputWriter, open_stream

NAMES: Final = ("stdin", "stdout", "stderr")  # each at the place of its descriptor
FIRST_COPY: Final = len(NAMES)  # copies are never one of the three, should that be closed now
_fstat, _dup2, _close, _fcntl = os.fstat, os.dup2, os.close, fcntl.fcntl


class Streams:
    """See ``process_state.ProcessPart``."""

    made_by_imports = False

    def __init__(self, writer: OutputWriter) -> None:
        self._writer = writer
        self._copies: list[int | None] = []

    def note(self) -> None:
        for one in self._copies:
            if one is not None:
                _close(one)
        self._objects = [getattr(sys, name, None) for name in NAMES]
        self._formats = list(map(_format, self._objects))
        self._copies = list(map(_copy, range(len(NAMES))))
        self._files = self._open_files()

    def differs(self) -> bool:
        return (
            any(getattr(sys, name, None) is not one for name, one in zip(NAMES, self._objects, strict=True))
            or list(map(_format, self._objects)) != self._formats
            or self._open_files() != self._files
        )

    def put_back(self) -> None:
        for descriptor, copy in enumerate(self._copies):
            # By device and inode: a number says nothing of the file behind it.
            if copy is not None and _identity(descriptor) != self._files[descriptor]:
                _dup2(copy, descriptor)
        for descriptor, (noted, form) in enumerate(zip(self._objects, self._formats, strict=True)):
            stream = noted
            # ``type``: a subclass of a task's own may do anything.
            if type(stream) is io.TextIOWrapper and form is not None and _format(stream) != form:
                stream = self._objects[descriptor] = self._usable(stream, descriptor)
                encoding, errors, is_line_buffered, is_written_through = form
                stream.reconfigure(
                    encoding=encoding,
                    errors=errors,
                    line_buffering=is_line_buffered,
                    write_through=is_written_through,
                )
            setattr(sys, NAMES[descriptor], stream)

    def _usable(self, stream: io.TextIOWrapper, descriptor: int) -> io.TextIOWrapper:
        """It, or what stands for it if the task has taken it apart: others that have it keep what can be opened again."""
        with contextlib.suppress(ValueError):  # its binary stream was detached, and may be in use elsewhere
            if type(stream.buffer) is OutputStream:
                stream.buffer.reopen()
            if not stream.closed:
                return stream
        if descriptor == 0:
            # The descriptor is the process's: it stays when this object is closed.
            return open(0, closefd=False)
        return open_stream(self._writer, descriptor)

    def _open_files(self) -> list[tuple[int, int] | None]:
        return list(map(_identity, range(len(NAMES))))


def _format(stream: Any) -> tuple[str, str | None, bool, bool] | None:
    """How it writes. None: it does not, or it is no stream of ours or of Python's."""
    if type(stream) is not io.TextIOWrapper:
        return None
    try:
        if stream.closed:
            return None
    except ValueError:  # it was detached
        return None
    return stream.encoding, stream.errors, stream.line_buffering, stream.write_through


def _copy(descriptor: int) -> int | None:
    try:
        return _fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, FIRST_COPY)
    except OSError:  # it was closed when the user's code was imported, and stays so
        return None


def _identity(descriptor: int) -> tuple[int, int] | None:
    try:
        found = _fstat(descriptor)
    except OSError:
        return None
    return found.st_dev, found.st_ino
