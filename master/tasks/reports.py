"""Validates the rows in which workers report ended attempts and name the leases they hold. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from types import NoneType
from typing import Any, Final, NamedTuple

from ...common.contract.workers import SECONDS_BYTES, unpack_seconds
from ...common.domain.durations import DELAY_SECONDS_MAX
from ...common.domain.id_runs import IdRun, is_run, run_from_wire
from ...common.domain.model import OutcomeNumber
from ...common.errors import InvalidArgument, ProtocolError
from ...common.values.brief import brief

OUTCOMES_OF_WORKERS: Final = frozenset(OutcomeNumber) - {OutcomeNumber.LOST}
REPORTS_MAX: Final = 10_000  # in one call, in slices: five times what a worker sends at once
ROWS_MAX: Final = 2_500  # of them by themselves, which take a tenth of a millisecond each if they failed; a worker sends 2,000
HELD_MAX: Final = 100_000  # leases in one call: of a worker that reconnects
SECONDS_MAX: Final = 1e9  # a duration beyond this is a broken clock


def check_reports(rows: list[Any]) -> None:
    """Validate reports ``[id, attempt, lease, outcome, body, started, seconds, after]``; raises InvalidArgument.

    By columns, because there is a report for every task; only when something is wrong, row by row.
    """
    if len(rows) > ROWS_MAX:
        raise InvalidArgument(
            f"{len(rows):,} reports in one call; at most {ROWS_MAX:,}: send them in portions"
        )
    if not (set(map(type, rows)) <= {list} and set(map(len, rows)) <= {8} and _are_reports(rows)):
        for row in rows:
            if type(row) is not list or len(row) != 8 or not _are_reports([row]):
                raise InvalidArgument(f"not a report of an attempt: {brief(row, 200)}")


def _are_reports(rows: list[list[Any]]) -> bool:
    if not rows:
        return True
    ids, attempts, leases, outcomes, bodies, started, seconds, afters = zip(*rows, strict=True)
    return (
        set(map(type, ids)) == {bytes} == set(map(type, leases))
        and set(map(type, attempts)) == {int} == set(map(type, outcomes))
        and set(map(type, bodies)) <= {bytes, NoneType}
        and set(map(type, started)) | set(map(type, seconds)) <= {float, int}
        and set(map(type, afters)) <= {float, int, NoneType}
        and OUTCOMES_OF_WORKERS.issuperset(outcomes)
        and min(seconds) >= 0
        and math.isfinite(sum(seconds))  # finds NaN, which no comparison does
        and max(seconds) <= SECONDS_MAX
        and all(0 <= after <= DELAY_SECONDS_MAX for after in set(afters) - {None})  # false for NaN
    )


class ReportedSlice(NamedTuple):
    """A validated report of a run of tasks that succeeded."""

    run: IdRun
    attempt: int
    lease: bytes
    results: list[bytes | None]
    seconds: list[float]


def reported_slices(rows: Any, most: int) -> list[ReportedSlice]:
    """Validate slices of successes: see ``SliceRow``; raises InvalidArgument. ``most``: tasks in all of them."""
    if not isinstance(rows, list):
        raise InvalidArgument(f"slices are a list, not {brief(rows, 80)}")
    slices = list(map(_slice, rows))
    if sum(one.run.length for one in slices) > most:
        raise InvalidArgument(f"more than {most:,} reports in one call: send them in portions")
    return slices


def _slice(row: Any) -> ReportedSlice:
    match row:
        case [bytes(id), int(attempt), bytes(lease), list(results), bytes(packed)] if (
            is_run(id, len(results))
            and len(packed) == SECONDS_BYTES * len(results)
            and set(map(type, results)) <= {bytes, NoneType}
        ):
            seconds = unpack_seconds(packed)
            if min(seconds) >= 0 and math.isfinite(sum(seconds)) and max(seconds) <= SECONDS_MAX:
                return ReportedSlice(IdRun(id, len(results)), attempt, lease, results, seconds)
    raise InvalidArgument(f"not a report of tasks that succeeded: {brief(row, 200)}")


def held_rows(rows: Iterable[Any]) -> Iterator[tuple[bytes, int, bytes, float | None]]:
    """The tasks of ``[id, attempt, lease]`` rows from the wire, and for how many seconds the attempt has run if it has begun;
    of a run, ``[first id, how many]`` stands in place of the id. Raises ProtocolError, or InvalidArgument when there are too
    many."""
    left = HELD_MAX
    for row in rows:
        match row:
            case [named, int(attempt), bytes(lease), *more] if (run := run_from_wire(named)) is not None:
                left -= run.length
                if left < 0:
                    raise InvalidArgument(f"more than {HELD_MAX:,} held leases in one call")
                seconds = _seconds(row, more)
                for id in run.ids():
                    yield id, attempt, lease, seconds
            case _:
                raise _not_held(row)


def _seconds(row: Any, more: list[Any]) -> float | None:
    match more:
        case []:
            return None
        case [int() | float() as seconds] if 0 <= seconds <= SECONDS_MAX:
            return seconds
    raise _not_held(row)


def _not_held(row: Any) -> ProtocolError:
    return ProtocolError(f"not a held lease: {brief(row, 200)}")
