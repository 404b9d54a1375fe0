"""The store's interface: verbs of the domain, in batches, inside one transaction at a time.

::

    begin ─► verbs … ─► commit        everything since begin becomes durable, or nothing does
                    └─► rollback

``commit`` is the only verb that waits for a disk and the only one that may be called from another thread
(never while any other verb runs). Every verb that changes a task's state is conditional on the state and
attempt it expects; a verb given a whole batch either applies to every row or raises ``Inconsistent``,
for then the caller's picture of the store is wrong and must be loaded again.

A verb that looks for tasks (``LOOKS``: by id, by filter, in some order) sees what was accepted before it, also if that is not
written yet: the store has it written first (``before_looks``), so no caller has to. Verbs that are given the number of a task
need no such care, for only what is written has one.

Errors: StoreError when the disk or the database fails, after which the caller rolls back and reopens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from ....common.errors import ConfigError, StoreError
from .attempt_output import OutputStore
from .audit import AuditStore
from .blobs import BlobStore
from .counts import CountStore
from .data import DataStore
from .dependencies import BlockedStore, DependencyStore
from .edges import EdgeStore
from .ended import EndedStore
from .flows import FlowStore
from .items import ItemStore
from .keys import KeyStore
from .limits import LimitStore
from .lines import LineStore
from .locks import LockStore
from .outbox import OutboxStore
from .queries import QueryStore
from .retention import RetentionStore
from .routes import QueueRow, RouteStore
from .schedules import ScheduleStore
from .series import SeriesStore
from .slices import RunningSlice, SliceStore
from .space import SpaceStore
from .steps import StepStore
from .strikes import StrikeStore
from .tasks import TaskStore
from .tenants import TenantStore
from .unhandled import UnhandledStore
from .uniques import UniqueStore
from .workers import WorkerStore

LOOKS: Final = frozenset(
    {
        *(
            "find",
            "outcomes",
            "full",
            "listing",
            "count_ahead",
            "oldest_ready",
            "ready_in",
            "unfinished_sizes",
        ),
        *(
            "parts_before",
            "parts_down",
            "parts_up",
            "between_arrays",
            "bounds_of_flow",
            "spans_before",
            "totals",
            "newest_failed",
        ),
        *(
            "first_ready",
            "lease",
            "lease_each",
            "lease_these",
            "promote",
            "promote_at",
            "expire",
            "purge",
            "purge_surplus",
        ),
        *("next_due", "next_at", "next_expiry"),
        *("ready_after", "ready_over"),
        "order_queue",  # what was submitted before it stands in line as it did
        "put_queue",  # a paused queue gives out nothing that was submitted after it was: the rest goes before
    }
)


class Inconsistent(StoreError):
    """A conditional update did not find what the engine was sure of. The engine reloads and goes on."""


class Displaced(StoreError):
    """What this store holds is not its own to write any more: another master owns it, or its database has gone back (``gone_back``:
    then this master still owns it, and has to load it again)."""

    def __init__(self, message: str, *, gone_back: bool = False) -> None:
        super().__init__(message)
        self.gone_back = gone_back


class OwnedElsewhere(ConfigError):
    """Another master owns this store, and has not ended."""


class StoreAway(ConfigError):
    """The database of this store cannot be reached, or takes no writes. For a master that has had its turn before, it will again."""


class RunningRow(NamedTuple):
    seq: int
    id: bytes
    route: int
    attempt: int
    returned: int
    lease: bytes
    worker: int
    cancel: int
    started: int
    origin: int | None
    options: bytes | None


@dataclass(kw_only=True, slots=True)
class Picture:
    """What the engine keeps in memory, as the store has it."""

    routes: list[tuple[int, str, str, bytes]] = field(
        default_factory=list
    )  # number, queue, task, what the lane is
    queues: list[QueueRow] = field(default_factory=list)
    counts: list[tuple[int, int, int]] = field(
        default_factory=list
    )  # route, state, tasks that are not leased
    running: list[RunningRow] = field(default_factory=list)
    slices: list[RunningSlice] = field(default_factory=list)  # of arrays, that are leased
    workers: list[tuple[int, bytes, str, int]] = field(default_factory=list)  # worker, node, host, pid
    origins: list[tuple[int, str | None, str | None]] = field(default_factory=list)  # origin, queue, results
    last_seq: int = 0


class SubjectStores(Protocol):
    """Subjects with verbs of their own; those of tasks, routes, workers and keys are the store's."""

    @property
    def blobs(self) -> BlobStore:
        """Its part for content and the tasks that name it."""

    @property
    def counts(self) -> CountStore:
        """Its part for how many tasks there are."""

    @property
    def items(self) -> ItemStore:
        """Its part for plain values in named queues."""

    @property
    def locks(self) -> LockStore:
        """Its part for locks, events and barriers."""

    @property
    def data(self) -> DataStore:
        """Its part for named values."""

    @property
    def dependencies(self) -> DependencyStore:
        """Its part for tasks that need other tasks."""

    @property
    def edges(self) -> EdgeStore:
        """Its part for needs between shards."""

    @property
    def schedules(self) -> ScheduleStore:
        """Its part for schedules and their history."""

    @property
    def steps(self) -> StepStore:
        """Its part for the recorded steps of tasks."""

    @property
    def flows(self) -> FlowStore:
        """Its part for flows, their tasks and their callbacks."""

    @property
    def limits(self) -> LimitStore:
        """Its part for limits and what an operator has changed of them."""

    @property
    def series(self) -> SeriesStore:
        """Its part for what the master has measured."""

    @property
    def ended(self) -> EndedStore:
        """Its part for the attempts that ended lately."""

    @property
    def audit(self) -> AuditStore:
        """Its part for who changed what."""

    @property
    def outbox(self) -> OutboxStore:
        """Its part for rows of outboxes that were accepted."""

    @property
    def uniques(self) -> UniqueStore:
        """Its part for tasks that are the same by a key."""

    @property
    def unhandled(self) -> UnhandledStore:
        """Its part for ends of tasks whose handlers are not made yet."""


