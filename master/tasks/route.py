"""What tasks are scheduled by: queues, routes with their lanes, and the workers that serve them, as records in memory. Pure.

A *route* is one callable in one queue. Its tasks stand in *lanes*: the lane is what tells tasks of a route
apart when they are handed out: whose turn it takes (a tenant), which limits it counts for and with which key, and what a worker must have
to run it. A task without any of these stands in the plain lane, which is the route itself. The number that a task's row has as its
``route`` is that of its lane, so what counts tasks by route counts them by lane::

    route   q, m:fetch                                    1   plain
    lanes   q, m:fetch, tenant acme                       2   base 1
            q, m:fetch, limit per-host with key a.example 3   base 1
            q, m:fetch, held by strike 7                  4   base 1, see struck_tasks.py

What is held back is a lane that is not looked at, so that it costs the others nothing (see lanes.py).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final, NamedTuple

from ...common.domain.globs import STEPS_OF_ROW, fits_any, glob
from ...common.domain.model import StateNumber, TaskOptions
from ...common.domain.naming import is_allowed
from ...common.domain.placing import Placing
from ...common.domain.tenants import TenantTerms
from ...common.wire.frames import pack, unpack
from ..engine.accounts import Account
from ..engine.rates import Rate
from ..engine.session import Call
from ..engine.work import GLANCES
from ..store.interface.routes import QueueRow
from ..store.interface.tasks import LaneOrder
from .lane_share import LaneShare

READY: Final = int(StateNumber.READY)
RUNNING: Final = int(StateNumber.RUNNING)
_STATES: Final = max(StateNumber) + 1


ALONE: Final = 1, 0


class LaneKey(NamedTuple):
    """What sets tasks apart from others of their callable and queue when they are handed out."""

    tenant: str = ""  # whose turn they take
    limits: tuple[
        tuple[str, str, int], ...
    ] = ()  # name of a limit, the key in it, units that a task counts for
    needs: bytes = b""  # what a worker must have to run them, packed
    handler: bytes = b""  # what is made of each that ends without success, packed: see failure_handlers.py
    is_mixed: bool = False  # of arrays whose tasks stand in lanes of their own: see mixed.py
    owner: str = ""  # the key whose quota they count for: see key_quotas.py
    coalesce: tuple[int, int] = ALONE  # how many run as one, and for how many ms the first one waits
    has_deadline: bool = False  # those that have one are ordered by it
    strikes: tuple[int, ...] = ()  # that held them, by their arguments, when they came here

    @property
    def base(self) -> LaneKey:
        """Of the lane with the same workers, and nothing to wait for but them."""
        return LaneKey(needs=self.needs, handler=self.handler)

    def packed(self) -> bytes:
        """As the store keeps it: empty for the plain lane."""
        if self == PLAIN:
            return b""
        others: list[object] = [self.handler, self.is_mixed, self.owner, self.coalesce, self.has_deadline]
        others.append(self.strikes)
        while others and others[-1] in (b"", False, "", ALONE, ()):
            others.pop()
        return pack([self.tenant, self.limits, self.needs, *others])

    @classmethod
    def unpacked(cls, kept: bytes) -> LaneKey:
        if not kept:
            return PLAIN
        tenant, limits, needs, *others = unpack(kept)
        named = tuple((name, key, units) for name, key, units in limits)
        usual: tuple[Any, ...] = (b"", False, "", ALONE, False, ())
        handler, is_mixed, owner, (calls, ms), has_deadline, strikes = tuple(others) + usual[len(others) :]
        return cls(tenant, named, needs, handler, is_mixed, owner, (calls, ms), has_deadline, tuple(strikes))


PLAIN: Final = LaneKey()


def packed_placing(options: TaskOptions) -> bytes:
    """What the tasks of a submit ask of their worker; empty: nothing."""
    return pack([options.needs, options.where]) if options.needs or options.where else b""


def unpacked_placing(kept: bytes) -> Placing:
    needs, where = unpack(kept)
    return Placing(tuple((name, amount) for name, amount in needs), where)


class Queue:
    __slots__ = (
        "aging",
        "counts",
        "is_lifo",
        "is_ordered",
        "key",
        "maxsize",
        "name",
        "paused",
        "period",
        "rate",
        "ready",
        "reason",
        "since",
        "until",
    )

    def __init__(self, name: str) -> None:
        self.name, self.paused, self.reason = name, False, ""
        self.since: int | None = None  # steady ms, as the next one; while paused
        self.until: int | None = None  # when it goes on by itself
        self.key = ""  # the id of the key that paused it
        self.maxsize = 0  # how many tasks may wait in it; 0: any number
        self.is_ordered = False  # its tasks do not go by priority and age alone, but:
        self.is_lifo = False  # those that were submitted last go first
        self.aging = 0  # so many ms of waiting count as one step of priority,
        self.period = 0  # and that is the number of the period that counts as now
        self.rate: Rate | None = None  # of attempts that end; None until one has
        self.counts = [0] * _STATES  # of all its lanes: there may be very many
        self.ready: dict[Route, None] = {}  # its lanes with ready tasks

    def take(self, row: QueueRow) -> None:
        self.paused, self.reason, self.since = bool(row.paused), row.reason, row.since
        self.until, self.key, self.maxsize = row.until, row.key, row.maxsize
        self.ordered(is_lifo=bool(row.lifo), aging=row.aging)

    def ordered(self, *, is_lifo: bool, aging: int) -> None:
        self.is_lifo, self.aging, self.is_ordered = is_lifo, aging, is_lifo or aging > 0

    @property
    def is_used(self) -> bool:
        """Whether anything waits or runs in it, or it is paused or has a bound."""
        return self.paused or self.maxsize > 0 or self.is_ordered or any(self.counts[: RUNNING + 1])

    @property
    def waiting(self) -> int:
        """How many tasks of it no worker has."""
        return sum(self.counts[:RUNNING])


class Tenant:
    """Whose tasks take turns with those of others. That without a name has all tasks without a tenant."""

    __slots__ = ("counts", "lanes", "last", "left", "max_running", "name", "weight")

    def __init__(self, name: str, last: int, terms: TenantTerms) -> None:
        self.name, self.last = name, last  # the number of its last turn: see turns.py
        self.weight = self.left = terms.weight  # how many tasks a turn has, and how many are left of this one
        self.max_running = terms.max_running
        self.lanes = 0
        self.counts = [0] * _STATES  # of all its lanes

    @property
    def room(self) -> int:
        """How many of its tasks may start, as far as it says itself."""
        most = self.max_running
        return self.counts[READY] if most is None else max(0, most - self.counts[RUNNING])

    @property
    def is_full(self) -> bool:
        return self.max_running is not None and self.counts[RUNNING] >= self.max_running


class Route:
    """A lane; the plain one stands for the whole route, with ``plain`` being itself."""

    __slots__ = (
        "account",
        "asks",
        "base",
        "capabilities",
        "company_until",
        "counts",
        "has_large",
        "held",
        "key",
        "number",
        "others",
        "place",
        "plain",
        "queue",
        "readied",
        "share",
        "struck",
        "task",
        "tenant",
        "total",
    )

    def __init__(
        self,
        number: int,
        queue: Queue,
        task: str,
        tenant: Tenant,
        key: LaneKey = PLAIN,
        base: Route | None = None,
        plain: Route | None = None,
    ) -> None:
        """``base``: of a lane that is held back by something else than workers, the one that the same workers serve."""
        self.number, self.queue, self.task, self.key = number, queue, task, key
        self.tenant, self.base, self.plain = tenant, base or self, plain or self
        self.others = 0  # lanes whose base it is
        self.counts = [0] * _STATES
        # The same list, and the same dict of workers below, not copies: what changes in one is so for all, without a walk over ten thousand lanes.
        self.total: list[int] = [0] * _STATES if plain is None else plain.total  # of all lanes of the route
        self.share: LaneShare | None = None  # of mixed arrays; None: it has nothing in any
        self.readied = 0  # how often something of it became ready, or another task instead of itself
        self.has_large = False  # its payloads must be measured when they are leased
        self.capabilities: dict[Capability, None] = {} if base is None else base.capabilities
        self.place: LanePlace | None = None  # in the line of lanes; None: it is not in it
        # The limit and the key in it that hold it back, out of the line
        self.held: tuple[str, str] | None = None
        self.struck: tuple[int, ...] = ()  # the numbers of the strikes that hold it: see struck.py
        self.asks: tuple[
            int, ...
        ] = ()  # of those that some of its tasks have to be compared with, one by one
        self.account: Account | None = None  # that it is charged to
        self.company_until: int | None = None  # steady ms: until then its tasks wait for others to run with

    def add(self, state: int, tasks: int) -> None:
        """So many more of its tasks are in this state, or fewer: what is counted of it is counted of all that it belongs to."""
        queue = self.queue
        self.counts[state] += tasks
        self.total[state] += tasks
        queue.counts[state] += tasks
        if not self.key.is_mixed:  # each of its tasks has its own
            self.tenant.counts[state] += tasks
        if state == READY:
            if self.counts[READY] > 0:
                queue.ready[self] = None
            else:
                queue.ready.pop(self, None)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits or runs."""
        return self.share is None and not any(self.counts[: StateNumber.RUNNING + 1])

    @property
    def is_used(self) -> bool:
        """Whether the store has a task of it, or an array that is here, or other lanes refer to it. What is not used is forgotten."""
        return self.is_plain or self.share is not None or self.others > 0 or any(self.counts)

    @property
    def is_in_store(self) -> bool:
        """Whether something is ready that the store finds by the lane."""
        return self.counts[READY] > 0

    @property
    def ready(self) -> int:
        """How many of its tasks are ready, those in mixed arrays, too."""
        return self.counts[READY] + (0 if self.share is None else self.share.ready)

    @property
    def running(self) -> int:
        """The same of those that are leased."""
        return self.counts[RUNNING] + (0 if self.share is None else self.share.running)

    @property
    def has_work(self) -> bool:
        return self.counts[READY] > 0 and not self.queue.paused and not self.struck

    @property
    def is_stopped(self) -> bool:
        """Whether an operator holds it back."""
        return self.queue.paused or bool(self.struck)

    @property
    def is_base(self) -> bool:
        """Whether its tasks wait for nothing but a worker."""
        return self.base is self

    @property
    def is_plain(self) -> bool:
        """Whether it is the route itself, which is never forgotten."""
        return self.plain is self

    @property
    def is_in_line(self) -> bool:
        """Whether its tasks are not for every worker that serves them, or not at any time: see lanes.py."""
        return self.base is not self or bool(self.key.needs) or self.queue.is_ordered

    @property
    def order(self) -> LaneOrder | None:
        """In which order its tasks are leased; None: by priority and age, as also those that it has in mixed arrays."""
        queue = self.queue
        if not (self.key.has_deadline or queue.is_ordered):
            return None
        return LaneOrder(queue.is_lifo, queue.aging, queue.period, self.key.has_deadline)

    @property
    def runs_together(self) -> bool:
        """Whether several of its tasks run as one: then they are leased together."""
        return self.key.coalesce != ALONE

    @property
    def may_be_held(self) -> bool:
        """Whether something else than workers may hold it back."""
        return bool(self.key.limits) or self.runs_together


