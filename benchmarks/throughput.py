"""A first reading of speed, in a minute: ``python -m benchmarks.throughput``

No-op tasks end to end with every result in the client's hand, enqueueing alone, the round trip of single
tasks, and what idle processes cost, beside the bare array floor, ``multiprocessing.Pool`` and the ``BaseManager``
tutorial in the same run. The whole, with floors, peers and goals, is ``python -m benchmarks``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from typing import Final

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from .cluster import cluster
from .floor_arrays import ARRAY_TASKS, floor_arrays
from .idle import idle
from .readings import Gathered, percentile
from .scale import FULL
from .speed import SHORT_SECONDS, SLOTS, WARM_UP_TASKS, busy, end_to_end, keeps_slots_busy, round_trips
from .stdlib_peers import pool, tutorial

IDLE_SECONDS: Final = 10.0


@click.command()
@click.option("--tasks", default=100_000, show_default=True, help="No-op tasks of one run.")
@click.option("--runs", default=3, show_default=True, help="Of each; medians are shown.")
@click.option("--durability", default="fsync", show_default=True)
def main(tasks: int, runs: int, durability: str) -> None:
    """Print a table of what was measured."""
    with cluster(durability=durability) as measured:
        end_to_end(measured, WARM_UP_TASKS)
        before = sum(busy(measured).values())
        both = [end_to_end(measured, tasks) for _ in range(runs)]
        spent = (sum(busy(measured).values()) - before) / runs / tasks
        rate, stored = (median(column) for column in zip(*both, strict=True))
        trips = round_trips(measured, FULL.round_trips)
        share = _median(lambda: keeps_slots_busy(measured, FULL.short_tasks, SHORT_SECONDS, SLOTS), runs)
    rest = idle(replace(FULL, idle_seconds=IDLE_SECONDS)).numbers
    bare = Gathered()
    for _ in range(runs):
        bare.add(floor_arrays(replace(FULL, noop_tasks=tasks)))
    floor = {name.removeprefix("floor.arrays."): number for name, number in bare.medians.items()}
    p50, p99 = percentile(trips, 0.5), percentile(trips, 0.99)
    local = _median(lambda: pool(tasks // 2), runs)
    manager = _median(lambda: tutorial(tasks // 20), runs)
    table = Table("", f"durability {durability}, medians of {runs}", box=SIMPLE_HEAD, show_edge=False)
    for row in (
        ("no-op tasks end to end", f"{rate:,.0f} /s"),
        ("  against Pool.imap_unordered, chunk 1 (in memory)", _beside(rate, local)),
        ("  against the BaseManager tutorial (in memory)", _beside(rate, manager)),
        *(
            (f"  against the bare array floor, arrays of {size:,}", _beside(rate, floor[f"{size}.tasks"]))
            for size in ARRAY_TASKS
        ),
        ("processor time a task, all processes", f"{spent * 1e6:.1f} us"),
        ("  the bare array floor's, arrays of 1,000", f"{floor['1000.busy_seconds'] * 1e6:.1f} us"),
        ("stored meanwhile, one client, map", f"{stored:,.0f} /s"),
        ("round trip of one task, p50 / p99", f"{p50 * 1e3:.2f} / {p99 * 1e3:.2f} ms"),
        (
            "  the bare array floor's",
            f"{floor['trip_p50_seconds'] * 1e3:.2f} / {floor['trip_p99_seconds'] * 1e3:.2f} ms",
        ),
        ("2 slots, tasks of 10 ms, of the ideal", f"{share:.1%}"),
        (
            "idle, master and worker with 2 children",
            f"{rest['idle.cpu_share']:.2%} of a core, {rest['idle.all_bytes'] / 1e6:.0f} MB",
        ),
    ):
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def _beside(rate: float, other: float) -> str:
    return f"{rate / other:.2f} x of {other:,.0f} /s"


def _median(measure: Callable[[], float], runs: int) -> float:
    return median(measure() for _ in range(runs))


if __name__ == "__main__":
    main()
