"""Routes, queues, and the workers that can serve them: the engine's picture of what waits where. Pure.

A *route* is one callable in one queue, and its tasks stand in lanes (see route.py); a worker either serves a base lane or does
not. Workers that serve the same ones share one *capability*, which has one queue of their parked lease calls: a thousand
equal workers are one queue, not a thousand. A lane of which the store has no task any more is forgotten; the plain one stays.

Invariant: a route's counts equal the store's at every commit (``Picture.counts``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

from ...common.domain.limit_parts import LimitHere
from ...common.domain.model import StateNumber, check_name
from ...common.domain.tenants import NO_TERMS, TenantTerms
from ...common.errors import InvalidArgument
from ..engine.accounts import Account, Resource, charged
from ..engine.clock import Now
from ..engine.endings import Ended
from ..engine.part import Part
from ..engine.rates import RECENT_MS, Rate
from ..engine.session import Session
from ..limits.permits import Permits
from ..store.interface.store import Picture, Store
from .lanes import Lanes
from .mixed import MixedArrays
from .placements import Placements
from .route import PLAIN, READY, Capability, LaneKey, Queue, Route, unpacked_placing
from .served import ServedRoutes
from .turns import TenantTurns
from .unused_lanes import UnusedLanes

ROUTES_MAX = 100_000  # callables × queues; a bound on what a client can make the master remember
BLOCKED: Final = int(StateNumber.BLOCKED)
RUNNING: Final = int(StateNumber.RUNNING)


class Routes(Part):
    """All routes and queues, and the capabilities that serve them."""

    def __init__(
        self,
        store: Store,
        in_force: Callable[[str], LimitHere | None],
        placements: Placements | None = None,
        terms: Callable[[str], TenantTerms] = lambda name: NO_TERMS,
    ) -> None:
        """``in_force``: what holds under the name of a limit; ``terms``: what is set for a tenant."""
        self._store = store
        self.by_number: dict[int, Route] = {}
        self.plain: dict[int, Route] = {}  # those of them that are no lanes of another
        self.queues: dict[str, Queue] = {}
        self.served = ServedRoutes(self.is_ready)
        self.capabilities = self.served.capabilities
        self._ready: dict[Route, None] = {}  # with ready tasks, and some that had: see ``give_out``
        self.readied = 0  # how often something became ready, or another task instead of itself
        self.arrived: list[tuple[int, int]] = []  # tasks that did and are to be compared with strikes
        self.placements = placements or Placements()
        self.tenants = TenantTurns(terms)
        self.lanes = Lanes(
            partial(_first_ready, store, self.by_number), in_force, self.placements, self.tenants
        )
        self._unused = UnusedLanes(self._forget)
        self.mixed = MixedArrays(store, self.lanes, self.lane, self._unused.look, self._runs_no_more)
        self.of_limit: dict[str, dict[Route, None]] = {}  # lanes, by the name of a limit that they have
        self._by_name: dict[tuple[str, str, LaneKey], Route] = {}
        self._resume_listeners: list[Callable[[str], None]] = []
        self.lane_listeners: list[Callable[[Route], None]] = []  # called with each lane that is made

    def listen_to_resumes(self, listener: Callable[[str], None]) -> None:
        self._resume_listeners.append(listener)

    def resumed(self, queue: str) -> None:
        """A queue is no longer paused: call the listeners. Its lanes have kept their places."""
        for listener in self._resume_listeners:
            listener(queue)

    def load(self, picture: Picture, now: Now) -> None:
        """Take the store's picture. Capabilities and their parked calls stay: their sessions are still open."""
        # Accounts are not in the store: which session pays for a lane is carried over a failed transaction by hand.
        charged = {(lane.queue.name, lane.task, lane.key): lane for lane in self if lane.account is not None}
        self.by_number.clear()
        self.plain.clear()
        self.queues.clear()
        self.tenants.clear()
        self._by_name.clear()
        self._ready.clear()
        self.lanes.clear()
        self.of_limit.clear()
        self.served.clear()
        self.placements.clear()
        for kept in picture.queues:
            self.queue(kept.name).take(kept)
        lanes = [
            (number, queue, task, LaneKey.unpacked(lane)) for number, queue, task, lane in picture.routes
        ]
        # A lane refers to its base and its plain route, which must be there.
        for lane in sorted(lanes, key=_bases_first):
            self._add(*lane)
        _keep_charged(charged, self._by_name, self.lanes.held.permits)
        self._unused.load(self.by_number.values())
        for number, state, tasks in picture.counts:
            route = self.by_number[number]
            self.count(route, state, tasks)
            route.has_large |= state < StateNumber.RUNNING  # the size of stored payloads is unknown
        for number, tasks in _running(picture):
            route = self.by_number[number]
            route.add(RUNNING, tasks)
            route.has_large = True  # and of leased ones, which may return
        self.mixed.load(picture, [one for one in self.by_number.values() if one.key.is_mixed])
        self.served.match()

    def route(self, queue: str, task: str, account: Account | None = None) -> Route:
        """The route of a callable in a queue, created on first use and charged to ``account``, which may raise QuotaExceeded."""
        route = self._by_name.get((queue, task, PLAIN))
        if route is None:
            check_name("queue", queue)
            check_name("task", task)
            if len(self.plain) >= ROUTES_MAX:
                raise InvalidArgument(
                    f"there are {ROUTES_MAX:,} task names in queues already; use fewer names"
                )
            with charged(account, Resource.NAMES):
                route = self._add(self._store.add_route(queue, task), queue, task)
            route.account = account
        return route

    def lane(self, route: Route, key: LaneKey, account: Account | None = None) -> Route:
        """The lane of a route for such tasks, made when it is first needed, on this account, which may raise QuotaExceeded."""
        if key == PLAIN:
            return route.plain
        lane = self._by_name.get((route.queue.name, route.task, key))
        if lane is None:
            # The base first, so that what is charged below is for one lane alone.
            if key != key.base:
                self.lane(route, key.base, account)
            with _charged(account, key):
                number = self._store.add_route(route.queue.name, route.task, key.packed())
                lane = self._add(number, route.queue.name, route.task, key)
            lane.account = account
        self._unused.want(lane)
        return lane

    def plain_number(self, lane: int) -> int:
        """The number of the route that a lane is of."""
        return self.by_number[lane].plain.number

    @property
    def have_permits(self) -> bool:
        """Whether something else than workers bounds how many tasks of some lanes run: limits, or caps of tenants."""
        return bool(self.of_limit) or self.tenants.are_capped

    def queue(self, name: str) -> Queue:
        queue = self.queues.get(name)
        if queue is None:
            queue = self.queues[name] = Queue(check_name("queue", name))
        return queue

    def is_paused(self, name: str) -> bool:
        queue = self.queues.get(name)
        return queue is not None and queue.paused

    def finished(self) -> int:
        """How many terminal tasks the store keeps."""
        return sum(sum(queue.counts[StateNumber.SUCCEEDED :]) for queue in self.queues.values())

    def move(self, route: int, before: int, after: int, seq: int, tasks: int = 1) -> None:
        """Count tasks that went from one state to another: so many, from this number on."""
        lane = self.by_number[route]
        lane.add(before, -tasks)
        lane.add(after, tasks)
        if lane.key.is_mixed:
            self.mixed.moved(lane, seq, seq + tasks, before, after)
        elif before == RUNNING:
            self._runs_no_more(lane, tasks)
        # Cancelled, scheduled again: the lane's first task may have changed. A lease takes from the front in its turn.
        elif before == READY and after != RUNNING:
            self.lanes.left(lane)
        if after == READY:
            if lane.asks:
                self.arrived.append((seq, seq + tasks))
            self.is_ready(lane)
        elif after == BLOCKED:  # who waits for it waits for what it became, which may have been ready before
            self.by_number[route].readied += 1
            self.readied += 1

    def _runs_no_more(self, lane: Route, tasks: int) -> None:
        if lane.key.limits:
            self.lanes.held.give_back(lane, tasks)
        if lane.tenant.max_running is not None:
            self.lanes.freed(lane.tenant)

    def count(self, route: Route, state: int, tasks: int) -> None:
        """Add so many tasks in this state."""
        route.add(state, tasks)
        if state == READY:
            self.is_ready(route)

    def is_ready(self, route: Route) -> None:
        """Something of it became ready, or may be given to some worker from now on."""
        if route.struck or route.key.is_mixed:
            pass  # it stands in line again when no strike holds it; tasks of mixed arrays are ready in their own lanes
        elif route.is_in_line:
            self.lanes.ready(route)
        else:
            self._ready[route] = None
        route.readied += 1
        self.readied += 1

    def with_work(self, capability: Capability) -> list[Route]:
        """The base lanes that it serves and that have work. Iterates over the smaller of the two sets: most have no work."""
        if len(self._ready) < len(capability.routes):
            return [route for route in self._ready if route.has_work and capability in route.capabilities]
        return [route for route in capability.routes if route.has_work and not route.is_in_line]

    def have_work(self, capability: Capability) -> bool:
        """Whether something may wait for a worker of this kind."""
        return bool(self.with_work(capability)) or self.lanes.have_work(capability)

    def ended(self, tasks: Sequence[Ended], now: Now) -> None:
        """Count tasks that have ended."""
        routes = self.by_number
        for run, route, before, state, _, _ in tasks:
            lane = routes[route]
            lane.add(before, -run.length)
            lane.add(state, run.length)
            if lane.key.is_mixed:
                self.mixed.ended(run, before, state)
            elif before == RUNNING:
                self._runs_no_more(lane, run.length)
            elif before == READY:
                self.lanes.left(lane)

    def purged(self, number: int, state: int, tasks: int) -> None:
        """So many tasks that did not run are deleted."""
        lane = self.by_number[number]
        lane.add(state, -tasks)
        if state == READY:
            self.lanes.left(lane)
        self._unused.look(lane)

    def attempts_ended(self, attempts_of: Mapping[int, int], now: int) -> None:
        """Count ended attempts, by route, for the rates of the queues."""
        for number, attempts in attempts_of.items():
            queue = self.by_number[number].queue
            if queue.rate is None:
                queue.rate = Rate(RECENT_MS, now)
            queue.rate.add(attempts, now)

    def __iter__(self) -> Iterator[Route]:
        return iter(self.by_number.values())

    def _add(self, number: int, queue_name: str, task: str, key: LaneKey = PLAIN) -> Route:
        queue, names = self.queue(queue_name), self._by_name
        plain = None if key == PLAIN else names[queue_name, task, PLAIN]
        base = None if key == key.base else names[queue_name, task, key.base]
        tenant = self.tenants.of(key.tenant)
        tenant.lanes += 1
        route = Route(number, queue, task, tenant, key, base, plain)
        if plain is None:
            self.plain[number] = route
        self.by_number[number] = names[queue_name, task, key] = route
        for name, _, _ in key.limits:
            self.of_limit.setdefault(name, {})[route] = None
        if key.needs:
            self.placements.lanes[number] = unpacked_placing(key.needs)
        if route.is_base:
            self.served.add(route)
        else:
            route.base.others += 1
        for listener in self.lane_listeners:
            listener(route)
        return route

    def has_more(self) -> bool:
        """Whether some capability was not compared with all routes yet, or more lanes are unused than one transaction forgets."""
        return self.served.has_more or self._unused.has_more

    def give_out(self, now: Now) -> None:
        self.served.match()
        # Here and not when its last task is leased: most lanes have another task a moment later.
        for route in list(filter(_is_idle, self._ready)):
            del self._ready[route]
        self._unused.work()

    def _forget(self, lane: Route) -> None:
        # Already, by an earlier transaction.
        if self.by_number.get(lane.number) is not lane:
            return
        self._store.drop_lane(lane.number)
        del self.by_number[lane.number], self._by_name[lane.queue.name, lane.task, lane.key]
        if self.tenants.left(lane.tenant):
            self.lanes.freed(lane.tenant)
        for name, _, _ in lane.key.limits:
            del self.of_limit[name][lane]
            if not self.of_limit[name]:
                del self.of_limit[name]
        self.placements.forget(lane.number)
        _give_back(lane, self.lanes.held.permits)
        if lane.is_base:
            self.served.forget(lane)
            self.lanes.forget(lane)
        else:
            lane.base.others -= 1
            self._unused.look(lane.base)


