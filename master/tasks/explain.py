"""Why a task is in its state, in one sentence, with what would change that. Reads only.

Memory knows which workers could run it. The store is read only to count the tasks that go before it,
and that count is bounded by the rows that it reads: a slice of an array is one row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import Final

from ...common.domain.ids import show_id
from ...common.domain.likely_names import NAMES_MAX, likely_name
from ...common.domain.model import OutcomeNumber, StateNumber
from ...common.domain.naming import switch_of
from ...common.domain.shards import shard_of_id
from ...common.values.brief import few
from ..engine.engine import Engine
from ..store.interface.queries import FullTask
from ..store.interface.steps import StepRow
from ..workers.membership import Membership, Worker
from .dispatch import Dispatch
from .explain_limits import why_held
from .explain_placing import lane_of, placing_of, suiting, why_not_placed
from .explain_serving import has_free_slot, pool_of_hundreds, runs_alone, serves, slots_of
from .explain_stopped import holds_for_good, why_stopped
from .full_queues import FullQueues
from .in_words import about, in_words
from .lent_slots import LentSlots
from .position import foreseen_of, position_of
from .route import Route
from .routes import Routes
from .shown import attempts_of, began_at

NEEDED_RUNS_MAX: Final = 100  # of needed tasks whose states are counted
KINDS_MAX: Final = 20  # kinds of workers whose patterns are listed
FAR_MS: Final = 9 * 365 * 24 * 3_600_000  # a wait for a signal that has no timeout lasts for ten years
NAMED_MAX: Final = 3  # workers named in a sentence
NAME_GLANCES: Final = 20  # what it costs to compare a name that is like it, see engine/work.py


def why(engine: Engine, task: FullTask, *, position: bool = False) -> str:
    """Empty when the task has ended. ``position``: include its place among the waiting tasks, which costs a count, or the
    name that was probably meant, which costs a look at many."""
    state = StateNumber(task.state)
    if state.is_terminal:
        return ""
    if state == StateNumber.RUNNING:
        return _why_leased(engine, task)
    if state == StateNumber.SCHEDULED:
        reason = "before the next attempt" if attempts_of(engine, task) else "as its submit requested"
        now = engine.now
        # ``at`` is an instant of the wall's clock, ``due`` a moment of the steady one.
        left = max(0, task.at - now.wall if task.at is not None else (task.due or 0) - now.steady)
        stopped = why_stopped(engine, task)
        paused = f"; besides, {stopped}" if stopped else ""
        wait = _awaited(engine, task)
        if wait is not None:
            sender = f" of a key with the role {wait.role}" if wait.role else ""
            until = f", for {in_words(left / 1000)} more at most" if left < FAR_MS else ""
            return f"it waits for the signal {wait.name!r}{sender}{until}; `tq signal` sends it{paused}"
        return f"it waits {in_words(left / 1000)} more, {reason}{paused}"
    if state == StateNumber.BLOCKED:
        return _why_blocked(engine, task, deep=position)
    return _why_ready(engine, task, position)


def _awaited(engine: Engine, task: FullTask) -> StepRow | None:
    """The wait for a signal by which a scheduled task's last attempt ended."""
    waits = engine.store.steps.waits(task.seq) if attempts_of(engine, task) else []
    # A retry after a failure is scheduled, too, with the wait of an earlier attempt still stored.
    if not waits or engine.store.attempts(task.seq, 1)[-1].outcome != OutcomeNumber.SNOOZE:
        return None
    return waits[0]


