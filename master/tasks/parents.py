"""Which task has submitted which others inside itself, and a cancel of a task with all of these.

::

    a submit inside a task ─► its lease is checked ─► rows: parent, children
    cancel(tree) ─► cancelled, in portions ─► their children ─► theirs …
                        └─ one that runs is ordered to end; what it submits until it has is cancelled at once

Invariants: 1. a task is the parent of what was submitted under its lease, and of nothing else; 2. a tree is cancelled as far as the key
that asks for it may: where a queue is not its own, it goes no further.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from ...common.contract.rows import to_wire
from ...common.contract.tasks import StateRow
from ...common.domain.id_runs import IdRun
from ...common.domain.model import StateNumber
from ...common.errors import InvalidArgument
from ...common.values.brief import brief
from ..engine.clock import Now
from ..engine.endings import Ended
from ..engine.long_calls import LongCalls
from ..engine.part import Part
from ..engine.session import Call, Session
from ..store.interface.dependencies import ParentRow
from ..store.interface.queries import Found
from ..store.interface.store import Picture, Store
from . import lookup
from .completion import Completion
from .leases import LeasedTasks
from .plan import Submission
from .routes import Routes, within

if TYPE_CHECKING:
    from ..engine.engine import Engine

PORTION_TASKS: Final = 10  # neighbours that are looked at together
PORTIONS_MAX: Final = 100  # of them in one transaction
LATE_MAX: Final = 1_000  # tasks that one transaction cancels because their parent is being cancelled
RUNNING: Final = int(StateNumber.RUNNING)


class Parents(Part):
    def __init__(self, store: Store, routes: Routes, running: LeasedTasks, completion: Completion) -> None:
        self._store, self._routes, self._running, self._completion = store, routes, running, completion
        self._ending_trees: dict[
            bytes, Callable[[int], bool]
        ] = {}  # they run, are cancelled with what they submit; the routes that this may be in
        self._late: list[tuple[IdRun, Callable[[int], bool]]] = []  # submitted by these

    def load(self, picture: Picture, now: Now) -> None:
        # Memory of the failed transaction: those that are still being cancelled stay.
        self._ending_trees = {
            id: may for id, may in self._ending_trees.items() if id in self._completion.cancelling
        }
        self._late.clear()

    # what is submitted inside a task

    def of(self, named: Any) -> bytes | None:
        """The task of ``[id, lease]``, if that is its lease; it may have lost it, which is not the fault of what it submits."""
        match named:
            case None:
                return None
            case [bytes(id), bytes(lease)]:
                held = self._running.get(id)
                # The lease is the proof: an id alone could be that of anyone's task.
                return id if held is not None and held.lease == lease else None
        raise InvalidArgument(f"the parent of tasks is [id, lease], not {brief(named, 80)}")

    def accepted(self, submission: Submission) -> None:
        """Tasks that were submitted inside one are stored."""
        parent, seq = submission.parent, submission.first_seq + 1
        if parent is None:
            return
        rows: list[ParentRow] = []
        for run in submission.id_runs():
            rows.append(ParentRow(seq, seq + run.length, run.first, parent))
            seq += run.length
        self._store.dependencies.add_parents(rows)
        may = self._ending_trees.get(parent)
        # Between the order to cancel and its end the parent goes on submitting.
        if may is not None:
            self._late += [(IdRun(row.id, row.stop - row.seq), may) for row in rows]

    # a cancel of a tree

    def cancel(
        self, tasks: list[Found], may: Callable[[int], bool], now: Now
    ) -> tuple[list[Found], list[IdRun]]:
        """Cancel these tasks; returns them with their states, and what they have submitted."""
        reached = self._completion.cancel(tasks, now)
        # Before the children are looked up: what it submits from here on is late.
        self._ending_trees.update((one.id, may) for one in reached if one.state == RUNNING)
        children = [run for one in reached for run in self._store.dependencies.children(IdRun(one.id, 1))]
        return reached, [part for run in children for part in portions(run)]

    def ended(self, tasks: Sequence[Ended], now: Now) -> None:
        if self._ending_trees:
            for run, *_ in tasks:
                for id in run.ids():
                    self._ending_trees.pop(id, None)

    def give_out(self, now: Now) -> None:
        # A parent that submits as fast as it can must not make this transaction long.
        left = LATE_MAX
        while self._late and left > 0:
            run, may = self._late.pop()
            some, rest = run.part(0, min(left, run.length)), run.length - left
            if rest > 0:
                self._late.append((run.part(left, run.length), may))
            left -= some.length
            self.cancel([one for one in self._store.find(some.ids()) if may(one.route)], may, now)

    def has_more(self) -> bool:
        return bool(self._late)


def parent_of(engine: Engine, session: Session, seq: int) -> bytes | None:
    """The task that submitted this one, if this key may know of it."""
    parent = engine.store.dependencies.parent_of(seq)
    return parent if parent is not None and lookup.tasks(engine, session, [parent]) else None


def cancel_tree(engine: Engine, call: Call, ids: Any) -> object:
    """Cancel tasks and what they have submitted, and so on; answers the states of those that are named, when all is done."""
    named = list(dict.fromkeys(part for run in lookup.check_runs(ids) for part in portions(run)))
    if not named:
        return []
    items, roots = list(named), frozenset(named)
    some = partial(_cancel_some, engine, call.session, items, roots)
    return engine.part(LongCalls).perform(call, items, some, engine.now, most=PORTIONS_MAX, grows=True)


def _cancel_some(
    engine: Engine,
    session: Session,
    items: list[IdRun],
    roots: frozenset[IdRun],
    portion: Sequence[IdRun],
    now: Now,
) -> list[list[Any]]:
    rows: list[list[Any]] = []
    may = within(engine.part(Routes), session)
    for run in portion:
        reached, children = engine.part(Parents).cancel(
            lookup.tasks(engine, session, [run.to_wire()]), may, now
        )
        # The long call goes through this list while it grows: a tree is walked without recursion.
        items += children
        # Only what was named is answered; a tree below it may be a million tasks.
        if run in roots:
            rows += (to_wire(StateRow(one.id, one.state)) for one in reached)
    return rows


def portions(run: IdRun) -> Iterator[IdRun]:
    for start in range(0, run.length, PORTION_TASKS):
        yield run.part(start, min(run.length, start + PORTION_TASKS))
