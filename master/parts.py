"""The parts of a master, their order, and the objects that clients may call: the one place that knows all subjects.

Their order is that of their methods in each transaction (see ``master/engine/part.py``): a part comes after those that it uses,
so that the store's picture is loaded from the bottom up; tasks are given out before results are delivered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from .api.registry import Registry
from .api.shards import ShardRegistry
from .api.validation import EngineObject
from .audit.calls import AuditObject
from .audit.log import AuditLog
from .blobs.calls import BlobsObject
from .data.calls import NamedValueObject, NamedValuesObject
from .data.named_values import NamedValues
from .dependencies.calls import DependenciesObject
from .engine.core import Core
from .engine.engine import Engine
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
from .strikes.calls import StrikesObject
from .task_parts import AttemptParts, LaneParts, SubmitParts, make_attempts, make_lanes, make_submits
from .tasks.calls import ResultQueue, TaskQueue, Tasks
from .tasks.completion import Completion
from .tasks.dispatch import Dispatch
from .tasks.routes import Routes
from .tenants.calls import TenantsObject
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
    keyring = Keyring(core.store, core.random_bytes, core.close_later, core.shard)
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
    """Made from the bottom up, connected, then put into the order of a transaction."""
    lanes = make_lanes(core)
    attempts = make_attempts(core, lanes)
    submits = make_submits(core, lanes, attempts, keyring)
    items = _items(core, lanes, submits)
    workers = _workers(core, lanes, attempts)
    schedules = _schedules(core, lanes.routes, submits.dispatch, attempts.completion, keyring)
    flows = _flows(core, lanes.routes, submits.dispatch, attempts.completion, keyring)
    _measure(attempts, submits, workers.series)
    _let_consult(attempts, lanes, submits, workers, flows.flows, keyring)
    _listen(core, lanes, attempts, submits, items, workers, schedules.occurrences, flows.flows)
    return [
        # What decides which lane may give out tasks, and whose they are.
        lanes.tenants,
        lanes.routes,
        lanes.pauses,
        lanes.strikes,
        lanes.struck,
        submits.quotas,
        lanes.queue_order,
        lanes.limits,
        lanes.limiter,
        lanes.origins,
        # What gives them out, and what takes them back.
        attempts.leases,
        items.consumers,
        *([] if submits.edges is None else [submits.edges]),
        submits.becomings,
        submits.dependencies,  # before what hands out tasks: those that are unblocked go out at once
        submits.handlers,  # for the same reason
        submits.dispatch,
        submits.uniques,
        submits.full_queues,  # after what takes tasks out of queues
        submits.parents,
        submits.lent_slots,  # after what serves free slots
        attempts.completion,
        attempts.scheduled,
        attempts.expiry,
        attempts.retention,
        attempts.output,
        attempts.steps,
        attempts.signals,
        # What tells others of it, and what is beside tasks.
        items.items,
        items.items.deliveries,
        items.numbers,
        attempts.blobs,
        submits.subscriptions,
        workers.membership,
        lanes.long_calls,
        workers.orders,
        workers.last_failures,
        workers.membership_log,
        workers.attempt_log,
        Receipts(core.store.outbox, core.agenda),  # behind what answers submits
        *schedules,
        *flows,
        lanes.struck_tasks,  # behind all that has tasks become ready
        *([] if submits.edges is None else [submits.edges.lines]),  # behind all that ends tasks
        workers.causes,
        workers.series,  # behind all that changes the store
    ]


class _ItemParts(NamedTuple):
    """Queues of items, and what is kept of a queue only while someone takes from it."""

    numbers: PutNumbers
    items: Items
    consumers: Consumers


def _items(core: Core, lanes: LaneParts, submits: SubmitParts) -> _ItemParts:
    numbers = PutNumbers(core.store.items, core.agenda)
    items = Items(
        core.store,
        core.presence,
        core.agenda,
        core.released,
        numbers,
        is_paused=lanes.routes.is_paused,
        deleted=lanes.origins.queue_deleted,
    )
    return _ItemParts(numbers, items, Consumers(core, lanes.routes, submits.dispatch, items, lanes.origins))


class _WorkerParts(NamedTuple):
    """Who is here to run tasks, and what is shown of them and of their attempts."""

    membership_log: MembershipLog
    attempt_log: AttemptLog
    membership: Membership
    series: Series
    causes: Causes
    orders: Orders
    last_failures: LastFailures


def _workers(core: Core, lanes: LaneParts, attempts: AttemptParts) -> _WorkerParts:
    routes, log = lanes.routes, MembershipLog(core)
    membership = Membership(
        core.store,
        routes,
        attempts.leases,
        attempts.completion,
        core.presence,
        core.agenda,
        lanes.long_calls,
        log,
    )
    return _WorkerParts(
        log,
        AttemptLog(core, routes),
        membership,
        Series(core, routes, membership),
        Causes(core, routes, membership),
        Orders(membership, attempts.leases),
        LastFailures(),
    )


class _ScheduleParts(NamedTuple):
    """What submits tasks when their time comes."""

    occurrences: Occurrences
    timetable: Timetable
    declarations: Declarations


def _schedules(
    core: Core, routes: Routes, dispatch: Dispatch, completion: Completion, keyring: Keyring
) -> _ScheduleParts:
    may = MayRun(keyring.find)
    occurrences = Occurrences(
        core.store, routes, dispatch, completion, core.agenda, may.why_not, core.shard.number
    )
    timetable = Timetable(
        core.store, routes, occurrences, core.agenda, core.report, may.why_not, Work(core.seconds)
    )
    return _ScheduleParts(
        occurrences, timetable, Declarations(core.store, timetable, core.agenda, core.report)
    )


class _FlowParts(NamedTuple):
    """Tasks that belong together, and what happens when the last of them has ended."""

    flows: Flows
    callbacks: FlowCallbacks
    waits: FlowWaits
    retention: FlowRetention


def _flows(
    core: Core, routes: Routes, dispatch: Dispatch, completion: Completion, keyring: Keyring
) -> _FlowParts:
    store, agenda = core.store, core.agenda
    flows = Flows(core, completion)
    callbacks = FlowCallbacks(store, routes, dispatch, agenda, core.report, keyring.find, facts)
    waits, retention = FlowWaits(store, agenda, core.released), FlowRetention(core)
    flows.ended_listeners += [callbacks.ended, waits.ended, retention.ended]
    return _FlowParts(flows, callbacks, waits, retention)


def _measure(attempts: AttemptParts, submits: SubmitParts, series: Series) -> None:
    """What is given out and what comes back is counted in the same minute."""
    submits.dispatch.meters = submits.dispatch.parked.meters = series.meter
    attempts.completion.meters = attempts.completion.unsuccessful.meters = series.meter


def _let_consult(
    attempts: AttemptParts,
    lanes: LaneParts,
    submits: SubmitParts,
    workers: _WorkerParts,
    flows: Flows,
    keyring: Keyring,
) -> None:
    """Set here and not handed in: these are made of parts that consult them."""
    consulted = attempts.consulted
    consulted.needs, consulted.becomings, consulted.parents = (
        submits.dependencies,
        submits.becomings,
        submits.parents,
    )
    consulted.uniques, consulted.handlers = submits.uniques, submits.handlers
    consulted.quotas, consulted.bounds = submits.quotas, submits.full_queues
    consulted.flows, consulted.signals, consulted.limits = flows, attempts.signals, lanes.limits
    consulted.keys, consulted.workers = keyring, workers.membership
    consulted.struck = lanes.struck_tasks
    consulted.attempts = AttemptEnds(workers.attempt_log, workers.causes)


def _listen(
    core: Core,
    lanes: LaneParts,
    attempts: AttemptParts,
    submits: SubmitParts,
    items: _ItemParts,
    workers: _WorkerParts,
    occurrences: Occurrences,
    flows: Flows,
) -> None:
    """What is called when something happens, in its order."""
    for ended in (
        submits.quotas.ended,  # while their lanes are known
        lanes.routes.ended,
        submits.subscriptions.ended,
        items.consumers.ended,
        attempts.retention.ended,
        submits.dependencies.ended,
        submits.becomings.ended,
        workers.last_failures.ended,
        occurrences.ended,
        attempts.steps.ended,
        submits.parents.ended,
        flows.ended,
        submits.handlers.ended,
    ):
        core.endings.listen(ended)
    if submits.edges is not None:
        core.endings.listen(submits.edges.promises.ended)
    for revived in (items.consumers.revived, occurrences.revived, flows.revived):
        core.endings.listen_to_revivals(revived)
    for resumed in (items.items.resumed, submits.lent_slots.resumed):
        lanes.routes.listen_to_resumes(resumed)
    submits.becomings.listener = submits.lent_slots.became
    submits.subscriptions.coming = submits.full_queues.coming
    attempts.leases.listen_to_cancels(workers.orders.order_cancel)


def _others(core: Core) -> Sequence[Part]:
    store = core.store
    primitives = Primitives(store, core.presence, core.timeline, core.agenda, core.released)
    return [
        primitives,
        Locks(primitives),
        Events(primitives, core.released),
        Barriers(primitives, core.released),
        core.released,
        NamedValues(store, core.report),
        UnusedSpace(core),
    ]