def _running(picture: Picture) -> Iterator[tuple[int, int]]:
    """Routes, by number, and how many of their tasks run. One may come several times."""
    yield from ((row.route, 1) for row in picture.running)
    yield from ((slice.route, slice.stop - slice.seq) for slice in picture.slices)


def _is_idle(route: Route) -> bool:
    """Whether it is none of those that a choice looks at: it has nothing ready, or stands in line by its lanes."""
    return route.counts[READY] <= 0 or bool(route.struck) or route.is_in_line


def _first_ready(store: Store, lanes: Mapping[int, Route], number: int) -> tuple[int, int] | None:
    """Priority and number of the first ready task of a lane, by itself or in a mixed array."""
    lane = lanes[number]
    found = store.first_ready(number, lane.order) if lane.counts[READY] or lane.share is None else None
    place = None if lane.share is None else next(lane.share.first(), None)
    if place is None or (found is not None and (-found[0], found[1]) < place):
        return found
    return -place.rank, place.seq


@contextmanager
def _charged(account: Account | None, key: LaneKey) -> Iterator[None]:
    """Inside it a lane is made. Raises QuotaExceeded; when it raises, nothing is charged."""
    if account is not None and key.limits:
        # Before anything is taken: a refusal must leave nothing charged.
        account.check(Resource.LIMIT_KEYS, len(key.limits))
    with charged(account, Resource.LANES):
        yield
    if account is not None:
        account.note(Resource.LIMIT_KEYS, len(key.limits))


