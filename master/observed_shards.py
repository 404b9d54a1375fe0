"""What is connected to each shard that a process serves, and taken away when it goes: its links with the others, its metrics, and the end of a
master that is revoked. Composition, as ``app.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..common.auth.certificate import certificate_der
from ..common.auth.leaf import shown_by
from ..common.runtime.exposition import Exposition, is_available, missing
from ..common.runtime.health import MakePage, OnLag
from ..common.runtime.logs import EventLog
from .app import MasterResources
from .keys.revoked_leaves import RevokedLeaves
from .linked_shards import LinkedShards
from .net.hosted import HostedShards
from .net.server import MasterServer
from .observe.meters import ProcessMeters, count
from .observe.metrics import MasterMetrics, ProcessMetrics, ShardsMetrics


class ObservedShards:
    """``page``: makes /metrics; ``open_page``: the same as OpenMetrics; ``on_lag``: observes how late the loop is. Nothing is counted without ``--http``. ``retire``: called with
    the reason if the certificate of this master is revoked. ``links``: None, the cluster has one shard."""

    def __init__(
        self,
        resources: MasterResources,
        hosted: HostedShards,
        log: EventLog,
        retire: Callable[[str], None],
        links: LinkedShards | None,
    ) -> None:
        self._links = links
        self._leaf, self._retire = shown_by(certificate_der(resources.certificate)).leaf, retire
        self._metrics: ShardsMetrics | None = None
        self.page: MakePage | None = None
        self.open_page: MakePage | None = None
        self.on_lag: OnLag | None = None
        if resources.settings.http is not None and is_available():
            meters = ProcessMeters()
            log.counted, self.on_lag = meters.events, meters.lag.observe
            process = ProcessMetrics(meters, resources.settings.data, lambda: hosted.port.rejected)
            self._metrics = ShardsMetrics(process, resources.count)
            exposition = Exposition(self._metrics.take)
            self.page, self.open_page = exposition.page, exposition.open_page
        elif resources.settings.http is not None:
            self.page = missing
        for shard in resources.shards:
            number = shard.engine.core.shard.number
            self.served(number, hosted.servers[number], shard.settings.data)

    def served(self, shard: int, server: MasterServer, data: Path) -> None:
        """``data``: its directory."""
        leaves = server.engine.part(RevokedLeaves)
        leaves.own, leaves.retire = self._leaf, self._retire
        if self._links is not None:
            self._links.served(shard, server)
        if self._metrics is not None:
            meters = count(server.engine)
            server.transactions.measure(meters.commit, meters.calls)
            self._metrics.add(shard, MasterMetrics(server, meters, data))

    def left(self, shard: int) -> None:
        if self._links is not None:
            self._links.left(shard)
        if self._metrics is not None:
            self._metrics.remove(shard)
