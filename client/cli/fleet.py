"""The workers of a cluster as people look at them: the living first, the absent in one line. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from ...common.domain.durations import span
from ...common.values.brief import few

ORDER: Final = {"here": 0, "draining": 1, "reconnecting": 2}
ABSENT: Final = "absent"  # it did not end by itself, and was given up; the master lists it for an hour


class Fleet(NamedTuple):
    """``living``: connected ones, then those that drain, then those that may be back within the grace."""

    living: list[dict[str, Any]]
    absent: list[dict[str, Any]]

    def absent_in_words(self, now: float) -> str:
        """``2 absent: crow (2); last seen 5 min ago``; empty when there are none."""
        if not self.absent:
            return ""
        hosts = Counter(str(row["host"]) for row in self.absent)
        names = few(host if count == 1 else f"{host} ({count})" for host, count in sorted(hosts.items()))
        seen = span(max(0.0, now - max(row["last_seen"] for row in self.absent)))
        return f"{len(self.absent):,} absent: {names}; last seen {seen} ago"


def fleet(rows: Iterable[dict[str, Any]]) -> Fleet:
    """Of the rows that the master lists."""
    ordered = sorted(rows, key=lambda row: (ORDER.get(row["state"], len(ORDER)), row["host"], row["node"]))
    absent = [row for row in ordered if row["state"] == ABSENT]
    return Fleet([row for row in ordered if row["state"] != ABSENT], absent)
