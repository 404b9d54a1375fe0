"""One event: tasks have ended. All code that ends a task raises it; all parts that depend on ends listen. Pure.

::

    a report · a lost worker · a cancel · an expiry · a purge ─► Endings.ended ─┬► routes     counts
                                                                                ├► watches   those who wait for results
                                                                                ├► feeds     item queues, by the origin
                                                                                └► meters, last failures

It is raised in the transaction that ends the tasks, once for each task. A listener may not raise: memory has no rollback.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...common.domain.id_runs import IdRun
from .clock import Now

Ended = tuple[IdRun, int, int, int, Sequence[bytes | None], int | None]
"""Which tasks, route, state before, state now, the result or failure of each, origin. Tasks of an array that end together are
one."""


Listener = Callable[[Sequence[Ended], Now], None]


class Endings:
    """Who listens, in order."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._revival_listeners: list[Callable[[int, int], None]] = []

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def listen_to_revivals(self, listener: Callable[[int, int], None]) -> None:
        self._revival_listeners.append(listener)

    def ended(self, tasks: Sequence[Ended], now: Now) -> None:
        if tasks:
            for listener in self._listeners:
                listener(tasks, now)

    def revived(self, origin: int, state: int) -> None:
        """A task of this origin goes on after its end in that state: listeners undo what they did when it ended."""
        for listener in self._revival_listeners:
            listener(origin, state)


def joined(tasks: Sequence[Ended]) -> list[Ended]:
    """The same, those of neighbours that ended alike as one, so that each listener is called once for all of them."""
    ends: list[Ended] = []
    start = 0
    for at, one in enumerate(tasks, 1):
        if at == len(tasks) or not _continues(one, tasks[at]):
            ends.append(_as_one(tasks[start:at]))
            start = at
    return ends


def _continues(one: Ended, behind: Ended) -> bool:
    return one[1:4] == behind[1:4] and one[5] == behind[5] and behind[0].first == one[0].behind


def _as_one(some: Sequence[Ended]) -> Ended:
    run, route, before, state, bodies, origin = some[0]
    if len(some) == 1:
        return some[0]
    bodies = [body for one in some for body in one[4]]
    return IdRun(run.first, len(bodies)), route, before, state, bodies, origin
