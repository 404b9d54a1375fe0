"""What is asked before it is known how many shards the cluster has: held back in its order, until the first connection says so.

Without a connection it is failed as anything else that was asked of the first line.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, Protocol

from ...common.domain.id_runs import IdRun
from ...common.errors import TqError
from .shard_line import settle


class CallTaker(Protocol):
    """Takes what a program asks: the pending calls of a line, or what routes to several. See ``PendingCalls``."""

    def call(
        self,
        ticket: Any,
        target: Sequence[Any],
        method: str,
        args: Sequence[Any],
        *,
        repeatable: bool,
        until_done: bool = False,
        runs: Sequence[IdRun] = (),
        listener: Hashable | None = None,
        listeners: Sequence[Hashable] = (),
    ) -> None: ...
    def watch(self, listener: Hashable, runs: Sequence[IdRun]) -> None: ...
    def forget(self, listener: Hashable) -> None: ...


class HeldCalls:
    """A CallTaker. ``want_a_connection``: something waits for it."""

    def __init__(self) -> None:
        self._actions: deque[Callable[[CallTaker], None]] = deque()
        self._asking: list[Future[int]] = []
        self.want_a_connection = self.must_finish = False

    def call(
        self,
        ticket: Any,
        target: Sequence[Any],
        method: str,
        args: Sequence[Any],
        *,
        until_done: bool = False,
        **more: Any,
    ) -> None:
        self.want_a_connection = True
        self.must_finish |= until_done
        self._actions.append(
            lambda taker: taker.call(ticket, target, method, args, until_done=until_done, **more)
        )

    def watch(self, listener: Hashable, runs: Sequence[IdRun]) -> None:
        self.want_a_connection = True
        self._actions.append(lambda taker: taker.watch(listener, runs))

    def forget(self, listener: Hashable) -> None:
        self._actions.append(lambda taker: taker.forget(listener))

    def ask(self, future: Future[int]) -> None:
        """Complete this future when the number of shards is known."""
        self.want_a_connection = True
        self._asking.append(future)

    def pour(self, taker: CallTaker, shards: int) -> None:
        """It is known: all goes on to who takes calls now, and before any that are made because it is known."""
        self._hand_on(taker)
        self._answer(partial(settle, value=shards, error=None))

    def fail(self, taker: CallTaker, error: TqError) -> None:
        """There was no connection. ``taker``: fails what it is given."""
        self._hand_on(taker)
        self._answer(partial(settle, value=None, error=error))

    def _hand_on(self, taker: CallTaker) -> None:
        self.want_a_connection = self.must_finish = False
        while self._actions:
            self._actions.popleft()(taker)

    def _answer(self, answer: Callable[[Future[int]], None]) -> None:
        asking, self._asking = self._asking, []
        for future in asking:
            answer(future)
