"""What a master that stands by sees of the shard: a thread with a connection of its own looks, and says that this master is here."""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable
from typing import Any, Final

from .line import INTEGER, DatabaseAway, DatabaseRefused, PostgresLine, Statement
from .masters import ANSWER_SECONDS_MAX, Me, ShardSeen, look, say_here
from .shard import INT4
from .tables import SCHEMA
from .tenure import clock

LOOK_SECONDS: Final = 0.25  # so long after its release a shard may be without an owner
LOOK_SECONDS_MIN: Final = 0.02
SAY_SECONDS: Final = 1.0  # as an owner does
END_SECONDS_MAX: Final = 5.0
PIN: Final = f"SELECT value FROM {SCHEMA}.meta WHERE shard = $1 AND name = 'certificate'".encode()
SHARDS: Final = f"SELECT value FROM {SCHEMA}.meta WHERE shard = 0 AND name = 'shards'".encode()


class ShardWatch:
    """``seen`` is called in its thread with each look; ``away`` with the sentence, while the database does not answer."""

    def __init__(
        self,
        shard: int,
        connect: Callable[[], PostgresLine],
        me: Me,
        seen: Callable[[ShardSeen | None], Any],
        away: Callable[[str], Any],
    ) -> None:
        self._shard, self._connect, self._me, self._seen, self._away = shard, connect, me, seen, away
        self._ends, self._telling = threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=self._run, name="tq-shard-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """From here on nothing is called, also if its thread still waits for a connection."""
        with self._telling:
            self._ends.set()
        self._thread.join(END_SECONDS_MAX)

    def _run(self) -> None:
        line: PostgresLine | None = None
        said, pause = -math.inf, LOOK_SECONDS
        while not self._ends.is_set():
            try:
                line = line or self._connect()
                if self._ends.is_set():  # it was slow
                    break
                if clock() - said >= SAY_SECONDS:
                    said = clock()
                    say_here(line, self._me)
                seen = look(line, self._shard)
                pause = pause_after(seen)
                self._tell(self._seen, seen)
            except (DatabaseAway, DatabaseRefused) as error:
                if line is not None:
                    line.close()
                line, pause = None, LOOK_SECONDS
                self._tell(self._away, str(error))
            self._ends.wait(pause)
        if line is not None:
            line.close()

    def _tell(self, whom: Callable[[Any], Any], what: object) -> None:
        with self._telling:
            if not self._ends.is_set():
                whom(what)


def pause_after(seen: ShardSeen | None) -> float:
    """Seconds until the next look: not beyond the moment at which the owner's time is over, if it does not renew it."""
    left = LOOK_SECONDS if seen is None or seen.left_seconds is None else seen.left_seconds
    return min(LOOK_SECONDS, max(LOOK_SECONDS_MIN, left))


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
