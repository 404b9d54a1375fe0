"""One seed: a cluster, a load, a mix of faults; then peace, in which everything has to end."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from tq.common.auth.keys import Verifier
from tq.common.errors import StoreError

from . import arranged, crowded, handled, steered
from .arranged import OrderLaws, OwnedLaws
from .client import Client
from .composer import Composer
from .crowded import CrowdLaws
from .disk import Disk, SimulatedStore, WatchedStore
from .endless import each_event_ends
from .fibers import in_simulated_time
from .handled import HandlerLaws
from .harm import Harm
from .limited import LimitLaws
from .load import TASKS, Load
from .master import NARROW, Master, Place
from .masters import EVERY, Masters, are_several
from .network import Network
from .operator import Operator
from .oracle import Broken, Confused, Oracle
from .outboxes import Outbox
from .placed import HOSTS, chance_of
from .planner import Planner
from .situations import UNEVEN, Situations, is_directed, keeps_few_results
from .steered import SteeredLaws
from .worker import LENT_CHILDREN, Worker
from .world import MS, SECOND, Process, World

CHAOS = 25 * SECOND  # of faults and submits
LEASE = 4 * SECOND
WITH_SCHEDULES = 3  # every third seed
WITH_FLOWS = 5  # every fifth seed
WITH_LIMITS, LIMITED = 11, 9  # seeds that leave this rest
WITH_POOLS, POOLS = 11, 3  # children run many jobs at a time
WITH_NESTED, NESTED = (
    11,
    8,
)  # tasks wait for others inside themselves, or become them; every other one has limits, too
PURGES_BETWEEN = 5, 4  # every fifth of those: results go while tasks wait that became one of them
PLACES = (2, 5, 30)
COMPOSED = 60 * SECOND  # what tasks that need each other may take longer
DECIDED = 20 * SECOND  # a master that stood still when the faults ended has had its time
SHORT_TTL_MS = 8_000  # results are purged while others of their array still run
FEW_RESULTS, RESULTS_MAX = 40, 1_000_000  # and more than there are
LONG_TTL_MS = 7 * 24 * 3_600_000
PEACE = 10 * LEASE + 30 * SECOND  # ten leases, and what the slowest task may honestly take


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one seed came to. ``broken`` is empty when every invariant held; ``rule`` names the one that did not, and is empty when
    an exception ended the run."""

    seed: int
    trace: str
    tasks: int
    extra_starts: int
    faults: dict[str, int]
    rule: str
    broken: str
    story: str
    seconds: float


