"""A load that goes on while faults are injected, from threads of its own: small tasks in small batches, and maps beside them."""

from __future__ import annotations

import itertools
from typing import Any, Final

import tq

from ..cluster.cluster_tasks import count
from ..cluster.programs import eventually
from .acting import Acting
from .trial import SECONDS, Trial
from .witness import Tasks, Witness

BATCH = 10
TASK_SECONDS = 0.005
AHEAD_MAX = 200  # tasks submitted and not yet started, so that a fault strikes amid them and the end is near
MAPS: Final[list[tuple[int, dict[str, Any]]]] = [
    (300, {}),
    (1_000, {}),
    (200, {"delivery": "at_most_once"}),
    (500, {}),
]
MAPS_MAX = 12  # of one load: each element is some eight lines of the history
MAP_PAUSE_SECONDS = 1.0


class Load:
    """The maps are those of the shipped client, which records itself what it submits and receives."""

    def __init__(self, trial: Trial, witness: Witness | None = None) -> None:
        self._witness, self._app = witness or trial.witness(), trial.recording_app()
        self._starts = str(trial.home / "starts of the load")
        self._map_starts = str(trial.home / "starts of the maps")
        self._tasks: Tasks = []
        self.maps = 0  # that have ended, and were judged
        self._acting = Acting((self._submit, self._map))
        self._enough = self._acting.enough

    def __enter__(self) -> Load:
        self._acting.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._acting.end()

    def goes_on(self, starts: int) -> None:
        """Wait until so many more of the small tasks have been started."""
        goal = count(self._starts) + starts
        eventually(lambda: self._acting.error is not None or count(self._starts) >= goal, SECONDS)
        self._acting.check()

    def hear(self) -> None:
        """Every task, and every map, has given what it should."""
        self._acting.check()
        given = self._witness.hear(self._tasks, SECONDS)
        assert [given[id] for id in self._tasks] == list(range(len(self._tasks)))
        assert self.maps

    def _submit(self) -> None:
        while not self._enough.is_set():
            while len(self._tasks) - count(self._starts) > AHEAD_MAX:
                if self._enough.wait(0.01):
                    return
            numbers = range(len(self._tasks), len(self._tasks) + BATCH)
            calls = [(self._starts, number, TASK_SECONDS) for number in numbers]
            self._tasks += self._witness.submit("cluster_tasks:noted", calls, max_crashes=100)

    def _map(self) -> None:
        """One after another. The elements of an at_most_once map that a fault has struck are lost, and say so."""
        for size, options in itertools.islice(itertools.cycle(MAPS), MAPS_MAX):
            noted = self._app.named("cluster_tasks:noted", max_crashes=100, **options)
            handles = noted.starmap((self._map_starts, number) for number in range(size))
            handles.wait(timeout=2 * SECONDS)
            for number, handle in enumerate(handles):
                error = handle.exception(timeout=0)
                is_lost = isinstance(error, tq.TaskLost) and "delivery" in options
                assert is_lost or handle.result(timeout=0) == number
            self.maps += 1
            if self._enough.wait(MAP_PAUSE_SECONDS):
                return
