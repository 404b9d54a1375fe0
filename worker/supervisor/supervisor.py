"""One worker: its parts, its one connection to a master, and how it ends.

::

    master ◄─ MasterConnection ◄─ MasterCalls ◄─ Agent (decides) ─► RunnerPool ─► children
                    │ orders, answers ────────────►   ▲   ◄──────────── events ──────┘
                    └ heartbeats                      └ Ticker, while something runs

    drain (1st signal) ─► what runs is finished, the rest released ────┐
    stop  (2nd signal) ─► children killed, what ended reported, ───────┼─► goodbye, answered ─► ended
                          the rest released uncharged                  │
    abandon (3rd)      ─► no goodbye ──────────────────────────────────┴─► ended

Nothing is decided here about jobs.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from functools import partial
from typing import Any

from ...common.auth.keys import Credential
from ...common.domain.id_runs import ids_named
from ...common.runtime.callbacks import WORKER, contained, report_bug
from ...common.runtime.config import WorkerSettings
from ...common.wire.connection import CallerConnection
from ...common.wire.frames import FRAME_BYTES_MAX
from ..agent.agent import Agent
from ..agent.announcement import announcement
from ..agent.outbox import BODY_BYTES_MAX
from ..pools.interface import MakeRunner
from ..pools.process import ChildHandle
from .attempt_log import WorkerAttemptLog
from .event_pipe import EventPipe
from .master_calls import MasterCalls
from .master_connection import MasterConnection
from .memory import resident_bytes
from .observer import Observer
from .runner_pool import RunnerPool
from .schedules import ScheduleDeclarer
from .ticker import Ticker


class Supervisor:
    """``run`` ends with the program's exit status."""

    def __init__(
        self,
        settings: WorkerSettings,
        credential: Credential,
        report: Callable[..., None],
        make_runner: MakeRunner = ChildHandle,
    ) -> None:
        self._settings, self._report = settings, report
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._declarer = ScheduleDeclarer(report, self._loop)
        self._master = master = MasterConnection(settings, credential, self, report)
        self._observer = observer = Observer(
            partial(master.notify, "observe"), settings.task_log_dir, report, settings.log_format
        )
        after, ended = self._end_if_drained, self._ended
        self.runners = RunnerPool(settings, make_runner, master, observer, report, ended, after)
        self.calls = MasterCalls(master, observer, report, after)
        self.agent = agent = Agent(
            self.runners,
            self.calls,
            settings.slots,
            lent=self.runners.waits,
            kill_grace_seconds=settings.kill_grace_seconds,
            report=report,
            max_tasks_per_child=settings.max_tasks_per_child,
            max_memory_per_child=settings.max_memory_per_child,
            lent_children=settings.lent_children,
        )
        limits_memory = settings.max_memory_per_child > 0
        self._ticker = Ticker(agent, self.runners, report, ended, after, limits_memory=limits_memory)
        self.runners.agent = self.calls.agent = agent
        agent.ended.watch_unsuccessful = WorkerAttemptLog(report, self._loop)
        self.runners.tick_soon, self.runners.look_soon = self._ticker.soon, self._ticker.look_soon

    def watch(self, event_pipe: EventPipe | None) -> None:
        """Write every attempt that ends to this pipe."""
        self.agent.ended.watch = event_pipe

    @property
    def tasks(self) -> list[list[str]]:
        """``[name, queue]`` of each task that the children serve."""
        return self.runners.tasks

    async def load(self) -> None:
        """Start the first child and learn which tasks it serves; raises ConfigError when it cannot load them."""
        await self.runners.load()

    async def run(self) -> int:
        """Serve until drained; the exit status. Raises Rejected when the master refuses the key."""
        for _ in range(self._settings.slots - 1):
            self.runners.start_one()
        connecting = self._loop.create_task(self._master.keep_connected())
        connecting.add_done_callback(self._connecting_ended)
        try:
            return await self._ended
        finally:
            connecting.cancel()
            await self._master.say_goodbye()
            await self.runners.end()
            self._observer.close()

    def drain(self) -> None:
        """First signal: finish what runs, release the rest, deliver reports, end."""
        if not self.agent.draining:
            self._report("worker.draining")
            self.agent.drain(self._now())
            self._send_beat()  # the master stops leasing to this worker: see Membership.beat
        self._end_if_drained()

    def stop(self) -> None:
        """Second signal: end what runs now, report what is over, release the rest."""
        self.drain()
        if self._ended.done():
            return
        self.runners.kill_all()
        self.calls.give_up()
        self._ended.set_result(1)

    def abandon(self) -> None:
        """Third signal: the master is not waited for any more."""
        self.stop()
        self._master.hang_up()

    # the connection

    def announcement(self) -> tuple[dict[str, Any], list[list[Any]]]:
        facts = announcement(self._settings, [name for name, _ in self.runners.tasks])
        return facts, self.agent.held_with_seconds(self._now())

    def master_connected(self, connection: CallerConnection, answer: Any) -> None:
        self._ticker.lease_seconds = float(answer["lease_seconds"])
        frame_bytes_max = connection.welcome.frame_bytes_max
        self.agent.outbox.body_bytes_max = BODY_BYTES_MAX - FRAME_BYTES_MAX + frame_bytes_max
        self._observer.connected(self.agent.held)
        self.agent.connect(ids_named(answer["dropped"]), self._now())
        self._await_orders()
        self._beat(connection)
        self.runners.relay.connected(connection)
        self._declarer.declare(connection, self.runners.schedules)
        self._end_if_drained()

    def master_disconnected(self) -> None:
        self.agent.disconnect()

    def _connecting_ended(self, task: asyncio.Task[None]) -> None:
        """It ends by an error only: a refused key, or a bug."""
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._ended.done():
            self.runners.kill_all()
            self._ended.set_exception(error)

    @contained
    def _beat(self, connection: CallerConnection) -> None:
        if connection is self._master.current and not connection.is_closed:
            self._loop.call_later(connection.welcome.heartbeat_seconds, self._beat, connection)
            self._send_beat()

    def _send_beat(self) -> None:
        pids = {os.getpid(), *self.runners.pids}
        facts: dict[str, Any] = {"memory_bytes": sum(map(resident_bytes, pids))}
        if self.agent.draining:
            facts["draining"] = True
        self._master.notify("beat", self.agent.starts.rows(self._now()), facts)

    def _await_orders(self) -> None:
        """One call is always parked at the master, which answers it when it has an order for this worker."""

        def done(orders: list[list[Any]]) -> None:
            self._await_orders()
            for order in orders:
                match order:
                    case ["cancel", bytes(id), int(attempt)]:
                        self.agent.cancel(id, attempt, self._now())
                    case ["drain"]:
                        self.drain()
            self._end_if_drained()

        self._master.request("orders", done)

    def _end_if_drained(self) -> None:
        if self.agent.draining and self.agent.idle and not self._ended.done():
            self._ended.set_result(0)

    def _now(self) -> float:
        return self._loop.time()

    def broke(self, error: Exception) -> None:
        """A bug in one callback costs what that callback was about: jobs, heartbeats and children go on."""
        report_bug(self._report, error, WORKER)
