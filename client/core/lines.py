"""The lines of an I/O thread: that to the first shard, and what becomes of calls when it is known how many shards there are.

With one shard, all go to its line. With several they are routed by ``shard_lines.py``. Before the first connection they are held back.
All of it runs in the I/O thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from ...common.errors import TqError, Unreachable
from .held_calls import CallTaker, HeldCalls
from .outage import Outage
from .shard_line import Deliver, ShardLine, settle
from .transports import Opener, Transport

if TYPE_CHECKING:
    from .shard_lines import ShardLines


class IoLines:
    """``of_shard``: opens transports to a shard, by its number. ``run_posted``: performs what was posted to the thread, before a line
    fails all that it has. ``cluster``, ``shards``: the id of the cluster and how many there are, from the first connection on."""

    def __init__(
        self,
        opener: Opener,
        of_shard: Callable[[int], Opener] | None,
        stream: str,
        connect_seconds: float,
        loop: asyncio.AbstractEventLoop,
        *,
        deliver: Deliver,
        run_posted: Callable[[], None],
    ) -> None:
        self._of_shard, self._stream, self._connect_seconds = of_shard, stream, connect_seconds
        self._loop, self._deliver, self._run_posted = loop, deliver, run_posted
        self.cluster: str | None = None
        self.shards: int | None = None
        self.several: ShardLines | None = None
        self._flushed: Callable[[], None] | None = None
        self._tasks = set[asyncio.Task[None]]()
        self._outage = Outage()
        self.first = self._line(opener, self._opened)
        self.all = [self.first]
        self._held = HeldCalls()
        self.take(self._held)

    def take(self, taker: CallTaker) -> None:
        """From now on calls and watches go there. They are bound methods, so a call costs no look-up of its line."""
        self.taker = taker
        self.make = taker.call

    @property
    def must_finish(self) -> bool:
        """Whether a call with ``until_done`` is still unanswered."""
        return self._held.must_finish or any(
            call.until_done for line in self.all for call in line.pending.open_calls
        )

    def tell_when_flushed(self, flushed: Callable[[], None]) -> None:
        """Call this after each flush of any line, from now on."""
        self._flushed = flushed
        for line in self.all:
            line.flushed = flushed

    def away_from(self, shard: int) -> float:
        """For how many seconds there has been no connection to a shard."""
        return self.first.away_seconds if self.several is None else self.several.away_from(shard)

    def away_of(self, future: Future[Any]) -> float:
        """For how many seconds there has been none for this call."""
        return self.first.away_seconds if self.several is None else self.several.away_of(future)

    def ask_shards(self, future: Future[int]) -> None:
        """Complete this with the number of shards, when it is known."""
        if self.shards is None:
            self._held.ask(future)
        else:
            settle(future, self.shards, None)

    def flush(self) -> None:
        """Perform what actions have brought about."""
        if self.shards is None:
            if self.first.refused is not None:
                self.fail_held(self.first.refused)
            self.first.is_wanted = self._held.want_a_connection
        for line in self.all:
            line.flush()

    def fail_held(self, error: TqError) -> None:
        """What waits for the first connection is failed with the calls of the line that has failed to make it."""
        if self.shards is None:
            self._held.fail(self.first.pending, error)
            self.first.is_wanted = False

    def close(self, reason: str) -> None:
        for line in self.all:
            line.close(reason)

    def give_up(self, error: TqError) -> None:
        """Fail all that is open."""
        self.fail_held(error)
        if self.several is not None:
            self.several.give_up(error)
        for line in self.all:
            line.give_up(error)

    def abandon_in_child(self, error: TqError) -> None:
        """After a fork, in the child: drop the parent's connections, and fail the boxes that wait for outcomes."""
        if self.several is not None:
            self.several.abandon_in_child(error)
        for line in self.all:
            line.abandon_in_child(error)

    def _line(self, opener: Opener, opened: Callable[[Transport], None]) -> ShardLine:
        line = ShardLine(
            opener,
            self._stream,
            self._connect_seconds,
            opened=opened,
            emptied=self._emptied,
            deliver=self._deliver,
            outage=self._outage,
        )
        line.flushed = self._flushed
        return line

    def _line_to(self, shard: int) -> ShardLine:
        """A line to another shard than the first."""
        if self._of_shard is None:
            raise Unreachable(f"shard {shard} was asked through a connection that reaches the first one only")
        line = self._line(self._of_shard(shard), lambda transport: None)
        self.all.append(line)
        self._spawn(line.serve())
        return line

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something beside the first line, until the end of the loop."""
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _opened(self, transport: Transport) -> None:
        self.cluster = transport.cluster
        if self.shards is not None:
            return
        self.shards = transport.shards
        if self.shards == 1:
            self.take(self.first.pending)
        else:
            from .shard_lines import ShardLines  # a program of a cluster with one shard never loads it

            self.several = ShardLines(self.shards, self.first, self._line_to, self._spawn)
            self.take(self.several)
        self.first.is_wanted = False
        self._held.pour(self.taker, self.shards)
        # The first one is flushed by what has opened its transport.
        for line in self.all[1:]:
            line.flush()

    def _emptied(self, error: TqError) -> None:
        """A line is about to fail all that it has: what was posted is among it."""
        self._run_posted()
        self.fail_held(error)
