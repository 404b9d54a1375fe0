"""Flows in a listing of all tasks: a flow is one line, at the place of its newest task. Reads only.

::

    newest ── t ── F ── t ── F F ── t ──┤        F: tasks of a flow, its line stands where the first of them is met
                   │         └──┴──── passed over: at once if all numbers between its first and its last task are its own

Of a flow that the key may not see, and of one that is kept no longer, tasks stand by themselves.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final, NamedTuple

from ...common.domain.id_text import show_short
from ...common.domain.ids import parse_id
from ..engine.engine import Engine
from ..engine.session import Session
from ..store.interface.lines import LinePart
from .abbreviations import Abbreviations
from .dispatch import Dispatch
from .selection import NEWEST, is_in_another_shard
from .shown import begun

LOOKS: Final = 6  # at the store, to know a flow
ENDS_LOOKS: Final = 4  # to know whether its ends are kept


class _Folded(NamedTuple):
    """A flow that is one line. Its tasks that are kept have numbers from ``lower`` on; ``upper`` is behind the last one."""

    row: dict[str, Any]
    lower: int
    upper: int
    is_dense: bool  # no task of others has a number between those of its first and its last one


class FlowBounds(NamedTuple):
    """Between which numbers the tasks of a flow are that are kept; without one, all tasks."""

    lower: int
    upper: int
    flow: int | None = None

    def has(self, part: LinePart) -> bool:
        return self.flow is None or part.flow == self.flow


def flow_bounds(engine: Engine, session: Session, flow: bytes | None) -> FlowBounds:
    """Of the flow that a filter names, if it does. Raises InvalidArgument for one that this key may not see."""
    if flow is None:
        return FlowBounds(0, NEWEST)
    if is_in_another_shard(engine, flow):
        return FlowBounds(0, 0)
    origin = engine.part(Dispatch).consulted.flows.origin_of(session, flow)
    engine.work.looked(LOOKS)
    return FlowBounds(*(engine.store.bounds_of_flow(origin) or (0, 0)), -origin)


class FlowLines:
    """What one answer knows of flows. ``looked``: rows that it has read for it."""

    def __init__(self, engine: Engine, session: Session, abbreviations: Abbreviations | None) -> None:
        self._engine, self._session, self._abbreviations = engine, session, abbreviations
        self._flows = engine.part(Dispatch).consulted.flows
        self._running = Counter(held.origin for held in begun(engine))
        self._known: dict[int, _Folded | None] = {}
        self.looked = 0

    def has(self, part: LinePart) -> bool:
        """Whether it is of a flow that is one line."""
        return part.flow is not None and self._folded(part.flow) is not None

    def row(self, part: LinePart) -> dict[str, Any] | None:
        """The line of its flow, if this is its place."""
        folded = None if part.flow is None else self._folded(part.flow)
        if folded is None or part.stop != folded.upper:
            return None
        id = parse_id(folded.row["id"])
        row = {"id": id, "created": self._engine.now.shown(part.created), "flow": folded.row}
        if self._abbreviations is not None:
            # From those of tasks, too, which stand in the same list.
            number = int.from_bytes(id, "big")
            digits = self._flows.digits(self._session, id), self._abbreviations.digits(number, number + 1)
            row["short"] = show_short(id, max(digits))
            self.looked += LOOKS
        return row

    def below(self, part: LinePart) -> int | None:
        """From where on, downwards, the walk goes on, if what lies between is of this flow alone."""
        folded = None if part.flow is None else self._folded(part.flow)
        return folded.lower if folded is not None and folded.is_dense and folded.lower < part.seq else None

    def _folded(self, flow: int) -> _Folded | None:
        if flow not in self._known:
            self.looked += LOOKS
            row = self._flows.shown(self._session, -flow, self._running[-flow], self._engine.now)
            bounds = None if row is None else self._engine.store.bounds_of_flow(-flow)
            if row is None or bounds is None:
                self._known[flow] = None
            else:
                self._known[flow] = _Folded(row, *bounds, self._is_dense(flow, row["total"], *bounds))
        return self._known[flow]

    def _is_dense(self, flow: int, total: int, lower: int, upper: int) -> bool:
        """As many numbers as it ever had tasks are its own only if they reach from the first of these to the last: of one whose ends were
        deleted others may lie between."""
        if upper - lower != total or (ends := self._flows.ends(-flow)) is None:
            return False
        self.looked += ENDS_LOOKS
        kept = [self._engine.store.brief(seq) for seq in (lower, upper - 1)]
        return [None if task is None else task.id for task in kept] == list(ends)
