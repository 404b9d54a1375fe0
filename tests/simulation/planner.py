"""A program that keeps schedules: adds and edits them, pauses and resumes, runs them now and makes up for what was missed.

Its chance is its own, so that a seed without it is the same story as before there was one.
"""

from __future__ import annotations

from random import Random
from typing import Any

from tq.common.errors import StoreError, TqError, Unreachable
from tq.common.values.codec import encode_call

from .load import QUEUES
from .network import Network
from .program import Program
from .world import MS, SECOND, World

SCHEDULES = ["get_schedules"]
NAMES = ("hourly", "often", "now and then")
TASKS = ("jobs:short", "jobs:long")
OVERLAPS = ("allow", "allow", "skip", "queue", "cancel_running")
OFTEN, SELDOM = (1.0, 2.0, 5.0), (600.0, 3_600.0)  # seconds
AGO_MS, BACKFILLED_MS = 5_000, 30_000  # before now; so long


class Planner(Program):
    """``clock_jumps``: what is due often is not to be made up for by days."""

    def __init__(self, world: World, network: Network, seed: int, until: int, *, clock_jumps: bool) -> None:
        super().__init__(world, network, "planner")
        self._random, self._until, self._clock_jumps = Random(~seed), until, clock_jumps
        self._ends = False
        self.unpaused: set[str] = set(NAMES)  # at the end: those whose pause is not confirmed yet
        self.connect()
        self.process.later(self._random.randint(MS, 300 * MS), self._do_something)

    def finish(self) -> None:
        """Pause all of them: what was made is to end."""
        self._ends = True
        for name in NAMES:
            self._pause_one(name)

    def _pause_one(self, name: str) -> None:
        self._ask("pause", name, "the end")

    def _do_something(self) -> None:
        if self._ends or self.world.now >= self._until:
            return
        self.process.later(self._random.randint(MS, 1_200 * MS), self._do_something)
        name, roll = self._random.choice(NAMES), self._random.random()
        if roll < 0.4:
            self._ask("add", name, self._definition())
        elif roll < 0.5:
            self._ask("edit", name, self._changes(), False)
        elif roll < 0.6:
            self._pause_one(name)
        elif roll < 0.75:
            self._ask("resume", name)
        elif roll < 0.85:
            self._ask("run_now", name, self._random.randbytes(16))
        elif roll < 0.97:
            last = (self.world.now + self.world.wall_offset) // MS - self._random.randint(0, AGO_MS)
            first = last - self._random.randint(0, BACKFILLED_MS)
            self._ask("backfill", name, first / 1000, last / 1000)
        else:
            self._ask("remove", name, repeatable=False)

    def _definition(self) -> dict[str, Any]:
        fields = {"task": self._random.choice(TASKS), "queue": self._random.choice(QUEUES)}
        return {**fields, "payload": encode_call((), {}), **self._changes()}

    def _changes(self) -> dict[str, Any]:
        misfire = self._random.choice(("latest", "skip", "all"))
        changes: dict[str, Any] = {"misfire": misfire, "overlap": self._random.choice(OVERLAPS)}
        seldom = self._clock_jumps and (misfire == "all" or self._random.random() < 0.5)
        if not seldom and self._random.random() < 0.1:
            changes["cron"] = "* * * * *"
        else:
            changes["every"] = self._random.choice(
                SELDOM[1:] if seldom and misfire == "all" else SELDOM if seldom else OFTEN
            )
        if self._random.random() < 0.2:
            changes["jitter"] = 1.0
        return changes

    def _ask(self, method: str, name: str, *arguments: Any, repeatable: bool = True) -> None:
        self._call(SCHEDULES, method, [name, *arguments], (method, name), repeatable=repeatable)

    def _settled(self, ticket: Any, value: Any, error: TqError | None) -> None:
        method, name = ticket
        if error is not None:
            self.process.log(f"refused: {method} of {name}: {type(error).__name__}")
        if method == "pause" and self._ends:
            if isinstance(error, (StoreError, Unreachable)):
                self.process.later(SECOND // 5, lambda: self._pause_one(name))
            else:  # or there is none of that name
                self.unpaused.discard(name)
