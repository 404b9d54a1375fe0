"""Tasks under limits in the simulator, and the laws that hold of them at every commit.

L1: of no key more units run than its limit allows. L2: in no time more start than its burst and its rate allow, across restarts and
clocks that are set. L3: what the master counts as running under a key is what the rows say. L4: none is given more tasks under a limit than it
has free places for, while another worker that waits with a free place is left without. X1: each ready task of a map whose keys or
tenants alternate stands in the line of one lane, that of its own keys and tenant.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from random import Random
from typing import Any, Final, NamedTuple

from tq.common.domain.columns import LaneColumns
from tq.common.domain.limits import Limit
from tq.common.domain.text_columns import TextColumn
from tq.common.wire.frames import unpack
from tq.master.limits.permits import Permits
from tq.master.tasks.routes import Routes

from .instants import Wrong
from .tables import Ask

LIMITS: Final = (
    Limit("few", max_running=2),
    Limit("host", max_running=3),
    Limit("mail", rate="4/s", burst=12),  # so slow that a master which begins again finds few of its tokens
)
# Of tasks that others wait for inside themselves: none that waits has it, so that it is never kept by who waits for it.
INNER: Final = Limit("inner", max_running=1)
KEYS: Final = ("", "a.example", "b.example")
LEASED: Final = (
    "SELECT lane, seq, seq + 1, attempt, started, worker FROM tasks JOIN routes USING (route) WHERE state = 3 AND lane <> x''",
    "SELECT lane, seq, stop, attempt, started, worker FROM slices JOIN routes USING (route) WHERE state = 3 AND lane <> x''",
)
MIXED: Final = "SELECT seq, lanes FROM arrays WHERE lanes IS NOT NULL"
MIXED_READY: Final = (
    "SELECT lane, seq, seq + 1 FROM tasks JOIN routes USING (route) WHERE state = 0 AND lane <> x''",
    "SELECT lane, seq, stop FROM slices JOIN routes USING (route) WHERE state = 0 AND lane <> x''",
)
ALL: Final = 1_000_000
CODE_BYTES: Final = 2
MIXED_PART: Final = 4


def columns(random: Random, tasks: int) -> dict[str, Any] | None:
    """What a submit of so many tasks says beside them."""
    limits = random.sample(LIMITS, random.choice((0, 1, 1, 2)))
    keys = [TextColumn.of([random.choice(KEYS) for _ in range(tasks)]) for _ in limits]
    tenant = random.choice(
        (None, TextColumn(("acme",)), TextColumn.of([random.choice("xy") for _ in range(tasks)]))
    )
    said = LaneColumns(tuple(zip(limits, keys, strict=True)), tenant).to_wire()
    return said or None


def inner_columns(random: Random) -> dict[str, Any]:
    """What the submit of a task says that others wait for inside themselves."""
    return LaneColumns(((INNER, TextColumn((random.choice(KEYS),))),)).to_wire()


class Start(NamedTuple):
    moment: int  # steady
    units: int


def _mixed(ask: Ask) -> dict[int, Any]:
    """Tenant and limits of each task that was accepted in a mixed array."""
    found: dict[int, Any] = {}
    for seq, lanes in ask(MIXED):
        _, keys, codes = unpack(lanes)
        for place in range(0, len(codes), CODE_BYTES):
            code = int.from_bytes(codes[place : place + CODE_BYTES], "little")
            found[seq + place // CODE_BYTES] = keys[code]
    return found


def _is_mixed(lane: bytes) -> bool:
    """What stands behind the handler of a lane's key."""
    parts = unpack(lane)
    return len(parts) > MIXED_PART and bool(parts[MIXED_PART])


