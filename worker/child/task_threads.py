"""StepRunner for functions in a child that runs many jobs: one for each that runs, kept for the next one.

They are daemons: a process whose last jobs have ended does not wait for one that is stuck.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Protocol


class StepRunner(Protocol):
    """What functions run in: threads, or greenlets in their place."""

    def run(self, step: Callable[[], None]) -> None: ...


class TaskThreads:
    def __init__(self) -> None:
        self._queue: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._lock = threading.Lock()  # guards the next one
        self._free = 0  # threads that wait for something to do, less what they have been given
        self._count = 0

    def run(self, step: Callable[[], None]) -> None:
        """``step`` raises nothing. Raises RuntimeError when no further thread can be started."""
        with self._lock:
            has_free = self._free > 0
            self._free -= has_free
        if not has_free:
            self._count += 1
            threading.Thread(target=self._work, name=f"tq-task-{self._count}", daemon=True).start()
        self._queue.put(step)

    def _work(self) -> None:
        while True:
            self._queue.get()()
            with self._lock:
                self._free += 1
