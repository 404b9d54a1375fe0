"""How much memory processes have, and whether the kernel has recently killed one for lack of memory.

On Linux both are in files that take some ten microseconds to read; elsewhere psutil has the first, and the second is
unknown.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from pathlib import Path
from typing import Final

from ..agent.jobs import Death

PAGE_SIZE: Final = os.sysconf("SC_PAGE_SIZE")
MAXRSS_UNIT: Final = 1 if sys.platform == "darwin" else 1024  # bytes there, kibibytes everywhere else
CGROUPS: Final = Path("/sys/fs/cgroup")


def resident_bytes(pid: int) -> int:
    """Physical memory of a process; 0 when it is gone."""
    if sys.platform == "linux":
        try:
            with open(f"/proc/{pid}/statm", "rb") as file:
                return int(file.read().split()[1]) * PAGE_SIZE
        except (OSError, IndexError):
            return 0
    import psutil

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


class KernelKills:
    """Counts the kills of the kernel's out-of-memory killer, as far as this process may read them."""

    def __init__(self) -> None:
        self._files = [Path("/proc/vmstat"), *(folder / "memory.events" for folder in _own_cgroups())]
        self._seen = self._count()

    def has_killed(self) -> bool:
        """Whether it has killed anything since the last call."""
        # Counters only grow: what is more than at the last look was killed since.
        before, self._seen = self._seen, self._count()
        return self._seen > before

    def _count(self) -> int:
        total = 0
        for file in self._files:
            with contextlib.suppress(OSError):
                found = re.search(r"^oom_kill (\d+)$", file.read_text("ascii"), re.MULTILINE)
                total += int(found[1]) if found else 0
        return total


def group_limit_bytes() -> int | None:
    """The memory limit of this process's control group; None: there is none, or it cannot be read."""
    limits = []
    for folder in _own_cgroups():
        with contextlib.suppress(OSError, ValueError):  # "max" is no number
            limits.append(int((folder / "memory.max").read_text("ascii")))
    # The group's own limit, or that of what it is in: the lower one is met first.
    return min(limits, default=None)


def _own_cgroups() -> list[Path]:
    """The folders that describe this process's control group; in a container, the root of what is mounted."""
    with contextlib.suppress(OSError):
        found = re.search(r"^0::(/.*)$", Path("/proc/self/cgroup").read_text("utf-8"), re.MULTILINE)
        if found:
            # In a container the path in the file may be the host's, which is
            # not mounted: then the root has the numbers.
            return list(dict.fromkeys([CGROUPS, CGROUPS / found[1].lstrip("/")]))
    return []


class DeathExaminer:
    """Adds to a death what this host knows about it. ``limit_bytes``: of one child; 0: no limit."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes, self._kills = limit_bytes, KernelKills()

    def examined(self, death: Death, last_lines: str) -> Death:
        return death._replace(
            limit_bytes=self._limit_bytes or group_limit_bytes(),
            is_starved=self._kills.has_killed(),
            last_lines=last_lines,
        )
