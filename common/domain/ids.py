"""Task ids: UUIDs (RFC 9562) made by the client, of version 7, in order of time; or of version 8, computed from a key.

::

    bits   48                   4   12      2   30       32
           time, milliseconds   7   shard   2   random   place

Ids are drawn in blocks of consecutive ones: the i-th id of a block is its first one + i, which changes nothing but the
place. Who submits many tasks of one kind can so name them all by the first id and their number. The shard is that of the
task's queue, 0 in a cluster of one (``shards.py``).

An id that is computed can be computed by others. So it depends on its queue, and only a key that may use the queue can take
it::

    id    = ff ff ff ff, then SHA-256 of (queue, task, proof), cut to the rest of a UUID of version 8, with the queue's shard
    proof = SHA-256 of the key, which travels with the submit: the master computes the id again

What a schedule makes has an id that the master computes from the schedule's name, its queue and the moment, in the same form.

Invariants: 1. no id is drawn twice, by any thread, or on either side of a fork; 2. each block begins after the end of
the one before, whatever the clock does; 3. the ids of a block differ in their place alone.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable
from struct import iter_unpack, pack
from typing import Final
from uuid import UUID

from ..errors import InvalidArgument, NotSerializable
from ..values.brief import brief
from .model import TASK_ID_BYTES
from .shards import SHARD_MASK, SHARD_PLACE, with_shard

PLACE_BITS: Final = 32
BLOCK_IDS: Final = 1 << 20  # in one block: a place has room for them behind nearly every random start
BLOCK_SECONDS: Final = 2.0  # for which ids are taken from a block: the time in them is wrong by no more

_PLACE_MASK: Final = (1 << PLACE_BITS) - 1
_VERSION_7, _VERSION_8, _VARIANT = 0x7 << 76, 0x8 << 76, 0x2 << 62
_BELOW_SHARD_BITS: Final = 62  # random and place
_BELOW_SHARD_MASK: Final = (1 << _BELOW_SHARD_BITS) - 1


class IdMaker:
    """Draws blocks of ids, in strictly increasing order within the process, whatever the clock does. Thread-safe.

    In a new millisecond a block starts at a random point of the lower half of what there is; within it, and when the clock
    stands or goes back, at a random distance from the end of the last block, so that a block cannot be guessed from
    another.
    """

    def __init__(self) -> None:
        self._last_ms = self._end = 0
        self.generation = 0  # of processes: a block that was drawn before a fork is the parent's
        self.lock = threading.Lock()  # guards this, and the blocks of all sources

    def reset(self) -> None:
        """In a child after a fork: the parent continues where it was, so continue elsewhere."""
        self.lock = threading.Lock()
        self.generation += 1
        # As if the clock had stood still in a millisecond that is used up: the next block starts at a point of its own.
        self._end = 1 << _BELOW_SHARD_BITS

    def __call__(self) -> bytes:
        """An id of no block."""
        return self.many(1)[0]

    def many(self, count: int) -> list[bytes]:
        """``count`` ids in order, those of each BLOCK_IDS consecutive."""
        ids: list[bytes] = []
        while len(ids) < count:
            size = min(BLOCK_IDS, count - len(ids))
            with self.lock:
                first = self.block(size)
            ids += consecutive_ids(first, size)
        return ids

    def block(self, size: int) -> int:
        """The first of ``size`` consecutive ids, at most BLOCK_IDS, as a number. The caller holds the lock."""
        drawn = int.from_bytes(os.urandom(8), "big")
        now_ms = time.time_ns() // 1_000_000
        if now_ms > self._last_ms:
            self._last_ms, start = now_ms, drawn >> 3
        else:
            start = self._end + 1 + (drawn & _PLACE_MASK)
        if start + 2 * size >> _BELOW_SHARD_BITS:
            self._last_ms, start = self._last_ms + 1, drawn >> 3
        if (start & _PLACE_MASK) + size > _PLACE_MASK:
            start += size  # past the end of the places: the block has room at their beginning
        self._end = start + size
        return int.from_bytes(_shape(self._last_ms, start), "big")


def _shape(timestamp_ms: int, rest: int) -> bytes:
    return (timestamp_ms << 80 | _VERSION_7 | _VARIANT | rest).to_bytes(TASK_ID_BYTES, "big")


def id_behind(first: bytes, places: int) -> bytes:
    """The id of the task so many places behind the one with this id, in an array."""
    return (int.from_bytes(first, "big") + places).to_bytes(16, "big") if places else first


def id_of_moment(
    timestamp_ms: int, random_bytes: Callable[[int], bytes], count: int = 1, shard: int = 0
) -> bytes:
    """The first of ``count`` consecutive ids, where time and randomness are handed in: for what the master makes itself."""
    below_shard = int.from_bytes(random_bytes(8), "big") & _BELOW_SHARD_MASK
    if (below_shard & _PLACE_MASK) + count > _PLACE_MASK:
        below_shard &= ~(1 << PLACE_BITS - 1)  # past the end of the places: there is room in their lower half
    return _shape(timestamp_ms, shard << SHARD_PLACE | below_shard)


new_ids = IdMaker()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=new_ids.reset)


class IdSource:
    """Ids of one kind of tasks, each following the one before until their block ends: after BLOCK_IDS, after BLOCK_SECONDS,
    or in a forked child. Thread-safe. ``clock``: seconds that only grow. ``seconds``: more for what is to stay together, as the
    tasks of a map that is read slowly. ``shard``: the one of their queue."""

    def __init__(
        self,
        maker: IdMaker = new_ids,
        clock: Callable[[], float] = time.monotonic,
        seconds: float = BLOCK_SECONDS,
        shard: int = 0,
    ) -> None:
        self._maker, self._clock, self._seconds, self._shard = maker, clock, seconds, shard
        self._next = self._left = self._generation = 0
        self._until = 0.0

    def take(self, count: int = 1) -> int:
        """The first of ``count`` consecutive ids, at most BLOCK_IDS, as a number."""
        maker = self._maker
        with maker.lock:
            now = self._clock()
            if count > self._left or now > self._until or self._generation != maker.generation:
                self._next, self._left = with_shard(maker.block(BLOCK_IDS), self._shard), BLOCK_IDS
                self._until, self._generation = now + self._seconds, maker.generation
            first = self._next
            self._next += count
            self._left -= count
            return first

    def take_one(self) -> bytes:
        """As ``take``, for one; by itself, because a loop of single submits does it for each task."""
        maker = self._maker
        with maker.lock:
            if self._left and self._clock() <= self._until and self._generation == maker.generation:
                self._left -= 1
                first = self._next
                self._next = first + 1
                return first.to_bytes(TASK_ID_BYTES, "big")
        return self.take().to_bytes(TASK_ID_BYTES, "big")


def consecutive_ids(first: int, count: int) -> list[bytes]:
    """``count`` ids of one block from ``first`` on."""
    before, place = (first >> PLACE_BITS).to_bytes(TASK_ID_BYTES - 4, "big"), first & _PLACE_MASK
    places = pack(f">{count}I", *range(place, place + count))
    return [before + last for (last,) in iter_unpack("4s", places)]


COMPUTED: Final = b"\xff" * 4  # how computed ids begin, and no others: as a time it is the year 10889
PROOF_BYTES: Final = 32


class ComputedId(bytes):
    """An id made from a key, with the proof that it was."""

    proof: bytes


def key_id(queue: str, task_name: str, key: str, shard: int = 0) -> ComputedId:
    """The id of a task submitted with ``key``: the same queue, name and key always give the same id. ``shard``: the queue's."""
    try:
        proof = hashlib.sha256(key.encode()).digest()
    except UnicodeEncodeError:
        raise NotSerializable(f"key={key!r}", "text with lone surrogates", "use plain text") from None
    id = ComputedId(id_of_proof(queue, task_name, proof, shard))
    id.proof = proof
    return id


