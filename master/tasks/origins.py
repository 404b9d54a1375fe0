"""The origin of a task: the item queue that its item was taken from, and the queue for its result; or OF_SCHEDULES; or a flow, as
the number of the flow with a minus. A task's row has the number of its origin, so that it stays linked to its item, or to its
flow, across workers and restarts. Pure but for the store.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple, Protocol, TypeGuard

from ...common.domain.id_runs import IdRun
from ...common.errors import InvalidArgument
from ..engine.accounts import Account, Resource, charged
from ..engine.clock import Now
from ..engine.part import Part
from ..engine.session import Session
from ..store.interface.store import Picture, Store

OF_SCHEDULES: Final = 0  # the origin of all tasks that schedules make: their history knows of which and when
ORIGINS_MAX: Final = 100_000  # pairs of queues; as many as there may be item queues


def is_of_flow(origin: int | None) -> TypeGuard[int]:
    return origin is not None and origin < 0


class FlowOrigins(Protocol):
    """Those of flows."""

    def origin(self, session: Session, id: bytes, ids: Iterable[bytes]) -> int:
        """Of tasks with these ids that are submitted into the flow. Raises InvalidArgument."""

    def origin_of(self, session: Session, id: bytes) -> int:
        """Of the tasks of the flow. Raises InvalidArgument, also when this key may not see it."""

    def shown(self, session: Session, origin: int, running: int, now: Now) -> dict[str, Any] | None:
        """The flow, as it is listed, with so many of its tasks that run. None: this key may not see it, or it is kept no longer."""

    def ends(self, origin: int) -> tuple[bytes, bytes] | None:
        """The ids of the first and the last task that the flow was given, whether they are kept or not. None: it has none."""

    def digits(self, session: Session, id: bytes) -> int:
        """How many digits tell the id of a flow from those of all others."""

    def accepted(self, origin: int, queue: str, runs: Iterable[IdRun]) -> None:
        """Of these some tasks are new."""


class Origin(NamedTuple):
    queue: str | None  # None: the queue was deleted, and its items are no longer counted
    results: str | None  # None: results are not put into a queue


class Origins(Part):
    """All origins, by number."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._by_number: dict[int, Origin] = {}
        self._numbers: dict[Origin, int] = {}
        self._of_queue: dict[str, list[int]] = {}
        self._accounts: dict[int, Account] = {}  # by number, of those that were made since the master started

    def load(self, picture: Picture, now: Now) -> None:
        self._by_number.clear()
        self._numbers.clear()
        self._of_queue.clear()
        self._know(OF_SCHEDULES, Origin(None, None))
        for number, queue, results in picture.origins:
            self._know(number, Origin(queue, results))
        for number in self._accounts.keys() - self._by_number.keys():  # made in the transaction that failed
            self._accounts.pop(number).give(Resource.ORIGINS)

    def number(self, queue: str, results: str | None, account: Account | None = None) -> int:
        """The number of a pair of queues, created on first use and charged to ``account``, which may raise QuotaExceeded."""
        origin = Origin(queue, results)
        number = self._numbers.get(origin)
        if number is None:
            if len(self._by_number) >= ORIGINS_MAX:
                raise InvalidArgument(f"items of {ORIGINS_MAX:,} queues have become tasks; use fewer names")
            with charged(account, Resource.ORIGINS):
                number = self._store.add_origin(queue, results)
            if account is not None:
                self._accounts[number] = account
            self._know(number, origin)
        return number

    def of(self, number: int) -> Origin:
        return self._by_number[number]

    def queue_deleted(self, name: str) -> None:
        """A queue was deleted: its tasks must not count as items of a later queue with the same name."""
        mine = self._of_queue.pop(name, [])
        if mine:
            self._store.orphan_origins(name)
        for number in mine:
            del self._numbers[self._by_number[number]]
            self._by_number[number] = self._by_number[number]._replace(queue=None)

    def _know(self, number: int, origin: Origin) -> None:
        self._by_number[number], self._numbers[origin] = origin, number
        if origin.queue is not None:
            self._of_queue.setdefault(origin.queue, []).append(number)
