"""What blobs need of the disk: jobs done off the event loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

Then = Callable[[Any, BaseException | None], None]


class DiskThreads(Protocol):
    """Does a job off the event loop; ``then`` is told the outcome in a later transaction."""

    def write(self, job: Callable[[], Any], then: Then) -> None:
        """One after the other, in the order of asking."""

    def read(self, job: Callable[[], Any], then: Then) -> None: ...
