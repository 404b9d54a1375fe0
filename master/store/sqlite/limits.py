"""The embedded store's verbs for limits: see ``interface.limits.LimitStore``."""

from __future__ import annotations

from collections.abc import Sequence

from ..interface.limits import BucketRow, LimitRow
from .part import SqlitePart


class SqliteLimits(SqlitePart):
    def rows(self) -> list[LimitRow]:
        return [LimitRow(*row) for row in self._all("limits")]

    def put(self, row: LimitRow) -> None:
        self._all("put_limit", row)

    def drop(self, name: str) -> None:
        self._all("drop_limit", (name,))
        self._all("drop_buckets", (name,))

    def buckets(self) -> list[BucketRow]:
        return [BucketRow(*row) for row in self._all("buckets")]

    def put_buckets(self, rows: Sequence[BucketRow]) -> None:
        self._many("put_bucket", rows)

    def drop_full(self, now: int, most: int) -> None:
        self._all("drop_full_buckets", (now, most))
