"""Tasks that are the same by a key, a queue with a bound, and tenants: what is asked of the cluster, and the laws.

::

    U1  of one key no two tasks wait or run, where that is a conflict
    U2  of one key no two are scheduled, where the next one replaces the one before
    U3  of one key no two are accepted within the period
    Q1  a submit brings no queue above its bound
    T1  before a tenant with something ready is served, no other one is served twice

The draws are from a source of its own, so that seeds without it are what they were. A task that an operator made run again is no
witness of the first three.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from random import Random
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tq.common.domain.columns import LaneColumns
from tq.common.domain.ids import id_behind
from tq.common.domain.model import State, StateNumber
from tq.common.domain.text_columns import TextColumn
from tq.common.domain.unique import OPEN, RAISE, REPLACE, RETURN, SKIP, Unique, terms_of

from .instants import Wrong
from .tables import Ask

if TYPE_CHECKING:
    from .load import Spec
    from .steered import SteeredLaws

EVERY: Final = 17  # seeds
BOUNDED, TENANTS = 11, 16  # those that leave this rest
QUEUE, MAXSIZE = "narrow", 5
PERIOD_SECONDS: Final = 2.0
KEYS: Final = ("a", "b", "c")
ONCE, REPLACED, COOLED = "once", "replaced", "cooled"
NAMES: Final = ("acme", "beta", "corp")  # of tenants
UNSURE: Final = frozenset({"expires", "needs", "where"})  # with these no worker may take what is ready
SCHEDULED, RUNNING = int(StateNumber.SCHEDULED), int(StateNumber.RUNNING)
WAITING: Final = (
    "SELECT id FROM tasks JOIN routes USING (route) LEFT JOIN queues ON name = queue"
    " WHERE state = 0 AND priority = 0 AND NOT coalesce(paused, 0) AND lane <> x''"
)
WAITING_RUNS: Final = (
    "SELECT arrays.id, slices.seq - arrays.seq, slices.stop - slices.seq FROM slices JOIN arrays ON arrays.seq = array"
    " JOIN routes USING (route) LEFT JOIN queues ON name = queue"
    " WHERE state = 0 AND priority = 0 AND NOT coalesce(paused, 0) AND lane <> x''"
)
IN_QUEUE: Final = (
    "SELECT coalesce(sum(tasks), 0) FROM ("
    "SELECT count(*) AS tasks FROM tasks JOIN routes USING (route) WHERE queue = 'narrow' AND state < 3"
    " UNION ALL SELECT sum(stop - seq) FROM slices JOIN routes USING (route) WHERE queue = 'narrow' AND state < 3)"
)
BOUND: Final = "SELECT maxsize FROM queues WHERE name = 'narrow'"


class Same(NamedTuple):
    """What a task is the same as others by."""

    kind: str
    terms: list[Any]

    @property
    def key(self) -> str:
        return str(self.terms[0])


def some_unique(random: Random) -> tuple[Same, dict[str, Any]]:
    """And the options that belong to it."""
    kind = random.choice((ONCE, REPLACED, COOLED))
    key = f"{kind} {random.choice(KEYS)}"
    if kind == ONCE:
        unique = Unique(states=OPEN, on_conflict=random.choice((RETURN, RAISE, SKIP)))
    elif kind == REPLACED:
        unique = Unique(states=("scheduled",), on_conflict=REPLACE)
    else:
        unique = Unique(states=tuple(map(str, State)), period=PERIOD_SECONDS)
    delay = random.choice((0.5, 2.0)) if kind == REPLACED else 0.0
    return Same(kind, list(terms_of(unique, key))), {"max_crashes": 4} | ({"delay": delay} if delay else {})


def tenants(random: Random, specs: list[Spec]) -> dict[str, Any]:
    """What a submit of these says beside them: whose turn each takes."""
    one = random.choice(NAMES)
    names = [one if random.random() < 0.7 else random.choice(NAMES) for _ in specs]
    for spec, name in zip(specs, names, strict=True):
        spec.tenant = name
    return LaneColumns(tenant=TextColumn.of(names)).to_wire()


class CrowdLaws:
    """Looks at the events of each transaction, and at what is stored then."""

    def __init__(self, specs: Mapping[bytes, Spec], steered: SteeredLaws | None = None) -> None:
        """``steered``: what an operator sets meanwhile."""
        self._specs, self._steered = specs, steered
        self._revived: set[bytes] = set()
        self._accepted: dict[
            str, tuple[bytes, int]
        ] = {}  # of each key that cools down: the last one, and when
        self._bound = 0
        self._waiting: dict[str, set[bytes]] = {}  # by tenant, what of it is ready
        self._missed: dict[str, Counter[str]] = {}  # by these: how often others were served since
        self.count = 0  # of answers in which one tenant was served and another one waited

    def undone(self) -> None:
        """A transaction was voided or a master begins, and reads its store: whose turn it was is forgotten."""
        self._missed.clear()

    def look(
        self, ask: Ask, events: Collection[Mapping[str, Any]], steady: int, gone: Collection[bytes]
    ) -> None:
        for event in events:
            if event["what"] == "revived":
                self._revived.add(event["id"])
            elif event["what"] == "submitted":
                self._cool_down(event["id"], steady, gone)
        self._check_same(ask)
        self._check_bound(ask, events)
        self._check_turns(ask, events)

    # tasks that are the same by a key

    def _cool_down(self, id: bytes, steady: int, gone: Collection[bytes]) -> None:
        spec = self._specs.get(id)
        if spec is None or spec.same is None or spec.same.kind != COOLED:
            return
        before = self._accepted.get(spec.same.key)
        self._accepted[spec.same.key] = id, steady
        if before is not None and before[0] not in gone and before[0] != id:
            passed = steady - before[1]
            if passed < PERIOD_SECONDS * 1000:
                raise Wrong("U3", f"it was accepted {passed} ms after another one with its key", id)

    def _check_same(self, ask: Ask) -> None:
        seen: set[str] = set()
        for id, state in ask(f"SELECT id, state FROM tasks WHERE state <= {RUNNING}"):  # noqa: S608
            spec = self._specs.get(id)
            if spec is None or spec.same is None or id in self._revived:
                continue
            kind, key = spec.same.kind, spec.same.key
            if kind == ONCE or (kind == REPLACED and state == SCHEDULED):
                if key in seen:
                    raise Wrong(
                        "U1" if kind == ONCE else "U2", f"there is another one with the key {key!r}", id
                    )
                seen.add(key)

    # a queue with a bound

    def _check_bound(self, ask: Ask, events: Collection[Mapping[str, Any]]) -> None:
        before, self._bound = self._bound, next((row[0] for row in ask(BOUND)), 0)
        mine = [event for event in events if self._is_narrow(event.get("id"))]
        if before != self._bound or not any(event["what"] == "submitted" for event in mine):
            return
        back = sum(
            event["what"] == "revived"
            or (event["what"] in ("ended", "returned") and event["state"] < RUNNING)
            for event in mine
        )
        [[waiting]] = ask(IN_QUEUE)
        if self._bound and waiting - back > self._bound:
            raise Wrong("Q1", f"{waiting} tasks wait in a queue for {self._bound}, {back} came back", None)

    def _is_narrow(self, id: bytes | None) -> bool:
        spec = None if id is None else self._specs.get(id)
        return spec is not None and spec.queue == QUEUE

    # turns

    def _check_turns(self, ask: Ask, events: Collection[Mapping[str, Any]]) -> None:
        waiting = self._ready_tenants(ask)
        if self._steered is not None and self._steered.turn_changed:
            self._missed.clear()
        served: dict[bytes, Counter[str]] = {}  # by answer
        for event in events:
            if event["what"] == "leased":
                spec = self._specs.get(event["id"])
                if spec is not None and not spec.options.get("priority"):
                    served.setdefault(event["lease"], Counter())[spec.tenant] += 1
        for tenant in list(self._missed):
            if tenant not in waiting:
                del self._missed[tenant]
        for tenant, ids in waiting.items():
            if ids.isdisjoint(self._waiting.get(tenant, ())):
                self._missed.pop(tenant, None)  # it had nothing ready in between
                continue
            missed = self._missed.setdefault(tenant, Counter())
            for tasks in served.values():
                if tenant in tasks:
                    missed.clear()
                    continue
                self.count += 1
                missed.update(tasks)
                other, times = max(missed.items(), key=lambda item: item[1], default=("", 0))
                if times > (1 if self._steered is None else self._steered.weight(other)):
                    raise Wrong(
                        "T1" if self._steered is None else "M2",
                        f"{other or 'those without one'} had {times} tasks before {tenant} had one",
                        None,
                    )
        self._waiting = waiting

    def _ready_tenants(self, ask: Ask) -> dict[str, set[bytes]]:
        ids = [row[0] for row in ask(WAITING)]
        for first, place, length in ask(WAITING_RUNS):
            ids += [id_behind(first, place + number) for number in range(length)]
        found: dict[str, set[bytes]] = {}
        for id in ids:
            spec = self._specs.get(id)
            if spec is None or not spec.tenant or UNSURE & spec.options.keys():
                continue
            steered = self._steered
            if steered is None or not (spec.tenant in steered.full or steered.may_hold(spec)):
                found.setdefault(spec.tenant, set()).add(id)
        return found
