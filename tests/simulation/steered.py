"""What an operator sets while the cluster runs: weights and caps of tenants, and strikes; and the laws.

::

    M1  nothing of a tenant starts beyond its cap
    M2  before a tenant with something ready and room is served, another one has one turn at most: so many tasks as its weight (as T1)
    M3  none is given more tasks of a tenant with a cap than it has free places for, while another worker that waits with a free place is left
        without (as L4)
    K1  nothing that a strike holds starts from the answer to who made it until its row is gone, also over restarts; in every third of these
        seeds most tasks have an indexed argument, which differs within a map, and most strikes are on that; of those maps that strikes cut
        into more than a few parts all is held first
    K2  its row is gone when its time is over, or a removal was asked for, and not before

That what was held starts afterwards is a rule of every seed: no task waits without end. The draws are from a source of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tq.common.domain.ids import id_behind
from tq.common.domain.strikes import parse_strike
from tq.common.domain.text_columns import TextColumn
from tq.master.engine.engine import Engine
from tq.master.tasks.routes import Routes
from tq.master.tasks.struck_tasks import StruckTasks

from .crowded import NAMES
from .instants import Wrong
from .tables import Ask

if TYPE_CHECKING:
    from .load import Spec

EVERY, TENANTS = 23, 9  # seeds, and the rest that they leave
PARTS_MAX, PORTION_TASKS = 2, 2  # see master/tasks/struck_tasks.py
RELEASED_MS: Final = 1_000  # lanes that a strike held are put in line again in portions
_STRIKES: Final[Mapping[str, Callable[[Spec], bool]]] = {
    "tenant=acme": lambda spec: spec.tenant == "acme",
    "queue=bulk task=jobs:short": lambda spec: spec.queue == "bulk" and spec.task == "jobs:short",
    "tenant in (beta, 'c*') and queue!=bulk": lambda spec: (
        spec.tenant in ("beta", "corp") and spec.queue != "bulk"
    ),
    "not has tenant and task=jobs:l*": lambda spec: not spec.tenant and spec.task == "jobs:long",
}
_ON_ARGUMENTS: Final[Mapping[str, Callable[[Spec], bool]]] = {
    "tenant=acme": lambda spec: spec.tenant == "acme",
    "arg.to=a": lambda spec: spec.to == "a",
    "task=jobs:s* arg.to in (ab, b)": lambda spec: spec.task == "jobs:short" and spec.to in ("ab", "b"),
    "arg.to~a and tenant!=beta": lambda spec: "a" in spec.to and spec.tenant != "beta",
    "not has arg.to and queue=bulk": lambda spec: not spec.to and spec.queue == "bulk",
    "tenant=corp or arg.to=ab": lambda spec: spec.tenant == "corp" or spec.to == "ab",
}
Holds = Mapping[str, Callable[["Spec"], bool]]
ARGUMENTS: Final = "a", "ab", "b", ""  # that tasks have; the last one: none
RUNNING_ALONE: Final = "SELECT id FROM tasks WHERE state = 3"
RUNNING_RUNS: Final = (
    "SELECT arrays.id, slices.seq - arrays.seq, slices.stop - slices.seq FROM slices JOIN arrays ON arrays.seq = array"
    " WHERE state = 3"
)


class Terms(NamedTuple):
    weight: int = 1
    cap: int | None = None

    def has_room(self, running: int) -> bool:
        return self.cap is None or running < self.cap


class StrikeRow(NamedTuple):
    number: int
    until: int | None


class SteeredLaws:
    """Looks at what is stored after each commit. What a tenant's turn comes to is judged by ``CrowdLaws``, which asks here."""

    def __init__(self, specs: Mapping[bytes, Spec], *, on_arguments: bool = False) -> None:
        self._specs = specs
        strikes = _ON_ARGUMENTS if on_arguments else _STRIKES
        self.holds: Holds = {str(parse_strike(text)): holds for text, holds in strikes.items()}
        self._terms: dict[str, Terms] = {}
        self._running: Counter[str] = Counter()
        self._strikes: dict[str, StrikeRow] = {}  # by condition
        self._holding: dict[str, int] = {}  # those that were answered, and the number of the row
        self._released: dict[str, int] = {}  # when
        self.removing: set[str] = set()  # whose removal was asked for
        self.full: set[str] = set()  # tenants without room, now or at the commit before
        self.turn_changed = False  # something else is set for a tenant
        self._steady = 0
        self.starts = self.kept = 0  # under a cap; while a strike held something
        self.ahead = 0  # how often a worker was given more under a cap than it has free places for

    def reborn(self, engine: Engine) -> None:
        """A master begins. What is work of several transactions is that of few tasks here."""
        struck = engine.part(StruckTasks)
        struck.parts_max, struck.portion_tasks = PARTS_MAX, PORTION_TASKS

    def weight(self, tenant: str) -> int:
        return self._terms.get(tenant, Terms()).weight

    def may_hold(self, spec: Spec) -> bool:
        """Whether a strike holds it, or did until a moment ago."""
        lately = (text for text, moment in self._released.items() if self._steady - moment < RELEASED_MS)
        return any(self.holds[text](spec) for text in (*self._strikes, *lately))

    def struck(self, condition: str) -> None:
        """Who made this strike has the answer."""
        if condition in self._strikes:
            self._holding[condition] = self._strikes[condition].number

    def look(self, ask: Ask, events: Collection[Mapping[str, Any]], engine: Engine) -> None:
        self._steady = engine.now.steady
        leased = [
            (event["worker"], self._specs[event["id"]]) for event in events if event["what"] == "leased"
        ]
        self._check_strikes(ask, [spec for _, spec in leased])
        self._check_caps(ask, Counter(spec.tenant for _, spec in leased))
        if not self.turn_changed:
            self._check_places(Counter((worker, spec.tenant) for worker, spec in leased), engine)

    def _check_strikes(self, ask: Ask, leased: Iterable[Spec]) -> None:
        before = self._strikes
        self._strikes = {
            condition: StrikeRow(number, until)
            for number, condition, until in ask("SELECT strike, condition, until FROM strikes")
        }
        for condition, row in before.items():
            now = self._strikes.get(condition)
            if now is not None and now.number == row.number:
                continue
            self._released[condition] = self._steady
            self._holding.pop(condition, None)
            if condition not in self.removing and (row.until is None or row.until > self._steady):
                raise Wrong("K2", f"the strike on {condition} is gone before its time", None)
        for condition in self._holding:
            self.kept += 1
            for spec in leased:
                if spec.task and self.holds[condition](spec):
                    raise Wrong("K1", f"it was started, and a strike on {condition} holds it", spec.id)

    def _check_caps(self, ask: Ask, leased: Mapping[str, int]) -> None:
        terms = {
            name: Terms(weight, cap)
            for name, weight, cap in ask("SELECT name, weight, max_running FROM tenants")
        }
        running: Counter[str] = Counter()
        for id in _running(ask):
            running[self._specs[id].tenant] += 1
        before = self._terms
        self.full = set()
        for tenant in NAMES:
            both = before.get(tenant, Terms()), terms.get(tenant, Terms())
            if not both[0].has_room(self._running[tenant]) or not both[1].has_room(running[tenant]):
                self.full.add(tenant)
            caps = [one.cap for one in both]
            if leased.get(tenant) and None not in caps:
                self.starts += leased[tenant]
                most = max(cap for cap in caps if cap is not None)
                if running[tenant] > most:
                    raise Wrong("M1", f"{running[tenant]} of {tenant} run, and its cap is {most}", None)
        self.turn_changed = before != terms
        self._terms, self._running = terms, running

    def _check_places(self, given: Counter[tuple[int, str]], engine: Engine) -> None:
        in_all = Counter[int]()
        for (worker, _), tasks in given.items():
            in_all[worker] += tasks
        routes = engine.part(Routes)
        places = routes.placements.places
        for (worker, tenant), tasks in given.items():
            before = places.leased.get(worker, 0) - in_all[worker]
            if self._terms.get(tenant, Terms()).cap is not None and tasks > max(
                0, places.slots(worker) - before
            ):
                self.ahead += 1
                _look_at_others(worker, tenant, routes, self._steady)


