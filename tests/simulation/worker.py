"""A worker: the shipped agent, with effects whose children are made of events. Mirrors ``worker/supervisor/supervisor.py``."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from tq.common.contract.workers import ReportRow
from tq.common.domain.id_runs import PLACE_BYTES, IdRun, ids_named
from tq.common.domain.model import OutcomeNumber, Role
from tq.common.errors import TqError
from tq.common.runtime.history import digest
from tq.worker.agent.agent import Agent
from tq.worker.agent.ended import EndedSlice
from tq.worker.agent.finish_call import FinishCall
from tq.worker.agent.jobs import Death, Job
from tq.worker.agent.outbox import Outbox
from tq.worker.agent.reports import JobReport, LeftReport, Report, SliceReport
from tq.worker.agent.runs import JobRun
from tq.worker.agent.watchdog import LOOK_SECONDS, TICK_SECONDS
from tq.worker.child.start_page import BEGUN, LEFT, RUNS, TAKEN, StartPage

from .attempts import AskingAttempt
from .caller import Connection, Reconnecting, Then
from .load import TASKS, Load
from .master import HEARTBEAT_SECONDS, Greeting
from .network import Network
from .oracle import Oracle
from .placed import HOSTS
from .world import MS, SECOND, Handle, Process, World

DISPATCHER = ["get_dispatcher"]
KILL_GRACE_SECONDS = 0.5
LONG_MS = 2_000  # of a step
LATE_SECONDS = 4.0  # half of it is more than the grace


class Child(Process):
    """A process that runs the jobs of its blocks, in order. Its page is the shipped one; between the two looks at it that
    begin a job, the supervisor may take back."""

    def __init__(self, worker: Worker, number: int) -> None:
        super().__init__(worker.world, f"{worker.process.name}/{number}")
        self.number, self.ready, self.is_retired = number, False, False
        self._worker, self._oracle, self._load = worker, worker.oracle, worker.load
        self._jobs: deque[tuple[int, Job]] = deque()
        self._words = [0] * 32
        self._page = StartPage(self._words)
        self._sent = 0  # the ordinal of the last job
        self._is_between = False  # the two steps that begin a job
        self._current: tuple[Job, Handle | AskingAttempt] | None = None
        self.node = b""  # for the master, once it has called it
        self._reports: list[Report] = []
        self._flushing = False
        self._channel_at = self._socket_at = 0
        self.later(worker.world.between(20 * MS, 200 * MS), self._hello)

    # what the supervisor does with it

    def send(self, runs: list[JobRun]) -> None:
        self._sent = runs[-1].end - 1
        self._socket_at = max(self._socket_at, self.world.now + self.world.between(20, 300))  # in order
        block = [(job.ordinal, job) for run in runs for job in run.jobs()]
        self.later(self._socket_at - self.world.now, partial(self._receive, block))

    def begun(self, *, for_certain: bool = False) -> int:
        return self._page.runs if for_certain else self._page.begun

    def take_back(self) -> int:
        return self._page.take_back(self._sent)

    def notify(self, ordinal: int, kind: str) -> None:
        if kind == "flush":
            self.later(self.world.between(20, 300), self._flush)
            return
        outcome = OutcomeNumber.TIMEOUT if kind == "timeout" else OutcomeNumber.CANCELLED
        self.later(self.world.between(20, 300), lambda: self._noticed(ordinal, outcome))

    def retire(self) -> None:
        """No more jobs: it ends by itself."""
        assert self._current is None
        self.is_retired = True
        self.later(self.world.between(10, 300), lambda: self.die(0))

    def die(self, code: int) -> None:
        if not self.alive:
            return
        if self._current is not None:
            self.log(f"dies with {code}", self._current[0].id)
        self.kill()
        self._tell(lambda: self._worker.child_died(self, Death(code)))

    @property
    def is_amid_steps(self) -> bool:
        """Whether it runs an attempt with long steps."""
        current = None if self._current is None else self._load.specs[self._current[0].id]
        return current is not None and any(value >= LONG_MS for _, value in current.steps)

    # its own life

    def _hello(self) -> None:
        self.ready = True
        self._tell(lambda: self._worker.child_ready(self))

    def _receive(self, jobs: list[tuple[int, Job]]) -> None:
        self._jobs.extend(jobs)
        self._next()

    def _next(self) -> None:
        if self._current is not None or self._is_between:
            return
        while self._jobs and self._words[TAKEN] >= self._jobs[0][0]:
            self._jobs.popleft()
        if not self._jobs:
            return
        ordinal, job = self._jobs.popleft()
        self._words[BEGUN] = ordinal
        if self.world.chance(0.2):
            self._is_between = True
            self.later(self.world.between(1, 100 * MS), partial(self._begin, ordinal, job))
        else:
            self._begin(ordinal, job)

    def _begin(self, ordinal: int, job: Job) -> None:
        self._is_between = False
        if self._words[TAKEN] >= ordinal:
            self.log("left", job.id)
            self._words[LEFT] = ordinal
            self._reports.append(LeftReport(ordinal))
            self._flush()
            self._next()
            return
        self._words[RUNS] = ordinal
        spec = self._load.specs[job.id]
        self._oracle.started(self._worker, job.id, job.attempt, job.number, self.name)
        if spec.needs or spec.steps:
            asking = AskingAttempt(self, self._oracle, job, spec, self._worker.relay)
            self._current = job, asking
            asking.begin()
            return
        plan = spec.attempt(job.attempt)
        handle = self.later(plan.duration, lambda: self.over(plan.outcome, plan.dies, plan.after))
        self._current = job, handle

    def over(self, outcome: OutcomeNumber, dies: int = 0, after: float | None = None) -> None:
        """The current attempt ends."""
        if dies:
            self.die(dies)
            return
        assert self._current is not None
        job, _ = self._current
        self._current = None
        spec = self._load.specs[job.id]
        payload = spec.payload if spec.needs else job.payload
        result = b"result %b %d" % (payload, job.attempt) + bytes(spec.result_bytes)
        body = result if outcome == OutcomeNumber.SUCCESS else None
        self._oracle.note(
            "computed",
            id=job.id,
            attempt=job.attempt,
            outcome=int(outcome),
            digest=digest(body),
            who=self.name,
        )
        started = self.world.now / SECOND
        self._note(job.ordinal, int(outcome), body, started, after)
        if not self._flushing:
            self._flushing = True
            self.later(self.world.between(10, 5 * MS), self._flush)
        self._next()

    def _note(
        self, ordinal: int, outcome: int, body: bytes | None, started: float, after: float | None
    ) -> None:
        """Results of consecutive ordinals travel together."""
        last = self._reports[-1] if self._reports else None
        if outcome or body is None:
            self._reports.append(JobReport(ordinal, outcome, body, started, 0.001, after))
        elif isinstance(last, SliceReport) and last.ordinal + len(last.bodies) == ordinal:
            last.bodies.append(body)
            last.started.append(started)
            last.seconds.append(0.001)
        else:
            self._reports.append(SliceReport(ordinal, [body], array("d", [started]), array("d", [0.001])))

    def _noticed(self, ordinal: int, outcome: OutcomeNumber) -> None:
        if self._current is None or self._current[0].ordinal != ordinal:
            return
        job, handle = self._current
        if self._load.specs[job.id].attempt(job.attempt).listens:
            handle.cancel()
            self.over(outcome)

    def _flush(self) -> None:
        self._flushing = False
        reports, self._reports = self._reports, []
        if reports:
            self._tell(lambda: self._worker.child_reported(self, reports))

    def _tell(self, action: Callable[[], None]) -> None:
        """To the supervisor, in order."""
        self._channel_at = max(self._channel_at, self.world.now + self.world.between(20, 500))
        self.world.schedule(self._channel_at - self.world.now, self._worker.process, action)


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
    ) -> None:
        """``has``: its labels and resources."""
        self.has = has
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
        self.agent = Agent(
            self,
            self,
            slots,
            lent=self,
            kill_grace_seconds=KILL_GRACE_SECONDS,
            report=self._report,
            max_tasks_per_child=world.between(1, 40) if world.chance(0.3) else 0,
        )
        oracle.workers[self.node] = self
        for _ in range(slots):
            self._start_child()
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
            self.agent.drain(self._now())
            self._after()

    # the connection

    def admitted(self, connection: Connection) -> None:
        info = {
            "host": self.process.name,
            "pid": 1,
            "slots": self.slots,
            **self.has,
            "tasks": self.tasks,
            "queues": None,
            "version": "simulated",
        }
        held, sent = one_by_one(self.agent.held), self.world.now
        held_with_seconds = self.agent.held_with_seconds(self._now())

        def announced(answer: Any, error: TqError | None) -> None:
            if error is not None:
                connection.end(str(error))
                return
            self.connection = connection
            dropped = ids_named(answer["dropped"])
            self.oracle.announced(self, sent, held, dropped)
            self.agent.connect(dropped, self._now())
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

    def _ask(self, method: str, then: Callable[[Any], None], *args: Any) -> None:
        connection = self.connection
        if connection is None:
            return

        def done(answer: Any, error: TqError | None) -> None:
            if error is None:
                if connection is self.connection:
                    then(answer)
            elif not connection.over:
                connection.end(f"{method}: {error}")

        connection.call(DISPATCHER, method, args, done)

    def _beat(self, connection: Connection) -> None:
        if connection is self.connection:
            self._ask("beat", lambda _: None, self.agent.starts.rows(self._now()))
            self.process.later(int(HEARTBEAT_SECONDS * SECOND), lambda: self._beat(connection))

    def _await_orders(self, connection: Connection) -> None:
        def done(orders: list[list[Any]]) -> None:
            self._await_orders(connection)
            for order in orders:
                if order[0] == "cancel":
                    self.agent.cancel(order[1], order[2], self._now())
                else:
                    self.drain()
            self._after()

        self._ask("orders", done)

    # the agent's effects

    def send(self, child: int, runs: list[JobRun], *, is_swift: bool) -> None:
        self.children[child].send(runs)
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
        one.later(self.world.between(10, 300), lambda: one.die(-9 if kill else -15))

    def dump(self, child: int) -> None:
        """Nothing that decides depends on it."""

    def start_lent(self) -> None:
        """No task waits inside itself here."""

    def refuse_wait(self, child: int, wait: int, why: str) -> None:
        """As above."""

    def lend(self, token: int, waiter: bytes, runs: list[IdRun], want: int) -> None:
        """As above."""

    def retire(self, child: int) -> None:
        self.children[child].retire()
        self._start_child()

    def lease(self, want: int) -> None:
        def granted(answer: Any) -> None:
            lease, groups = answer
            self.agent.granted(lease, groups, self._now())
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
            self.agent.finished(stale, self._now())
            self._after()

        self._ask("finish", finished, *call.arguments)

    def release(self, held: list[list[Any]], *, begun: bool = False) -> None:
        self._ask("release", lambda _: None, held, *([True] if begun else []))
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
        self._ask("starting", lambda _: self.agent.may_start(ids, self._now()), ids)

    # children

    def _start_child(self) -> None:
        if self.process.alive and not self.agent.draining and not self.ended:
            self.children[self._next_child] = Child(self, self._next_child)
            self._next_child += 1

    def child_ready(self, child: Child) -> None:
        self.agent.child_ready(child.number, self._now())

    def child_reported(self, child: Child, reports: list[Report]) -> None:
        self.agent.child_reported(child.number, reports, self._now())
        self._after()

    def child_died(self, child: Child, death: Death) -> None:
        if child.ready and child.number in self.agent.children:
            self.agent.child_died(child.number, death, child.begun(), self._now())
        self.children.pop(child.number, None)
        if child.node and self.connection is not None:
            self.connection.child_gone(child.node)
        if not child.is_retired:
            self.process.later(10 * MS, self._start_child)
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
        if self.agent.look(self._now()):
            self._look_soon()

    def _tick(self) -> None:
        self._ticking = False
        self.agent.tick(self._now())
        self._after()
        if self.agent.children.busy or self.agent.backlog.waiting:
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

    def _now(self) -> float:
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
