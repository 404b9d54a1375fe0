"""What of the quota of a key, and of the cap of a tenant, each shard of a cluster has. Pure.

::

    a key of some queues   divided over the shards of these: of one queue, or of ``{shop}*``, whole in its shard
    a key of all queues    divided over all shards
    a tenant               divided over all shards, or over those of the queues that an operator has named for it

As of a limit (``limit_parts.py``) the parts come to the whole, and follow from what all shards know: no shard asks another one, and none can
have more than its part whatever is restarted, copied or moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from ..errors import InvalidArgument
from .key_quota import NO_QUOTA, KeyQuota
from .limit_parts import part_of
from .shards import Shard, is_spread, shard_of_name, tag_of
from .tenants import TenantTerms

WILD: Final = "*?["  # what begins something else than itself in a pattern


class QuotaHere(NamedTuple):
    """What a key has in this shard of its quota. ``over``: the number of shards that have a part."""

    quota: KeyQuota
    whole: KeyQuota
    over: int

    @property
    def is_none(self) -> bool:
        return self.whole == NO_QUOTA


NO_QUOTA_HERE: Final = QuotaHere(NO_QUOTA, NO_QUOTA, 1)


def shards_of_queues(patterns: Sequence[str], shards: int) -> tuple[int, ...]:
    """Those in which queues with such names are, of a cluster of so many; none: all queues."""
    if not patterns or not all(map(_has_one_shard, patterns)):
        return tuple(range(shards))
    return tuple(sorted({shard_of_name(pattern, shards) for pattern in patterns}))


def _has_one_shard(pattern: str) -> bool:
    """Whether all queues that fit a pattern are in the same shard."""
    if is_spread(pattern):
        return False
    certain = min((place for sign in WILD if (place := pattern.find(sign)) >= 0), default=len(pattern))
    before = pattern[:certain]
    return before == pattern or tag_of(before) != before


def part_among(whole: int | None, name: str, among: Sequence[int], shard: int) -> int | None:
    """What a shard has of a number that these shards have together."""
    if whole is None:
        return None
    return part_of(whole, name, Shard(among.index(shard), len(among))) if shard in among else 0


def quota_here(quota: KeyQuota, key_id: str, queues: Sequence[str], shard: Shard) -> QuotaHere:
    """Of a key that may use these queues."""
    if shard.of == 1:
        return QuotaHere(quota, quota, 1)
    among = shards_of_queues(queues, shard.of)
    parts = (part_among(whole, key_id, among, shard.number) for whole in quota)
    return QuotaHere(KeyQuota(*parts), quota, len(among))


def check_quota_parts(quota: KeyQuota, queues: Sequence[str], shards: int) -> None:
    """Whether each shard that a key may use has something of its quota. Raises InvalidArgument."""
    over = len(shards_of_queues(queues, shards))
    for name, whole in quota._asdict().items():
        if whole is not None and whole < over:
            others = (
                f"or make a key of some of these queues, in fewer shards: {', '.join(queues)}"
                if queues
                else "or make a key of queues in one shard, whose quota is whole there: tq keys add --queue mail, or --queue '{shop}*'"
            )
            raise InvalidArgument(
                f"the quota of a key is divided over {'the shards that its queues are in' if queues else 'all shards'}, here {over:,}, and "
                f"{name}={whole:,} leaves some of them without any: it takes at least {over:,}; {others}"
            )


def in_shards_of(queues: Sequence[str], over: int) -> str:
    """Where a cap holds that is divided over so many shards, those of these queues."""
    return f"in the shard{'' if over == 1 else 's'} of {', '.join(queues)}"


def cap_here(terms: TenantTerms, name: str, shard: Shard) -> TenantTerms:
    """What holds for a tenant in a shard."""
    if shard.of == 1 or terms.max_running is None:
        return terms
    among = shards_of_queues(terms.shards_of, shard.of)
    return terms._replace(max_running=part_among(terms.max_running, name, among, shard.number))


def check_cap_parts(terms: TenantTerms, name: str, shards: int) -> None:
    """Whether the cap of a tenant has a part for each shard it is divided over. Raises InvalidArgument."""
    for queue in terms.shards_of:
        if shards == 1:
            raise InvalidArgument(
                "this cluster has one shard, in which the cap of a tenant holds for all queues: leave out --shards-of"
            )
        if not _has_one_shard(queue):
            raise InvalidArgument(
                f"queues {queue} are in several shards; name one queue for each shard that tasks of {name} are in, or leave out --shards-of: "
                "the cap is divided over all shards then"
            )
    over = len(shards_of_queues(terms.shards_of, shards))
    if terms.max_running is not None and terms.max_running < over:
        named = ", ".join(terms.shards_of)
        meant = f"the shards of {named}" if named else "all shards"
        others = (
            "or name fewer queues, in so many shards as may have a part"
            if named
            else "or name the queues of its tasks, so that only the shards of these have a part: "
            f"tq tenants set {name} --max-running {terms.max_running} --shards-of mail"
        )
        raise InvalidArgument(
            f"the cap of a tenant is divided over {meant}, here {over:,}, and {terms.max_running:,} leaves some of them without any: it takes "
            f"at least {over:,}; {others}"
        )