def _why_blocked(engine: Engine, task: FullTask, *, deep: bool) -> str:
    """For how many it waits, in which states they are, and (``deep``) what holds up the first of them."""
    became = engine.part(Dispatch).consulted.becomings.other_of(task.id)
    if became is not None:
        # It waits for one alone: what it became.
        [last] = engine.part(Dispatch).consulted.needs.needs_of(task.id)
        text = f"it became task {show_id(became)}: it ends as that does"
        return text + _held_up(engine, task, last.first if deep else b"")
    here, there, bad = Counter[StateNumber](), Counter[int](), 0
    first = first_there = b""
    needs = engine.part(Dispatch).consulted.needs
    runs = needs.needs_of(task.id)
    for run in runs[:NEEDED_RUNS_MAX]:
        spans = list(needs.states(task.id, run))
        # What an explanation reads is charged to its transaction, as any other look.
        engine.work.looked(len(spans))
        for span in spans:
            if span.state < 0 or StateNumber(span.state).is_terminal:
                bad += span.length if span.state != StateNumber.SUCCEEDED else 0
            elif (shard := shard_of_id(span.first)) != engine.core.shard.number:
                there[shard] += span.length
                first_there = first_there or span.first
            else:
                here[StateNumber(span.state)] += span.length
                first = first or span.first
    needed, left = sum(run.length for run in runs), here.total() + there.total()
    counts = [f"{tasks:,} {state}" for state, tasks in sorted(here.items())]
    counts += [f"{tasks:,} of shard {shard}" for shard, tasks in sorted(there.items())]
    more = " among those that were looked at" if len(runs) > NEEDED_RUNS_MAX else ""
    text = f"it waits for {left:,} of the {needed:,} tasks that it needs ({', '.join(counts)}{more})"
    if bad:
        text += f"; {bad:,} did not succeed"
    if not first and first_there and deep:
        return f"{text}; `tq why {show_id(first_there)}` says why"
    return text + _held_up(engine, task, first if deep else b"")


def _held_up(engine: Engine, task: FullTask, first: bytes) -> str:
    """Why a task that this one waits for has not ended."""
    found = engine.store.find([first]) if first else []
    other = engine.store.brief(found[0].seq) if found else None
    if other is not None and other.queue != task.queue:
        other = None  # who asks may see this queue; of another it is not known
    # One step only: a chain of a thousand would be a thousand sentences.
    if other is not None and other.state != StateNumber.BLOCKED:
        return f"; of {other.task} {show_id(first)}: {why(engine, other)}"
    if other is not None:
        return f"; {other.task} {show_id(first)} waits for others in turn: `tq why {show_id(first)}`"
    return ""


def is_stuck(engine: Engine, task: FullTask) -> bool:
    """Whether only an operator can make it run: its queue is paused, or no worker serves it."""
    if task.state != StateNumber.READY:
        return False
    route = engine.part(Routes).route(task.queue, task.task)
    takers = [
        one for one in engine.part(Membership).by_node.values() if serves(one, route) and not one.draining
    ]
    placing = placing_of(engine, lane_of(engine, task))
    if route.queue.paused:
        # A pause with an end passes by itself.
        return route.queue.until is None
    return holds_for_good(engine, task) or not (
        takers if placing is None else suiting(engine, placing, takers)
    )


def _why_leased(engine: Engine, task: FullTask) -> str:
    worker = engine.part(Membership).by_number.get(task.worker or 0)
    began = began_at(engine, task.id)
    since = in_words((engine.now.steady - (began or task.started or 0)) / 1000)
    if worker is None or worker.info is None:
        host = engine.store.worker_host(task.worker or 0) or "a worker that is no longer listed"
        # After a restart the master knows only what it stored: the worker may be on its way back.
        who = (
            f"{host} has had it for {since}, and has not connected since the master started: "
            "whether it has begun is not known"
        )
    elif began is None:
        who = f"it waits for a slot of {_named(worker)}, which was given it {since} ago"
    else:
        who = f"{_named(worker)} has run attempt {attempts_of(engine, task)} for {since}"
    if worker is not None and worker.session is None and worker.presence.lost_at is not None:
        # Grace is reckoned by the clock that no change of the date moves.
        left = in_words(max(0, worker.presence.lost_at - engine.now.mono) / 1000)
        return (
            f"{who}; it is not connected: unless it reconnects within {left}, the task goes to another worker"
        )
    return who + (", and is ordered to cancel it" if task.cancel else "") + _waits_inside(engine, task)


