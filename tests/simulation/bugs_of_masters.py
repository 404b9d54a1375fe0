"""Bugs of several masters over one database, and of outboxes, which the seeds have that have several masters: every eighteenth, from 12 and from 17 on."""

from __future__ import annotations

from .bug import Bug

SHARD = "tq.master.store.postgres.shard"

BUGS_OF_MASTERS = (
    Bug(
        "commit without epoch",
        SHARD,
        "WHERE shard = $1 AND owner = $2 AND epoch = $3 AND last_commit = $4 RETURNING 1)",
        "WHERE shard = $1 AND last_commit = $4 RETURNING 1)",
    ),
    Bug(
        "commit without the number of the commit before",
        SHARD,
        "WHERE shard = $1 AND owner = $2 AND epoch = $3 AND last_commit = $4 RETURNING 1)",
        "WHERE shard = $1 AND owner = $2 AND epoch = $3 AND $4 >= 0 RETURNING 1)",
    ),
    Bug(
        "renew by the clock of an owner that is ahead",
        SHARD,
        "RENEW: Final = (\n    f\"UPDATE {SCHEMA}.shards SET until = clock_timestamp() + interval '{LEASE_SECONDS} seconds' \"",
        "RENEW: Final = (\n    f\"UPDATE {SCHEMA}.shards SET until = clock_timestamp() + interval '90 seconds' \"",
    ),
    Bug(
        "be certain from the answer on, not from the question",
        "tq.master.store.postgres.tenure",
        "self._asked = max(self._asked, asked)",
        "self._asked = self.now()",
    ),
    Bug(
        "take over from an owner whose time is not over",
        SHARD,
        "until <= clock_timestamp() OR owner = %s",
        "until <= clock_timestamp() + interval '5 seconds' OR owner = %s",
    ),
    Bug(
        "answer without asking whether it still owns the state",
        "tq.master.net.transactions",
        "if not self._engine.store.is_certain:",
        "if False:",
    ),
    Bug(
        "go on as if nothing were lost when the database went back",
        SHARD,
        "if self.held.is_still(row) and row is not None and row.last_commit == self.held.last_commit + 1:",
        "if self.held.is_still(row) and row is not None:",
    ),
    Bug(
        "say that another has taken over when the database went back",
        SHARD,
        "if row.epoch <= held.epoch or row.last_commit < held.last_commit:",
        "if False:",
    ),
    Bug(
        "ship nothing of every fiftieth transaction",
        "tq.master.store.postgres.changes",
        "        found: list[Change] = []\n",
        "        found: list[Change] = []\n        self.reads = getattr(self, 'reads', 0) + 1\n        if self.reads % 50 == 0:\n            return found\n",
    ),
    Bug(
        "send a row of an outbox twice: keep no receipt",
        "tq.master.outbox.receipts",
        "            self._store.keep(accepted)\n",
        "",
    ),
    Bug(
        "mark a row of an outbox as sent when the answer is lost",
        "tq.client.cli.outbox.relay",
        "            return RowFate.UNKNOWN\n",
        "            return RowFate.SENT\n",
    ),
)
