"""What a worker is given: tasks that the store has leased are noted in memory, and become the groups of its answer. Pure."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

from ..store.interface.slices import LeasedSlice
from ..store.interface.tasks import Leased
from .leases import LeasedAttempt, LeasedTasks, SliceLease
from .plan import READY_STATE, RUNNING_STATE
from .results import drops_results
from .route import ParkedLease
from .routes import Routes


def granted(
    rows: Sequence[Leased | LeasedSlice],
    parked: ParkedLease,
    lease: bytes,
    routes: Routes,
    running: LeasedTasks,
    permitted: Container[int] = (),
) -> tuple[list[list[Any]], int, int]:
    """Note what was leased; returns the groups of the answer, how many tasks they have, and the bytes of the payloads. ``permitted``: the
    numbers of those rows whose tasks hold permits of limits."""
    groups: list[list[Any]] = []
    last: tuple[int, float | None, bool] | None = None
    tasks = size = 0
    for row in rows:
        # Neighbours mostly have the same name and limit: said once for all of them.
        if (row.route, row.timeout, row.seq in permitted) != last:
            last = (row.route, row.timeout, row.seq in permitted)
            route = routes.by_number[row.route]
            groups.append([route.queue.name, route.task, row.timeout, []])
            placing = routes.placements.lanes.get(row.route)
            if last[2]:
                groups[-1] += [dict(placing.needs) if placing is not None else {}, True]
            elif placing is not None and placing.needs:
                groups[-1].append(dict(placing.needs))
        # What was handed back unharmed does not count as an attempt.
        number = row.attempt - row.returned
        if isinstance(row, LeasedSlice):
            where = row.seq, row.stop, row.id, row.route
            whose = lease, parked.worker, row.origin
            drops = row.options is not None and drops_results(row.options)
            running.add(SliceLease(*where, row.attempt, number, *whose, drops=drops))
            # Fields at the end are left out where they say the usual: most tasks run for the first time.
            rest = [False, number] if row.returned else []
            groups[-1][3].append([row.id, row.attempt, row.payloads, *rest])
            tasks += len(row.payloads)
            size += sum(map(len, row.payloads))
            routes.move(row.route, READY_STATE, RUNNING_STATE, row.seq, len(row.payloads))
            continue
        suspect = row.crashes > 0  # a worker or child died while it had this task
        entry = [row.id, row.attempt, row.payload]
        if suspect or row.returned:
            entry += [suspect, number]
        groups[-1][3].append(entry)
        drops = row.options is not None and drops_results(row.options)
        holder = lease, parked.worker, suspect, row.origin, None, drops
        running[row.id] = LeasedAttempt(row.seq, row.route, row.attempt, number, *holder)
        tasks += 1
        size += len(row.payload)
        routes.move(row.route, READY_STATE, RUNNING_STATE, row.seq)
    return groups, tasks, size
