"""Where a task stands in line, and when it starts: what the master counts and foresees, as a program reads it. Pure.

An estimate is a range. One that is asked for again is never later than before unless there is a cause, which is said: others that go
before it, fewer slots, tasks that take longer than those that were measured. What differs without one is the noise of measuring, and
the earlier answer stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

SLOWER: Final = 1.1  # times as long as before: less is how measured paces differ by themselves


@dataclass(frozen=True, slots=True)
class Position:
    """How many tasks start before one.

    Attributes:
        ahead: So many.
        is_exact: False: at least so many. Others decide besides: tenants take turns, limits, what workers have free.
    """

    ahead: int
    is_exact: bool

    def __str__(self) -> str:
        return f"{self.ahead:,} before it" if self.is_exact else f"at least {self.ahead:,} before it"


@dataclass(frozen=True, slots=True)
class Eta:
    """When a task starts, from how long tasks have taken of late.

    Attributes:
        earliest: Not before that, as far as is known.
        latest: Nor after that.
        cause: Why it is later than the last time that this handle was asked; empty: it is not.
    """

    earliest: datetime
    latest: datetime
    cause: str = ""

    def __str__(self) -> str:
        because = f" ({self.cause})" if self.cause else ""
        return f"between {self.earliest:%H:%M:%S} and {self.latest:%H:%M:%S} UTC{because}"


class Estimate(NamedTuple):
    """An answer of the master, with what it rests on."""

    earliest: float  # Unix seconds
    latest: float
    ahead: int
    slots: int
    per_second: float

    def after(self, before: Estimate | None) -> tuple[Estimate, str]:
        """What is said after this was said before, and why it is later; empty: it is not."""
        if before is None or (self.latest <= before.latest and self.earliest <= before.earliest):
            return self, ""
        cause = self._cause(before)
        if cause:
            return self, cause
        kept = self._replace(
            earliest=min(self.earliest, before.earliest), latest=min(self.latest, before.latest)
        )
        return kept, ""

    def _cause(self, before: Estimate) -> str:
        if self.ahead > before.ahead:
            return f"{self.ahead - before.ahead:,} more tasks go before it"
        if self.slots < before.slots:
            return f"{self.slots:,} slots serve it, {before.slots:,} before"
        if self.per_second * SLOWER < before.per_second:
            return f"{self.per_second:.3g} tasks end in a second, {before.per_second:.3g} before"
        return ""


def position_from(answer: dict[str, Any]) -> Position | None:
    """Of what the master's ``why`` answers; None: it does not stand in line. A master of an earlier version does not say."""
    found = answer.get("position")
    return None if found is None else Position(found["ahead"], found["exact"])


def estimate_from(answer: dict[str, Any]) -> Estimate | None:
    found = answer.get("eta")
    return None if found is None else Estimate(*(found[name] for name in Estimate._fields))


def eta_of(estimate: Estimate, cause: str) -> Eta:
    return Eta(_moment(estimate.earliest), _moment(estimate.latest), cause)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
