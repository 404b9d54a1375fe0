"""Which tasks a flow has, what each needs, and when it ran: for a drawing of it. Reads only, in portions."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from ...common.contract.flows import GraphRow
from ...common.contract.rows import to_wire
from ...common.domain.id_runs import IdRun
from ...common.domain.ids import id_behind
from ...common.domain.model import StateNumber
from ..engine.session import Session
from ..store.interface.flows import FlowMembers, FlowRow
from ..tasks.routes import Routes, within
from ..tasks.shown import begun

if TYPE_CHECKING:
    from ..engine.engine import Engine

ROWS_MAX: Final = 500  # of one answer, each some four reads of the store
SPANS_MAX: Final = 10_000  # slices and tasks that are read for one answer, after which it ends
NEEDS_MAX: Final = 5_000  # runs of needed tasks in one answer: what is beyond is only counted
READY, RUNNING = int(StateNumber.READY), int(StateNumber.RUNNING)


class GraphAnswer:
    """Reads one answer."""

    def __init__(self, engine: Engine, session: Session, row: FlowRow) -> None:
        self._engine, self._store, self._row = engine, engine.store, row
        self._is_within = within(engine.part(Routes), session)
        self._sees_all = not session.verifier.queues
        self._needs_left, self._spans = NEEDS_MAX, 0
        # By number of a task: when those began that run.
        self._begun = {held.seq: held.begun or 0 for held in begun(engine) if held.origin == -row.number}

    def answer(self, place: int) -> dict[str, Any]:
        """``place`` in it: where the next answer goes on, None at the end."""
        self._store.settle()
        members = self._store.flows.members(self._row.number, place, ROWS_MAX)
        rows: list[list[Any]] = []
        end = None
        for count, one in enumerate(members, start=1):
            rows += self._rows(one)
            if count == ROWS_MAX or self._spans >= SPANS_MAX:
                end = one.place + one.tasks
                break
        self._engine.work.looked(4 * len(members) + self._spans)
        return {"rows": rows, "place": end}

    def _rows(self, one: FlowMembers) -> list[list[Any]]:
        """One, from the first of its tasks on that is not deleted; none if all are."""
        run = IdRun(one.id, one.tasks)
        spans = self._store.dependencies.states(run)
        self._spans += len(spans)
        if not spans:
            return []
        states = Counter[int]()
        for span in spans:
            states[span.state] += span.length
        run = run.part(run.place_of(spans[0].first), run.length)
        [found] = self._store.find([run.first])
        route, seq = found.route, found.seq
        times = self._store.dependencies.times(run)
        starts = [began for number, began in self._begun.items() if seq <= number < seq + run.length]
        if leased := states.pop(RUNNING, 0):
            states.update({RUNNING: len(starts), READY: leased - len(starts)})
        started = min([*starts, *([] if times.started is None else [times.started])], default=None)
        each, needs, left_out = self._needs(seq, run.length)
        named, shown = self._engine.part(Routes).by_number[route], self._engine.now.shown
        return [
            to_wire(
                GraphRow(
                    run.first,
                    run.length,
                    named.queue.name,
                    named.task,
                    [list(one) for one in sorted((+states).items())],
                    None if started is None else shown(started),
                    None if times.finished is None else shown(times.finished),
                    each,
                    needs,
                    left_out,
                )
            )
        ]

    def _needs(self, seq: int, tasks: int) -> tuple[bool, list[Any], int]:
        """Whether each of these tasks needs one of its own, the runs, and how many of them are left out."""
        stored = self._store.dependencies.of(seq)
        if stored is None:
            return False, [], 0
        runs = list(stored.needs)
        if stored.each:
            runs = [IdRun(id_behind(runs[0].first, seq - stored.seq), tasks)]
        if not self._sees_all:
            runs = [run for run in runs if self._may_see(run)]
        given = runs[: self._needs_left]
        self._needs_left -= len(given)
        return bool(stored.each), [run.to_wire() for run in given], len(runs) - len(given)

    def _may_see(self, run: IdRun) -> bool:
        """A key that is bound to queues learns nothing of tasks in others."""
        routes = {span.route for span in self._store.dependencies.states(run)}
        self._engine.work.looked(1 + len(routes))
        return all(map(self._is_within, routes))
