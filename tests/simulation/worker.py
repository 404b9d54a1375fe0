"""A worker: the shipped agent, with effects whose children are made of events. Mirrors ``worker/supervisor/``."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from tq.common.contract.workers import ReportRow
from tq.common.domain.id_runs import PLACE_BYTES, IdRun, ids_named
from tq.common.domain.model import OutcomeNumber, Role
from tq.common.errors import InvalidArgument, TqError
from tq.worker.agent.agent import Agent
from tq.worker.agent.concurrent_children import Concurrency
from tq.worker.agent.ended import EndedSlice
from tq.worker.agent.finish_call import FinishCall
from tq.worker.agent.jobs import Death
from tq.worker.agent.outbox import Outbox
from tq.worker.agent.reports import Report
from tq.worker.agent.runs import JobRun
from tq.worker.agent.watchdog import LOOK_SECONDS, TICK_SECONDS

from .arranged import TOGETHER, TOGETHER_TASK
from .caller import Connection, Reconnecting, Then
from .children import KILL_GRACE_SECONDS, Child, ConcurrentChild
from .load import TASKS, Load
from .master import HEARTBEAT_SECONDS, Greeting
from .network import Network
from .oracle import Oracle, objections
from .placed import HOSTS
from .waiting import STUCK, Waits
from .world import MS, SECOND, Process, World

DISPATCHER = ["get_dispatcher"]
LATE_SECONDS: Final = 4.0  # half of it is more than the grace
LENT_CHILDREN: Final = 4  # of each slot


class Worker(Reconnecting):
    """One life of a worker process and its children."""

    def __init__(
        self,
        world: World,
        network: Network,
        oracle: Oracle,
        load: Load,
        name: str,
        slots: int,
        has: Mapping[str, Any] = HOSTS[-1],
        places: int = 0,
        lent_children: int = LENT_CHILDREN,
    ) -> None:
        """``has``: its labels and resources. ``places``: how many jobs each child runs at a time; 0: one after the other."""
        self.has, self._places = has, places
        self.world, self.oracle, self.load, self.slots = world, oracle, load, slots
        self.node = world.random_bytes(16)
        super().__init__(Process(world, name), network, Greeting(Role.WORKER, self.node))
        self.tasks = sorted(TASKS if world.chance(0.6) else TASKS[:2])
        self.children: dict[int, Child] = {}
        self._next_child = 1
        self._ticking = self._looking = False
        self._sent_reports: deque[list[list[Any]]] = deque(maxlen=20)
        self._keeps_back = False  # the next report
        self._late: list[ReportRow] = []
        self._confused = 0  # about its next so many releases
        self._reports_on_others = False  # what it has given back, once it is leased again
        self._unsent: list[Callable[[], None]] = []  # calls of children, for the next connection
        self.ended = False
        self._replaced: set[int] = set()  # children in whose place others were started already
        self.waits = Waits(self, slots * max(1, places) * lent_children)
        self.agent = Agent(
            self,
            self,
            slots * max(1, places),
            lent=self,
            kill_grace_seconds=KILL_GRACE_SECONDS,
            report=self._report,
            max_tasks_per_child=world.between(1, 40) if world.chance(0.3) else 0,
            lent_children=lent_children,
            concurrent=Concurrency(places, self) if places else None,
        )
        if load.joined is not None and not places:  # as its children say when they have loaded the tasks
            self.agent.durations.together = {TOGETHER_TASK: TOGETHER}
        oracle.workers[self.node] = self
        for _ in range(slots):
            self.start_child()
        self.connect()
        self.process.log("started")

    # what befalls it

    def kill(self) -> None:
        """SIGKILL, or the host is gone: children die a moment later."""
        self.process.log("killed")
        self.drop()
        self.process.kill()
        self.oracle.disturbed(self.node)
        for child in self.children.values():
            self.world.schedule(self.world.between(0, 2 * MS), child, partial(child.die, -9))

    def drain(self) -> None:
        """SIGTERM."""
        if self.process.alive and not self.agent.draining:
            self.process.log("drains")
            self.agent.drain(self.seconds)
            self._after()

    # the connection

    def admitted(self, connection: Connection) -> None:
        info = {
            "host": self.process.name,
            "pid": 1,
            "slots": self.slots * max(1, self._places),
            **self.has,
            "tasks": self.tasks,
            "queues": None,
            "version": "simulated",
        }
        held, sent = one_by_one(self.agent.held), self.world.now
        held_with_seconds = self.agent.held_with_seconds(self.seconds)

        def announced(answer: Any, error: TqError | None) -> None:
            if error is not None:
                connection.end(str(error))
                return
            self.connection = connection
            dropped = ids_named(answer["dropped"])
            self.oracle.announced(self, sent, held, dropped)
            self.agent.connect(dropped, self.seconds)
            self._await_orders(connection)
            self._beat(connection)
            unsent, self._unsent = self._unsent, []
            for send in unsent:
                send()
            self._after()
            late, self._late = self._late, []
            if late:
                self.process.later(self.world.between(0, SECOND), lambda: self._report_again(late))

        connection.call(DISPATCHER, "announce", [info, held_with_seconds], announced)

    def gone(self, reason: str) -> None:
        self.agent.disconnect()

    def relay(self, child: Child, target: list[str], method: str, args: tuple[Any, ...], then: Then) -> None:
        """A call of a child; without a connection it waits for the next one."""
        if not child.alive:
            return
        connection = self.connection
        if connection is None or connection.over:
            self._unsent.append(lambda: self.relay(child, target, method, args, then))
            return
        child.node = child.node or self.world.random_bytes(16)

        def answered(value: Any, error: TqError | None) -> None:
            child.later(self.world.between(20, 500), lambda: then(value, error))

        connection.call(target, method, args, answered, child.node)

    @property
    def is_amid_steps(self) -> bool:
        return any(child.is_amid_steps for child in self.children.values())

    def _ask(
        self,
        method: str,
        then: Callable[[Any], None],
        *args: Any,
        refused: Callable[[TqError], bool] = lambda error: False,
    ) -> None:
        connection = self.connection
        if connection is None:
            return

        def done(answer: Any, error: TqError | None) -> None:
            if error is None:
                if connection is self.connection:
                    then(answer)
            elif not connection.over and not refused(error):
                connection.end(f"{method}: {error}")

        connection.call(DISPATCHER, method, args, done)

    def _beat(self, connection: Connection) -> None:
        if connection is self.connection:
            with objections():
                self.waits.judge_asked()
            self._ask("beat", lambda _: None, self.agent.starts.rows(self.seconds))
            self.process.later(int(HEARTBEAT_SECONDS * SECOND), lambda: self._beat(connection))

    def _await_orders(self, connection: Connection) -> None:
        def done(orders: list[list[Any]]) -> None:
            self._await_orders(connection)
            for order in orders:
                if order[0] == "cancel":
                    self.agent.cancel(order[1], order[2], self.seconds)
                else:
                    self.drain()
            self._after()

        self._ask("orders", done)

    # the agent's effects

    def send(self, child: int, runs: list[JobRun], *, is_swift: bool) -> None:
        one = self.children[child]
        if one.is_lent:
            with objections():
                self.waits.judge_sent(one, runs)
        one.send(runs)
        self._tick_soon()
        if len(self.agent.children[child].jobs) > 1:
            self._look_soon()

    def begun(self, child: int, *, for_certain: bool = False) -> int:
        return self.children[child].begun(for_certain=for_certain)

    def take_back(self, child: int) -> int:
        return self.children[child].take_back()

    def notify(self, child: int, ordinal: int, kind: str) -> None:
        self.children[child].notify(ordinal, kind)

    def signal(self, child: int, *, kill: bool) -> None:
        one = self.children[child]
        one.kernel.later(self.world.between(10, 300), lambda: one.die(-9 if kill else -15))

    def dump(self, child: int) -> None:
        """Nothing that decides depends on it."""

    def retire(self, child: int) -> None:
        one = self.children[child]
        one.retire()
        if not one.is_lent and child not in self._replaced:
            self.start_child()

    # and those of children that run many jobs

    def replace(self, child: int) -> None:
        if child not in self._replaced:
            self._replaced.add(child)
            self.start_child()

    def beat(self, child: int) -> tuple[int, int]:
        one = self.children[child]
        assert isinstance(one, ConcurrentChild)
        return one.beat

    def starved(self, child: int, now: float) -> tuple[float, float]:
        return 0.0, 0.0

    def stack(self, child: int, ordinal: int) -> str:
        return ""

    # and those of tasks that wait for others

    def start_lent(self) -> None:
        self.waits.start_lent()

    def refuse_wait(self, child: int, wait: int, why: str) -> None:
        with objections():
            self.waits.refuse(self.children[child], wait, is_stuck=STUCK in why)

    def lend(self, token: int, waiter: bytes, runs: list[IdRun], want: int) -> None:
        def lent(answer: Any) -> None:
            lease, groups = answer
            if runs and (groups or not want):
                self.agent.lending.lent(token, lease, groups, self.seconds)
            self._after()

        def refused(error: TqError) -> bool:
            if isinstance(error, InvalidArgument):
                self.agent.lending.refused(token, str(error), self.seconds)
            return isinstance(error, InvalidArgument)

        self.waits.asked(token)
        self._ask("lend", lent, waiter, [run.to_wire() for run in runs], want, refused=refused)

    # and those of the master

    def lease(self, want: int) -> None:
        def granted(answer: Any) -> None:
            lease, groups = answer
            self.agent.granted(lease, groups, self.seconds)
            self._after()

        self._ask("lease", granted, want)

    def repeat_a_report(self) -> None:
        """Say again what was said some time ago, as a network or a careless program may."""
        if self._sent_reports and self.connection is not None:
            rows = self.world.random.choice(self._sent_reports)
            first = self.world.random.randrange(len(rows))  # cut otherwise than before
            self._report_again(rows[first:])

    def keep_back_a_report(self) -> None:
        """The next report is lost with its connection. It is sent once more, on the next one, after its attempts were given to
        others."""
        self._keeps_back = True

    def report_what_it_releases(self) -> None:
        """What it gives back next it reports on as well: by then others may have it, in a slice as before."""
        self._confused = 10

    def report_what_others_have(self) -> None:
        """From now on it reports on what it has given back, as soon as others have that."""
        self._reports_on_others = True

    @property
    def runs_pieces_of_an_array(self) -> bool:
        """Whether two children have tasks of one slice, the first of them some that wait behind the one that it runs."""
        if self.agent.draining or not self.agent.connected:
            return False
        busy = [child.jobs for child in self.agent.children.values() if child.jobs]
        arrays = [{run.id[:-PLACE_BYTES] for run in jobs} for jobs in busy]
        return any(
            len(jobs) > 1 and any(mine & others for others in arrays[place + 1 :])
            for place, (jobs, mine) in enumerate(zip(busy, arrays, strict=True))
        )

    def _report_again(self, rows: list[ReportRow]) -> None:
        sent, call = self.world.now, call_of(rows)
        self._ask(
            "finish",
            lambda answer: self.oracle.answered(sent, call.rows(), call.stale(answer)),
            *call.arguments,
        )

    def finish(self, call: FinishCall) -> None:
        sent, rows = self.world.now, call.rows()
        if self._keeps_back and (connection := self.connection) is not None:
            self._keeps_back, self._late = False, rows
            self._pause = LATE_SECONDS
            self.oracle.disturbed(self.node, int(LATE_SECONDS * SECOND))
            self.process.later(0, lambda: connection.end("reset"))
            return
        self._sent_reports.append(rows)

        def finished(answer: Any) -> None:
            stale = call.stale(answer)
            self.oracle.answered(sent, rows, stale)
            self.agent.finished(stale, self.seconds)
            self._after()

        self._ask("finish", finished, *call.arguments)

    def finish_later(self, seconds: float) -> None:
        self.process.later(int(seconds * SECOND), self._gathered)

    def _gathered(self) -> None:
        self.agent.side.gathering.over(self.seconds)
        self._after()

    def release(self, held: list[list[Any]]) -> None:
        self._ask("release", lambda _: None, held)
        if not (self._confused or self._reports_on_others):
            return
        success = int(OutcomeNumber.SUCCESS)
        rows = [ReportRow(*one, success, b"it never ran", 0.0, 0.001, None) for one in one_by_one(held)]
        if self._confused:
            self._confused -= 1
            self.process.later(self.world.between(0, SECOND), lambda: self._report_again(rows))
        else:
            delay = self.world.between(0, 30 * MS)
            last = rows[-1].id
            self.oracle.once_leased(last, lambda: self.process.later(delay, lambda: self._report_again(rows)))

    def began(self, rows: list[list[Any]]) -> None:
        self._ask("beat", lambda _: None, rows)

    def starting(self, ids: list[bytes]) -> None:
        self._ask("starting", lambda _: self.agent.may_start(ids, self.seconds), ids)

    # children

    def start_child(self, *, is_lent: bool = False) -> None:
        """``is_lent``: while it drains, too."""
        if self.process.alive and (is_lent or not self.agent.draining) and not self.ended:
            make = ConcurrentChild if self._places else Child
            self.children[self._next_child] = make(self, self._next_child, is_lent=is_lent)
            self._next_child += 1

    def child_ready(self, child: Child) -> None:
        self.agent.child_ready(child.number, self.seconds, is_lent=child.is_lent)

    def child_reported(self, child: Child, reports: list[Report]) -> None:
        self.agent.child_reported(child.number, reports, self.seconds)
        self.waits.over(child)
        self._after()

    def child_died(self, child: Child, death: Death) -> None:
        if child.ready and child.number in self.agent.children:
            self.agent.child_died(child.number, death, child.begun(), self.seconds)
        elif child.is_lent:
            self.waits.not_started()
        self.children.pop(child.number, None)
        self.waits.over(child)
        if child.node and self.connection is not None:
            self.connection.child_gone(child.node)
        if not (child.is_retired or child.is_lent or child.number in self._replaced):
            self.process.later(10 * MS, self.start_child)
        self._replaced.discard(child.number)
        self._after()

    # time and the end

    def _tick_soon(self) -> None:
        if not self._ticking:
            self._ticking = True
            self.process.later(int(TICK_SECONDS * SECOND), self._tick)

    def _look_soon(self) -> None:
        if not self._looking:
            self._looking = True
            self.process.later(int(LOOK_SECONDS * SECOND), self._look)

    def _look(self) -> None:
        self._looking = False
        if self.agent.look(self.seconds):
            self._look_soon()

    def _tick(self) -> None:
        self._ticking = False
        self.agent.tick(self.seconds)
        self._after()
        if self.agent.children.busy or self.agent.backlog.waiting or self.agent.lending.keeps_children:
            self._tick_soon()

    def _after(self) -> None:
        if self.agent.draining and self.agent.idle and not self.ended:
            self.ended = True
            self.process.log("has drained")
            self._ask("leave", lambda _: self._leave())
            self.process.later(5 * SECOND, self._leave)

    def _leave(self) -> None:
        if self.process.alive:
            self.process.log("ends")
            for child in self.children.values():
                child.kill()
            self.drop()
            self.process.kill()

    def _report(self, action: str, **fields: Any) -> None:
        self.process.log(f"{action} {fields.get('task', '')}")

    @property
    def seconds(self) -> float:
        """The time."""
        return self.world.now / SECOND


def one_by_one(held: list[list[Any]]) -> list[list[Any]]:
    """A row for each task, where a row may name a run of them."""
    return [[id, *rest] for named, *rest in held for id in ids_named([named])]


def call_of(rows: list[ReportRow]) -> FinishCall:
    """Reports once more, joined where they can be."""
    outbox = Outbox()
    for row in rows:
        if row.outcome == OutcomeNumber.SUCCESS and row.body is not None:
            times = array("d", [row.started]), array("d", [row.seconds])
            outbox.put_slice(EndedSlice(row.id, row.attempt, row.lease, [row.body], *times, len(row.body)))
        else:
            outbox.put(row)
    call = outbox.take_call()
    assert call is not None
    return call
