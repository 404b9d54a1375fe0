"""Opens the file that a run of ``tq map`` or ``tq mail`` writes and a later run continues: for one process at a time."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import BinaryIO

from ...common.errors import InvalidArgument


def open_run_file(path: Path, *, kind: str, begun_by: str, resumed: bool) -> BinaryIO:
    """Open a file to be read and appended to, and lock it. ``begun_by`` is the option that begins one.

    Raises InvalidArgument when there is none to resume, when it cannot be written, and when another process has it.
    """
    if resumed and not path.exists():
        raise InvalidArgument(f"there is no {kind} {path}; begin one with {begun_by} {path}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "a+b")  # noqa: SIM115 - open as long as the run
    except OSError as error:
        raise InvalidArgument(f"cannot write the {kind} {path}: {error.strerror}") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise InvalidArgument(f"another process is writing the {kind} {path}") from None
    return file
