"""What a store is asked to do: verbs of the domain, in batches, inside one transaction at a time.

::

    begin ─► verbs … ─► commit        everything since begin becomes durable, or nothing does
                    └─► rollback

``commit`` is the only verb that waits for a disk and the only one that may be called from another thread
(never while any other verb runs). Every verb that changes a task's state is conditional on the state and
attempt it expects; a verb given a whole batch either applies to every row or raises ``Inconsistent``,
for then the caller's picture of the store is wrong and must be built anew from ``load``.

Errors: StoreError when the disk or the database fails, after which the caller rolls back and reopens.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from ....common.errors import StoreError
from ..sqlite.blobs import BlobRows
from .data import DataStore
from .items import ItemStore
from .locks import SyncStore


class Inconsistent(StoreError):
    """A conditional update did not find what the engine was sure of. The engine reloads and goes on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NewTasks:
    """Rows to insert that differ only in their number, id and payload."""

    lane: int
    state: int  # READY, SCHEDULED, or RUNNING when a worker already waits for them
    created: int
    tasks: Sequence[tuple[int, bytes, bytes]]  # seq, id, payload
    attempt: int = 0
    lease: bytes | None = None
    worker: int | None = None
    started: int | None = None
    priority: int = 0
    due: int | None = None
    at: int | None = None  # instead of due, on the wall's clock
    expires: int | None = None
    timeout: float | None = None
    options: bytes | None = None
    origin: int | None = None  # of ``Picture.origins``


class Leased(NamedTuple):
    priority: int
    seq: int
    id: bytes
    lane: int
    attempt: int
    returned: int
    crashes: int
    timeout: float | None
    origin: int | None
    payload: bytes


