"""Queues with an order, calls that run together, and keys with a quota: what is asked of the cluster, and the laws.

::

    O1  in a lifo queue nothing starts before what was submitted later, of the same priority
    O2  with aging nothing of priority q starts before what has priority p and was submitted (q - p) * aging earlier; and nothing of a lower
        priority before a higher one that was submitted so much less than that later
    O3  of the same priority nothing starts before what has an earlier deadline
    C1  a lease has as many calls of one function as run together, or several times as many
    C2  or fewer, but not before the first of them has waited for company as long as it may; but for those that need something of their worker, which
        may have room for fewer
    Q3  a submit brings no key above its quota
    Q4  what the master counts of a key is what the rows say, after a restart at once

The draws are from a source of its own, so that seeds without it are what they were. The first three speak of tasks that were ready at the
commit before, and are compared with those that are ready still.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from random import Random
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tq.common.auth.keys import Verifier
from tq.common.domain.ids import id_behind
from tq.common.domain.key_quota import KeyQuota
from tq.common.domain.model import Role
from tq.common.wire.frames import unpack
from tq.master.tasks.key_quotas import KeyQuotas

from .instants import Wrong
from .tables import Ask

if TYPE_CHECKING:
    from .load import Spec

EVERY: Final = 19  # seeds
ORDERED, OWNED = 6, 13  # those that leave this rest
NEWEST, AGING, URGENT = "newest", "aging", "urgent"
AGING_MS: Final = 2_000
ORDERS: Final[tuple[tuple[str, list[Any]], ...]] = (  # what is set: of which queue, its order and aging
    (NEWEST, ["lifo", None]),
    (AGING, [None, AGING_MS / 1000]),
)
TOGETHER, COMPANY_MS = 4, 300
TOGETHER_TASK: Final = "jobs:short"
QUOTA: Final = 30
OWNER: Final = "owned"
KEY: Final = Verifier(
    key_id=OWNER,
    role=Role.CLIENT,
    kdf="none",
    stored_key=b"",
    server_key=b"",
    quota=KeyQuota(max_queued=QUOTA),
)
ALONE: Final = (
    "SELECT id, seq, priority, created, deadline, queue FROM tasks JOIN routes USING (route)"
    " WHERE state = 0 AND queue IN ('newest', 'aging', 'urgent')"
)
RUNS: Final = (
    "SELECT arrays.id, slices.seq, slices.priority, arrays.created, slices.deadline, queue, arrays.seq, slices.stop"
    " FROM slices JOIN arrays ON arrays.seq = array JOIN routes USING (route)"
    " WHERE state = 0 AND queue IN ('newest', 'aging', 'urgent')"
)
SET: Final = "SELECT name, lifo, aging FROM queues"
UNFINISHED: Final = (
    "SELECT lane, sum(tasks) FROM ("
    "SELECT lane, 1 AS tasks FROM tasks JOIN routes USING (route) WHERE state <= 3 AND lane <> x''"
    " UNION ALL SELECT lane, stop - seq FROM slices JOIN routes USING (route) WHERE state <= 3 AND lane <> x'') GROUP BY lane"
)
OF_OWNER: Final = 5  # where a lane's key has it, behind handler and mixed


class Ready(NamedTuple):
    queue: str
    seq: int
    priority: int
    created: int
    deadline: int | None


def ordered_options(random: Random) -> tuple[str, dict[str, Any]]:
    """A queue, and what its tasks say."""
    queue, options = random.choice((NEWEST, AGING, URGENT)), {"max_crashes": 4, "retries": 2, "backoff": 0.1}
    if random.random() < 0.4:
        options["priority"] = random.choice((1, 2, 5) if queue == AGING else (3, -3))
    if queue == URGENT:
        options["deadline"] = random.randint(1, 30)
    return queue, options


def together(specs: Collection[Spec]) -> None:
    """These calls run as one with others of their function."""
    for spec in specs:
        spec.columns, spec.is_together = {"coalesce": [TOGETHER, COMPANY_MS]}, True


class OrderLaws:
    def __init__(self) -> None:
        self._ready: dict[bytes, Ready] = {}
        self._set: dict[str, tuple[int, int]] = {}
        self.count = 0  # of starts that were compared

    def look(self, ask: Ask, events: Collection[Mapping[str, Any]]) -> None:
        ready, orders = _ready(ask), {name: (lifo, aging) for name, lifo, aging in ask(SET)}
        still = [one for id, one in self._ready.items() if ready.get(id) == one]
        for event in events:
            started = self._ready.get(event["id"]) if event["what"] == "leased" else None
            if started is None or self._set.get(started.queue) != orders.get(started.queue):
                continue
            for other in still:
                if other.queue == started.queue:
                    self.count += 1
                    self._compare(started, other, *orders.get(started.queue, (0, 0)), event["id"])
        self._ready, self._set = ready, orders

    @staticmethod
    def _compare(started: Ready, other: Ready, lifo: int, aging: int, id: bytes) -> None:
        more, later = started.priority - other.priority, started.created - other.created
        if aging:
            if more >= 0 and later >= more * aging and started.seq > other.seq:
                raise Wrong(
                    "O2", f"it was submitted {later} ms after one that waits, and has {more} steps more", id
                )
            if more < 0 and -later < (-more - 1) * aging:
                raise Wrong(
                    "O2",
                    f"it was submitted {-later} ms before one that waits, and has {-more} steps less",
                    id,
                )
        elif more < 0:
            raise Wrong("O1" if lifo else "O3", "one of a higher priority waits", id)
        elif more == 0 and lifo and started.seq < other.seq:
            raise Wrong("O1", "one that was submitted later waits", id)
        elif more == 0 and not lifo and _turn(started) > _turn(other):
            raise Wrong("O3", "one with an earlier deadline waits, or an older one with the same", id)


def _turn(one: Ready) -> tuple[float, int]:
    return float("inf") if one.deadline is None else one.deadline, one.seq


def _ready(ask: Ask) -> dict[bytes, Ready]:
    found = {
        id: Ready(queue, seq, priority, created, deadline)
        for id, seq, priority, created, deadline, queue in ask(ALONE)
    }
    for first, start, priority, created, deadline, queue, of, stop in ask(RUNS):
        for seq in range(start, stop):
            found[id_behind(first, seq - of)] = Ready(queue, seq, priority, created, deadline)
    return found


class OwnedLaws:
    """Of quotas and of calls that run together."""

    def __init__(self, specs: Mapping[bytes, Spec]) -> None:
        self._specs = specs
        self._since: dict[bytes, int] = {}  # when each was submitted, by the master's steady clock
        self.count = 0  # of leases of calls that run together
        self.most = self._had = 0  # tasks of the key, ever and at the commit before

    def look(self, ask: Ask, events: Collection[Mapping[str, Any]], quotas: KeyQuotas, steady: int) -> None:
        self._check_company(events, steady)
        have = sum(tasks for lane, tasks in ask(UNFINISHED) if _owner(lane) == OWNER)
        self.most = max(self.most, have)
        if (counted := quotas.use(OWNER).tasks) != have:
            raise Wrong("Q4", f"{counted} tasks of the key are counted, and it has {have}", None)
        back = sum(event["what"] == "revived" for event in events)
        before, self._had = self._had, have
        if have - back > max(QUOTA, before):  # it may have more than its quota since some came back
            raise Wrong("Q3", f"the key has {have} tasks, {back} came back, and its quota is {QUOTA}", None)

    def _check_company(self, events: Collection[Mapping[str, Any]], steady: int) -> None:
        together: dict[bytes, list[bytes]] = {}
        for event in events:
            spec = self._specs.get(event["id"]) if "id" in event else None
            if spec is None or not spec.is_together:
                continue
            if event["what"] == "submitted":
                self._since[spec.id] = steady
            elif event["what"] == "leased":
                together.setdefault(event["lease"], []).append(spec.id)
        for ids in together.values():
            self.count += 1
            if len(ids) > TOGETHER and len(ids) % TOGETHER:
                raise Wrong("C1", f"{len(ids)} calls are leased, and {TOGETHER} run together", ids[0])
            waited = steady - min(self._since[id] for id in ids)
            if len(ids) < TOGETHER and waited < COMPANY_MS and not self._specs[ids[0]].options.get("needs"):
                raise Wrong(
                    "C2", f"{len(ids)} start after {waited} ms, and wait {COMPANY_MS} for others", ids[0]
                )


def _owner(lane: bytes) -> str:
    parts = unpack(lane)
    return str(parts[OF_OWNER]) if len(parts) > OF_OWNER else ""
