"""How what several shards say of the keys becomes one list, and how a key is made and changed in all of them.

A key is the same in all shards. The first one is asked before the others: each of them takes over what that one has when it starts, or
moves to another master.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from ...common.errors import InvalidArgument, TqError, UnknownObject
from .merged_rows import Row, one_of_each
from .pages import Shards, named


def keys(answers: Sequence[list[Row]], args: Sequence[Any]) -> list[Row]:
    """As the first shard has them; each counts the tasks of a key by itself."""
    return one_of_each(chain.from_iterable(answers), "id", _one_key)


def _one_key(one: Row, other: Row) -> Row:
    row = {**one, "last_used": max(one["last_used"] or 0, other["last_used"] or 0) or None}
    for name in ("queued", "queued_bytes"):
        if row.get(name) is not None and other.get(name) is not None:
            row[name] += other[name]
    # A change that was cut short has reached some of the shards.
    if any(one.get(name) != other.get(name) for name in ("state", "max_queued", "max_queued_bytes")):
        row["uneven"] = True
    return row


async def key_set(shards: Shards, args: Sequence[Any]) -> None:
    """Done when all shards have answered; one that does not know the key yet takes it over from the first one."""
    first = min(shards.numbers)
    done = await shards.ask({first: args})
    others = await shards.try_ask({number: args for number in shards.numbers if number != first})
    for number, answer in others.items():
        if not isinstance(answer, TqError):
            done[number] = answer
        elif not isinstance(answer, InvalidArgument | UnknownObject):
            raise named(answer, number, done)


async def key_added(shards: Shards, args: Sequence[Any]) -> str:
    """Made by the first shard, and then known to all: the others are given its token, and keep what they verify it by."""
    first = min(shards.numbers)
    token = str((await shards.ask({first: args}))[first])
    with_token = [*args, *("", [], "", "", None)[len(args) :], token]
    await shards.ask(dict.fromkeys((number for number in shards.numbers if number != first), with_token))
    return token