Success = tuple[bytes | None, int, int, int, int, bytes]
"""Result, started, finished, seq, attempt, lease: a plain tuple, for one is made for every task there is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EndedAttempt:
    """An attempt that did not succeed, and where its task goes."""

    seq: int
    attempt: int
    number: int  # as people count it: without the leases that came back unstarted
    lease: bytes
    worker: int | None
    outcome: int
    started: int | None
    ended: int
    body: bytes | None
    state: int
    due: int | None
    failures: int
    crashes: int
    finished: int | None


class Returned(NamedTuple):
    """A lease that ended before its task began, and where the task goes: READY, or CANCELLED."""

    state: int
    finished: int | None
    seq: int
    attempt: int
    lease: bytes


class Found(NamedTuple):
    seq: int
    id: bytes
    lane: int
    state: int
    attempt: int
    returned: int
    lease: bytes | None
    cancel: int
    origin: int | None


class OutcomeRow(NamedTuple):
    """How a task ended, or its state if it has not."""

    id: bytes
    lane: int
    state: int
    body: bytes | None


class Facts(NamedTuple):
    seq: int
    failures: int
    crashes: int
    cancel: int
    options: bytes | None


class RunningRow(NamedTuple):
    seq: int
    id: bytes
    lane: int
    attempt: int
    returned: int
    lease: bytes
    worker: int
    cancel: int
    started: int
    origin: int | None


class Expired(NamedTuple):
    seq: int
    id: bytes
    lane: int
    state: int  # before
    origin: int | None


class KeyRow(NamedTuple):
    id: str
    role: str
    queues: str
    kdf: str
    stored_key: bytes
    server_key: bytes
    state: str
    note: str
    created: int
    last_used: int | None


class FullTask(NamedTuple):
    """Everything the store knows of one task, for people to read."""

    seq: int
    id: bytes
    queue: str
    task: str
    state: int
    priority: int
    attempt: int
    returned: int
    failures: int
    crashes: int
    cancel: int
    worker: int | None
    created: int
    due: int | None
    at: int | None
    expires: int | None
    started: int | None
    finished: int | None
    timeout: float | None
    options: bytes | None
    payload: bytes
    result: bytes | None


class AttemptRow(NamedTuple):
    attempt: int  # its number, as people count
    host: str | None
    outcome: int
    started: int | None
    ended: int
    body: bytes | None


class Observation(NamedTuple):
    """What an attempt said since it was last heard of; ``text`` ends at byte ``size`` of all it said."""

    seq: int
    attempt: int  # its number, as people count
    progress: bytes | None  # None: as it was
    size: int
    text: bytes


class LogRow(NamedTuple):
    attempt: int
    progress: bytes | None
    size: int  # bytes said in all
    text: bytes  # the last of them


class WindowRow(NamedTuple):
    """What a filter judges a task by."""

    seq: int
    id: bytes
    lane: int
    state: int
    created: int
    failure: bytes | None


@dataclass(kw_only=True, slots=True)
class Picture:
    """What the engine keeps in memory, as the store has it."""

    lanes: list[tuple[int, str, str]] = field(default_factory=list)  # lane, queue, task
    queues: list[tuple[str, int, str, int | None]] = field(
        default_factory=list
    )  # name, paused, reason, since
    counts: list[tuple[int, int, int]] = field(default_factory=list)  # lane, state, tasks
    running: list[RunningRow] = field(default_factory=list)
    workers: list[tuple[int, bytes, str, int]] = field(default_factory=list)  # worker, node, host, pid
    origins: list[tuple[int, str | None, str | None]] = field(default_factory=list)  # origin, queue, results
    last_seq: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskFilter:
    states: tuple[int, ...] = ()  # as they are shown: what is leased and not ``begun`` is READY
    begun: frozenset[int] = frozenset()  # numbers of the leased tasks that are known to have begun
    queue: str | None = None
    task: str | None = None
    since: int | None = None  # created at or after, steady ms
    before_seq: int | None = None


class Store(Protocol):
    """Every store passes ``tests/master/store/conformance``. Times are milliseconds of Unix time, on the
    master's steady clock (see ``master/engine/clock.py``), but for ``at``: that is the wall's."""

    @property
    def damage(self) -> str:
        """What was said of a part of its file that could not be read, with the remedy; empty: none was met so far."""

    @property
    def blobs(self) -> BlobRows: ...
    def begin(self, *, reading: bool = False) -> None:
        """``reading``: a transaction that can be begun when nothing can be written; a write in it is a StoreError."""

    @property
    def in_transaction(self) -> bool:
        """Whether the one that was begun still stands; some errors end it."""

    def commit(self) -> None: ...
    def rollback(self) -> None: ...
    def reopen(self) -> None:
        """Forget a handle that failed, and open anew: nothing uncommitted survives. A StoreError means that
        it cannot be opened now; it can be tried again."""

    def close(self) -> None: ...
    @property
    def changed(self) -> bool:
        """Whether this transaction has changed anything, so that committing it costs a sync."""

    def load(self) -> Picture: ...
    @property
    def items(self) -> ItemStore:
        """Its part for plain values in named queues."""

    @property
    def syncs(self) -> SyncStore:
        """Its part for locks, events and barriers."""

    @property
    def data(self) -> DataStore:
        """Its part for named values."""

    # submit and lease
    def insert(self, groups: Sequence[NewTasks]) -> bool:
        """All of the tasks, or (False) none because some id is already there."""

    def lease(
        self, lanes: Sequence[int], limit: int, bytes_max: int | None, lease: bytes, worker: int, now: int
    ) -> list[Leased]:
        """Up to ``limit`` ready tasks of these lanes, highest priority first, then oldest; now RUNNING. Together
        their payloads have at most ``bytes_max``, unless it is one alone; None: they are known to be small.
        """

    # ends
    def succeed(self, rows: Sequence[Success]) -> None: ...
    def end_attempts(self, rows: Sequence[EndedAttempt]) -> None: ...
    def return_unstarted(self, rows: Sequence[Returned]) -> None: ...
    def request_cancel(self, seq: int) -> None: ...
    def cancel_waiting(self, seq: int, now: int) -> None: ...
    def revive(self, seq: int) -> None: ...

    # time
    def next_due(self) -> int | None: ...
    def promote(self, now: int, limit: int) -> list[int]:
        """Up to ``limit`` scheduled tasks whose ``due`` has come, now READY; the lane of each."""

    def next_at(self) -> int | None: ...
    def promote_at(self, wall: int, limit: int) -> list[int]:
        """The same for those whose ``at`` has come."""

    def next_expiry(self) -> int | None: ...
    def expire(self, now: int, limit: int) -> list[Expired]:
        """Up to ``limit`` waiting tasks past their ``expires``, now EXPIRED."""

    def purge(self, finished_before: int, limit: int) -> list[tuple[int, int]]:
        """Delete up to ``limit`` finished tasks, oldest first; lane and state of each."""

    def delete(self, seqs: Sequence[int]) -> None:
        """Delete tasks with all that is kept of them."""

    # reading
    def find(self, ids: Iterable[bytes]) -> list[Found]: ...
    def payload(self, seq: int) -> bytes:
        """Of a task that is there: read one by one, for they may be large."""

    def outcomes(self, ids: Iterable[bytes]) -> list[OutcomeRow]: ...
    def facts(self, seq: int) -> Facts: ...
    def full(self, id: bytes) -> FullTask | None: ...
    def attempts(self, seq: int) -> list[AttemptRow]: ...
    def created(self, seqs: Iterable[int]) -> list[int]:
        """When tasks that are there were submitted."""

    def worker_host(self, worker: int) -> str | None: ...
    def listing(self, what: TaskFilter, limit: int) -> list[FullTask]:
        """Newest first; payload and result are empty."""

    # what attempts say
    def observe(self, rows: Sequence[Observation], kept_bytes: int) -> None:
        """Add to what is known of attempts; of each one's text the last ``kept_bytes`` are kept."""

    def progress(self, seq: int, attempt: int) -> bytes | None: ...
    def logs(self, seq: int, upto_attempt: int, limit: int) -> list[LogRow]:
        """The latest first. Attempts that said nothing have none."""

    @property
    def log_bytes(self) -> int:
        """Of all texts that are kept."""

    def trim_logs(self, attempts: int) -> None:
        """Forget what the so many oldest attempts said."""

    # what operators ask; each visits a bounded number of rows
    def count_ahead(self, lane: int, priority: int, seq: int, limit: int) -> int:
        """How many ready tasks of a lane go before one of this priority and number; counts to ``limit``."""

    def window(self, before: int, limit: int, failures: bool) -> list[WindowRow]:
        """The ``limit`` tasks before that one, newest first; with their failures if asked for."""

    def brief(self, seq: int) -> FullTask | None:
        """As in a listing: payload and result are empty."""

    def oldest_ready(self, lane: int) -> int | None:
        """When the ready task of a lane that was submitted first was submitted."""

    # the rest of what a master remembers
    def add_lane(self, queue: str, task: str) -> int: ...
    def add_origin(self, queue: str, results: str | None) -> int: ...
    def orphan_origins(self, queue: str) -> None:
        """Tasks that came from this item queue come from none: it is deleted."""

    def put_queue(self, name: str, paused: bool, reason: str, since: int | None) -> None: ...
    def put_worker(self, node: bytes, host: str, pid: int, now: int) -> int: ...
    def forget_workers(self, seen_before: int) -> None: ...
    def key_rows(self) -> list[KeyRow]: ...
    def put_key(self, row: KeyRow) -> None: ...
    def get_meta(self, name: str) -> bytes | None: ...
    def set_meta(self, name: str, value: bytes) -> None: ...
