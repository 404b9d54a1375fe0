"""A process with one shard of a cluster: the shipped engine and boundary over a store that outlives it.

Mirrors ``master/app.py`` with ``--processes`` as many as there are shards: shard 0 knows how many there are, the others read it there.
"""

from __future__ import annotations

import enum
from typing import Final

from tq.common.auth.keys import Verifier
from tq.common.domain.key_quota import KeyQuota
from tq.common.domain.model import Role
from tq.common.domain.shards import Shard
from tq.master.engine.clock import Now
from tq.master.keys.keyring import Keyring, verifier_of
from tq.master.store import shard_files
from tq.master.store.cluster_files import CLUSTER_ID

from ..master.conftest import Bench, Peer
from ..master.new_store import NewStore

CLUSTER: Final = b"c" * 16
ACME: Final = "acme"  # a key that has a quota, and a tenant
STARTED: Final = Now(1_700_000_000_000, 40 * 24 * 3_600_000)
QUOTA: Final = KeyQuota(max_queued=12)


class Fate(enum.Enum):
    """Where a transaction is cut off by the death of its process."""

    BEFORE_THE_COMMIT = "before the commit"
    BEFORE_THE_ANSWERS = "before the answers"


class ShardProcess:
    """``bench``: None while it is dead. ``life``: which one of its starts this is."""

    def __init__(
        self, number: int, first: ShardProcess | None, new_number: int, seconds_a_life: int = 0
    ) -> None:
        """``first``: of shard 0, None: this is it. ``new_number``: how many shards the cluster is to have, when it is made.
        ``seconds_a_life``: so much later it is each time that it starts."""
        self._seconds_a_life = seconds_a_life
        self.number, self._first = number, first or self
        self.store = NewStore()
        self.life = 0
        self.bench: Bench | None = None
        self._wanted = new_number
        self.start()

    def start(self) -> None:
        self.store.rollback()  # what the life before had not committed
        shard = Shard(self.number, self._count())
        if self.number:
            shard_files.claim(self.store, f"shard {self.number}", CLUSTER, shard)
        self.life += 1
        later = self.life * self._seconds_a_life * 1_000
        self.bench = Bench(self.store, shard=shard, now=Now(STARTED.wall + later, STARTED.mono + later))
        self._know_keys(self.bench.engine.part(Keyring))

    def _know_keys(self, keyring: Keyring) -> None:
        """Mirrors ``master/cluster_identity.py``."""
        self.store.begin()
        if self.number:
            keyring.take_over([verifier_of(row) for row in self._first.store.key_rows()])
        elif keyring.find(ACME) is None:
            key = Verifier(
                key_id=ACME, role=Role.ADMIN, kdf="none", stored_key=b"", server_key=b"", quota=QUOTA
            )
            keyring.put(key)
        self.store.commit()

    def _count(self) -> int:
        first = self._first.store
        if self.number == 0 and self.life == 0:
            count = shard_files.number_of_shards(first, self._wanted, "shard 0")
            first.begin()
            first.set_meta(CLUSTER_ID, CLUSTER)
            shard_files.record(first, count)
            first.commit()
            return count
        return shard_files.number_of_shards(first, None, "shard 0")

    def kill(self) -> None:
        self.bench = None
        self.store.rollback()

    @property
    def shards(self) -> int:
        """What its WELCOME says."""
        assert self.bench is not None
        return self.bench.engine.core.shard.of

    def peer(self, role: Role, node: bytes, key: str) -> Peer:
        assert self.bench is not None
        return Peer(self.bench, role, node, key=key)

    @property
    def has_work(self) -> bool:
        return self.bench is not None and self.bench.engine.has_work

    def step(self, fate: Fate | None = None) -> None:
        """One transaction, or as much of one as comes before its process dies."""
        bench = self.bench
        if bench is None:
            return
        if fate is None:
            bench.step()
            return
        if bench.engine.run(bench.now).changed and fate is Fate.BEFORE_THE_ANSWERS:
            self.store.commit()
        self.kill()
