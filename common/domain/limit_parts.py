"""What of a limit each shard of a cluster has. Pure.

::

    {mail}smtp   a tag in its name: it is whole, in the shard of that tag, as queues with that tag are
    {spread}host      the tag of queues that are spread: each key is whole, in the shard of the key, and so are its tasks
    smtp         none: divided, each shard has a fixed part, and the parts come to the whole

A part follows from the name, the number of the shard and how many there are, which never change. So no shard asks another one, nothing
has to be handed over, and no restart, copy or move of a shard can make the parts come to more than the limit. What one shard has free,
another one cannot use: that is the price.

A rate is divided without a rest, by having as many tasks in N times the time. So in any time t at most the sum of the bursts, which is the
burst of the whole, and rate * t start in all shards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ..errors import InvalidArgument, WrongShard
from .limits import Limit, LimitRate
from .shards import SPREAD_TAG, Shard, is_spread, shard_of_name, tag_of


@dataclass(frozen=True, slots=True)
class LimitPart:
    """What one shard has of a limit that is divided. See ``Limit`` for the fields.

    Attributes:
        of: How many shards there are.
        whole: What all of them have.
    """

    whole: Limit
    of: int
    max_running: int | None
    tokens: LimitRate | None
    most_together: int | None

    @property
    def name(self) -> str:
        return self.whole.name

    @property
    def most_units(self) -> int:
        """What a task may count for here."""
        return min(count for count in (self.max_running, self.most_together) if count is not None)

    @property
    def rate(self) -> str | None:
        return self.whole.rate


LimitHere: TypeAlias = Limit | LimitPart


def has_tag(name: str) -> bool:
    return tag_of(name) != name


def is_divided(name: str, shards: int) -> bool:
    return shards > 1 and not has_tag(name)


def is_in_every(name: str, shards: int) -> bool:
    """Whether several shards have something of it."""
    return shards > 1 and (not has_tag(name) or is_spread(name))


def part_of(whole: int, name: str, shard: Shard) -> int:
    """What a shard has of a number: the parts come to it, and differ by one at most. Those from the shard of the name on have the rest."""
    least, rest = divmod(whole, shard.of)
    return least + ((shard.number - shard_of_name(name, shard.of)) % shard.of < rest)


def division_in_words(max_running: int | None, shards: int) -> str:
    """``divided over 4 shards: 2 or 3 in each``"""
    said = f"divided over {shards:,} shards"
    if max_running is None:
        return said
    least, rest = divmod(max_running, shards)
    return f"{said}: {least:,}{f' or {least + 1:,}' if rest else ''} in each"


def limit_here(limit: Limit, shard: Shard) -> LimitHere:
    """What holds in a shard. Nothing may run where a limit is not, which only a store from before limits were divided can ask for."""
    if shard.of == 1:
        return limit
    if not has_tag(limit.name):
        return _part(limit, shard)
    if is_spread(limit.name) or shard_of_name(limit.name, shard.of) == shard.number:
        return limit
    return LimitPart(limit, shard.of, 0, None, None)


def _part(limit: Limit, shard: Shard) -> LimitPart:
    tokens, together = limit.tokens, limit.most_together
    return LimitPart(
        limit,
        shard.of,
        None if limit.max_running is None else part_of(limit.max_running, limit.name, shard),
        None if tokens is None else LimitRate(tokens.tasks, tokens.ms * shard.of),
        None if together is None else part_of(together, limit.name, shard),
    )


def check_parts(limit: Limit, shards: int) -> None:
    """Whether each shard has enough of a limit for a task. Raises InvalidArgument."""
    if not is_divided(limit.name, shards):
        return
    least = limit.units * shards
    short = [
        f"{name}={count:,}"
        for name, count in (("max_running", limit.max_running), ("burst", limit.most_together))
        if count is not None and count < least
    ]
    if short:
        units = f", for units={limit.units:,}" if limit.units > 1 else ""
        raise InvalidArgument(
            f"limit {limit.name!r} is divided over the {shards:,} shards of this cluster, and {' and '.join(short)} leaves some of them "
            f"without any{units}: it takes at least {least:,}"
        )


def check_place(limit: Limit, keys: Sequence[str], queue: str, shard: Shard) -> None:
    """Whether tasks of a queue in this shard may have a limit, with these keys. ``queue``: empty, it is not known. Raises InvalidArgument
    and WrongShard, with the line to write."""
    has_keys = any(keys)
    if is_spread(queue) or is_spread(limit.name):
        _check_spread(limit, keys, queue, shard)
    elif has_tag(limit.name):
        _check_tag(limit, queue, shard)
    elif has_keys:
        raise InvalidArgument(
            f"limit {limit.name!r} has by=, and none of the {shard.of:,} shards of this cluster can count a key for all of them; write "
            f"{_whole(limit.name, queue)}"
        )
    else:
        try:
            check_parts(limit, shard.of)
        except InvalidArgument as error:
            raise InvalidArgument(f"{error}; or write {_whole(limit.name, queue)}") from None


def _check_tag(limit: Limit, queue: str, shard: Shard) -> None:
    there = shard_of_name(limit.name, shard.of)
    if there != shard.number:
        raise WrongShard(
            f"limit {limit.name!r} is in shard {there} of this cluster, that of the tag in its name, and its tasks are in shard "
            f"{shard.number}; write {_whole(_without_tag(limit.name), queue)}; or give the queue the tag of the limit: "
            f"'{{{tag_of(limit.name)}}}…'",
            there,
            shard.number,
        )


def _check_spread(limit: Limit, keys: Sequence[str], queue: str, shard: Shard) -> None:
    if not is_spread(queue):
        raise InvalidArgument(
            f"limit {limit.name!r} is of queues that are in every shard, as '{{{SPREAD_TAG}}}fetch'; write "
            f"{_whole(_without_tag(limit.name), queue)}"
        )
    if not is_spread(limit.name):
        if has_tag(limit.name) or any(keys):
            raise InvalidArgument(
                f"queue {queue!r} is in every shard, where limit {limit.name!r} cannot hold; write tq.Limit("
                f"'{{{SPREAD_TAG}}}{_without_tag(limit.name)}', …) with by=: each key is whole, in a shard of its own; or tq.Limit("
                f"{_without_tag(limit.name)!r}, …) without by=: each shard has a part"
            )
        check_parts(limit, shard.of)
        return
    for key in keys:
        if not key:
            raise InvalidArgument(
                f"limit {limit.name!r} has a shard for each of its keys: it takes by=; without, leave out its tag: each shard has a part"
            )
        there = shard_of_name(key, shard.of)
        if there != shard.number:
            raise WrongShard(
                f"the key {key!r} of limit {limit.name!r} is in shard {there} of this cluster, and its task is in shard {shard.number}: a "
                "task under it is submitted by a program, one by one or by map, outside of a flow",
                there,
                shard.number,
            )


def _without_tag(name: str) -> str:
    return name.replace(f"{{{tag_of(name)}}}", "", 1)


def _whole(name: str, queue: str) -> str:
    """The line to write of a limit without a tag."""
    of_queue = f"queue {queue!r}" if queue else "the queue whose tag is TAG"
    named = f"{{{tag_of(queue) if queue else 'TAG'}}}{name}"
    return f"tq.Limit({named!r}, …): with a tag it is whole, in the shard of {of_queue}"
