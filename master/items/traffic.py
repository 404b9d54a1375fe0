"""How many items come and go: counted while a transaction is made, added to the rates of their queues when it is. Pure.

An item has come when it is stored, and is gone when its consumer has confirmed it, or it has become a task; what is taken and comes
back counts nothing. Nothing survives a restart of the master.
"""

from __future__ import annotations

from collections import Counter

from ..engine.clock import Now
from ..engine.rates import RECENT_MS, Rate
from .queue import ItemQueueState


class ItemTraffic:
    def __init__(self) -> None:
        self._come, self._gone = Counter[ItemQueueState](), Counter[ItemQueueState]()

    def came(self, queue: ItemQueueState) -> None:
        self._come[queue] += 1

    def went(self, queue: ItemQueueState, items: int = 1) -> None:
        self._gone[queue] += items

    def settle(self, now: Now) -> None:
        for queue, items in self._come.items():
            queue.come = queue.come or Rate(RECENT_MS, now.mono)
            queue.come.add(items, now.mono)
        for queue, items in self._gone.items():
            queue.gone = queue.gone or Rate(RECENT_MS, now.mono)
            queue.gone.add(items, now.mono)
        self.void()

    def void(self) -> None:
        self._come.clear()
        self._gone.clear()
