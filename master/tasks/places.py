"""How many more tasks each worker could start at once, and who is given the permits of a limit, or of a tenant's cap, first. Pure.

A worker reads ahead: it is given tasks that wait there until a place is free. Under a limit such a task holds a permit that another worker
with a free place could use now; so does a task of a tenant with a cap. So where tasks have limits, or tenants caps, the calls of workers with a free place are served first, and each of these is
given no more under a limit than it has free places for, as long as others like it could use the rest; what these leave is read ahead.

    free places of a worker = its slots - the tasks that are leased to it

It is what the master knows: tasks that run as one (``coalesce=``) count each, and one that has lent its slot counts as well. A worker
that is taken for full because of these is served after the others, and gets what is left.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

from .route import Capability, ParkedLease

# Parked calls that are looked at for one choice: of more, the others are taken to need all
LOOKS_MAX: Final = 1_000


class FreePlaces:
    """``leased``: how many tasks each worker has, by its number; changed by what keeps leases."""

    def __init__(self) -> None:
        self.leased: dict[int, int] = {}
        self._slots: dict[int, int] = {}  # of connected workers

    def hold(self, worker: int, tasks: int) -> None:
        """So many more tasks, or fewer, are leased to a worker."""
        if left := self.leased.get(worker, 0) + tasks:
            self.leased[worker] = left
        else:
            del self.leased[worker]

    def announced(self, worker: int, slots: int) -> None:
        self._slots[worker] = slots

    def gone(self, worker: int) -> None:
        self._slots.pop(worker, None)

    def clear(self) -> None:
        """Workers are numbered otherwise from now on."""
        self._slots.clear()

    def slots(self, worker: int) -> int:
        """0: it is not connected."""
        return self._slots.get(worker, 0)

    def free(self, worker: int) -> int:
        """How many tasks it could start at once, besides those that it has."""
        return max(0, self.slots(worker) - self.leased.get(worker, 0))

    def first_call(self, capability: Capability) -> ParkedLease | None:
        """The first parked call of a worker with a free place."""
        calls = islice(capability.parked.values(), LOOKS_MAX)
        return next((one for one in calls if self.free(one.worker)), None)
