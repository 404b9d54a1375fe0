"""Runs the engine's transactions one after another: perform, wait for the disk, conclude, arm the next.

::

    wake ─► run ─► commit (on the loop, or in a thread) ─► conclude ─► answers leave ─► arm ─┬─► at once: there is more
              └─► answers are encoded meanwhile                                              ├─► by a timer: something is due
                                                                                             └─► after a pause: it failed

What arrives while a commit is under way joins the next transaction.

Invariants: 1. at most one transaction is under way; 2. each one arms its successor, even if it fails: nothing else answers the
callers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from ...common.errors import StoreError
from ...common.runtime.callbacks import report_bug
from ...common.runtime.histogram import Buckets
from ..engine.clock import Now
from ..engine.committer import Committer
from ..engine.engine import Engine
from ..engine.transaction import Transaction
from ..store.interface.store import Displaced

DRAIN_SECONDS_MAX: Final = 10.0  # for a commit, when the master is to end: a slow disk's worst is half of it
STORE_PAUSE_SECONDS: Final = 0.2  # after a failed transaction, so that a full disk is not hammered

UNCERTAIN_PAUSE_SECONDS: Final = 0.05  # until it is looked again whether this master owns the state


class TransactionRunner:
    """``report``: the log. ``after_each`` is called when a transaction has ended."""

    def __init__(
        self,
        engine: Engine,
        loop: asyncio.AbstractEventLoop,
        clock: Callable[[], Now],
        report: Callable[..., None],
        commit_here_seconds_max: float,
        after_each: Callable[[], None],
    ) -> None:
        self._engine, self._loop, self._clock, self._report = engine, loop, clock, report
        self._after_each = after_each
        self._committer = Committer(loop, lambda: engine.store.commit(), commit_here_seconds_max)
        self._pumping = False  # a transaction is scheduled, or its commit is under way
        self._committing = self._draining = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0  # monotonic ms at which it is due
        self._idle = asyncio.Event()
        self.displaced: Callable[[str], None] | None = None  # another master has taken over
        self._batch_sizes: Buckets | None = None  # calls in one transaction, if that is measured
        self._concluded_at = loop.time()  # the end of the last transaction

    # what the server and its observers ask

    @property
    def seconds_since_last(self) -> float:
        return self._loop.time() - self._concluded_at

    @property
    def is_busy(self) -> bool:
        """Whether a transaction is under way or due."""
        return self._pumping

    @property
    def commit_seconds(self) -> float:
        """How long the slowest recent commit took."""
        return self._committer.slowest_seconds

    def measure_commits(self, took: Callable[[float], None]) -> None:
        """Have it called with how many seconds each commit took."""
        self._committer.on_seconds.append(took)

    def measure(self, commit_seconds: Buckets, batch_sizes: Buckets) -> None:
        """Measure each transaction from now on: how long its commit took, how many calls it had."""
        self.measure_commits(commit_seconds.observe)
        self._batch_sizes = batch_sizes

    # what is to be done

    def later(self, job: Callable[[], None]) -> None:
        """Do this in the next transaction."""
        self._engine.later(job)
        self.wake()

    def wake(self) -> None:
        """Run a transaction soon; everything that arrives in this turn of the loop joins it."""
        if not self._pumping and not self._draining:
            self._pumping = True
            self._loop.call_soon(self._pump)

    def end(self) -> None:
        """Begin no more transactions."""
        self._draining = True

    async def drain(self) -> None:
        """Begin no more transactions, and wait up to DRAIN_SECONDS_MAX for the one under way."""
        self.end()
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS_MAX):
                while self._pumping:
                    self._idle.clear()
                    await self._idle.wait()
        if self._timer is not None:
            self._timer.cancel()

    @property
    def is_committing(self) -> bool:
        """Whether a thread waits for the disk. After ``drain``: the disk does not answer."""
        return self._committing

    def close(self) -> None:
        self._committer.close()

    # one transaction

    def _pump(self) -> None:
        if self._committing:
            return  # its conclusion arms the next
        if not self._engine.store.is_certain:
            # Its calls wait: an answer could be what was true before another master took over.
            # ``_pumping`` stays set, so that no call that comes meanwhile asks for the answer more often than that.
            self._pumping = not self._draining
            if self._pumping:
                self._loop.call_later(UNCERTAIN_PAUSE_SECONDS, self._pump)
            self._idle.set()
            return
        concludes = False
        try:
            concludes = self._transact()
        except Exception as error:  # a bug of this file or below it: the engine answers for its own
            self._report_bug(error)
        finally:
            if not concludes:
                self._arm(failed=True)

    def _transact(self) -> bool:
        """Run one and have it committed. True: ``_conclude`` was called, or is certain to be."""
        transaction = self._engine.run(self._clock())
        # An empty one, as the beat of an idle master makes, would hide how full the others are.
        if self._batch_sizes is not None and transaction.calls:
            self._batch_sizes.observe(len(transaction.calls))
        if not transaction.changed:  # it only read, or failed: there is nothing to sync
            self._conclude(transaction, None)
            return True
        calls = transaction.calls
        if self._committer.may_commit_here(len(calls), sum(call.size_bytes for call in calls)):
            # A small commit on a fast disk takes less than handing it to a thread and back.
            self._conclude(transaction, self._committer.commit_here())
            return True
        # Set before the thread starts: a wake-up during the commit must not begin a second transaction on the same store.
        self._committing = True
        self._committer.commit_there(lambda error: self._conclude(transaction, error))
        self._encode(transaction)
        return True

    def _encode(self, transaction: Transaction) -> None:
        """Encode the answers while the disk works. They leave in ``_conclude``, and not before."""
        try:
            for call in transaction.replies:
                # One may have closed meanwhile: its answer is for no one.
                if call.session.open:
                    call.frame = call.session.wire.encode(call)
        except Exception as bug:
            self._report_bug(bug)

    def _conclude(self, transaction: Transaction, error: StoreError | None) -> None:
        failed = True
        try:
            if error is None:
                self._engine.committed(transaction)
            elif isinstance(error, Displaced) and not error.gone_back and self.displaced is not None:
                # Nothing leaves: what its callers asked for they ask of the master that has taken over.
                self._draining = True
                self.displaced(str(error))
            else:
                self._engine.commit_failed(transaction, error)
            failed = error is not None or transaction.failed
        except Exception as bug:
            self._report_bug(bug)
        finally:
            self._arm(failed=failed)

    def _arm(self, *, failed: bool) -> None:
        """A transaction has ended: when is the next one?"""
        self._committing = False
        # Also of one that failed: the loop answers, which is what a watchdog asks.
        self._concluded_at = self._loop.time()
        # Before the next one is armed: connections that were held up may add calls to it.
        self._after_each()
        if not failed and not self._draining and not self._engine.has_work:
            try:
                self._set_timer()
            except Exception as bug:
                self._report_bug(bug)
                failed = True
            else:
                self._pumping = False
        if self._draining:
            self._pumping = False
        elif failed:
            self._pumping = True
            # ``_pumping`` stays set: a call that comes meanwhile must not shorten the pause.
            self._loop.call_later(STORE_PAUSE_SECONDS, self._pump)
        elif self._pumping:
            self._loop.call_soon(self._pump)
        self._idle.set()

    def _set_timer(self) -> None:
        at = self._engine.next_wakeup()
        if self._timer is not None:
            # A timer that fires too early wakes the loop once for nothing; a new one for each transaction would cost more.
            if at is not None and self._timer_at <= at:
                return
            self._timer.cancel()
            self._timer = None
        if at is not None:
            # At least a millisecond: the engine's clock counts whole ones, and a timer that fires within the same one would
            # find nothing due and be armed again, in a busy loop.
            delay = max(0.001, (at - self._clock().mono) / 1000)
            self._timer, self._timer_at = self._loop.call_later(delay, self._fire), at

    def _fire(self) -> None:
        self._timer = None
        self.wake()

    def _report_bug(self, error: Exception) -> None:
        report_bug(self._report, error)
