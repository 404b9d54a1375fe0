"""The masters of the cluster and what is revoked, put together. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...common.auth.leaf import VALID_DAYS
from ...common.contract.observe import MasterRow
from ..keys.revoked_leaves import RevokedName

VALID_SECONDS = VALID_DAYS * 86_400


def moment_of(rows: Iterable[MasterRow], name: str, now: float) -> int:
    """Up to which moment the leaves of a name are refused: now, or when those that are shown were made, if that clock is ahead."""
    made = [row.until - VALID_SECONDS for row in rows if row.host == name and row.until is not None]
    return int(max([now, *made]))


def with_revoked(rows: Sequence[MasterRow], revoked: Iterable[RevokedName], now: float) -> list[MasterRow]:
    """The rows, those with a revoked certificate marked, and one for each that is revoked and gone."""
    moments = {one.name: one.moment for one in revoked}
    if not moments:
        return list(rows)
    marked = [
        row._replace(revoked=float(moments[row.host]))
        if row.until is not None and row.until - VALID_SECONDS <= moments.get(row.host, -1)
        else row
        for row in rows
    ]
    there = {row.host for row in marked if row.revoked is not None}
    gone = [
        MasterRow(
            "", name, False, None, None, float(moment), max(0.0, now - moment), "", None, None, float(moment)
        )
        for name, moment in moments.items()
        if name not in there
    ]
    return [*marked, *gone]
