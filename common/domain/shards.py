"""Which shard of a cluster something is in: an engine and a store of its own, numbered from 0. Pure.

::

    a task, a flow              the 12 bits of its id          ids.py has the layout
    a queue, a lock, a value    SHA-256 of its name's tag, modulo the number of shards

The tag of ``{shop}fetch`` is ``shop``: what stands in the first pair of braces, as in a Redis Cluster. So queues that belong
together are put together by their names. A name without one, or with an empty one, is its own tag.

A queue of tasks with the tag ``spread``, as ``{spread}fetch``, is spread: its tasks may be in any shard, each in the one of its id. The program
that submits it chooses (``client/tasks/spreading.py``). For all else that is found by a name it is a tag as any other.

The number of shards is fixed when a cluster's store is made: with another one, every name would be elsewhere.
"""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

SHARD_BITS: Final = 12  # of an id
SHARDS_MAX: Final = 1 << SHARD_BITS
SHARD_PLACE: Final = 64  # of an id as a number: the bits below
SHARD_MASK: Final = SHARDS_MAX - 1 << SHARD_PLACE


class Shard(NamedTuple):
    """One of a cluster: its number, and of how many."""

    number: int = 0
    of: int = 1


ONLY_SHARD: Final = Shard()
SPREAD_TAG: Final = "spread"


def shard_of_id(id: bytes) -> int:
    """The shard that an id of 16 bytes says."""
    return (id[6] & 0xF) << 8 | id[7]


def with_shard(number: int, shard: int) -> int:
    """An id as a number, in this shard."""
    return number & ~SHARD_MASK | shard << SHARD_PLACE


def id_in(id: bytes, shard: int) -> bytes:
    """The same id in this shard."""
    return with_shard(int.from_bytes(id, "big"), shard).to_bytes(len(id), "big") if shard else id


def tag_of(name: str) -> str:
    """What of a name decides its shard."""
    start = name.find("{")
    end = name.find("}", start + 1) if start >= 0 else -1
    return name[start + 1 : end] if end > start + 1 else name


def is_spread(name: str) -> bool:
    """Whether a queue of tasks is in every shard, by its name; of a limit: whether each of its keys is in a shard of its own."""
    return tag_of(name) == SPREAD_TAG


def shard_of_name(name: str, shards: int) -> int:
    """The shard of what is found by its name, in a cluster of so many."""
    if shards == 1:
        return 0
    # A name may have half a character, as those of files do: it has a shard all the same.
    digest = hashlib.sha256(tag_of(name).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % shards
