"""A worker of a cluster with several shards: a connection to each; what came over one is reported over it, until that is acknowledged."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from tq.common.contract.routes import runs_by_shard
from tq.common.domain.id_runs import IdRun
from tq.common.values.codec import encode
from tq.common.values.failure import Failure

from ..master.conftest import Peer
from ..master.leased import each
from .oracle import Broken
from .shard_process import ShardProcess

TASK = "jobs:work"
DONE, ERROR = 0, 1
SLOTS = 4


class Held(NamedTuple):
    id: bytes
    attempt: int
    lease: bytes


class ShardWorker:
    """``reported``: how tasks have ended whose report was acknowledged."""

    def __init__(self, processes: Sequence[ShardProcess], node: bytes, random: Random) -> None:
        self._processes, self._node, self._random = processes, node, random
        self._peers: dict[int, tuple[int, Peer]] = {}  # with the life of the process
        self._held: dict[bytes, Held] = {}
        self._unacknowledged: dict[bytes, int] = {}
        self.reported: dict[bytes, int] = {}

    @property
    def holds(self) -> bool:
        return bool(self._held)

    def _of(self, shard: int) -> list[Held]:
        """What it holds of a shard, by the shipped routes."""
        some = runs_by_shard((IdRun(id, 1) for id in self._held), len(self._processes)).get(shard, [])
        return [self._held[run.first] for run in some]

    def _peer(self, shard: int) -> Peer | None:
        process = self._processes[shard]
        if process.bench is None:
            return None
        life, peer = self._peers.get(shard, (0, None))
        if peer is None or life != process.life:
            held = [list(one) for one in self._of(shard)]
            peer = process.bench.worker(TASK, node=self._node, held=held, slots=SLOTS)
            self._peers[shard] = process.life, peer
        return peer

    def lease(self, shard: int) -> None:
        """What is there at once."""
        peer = self._peer(shard)
        if peer is None or (free := SLOTS - len(self._of(shard))) < 1:
            return
        lease, groups = peer.call("get_dispatcher", "lease", self._random.randint(1, free), 0, False)
        for id, attempt, *_ in each(groups):
            if id in self._held:
                raise Broken("Y2", "a task was leased while its worker has it", id)
            if id in self.reported:
                raise Broken("Y2", "a task was leased whose end was acknowledged", id)
            self._held[id] = Held(id, attempt, lease)

    def ask_to_finish(self, shard: int) -> None:
        """Put a report into the next transaction; ``finish`` takes it up again, whatever becomes of that."""
        peer = self._peer(shard)
        if peer is not None:
            peer.ask("get_dispatcher", "finish", self._rows(shard))

    def finish(self, shard: int) -> None:
        peer = self._peer(shard)
        if peer is None:
            return
        rows = self._rows(shard)
        stale = peer.call("get_dispatcher", "finish", rows)
        for place, row in enumerate(rows):
            id = row[0]
            assert isinstance(id, bytes)
            if place in stale:
                raise Broken("Y2", "a report was refused as stale, and its worker has never been away", id)
            self.reported[id] = self._unacknowledged.pop(id)
            del self._held[id]

    def _rows(self, shard: int) -> list[list[object]]:
        """What is not acknowledged once more, and something of the rest."""
        rows: list[list[object]] = []
        for held in self._of(shard):
            if held.id not in self._unacknowledged:
                if self._random.random() < 0.3:
                    continue
                self._unacknowledged[held.id] = DONE if self._random.random() < 0.8 else ERROR
            outcome = self._unacknowledged[held.id]
            body = encode(held.id) if outcome == DONE else Failure("ValueError", "as it was to").encode()
            rows.append([*held, outcome, body, 0.0, 0.5, None])
        return rows
