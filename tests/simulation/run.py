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
from .children import ConcurrentChild
from .client import Client
from .composer import Composer
from .crowded import CrowdLaws
from .disk import Disk, SimulatedStore
from .endless import each_event_ends
from .handled import HandlerLaws
from .limited import LimitLaws
from .load import TASKS, Load
from .master import NARROW, Master
from .network import Network
from .operator import Operator
from .oracle import Broken, Confused, Oracle
from .placed import HOSTS, chance_of
from .planner import Planner
from .situations import UNEVEN, Situations, is_directed, keeps_few_results
from .steered import SteeredLaws
from .worker import LENT_CHILDREN, Worker
from .world import MS, SECOND, Process, World

CHAOS = 25 * SECOND  # of faults and submits
LEASE = 4 * SECOND
DAMAGED = (
    "due",
    "overdue",
    "finished_before",
    "lease_route",
    "ready_slices",
    "split_slice",
    "succeed_slice",
    "insert_single",
    "ready_heads",
    "find",
    "put_worker",
    "log_attempt",
)
WITH_SCHEDULES = 3  # every third seed
WITH_FLOWS = 5  # every fifth seed
WITH_LIMITS, LIMITED = 11, 9  # seeds that leave this rest
WITH_POOLS, POOLS = 11, 3  # children run many jobs at a time
WITH_NESTED, NESTED = (
    11,
    8,
)  # tasks wait for others inside themselves, or become them; every other one has limits, too
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


