"""Lanes, queues, and who can serve them: the engine's picture of what waits where. Pure.

A *lane* is one callable in one queue; a worker either can serve a lane or cannot. Workers that can serve
the same lanes share one *capability*, and their parked lease calls stand in one line there: a thousand
equal workers are one line, not a thousand.

Invariant: a lane's counts equal the store's at every commit (``Picture.counts``).
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ...common.domain.globs import fits_any
from ...common.domain.model import StateNumber, check_name
from ...common.domain.naming import is_allowed
from ...common.errors import InvalidArgument
from ..engine.accounts import Account, What
from ..engine.clock import Now
from ..engine.endings import Ended
from ..engine.session import Call
from ..observe.gauges import RECENT_MS, Rate
from ..store.interface.store import Picture, Store

LANES_MAX = 100_000  # callables × queues; a bound on what a client can make the master remember
_STATES = max(StateNumber) + 1


class Queue:
    __slots__ = ("lanes", "name", "paused", "rate", "reason", "since")

    def __init__(self, name: str) -> None:
        self.name, self.paused, self.reason = name, False, ""
        self.since: int | None = None  # steady ms; while paused
        self.rate: Rate | None = None  # of attempts that end; since there was one
        self.lanes: list[Lane] = []

    @property
    def is_used(self) -> bool:
        """Whether anything waits or runs in it, or it is paused."""
        return self.paused or not all(lane.is_empty for lane in self.lanes)

    def count(self, state: StateNumber) -> int:
        return sum(lane.counts[state] for lane in self.lanes)


class Lane:
    __slots__ = ("capabilities", "counts", "has_large", "number", "queue", "task")

    def __init__(self, number: int, queue: Queue, task: str) -> None:
        self.number, self.queue, self.task = number, queue, task
        self.counts = [0] * _STATES
        self.has_large = False  # payloads that have to be measured when they are handed out
        self.capabilities: list[Capability] = []

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
    tasks: frozenset[str]
    allow: tuple[str, ...]  # patterns of other callables it would import
    queues: tuple[str, ...]  # patterns the worker asked for; empty: all
    allowed: tuple[str, ...]  # patterns its key allows


class Capability:
    """What a set of equal workers can serve, and their lease calls that wait."""

    def __init__(self, key: CapabilityKey) -> None:
        self.key = key
        self.lanes: list[Lane] = []
        self.parked: OrderedDict[Call, ParkedLease] = OrderedDict()

    def knows(self, task: str) -> bool:
        return task in self.key.tasks or is_allowed(task, self.key.allow)

    def serves(self, queue: str, task: str) -> bool:
        return self.knows(task) and all(
            not patterns or fits_any(queue, patterns) for patterns in (self.key.queues, self.key.allowed)
        )

    def unpark(self, call: Call) -> None:
        """It is not to be answered any more."""
        self.parked.pop(call, None)

    def lanes_with_work(self) -> list[Lane]:
        return [lane for lane in self.lanes if lane.has_work]


class Lanes:
    """All of them, by number and by name."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.by_number: dict[int, Lane] = {}
        self.queues: dict[str, Queue] = {}
        self.capabilities: dict[CapabilityKey, Capability] = {}
        self._by_name: dict[tuple[str, str], Lane] = {}

    def load(self, picture: Picture) -> None:
        """Take the store's picture; capabilities and their parked calls stay."""
        self.by_number.clear()
        self.queues.clear()
        self._by_name.clear()
        for capability in self.capabilities.values():
            capability.lanes.clear()
        for name, paused, reason, since in picture.queues:
            queue = self.queue(name)
            queue.paused, queue.reason, queue.since = bool(paused), reason, since
        for number, queue_name, task in picture.lanes:
            self._add(number, queue_name, task)
        for number, state, tasks in picture.counts:
            lane = self.by_number[number]
            lane.counts[state] = tasks
            lane.has_large |= state < StateNumber.RUNNING  # nobody knows how large they are
        for row in picture.running:
            lane = self.by_number[row.lane]
            lane.counts[StateNumber.RUNNING] += 1
            lane.has_large = True  # nor of what comes back

    def lane(self, queue: str, task: str, account: Account | None = None) -> Lane:
        """The lane of a callable in a queue, made on first use: for ``account``, which may raise QuotaExceeded."""
        lane = self._by_name.get((queue, task))
        if lane is None:
            check_name("queue", queue)
            check_name("task", task)
            if len(self.by_number) >= LANES_MAX:
                raise InvalidArgument(
                    f"there are {LANES_MAX:,} task names in queues already; use fewer names"
                )
            if account is not None:
                account.take(What.NAMES)
            lane = self._add(self._store.add_lane(queue, task), queue, task)
        return lane

    def queue(self, name: str) -> Queue:
        queue = self.queues.get(name)
        if queue is None:
            queue = self.queues[name] = Queue(check_name("queue", name))
        return queue

    def is_paused(self, name: str) -> bool:
        queue = self.queues.get(name)
        return queue is not None and queue.paused

    def capability(self, key: CapabilityKey) -> Capability:
        capability = self.capabilities.get(key)
        if capability is None:
            capability = self.capabilities[key] = Capability(key)
            for lane in self.by_number.values():
                self._introduce(lane, capability)
        return capability

    def forget_capability(self, capability: Capability) -> None:
        """Nobody announces it any more."""
        self.capabilities.pop(capability.key, None)
        for lane in capability.lanes:
            lane.capabilities.remove(capability)

    def finished(self) -> int:
        """How many terminal tasks the store keeps."""
        return sum(sum(lane.counts[StateNumber.SUCCEEDED :]) for lane in self.by_number.values())

    def move(self, lane: int, before: int, after: int) -> None:
        counts = self.by_number[lane].counts
        counts[before] -= 1
        counts[after] += 1

    def ended(self, tasks: Sequence[Ended], now: Now) -> None:
        """Tasks have ended: for the counts."""
        lanes = self.by_number
        for _, lane, before, state, _, _ in tasks:
            counts = lanes[lane].counts
            counts[before] -= 1
            counts[state] += 1

    def attempts_ended(self, lanes: Iterable[int], now: int) -> None:
        """Attempts of these lanes, one each time it is named, have ended: for the queues' rates."""
        for number, attempts in Counter(lanes).items():
            queue = self.by_number[number].queue
            if queue.rate is None:
                queue.rate = Rate(RECENT_MS, now)
            queue.rate.add(attempts, now)

    def __iter__(self) -> Iterator[Lane]:
        return iter(self.by_number.values())

    def _add(self, number: int, queue_name: str, task: str) -> Lane:
        queue = self.queue(queue_name)
        lane = Lane(number, queue, task)
        queue.lanes.append(lane)
        self.by_number[number] = self._by_name[(queue_name, task)] = lane
        for capability in self.capabilities.values():
            self._introduce(lane, capability)
        return lane

    @staticmethod
    def _introduce(lane: Lane, capability: Capability) -> None:
        if capability.serves(lane.queue.name, lane.task):
            capability.lanes.append(lane)
            lane.capabilities.append(capability)


def numbers(lanes: Iterable[Lane]) -> list[int]:
    return [lane.number for lane in lanes]
