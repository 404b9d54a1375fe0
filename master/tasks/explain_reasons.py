"""All that keeps a waiting task from starting, each with what would change it: ``tq why --json``. Reads only.

A sentence names what comes first; a program may want all of it. What is held back by several things starts only when none holds it.
"""

from __future__ import annotations

from typing import Any, Final

from ...common.domain.ids import show_id
from ...common.domain.limit_parts import LimitPart
from ...common.domain.model import StateNumber
from ..engine.engine import Engine
from ..limits.limits import NamedLimits
from ..store.interface.queries import FullTask
from ..tenants.tenants import SetTenants
from .dispatch import Dispatch
from .explain_limits import cap_remedy, read_ahead, read_ahead_of
from .explain_placing import lane_of, placing_of, why_not_placed
from .explain_position import shown_position
from .explain_serving import pool_of_hundreds, runs_alone, serving
from .explain_stopped import strikes_of
from .route import RUNNING, Route
from .routes import Routes

NEEDED_RUNS_MAX: Final = 100  # of needed tasks that are named
MORE_WORKERS: Final = "start more workers, or with more --slots"

Reason = dict[str, Any]


def reasons_of(engine: Engine, task: FullTask) -> list[Reason]:
    """Each has ``kind``, its facts, and ``remedy``: what would change it; None: nothing but time. In the order in which they are looked
    at when tasks are handed out."""
    if StateNumber(task.state).is_terminal or task.state == StateNumber.RUNNING:
        return []
    lane = lane_of(engine, task)
    reasons = [*_of_state(engine, task), *_stopped(engine, task)]
    reasons += _unserved(engine, task, lane)
    reasons += _cap(engine, lane) + _limits(engine, lane)
    if not reasons:
        place = shown_position(engine, task)["position"]
        if place is not None:
            is_alone = runs_alone(serving(engine, lane), lane)
            remedy = pool_of_hundreds(task) if is_alone else MORE_WORKERS
            reasons.append({"kind": "line", **place, "remedy": remedy})
    if task.state == StateNumber.READY and lane.key.tenant:
        others = [one.tenant for one in lane.queue.ready if one.tenant is not lane.tenant]
        reasons += [{"kind": "turns", "tenant": lane.key.tenant, "remedy": None}] if others else []
    return reasons


def _of_state(engine: Engine, task: FullTask) -> list[Reason]:
    now = engine.now
    if task.state == StateNumber.SCHEDULED:
        until = task.at / 1000 if task.at is not None else now.shown(task.due or now.steady)
        return [{"kind": "scheduled", "until": until, "remedy": None}]
    if task.state == StateNumber.BLOCKED:
        runs = engine.part(Dispatch).consulted.needs.needs_of(task.id)
        needed = [[show_id(run.first), run.length] for run in runs[:NEEDED_RUNS_MAX]]
        return [{"kind": "needs", "needed": needed, "remedy": f"tq why {needed[0][0]}" if needed else None}]
    return []


def _stopped(engine: Engine, task: FullTask) -> list[Reason]:
    queue, shown = engine.part(Routes).queue(task.queue), engine.now.shown
    found: list[Reason] = []
    if queue.paused:
        held = {"reason": queue.reason, "key": queue.key}
        moments = {"since": queue.since, "until": queue.until}
        found.append(
            {"kind": "paused", "queue": queue.name, **held, **moments, "remedy": f"tq resume {queue.name}"}
        )
    for one in strikes_of(engine, task):
        row = one.row
        by: Reason = {"strike": row.number, "condition": row.condition, "reason": row.reason, "key": row.key}
        moments = {"since": row.since, "until": row.until}
        found.append({"kind": "strike", **by, **moments, "remedy": f"tq strike rm {row.number}"})
    for reason in found:
        for name in ("since", "until"):
            reason[name] = None if reason[name] is None else shown(reason[name])
    return found


def _unserved(engine: Engine, task: FullTask, lane: Route) -> list[Reason]:
    """No worker takes it now, or none has what it asks for."""
    placing = placing_of(engine, lane)
    base = engine.part(Routes).route(task.queue, task.task)
    workers = serving(engine, base)
    if not workers:
        what = {"task": task.task, "queue": task.queue}
        return [{"kind": "no_worker", **what, "remedy": "start a worker that serves it"}]
    if placing is None or (text := why_not_placed(engine, lane, placing, workers)) is None:
        return []
    return [
        {"kind": "placing", "text": text, "remedy": "start a worker that has it, or wait until it is free"}
    ]


def _cap(engine: Engine, lane: Route) -> list[Reason]:
    tenant = lane.tenant
    if not tenant.is_full:
        return []
    part, shards = engine.part(SetTenants), engine.core.shard.of
    of: Reason = {
        "tenant": tenant.name,
        "max_running": tenant.max_running,
        "running": tenant.counts[RUNNING],
    }
    if shards > 1:
        of["over"] = part.divided_over(tenant.name)
    remedy = cap_remedy(part.terms(tenant.name), lane, shards)
    return [{"kind": "cap", **of, "ahead": read_ahead_of(engine, tenant), "remedy": remedy}]


def _limits(engine: Engine, lane: Route) -> list[Reason]:
    permits, now = engine.part(Routes).lanes.held.permits, engine.now
    found: list[Reason] = []
    for name, key, units in lane.key.limits:
        limit = engine.part(NamedLimits).in_force(name)
        if limit is None or permits.room([(name, key, units)], now.steady):
            continue
        moment = permits.ready_at([(name, key, units)], now.steady)
        bounds = {"max_running": limit.max_running, "rate": limit.rate}
        state: Reason = {"running": permits.state(name, key, now.steady).running, "units": units}
        if isinstance(limit, LimitPart):
            state["over"] = limit.of
        if limit.max_running is not None:
            state["ahead"] = read_ahead(engine, name, key)
        found.append(
            {
                "kind": "limit",
                "limit": name,
                "key": key,
                **bounds,
                **state,
                "until": None if moment is None else now.shown(moment),
                "remedy": f"tq limits set {name} --max-running N"
                if moment is None
                else f"tq limits set {name} --rate RATE",
            }
        )
    return found
