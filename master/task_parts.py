"""The parts that a task goes through, in three stages: each is made of those before it. ``master/parts.py`` connects them to all others."""

from __future__ import annotations

from typing import NamedTuple

from .blobs.blobs import Blobs
from .dependencies.becomings import Becomings
from .dependencies.dependencies import Dependencies
from .dependencies.known import KnownDependents
from .dependencies.needed_tasks import NeededTasks
from .edges.edges import Edges
from .edges.lines import EdgeLines
from .engine.core import Core
from .engine.long_calls import LongCalls
from .keys.keyring import Keyring
from .limits.limits import NamedLimits
from .steps.signals import Signals
from .steps.steps import Steps
from .strikes.strikes import Strikes
from .tasks.attempt_output import AttemptOutput
from .tasks.completion import Completion
from .tasks.consulted import Consulted
from .tasks.dispatch import Dispatch
from .tasks.expiry import Expiry, Retention
from .tasks.failure_handlers import FailureHandlers
from .tasks.full_queues import FullQueues
from .tasks.key_quotas import KeyQuotas
from .tasks.leases import Leases
from .tasks.lent_slots import LentSlots
from .tasks.limiter import Limiter
from .tasks.origins import Origins
from .tasks.parents import Parents
from .tasks.pauses import Pauses
from .tasks.placements import Placements
from .tasks.queue_order import QueueOrder
from .tasks.routes import Routes
from .tasks.scheduled import ScheduledTasks
from .tasks.struck import StruckLanes
from .tasks.struck_tasks import StruckTasks
from .tasks.subscriptions import Subscriptions
from .tasks.uniques import Uniques
from .tenants.tenants import SetTenants


class LaneParts(NamedTuple):
    """Where tasks wait, and what says which of them may go out."""

    placements: Placements  # shared by what hands out and by what takes back: one count of what is free
    long_calls: LongCalls
    limits: NamedLimits
    limiter: Limiter
    tenants: SetTenants
    routes: Routes
    origins: Origins
    pauses: Pauses
    strikes: Strikes
    struck: StruckLanes
    struck_tasks: StruckTasks
    queue_order: QueueOrder


def make_lanes(core: Core) -> LaneParts:
    store, agenda = core.store, core.agenda
    placements, long_calls = Placements(), LongCalls(agenda)
    limits, tenants = (
        NamedLimits(store, core.timeline, core.report, core.shard),
        SetTenants(store, core.shard),
    )
    routes = Routes(store, limits.in_force, placements, tenants.here)
    tenants.usage = routes.tenants
    tenants.listen(routes.lanes.tenant_changed)
    limiter = limits.usage = Limiter(store, routes, agenda, limits)
    strikes = Strikes(store, agenda, core.report)
    struck_tasks = StruckTasks(store, routes, strikes, long_calls)
    return LaneParts(
        placements,
        long_calls,
        limits,
        limiter,
        tenants,
        routes,
        Origins(store),
        Pauses(store, routes, agenda, core.report),
        strikes,
        StruckLanes(routes, strikes, struck_tasks, long_calls),
        struck_tasks,
        QueueOrder(store, routes, agenda, long_calls),
    )


class AttemptParts(NamedTuple):
    """A task from the moment it is given out until nothing of it is kept. ``consulted``: see its file."""

    consulted: Consulted
    leases: Leases
    scheduled: ScheduledTasks
    blobs: Blobs
    completion: Completion
    output: AttemptOutput
    steps: Steps
    signals: Signals
    expiry: Expiry
    retention: Retention


def make_attempts(core: Core, lanes: LaneParts) -> AttemptParts:
    store, routes, agenda = core.store, lanes.routes, core.agenda
    consulted, leases = Consulted(), Leases(lanes.placements)
    scheduled = ScheduledTasks(store, routes, agenda)
    blobs = Blobs(store, core.timeline, agenda, core.report)
    completion = Completion(store, routes, leases, scheduled, core.endings, blobs, consulted, core.random)
    output = AttemptOutput(store, leases.running, completion.began)
    steps = Steps(store, leases.running, completion.began)
    return AttemptParts(
        consulted,
        leases,
        scheduled,
        blobs,
        completion,
        output,
        steps,
        Signals(store, steps, routes.move),
        Expiry(core, completion),
        Retention(core, routes, output, consulted),
    )


class SubmitParts(NamedTuple):
    """How a task comes into its lane and from there to a worker; what it waits for, and what it stands for."""

    subscriptions: Subscriptions
    dispatch: Dispatch
    becomings: Becomings
    dependencies: Dependencies
    parents: Parents
    quotas: KeyQuotas
    full_queues: FullQueues
    uniques: Uniques
    handlers: FailureHandlers
    lent_slots: LentSlots
    edges: Edges | None  # None: there is no other shard


def make_submits(core: Core, lanes: LaneParts, attempts: AttemptParts, keyring: Keyring) -> SubmitParts:
    store, routes, agenda = core.store, lanes.routes, core.agenda
    running, scheduled, completion = attempts.leases.running, attempts.scheduled, attempts.completion
    subscriptions = Subscriptions(store, routes)
    dispatch = Dispatch(
        store,
        routes,
        running,
        subscriptions,
        scheduled,
        attempts.expiry,
        attempts.consulted,
        lambda: core.random_bytes(16),
        core.limits.payload_bytes_max,
    )
    # Submits of a transaction are written late and together; whatever reads the store has them written first.
    store.before_looks(lambda: dispatch.settle(core.timeline.now))
    needed = NeededTasks(store, routes, core.shard)
    edges = (
        Edges(core, routes, needed, EdgeLines(store, lambda: core.timeline.now.wall // 1_000))
        if core.shard.of > 1
        else None
    )
    becomings, quotas = (
        Becomings(store, completion, KnownDependents(edges), needed.is_elsewhere),
        KeyQuotas(store, routes, keyring.quota_of),
    )
    dependencies = Dependencies(store, routes, completion, scheduled, becomings, needed)
    if edges is not None:
        edges.needs.dependents = dependencies
    keyring.use_of = quotas.use
    return SubmitParts(
        subscriptions,
        dispatch,
        becomings,
        dependencies,
        Parents(store, routes, running, completion),
        quotas,
        FullQueues(store, routes, dispatch, running, subscriptions, quotas),
        Uniques(store, completion, core.timeline),
        FailureHandlers(store, routes, dispatch, agenda, core.report, keyring.find),
        LentSlots(store, routes, dispatch, running, becomings.all_behind),
        edges,
    )
