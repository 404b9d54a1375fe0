"""Masters that share the shards of a database, under a seeded scheduler: they come, end, are killed, stand still, and the database is away.

::

    some start ─► rest ─► a round: one change, or many at once ─► peace ─► rest within a bound ─► nothing moves ─► the next round

One change at rest is judged by what it makes necessary: how many shards had to move, if any.
"""

from __future__ import annotations

import functools
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Final, NamedTuple
from unittest.mock import patch

from tq.common.auth.certificate import ensure_certificate
from tq.master.store.postgres import store as postgres_store
from tq.master.store.postgres.remedies import DISK_FULL

from .database import NO_LAG, RESTARTS, Database
from .fibers import in_simulated_time, process_here
from .oracle import Broken
from .run import Outcome
from .sharing_hosts import SharingHost
from .sharing_laws import SharingLaws
from .world import MS, SECOND, Process, World

ROUNDS: Final = 3
CHAOS: Final = 12 * SECOND
# Of one change: a lease, the looks of the others, and shards that move one after the other
SETTLED_WITHIN: Final = 12 * SECOND
SETTLED_AFTER_CHAOS: Final = 20 * SECOND
STANDS_ASIDE: Final = 30 * SECOND  # who could not open a shard
STARTED_WITHIN: Final = 2_500 * MS  # of a start: less than what a lease lasts
QUIET: Final = 6 * SECOND  # in which nothing moves
STEP: Final = 100 * MS
SHORT: Final = 2_500 * MS  # of a pause that is no sign of death
LONG: Final = 13 * SECOND  # three leases
OUTAGES: Final = 3  # at the end of each life: who asks first when one is over is by chance


class Change(NamedTuple):
    """``moves``: of shards that it makes necessary, at most. ``lasts``: until it is over. ``within``: from then on all is settled."""

    what: str
    moves: int
    lasts: int = 0
    within: int = SETTLED_WITHIN


@functools.cache
def certificate() -> Path:
    """Of no use but to be read: one for all lives of this process."""
    return ensure_certificate(Path(tempfile.mkdtemp(prefix="tq-simulated-")))[0]


