"""Bugs of a cluster of several shards, which the lives of ``shard_lives.py`` are to see."""

from __future__ import annotations

from .bug import Bug

BUGS_OF_SHARDS = (
    Bug(
        "an id routed to the wrong shard is accepted",
        "tq.master.api.shards",
        "        if shard == here or (named.anywhere and shard < shards):\n            return\n",
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
    Bug(
        "each shard has all of a limit",
        "tq.common.domain.limit_parts",
        "        return _part(limit, shard)\n",
        "        return limit\n",
    ),
    Bug(
        "every shard has one of the rest of a division",
        "tq.common.domain.limit_parts",
        "% shard.of < rest)",
        "% shard.of < shard.of)",
    ),
    Bug(
        "a limit is set only where tasks have had it",
        "tq.client.core.merges",
        "        by_shard = {shard: args if shard in known else (*args, declared) for shard in shards.numbers}\n",
        "        by_shard = dict.fromkeys(known, args)\n",
    ),
    Bug(
        "a key of a limit is counted in whichever shard its task is",
        "tq.common.domain.limit_parts",
        "        there = shard_of_name(key, shard.of)\n",
        "        there = shard.number\n",
    ),
    Bug(
        "tasks of a queue in every shard go to that of its name",
        "tq.common.contract.routes",
        "            return spread\n",
        "            return OBJECT\n",
    ),
    Bug(
        "a limit of another shard is accepted",
        "tq.common.domain.limit_parts",
        "        if there != shard.number:\n",
        "        if there < 0:\n",
    ),
    Bug(
        "each shard has all of a key's quota",
        "tq.common.domain.quota_parts",
        "    parts = (part_among(whole, key_id, among, shard.number) for whole in quota)\n",
        "    parts = iter(quota)\n",
    ),
    Bug(
        "each shard has all of a tenant's cap",
        "tq.master.task_parts",
        "tenants.here)",
        "tenants.terms)",
    ),
    Bug(
        "a shard beside those of a tenant's queues has a part of its cap",
        "tq.common.domain.quota_parts",
        "if shard in among else 0\n",
        "if shard in among else 1\n",
    ),
    Bug(
        "a cap goes to other shards before those that had it let go",
        "tq.client.core.merges",
        "    await shards.ask(dict.fromkeys(shards.numbers, (args[0], terms, True, number)))\n",
        "",
    ),
    Bug(
        "a quota is set in all shards at once",
        "tq.client.core.merged_keys",
        "    done = await shards.ask({first: args})\n",
        "    done, first = {}, -1\n",
    ),
)
