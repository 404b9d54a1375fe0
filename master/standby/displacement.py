"""That this master's time as the owner is over: learnt in any thread, acted on once, on the loop that serves.

It may be learnt before a loop runs, while the store is still loaded: then ``watch`` acts at once.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable


class Displacement:
    """Of one term of one owner."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._act: Callable[[], None] | None = None
        self.reason = ""  # empty: it is the owner, as far as is known

    def happened(self, reason: str) -> None:
        with self._lock:
            is_first, self.reason = not self.reason, self.reason or reason
            act = self._act
        if is_first and act is not None:
            act()

    def watch(self, loop: asyncio.AbstractEventLoop, act: Callable[[], None]) -> None:
        """``act`` is called on the loop."""

        def post() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(act)

        with self._lock:
            self._act = post
            reason = self.reason
        if reason:
            post()
