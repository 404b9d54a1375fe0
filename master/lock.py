"""One master per data directory: a lock the kernel holds for the process and drops when it dies."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

from ..common.errors import ConfigError

LOCK_FILE: Final = "master.lock"
PID_CHARS: Final = 20  # written over as a whole, so that the file is never cut: a number of 64 bits
# A link would lead to a file that is somebody's, a FIFO would stop the start: neither is a lock.
OPENING: Final = (
    os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
)


class DataLock:
    """Held from creation to ``release``; the file names the process that holds it."""

    def __init__(self, directory: Path) -> None:
        self._descriptor = _open(directory / LOCK_FILE)
        if not _lock(self._descriptor):
            other = _name(self._descriptor)
            os.close(self._descriptor)
            raise ConfigError(
                f"another tq-master (process {other}) uses {directory}; stop it first, or give this one "
                "another --data directory"
            )
        os.pwrite(self._descriptor, str(os.getpid()).ljust(PID_CHARS).encode(), 0)

    def release(self) -> None:
        os.close(self._descriptor)


def holder(directory: Path) -> str | None:
    """The process that holds a directory's lock, if any does. Nothing is written."""
    try:
        descriptor = os.open(directory / LOCK_FILE, OPENING)
    except OSError:
        return None
    try:
        return None if _lock(descriptor) else _name(descriptor)
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    """The lock's own file: regular, under no other name, reached by no link."""
    remedy = f"stop what made it so, then: rm {path}"
    try:
        descriptor = os.open(path, OPENING | os.O_CREAT, 0o600)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise ConfigError(f"{path} is a link or a device, not the lock of a master; {remedy}") from None
        raise
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        os.close(descriptor)
        raise ConfigError(
            f"{path} is no regular file, or has other names, so it is not the lock of a master; {remedy}"
        )
    return descriptor


def _name(descriptor: int) -> str:
    return os.pread(descriptor, PID_CHARS, 0).decode("ascii", "replace").strip() or "unknown"


def _lock(descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            return False
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
