"""A file that keeps some space of the disk for the time when nothing else is left of it.

Without it a full disk stops everything: even to delete a task or to take a result writes into the store's log. It is removed when the
disk is full, and what was its space is for what is under way; it is made again when there is room for twice as much. What other
programs write meanwhile may use it up.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

RESERVE_FILE: Final = "reserve"
RESERVE_BYTES: Final = 16 * 1024 * 1024  # four times the log of a store, or a few thousand results
SHARE: Final = 8  # and at most such a part of what is free: a small disk is not to be full of it
# With less to make it of, the next transaction would find the disk full again
LEAST_BYTES: Final = 128 * 1024
CHUNK: Final = bytes(64 * 1024)


class ReserveFile:
    """In a data directory. ``make`` it before it is asked for."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / RESERVE_FILE
        self._bytes = 0

    def make(self) -> None:
        """At the start; one that is there stays, but for one of a start at which there was less room than now."""
        there = self._path.stat().st_size if self._path.exists() else 0
        self._bytes = max(there, min(RESERVE_BYTES, (there + self._free()) // SHARE))
        if there < self._bytes:
            self._write()

    def release(self) -> bool:
        """Whether there was something to release."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True

    def restore(self) -> bool:
        """Make it again, if there is room for it and for as much besides; whether it is there."""
        if self._path.exists():
            return True
        free = self._free()
        # A master that began on a full disk had nothing to make it of: what would do then is there at once, and of no use.
        self._bytes = max(self._bytes, LEAST_BYTES, min(RESERVE_BYTES, free // SHARE))
        return free >= 2 * self._bytes and self._write()

    def _free(self) -> int:
        return shutil.disk_usage(self._path.parent).free

    def _write(self) -> bool:
        descriptor = -1
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            for start in range(
                0, self._bytes, len(CHUNK)
            ):  # written, not only promised: some file systems promise too much
                os.write(descriptor, CHUNK[: self._bytes - start])
        except OSError:
            self.release()
            return False
        finally:
            if descriptor >= 0:
                os.close(descriptor)
        return True
