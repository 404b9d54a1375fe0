"""What became of a schedule lately: of its last twenty, how many went well and how long they took. Pure, but for ``read``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import median
from typing import Final, NamedTuple

from ...common.errors import InvalidArgument
from ..app import App
from ..schedules.schedule import Occurrence, Schedule

NEWEST: Final = 20
SCHEDULES_MAX: Final = 200  # of more the history of each is not asked for
GOOD: Final = "succeeded"
BAD: Final = ("failed", "dead", "lost", "expired", "cancelled")


class Lately(NamedTuple):
    """``states``: how many came to what, the usual first. ``seconds``: half of those that are known took less; None: none is."""

    states: dict[str, int]
    seconds: float | None

    @property
    def went_well(self) -> int:
        return self.states.get(GOOD, 0)

    @property
    def went_wrong(self) -> int:
        return sum(self.states.get(state, 0) for state in BAD)

    def __str__(self) -> str:
        ended = self.went_well + self.went_wrong
        return f"{self.went_well}/{ended} ok" if ended else ""


def lately_of(history: Sequence[Occurrence]) -> Lately:
    states = Counter[str]()
    for one in history:
        states[one.state] += one.instants if one.state == "skipped" else 1
    took = [one.seconds for one in history if one.seconds is not None]
    return Lately(dict(states.most_common()), median(took) if took else None)


def read(app: App, found: Sequence[Schedule]) -> dict[str, Lately]:
    """By name. Empty if there are very many, and of a master that does not say it yet."""
    if not 0 < len(found) <= SCHEDULES_MAX:
        return {}
    try:
        rows = app.schedules.list(history=NEWEST)
    except InvalidArgument:
        return {}
    return {one.name: lately_of(one.history) for one in rows}