class Store(
    SubjectStores,
    TaskStore,
    BlockedStore,
    SliceStore,
    RetentionStore,
    QueryStore,
    LineStore,
    OutputStore,
    RouteStore,
    WorkerStore,
    KeyStore,
    StrikeStore,
    TenantStore,
    SpaceStore,
    Protocol,
):
    """Every store passes ``tests/master/store``. Times are milliseconds of Unix time, on the
    master's steady clock (see ``master/engine/clock.py``), but for ``at``: that is the wall's."""

    @property
    def damage(self) -> str:
        """The error of a part of its file that could not be read, with the remedy; empty: there was none so far."""

    @property
    def away(self) -> str:
        """Why a commit that is under way waits without an end: its database does not answer. Empty: none does."""

    @property
    def recovering(self) -> str:
        """How far ``reopen`` is, which goes on in a thread and raises StoreError meanwhile. Empty: it does not."""

    @property
    def is_certain(self) -> bool:
        """Whether what is read here is the state. False: another master may have taken over meanwhile, until the database has
        confirmed that none has; what is committed is another matter, that is confirmed each time."""

    def begin(self, *, reading: bool = False, at_once: bool = False) -> None:
        """``reading``: a transaction that can be begun when nothing can be written; a write in it is a StoreError. It is begun by
        the first verb that needs it, which may be a StoreError, or now, ``at_once``: many a transaction asks nothing."""

    @property
    def in_transaction(self) -> bool:
        """Whether the one that was begun still stands; some errors end it."""

    def commit(self) -> None: ...
    def rollback(self) -> None: ...
    def reopen(self) -> None:
        """Close a handle that failed, and open another: nothing uncommitted survives. A StoreError means that
        it cannot be opened now; it can be tried again."""

    def close(self) -> None: ...
    @property
    def changed(self) -> bool:
        """Whether this transaction has changed anything, so that committing it costs a sync."""

    def load(self) -> Picture: ...

    def before_looks(self, write: Callable[[], None]) -> None:
        """Have this done before each of ``LOOKS``: it writes what was accepted and is not written yet. It is not done before
        the looks that it takes itself."""

    def settle(self) -> None:
        """Have it done now: for who looks at memory that follows the store."""

    # the master's own notes
    def get_meta(self, name: str) -> bytes | None: ...
    def set_meta(self, name: str, value: bytes) -> None: ...
