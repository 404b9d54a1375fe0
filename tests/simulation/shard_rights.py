"""What an operator lets a key and a tenant have of all shards together, changed while shards die, and what must be so of it.

::

    Y8  of a tenant never more run in all shards together than its cap lets
    Y9  a key never has more tasks that have not ended in all shards together than its quota lets; a change of it that was answered is known to
        every shard, whichever of them died, or went to another process, meanwhile

Nor do the parts of the shards ever come to more, also amid a change and when it was cut short. What was there when less was set may stay: of a
shard that has less from then on, beside what the others begin.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tq.common.domain.shards import shard_of_name
from tq.master.keys.keyring import Keyring
from tq.master.tasks.route import LaneKey
from tq.master.tenants.tenants import SetTenants

from .oracle import Broken
from .shard_process import ACME, QUOTA, ShardProcess
from .tables import read

if TYPE_CHECKING:
    from .shard_lives import Life

RUNNING: Final = 3
ENDED: Final = 10  # this state, and those above it
LARGEST: Final = 1 << 40
USES: Final = 6  # of what was set
TURNS: Final = 30  # of two programs, in which each has made its change


@dataclass(slots=True)
class Bound:
    """``rule``: what is broken above it. ``left``: what each shard had when it was set, at most; ``least``: the smallest part it may have."""

    rule: str
    most: int
    counts: Counter[int] = field(default_factory=Counter)
    left: dict[int, int] = field(default_factory=dict)
    least: dict[int, int] = field(default_factory=dict)

    def look(self, counts: Counter[int], parts: Sequence[int | None]) -> None:
        """``parts``: of the shards that serve."""
        if (together := sum(LARGEST if part is None else part for part in parts)) > self.most < LARGEST:
            raise Broken(self.rule, f"the parts are {parts}, which is {together}, and {self.most} may")
        self.counts = counts
        self.left = {shard: min(left, counts[shard]) for shard, left in self.left.items()}
        more = sum(max(0, left - self.least.get(shard, 0)) for shard, left in self.left.items())
        if (there := counts.total()) > self.most + more:
            raise Broken(
                self.rule,
                f"{there} are there in {dict(counts)}, and {self.most} may, beside {more} of before",
            )

    def set(self, most: int | None, among: Sequence[int]) -> None:
        """``among``: the shards that have a part; none: it is not known."""
        self.most = LARGEST if most is None else most
        self.left = dict(self.counts)
        self.least = dict.fromkeys(among, self.most // max(1, len(among)))


class RightsLaws:
    def __init__(self, processes: Sequence[ShardProcess]) -> None:
        self._processes = processes
        self.cap, self.quota = Bound("Y8", LARGEST), Bound("Y9", QUOTA.max_queued or 0)

    def look(self) -> None:
        running, unfinished = Counter[int](), Counter[int]()
        for process in self._processes:
            ask = process.store._run
            lanes = {route: LaneKey.unpacked(lane) for route, lane in ask("SELECT route, lane FROM routes")}
            for row in read(ask):
                lane, tasks = lanes[row.route], row.stop - row.seq
                running[process.number] += tasks * (lane.tenant == ACME and row.state == RUNNING)
                unfinished[process.number] += tasks * (lane.owner == ACME and row.state < ENDED)
        engines = [process.bench.engine for process in self._processes if process.bench is not None]
        self.cap.look(running, [one.part(SetTenants).here(ACME).max_running for one in engines])
        self.quota.look(unfinished, [one.part(Keyring).quota_of(ACME).quota.max_queued for one in engines])

    def quota_is(self, most: int) -> None:
        for process in self._processes:
            assert process.bench is not None
            key = process.bench.engine.part(Keyring).find(ACME)
            if key is None or key.quota.max_queued != most:
                raise Broken(
                    "Y9", f"the quota was set to {most}, and shard {process.number} has another: {key}"
                )


class Operator:
    """What it changes in a life."""

    def __init__(self, life: Life) -> None:
        self._life, self._random = life, life.random
        self.laws = RightsLaws(life.processes)

    def set_quota(self) -> None:
        if not self._all_serve():
            return
        life, most = self._life, self._random.randint(self._life.count, 4 * self._life.count)
        bound = self.laws.quota
        bound.most = max(bound.most, most)
        asked = life.programs[0].call(("get_keys",), "set", ACME, {"max_queued": most})
        self._amid(rounds=self._random.randint(0, 2))
        self.laws.look()
        life.answer(asked)
        self.laws.look()
        bound.set(most, range(life.count))
        self.laws.quota_is(most)
        life.faults["quotas set"] += 1
        self._use_it()

    def set_cap(self) -> None:
        """Sometimes the operator's program is killed in the middle, and the next change finds some shards as they were before it. Sometimes
        another operator gives the same cap to other shards at the same moment: one of the two holds."""
        if not self._all_serve():
            return
        life, random = self._life, self._random
        named = random.sample([name for names in life.names for name in names], random.choice((0, 1, 2)))
        among = {shard_of_name(name, life.count) for name in named} or range(life.count)
        most = random.randint(len(among), len(among) + 2)
        bound, program = self.laws.cap, life._program()
        bound.most = max(bound.most, most)
        changes = {"max_running": most, "shards_of": named}
        asked = program.call(("get_tenants",), "set", ACME, changes)
        life.faults["caps set"] += 1
        life.turn(program)
        life.processes[0].step()  # which gives the change its number
        others = [life._program()] if random.random() < 0.3 else []
        for other in others:
            self._race(random.randint(0, 6), program)
            name = random.choice(life.names[random.randrange(life.count)])
            other.call(("get_tenants",), "set", ACME, {"max_running": most, "shards_of": [name]})
            life.faults["caps set at the same moment"] += 1
        self._amid(program, *others, rounds=random.randint(1, 3))
        self.laws.look()
        if others:
            self._race(TURNS, program, *others)
            life.settle(program, *others)
            self.laws.look()
            bound.set(bound.most, ())
        elif random.random() < 0.4:
            bound.set(bound.most, ())
        else:
            life.answer(asked, program)
            self.laws.look()
            bound.set(most, sorted(among))
        for one in (program, *others):
            one.end()
        life.turn(program, *others)
        self._use_it()

    def _race(self, turns: int, *programs: Any) -> None:
        """Each is as fast as it likes to be, and each shard."""
        life, random = self._life, self._random
        for _ in range(turns):
            life.turn(random.choice(programs))
            life.processes[random.randrange(life.count)].step()
            self.laws.look()

    def _use_it(self) -> None:
        """While it is new: what runs, and what has ended, is not what it was under the bound before."""
        for _ in range(USES):
            self._random.choice((self._life.submit, self._life.work, self._life.work))()
            self.laws.look()

    def lift_cap(self) -> None:
        self.laws.cap.set(None, ())
        life = self._life
        life.answer(life.programs[0].call(("get_tenants",), "set", ACME, {"max_running": None}))

    def _all_serve(self) -> bool:
        life = self._life
        if not all(process.bench is not None for process in life.processes):
            return False
        life.settle()
        self.laws.look()
        return True

    def _amid(self, *programs: Any, rounds: int) -> None:
        """Most shards do what was asked, and one of them is started again, before one that is slow has done it."""
        life, random = self._life, self._random
        slow = random.choice((0, random.randrange(life.count)))
        others = [shard for shard in range(life.count) if shard != slow]
        for _ in range(rounds):
            life.turn(*programs)
            for shard in random.sample(others, random.randint(1, len(others))):
                life.processes[shard].step()
        life.turn(*programs)
        if random.random() < 0.5:
            shard = random.choice(others)
            life.processes[shard].kill()
            life._start(shard)
