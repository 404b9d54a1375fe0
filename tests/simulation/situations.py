"""Faults that wait for their moment: orders of events that matter, and that chance seldom makes by itself.

Every eighth seed has them: most of its tasks are arrays that end piece by piece, and its faults strike while one is in the midst of it.
They say nothing of what has to follow; that is judged by the rules for all seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from .world import MS, SECOND

if TYPE_CHECKING:
    from .run import Cluster
    from .worker import Worker

EVERY: Final = 8  # seeds
PLACE: Final = 2  # of them: the first seeds that are run are among these
UNEVEN: Final = 0.6  # of what is submitted
LOOK: Final = 5 * MS
AWAITED: Final = 3 * SECOND  # then the moment has not come
SLOTS: Final = 3  # so that an array is in several children at once


def is_directed(seed: int) -> bool:
    return seed % EVERY == PLACE


def keeps_few_results(seed: int) -> bool:
    """An eighth of these: results go because they are too many, too."""
    return is_directed(seed) and seed // EVERY % EVERY == EVERY - 1


class Situations:
    """``kinds``: to be mixed with the faults of every seed."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._world = cluster, cluster.world
        self.kinds: list[Callable[[], None]] = [
            self.give_back_amid_an_array,
            self.report_what_others_have,
            self.join_on_a_failing_disk,
        ]

    def _once(self, condition: Callable[[], Worker | None], action: Callable[[Worker], None]) -> None:
        """Look for a worker that is in such a state, until there is one."""
        until = self._world.now + AWAITED

        def look() -> None:
            worker = condition()
            if worker is not None:
                self._world.log("chaos", "the moment has come")
                action(worker)
            elif self._world.now < min(until, self._cluster.chaos_ends):
                self._world.schedule(LOOK, self._cluster.nature, look)

        look()

    def give_back_amid_an_array(self) -> None:
        """A worker drains while it runs tasks of an array of which others wait in it, before and behind what runs."""
        self._once(self._amid_an_array, self._drain)

    def report_what_others_have(self) -> None:
        """A worker drains so, and reports what it has given back as well: as soon as it is leased to others, and cut otherwise."""

        def act(worker: Worker) -> None:
            worker.report_what_others_have()
            self._drain(worker)

        self._once(self._amid_an_array, act)

    def _amid_an_array(self) -> Worker | None:
        return next((worker for worker in self._living() if worker.runs_pieces_of_an_array), None)

    def _drain(self, worker: Worker) -> None:
        worker.drain()
        self._cluster.oracle.disturbed(worker.node, 10 * SECOND)
        self._join(1)

    def stand_still_amid_steps(self) -> None:
        """A worker and its children stand still while one of them is amid long steps, until another worker is amid them as well."""

        def act(worker: Worker) -> None:
            length = self._world.between(6 * SECOND, 8 * SECOND)
            self._cluster.oracle.disturbed(worker.node, length)
            for process in (worker.process, *worker.children.values()):
                process.pause()
                self._world.schedule(length, self._cluster.nature, process.resume)

        if len(list(self._living())) < 2:
            self._join(1)
        self._once(lambda: next((worker for worker in self._living() if worker.is_amid_steps), None), act)

    def join_on_a_failing_disk(self) -> None:
        """New workers announce themselves while commits fail; as many of the earlier ones drain."""
        self._cluster.failing_disk()
        many = self._world.between(1, 3)
        for worker in list(self._living())[:many]:
            worker.drain()
            self._cluster.oracle.disturbed(worker.node, 10 * SECOND)
        self._join(many)

    def _join(self, many: int) -> None:
        """So many workers more, and none that is draining or dead is replaced later."""
        cluster = self._cluster
        cluster.workers = [*self._living(), *(cluster.new_worker(SLOTS) for _ in range(many))]

    def _living(self) -> Iterable[Worker]:
        return [
            worker
            for worker in self._cluster.workers
            if worker.process.alive and not worker.agent.draining and not worker.process.paused
        ]
