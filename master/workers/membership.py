"""The workers of the cluster: they announce themselves, become absent, reconnect, or are lost.

::

    announce ──► connected ──closed──► absent ──grace over──► lost: its leases end
                  ▲   │  silent for one lease ─────────────────────►  │
                  │   └─────────────────────────────────────────────┐ │
                  └───────────── announce (held leases) ◄───────────┴─┘

``master/engine/presence.py`` decides when a worker is absent, and when an absent worker is lost.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, NamedTuple

from ...common.contract.workers import PoolSlots
from ...common.errors import InvalidArgument, ProtocolError
from ...common.values.failure import Failure
from ..engine.accounts import Account, Resource
from ..engine.agenda import Agenda
from ..engine.clock import Now
from ..engine.long_calls import LongCalls
from ..engine.part import Part
from ..engine.presence import Node, Presence
from ..engine.rates import WorkerRates
from ..engine.session import Call, Session
from ..store.interface.store import Picture, Store
from ..tasks.completion import Completion
from ..tasks.leases import Leases
from ..tasks.placements import Seat
from ..tasks.reports import held_rows
from ..tasks.route import Capability, CapabilityKey
from ..tasks.routes import Routes
from .membership_log import MembershipLog
from .worker_info import BeatFacts, WorkerInfo

ORDERS_MIN: Final = 1_000  # kept for a worker that does not ask for orders, before obsolete ones are removed
FORGET_ABSENT_MS: Final = 3_600_000  # an absent worker without leases is listed for an hour
WORKER_BYTES: Final = 1_024  # memory of a listed worker, besides its announcement
WORKERS_MAX: Final = 100_000
# Leases that one transaction ends for workers: a quarter of a second if all had begun
ENDED_MAX: Final = 1_000


class Cost(NamedTuple):
    """What a worker's announcement costs on the account of its key."""

    account: Account
    size_bytes: int

    def give_back(self) -> None:
        self.account.give(Resource.ANNOUNCED_BYTES, self.size_bytes)


@dataclass(kw_only=True, slots=True, eq=False)
class Worker:
    node: bytes
    number: int
    presence: Node
    info: WorkerInfo | None = None  # None: known from the store, and not announced since this master started
    cost: Cost | None = None
    signatures: dict[str, bytes] = field(default_factory=dict)  # by task: see signatures.py
    session: Session | None = None
    capability: Capability | None = None  # of all its pools together
    pools: list[Capability] = field(
        default_factory=list
    )  # of each, if it has several: these are what is leased for
    since: int = 0  # steady ms
    started: frozenset[bytes] = frozenset()  # the tasks it runs, as of its last beat
    memory_bytes: int | None = None  # of the worker and its children, as of its last beat
    said_pools: tuple[PoolSlots, ...] = ()  # as of its last beat; none of an older worker
    coroutines: frozenset[str] = frozenset()  # which of its tasks are coroutine functions, as it said last
    draining: bool = False  # it was ordered to drain, or has said that it drains
    has_left: bool = False  # it ended by itself: it is not expected back, and not listed
    is_losing: bool = False  # its leases are ended, a portion in each transaction
    rates: WorkerRates | None = None  # measured since its first announcement
    starting: set[bytes] = field(default_factory=set)  # suspects that it has announced as about to start
    orders: dict[bytes, list[Any]] = field(default_factory=dict)  # by the id of the task
    orders_max: int = ORDERS_MIN  # with so many, obsolete ones are removed
    orders_call: Call | None = None

    def note(self, said: BeatFacts) -> None:
        """What it says of itself in a heartbeat, for people to see."""
        self.memory_bytes, self.said_pools = said.memory_bytes, said.pools
        if said.coroutines is not None and self.info is not None:
            # The names that it announced, and pays for.
            self.coroutines = frozenset(filter(said.coroutines.__contains__, self.info.tasks))

    @property
    def leasing(self) -> list[Capability]:
        """What its lease calls are parked at, by the number of the pool."""
        return self.pools or ([] if self.capability is None else [self.capability])

    @property
    def state(self) -> str:
        """The state that is shown to people."""
        if self.session is None:
            return "absent" if self.presence.lost_at is None else "reconnecting"
        return "draining" if self.draining else "here"


