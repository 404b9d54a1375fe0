"""Which measurements there are, and how they are run: round after round, so that what stands side by side in
the table was measured within minutes of each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from .backlog import backlog
from .controls import controls
from .crawl import crawl
from .crowd import crowd
from .database import database
from .edges import edges
from .ended import ended
from .floor import floor
from .floor_arrays import floor_arrays
from .graphs import graphs
from .idle import idle
from .page import page
from .peers import peers
from .pools import pools
from .processes import processes
from .purge import purge
from .readings import Gathered, Measurement
from .rest import rest
from .scale import Scale
from .singles import singles
from .speed import async_noop, enqueue, noop, short, trips
from .stdlib_peers import stdlib_peers
from .take_over import take_over
from .transactions import transactions
from .values import values

MEASUREMENTS: Final[dict[str, Measurement]] = {
    "floor": floor,
    "floor-arrays": floor_arrays,
    "noop": noop,
    "async": async_noop,
    "stdlib-peers": stdlib_peers,
    "pools": pools,
    "enqueue": enqueue,
    "trips": trips,
    "short": short,
    "values": values,
    "idle": idle,
    "crowd": crowd,
    "backlog": backlog,
    "singles": singles,
    "ended": ended,
    "purge": purge,
    "transactions": transactions,
    "graphs": graphs,
    "crawl": crawl,
    "controls": controls,
    "postgres": database,
    "takeover": take_over,
    "rest": rest,
    "processes": processes,
    "edges": edges,
    "page": page,
    "peers": peers,
}

BESIDE: Final = {  # what a figure stands beside has to be of the same run
    "noop": ("floor", "floor-arrays", "stdlib-peers"),
    "enqueue": ("floor",),
    "trips": ("floor", "floor-arrays"),
    "values": ("floor",),
    "crowd": ("noop",),
}


def with_what_stands_beside(names: Sequence[str]) -> list[str]:
    """The measurements and those that their figures are held against, in the suite's order."""
    wanted = {*names, *(beside for name in names for beside in BESIDE.get(name, ()))}
    return [name for name in MEASUREMENTS if name in wanted]


def run(
    names: Sequence[str],
    scale: Scale,
    runs: int,
    begins: Callable[[str, int], None] = lambda name, number: None,
) -> Gathered:
    """``begins`` receives the name and the number of every measurement before it. One that fails has a note;
    the others go on."""
    gathered = Gathered()
    for number in range(runs):
        for name in names:
            begins(name, number)
            try:
                gathered.add(MEASUREMENTS[name](scale))
            except Exception as error:  # whatever it was, the other figures stand
                gathered.notes[f"failed.{name}"] = f"not measured: {type(error).__name__}: {error}"
    return gathered