def _waits_inside(engine: Engine, task: FullTask) -> str:
    """What a task that runs waits for inside itself."""
    wait = engine.part(LentSlots).wait_of(task.id)
    if wait is None:
        return ""
    first = wait.runs[0].first
    named = show_id(first) if _is_beside(engine, first, task) else ""
    others = sum(run.length for run in wait.runs) - 1
    if others:
        what = f"{others + 1:,} tasks" + (f", first {named}" if named else "")
    else:
        what = f"task {named}" if named else "a task that is not in this queue"
    # A child that needs the slot of its own parent's worker: it will not be run, and the user has to know why.
    if wait.is_at_bound:
        verb = "waits" if not others else "wait"
        return f"; it waits for {what}, which {verb} for a slot of the worker that it holds: that wait ends with WouldDeadlock"
    return f"; it waits for {what}" + (f": `tq why {named}`" if named else "")


def _is_beside(engine: Engine, id: bytes, task: FullTask) -> bool:
    """Whether it is in the queue of this task: who asks may see that, and of another it is not known."""
    routes = engine.part(Routes).by_number
    return any(routes[found.route].queue.name == task.queue for found in engine.store.find([id]))


def _why_ready(engine: Engine, task: FullTask, position: bool) -> str:
    route = engine.part(Routes).route(task.queue, task.task)
    # In the order of what an operator would mend first: pause, no worker, limits, place, then the line itself.
    if stopped := why_stopped(engine, task):
        return stopped
    workers = [one for one in engine.part(Membership).by_node.values() if one.info is not None]
    able = [one for one in workers if serves(one, route)]
    working = [one for one in able if not one.draining]
    if not working:
        likely = _likely(engine, task, workers) if position else None
        return _no_worker(task, workers, able, likely)
    if (held := why_held(engine, task.id)) is not None:
        return held
    lane = lane_of(engine, task)
    if (placing := placing_of(engine, lane)) is not None:
        if (text := why_not_placed(engine, lane, placing, working)) is not None:
            return text
        working = suiting(engine, placing, working)
    # A free slot and a ready task: what is left is the rest of this transaction.
    if has_free_slot(working, route):
        return "it is about to be handed out: a worker that serves it has a free slot"
    slots = slots_of(working, route)
    busy = f"all {slots} slots that serve it are busy" if slots > 1 else "the one slot that serves it is busy"
    waiter = engine.part(LentSlots).waiter_of(task.id)
    if waiter is not None:
        named = f"task {show_id(waiter.waiter)}" if _is_beside(engine, waiter.waiter, task) else "a task"
        if waiter.is_at_bound:
            return f"{busy}; {named} waits for it, and holds the slot that it waits for: that wait ends with WouldDeadlock"
        return f"{busy}; {named}, which runs there, waits for it and lends it its slot"
    if text := _all_wait_for_room(engine, task, working, slots):
        return f"{busy}{text}"
    if not position:
        return f"{busy}; `tq why` counts the tasks before it"
    more = "more workers or slots would start it sooner"
    if runs_alone(working, route):
        more = f"it is a coroutine, and has a process for itself there: `{pool_of_hundreds(task)}` runs hundreds at once"
    return f"{busy}; {_in_line(engine, task, lane, working, slots)}; {more}"


def _all_wait_for_room(engine: Engine, task: FullTask, working: Sequence[Worker], slots: int) -> str:
    """When all slots are held by tasks whose submits wait for room in full queues: none is made there as long as nothing else starts."""
    found = engine.part(FullQueues).waiting_inside({worker.number for worker in working})
    if not found or len(found) < slots:
        return ""
    # Who asks may see this queue, and of others it is not known.
    queues, own = set(found.values()), task.queue
    others = " and in others" if len(queues) > 1 else ""
    where = f"queue {own}, which is full,{others}" if own in queues else "full queues"
    one = "the task that has it waits" if slots == 1 else "the tasks that have them wait"
    return (
        f": {one} for room in {where.removesuffix(',')}, and no slot is left to make some. Raise a bound (tq queues set {own} --maxsize N), or "
        "start a worker more; have such tasks submit with using(on_full='raise')"
    )


