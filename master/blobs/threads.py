"""The threads for disk work: one that writes, so that writes keep their order, and a few that read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

READERS: Final = 2

Then = Callable[[Any, BaseException | None], None]


class Threads:
    """See ``disk.DiskThreads``. ``later`` runs a function in the next transaction."""

    def __init__(self, loop: asyncio.AbstractEventLoop, later: Callable[[Callable[[], None]], None]) -> None:
        self._loop, self._later = loop, later
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="tq-blob-write")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="tq-blob-read")

    def write(self, job: Callable[[], Any], then: Then) -> None:
        self._do(self._writer, job, then)

    def read(self, job: Callable[[], Any], then: Then) -> None:
        self._do(self._readers, job, then)

    def close(self) -> None:
        """Finish the write in progress; begin no other job."""
        self._readers.shutdown(wait=False, cancel_futures=True)
        self._writer.shutdown(cancel_futures=True)

    def _do(self, threads: ThreadPoolExecutor, job: Callable[[], Any], then: Then) -> None:
        def done(future: asyncio.Future[Any]) -> None:
            if future.cancelled():
                return  # the master ends
            error = future.exception()
            self._later(lambda: then(None if error else future.result(), error))

        self._loop.run_in_executor(threads, job).add_done_callback(done)
