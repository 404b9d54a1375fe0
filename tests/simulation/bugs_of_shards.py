"""Bugs of a cluster of several shards, which the lives of ``shard_lives.py`` are to see."""

from __future__ import annotations

from .bug import Bug

BUGS_OF_SHARDS = (
    Bug(
        "an id routed to the wrong shard is accepted",
        "tq.master.api.shards",
        "        if shard == here:\n            return\n",
        "        return\n",
    ),
    Bug(
        "a lost shard map: another number of shards after a restart",
        "tq.master.store.shard_files",
        "    return int(text)\n",
        "    return int(text) + 1\n",
    ),
    Bug(
        "a client that finds tasks in the shard beside theirs",
        "tq.common.contract.routes",
        "    shard = shard_of_id(id)\n",
        "    shard = (shard_of_id(id) + 1) % shards\n",
    ),
    Bug(
        "a list of all shards without the last one",
        "tq.client.core.shard_lines",
        "        return range(self._lines.shards)\n",
        "        return range(self._lines.shards - 1)\n",
    ),
)
