"""The machine a reading was taken on, in one line: figures alone say more about it than about a program."""

from __future__ import annotations

import os
import platform
import sqlite3
import ssl
import tempfile
from pathlib import Path

import psutil


def machine() -> str:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    load = os.getloadavg()[0]
    return (
        f"{usable} cores of {_processor()}, {psutil.virtual_memory().total / 2**30:.0f} GiB; "
        f"{platform.system()} {platform.release()}, state on {_filesystem()}; "
        f"{platform.python_implementation()} {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"{ssl.OPENSSL_VERSION.rsplit(' ', 3)[0]}; load of the machine at the start {load:.1f}"
    )


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def _filesystem() -> str:
    """Of the directory for temporary files, where measured masters keep their state: a RAM disk syncs nothing."""
    here = Path(tempfile.gettempdir()).resolve()
    fitting = [part for part in psutil.disk_partitions(all=True) if here.is_relative_to(part.mountpoint)]
    return max(fitting, key=lambda part: len(part.mountpoint)).fstype if fitting else "an unknown file system"
