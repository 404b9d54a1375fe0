"""Why a limit, or the cap of a tenant, holds a task back, and what would change it. Reads only."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from ...common.domain.limit_parts import LimitHere, LimitPart, has_tag
from ...common.domain.quota_parts import in_shards_of, shards_of_queues
from ...common.domain.shards import is_spread
from ...common.domain.tenants import TenantTerms
from ..engine.engine import Engine
from ..limits.limits import NamedLimits
from ..tenants.tenants import SetTenants
from .explain_serving import serving, slots_of
from .held import COMPANY
from .route import RUNNING, Route, Tenant
from .routes import Routes


def lane_of(engine: Engine, id: bytes) -> Route | None:
    """None: no task has a limit or a tenant or runs together with others, or this one is not there."""
    routes = engine.part(Routes)
    # A read, which clusters without any of these are spared.
    if not routes.of_limit and not routes.tenants.are_several and not routes.lanes.held.had_company:
        return None
    lane_of, lanes = routes.mixed.lane_of, routes.by_number
    return next((lane_of(lanes[found.route], found.seq) for found in engine.store.find([id])), None)


def why_held(engine: Engine, id: bytes) -> str | None:
    """None: nothing of the kind holds it back."""
    lane = lane_of(engine, id)
    if lane is None:
        return None
    tenant = lane.tenant
    if tenant.is_full:
        return _why_capped(engine, lane)
    if lane.held is not None and lane.held[0] == COMPANY and lane.company_until is not None:
        left = max(0, lane.company_until - engine.now.steady) / 1000
        return (
            f"it waits for others to run with, {left:.1f} s more at most: up to {lane.key.coalesce[0]:,} calls of {lane.task} run as one "
            "(coalesce=)"
        )
    permits, now = engine.part(Routes).lanes.held.permits, engine.now.steady
    for name, key, units in lane.key.limits:
        limit = engine.part(NamedLimits).in_force(name)
        if limit is None or permits.room([(name, key, units)], now):
            continue
        state = permits.state(name, key, now)
        under = f"the limit {name}" + (f" for {key}" if key else "")
        # None: no clock gives it room, only an end.
        moment = permits.ready_at([(name, key, units)], now)
        if isinstance(limit, LimitPart) and units > limit.most_units:
            return f"{under} {_never_enough(limit, units)}"
        if moment is None:
            runs = f"{state.running:,} of at most {limit.max_running:,}{_in_parts(limit)}"
            counts = f", and this task counts for {units:,}" if units > 1 else ""
            waits = _waits(read_ahead(engine, name, key))
            return (
                f"{under} holds it back: {runs} run{waits}{counts}; it starts when one of them ends, or with a higher limit: "
                f"`tq limits set {name} --max-running N`"
            )
        return (
            f"{under} holds it back: {limit.rate} may start{_in_parts(limit)}, and the next may in {(moment - now) / 1000:.1f} s; "
            f"`tq limits set {name} --rate RATE` changes that"
        )
    return None


def _why_capped(engine: Engine, lane: Route) -> str:
    tenant, part = lane.tenant, engine.part(SetTenants)
    terms, over = part.terms(tenant.name), part.divided_over(tenant.name)
    if tenant.max_running == 0:
        return f"the cap of tenant {tenant.name} holds it back without end: {_no_part(terms, lane, engine.core.shard.of)}"
    parts = "" if over == 1 else f" (the part here of {terms.max_running:,}, divided over {over:,} shards)"
    return (
        f"the cap of tenant {tenant.name} holds it back: {tenant.counts[RUNNING]:,} of at most {tenant.max_running:,}{parts} "
        f"run{_waits(read_ahead_of(engine, tenant))}; it starts when one of them ends, or with a higher cap: "
        f"`{cap_remedy(terms, lane, engine.core.shard.of)}`"
    )


def _no_part(terms: TenantTerms, lane: Route, shards: int) -> str:
    remedy = f"`{cap_remedy(terms, lane, shards)}`"
    if terms.shards_of:
        where = "every shard" if is_spread(lane.queue.name) else "another one"
        over = len(shards_of_queues(terms.shards_of, shards))
        return f"it is {in_shards_of(terms.shards_of, over)}, and queue {lane.queue.name} is in {where}; {remedy}"
    or_named = f", or name the queues of its tasks: `--shards-of {shlex.quote(lane.queue.name)}`"
    return (
        f"{terms.max_running:,} are divided over {shards:,} shards, which leaves none for this one; {remedy}"
        f"{'' if is_spread(lane.queue.name) else or_named}"
    )


def cap_remedy(terms: TenantTerms, lane: Route, shards: int) -> str:
    """The line that lets more tasks of a tenant run in this shard."""
    of, begin = lane.tenant, f"tq tenants set {lane.tenant.name}"
    if of.max_running != 0:
        return f"{begin} --max-running N"
    is_divided = not terms.shards_of or is_spread(lane.queue.name)
    named = () if is_divided else (*terms.shards_of, lane.queue.name)
    options = [f"--shards-of {shlex.quote(one)}" for one in named]
    if is_divided and terms.shards_of:
        options = ["--shards-of all"]
    least = len(shards_of_queues(named, shards))
    if terms.max_running is not None and terms.max_running < least:
        options.append(f"--max-running {least}")
    return " ".join((begin, *options))


def _in_parts(limit: LimitHere) -> str:
    """That a shard has a part of it."""
    if not isinstance(limit, LimitPart):
        return ""
    whole = "" if limit.max_running is None else f"the part here of {limit.whole.max_running:,}, "
    return f" ({whole}divided over {limit.of:,} shards)"


def _never_enough(limit: LimitPart, units: int) -> str:
    """No task has to end, and no token to come: the part here is too small for this one."""
    if has_tag(limit.name):
        return (
            "holds it back without end: the tag in its name puts it into another shard; cancel the task, and submit it to a queue with "
            "that tag"
        )
    least = units * limit.of
    options = f"--max-running {least}" if limit.max_running is not None else f"--burst {least}"
    return (
        f"holds it back: the task counts for {units:,}, and the limit is divided over {limit.of:,} shards, which leaves less than that here; "
        f"`tq limits set {limit.name} {options}` is enough"
    )


def read_ahead(engine: Engine, name: str, key: str) -> int:
    """How many tasks under a key of a limit at least are with workers and have not begun: more than there are slots for them."""
    lanes = engine.part(Routes).of_limit.get(name, ())
    engine.work.glanced(len(lanes))
    return _read_ahead(
        engine,
        [
            lane
            for lane in lanes
            if lane.running and (name, key) in ((one, of) for one, of, _ in lane.key.limits)
        ],
    )


def read_ahead_of(engine: Engine, tenant: Tenant) -> int:
    """The same of the tasks of a tenant."""
    lanes = list(engine.part(Routes))
    engine.work.glanced(len(lanes))
    return _read_ahead(engine, [lane for lane in lanes if lane.tenant is tenant and lane.running])


def _waits(ahead: int) -> str:
    return f" ({ahead:,} of these tasks wait at their worker for a free slot)" if ahead else ""


def _read_ahead(engine: Engine, mine: Sequence[Route]) -> int:
    """Of the tasks of these lanes that are leased."""
    bases = {lane.base for lane in mine}
    workers = {worker.number: worker for base in bases for worker in serving(engine, base)}
    return max(0, sum(lane.running for lane in mine) - slots_of(workers.values(), *bases))
