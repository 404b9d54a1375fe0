"""How much of the permits of a limit, or of a tenant's cap, a worker may have that is served before others: see places.py. Pure."""

from __future__ import annotations

from .placements import Placements
from .places import LOOKS_MAX
from .route import Route


class Asking:
    """The worker that permits are given to, of those with a free place."""

    def __init__(self, worker: int, placements: Placements) -> None:
        self._worker, self._placements, self._places = worker, placements, placements.places
        self.left = self._places.free(
            worker
        )  # of its free places, so many are not given anything by this answer

    def most(self, lane: Route, room: int) -> int:
        """How many tasks of a lane it may have of so many that may start now under its limits and the cap of its tenant."""
        if room <= self.left:
            return room
        own = max(0, self.left)
        return max(own, room - self._others(lane, room - own))

    def _others(self, lane: Route, enough: int) -> int:
        """How many the other workers that wait could start, or more than it matters."""
        found, seen = 0, {self._worker}
        looks = 0
        for capability in lane.base.capabilities:
            for parked in capability.parked.values():
                looks += 1
                if found >= enough or looks > LOOKS_MAX:
                    return enough
                if parked.worker in seen:
                    continue
                seen.add(parked.worker)
                if not lane.key.needs or self._placements.room(parked.worker, lane.number):
                    found += self._places.free(parked.worker)
        return found
