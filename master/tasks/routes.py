"""Routes, queues, and the workers that can serve them: the engine's picture of what waits where. Pure.

A *route* is one callable in one queue; a worker either serves a route or does not. Workers that serve
the same routes share one *capability*, which has one queue of their parked lease calls: a thousand
equal workers are one queue, not a thousand.

A capability is compared with each route once, and with a bounded number of routes in a transaction. So the cost of an
announcement in one transaction does not depend on how many routes there are or how expensive the worker's patterns are.
Each pair that matches is charged to the account of the key whose workers serve the route (``Resource.SERVED_ROUTES``).

Invariant: a route's counts equal the store's at every commit (``Picture.counts``).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from ...common.domain.globs import STEPS_OF_ROW, fits_any, glob
from ...common.domain.model import StateNumber, check_name
from ...common.domain.naming import is_allowed
from ...common.errors import InvalidArgument
from ..engine.accounts import Account, Resource
from ..engine.clock import Now
from ..engine.endings import Ended
from ..engine.part import Part
from ..engine.rates import RECENT_MS, Rate
from ..engine.session import Call, Session
from ..engine.work import GLANCES
from ..store.interface.store import Picture, Store

ROUTES_MAX = 100_000  # callables × queues; a bound on what a client can make the master remember
COMPARED_AT_ONCE: Final = 40_000  # glances, see engine/work.py: fifty milliseconds
TURN_ROUTES: Final = 1_000  # compared with one capability before it is the turn of the next
READY: Final = int(StateNumber.READY)
BLOCKED: Final = int(StateNumber.BLOCKED)
_STATES = max(StateNumber) + 1


class Queue:
    __slots__ = ("name", "paused", "rate", "reason", "routes", "since")

    def __init__(self, name: str) -> None:
        self.name, self.paused, self.reason = name, False, ""
        self.since: int | None = None  # steady ms; while paused
        self.rate: Rate | None = None  # of attempts that end; None until one has
        self.routes: list[Route] = []

    @property
    def is_used(self) -> bool:
        """Whether anything waits or runs in it, or it is paused."""
        return self.paused or not all(route.is_empty for route in self.routes)

    def count(self, state: StateNumber) -> int:
        return sum(route.counts[state] for route in self.routes)


class Route:
    __slots__ = ("capabilities", "counts", "has_large", "number", "queue", "readied", "task")

    def __init__(self, number: int, queue: Queue, task: str) -> None:
        self.number, self.queue, self.task = number, queue, task
        self.counts = [0] * _STATES
        self.readied = 0  # how often something of it became ready, or another task instead of itself
        self.has_large = False  # its payloads must be measured when they are leased
        self.capabilities: dict[Capability, None] = {}

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits or runs."""
        return not any(self.counts[: StateNumber.RUNNING + 1])

    @property
    def has_work(self) -> bool:
        return self.counts[0] > 0 and not self.queue.paused


class ParkedLease(NamedTuple):
    call: Call
    want: int
    worker: int  # its number in the store


class CapabilityKey(NamedTuple):
    key_id: str  # part of the key, so that each key pays for its own workers' served routes
    tasks: frozenset[str]
    allow: tuple[str, ...]  # patterns of other callables it would import
    queues: tuple[str, ...]  # patterns the worker asked for; empty: all
    allowed: tuple[str, ...]  # patterns its key allows


class Capability:
    """What a set of equal workers can serve, and their parked lease calls."""

    def __init__(self, key: CapabilityKey, account: Account) -> None:
        self.key, self.account = key, account
        self.looked = 0  # how many routes, in their order, were compared
        self.routes: list[Route] = []
        self.parked: OrderedDict[Call, ParkedLease] = OrderedDict()

    def knows(self, task: str) -> bool:
        return task in self.key.tasks or is_allowed(task, self.key.allow)

    def serves(self, queue: str, task: str) -> bool:
        return self.knows(task) and self.takes_from(queue)

    def takes_from(self, queue: str) -> bool:
        """Whether its patterns of queues, and those of its key, have this one."""
        return all(
            not patterns or fits_any(queue, patterns) for patterns in (self.key.queues, self.key.allowed)
        )

    def unpark(self, call: Call) -> None:
        """Remove a parked call."""
        self.parked.pop(call, None)

    def glances(self, route: Route) -> int:
        """The cost of comparing it with a route: see ``GLANCES``."""
        key = self.key
        names = [glob(one).steps(route.task) for one in key.allow]
        queues = [glob(one).steps(route.queue.name) for one in (*key.queues, *key.allowed)]
        return 1 + len(names) + len(queues) + (sum(names) + sum(queues)) * GLANCES // STEPS_OF_ROW


