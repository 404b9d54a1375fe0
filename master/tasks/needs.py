"""What a submit says that its tasks need: validated here, kept by ``master/dependencies``. Pure."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final, NamedTuple

from ...common.domain.id_runs import IdRun, run_from_wire
from ...common.domain.ids import show_id
from ...common.domain.on_error import NEEDED_MAX
from ...common.errors import InvalidArgument
from ...common.values.brief import brief

RUNS_MAX: Final = 10_000  # of needed tasks, named in one call
ALL, EACH = 0, 1


class Needs(NamedTuple):
    """``each``: the i-th task needs the i-th of the one run, which is as long; else the one task needs all of these."""

    each: bool
    runs: list[IdRun]


def needs_from_wire(columns: Any, tasks: int) -> Needs:
    """``[0, [run, …]]``: what each of these tasks needs; ``[1, [run, …]]``: runs of as many tasks, in their order."""
    if (
        type(columns) is not list
        or len(columns) != 2
        or columns[0] not in (ALL, EACH)
        or type(columns[1]) is not list
    ):
        raise InvalidArgument(
            "what tasks need is [0, [run, …]], all of these, or [1, [run, …]], one for each of them; not "
            f"{brief(columns, 80)}"
        )
    runs = [run_from_wire(one) for one in columns[1]]
    found = [run for run in runs if run is not None]
    if not found or len(found) != len(runs):
        raise InvalidArgument(
            f"a needed task is named by its id, or several by [first id, how many]; not {brief(columns[1], 80)}"
        )
    if len(found) > RUNS_MAX or (needed := sum(run.length for run in found)) > NEEDED_MAX:
        raise InvalidArgument(
            f"one task may need {NEEDED_MAX:,} others, named by {RUNS_MAX:,} runs of ids; gather them in steps"
        )
    if columns[0] == EACH and needed != tasks:
        raise InvalidArgument(f"{tasks:,} tasks that need one other each, and {needed:,} are named")
    twice = named_twice(found)
    if twice is not None and columns[0] == ALL:
        raise InvalidArgument(f"a task needs {show_id(twice)} twice; name it once")
    return Needs(columns[0] == EACH, found)


def named_twice(runs: list[IdRun]) -> bytes | None:
    """An id that is in two of these runs."""
    ordered = sorted(run.ends() for run in runs)
    return next((low for (_, high), (low, _) in pairwise(ordered) if low <= high), None)
