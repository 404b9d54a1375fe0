"""A record of what happened, for a checker: one JSON line an event. Written only when ``TQ_HISTORY`` names a directory.

Each process appends to a file of its own, ``<who>-<pid>.jsonl``, one unbuffered write a line, so that a process that is
killed leaves everything it had recorded. Tests of durability read all files together; tq itself reads none. When the variable
is not set, there is no History and nothing is written.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any, Final, Protocol

VARIABLE: Final = "TQ_HISTORY"


class Note(Protocol):
    """Takes an event: ``note("leased", id=…, attempt=…)``."""

    def __call__(self, what: str, /, **fields: Any) -> None: ...


class History:
    """One process's file. Times are the monotonic clock's, which all processes of one host share."""

    def __init__(self, directory: Path, who: str) -> None:
        path = directory / f"{who}-{os.getpid()}.jsonl"
        self._who = who
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def __call__(self, what: str, /, **fields: Any) -> None:
        event = {"t": time.monotonic(), "who": self._who, "pid": os.getpid(), "what": what, **fields}
        os.write(self._file, json.dumps(event, default=bytes.hex).encode() + b"\n")


def open_history(who: str) -> Note | None:
    """The history of this process, if one is asked for."""
    directory = os.environ.get(VARIABLE)
    return History(Path(directory), who) if directory else None


def digest(body: bytes | None) -> str:
    """A result's fingerprint: what two sides compare instead of the result."""
    return hashlib.sha256(body or b"").hexdigest()[:16]
