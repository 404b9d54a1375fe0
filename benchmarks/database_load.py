"""How long a master loads from its database before it serves: ``python -m benchmarks.database_load [TASKS]``.

Waiting tasks that were submitted one by one are a row each; those of a map are an array, some thousand in a row.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tq.common.domain.model import StateNumber
from tq.master.store.interface.tasks import NewArray, NewTasks
from tq.master.store.postgres.address import read_address
from tq.master.store.postgres.store import PostgresStore

from .postgres_server import postgres

TASKS: Final = 1_000_000
PORTION: Final = 10_000
PAYLOAD: Final = b"p" * 64
CREATED: Final = 1_700_000_000_000


def fill(store: PostgresStore, tasks: int, *, in_arrays: bool) -> None:
    store.begin()
    route = store.add_route("q", "m:f")
    store.commit()
    for first in range(1, tasks + 1, PORTION):
        numbers = range(first, min(first + PORTION, tasks + 1))
        store.begin()
        group = new_array(route, numbers) if in_arrays else new_tasks(route, numbers)
        store.insert([group])
        store.commit()


def new_array(route: int, numbers: range) -> NewArray:
    return NewArray(
        route=route,
        state=int(StateNumber.READY),
        created=CREATED,
        seq=numbers[0],
        id=numbers[0].to_bytes(16, "big"),
        payloads=[PAYLOAD] * len(numbers),
    )


def new_tasks(route: int, numbers: range) -> NewTasks:
    tasks = [(number, number.to_bytes(16, "big"), PAYLOAD) for number in numbers]
    return NewTasks(route=route, state=int(StateNumber.READY), created=CREATED, tasks=tasks)


def main() -> None:
    tasks = int(sys.argv[1]) if len(sys.argv) > 1 else TASKS
    for shard, in_arrays in enumerate((False, True)):
        with postgres(durable=False) as url, TemporaryDirectory() as name:
            address, folder = read_address(url), Path(name)
            store = PostgresStore(address, None, shard=shard)
            fill(store, tasks, in_arrays=in_arrays)
            store.close()
            began, busy = time.perf_counter(), time.process_time()
            loaded = PostgresStore(address, folder, shard=shard)
            seconds, spent = time.perf_counter() - began, time.process_time() - busy
            size = (folder / "copy.db").stat().st_size
            loaded.close()
        kind = "in arrays" if in_arrays else "one by one"
        sys.stdout.write(
            f"{tasks:,} tasks, {kind}: {seconds:.1f} s, {spent:.1f} s of them on the processor, a copy of {size / 1e6:,.0f} MB\n"
        )


if __name__ == "__main__":
    main()