def _none_serves(connected: int, task: FullTask) -> str:
    what = f"{task.task} in queue {task.queue}"
    if connected == 0:
        return f"no worker is connected that serves {what}"
    if connected == 1:
        return f"the only connected worker does not serve {what}"
    return f"none of the {connected} connected workers serves {what}"


def _likely(engine: Engine, task: FullTask, workers: list[Worker]) -> str | None:
    """The function that was probably meant, of those that connected workers serve in the task's queue."""
    kinds = dict.fromkeys(one.capability for one in workers if one.session is not None)
    serving = (one.key.tasks for one in kinds if one is not None and one.takes_from(task.queue))
    # Comparing is slow, and a worker may serve thousands of names.
    names = list(islice(chain.from_iterable(serving), NAMES_MAX))
    engine.work.glanced(NAME_GLANCES * len(names))
    return likely_name(task.task, sorted(names))


def _no_worker(task: FullTask, workers: list[Worker], able: list[Worker], likely: str | None) -> str:
    """No worker takes it now: which workers know it, why they do not take it, and the command that helps."""
    connected = [one for one in workers if one.session is not None]
    knows = [one for one in workers if one.capability is not None and one.capability.knows(task.task)]
    module = task.task.partition(":")[0]
    start = f"start one with `tq-worker --connect … {switch_of(module) or module}`"
    none = _none_serves(len(connected), task)
    if able:
        return f"the workers that serve it are draining: {_list(able)}; {start}"
    kept_out = [one for one in knows if one.session is not None]
    if kept_out:
        # Two causes with two remedies: how the worker was started, and what its key may use.
        asked, allowed = _patterns(kept_out, 0), _patterns(kept_out, 1)
        only = f"only in the queues {asked}" if asked else f"with keys for the queues {allowed} only"
        remedy = f"start one with `--queue {task.queue}`" if asked else "`tq keys add --queue` makes another"
        return f"{none}; known to {_list(kept_out)}, but {only}: {remedy}"
    if knows:
        return f"{none}; known to {_list(knows)}, not connected now: start it again, or {start}"
    return f"{none}; did you mean {likely}? Else {start}" if likely else f"{none}; {start}"


def _patterns(workers: list[Worker], which: int) -> str:
    """``which``: 0, the patterns of the queues that workers were started for; 1, of those that their keys may use."""
    kinds = list(dict.fromkeys(one.capability for one in workers if one.capability))
    keys = [(one.key.queues, one.key.allowed) for one in kinds[:KINDS_MAX]]
    others = " and others" if len(kinds) > KINDS_MAX else ""
    return few(pattern for key in keys for pattern in key[which]) + others


def _in_line(engine: Engine, task: FullTask, lane: Route, working: list[Worker], slots: int) -> str:
    ahead, is_exact, has_mixed = position = position_of(engine, lane, task, slots)
    if not is_exact and ahead:
        return f"at least {ahead:,} are before it"
    if not is_exact:
        uncounted = "tasks of maps whose keys or tenants alternate may be before it, and are not counted"
        return uncounted if has_mixed else "it is among the next"
    place = f"{ahead:,} are before it" if ahead > 1 else ("one is before it" if ahead else "it is the next")
    seconds = foreseen_of(engine, lane, position, working, slots)
    if seconds is None:
        return f"{place}; there is no estimate yet of when it starts"
    return f"{place}, and it starts {about(seconds)}"


def _named(worker: Worker) -> str:
    return f"{worker.info.host} (pid {worker.info.pid})" if worker.info else "a worker"


def _list(workers: Iterable[Worker]) -> str:
    """``crow (version 0.1.0) and 2 others``"""
    named = [f"{one.info.host} (version {one.info.version})" for one in workers if one.info]
    more = len(named) - NAMED_MAX
    return ", ".join(named[:NAMED_MAX]) + (f" and {more:,} others" if more > 0 else "")
