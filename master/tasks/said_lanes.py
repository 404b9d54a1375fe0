"""The lanes of submitted tasks, of what their submit says of limits and tenants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from ...common.domain.columns import LaneColumns, LaneTexts
from ...common.errors import Forbidden, InvalidArgument
from ..engine.accounts import Account
from .codes import codes_of
from .mixed import Mixture
from .route import LaneKey, Route
from .routes import Routes
from .submitted import NewRun, in_mixture

LANES_MAX: Final = 1_000  # of one call: each may have to be made, in some 65 µs


class SaidLanes(NamedTuple):
    """``lanes``: the different ones. ``codes``: for each task which of them; None: all stand in the only one."""

    columns: LaneColumns
    lanes: Sequence[LaneTexts]
    codes: Sequence[int] | None

    @classmethod
    def of(cls, columns: LaneColumns) -> SaidLanes:
        return cls(columns, *columns.lanes())


def said_lanes(given: Any, runs: Sequence[NewRun], tenant: str) -> SaidLanes:
    """What a submit says of its tasks. ``tenant``: that their key fixes; empty: none. Raises InvalidArgument, and Forbidden for another
    tenant than that."""
    columns = LaneColumns.from_wire(given, sum(len(new.payloads) for new in runs))
    if tenant and columns.tenant is not None:
        others = [one for one in columns.tenant.texts if one != tenant]
        if others:
            raise Forbidden(
                f"this key is of tenant {tenant}, and so are all tasks that it submits; this one says tenant {others[0]!r}: leave tenant= "
                "out, or use a key without a tenant"
            )
    said = SaidLanes.of(columns.of_tenant(tenant))
    if len(said.lanes) > LANES_MAX:
        raise InvalidArgument(
            f"the tasks of one call have {len(said.lanes):,} different keys or tenants; at most {LANES_MAX:,}: send them in portions"
        )
    return said


def with_lanes(
    routes: Routes,
    route: Route,
    runs: list[NewRun],
    said: SaidLanes,
    base: LaneKey,
    account: Account | None,
) -> tuple[Route, list[NewRun]]:
    """The lane of all the tasks, and them; or their route, and them in the lane for mixed arrays. ``base``: what all have in common.
    ``account``: that new lanes are charged to; None: the master makes the tasks itself. Raises QuotaExceeded."""
    keys = [base._replace(tenant=one.tenant or "", limits=one.limits) for one in said.lanes]
    lanes = [routes.lane(route, key, account) for key in keys]
    if said.codes is None:
        return lanes[0], runs
    mixed = routes.lane(route, base._replace(is_mixed=True), account)
    return route, in_mixture(runs, mixed, Mixture(lanes, codes_of(said.codes, len(lanes))))