class Cluster(Harm):
    """Everything of one run, and the hands that do harm to it."""

    def __init__(self, seed: int, world: World) -> None:
        self.world = world
        self.is_directed = is_directed(seed)
        self._placed = chance_of(seed)
        self.load = Load(world, uneven=UNEVEN if self.is_directed else 0.0, placed=self._placed)
        self.oracle = Oracle(world, self.load)
        is_nested, turn = seed % WITH_NESTED == NESTED, seed // WITH_NESTED
        if (seed % WITH_LIMITS == LIMITED or (is_nested and turn % 2)) and not self.is_directed:
            self.load.limited, self.oracle.limits = Random(~seed), LimitLaws()
        if seed % crowded.EVERY in (crowded.BOUNDED, crowded.TENANTS) and self.oracle.limits is None:
            self.oracle.crowd = CrowdLaws(self.load.specs)
            if seed % crowded.EVERY == crowded.BOUNDED:
                self.load.bounded = Random(~seed)
            elif not is_nested:  # what is lent takes no turns
                self.load.of_tenants = Random(~seed)
        is_plain = self.oracle.limits is None and self.oracle.crowd is None and not is_nested
        if seed % steered.EVERY == steered.TENANTS and is_plain:
            self.load.of_tenants = Random(~seed)
            on_arguments = steered.are_on_arguments(seed)
            self.load.indexed = Random(~seed - 5) if on_arguments else None
            self.oracle.steered = SteeredLaws(self.load.specs, on_arguments=on_arguments)
            self.oracle.crowd = CrowdLaws(self.load.specs, self.oracle.steered)
        if seed % steered.EVERY == handled.HANDLED and is_plain and not self.is_directed:
            self.load.handled = Random(~seed)
            self.oracle.handled = HandlerLaws(self.load.specs)
        is_plain = (
            is_plain and self.oracle.steered is None and self.oracle.handled is None and not self.is_directed
        )
        if seed % arranged.EVERY == arranged.ORDERED and is_plain:
            self.load.ordered, self.oracle.ordered = Random(~seed), OrderLaws()
        if seed % arranged.EVERY == arranged.OWNED and is_plain:
            self.load.joined, self.oracle.owned = Random(~seed), OwnedLaws(self.load.specs)
        if is_nested:
            self.load.nested = Random(~seed)
            self.oracle.purges_between = turn % PURGES_BETWEEN[0] == PURGES_BETWEEN[1]
        self._pools: Random | None = None  # decides which workers run many jobs in a process
        if seed % WITH_POOLS == POOLS or (is_nested and turn % 3 == 0):
            self._pools = self.load.blocking = Random(~seed)
        self.disk = Disk(world)
        self.disk.begun, self.disk.took_effect = self.oracle.begun, self.oracle.took_effect
        self.disk.purged = self.oracle.purged
        self._store = None if are_several(seed) else SimulatedStore(self.disk)
        self.network = Network(world)
        self.network.slowest = world.random.choice([1 * MS, 5 * MS, 50 * MS])
        self.nature = Process(world, "nature")  # whose events are never paused
        is_short = self.is_directed or world.chance(0.3)
        self._result_ttl_ms = SHORT_TTL_MS if is_short else LONG_TTL_MS
        self._results_max = FEW_RESULTS if keeps_few_results(seed) else RESULTS_MAX
        if self.oracle.purges_between:
            self._results_max = 0
        self._lives = 0
        self.chaos_ends = CHAOS
        self.faults: dict[str, int] = {}
        self._echoes = self.is_directed or seed % WITH_SCHEDULES == 2
        self.masters = Masters(self, seed, self._new_master) if are_several(seed) else None
        if self.masters is None:
            self.start_master()
        self.workers = [self.new_worker() for _ in range(world.between(1, 3))]
        many = 1 if self.is_directed else world.between(1, 2)
        self.clients = [self._new_client() for _ in range(many)]
        kinds: list[Callable[[], None]] = [
            self.kill_master,
            self.pause_master,
            self.freeze_machine,
            self.kill_worker,
            self.pause_worker,
            self.pause_supervisor,
            self.kill_child,
            self.drain_worker,
            self.repeat_report,
            self.late_report,
            self.report_of_what_is_released,
            self.update_cluster,
            self.cut_link,
            self.cut_all_links,
            self.silence_link,
            self.stall_link,
            self.slow_disk,
            self.failing_disk,
            self.full_disk,
            self.read_only_disk,
            self.damaged_page,
            self.no_memory,
            self.damage_record,
            self.jump_clock,
            self.kill_client,
        ]
        if self.masters is not None:
            of_one = (self.kill_master, self.pause_master, self.freeze_machine, self.update_cluster)
            of_disks = (
                self.slow_disk,
                self.failing_disk,
                self.full_disk,
                self.read_only_disk,
                self.damaged_page,
                self.no_memory,
            )
            kinds = [kind for kind in kinds if kind not in (*of_one, *of_disks, self.cut_all_links)]
        self._kinds = _mix(kinds, seed, world)
        if self.masters is not None:
            self._kinds += self.masters.kinds
        if self.is_directed:
            kinds = Situations(self).kinds
            self._kinds += kinds if self.masters is None else kinds[:-1]  # the last is of a disk
        self.outbox: Outbox | None = None
        if self.masters is not None and seed // EVERY % 2:
            self._result_ttl_ms = SHORT_TTL_MS
            self.outbox = Outbox(world, self.network, self.oracle, self.load, Random(~seed - 4), CHAOS)
            self.oracle.outbox = self.outbox.laws
            self._kinds += [self.outbox.kill_relay, self.outbox.kill_when_accepted]
        self.planner = self._planner(seed) if seed % WITH_SCHEDULES == 1 else None
        self.composers = self._composers(seed) if seed % WITH_FLOWS == 4 else []
        self.operator = None if self.oracle.steered is None else self._operator(seed, self.oracle.steered)
        if self._pools is not None:
            self._kinds += [self.kill_child, self.stand_still_in_a_process]
        if self.composers and seed % 2:
            self._kinds.append(Situations(self).stand_still_amid_steps)
        self._rate = world.random.choice([300 * MS, 1 * SECOND, 4 * SECOND])
        self._next_fault()

    # making things

    def start_master(self) -> None:
        """One that cannot read its store says so and ends, and its service manager starts it again."""
        self._lives += 1
        assert self._store is not None
        try:
            self.master = self._new_master(self._store)
        except StoreError:
            self._later(SECOND, self.start_master)

    def _new_master(self, store: WatchedStore, place: Place | None = None) -> Master:
        return Master(
            self.world,
            self.network,
            self.disk,
            store,
            self.oracle,
            self._lives,
            self._result_ttl_ms,
            self._results_max,
            place,
        )

    @property
    def store(self) -> WatchedStore | None:
        """None: of several masters none serves."""
        return self._store if self.masters is None else self.masters.store

    def new_worker(self, slots: int = 0) -> Worker:
        self._lives += 1
        slots = slots or self.world.between(1, 3)
        has = HOSTS[-1] if self._placed is None else self._placed.choice(HOSTS)
        places = 0 if self._pools is None or self._pools.random() < 0.2 else self._pools.choice(PLACES)
        lent = LENT_CHILDREN if self.load.nested is None else self.load.nested.randint(1, LENT_CHILDREN)
        name = f"worker-{self._lives}"
        return Worker(self.world, self.network, self.oracle, self.load, name, slots, has, places, lent)

    def _new_client(self) -> Client:
        self._lives += 1
        name = f"client-{self._lives}"
        key = None if self.oracle.owned is None else arranged.KEY
        return Client(
            self.world,
            self.network,
            self.oracle,
            self.load,
            name,
            self.chaos_ends,
            echoes=self._echoes,
            key=key,
        )

    def _planner(self, seed: int) -> Planner:
        self.oracle.has_schedules = True
        return Planner(
            self.world, self.network, seed, self.chaos_ends, clock_jumps=self.jump_clock in self._kinds
        )

    def _operator(self, seed: int, laws: SteeredLaws) -> Operator:
        return Operator(self.world, self.network, laws, Random(~seed - 2), self.chaos_ends)

    def _composers(self, seed: int) -> list[Composer]:
        self.oracle.has_flows = True
        return [self._new_composer(Random(~seed), None), self._new_composer(Random(~seed - 1), NARROW)]

    def _new_composer(self, random: Random, key: Verifier | None) -> Composer:
        self._lives += 1

        def died(composer: Composer) -> None:
            self.composers.remove(composer)
            self._later(random.randint(0, 3 * SECOND), lambda: self._replace_composer(composer, random, key))

        name = f"{'composer' if key is None else 'narrow composer'}-{self._lives}"
        return Composer(
            self.world, self.network, self.oracle, self.load, name, self.chaos_ends, random, died, key
        )

    def _replace_composer(self, composer: Composer, random: Random, key: Verifier | None) -> None:
        made = self._new_composer(random, key)
        self.composers.append(made)
        made.take_over(composer)

    # peace

    def make_peace(self) -> None:
        self.world.log("chaos", "peace")
        self.disk.fails, self.disk.full, self.disk.slowest = 0.0, False, 3 * MS
        self.disk.read_only, self.disk.damaged, self.disk.starved = False, frozenset(), 0.0
        self.network.slowest = 2 * MS
        self.world.jump(
            self.world.latest_wall_offset - self.world.wall_offset
        )  # at= is the wall's: let all come
        for link in self.network.links:
            link.stalled_until = 0
        if self.masters is not None:
            self.masters.make_peace()
        self._later(6 * SECOND, self._have_all)
        if self.operator is not None:
            self.operator.finish()

    def _have_all(self) -> None:
        self._replace_workers()
        rare = next((one for one in self.workers if self._runs_all(one) and not one.agent.draining), None)
        while rare is None:  # one worker must know every task, and have what any of them needs
            self.workers.append(self.new_worker())
            rare = self.workers[-1] if self._runs_all(self.workers[-1]) else None
        self.clients[0].resume_all()

    def _runs_all(self, worker: Worker) -> bool:
        return len(worker.tasks) == len(TASKS) and (self._placed is None or worker.has is HOSTS[0])

    def work_left(self) -> int:
        """How long one slot would need for all that is waiting, with the attempts that fail; what has no room yet, too."""
        ids = {} if self.store is None else dict.fromkeys(id for id, _, _ in self.store.unfinished())
        for client in self.clients:
            ids |= client.waits_for
        waiting = map(self.load.specs.get, ids)
        return 4 * sum(spec.duration for spec in waiting if spec is not None)  # None: not committed yet

    def end_schedules(self) -> None:
        """Those that are due have been decided by now; then all are paused."""
        if self.planner is not None:
            self.world.run(CHAOS + DECIDED)
            if self.store is not None:
                self.oracle.check_schedules_due(self.store)
            self.planner.finish()

    def stuck_flows(self) -> list[Any]:
        if not self.oracle.has_flows or self.store is None:
            return []
        return self.store.ask("SELECT flow, state FROM flows WHERE finished IS NULL OR work > 0")

    @property
    def at_rest(self) -> bool:
        """Every task that was promised to a client has ended, and every client that waits for it has received its end."""
        if self.store is None:
            return False
        if self.masters is not None and self.store.in_transaction:
            return False
        if self.outbox is not None and self.outbox.waits:
            return False
        if self.oracle.is_blind:  # what clients wait for may be lost
            return not self.store.has_unfinished
        if any(client.waits_for for client in (*self.clients, *self.composers)):
            return False
        if any(composer.waits_for_flows for composer in self.composers) or self.stuck_flows():
            return False
        if self.planner is not None and (self.planner.unpaused or self.store.in_transaction):
            return False
        return not self.store.has_unfinished


