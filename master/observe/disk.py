"""``get_disk()``: how much room the master's disk has and how long it takes to sync, measured on request.

It runs in a thread, as a user's exposed object does: a disk that hangs blocks the caller and not the event loop.
There is one measurement at a time, and a pause after each, so that frequent calls do not load the disk.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from ...common.contract.exposed import exposed
from ...common.domain.model import Role

PROBE_FILE: Final = ".fsync-probe"
PROBE_BYTES: Final = 4_096  # what one small commit appends
SYNCS: Final = 5  # odd: the one in the middle counts
REST_SECONDS: Final = 5.0  # after a measurement; calls in this time get its result


class DiskProbe:
    """The disk below a directory."""

    def __init__(self, directory: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._directory, self._clock = directory, clock
        self._measuring = threading.Lock()
        self._last: dict[str, Any] = {}
        self._measured_at = -REST_SECONDS

    @exposed(Role.VIEWER)
    def measure(self) -> dict[str, Any]:
        """``free_bytes``, ``total_bytes`` and ``fsync_seconds``. During another call's measurement: the previous result, or
        an empty map if there is none. Only ``error`` if the disk cannot be written."""
        if not self._measuring.acquire(blocking=False):
            return self._last
        try:
            if self._clock() - self._measured_at >= REST_SECONDS:
                self._last = self._look()
                self._measured_at = self._clock()
            return self._last
        finally:
            self._measuring.release()

    def _look(self) -> dict[str, Any]:
        try:
            room = shutil.disk_usage(self._directory)
            seconds = _fsync_seconds(self._directory / PROBE_FILE)
        except OSError as error:
            return {"error": f"{self._directory}: {error.strerror}"}
        return {"free_bytes": room.free, "total_bytes": room.total, "fsync_seconds": seconds}


def _fsync_seconds(file: Path) -> float:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        took = []
        for _ in range(SYNCS):
            os.write(descriptor, bytes(PROBE_BYTES))
            began = time.perf_counter()
            os.fsync(descriptor)
            took.append(time.perf_counter() - began)
        return sorted(took)[SYNCS // 2]
    finally:
        os.close(descriptor)
        file.unlink(missing_ok=True)
