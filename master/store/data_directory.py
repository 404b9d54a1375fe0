"""Checks the data directory before anything is read or written in it: can only this user change it?

A user who may write to it can replace keys, certificate and database, and so become the master; one who may write to a
directory above can put another in its place. As with ssh, such a directory is refused rather than used with a warning.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from ...common.errors import ConfigError

OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
ROOT: Final = 0


def make_directory(data: Path) -> None:
    """Make it if it is missing, writable for this user only. Raises ConfigError with the line to run."""
    problem = fault(data)
    if problem is not None:
        raise ConfigError(problem)
    try:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigError(
            f"cannot make the data directory {data}: {error.strerror}; choose another with --data"
        ) from error
    if not os.access(data, os.W_OK | os.X_OK):
        raise ConfigError(
            f"the data directory {data} is not writable for this user; chown it, or choose another with --data"
        )


def fault(data: Path) -> str | None:
    """Why others could change what is, or will be, in this directory, and the line that prevents it; None: they cannot."""
    if not hasattr(os, "geteuid"):  # Windows: access lists, which a user's own directories have right
        return None
    where = data.absolute()
    try:
        own = where.stat()
    except OSError:
        pass  # it does not exist yet, or opening it will say why not
    else:
        if not _is_trusted(own):
            return (
                f"the data directory {data} belongs to user {own.st_uid}, who could replace the keys in it; run tq-master "
                f"as that user, or: chown -R {os.geteuid()} {data}"
            )
        if stat.S_ISDIR(own.st_mode) and own.st_mode & OTHERS_WRITE:
            return f"others may write to the data directory {data}, and so replace its keys; run: chmod go-w {data}"
    for above in dict.fromkeys(
        [*where.parents, *where.resolve().parents]
    ):  # of a link, and of where it leads
        problem = _fault_above(data, above)
        if problem is not None:
            return problem
    return None


def _fault_above(data: Path, above: Path) -> str | None:
    """Why others could rename what is in this directory. A group may: it was given that right, as to a volume."""
    try:
        status, parent = above.stat(), above.parent.stat()
    except OSError:
        return None
    if status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
        return (
            f"all users may write to {above}, and so put another directory in the place of {data}; run: chmod o-w {above}, "
            "or choose another with --data"
        )
    if _is_shared(parent) and not _is_trusted(status):
        return (
            f"{above} belongs to user {status.st_uid}, in a directory where all users may make one, and that user could replace "
            f"{data}; choose another with --data"
        )
    return None


def _is_trusted(status: os.stat_result) -> bool:
    return status.st_uid in (ROOT, os.geteuid())


def _is_shared(status: os.stat_result) -> bool:
    """As /tmp is."""
    return bool(status.st_mode & stat.S_ISVTX and status.st_mode & stat.S_IWOTH)
