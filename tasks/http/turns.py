"""How many requests to one host are under way at once, in one event loop.

Only hosts with requests under way take memory, so millions of hosts may follow one another.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from typing import Final

# Whose connections are kept: each host more would hold idle descriptors for seconds
RECENT_HOSTS_MAX: Final = 32

Host = tuple[str, int]


class HostTurns:
    """``per_host``: at most so many. Those that wait are served in the order in which they came."""

    def __init__(self, per_host: int) -> None:
        self._per_host = per_host
        self._running: dict[Host, int] = {}
        self._waiting: dict[Host, deque[asyncio.Future[None]]] = {}
        self._recent: OrderedDict[Host, None] = OrderedDict()

    async def take(self, host: Host) -> None:
        """Wait for a turn; ``give`` ends it."""
        running = self._running.get(host, 0)
        if running < self._per_host:
            self._running[host] = running + 1
            return
        turn = asyncio.get_running_loop().create_future()
        queue = self._waiting.setdefault(host, deque())
        queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it was given in the moment of the cancel
                self.give(host)
            elif turn in queue:
                queue.remove(turn)
                self._tidy(host)
            raise

    def give(self, host: Host) -> None:
        """A turn is over: the next one that waits has it."""
        queue = self._waiting.get(host)
        while queue:
            turn = queue.popleft()
            if not turn.done():
                turn.set_result(None)
                self._tidy(host)
                return
        self._tidy(host)
        if self._running[host] == 1:
            del self._running[host]
        else:
            self._running[host] -= 1

    def _tidy(self, host: Host) -> None:
        if host in self._waiting and not self._waiting[host]:
            del self._waiting[host]

    def is_recent(self, host: Host) -> bool:
        """Whether this host was asked something shortly before: only then is its connection worth being kept."""
        if host in self._recent:
            self._recent.move_to_end(host)
            return True
        self._recent[host] = None
        if len(self._recent) > RECENT_HOSTS_MAX:
            self._recent.popitem(last=False)
        return False