class LanePlace(NamedTuple):
    """What has the lower one goes first."""

    rank: int  # below zero: the priority, with what waiting adds to it
    seq: int  # its turn among those of this priority, mostly its number: see ``TaskStore.first_ready``
    is_known: bool = True  # False: it goes first until it is looked up


class ParkedLease(NamedTuple):
    call: Call
    want: int
    worker: int  # its number in the store
    waits: bool = True  # else it is answered with nothing when there is nothing


class CapabilityKey(NamedTuple):
    key_id: str  # part of the key, so that each key pays for its own workers' served routes
    tasks: frozenset[str]
    allow: tuple[str, ...]  # patterns of other callables it would import
    queues: tuple[str, ...]  # patterns the worker asked for; empty: all
    allowed: tuple[str, ...]  # patterns its key allows
    but: tuple[str, ...] = ()  # patterns of queues that are left to other pools of the worker


class Capability:
    """What a set of equal workers can serve, and their parked lease calls."""

    def __init__(self, key: CapabilityKey, account: Account) -> None:
        self.key, self.account = key, account
        self.looked = 0  # how many routes, in their order, were compared
        self.routes: dict[Route, None] = {}  # none but base lanes
        self.parked: OrderedDict[Call, ParkedLease] = OrderedDict()

    def knows(self, task: str) -> bool:
        return task in self.key.tasks or is_allowed(task, self.key.allow)

    def serves(self, queue: str, task: str) -> bool:
        return self.knows(task) and self.takes_from(queue)

    def takes_from(self, queue: str) -> bool:
        """Whether its patterns of queues, and those of its key, have this one."""
        key = self.key
        if key.but and fits_any(queue, key.but):
            return False
        return all(not patterns or fits_any(queue, patterns) for patterns in (key.queues, key.allowed))

    def unpark(self, call: Call) -> None:
        """Remove a parked call."""
        self.parked.pop(call, None)

    def glances(self, route: Route) -> int:
        """The cost of comparing it with a route: see ``GLANCES``."""
        key = self.key
        names = [glob(one).steps(route.task) for one in key.allow]
        queues = [glob(one).steps(route.queue.name) for one in (*key.queues, *key.allowed, *key.but)]
        return 1 + len(names) + len(queues) + (sum(names) + sum(queues)) * GLANCES // STEPS_OF_ROW
