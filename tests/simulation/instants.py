"""What schedules decided, commit by commit, and what they must have decided: said in the plainest way.

::

    S2  an instant, or a run by hand, has one task, and that is made once
    S3  it is decided once: what was decided by time lies behind the last instant before, and not behind the one now
    S4  task, history and last instant are one transaction
    S5  of the instants that came each is made or skipped, by the policy of the schedule
    S6  the history knows how the task ended
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

from tq.common.domain.model import StateNumber
from tq.common.domain.recurrence import Recurrence
from tq.common.domain.schedule import ScheduleDefinition, laid_over
from tq.common.wire.frames import unpack

from .tables import Ask

BY_TIME, RUN_NOW, BACKFILL, SKIP = range(4)
LATE_MS = 60_000  # what is later was missed
ALL_MAX = 1_000
COMPARED_MAX = 60  # instants of one decision: of more the history forgets some at once
OVERDUE_MS = 3_000


class Wrong(Exception):
    """A rule that does not hold."""

    def __init__(self, rule: str, text: str, id: bytes | None = None) -> None:
        super().__init__(text)
        self.rule, self.id = rule, id


class _Schedule(NamedTuple):
    name: str
    base: bytes
    edits: bytes | None
    last: int
    fires: int | None
    paused: int

    @property
    def definition(self) -> ScheduleDefinition:
        values = unpack(self.base)
        return ScheduleDefinition.stored(
            values if self.edits is None else laid_over(values, unpack(self.edits))
        )


class _Occurrence(NamedTuple):
    first: int
    instants: int
    task: bytes | None
    held: int
    state: int | None
    why: str


Key = tuple[int, int, int]  # schedule, instant, kind


class Instants:
    """``look`` is called after each commit."""

    def __init__(self) -> None:
        self._schedules: dict[int, _Schedule] = {}
        self._occurrences: dict[Key, _Occurrence] = {}
        self._given = 0  # the last number of a schedule
        self.submitted: set[bytes] = set()  # tasks of schedules

    def look(self, ask: Ask, submitted: Collection[bytes], wall: int) -> None:
        """``submitted``: ids of tasks that no client submitted, in this transaction. ``wall``: the master's clock in it. Raises
        Wrong."""
        schedules = {
            number: _Schedule(*rest)
            for number, *rest in ask("SELECT schedule, name, base, edits, last, fires, paused FROM schedules")
        }
        occurrences = {
            (schedule, instant, kind): _Occurrence(*rest)
            for schedule, instant, kind, *rest in ask(
                "SELECT schedule, instant, kind, first, instants, task, held, state, why FROM occurrences"
            )
        }
        new = {key: one for key, one in occurrences.items() if key not in self._occurrences}
        self._once(occurrences, new, submitted)
        [(given,)] = ask("SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'schedules'")
        there = {*self._schedules, *range(self._given + 1, given + 1)}
        self._given = given
        if there <= schedules.keys():  # what is removed takes its history along, and its tasks stay
            self._known(occurrences, submitted)
        for number, now in schedules.items():
            before = self._schedules.get(number)
            mine = {key: one for key, one in new.items() if key[0] == number}
            if before is not None:
                self._in_order(number, before, now, mine)
                if not before.paused and before[:3] == now[:3]:
                    self._by_policy(number, before, now, mine, wall)
        self._schedules, self._occurrences = schedules, occurrences

    def _once(
        self,
        occurrences: Mapping[Key, _Occurrence],
        new: Mapping[Key, _Occurrence],
        submitted: Collection[bytes],
    ) -> None:
        made = {one.task: one for one in self._occurrences.values() if one.task is not None}
        for id in submitted:
            if id in made and not made[id].held:
                raise Wrong("S2", "the task of an instant was made again", id)
        self.submitted.update(submitted)
        tasks: dict[tuple[int, int], bytes] = {}
        for (number, instant, kind), one in occurrences.items():
            if one.task is None:
                continue
            if kind != RUN_NOW and tasks.setdefault((number, instant), one.task) != one.task:
                raise Wrong("S2", "an instant has two tasks", one.task)
            if not one.held and one.task not in self.submitted:
                raise Wrong("S4", "the history has a task that was not made", one.task)

    @staticmethod
    def _known(occurrences: Mapping[Key, _Occurrence], submitted: Collection[bytes]) -> None:
        named = {one.task for one in occurrences.values()}
        for id in submitted:
            if id not in named:
                raise Wrong("S4", "a task was made of which the history does not know", id)

    def _in_order(
        self, number: int, before: _Schedule, now: _Schedule, new: Mapping[Key, _Occurrence]
    ) -> None:
        for _, instant, kind in new:
            if kind in (BY_TIME, SKIP) and not before.last < instant <= now.last:
                raise Wrong("S3", f"{now.name}: {instant} was decided between {before.last} and {now.last}")
        if now.last < before.last or (now.fires is not None and now.fires <= now.last):
            raise Wrong(
                "S3",
                f"{now.name}: the last instant is {now.last}, it was {before.last}, the next is {now.fires}",
            )

    def _by_policy(
        self, number: int, before: _Schedule, now: _Schedule, new: Mapping[Key, _Occurrence], wall: int
    ) -> None:
        if before.fires is None or now.last == before.last:
            return
        definition = now.definition
        came = _between(definition.recurrence, before.fires, now.last)
        if not came or len(came) > COMPARED_MAX:  # none: an edit that changed nothing
            return
        made = [instant for _, instant, kind in sorted(new) if kind == BY_TIME]
        skipped = [(one.first, instant, one.why) for (_, instant, kind), one in new.items() if kind == SKIP]
        covered = {*made, *(one for one in came for first, last, _ in skipped if first <= one <= last)}
        if covered != set(came):
            raise Wrong("S5", f"{now.name}: of the instants {came} these were decided: {sorted(covered)}")
        missed = [
            one for one in came for first, last, why in skipped if first <= one <= last and "policy" in why
        ]
        if set(made) & set(missed) or missed != expected_missed(came, wall, definition.misfire):
            raise Wrong(
                "S5", f"{now.name}, {definition.misfire}: of {came} these were called missed: {missed}"
            )

    def check_due(self, ask: Ask, wall: int) -> None:
        """Nothing is wrong any more: what is due has been decided."""
        for name, fires in ask("SELECT name, fires FROM schedules WHERE fires IS NOT NULL"):
            if fires < wall - OVERDUE_MS:
                raise Wrong("S5", f"{name} is overdue by {wall - fires} ms")

    def check_ends(self, states: Mapping[bytes, int]) -> None:
        """``states``: of the tasks that are there at the end."""
        for one in self._occurrences.values():
            state = states.get(one.task) if one.task is not None and not one.held else None
            if state is not None and state >= StateNumber.SUCCEEDED and one.state != state:
                raise Wrong(
                    "S6", f"its state is {state}, the history of its schedule says {one.state}", one.task
                )


def expected_missed(came: list[int], wall: int, misfire: str) -> list[int]:
    """Those of the instants that the policy leaves out."""
    if misfire == "all":
        return came[:-ALL_MAX]
    if misfire == "skip" and wall - came[-1] > LATE_MS:
        return came
    return came[:-1]


def _between(rule: Recurrence, first: int, last: int) -> list[int]:
    found: list[int] = []
    following: int | None = first
    while following is not None and following <= last and len(found) <= COMPARED_MAX:
        found.append(following)
        following = rule.after(following)
    return found
