"""The store's verbs for the queues and callables of tasks, and where tasks come from. Part of ``interface.Store``; the same rules."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class QueueRow(NamedTuple):
    name: str
    paused: int = 0
    reason: str = ""
    since: int | None = None  # steady, as the next one; while it is paused
    until: int | None = None  # None: until it is resumed
    key: str = ""  # the id of the key that paused it
    maxsize: int = 0  # how many tasks may wait in it; 0: any number
    lifo: int = 0  # 1: what was submitted last goes first
    aging: int = 0  # ms of waiting that count as one step of priority; 0: it does not count


class RouteStore(Protocol):
    def add_route(self, queue: str, task: str, lane: bytes = b"") -> int:
        """The number of a new lane of a callable in a queue, which no other had since the store was opened; ``lane`` is empty for the
        plain one."""

    def drop_lane(self, route: int) -> None:
        """Forget a lane that has no task."""

    def put_queue(
        self, name: str, paused: bool, reason: str, since: int | None, until: int | None = None, key: str = ""
    ) -> None: ...
    def bound_queue(self, name: str, maxsize: int) -> None:
        """How many tasks may wait in it; 0: any number."""

    def order_queue(self, name: str, lifo: bool, aging: int) -> None:
        """In which order its tasks start: see ``QueueRow``."""

    def add_origin(self, queue: str, results: str | None) -> int: ...
    def orphan_origins(self, queue: str) -> None:
        """Tasks that came from this item queue come from none: it is deleted."""
