"""What a task needs and what needs it, over several shards. See ``merges.py``."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from ...common.contract.routes import ids_by_shard, shard_of
from ...common.domain.model import TASK_ID_BYTES
from .merged_rows import Row
from .pages import Shards


async def related(shards: Shards, args: Sequence[Any]) -> Row:
    """Its own shard says what there is in which others, and these say the rest. What is no id goes to the first one, which says so."""
    count = len(shards.numbers)
    id = args[0] if args else None
    is_id = isinstance(id, bytes) and len(id) == TASK_ID_BYTES
    home = shard_of(id, count) if isinstance(id, bytes) and is_id else 0
    found: Row = (await shards.ask({home: args}))[home]
    elsewhere = found.pop("elsewhere", None)
    if elsewhere is not None:
        needs = {shard: (runs,) for shard, runs in ids_by_shard(elsewhere["needs"], count).items()}
        rows = (await shards.ask(needs, of="rows")).values() if needs else ()
        found["needs"] = [*found["needs"], *chain.from_iterable(rows)]
        needed_in = dict.fromkeys(elsewhere["needed_in"], (id,))
        rows = (await shards.ask(needed_in, of="needed_by")).values() if needed_in else ()
        found["needed_by"] = [*found["needed_by"], *chain.from_iterable(rows)]
    return found
