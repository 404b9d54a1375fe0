"""Which shards of its database a master has, while it runs: it looks, decides, takes and releases.

::

    each look of the database ─► who lives, who owns what ─► spread.next_steps ─► SharedShards: take, let go

A look that was asked for before this master's last change is not acted on: it does not show that one. All of it runs on the loop; the
thread that looks also says that this master is here, and how ready it is to take more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..common.auth.certificate import certificate_der
from ..common.auth.leaf import shown_by
from ..common.contract.observe import MasterRow
from ..common.errors import ConfigError, StoreError
from ..common.wire.address import Address
from .addresses import me_of
from .keys.revoked_leaves import check_not_revoked
from .net.hosted import HostedShards
from .net.server import MasterServer
from .shard_resources import OpenShard, settings_of
from .shared_cluster import SharedCluster
from .shared_shards import ShardObserver, SharedShards
from .standby.spread import Living, Readiness, next_steps
from .store.interface.store import StoreAway

if TYPE_CHECKING:
    from .store.postgres.cluster_seen import ClusterSeen
    from .store.postgres.line import PostgresLine
    from .store.postgres.masters import ShardSeen
    from .store.postgres.watching import DatabaseWatch

HURRY_SECONDS: Final = 0.02  # between two looks, while a shard is on its way to this master
# Until a master that could not open a shard tries again: the others have it meanwhile
AGAIN_SECONDS: Final = 30.0
NOTICED_SECONDS: Final = 0.3  # until the others have seen that this master is about to end: see LOOK_SECONDS
AWAY_SECONDS: Final = 1.0  # the same when it was the database that did not answer, which it does to none
# A lease that seems to be over is believed from then on: when the database was away for all, owners that live renew first.
IN_TOUCH_SECONDS: Final = 2.0
STILL_SECONDS: Final = 3.0  # a loop that has not taken notice of a look for so long stands still


class ShardSharing:
    """Made when the port is bound, ``address``. ``serve``: makes a server for a shard. ``observer``: learns of those that come and go.
    ``have_rows``: called with pairs of a shard that has rows and the one that they are for. ``retire``: called with the reason why this master must not go on."""

    def __init__(
        self,
        cluster: SharedCluster,
        shards: list[OpenShard],
        hosted: HostedShards,
        address: Address,
        report: Callable[..., Any],
        *,
        serve: Callable[[OpenShard], MasterServer],
        observer: ShardObserver,
        have_rows: Callable[[Sequence[tuple[int, int]]], None] | None,
        retire: Callable[[str], None],
    ) -> None:
        from .store.postgres.cluster_seen import NOT_SEEN
        from .store.postgres.masters import say_gone
        from .store.postgres.tenure import clock
        from .store.postgres.watching import DatabaseWatch
        from .store.postgres.working_copy import last_owner

        self._cluster, self._hosted, self._report, self._retire = cluster, hosted, report, retire
        self._have_rows = have_rows
        self._now, self._loop = clock, asyncio.get_running_loop()
        self._me = me = me_of(cluster.settings, address.port)
        self._leaf = shown_by(certificate_der(cluster.identity.certificate)).leaf
        # Owners that the process of this directory before was, which its lock shows to be gone.
        self._before = [last_owner(folder) for folder in self._folders()]
        self._view: ClusterSeen = NOT_SEEN
        self._changed_at, self._cannot_until, self._noticed_at = 0.0, 0.0, clock()
        self._in_touch_since: float | None = None
        self._awaits = False  # another master is about to release a shard for this one
        self._not_mine: dict[int, ShardSeen] = {}  # which the database takes for this master's
        self._said: tuple[Readiness | None, float] = (None, 0.0)  # what, and when
        self._has_begun = asyncio.Event()  # what is its part at first is served
        self.away = ""  # why the database does not answer
        self.shards = SharedShards(
            cluster,
            shards,
            hosted,
            report,
            serve=serve,
            observer=observer,
            masters=self.masters,
            changed=self._has_changed,
        )
        hosted.owner = self.owner
        self._watch: DatabaseWatch[ClusterSeen] = DatabaseWatch(
            cluster.connect,
            self._look,
            lambda view: self._loop.call_soon_threadsafe(self._looked, view),
            lambda error: self._loop.call_soon_threadsafe(self._lost_touch, error),
            self._pause,
            lambda line: say_gone(line, me),
        )

    async def begin(self, stop: asyncio.Event) -> None:
        """Until what is this master's part at first is served, or it is to end."""
        waits = [asyncio.ensure_future(one.wait()) for one in (self._has_begun, stop)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for one in waits:
            one.cancel()

    async def end(self) -> None:
        """Take no more, and let the others have what there is, if there are others."""
        self.shards.is_ending = True
        self._watch.look_now()  # and says so
        if any(one.id != self._me.id and one.readiness is not None for one in self._view.living):
            # It serves meanwhile: those that have noticed look often, and take at once what is released.
            await asyncio.sleep(NOTICED_SECONDS)
            self.shards.let_all_go()
        await self.shards.settle()

    def close(self) -> None:
        """Before the stores are closed: who has no lease left is not waited for."""
        self._watch.close()
        self.shards.close()

    # in the thread that looks

    def _look(self, line: PostgresLine) -> ClusterSeen:
        from .store.postgres.cluster_seen import look_at_cluster
        from .store.postgres.masters import give_up
        from .store.postgres.watching import SAY_SECONDS

        not_mine, self._not_mine = self._not_mine, {}  # each look says which they are
        for shard, seen in not_mine.items():
            give_up(line, self._me, shard, seen)
        readiness, now = self.readiness, self._now()
        said, at = self._said
        if readiness == said and now - at < SAY_SECONDS:
            return look_at_cluster(line, self._me, None)
        view = look_at_cluster(line, self._me, readiness)
        self._said = readiness, now
        return view

    def _pause(self, view: ClusterSeen) -> float:
        """Until the next look: not beyond the moment at which the time of another owner is over, if that does not renew it."""
        from .store.postgres.masters import master_of
        from .store.postgres.watching import LOOK_SECONDS, bounded

        if self._awaits:
            return HURRY_SECONDS
        others = [one for one in view.shards.values() if master_of(one.owner) != self._me.id]
        return bounded(min((one.left_seconds or LOOK_SECONDS for one in others), default=LOOK_SECONDS))

    # what others ask, some of them in that thread

    @property
    def readiness(self) -> Readiness:
        now = self._now()
        if self.shards.is_ending:
            return Readiness.ENDING
        if now < self._cannot_until or now - self._noticed_at > STILL_SECONDS:
            return Readiness.CANNOT
        return Readiness.OPENING if self.shards.opening else Readiness.READY

    def masters(self) -> Sequence[MasterRow]:
        return self._view.rows(self._now())

    def owner(self, shard: int) -> str | None:
        """Where the callers of a shard are sent that is not here."""
        if self.shards.has(shard) and shard not in self.shards.successors:  # it will be here in a moment
            return None
        seen = self._view.shards.get(shard)
        known = None if seen is None or seen.is_free else seen.address
        return self.shards.successors.get(shard, None if known == self._me.address else known)

    def unready(self) -> list[str]:
        """Of a master that has no shard."""
        if self.shards.opening:
            return [f"shard {shard} is being loaded" for shard in sorted(self.shards.opening)]
        reasons = [f"it stands by: other masters serve the {self._cluster.count} shards of this cluster"]
        return [*reasons, f"the database does not answer: {self.away}"] if self.away else reasons

    # looks

    def _lost_touch(self, error: str) -> None:
        self._noticed_at = self._now()
        if not self.away:
            self._report("standby.database_away", level="warning", error=error)
        self.away, self._in_touch_since = error, None

    def _looked(self, view: ClusterSeen) -> None:
        self._noticed_at = now = self._now()
        if self.away:
            self.away = ""
            self._report("standby.database_back")
        if self._in_touch_since is None:
            self._in_touch_since = now
        self._view = view
        self._forget_successors()
        try:
            check_not_revoked(self._leaf, view.revoked)
        except (ConfigError, StoreError) as error:
            self._retire(str(error))
            return
        if view.asked > self._changed_at and not self.shards.is_ending:
            self._act(now)
        if view.edges and self._have_rows is not None:
            self._have_rows(view.edges)

    def _act(self, now: float) -> None:
        shards = self.shards
        masters = [
            Living(one.id, None if one.readiness is None else Readiness.of(one.readiness))
            for one in self._view.living
        ]
        owners, again, self._not_mine = self._owners(now)
        if self._not_mine:
            self._watch.look_now()
        steps = next_steps(self._me.id, masters, owners)
        for shard in dict.fromkeys([*again, *steps.take]):
            if not shards.has(shard):
                shards.take(shard)
                self._watch.look_now()  # and says that this one is opening some
        if steps.let_go is not None and not shards.opening and not shards.leaving:
            shards.let_go(steps.let_go.shard, self._view.address_of(steps.let_go.to))
        if steps.awaits and not self._awaits:
            self._watch.look_now()
        self._awaits = steps.awaits and not shards.opening
        if not shards.opening:
            self._has_begun.set()

    def _owners(self, now: float) -> tuple[list[str | None], list[int], dict[int, ShardSeen]]:
        """Of each shard, None: it is free; those that this directory's last process had, which this one takes at once; and those that
        this process has not, but has as the database has it."""
        from .store.postgres.masters import master_of

        in_touch = self._in_touch_since is not None and now - self._in_touch_since >= IN_TOUCH_SECONDS
        owners: list[str | None] = []
        again: list[int] = []
        not_mine: dict[int, ShardSeen] = {}
        for shard in range(self._cluster.count):
            seen = self._view.shards.get(shard)
            if self.shards.has(shard):
                owners.append(self._me.id)
            elif seen is None or seen.left_seconds is None or (seen.is_free and in_touch):
                owners.append(None)
            else:
                owners.append(master_of(seen.owner))
                if owners[-1] == self._me.id:
                    not_mine[shard] = seen
                elif seen.owner == self._before[shard]:
                    again.append(shard)
        return owners, again, not_mine

    def _forget_successors(self) -> None:
        """Of shards that another one owns by now, or by none for longer than a hand-over takes."""
        mine = self._me.id
        for shard in list(self.shards.successors):
            seen = self._view.shards.get(shard)
            if (
                shard not in self.shards.leaving
                and seen is not None
                and not seen.owner.startswith(f"{mine}:")
            ):
                del self.shards.successors[shard]

    def _has_changed(self, error: BaseException | None) -> None:
        self._changed_at = self._now()
        if error is not None:
            pause = AWAY_SECONDS if isinstance(error, StoreAway) else AGAIN_SECONDS
            self._cannot_until = self._changed_at + pause
        self._watch.look_now()

    def _folders(self) -> list[Path]:
        settings = self._cluster.settings
        return [settings_of(settings, shard).data for shard in range(self._cluster.count)]
