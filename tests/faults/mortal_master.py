"""``tq-master`` with a fault built in, for the tests: the environment says which.

FAULT_STORE_CALL=17 with FAULT_MOMENT=before or after: the process kills itself at the 17th call of its store.
FAULT_DESCRIPTORS=64: it may open no more files and connections than that.
FAULT_CLOCK=file: at SIGUSR2 its wall clock is set by the seconds that stand there, against what it was at the start.
"""

from __future__ import annotations

import functools
import itertools
import os
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tq.master import cli
from tq.master import shard_resources as boot
from tq.master.store.interface.store import Store
from tq.master.store.sqlite import store as sqlite_store
from tq.master.store.sqlite.store import SqliteStore

CALLS = sorted(
    name
    for part in Store.__mro__
    if part.__module__.startswith(Store.__module__.rpartition(".")[0])
    for name, value in vars(part).items()
    if callable(value) and not name.startswith("_")
)
PARTS = ("blobs", "items", "locks", "data", "dependencies", "edges", "schedules", "flows", "steps")


def mortal(number: int, moment: str) -> type[SqliteStore]:
    """A store that is the death of its process at the call of that number."""
    count = itertools.count(1)

    def deadly(method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def call(*args: Any, **keywords: Any) -> Any:
            is_it = next(count) == number
            if is_it and moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            value = method(*args, **keywords)
            if is_it:
                os.kill(os.getpid(), signal.SIGKILL)
            return value

        return call

    class MortalStore(SqliteStore):
        def __init__(self, *args: Any, **keywords: Any) -> None:
            super().__init__(*args, **keywords)
            for part in (getattr(self, name) for name in PARTS):
                for name in (name for name in dir(part) if name[0] != "_" and callable(getattr(part, name))):
                    setattr(part, name, deadly(getattr(part, name)))

    for name in CALLS:
        setattr(MortalStore, name, deadly(getattr(SqliteStore, name)))
    return MortalStore


def set_by(file: Path) -> None:
    """The wall's clock of this process is what can be set without root; all of tq reads it so."""
    real, ahead_ns = time.time_ns, 0

    def set_clock(*_: object) -> None:
        nonlocal ahead_ns
        ahead_ns = int(float(file.read_text()) * 1e9)

    time.time_ns = lambda: real() + ahead_ns
    time.time = lambda: time.time_ns() / 1e9
    signal.signal(signal.SIGUSR2, set_clock)


def know_one_more(migration: Path) -> None:
    """A version of tq whose schema is one ahead."""
    known = sqlite_store._files()
    sqlite_store._files = lambda: [*known, migration]


if __name__ == "__main__":
    if migration := os.environ.get("FAULT_MIGRATION"):
        know_one_more(Path(migration))
    if clock := os.environ.get("FAULT_CLOCK"):
        set_by(Path(clock))
    if number := os.environ.get("FAULT_STORE_CALL"):
        boot.SqliteStore = mortal(int(number), os.environ["FAULT_MOMENT"])  # type: ignore[misc]
    if descriptors := os.environ.get("FAULT_DESCRIPTORS"):
        resource.setrlimit(resource.RLIMIT_NOFILE, (int(descriptors), int(descriptors)))
    cli.main()
