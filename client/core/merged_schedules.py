"""Schedules over several shards: in which one is made, and where one is found, since its name does not say it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...common.contract.routes import shard_of_schedule
from ...common.domain.shards import is_spread
from ...common.errors import InvalidArgument, TqError
from .pages import Shards


async def schedule_added(shards: Shards, args: Sequence[Any]) -> Any:
    """In one shard, if its name is free in all of them."""
    name, definition = args[0], args[1] if len(args) > 1 else {}
    home = shard_of_schedule(name, definition, len(shards.numbers))
    others = await shards.try_ask(
        {number: (name, 0) for number in shards.numbers if number != home}, of="show"
    )
    for number, found in others.items():
        if isinstance(found, dict):
            raise InvalidArgument(
                f"there is a schedule {name!r} already, in queue {found['queue']} of shard {number}; choose another name"
            )
        if isinstance(found, TqError) and not isinstance(found, InvalidArgument):
            raise found
    return (await shards.ask({home: args}))[home]


async def found_by_name(shards: Shards, args: Sequence[Any]) -> Any:
    """A schedule is in the shard of its queue as a rule, which its name does not say."""
    if shards.method == "edit" and len(args) > 1 and isinstance(args[1], dict) and "queue" in args[1]:
        where, queue = await _holder(shards, args[0]), str(args[1]["queue"])
        if not is_spread(queue) and shards.of_name(queue) != where:
            raise InvalidArgument(
                f"queue {queue} is in another shard than the schedule {args[0]}; remove the schedule and add it again there"
            )
    where = await _holder(shards, args[0] if args else "")
    return (await shards.ask({where: args}))[where]


async def _holder(shards: Shards, name: Any) -> int:
    """Code that moves a schedule to a queue of another shard makes it there, and leaves an orphan: the one that goes on is meant,
    and to remove it twice removes both."""
    found = await shards.try_ask(dict.fromkeys(shards.numbers, (name, 0)), of="show")
    holders = {number: answer for number, answer in found.items() if isinstance(answer, dict)}
    if holders:
        orphans = [number for number, answer in holders.items() if answer.get("orphaned") is not None]
        live = sorted(holders.keys() - orphans)
        return min(orphans) if not live or (orphans and shards.method == "remove") else live[0]
    errors = [one for one in found.values() if isinstance(one, TqError)]
    # One that is away may have it.
    raise next((one for one in errors if not isinstance(one, InvalidArgument)), errors[0])
