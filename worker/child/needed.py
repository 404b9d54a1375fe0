"""Results of other tasks that the running one needs, fetched from the master page by page.

Calls are made by threads of their own: a time limit is raised in the task's thread at any point, and in the middle of a frame it
would corrupt the connection.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from typing import Final

from ...common.contract.dependencies import DEPENDENCIES
from ...common.errors import StoreError, Unreachable
from ...common.values.needed import Rows
from ...common.wire.caller import PlainLink
from .shard_routes import of_task

TRIES: Final = 20  # of a call whose connection broke; each waits for the next connection
PAUSE_SECONDS: Final = 0.2  # before a call is made again that the master's store has refused


def fetch(link: PlainLink, id: bytes, attempt: int, lease: bytes, first: bytes) -> Rows:
    """The outcomes of what a task needs, from ``first`` on. Raises TqError."""
    fetched: Future[Rows] = Future()

    def run() -> None:
        try:
            fetched.set_result(_asked(link, id, attempt, lease, first))
        except BaseException as error:
            fetched.set_exception(error)

    threading.Thread(target=run, name="tq-needed", daemon=True).start()
    return fetched.result()


def _asked(link: PlainLink, id: bytes, attempt: int, lease: bytes, first: bytes) -> Rows:
    tries = TRIES
    while tries:
        try:
            target = of_task(id, (DEPENDENCIES.name,))
            rows: Rows = link.call(target, "results", id, attempt, lease, first).result()
        except Unreachable:
            tries -= 1
            continue
        except (
            StoreError
        ):  # the master's trouble is not a failure of the task; without its lease it is refused
            time.sleep(PAUSE_SECONDS)
            continue
        return rows
    raise Unreachable("the connection breaks before the results of other tasks have come")
