"""The lines of the overview, from the series that the master keeps: an even row of moments, with what is known at each. Pure, but for
``read``, which asks the master.

Where the master has no point nothing has changed: levels stay, and nothing came or ended. Before the first point, and before a start of the
master, nothing is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..client.app import App
from ..common.contract.observe import MASTER
from ..common.domain.series import RESOLUTIONS, SeriesPoint, quantile, unpacked
from ..common.runtime.histogram import DISK_SECONDS, SECONDS

RANGES: Final[Mapping[str, float]] = {"15min": 900.0, "3h": 10_800.0, "1d": 86_400.0, "30d": 30 * 86_400.0}
SHORTEST: Final = RESOLUTIONS[0].step_ms / 1000  # what a point is made of, at least
LATE: Final = 6.0  # seconds that a point may come after the end of its time, and a little
QUEUES_SHOWN: Final = 5
ROUNDED: Final = 5  # digits of a number in the answer, which has thousands of them
LEVELS: Final = ("ready", "running", "slots", "store_bytes")
COUNTS: Final = ("submitted", "ended", "failed")
SHARES: Final = (("p50", 0.5), ("p95", 0.95))


def read(app: App, seconds: float) -> dict[str, Any]:
    """What the master has of the last so many seconds, as ``columns``. Raises Forbidden for a key of some queues."""
    rows: list[tuple[float, SeriesPoint]] = []
    after = 0
    while True:
        answer = app.call((MASTER.name,), "series", seconds, after)
        rows += [(at, unpacked(body)) for _, at, body in answer["rows"]]
        if not answer["more"]:
            return columns(rows, answer["step"], answer["from"], answer["now"])
        after = answer["rows"][-1][0]


def columns(
    rows: Sequence[tuple[float, SeriesPoint]], step: float, first: float, now: float
) -> dict[str, Any]:
    """A list for each line, a value for each moment; None: not known. Rates are per second, times in seconds."""
    by_place = {round((at - first) / step): point for at, point in rows}
    places = int((now - first) // step) + 1
    while places - 1 not in by_place and first + places * step > now - LATE:
        places -= 1  # its point is not written yet
    shown = _deepest(rows)
    found: dict[str, list[Any]] = {
        name: [] for name in ("at", *COUNTS, *LEVELS, *_percentiles(SeriesPoint()))
    }
    queues: dict[str, list[Any]] = {name: [] for name in shown}
    latest: SeriesPoint | None = None
    for place in range(places):
        point = by_place.get(place)
        latest = point or latest
        end = min(now, first + (place + 1) * step)
        seconds = max(SHORTEST, end - first - place * step)  # the last one may not be over
        found["at"].append(round(end, 3))
        for name in COUNTS:
            rate = (
                None if latest is None else 0.0 if point is None else _short(getattr(point, name) / seconds)
            )
            found[name].append(rate)
        found["ready"].append(_level(latest, point, "ready"))
        found["running"].append(_level(latest, point, "running"))
        for name in ("slots", "store_bytes"):
            found[name].append(None if latest is None else getattr(latest, name))
        for name, value in _percentiles(point).items():
            found[name].append(value)
        for name in shown:
            level = None if latest is None else latest.queues.get(name)
            queues[name].append(
                None if latest is None else 0 if level is None else level.most if point else level.last
            )
    _forget_before_starts(found, queues, by_place)
    return {**found, "queues": queues, "step": step}


def _level(latest: SeriesPoint | None, point: SeriesPoint | None, name: str) -> int | None:
    """The highest in the time of a point; behind it, what it ended with."""
    if latest is None:
        return None
    level = getattr(latest, name)
    most: int = level.last if point is None else level.most
    return most


def _percentiles(point: SeriesPoint | None) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for name, bounds in (("wait", SECONDS), ("run", SECONDS), ("commit", DISK_SECONDS)):
        for word, share in SHARES:
            value = None if point is None else quantile(getattr(point, name), bounds, share)
            found[f"{name}_{word}"] = None if value is None else _short(value)
    return found


def _deepest(rows: Sequence[tuple[float, SeriesPoint]]) -> list[str]:
    """The queues in which most tasks have waited."""
    most: dict[str, int] = {}
    for _, point in rows:
        for name, level in point.queues.items():
            most[name] = max(most.get(name, 0), level.most)
    return sorted(most, key=lambda name: (-most[name], name))[:QUEUES_SHOWN]


def _forget_before_starts(
    found: Mapping[str, list[Any]], queues: Mapping[str, list[Any]], by_place: Mapping[int, SeriesPoint]
) -> None:
    """From the last point before a start of the master to that start nothing is known: it may have been away."""
    before: int | None = None
    for place in sorted(by_place):
        if by_place[place].is_first and before is not None:
            for unknown in range(before + 1, place):
                for line in (*(found[name] for name in (*COUNTS, *LEVELS)), *queues.values()):
                    if unknown < len(line):
                        line[unknown] = None
        before = place


def _short(value: float) -> float:
    return float(f"{value:.{ROUNDED}g}")
