"""What a master sees of the shards of its database: a thread with a connection of its own looks, and says that this master is here."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

from .line import INTEGER, DatabaseAway, DatabaseRefused, PostgresLine, Statement
from .masters import ANSWER_SECONDS_MAX, Me, ShardSeen, give_up, look, say_here
from .shard import INT4
from .tables import SCHEMA
from .tenure import clock

LOOK_SECONDS: Final = 0.25  # so long after its release a shard may be without an owner
LOOK_SECONDS_MIN: Final = 0.02
SAY_SECONDS: Final = 1.0  # as an owner does
END_SECONDS_MAX: Final = 5.0
PIN: Final = f"SELECT value FROM {SCHEMA}.meta WHERE shard = $1 AND name = 'certificate'".encode()
SHARDS: Final = f"SELECT value FROM {SCHEMA}.meta WHERE shard = 0 AND name = 'shards'".encode()


Looked = TypeVar("Looked")


class DatabaseWatch(Generic[Looked]):
    """``look`` is called in its thread, with a connection; ``seen`` with what it has returned, or ``away`` with the sentence while the
    database does not answer. ``pause``: the seconds until the next look. ``leave``: the last thing that it does, if the database answers."""

    def __init__(
        self,
        connect: Callable[[], PostgresLine],
        look: Callable[[PostgresLine], Looked],
        seen: Callable[[Looked], Any],
        away: Callable[[str], Any],
        pause: Callable[[Looked], float],
        leave: Callable[[PostgresLine], Any] | None = None,
    ) -> None:
        self._connect, self._look, self._seen, self._away = connect, look, seen, away
        self._pause, self._leave = pause, leave
        self._soon, self._ends, self._telling = threading.Event(), threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=self._run, name="tq-shard-watch", daemon=True)
        self._thread.start()

    def look_now(self) -> None:
        self._soon.set()

    def close(self) -> None:
        """From here on nothing is called, also if its thread still waits for a connection."""
        with self._telling:
            self._ends.set()
        self._soon.set()
        self._thread.join(END_SECONDS_MAX)

    def _run(self) -> None:
        line: PostgresLine | None = None
        pause = LOOK_SECONDS
        while not self._ends.is_set():
            try:
                line = line or self._connect()
                if self._ends.is_set():  # it was slow
                    break
                seen = self._look(line)
                pause = self._pause(seen)
                self._tell(self._seen, seen)
            except (DatabaseAway, DatabaseRefused) as error:
                if line is not None:
                    line.close()
                line, pause = None, LOOK_SECONDS
                self._tell(self._away, str(error))
            self._soon.wait(pause)
            self._soon.clear()
        if line is not None:
            if self._leave is not None:
                # What the database does not learn of it now, the others forget in an hour.
                with contextlib.suppress(DatabaseAway, DatabaseRefused):
                    self._leave(line)
            line.close()

    def _tell(self, whom: Callable[[Any], Any], what: object) -> None:
        with self._telling:
            if not self._ends.is_set():
                whom(what)


def pause_after(seen: ShardSeen | None) -> float:
    """Seconds until the next look: not beyond the moment at which the owner's time is over, if it does not renew it."""
    left = LOOK_SECONDS if seen is None or seen.left_seconds is None else seen.left_seconds
    return bounded(left)


def bounded(seconds: float) -> float:
    """A pause that is neither too long nor a busy loop."""
    return min(LOOK_SECONDS, max(LOOK_SECONDS_MIN, seconds))


class ShardWatch(DatabaseWatch[ShardSeen | None]):
    """Looks at one shard, and says that this master is here. For one that is not its owner."""

    def __init__(
        self,
        shard: int,
        connect: Callable[[], PostgresLine],
        me: Me,
        seen: Callable[[ShardSeen | None], Any],
        away: Callable[[str], Any],
    ) -> None:
        said = -math.inf

        def look_at_it(line: PostgresLine) -> ShardSeen | None:
            nonlocal said
            if clock() - said >= SAY_SECONDS:
                said = clock()
                say_here(line, me)
            seen = look(line, shard)
            return look(line, shard) if seen is not None and give_up(line, me, shard, seen) else seen

        super().__init__(connect, look_at_it, seen, away, pause_after)


def first_look(line: PostgresLine, shard: int) -> tuple[ShardSeen | None, bytes | None]:
    """The shard, and the pin of its cluster's certificate; None where no master has been."""
    seen, pin = look(line, shard), None
    if seen is not None:
        with contextlib.suppress(DatabaseRefused):
            [result] = line.run([Statement(PIN, [INT4(shard)], [INTEGER])], ANSWER_SECONDS_MAX)
            pin = result.get_value(0, 0) if result.ntuples else None
    return seen, pin


def shards_of(line: PostgresLine) -> bytes | None:
    """What the first shard says of how many there are, see ``shard_files.read_number``."""
    [result] = line.run([Statement(SHARDS)], ANSWER_SECONDS_MAX)
    return result.get_value(0, 0) if result.ntuples else None
