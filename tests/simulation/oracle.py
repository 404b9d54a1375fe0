"""Sees everything, and objects at once: the invariants that must hold at every commit, and the history.

The history is judged at the end by the checker that judges real processes too (``tests/history``); what is
here can only be seen where time and faults are known exactly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tq.common.domain.model import OutcomeNumber, StateNumber
from tq.master.dependencies.becomings import Becomings
from tq.master.tasks.key_quotas import KeyQuotas
from tq.master.tasks.leases import Leases
from tq.master.tasks.routes import Routes
from tq.master.workers.membership import Membership

from ..history.checker import Final, check
from .arranged import OrderLaws, OwnedLaws
from .becoming import BecomingLaws, purge_between
from .composition import Composition
from .crowded import CrowdLaws
from .handled import HandlerLaws
from .instants import Instants, Wrong
from .limited import LimitLaws
from .placed import HOSTS, what_is_wrong
from .steered import SteeredLaws
from .stepped import RecordedSteps
from .tables import LeaseRow, Torn, check_arrays, counts, leases, read
from .world import SECOND, World

if TYPE_CHECKING:
    from tq.master.engine.engine import Engine
    from tq.worker.agent.jobs import Job

    from .client import Client
    from .disk import WatchedStore
    from .load import Load, Spec
    from .master import Master
    from .outboxes import OutboxLaws, Row
    from .worker import Worker

LEASES_OF_DOUBT = 4  # after a fault that touched a worker its tasks may be taken from it for so long
LEASE = 4 * SECOND
TICKS_MS = 5  # readings of the clock are rounded
SEEN_MS = 1_000  # the store of a busy master knows how late it is to this much
REPORTED = frozenset(OutcomeNumber) - {OutcomeNumber.LOST, OutcomeNumber.RELEASED}  # by the worker itself
LATE_MS = 60_000  # no task has a delay of more than a few seconds


class Broken(BaseException):
    """An invariant does not hold. No Exception: nothing of tq is to handle it."""

    def __init__(self, rule: str, text: str, id: bytes | None = None) -> None:
        super().__init__(f"{rule}: {text}")
        self.rule, self.id = rule, id


class Confused(BaseException):
    """The simulator itself failed, amid a commit: no Exception, because the master would take it for one of its disk."""


@contextmanager
def objections() -> Iterator[None]:
    """Of those who judge a part."""
    try:
        yield
    except Wrong as error:
        raise Broken(error.rule, str(error), error.id) from error


class UnderWay:
    """What a transaction has done so far that is not durable yet."""

    def __init__(self) -> None:
        self.pending: list[dict[str, Any]] = []
        self.began = 0
        self.is_open = False


class Oracle:
    def __init__(self, world: World, load: Load) -> None:
        self._world, self._load = world, load
        self.events: list[dict[str, Any]] = []
        self.clients: list[Client] = []
        self.workers: dict[bytes, Worker] = {}
        self.master: Master | None = None
        self.outcomes: dict[bytes, int] = {}  # the states that clients have received
        self._under_way = UnderWay()  # the transaction whose events come
        self._ended_at: dict[tuple[bytes, int], int] = {}
        # Node, task, lease: attempts are numbered once more when a purged task comes again
        self._dropped: set[tuple[bytes, bytes, bytes]] = set()
        self._disturbed: dict[bytes, int] = {}  # node: until when a fault excuses the loss of its tasks
        self._failures: dict[bytes, int] = {}  # of each task's life
        self._all_disturbed = -LEASES_OF_DOUBT * LEASE
        self._begun = self._committed = (
            0,
            0,
        )  # steady and monotonic ms: of this life, of the last transaction
        self._committed_at = 0
        self._knows_time = False  # the store does
        self._revived: set[bytes] = set()  # by hand: they wait for nothing any more
        self._reported_at: dict[tuple[bytes, int], int] = {}  # attempts that ended by a report
        self._over_at: dict[bytes, int] = {}  # tasks that ended
        self._purged: set[int] = set()  # numbers of tasks
        self.forgotten: set[bytes] = set()  # their ids
        self.has_schedules = self.has_flows = False
        self.instants = Instants()
        self._once_leased: dict[bytes, Callable[[], object]] = {}
        self.composition = Composition(load.specs)
        self.steps = RecordedSteps()
        self.became = BecomingLaws(load.specs)
        self.limits: LimitLaws | None = None
        self.crowd: CrowdLaws | None = None
        self.steered: SteeredLaws | None = None
        self.handled: HandlerLaws | None = None
        self.ordered: OrderLaws | None = None
        self.owned: OwnedLaws | None = None
        self._spared: set[tuple[bytes, int]] = set()  # attempts whose process died by another one
        self.outbox: OutboxLaws | None = None
        self.purges_between = False  # results, before a task has ended that became one of them
        self.is_blind = False  # the store has lost what was durable: nothing can be compared with it
        self._gained_ms = 0  # time that passed for masters only: the wall's clock jumped while none ran

    # the store's side

    def follow(self, under_way: UnderWay, master: Master | None) -> None:
        """Of which master, and which transaction of its, is spoken from now on, where there are several."""
        self._under_way = under_way
        if master is not None:
            self.master = master

    def note(self, what: str, /, **fields: Any) -> None:
        """From a recording store before its commit, and from children and clients."""
        if self.is_blind:
            return
        if what == "committed":
            return
        event = {"t": self._world.now, "who": "master", "what": what, **fields}
        if "transaction" in fields:
            self._under_way.pending.append(event)
        else:
            self._say(event)

    def begun(self) -> None:
        if self._under_way.is_open and self.crowd is not None:
            self.crowd.undone()
        self._under_way.is_open = True
        self._under_way.pending.clear()
        self._under_way.began = self._world.now

    def purged(self, tasks: list[tuple[int, bytes, int]], are_surplus: bool) -> None:
        """The transaction under way has deleted these: number, id and state of each. ``are_surplus``: whatever their age."""
        event = {"t": self._world.now, "who": "master", "what": "purged", "surplus": are_surplus}
        self._under_way.pending += [
            {**event, "seq": seq, "id": id, "state": state} for seq, id, state in tasks
        ]

    def took_effect(self, store: WatchedStore) -> None:
        """The transaction under way is durable, whatever its commit goes on to say."""
        try:
            with store.untroubled():
                self._took_effect(store)
        except Exception as error:
            raise Confused("the simulator failed") from error

    def _took_effect(self, store: WatchedStore) -> None:
        pending, self._under_way.pending = self._under_way.pending, []
        self._under_way.is_open = False
        if self.is_blind:
            return
        by_flows = self.composition.expect(store.ask) if self.has_flows else set[bytes]()
        by_master = dict.fromkeys(
            event["id"]
            for event in pending
            if event["what"] == "submitted"
            and (
                event["id"] not in self._load.specs
                or event["id"] in self.instants.submitted
                or event["id"] in by_flows
            )
        )
        if self.handled is not None:
            with objections():
                handlers = self.handled.look(store.ask, pending, by_master.keys() - by_flows)
            by_flows = by_flows | handlers  # no schedule made them either
        for id in by_master:
            if not self.has_schedules and id not in by_flows:
                raise Broken("F3", "a task was made that no callback is", id)
            self._load.of_master(id)
            self.note("submitting", id=id, who="master")
        for event in pending:
            event["t"] = self._world.now
            self._say(event)
            if event["what"] in ("ended", "accepted", "returned"):
                self._ended_at[event["id"], event["attempt"]] = self._world.now
            self._note_end(event)
            if event["what"] == "ended":
                self._charge(event)
                if (
                    event["outcome"] == OutcomeNumber.CRASH
                    and (event["id"], event["attempt"]) in self._spared
                ):
                    raise Broken(
                        "W1", "it is charged a crash that another task in its process has caused", event["id"]
                    )
                if event["outcome"] == OutcomeNumber.LOST:
                    self._lost(event)
            elif event["what"] == "expired":
                self._expired(event["id"])
            elif event["what"] == "leased":
                if event["attempt"] == 1:
                    self._leased(event["id"])
                if (action := self._once_leased.pop(event["id"], None)) is not None:
                    action()
            elif event["what"] == "revived":
                self._failures.pop(event["id"], None)
                self._revived.add(event["id"])
            elif event["what"] == "purged":
                self._failures.pop(event["id"], None)
                self._purge(event)
        with objections():
            for event in pending:
                self.became.take(event)
            if self.outbox is not None:
                self.outbox.take(pending)
        if self.master is not None:
            self._time(store, self.master.engine)
        if self.has_flows:
            with objections():
                self._look_at_flows(store, pending)
        if self.has_schedules:
            self._look_at_schedules(store, [id for id in by_master if id not in by_flows])
        if self.limits is not None and self.master is not None:
            engine = self.master.engine
            with objections():
                routes = engine.part(Routes)
                permits = routes.lanes.held.permits
                self.limits.look(store.ask, permits, engine.now.steady, routes, pending)
                self.limits.look_at_lines(store.ask, engine.part(Routes))
        if self.steered is not None and self.master is not None:
            with objections():
                self.steered.look(store.ask, pending, self.master.engine)
        if self.crowd is not None and self.master is not None:
            with objections():
                self.crowd.look(store.ask, pending, self.master.engine.now.steady, self.forgotten)
        if self.ordered is not None:
            with objections():
                self.ordered.look(store.ask, pending)
        if self.owned is not None and self.master is not None:
            engine = self.master.engine
            with objections():
                self.owned.look(store.ask, pending, engine.part(KeyQuotas), engine.now.steady)
        if self.purges_between and self.master is not None:
            purge_between(self.master.engine)
        self._check_numbers(store)
        if self._world.chance(0.05):
            self._look(store)

    def _look_at_schedules(self, store: WatchedStore, submitted: Collection[bytes]) -> None:
        assert self.master is not None
        with objections():
            self.instants.look(store.ask, submitted, self.master.engine.now.wall)

    def check_schedules_due(self, store: WatchedStore) -> None:
        if self.is_blind:
            return
        with objections():
            self.instants.check_due(store.ask, (self._world.now + self._world.wall_offset) // 1000)

    def _look_at_flows(self, store: WatchedStore, events: list[dict[str, Any]]) -> None:
        assert self.master is not None
        for event in events:
            self.composition.take(event)
            self.steps.take(event)
        self.composition.look(store.ask)
        self.steps.look(store.ask, self.master.engine.now.steady)

    def _note_end(self, event: dict[str, Any]) -> None:
        what, now = event["what"], self._world.now
        if what == "accepted" or (what == "ended" and event["outcome"] in REPORTED):
            self._reported_at[event["id"], event["attempt"]] = now
        ends = what in ("ended", "returned") and event["state"] >= StateNumber.SUCCEEDED
        if ends or what in ("accepted", "cancelled", "expired", "fell", "followed"):
            self._over_at[event["id"]] = self._under_way.began  # its commit may come much later

    def _purge(self, event: dict[str, Any]) -> None:
        """R1: what is purged has ended, and that is as long ago as results are kept, or there are too many."""
        id, ended = event["id"], self._over_at.get(event["id"])
        if event["state"] < StateNumber.SUCCEEDED or ended is None:
            raise Broken("R1", "it was purged, and it had not ended", id)
        assert self.master is not None
        kept_ms = (self._world.now - ended) // 1000 + self._gained_ms + TICKS_MS
        if kept_ms < self.master.engine.limits.result_ttl_ms and not event["surplus"]:
            raise Broken("R1", f"it was purged {kept_ms} ms after its end", id)
        self._purged.add(event["seq"])
        self.forgotten.add(id)
        del self._over_at[id]
        attempt = 1  # submitted again, it is another task, and its attempts are numbered from 1
        while self._ended_at.pop((id, attempt), None) is not None:
            attempt += 1

    def _say(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        fields = " ".join(
            f"{name}={value.hex()[-6:] if isinstance(value, bytes) else value}"
            for name, value in event.items()
            if name not in ("t", "who", "what", "id", "transaction")
        )
        self._world.log(event["who"], f"{event['what']} {fields}", event.get("id"))

    def _look(self, store: WatchedStore) -> None:
        """What stands in the store agrees with itself (I9), and is what the master believes (I8, I10, I5, I11)."""
        assert self.master is not None
        engine = self.master.engine
        try:
            rows = read(store.ask)
            if not self.is_blind:  # to what was purged
                check_arrays(store.ask, rows, self._purged)
        except Torn as error:
            raise Broken("I9", str(error)) from error
        if self.has_flows and not self.is_blind:
            with objections():
                self.composition.compare(store.ask, rows)
        have = counts(rows)
        believed = {
            (route.number, StateNumber(state)): tasks
            for route in engine.part(Routes)
            for state, tasks in enumerate(route.counts)
            if tasks
        }
        if have != believed:
            raise Broken("I8", f"the store has {have}, the master believes {believed}")
        with store.untroubled():
            kept, counted = sorted(store.counts.read()), sorted(store.counts.recount())
        if kept != counted:
            raise Broken("I10", f"the counts are {kept}, the rows are {counted}")
        running = engine.part(Leases).running
        held = {
            id: LeaseRow(one.seq, one.attempt, one.lease, one.worker)
            for id in running
            if (one := running.get(id)) is not None
        }
        if held != leases(rows) or len(held) != len(running):
            raise Broken("I5", "the master's leases are not the store's")
        if any(self.workers[node].has is not HOSTS[-1] for node in self.workers):
            self._check_resources(engine, held)

    def _check_resources(self, engine: Engine, held: dict[bytes, LeaseRow]) -> None:
        """P1: what is leased to a worker needs no more than the worker has, and the master counts it so."""
        by_worker: dict[int, list[Mapping[str, Any]]] = {}
        counted: dict[int, Counter[int]] = {}
        running, placements = engine.part(Leases).running, engine.part(Routes).placements
        for id, row in held.items():
            spec = self._load.specs.get(id)
            by_worker.setdefault(row.worker, []).append({} if spec is None else spec.options)
            if (route := running[id].route) in placements.lanes:
                counted.setdefault(row.worker, Counter())[route] += 1
        if counted != placements.held:
            raise Broken("P1", f"the master counts {placements.held} as held, and leases {counted}")
        numbers = engine.part(Membership).by_number
        for number, asked in by_worker.items():
            node = numbers[number].node if number in numbers else None
            if node in self.workers and (wrong := what_is_wrong(self.workers[node].has, asked)):
                raise Broken("P1", wrong)

    def _check_numbers(self, store: WatchedStore) -> None:
        """I11: each worker's number in memory is its own in the store."""
        if self.master is None:
            return
        membership = self.master.engine.part(Membership)
        stored = dict(store.ask("SELECT worker, node FROM workers"))
        for number, one in membership.by_number.items():
            if stored.get(number) != one.node:
                raise Broken("I11", "a worker has a number that is not its own in the store")
        for node, one in membership.by_node.items():
            if stored.get(one.number) != node or membership.by_number.get(one.number) is not one:
                raise Broken("I11", "a worker is known by a number that is not its own")

    def _charge(self, event: dict[str, Any]) -> None:
        """I4: a task is tried again as often as it may be, and not once more."""
        if event["outcome"] in (OutcomeNumber.ERROR, OutcomeNumber.RETRY, OutcomeNumber.TIMEOUT):
            id = event["id"]
            self._failures[id] = self._failures.get(id, 0) + 1
            if self._failures[id] > self._load.specs[id].options.get("retries", 0) + 1:
                raise Broken("I4", "it was tried more often than its retries allow", id)

    # the master's clock

    def reborn(self, engine: Engine) -> None:
        """C2: a restart knows the time that its store was kept by, as far as the wall's clock lets it."""
        steady, mono = engine.now.steady, engine.now.mono
        self._begun = steady, mono
        if self.is_blind:
            return
        if self.crowd is not None:
            self.crowd.undone()
        for laws in filter(None, (self.handled, self.steered)):
            laws.reborn(engine)
        if self.purges_between:
            engine.part(Becomings).ended_at_once = 1
        before, at = self._committed
        if not before:
            return  # the first start of all
        gained = steady - before - (mono - at)
        self._gained_ms += max(0, gained)
        if not self._knows_time:
            return  # it was killed so soon that its store has no time to compare with
        if steady < before - SEEN_MS:
            raise Broken("C2", f"a master began {before - steady} ms before the end of the last one")
        if abs(gained) > SEEN_MS and self._world.jumped_at < self._committed_at:
            raise Broken("C2", f"a restart changed the time by {gained} ms, and no clock was set")

    def _time(self, store: WatchedStore, engine: Engine) -> None:
        """C1: in one life of a master its own time passes as the world's. C3: nothing waits for an hour."""
        steady, mono = engine.now.steady, engine.now.mono
        self._committed, self._committed_at = (steady, mono), self._world.now
        self._knows_time = self._knows_time or store.get_meta("clock") is not None
        if abs(steady - self._begun[0] - (mono - self._begun[1])) > TICKS_MS:
            raise Broken("C1", "the master's own time does not pass as the world's")
        due = store.next_due()
        if due is not None and due - steady > LATE_MS:
            raise Broken("C3", f"the next delayed task is due in {(due - steady) // 1000} s")

    def _passed_ms(self, id: bytes) -> int:
        """Since a task was made up: its id says when."""
        return self._world.now // 1000 - int.from_bytes(id[:6], "big") + self._gained_ms + TICKS_MS

    def _expired(self, id: bytes) -> None:
        expires = self._load.specs[id].options.get("expires")
        if expires is not None and self._passed_ms(id) < expires * 1000:
            raise Broken("I6", "it expired before its time", id)

    def _leased(self, id: bytes) -> None:
        options = self._load.specs[id].options
        if id in self._revived:
            return
        if "delay" in options and self._passed_ms(id) < options["delay"] * 1000:
            raise Broken("C3", "it was started before its delay was over", id)
        if self._world.latest_wall < options.get("at", 0) * SECOND:
            raise Broken("C3", "it was started before its instant", id)

    # faults and what they excuse

    def disturbed(self, node: bytes, lasting: int = 0) -> None:
        """A fault touches this worker, or its link, for so long."""
        until = self._world.now + lasting
        self._disturbed[node] = max(until, self._disturbed.get(node, until))

    def all_disturbed(self, lasting: int = 0) -> None:
        self._all_disturbed = max(self._all_disturbed, self._world.now + lasting)

    def _lost(self, event: dict[str, Any]) -> None:
        assert self.master is not None
        if (event["id"], event["attempt"]) in self._spared:
            return  # handed back by its worker, after it had begun
        leased = next(
            other
            for other in reversed(self.events)
            if other["what"] == "leased"
            and other["id"] == event["id"]
            and other["attempt"] == event["attempt"]
        )
        worker = self.master.engine.part(Membership).by_number.get(leased["worker"])
        node = worker.node if worker is not None else b""
        holder = self.workers.get(node)
        if holder is None or not holder.process.alive:
            return
        since = max(self._disturbed.get(node, -LEASES_OF_DOUBT * LEASE), self._all_disturbed)
        if self._world.now - since > LEASES_OF_DOUBT * LEASE:
            raise Broken("H9", "a task was taken from a worker that no fault had touched", event["id"])

    # the workers' side

    def once_leased(self, id: bytes, action: Callable[[], object]) -> None:
        """Do something when this task is leased next."""
        self._once_leased[id] = action

    def started(self, worker: Worker, job: Job, who: str) -> None:
        if self.is_blind:
            return
        id, attempt = job.key
        self.note("started", id=id, attempt=attempt, number=job.number, who=who)
        self._spared.discard(job.key)  # it had not begun when its process died
        if (worker.node, id, job.lease) in self._dropped:
            raise Broken(
                "I7", f"attempt {attempt} was started by a worker that had been ordered to drop it", id
            )

    def spared(self, jobs: list[Job]) -> None:
        """Their process dies, by the code of another job in it."""
        self._spared.update(job.key for job in jobs)

    def awaited(self, ids: Iterable[bytes]) -> set[bytes]:
        """What has to end before these can."""
        return self.became.awaited(ids)

    def object(self, rule: str, text: str, id: bytes | None) -> None:
        if self.is_blind:
            return
        raise Broken(rule, text, id)

    def given(self, spec: Spec, given: Mapping[bytes, tuple[int, bytes | None]]) -> None:
        if self.is_blind:
            return
        with objections():
            self.composition.given(spec, given)

    def served(self, id: bytes, attempt: int, sent: int, method: str) -> None:
        """T2: an attempt that is over gets and records nothing."""
        if self.is_blind:
            return
        if self._ended_at.get((id, attempt), sent) < sent:
            raise Broken("T2", f"{method} was answered to attempt {attempt}, which had ended", id)

    def announced(self, worker: Worker, sent: int, held: list[list[Any]], dropped: list[bytes]) -> None:
        """A worker announced what it holds; the answer names what it has lost."""
        if self.is_blind:
            return
        lost = Counter(dropped)
        for id, attempt, lease in sorted(held):  # of two attempts of one task, the older is lost first
            if lost[id]:
                lost[id] -= 1
                self._dropped.add((worker.node, id, lease))
            elif self._ended_at.get((id, attempt), self._world.now) < sent:
                raise Broken("I7", f"attempt {attempt} had ended, and its worker was let keep it", id)

    def answered(self, sent: int, rows: list[Any], stale: Container[int]) -> None:
        """R2: a report is stale if, and only if, the attempt had not ended by such a report before. ``sent``: when it was."""
        if self.is_blind:
            return
        for index, (id, attempt, _, outcome, *_) in enumerate(rows):
            reported = self._reported_at.get((id, attempt))
            if id in self.forgotten or outcome == OutcomeNumber.RELEASED:
                continue
            if index in stale and reported is not None and reported < sent:
                raise Broken(
                    "R2", f"the report of attempt {attempt} was accepted, and is stale when repeated", id
                )
            if index not in stale and reported is None:
                raise Broken("R2", f"the report of attempt {attempt} is not stale, and was not accepted", id)

    # the clients' side

    def submitting(self, ids: list[bytes]) -> None:
        for id in ids:
            once = self._load.specs[id].options.get("delivery") == "at_most_once"
            self.note("submitting", id=id, once=once, who="client")

    def acknowledged(self, id: bytes) -> None:
        self.note("acknowledged", id=id, who="client")

    def sent(self, laws: OutboxLaws, row: Row) -> None:
        """A relay has marked a row of an outbox."""
        if self.is_blind:
            return
        with objections():
            laws.sent(row)
        for spec in row.specs:
            self.acknowledged(spec.id)

    def received(self, client: Client, id: bytes, state: int, digest: str) -> None:
        if self.is_blind:
            return
        self.outcomes[id] = state
        self.note("received", id=id, state=state, digest=digest, who=client.process.name)

    def read(self, id: bytes, before: int | None, state: int) -> None:
        if self.is_blind:
            return
        self.note("read", id=id, before=before, state=state, who="client")

    # the end

    def judge(self, store: WatchedStore) -> int:
        """Judge the whole history; the number of extra starts. Raises Broken."""
        self._look(store)
        if self.is_blind:
            return 0
        rows = store.every_task()
        from tq.common.runtime.history import digest

        final = {
            id: Final(state, attempt, digest(result) if state == StateNumber.SUCCEEDED else "")
            for id, state, attempt, result in rows
        }
        with objections():
            self.instants.check_ends({id: row.state for id, row in final.items()})
            self.composition.check_callbacks()
            if self.limits is not None:
                self.limits.judge()
        report = check(self.events, final)
        for violation in report.violations:
            raise Broken(violation.rule, violation.text, violation.id)
        return report.extra_starts
