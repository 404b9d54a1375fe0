"""Child processes of a worker, made of events: those that run one job after the other, and those that run many at a time.

They mirror ``worker/child/loop.py`` and ``worker/child/concurrent.py``. Their page is the shipped one; between the two looks at it that
begin a job, the supervisor may take back.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from tq.common.domain.model import OutcomeNumber
from tq.common.runtime.history import digest
from tq.worker.agent.jobs import Death, Job
from tq.worker.agent.reports import JobReport, LeftReport, Report, SliceReport
from tq.worker.agent.runs import JobRun
from tq.worker.child.start_page import BEGUN, LEFT, RUNS, TAKEN, StartPage

from .attempts import AskingAttempt
from .called_together import RAISES, RESULT, CalledTogether
from .world import MS, SECOND, Handle, Process

if TYPE_CHECKING:
    from .load import Attempt, Spec
    from .worker import Worker

KILL_GRACE_SECONDS: Final = 0.5
LONG_MS: Final = 2_000  # of a step
BEAT: Final = 100 * MS
NOTICES: Final = {"timeout": OutcomeNumber.TIMEOUT, "cancel": OutcomeNumber.CANCELLED}


class Child(Process):
    """Runs the jobs of its blocks one after the other, in their order. ``is_lent``: see ``worker/agent/lending.py``."""

    def __init__(self, worker: Worker, number: int, *, is_lent: bool = False) -> None:
        super().__init__(worker.world, f"{worker.process.name}/{number}")
        self.number, self.ready, self.is_retired, self.is_lent = number, False, False, is_lent
        self.worker, self._oracle, self._load = worker, worker.oracle, worker.load
        self.kernel: Process = self  # what comes from it happens to the process, whatever that does
        self._jobs: deque[tuple[int, Job]] = deque()
        self._words = [0] * 32
        self._page = StartPage(self._words)
        self._together: dict[
            int, list[Job]
        ] = {}  # blocks whose jobs run as one call, by their first ordinals
        self._call: CalledTogether | None = None  # that is running
        self._sent = 0  # the ordinal of the last job
        self._between: Job | None = None  # the two steps that begin it
        self._unsaid: list[Job] = []  # that are over
        self._running: dict[int, tuple[Job, Handle | AskingAttempt]] = {}  # by ordinal
        self.node = b""  # for the master, once it has called it
        self._reports: list[Report] = []
        self._last: Job | None = None  # of which something was reported last
        self._flushing = False
        self._channel_at = self._socket_at = self._line_at = 0
        self.later(worker.world.between(20 * MS, 200 * MS), self._hello)

    # what the supervisor does with it

    def send(self, runs: list[JobRun]) -> None:
        self._sent = runs[-1].end - 1
        self._socket_at = max(self._socket_at, self.world.now + self.world.between(20, 300))  # in order
        block = [(job.ordinal, job) for run in runs for job in run.jobs()]
        if self._are_one_call(block):
            self._together[block[0][0]] = [job for _, job in block]
        self.later(self._socket_at - self.world.now, partial(self._receive, block))

    def begun(self, *, for_certain: bool = False) -> int:
        return self._page.runs if for_certain else self._page.begun

    def take_back(self) -> int:
        return self._page.take_back(self._sent)

    def notify(self, ordinal: int, kind: str) -> None:
        if kind == "flush":
            self.later(self.world.between(20, 300), self._flush)
        elif kind in NOTICES:
            self.later(self.world.between(20, 300), lambda: self._noticed(ordinal, NOTICES[kind]))

    def refused(self, ordinal: int, wait: int) -> None:
        """What a job waits for would never come."""
        self.later(self.world.between(20, 300), lambda: self._refuse(ordinal, wait))

    def retire(self) -> None:
        """No more jobs: it ends by itself."""
        assert not self._running
        self.is_retired = True
        self.later(self.world.between(10, 300), lambda: self.die(0))

    def die(self, code: int, holder: int = 0) -> None:
        """``holder``: the ordinal of the job whose code ran on its loop then."""
        if not self.alive:
            return
        for job, _ in self._running.values():
            self.log(f"dies with {code}", job.id)
        self.kill()
        self._tell(lambda: self.worker.child_died(self, Death(code, holder=holder)))

    @property
    def is_amid_steps(self) -> bool:
        """Whether it runs an attempt with long steps."""
        specs = (self._spec_of(job) for job, _ in self._running.values())
        return any(kind == "call" and value >= LONG_MS for spec in specs for kind, value in spec.steps)

    # its own life

    def _hello(self) -> None:
        self.ready = True
        self._tell(lambda: self.worker.child_ready(self))

    def _receive(self, jobs: list[tuple[int, Job]]) -> None:
        self._jobs.extend(jobs)
        self._next()

    @property
    def _may_begin(self) -> bool:
        return not self._running

    def _next(self) -> None:
        if not self._may_begin or self._between is not None:
            return
        while self._jobs and self._words[TAKEN] >= self._jobs[0][0]:
            self._jobs.popleft()
        if not self._jobs:
            return
        ordinal, job = self._jobs.popleft()
        if (jobs := self._together_from(ordinal)) is not None:
            self._begin_together(jobs)
            return
        self._words[BEGUN] = ordinal
        if self.world.chance(0.2):
            self._between = job
            self.later(self.world.between(1, 100 * MS), partial(self._begin, ordinal, job))
        else:
            self._begin(ordinal, job)

    def _begin(self, ordinal: int, job: Job) -> None:
        self._between = None
        if self._words[TAKEN] >= ordinal:
            self.log("left", job.id)
            self._words[LEFT] = ordinal
            self._reports.append(LeftReport(ordinal))
            self._flush()
            self._next()
            return
        self._words[RUNS] = ordinal
        spec = self._spec_of(job)
        self._oracle.started(self.worker, job, self.name)
        if spec.needs or spec.steps:
            asking = AskingAttempt(self, self._oracle, job, spec, self.worker.relay)
            self._running[ordinal] = job, asking
            asking.begin()
            return
        self._runs(job, spec.attempt(job.attempt))

    def _spec_of(self, job: Job) -> Spec:
        """A task that a master has made is known by the store's side, unless that is compared with nothing any more."""
        if self._oracle.is_blind and job.id not in self._load.specs:
            self._load.of_master(job.id)
        return self._load.specs[job.id]

    # calls that run as one, as ``worker/child/together_runs.py``

    def _are_one_call(self, block: list[tuple[int, Job]]) -> bool:
        if self.worker.agent.children[self.number].calls.with_job(block[0][0]) is None:
            return False
        specs = [self._spec_of(job) for _, job in block]
        return not any(spec.needs or spec.steps for spec in specs)

    def _together_from(self, ordinal: int) -> list[Job] | None:
        """The jobs of the block that has this one and is to run as one call: those before it were taken back."""
        first = max((one for one in self._together if one <= ordinal), default=0)
        if not first or ordinal > self._together[first][-1].ordinal:
            return None
        jobs = [job for job in self._together.pop(first) if job.ordinal >= ordinal]
        for _ in jobs[1:]:
            self._jobs.popleft()
        return jobs

    def _begin_together(self, jobs: list[Job]) -> None:
        raises = len(jobs) > 1 and self.world.chance(RAISES)
        call = CalledTogether(self._page, [(job, self._spec_of(job)) for job in jobs], raises=raises)
        plans = [spec.attempt(job.attempt) for job, spec in call.begun.values()]
        if len({job.number for job, _ in call.begun.values()} - {1}) and len(plans) > 1:
            self._oracle.object("C3", "a call that failed is tried again with others", jobs[0].id)
        for job, _ in call.begun.values():
            self._oracle.started(self.worker, job, self.name)
        if not call.begun:
            self._over_together(call)
            return
        self.log(f"{len(plans)} run as one call")
        duration = max(plan.duration for plan in plans)
        handle = self.later(duration, lambda: self._over_together(call))
        self._call = call
        self._running = {ordinal: (job, handle) for ordinal, (job, _) in call.begun.items()}

    def _over_together(self, call: CalledTogether) -> None:
        dies = next((plan.dies for plan in map(_plan_of, call.begun.values()) if plan.dies), 0)
        if dies:
            self.die(dies)
            return
        call.end()
        self._report_together(call, call.reports)

    def _report_together(self, call: CalledTogether, reports: list[list[Any]]) -> None:
        self._call, self._running = None, {}
        for ordinal, *rest in reports:
            if not rest:
                self._reports.append(LeftReport(ordinal))
                continue
            outcome, body, after = rest
            job, spec = call.begun[ordinal]
            # What it is to be by its own payload, not what was made of the list.
            expected = RESULT % (spec.payload, job.attempt) if outcome == OutcomeNumber.SUCCESS else body
            self._oracle.note(
                "computed",
                id=job.id,
                attempt=job.attempt,
                outcome=outcome,
                digest=digest(expected),
                who=self.name,
            )
            self._note(job, outcome, body, self.world.now / SECOND, after)
        self._flush()
        self._next()

    def _runs(self, job: Job, plan: Attempt) -> None:
        handle = self.later(plan.duration, lambda: self.over(job, plan.outcome, plan.dies, plan.after))
        self._running[job.ordinal] = job, handle

    def over(
        self,
        job: Job,
        outcome: OutcomeNumber,
        dies: int = 0,
        after: float | None = None,
        became: bytes | None = None,
    ) -> None:
        """An attempt ends. ``became``: the id of the task whose handle it returned."""
        if dies:
            self._dies(job, dies)
            return
        del self._running[job.ordinal]
        spec = self._spec_of(job)
        payload = spec.payload if spec.needs else job.payload
        result = RESULT % (payload, job.attempt) + bytes(spec.result_bytes)
        body = result if outcome == OutcomeNumber.SUCCESS else became
        self._oracle.note(
            "computed",
            id=job.id,
            attempt=job.attempt,
            outcome=int(outcome),
            digest=digest(body),
            who=self.name,
        )
        self._note(job, int(outcome), body, self.world.now / SECOND, after)
        if not self._flushing:
            self._flushing = True
            self.later(self.world.between(10, 5 * MS), self._flush)
        self._next()

    def _dies(self, job: Job, code: int) -> None:
        """By what a job does."""
        self.die(code)

    def _note(self, job: Job, outcome: int, body: bytes | None, started: float, after: float | None) -> None:
        """Results of consecutive ordinals travel together."""
        ordinal, last = job.ordinal, self._reports[-1] if self._reports else None
        if outcome or body is None:
            self._reports.append(JobReport(ordinal, outcome, body, started, 0.001, after))
        elif (
            isinstance(last, SliceReport)
            and last.ordinal + len(last.bodies) == ordinal
            and self._go_together(job)
        ):
            last.bodies.append(body)
            last.started.append(started)
            last.seconds.append(0.001)
        else:
            self._reports.append(SliceReport(ordinal, [body], array("d", [started]), array("d", [0.001])))
        self._last = job
        self._unsaid.append(job)

    def _go_together(self, job: Job) -> bool:
        """With the results before it."""
        return True

    def _noticed(self, ordinal: int, outcome: OutcomeNumber) -> None:
        if ordinal not in self._running:
            return
        job, handle = self._running[ordinal]
        if (call := self._call) is not None:  # what ends the call ends each of them
            handle.cancel()
            self._report_together(call, [[one, int(outcome), None, None] for one in call.begun])
            return
        if self._spec_of(job).attempt(job.attempt).listens:
            handle.cancel()
            self.over(job, outcome)

    def _refuse(self, ordinal: int, wait: int) -> None:
        _, attempt = self._running.get(ordinal, (None, None))
        if isinstance(attempt, AskingAttempt):
            attempt.refused(wait)

    def _flush(self) -> None:
        self._flushing = False
        self._unsaid.clear()
        reports, self._reports = self._reports, []
        if reports:
            self._tell(lambda: self.worker.child_reported(self, reports))

    def _tell(self, action: Callable[[], None]) -> None:
        """To the supervisor, in order."""
        self._channel_at = max(self._channel_at, self.world.now + self.world.between(20, 500))
        self.world.schedule(self._channel_at - self.world.now, self.worker.process, action)

    def say(self, action: Callable[[], None]) -> None:
        """The same, over the connection of Apps, which is another one."""
        self._line_at = max(self._line_at, self.world.now + self.world.between(20, 500))
        self.world.schedule(self._line_at - self.world.now, self.worker.process, action)