def _keep_charged(
    charged: Mapping[tuple[str, str, LaneKey], Route],
    by_name: Mapping[tuple[str, str, LaneKey], Route],
    permits: Permits,
) -> None:
    """After a failed transaction: lanes that are here still stay on their accounts, and those that are not are given back."""
    for name, before in charged.items():
        lane = by_name.get(name)
        if lane is None:
            _give_back(before, permits)
        else:
            lane.account = before.account


def _give_back(lane: Route, permits: Permits) -> None:
    """It is forgotten, or was made in a transaction that failed, as a plain one must have been: these are never forgotten."""
    if lane.account is not None:
        lane.account.give(Resource.NAMES if lane.is_plain else Resource.LANES)
        permits.left(lane.key.limits, lane.account)


def _bases_first(row: tuple[int, str, str, LaneKey]) -> tuple[bool, bool]:
    *_, key = row
    return key != PLAIN, key != key.base


def numbers(routes: Iterable[Route]) -> list[int]:
    return [route.number for route in routes]


def within(routes: Routes, session: Session) -> Callable[[int], bool]:
    """A function that says whether a route, by number, is in a queue that the session's key may use; it checks each route once."""
    known: dict[int, bool] = {}

    def is_within(number: int) -> bool:
        may = known.get(number)
        if may is None:
            may = known[number] = session.allows_queue(routes.by_number[number].queue.name)
        return may

    return is_within
