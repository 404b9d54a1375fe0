"""What must be so of masters that share the shards of a database, whatever befalls them.

::

    Z1  of each shard: what is committed is its owner's, and no one takes it from an owner whose time is not over (A1, A2)
    Z2  no master performs a transaction on a shard that another one has taken over (A3)
    Z3  what an owner has committed in a shard is what the next one goes on with
    Z4  within a bound after the last change every shard is served, by the master that the database names
    Z5  by then the numbers of shards of the masters that can have some differ by one at most
    Z6  no shard moves without need: none at rest, and after one change no more than that one makes necessary
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from .database import Database
from .oracle import Broken
from .ownership import OwnershipLaws, machine_of

if TYPE_CHECKING:
    from .sharing_hosts import ShardStore, SharingHost

BEAT: Final = "beat"  # the name of what each owner counts up in its shard


class SharingLaws:
    """``broken``: the first law that was; shipped code may have taken its exception for one of its own faults."""

    def __init__(self, database: Database, shards: int) -> None:
        self._database = database
        self.of_shards = [OwnershipLaws(database, shard, _are_same) for shard in range(shards)]
        self._beats = [0] * shards
        self.broken: Broken | None = None
        self.moves = 0  # of a shard from one master to another

    def fail(self, rule: str, text: str) -> None:
        self.broken = self.broken or Broken(rule, text)
        raise self.broken

    def look(self) -> None:
        """After each transaction of any master."""
        for laws in self.of_shards:
            before = machine_of(laws.row.owner)
            self._judged("Z1", laws.look)
            now = machine_of(laws.row.owner)
            if before not in ("", now):
                self.moves += 1

    def committed(self, store: ShardStore) -> None:
        """An owner's transaction is durable; before ``look``."""
        laws = self.of_shards[store.shard]
        self._judged("Z1", lambda: laws.committed(store))
        asked = "SELECT value FROM meta WHERE shard = ? AND name = ?"
        for (value,) in self._database.ask(asked, (store.shard, BEAT)):
            beat = int(bytes(value))
            if beat < self._beats[store.shard]:
                self.fail(
                    "Z3",
                    f"shard {store.shard} had come to {self._beats[store.shard]}, and goes on with {beat}",
                )
            self._beats[store.shard] = beat

    def begins(self, store: ShardStore) -> None:
        """A transaction of a master's begins."""
        self._judged("Z2", lambda: self.of_shards[store.shard].begins(store))

    def _judged(self, rule: str, judge: object) -> None:
        try:
            judge()  # type: ignore[operator]
        except Broken as found:
            self.fail(rule, str(found))

    # at rest

    @property
    def owners(self) -> list[str]:
        """The master of each shard."""
        return [machine_of(laws.row.owner) for laws in self.of_shards]

    def why_unsettled(self, hosts: Sequence[SharingHost]) -> tuple[str, str] | None:
        """The law that does not hold, and what is wrong; None: all is well. ``hosts``: those that can have shards."""
        if ending := [host.name for host in hosts if host.is_ending]:
            return "Z4", f"{', '.join(ending)} is to end, and has not been started since"
        of = {host.me.id: host for host in hosts}
        for shard, owner in enumerate(self.owners):
            host = of.get(owner)
            if host is None:
                return "Z4", f"shard {shard} is owned by {owner or 'none'}, and there are {', '.join(of)}"
            if not host.serves(shard):
                return "Z4", f"shard {shard} is owned by {owner}, which does not serve it"
        counts = {id: self.owners.count(id) for id in of}
        if max(counts.values()) - min(counts.values()) > 1:
            return "Z5", f"shards are not even: {counts}"
        return None

    def moved(self, before: Sequence[str], moves: int, most: int, what: str) -> None:
        """Since then. ``most``: so many changes of owners are necessary."""
        made = self.moves - moves
        if made > most:
            self.fail(
                "Z6", f"{what}: {made} moves, and {most} are needed; before {before}, then {self.owners}"
            )


def _are_same(one: str, other: str) -> bool:
    """``host-1-2`` and ``host-1-3`` are starts of one host, whose directory is locked by one at a time."""
    return one.rpartition("-")[0] == other.rpartition("-")[0]
