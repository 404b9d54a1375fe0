"""A master whose state is in PostgreSQL beside one with a file, in the same run: no-op tasks in arrays, one at a time, busy processors; and the
peers that keep theirs in PostgreSQL."""

from __future__ import annotations

from contextlib import ExitStack
from importlib.util import find_spec
from typing import Final

from .cluster import cluster
from .peers import PEERS, measure_peer
from .postgres_server import installed, postgres
from .readings import Readings, percentile
from .scale import Scale
from .speed import SLOTS, WARM_UP_TASKS, busy, end_to_end, round_trips

KINDS: Final = ("file", "postgres")


def database(scale: Scale) -> Readings:
    """``database.KIND.tasks`` a second, ``….enqueue``, ``….trip_seconds``, and ``….master_seconds``, of the master's processor, a task. Both
    sync every commit. ``database.PEER.tasks`` a second, likewise."""
    if (reason := missing()) is not None:
        return Readings(notes={"database": f"not measured: {reason}"})
    readings = Readings()
    numbers = readings.numbers
    for kind in KINDS:
        with ExitStack() as stack:
            options = [] if kind == "file" else [f"--store={stack.enter_context(postgres(durable=True))}"]
            measured = stack.enter_context(cluster(slots=SLOTS, master_options=options))
            end_to_end(measured, WARM_UP_TASKS)
            before = busy(measured)["master"]
            rate, stored = end_to_end(measured, scale.noop_tasks)
            numbers[f"database.{kind}.tasks"], numbers[f"database.{kind}.enqueue"] = rate, stored
            spent = busy(measured)["master"] - before
            numbers[f"database.{kind}.master_seconds"] = spent / scale.noop_tasks
            times = round_trips(measured, scale.round_trips)
            numbers[f"database.{kind}.trip_seconds"] = percentile(times, 0.5)
    for peer in PEERS:
        if peer.server is postgres:
            measure_peer(peer, f"database.{peer.name}.tasks", "durable", scale.peer_tasks, readings)
    return readings


def missing() -> str | None:
    """Why there is no database to measure with."""
    if installed() is None:
        return "PostgreSQL is not installed"
    return None if find_spec("psycopg") else "psycopg is not installed: pip install 'tq[postgres]'"
