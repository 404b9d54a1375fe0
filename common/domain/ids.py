"""Task ids: UUIDs (RFC 9562) made by the client, of version 7, in order of time; or of version 8, computed from a key.

An id that is computed can be computed by others. So it depends on its queue, and only a key that may use the queue can take
it::

    id    = ff ff ff ff, then SHA-256 of (queue, task, proof), cut to the rest of a UUID of version 8
    proof = SHA-256 of the key, which travels with the submit: the master computes the id again
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final
from uuid import UUID

from ..errors import InvalidArgument, NotSerializable
from ..values.brief import brief

_VERSION_7, _VERSION_8, _VARIANT = 0x7 << 76, 0x8 << 76, 0x2 << 62
_COUNTER_BITS = 74  # below the timestamp, without version and variant
_RANDOM_BYTES = (
    4096  # drawn at once: every draw lets the other threads of a busy program in, which costs more than an id
)


class IdMaker:
    """Ids in strictly increasing order within the process, whatever the clock does. Thread-safe.

    A new millisecond starts at a random point of the lower half of the counter; within it, and when the
    clock stands or goes back, the counter steps on by a random amount, so that ids cannot be guessed.
    """

    def __init__(self) -> None:
        self._last_ms = 0
        self._counter = 0
        self.reset()

    def reset(self) -> None:
        """In a child after a fork: what was drawn is the parent's, which would make the same ids of it."""
        self._lock = threading.Lock()
        self._drawn, self._used = b"", 0  # guarded, as are the two above

    def __call__(self) -> bytes:
        return self.many(1)[0]

    def many(self, count: int) -> list[bytes]:
        """``count`` ids in order."""
        with self._lock:
            now_ms = time.time_ns() // 1_000_000
            if now_ms > self._last_ms:
                self._last_ms = now_ms
                self._counter = self._random(9) >> 1
            ids = []
            for _ in range(count):
                step = self._random(4) + 1
                self._counter += step
                if self._counter >> _COUNTER_BITS:
                    self._last_ms += 1
                    self._counter = step
                ids.append(_shape(self._last_ms, self._counter))
            return ids

    def _random(self, size: int) -> int:
        """A random number of so many bytes, each of which is used once."""
        start = self._used
        self._used += size
        if self._used > len(self._drawn):
            self._drawn, start, self._used = os.urandom(_RANDOM_BYTES), 0, size
        return int.from_bytes(self._drawn[start : self._used], "big")


def _shape(timestamp_ms: int, counter: int) -> bytes:
    high, low = counter >> 62, counter & ((1 << 62) - 1)
    return (timestamp_ms << 80 | _VERSION_7 | high << 64 | _VARIANT | low).to_bytes(16, "big")


def id_of_moment(timestamp_ms: int, random_bytes: Callable[[int], bytes]) -> bytes:
    """An id where time and randomness are handed in: for what the master makes itself."""
    return _shape(timestamp_ms, int.from_bytes(random_bytes(9), "big") >> 1)


new_ids = IdMaker()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=new_ids.reset)


COMPUTED: Final = b"\xff" * 4  # how computed ids begin, and no others: as a time it is the year 10889
PROOF_BYTES: Final = 32


class ComputedId(bytes):
    """An id made from a key, with the proof that it was."""

    proof: bytes


def key_id(queue: str, task_name: str, key: str) -> ComputedId:
    """The id of a task submitted with ``key``: the same queue, name and key always give the same id."""
    try:
        proof = hashlib.sha256(key.encode()).digest()
    except UnicodeEncodeError:
        raise NotSerializable(f"key={key!r}", "text with lone surrogates", "use plain text") from None
    id = ComputedId(id_of_proof(queue, task_name, proof))
    id.proof = proof
    return id


def id_of_proof(queue: str, task_name: str, proof: bytes) -> bytes:
    """What a master that is shown a proof takes for the id."""
    text = f"{len(queue)}:{queue}{len(task_name)}:{task_name}".encode()
    digest = hashlib.sha256(b"tq1 task id" + text + proof).digest()
    number = int.from_bytes(COMPUTED + digest[: 16 - len(COMPUTED)], "big")
    number = number & ~(0xF << 76) & ~(0x3 << 62) | _VERSION_8 | _VARIANT
    return number.to_bytes(16, "big")


def proofs(ids: Iterable[bytes]) -> list[list[bytes]]:
    """``[[id, proof], …]`` of those that are computed, as they travel with a submit."""
    return [[bytes(id), id.proof] for id in ids if type(id) is ComputedId]


def show_id(id: bytes) -> str:
    """The canonical text of an id."""
    return str(UUID(bytes=id)) if len(id) == 16 else id.hex()


def parse_id(text: str) -> bytes:
    """An id from its text; raises InvalidArgument."""
    try:
        return UUID(text).bytes
    except (ValueError, AttributeError, TypeError):
        raise InvalidArgument(
            f"{brief(text, 60)} is not a task id; it looks like 019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2b"
        ) from None
