"""What the agent sends to the master, as calls of the dispatcher; what is answered comes back to the agent as an event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol

from ...common.domain.id_runs import IdRun, first_runs
from ...common.domain.ids import show_id
from ...common.domain.on_error import NEEDED_MAX
from ...common.errors import InvalidArgument, TqError
from ...common.runtime.callbacks import WORKER, contained, report_bug
from ..agent.agent import Agent
from ..agent.finish_call import FinishCall
from .master_connection import MasterConnection
from .observer import Observer

LENT_RUNS_MAX: Final = (
    10_000  # of what all threads of a task wait for, in one call: the rest follows when some have ended
)


class ReportMeters(Protocol):
    """Counts what the master has acknowledged, if the worker serves metrics."""

    def acknowledged(self, call: FinishCall, stale: int) -> None: ...


class MasterCalls:
    """See ``effects.MasterEffects``. ``after``: called when an answer may have been the last thing a drain waits for."""

    agent: Agent  # set by the supervisor: each of both needs the other

    def __init__(
        self,
        master: MasterConnection,
        observer: Observer,
        report: Callable[..., None],
        after: Callable[[], None],
        pool: int | None = None,
    ) -> None:
        """``pool``: its place among several of the worker."""
        self._master, self._observer, self._report, self._after = master, observer, report, after
        self._of_pool = () if pool is None else (pool,)
        self._loop = asyncio.get_running_loop()
        self._now = self._loop.time
        self.meters: ReportMeters | None = None

    def began(self, rows: list[list[Any]]) -> None:
        self._master.notify("beat", rows)

    def lease(self, want: int) -> None:
        def granted(answer: Any) -> None:
            lease, groups = answer
            self.agent.granted(lease, groups, self._now())
            self._after()

        self._master.request("lease", granted, want, *self._of_pool)

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
        self._master.request("lend", lent, waiter, named, want, refused=refused)

    def finish(self, call: FinishCall) -> None:
        def finished(answer: Any) -> None:
            stale = call.stale(answer)
            self._observer.finished(call)
            if self.meters is not None:
                self.meters.acknowledged(call, len(stale))
            self.agent.finished(stale, self._now())
            self._after()

        # First what it printed: the master keeps output of an attempt until its end is in.
        self._observer.before_finish(call)
        self._master.request("finish", finished, *call.arguments, refused=self._finish_refused)

    def finish_later(self, seconds: float) -> None:
        self._loop.call_later(seconds, self._gathered)

    @contained
    def _gathered(self) -> None:
        self.agent.gathering.over(self._now())
        self._after()

    def broke(self, error: Exception) -> None:
        """A bug in one callback costs what that callback was about: the next report goes on."""
        report_bug(self._report, error, WORKER)

    def _finish_refused(self, error: TqError) -> bool:
        """Whether the outbox has dealt with it: see there. A refused call must not end the connection that the reports of
        all other attempts need."""
        certain = isinstance(error, InvalidArgument)
        refusal = self.agent.outbox.refused(str(error), certain=certain)
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
        self._master.request("release", lambda _: None, held)

    def starting(self, ids: list[bytes]) -> None:
        def known(_: Any) -> None:
            self.agent.may_start(ids, self._now())

        self._master.request("starting", known, ids)

    def give_up(self) -> None:
        """Report what is over and release the rest, without waiting for answers. Calls are made in this order on one
        connection, and the goodbye comes behind them."""
        calls, held = self.agent.give_up(self._now())
        for call in calls:
            self._observer.before_finish(call)
            # Without waiting for answers: the goodbye behind them is answered after all of them.
            self._master.notify("finish", *call.arguments)
        if held:
            self._master.notify("release", held, True)
