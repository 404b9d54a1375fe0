"""Sees everything, and objects at once: the invariants that must hold at every commit, and the history.

The history is judged at the end by the checker that judges real processes too (``tests/history``); what is
here can only be seen where time and faults are known exactly.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tq.common.model import OutcomeNumber, StateNumber

from ..history.checker import Final, check
from .world import SECOND, World

if TYPE_CHECKING:
    from .client import Client
    from .disk import SimulatedStore
    from .load import Load
    from .master import Master
    from .worker import Worker

LEASES_OF_DOUBT = 4  # after a fault that touched a worker its tasks may be taken from it for so long
LEASE = 4 * SECOND


class Broken(BaseException):
    """An invariant does not hold. No Exception: nothing of tq is to handle it."""

    def __init__(self, rule: str, text: str, id: bytes | None = None) -> None:
        super().__init__(f"{rule}: {text}")
        self.id = id


class Oracle:
    def __init__(self, world: World, load: Load) -> None:
        self._world, self._load = world, load
        self.events: list[dict[str, Any]] = []
        self.clients: list[Client] = []
        self.workers: dict[bytes, Worker] = {}
        self.master: Master | None = None
        self.told: dict[bytes, int] = {}
        self._pending: list[dict[str, Any]] = []  # of the transaction under way
        self._ended_at: dict[tuple[bytes, int], int] = {}
        self._dropped: set[tuple[bytes, bytes, int]] = set()
        self._disturbed: dict[bytes, int] = {}  # node: until when a fault excuses the loss of its tasks
        self._failures: dict[bytes, int] = {}  # of each task's life
        self._all_disturbed = -LEASES_OF_DOUBT * LEASE

    # the store's side

    def note(self, what: str, /, **fields: Any) -> None:
        """From a recording store before its commit, and from children and clients."""
        if what == "committed":
            return
        event = {"t": self._world.now, "who": "master", "what": what, **fields}
        if "transaction" in fields:
            self._pending.append(event)
        else:
            self._say(event)

    def begun(self) -> None:
        self._pending.clear()

    def took_effect(self, store: SimulatedStore) -> None:
        """The transaction under way is durable, whatever its commit goes on to say."""
        pending, self._pending = self._pending, []
        for event in pending:
            event["t"] = self._world.now
            self._say(event)
            if event["what"] in ("ended", "accepted"):
                self._ended_at[event["id"], event["attempt"]] = self._world.now
            if event["what"] == "ended":
                self._charge(event)
                if event["outcome"] == OutcomeNumber.LOST:
                    self._lost(event)
            elif event["what"] == "expired":
                self._expired(store, event["id"])
            elif event["what"] == "revived":
                self._failures.pop(event["id"], None)
        if self._world.chance(0.05):
            self._count(store)

    def _say(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        fields = " ".join(
            f"{name}={value.hex()[-6:] if isinstance(value, bytes) else value}"
            for name, value in event.items()
            if name not in ("t", "who", "what", "id", "transaction")
        )
        self._world.log(event["who"], f"{event['what']} {fields}", event.get("id"))

    def _count(self, store: SimulatedStore) -> None:
        """I8: what the master believes is what the store has."""
        assert self.master is not None
        engine, picture = self.master.engine, store.load()
        have = {(lane, StateNumber(state)): tasks for lane, state, tasks in picture.counts}
        for row in picture.running:
            have[row.lane, StateNumber.RUNNING] = have.get((row.lane, StateNumber.RUNNING), 0) + 1
        believed = {
            (lane.number, StateNumber(state)): tasks
            for lane in engine.lanes
            for state, tasks in enumerate(lane.counts)
            if tasks
        }
        if have != believed:
            raise Broken("I8", f"the store has {have}, the master believes {believed}")
        if {row.id for row in picture.running} != set(engine.running):
            raise Broken("I5", "the master's leases are not the store's")

    def _charge(self, event: dict[str, Any]) -> None:
        """I4: a task is tried again as often as it may be, and not once more."""
        if event["outcome"] in (OutcomeNumber.ERROR, OutcomeNumber.RETRY, OutcomeNumber.TIMEOUT):
            id = event["id"]
            self._failures[id] = self._failures.get(id, 0) + 1
            if self._failures[id] > self._load.specs[id].options.get("retries", 0) + 1:
                raise Broken("I4", "it was tried more often than its retries allow", id)

    def _expired(self, store: SimulatedStore, id: bytes) -> None:
        [(expires,)] = store._run("SELECT expires FROM tasks WHERE id = ?", (id,))
        if expires is not None and self._world.latest_wall // 1000 < expires:
            raise Broken("I6", "it expired before its time", id)

    # faults and what they excuse

    def disturbed(self, node: bytes, lasting: int = 0) -> None:
        """A fault touches this worker, or its link, for so long."""
        until = self._world.now + lasting
        self._disturbed[node] = max(until, self._disturbed.get(node, until))

    def all_disturbed(self, lasting: int = 0) -> None:
        self._all_disturbed = max(self._all_disturbed, self._world.now + lasting)

    def _lost(self, event: dict[str, Any]) -> None:
        assert self.master is not None
        leased = next(
            other
            for other in reversed(self.events)
            if other["what"] == "leased"
            and other["id"] == event["id"]
            and other["attempt"] == event["attempt"]
        )
        worker = self.master.engine.roster.by_number.get(leased["worker"])
        node = worker.node if worker is not None else b""
        holder = self.workers.get(node)
        if holder is None or not holder.process.alive:
            return
        since = max(self._disturbed.get(node, -LEASES_OF_DOUBT * LEASE), self._all_disturbed)
        if self._world.now - since > LEASES_OF_DOUBT * LEASE:
            raise Broken("H9", "a task was taken from a worker that no fault had touched", event["id"])

    # the workers' side

    def started(self, worker: Worker, id: bytes, attempt: int, who: str) -> None:
        self.note("started", id=id, attempt=attempt, who=who)
        if (worker.node, id, attempt) in self._dropped:
            raise Broken("I7", f"attempt {attempt} was started by a worker that was told to drop it", id)

    def announced(self, worker: Worker, sent: int, held: list[list[Any]], dropped: list[bytes]) -> None:
        """A worker said what it holds, and heard what it has lost."""
        lost = Counter(dropped)
        for id, attempt, _ in sorted(held):  # of two attempts of one task, the older is lost first
            if lost[id]:
                lost[id] -= 1
                self._dropped.add((worker.node, id, attempt))
            elif self._ended_at.get((id, attempt), self._world.now) < sent:
                raise Broken("I7", f"attempt {attempt} had ended, and its worker was let keep it", id)

    # the clients' side

    def submitting(self, ids: list[bytes]) -> None:
        for id in ids:
            once = self._load.specs[id].options.get("delivery") == "at_most_once"
            self.note("submitting", id=id, once=once, who="client")

    def acknowledged(self, id: bytes) -> None:
        self.note("acknowledged", id=id, who="client")

    def heard(self, client: Client, id: bytes, state: int, digest: str) -> None:
        self.told[id] = state
        self.note("heard", id=id, state=state, digest=digest, who=client.process.name)

    def read(self, id: bytes, before: int | None, state: int) -> None:
        self.note("read", id=id, before=before, state=state, who="client")

    # the end

    def judge(self, store: SimulatedStore) -> int:
        """Judge the whole history; the number of extra starts. Raises Broken."""
        self._count(store)
        rows = store._run("SELECT id, state, attempt, result FROM tasks")
        from tq.common.history import digest

        final = {
            id: Final(state, attempt, digest(result) if state == StateNumber.SUCCEEDED else "")
            for id, state, attempt, result in rows
        }
        report = check(self.events, final)
        for violation in report.violations:
            raise Broken(violation.rule, violation.text, violation.id)
        return report.extra_starts
