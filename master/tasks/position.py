"""How many tasks start before one that is ready, and when it does. Reads only.

Before it are those that workers were given beyond their slots, and of each lane that the same workers serve what has a better place: a higher
priority (with what waiting adds to it), an earlier deadline, the better turn by age. It is counted, with a bounded look; where that is not
enough, or where others decide besides (turns of tenants, limits, what workers have free), it is at least so many. Of a worker with several pools those count
that serve the task: what waits for the others is not before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from ..engine.engine import Engine
from ..engine.rates import Foreseen, foreseen_range, foreseen_seconds
from ..store.interface.queries import FullTask, ReadyRow
from ..store.interface.tasks import LaneOrder
from ..workers.membership import Worker
from .explain_serving import pools_serving
from .route import RUNNING, Route, Tenant
from .routes import Routes
from .shown import begun

ROWS_MAX: Final = 10_001  # read to count them; beyond it the text is "more than": of arrays they are millions
LANES_MAX: Final = 500  # whose ready tasks are counted
GLANCED_MAX: Final = 5_000  # lanes that are looked at, whether they are before it


class CountedPosition(NamedTuple):
    """``is_exact`` False: at least so many. ``has_mixed``: maps whose keys or tenants alternate are in line, and not counted."""

    ahead: int
    is_exact: bool
    has_mixed: bool = False


class _Counted(NamedTuple):
    """Of the ready tasks of a lane: with a higher priority; with the same one, and those of them that have a better turn."""

    higher: int
    equal: int
    before: int
    rows: int  # that were read
    is_all: bool = True


def position_of(engine: Engine, lane: Route, task: FullTask, slots: int) -> CountedPosition:
    """``slots``: of the workers that serve it; what they have been given beyond that waits there."""
    rivals, is_exact = _rivals(engine, lane)
    is_exact &= not (lane.key.limits or lane.key.needs)
    rank, turn, read = _place(engine, lane, task)
    has_mixed = any(rival.share is not None or rival.key.is_mixed for rival in rivals)
    is_exact &= not has_mixed
    left, ahead, mine = ROWS_MAX - read, 0, 0  # mine: of its own tenant and priority, with a better turn
    equal: dict[Tenant, int] = {}  # of the same priority, of others
    for rival in rivals:
        if left <= 0:
            is_exact = False
            break
        if (
            rival.key.is_mixed
        ):  # its tasks stand in the lanes of their keys and tenants: whose each is, is not read
            is_exact = False
            continue
        one = _counted(engine, rival, rank, turn, task.seq, left)
        left, is_exact = left - one.rows, is_exact and one.is_all
        room = one.higher + one.equal
        if rival is not lane and (rival.key.limits or rival.key.needs):
            is_exact, room = False, min(1, room)  # one may start; whether others do is not known
        ahead += min(room, one.higher)
        if rival.tenant is lane.tenant:
            mine += min(room, one.before)
        elif one.equal:
            equal[rival.tenant] = equal.get(rival.tenant, 0) + min(room, one.equal)
    for (
        tenant,
        tasks,
    ) in equal.items():  # they take turns: of each at least as many as its whole turns meanwhile
        turns = mine // lane.tenant.weight - 1
        ahead, is_exact = ahead + min(tasks, max(0, turns * tenant.weight)), False
    leased = sum(one.counts[RUNNING] for one in rivals)
    return CountedPosition(ahead + mine + max(0, leased - slots), is_exact, has_mixed)


def _rivals(engine: Engine, lane: Route) -> tuple[list[Route], bool]:
    """The lane itself, and the others with ready tasks that some of the same workers serve and that nothing holds back; and whether these
    are all."""
    found, glanced = [lane], 0
    pools = pools_serving(engine, lane)
    for queue in engine.part(Routes).queues.values():
        for rival in () if queue.paused else queue.ready:
            glanced += 1
            if glanced > GLANCED_MAX or len(found) >= LANES_MAX:
                engine.work.glanced(glanced)
                return found, False
            is_free = rival is not lane and not rival.struck and rival.held is None
            if is_free and not pools.isdisjoint(rival.capabilities):
                found.append(rival)
    engine.work.glanced(glanced)
    return found, True


def _place(engine: Engine, lane: Route, task: FullTask) -> tuple[int, int, int]:
    """The rank and the turn of a task, and the rows that were read for it."""
    order = lane.order
    if order is None:
        return -task.priority, task.seq, 0
    if not order.by_deadline:
        return *order.place(task.priority, task.seq, task.created, None), 0
    rows = engine.store.ready_in(lane.number, ROWS_MAX // 2)
    deadline = next((row.deadline for row in rows if row.seq <= task.seq < row.stop), None)
    return *order.place(task.priority, task.seq, task.created, deadline), len(rows)


def _counted(engine: Engine, lane: Route, rank: int, turn: int, seq: int, left: int) -> _Counted:
    order = lane.order
    if order is not None:
        rows = engine.store.ready_in(lane.number, left)
        return _by_place(rows, order, rank, turn, seq)._replace(rows=len(rows), is_all=len(rows) < left)
    count, number = engine.store.count_ahead, lane.number
    higher = count(number, -rank, 0, left)
    upto = count(number, -rank - 1, 0, left)
    # A deadline, and a queue that is lifo, are before all that goes by age: these have a turn below zero.
    before = count(number, -rank, max(0, turn), left)
    read = higher.rows + upto.rows + before.rows
    of_rank = upto.tasks - higher.tasks, before.tasks - higher.tasks
    return _Counted(higher.tasks, *of_rank, read, before.rows < left)


def _by_place(rows: Iterable[ReadyRow], order: LaneOrder, rank: int, turn: int, seq: int) -> _Counted:
    higher = equal = before = 0
    for row in rows:
        tasks = row.stop - row.seq
        of_row, first = order.place(row.priority, row.seq, row.created, row.deadline)
        if of_row < rank:
            higher += tasks
        elif of_row == rank:
            equal += tasks
            if row.seq <= seq < row.stop:  # neighbours of the task itself
                before += row.stop - 1 - seq if first < 0 and -first == row.seq else seq - row.seq
            elif first < turn:
                before += tasks
    return _Counted(higher, equal, before, 0)


def foreseen_of(
    engine: Engine, lane: Route, position: CountedPosition, working: Sequence[Worker], slots: int
) -> float | None:
    """In how many seconds a task starts that has so many before it, in one number for people; None: nothing is known."""
    rates = [worker.rates for worker in working if worker.rates is not None]
    running = _running_ms(engine, lane, working)
    return foreseen_seconds(position.ahead, rates, engine.now.mono, slots=slots, running_ms=running)


def eta_of(
    engine: Engine, lane: Route, position: CountedPosition, working: Sequence[Worker], slots: int
) -> Foreseen | None:
    """When a task starts that has so many before it; None: nothing is known, or it is only known how many there are at least."""
    if not position.is_exact:
        return None
    rates = [worker.rates for worker in working if worker.rates is not None]
    running = _running_ms(engine, lane, working)
    return foreseen_range(position.ahead, rates, engine.now.mono, slots=slots, running_ms=running)


def _running_ms(engine: Engine, lane: Route, working: Sequence[Worker]) -> int:
    """How long the tasks have run by now that are in the slots that serve it, all together."""
    numbers, pools = {worker.number for worker in working}, pools_serving(engine, lane)
    by_number = engine.part(Routes).by_number
    held = [
        one
        for one in begun(engine)
        if one.worker in numbers and not pools.isdisjoint(by_number[one.route].capabilities)
    ]
    engine.work.glanced(len(held))
    return sum(max(0, engine.now.steady - one.begun) for one in held if one.begun is not None)