class Membership(Part):
    """All workers this master knows of."""

    name = "absent workers"

    def __init__(
        self,
        store: Store,
        routes: Routes,
        leases: Leases,
        completion: Completion,
        presence: Presence,
        agenda: Agenda,
        long_calls: LongCalls,
        log: MembershipLog,
    ) -> None:
        self._store, self._routes, self._running, self._completion = store, routes, leases.running, completion
        self._leases, self._cancelling, self._log = leases, leases.cancelling, log
        self._presence, self._agenda = presence, agenda
        self._long_calls = long_calls
        self._left = ENDED_MAX  # leases of lost workers that this transaction ends
        self.by_node: dict[bytes, Worker] = {}
        self.by_number: dict[int, Worker] = {}

    def load(self, picture: Picture, now: Now) -> None:
        """Take the store's numbers of workers. A worker that holds leases and is not connected has the time of one lease
        to reconnect. A worker that was announced in a transaction that failed is unknown again.
        """
        numbers = {node: number for number, node, _, _ in picture.workers}
        holders = {row.worker for row in picture.running} | {row.worker for row in picture.slices}
        self.by_number.clear()
        for worker in list(self.by_node.values()):
            number = numbers.get(worker.node)
            if number is None:
                self._remove(worker)
            else:
                worker.number = number
                self.by_number[number] = worker
                _seat(self._routes, worker)
        for node, number in numbers.items():
            if node not in self.by_node and number in holders:
                expected = self._presence.expect(node, now, serves=True)
                self._add(Worker(node=node, number=number, presence=expected))

    def listed(self) -> list[Worker]:
        """Workers that are connected or may reconnect, and have announced themselves."""
        return [one for one in self.by_node.values() if one.info is not None and not one.has_left]

    def of(self, session: Session) -> Worker:
        """The worker of a session; ProtocolError if the session has not announced one."""
        worker = self.by_node.get(session.node)
        if worker is None or worker.session is not session:
            raise ProtocolError("announce must be a worker's first call on every connection")
        return worker

    # calls of workers

    def announce(self, session: Session, info: WorkerInfo, held: list[list[Any]], now: Now) -> list[bytes]:
        """A worker connects or reconnects; returns the ids of ``held`` that are no longer its own."""
        if session.node not in self.by_node and len(self.by_node) >= WORKERS_MAX:
            raise InvalidArgument(f"more than {WORKERS_MAX:,} workers")
        worker = self.by_node.get(session.node)
        if (
            worker is None or worker.capability is None
        ):  # a known worker may change what it serves, even on a full account: it may become less
            for key in (_capability_key(info, session), *_pool_keys(info, session)):
                self._routes.served.check_room(key, session.account)
        cost = Cost(session.account, WORKER_BYTES + info.size_bytes)
        self._pay(cost)  # before any change: a refusal leaves everything as it was
        worker = self.by_node.get(
            session.node
        )  # again: to make room, ``_pay`` may have removed this very worker
        number = self._store.put_worker(session.node, info.host, info.pid, now.steady, info.version_of_code)
        presence = self._presence.serve(session, now)
        if worker is None:
            worker = self._add(Worker(node=session.node, number=number, presence=presence))
        if worker.cost is not None:  # of its earlier announcement
            worker.cost.give_back()
        worker.cost, worker.signatures = cost, {}
        if worker.session is not session:
            self._log.joined(session, info, again=worker.info is not None and not worker.has_left)
        worker.info, worker.session, worker.presence, worker.since = info, session, presence, now.steady
        self._agenda.set(self, session.node, None)
        worker.draining = worker.has_left = worker.is_losing = False
        worker.said_pools, worker.coroutines = (), frozenset()
        worker.started = frozenset()  # a beat follows
        worker.rates = worker.rates or WorkerRates(now.mono)
        worker.orders.clear()
        worker.orders_call = None
        self._set_capability(worker, info, session)
        _seat(self._routes, worker)
        return self._reconcile(worker, held, now)

    def _pay(self, cost: Cost) -> None:
        """Charge the announcement. Removes absent workers of the same key to make room; raises QuotaExceeded if that is not enough."""
        absent = (one for one in list(self.by_node.values()) if one.cost and one.cost.account is cost.account)
        while not cost.account.takes(Resource.ANNOUNCED_BYTES, cost.size_bytes):
            gone = next((one for one in absent if one.session is None and one.presence.lost_at is None), None)
            if gone is None:
                raise cost.account.refusal(Resource.ANNOUNCED_BYTES, cost.size_bytes)
            self._remove(gone)

    def beat(self, session: Session, started: list[Any], facts: Any, now: Now) -> None:
        """Note the tasks that a worker runs, at most one for each child. ``facts``: None if this is no heartbeat, but names what
        has begun besides."""
        worker = self.of(session)
        said = None if facts is None else BeatFacts.of(facts)
        if said is not None and said.slots and worker.info is not None:
            worker.info.slots = said.slots
            _seat(self._routes, worker)
        slots = worker.info.slots + worker.info.lent if worker.info is not None else 0
        before = self.own(worker, list(worker.started)) if said is None else ()
        worker.started = frozenset(self._completion.began(held_rows(started[:slots]), now)).union(before)
        if said is None:
            return
        worker.note(said)
        if said.draining:  # its parked lease calls are not answered: it would only return the tasks
            worker.draining = True
            _unpark_leases(worker)
            _seat(self._routes, worker)
        worker.starting &= self._running.keys()

    def starting(self, session: Session, ids: list[bytes]) -> None:
        """A worker is about to start suspects: if it dies now, the crash is charged to these and not to its other tasks."""
        worker = self.of(session)
        worker.starting.update(self.own(worker, ids))

    def own(self, worker: Worker, ids: list[bytes]) -> list[bytes]:
        """The ids of these whose lease belongs to this worker; it may not report on others."""
        found = ((id, self._running.get(id)) for id in ids)
        return [id for id, held in found if held is not None and held.worker == worker.number]

    def ended(self, session: Session, attempts: int, now: Now) -> None:
        """Count ended attempts of a worker, for its rate."""
        worker = self.of(session)
        if worker.rates is not None and attempts:
            worker.rates.add(attempts, now.mono)

    def leave(self, session: Session, now: Now) -> None:
        """A worker ends by itself: its tasks are handed back without a grace or a charge, and it is not listed any more. What it
        served is remembered as long as an absent worker's, for `tq why`."""
        worker = self.of(session)
        _unpark_leases(worker)
        worker.session = worker.orders_call = None
        worker.has_left = True
        _seat(self._routes, worker)
        self._log.left(worker.node, worker.info)
        self._presence.leave(worker.presence)
        self._forget_later(worker)
        if self._lose(worker, now):
            self._presence.give_up(worker.presence, now)

    def serving(self, queue: str, task: str) -> tuple[int, int]:
        """How many connected workers serve a callable in a queue, and how many are connected."""
        connected = [one.capability for one in self.by_node.values() if one.session is not None]
        able = {one: one.serves(queue, task) for one in set(connected) if one is not None}
        return sum(able[one] for one in connected if one is not None), len(connected)

    # sessions and nodes

    def must_reconnect(self, session: Session) -> bool:
        return session.node in self.by_node

    def closed(self, session: Session, now: Now) -> None:
        worker = self.by_node.get(session.node)
        if worker is not None and worker.session is session:
            worker.session = worker.orders_call = None
            worker.orders.clear()
            _seat(self._routes, worker)

    def begin(self) -> None:
        self._left = ENDED_MAX

    def node_lost(self, node: bytes, now: Now) -> bool:
        """End leases of a lost worker, as many as this transaction has room for."""
        worker = self.by_node.get(node)
        if worker is None:
            return False
        if worker.session is not None:  # it is connected and was silent for too long
            _unpark_leases(worker)
            worker.session = worker.orders_call = None
            _seat(self._routes, worker)
        self._forget_later(worker)
        return self._lose(worker, now)

    def _forget_later(self, worker: Worker) -> None:
        self._agenda.set(self, worker.node, worker.presence.last_seen + FORGET_ABSENT_MS)

    def due(self, key: Hashable, now: Now) -> None:
        """Remove a worker that was absent for FORGET_ABSENT_MS from the list."""
        worker = self.by_node.get(key) if isinstance(key, bytes) else None
        if worker is not None and worker.session is None and worker.presence.lost_at is None:
            self._remove(worker)

    def _lose(self, worker: Worker, now: Now) -> bool:
        """End leases of a worker that is gone; whether some are left. Those of one that has left are handed back. The fate of the
        tasks of others is unknown, except of suspects that it had not announced as about to start: these are handed back.

        So a task that kills its worker charges a crash to the worker's other tasks once. From then on all of them are
        suspects, and only the one that runs when the next worker dies is charged again.
        """
        mine = list(islice(self._running.of_worker(worker.number), self._left + 1))
        if not (worker.is_losing or worker.has_left):
            held = sum(1 for _ in self._running.of_worker(worker.number))
            self._log.lost(worker.node, worker.info, held)
        worker.is_losing = len(mine) > self._left
        del mine[self._left :]
        self._left -= len(mine)
        spared = [id for id, held in mine if worker.has_left or (held.suspect and id not in worker.starting)]
        self._completion.hand_back(dict.fromkeys(spared), now)
        host = worker.info.host if worker.info else "unknown host"
        body = Failure(
            type="WorkerLost",
            message=f"the worker on {host} vanished while it held the task",
            detail={"outcome": "lost"},
        ).encode()
        self._completion.lose([id for id, _ in mine], body, now)
        if not worker.is_losing:
            worker.starting.clear()
        return worker.is_losing

    def _reconcile(self, worker: Worker, held: list[list[Any]], now: Now) -> list[bytes]:
        kept: dict[bytes, None] = {}
        dropped: list[bytes] = []
        rows = list(held_rows(held))
        for id, attempt, lease, _ in rows:
            mine = self._running.get(id)
            if mine is not None and mine.attempt == attempt and mine.lease == lease:
                kept[id] = None
            else:  # it ended or went to another worker meanwhile: the worker must drop it
                dropped.append(id)
        others = ((id, held) for id, held in self._running.of_worker(worker.number) if id not in kept)
        left = [(id, held.attempt, held.lease, None) for id, held in others]
        # What it does not have: in place of what was not handed back yet since its last announcement.
        release = self._completion.release
        self._long_calls.perform(None, left, release, now, most=ENDED_MAX, owner=worker.node)
        self._completion.began(rows, now)
        for id in kept:
            if id in self._cancelling:  # an order that was on its way when the connection broke is lost
                self._leases.cancel_asked(id)
        return dropped

    def _set_capability(self, worker: Worker, info: WorkerInfo, session: Session) -> None:
        served = self._routes.served
        before = [worker.capability, *worker.pools]
        worker.capability = served.capability(_capability_key(info, session), session.account)
        worker.pools = [served.capability(key, session.account) for key in _pool_keys(info, session)]
        self._retire(before)

    def _retire(self, capabilities: Iterable[Capability | None]) -> None:
        """Forget those that no worker has any more."""
        for capability in dict.fromkeys(capabilities):
            if capability is not None and not any(
                capability is worker.capability or capability in worker.pools
                for worker in self.by_node.values()
            ):
                self._routes.served.forget_capability(capability)

    def _add(self, worker: Worker) -> Worker:
        self.by_node[worker.node] = self.by_number[worker.number] = worker
        return worker

    def _remove(self, worker: Worker) -> None:
        del self.by_node[worker.node]
        self.by_number.pop(worker.number, None)
        self._agenda.set(self, worker.node, None)
        if worker.session is not None:
            self._presence.leave(worker.presence)
        before = [worker.capability, *worker.pools]
        worker.capability, worker.pools = None, []
        self._retire(before)
        if worker.cost is not None:
            worker.cost.give_back()
            worker.cost = None


