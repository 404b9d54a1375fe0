"""An operator at work: sets weights and caps of tenants, makes and removes strikes. The laws of that: ``steered.py``."""

from __future__ import annotations

from random import Random
from typing import Any

from tq.common.errors import StoreError, TqError, Unreachable

from .crowded import NAMES
from .network import Network
from .program import Program
from .steered import SteeredLaws
from .world import MS, SECOND, World

TENANTS, STRIKES = ["get_tenants"], ["get_strikes"]


class Operator(Program):
    """Sets and removes. Of each condition it asks for one thing at a time."""

    def __init__(self, world: World, network: Network, laws: SteeredLaws, random: Random, until: int) -> None:
        super().__init__(world, network, "operator")
        self._laws, self._random, self._until = laws, random, until
        self._busy: set[str] = set()
        self._ends = False
        self.connect()
        self.process.later(random.randint(MS, 300 * MS), self._do_something)

    def finish(self) -> None:
        """Remove all strikes that have no end of their own."""
        self._ends = True
        for condition in self._laws.holds:
            self._remove(condition)

    def _do_something(self) -> None:
        if self._ends or self.world.now >= self._until:
            return
        self.process.later(self._random.randint(MS, 1_200 * MS), self._do_something)
        roll, name = self._random.random(), self._random.choice(NAMES)
        condition = self._random.choice(list(self._laws.holds))
        if roll < 0.3:
            self._tenant("set", name, {"max_running": self._random.choice((1, 2, 5, 5, None))})
        elif roll < 0.5:
            self._tenant("set", name, {"weight": self._random.choice((1, 2, 3))})
        elif roll < 0.6:
            self._tenant("remove", name)
        elif roll < 0.85:
            self._strike("add", condition, "a test", self._random.choice((None, 0.7, 4.0)))
        else:
            self._remove(condition)

    def _tenant(self, method: str, *arguments: Any) -> None:
        self._call(TENANTS, method, arguments, (method, "", arguments), repeatable=True)

    def _remove(self, condition: str) -> None:
        self._strike("remove", condition)

    def _strike(self, method: str, condition: str, *arguments: Any) -> None:
        if condition in self._busy:
            if self._ends:
                self.process.later(SECOND // 5, lambda: self._strike(method, condition, *arguments))
            return
        self._busy.add(condition)
        if method == "remove":
            self._laws.removing.add(condition)
        self._call(STRIKES, method, [condition, *arguments], (method, condition, arguments), repeatable=True)

    def _settled(self, ticket: Any, value: Any, error: TqError | None) -> None:
        method, condition, _ = ticket
        self._busy.discard(condition)
        if error is not None:
            self.process.log(f"refused: {method} {condition}: {type(error).__name__}")
        elif method == "add":
            self._laws.struck(condition)
        if method == "remove" and condition:
            self._laws.removing.discard(condition)
            if self._ends and isinstance(error, (StoreError, Unreachable)):
                self.process.later(SECOND // 5, lambda: self._remove(condition))