def _mix(kinds: list[Callable[[], None]], seed: int, world: World) -> list[Callable[[], None]]:
    """A seed has its own mix. Each kind is in that of every so many seeds, and alone in every fourth of these: what one fault
    does is excused by no other then."""
    turn, place = divmod(seed, len(kinds) + 1)
    if place == len(kinds):
        return []
    first = kinds[place]
    if turn % 4 == 0:
        return [first]
    return [first, *(kind for kind in world.random.sample(kinds, world.between(0, 5)) if kind != first)]


def simulate(seed: int, *, story: bool = False) -> Outcome:
    """Run one seed to its end."""
    if not are_several(seed):
        return _simulate(seed, story=story)
    with in_simulated_time() as begin:
        return _simulate(seed, story=story, begin=begin)


def _simulate(seed: int, *, story: bool, begin: Callable[[World], None] = lambda world: None) -> Outcome:
    began = time.perf_counter()
    world = World(seed)
    begin(world)
    cluster = Cluster(seed, world)
    rule, broken, about, extra = "", "", None, 0
    try:
        with each_event_ends(world):
            world.run(CHAOS)
            cluster.make_peace()
            world.run(CHAOS + 8 * SECOND)
            cluster.end_schedules()
            step, deadline = 500 * MS, world.now + PEACE + cluster.work_left()
            deadline += COMPOSED if cluster.composers else 0
            while not cluster.at_rest:
                if world.now > deadline:
                    raise _stuck(cluster)
                world.run(world.now + step)
        assert cluster.store is not None
        extra = cluster.oracle.judge(cluster.store)
        if cluster.masters is not None:
            cluster.masters.laws.judge()
    except Broken as found:
        rule, broken, about = found.rule, str(found), found.id
    except (Exception, Confused):  # a bug of ours, or of tq's: as interesting as a broken invariant
        broken = traceback.format_exc()
    text = cluster.world.story(about) if story or broken else ""
    if cluster.masters is not None:
        cluster.masters.close()
    elif cluster.store is not None:
        cluster.store.close()
    return Outcome(
        seed,
        cluster.world.trace,
        len(cluster.load.specs),
        extra,
        cluster.faults,
        rule,
        broken,
        text,
        time.perf_counter() - began,
    )


def _stuck(cluster: Cluster) -> Broken:
    if cluster.store is None:
        return Broken("A5", "no master serves")
    rows = cluster.store.unfinished()[:1]
    if cluster.planner is not None and cluster.planner.unpaused and not rows:
        return Broken("liveness", "the pause of a schedule was not answered")
    if rows:
        id, state, attempt = rows[0]
        return Broken("liveness", f"a task has not ended: state {state}, attempt {attempt}", id)
    for number, state in cluster.stuck_flows():
        return Broken("liveness", f"the flow {number} is {state} without an end")
    if any(composer.waits_for_flows for composer in cluster.composers):
        return Broken("liveness", "a client was never notified of the end of a flow")
    id = next(id for client in (*cluster.clients, *cluster.composers) for id in client.waits_for)
    return Broken("liveness", "a client was never notified of an end", id)
