"""The shell around the agent: its event loop, the children, and the one connection to a master.

::

    master ◄─ MasterConnection ─► Supervisor ─► Agent (decides) ─► Supervisor (the agent's effects) ─► children
                               └ ticks while something runs, beats while connected

Nothing is decided here about jobs. What is decided here: when to start a child in place of a dead one, and
how the program ends::

    drain (1st signal) ─► what runs is finished, the rest handed back ─┐
    stop  (2nd signal) ─► children killed, what ended reported, ───────┼─► goodbye, answered ─► ended
                          the rest handed back uncharged               │
    abandon (3rd)      ─► no goodbye ──────────────────────────────────┴─► ended
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from ...common.auth.keys import Credential
from ...common.contract.workers import ReportRow
from ...common.domain.ids import show_id
from ...common.errors import InvalidArgument, TqError
from ...common.runtime.callbacks import WORKER, contained, report_bug
from ...common.runtime.config import WorkerSettings
from ...common.wire.connection import CallerConnection
from ...common.wire.frames import FRAME_BYTES_MAX
from ...common.wire.protocol import Request
from ..agent.agent import Agent
from ..agent.announcement import announcement
from ..agent.jobs import Death, Job, JobReport
from ..agent.outbox import BODY_BYTES_MAX
from ..agent.watchdog import TICK_SECONDS
from ..child.loading import BrokenCode, import_failure
from ..pools.interface import MakeRunner, Runner
from ..pools.process import ChildHandle
from .event_pipe import EventPipe
from .master_connection import MasterConnection
from .memory import DeathExaminer, resident_bytes
from .observer import SEND_SECONDS, Observer
from .relay import Relay

RESTART_SECONDS: Final = (0.0, 30.0)  # a child that dies before it was ready waits longer each time
MEMORY_CHECK_SECONDS: Final = 0.25  # between two looks at the memory of children, while something runs


class ReportMeters(Protocol):
    """Who counts, when somebody asked for it."""

    def acknowledged(self, rows: Sequence[ReportRow], stale: int) -> None: ...


class Supervisor:
    """One worker. ``run`` ends with the program's exit status."""

    def __init__(
        self,
        settings: WorkerSettings,
        credential: Credential,
        report: Callable[..., None],
        make_child: MakeRunner = ChildHandle,
    ) -> None:
        self._settings, self._report = settings, report
        self._make_child = make_child
        self._loop = asyncio.get_running_loop()
        self._master = MasterConnection(settings, credential, self, report)
        self._agent = Agent(
            self,
            settings.slots,
            kill_grace_seconds=settings.kill_grace_seconds,
            report=report,
            max_tasks_per_child=settings.max_tasks_per_child,
            max_memory_per_child=settings.max_memory_per_child,
        )
        self._observer = Observer(self._observe, settings.task_log_dir, report, settings.log_format)
        self._examiner = DeathExaminer(settings.max_memory_per_child)
        self._memory_checked_at = 0.0  # when the memory of all children was last measured
        self._progress_checked_at = 0.0  # when the progress of all children was last looked at
        self._children: dict[int, Runner] = {}
        self.meters: ReportMeters | None = None
        self._next_child = 1
        self._failed_starts = 0
        self._import_error = ""
        self.tasks: list[list[str]] = []  # [name, queue] as the children tell them
        self._hello: asyncio.Future[None] = self._loop.create_future()
        self._ticking: asyncio.TimerHandle | None = None
        self._ticked = 0.0
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._lease_seconds = 0.0
        self._relay = Relay()

    def watch(self, event_pipe: EventPipe | None) -> None:
        """Tell somebody of every attempt that ends."""
        self._agent.on_ended = event_pipe

    async def load(self) -> None:
        """Start the first child and learn what it serves; raises ConfigError when it cannot load it."""
        self._start_child()
        await self._hello

    async def run(self) -> int:
        """Serve until drained; the exit status. Raises Rejected when the master refuses the key."""
        for _ in range(self._settings.slots - 1):
            self._start_child()
        connecting = self._loop.create_task(self._master.keep_connected())
        connecting.add_done_callback(self._connecting_ended)
        try:
            return await self._ended
        finally:
            connecting.cancel()
            await self._master.say_goodbye()
            for child in self._children.values():
                child.close_tickets()
            self._observer.close()

    def drain(self) -> None:
        """First signal: finish what runs, hand back the rest, deliver, end."""
        if not self._agent.draining:
            self._report("worker.draining")
            self._agent.drain(self._now())
            self._send_beat()  # the master stops leasing to us: see Membership.beat
        self._end_if_drained()

    def stop(self) -> None:
        """Second signal: end what runs now, report what has ended, hand the rest back. What is told here is
        told in this order on one connection, and the goodbye after it."""
        self.drain()
        if self._ended.done():
            return
        self._kill_children()
        reports, held = self._agent.give_up(self._now())
        for rows, blobs in reports:
            self._observer.before_finish(rows)
            self._master.notify("finish", rows, *([blobs] if blobs else []))
        if held:
            self._master.notify("release", held, True)
        self._ended.set_result(1)

    def abandon(self) -> None:
        """Third signal: the master is not waited for any more."""
        self.stop()
        self._master.hang_up()

    # what can be seen of it

    @property
    def agent(self) -> Agent:
        return self._agent

    @property
    def pids(self) -> set[int]:
        """Of the child processes; threads have ours."""
        return {child.pid for child in self._children.values()}

    # the connection

    def announcement(self) -> tuple[dict[str, Any], list[list[Any]]]:
        return announcement(self._settings, [name for name, _ in self.tasks]), self._agent.held_with_seconds(
            self._now()
        )

    def master_connected(self, connection: CallerConnection, answer: Any) -> None:
        self._lease_seconds = float(answer["lease_seconds"])
        frame_bytes_max = connection.welcome.frame_bytes_max
        self._agent.outbox.body_bytes_max = BODY_BYTES_MAX - FRAME_BYTES_MAX + frame_bytes_max
        self._observer.connected(self._agent.held)
        self._agent.connect(answer["dropped"], self._now())
        self._await_orders(connection)
        self._beat(connection)
        self._relay.connected(connection)
        self._end_if_drained()

    def master_disconnected(self) -> None:
        self._agent.disconnect()

    def _connecting_ended(self, task: asyncio.Task[None]) -> None:
        """It never ends by itself but by an error: a refused key, or a bug."""
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._ended.done():
            self._kill_children()
            self._ended.set_exception(error)

    @contained
    def _beat(self, connection: CallerConnection) -> None:
        if connection is self._master.current and not connection.is_closed:
            self._loop.call_later(connection.welcome.heartbeat_seconds, self._beat, connection)
            self._send_beat()

    def _send_beat(self) -> None:
        facts: dict[str, Any] = {"memory_bytes": sum(map(resident_bytes, {os.getpid(), *self.pids}))}
        if self._agent.draining:
            facts["draining"] = True
        self._master.notify("beat", self._agent.starts.rows(self._now()), facts)

    def _observe(self, rows: list[list[Any]]) -> None:
        """What running attempts say."""
        self._master.notify("observe", rows)

    def _await_orders(self, connection: CallerConnection) -> None:
        def done(orders: list[list[Any]]) -> None:
            self._await_orders(connection)
            for order in orders:
                match order:
                    case ["cancel", bytes(id), int(attempt)]:
                        self._agent.cancel(id, attempt, self._now())
                    case ["drain"]:
                        self.drain()
            self._after()

        self._master.request("orders", done)

    # the agent's effects

    def send(self, child: int, jobs: list[Job]) -> None:
        self._children[child].send(jobs)
        self._tick_soon()

    def unread(self, child: int) -> int:
        return self._children[child].unread()

    def take_back(self, child: int) -> list[int]:
        return self._children[child].take_back()

    def notify(self, child: int, ordinal: int, kind: str) -> None:
        self._children[child].notify(ordinal, kind)

    def signal(self, child: int, *, kill: bool) -> None:
        self._children[child].signal(kill=kill)

    def dump(self, child: int) -> None:
        self._children[child].dump_stacks()

    def retire(self, child: int) -> None:
        """The next one is started before this one has ended: the slot is free so much sooner."""
        worn = self._children[child]
        self._report("child.retired", level="debug", pid=worn.pid)
        worn.retire()
        self._loop.call_later(self._settings.kill_grace_seconds, lambda: worn.signal(kill=True))
        self._start_child()

    def began(self, rows: list[list[Any]]) -> None:
        self._master.notify("beat", rows)

    def lease(self, want: int) -> None:
        def granted(answer: Any) -> None:
            lease, groups = answer
            self._agent.granted(lease, groups, self._now())
            self._after()

        self._master.request("lease", granted, want)

    def finish(self, rows: list[ReportRow], blobs: list[list[Any]] | None) -> None:
        def finished(stale: Any) -> None:
            self._observer.finished(rows)
            if self.meters is not None:
                self.meters.acknowledged(rows, len(stale))
            self._agent.finished(stale, self._now())
            self._after()

        def refused(error: TqError) -> bool:
            certain = isinstance(error, InvalidArgument)
            refusal = self._agent.outbox.refused(str(error), certain=certain)
            if refusal is not None:
                self._report(
                    "task.report_refused",
                    level="error",
                    task=show_id(refusal.id),
                    attempt=refusal.attempt,
                    reason=str(error),
                )
            if not certain or (refusal is not None and refusal.is_final):
                return False
            self._agent.work(self._now())
            return True

        self._observer.before_finish(rows)
        self._master.request("finish", finished, rows, *([blobs] if blobs else []), refused=refused)

    def release(self, held: list[list[Any]]) -> None:
        self._master.request("release", lambda _: None, held)

    def starting(self, ids: list[bytes]) -> None:
        def known(_: Any) -> None:
            self._agent.may_start(ids, self._now())

        self._master.request("starting", known, ids)

    # the children's owner

    def child_hello(self, child: Runner, tasks: list[list[str]]) -> None:
        self._failed_starts, self._import_error = 0, ""
        self.tasks = tasks
        self._report("child.started", level="debug", pid=child.pid)
        if not self._hello.done():
            self._hello.set_result(None)
        self._agent.child_ready(child.number, self._now())

    def child_failed(self, child: Runner, known: bool, text: str) -> None:
        error = import_failure(known, text)
        if not self._hello.done():
            self._observer.close()  # what the import printed is wanted now
            self._hello.set_exception(error)
        elif text != self._import_error:
            self._observer.import_failed(text)
        self._import_error = text

    def child_printed(self, child: Runner, ordinal: int, text: bytes) -> None:
        self._observer.printed(self._agent.children.job_of(child.number, ordinal), text)

    def child_progressed(self, child: Runner, ordinal: int, progress: list[Any]) -> None:
        job = self._agent.children.job_of(child.number, ordinal)
        if job is not None and job.ordinal == ordinal:
            self._observer.progressed(job, progress)

    def child_reported(self, child: Runner, reports: list[JobReport]) -> None:
        self._agent.child_reported(child.number, reports, self._now())
        self._after()

    def child_distrusted(self, child: Runner, why: str) -> None:
        self._agent.distrust(child.number, why)
        child.signal(kill=True)

    def child_called(self, child: Runner, request: Request) -> None:
        self._relay.forward(self._master.current, child, request)

    def child_died(self, child: Runner, death: Death) -> None:
        del self._children[child.number]
        self._relay.forget(child)
        if not self._hello.done():
            self._hello.set_exception(BrokenCode(f"the first child process {death} before it was ready"))
            return
        if self._ended.done() or (self._agent.draining and not child.ready):
            return
        if child.ready:
            unread = child.take_back()
            job = self._agent.children.last_begun(child.number, unread)
            death = self._examiner.examined(death, "" if job is None else self._observer.last_lines(job))
            if not child.is_retired:
                self._report("child.died", level="warning", pid=child.pid, how=str(death))
            self._agent.child_died(child.number, death, unread, self._now())
        else:
            self._failed_starts += 1
        if not self._agent.draining and not child.is_retired:
            self._loop.call_later(_restart_seconds(self._failed_starts), self._start_child)
        self._after()

    @contained
    def _start_child(self) -> None:
        if not self._agent.draining and not self._ended.done():
            number, self._next_child = self._next_child, self._next_child + 1
            try:
                child = self._make_child(self, number, self._settings.sources, self._settings.allow)
            except (
                OSError,
                RuntimeError,
                MemoryError,
            ) as error:  # no more descriptors, processes, threads, memory
                self._child_not_started(error)
                return
            self._children[number] = child
            if self._settings.nice:
                niceness = os.getpriority(os.PRIO_PROCESS, 0) + self._settings.nice
                with contextlib.suppress(OSError):  # dead already, or not allowed: it runs as it is
                    os.setpriority(os.PRIO_PROCESS, child.pid, niceness)

    def _child_not_started(self, error: Exception) -> None:
        if not self._hello.done():
            self._hello.set_exception(BrokenCode(f"the first child process could not be started: {error}"))
            return
        self._failed_starts += 1
        wait = _restart_seconds(self._failed_starts)
        self._report(
            "child.not_started", level="error", reason=str(error) or repr(error), again_in_seconds=wait
        )
        self._loop.call_later(wait, self._start_child)

    def _kill_children(self) -> None:
        for child in self._children.values():
            child.signal(kill=True)

    # time and the end

    def _tick_soon(self) -> None:
        if self._ticking is None:
            self._ticked = self._now()
            self._ticking = self._loop.call_later(TICK_SECONDS, self._tick)

    @contained
    def _tick(self) -> None:
        self._ticking = None
        if self._ended.done():
            return  # what was held is handed back, and dead children are not replaced
        try:
            self._check_jobs(self._now())
        finally:
            if self._agent.children.busy or self._agent.backlog.waiting:
                self._tick_soon()

    def _check_jobs(self, now: float) -> None:
        if self._lease_seconds and now - self._ticked > self._lease_seconds:
            self._report("worker.stalled", level="warning", seconds=now - self._ticked)
        self._check_children(now)
        self._agent.tick(now)
        self._after()

    def _check_children(self, now: float) -> None:
        """At the progress of what runs, and, where there is a limit, at everybody's memory."""
        if now - self._progress_checked_at >= SEND_SECONDS:
            self._progress_checked_at = now
            for child in self._children.values():
                child.look()
        is_due = (
            now - self._memory_checked_at >= MEMORY_CHECK_SECONDS or not self._agent.children.busy
        )  # the last look finds them idle
        if self._settings.max_memory_per_child and is_due:
            self._memory_checked_at = now
            sizes = {one.number: resident_bytes(one.pid) for one in self._children.values() if one.ready}
            self._agent.measured(sizes, now)

    def _after(self) -> None:
        if self._agent.draining:
            self._end_if_drained()

    def _end_if_drained(self) -> None:
        if self._agent.draining and self._agent.idle and not self._ended.done():
            self._ended.set_result(0)

    def _now(self) -> float:
        return self._loop.time()

    def broke(self, error: Exception) -> None:
        """A bug in one callback costs what that callback was about: jobs, beats and children go on."""
        report_bug(self._report, error, WORKER)


def _restart_seconds(failed_starts: int) -> float:
    first, longest = RESTART_SECONDS
    return min(longest, 0.5 * 2**failed_starts) if failed_starts else first
