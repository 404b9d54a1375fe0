"""Lives of a cluster of two to four shards whose tasks need one another across shards, by seeds.

An engine and a store each, killed and started again between and amid transactions, and sometimes with an older copy of their store. What
carries rows from shard to shard loses some, carries some twice, and some so late that both shards have been started again meanwhile.
Shipped are the engines and the stores; time stands still.

::

    submit, some with needs in any shard ─┐
    lease, report, cancel, retry, purge ──┼─► an event ─► look (edge_laws.py) ─► the next … ─► all shards serve, and everything ends
    rows are carried, or are not ─────────┤
    a shard dies, starts, is restored ────┘

``python -m tests.simulation --edges --seeds 500``: that many.
"""

from __future__ import annotations

import hashlib
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable
from random import Random
from typing import Any, Final

import msgpack
from tq.common.domain.id_runs import IdRun
from tq.common.domain.ids import id_behind
from tq.common.domain.model import Role
from tq.common.domain.shards import shard_of_id, shard_of_name, with_shard
from tq.common.errors import TqError
from tq.common.values.codec import encode
from tq.common.values.failure import Failure
from tq.common.values.needed import Carried
from tq.master.edges import edges as applied
from tq.master.edges import lines
from tq.master.edges import needs as released
from tq.master.edges.edges import Edges
from tq.master.store.interface.edges import EdgeRow

from ..master.conftest import Peer
from ..master.leased import each
from ..master.new_store import NewStore
from .edge_laws import Dependent, EdgeLaws, ids_of
from .oracle import Broken
from .run import Outcome
from .shard_process import Fate, ShardProcess

TASK: Final = "jobs:work"
EVENTS: Final = 250
PEACE: Final = 300  # rounds, until nothing is left to do
SLOTS: Final = 4
DONE, ERROR = 0, 1
# So few that a life meets the bounds of a transaction.
PORTIONS: Final = (
    (applied, "APPLIED_TASKS", 12),
    (released, "FORGOTTEN_MAX", 4),
    (lines, "ROW_TASKS", 3),
    (lines, "DELETED_TOGETHER", 3),
)


