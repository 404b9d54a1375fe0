"""The lanes of submitted tasks, of what their submit says of limits and tenants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ...common.domain.columns import LaneColumns, LaneSpan
from ...common.errors import Forbidden, InvalidArgument
from ..engine.accounts import Account
from .route import LaneKey, Route
from .routes import Routes
from .submitted import NewRun, in_lanes

SPANS_MAX: Final = 1_000  # of one call: each may make a lane, in some 65 µs


def columns_of(given: Any, runs: Sequence[NewRun], tenant: str) -> tuple[LaneColumns, list[LaneSpan]]:
    """What a submit says of its tasks, and in which spans. ``tenant``: that their key fixes; empty: none. Raises InvalidArgument, and
    Forbidden for another tenant than that."""
    tasks = sum(len(new.payloads) for new in runs)
    columns = LaneColumns.from_wire(given, tasks)
    if tenant and columns.tenant is not None:
        others = [one for one in columns.tenant.texts if one != tenant]
        if others:
            raise Forbidden(
                f"this key is of tenant {tenant}, and so are all tasks that it submits; this one says tenant {others[0]!r}: leave tenant= "
                "out, or use a key without a tenant"
            )
    columns = columns.of_tenant(tenant)
    spans = columns.spans(tasks)
    if len(spans) > SPANS_MAX:
        raise InvalidArgument(
            f"the keys or tenants of neighbours differ {len(spans) - 1:,} times in one call; at most {SPANS_MAX - 1:,}: send the "
            "tasks in portions, or those with one key one after the other"
        )
    return columns, spans


def with_lanes(
    routes: Routes,
    route: Route,
    runs: list[NewRun],
    spans: Sequence[LaneSpan],
    base: LaneKey,
    account: Account | None,
) -> tuple[Route, list[NewRun]]:
    """The lane of all the tasks, and them; or their route, and them in runs that have each a lane. ``base``: what all have
    in common. ``account``: that new lanes are charged to; None: the master makes the tasks itself. Raises QuotaExceeded."""
    lanes: dict[LaneKey, Route] = {}
    for span in spans:
        key = base._replace(tenant=span.tenant or "", limits=span.limits)
        if key not in lanes:
            lanes[key] = routes.lane(route, key, account)
    if len(lanes) == 1:
        return next(iter(lanes.values())), runs
    numbers = {key: number for number, key in enumerate(lanes)}
    codes: list[int] = []
    for span in spans:
        codes += [numbers[base._replace(tenant=span.tenant or "", limits=span.limits)]] * span.tasks
    return route, in_lanes(runs, codes, list(lanes.values()))
