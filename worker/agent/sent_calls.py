"""Which jobs of a child run as one call (``coalesce=``), and how many calls all that it has are. Pure.

A call is what was sent as one block: none of its jobs is ended by itself, all end together. Behind it may wait another call, or jobs that run one
after the other; so what is asked is asked of one job, by its ordinal.
"""

from __future__ import annotations

from collections import deque

from .runs import JobQueue


class SentCalls:
    """Of one child, in the order in which they were sent."""

    def __init__(self) -> None:
        self._calls: deque[range] = deque()  # ordinals; some of them may have been taken back

    def sent(self, ordinals: range, jobs: JobQueue) -> None:
        """These run as one call. ``jobs``: all that the child has."""
        # Those before the first job are over.
        while self._calls and self._calls[0].stop <= jobs.first.ordinal:
            self._calls.popleft()
        self._calls.append(ordinals)

    def with_job(self, ordinal: int) -> range | None:
        """The call that this job is a part of; None: it runs by itself."""
        return next((call for call in self._calls if ordinal in call), None)

    def count(self, jobs: JobQueue) -> int:
        """How many jobs these are, where those of a call count as one."""
        if not self._calls:
            return len(jobs)
        number, last = 0, None
        for run in jobs:
            call = self.with_job(run.ordinal)
            number += len(run) if call is None else call is not last
            last = call
        return number
