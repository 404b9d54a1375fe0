"""What a master does while its store fails: which kind of work is tried next, when a chore is retried, what is logged. Pure.

::

    well: one transaction carries chores and calls ── it fails ──► trouble ── every chore has succeeded ──► well

    trouble, by turns:  READ   calls that only read, in a transaction that only reads
                        WRITE  all other calls: done or refused
                        CHORE  one chore by itself, when its pause is over

So calls are answered or refused even if chores fail, calls that read even if those that write fail, and a chore that fails
holds up no other. One of the chores writes a row, so that the end of the trouble is noticed without a call.

Invariants: 1. while there is trouble a chore is tried alone; 2. its pause doubles with each failure, up to a bound, and none that
has succeeded is tried before it when the pause is over; 3. the log has the first failure of a kind and then one in LOG_EVERY_MS.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from .clock import Now
from .session import Call, Session

PAUSE_MS_MIN: Final = 200  # after the first failure of a chore
PAUSE_MS_MAX: Final = 5_000  # and at most: so long after its disk works again a master notices
AGAIN_MS: Final = 1_000  # between two turns of a chore that succeeds while others fail
LOG_EVERY_MS: Final = 60_000  # between two records of what goes on failing
KINDS_MAX: Final = 8  # different errors of one trouble that are logged at once


class Turn(enum.Enum):
    ALL = "chores and calls"
    READ = "calls that only read"
    WRITE = "calls"
    CHORE = "one chore"
    NONE = "nothing"


BY_TURNS: Final = (Turn.READ, Turn.WRITE, Turn.CHORE)


@dataclass(slots=True, eq=False)
class Chore:
    """Work of the master's own. ``due``, ``pause_ms`` and ``doubtful`` mean something while there is trouble."""

    name: str
    run: Callable[[Now], None]
    due: int = 0  # monotonic ms
    pause_ms: int = PAUSE_MS_MIN
    doubtful: bool = False  # it has not succeeded since the trouble began, or since it failed


class Trouble:
    """Of one engine. ``report``: its log."""

    def __init__(self, chores: list[Chore], report: Callable[..., None]) -> None:
        self._chores, self._report = chores, report
        self.since: int | None = None  # monotonic ms; None: all is well
        self.error = ""  # the last one, for people
        self.failed_at: int | None = None  # monotonic ms
        self._last = Turn.CHORE
        self._logged: dict[str, int] = {}  # by error: when, monotonic ms
        self._is_logged = False

    # whose turn it is

    def turn(self, now: Now, *, reads: bool, writes: bool) -> Turn:
        """``reads``, ``writes``: whether there are such calls."""
        if self.since is None:
            return Turn.ALL
        possible = {Turn.READ: reads, Turn.WRITE: writes, Turn.CHORE: self.wakeup() <= now.mono}
        # By turns and not by rank: readers without end would keep the chore from its turn that notices that the disk works again.
        start = BY_TURNS.index(self._last) + 1
        for turn in (*BY_TURNS[start:], *BY_TURNS[:start]):
            if possible[turn]:
                self._last = turn
                return turn
        return Turn.NONE

    def next_chore(self, now: Now) -> Chore:
        """Of those that are due, one in doubt: the others only go on, and must not put off the end of the trouble, however many
        they are. Of these, the one that is due first."""
        return min(self._chores, key=lambda chore: (not chore.doubtful or chore.due > now.mono, chore.due))

    def wakeup(self) -> int:
        """Monotonic ms at which a chore is due."""
        return min(chore.due for chore in self._chores)

    def seconds(self, now: Now) -> float:
        """How long it has lasted; 0: there is none."""
        return 0.0 if self.since is None else max(0, now.mono - self.since) / 1000

    def summary(self, now: Now) -> dict[str, Any]:
        """For people: the last error, for how many seconds there has been trouble (0: it is over), and how long ago the
        last transaction failed; nothing when none has."""
        if self.failed_at is None:
            return {}
        ago = max(0, now.mono - self.failed_at) / 1000
        return {"error": self.error, "seconds": self.seconds(now), "last_seconds_ago": ago}

    # what happens

    def failed(self, error: str, now: Now, chore: Chore | None = None, *, log: bool = True) -> None:
        """A transaction failed; ``chore``: it was this one's. ``log``: the log does not have it yet."""
        self.error, self.failed_at = error, now.mono
        if self.since is None:
            self.since, self._is_logged = now.mono, False
            for one in self._chores:
                one.due, one.pause_ms, one.doubtful = now.mono + PAUSE_MS_MIN, PAUSE_MS_MIN, True
        elif chore is not None:
            chore.pause_ms = min(PAUSE_MS_MAX, 2 * chore.pause_ms)
            chore.due, chore.doubtful = now.mono + chore.pause_ms, True
        if log:
            self._log(error, now, chore)

    def succeeded(self, chore: Chore, now: Now) -> None:
        """A chore was done by itself."""
        chore.due, chore.pause_ms, chore.doubtful = now.mono + AGAIN_MS, PAUSE_MS_MIN, False
        if self.since is not None and not any(one.doubtful for one in self._chores):
            seconds, self.since = self.seconds(now), None
            if self._is_logged:
                self._report("store.recovered", seconds=round(seconds, 1))

    def _log(self, error: str, now: Now, chore: Chore | None) -> None:
        for one in [one for one, at in self._logged.items() if now.mono - at >= LOG_EVERY_MS]:
            del self._logged[one]
        # A bound on kinds: an error whose text has a number or an address in it is another one each time.
        if error not in self._logged and len(self._logged) < KINDS_MAX:
            self._logged[error], self._is_logged = now.mono, True
            of = {} if chore is None else {"chore": chore.name}
            self._report("store.failed", level="error", error=error, **of)


def readers_among(inbox: Iterable[Call]) -> list[Call]:
    """Calls that only read, and overtake none of their own session's."""
    behind: set[Session] = set()
    readers = []
    for call in inbox:
        if not call.reads:
            behind.add(call.session)
        elif call.session not in behind:
            readers.append(call)
    return readers
