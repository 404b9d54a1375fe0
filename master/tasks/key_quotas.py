"""How many tasks each key with a quota has that have not ended, and the bytes of their arguments. Pure but for the store.

A submit with a key that has a quota puts its tasks into lanes of that key (``LaneKey.owner``), so that whose they are is in the store. The size
of each is remembered by its id until it ends, whatever becomes of it meanwhile: retries, arrays that are cut, a worker that is lost. After a
restart, and after a transaction that failed, all are counted again. What was submitted before its key had a quota is not counted.

Who waits for room is decided in full_queues.py; what the master makes itself for a key counts and is never refused.

Invariant: ``use`` is the number and the bytes of the tasks in lanes of a key that have not ended, at every commit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ...common.domain.key_quota import KeyQuota
from ...common.domain.quota_parts import QuotaHere
from ..engine.clock import Now
from ..engine.endings import Ended
from ..engine.part import Part
from ..store.interface.queries import Found
from ..store.interface.store import Picture, Store
from .plan import Submission
from .routes import Routes


class KeyUse(NamedTuple):
    tasks: int
    bytes: int


class KeyQuotas(Part):
    def __init__(self, store: Store, routes: Routes, quota_of: Callable[[str], QuotaHere]) -> None:
        """``quota_of``: what holds for a key in this shard, by its id."""
        self._store, self._routes, self._quota_of = store, routes, quota_of
        self._sizes: dict[str, dict[bytes, int]] = {}  # by key, then by the id of a task
        self._bytes = Counter[str]()
        self._unwritten = Counter[
            str
        ]()  # tasks that were accepted in this transaction and are not stored yet
        self._unwritten_bytes = Counter[str]()

    def load(self, picture: Picture, now: Now) -> None:
        self._sizes.clear()
        self._bytes.clear()
        self.dropped()
        owned = {lane.number: lane.key.owner for lane in self._routes if lane.key.owner}
        for route, id, size in self._store.unfinished_sizes(list(owned)) if owned else ():
            self._add(owned[route], id, size)

    def owner(self, key_id: str) -> str:
        """The key that tasks are counted for; empty: it has no quota."""
        # Without a quota no lane of a key's own is made, and nothing is remembered for each task.
        return "" if self._quota_of(key_id).is_none else key_id

    def use(self, key_id: str) -> KeyUse:
        tasks = len(self._sizes.get(key_id, ())) + self._unwritten[key_id]
        return KeyUse(tasks, self._bytes[key_id] + self._unwritten_bytes[key_id])

    def quota(self, key_id: str) -> KeyQuota:
        return self._quota_of(key_id).quota

    def here(self, key_id: str) -> QuotaHere:
        return self._quota_of(key_id)

    def room(self, key_id: str, size: int) -> int:
        """How many tasks a key may submit now, the next of which has arguments of so many bytes."""
        quota, use = self.quota(key_id), self.use(key_id)
        if quota.max_queued_bytes is not None and use.bytes + size > quota.max_queued_bytes:
            return 0
        return max(0, quota.tasks - use.tasks)

    def bytes_left(self, key_id: str) -> int | None:
        """None: any number."""
        most = self.quota(key_id).max_queued_bytes
        return None if most is None else most - self.use(key_id).bytes

    # what becomes of tasks

    def noted(self, submission: Submission) -> None:
        """Tasks of a submit are accepted, and written later in this transaction."""
        self._unwritten[submission.owner] += submission.tasks
        self._unwritten_bytes[submission.owner] += submission.size

    def dropped(self) -> None:
        """What was accepted is written, or never will be."""
        self._unwritten.clear()
        self._unwritten_bytes.clear()

    def written(self, submission: Submission) -> None:
        for new in submission.runs:
            for id, payload in zip(new.run.ids(), new.payloads, strict=True):
                self._add(submission.owner, id, len(payload))

    def ended(self, tasks: Sequence[Ended], now: Now) -> None:
        if not self._sizes:
            return
        for run, route, *_ in tasks:
            owner = self._routes.by_number[route].key.owner
            if owner and (sizes := self._sizes.get(owner)) is not None:
                # 0: submitted before its key had a quota, or counted down already.
                self._bytes[owner] -= sum(sizes.pop(id, 0) for id in run.ids())
                if not sizes:
                    del self._sizes[owner], self._bytes[owner]

    def revived(self, found: Found) -> None:
        """A task that had ended is to run again."""
        owner = self._routes.by_number[found.route].key.owner
        if owner:
            self._add(owner, found.id, len(self._store.payload(found.seq)))

    def _add(self, owner: str, id: bytes, size: int) -> None:
        sizes = self._sizes.setdefault(owner, {})
        # A repeated submit may note an id twice: the difference counts.
        self._bytes[owner] += size - sizes.get(id, 0)
        sizes[id] = size
