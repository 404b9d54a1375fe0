"""Bugs of masters that share the shards of a database, which the lives of ``sharing_lives.py`` are to see."""

from __future__ import annotations

from .bug import Bug

SHARD = "tq.master.store.postgres.shard"
SHARED = "tq.master.shared_shards"
SHARING = "tq.master.sharing"
SPREAD = "tq.master.standby.spread"

BUGS_OF_SHARING = (
    Bug(
        "two owners of a shard: commit without epoch",
        SHARD,
        "WHERE shard = $1 AND owner = $2 AND epoch = $3 AND last_commit = $4 RETURNING 1)",
        "WHERE shard = $1 AND last_commit = $4 RETURNING 1)",
    ),
    Bug(
        "renew all shards by the name of one",
        SHARD,
        "\"WHERE shard = $1 AND owner = $2 AND epoch = $3 RETURNING '1'::text\"",
        "\"WHERE shard = $1 AND $2 <> '' AND $3 > 0 RETURNING '1'::text\"",
    ),
    Bug(
        "answer in a shard without asking whether it still owns it",
        "tq.master.net.transactions",
        "if not self._engine.store.is_certain:",
        "if False:",
    ),
    Bug(
        "release a shard before its last transaction has ended",
        SHARED,
        """        while not is_drained:  # the database may be away, and what it is asked for now is to be known
            is_drained = await server.drain(f"shard {shard} goes to another master")
""",
        "",
    ),
    Bug(
        "keep a shard that another master has taken over",
        SHARED,
        "        _, opened = self._leave(shard)\n        self._begin(self.leaving, shard, self._close(server, opened))\n",
        "",
    ),
    Bug(
        "believe that leases are over when the database was away",
        SHARING,
        "elif seen is None or seen.left_seconds is None or (seen.is_free and in_touch):",
        "elif seen is None or seen.left_seconds is None or seen.is_free:",
    ),
    Bug(
        "forget what of a shard the database has as this master's own",
        SHARING,
        "elif seen.owner == self._before[shard]:",
        "elif False:",
        also=(("not_mine[shard] = seen", "pass"),),
    ),
    Bug(
        "make up for a dead master before its shards are free",
        SPREAD,
        "if not able or not living.issuperset(owner for owner in owners if owner is not None):",
        "if not able or not living:",
    ),
    Bug(
        "go on trying to open a shard that cannot be opened",
        SHARING,
        "            self._cannot_until = self._changed_at + pause\n",
        "",
    ),
    Bug(
        "take the one before for another master when one has started again",
        "tq.master.store.postgres.cluster_seen",
        "if one.lives and youngest[one.address] is one",
        "if one.lives",
    ),
    Bug(
        "pass a shard on when the numbers differ by one",
        SPREAD,
        "if has[most] - has[fewest] < 2:",
        "if has[most] - has[fewest] < 1:",
    ),
    Bug(
        "let the one with the fewest let one go",
        SPREAD,
        "if me == most and able[fewest] == Readiness.READY:",
        "if me == fewest and has[me] and able[fewest] == Readiness.READY:",
    ),
    Bug(
        "give free shards to a master that cannot open any",
        SPREAD,
        "for one in masters if one.readiness in ABLE}",
        "for one in masters if one.readiness is not None}",
    ),
    Bug(
        "leave the last free shard to the others",
        SPREAD,
        "    for shard in free if able else ():\n",
        "    for shard in free[:-1] if able else ():\n",
    ),
    Bug(
        "go on renewing a shard that is released",
        "tq.master.store.postgres.shard_renewal",
        "            if self._ends.wait(RENEW_SECONDS):\n                break\n",
        "            if self._ends.wait(RENEW_SECONDS):\n                RENEW_SECONDS.real\n",
    ),
)
