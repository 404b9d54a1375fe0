"""Workers: their side of everything, ``get_dispatcher``, and what is asked about them, ``get_workers``."""

from __future__ import annotations

from collections.abc import Sequence
from struct import pack, unpack
from typing import Any, Final, NamedTuple

from ..domain.model import Role
from .method import Audited, Contract, Method

DISPATCHER: Final = Contract(
    "get_dispatcher",
    {
        "announce": Method(Role.WORKER),
        "describe": Method(Role.WORKER, one_way=True),
        "lease": Method(Role.WORKER),
        "lend": Method(Role.WORKER),
        "starting": Method(Role.WORKER, one_way=True),
        "finish": Method(Role.WORKER),
        "release": Method(Role.WORKER),
        "beat": Method(Role.WORKER, one_way=True),
        "observe": Method(Role.WORKER, one_way=True),
        "orders": Method(Role.WORKER),
        "leave": Method(Role.WORKER, one_way=True),
    },
)
WORKERS: Final = Contract(
    "get_workers",
    {
        "list": Method(Role.VIEWER, repeatable=True),
        "serving": Method(Role.VIEWER, repeatable=True),
        "running": Method(Role.VIEWER, repeatable=True),
        "signatures": Method(Role.VIEWER, repeatable=True),
        "attempts": Method(Role.VIEWER, repeatable=True),
        "drain": Method(Role.ADMIN, repeatable=True, audited=Audited("drained worker", "node")),
    },
)

SECONDS_BYTES: Final = 4  # of the duration of an attempt, in a slice


class GrantRow(NamedTuple):
    """Tasks in the answer to ``lease``: one, or a run of them, whose payloads are a list then and whose id is that of the first.
    ``number``: of the attempt as people count; None: ``attempt``."""

    id: bytes
    attempt: int
    payload: bytes | list[bytes]
    suspect: bool = False
    number: int | None = None


class HeldRow(NamedTuple):
    """A lease of a task or of a run of tasks, as ``announce`` and ``release`` name it."""

    id: bytes | list[Any]
    attempt: int
    lease: bytes


class ReportRow(NamedTuple):
    """An attempt that has ended: a row of ``finish``."""

    id: bytes
    attempt: int
    lease: bytes
    outcome: int
    body: bytes | None
    started: float  # Unix seconds
    seconds: float
    after: float | None  # seconds until it may be tried again, where the task has said so


class SliceRow(NamedTuple):
    """Attempts of a run of tasks that have succeeded: a row of ``finish``'s slices. ``id``: of the first one; ``seconds``:
    packed, see ``pack_seconds``."""

    id: bytes
    attempt: int
    lease: bytes
    results: Sequence[bytes | None]
    seconds: bytes


def pack_seconds(seconds: Sequence[float]) -> bytes:
    """Four bytes each: little-endian, IEEE 754."""
    return pack(f"<{len(seconds)}f", *seconds)


def unpack_seconds(packed: bytes) -> list[float]:
    return list(unpack(f"<{len(packed) // SECONDS_BYTES}f", packed))


class PoolSlots(NamedTuple):
    """What a heartbeat says of a pool: ``process:2-8``, without its queues, and how many tasks it runs at a time now."""

    pool: str
    slots: int


class OutputRow(NamedTuple):
    """Output and progress of a running attempt: a row of ``observe``. ``text``: the end of the ``size`` bytes so far."""

    id: bytes
    attempt: int
    lease: bytes
    size: int
    text: bytes
    progress: list[Any] | None


class HeldTask(NamedTuple):
    """What ``running`` answers of a task that a worker holds. ``since``: it began, or else was given to the worker."""

    id: bytes
    name: str
    queue: str
    attempt: int
    since: float
    begun: bool


class RanRow(NamedTuple):
    """What ``attempts`` answers of an attempt that a worker has ended or runs, or of neighbours in an array that succeeded and were
    reported together: ``id`` is that of the first one, ``started`` when they were given to the worker, and ``seconds`` how long they
    ran, in all. Times are Unix seconds. ``outcome`` and ``ended``: None while it runs."""

    node: str  # in hexadecimal digits; empty: the master has forgotten that worker
    host: str
    id: bytes
    name: str
    queue: str
    attempt: int
    outcome: int | None
    started: float
    ended: float | None
    tasks: int
    seconds: float


class Serving(NamedTuple):
    """What ``serving`` answers: how many connected workers serve a callable in a queue, and how many are connected."""

    able: int
    connected: int