class Routes(Part):
    """All routes and queues, and the capabilities that serve them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.by_number: dict[int, Route] = {}
        self.queues: dict[str, Queue] = {}
        self.capabilities: dict[CapabilityKey, Capability] = {}
        self._ready: dict[
            Route, None
        ] = {}  # all routes with ready tasks, and some that had: see ``forget_idle``
        self.readied = 0  # how often something became ready, or another task instead of itself
        self._in_order: list[Route] = []
        self._behind: dict[Capability, None] = {}  # not yet compared with all routes; they take turns
        self._full: dict[Capability, None] = {}  # likewise, but the account of their key is full
        self._left = COMPARED_AT_ONCE  # comparisons left in this transaction
        self._by_name: dict[tuple[str, str], Route] = {}
        self._resume_listeners: list[Callable[[str], None]] = []

    def listen_to_resumes(self, listener: Callable[[str], None]) -> None:
        self._resume_listeners.append(listener)

    def resumed(self, queue: str) -> None:
        """A queue is no longer paused: call the listeners."""
        for route in self.queue(queue).routes:
            self._is_ready(route)
        for listener in self._resume_listeners:
            listener(queue)

    def load(self, picture: Picture, now: Now) -> None:
        """Take the store's picture. Capabilities and their parked calls stay: their sessions are still open."""
        self.by_number.clear()
        self.queues.clear()
        self._by_name.clear()
        self._ready.clear()
        self._in_order.clear()
        for capability in self.capabilities.values():
            capability.account.give(Resource.SERVED_ROUTES, len(capability.routes))
            capability.routes.clear()
            capability.looked = 0
        for name, paused, reason, since in picture.queues:
            queue = self.queue(name)
            queue.paused, queue.reason, queue.since = bool(paused), reason, since
        for number, queue_name, task in picture.routes:
            self._add(number, queue_name, task)
        for number, state, tasks in picture.counts:
            route = self.by_number[number]
            self.count(route, state, tasks)
            route.has_large |= state < StateNumber.RUNNING  # the size of stored payloads is unknown
        for row in picture.running:
            route = self.by_number[row.route]
            route.counts[StateNumber.RUNNING] += 1
            route.has_large = True  # and of leased ones, which may return
        for slice in picture.slices:
            route = self.by_number[slice.route]
            route.counts[StateNumber.RUNNING] += slice.stop - slice.seq
            route.has_large = True
        self._behind = dict.fromkeys(self.capabilities.values())
        self._full.clear()
        self.match_routes()

    def route(self, queue: str, task: str, account: Account | None = None) -> Route:
        """The route of a callable in a queue, created on first use and charged to ``account``, which may raise QuotaExceeded."""
        route = self._by_name.get((queue, task))
        if route is None:
            check_name("queue", queue)
            check_name("task", task)
            if len(self.by_number) >= ROUTES_MAX:
                raise InvalidArgument(
                    f"there are {ROUTES_MAX:,} task names in queues already; use fewer names"
                )
            if account is not None:
                account.take(Resource.NAMES)
            route = self._add(self._store.add_route(queue, task), queue, task)
        return route

    def queue(self, name: str) -> Queue:
        queue = self.queues.get(name)
        if queue is None:
            queue = self.queues[name] = Queue(check_name("queue", name))
        return queue

    def is_paused(self, name: str) -> bool:
        queue = self.queues.get(name)
        return queue is not None and queue.paused

    def capability(self, key: CapabilityKey, account: Account) -> Capability:
        capability = self.capabilities.get(key)
        if capability is None:
            capability = self.capabilities[key] = Capability(key, account)
            self._behind[capability] = None
            self._look()
        return capability

    def check_room(self, key: CapabilityKey, account: Account) -> None:
        """Raises QuotaExceeded for a new kind of worker when the account of its key is full."""
        if key not in self.capabilities:
            account.check(Resource.SERVED_ROUTES, 1)

    def forget_capability(self, capability: Capability) -> None:
        """No worker has this capability any more."""
        self.capabilities.pop(capability.key, None)
        self._behind.pop(capability, None)
        self._full.pop(capability, None)
        capability.account.give(Resource.SERVED_ROUTES, len(capability.routes))
        self._behind |= self._full  # its account may have room again
        self._full.clear()
        for route in capability.routes:
            del route.capabilities[capability]

    def finished(self) -> int:
        """How many terminal tasks the store keeps."""
        return sum(sum(route.counts[StateNumber.SUCCEEDED :]) for route in self.by_number.values())

    def move(self, route: int, before: int, after: int, tasks: int = 1) -> None:
        counts = self.by_number[route].counts
        counts[before] -= tasks
        counts[after] += tasks
        if after == READY:
            self._is_ready(self.by_number[route])
        elif after == BLOCKED:  # who waits for it waits for what it became, which may have been ready before
            self.by_number[route].readied += 1
            self.readied += 1

    def count(self, route: Route, state: int, tasks: int) -> None:
        """Add so many tasks in this state."""
        route.counts[state] += tasks
        if state == READY:
            self._is_ready(route)

    def _is_ready(self, route: Route) -> None:
        """Something of it became ready, or may be given to some worker from now on."""
        self._ready[route] = None
        route.readied += 1
        self.readied += 1

    def with_work(self, capability: Capability) -> list[Route]:
        """The routes it serves that have work. Iterates over the smaller of the two sets: most routes have no work."""
        if len(self._ready) < len(capability.routes):
            return [route for route in self._ready if route.has_work and capability in route.capabilities]
        return [route for route in capability.routes if route.has_work]

    def forget_idle(self) -> None:
        """Drop routes without ready tasks from ``_ready``."""
        for route in [route for route in self._ready if route.counts[READY] <= 0]:
            del self._ready[route]

    def ended(self, tasks: Sequence[Ended], now: Now) -> None:
        """Count tasks that have ended."""
        routes = self.by_number
        for run, route, before, state, _, _ in tasks:
            counts = routes[route].counts
            counts[before] -= run.length
            counts[state] += run.length

    def attempts_ended(self, attempts_of: Mapping[int, int], now: int) -> None:
        """Count ended attempts, by route, for the rates of the queues."""
        for number, attempts in attempts_of.items():
            queue = self.by_number[number].queue
            if queue.rate is None:
                queue.rate = Rate(RECENT_MS, now)
            queue.rate.add(attempts, now)

    def __iter__(self) -> Iterator[Route]:
        return iter(self.by_number.values())

    def _add(self, number: int, queue_name: str, task: str) -> Route:
        queue = self.queue(queue_name)
        route = Route(number, queue, task)
        queue.routes.append(route)
        self.by_number[number] = self._by_name[(queue_name, task)] = route
        self._in_order.append(route)
        self._behind.update((one, None) for one in self.capabilities.values() if one not in self._full)
        self._look()
        return route

    # which capability serves which route

    def has_more(self) -> bool:
        """Whether some capability was not compared with all routes yet."""
        return bool(self._behind)

    def give_out(self, now: Now) -> None:
        self.match_routes()
        self.forget_idle()

    def match_routes(self) -> None:
        """Compare capabilities with routes, within the share of one transaction."""
        self._left = COMPARED_AT_ONCE
        self._look()

    def _look(self) -> None:
        while self._behind and self._left > 0:
            capability = next(iter(self._behind))
            del self._behind[capability]
            upto = min(len(self._in_order), capability.looked + TURN_ROUTES)
            while capability.looked < upto and self._left > 0:
                route = self._in_order[capability.looked]
                self._left -= capability.glances(route)
                if capability.serves(route.queue.name, route.task) and not self._add_served(
                    route, capability
                ):
                    break
                capability.looked += 1
            if capability.looked < len(self._in_order) and capability not in self._full:
                self._behind[capability] = None  # after all other capabilities

    def _add_served(self, route: Route, capability: Capability) -> bool:
        """Whether the account had room for it."""
        if not capability.account.takes(Resource.SERVED_ROUTES, 1):
            self._full[capability] = None
            return False
        capability.routes.append(route)
        route.capabilities[capability] = None
        self._is_ready(route)
        return True


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