def _plan_of(begun: tuple[Job, Spec]) -> Attempt:
    job, spec = begun
    return spec.attempt(job.attempt)


class ConcurrentChild(Child):
    """Runs all jobs that it has at the same time. One of them may keep its loop from turning; then nothing else happens in it, until
    that one goes on, is struck, or the process is killed."""

    def __init__(self, worker: Worker, number: int, *, is_lent: bool = False) -> None:
        super().__init__(worker, number, is_lent=is_lent)
        self.kernel = Process(self.world, self.name)
        self._blocker: Job | None = None
        self._still_since = 0
        self._holder = 0  # the ordinal of the job whose code runs there, while it stands still
        self._held: list[Handle] = []  # events that wait for the loop
        self._asked: dict[int, OutcomeNumber] = {}  # jobs that were asked to end, by ordinal

    @property
    def beat(self) -> tuple[int, int]:
        """How often its loop has turned, and the ordinal of the job whose code runs there."""
        if self._blocker is None and not self.paused:
            return self.world.now // BEAT, 0
        return self._still_since // BEAT, self._holder

    # events

    def take(self, handle: Handle) -> None:
        if self._blocker is not None and self.alive and not self.paused and handle.action is not None:
            self._held.append(handle)
        else:
            super().take(handle)

    def pause(self) -> None:
        if not self.paused and self._blocker is None:
            self._still_since, self._holder = self.world.now, self._some_job()
        super().pause()

    def _some_job(self) -> int:
        """Whose code may run on its loop in this moment; mostly none."""
        return self.world.random.choice([0, 0, *self._running])

    def kill(self) -> None:
        super().kill()
        self._held.clear()

    # what the supervisor does with it

    def notify(self, ordinal: int, kind: str) -> None:
        if kind in NOTICES:
            self._asked[ordinal] = NOTICES[kind]
        if kind == "strike":
            self.kernel.later(self.world.between(20, 300), lambda: self._struck(ordinal))
        else:
            super().notify(ordinal, kind)

    def retire(self) -> None:
        """What was given up may still run in it."""
        self.is_retired = True
        self.later(self.world.between(10, 300), self._end_if_idle)
        self.kernel.later(int(KILL_GRACE_SECONDS * SECOND), lambda: self.die(-9))

    def _end_if_idle(self) -> None:
        if not self._running:
            self.die(0)

    def die(self, code: int, holder: int | None = None) -> None:
        """``holder`` None: killed from outside, in whatever moment."""
        if not self.alive:
            return
        if self._blocker is not None or self.paused:
            holder = self._holder
        elif holder is None:
            holder = self._some_job() if code else 0
        if holder:
            others = [*(job for job, _ in self._running.values()), *self._unsaid]
            others += [] if self._between is None else [self._between]
            self._oracle.spared([job for job in others if job.ordinal != holder])
        super().die(code, holder)

    # its own life

    def _are_one_call(self, block: list[tuple[int, Job]]) -> bool:
        """They run at the same time here, each by itself."""
        return False

    @property
    def _may_begin(self) -> bool:
        return self._blocker is None

    def _begin(self, ordinal: int, job: Job) -> None:
        super()._begin(ordinal, job)
        self._next()

    def _runs(self, job: Job, plan: Attempt) -> None:
        number = int.from_bytes(job.id[-2:], "big")
        if plan.blocks:
            self._blocker, self._still_since, self._holder = job, self.world.now, job.ordinal
            self._running[job.ordinal] = job, Handle(0, self, None)
            self.log("blocks its loop", job.id)
            self.kernel.later(plan.duration, lambda: self._goes_on(job, plan.outcome))
        elif not plan.listens:  # it ends after it was given up
            super()._runs(job, plan._replace(duration=(800 + number % 4_000) * MS))
        else:
            super()._runs(job, plan)

    def _goes_on(self, job: Job, outcome: OutcomeNumber) -> None:
        """The loop turns again, and the job that held it up ends."""
        if self._blocker is not job or not self.alive:
            return
        if self.paused:
            self.kernel.later(BEAT, lambda: self._goes_on(job, outcome))
            return
        self._blocker = None
        held, self._held = self._held, []
        for handle in held:
            self.world.requeue(handle)
        self.over(job, outcome)

    def _struck(self, ordinal: int) -> None:
        """An exception in code that does not give its loop back; the code may catch it."""
        job, outcome = self._blocker, self._asked.get(ordinal)
        if job is None or job.ordinal != ordinal or outcome is None or self.paused:
            return
        if self.world.chance(0.5) and self._spec_of(job).attempt(job.attempt).listens:
            self._goes_on(job, outcome)

    def _dies(self, job: Job, code: int) -> None:
        """By the code of this job on the loop, or in a thread."""
        self.die(code, job.ordinal if self.world.chance(0.7) else 0)

    def _note(self, job: Job, outcome: int, body: bytes | None, started: float, after: float | None) -> None:
        """A job that was asked to end may have been given up meanwhile: its report stands for itself."""
        if self._asked.pop(job.ordinal, None) is not None:
            self._reports.append(JobReport(job.ordinal, outcome, body, started, 0.001, after))
            return
        super()._note(job, outcome, body, started, after)

    def _go_together(self, job: Job) -> bool:
        last = self._last
        return last is not None and (last.lease, last.name, last.queue) == (job.lease, job.name, job.queue)
