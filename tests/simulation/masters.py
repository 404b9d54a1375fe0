"""Two or three masters over one database, and what befalls them: two of eighteen seeds have them in the place of one master with a disk.

In a part of them the database goes back now and then: what it had acknowledged and lost is lost, so the history proves nothing from there on,
and only the laws of ownership are judged, and that everything that is there ends.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Final

from tq.master.store.postgres.remedies import DISK_FULL

from .database import NO_LAG, RESTARTS, Database
from .hosts import Host, SharedStore
from .master import Master, Place
from .oracle import Broken
from .ownership import OwnershipLaws, machine_of
from .world import MS, SECOND

if TYPE_CHECKING:
    from .run import Cluster

EVERY: Final = 18  # seeds
RESTS: Final = (12, 17)  # that the seeds with several masters leave
GOES_BACK: Final = 17
LEASES_3: Final = 12 * SECOND
LATE_FOR_ALL: Final = 3 * SECOND
TOO_LATE: Final = (6 * SECOND, 9 * SECOND)  # behind a lease, the look of another one, and its claim
SERVED_WITHIN: Final = 30 * SECOND  # of peace


def are_several(seed: int) -> bool:
    return seed % EVERY in RESTS


def may_go_back(seed: int) -> bool:
    """Every third one of a half."""
    return seed % EVERY == GOES_BACK and seed // EVERY % 3 == 2


class Masters:
    def __init__(
        self, cluster: Cluster, seed: int, new_master: Callable[[SharedStore, Place], Master]
    ) -> None:
        self._cluster, self.world, self.nature = cluster, cluster.world, cluster.nature
        self.network, self.oracle, self.disk = cluster.network, cluster.oracle, cluster.disk
        self.new_master = new_master
        self._random = random = Random(~seed - 3)
        self.database = Database(self.world, random)
        self.laws = OwnershipLaws(self.database)
        self._is_peace = False
        self._standbys: list[sqlite3.Connection] = []  # of the database, in the order of what they have
        self.hosts = [Host(self, f"host-{number}") for number in range(random.choice((2, 2, 3)))]
        self.network.addresses = [host.address for host in self.hosts]
        for host in self.hosts:
            host.start_later(random.randint(0, 300 * MS))
        self.kinds = self._mix(seed)

    def _mix(self, seed: int) -> list[Callable[[], None]]:
        kinds: list[Callable[[], None]] = [
            self.kill_the_owner,
            self.stop_the_owner,
            self.pause_the_owner,
            self.pause_a_master,
            self.kill_a_master,
            self.cut_off_from_the_database,
            self.cut_off_from_clients,
            self.restart_the_database,
            self.stall_the_database,
            self.slow_the_database,
            self.full_database,
            self.late_answers,
            self.lose_answers,
        ]
        first = kinds[seed // EVERY % len(kinds)]
        chosen = [first, *self._random.sample(kinds, self._random.randint(0, 4))]
        if may_go_back(seed):
            chosen.append(self.go_back)
        return list(dict.fromkeys(chosen))

    # who they are

    @property
    def owner(self) -> Host | None:
        """The one that the database names, if it serves."""
        for host in self.hosts:
            if (
                host.store is not None
                and host.serves
                and host.store.committer.held.owner == self.laws.row.owner
            ):
                return host
        return None

    @property
    def store(self) -> SharedStore | None:
        return None if self.owner is None else self.owner.store

    def _owner_or_another(self) -> Host:
        return self.owner or self._random.choice(self.hosts)

    # harm

    def kill_the_owner(self) -> None:
        self._kill(self._owner_or_another())

    def kill_a_master(self) -> None:
        self._kill(self._random.choice(self.hosts))

    def _kill(self, host: Host) -> None:
        if host.process.alive:
            host.kill()
            host.start_later(self._random.randint(0, 8 * SECOND))
            self.oracle.all_disturbed(SECOND)

    def stop_the_owner(self) -> None:
        """In good order: the others need not wait for its time to be over."""
        self._owner_or_another().end()
        self.oracle.all_disturbed(SECOND)

    def pause_the_owner(self) -> None:
        """It stands still for longer than three leases, often, and goes on."""
        self._pause(
            self._owner_or_another(),
            self._random.choice((SECOND, 3 * SECOND, LEASES_3, LEASES_3 + 4 * SECOND)),
        )

    def pause_a_master(self) -> None:
        self._pause(self._random.choice(self.hosts), self._random.randint(MS, 6 * SECOND))

    def _pause(self, host: Host, length: int) -> None:
        process = host.process
        if process.alive and not process.paused:
            process.pause()
            self.world.schedule(length, self.nature, process.resume)
            self.oracle.all_disturbed(length)

    def cut_off_from_the_database(self) -> None:
        """Nothing arrives until it is over; often it is the owner."""
        host = self._owner_or_another() if self._random.random() < 0.7 else self._random.choice(self.hosts)
        length = self._random.randint(100 * MS, 15 * SECOND)
        self.database.cut_until[host.name] = self.world.now + length
        self.oracle.all_disturbed(length)

    def cut_off_from_clients(self) -> None:
        """A master that owns the state, and that no program reaches for a while."""
        host, length = self._owner_or_another(), self._random.randint(100 * MS, 6 * SECOND)
        self.oracle.all_disturbed(length)
        for link in self.network.links:
            if link.server.process is host.process:
                if self._random.random() < 0.5:
                    link.reset()
                else:
                    link.stalled_until = self.world.now + length

    def restart_the_database(self) -> None:
        self.database.restart()
        self._trouble("refuses", RESTARTS, "", self._random.randint(50 * MS, 4 * SECOND))

    def stall_the_database(self) -> None:
        length = self._random.randint(100 * MS, 9 * SECOND)
        self.database.stalled_until = self.world.now + length
        self.oracle.all_disturbed(length)

    def slow_the_database(self) -> None:
        self._trouble(
            "slowest",
            self._random.randint(5 * MS, 400 * MS),
            2 * MS,
            self._random.randint(SECOND, 6 * SECOND),
        )

    def late_answers(self) -> None:
        """What was asked is done at once; its answer comes later. A long one is the owner's alone: so the others see in time that its
        time is over, and one of them serves when the answer comes."""
        latest, length = self._random.randint(100 * MS, 6 * SECOND), self._random.randint(SECOND, 8 * SECOND)
        if latest < LATE_FOR_ALL:
            self._trouble("lags", (0, latest), NO_LAG, length)
        else:
            host = self._owner_or_another().name
            self.database.lags_of[host] = TOO_LATE
            self.oracle.all_disturbed(length + TOO_LATE[1])

            def in_time_again() -> None:
                self.database.lags_of.pop(host, None)

            self.world.schedule(length, self.nature, in_time_again)

    def full_database(self) -> None:
        self._trouble("refuses", DISK_FULL, "", self._random.randint(50 * MS, 2 * SECOND))

    def lose_answers(self) -> None:
        self.database.loses_answers = self._random.randint(1, 4)
        self.oracle.all_disturbed(SECOND)

    def go_back(self) -> None:
        """A standby takes over that lacks the last of what was committed."""
        standby, before = self.database.copy(), self.laws.row
        self._standbys.append(standby)

        def take_over() -> None:
            if self._is_peace or standby not in self._standbys:
                standby.close()
                return
            # What was copied later than this is of a history that is over, and takes over no more.
            del self._standbys[self._standbys.index(standby) :]
            row = self.laws.row
            self.world.log(
                "chaos", f"the database goes back to commit {before.last_commit} of epoch {before.epoch}"
            )
            self.database.go_back(standby)
            lost = row.last_commit - before.last_commit
            if lost:
                self.oracle.is_blind = True
            self.laws.went_back(lost)
            lives = {host.me.id for host in self.hosts if host.process.alive}
            if (owner := machine_of(row.owner)) not in lives:
                self.laws.is_gone(owner)

        self.world.schedule(self._random.randint(20 * MS, 2 * SECOND), self.nature, take_over)

    def _trouble(self, name: str, value: object, well: object, length: int) -> None:
        setattr(self.database, name, value)
        self.oracle.all_disturbed(length)
        self.world.schedule(length, self.nature, lambda: setattr(self.database, name, well))

    # peace

    def make_peace(self) -> None:
        self._is_peace, database = True, self.database
        database.slowest, database.lags, database.loses_answers = 2 * MS, NO_LAG, 0
        database.refuses, database.stalled_until = "", 0
        database.cut_until.clear()
        database.lags_of.clear()
        self.world.schedule(SERVED_WITHIN, self.nature, self._serve_by_now)

    def _serve_by_now(self) -> None:
        if self.owner is None:
            raise Broken(
                "A5",
                f"{SERVED_WITHIN // SECOND} s after the last trouble no master serves; it is {self.laws.row}",
            )

    def close(self) -> None:
        self.database.close()
