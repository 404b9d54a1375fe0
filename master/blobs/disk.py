"""The interface of the threads that do the disk work of blobs, off the event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

Then = Callable[[Any, BaseException | None], None]


class DiskThreads(Protocol):
    """Runs a job off the event loop; ``then`` is called with its outcome in a later transaction."""

    def write(self, job: Callable[[], Any], then: Then) -> None:
        """Jobs that write run one after the other, in the order of the calls."""

    def read(self, job: Callable[[], Any], then: Then) -> None: ...
