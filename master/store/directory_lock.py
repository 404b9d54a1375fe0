"""One master per data directory: locks the kernel holds for the process and drops when it dies.

There are two: on the directory itself, which unlike a file in it cannot be removed while a master uses it, and on a file in
it, for systems that lock no directories. The file also names the process, and whether it closed the store before it ended.

Who only wants to know whether a directory is used (``holder``) shares a lock for the time of the question, since there is none that is asked in
another way wherever this runs. So several who look do not see one another, and a master that starts looks again before it believes that
another one has it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from pathlib import Path
from typing import Final

from ...common.errors import ConfigError

LOCK_FILE: Final = "master.lock"
# Written over as a whole, so that the file is never truncated: a number of 64 bits and OPEN
TEXT_CHARS: Final = 32
LOOKS: Final = 20  # at a lock that is taken, until it is believed to be a master's
LOOK_AGAIN_SECONDS: Final = 0.01
OPEN: Final = "open"  # after the number of a process that has the store open
UNKNOWN: Final = "unknown"
NO_LOCK: Final = -1  # in the place of a descriptor: this system locks no directories
# A link could lead to a file of another user, and opening a FIFO would block: neither is a lock.
OPENING: Final = (
    os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
)


class DataLock:
    """Held from creation to ``release``. ``was_closed``: the master before closed its store, as far as is known."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / LOCK_FILE
        self._directory, self._descriptor = self._lock_both(directory)
        # Behind the lock: before it, the text could be of a master that still runs. And before the own text is written over it.
        self.was_closed = not _text(self._descriptor).endswith(OPEN)
        self._say(f"{os.getpid()} {OPEN}")

    def _lock_both(self, directory: Path) -> tuple[int, int]:
        """The directory's descriptor, and that of the file."""
        for looks in range(1, LOOKS + 1):
            locked = _lock_directory(directory)
            try:
                descriptor = _open(self._path)
            except BaseException:
                _close(locked)
                raise
            if locked is not None and _lock(descriptor):
                return locked, descriptor
            other = _name(descriptor)
            os.close(descriptor)
            _close(locked)
            if looks < LOOKS:
                time.sleep(LOOK_AGAIN_SECONDS)
        raise ConfigError(
            f"another tq-master (process {other}) uses {directory}; stop it first, or give this one another --data directory"
        )

    def say_closed(self) -> None:
        """The store has no log beside it that would be missed: from now on this process may end at any moment."""
        self._say(str(os.getpid()))

    def release(self, *, closed: bool = False) -> str | None:
        """``closed``: the store was, and has no log beside it any more. The lock is released even if the disk fails. Returns
        why the end could not be written into the lock's file."""
        unwritten = None
        if closed:
            try:
                self.say_closed()
            except OSError as error:  # a file system that became read-only
                unwritten = (
                    f"cannot write {self._path}: {error.strerror}; what was acknowledged is on disk, but the next start cannot "
                    "know that the store was closed: make the data directory writable before it"
                )
        _close(self._descriptor)
        _close(self._directory)
        return unwritten

    def _say(self, text: str) -> None:
        os.pwrite(self._descriptor, text.ljust(TEXT_CHARS).encode(), 0)


def holder(directory: Path) -> str | None:
    """The process that holds a directory's lock, if any does. Nothing is written."""
    try:
        locked = _lock_directory(directory, shared=True)
    except OSError:
        return None
    try:
        descriptor = os.open(directory / LOCK_FILE, OPENING)
    except OSError:
        _close(locked)
        return UNKNOWN if locked is None else None
    try:
        return None if locked is not None and _lock(descriptor, shared=True) else _name(descriptor)
    finally:
        os.close(descriptor)
        _close(locked)


def _open(path: Path) -> int:
    """The lock's own file: regular, under no other name, reached by no link."""
    remedy = f"stop what made it so, then: rm {path}"
    try:
        descriptor = os.open(path, OPENING | os.O_CREAT, 0o600)
    except OSError as error:
        if error.errno == errno.EISDIR:
            raise ConfigError(f"{path} is a directory, not the lock of a master; move it away") from None
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise ConfigError(f"{path} is a link or a device, not the lock of a master; {remedy}") from None
        raise
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        os.close(descriptor)
        raise ConfigError(
            f"{path} is not a plain file with one name, so it is not the lock of a master; {remedy}"
        )
    return descriptor


def _name(descriptor: int) -> str:
    return _text(descriptor).removesuffix(OPEN).strip() or UNKNOWN


def _text(descriptor: int) -> str:
    return os.pread(descriptor, TEXT_CHARS, 0).decode("ascii", "replace").strip()


def _close(descriptor: int | None) -> None:
    """Release the lock, too. The kernel closes the descriptor also when it reports an error of the disk."""
    if descriptor is not None and descriptor != NO_LOCK:
        with contextlib.suppress(OSError):
            os.close(descriptor)


def _lock_directory(directory: Path, *, shared: bool = False) -> int | None:
    """The descriptor that holds the lock of a directory; NO_LOCK where there are none; None: another process has it."""
    try:
        import fcntl
    except ImportError:  # Windows
        return NO_LOCK
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        # NFS turns it into a lock that needs write access, which a directory does not give
        return None if error.errno in (errno.EWOULDBLOCK, errno.EACCES) else NO_LOCK
    return descriptor


def _lock(descriptor: int, *, shared: bool = False) -> bool:
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
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
