"""The store's verbs for reading tasks. Part of ``interface.Store``; the same rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

ATTEMPT_MAX: Final = 2**62  # above the number of any attempt


class Found(NamedTuple):
    seq: int
    id: bytes
    route: int
    state: int
    attempt: int
    returned: int
    lease: bytes | None
    cancel: int
    origin: int | None


class StoredOutcome(NamedTuple):
    """How a task ended, or its state if it has not."""

    id: bytes
    route: int
    state: int
    body: bytes | None


class Facts(NamedTuple):
    seq: int
    failures: int
    crashes: int
    cancel: int
    options: bytes | None


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
    version: str | None = None  # of the code that its worker had


class WindowRow(NamedTuple):
    """What a filter judges a task by."""

    seq: int
    id: bytes
    route: int
    state: int
    created: int


class Ahead(NamedTuple):
    tasks: int
    rows: int  # were read to count them


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskFilter:
    states: tuple[int, ...] = ()  # as they are shown: what is leased and not ``begun`` is READY
    begun: frozenset[int] = frozenset()  # numbers of the leased tasks that are known to have begun
    queue: str | None = None
    task: str | None = None
    since: int | None = None  # created at or after, steady ms
    before_seq: int | None = None


class ReadyRow(NamedTuple):
    """A ready task, or neighbours in an array."""

    priority: int
    seq: int
    stop: int
    created: int
    deadline: int | None


class QueryStore(Protocol):
    def find(self, ids: Iterable[bytes]) -> list[Found]: ...
    def payload(self, seq: int) -> bytes:
        """Of a task that is there: read one by one, for they may be large."""

    def unfinished_sizes(self, routes: Sequence[int]) -> Iterator[tuple[int, bytes, int]]:
        """Of each task of these lanes that has not ended its lane, its id and the bytes of its arguments."""

    def outcomes(self, ids: Iterable[bytes]) -> list[StoredOutcome]: ...
    def facts(self, seqs: Sequence[int]) -> dict[int, Facts]:
        """Of these tasks, by number."""

    def full(self, id: bytes) -> FullTask | None: ...
    def attempts(self, seq: int, limit: int, before: int = ATTEMPT_MAX) -> list[AttemptRow]:
        """The latest attempts of a task that ended, of those before this one, in order."""

    def attempts_before(self, seq: int, attempt: int) -> int:
        """How many of those there are."""

    def outcome_of_lease(self, seq: int, lease: bytes) -> int | None:
        """How the attempt of a task with this lease ended; None: not yet, with success, or it is not known any more."""

    def created(self, seqs: Iterable[int]) -> list[int]:
        """When tasks that are there were submitted."""

    def listing(self, what: TaskFilter, limit: int) -> list[FullTask]:
        """Newest first; payload and result are empty."""

    # what operators ask; each visits a bounded number of rows
    def count_ahead(self, route: int, priority: int, seq: int, limit: int) -> Ahead:
        """How many ready tasks of a route go before one of this priority and number; reads at most ``limit`` rows, of which that
        of an array's slice stands for all of its tasks."""

    def ready_in(self, route: int, limit: int) -> list[ReadyRow]:
        """At most so many rows of the ready tasks of a lane, in any order."""

    def brief(self, seq: int) -> FullTask | None:
        """As in a listing: payload and result are empty."""

    def oldest_ready(self, route: int) -> int | None:
        """When the ready task of a route that was submitted first was submitted."""
