"""Commits: in a thread as a rule, on the loop itself when the disk answers sooner than a thread would begin.

A hop to a thread and back costs about as much as a commit on a good disk. So a small transaction is
committed where it is, as long as the disk has lately answered within ``HERE_SECONDS_MAX``; one slow commit
sends the next hundred to the thread again, for the loop has others to serve. A transaction of few calls may take
longer: what others send meanwhile could not be committed sooner, and there is hardly an answer to encode.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from ...common.errors import StoreError
from ...common.runtime.callbacks import OUT_OF_MEMORY
from ...common.values.brief import brief

HERE_SECONDS_MAX: Final = 0.0005  # what a thread's beginning and its answer cost, several times over
# Of calls in the transaction; larger ones write longer, and thread and loop
HERE_BYTES_MAX: Final = 16 * 1024
FEW_CALLS_MAX: Final = 4  # a task by itself comes in one or two, and its end too
FEW_TIMES: Final = 4  # so many times longer may the disk take for them
FORGET: Final = 0.98  # of the slowest commit, with each one after it


class Committer:
    """``commit``: the store's verb. ``here_seconds_max`` 0: always in the thread."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        commit: Callable[[], None],
        here_seconds_max: float = HERE_SECONDS_MAX,
    ) -> None:
        self._loop, self._commit, self._here_seconds_max = loop, commit, here_seconds_max
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="tq-commit")
        # Of a disk of which nothing is known the first commit goes to the thread: it may take seconds.
        self._slowest = here_seconds_max
        self._is_known = False  # how quick the disk is
        self.on_seconds: list[Callable[[float], None]] = []  # called with how long each commit took

    @property
    def slowest_seconds(self) -> float:
        """Of the commits of late: an old one counts less with each that follows."""
        return self._slowest

    def may_commit_here(self, calls: int, size_bytes: int) -> bool:
        """Whether a transaction of so many calls, and bytes of them, is not worth a thread."""
        seconds_max = self._here_seconds_max * (FEW_TIMES if calls <= FEW_CALLS_MAX else 1)
        return self._is_known and size_bytes <= HERE_BYTES_MAX and self._slowest < seconds_max

    def commit_here(self) -> StoreError | None:
        """Commit now; what went wrong."""
        began = time.perf_counter()  # the loop's own clock counts whole turns of the loop
        try:
            self._commit()
        except StoreError as error:
            return error
        except MemoryError:
            return StoreError(OUT_OF_MEMORY)
        except Exception as error:  # a bug; those who wait must still be answered
            return StoreError(f"the commit failed: {brief(error, 200)}")
        finally:
            self._took(time.perf_counter() - began)
        return None

    def commit_there(self, then: Callable[[StoreError | None], None]) -> None:
        """Commit in the thread; ``then`` is called on the loop with what went wrong, or None."""
        future = self._loop.run_in_executor(self._thread, self.commit_here)
        future.add_done_callback(lambda done: then(_outcome(done)))

    def close(self) -> None:
        self._thread.shutdown()

    def _took(self, seconds: float) -> None:
        self._slowest = max(seconds, self._slowest * FORGET)
        self._is_known = True
        for listener in self.on_seconds:
            listener(seconds)


def _outcome(done: asyncio.Future[StoreError | None]) -> StoreError | None:
    """The result of the thread. If it failed in any way, the commit failed: the transaction always has an end."""
    try:
        return done.result()
    except (Exception, asyncio.CancelledError) as error:
        return StoreError(f"the commit did not end: {brief(error, 200)}")
