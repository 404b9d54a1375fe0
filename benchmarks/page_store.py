"""A master's store with very many tasks that are a row each, made without a client.

One in a hundred is of a queue of its own, and one in ten thousand of another: a filter finds many, few or nearly none.
"""

from __future__ import annotations

from typing import Final

from tq.common.domain.ids import IdMaker
from tq.common.domain.model import StateNumber
from tq.common.values.codec import encode_call
from tq.master.store.cluster_files import STORE_FILE
from tq.master.store.interface.tasks import NewTasks
from tq.master.store.sqlite.store import SqliteStore

from .cluster import Measured

AT_ONCE: Final = 10_000
OFTEN: Final = "often"
SELDOM: Final = {"rare": 10_000, "seldom": 100}  # by queue: one in so many
TASK: Final = "elsewhere:served"
LONG_AGO: Final = 1


def fill_rows(measured: Measured, tasks: int) -> None:
    """The master is away meanwhile."""
    measured.stop_master()
    store = SqliteStore(measured.state / STORE_FILE, "os")
    try:
        _insert(store, tasks)
    finally:
        store.close()
    measured.start_master()


def _insert(store: SqliteStore, tasks: int) -> None:
    store.begin()
    routes = {queue: store.add_route(queue, TASK) for queue in (OFTEN, *SELDOM)}
    store.commit()
    ids, payload = IdMaker(), encode_call((1,), {})
    for first in range(1, tasks + 1, AT_ONCE):
        rows: dict[str, list[tuple[int, bytes, bytes]]] = {queue: [] for queue in routes}
        for seq, id in enumerate(ids.many(min(AT_ONCE, tasks + 1 - first)), first):
            rows[_queue_of(seq)].append((seq, id, payload))
        store.begin()
        store.insert(
            [
                NewTasks(route=routes[queue], state=int(StateNumber.READY), created=LONG_AGO, tasks=some)
                for queue, some in rows.items()
                if some
            ]
        )
        store.commit()


def _queue_of(seq: int) -> str:
    return next((queue for queue, every in SELDOM.items() if seq % every == 0), OFTEN)
