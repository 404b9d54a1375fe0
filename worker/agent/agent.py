"""What a worker decides: which job goes where, when it has had its time, what is told to the master. Pure.

::

    granted ─► waiting ─► a child's jobs ─► reported ─► outbox ─► finish ─► acknowledged
                 ▲              │ taken back (tickets)              ▲
                 └──────────────┘      child died: CRASH ───────────┘

Events come in as method calls with the time in them; what has to be done goes out through ``Hands``. No
socket, file, clock or process is touched here: a simulator drives the same code.

Invariants: 1. a job is in exactly one place: waiting, asked, one child, or the outbox; 2. only a job whose
ticket nobody has read is taken back from a child; 3. what is in the outbox stays there until the master
has answered for it; 4. after ``drain`` nothing new is started.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from ...common.contract.workers import ReportRow
from ...common.domain.ids import show_id
from .effects import Child, Hands
from .jobs import Death, Job, Report, granted_jobs
from .outbox import Call, Outbox
from .pace import LONG_SECONDS, Pace
from .post_mortem import post_mortem
from .starts import Starts

LEASE_CALLS_MAX: Final = 2  # outstanding: one being answered while another waits in line
TICK_SECONDS: Final = 0.05
DUMP_SECONDS: Final = 1.0  # at the latest so long after a job was asked to end its stacks are written down


class Agent:
    """One worker's mind."""

    def __init__(
        self,
        hands: Hands,
        slots: int,
        *,
        kill_grace_seconds: float,
        report: Callable[..., None],
        max_tasks_per_child: int = 0,
        max_memory_per_child: int = 0,
    ) -> None:
        self._max_tasks, self._max_memory = max_tasks_per_child, max_memory_per_child  # 0: no limit
        self._hands, self._slots, self._kill_grace, self._report = hands, slots, kill_grace_seconds, report
        self.children: dict[int, Child] = {}
        self.starts = Starts(self.children, hands)
        self.waiting: deque[Job] = deque()
        self.asked: dict[bytes, Job] = {}  # suspects whose start has been announced, not yet acknowledged
        self.outbox = Outbox()
        self.pace = Pace()
        self.connected = self.draining = False
        self._lease_calls: deque[int] = deque()  # what each outstanding one asked for
        self._next_ordinal = 1
        self.witness: Callable[[Job, int, bytes | None, float], None] | None = None
        self._surplus_since: float | None = None

    # the connection

    @property
    def held(self) -> list[list[Any]]:
        """Every lease in hand, wherever it is."""
        return [job.held for job in self._jobs()] + self.outbox.held

    def holding(self, now: float) -> list[list[Any]]:
        """The same, with the seconds it has run behind each that has begun."""
        begun = self.starts.begun(now)
        jobs = [[*job.held, begun[job.ordinal]] if job.ordinal in begun else job.held for job in self._jobs()]
        return jobs + self.outbox.ended

    @property
    def idle(self) -> bool:
        """Nothing in hand and nothing left to tell."""
        return not self.waiting and not self.asked and not self.outbox and not self.busy

    @property
    def busy(self) -> bool:
        return any(child.jobs for child in self.children.values())

    def connect(self, dropped: Iterable[bytes], now: float) -> None:
        """Announced: these leases are lost, everything else is ours. An id stands there once for each."""
        self.connected = True
        self._lease_calls.clear()
        self.outbox.connected()
        waiting_for_word, self.asked = self.asked, {}
        self.waiting.extendleft(reversed(waiting_for_word.values()))
        self._drop(Counter(dropped), now)
        self.work(now)

    def disconnect(self) -> None:
        """The line broke: what runs goes on, results wait."""
        self.connected = False

    def granted(self, lease: bytes, groups: list[list[Any]], now: float) -> None:
        """A lease call was answered."""
        if self._lease_calls:
            self._lease_calls.popleft()
        jobs = granted_jobs(lease, groups)
        if self.draining:
            self._hands.release([job.held for job in jobs])
            return
        self.waiting.extend(jobs)
        self.work(now)

    def finished(self, stale: list[int], now: float) -> None:
        """A finish call was answered: its rows are settled."""
        for id in self.outbox.answered(stale):
            self._report("task.stale", level="warning", task=show_id(id))
        self.work(now)

    def may_start(self, ids: list[bytes], now: float) -> None:
        """The master knows that these suspects are about to start."""
        for id in ids:
            job = self.asked.pop(id, None)
            if job is not None:
                child = next((one for one in self.children.values() if one.ready and not one.jobs), None)
                if child is None:  # the one kept free for it has died: it is announced again
                    self.waiting.appendleft(job)
                else:
                    job.suspect = False
                    self._send(child, [job], now)
        self.work(now)

    # children

    def job_of(self, number: int, ordinal: int) -> Job | None:
        """Whose output it is: the job's that it names; or else the first one's that has begun and is not
        reported, for what a subprocess prints names none."""
        child = self.children.get(number)
        if child is None or not child.jobs:
            return None
        named = next((job for job in child.jobs if job.ordinal == ordinal), None)
        return named or (child.jobs[0] if child.running(self._hands) is not None else None)

    def last_begun(self, number: int, unread: Iterable[int]) -> Job | None:
        """What a child was doing, ``unread`` being the ordinals of what it had not begun."""
        jobs, left = self.children[number].jobs, set(unread)
        return next((job for job in reversed(jobs) if job.ordinal not in left), None)

    def child_ready(self, number: int, now: float) -> None:
        self.children[number] = Child(number, ready=True)
        self.work(now)

    def child_reported(self, number: int, reports: Iterable[Report], now: float) -> None:
        """Jobs of a child have ended."""
        child = self.children[number]
        for report in reports:
            if child.is_distrusted:
                return None
            if not child.jobs or child.jobs[0].ordinal != report.ordinal:
                self.distrust(number, f"it reported job {report.ordinal}, which it does not run")
                return self._hands.signal(number, kill=True)
            job = child.jobs.popleft()
            self.pace.took(job.name, report.seconds)
            self._post(job, *report[1:])
            if job.ordinal == child.current:
                child.pressure, child.steps = "", 0
        child.ended = now
        self._retire_if_worn(child)
        self.work(now)
        return None

    def distrust(self, number: int, why: str) -> None:
        """A child says what it cannot say: nothing of it is believed any more. Who found out kills it."""
        self._report("child.distrusted", level="error", child=number, why=why)
        if number in self.children:
            self.children[number].is_distrusted = self.children[number].is_worn = True

    def child_died(self, number: int, death: Death, unread: list[int], now: float) -> None:
        """A child is gone; ``unread``: ordinals whose tickets it never took."""
        child = self.children.pop(number)
        self._reclaim(child, unread)
        started = list(child.jobs)
        for job in started:
            running = job is started[-1]
            outcome, failure = post_mortem(job, death, child.why_ended, running=running)
            self._post(job, outcome, failure.encode(), now, max(0.0, now - child.since), None)
        self.work(now)

    # orders, time, the end

    def cancel(self, id: bytes, attempt: int, now: float) -> None:
        """The master wants this attempt ended."""
        for child in self.children.values():
            if any(job.key == (id, attempt) for job in child.jobs):
                self._reclaim(child, self._hands.take_back(child.number))
                self._press_if_running(child, {(id, attempt)}, now)
        if id in self.asked and self.asked[id].attempt == attempt:
            self.waiting.append(self.asked.pop(id))
        for job in list(self.waiting):
            if job.key == (id, attempt):
                self.waiting.remove(job)
                self._release([job])  # what comes back unstarted, the master cancels
        self.work(now)

    def drain(self, now: float) -> None:
        """Finish what runs, hand back the rest."""
        self.draining = True
        for child in self.children.values():
            self._reclaim(child, self._hands.take_back(child.number))
        self._release([*self.waiting, *self.asked.values()])
        self.waiting.clear()
        self.asked.clear()
        self.work(now)

    def give_up(self, now: float) -> tuple[list[Call], list[list[Any]]]:
        """The second signal, after a drain: reports to be sent at once, leases of begun jobs to be handed back."""
        begun = self.starts.begun(now)
        return self.outbox.take_rest(), [[*job.held, begun.get(job.ordinal, 0.0)] for job in self._jobs()]

    def tick(self, now: float) -> None:
        """Look at what runs: time limits, jobs stuck behind a long one, pressure that did not help."""
        for child in list(self.children.values()):
            if child.jobs:
                self._look_at(child, now)
        if self.connected:
            self.starts.tell(now)
        self._shed(now)
        self.work(now)

    def measured(self, sizes_bytes: Mapping[int, int], now: float) -> None:
        """How much memory children have."""
        for number, size_bytes in sizes_bytes.items():
            if number in self.children:
                self._weigh(self.children[number], size_bytes, now)
        self.work(now)

    # the work itself

    def work(self, now: float) -> None:
        """Hand out what waits, ask for more, tell what is done."""
        if not self.draining:
            self._hand_out(now)
        if self.connected:
            if rows := self.outbox.take_call():
                self._hands.finish(rows, self.outbox.blobs_under_way)
            if not self.draining:
                self._ask()

    def _hand_out(self, now: float) -> None:
        while self.waiting:
            job = self.waiting[0]
            child = self._child_for(job)
            if child is None:
                return
            if job.suspect:
                if not self.connected:
                    return
                self.waiting.popleft()
                self.asked[job.id] = job
                self._hands.starting([job.id])
                continue
            batch = [self.waiting.popleft()]
            size = self.pace.batch(job.name)
            if self._max_tasks:
                size = min(size, self._max_tasks - child.given)
            while (
                len(batch) < size
                and self.waiting
                and self.waiting[0].name == job.name
                and not self.waiting[0].suspect
            ):
                batch.append(self.waiting.popleft())
            self._send(child, batch, now)

    def _child_for(self, job: Job) -> Child | None:
        """The least loaded child that may take one more like this."""
        behind = 0 if job.suspect else self.pace.behind(job.name)
        best: Child | None = None
        promised = len(self.asked)  # so many idle children are kept free for suspects
        for child in self.children.values():
            load = len(child.jobs)
            if child.is_worn or (self._max_tasks and child.given >= self._max_tasks):
                continue
            if child.ready and not load:
                if not promised:
                    return child
                promised -= 1
            elif child.ready and load <= behind and not child.pressure:
                best = child if best is None or load < len(best.jobs) else best
        return best

    def _send(self, child: Child, jobs: list[Job], now: float) -> None:
        for job in jobs:
            job.ordinal = self._next_ordinal
            self._next_ordinal += 1
        if not child.jobs:
            child.begins(jobs[0], now)
        child.given += len(jobs)
        child.jobs.extend(jobs)
        self._hands.send(child.number, jobs)

    def _ask(self) -> None:
        ready = sum(child.ready for child in self.children.values())
        if not ready:
            return
        target = self.pace.ahead(ready)
        missing = target - self._in_hand - sum(self._lease_calls)
        calls = LEASE_CALLS_MAX if target > 4 * ready else 1
        share = max(1, target // calls)
        while missing > 0 and len(self._lease_calls) < calls:
            want = min(missing, share)
            if want < share // 2 and self._lease_calls:
                return  # not worth a call yet
            self._lease_calls.append(want)
            self._hands.lease(want)
            missing -= want

    def _post(
        self,
        job: Job,
        outcome: int,
        body: bytes | None,
        started: float,
        seconds: float,
        after: float | None,
        blobs: list[bytes] | None = None,
    ) -> None:
        if self.witness is not None:
            self.witness(job, outcome, body, seconds)
        row = ReportRow(job.id, job.attempt, job.lease, int(outcome), body, started, seconds, after)
        self.outbox.put(job.key, row, blobs)

    # watching over children

    def _look_at(self, child: Child, now: float) -> None:
        job = child.running(self._hands)
        if job is None:
            return
        if job.ordinal != child.current:
            child.begins(job, now)
            child.pressure, child.steps = "", 0
            return
        elapsed = now - child.since
        if elapsed >= LONG_SECONDS:
            self.pace.is_taking(job.name, elapsed)
            if len(child.jobs) > 1:
                self._reclaim(child, self._hands.take_back(child.number))
            if len(child.jobs) > 1 and child.prompted != job.ordinal:  # over, and kept back by this one
                child.prompted = job.ordinal
                self._hands.notify(child.number, job.ordinal, "tell")
        if child.pressure:
            self._press_on(child, now)
        elif job.timeout is not None and elapsed >= job.timeout:
            self._press(child, "timeout", now)

    def _press(self, child: Child, why: str, now: float) -> None:
        job = child.running(self._hands)
        if job is not None and not child.pressure:
            if job.ordinal != child.current:  # begun since the last tick
                child.begins(job, now)
            child.pressure, child.pressed_at, child.steps, child.is_dumped = why, now, 1, False
            action = {"timeout": "task.timeout", "cancel": "task.cancelled", "memory": "task.memory"}[why]
            self._report(action, level="warning", task=show_id(job.id), name=job.name)
            if why == "memory":  # it is not asked: it takes what others need, and is killed at the next tick
                child.dump(self._hands)
            else:
                self._hands.notify(child.number, job.ordinal, why)

    def _press_if_running(self, child: Child, keys: set[tuple[bytes, int]], now: float) -> None:
        """Cancel what the child runs if it is one of these; it may be over, its end not yet told."""
        job = child.running(self._hands)
        if job is not None and job.key in keys:
            self._press(child, "cancel", now)

    def _press_on(self, child: Child, now: float) -> None:
        """Asking did not help: a time limit is enforced by killing, a cancel by terminating first."""
        waited = now - child.pressed_at
        if not child.is_dumped and waited >= min(DUMP_SECONDS, self._kill_grace / 2):
            child.dump(self._hands)
        if waited < (TICK_SECONDS if child.pressure == "memory" else self._kill_grace * child.steps):
            return
        child.steps += 1
        kill = child.pressure != "cancel" or child.steps > 2
        self._hands.signal(child.number, kill=kill)

    def _weigh(self, child: Child, size_bytes: int, now: float) -> None:
        """A child beyond its limit gets no more jobs; the job that has grown it there is ended."""
        last = child.weighs(size_bytes, now)
        if size_bytes <= self._max_memory:
            return
        if not child.is_worn:
            child.is_worn = True
            self._reclaim(child, self._hands.take_back(child.number))
        job = child.running(self._hands)
        if job is not None and not child.pressure:
            if job.ordinal != child.current:
                child.begins(job, now)
            if child.is_to_blame(self._max_memory, last):
                self._press(child, "memory", now)
        self._retire_if_worn(child)

    def _retire_if_worn(self, child: Child) -> None:
        if child.jobs or not child.ready or self.draining:
            return
        if child.is_worn or (self._max_tasks and child.given >= self._max_tasks):
            child.ready = False
            self._hands.retire(child.number)

    def _reclaim(self, child: Child, ordinals: Iterable[int]) -> None:
        """Jobs a child has not begun wait again, before all others."""
        jobs = child.gives_back(set(ordinals))
        if self.draining:
            self._release(jobs)
        else:
            self.waiting.extendleft(reversed(jobs))

    def _shed(self, now: float) -> None:
        """Hand back what waits here longer than it should while others might be idle."""
        surplus = min(len(self.waiting), self._in_hand - self.pace.ahead(self._slots))
        if surplus <= 0:
            self._surplus_since = None
        elif self._surplus_since is None:
            self._surplus_since = now
        elif now - self._surplus_since >= LONG_SECONDS and self.connected:
            self._release([self.waiting.pop() for _ in range(surplus)])
            self._surplus_since = None

    def _release(self, jobs: list[Job]) -> None:
        if jobs and self.connected:
            self._hands.release([job.held for job in jobs])

    def _drop(self, dropped: Counter[bytes], now: float) -> None:
        """The master has given these to somebody else, or has their result already."""
        lost: set[tuple[bytes, int]] = set()
        for id, attempt, _ in sorted(self.held):  # of two attempts of one task, the older is lost first
            if dropped[id] > 0:
                dropped[id] -= 1
                lost.add((id, attempt))
                self._report("task.dropped", level="warning", task=show_id(id))
        self.outbox.drop(lost)
        for child in self.children.values():
            if any(job.key in lost for job in child.jobs):
                self._reclaim(child, self._hands.take_back(child.number))
                self._press_if_running(child, lost, now)
        self.waiting = deque(job for job in self.waiting if job.key not in lost)

    @property
    def _in_hand(self) -> int:
        return len(self.waiting) + len(self.asked) + sum(len(one.jobs) for one in self.children.values())

    def _jobs(self) -> list[Job]:
        at_children = [job for child in self.children.values() for job in child.jobs]
        return [*self.waiting, *self.asked.values(), *at_children]
