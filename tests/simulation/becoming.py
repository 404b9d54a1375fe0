"""Tasks that returned the handle of another one: what must be so of their ends.

::

    B1  a task that became another ends in the state of that one, with the same result, and after it
    B2  what a task became is not purged before that has ended
    B3  only a task whose attempt returned a handle ends so
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from tq.common.domain.model import OutcomeNumber, StateNumber
from tq.master.dependencies.becomings import Becomings
from tq.master.tasks.expiry import PURGE, Retention

from .instants import Wrong
from .load import Spec

if TYPE_CHECKING:
    from tq.master.engine.engine import Engine

SUCCEEDED = int(StateNumber.SUCCEEDED)
ENDS = {"cancelled": int(StateNumber.CANCELLED), "expired": int(StateNumber.EXPIRED)}
ENDS["fell"] = int(StateNumber.FAILED)


class End(NamedTuple):
    state: int
    digest: str = ""  # of its result


class BecomingLaws:
    def __init__(self, specs: Mapping[bytes, Spec]) -> None:
        self._specs = specs
        self._ends: dict[bytes, End] = {}
        self._returned: dict[tuple[bytes, int], bytes] = {}  # by attempt
        self._waits: dict[bytes, bytes] = {}  # what a task became that waits for it
        self.count = 0  # that have ended so

    def returned(self, id: bytes, attempt: int, other: bytes) -> None:
        """An attempt returned the handle of another task."""
        self._returned[id, attempt] = other

    def take(self, event: Mapping[str, Any]) -> None:
        """Events of the master, in their order."""
        what, id = event["what"], event.get("id")
        if id is None:
            return
        if what == "followed":
            self._followed(id, End(event["state"], event["digest"]))
        elif what == "accepted":
            self._ends[id] = End(SUCCEEDED, event["digest"])
        elif what in ENDS:
            self._end(id, ENDS[what])
        elif what in ("ended", "returned"):
            if what == "ended" and event["outcome"] == OutcomeNumber.BECAME:
                self._waits[id] = self._returned[id, event["attempt"]]
            elif event["state"] >= SUCCEEDED:
                self._end(id, event["state"])
        elif what in ("submitted", "revived"):
            self._ends.pop(id, None)
        elif what == "purged":
            if id in self._waits.values():
                raise Wrong("B2", "it was purged, and what became it has not ended", id)
            self._ends.pop(id, None)

    def _end(self, id: bytes, state: int) -> None:
        self._ends[id] = End(state)
        self._waits.pop(id, None)

    def _followed(self, id: bytes, end: End) -> None:
        other = self._waits.pop(id, None)
        if other is None:
            raise Wrong("B3", "it ended as another one, and has become none", id)
        if self._ends.get(other) != end:
            raise Wrong("B1", f"it ended as {end}, what it became as {self._ends.get(other)}", id)
        self._ends[id] = end
        self.count += 1

    def awaited(self, ids: Iterable[bytes]) -> set[bytes]:
        """These, what they need, what they became, and so on."""
        others: dict[bytes, list[bytes]] = {}
        for (id, _), other in self._returned.items():
            others.setdefault(id, []).append(other)
        found, left = set[bytes](), list(ids)
        while left:
            id = left.pop()
            if id not in found:
                found.add(id)
                spec = self._specs.get(id)
                left += [*(spec.needs if spec else ()), *others.get(id, ())]
        return found


def purge_between(engine: Engine) -> None:
    """One task ends as another one in each transaction of these masters, and too many results are there at once: while some have not ended yet,
    results are deleted."""
    if engine.part(Becomings).has_more():
        engine.core.agenda.set(engine.part(Retention), PURGE, engine.now.mono)
