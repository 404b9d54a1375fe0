"""Tasks with ``on_failure`` in the simulator, and the law: each end without success has one handler, and nothing else has one.

::

    E1  after each commit the handlers of a task, those that are made and those that are noted to be made, are as many as its ends without success
    E2  a handler is given the task and the state that it ended in

An end is seen in the events of the store, a handler in its row: neither is there without the other, whatever was killed in between. So few are
made in one transaction here that most are noted first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from random import Random
from typing import TYPE_CHECKING, Any, Final

from tq.common.domain.columns import FailureHandler, LaneColumns
from tq.common.domain.ids import id_behind, show_id
from tq.common.domain.model import State, StateNumber, TaskOptions
from tq.common.wire.frames import unpack
from tq.master.engine.engine import Engine
from tq.master.tasks.failure_handlers import FailureHandlers

from .instants import Wrong
from .tables import Ask

if TYPE_CHECKING:
    from .load import Spec

HANDLED = 14  # the rest that these seeds leave, see ``steered.EVERY``
AT_ONCE: Final = 2  # handlers that are made in one transaction
HANDLER: Final = FailureHandler(
    "bulk", "jobs:short", TaskOptions.from_wire({"max_crashes": 4}), LaneColumns()
)
UNSUCCESSFUL: Final = {
    int(state): str(State.from_number(state))
    for state in (StateNumber.FAILED, StateNumber.DEAD, StateNumber.LOST, StateNumber.EXPIRED)
}


def have_handlers(random: Random, specs: Iterable[Spec]) -> None:
    """Most tasks have one."""
    if random.random() < 0.7:
        said = LaneColumns(on_failure=HANDLER).to_wire()
        for spec in specs:
            spec.columns, spec.has_handler = said, True


class HandlerLaws:
    def __init__(self, specs: Mapping[bytes, Spec]) -> None:
        self._specs = specs
        self._ends: Counter[bytes] = Counter()
        self._made: Counter[bytes] = Counter()
        self._last: dict[bytes, str] = {}  # the state of the last end of each

    @staticmethod
    def reborn(engine: Engine) -> None:
        """A master begins."""
        engine.part(FailureHandlers).made_at_once = AT_ONCE

    @property
    def ends(self) -> int:
        return sum(self._ends.values())

    def look(self, ask: Ask, events: Iterable[Mapping[str, Any]], unknown: Collection[bytes]) -> set[bytes]:
        """``unknown``: tasks of this transaction that no client submitted. Those of them that are handlers."""
        for event in events:
            state = int(StateNumber.EXPIRED) if event["what"] == "expired" else event.get("state", -1)
            spec = self._specs.get(event["id"])
            if spec is not None and spec.has_handler and state in UNSUCCESSFUL and _is_end(event):
                self._ends[spec.id] += 1
                self._last[spec.id] = UNSUCCESSFUL[state]
        handlers = self._handlers(ask, unknown) if unknown else set()
        noted: Counter[bytes] = Counter()
        for first, tasks in ask("SELECT id, tasks FROM unhandled"):
            noted.update(id_behind(first, place) for place in range(tasks))
        if self._ends != self._made + noted:
            differs = self._ends.keys() | self._made.keys() | noted.keys()
            id = next(one for one in sorted(differs) if self._ends[one] != self._made[one] + noted[one])
            raise Wrong(
                "E1",
                f"it ended {self._ends[id]} times without success, {self._made[id]} handlers are made and {noted[id]} noted",
                id,
            )
        return handlers

    def _handlers(self, ask: Ask, unknown: Collection[bytes]) -> set[bytes]:
        by_name = {show_id(spec.id): spec.id for spec in self._specs.values() if spec.has_handler}
        found: set[bytes] = set()
        for id, payload in _payloads(ask):
            if id not in unknown or not isinstance(record := unpack(payload)[0], list) or not record:
                continue
            of = by_name.get(record[0]["id"]) if isinstance(record[0], dict) and "id" in record[0] else None
            if of is None:
                continue
            found.add(id)
            self._made[of] += 1
            if record[0]["state"] != self._last.get(of):
                raise Wrong(
                    "E2", f"its handler is given {record[0]['state']}, it is {self._last.get(of)}", of
                )
        return found


def _is_end(event: Mapping[str, Any]) -> bool:
    return event["what"] in ("ended", "returned", "expired")


def _payloads(ask: Ask) -> Iterable[tuple[bytes, bytes]]:
    yield from ask("SELECT id, payload FROM tasks JOIN routes USING (route) WHERE queue = 'bulk'")
    for first, payloads in ask("SELECT id, payloads FROM arrays"):
        for place, payload in enumerate(unpack(payloads)):
            yield id_behind(first, place), payload
