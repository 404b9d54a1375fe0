"""Item queues by name, by number and by the node that owns them; each is charged to the account of the key that made it. Pure but
for the store."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ...common.domain.model import check_new
from ...common.errors import InvalidArgument
from ..engine.accounts import Account, Resource, charged, give_back
from ..store.interface.items import ItemQueueRow, ItemStore
from .holders import discard
from .queue import FIFO, ItemQueueState

QUEUES_MAX: Final = 100_000


class QueueNames:
    def __init__(self, store: ItemStore) -> None:
        self._store = store
        self.by_name: dict[str, ItemQueueState] = {}
        self.by_number: dict[int, ItemQueueState] = {}
        self.owned: dict[
            bytes, dict[ItemQueueState, None]
        ] = {}  # by the owning node: they are deleted when it is lost

    def load(self, rows: Iterable[ItemQueueRow]) -> None:
        """Replace everything by these rows. Parked calls stay: their sessions are still open."""
        before = dict(self.by_name)
        self.by_name.clear()
        self.by_number.clear()
        self.owned.clear()
        for row in rows:
            queue = before.pop(row.name, None) or ItemQueueState(row.queue, row.name, row.kind, row.maxsize)
            queue.restore(row)
            self._add(queue)
        for queue in before.values():  # made in the transaction that failed
            give_back(queue.account, Resource.QUEUES)

    def get(
        self,
        name: str,
        kind: str | None = None,
        maxsize: int = 0,
        owner: bytes | None = None,
        account: Account | None = None,
    ) -> ItemQueueState:
        """The queue of a name, made on first use (fifo by default) and charged to ``account``, which may raise QuotaExceeded.
        InvalidArgument when it exists with another kind or size than the given one."""
        queue = self.by_name.get(name)
        if queue is None:
            check_new("queue", name, owner is not None)
            if len(self.by_name) >= QUEUES_MAX:
                raise InvalidArgument(f"there are {QUEUES_MAX:,} item queues already; use fewer names")
            with charged(account, Resource.QUEUES):
                number = self._store.add_queue(name, kind or FIFO, maxsize, owner)
            queue = ItemQueueState(number, name, kind or FIFO, maxsize, owner=owner, account=account)
            self._add(queue)
        elif kind is not None and (queue.kind, queue.maxsize) != (kind, maxsize):
            raise InvalidArgument(
                f"queue {name!r} is {queue.kind} with maxsize={queue.maxsize}, not {kind} with maxsize={maxsize}; "
                "give the same, or use another name"
            )
        return queue

    def forget(self, queue: ItemQueueState) -> None:
        """The queue was deleted."""
        give_back(queue.account, Resource.QUEUES)
        if queue.owner is not None:
            discard(self.owned, queue.owner, queue)
        del self.by_name[queue.name], self.by_number[queue.number]

    def _add(self, queue: ItemQueueState) -> None:
        self.by_name[queue.name] = self.by_number[queue.number] = queue
        if queue.owner is not None:
            self.owned.setdefault(queue.owner, {})[queue] = None
