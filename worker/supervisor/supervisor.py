"""One worker: its parts, its connection to a master, or to that of each shard, and how it ends.

::

                                  of each pool:
    master ◄─ MasterConnection ◄─ MasterCalls ◄─ Agent (decides) ─► RunnerPool ─► children
                    │ orders, answers ────────────►   ▲   ◄──────────── events ──────┘
                    └ Announcer: heartbeats           └ Ticker, while something runs

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

from ...common.auth.keys import Credential
from ...common.domain.indexes import Indexes, own_indexes
from ...common.domain.probe import PROBE
from ...common.runtime.callbacks import WORKER, report_bug
from ...common.runtime.config import WorkerSettings
from ...common.runtime.pool_spec import ASYNC
from ..agent.sharing import Share, shares
from ..pools.interface import MakeRunner
from ..pools.processes import Preloaded, StartedProcess
from .announcer import Announcer
from .event_pipe import EventPipe
from .masters import Masters
from .observer import Observer
from .renewal import CodeWatch, ServedCode
from .worker_pool import TASKS_NAMED_MAX, WorkerPool


class Supervisor:
    """``run`` ends with the program's exit status."""

    def __init__(
        self,
        settings: WorkerSettings,
        credential: Credential,
        report: Callable[..., None],
        make_runner: MakeRunner | None = None,
    ) -> None:
        self._settings, self._report = settings, report
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._masters = masters = Masters(settings, credential, report)
        self._observer = observer = Observer(
            masters.observe, settings.task_log_dir, report, settings.log_format
        )
        specs = settings.all_pools
        self._template = Preloaded(settings.preload, report) if settings.preload else None
        indexes = Indexes(own_indexes(settings.resources, os.environ))
        self.pools = [
            WorkerPool(
                spec,
                # A single pool sends no place: as all workers did before there were several.
                place if len(specs) > 1 else None,
                settings,
                indexes,
                make_runner,
                StartedProcess if self._template is None else self._template.start,
                masters,
                observer,
                report,
                self._ended,
                self._end_if_drained,
            )
            for place, spec in enumerate(specs)
        ]
        self._announcer = announcer = Announcer(
            settings,
            masters,
            observer,
            self.pools,
            indexes,
            self._shares,
            self.drain,
            self._end_if_drained,
            report,
        )
        masters.owner = announcer
        self._code = announcer.code = ServedCode(self.pools, announcer.facts, masters.announce_again, report)
        self._watch = CodeWatch(settings, report, self._code.changed) if settings.watch else None
        for pool in self.pools:
            pool.runners.renewed = self._code.tried
            pool.scaled = announcer.send_beats  # the master is to know how many tasks run here at a time

    def watch(self, event_pipe: EventPipe | None) -> None:
        """Write every attempt that ends to this pipe."""
        for pool in self.pools:
            pool.agent.ended.watch = event_pipe

    @property
    def tasks(self) -> list[list[str]]:
        """``[name, queue]`` of each task that the children serve."""
        return self.pools[0].runners.tasks

    @property
    def slots(self) -> int:
        """How many tasks run at a time."""
        return self._announcer.slots

    @property
    def connected(self) -> bool:
        return self.pools[0].agent.connected

    @property
    def shards(self) -> dict[str, int]:
        """How many there are, and to how many it is connected; empty where there is one."""
        masters = self._masters
        here = sum(one.current is not None for one in masters.all)
        return {"shards": len(masters.all), "shards_connected": here} if masters.are_several else {}

    @property
    def draining(self) -> bool:
        return self.pools[0].agent.draining

    @property
    def pids(self) -> set[int]:
        """Of the child processes; threads have that of this process."""
        return {pid for pool in self.pools for pid in pool.runners.pids}

    async def load(self) -> None:
        """Start the first child of each pool and learn which tasks they serve; raises ConfigError when they cannot load them."""
        if self._template is not None:
            await self._template.load()
        # The first child alone: code that does not load is an error, and not as many as there are slots.
        await asyncio.gather(*(pool.runners.load() for pool in self.pools))
        for pool, share in zip(self.pools, self._shares(), strict=True):
            names = pool.functions_of(share.tasks)
            if names and pool.spec.kind == ASYNC:
                more = [f"… {len(names) - TASKS_NAMED_MAX} more"] if len(names) > TASKS_NAMED_MAX else []
                named = ", ".join([*names[:TASKS_NAMED_MAX], *more])
                self._report("pool.threads", pool=str(pool.spec), tasks=named)

    def _shares(self) -> list[Share]:
        settings = self._settings
        described = [*self.pools[0].runners.coroutines.items(), (PROBE, False)]
        return shares([pool.spec for pool in self.pools], described, settings.allow, settings.queues)

    async def run(self) -> int:
        """Serve until drained; the exit status. Raises Rejected when the master refuses the key."""
        for pool in self.pools:
            pool.start_rest()
        self._masters.keep_connected(self._connecting_ended)
        watching = None if self._watch is None else self._loop.create_task(self._watch.run())
        try:
            return await self._ended
        finally:
            # Ends the loop of connections, not a connection: the goodbye still goes over it.
            self._masters.stop_connecting()
            if watching is not None:
                watching.cancel()
            # Before the children end, which may take the kill grace: what they held is free for others at once.
            await self._masters.say_goodbye()
            await asyncio.gather(*(pool.runners.end() for pool in self.pools))
            self.close()
            self._observer.close()

    def close(self) -> None:
        """End the process with the preloaded modules, and what is left of its copies."""
        if self._template is not None:
            self._template.close()

    def drain(self) -> None:
        """First signal: finish what runs, release the rest, deliver reports, end."""
        if not self.draining:
            self._report("worker.draining")
            for pool in self.pools:
                pool.agent.drain(self._now())
            self._announcer.send_beats()  # the masters stop leasing to this worker: see Membership.beat
        self._end_if_drained()

    def stop(self) -> None:
        """Second signal: end what runs now, report what is over, release the rest."""
        self.drain()
        # The drain may have ended it: nothing was left to do.
        if self._ended.done():
            return
        for pool in self.pools:
            pool.runners.kill_all()
            pool.calls.give_up()
        self._ended.set_result(1)

    def abandon(self) -> None:
        """Third signal: the master is not waited for any more."""
        self.stop()
        self._masters.hang_up()

    def _connecting_ended(self, task: asyncio.Task[None]) -> None:
        """It ends by an error only: a refused key, or a bug."""
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._ended.done():
            for pool in self.pools:
                pool.runners.kill_all()
            self._ended.set_exception(error)

    def _end_if_drained(self) -> None:
        if self._ended.done() or not self.draining:
            return
        if all(pool.agent.idle for pool in self.pools):
            self._ended.set_result(0)

    def _now(self) -> float:
        return self._loop.time()

    def broke(self, error: Exception) -> None:
        """A bug in one callback costs what that callback was about: jobs, heartbeats and children go on."""
        report_bug(self._report, error, WORKER)
