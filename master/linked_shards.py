"""How the shards of this process are linked with one another, and with those of others. Composition, as ``app.py``.

======================================  =========================================================================================
the other shard is                      its rows are
======================================  =========================================================================================
in this process                         handed over on the loop, when they are committed
in another process of this host         read from its file, when that process rings
in another master of the database       read from the database, while something is open; that it begins, each look at the cluster shows
======================================  =========================================================================================

A cluster of one shard has nothing of this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from .edges.edges import Edges
from .links.elsewhere import LinksElsewhere, LookPauses
from .links.linked import LinkedShard
from .links.links import Links
from .process_bells import Bells
from .shard_resources import settings_of
from .store.cluster_files import STORE_FILE
from .store.sqlite.neighbours import NeighbourFiles

if TYPE_CHECKING:
    import asyncio

    from .app import MasterResources
    from .net.server import MasterServer

OF_A_DATABASE: Final = LookPauses(0.05, 0.25)  # as often as each looks at the cluster
OF_PROCESSES: Final = LookPauses(1.0, 10.0)  # they ring; this is for a bell that was not noticed


class LinkedShards:
    """Learns of each shard that comes and goes, see ``ShardObserver``."""

    def __init__(
        self, resources: MasterResources, loop: asyncio.AbstractEventLoop, report: Callable[..., Any]
    ) -> None:
        self._bells: Bells | None = None
        shards: dict[int, LinkedShard] = {}
        elsewhere, place, shared = None, resources.place, resources.shared
        if shared is not None:
            from .store.postgres.neighbours import NeighbourRows  # most masters have no database

            elsewhere = LinksElsewhere(loop, shards, NeighbourRows(shared.connect), OF_A_DATABASE, report)
        elif place is not None and place.bells is not None:
            settings = resources.settings
            files = NeighbourFiles(lambda number: settings_of(settings, number).data / STORE_FILE)
            bells = self._bells = Bells(place.bells, loop, self.seen)
            elsewhere = LinksElsewhere(loop, shards, files, OF_PROCESSES, report, bells.ring)
        self._links = Links(loop, shards, elsewhere, report)

    def begin(self) -> None:
        """Rows pass from now on."""
        self._links.begin()

    def seen(self, pairs: Sequence[tuple[int, int]]) -> None:
        """Of a shard that has rows, and the one that they are for, which may be elsewhere."""
        self._links.seen(pairs)

    def served(self, shard: int, server: MasterServer) -> None:
        self._links.add(LinkedShard(shard, server.engine.part(Edges), server.wake))

    def left(self, shard: int) -> None:
        self._links.forget(shard)

    def close(self) -> None:
        """Before the stores are closed."""
        self._links.close()
        if self._bells is not None:
            self._bells.close()
            self._bells = None


def link(
    resources: MasterResources, loop: asyncio.AbstractEventLoop, report: Callable[..., Any]
) -> LinkedShards | None:
    """None: there is one shard."""
    return None if resources.count == 1 else LinkedShards(resources, loop, report)
