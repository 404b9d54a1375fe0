"""When a queue will be empty, as far as it has been going lately: from the levels that the master keeps, over a minute and over five. Pure,
but for ``read``, which asks the master.

It is no promise, and is said as what it is: a span between what both minutes mean, or that it grows. A queue of which nothing is ready is
empty; of one that is paused, or that was not seen for long enough, nothing is said.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from ...common.contract.observe import MASTER
from ...common.domain.durations import span
from ...common.domain.series import QUEUES_MAX, RESOLUTIONS, SeriesPoint, unpacked
from ...common.errors import Forbidden, UnknownObject
from ..app import App

WINDOWS: Final = (60.0, 300.0)  # seconds
SEEN_SECONDS_MIN: Final = 20.0  # of two levels that are compared
STEP: Final = RESOLUTIONS[0].step_ms / 1000
ALIKE: Final = 1.3  # two spans that differ by less are one

Points = Sequence[tuple[float, SeriesPoint]]  # when each ended, Unix seconds, and what it has


class Emptying(NamedTuple):
    """``low``, ``high``: seconds until nothing is ready; ``high`` None: or more, for it grew in between; both None: it does not shrink."""

    low: float | None
    high: float | None
    grows: bool

    def __str__(self) -> str:
        if self.low is None:
            return "grows" if self.grows else "stands still"
        if self.high is None:
            return f"{_rounded(self.low)} or more"
        if self.high <= self.low * ALIKE:
            return f"about {_rounded((self.low + self.high) / 2)}"
        return f"{_rounded(self.low)} to {_rounded(self.high)}"


def _rounded(seconds: float) -> str:
    return f"{max(1, round(seconds))} s" if seconds < 120 else span(seconds)


def read(app: App) -> Points:
    """What the master has of the last minutes. Empty for a key of some queues, and of a master from before there was such a thing."""
    with contextlib.suppress(Forbidden, UnknownObject):
        answer = app.call((MASTER.name,), "series", max(WINDOWS) + 2 * STEP)
        return [(at + STEP, unpacked(body)) for _, at, body in answer["rows"]]
    return []


def as_row(found: Emptying | None) -> dict[str, Any] | None:
    """For programs: with the words that people read."""
    return None if found is None else {**found._asdict(), "words": str(found)}


def emptying(row: Mapping[str, Any], points: Points, now: float) -> Emptying | None:
    """Of a queue as the master lists it; None: nothing is known, or there is nothing to say."""
    ready = row["ready"]
    if not ready or row["paused"]:
        return None
    level = ready - row["assigned"] + row["scheduled"] + row["blocked"]
    known = _levels(row["name"], points)
    shrinking = [
        rate for seconds in WINDOWS if (rate := _shrinks(known, level, now - seconds, now)) is not None
    ]
    if not shrinking:
        return None
    good = [rate for rate in shrinking if rate > 0]
    if not good:
        return Emptying(None, None, min(shrinking) < 0)
    return Emptying(ready / max(good), ready / min(good) if len(good) == len(shrinking) else None, False)


def _levels(name: str, points: Points) -> list[tuple[float, int]]:
    """How many tasks waited in a queue, by moment: since the master's last start, and since it was last among the deepest."""
    levels: list[tuple[float, int]] = []
    for at, point in points:
        if point.is_first:
            levels.clear()
        if name in point.queues:
            levels.append((at, point.queues[name].last))
        elif len(point.queues) < QUEUES_MAX:
            levels.append((at, 0))
        else:  # there were too many deeper ones
            levels.clear()
    return levels


def _shrinks(levels: Sequence[tuple[float, int]], level: int, since: float, now: float) -> float | None:
    """Tasks per second by which a queue has become smaller since then; None: it was not seen for long enough. What the master did not
    write down did not change: the last level before that moment held."""
    before = [(max(at, since), then) for at, then in levels if at <= since]
    inside = [(at, then) for at, then in levels if at > since]
    first = before[-1] if before else inside[0] if inside else None
    if first is None or now - first[0] < SEEN_SECONDS_MIN:
        return None
    return (first[1] - level) / (now - first[0])
