"""The floor: the least a Python program can do for one durable, encrypted task, part by part, and their sum.

::

    client ─TLS─► master ─► disk ─TLS─► worker ─pipe─► child: call ─pipe─► worker ─TLS─► master ─► disk ─TLS─► client

Each part is measured alone with nothing around it, in batches of a thousand as large as tq's own. The sum of
their processor time, spread over two cores with nothing lost, is the floor; but one disk has one writer, so
it is never below what the store needs by the clock. Not in it: ids, scheduling, leases, an event loop, waking
a process up. So nothing that does the same job, with a row for each task, can reach it. (What arrays of
tasks cost, with one row for many, is in ``floor_arrays.py``.)
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Final

import msgpack

from .floor_sockets import sockets
from .floor_store import PAYLOAD, VALUE_BYTES, store
from .readings import Readings
from .scale import Scale

BATCH_TASKS: Final = 1_000
TLS_HOPS: Final = 4  # client to master to worker, and back
PIPE_HOPS: Final = 2  # worker to child, and back
HOPS: Final = TLS_HOPS + PIPE_HOPS
CORES: Final = 2


def floor(scale: Scale) -> Readings:
    """``floor.*``: the parts, ``floor.tasks`` and ``floor.value_bytes`` a second, ``floor.trip_*_seconds``."""
    numbers = {
        "floor.value_pack_seconds": _values_packed(scale.packed_tasks),
        "floor.batch_pack_seconds": _batches_packed(scale.packed_tasks),
        "floor.large_pack_seconds": _large_packed(),
        "floor.call_seconds": _called(scale.packed_tasks),
        **sockets(scale).numbers,
        **store(scale).numbers,
    }
    return Readings(numbers={**numbers, **sums(numbers)})


def sums(parts: dict[str, float]) -> dict[str, float]:
    """What the parts come to for a task, for a value of 1 MB there and back, and for one task alone."""
    hop_bytes = len(_batch()) / BATCH_TASKS
    tls, tcp = parts["floor.tls.byte_seconds"], parts["floor.tcp.byte_seconds"]
    sent = TLS_HOPS * tls + PIPE_HOPS * tcp  # processor seconds of both ends, per byte that goes all the way
    task = (
        parts["floor.value_pack_seconds"] * 2  # the argument and the result
        + parts["floor.batch_pack_seconds"] * HOPS
        + parts["floor.call_seconds"]
        + hop_bytes * sent
        + parts["floor.store.direct_busy_seconds"]
    )
    value = (
        VALUE_BYTES * sent
        + parts["floor.large_pack_seconds"] * HOPS
        + parts["floor.store.value_busy_seconds"]
    )
    hops = 2 * parts["floor.tls.trip_seconds"] + parts["floor.tcp.trip_seconds"]
    return {
        "floor.task_busy_seconds": task,
        "floor.tasks": 1 / max(task / CORES, parts["floor.store.direct_seconds"]),
        "floor.value_bytes": 2 * VALUE_BYTES / max(value / CORES, parts["floor.store.value_seconds"]),
        "floor.enqueue": 1 / parts["floor.store.leased_insert_seconds"],
        **{
            f"floor.trip_{durability}_seconds": hops + parts[f"floor.store.trip_{durability}_seconds"]
            for durability in ("fsync", "os", "memory")
        },
    }


def _batch() -> bytes:
    return bytes(msgpack.packb([[os.urandom(16), PAYLOAD] for _ in range(BATCH_TASKS)]))


def _values_packed(times: int) -> float:
    """A small call as bytes and back."""
    pack, unpack = msgpack.Packer(autoreset=True).pack, msgpack.unpackb
    return _seconds_each(lambda: unpack(pack([[42], {}])), times)


def _batches_packed(times: int) -> float:
    """Per task: a thousand ids with payloads as bytes and back, for one hop."""
    pack, unpack = msgpack.Packer(autoreset=True).pack, msgpack.unpackb
    batch = unpack(_batch())
    return _seconds_each(lambda: unpack(pack(batch)), max(1, times // BATCH_TASKS)) / BATCH_TASKS


def _large_packed() -> float:
    value = os.urandom(VALUE_BYTES)
    return _seconds_each(lambda: msgpack.unpackb(msgpack.packb(value)), 100)


def _called(times: int) -> float:
    def nothing(value: int) -> int:
        return value

    return _seconds_each(lambda: nothing(42), times)


def _seconds_each(action: Callable[[], object], times: int) -> float:
    began = time.process_time()
    for _ in range(times):
        action()
    return (time.process_time() - began) / times
