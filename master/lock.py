"""One master per data directory: a lock the kernel holds for the process and drops when it dies."""

from __future__ import annotations

import os
from pathlib import Path

from ..common.errors import ConfigError

LOCK_FILE = "master.lock"


class DataLock:
    """Held from creation to ``release``; the file names the process that holds it."""

    def __init__(self, directory: Path) -> None:
        path = directory / LOCK_FILE
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _lock(self._descriptor):
            other = _name(self._descriptor)
            os.close(self._descriptor)
            raise ConfigError(
                f"another tq-master (process {other}) uses {directory}; stop it first, or give this one "
                "another --data directory"
            )
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        os.close(self._descriptor)


def holder(directory: Path) -> str | None:
    """The process that holds a directory's lock, if any does. Nothing is written."""
    try:
        descriptor = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return None if _lock(descriptor) else _name(descriptor)
    finally:
        os.close(descriptor)


def _name(descriptor: int) -> str:
    return os.pread(descriptor, 64, 0).decode("ascii", "replace").strip() or "unknown"


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
