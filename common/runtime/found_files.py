"""Files that a program finds by itself, without a name from its user: their owner and kind are checked before use.

In a directory that others can write to, a file may be a pipe that never answers, a device, or another user's. So it is opened
without waiting, and used only if it is a regular file of this user or of root.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

ROOT: Final = 0
OPENING: Final = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
BYTES_MAX: Final = 64 * 1024  # of an address, a key or a list of known masters


class Unfit(Exception):
    """The file exists and is not used; the text says why, and reads on from the file's name."""

    is_empty = False


def open_found(path: Path) -> int:
    """A descriptor of the file. Raises OSError if there is none, Unfit if it must not be used."""
    descriptor = os.open(path, OPENING)
    try:
        _check(os.fstat(descriptor))
    except Unfit:
        os.close(descriptor)
        raise
    return descriptor


def read_found(path: Path, *, private: bool = False, bytes_max: int = BYTES_MAX) -> str:
    """Its text, stripped. ``private``: it holds a secret, so that others must not even read it."""
    descriptor = open_found(path)
    try:
        if private and stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077:
            raise Unfit(f"can be read by others; chmod 600 {path}")
        data = os.read(descriptor, bytes_max + 1)
    finally:
        os.close(descriptor)
    try:
        text = data.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise Unfit("is not UTF-8 text") from None
    if len(data) > bytes_max:
        raise Unfit(f"has more than {bytes_max:,} bytes")
    if not text:
        empty = Unfit("is empty")
        empty.is_empty = True
        raise empty
    return text


def _check(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise Unfit("is not a regular file")
    if not hasattr(os, "geteuid"):  # Windows
        return
    if status.st_uid not in (ROOT, os.geteuid()):
        raise Unfit(f"belongs to user {status.st_uid}")
    if stat.S_IMODE(status.st_mode) & 0o022:
        raise Unfit("may be written to by others")