class EdgeLife:
    def __init__(self, seed: int) -> None:
        self.random = random = Random(seed)
        self.count = random.randint(2, 4)
        first = ShardProcess(0, None, self.count, 1)
        others = (ShardProcess(number, first, self.count, 1) for number in range(1, self.count))
        self.processes = [first, *others]
        self.laws = EdgeLaws(self.processes)
        self.names = [self._name(shard) for shard in range(self.count)]
        self.runs: list[IdRun] = []  # that were acknowledged
        self.submitted = 0
        self.late: deque[tuple[int, int, list[EdgeRow]]] = deque()  # rows on their way
        self.faults: Counter[str] = Counter()
        self._copies: dict[int, bytes] = {}
        self._held: dict[bytes, tuple[int, bytes]] = {}
        self._outcomes: dict[
            tuple[bytes, int], int
        ] = {}  # of attempts that are reported, until that is acknowledged
        self._peers: dict[tuple[int, Role], tuple[int, Peer]] = {}
        self.kinds: list[Callable[[], None]] = [
            *[self.submit] * 3,
            *[self.submit_with_needs] * 5,
            *[self.carry] * 20,
            *[self.work] * 8,
            self.cancel,
            self.retry,
            self.purge,
            *[self.restart] * 2,
            *[self.die_amid_a_transaction] * 2,
            *[self.start_one] * 8,
        ]
        if seed % 2 == 0:  # in every other life
            self.kinds += [self.copy, self.restore] * 2

    def _name(self, shard: int) -> str:
        return next(name for name in map(str, range(999)) if shard_of_name(name, self.count) == shard)

    def _peer(self, shard: int, role: Role = Role.ADMIN) -> Peer | None:
        process = self.processes[shard]
        if process.bench is None:
            return None
        life, peer = self._peers.get((shard, role), (0, None))
        if peer is None or life != process.life:
            if role == Role.WORKER:
                held = [[id, *held] for id, held in self._held.items() if shard_of_id(id) == shard]
                peer = process.bench.worker(TASK, node=bytes([shard]) * 16, held=held, slots=SLOTS)
            else:
                peer = process.peer(role, b"program" + bytes(9), "")
            self._peers[shard, role] = process.life, peer
        return peer

    # what programs do

    def _new_run(self, shard: int, tasks: int) -> IdRun:
        self.submitted += 1
        number = self.submitted << 80 | 7 << 76 | 1 << 63 | self.random.getrandbits(16) << 32
        return IdRun(with_shard(number, shard).to_bytes(16, "big"), tasks)

    def submit(self) -> None:
        self._submit(self.random.choice((1, 1, 2, 5)), [])

    def submit_with_needs(self) -> None:
        if not self.runs:
            return
        wanted = [
            self._some_of(run) for run in self.random.choices(self.runs[-8:], k=self.random.randint(1, 3))
        ]
        if self.random.random() < 0.03:
            wanted.append(self._new_run(self.random.randrange(self.count), 2))
            self.laws.gone.update(wanted[-1].ids())  # no one has submitted these
        self._submit(1, list(dict.fromkeys(wanted)))

    def _some_of(self, run: IdRun) -> IdRun:
        """All of it, mostly."""
        if self.random.random() < 0.7:
            return run
        start = self.random.randrange(run.length)
        return run.part(start, self.random.randint(start + 1, run.length))

    def _submit(self, tasks: int, needs: list[IdRun]) -> None:
        shard = self.random.randrange(self.count)
        peer = self._peer(shard)
        if peer is None:
            return
        is_each = bool(needs) and self.random.random() < 0.3
        if is_each:
            needs = needs[:1]
            tasks = needs[0].length
        run = self._new_run(shard, tasks)
        payloads = [encode([[place], {}]) for place in range(tasks)]
        row: list[Any] = [run.first, payloads if tasks > 1 else payloads[0]]
        options: dict[str, Any] = {}
        if needs:
            row.append([int(is_each), [need.to_wire() for need in needs]])
            on_error = self.random.choice(("fail", "fail", "collect", "catch", 1))
            options = {"on_error": on_error}
            for place, id in enumerate(run.ids()):
                wanted = [id_behind(needs[0].first, place)] if is_each else ids_of(needs)
                self.laws.dependents[id] = Dependent(wanted, on_error)
        asked = peer.ask(("get_task_queue", self.names[shard]), "submit", TASK, options, [row])
        self.processes[shard].step()
        try:
            peer.answer(asked)
        except TqError:  # of its own shard something is gone that it needs
            return
        self.runs.append(run)

    def cancel(self) -> None:
        self._call_of_some("cancel", False)

    def retry(self) -> None:
        self._call_of_some("retry")

    def _call_of_some(self, method: str, *more: Any) -> None:
        if self.runs:
            id = self.random.choice(self.random.choice(self.runs).ids())
            peer = self._peer(shard_of_id(id))
            if peer is not None and id in self.laws.there:
                self.faults[f"{method} by hand"] += 1
                peer.call("get_tasks", method, [id], *more)

    def purge(self) -> None:
        """As tasks are deleted by age: what is needed is spared."""
        peer = self._peer(self.random.randrange(self.count))
        if peer is not None:
            self.faults["purges"] += 1
            filter = {"states": [10, 11, 12, 13]}
            peer.call("get_tasks", "purge", filter)

    # workers

    def work(self, shard: int | None = None) -> None:
        shard = self.random.randrange(self.count) if shard is None else shard
        if self.random.random() < 0.8:
            self._lease(shard)
        if self.random.random() < 0.6:
            self._finish(shard)

    def _lease(self, shard: int) -> None:
        peer = self._peer(shard, Role.WORKER)
        free = SLOTS - sum(shard_of_id(id) == shard for id in self._held)
        if peer is None or free < 1:
            return
        lease, groups = peer.call("get_dispatcher", "lease", free, 0, False)
        for id, attempt, payload, *_ in each(groups):
            self._held[id] = attempt, lease
            if id in self.laws.dependents:
                self.laws.look()
                self.laws.leased(id, self._seen(shard, id, payload))

    def _seen(self, shard: int, id: bytes, payload: bytes) -> list[tuple[bytes, int, bytes | None]]:
        carried = Carried(msgpack.unpackb(payload).data)
        rows = list(carried.rows)
        needs, peer = self.laws.dependents[id].needs, self._peer(shard)
        assert peer is not None
        seen: list[tuple[bytes, int, bytes | None]] = []
        while True:
            for first, state, bodies in rows:
                seen += zip(IdRun(first, len(bodies)).ids(), [state] * len(bodies), bodies, strict=True)
            if len(seen) >= len(needs):
                return seen
            rows = peer.call("get_dependencies", "results", id, *self._held[id], needs[len(seen)])

    def _ask_to_finish(self, shard: int) -> tuple[Peer, int, list[bytes]] | None:
        peer = self._peer(shard, Role.WORKER)
        if peer is None:
            return None
        rows: list[list[Any]] = []
        for id, (attempt, lease) in self._held.items():
            if shard_of_id(id) != shard:
                continue
            outcome = self._outcomes.get((id, attempt))
            if outcome is None:
                if self.random.random() < 0.3:
                    continue
                outcome = self._outcomes[id, attempt] = DONE if self.random.random() < 0.85 else ERROR
            body = (
                encode([id, attempt]) if outcome == DONE else Failure("ValueError", "as it was to").encode()
            )
            rows.append([id, attempt, lease, outcome, body, 0.0, 0.5, None])
        return peer, peer.ask("get_dispatcher", "finish", rows), [row[0] for row in rows]

    def _finish(self, shard: int) -> None:
        asked = self._ask_to_finish(shard)
        if asked is not None:
            peer, call, ids = asked
            self.processes[shard].step()
            peer.answer(call)
            for id in ids:  # those that are stale are of a lease that is over
                del self._held[id]

    # what carries rows

    def carry(self) -> None:
        """Between two shards: rows now or later, some twice, and how far the other one is, or not."""
        here, there = self.random.sample(range(self.count), 2)
        if self.late and self.random.random() < 0.5:
            self._receive(*self.late.popleft())
        source, target = self._edges(here), self._edges(there)
        if source is None or target is None:
            return
        after = max(0, target.taken(here) - self.random.choice((0, 0, 0, 1, 4)))
        rows = list(source.pending(there, after, self.random.choice((1, 2, 50))))
        if rows and self.random.random() < 0.2:
            self.faults["rows carried late"] += 1
            self.late.append((here, there, rows))
        else:
            self._receive(here, there, rows)
        if self.random.random() < 0.6:
            source.acknowledged(there, target.applied(here))
        if self.random.random() < 0.8:
            self.processes[there].step()

    def _receive(self, here: int, there: int, rows: list[EdgeRow]) -> None:
        target = self._edges(there)
        if target is not None:
            self.faults["rows carried"] += len(rows)
            self.faults["rows carried twice"] += sum(row.number <= target.taken(here) for row in rows)
            target.received(here, rows)

    def _edges(self, shard: int) -> Edges | None:
        bench = self.processes[shard].bench
        return None if bench is None else bench.engine.part(Edges)

    # what befalls masters

    def restart(self) -> None:
        shard = self.random.randrange(self.count)
        if self._may_start(shard) and self.processes[shard].bench is not None:
            self.faults["restarts"] += 1
            self.processes[shard].kill()
            self.processes[shard].start()

    def die_amid_a_transaction(self) -> None:
        shard, fate = self.random.randrange(self.count), self.random.choice(list(Fate))
        if self.processes[shard].bench is None:
            return
        self.faults["deaths amid a transaction"] += 1
        self._ask_to_finish(shard)
        for other in range(self.count):
            source, target = self._edges(other), self._edges(shard)
            if other != shard and source is not None and target is not None:
                target.received(other, source.pending(shard, target.taken(other), 50))
        bench = self.processes[shard].bench
        assert bench is not None
        has_changed = bench.engine.run(bench.now).changed
        for other in range(self.count):  # while the disk works
            source, target = self._edges(shard), self._edges(other)
            if other != shard and source is not None and target is not None:
                self._receive(shard, other, list(source.pending(other, target.taken(shard), 50)))
        if has_changed and fate is Fate.BEFORE_THE_ANSWERS:
            self.processes[shard].store.commit()
        self.processes[shard].kill()

    def start_one(self) -> None:
        dead = [
            process for process in self.processes if process.bench is None and self._may_start(process.number)
        ]
        if dead:
            self.random.choice(dead).start()

    def _may_start(self, shard: int) -> bool:
        """The others ask the first one how many they are."""
        return shard == 0 or self.processes[0].bench is not None

    def copy(self) -> None:
        shard = self.random.randrange(self.count)
        process = self.processes[shard]
        if process.bench is not None:
            self._copies[shard] = process.store._db.serialize()

    def restore(self) -> None:
        """A shard begins again with an older copy of its store; what was on its way is lost."""
        if not self._copies:
            return
        shard, copy = self._copies.popitem()
        process = self.processes[shard]
        if not self._may_start(shard):
            return
        self.faults["restored stores"] += 1
        if process.bench is not None:
            process.kill()
        process.store.close()
        process.store = NewStore()
        process.store._db.deserialize(copy)
        self.laws.restored()
        self._held = {id: held for id, held in self._held.items() if shard_of_id(id) != shard}
        self.late.clear()
        process.start()

    # the end

    def make_peace(self) -> None:
        """All shards serve, all that is said arrives, and everything ends."""
        for process in self.processes:
            if process.bench is None:
                process.start()
        self.late.clear()
        quiet = 0  # rounds: what was applied in one is known in the next
        for _ in range(PEACE):
            is_news = False
            for here in range(self.count):
                for there in range(self.count):
                    source, target = self._edges(here), self._edges(there)
                    assert source is not None
                    assert target is not None
                    if here != there:
                        rows = source.pending(there, target.taken(here), 100)
                        is_news |= bool(rows)
                        target.received(here, rows)
                        source.acknowledged(there, target.applied(here))
            for process in self.processes:
                is_news |= process.has_work
                process.step()
                self.work(process.number)
            self.laws.look()
            has_ended = not self._held and all(state >= 10 for state in self.laws.there.values())
            quiet = 0 if is_news or not has_ended else quiet + 1
            if quiet > 2:
                break
        self.laws.judge()

    def close(self) -> None:
        for process in self.processes:
            process.store.close()


def simulate_edges(seed: int) -> Outcome:
    """Live one life to its end."""
    began = time.perf_counter()
    rule = broken = trace = ""
    life = EdgeLife(seed)
    before = [getattr(module, name) for module, name, _ in PORTIONS]
    try:
        for module, name, few in PORTIONS:
            setattr(module, name, few)
        for _ in range(EVENTS):
            life.random.choice(life.kinds)()
            life.laws.look()
        life.make_peace()
        trace = hashlib.sha256(repr(sorted(life.laws.there.items())).encode()).hexdigest()
    except Broken as found:
        rule, broken = found.rule, str(found)
    except Exception:  # a bug of ours, or of tq's
        broken = traceback.format_exc()
    finally:
        life.close()
        for (module, name, _), usual in zip(PORTIONS, before, strict=True):
            setattr(module, name, usual)
    seconds = time.perf_counter() - began
    tasks = len(life.laws.there)
    return Outcome(seed, trace, tasks, 0, dict(life.faults), rule, broken, "", seconds)
