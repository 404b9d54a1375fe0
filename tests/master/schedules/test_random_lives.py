"""Random lives of a master with schedules: clocks that are set, kills before and after commits, disks that fail, pauses.

Whatever happens, each instant is decided once, and the tasks are those of the instants that were not skipped.
"""

from __future__ import annotations

import itertools
import sqlite3
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.domain.ids import occurrence_id
from tq.common.domain.recurrence import Recurrence, cron, interval
from tq.common.errors import StoreError
from tq.master.schedules.decision import instants_between

from ..conftest import Bench
from ..new_store import NewStore
from .conftest import SCHEDULES, Scheduling

RULES: Final[list[dict[str, Any]]] = [
    {"every": 60.0},
    {"every": 7.0},
    {"cron": "* * * * *", "tz": "Europe/Prague"},
    {"cron": "*/7 * * * *", "tz": "Asia/Kathmandu"},
]
EVENTS: Final = (
    "pass",
    "pass",
    "pass",
    "back",
    "forward",
    "kill",
    "kill before commit",
    "fail",
    "pause",
    "resume",
)
event = st.tuples(st.sampled_from(EVENTS), st.integers(1, 400))
life = st.lists(event, min_size=1, max_size=12)


def rule_of(fields: dict[str, Any]) -> Recurrence:
    return interval(fields["every"]) if "every" in fields else cron(fields["cron"], fields["tz"])


class Life:
    """A schedule, and the master that is killed and started again over one store."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self.store = NewStore()
        self.scheduling = Scheduling(Bench(self.store))
        self.created = self.scheduling.bench.now.wall
        self.scheduling.add(**fields)

    def happens(self, what: str, seconds: int) -> None:
        bench = self.scheduling.bench
        if what == "pass":
            self.scheduling.pass_time(seconds)
        elif what in ("back", "forward"):
            bench.set_clock(seconds if what == "forward" else -seconds)
            self.scheduling.settle()
        elif what == "kill":
            self._start(seconds)
        elif what == "kill before commit":
            self._advance(seconds)
            bench.engine.run(self.scheduling.bench.now)
            self.store.rollback()
            self._start(0)
        elif what == "fail":
            self._advance(seconds)
            bench.step(commit=self._fail)
            bench.advance(11)
            self.scheduling.client = self.scheduling.peer()
            self.scheduling.settle()
        else:
            self.scheduling.client.call(SCHEDULES, what, "s")

    def _advance(self, seconds: int) -> None:
        now = self.scheduling.bench.now
        ms = seconds * 1000
        self.scheduling.bench.now = now._replace(wall=now.wall + ms, mono=now.mono + ms)

    def _start(self, seconds: int) -> None:
        """The memory of the old one is gone."""
        self._advance(seconds)
        now = self.scheduling.bench.now
        self.store.rollback()
        bench = Bench(self.store)
        bench.now = now
        bench.engine.start(now)
        self.scheduling = Scheduling(bench)
        self.scheduling.settle()

    @staticmethod
    def _fail() -> None:
        raise StoreError("the disk is full")


def check(life: Life, rule: Recurrence, misfire: str) -> None:
    row = life.store.schedules.find("s")
    assert row is not None
    records = list(reversed(life.store.schedules.history(row.number, 100_000)))
    made = [one.instant for one in records if one.task is not None]
    skipped = [
        instant
        for one in records
        if one.task is None
        for instant in instants_between(rule, one.first, one.instant, 100_000)
    ]
    assert [one.instants for one in records if one.task is None] == [
        len(instants_between(rule, one.first, one.instant, 100_000)) for one in records if one.task is None
    ]
    passed = instants_between(rule, life.created + 1, max(made + skipped, default=0), 100_000)
    assert sorted(made + skipped) == passed, "each instant is decided once"
    names = [occurrence_id("s", "default", b"at" + instant.to_bytes(8, "big")) for instant in made]
    assert sorted(life.scheduling.tasks()) == sorted(names), "the tasks are those of the instants"
    if row.fires is not None:
        assert row.fires == rule.after(max(row.last, passed[-1] if passed else 0))
    if misfire == "all":
        assert all(one.why == "it was paused" for one in records if one.task is None)


@pytest.mark.parametrize("misfire", ["latest", "all", "skip"])
@given(fields=st.sampled_from(RULES), events=life)
def test_each_instant_is_decided_once_whatever_happens(
    misfire: str, fields: dict[str, Any], events: list[tuple[str, int]]
) -> None:
    life = Life({**fields, "misfire": misfire})
    try:
        for what, seconds in events:
            life.happens(what, seconds)
        check(life, rule_of(fields), misfire)
    finally:
        life.store.close()


class FailingDatabase:
    """The database of a store, whose n-th write fails."""

    def __init__(self, real: Any, failing: int) -> None:
        self._real, self._left, self.has_failed = real, failing, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def execute(self, sql: str, *values: Any) -> Any:
        self._count(sql)
        return self._real.execute(sql, *values)

    def executemany(self, sql: str, rows: Any) -> Any:
        self._count(sql)
        return self._real.executemany(sql, rows)

    def _count(self, sql: str) -> None:
        if sql.startswith(("INSERT", "UPDATE", "DELETE")):
            self._left -= 1
            if not self._left:
                self.has_failed = True
                raise sqlite3.OperationalError("database or disk is full")


def test_a_store_that_fails_at_any_of_its_writes_loses_nothing_and_makes_nothing_twice() -> None:
    """The n-th write of a transaction that fires fails, for each n: that transaction has made nothing, the next one all."""
    for failing in itertools.count(1):
        life = Life({"every": 60.0, "misfire": "all"})
        bench, real = life.scheduling.bench, life.store._db
        life._advance(180)
        database = FailingDatabase(real, failing)
        life.store._db = database  # type: ignore[assignment]
        bench.step()
        life.store._db = real
        bench.advance(11)
        life.scheduling.client = life.scheduling.peer()
        life.scheduling.settle()
        check(life, interval(60.0), "all")
        assert len(life.scheduling.tasks()) == 3
        life.store.close()
        if not database.has_failed:
            assert failing > 3, "nothing was tried"
            return
