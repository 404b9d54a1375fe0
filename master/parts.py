"""The parts of a master, their order, and the objects that clients may call: the one place that knows all subjects.

Their order is that of their methods in each transaction (see ``master/engine/part.py``): a part comes after those that it uses,
so that the store's picture is loaded from the bottom up; tasks are given out before results are delivered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from .api.registry import Registry
from .api.shards import ShardRegistry
from .api.validation import EngineObject
from .audit.calls import AuditObject
from .audit.log import AuditLog
from .blobs.blobs import Blobs
from .blobs.calls import BlobsObject
from .data.calls import NamedValueObject, NamedValuesObject
from .data.named_values import NamedValues
from .dependencies.becomings import Becomings
from .dependencies.calls import DependenciesObject
from .dependencies.dependencies import Dependencies
from .engine.core import Core
from .engine.engine import Engine
from .engine.long_calls import LongCalls
from .engine.part import Part
from .engine.unused_space import UnusedSpace
from .engine.work import Work
from .flows.callbacks import FlowCallbacks
from .flows.calls import FlowsObject
from .flows.flows import Flows
from .flows.retention import FlowRetention
from .flows.shown import facts
from .flows.waits import FlowWaits
from .items.calls import NamedItemQueue
from .items.consumers import Consumers
from .items.items import Items
from .items.put_numbers import PutNumbers
from .keys.calls import Keys
from .keys.keyring import Keyring
from .keys.revoked_leaves import RevokedLeaves
from .limits.calls import LimitsObject
from .limits.limits import NamedLimits
from .locks.admin import LocksObject
from .locks.calls import BarrierObject, EventObject, LockObject
from .locks.events_and_barriers import Barriers, Events
from .locks.locks import Locks
from .locks.primitives import Primitives
from .objects.shared import NAME as SHARED
from .objects.shared import SharedObjects
from .observe.attempt_log import AttemptLog
from .observe.calls import Master, Queues, Workers
from .observe.causes import AttemptEnds, Causes
from .observe.last_failures import LastFailures
from .observe.series import Series
from .outbox.calls import OutboxObject
from .outbox.receipts import Receipts
from .schedules.calls import SchedulesObject
from .schedules.declarations import Declarations
from .schedules.maker import MayRun
from .schedules.occurrences import Occurrences
from .schedules.schedules import Timetable
from .steps.calls import StepsObject
from .steps.signals import Signals
from .steps.steps import Steps
from .strikes.calls import StrikesObject
from .strikes.strikes import Strikes
from .tasks.attempt_output import AttemptOutput
from .tasks.calls import ResultQueue, TaskQueue, Tasks
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
from .tasks.subscriptions import Subscriptions
from .tasks.uniques import Uniques
from .tenants.calls import TenantsObject
from .tenants.tenants import SetTenants
from .workers.calls import Dispatcher
from .workers.membership import Membership
from .workers.membership_log import MembershipLog
from .workers.orders import Orders

EXPOSED: Final[Mapping[str, type[EngineObject]]] = {
    "get_task_queue": TaskQueue,
    "get_result_queue": ResultQueue,
    "get_queue": NamedItemQueue,
    "get_lock": LockObject,
    "get_event": EventObject,
    "get_barrier": BarrierObject,
    "get_datum": NamedValueObject,
    "get_dispatcher": Dispatcher,
    "get_tasks": Tasks,
    "get_dependencies": DependenciesObject,
    "get_blobs": BlobsObject,
    "get_queues": Queues,
    "get_locks": LocksObject,
    "get_data": NamedValuesObject,
    "get_workers": Workers,
    "get_keys": Keys,
    "get_schedules": SchedulesObject,
    "get_limits": LimitsObject,
    "get_outbox": OutboxObject,
    "get_strikes": StrikesObject,
    "get_tenants": TenantsObject,
    "get_steps": StepsObject,
    "get_flows": FlowsObject,
    "get_audit": AuditObject,
    "get_master": Master,
}


def make_engine(core: Core, registered: str | None = None) -> Engine:
    """An engine with all parts of a master. ``registered``: what a manager serves there, see ``SharedObjects``."""
    keyring = Keyring(core.store, core.random_bytes, core.close_later)
    return Engine(
        core,
        [
            *_tasks_and_items(core, keyring),
            *_others(core),
            keyring,
            RevokedLeaves(core.store, core.close_later),
            SharedObjects(registered),
            AuditLog(core),  # behind all that answers calls
        ],
    )


def make_registry(
    engine: Engine, expose: Mapping[str, str] = {}, own: Mapping[str, Callable[..., Any]] = {}
) -> Registry:
    """What clients of this engine may call. ``expose``: the user's objects; ``own``: the master's that run in threads, as those do."""
    kind = Registry if engine.core.shard.of == 1 else ShardRegistry
    record = engine.part(AuditLog).record
    return kind(engine, EXPOSED, expose, record, own, {SHARED: engine.part(SharedObjects)})


def _tasks_and_items(core: Core, keyring: Keyring) -> Sequence[Part]:
    store, presence, agenda = core.store, core.presence, core.agenda
    # Shared by what hands out and by what takes back: one count of what is free.
    placements = Placements()
    limits = NamedLimits(store, core.timeline, core.report)
    tenants = SetTenants(store)
    routes, origins = Routes(store, limits.in_force, placements, tenants.terms), Origins(store)
    tenants.usage = routes.tenants
    tenants.listen(routes.lanes.tenant_changed)
    leases = Leases(placements)
    scheduled, consulted = ScheduledTasks(store, routes, agenda), Consulted()
    blobs = Blobs(store, core.timeline, agenda, core.report)
    completion = Completion(store, routes, leases, scheduled, core.endings, blobs, consulted, core.random)
    strikes, pauses = Strikes(store, agenda, core.report), Pauses(store, routes, agenda, core.report)
    limiter = limits.usage = Limiter(store, routes, agenda, limits)
    attempt_output = AttemptOutput(store, leases.running, completion.began)
    steps = Steps(store, leases.running, completion.began)
    signals = Signals(store, steps, routes.move)
    expiry, retention = Expiry(core, completion), Retention(core, routes, attempt_output, consulted)
    subscriptions = Subscriptions(store, routes)
    dispatch = Dispatch(
        store,
        routes,
        leases.running,
        subscriptions,
        scheduled,
        expiry,
        consulted,
        lambda: core.random_bytes(16),
        core.limits.payload_bytes_max,
    )
    becomings = Becomings(store, completion)
    dependencies = Dependencies(store, routes, completion, scheduled, becomings)
    parents = Parents(store, routes, leases.running, completion)
    quotas = consulted.quotas = KeyQuotas(store, routes, keyring.quota_of)
    keyring.use_of = quotas.use
    full_queues = FullQueues(store, routes, dispatch, leases.running, subscriptions, quotas)
    # Submits of a transaction are written late and together; whatever reads the store has them written first.
    store.before_looks(lambda: dispatch.settle(core.timeline.now))
    numbers = PutNumbers(store.items, agenda)
    items = Items(store, presence, agenda, numbers, is_paused=routes.is_paused, deleted=origins.queue_deleted)
    consumers = Consumers(core, routes, dispatch, items, origins)
    membership_log, attempt_log = MembershipLog(core), AttemptLog(core, routes)
    long_calls = LongCalls(agenda)
    membership = Membership(store, routes, leases, completion, presence, agenda, long_calls, membership_log)
    series, causes = Series(core, routes, membership), Causes(core, routes, membership)
    dispatch.meters = dispatch.parked.meters = completion.meters = completion.unsuccessful.meters = (
        series.meter
    )
    orders, last_failures = Orders(membership, leases), LastFailures()
    made_by_time = _schedules(core, routes, dispatch, completion, keyring)
    flows, *at_their_ends = _flows(core, routes, dispatch, completion, keyring)
    # Set here and not handed in: they are made of parts that consult them.
    consulted.needs, consulted.becomings = dependencies, becomings
    consulted.flows, consulted.signals, consulted.limits = flows, signals, limits
    consulted.keys = keyring
    consulted.workers, consulted.attempts, consulted.parents = (
        membership,
        AttemptEnds(attempt_log, causes),
        parents,
    )
    uniques = Uniques(store, completion, core.timeline)
    handlers = FailureHandlers(store, routes, dispatch, agenda, core.report, keyring.find)
    consulted.uniques, consulted.handlers = uniques, handlers
    consulted.bounds, subscriptions.coming = full_queues, full_queues.coming
    for listener in (
        quotas.ended,  # while their lanes are known
        routes.ended,
        subscriptions.ended,
        consumers.ended,
        retention.ended,
        dependencies.ended,
        becomings.ended,
        last_failures.ended,
        made_by_time[0].ended,
        steps.ended,
        parents.ended,
        flows.ended,
        handlers.ended,
    ):
        core.endings.listen(listener)
    for revived in (consumers.revived, made_by_time[0].revived, flows.revived):
        core.endings.listen_to_revivals(revived)
    lent_slots = LentSlots(store, routes, dispatch, leases.running, becomings.all_behind)
    becomings.listener = lent_slots.became
    routes.listen_to_resumes(items.resumed)
    routes.listen_to_resumes(lent_slots.resumed)
    leases.listen_to_cancels(orders.order_cancel)
    given_out = [
        tenants,
        routes,
        pauses,
        strikes,
        StruckLanes(routes, strikes, long_calls),
        quotas,
        QueueOrder(store, routes, agenda, long_calls),
        limits,
        limiter,
        origins,
        leases,
        consumers,
        becomings,
        dependencies,  # before what hands out tasks: those that are unblocked go out at once
        handlers,  # for the same reason
        dispatch,
        uniques,
        full_queues,  # after what takes tasks out of queues
        parents,
        lent_slots,  # after what serves free slots
        completion,
        scheduled,
        expiry,
        retention,
        attempt_output,
        steps,
        signals,
    ]
    return [
        *given_out,
        items,
        items.deliveries,
        numbers,
        blobs,
        subscriptions,
        membership,
        long_calls,
        orders,
        last_failures,
        membership_log,
        attempt_log,
        Receipts(store.outbox, agenda),  # behind what answers submits
        *made_by_time,
        flows,
        *at_their_ends,
        causes,
        series,  # behind all that changes the store
    ]


def _schedules(
    core: Core, routes: Routes, dispatch: Dispatch, completion: Completion, keyring: Keyring
) -> tuple[Occurrences, Timetable, Declarations]:
    may = MayRun(keyring.find)
    occurrences = Occurrences(
        core.store, routes, dispatch, completion, core.agenda, may.why_not, core.shard.number
    )
    schedules = Timetable(
        core.store, routes, occurrences, core.agenda, core.report, may.why_not, Work(core.seconds)
    )
    return occurrences, schedules, Declarations(core.store, schedules, core.agenda, core.report)


def _flows(
    core: Core, routes: Routes, dispatch: Dispatch, completion: Completion, keyring: Keyring
) -> tuple[Flows, FlowCallbacks, FlowWaits, FlowRetention]:
    store, agenda = core.store, core.agenda
    flows = Flows(core, completion)
    callbacks = FlowCallbacks(store, routes, dispatch, agenda, core.report, keyring.find, facts)
    waits, retention = FlowWaits(store, agenda), FlowRetention(core)
    flows.ended_listeners += [callbacks.ended, waits.ended, retention.ended]
    return flows, callbacks, waits, retention


def _others(core: Core) -> Sequence[Part]:
    store = core.store
    primitives = Primitives(store, core.presence, core.timeline, core.agenda)
    return [
        primitives,
        Locks(primitives),
        Events(primitives),
        Barriers(primitives),
        NamedValues(store, core.report),
        UnusedSpace(core),
    ]
