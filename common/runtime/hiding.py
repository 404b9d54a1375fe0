"""Keeping a key inside the process that received it: no core dump, no debugger, nothing left in its environment.

A worker runs other people's code as its own user, and the kernel lets processes of one user read each other:
``/proc/PID/environ`` has what a program was *started* with, even if it has removed it since, and a debugger reads all of its
memory. ``exec`` undoes this for children: they hold no key, and may be debugged.

What remains is in docs/security.md: root sees everything, and so does anyone who sees the parent's environment.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from pathlib import Path
from typing import Final

PR_SET_DUMPABLE: Final = 4
ENV_START, ENV_END = 47, 48  # in /proc/self/stat, counted from behind the program's name in brackets

_core_limits: tuple[int, int] | None = None  # as they were, for children


def hide_process() -> None:
    """From now on no process of the same user can read this one's memory or first environment, and it leaves no core dump."""
    global _core_limits
    with contextlib.suppress(ImportError, ValueError, OSError):  # Windows, or a limit that may not be touched
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
        _core_limits = soft, hard
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def show_child(pid: int) -> None:
    """A child that runs tasks has the limit of core dumps that this process was started with."""
    if _core_limits is not None and sys.platform == "linux":
        import resource

        with contextlib.suppress(OSError):  # it has died already
            resource.prlimit(pid, resource.RLIMIT_CORE, _core_limits)


def take_variable(name: str) -> str | None:
    """A variable's value, which is then nowhere in this process's environment: neither that of its children, nor the
    bytes that the kernel laid down when it was started and shows in ``/proc``."""
    value = os.environ.get(name)
    if value is not None and sys.platform == "linux":
        with contextlib.suppress(
            OSError, ValueError, IndexError
        ):  # no /proc here: no other process sees it there either
            _overwrite(os.fsencode(name) + b"=" + os.fsencode(value))
    os.environ.pop(name, None)
    return value


def _overwrite(entry: bytes) -> None:
    """Wherever it stands in the first environment, which is this process's own memory and may be written."""
    words = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
    start, end = int(words[ENV_START]), int(words[ENV_END])
    if not 0 < start < end:
        return
    first = ctypes.string_at(start, end - start)
    place = 0
    for one in first.split(b"\0"):
        if one == entry:
            value = entry.index(b"=") + 1
            ctypes.memset(start + place + value, 0, len(entry) - value)
        place += len(one) + 1
