"""A load that goes on while faults are injected: small tasks in small batches, from a thread of its own."""

from __future__ import annotations

import threading
from typing import Any

from ..cluster.cluster_tasks import count
from ..cluster.programs import eventually
from .trial import SECONDS, Trial
from .witness import Tasks, Witness

BATCH = 10
TASK_SECONDS = 0.005
AHEAD_MAX = 200  # tasks submitted and not yet started, so that a fault strikes amid them and the end is near


class Load:
    def __init__(self, trial: Trial, witness: Witness | None = None) -> None:
        self._witness = witness or trial.witness()
        self._starts = str(trial.home / "starts of the load")
        self._tasks: Tasks = []
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._submit)
        self._error: BaseException | None = None

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._enough.set()
        self._thread.join(SECONDS)

    def goes_on(self, starts: int) -> None:
        """Wait until so many more have been started."""
        goal = count(self._starts) + starts
        eventually(lambda: self._error is not None or count(self._starts) >= goal, SECONDS)
        if self._error is not None:
            raise self._error

    def hear(self) -> None:
        """Every task has given what it should."""
        given = self._witness.hear(self._tasks, SECONDS)
        assert [given[id] for id in self._tasks] == list(range(len(self._tasks)))

    def _submit(self) -> None:
        try:
            while not self._enough.is_set():
                while len(self._tasks) - count(self._starts) > AHEAD_MAX:
                    if self._enough.wait(0.01):
                        return
                numbers = range(len(self._tasks), len(self._tasks) + BATCH)
                calls = [(self._starts, number, TASK_SECONDS) for number in numbers]
                self._tasks += self._witness.submit("cluster_tasks:noted", calls, max_crashes=100)
        except BaseException as error:  # whatever it is, it belongs to the test's thread
            self._error = error
