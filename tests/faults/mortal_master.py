"""``tq-master`` with a fault built in, for the tests: the environment says which.

FAULT_STORE_CALL=17 with FAULT_MOMENT=before or after: the process kills itself at the 17th call of its store.
FAULT_DESCRIPTORS=64: it may open no more files and connections than that.
"""

from __future__ import annotations

import functools
import itertools
import os
import resource
import signal
from collections.abc import Callable
from typing import Any

from tq.master import boot, cli
from tq.master.store.interface import Store
from tq.master.store.sqlite import SqliteStore

CALLS = [name for name, value in vars(Store).items() if callable(value) and not name.startswith("_")]


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

    return type("MortalStore", (SqliteStore,), {name: deadly(getattr(SqliteStore, name)) for name in CALLS})


if __name__ == "__main__":
    if number := os.environ.get("FAULT_STORE_CALL"):
        boot.SqliteStore = mortal(int(number), os.environ["FAULT_MOMENT"])  # type: ignore[misc]
    if descriptors := os.environ.get("FAULT_DESCRIPTORS"):
        resource.setrlimit(resource.RLIMIT_NOFILE, (int(descriptors), int(descriptors)))
    cli.main()
