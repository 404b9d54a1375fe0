"""The state of leased tasks as it is shown to people and programs. Reads only.

In the store RUNNING means leased. A worker reads ahead, so many leased tasks only wait at their worker: a task is shown as READY until
its worker has reported its start, and its attempts are those that began, not its leases.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from ...common.domain.model import StateNumber
from ..store.interface.lines import Span
from ..store.interface.queries import FullTask
from ..workers.membership import Membership
from .leases import LeasedAttempt, Leases

if TYPE_CHECKING:
    from ..engine.engine import Engine

READY: Final = int(StateNumber.READY)
RUNNING: Final = int(StateNumber.RUNNING)


def began_at(engine: Engine, id: bytes) -> int | None:
    """When a leased task began, steady ms; None: its start was not reported, or it is not leased."""
    held = engine.part(Leases).running.get(id)
    return None if held is None else held.begun


def shown_state(engine: Engine, id: bytes, state: int) -> int:
    return READY if state == RUNNING and began_at(engine, id) is None else state


def waits_at_worker(engine: Engine, task: FullTask) -> bool:
    """Whether it is leased and has not begun."""
    return task.state == RUNNING and began_at(engine, task.id) is None


def attempts_of(engine: Engine, task: FullTask) -> int:
    """How many of its attempts began; one whose worker was lost counts, because it may have begun."""
    return task.attempt - task.returned - waits_at_worker(engine, task)


def begun(engine: Engine) -> Iterator[LeasedAttempt]:
    """The leased tasks that run, as of their workers' last beat: never more than there are slots."""
    for worker in engine.part(Membership).by_node.values():
        for id in worker.started:
            held = engine.part(Leases).running.get(id)
            # A worker's last beat may name what it has lost since.
            if held is not None and held.begun is not None and held.worker == worker.number:
                yield held


class Begun:
    """The numbers of the leased tasks that run, for what looks at many tasks at once."""

    def __init__(self, engine: Engine) -> None:
        self._seqs = sorted(held.seq for held in begun(engine))

    def between(self, seq: int, stop: int) -> list[int]:
        return self._seqs[bisect_left(self._seqs, seq) : bisect_left(self._seqs, stop)]

    def pieces(self, span: Span) -> Iterator[tuple[Span, int]]:
        """A span as it is shown, newest first: what is leased in the pieces that run, and those that wait at their worker."""
        if span.state != RUNNING:
            yield span, span.state
            return
        stop = span.stop
        for seq in reversed(self.between(span.seq, span.stop)):
            if seq + 1 < stop:
                yield span.between(seq + 1, stop), READY
            yield span.between(seq, seq + 1), RUNNING
            stop = seq
        if span.seq < stop:
            yield span.between(span.seq, stop), READY

    def show(self, states: Counter[int], seq: int, stop: int) -> None:
        """Count as READY those of these tasks that wait at their worker."""
        if leased := states.pop(RUNNING, 0):
            # The two counts are of different moments of this transaction's reads: never below zero.
            running = min(leased, len(self.between(seq, stop)))
            states.update({RUNNING: running, READY: leased - running})


def running_by_route(engine: Engine) -> Counter[int]:
    """How many tasks run, by route: never more than there are slots. Short tasks end before a beat reports them; for these, a worker
    with free slots is assumed to run the tasks that it was given first."""
    routes, room = Counter[int](), dict[int, int]()
    for worker in engine.part(Membership).by_node.values():
        if worker.session is not None and worker.info is not None:
            room[worker.number] = worker.info.slots
    for held in begun(engine):
        routes[held.route] += 1
        room[held.worker] = room.get(held.worker, 0) - 1
    left = sum(slots for slots in room.values() if slots > 0)
    for held in engine.part(Leases).running.values():
        if not left:
            break
        if held.begun is None and room.get(held.worker, 0) > 0:
            routes[held.route] += 1
            room[held.worker] -= 1
            left -= 1
    return routes


def shown_counts(kept: Sequence[int], running: int) -> list[int]:
    """Tasks by state, as shown. ``running``: how many of the leased ones run."""
    counts = list(kept)
    counts[READY] += counts[RUNNING] - running
    counts[RUNNING] = running
    return counts
