"""A link to a master, as an App sees it: over the network, or, inside a task, through its supervisor."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, Protocol


class PlainLink(Protocol):
    """Makes calls."""

    def call(self, target: Sequence[Any], method: str, *args: Any) -> Future[Any]: ...


class Link(PlainLink, Protocol):
    """Makes calls to each shard of a cluster. A future fails with Unreachable when the connection broke before its answer came; what belonged to the
    session (watches) is gone then, and calls that are made afterwards wait for the next connection.
    """

    @property
    def shards(self) -> int:
        """How many the cluster has."""

    def call(self, target: Sequence[Any], method: str, *args: Any, shard: int = 0) -> Future[Any]: ...

    def close(self) -> None: ...


_ambient: Link | None = None


def ambient() -> Link | None:
    """The link of this process: set in a worker's child, None elsewhere."""
    return _ambient


def set_ambient(link: Link | None) -> None:
    global _ambient
    _ambient = link
