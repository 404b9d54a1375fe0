"""Queues that an operator has paused: none of their tasks and items is handed out, until they are resumed or the time is over.

The mark stands at the queue (``route.Queue``), which what hands out asks.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from ...common.runtime.limited_log import LimitedLog
from ..engine.agenda import Agenda, Clock
from ..engine.clock import Now
from ..engine.part import Part
from ..store.interface.store import Picture, Store
from .routes import Routes


class Pauses(Part):
    name = "queues whose pause is over"

    def __init__(self, store: Store, routes: Routes, agenda: Agenda, report: Callable[..., None]) -> None:
        self._store, self._routes, self._agenda = store, routes, agenda
        self._over = LimitedLog(report, "queue.resumed", level="info")

    def load(self, picture: Picture, now: Now) -> None:
        for name, queue in self._routes.queues.items():
            self._agenda.set(self, name, queue.until if queue.paused else None, Clock.STEADY)

    def pause(self, name: str, reason: str, until: int | None, key: str, now: Now) -> None:
        """``until``: steady; None: until it is resumed. One that is paused again keeps the moment since when it is."""
        queue = self._routes.queue(name)
        since = queue.since if queue.paused else now.steady
        self._store.put_queue(name, True, reason, since, until, key)
        queue.paused, queue.reason, queue.since = True, reason, since
        queue.until, queue.key = until, key
        self._agenda.set(self, name, until, Clock.STEADY)

    def resume(self, name: str) -> None:
        queue = self._routes.queue(name)
        self._store.put_queue(name, False, "", None)
        queue.paused, queue.reason, queue.since, queue.until, queue.key = False, "", None, None, ""
        self._agenda.set(self, name, None, Clock.STEADY)
        self._routes.resumed(name)

    def due(self, key: Hashable, now: Now) -> None:
        queue = self._routes.queues.get(str(key))
        if queue is not None and queue.paused and queue.until is not None and queue.until <= now.steady:
            self.resume(queue.name)
            self._over.write(now.mono / 1000, queue=queue.name)
