"""Jobs on their way back, unstarted: from children into the backlog, and from this worker to the master. Pure.

::

    a child: taken back, left, dead ─► Returns ─┬► the backlog: another child runs them
                                                └► release: this worker drains, or they are not wanted any more
"""

from __future__ import annotations

from collections.abc import Set

from .backlog import Backlog
from .children import Children
from .effects import ChildEffects, ChildState, MasterEffects
from .runs import JobQueue, JobRun, Key

CANCELLED, LOST = "cancelled", "lost"  # why a job is unwanted; lost: to another worker


class Returns:
    """``is_connected``, ``is_draining``: as the agent sets them."""

    def __init__(
        self, runners: ChildEffects, master: MasterEffects, children: Children, backlog: Backlog
    ) -> None:
        self._runners, self._master, self._children, self._backlog = runners, master, children, backlog
        self.is_connected = self.is_draining = False

    def take_back(self, child: ChildState, begun: int | None = None) -> None:
        """Take back the jobs that a child has not begun. ``begun``: the ordinal of the last one, if the child is dead."""
        if begun is None:
            # From here on it begins none of them: the page that both share says so.
            begun = self._runners.take_back(child.number)
        runs = child.remove_unstarted(begun)
        for ordinal, why in child.take_unwanted(begun).items():
            wanted = JobQueue(runs)
            job = wanted.job(ordinal)
            unwanted = wanted.take_of({job.key}) if job is not None else []
            # Of one that was lost another worker has the lease: there is none to give back.
            if why == CANCELLED:
                self.release(unwanted)
            runs = list(wanted)
        self._put_back(runs)

    def take_unwanted(self, keys: Set[Key], why: str) -> list[ChildState]:
        """Take back what was not begun in the children that have jobs of these attempts. Returns these children: what is left
        of the attempts in them was begun, as far as is known."""
        found = self._children.with_jobs_of(keys)
        for child in found:
            self.take_back(child)
            # It may come to one in this very moment, and leave it: what becomes of it then is noted here.
            child.mark_unwanted(keys, why)
        return found

    def left(self, child: ChildState, ordinal: int) -> None:
        """A job was taken back from its child in the moment in which the child came to it."""
        left, why = child.remove_left(ordinal)
        if not why:
            self._put_back(left)
        elif why == CANCELLED:
            self.release(left)  # what is released unstarted, the master cancels

    def release(self, runs: list[JobRun]) -> None:
        """Give leases back. Without a connection nothing is to do: the next announcement does not name them."""
        if runs and self.is_connected:
            self._master.release([run.held for run in runs])

    def _put_back(self, runs: list[JobRun]) -> None:
        if self.is_draining:
            self.release(runs)
        else:
            self._backlog.put_back(runs)
