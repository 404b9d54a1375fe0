"""Watches the master for the log-ins of one key: what it says now, what it said before, and whether there is anything new.

One look every two seconds while a page is open, whatever the number of pages: they all are shown what the last look has found.
Keys of some queues do not see the series that the master keeps: for those the page keeps what it has seen since the log-in.

Invariants: 1. what was asked for earlier never takes the place of what was asked for later, in whatever order the answers come;
2. what was asked for before a person has changed something is shown to no one with that key once the change is made.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

from ..client.app import App
from ..common.contract.observe import MASTER
from ..common.domain.model import State
from ..common.errors import TqError
from .connecting import ANSWER_SECONDS, answer_seconds, is_final

LOOK_SECONDS: Final = 2.0
UNSEEN_LOOK_SECONDS: Final = 10.0  # while no page is open and the master is there
POINTS_MAX: Final = 1_800  # an hour of looks
FAILED: Final = (State.FAILED, State.DEAD, State.LOST)
UNSTEADY: Final = ("now", "wall", "commit_seconds", "rate")  # of a snapshot: they change when nothing does

Snapshot = dict[str, Any]


class Point(NamedTuple):
    """What one look has found. ``at``: Unix seconds."""

    at: float
    ended_per_second: float
    ready: int
    running: int
    slots: int
    failed: int


class Watcher:
    """Belongs to one event loop; what it has found may be read in any thread."""

    def __init__(self, app: App) -> None:
        self._apps = [app]  # of log-ins of one key; the first one asks
        self._joining = threading.Lock()  # guards changes of that
        self.snapshot: Snapshot | None = None
        self.points: deque[Point] = deque(maxlen=POINTS_MAX)
        self.version = ""  # of what can be seen; changes when that does
        self.away_since: float | None = None  # Unix seconds
        self.refused: str = ""  # why the master takes this key no longer
        self.looked_at = -math.inf  # monotonic seconds of the last answer
        self._asked_at = -math.inf  # for that
        self.changed_at = -math.inf  # by a person with this key
        self._changed = asyncio.Event()
        self._urged = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._pages = 0
        self._loop: asyncio.AbstractEventLoop | None = None

    def join(self, app: App) -> bool:
        """Another log-in of the same key has what this one sees; False: it ends just now. Called in any thread."""
        with self._joining:
            if self._apps:
                self._apps = [*self._apps, app]
            return bool(self._apps)

    def leave(self, app: App) -> None:
        """A log-in has ended; with the last one it ends. Called in any thread."""
        with self._joining:
            self._apps = left = [one for one in self._apps if one is not app]
        if left:
            self._soon(self._wake)  # its streams end
        else:
            self._soon(self._end)

    def start(self) -> None:
        """Nothing, if another log-in has started it."""
        if self._task is not None:
            return
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._run(), name="tq-web watcher")

    def _end(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._wake()

    def urge(self) -> None:
        """Look now. Called in any thread."""
        self._soon(self._urged.set)

    def has_changed(self) -> None:
        """A person with this key has changed something: what was asked for before is not what is now. Called in any thread."""
        self.changed_at = time.monotonic()
        self.urge()

    def is_stale(self) -> bool:
        """Whether a look while a page is open would be newer: without one they are rare, and a person may have changed something."""
        return self._asked_at <= self.changed_at or time.monotonic() - self.looked_at > LOOK_SECONDS

    def hand_over(self, snapshot: Snapshot, asked_at: float) -> None:
        """What a view had to ask for by itself. Called in any thread."""
        self._soon(partial(self.looked, snapshot, time.time(), asked_at))

    def _soon(self, act: Callable[[], object]) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(act)

    @contextlib.contextmanager
    def seen(self) -> Any:
        """A page is open in the block: look more often."""
        self._pages += 1
        self._urged.set()
        try:
            yield self
        finally:
            self._pages -= 1

    async def changed(self, seconds: float) -> bool:
        """Wait until there is something new, at most so long."""
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _run(self) -> None:
        while self._apps and not self.refused:
            await self.look()
            is_urgent = self._pages or self.away_since is not None
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._urged.wait(), LOOK_SECONDS if is_urgent else UNSEEN_LOOK_SECONDS)
            self._urged.clear()

    async def look(self) -> None:
        app = next(iter(self._apps), None)
        if app is None:
            return
        asked_at = time.monotonic()
        try:
            call = app.acall((MASTER.name,), "snapshot")
            found = await asyncio.wait_for(call, answer_seconds(app.session, ANSWER_SECONDS))
            self.looked(found, time.time(), asked_at)
        except (TqError, TimeoutError) as error:
            if app not in self._apps:
                return  # it was closed meanwhile: the next look is another's
            self.lost(time.time())
            if is_final(error):
                self.refused = str(error)
                self._wake()

    def looked(self, snapshot: Snapshot, now: float, asked_at: float) -> None:
        """``asked_at``: monotonic seconds."""
        if asked_at < self._asked_at:
            return
        version = version_of(snapshot)
        is_new = version != self.version or self.away_since is not None
        self.snapshot, self.version, self.away_since = snapshot, version, None
        self._asked_at, self.looked_at = asked_at, time.monotonic()
        self.points.append(point_of(snapshot, now))
        if is_new:
            self._wake()

    def lost(self, now: float) -> None:
        if self.away_since is None:
            self.away_since = now
            self._wake()

    def _wake(self) -> None:
        """Wake all that wait now."""
        waiting, self._changed = self._changed, asyncio.Event()
        waiting.set()


def point_of(snapshot: Snapshot, now: float) -> Point:
    queues = snapshot["queues"]
    return Point(
        at=now,
        ended_per_second=float(snapshot["rate"]),
        ready=sum(row[State.READY] for row in queues),
        running=sum(row[State.RUNNING] for row in queues),
        slots=sum(row["slots"] for row in snapshot["workers"] if row["connected"]),
        failed=sum(row[state] for row in queues for state in FAILED),
    )


def version_of(snapshot: Snapshot) -> str:
    """The same for two snapshots between which nothing has happened but time."""
    steady = {name: value for name, value in snapshot.items() if name not in UNSTEADY}
    steady["queues"] = [
        {**row, "oldest_ready_seconds": None, "rate": round(row["rate"], 1)} for row in snapshot["queues"]
    ]
    steady["workers"] = [
        {
            **row,
            "last_seen": None,
            "memory_bytes": (row["memory_bytes"] or 0) >> 20,
            "rate": round(row["rate"], 1),
        }
        for row in snapshot["workers"]
    ]
    text = json.dumps(steady, default=repr, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
