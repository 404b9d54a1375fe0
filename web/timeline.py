"""Who ran what when, as bars: a track for each worker, in as many lanes as it ran tasks at once, coloured by the name of the task. Pure.

The master knows which worker ran a task, and not in which of its slots: a lane is the first one that is free. Neighbours in an array that
were reported together are one bar, as long as they ran in all.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from zlib import crc32

from ..client.cli.ran import RUNNING, Ran, outcome_of
from ..common.contract.workers import RanRow
from ..common.domain.durations import span
from ..common.domain.ids import show_id

WIDTH: Final = 1_000.0  # of a track, in units of the drawing
BAR_WIDTH_MIN: Final = 1.2  # so that it is seen
COLOURS: Final = 10
KEPT_MAX: Final = 1_000  # names whose colours are remembered
OTHER: Final = "other"  # the colour of names beyond those
LANES_MAX: Final = 64  # of a worker whose slots are not known
TRACKS_MAX: Final = 40
TICKS: Final = 4  # parts of the axis
GOOD: Final = frozenset({"success", "snooze", "became", RUNNING})


class WorkBar(NamedTuple):
    """``x``, ``width``: in units of the drawing. ``key``: the same in the next look."""

    key: str
    id: str
    x: float
    width: float
    lane: int
    colour: str
    name: str
    queue: str
    outcome: str
    attempt: int
    started: float
    took: str
    tasks: int
    is_bad: bool


@dataclass(kw_only=True)
class WorkTrack:
    node: str
    host: str
    bars: list[WorkBar] = field(default_factory=list)
    lanes: int = 1


class NameShown(NamedTuple):
    name: str
    colour: str
    tasks: int


@dataclass(frozen=True, kw_only=True)
class WorkTimeline:
    """``tracks_left``: workers that ran something and have no track here. ``ticks``: Unix seconds."""

    tracks: Sequence[WorkTrack]
    names: Sequence[NameShown]
    ticks: Sequence[float]
    tracks_left: int
    is_whole: bool


def timeline(
    ran: Ran, workers: Iterable[Mapping[str, object]], colours: dict[str, str], *, only: str = ""
) -> WorkTimeline:
    """``workers``: those that there are, as the master lists them, in the order in which they are shown. ``colours``: of the looks before.
    ``only``: the node of one."""
    slots = {str(row["node"]): int(str(row["slots"])) for row in workers}
    by_node: defaultdict[tuple[str, str], list[RanRow]] = defaultdict(list)
    for row in ran.rows:
        by_node[row.node, row.host].append(row)
    places = {node: place for place, node in enumerate(slots)}
    shown = sorted(by_node, key=lambda one: (places.get(one[0], len(places)), one[1], one[0]))
    if only:
        shown = [one for one in shown if one[0] == only]
    now = colours_of((row.name for row in ran.rows), colours)
    tracks = [
        _track(node, host, by_node[node, host], slots.get(node, LANES_MAX), ran, now)
        for node, host in shown[:TRACKS_MAX]
    ]
    counted = Counter[str]()
    for row in ran.rows:
        counted[row.name] += row.tasks
    return WorkTimeline(
        tracks=tracks,
        names=[NameShown(name, now[name], tasks) for name, tasks in counted.most_common()],
        ticks=[ran.since + (ran.until - ran.since) * place / TICKS for place in range(TICKS + 1)],
        tracks_left=max(0, len(shown) - TRACKS_MAX),
        is_whole=ran.is_whole,
    )


def colours_of(names: Iterable[str], kept: dict[str, str]) -> dict[str, str]:
    """A colour for each name: its own as long as there are enough, and the same as in the looks before: ``kept``, which is changed."""
    if len(kept) > KEPT_MAX:
        kept.clear()
    names = set(names)
    taken = {kept[name] for name in names & kept.keys()}
    for name in sorted(names - kept.keys()):
        first = crc32(name.encode("utf-8", "replace"))
        places = (str(one % COLOURS) for one in range(first, first + COLOURS))
        if (place := next((one for one in places if one not in taken), None)) is not None:
            taken.add(place)
            kept[name] = place
    return {name: kept.get(name, OTHER) for name in names}


def began(row: RanRow) -> float:
    """Of several, so long before they were reported as they ran in all; but not before they were given to the worker."""
    if row.tasks == 1 or row.ended is None:
        return row.started
    return max(row.started, row.ended - row.seconds)


def _track(
    node: str, host: str, rows: Sequence[RanRow], slots: int, ran: Ran, colours: Mapping[str, str]
) -> WorkTrack:
    track = WorkTrack(node=node, host=host)
    free = [-math.inf]  # when each lane is
    scale = WIDTH / max(0.001, ran.until - ran.since)
    for row in sorted(rows, key=lambda row: (began(row), row.id)):
        start, end = began(row), ran.until if row.ended is None else row.ended
        lane = next((place for place, at in enumerate(free) if at <= start), len(free))
        if lane == len(free):
            if len(free) < max(1, slots):
                free.append(end)
            else:  # clocks of several hosts: what seems to overlap by a little is drawn so
                lane = free.index(min(free))
        free[lane] = max(free[lane], end)
        x = max(0.0, (start - ran.since) * scale)
        width = max(BAR_WIDTH_MIN, min(WIDTH, (end - ran.since) * scale) - x)
        outcome = outcome_of(row)
        track.bars.append(
            WorkBar(
                f"{show_id(row.id)}-{row.attempt}",
                show_id(row.id),
                min(x, WIDTH - BAR_WIDTH_MIN),
                width,
                lane,
                colours[row.name],
                row.name,
                row.queue,
                outcome,
                row.attempt,
                start,
                span(row.seconds),
                row.tasks,
                outcome not in GOOD,
            )
        )
    track.lanes = len(free)
    return track
