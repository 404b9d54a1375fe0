"""What the agent sends to its masters, as calls of the dispatcher; what is answered comes back to the agent as an event.

With several shards each call goes to the master of the tasks that it is about.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol

from ...common.domain.id_runs import IdRun, first_runs
from ...common.domain.ids import show_id
from ...common.domain.on_error import NEEDED_MAX
from ...common.errors import InvalidArgument, TqError
from ...common.runtime.callbacks import WORKER, contained, report_bug
from ..agent.agent import Agent
from ..agent.finish_call import FinishCall
from ..agent.leasing import SharedLeasing
from .master_connection import MasterConnection
from .masters import Masters, shard_of_row
from .observer import Observer

# Of what all threads of a task wait for, in one call: the rest follows when some have ended
LENT_RUNS_MAX: Final = 10_000


class ReportMeters(Protocol):
    """Counts what the master has acknowledged, if the worker serves metrics."""

    def acknowledged(self, call: FinishCall, stale: int) -> None: ...


class MasterCalls:
    """See ``effects.MasterEffects`` and ``effects.ShardEffects``. ``after``: called when an answer may have been the last thing a drain waits for."""

    agent: Agent  # set by the supervisor: each of both needs the other

    def __init__(
        self,
        masters: Masters,
        observer: Observer,
        report: Callable[..., None],
        after: Callable[[], None],
        pool: int | None = None,
    ) -> None:
        """``pool``: its place among several of the worker."""
        self._masters, self._observer, self._report, self._after = masters, observer, report, after
        self._of_pool = () if pool is None else (pool,)
        self._look = (pool or 0, False)  # the same of a lease call that does not wait
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time
        self.meters: ReportMeters | None = None
        self._lent_at: dict[bytes, set[int]] = {}  # the shards that were asked what a task waits for

    def began(self, rows: list[list[Any]]) -> None:
        for master, some in self._masters.of_rows(rows):
            master.notify("beat", some)

    def lease(self, want: int) -> None:
        def granted(answer: Any) -> None:
            lease, groups = answer
            self.agent.granted(lease, groups, self._now())
            self._after()

        self._masters.first.request("lease", granted, want, *self._of_pool)

    def look(self, shard: int, want: int, *, waits: bool) -> None:
        def granted(answer: Any) -> None:
            lease, groups = answer
            self.agent.granted(lease, groups, self._now(), shard)
            self._after()

        self._masters.all[shard].request("lease", granted, want, *(self._of_pool if waits else self._look))

    def look_later(self, seconds: float) -> None:
        self._loop.call_later(seconds, self._silent)

    @contained
    def _silent(self) -> None:
        leasing = self.agent.side.leasing
        assert isinstance(leasing, SharedLeasing)  # noqa: S101 - no other asks for it
        leasing.over(self._now())
        self._after()

    def lend(self, token: int, waiter: bytes, runs: list[IdRun], want: int) -> None:
        def lent(answer: Any) -> None:
            lease, groups = answer
            # No runs: this was the call that ends the one before, and its answer is empty.
            if runs and (groups or not want):
                self.agent.lending.lent(token, lease, groups, self._now())
            self._after()

        def refused(error: TqError) -> bool:
            """It waits for too much, or without end: that ends this wait, and not the connection of all others."""
            if isinstance(error, InvalidArgument):
                why = f"task {show_id(waiter)} cannot wait here: {error}"
                self.agent.lending.refused(token, why, self._now())
                self._after()
            # Anything else is a fault of the connection, which then ends as for all calls.
            return isinstance(error, InvalidArgument)

        named = [run.to_wire() for run in first_runs(runs, LENT_RUNS_MAX, NEEDED_MAX)]
        for master, some in self._lenders(waiter, named):
            master.request("lend", lent, waiter, some, want, refused=refused)

    def _lenders(self, waiter: bytes, named: list[Any]) -> list[tuple[MasterConnection, list[Any]]]:
        """The masters to be asked for these: a task may wait for tasks of several shards. One that was asked before and has none of these is sent
        none: the task waits for nothing there any more."""
        if not self._masters.are_several:
            return [(self._masters.first, named)]
        asked = self._lent_at.pop(waiter, set())
        by_shard: dict[int, list[Any]] = {shard: [] for shard in asked}
        for one in named:
            by_shard.setdefault(shard_of_row([one]), []).append(one)
        if named:
            self._lent_at[waiter] = {shard for shard, some in by_shard.items() if some}
        return [(self._masters.all[shard], some) for shard, some in by_shard.items()]

    def finish(self, call: FinishCall) -> None:
        master = self._masters.of_call(call)

        def finished(answer: Any) -> None:
            stale = call.stale(answer)
            self._observer.finished(call)
            if self.meters is not None:
                self.meters.acknowledged(call, len(stale))
            self.agent.finished(stale, self._now(), master.shard)
            self._after()

        # First what it printed: the master keeps output of an attempt until its end is in.
        self._observer.before_finish(call)
        master.request(
            "finish", finished, *call.arguments, refused=partial(self._finish_refused, master.shard)
        )

    def finish_later(self, seconds: float) -> None:
        self._loop.call_later(seconds, self._gathered)

    @contained
    def _gathered(self) -> None:
        self.agent.side.gathering.over(self._now())
        self._after()

    def broke(self, error: Exception) -> None:
        """A bug in one callback costs what that callback was about: the next report goes on."""
        report_bug(self._report, error, WORKER)

    def _finish_refused(self, shard: int, error: TqError) -> bool:
        """Whether the outbox has dealt with it: see there. A refused call must not end the connection that the reports of
        all other attempts need."""
        certain = isinstance(error, InvalidArgument)
        refusal = self.agent.side.outboxes[shard].refused(str(error), certain=certain)
        if refusal is not None:
            self._report(
                "task.report_refused",
                level="error",
                task=show_id(refusal.id),
                attempt=refusal.attempt,
                reason=str(error),
            )
        # The connection ends after all: another one may do better, or show that the master is broken.
        if not certain or (refusal is not None and refusal.is_final):
            return False
        self.agent.work(self._now())
        return True

    def release(self, held: list[list[Any]]) -> None:
        for master, some in self._masters.of_rows(held):
            master.request("release", lambda _: None, some)

    def starting(self, ids: list[bytes]) -> None:
        # One at a time: suspects are announced as each finds a child.
        def known(_: Any) -> None:
            self.agent.may_start(ids, self._now())

        self._masters.of_task(ids[0]).request("starting", known, ids)

    def give_up(self) -> None:
        """Report what is over and release the rest, without waiting for answers. Calls are made in this order on one
        connection, and the goodbye comes behind them."""
        calls, held = self.agent.give_up(self._now())
        for call in calls:
            self._observer.before_finish(call)
            # Without waiting for answers: the goodbye behind them is answered after all of them.
            self._masters.of_call(call).notify("finish", *call.arguments)
        for master, some in self._masters.of_rows(held) if held else ():
            master.notify("release", some, True)
