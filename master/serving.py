"""One turn of a master: from the port that opens to the end of the last transaction, or until another master has taken over.

::

    open ─► listening ─► shards are served, or shared with other masters ─► ready ─┬─► a signal, a revoked certificate: drain ─► close
                                                                                  └─► another master has taken over: abandon ─► close

Knows no options of the command line and opens no store: see ``cli.py`` and ``app.py``.
"""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, Final

from ..common.errors import ConfigError
from ..common.runtime.end_signals import on_end_signals
from ..common.runtime.garbage import freeze_started
from ..common.runtime.health import Attendant
from ..common.runtime.logs import EventLog
from ..common.runtime.sd_notify import Notifier
from ..common.runtime.terminal import write_line
from ..common.wire.address import Address
from .app import MasterResources
from .banner import banner
from .gateway.options import GatewayOptions
from .linked_shards import link
from .net.hosted import HostedShards
from .net.ports import why_not_listening
from .net.transactions import DRAIN_SECONDS_MAX
from .observe.health import vitals_of
from .observe.page_program import PageProgram
from .observed_shards import ObservedShards
from .processes import LISTENS
from .sharing import ShardSharing
from .standby.displacement import Displacement

if TYPE_CHECKING:
    from .gateway.server import Gateway

DISPLACED: Final = -1  # what serving came to: another master has taken over
# From the signal to the end of the process, even if a disk hangs
END_SECONDS_MAX: Final = DRAIN_SECONDS_MAX + 5.0


async def serve(
    resources: MasterResources,
    log: EventLog,
    notifier: Notifier,
    gateway: GatewayOptions | None,
    displacement: Displacement,
    *,
    with_authkey: bool,
) -> int:
    """Serve until a signal: the status to end with; or until another master has taken over: DISPLACED. Raises ConfigError when it cannot,
    or may not any more."""
    turn = MasterTurn(resources, log, notifier, gateway, displacement)
    try:
        await turn.begin(with_authkey=with_authkey)
        if not await turn.until_end():
            return DISPLACED
    finally:
        await turn.close()
    turn.stopped()
    return 0


