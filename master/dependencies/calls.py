"""The object for tasks that need other tasks. ``master/tasks/calls.py`` has the rules of exposed objects, ``dependencies.py`` the
behaviour.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import islice
from typing import Any, Final

from ...common.contract.dependencies import MISSING_TASKS_MAX, NeededRow
from ...common.contract.exposed import exposed
from ...common.contract.rows import to_wire
from ...common.domain.id_runs import IdRun
from ...common.domain.ids import id_behind
from ...common.domain.model import TASK_ID_BYTES, Role
from ...common.domain.on_error import NEEDED_MAX
from ...common.errors import Forbidden, InvalidArgument
from ..api.validation import EngineObject
from ..engine.session import Call
from ..tasks import lookup
from ..tasks.leases import Leases
from ..tasks.routes import Routes, within
from .becomings import Becomings
from .dependencies import Dependencies
from .submits import first_missing

SHOWN_MAX: Final = 20  # runs of each kind


class DependenciesObject(EngineObject):
    """``get_dependencies()``"""

    @exposed(Role.CLIENT)
    def results(self, call: Call, id: bytes, attempt: int, lease: bytes, first: bytes) -> list[Any]:
        """The outcomes of what a task needs, from one of these on and in their order, as many as fit: ``[first id, state, [body,
        …]]``. Only who has its lease may ask."""
        held = self.engine.part(Leases).running.get(id) if isinstance(id, bytes) else None
        if held is None or held.attempt != attempt or held.lease != lease:
            raise Forbidden("these results are given to who holds the lease of the task that needs them")
        if not isinstance(first, bytes) or len(first) != TASK_ID_BYTES:
            raise InvalidArgument("a needed task is named by its id")
        rows = self.engine.part(Dependencies).page(id, first)
        if rows is None:
            raise InvalidArgument("the task does not need the one that is named")
        self.engine.work.gave(len(rows), sum(len(body or b"") for _, _, bodies in rows for body in bodies))
        return rows

    @exposed(Role.VIEWER)
    def of(self, call: Call, id: bytes) -> dict[str, Any]:
        """What a task needs or became, and which tasks that have not ended need it or became it. ``elsewhere``, if any: what it needs of
        other shards, and the shards with tasks that need it."""
        engine, part = self.engine, self.engine.part(Dependencies)
        found = lookup.task(engine, call.session, id)
        stored = engine.store.dependencies.of(found.seq)
        needs: Iterable[IdRun] = ()
        if stored is not None and stored.each:
            needs = [IdRun(id_behind(stored.needs[0].first, found.seq - stored.seq), 1)]
        elif stored is not None:
            needs = stored.needs
        here = [run for run in needs if not part.tasks.is_elsewhere(run.first)]
        there = [run.to_wire() for run in needs if part.tasks.is_elsewhere(run.first)][:SHOWN_MAX]
        needed_in = sorted(part.known.elsewhere.needed_in(IdRun(id, 1)))
        other, becomings = engine.store.dependencies.became(found.seq), engine.part(Becomings)
        return {
            "needs": self._rows(call, here),
            "needed_by": self.needed_by(call, id),
            "became": self._rows(call, [] if other is None else [IdRun(other, 1)]),
            "became_it": self._rows(call, [IdRun(one, 1) for one in islice(becomings.became(id), SHOWN_MAX)]),
            **({"elsewhere": {"needs": there, "needed_in": needed_in}} if there or needed_in else {}),
        }

    @exposed(Role.VIEWER)
    def rows(self, call: Call, ids: Any) -> list[Any]:
        """What ``of`` says of these tasks, for a task of another shard that needs them."""
        return self._rows(call, lookup.check_runs(ids, NEEDED_MAX))

    @exposed(Role.VIEWER)
    def needed_by(self, call: Call, id: bytes) -> list[Any]:
        """Which tasks of this shard that have not ended need this one, of any shard."""
        [run] = lookup.check_runs([id], 1)
        over = self.engine.part(Dependencies).known.needed.over(run)
        return self._rows(
            call, [IdRun(id_behind(one.id, place if one.each else 0), 1) for _, place, one in over]
        )

    @exposed(Role.CLIENT)
    def missing(self, call: Call, ids: Any) -> list[bytes]:
        """Of each of these tasks or runs the first one that is not there, or in a queue that the key may not use. A client asks before it
        submits what needs tasks of this shard to another one."""
        runs = lookup.check_runs(ids, MISSING_TASKS_MAX)
        self.engine.work.looked(sum(run.length for run in runs))
        self.engine.store.settle()  # what this transaction has accepted is there
        is_within = within(self.engine.part(Routes), call.session)
        found = (first_missing(self.engine.store, run, is_within) for run in runs)
        return [id for id in found if id is not None]

    def _rows(self, call: Call, runs: list[IdRun]) -> list[Any]:
        routes = self.engine.part(Routes)
        is_within = within(routes, call.session)
        rows: list[Any] = []
        for run in runs[:SHOWN_MAX]:
            by_route: dict[int, Counter[int]] = {}
            spans = self.engine.store.dependencies.states(run)
            for span in spans:
                if is_within(span.route):
                    by_route.setdefault(span.route, Counter())[span.state] += span.length
            self.engine.work.looked(len(spans) + 1)
            for number, states in by_route.items():
                route = routes.by_number[number]
                counts = [list(one) for one in sorted(states.items())]
                rows.append(
                    to_wire(NeededRow(run.first, sum(states.values()), route.queue.name, route.task, counts))
                )
        return rows
