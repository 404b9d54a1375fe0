"""A real SQLite database on a disk that is slow, full, or fails, and that forgets what was not committed.

A commit that fails says so; whether it took effect, chance decides, as with a real one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tq.common.domain.ids import id_behind
from tq.common.errors import StoreError
from tq.master.store.interface.retention import Purged
from tq.master.store.interface.slices import SucceededSlice
from tq.master.store.interface.store import Inconsistent
from tq.master.store.interface.tasks import Returned
from tq.master.store.sqlite.store import SqliteStore

from ..history.loading import every_task
from .oracle import Broken
from .tables import Torn, read
from .world import MS, World

TROUBLE = "the disk: "  # begins what a disk in trouble says; all else the store has found by itself
WRITES = re.compile(r"\b(INSERT|UPDATE|DELETE)\b")


class Disk:
    """The disk's mood; it outlives the processes that use it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.slowest = 3 * MS  # of a commit
        self.fails = 0.0  # chance that a commit does
        self.full = False
        self.read_only = False  # a file system that was remounted: nothing that is written is taken
        self.damaged: frozenset[str] = frozenset()  # the statements that meet a damaged page
        self.starved = 0.0  # chance that a statement finds no memory
        self.begun: Callable[[], None] = lambda: None
        self.took_effect: Callable[[WatchedStore], None] = lambda store: None
        self.purged: Callable[[list[tuple[int, bytes, int]], bool], None] = lambda tasks, are_surplus: None

    def latency(self) -> int:
        return self.world.between(100, self.slowest)

    def fail(self, what: str) -> StoreError:
        self.world.log("disk", what)
        return StoreError(TROUBLE + what)


class WatchedStore(SqliteStore):
    """Says what becomes of its tasks, and meets what befalls its disk."""

    _disk: Disk

    def begin(self, *, reading: bool = False, at_once: bool = False) -> None:
        self._disk.begun()
        super().begin(reading=reading, at_once=at_once)

    def every_task(self) -> list[tuple[bytes, int, int, bytes | None]]:
        """Id, state, attempt and result of each, those of arrays too."""
        return every_task(self._run)

    def unfinished(self) -> list[tuple[bytes, int, int]]:
        return [(id, state, attempt) for id, state, attempt, _ in self.every_task() if state < 10]

    @property
    def has_unfinished(self) -> bool:
        unfinished = (
            "SELECT 1 FROM tasks WHERE state < 10 UNION ALL SELECT 1 FROM slices WHERE state < 10 LIMIT 1"
        )
        return bool(self._run(unfinished))

    @contextmanager
    def untroubled(self) -> Iterator[None]:
        """For who looks on by the shipped statements."""
        disk = self._disk
        before, disk.damaged, disk.starved = (disk.damaged, disk.starved), frozenset(), 0.0
        try:
            yield
        finally:
            disk.damaged, disk.starved = before

    def ask(self, sql: str) -> list[Any]:
        """For who looks on: a disk in trouble is none for him."""
        return self._run(sql)

    def purge(self, finished_before: int, limit: int, ttl: int = 0) -> list[Purged]:
        before = self._states()
        gone = super().purge(finished_before, limit, ttl)
        self._purged(before)
        return gone

    def purge_surplus(self, tasks: int, size: int, limit: int, ttl: int = 0) -> list[Purged]:
        before = self._states()
        gone = super().purge_surplus(tasks, size, limit, ttl)
        if (deleted := self._purged(before, are_surplus=True)) > tasks:
            raise Broken("R1", f"{deleted} tasks were purged where {tasks} were too many")
        return gone

    def _purged(self, before: dict[int, tuple[bytes, int]], *, are_surplus: bool = False) -> int:
        """How many of these are gone."""
        after = self._states()
        gone = [(seq, *task) for seq, task in before.items() if seq not in after]
        self._disk.purged(gone, are_surplus)
        return len(gone)

    def _states(self) -> dict[int, tuple[bytes, int]]:
        """Id and state of each task, by its number."""
        try:
            rows = read(self.ask)
        except Torn as error:
            raise Broken("I9", str(error)) from error
        return {
            row.seq + place: (id_behind(row.id, place), row.state)
            for row in rows
            for place in range(row.stop - row.seq)
        }

    def _all(self, name: str, values: Any = ()) -> list[Any]:
        self._meet(name)
        return super()._all(name, values)

    def _many(self, name: str, rows: Sequence[Any]) -> int:
        if self._disk.full and rows:
            raise self._disk.fail("full")
        if rows:
            self._meet(name)
        return super()._many(name, rows)

    def _exactly(self, name: str, rows: Sequence[Any]) -> None:
        """The master takes up its picture again after this, and goes on; here it is what it shows: a bug."""
        try:
            super()._exactly(name, rows)
        except Inconsistent as error:
            raise Broken(
                "I9", f"the master asked for a move that the store does not make: {error}"
            ) from error

    def succeed_slices(self, rows: Sequence[SucceededSlice]) -> None:
        try:
            super().succeed_slices(rows)
        except Inconsistent as error:
            raise Broken("I9", f"the master's slices are not the store's: {error}") from error

    def return_unstarted(self, rows: Sequence[Returned]) -> None:
        try:
            super().return_unstarted(rows)
        except Inconsistent as error:
            raise Broken("I9", f"the master's slices are not the store's: {error}") from error

    def _meet(self, name: str) -> None:
        """What a statement meets on its way."""
        disk = self._disk
        if name in disk.damaged:
            raise disk.fail("database disk image is malformed")
        if disk.read_only and WRITES.search(self._sql[name]):
            raise disk.fail("attempt to write a readonly database")
        if disk.starved and disk.world.chance(disk.starved):
            raise disk.fail("out of memory")


class SimulatedStore(WatchedStore):
    """Of the one master of a host with a disk."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        super().__init__(None, "memory")

    def commit(self) -> None:
        disk = self._disk
        if disk.full:
            super().rollback()
            raise disk.fail("full")
        if disk.world.chance(disk.fails):
            if disk.world.chance(0.5):
                super().rollback()
                raise disk.fail("commit failed")
            super().commit()
            disk.took_effect(self)
            raise disk.fail("commit failed, but took effect")
        super().commit()
        disk.took_effect(self)