class Life:
    def __init__(self, seed: int, folder: Path) -> None:
        self.random = random = Random(~seed - 7)
        self.world = World(seed)
        self.nature = Process(self.world, "nature")
        self.database = Database(self.world, random)
        self.count = random.randint(2, 7)
        self.laws = SharingLaws(self.database, self.count)
        self.certificate = certificate()
        self.hosts = [SharingHost(self, f"host-{number}", folder) for number in range(random.randint(2, 4))]
        self.faults: Counter[str] = Counter()
        self._was_full = False
        for host in random.sample(self.hosts, random.randint(1, len(self.hosts))):
            host.is_wanted = True
            host.start_later(random.randint(0, 300 * MS))

    @property
    def running(self) -> list[SharingHost]:
        return [host for host in self.hosts if host.is_wanted]

    # time

    def run(self, length: int) -> None:
        self.world.run(self.world.now + length, lambda: self.laws.broken is not None)
        if self.laws.broken is not None:
            raise self.laws.broken

    def rest(self, within: int, what: str) -> None:
        """Until every shard is served and the spread is even; from then on nothing moves."""
        until, why = self.world.now + within, self.laws.why_unsettled(self.running)
        while why is not None and self.world.now < until:
            self.run(STEP)
            why = self.laws.why_unsettled(self.running)
        if why is not None:
            self.laws.fail(why[0], f"{within // SECOND} s after {what}: {why[1]}")
        self.world.log("life", f"rests behind {what}: {self.laws.owners}")

    def quiet(self, what: str) -> None:
        owners, moves = self.laws.owners, self.laws.moves
        self.run(QUIET)
        self.laws.moved(owners, moves, 0, f"at rest behind {what}")

    # one change, at rest

    def one_change(self) -> None:
        kinds: list[Callable[[], Change | None]] = [
            self.comes,
            self.comes,
            self.ends,
            self.is_killed,
            self.is_restarted_at_once,
            self.stands_still_for_a_moment,
            self.stands_still_for_long,
            self.is_cut_off,
            self.is_cut_off,
            self.comes_full,
            self.database_is_away,
            self.database_is_slow,
        ]
        while not self._made(self.random.choice(kinds)):
            pass

    def _made(self, kind: Callable[[], Change | None]) -> bool:
        """Whether it could be, and then what has become of it."""
        owners, moves = self.laws.owners, self.laws.moves
        change = kind()
        if change is None:
            return False
        self.faults[change.what.split(": ")[0]] += 1
        self.world.log("life", change.what)
        self.run(change.lasts)
        self.rest(change.within, change.what)
        self.laws.moved(owners, moves, change.moves, change.what)
        self.quiet(change.what)
        return True

    def comes(self) -> Change | None:
        idle = [host for host in self.hosts if not host.is_wanted]
        if not idle:
            return None
        host = self.random.choice(idle)
        host.is_wanted = True
        host.start()
        # It looks at the database before it takes part.
        return Change(f"a master comes: {host.name}", self.count // len(self.running), SECOND)

    def ends(self) -> Change | None:
        if len(self.running) < 2:
            return None
        host = self.random.choice(self.running)
        host.is_wanted = False
        host.end()
        return Change(f"a master ends: {host.name}", self._owned(host), SECOND)

    def is_killed(self) -> Change | None:
        if len(self.running) < 2:
            return None
        host = self.random.choice(self.running)
        host.is_wanted = False
        host.kill()
        return Change(f"a master is killed: {host.name}", self._owned(host), SECOND)

    def is_restarted_at_once(self) -> Change:
        """It takes what it had, for its lock shows that who had it is gone."""
        host = self.random.choice(self.running)
        host.kill()
        pause, has = self.random.randint(20 * MS, 1_500 * MS), self._owned(host)
        host.start_later(pause)
        return Change(f"a master is restarted at once: {host.name}", has, pause, within=STARTED_WITHIN)

    def comes_full(self) -> Change | None:
        """It has no room for any shard: what one of the others releases for it comes back. Then it is gone again."""
        idle = [host for host in self.hosts if not host.is_wanted]
        if not idle or len(self.running) >= self.count:
            return None
        host = self.random.choice(idle)
        host.is_wanted = host.is_full = True
        host.start()

        def goes() -> None:
            host.is_wanted = host.is_full = False
            host.end()

        self.world.schedule(STANDS_ASIDE, self.nature, goes)
        self.run(5 * SECOND)
        others = [one for one in self.running if one is not host]
        if (why := self.laws.why_unsettled(others)) is not None:
            self.laws.fail(why[0], f"5 s after a master with a full disk has come: {why[1]}")
        return Change(f"a master with a full disk comes: {host.name}", 2, STANDS_ASIDE)

    def stands_still_for_a_moment(self) -> Change:
        return self._stands_still(SHORT, "for a moment", 0)

    def stands_still_for_long(self) -> Change | None:
        """What the others take meanwhile comes back to it, as much as makes them even."""
        if len(self.running) < 2:
            return None
        change = self._stands_still(LONG, "for long", 0)
        return change._replace(moves=2 * self.count)

    def _stands_still(self, length: int, how: str, moves: int) -> Change:
        host = self.random.choice(self.running)
        process = host.process
        process.pause()
        self.world.schedule(length, self.nature, process.resume)
        return Change(f"a master stands still {how}: {host.name}", moves, length)

    def is_cut_off(self) -> Change | None:
        """From the database, for a little longer than its leases last: what it had under way arrives when others have its shards."""
        if len(self.running) < 2:
            return None
        host, length = self.random.choice(self.running), self.random.randint(4_300 * MS, 8 * SECOND)
        self.database.cut_until[host.name] = self.world.now + length
        return Change(f"a master is cut off from the database: {host.name}", 2 * self.count, length)

    def database_is_away(self) -> Change:
        """For all of them, also for longer than a lease."""
        length = self.random.choice((SECOND, 5 * SECOND, 9 * SECOND))
        if self.random.random() < 0.5:
            self.database.stalled_until = self.world.now + length
        else:
            self.database.restart()
            self._trouble("refuses", RESTARTS, "", length)
        return Change("the database is away", 0, length)

    def database_is_slow(self) -> Change:
        self._trouble("slowest", self.random.randint(20 * MS, 300 * MS), 2 * MS, 4 * SECOND)
        return Change("the database is slow", 0, 4 * SECOND)

    def is_replaced_amid_an_outage(self) -> Change | None:
        """One dies and one comes while the database is away for all: the one that comes has what that one had, and no other moves."""
        idle = [host for host in self.hosts if not host.is_wanted]
        if len(self.running) < 2 or not idle:
            return None
        dies, comes = self.random.choice(self.running), self.random.choice(idle)
        has, length = self._owned(dies), self.random.randint(5 * SECOND, 9 * SECOND)
        self.database.stalled_until = self.world.now + length
        dies.is_wanted, comes.is_wanted = False, True
        dies.kill()
        self.world.schedule(length - 50 * MS, self.nature, comes.start)
        return Change(f"a master is replaced amid an outage: {dies.name} by {comes.name}", has, length)

    def _owned(self, host: SharingHost) -> int:
        return self.laws.owners.count(host.me.id)

    # many at once

    def chaos(self) -> None:
        self._was_full = False
        for _ in range(self.random.randint(3, 7)):
            kind = self.random.choice(
                (
                    self._kill_one,
                    self._end_one,
                    self._pause_one,
                    self._pause_one,
                    self._cut_one_off,
                    self._fill_one,
                    self._database_trouble,
                    self._start_or_leave,
                )
            )
            self.world.schedule(self.random.randint(0, CHAOS), self.nature, kind)
        self.run(CHAOS)
        self._make_peace()
        aside = STANDS_ASIDE if self._was_full else 0
        self.rest(SETTLED_AFTER_CHAOS + aside, "chaos")
        self.quiet("chaos")

    def _one(self, name: str) -> SharingHost:
        self.faults[name] += 1
        return self.random.choice(self.running)

    def _kill_one(self) -> None:
        host = self._one("kills amid chaos")
        host.kill()
        host.start_later(self.random.randint(0, 6 * SECOND))

    def _end_one(self) -> None:
        self._one("ends amid chaos").end()

    def _pause_one(self) -> None:
        process = self._one("pauses amid chaos").process
        if process.alive and not process.paused:
            process.pause()
            length = self.random.choice((300 * MS, 2 * SECOND, 5 * SECOND, LONG))
            self.world.schedule(length, self.nature, process.resume)

    def _cut_one_off(self) -> None:
        host = self._one("hosts cut off")
        self.database.cut_until[host.name] = self.world.now + self.random.randint(100 * MS, 12 * SECOND)

    def _fill_one(self) -> None:
        host = self._one("full hosts")
        host.is_full = self._was_full = True

        def is_empty() -> None:
            host.is_full = False

        self.world.schedule(self.random.randint(SECOND, 8 * SECOND), self.nature, is_empty)

    def _start_or_leave(self) -> None:
        """One more, or one fewer; one stays."""
        host = self.random.choice(self.hosts)
        self.faults["more or fewer"] += 1
        if not host.is_wanted:
            host.is_wanted = True
            host.start()
        elif len(self.running) > 1:
            host.is_wanted = False
            host.end()

    def _database_trouble(self) -> None:
        self.faults["trouble of the database"] += 1
        length = self.random.randint(200 * MS, 8 * SECOND)
        match self.random.randrange(6):
            case 0:
                self.database.restart()
                self._trouble("refuses", RESTARTS, "", length)
            case 1:
                self.database.stalled_until = self.world.now + length
            case 2:
                self._trouble("slowest", 400 * MS, 2 * MS, length)
            case 3:
                self._trouble("lags", (0, self.random.randint(100 * MS, 6 * SECOND)), NO_LAG, length)
            case 4:
                self._trouble("refuses", DISK_FULL, "", min(length, 2 * SECOND))
            case _:
                self.database.loses_answers = self.random.randint(1, 6)

    def _trouble(self, name: str, value: object, well: object, length: int) -> None:
        setattr(self.database, name, value)
        self.world.schedule(length, self.nature, lambda: setattr(self.database, name, well))

    def _make_peace(self) -> None:
        """What stands still goes on, and what is to run runs."""
        self.world.log("life", "peace")
        database = self.database
        database.slowest, database.lags, database.loses_answers = 2 * MS, NO_LAG, 0
        database.refuses, database.stalled_until = "", 0
        database.cut_until.clear()
        for host in self.hosts:
            host.is_full = False
            if host.process.paused:
                host.process.resume()
            host.start()

    # all of it

    def live(self) -> None:
        self.rest(SETTLED_WITHIN, "the first start")
        self.quiet("the first start")
        for _ in range(ROUNDS):
            if self.random.random() < 0.6:
                self.one_change()
            else:
                self.chaos()
        for _ in range(OUTAGES):
            self._made(self.database_is_away)
            self._made(self.is_replaced_amid_an_outage)

    def close(self) -> None:
        for host in self.hosts:
            host.close()
        self.database.close()


def simulate_sharing(seed: int, *, story: bool = False) -> Outcome:
    """Live one life to its end."""
    began = time.perf_counter()
    rule = broken = ""
    with (
        tempfile.TemporaryDirectory(prefix="tq-sharing-") as folder,
        in_simulated_time() as begin,
        patch.object(postgres_store, "new_id", lambda: process_here().name),
    ):
        life = Life(seed, Path(folder))
        begin(life.world)
        try:
            life.live()
        except Broken as found:
            rule, broken = found.rule, str(found)
        except Exception:  # a bug of ours, or of tq's
            broken = traceback.format_exc()
        finally:
            life.close()
    seconds = time.perf_counter() - began
    trace, faults = life.world.trace, dict(life.faults)
    whole = life.world.story(None) if story or broken else ""
    return Outcome(seed, trace, life.laws.moves, 0, faults, rule, broken, whole, seconds)