class LimitLaws:
    def __init__(self) -> None:
        self._starts: defaultdict[tuple[str, str], dict[tuple[int, int], Start]] = defaultdict(dict)
        self.ahead = 0  # how often a worker was given more than it has free places for

    def look(
        self, ask: Ask, permits: Permits, now: int, routes: Routes, events: Collection[Mapping[str, Any]]
    ) -> None:
        """What runs in the store now. ``events``: of the last transaction."""
        given: Counter[tuple[int, str, str]] = Counter()
        running: Counter[tuple[str, str]] = Counter()
        mixed = _mixed(ask)
        for lane, seq, stop, attempt, moment, worker in (
            row for statement in LEASED for row in ask(statement)
        ):
            _, limits, *_ = unpack(lane)
            is_mixed = _is_mixed(lane)
            for one in range(seq, stop):
                for name, key, units in mixed[one][1] if is_mixed else limits:
                    running[name, key] += units
                    given[worker, name, key] += (one, attempt) not in self._starts[name, key]
                    self._starts[name, key].setdefault((one, attempt), Start(moment, units))
        for limit in (*LIMITS, INNER):
            for key in KEYS:
                units = running[limit.name, key]
                if limit.max_running is not None and units > limit.max_running:
                    raise Wrong("L1", f"{units} run under {limit.name}, key {key!r}", None)
                counted = permits.state(limit.name, key, now).running
                if counted != units:
                    raise Wrong(
                        "L3", f"{counted} are counted under {limit.name}, key {key!r}: {units} run", None
                    )
        in_all = Counter(event["worker"] for event in events if event["what"] == "leased")
        places = routes.placements.places
        for (worker, name, key), tasks in given.items():
            before = places.leased.get(worker, 0) - in_all[worker]
            if tasks > max(0, places.slots(worker) - before) and name != INNER.name:
                self.ahead += 1
                self._look_at_others(worker, name, key, routes, now)

    @staticmethod
    def _look_at_others(worker: int, name: str, key: str, routes: Routes, now: int) -> None:
        """A worker has tasks that wait there, under this key of a limit."""
        held, places = routes.lanes.held, routes.placements.places
        for lane in routes.of_limit.get(name, ()):
            waiting = held.permits.holding(lane.key.limits, now)
            if waiting != [(name, key)] or lane.ready <= 0 or lane.is_stopped or lane.key.needs:
                continue
            if lane.tenant.is_full or lane.runs_together:
                continue
            for capability in lane.base.capabilities:
                for parked in capability.parked.values():
                    if parked.worker != worker and places.free(parked.worker):
                        raise Wrong(
                            "L4",
                            f"worker {worker} is given more under {name}, key {key!r}, than it can start, and {parked.worker} has a place",
                            None,
                        )

    @staticmethod
    def look_at_lines(ask: Ask, routes: Routes) -> None:
        """Which lane has each ready task of mixed arrays in its line."""
        mixed = _mixed(ask)
        asked = {
            seq: mixed[seq]
            for lane, start, stop in (row for statement in MIXED_READY for row in ask(statement))
            if _is_mixed(lane)
            for seq in range(start, stop)
        }
        found: dict[int, list[Any]] = {}
        for lane in routes:
            for place in lane.share.first(ALL) if lane.share is not None else ():
                if place.seq in found:
                    raise Wrong("X1", f"task {place.seq} stands in two lines", None)
                found[place.seq] = [lane.key.tenant, [list(limit) for limit in lane.key.limits]]
        if found != asked:
            differ = sorted(seq for seq in asked.keys() | found.keys() if asked.get(seq) != found.get(seq))
            seq = differ[0]
            raise Wrong(
                "X1", f"task {seq} has {asked.get(seq)} and stands in the line of {found.get(seq)}", None
            )

    def judge(self) -> int:
        """Of the whole history; how many starts there were under limits."""
        for limit in LIMITS:
            for key in KEYS if limit.tokens is not None else ():
                self._judge_rate(limit, sorted(self._starts[limit.name, key].values()))
        return sum(map(len, self._starts.values()))

    def _judge_rate(self, limit: Limit, starts: list[Start]) -> None:
        rate, burst = limit.tokens, limit.most_together
        assert rate is not None
        assert burst is not None
        for first, (since, _) in enumerate(starts):
            units = 0
            for moment, more in starts[first:]:
                units += more
                if (units - burst) * rate.ms > (moment - since) * rate.tasks:
                    raise Wrong("L2", f"{units} started under {limit.name} within {moment - since} ms", None)