class MasterTurn:
    """On a running loop. ``close`` in any case, also when ``begin`` has failed in the middle."""

    def __init__(
        self,
        resources: MasterResources,
        log: EventLog,
        notifier: Notifier,
        gateway: GatewayOptions | None,
        displacement: Displacement,
    ) -> None:
        self._resources, self._log, self._displacement = resources, log, displacement
        self._stop = asyncio.Event()
        self._revoked = ""  # why this master has to end, once the certificate of its host is revoked
        self._hosted = resources.host(log.event)
        self._gateway_options = gateway
        self._gateway = None if gateway is None else _gateway(self._hosted, gateway)
        self._sharing: ShardSharing | None = None
        self._page: PageProgram | None = None
        self._links = link(resources, asyncio.get_running_loop(), log.event)
        self._observed = ObservedShards(resources, self._hosted, log, self._retire, self._links)
        self._vitals = vitals_of(self._hosted.servers, resources.count, self._unready)
        self._attendant = Attendant(
            self._vitals,
            resources.settings.http,
            log.event,
            notifier=notifier,
            metrics=self._observed.page,
            open_metrics=self._observed.open_page,
            on_lag=self._observed.on_lag,
        )

    async def begin(self, *, with_authkey: bool) -> None:
        """Open the ports, serve, and say so."""
        resources = self._resources
        address = await _listen(self._hosted, resources.settings.bind)
        await self._attendant.open()
        if self._gateway is not None and self._gateway_options is not None:
            await self._gateway.listen(self._gateway_options.address)
        self._signals_over = on_end_signals(self._first_or_second_signal)
        if resources.shared is None:
            resources.introduce(address.port)
        else:
            await self._share(address)
        if self._links is not None:
            self._links.begin()
        # After the port is bound: a script that waits for this line may connect.
        place, serves = resources.place, bool(self._hosted.servers)
        if serves and (place is None or place.number == 0):
            write_line(banner(resources, address, with_authkey))
        if place is not None:
            write_line(LISTENS)
        # What was made until now lives as long as the process: the collector need not look at it again.
        freeze_started()
        if serves:
            self._log.event("master.started", address=str(address), pid=os.getpid())
        else:
            self._log.event("master.stands_by", address=str(address), pid=os.getpid())
        self._attendant.ready()
        if self._sharing is None:
            self._watch_displacement()
        if resources.settings.web is not None:
            self._page = PageProgram(resources.settings.web, address, self._log.event)
            self._page.start()

    async def until_end(self) -> bool:
        """Serve. Whether it has ended as it was asked to; False: another master has taken over, and nothing more was written."""
        await self._stop.wait()
        if self._displacement.reason:
            self._abandon(self._displacement.reason)
            return False
        if self._revoked:
            self._log.event("master.revoked", level="warning", reason=self._revoked)
        await self._drain()
        return True

    async def close(self) -> None:
        """Threads and descriptors are given back, also when listening failed."""
        if self._page is not None:
            await self._page.end()
        self._attendant.close()
        self._end_links()
        if self._sharing is not None:
            self._sharing.close()
        self._hosted.close()

    def stopped(self) -> None:
        """All is written and closed. Raises ConfigError if it was revoked: who started it is not to start it again."""
        self._signals_over()
        self._log.event("master.stopped")
        if self._revoked:
            raise ConfigError(self._revoked)

    # what it serves

    async def _share(self, address: Address) -> None:
        resources = self._resources
        assert resources.shared is not None  # noqa: S101 - by its caller
        self._sharing = ShardSharing(
            resources.shared,
            resources.shards,
            self._hosted,
            address,
            self._log.event,
            serve=lambda shard: resources.server_of(shard, self._hosted.port),
            observer=self._observed,
            have_rows=None if self._links is None else self._links.seen,
            retire=self._retire,
        )
        await self._sharing.begin(self._stop)

    def _watch_displacement(self) -> None:
        for server in self._hosted.servers.values():
            server.transactions.displaced = self._displacement.happened
        self._displacement.watch(asyncio.get_running_loop(), self._stop.set)

    def _unready(self) -> list[str]:
        return [] if self._sharing is None else self._sharing.unready()

    # its end

    def _retire(self, reason: str) -> None:
        self._revoked = reason
        self._stop.set()

    def _first_or_second_signal(self) -> None:
        """The first one drains, the second ends the process at once."""
        if self._stop.is_set():
            self._log.event("master.stopped", level="warning", reason="second signal")
            os._exit(1)
        self._stop.set()

    def _abandon(self, reason: str) -> None:
        self._log.event("master.displaced", level="warning", reason=reason)
        self._hosted.abandon(reason)
        if self._gateway is not None:
            self._gateway.close()

    async def _drain(self) -> None:
        self._log.event("master.draining")
        self._vitals.draining = True
        self._attendant.ending()
        if self._gateway is not None:
            self._gateway.close()
        # Before the drain, which may wait for a disk without end.
        self._end_at_latest()
        if self._sharing is not None:
            await self._sharing.end()
        self._end_links()
        if not await self._hosted.drain():
            self._give_up("a transaction has not ended: the disk does not answer")

    def _end_links(self) -> None:
        """Before the drain: a neighbour's file that is not open here is closed whole by its own process."""
        if self._links is not None:
            self._links.close()

    def _end_at_latest(self) -> None:
        """Bound the time until this process ends: threads that wait for a disk or for a user's object do not keep it."""
        timer = threading.Timer(
            END_SECONDS_MAX,
            self._give_up,
            ["a thread has not ended: the disk or an exposed object does not answer"],
        )
        timer.daemon = True
        timer.start()

    def _give_up(self, reason: str) -> None:
        """What was acknowledged is on disk; what was not is repeated by its caller."""
        self._log.event("master.stopped", level="warning", reason=reason)
        os._exit(1)


def _gateway(hosted: HostedShards, options: GatewayOptions) -> Gateway:
    from .gateway.server import Gateway  # a dozen modules, which few masters need

    return Gateway(hosted, options.key, options.ports)


async def _listen(server: HostedShards, bind: Address) -> Address:
    try:
        addresses = await server.listen(bind.host, bind.port)
    except OSError as error:
        raise ConfigError(why_not_listening(bind, error)) from error
    return Address(*addresses[0])