def are_on_arguments(seed: int) -> bool:
    """Whether strikes of this seed, which has some, are on arguments."""
    return seed // EVERY % 3 == 0


def indexed(random: Random, specs: Sequence[Spec]) -> None:
    """These have an argument by which each is found; most of them different ones."""
    if random.random() < 0.2:
        return
    one = random.choice(ARGUMENTS)
    is_alike = random.random() < 0.3
    tos = [one if is_alike else random.choice(ARGUMENTS) for _ in specs]
    columns = specs[0].columns or {}
    said = {**columns, "index": {"arg.to": TextColumn.of(tos).to_wire()}}
    for spec, to in zip(specs, tos, strict=True):
        spec.columns, spec.to, spec.is_indexed = said, to, True


def _look_at_others(worker: int, tenant: str, routes: Routes, now: int) -> None:
    """A worker has tasks of this tenant that wait there."""
    held, places = routes.lanes.held, routes.placements.places
    for lane in routes:
        if lane.tenant.name != tenant or not lane.tenant.is_full or lane.ready <= 0 or lane.is_stopped:
            continue
        if lane.key.needs or lane.runs_together or held.permits.holding(lane.key.limits, now):
            continue
        for capability in lane.base.capabilities:
            for parked in capability.parked.values():
                if parked.worker != worker and places.free(parked.worker):
                    raise Wrong(
                        "M3",
                        f"worker {worker} is given more of {tenant} than it can start, and {parked.worker} has a place",
                        None,
                    )


def _running(ask: Ask) -> Iterable[bytes]:
    for (id,) in ask(RUNNING_ALONE):
        yield id
    for first, place, length in ask(RUNNING_RUNS):
        for number in range(length):
            yield id_behind(first, place + number)
