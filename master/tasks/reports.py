"""Validates the rows in which workers report ended attempts and name the leases they hold. Pure."""

from __future__ import annotations

import math
from types import NoneType
from typing import Any, Final

from ...common.domain.durations import DELAY_SECONDS_MAX
from ...common.domain.model import OutcomeNumber
from ...common.errors import InvalidArgument, ProtocolError
from ...common.values.brief import brief

OUTCOMES_OF_WORKERS: Final = frozenset(OutcomeNumber) - {OutcomeNumber.LOST}
REPORTS_MAX: Final = 10_000  # in one call: five times what a worker sends at once
SECONDS_MAX: Final = 1e9  # a duration beyond this is a broken clock


def check_reports(rows: list[Any]) -> None:
    """Validate reports ``[id, attempt, lease, outcome, body, started, seconds, after]``; raises InvalidArgument.

    By columns, because there is a report for every task; only when something is wrong, row by row.
    """
    if len(rows) > REPORTS_MAX:
        raise InvalidArgument(
            f"{len(rows):,} reports in one call; at most {REPORTS_MAX:,}: send them in portions"
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


def held_row(row: Any) -> tuple[bytes, int, bytes, float | None]:
    """``[id, attempt, lease]`` from the wire, and for how many seconds the attempt has run if it has begun; raises ProtocolError."""
    match row:
        case [bytes(id), int(attempt), bytes(lease)]:
            return id, attempt, lease, None
        case [bytes(id), int(attempt), bytes(lease), int() | float() as seconds] if (
            0 <= seconds <= SECONDS_MAX
        ):
            return id, attempt, lease, seconds
    raise ProtocolError(f"not a held lease: {brief(row, 200)}")
