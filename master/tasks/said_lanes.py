"""The lanes of submitted tasks, of what their submit says of limits and tenants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...common.domain.columns import LaneColumns
from ..engine.session import Session
from .route import LaneKey, Route
from .routes import Routes
from .submitted import NewRun, in_lanes


def columns_of(given: Any, runs: Sequence[NewRun]) -> LaneColumns:
    """Raises InvalidArgument."""
    return LaneColumns.from_wire(given, sum(len(new.payloads) for new in runs))


def with_lanes(
    routes: Routes, route: Route, runs: list[NewRun], columns: LaneColumns, session: Session
) -> tuple[Route, list[NewRun]]:
    """The lane of all the tasks, and them; or their route, and them in runs that have each a lane. Raises QuotaExceeded."""
    spans = columns.spans(sum(len(new.payloads) for new in runs))
    lanes: dict[LaneKey, Route] = {}
    for span in spans:
        key = LaneKey(span.tenant or "", span.limits)
        if key not in lanes:
            lanes[key] = routes.lane(route, key, session.account)
    if len(lanes) == 1:
        return next(iter(lanes.values())), runs
    numbers = {key: number for number, key in enumerate(lanes)}
    codes: list[int] = []
    for span in spans:
        codes += [numbers[LaneKey(span.tenant or "", span.limits)]] * span.tasks
    return route, in_lanes(runs, codes, list(lanes.values()))
