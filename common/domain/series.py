"""What a master has measured in a stretch of time: a point of its series, how several become one, and how it is packed. Pure.

::

    10 s for an hour ─► a minute for a day ─► 15 minutes for 30 days: at each step the master keeps a fixed number of points
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ..errors import ProtocolError
from ..runtime.histogram import DISK_SECONDS, SECONDS
from ..wire.frames import pack, unpack

QUEUES_MAX: Final = 20  # of one point, those with the most waiting tasks


class Resolution(NamedTuple):
    """Points of so many ms each, and how many of them are kept."""

    step_ms: int
    points: int

    @property
    def seconds(self) -> float:
        return self.step_ms * self.points / 1000


RESOLUTIONS: Final = (Resolution(10_000, 360), Resolution(60_000, 1_440), Resolution(900_000, 2_880))


def resolution_for(seconds: float) -> Resolution:
    """The finest one that reaches so far back."""
    return next((one for one in RESOLUTIONS if seconds <= one.seconds), RESOLUTIONS[-1])


class Level(NamedTuple):
    """A number that goes up and down: at the end of the stretch, and the highest that was seen."""

    last: int = 0
    most: int = 0


NONE: Final = Level()


@dataclass(slots=True, kw_only=True)
class SeriesPoint:
    """``submitted``, ``ended``, ``failed``: how many tasks were accepted, have ended, and of those without success. ``wait``, ``run``,
    ``commit``: counts between the bounds of their histograms. ``queues``: waiting tasks by queue. ``is_first``: of a start of the
    master: what was before is not known."""

    submitted: int = 0
    ended: int = 0
    failed: int = 0
    ready: Level = NONE
    running: Level = NONE
    slots: int = 0
    store_bytes: int = 0
    wait: list[int] = field(default_factory=lambda: [0] * (len(SECONDS) + 1))
    run: list[int] = field(default_factory=lambda: [0] * (len(SECONDS) + 1))
    commit: list[int] = field(default_factory=lambda: [0] * (len(DISK_SECONDS) + 1))
    queues: dict[str, Level] = field(default_factory=dict)
    is_first: bool = False

    def packed(self) -> bytes:
        return pack(
            [
                self.submitted,
                self.ended,
                self.failed,
                list(self.ready),
                list(self.running),
                self.slots,
                self.store_bytes,
                self.wait,
                self.run,
                self.commit,
                {name: list(level) for name, level in self.queues.items()},
                self.is_first,
            ]
        )

    def followed_by(self, later: SeriesPoint) -> SeriesPoint:
        """Both as one, of a longer stretch."""
        queues = {
            name: _later(self.queues.get(name), later.queues.get(name))
            for name in self.queues.keys() | later.queues.keys()
        }
        most = sorted(queues.items(), key=lambda one: (-one[1].most, one[0]))[:QUEUES_MAX]
        return SeriesPoint(
            submitted=self.submitted + later.submitted,
            ended=self.ended + later.ended,
            failed=self.failed + later.failed,
            ready=_later(self.ready, later.ready),
            running=_later(self.running, later.running),
            slots=later.slots,
            store_bytes=later.store_bytes,
            wait=_sums(self.wait, later.wait),
            run=_sums(self.run, later.run),
            commit=_sums(self.commit, later.commit),
            queues=dict(most),
            is_first=self.is_first or later.is_first,
        )


def unpacked(body: bytes) -> SeriesPoint:
    """Raises ProtocolError."""
    try:
        found: list[Any] = unpack(body)
        submitted, ended, failed, ready, running, slots, size, wait, run, commit, queues, is_first = found
        levels: Mapping[str, Any] = queues
        return SeriesPoint(
            submitted=submitted,
            ended=ended,
            failed=failed,
            ready=Level(*ready),
            running=Level(*running),
            slots=slots,
            store_bytes=size,
            wait=wait,
            run=run,
            commit=commit,
            queues={name: Level(*level) for name, level in levels.items()},
            is_first=is_first,
        )
    except (TypeError, ValueError, AttributeError) as error:
        raise ProtocolError(f"a point of the master's series has an unknown form: {error}") from None


def beside(points: Sequence[SeriesPoint]) -> SeriesPoint:
    """What several shards measured in the same stretch, as one. A worker is connected to all of them, and has its slots once."""
    found = SeriesPoint(
        submitted=sum(one.submitted for one in points),
        ended=sum(one.ended for one in points),
        failed=sum(one.failed for one in points),
        ready=_level(one.ready for one in points),
        running=_level(one.running for one in points),
        slots=max(one.slots for one in points),
        store_bytes=sum(one.store_bytes for one in points),
        queues={name: level for one in points for name, level in one.queues.items()},
        is_first=any(one.is_first for one in points),
    )
    for one in points:
        found.wait, found.run = _sums(found.wait, one.wait), _sums(found.run, one.run)
        found.commit = _sums(found.commit, one.commit)
    return found


def _level(levels: Iterable[Level]) -> Level:
    """The highest of all together was not seen, and is no more than the sum of the highest ones."""
    last, most = zip(*levels, strict=True)
    return Level(sum(last), sum(most))


def _later(before: Level | None, after: Level | None) -> Level:
    """A queue that is in one of them only was empty, or nearly, in the other."""
    before, after = before or NONE, after or NONE
    return Level(after.last, max(before.most, after.most))


def _sums(first: Sequence[int], second: Sequence[int]) -> list[int]:
    return [one + other for one, other in zip(first, second, strict=True)]


def quantile(counts: Sequence[int], bounds: Sequence[float], share: float) -> float | None:
    """The value that a share of what was counted does not exceed, even between two bounds; beyond the last bound, that. None: nothing
    was counted."""
    wanted, before, low = share * sum(counts), 0.0, 0.0
    if not wanted:
        return None
    for count, high in zip(counts, bounds, strict=False):
        if before + count >= wanted:
            return low + (high - low) * (wanted - before) / count
        before, low = before + count, high
    return bounds[-1]
