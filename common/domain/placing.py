"""Where a task may run: what it needs of a worker, what the worker has and has free, and why it does not run there. Pure.

A worker has *labels* (``zone=eu``), which a condition asks about, and *resources* (``gpu=2``), of which each task that it holds takes
what it needs. What is free is computed from what is leased, each time: nothing is remembered that a restart could forget.

A task that needs much is not passed over without end by those that need little: the first one in order that fits on no worker at the
moment has what becomes free on one of them kept for it, see ``keep``.

Invariants: 1. what fits is at most what is free; 2. a worker that does not fulfil the condition, or has less in all than one task
needs, never has room.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeVar

from ..errors import InvalidArgument
from ..values.brief import brief
from .amounts import check_amount, read_amount, show_amount
from .where import Condition, Term, check_label_name, parse_where, unmet

RESOURCES_MAX: Final = 16  # of one worker, and in the needs of one task
UNBOUNDED: Final = 2**31  # tasks that need no resource: as many as there are

Amounts = Mapping[str, int]  # by the name of the resource, in thousandths
_W = TypeVar("_W")


class Placing(NamedTuple):
    """What a task asks of the worker that runs it. ``needs``: by name, in thousandths; ``where``: a condition, as ``parse_where``
    writes it. Two tasks that ask the same have equal placings."""

    needs: tuple[tuple[str, int], ...] = ()
    where: str = ""

    @property
    def condition(self) -> Condition | None:
        return parse_where(self.where) if self.where else None

    def __str__(self) -> str:
        needs = ", ".join(f"{show_amount(amount)} {name}" for name, amount in self.needs)
        return " and ".join(filter(None, (needs, self.where and f"a worker where {self.where}")))


ANYWHERE: Final = Placing()


def read_needs(value: object) -> tuple[tuple[str, int], ...]:
    """Needs as a program writes them: ``{"gpu": 1, "mem": "4G"}``. Raises InvalidArgument."""
    return _needs(value, read_amount)


def check_needs(value: object) -> tuple[tuple[str, int], ...]:
    """Needs as they travel: a map of thousandths. Raises InvalidArgument."""
    return _needs(value, check_amount)


def _needs(value: object, read: Any) -> tuple[tuple[str, int], ...]:
    if not isinstance(value, Mapping):
        raise InvalidArgument(
            f'needs is a map of amounts such as {{"gpu": 1, "mem": "4G"}}, not {brief(value, 80)}'
        )
    if len(value) > RESOURCES_MAX:
        raise InvalidArgument(f"needs names {len(value):,} resources; at most {RESOURCES_MAX}")
    return tuple(
        sorted(
            (check_label_name("a resource", name), read(f"needs: {name}", amount))
            for name, amount in value.items()
        )
    )


def check_where(value: object) -> str:
    """A condition, in the one form in which it is kept; empty: none. Raises InvalidArgument."""
    if not isinstance(value, str):
        raise InvalidArgument(f'where is a condition such as "zone=eu", not {brief(value, 80)}')
    if not value.strip():
        return ""
    kept = str(
        parse_where(value)
    )  # it may be longer than what was written, and is read again for each look at a worker
    parse_where(kept)
    return kept


class Reason(enum.StrEnum):
    """Why a task does not run on a worker."""

    LABEL = "label"  # a comparison of its condition does not hold
    ABSENT = "absent"  # the worker has nothing of a resource
    SMALL = "small"  # it has less in all than the task needs
    BUSY = "busy"  # it has less free, for others hold the rest


class Obstacle(NamedTuple):
    """``needed``, ``there``: thousandths that the task needs, and that there are in all or free; of a label the comparison, and its value."""

    reason: Reason
    name: str
    needed: str | int
    there: str | int | None

    def __str__(self) -> str:
        if self.reason is Reason.LABEL:
            has = (
                f"its {self.name} is {self.there}"
                if isinstance(self.there, str)
                else f"it has no {self.name}"
            )
            return f"{has} ({self.needed})"
        needed, there = show_amount(int(self.needed)), show_amount(int(self.there or 0))
        if self.reason is Reason.ABSENT:
            return f"it has no {self.name} (needs {needed})"
        if self.reason is Reason.SMALL:
            return f"it has {there} {self.name} in all (needs {needed})"
        return f"{there} {self.name} free (needs {needed})"


@dataclass(slots=True)
class Place:
    """A worker as what is placed sees it: what it has, and what is free of it at the moment."""

    labels: Mapping[str, str]
    resources: Amounts  # in all
    free: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, labels: Mapping[str, str], resources: Amounts, held: Amounts) -> Place:
        """``held``: by the tasks that are leased to it. After a restart with less than before it may be more than there is."""
        return cls(
            labels, resources, {name: amount - held.get(name, 0) for name, amount in resources.items()}
        )

    def suits(self, placing: Placing) -> bool:
        """Whether it could run such a task if it held no other."""
        condition = placing.condition
        if condition is not None and not condition.holds(self.labels, self.resources):
            return False
        return all(self.resources.get(name, 0) >= amount for name, amount in placing.needs)

    def room(self, placing: Placing) -> int:
        """How many such tasks it has room for now."""
        if not self.suits(placing):
            return 0
        return max(
            0, min((self.free.get(name, 0) // amount for name, amount in placing.needs), default=UNBOUNDED)
        )

    def take(self, placing: Placing, tasks: int) -> None:
        """So many more are leased to it."""
        for name, amount in placing.needs:
            self.free[name] = self.free.get(name, 0) - amount * tasks

    def obstacles(self, placing: Placing) -> list[Obstacle]:
        """All that keeps such a task from running here now; none: there is room for one."""
        condition = placing.condition
        missing = () if condition is None else unmet(condition, self.labels, self.resources)
        found = [_label_obstacle(term, self) for term in missing]
        for name, amount in placing.needs:
            there, free = self.resources.get(name, 0), self.free.get(name, 0)
            if there < amount:
                found.append(Obstacle(Reason.SMALL if there else Reason.ABSENT, name, amount, there))
            elif free < amount:
                found.append(Obstacle(Reason.BUSY, name, amount, max(0, free)))
        return found


def _label_obstacle(term: Term, place: Place) -> Obstacle:
    return Obstacle(Reason.LABEL, term.name, str(term), place.labels.get(term.name))


def nearest(placing: Placing, places: Iterable[tuple[_W, Place]]) -> tuple[_W, list[Obstacle]] | None:
    """The worker that comes nearest to what is asked, and what keeps the task from it: the fewest obstacles that stay, then the
    fewest in all, then the smallest part that is missing. The first of equal ones."""
    found = ((one, place.obstacles(placing)) for one, place in places)
    return min(found, key=lambda pair: _distance(pair[1]), default=None)


def _distance(obstacles: Sequence[Obstacle]) -> tuple[int, int, float]:
    stay = sum(one.reason is not Reason.BUSY for one in obstacles)
    missing = sum(
        1 - int(one.there or 0) / int(one.needed) for one in obstacles if one.reason is not Reason.LABEL
    )
    return stay, len(obstacles), missing


def keep(placing: Placing, places: Sequence[Place]) -> Place | None:
    """Keep one worker for a task that waits and fits on none at the moment: what it has free, and what becomes free of it, up to what the
    task needs, is no longer free for the tasks behind it in this decision. None: no worker suits it, and nothing is kept.

    The worker with the largest part of it free is kept. Tasks behind take nothing of that, so the part only grows, until the task fits;
    if another worker's part becomes larger, that one is kept in its place. So it starts when the tasks that hold its resources
    on one worker have ended, at the latest, and nothing has to be remembered between two decisions.
    """
    suiting = [place for place in places if place.suits(placing)]
    if not suiting or any(place.room(placing) for place in suiting):
        return None
    kept = max(suiting, key=lambda place: _part_free(placing, place))
    kept.take(placing, 1)
    return kept


def _part_free(placing: Placing, place: Place) -> float:
    return min((max(0, place.free.get(name, 0)) / amount for name, amount in placing.needs), default=1.0)
