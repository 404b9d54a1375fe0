"""The child processes of a worker, or the threads in their place: started, replaced when they die, killed at the end.

::

    the agent's orders ──► RunnerPool ──► a Runner (process or thread)
    the agent's events ◄──     │     ◄── what a Runner reports, prints, calls; its death

Decides when a child is started, and nothing about jobs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from typing import Any, Final

from ...common.domain.ids import show_id
from ...common.runtime.callbacks import WORKER, contained, report_bug
from ...common.runtime.config import WorkerSettings
from ...common.wire.protocol import Request
from ..agent.agent import Agent
from ..agent.jobs import Death
from ..agent.reports import Report
from ..agent.runs import JobRun
from ..child.loading import BrokenCode, import_failure
from ..child.shard_routes import SHARDS
from ..pools.interface import MakeRunner, Runner
from .last_children import LastChildren
from .lifetimes import Lifetimes
from .masters import Masters
from .memory import DeathExaminer
from .observer import Observer
from .relays import Relays
from .renewal import Renewal
from .waits import SLOT, ChildWaits

RESTART_SECONDS: Final = (0.0, 30.0)  # a child that dies before it was ready waits longer each time


class RunnerPool:
    """See ``effects.ChildEffects`` and ``interface.RunnerOwner``. ``ended``: done when the worker has ended; ``after``: called
    when an event may have been the last thing that a drain waits for."""

    agent: Agent  # set by the supervisor: each of both needs the other
    tick_soon: Callable[[], None]  # and these
    look_soon: Callable[[], None]
    lifetimes: Lifetimes
    wanted: Callable[[], int]  # how many children there are to be, lent ones left out

    def __init__(
        self,
        settings: WorkerSettings,
        make_runner: MakeRunner,
        masters: Masters,
        observer: Observer,
        report: Callable[..., None],
        ended: asyncio.Future[int],
        after: Callable[[], None],
    ) -> None:
        self._settings, self._make_runner = settings, make_runner
        self._observer, self._report, self._ended, self._after = observer, report, ended, after
        self._loop = asyncio.get_running_loop()
        self.now = self._now = self._loop.time
        self._examiner = DeathExaminer(settings.max_memory_per_child)
        self.relays = Relays(masters)
        self.by_number: dict[int, Runner] = {}
        self.next_number = 1
        self.waits = ChildWaits(self)
        # That get no more jobs, and in whose place others were started already
        self.replaced: set[int] = set()
        self._failed_starts = 0
        self._import_error = ""
        self.tasks: list[list[str]] = []  # [name, queue], as the children report them
        self.signatures: list[list[Any]] = []  # [name, bytes] of those that say what they are called with
        self.coroutines: dict[str, bool] = {}  # of each task: whether it is a coroutine function
        self.schedules: list[list[Any]] = []  # [name, definition], of those in their code
        self._has_said_alone = False  # that calls which are to run as one do not in such a pool
        self._first_ready: asyncio.Future[None] = self._loop.create_future()
        self._last = LastChildren()
        self.renewed: Callable[[bool], None] = lambda _: None  # see ``renewal.Renewal``
        self.renewal = Renewal(self, lambda is_loaded: self.renewed(is_loaded))

    async def load(self) -> None:
        """Start the first child and wait until it has loaded the user's code; raises ConfigError when it cannot."""
        self.start_one()
        await self._first_ready

    @property
    def pids(self) -> set[int]:
        """Of the child processes; threads have that of this process."""
        return {runner.pid for runner in self.by_number.values()}

    # effects

    def send(self, child: int, runs: list[JobRun], *, is_swift: bool) -> None:
        self.by_number[child].send(runs, is_swift=is_swift)
        # The ticker rests while nothing runs.
        self.tick_soon()
        # Only then may a job wait behind a long one: where many run at a time, none does.
        if self.agent.runs_one_by_one and len(self.agent.children[child].jobs) > 1:
            self.look_soon()

    def begun(self, child: int, *, for_certain: bool = False) -> int:
        return self.by_number[child].begun(for_certain=for_certain)

    def take_back(self, child: int) -> int:
        return self.by_number[child].take_back()

    def notify(self, child: int, ordinal: int, kind: str) -> None:
        self.by_number[child].notify(ordinal, kind)

    def signal(self, child: int, *, kill: bool) -> None:
        self.by_number[child].signal(kill=kill)

    def dump(self, child: int) -> None:
        self.by_number[child].dump_stacks()

    def retire(self, child: int) -> None:
        """The next one is started before this one has ended: the slot is free so much sooner."""
        retired = self.by_number[child]
        self._report("child.retired", level="debug", pid=retired.pid)
        retired.retire()
        self._loop.call_later(self._settings.kill_grace_seconds, lambda: retired.signal(kill=True))
        # A lent child fills no slot; one in whose place another runs has its successor.
        if child not in self.waits.lent and child not in self.replaced:
            self.start_one()

    # events of runners

    def child_hello(self, child: Runner, tasks: list[list[Any]]) -> None:
        self._failed_starts, self._import_error = 0, ""
        self.tasks = [[name, queue] for name, queue, *_ in tasks]
        self.coroutines = {name: is_coroutine for name, _, _, is_coroutine, *_ in tasks}
        together = {name: calls for name, *_, calls, _ in tasks if calls > 1}
        if self.agent.runs_one_by_one:
            self.agent.durations.together = together
        elif together and not self._has_said_alone:
            self._has_said_alone = True  # once: each child of a pool says the same
            self._report("task.runs_alone", level="warning", tasks=", ".join(sorted(together)))
        self.signatures = [[name, body] for name, *_, body in tasks if body]
        self.schedules = [one for _, _, schedules, *_ in tasks for one in schedules]
        self._report("child.started", level="debug", pid=child.pid)
        if not self._first_ready.done():
            self._first_ready.set_result(None)
        is_lent = child.number in self.waits.lent
        if not is_lent:
            self.lifetimes.begin(child.number)
        self.agent.child_ready(child.number, self._now(), is_lent=is_lent)
        if child.number == self.renewal.trial:
            self.renewal.loaded()

    def child_failed(self, child: Runner, known: bool, text: str) -> None:
        error = import_failure(known, text)
        if not self._first_ready.done():
            self._observer.close()  # what the import printed has to stand above the error
            self._first_ready.set_exception(error)
        # Once: broken code is tried again and again, and would fill the log with the same traceback.
        elif text != self._import_error:
            self._observer.import_failed(text)
        self._import_error = text

    def child_printed(self, child: Runner, ordinal: int, text: bytes, is_error: bool = False) -> None:
        self._observer.printed(self.agent.children.job_of(child.number, ordinal), text, is_error)

    def child_progressed(self, child: Runner, ordinal: int, progress: list[Any]) -> None:
        job = self.agent.children.job_of(child.number, ordinal)
        # ``job_of`` may have guessed: progress is of a certain job, or of none.
        if job is not None and job.ordinal == ordinal:
            self._observer.progressed(job, progress)

    def child_reported(self, child: Runner, reports: list[Report]) -> None:
        self.agent.child_reported(child.number, reports, self._now())
        self._after()

    def child_distrusted(self, child: Runner, why: str) -> None:
        self.agent.distrust(child.number, why)
        child.signal(kill=True)

    def child_called(self, child: Runner, request: Request) -> None:
        if request.target[0] != SLOT:
            self.relays.called(child, request)
        elif request.method == SHARDS:
            self.relays.say_shards(child, request)
        else:
            self.waits.called(child, request)

    def child_died(self, child: Runner, death: Death) -> None:
        del self.by_number[child.number]
        self.relays.forget(child)
        is_lent = self.waits.forget(child)
        if not self._first_ready.done():
            error = BrokenCode(f"the first child process {death} before it was ready")
            self._first_ready.set_exception(error)
            return
        # The worker ends: no death is news now.
        if self._ended.done():
            self._last.left(self.by_number.values())
            return
        # It had no job yet, and a drain starts no other.
        if self.agent.draining and not child.ready and not is_lent:
            return
        if child.ready:
            begun = child.begun()
            job = self.agent.children.ran(child.number, begun, death)
            death = self._examiner.examined(death, "" if job is None else self._observer.last_lines(job))
            if not child.is_retired:
                of = {} if job is None else {"task": show_id(job.id), "name": job.name, "attempt": job.number}
                self._report("child.died", level="warning", pid=child.pid, how=str(death), **of)
            self.agent.child_died(child.number, death, begun, self._now())
        elif child.number == self.renewal.trial:
            self._import_error = ""  # the same error is logged again
            self.renewal.failed()
            return
        else:
            self._failed_starts += 1
        if is_lent:
            if not child.ready:
                self.waits.not_started(_restart_seconds(self._failed_starts))
        # The others have a successor already.
        elif not self.agent.draining and not child.is_retired and child.number not in self.replaced:
            self._loop.call_later(_restart_seconds(self._failed_starts), self._start_missing)
        self.replaced.discard(child.number)
        self._after()

    def broke(self, error: Exception) -> None:
        """A bug in one callback costs what that callback was about: jobs, heartbeats and children go on."""
        report_bug(self._report, error, WORKER)

    # starting and killing

    @contained
    def start_one(self, *, is_lent: bool = False) -> None:
        """``is_lent``: for what waiting tasks wait for, see ``waits.py``; while the worker drains, too."""
        if self._ended.done() or (self.agent.draining and not is_lent):
            return
        number, self.next_number = self.next_number, self.next_number + 1
        try:
            runner = self._make_runner(self, number, self._settings.sources, self._settings.allow)
        except (OSError, RuntimeError, MemoryError) as error:  # no more descriptors, processes, threads
            self._not_started(error, is_lent=is_lent)
            return
        self.by_number[number] = runner
        if is_lent:
            self.waits.lent.add(number)
        if self._settings.nice:
            # From that of the worker, as `nice` does.
            niceness = os.getpriority(os.PRIO_PROCESS, 0) + self._settings.nice
            with contextlib.suppress(OSError):  # dead already, or not allowed: it runs as it is
                os.setpriority(os.PRIO_PROCESS, runner.pid, niceness)

    @contained
    def _start_missing(self) -> None:
        """In place of one that has died, unless there are enough by now."""
        serving = self.by_number.keys() - self.replaced - self.waits.lent - {self.renewal.trial}
        if sum(not self.by_number[number].is_retired for number in serving) < self.wanted():
            self.start_one()

    def _not_started(self, error: Exception, *, is_lent: bool) -> None:
        if not self._first_ready.done():
            reason = f"the first child process could not be started: {error}"
            self._first_ready.set_exception(BrokenCode(reason))
            return
        if self.next_number - 1 == self.renewal.trial:
            self._report("child.not_started", level="error", reason=str(error) or repr(error))
            self.renewal.failed()
            return
        self._failed_starts += 1
        wait = _restart_seconds(self._failed_starts)
        self._report(
            "child.not_started", level="error", reason=str(error) or repr(error), again_in_seconds=wait
        )
        if is_lent:
            self.waits.not_started(wait)
        else:
            self._loop.call_later(wait, self._start_missing)

    def kill_all(self) -> None:
        self._last.is_killed = True
        for runner in self.by_number.values():
            runner.signal(kill=True)

    async def end(self) -> None:
        """Let each end by itself, and close what its tasks have opened; wait ``kill_grace_seconds`` for those that may have any."""
        for runner in self.by_number.values():
            runner.end_input()
        await self._last.wait(self.by_number.values(), self._settings.kill_grace_seconds)

    # what is said of them

    def check_progress(self) -> None:
        for runner in self.by_number.values():
            runner.look()


def _restart_seconds(failed_starts: int) -> float:
    first, longest = RESTART_SECONDS
    return min(longest, 0.5 * 2**failed_starts) if failed_starts else first