class Cluster:
    """Everything of one run, and the hands that do harm to it."""

    def __init__(self, seed: int) -> None:
        self.world = world = World(seed)
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
            self.oracle.steered = SteeredLaws(self.load.specs)
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
        self._pools: Random | None = None  # decides which workers run many jobs in a process
        if seed % WITH_POOLS == POOLS or (is_nested and turn % 3 == 0):
            self._pools = self.load.blocking = Random(~seed)
        self.disk = Disk(world)
        self.disk.begun, self.disk.took_effect = self.oracle.begun, self.oracle.took_effect
        self.disk.purged = self.oracle.purged
        self.store = SimulatedStore(self.disk)
        self.network = Network(world)
        self.network.slowest = world.random.choice([1 * MS, 5 * MS, 50 * MS])
        self.nature = Process(world, "nature")  # whose events are never paused
        is_short = self.is_directed or world.chance(0.3)
        self._result_ttl_ms = SHORT_TTL_MS if is_short else LONG_TTL_MS
        self._results_max = FEW_RESULTS if keeps_few_results(seed) else RESULTS_MAX
        self._lives = 0
        self.chaos_ends = CHAOS
        self.faults: dict[str, int] = {}
        self._echoes = self.is_directed or seed % WITH_SCHEDULES == 2
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
        self._kinds = _mix(kinds, seed, world)
        if self.is_directed:
            self._kinds += Situations(self).kinds
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
        try:
            self.master = Master(
                self.world,
                self.network,
                self.disk,
                self.store,
                self.oracle,
                self._lives,
                self._result_ttl_ms,
                self._results_max,
            )
        except StoreError:
            self._later(SECOND, self.start_master)

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

    # harm

    def _next_fault(self) -> None:
        if self._kinds and self.world.now < self.chaos_ends:
            self.world.schedule(self.world.between(MS, 2 * self._rate), self.nature, self._do_harm)

    def _do_harm(self) -> None:
        if self.world.now < self.chaos_ends:
            fault = self.world.random.choice(self._kinds)
            name = fault.__name__
            self.faults[name] = self.faults.get(name, 0) + 1
            self.world.log("chaos", name)
            fault()
            self._next_fault()

    def _later(self, delay: int, action: Callable[[], None]) -> None:
        self.world.schedule(delay, self.nature, action)

    def _worker(self) -> Worker | None:
        living = [worker for worker in self.workers if worker.process.alive]
        return self.world.random.choice(living) if living else None

    def kill_master(self) -> None:
        if self.master.process.alive:
            self.master.kill()
            self._later(self.world.between(0, 5 * SECOND), self.start_master)

    def pause_master(self) -> None:
        self._pause_master(self.world.between(MS, 10 * SECOND))

    def _pause_master(self, length: int) -> bool:
        """Whether it was running."""
        process = self.master.process
        if process.paused:
            return False
        process.pause()
        self._later(length, process.resume)
        return True

    def freeze_machine(self) -> None:
        """The master's machine stands still, as one that is moved to another host: what was sent to it arrives later still. No
        worker is lost for that."""
        length = self.world.between(MS, 10 * SECOND)
        if self._pause_master(length):
            for link in self.network.links:
                link.stalled_until = self.world.now + length + self.world.between(MS, SECOND)

    def kill_worker(self) -> None:
        worker = self._worker()
        if worker is not None:
            if self.world.chance(0.3):
                self._silence(worker)
            worker.kill()
            self._later(self.world.between(0, 5 * SECOND), self._replace_workers)

    def _replace_workers(self) -> None:
        for index, worker in enumerate(self.workers):
            if not worker.process.alive:
                self.workers[index] = self.new_worker()

    def pause_worker(self) -> None:
        self._pause(children=True)

    def pause_supervisor(self) -> None:
        self._pause(children=False)

    def _pause(self, *, children: bool) -> None:
        worker = self._worker()
        if worker is None:
            return
        length = self.world.between(MS, 3 * LEASE)
        self.oracle.disturbed(worker.node, length)
        paused = [worker.process, *(worker.children.values() if children else ())]
        for process in paused:
            process.pause()
        for process in paused:
            self._later(length, process.resume)

    def kill_child(self) -> None:
        worker = self._worker()
        if worker is not None and worker.children:
            worker.children[self.world.random.choice(sorted(worker.children))].die(-9)

    def stand_still_in_a_process(self) -> None:
        """One child alone is stopped for a while, as by a debugger: to its supervisor its loop is blocked."""
        worker = self._worker()
        if worker is not None and worker.children:
            child = worker.children[self.world.random.choice(sorted(worker.children))]
            if isinstance(child, ConcurrentChild) and not child.paused:
                child.pause()
                self._later(self.world.between(MS, 8 * SECOND), child.resume)

    def drain_worker(self) -> None:
        worker = self._worker()
        if worker is not None:
            worker.drain()
            self.oracle.disturbed(worker.node, 10 * SECOND)
            self._later(self.world.between(SECOND, 8 * SECOND), self._replace_workers)

    def repeat_report(self) -> None:
        worker = self._worker()
        if worker is not None:
            worker.repeat_a_report()

    def late_report(self) -> None:
        worker = self._worker()
        if worker is not None:
            worker.keep_back_a_report()

    def report_of_what_is_released(self) -> None:
        worker = self._worker()
        if worker is not None:
            worker.report_what_it_releases()

    def update_cluster(self) -> None:
        """All workers are stopped, and the master while what they have handed back waits."""
        for worker in self.workers:
            worker.drain()
            self.oracle.disturbed(worker.node, 10 * SECOND)
        self._later(self.world.between(MS, 200 * MS), self.kill_master)
        self._later(self.world.between(SECOND, 5 * SECOND), self._replace_workers)

    def cut_link(self) -> None:
        if self.network.links:
            link = self.world.random.choice(self.network.links)
            self._mark(link.client.process.name)
            link.reset()

    def cut_all_links(self) -> None:
        """As when a switch restarts: all come back at once; sometimes the disk is in trouble then."""
        for link in list(self.network.links):
            self._mark(link.client.process.name)
            link.reset()
        if self.world.chance(0.5):
            self.failing_disk()

    def silence_link(self) -> None:
        if self.network.links:
            link = self.world.random.choice(self.network.links)
            self._mark(link.client.process.name)
            link.silent = True

    def stall_link(self) -> None:
        if self.network.links:
            link, length = self.world.random.choice(self.network.links), self.world.between(MS, 6 * SECOND)
            self._mark(link.client.process.name, length)
            link.stalled_until = self.world.now + length

    def _silence(self, worker: Worker) -> None:
        for link in self.network.links:
            if link.client.process is worker.process:
                link.silent = True

    def _mark(self, name: str, lasting: int = 0) -> None:
        for worker in self.workers:
            if worker.process.name == name:
                self.oracle.disturbed(worker.node, lasting)

    def slow_disk(self) -> None:
        self.disk.slowest = self.world.between(5 * MS, 400 * MS)

    def failing_disk(self) -> None:
        length = self.world.between(50 * MS, 2 * SECOND)
        self.disk.fails = 0.5
        self.oracle.all_disturbed(length)
        self._later(length, lambda: setattr(self.disk, "fails", 0.0))

    def full_disk(self) -> None:
        length = self.world.between(50 * MS, 2 * SECOND)
        self.disk.full = True
        self.oracle.all_disturbed(length)
        self._later(length, lambda: setattr(self.disk, "full", False))

    def read_only_disk(self) -> None:
        self._trouble(50 * MS, 3 * SECOND, "read_only", True, False)

    def damaged_page(self) -> None:
        """What is read or written there fails, all else works."""
        statement = self.world.random.choice(DAMAGED)
        self._trouble(50 * MS, 3 * SECOND, "damaged", frozenset({statement}), frozenset())

    def no_memory(self) -> None:
        self._trouble(50 * MS, SECOND, "starved", 0.1, 0.0)

    def _trouble(self, shortest: int, longest: int, name: str, value: object, well: object) -> None:
        length = self.world.between(shortest, longest)
        setattr(self.disk, name, value)
        self.oracle.all_disturbed(length)
        self._later(length, lambda: setattr(self.disk, name, well))

    def damage_record(self) -> None:
        """A link's bytes to one side are no frames any more; often the other side falls silent, too."""
        if self.network.links:
            link = self.world.random.choice(self.network.links)
            self._mark(link.client.process.name)
            link.damage(self.world.random.choice((link.client, link.server)), silent=self.world.chance(0.5))

    def jump_clock(self) -> None:
        self.world.jump(self.world.random.choice([-3600, 5, 3600, 8 * 24 * 3600]) * SECOND)

    def kill_client(self) -> None:
        index = self.world.between(0, len(self.clients) - 1)
        before = self.clients[index]
        before.kill()
        self.clients[index] = self._new_client()
        self.clients[index].adopt(before.accepted)

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
        ids = dict.fromkeys(id for id, _, _ in self.store.unfinished())
        for client in self.clients:
            ids |= client.waits_for
        waiting = map(self.load.specs.get, ids)
        return 4 * sum(spec.duration for spec in waiting if spec is not None)  # None: not committed yet

    def end_schedules(self) -> None:
        """Those that are due have been decided by now; then all are paused."""
        if self.planner is not None:
            self.world.run(CHAOS + DECIDED)
            self.oracle.check_schedules_due(self.store)
            self.planner.finish()

    def stuck_flows(self) -> list[Any]:
        if not self.oracle.has_flows:
            return []
        return self.store.ask("SELECT flow, state FROM flows WHERE finished IS NULL OR work > 0")

    @property
    def at_rest(self) -> bool:
        """Every task that was promised to a client has ended, and every client that waits for it has received its end."""
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
    began = time.perf_counter()
    cluster = Cluster(seed)
    rule, broken, about, extra = "", "", None, 0
    try:
        with each_event_ends(cluster.world):
            cluster.world.run(CHAOS)
            cluster.make_peace()
            cluster.world.run(CHAOS + 8 * SECOND)
            cluster.end_schedules()
            step, deadline = 500 * MS, cluster.world.now + PEACE + cluster.work_left()
            deadline += COMPOSED if cluster.composers else 0
            while not cluster.at_rest:
                if cluster.world.now > deadline:
                    raise _stuck(cluster)
                cluster.world.run(cluster.world.now + step)
        extra = cluster.oracle.judge(cluster.store)
    except Broken as found:
        rule, broken, about = found.rule, str(found), found.id
    except (Exception, Confused):  # a bug of ours, or of tq's: as interesting as a broken invariant
        broken = traceback.format_exc()
    text = cluster.world.story(about) if story or broken else ""
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
