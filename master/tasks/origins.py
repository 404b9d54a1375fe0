"""The origin of tasks that no client submitted: the item queue that the item was taken from, and the queue for its result; or
OF_SCHEDULES. A task's row has the number of its origin, so that the task stays linked to its item across workers and restarts.
Pure but for the store.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ...common.errors import InvalidArgument
from ..engine.accounts import Account, Resource
from ..engine.clock import Now
from ..engine.part import Part
from ..store.interface.store import Picture, Store

OF_SCHEDULES: Final = 0  # the origin of all tasks that schedules make: their history knows of which and when
ORIGINS_MAX: Final = 100_000  # pairs of queues; as many as there may be item queues


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

    def load(self, picture: Picture, now: Now) -> None:
        self._by_number.clear()
        self._numbers.clear()
        self._of_queue.clear()
        self._know(OF_SCHEDULES, Origin(None, None))
        for number, queue, results in picture.origins:
            self._know(number, Origin(queue, results))

    def number(self, queue: str, results: str | None, account: Account | None = None) -> int:
        """The number of a pair of queues, created on first use and charged to ``account``, which may raise QuotaExceeded."""
        origin = Origin(queue, results)
        number = self._numbers.get(origin)
        if number is None:
            if len(self._by_number) >= ORIGINS_MAX:
                raise InvalidArgument(f"items of {ORIGINS_MAX:,} queues have become tasks; use fewer names")
            if account is not None:
                account.take(Resource.ORIGINS)
            self._know(self._store.add_origin(queue, results), origin)
            number = self._numbers[origin]
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
