"""Jobs of a child that runs many at a time: they end in any order. Pure."""

from __future__ import annotations

from .runs import JobQueue, JobRun


class ScatteredJobs(JobQueue):
    """A queue whose ordinals grow, from the midst of which jobs are taken, too."""

    def take_exactly(self, ordinal: int, count: int) -> list[JobRun]:
        """So many jobs whose ordinals count up from this one, wherever they are. Empty: some of them are not in it."""
        following, end = ordinal, ordinal + count
        places: list[int] = []
        for place, run in enumerate(self._runs):
            if run.end <= following:
                continue
            # A gap: the child reports a job that it was not given, or has reported already.
            if run.ordinal > following or following >= end:
                break
            places.append(place)
            following = run.end
        if not places or following < end:
            return []
        found = [self._runs[place] for place in places]
        rest = [found[0].part(0, ordinal - found[0].ordinal)] if ordinal > found[0].ordinal else []
        if (beyond := found[-1].end - end) > 0:
            rest.append(found[-1].part(len(found[-1]) - beyond, len(found[-1])))
        taken = [
            run.part(max(0, ordinal - run.ordinal), min(len(run), end - run.ordinal))
            if run.ordinal < ordinal or run.end > end
            else run
            for run in found
        ]
        for _ in places:
            del self._runs[places[0]]
        # What was cut off goes back in its place: ordinals must grow along the queue.
        for one in reversed(rest):
            self._runs.insert(places[0], one)
        self._length -= count
        return taken
