"""How long the main thread of a process could have run and had no processor: on a machine under load, as a niced one, or at its quota.

The kernel counts it (``schedstat``), but for the wait that is not over yet. That one is known by what does not grow: a thread that can run and
whose counts stand still waits. Where the kernel does not say, nothing is known of it, and nothing is counted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

NS: Final = 1e-9
RUNNABLE: Final = "R"  # it runs, or waits for a processor


class Starvation:
    """Of one process. ``folder``: of its files."""

    def __init__(self, pid: int, folder: Path | None = None) -> None:
        folder = folder or Path("/proc", str(pid))
        self._counts, self._state = folder / "schedstat", folder / "stat"
        self._last, self._since = "", 0.0  # what it said last, and when that was new

    def seconds(self, now: float) -> float:
        """In its life."""
        try:
            counts = self._counts.read_text("ascii")
            _, waited_ns, _ = counts.split()
            if counts != self._last:
                self._last, self._since = counts, now
            elif self._state.read_text("utf-8", "replace").rpartition(")")[2].split()[0] == RUNNABLE:
                return int(waited_ns) * NS + now - self._since
            return int(waited_ns) * NS
        except (OSError, ValueError, IndexError):  # another system, or it is gone
            return 0.0
