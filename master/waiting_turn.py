"""A master over a database that another master serves: it stands by until that one's time is over. Composition, as ``app.py``.

::

    first look ─► free: the caller takes it over
              └─► owned: certificate checked, door opened ─► Standing, fed by a ShardWatch ─► free, or a signal
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import closing
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

from ..common.auth.certificate import CERTIFICATE_FILE, KEY_FILE, certificate_der, complete_key
from ..common.auth.leaf import RENEW, shown_by
from ..common.errors import ConfigError, StoreError
from ..common.runtime.config import MasterSettings
from ..common.runtime.end_signals import on_end_signals
from ..common.runtime.event_loop import run_loop
from ..common.runtime.health import Attendant
from ..common.runtime.logs import EventLog
from ..common.runtime.sd_notify import Notifier
from ..common.wire.address import Address
from ..common.wire.tls import server_context
from .addresses import database_of, me_of
from .keys.revoked_leaves import check_not_revoked
from .net.ports import why_not_listening
from .standby.door import StandbyDoor
from .standby.standing import Standing, check_certificate
from .store.shard_files import check_number, read_number

if TYPE_CHECKING:
    from .store.postgres.line import PostgresLine
    from .store.postgres.masters import ShardSeen


class TurnCame(IntEnum):
    """What a wait came to."""

    ENDS = 0  # this master was asked to end
    AT_ONCE = 1
    STOOD_BY = 2


def wait_for_turn(
    settings: MasterSettings, log: EventLog, notifier: Notifier, *, again: bool = False
) -> TurnCame:
    """Whether this master is to serve now: at once, if its store is a file or no other master serves; else after it has stood by.
    ``again``: it has had its turn, or has stood by, so a database that is away is waited for. Raises ConfigError."""
    database = database_of(settings)
    if database is None:
        return TurnCame.AT_ONCE
    from .store.postgres.line import DatabaseAway, DatabaseRefused, PostgresLine
    from .store.postgres.remedies import cannot_open, store_error
    from .store.postgres.store import CONNECT_SECONDS_MAX, FIRST_SHARD
    from .store.postgres.watching import first_look, shards_of

    def connect() -> PostgresLine:
        return PostgresLine(database, CONNECT_SECONDS_MAX)

    try:
        with closing(connect()) as line:
            seen, pin = first_look(line, FIRST_SHARD)
            if pin is not None and settings.shards is not None:
                # Before it stands by: its turn would come when no other master serves.
                check_number(read_number(shards_of(line), str(database)), settings.shards, str(database))
    except DatabaseAway as error:
        if again:
            return _after(run_loop(_stand_by(settings, log, notifier, connect)))
        raise cannot_open(database, str(error)) from error
    except DatabaseRefused as error:
        raise ConfigError(f"the store {database}: {store_error(error.code, str(error))}") from error
    complete_key(settings.data)
    certificate = settings.data / CERTIFICATE_FILE
    shown = shown_by(certificate_der(certificate)) if certificate.exists() else None
    if seen is not None and shown is not None:
        check_not_revoked(shown.leaf, seen.revoked)
    own = None if shown is None else shown.pin
    # Masters that share the shards do not wait for one another; see ``shared_cluster.py`` for those that do not share them.
    if (
        seen is None
        or seen.is_free
        or _was_mine(settings.data, seen.owner)
        or (seen.is_shared and own == pin)
    ):
        return TurnCame.AT_ONCE
    check_certificate(pin, own, str(database), RENEW)
    if own is None:
        return (
            TurnCame.AT_ONCE
        )  # the other one is about to make the cluster: who is refused the shard comes back here
    return _after(run_loop(_stand_by(settings, log, notifier, connect)))


def _after(is_free: bool) -> TurnCame:
    return TurnCame.STOOD_BY if is_free else TurnCame.ENDS


def _was_mine(data: Path, owner: str) -> bool:
    """Whether the owner is the last process of this directory, which the directory's lock shows to be gone."""
    from .store.postgres.working_copy import last_owner

    return last_owner(data) == owner


async def _stand_by(
    settings: MasterSettings, log: EventLog, notifier: Notifier, connect: Callable[[], PostgresLine]
) -> bool:
    from .store.postgres.store import FIRST_SHARD
    from .store.postgres.watching import ShardWatch

    loop, standing = asyncio.get_running_loop(), Standing(log.event)
    leaf = shown_by(certificate_der(settings.data / CERTIFICATE_FILE)).leaf

    def seen(shard: ShardSeen | None) -> None:
        try:
            if shard is not None:
                check_not_revoked(leaf, shard.revoked)
        except (ConfigError, StoreError) as error:
            loop.call_soon_threadsafe(standing.fail, error)
        else:
            loop.call_soon_threadsafe(standing.looked, shard)

    def away(error: str) -> None:
        loop.call_soon_threadsafe(standing.away, error)

    tls = server_context(settings.data / CERTIFICATE_FILE, settings.data / KEY_FILE, settings.client_ca_file)
    door = StandbyDoor(tls, lambda: standing.owner, log.event)
    attendant = Attendant(standing, settings.http, log.event, notifier=notifier)
    ended, watch = None, None
    try:
        address = await _listen(door, settings.bind)
        await attendant.open()
        ended = on_end_signals(standing.end)
        attendant.ready()
        log.event("master.stands_by", address=str(address), pid=os.getpid())
        watch = ShardWatch(FIRST_SHARD, connect, me_of(settings, address.port), seen, away)
        return await standing.wait()
    finally:
        door.close()
        attendant.close()
        if watch is not None:
            await asyncio.to_thread(watch.close)
        # It goes on as the owner with handlers of its own; when it is to end, a second signal must not spoil that.
        if ended is not None and not standing.is_free:
            ended()


async def _listen(door: StandbyDoor, bind: Address) -> Address:
    try:
        addresses = await door.listen(bind.host, bind.port)
    except OSError as error:
        raise ConfigError(why_not_listening(bind, error)) from error
    return Address(*addresses[0])
