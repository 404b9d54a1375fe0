"""The calls of Apps inside tasks, each to the shard that it names.

::

    [name, …]                  ─► shard 0
    ["at_shard", K, name, …]   ─► shard K
    ["of_task", id, name, …]   ─► the shard of this task
    ["slot"], "shards"         ─► answered here: how many shards there are, as soon as that is known
"""

from __future__ import annotations

from ...common.domain.model import TASK_ID_BYTES
from ...common.errors import ProtocolError
from ...common.wire.connection import CallerConnection
from ...common.wire.protocol import Request
from ..child.shard_routes import AT_SHARD, OF_TASK
from ..pools.interface import Runner
from .masters import Masters
from .relay import Relay


class Relays:
    """Of one pool: a relay for each shard that its children have called, so that what waits for one holds up no call to another."""

    def __init__(self, masters: Masters) -> None:
        self._masters = masters
        self._by_shard = {0: Relay()}

    def called(self, child: Runner, request: Request) -> None:
        if request.target[0] in (AT_SHARD, OF_TASK):
            self._call_shard(child, request)
        else:
            self._by_shard[0].forward(self._masters.first.current, child, request)

    def say_shards(self, child: Runner, request: Request) -> None:
        self._masters.when_known(lambda shards: child.answer(request.call_id, shards, None))

    def connected(self, shard: int, connection: CallerConnection) -> None:
        relay = self._by_shard.get(shard)
        if relay is not None:
            relay.connected(connection)

    def forget(self, child: Runner) -> None:
        """It has died."""
        for relay in self._by_shard.values():
            relay.forget(child)

    def _call_shard(self, child: Runner, request: Request) -> None:
        masters, master = self._masters.all, None
        match request.target:
            # The caller is a task's process: what it sends is checked as if it came from outside.
            case [_, bytes(id), str(), *_] if len(id) == TASK_ID_BYTES:
                master = self._masters.of_task(id)
            case [_, int(shard), str(), *_] if 0 <= shard < len(masters):
                master = masters[shard]
        if master is None:
            why = (
                f"a call to a shard names one of {len(masters):,}, and an object: not {request.target!r:.80}"
            )
            return child.answer(request.call_id, None, ProtocolError(why))
        relay = self._by_shard.get(master.shard)
        if relay is None:
            relay = self._by_shard[master.shard] = Relay()
        return relay.forward(master.current, child, request._replace(target=request.target[2:]))