def id_of_proof(queue: str, task_name: str, proof: bytes, shard: int = 0) -> bytes:
    """What a master that is shown a proof takes for the id."""
    text = f"{len(queue)}:{queue}{len(task_name)}:{task_name}".encode()
    return computed_id(hashlib.sha256(b"tq1 task id" + text + proof).digest(), shard)


def occurrence_id(schedule: str, queue: str, occurrence: bytes, shard: int = 0) -> bytes:
    """The id of the task that a schedule makes. No client can take it: there is no proof whose id it would be; and no schedule
    of this name in another queue."""
    text = f"{len(schedule)}:{schedule}{len(queue)}:{queue}".encode()
    return computed_id(hashlib.sha256(b"tq1 occurrence" + text + occurrence).digest(), shard)


def computed_id(digest: bytes, shard: int = 0) -> bytes:
    """An id in the form of computed ones, of a hash."""
    number = int.from_bytes(COMPUTED + digest[: 16 - len(COMPUTED)], "big")
    number = number & ~(0xF << 76) & ~SHARD_MASK & ~(0x3 << 62) | _VERSION_8 | _VARIANT
    return (number | shard << SHARD_PLACE).to_bytes(TASK_ID_BYTES, "big")


def proofs(ids: Iterable[bytes]) -> list[list[bytes]]:
    """``[[id, proof], …]`` of those that are computed, as they travel with a submit."""
    return [[bytes(id), id.proof] for id in ids if type(id) is ComputedId]


def show_id(id: bytes) -> str:
    """The canonical text of an id."""
    return str(UUID(bytes=id)) if len(id) == 16 else id.hex()


def parse_id(text: str, of: str = "task") -> bytes:
    """An id from its text; raises InvalidArgument. ``of``: what it names, for that message."""
    try:
        return UUID(text).bytes
    except (ValueError, AttributeError, TypeError):
        raise InvalidArgument(
            f"{brief(text, 60)} is not a {of} id; it looks like 019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2b"
        ) from None