def _seat(routes: Routes, worker: Worker) -> None:
    """Whether it may be given what only some workers are given."""
    if worker.session is None or worker.draining or worker.info is None or worker.capability is None:
        routes.placements.gone(worker.number)
    else:
        seat = Seat(worker.capability, worker.info.labels, worker.info.resources)
        routes.placements.announced(worker.number, seat)
        routes.placements.places.announced(worker.number, worker.info.slots)


def _unpark_leases(worker: Worker) -> None:
    """Remove a worker's parked lease calls, although their connection is still open."""
    for capability in worker.leasing:
        mine = [one for one in capability.parked.values() if one.worker == worker.number]
        for parked in mine:
            del capability.parked[parked.call]
            parked.call.abandon = None


def _capability_key(info: WorkerInfo, session: Session) -> CapabilityKey:
    return CapabilityKey(
        session.verifier.key_id,
        frozenset(info.tasks),
        tuple(sorted(info.allow)),
        tuple(sorted(info.queues or ())),
        tuple(session.verifier.queues),
    )


def _pool_keys(info: WorkerInfo, session: Session) -> list[CapabilityKey]:
    return [
        CapabilityKey(
            session.verifier.key_id,
            frozenset(tasks),
            tuple(sorted(allow)),
            tuple(sorted(queues)),
            tuple(session.verifier.queues),
            tuple(sorted(but)),
        )
        for tasks, allow, queues, but in info.pools
    ]
