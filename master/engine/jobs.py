"""The engine's work that is not a call: events of connections, outcomes of threads. First come, first done.

A note changes memory only, and is done even while the store fails. A job is done in a transaction. One that is added with
``again`` is repeated as long as its transactions fail: no caller waits for it that could repeat it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ...common.errors import StoreError

Job = Callable[[], None]


class Jobs:
    def __init__(self) -> None:
        self._notes: deque[Job] = deque()
        self._jobs: deque[tuple[Job, bool]] = deque()
        self._done: list[
            Job
        ] = []  # in the transaction under way, of those that are to be done again if it fails

    @property
    def has_notes(self) -> bool:
        return bool(self._notes)

    @property
    def has_jobs(self) -> bool:
        return bool(self._jobs)

    def note(self, note: Job) -> None:
        self._notes.append(note)

    def add(self, job: Job, *, again: bool) -> None:
        self._jobs.append((job, again))

    def take_notes(self, on_bug: Callable[[Exception], object]) -> None:
        while self._notes:
            note = self._notes.popleft()
            try:
                note()
            except Exception as error:  # it costs what it was about, and nothing else
                on_bug(error)

    def do(self) -> None:
        """All of them. A job that raises anything but StoreError is not done again: it would raise it again."""
        while self._jobs:
            job, again = self._jobs.popleft()
            try:
                job()
            # Kept before it is raised: ``void`` puts back what is noted as done, and this one has to be done, too.
            except StoreError:
                if again:
                    self._done.append(job)
                raise
            if again:
                self._done.append(job)

    def committed(self) -> None:
        self._done.clear()

    def void(self) -> None:
        # Before those that came since, in the order of the first time.
        self._jobs.extendleft((job, True) for job in reversed(self._done))
        self._done.clear()
