"""What children say of tasks that wait for others inside themselves: calls that the worker answers itself.

::

    a child: wait(number, ordinal, runs) ─► Agent.lending ─► refused: WouldDeadlock
             woke(number)                ─► the wait is answered: it is over

The calls come over the connection of Apps, in the order in which the child makes them. A wait is answered when it is over, so
that nothing of it is left behind.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from ...common.domain.id_runs import run_from_wire
from ...common.errors import ProtocolError, TqError, WouldDeadlock
from ...common.runtime.callbacks import contained
from ...common.wire.protocol import Request
from ..agent.agent import Agent
from ..child.lent_slot import RUNS_MAX, SLOT
from ..pools.interface import Runner

__all__ = ["SLOT", "ChildWaits"]

WAITS_MAX: Final = 10_000  # of all children: threads of their tasks


class Owner(Protocol):
    """The pool of the children. ``now``: its loop's time."""

    agent: Agent
    by_number: dict[int, Runner]

    def now(self) -> float: ...
    def start_one(self, *, is_lent: bool = False) -> None: ...
    def broke(self, error: Exception) -> None: ...


class ChildWaits:
    """The waits of all children that are not over, and the children that are lent for them: see ``effects.LentEffects``."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self.lent: set[int] = set()  # the numbers of children
        self._open: dict[tuple[Runner, int], int] = {}  # the call of a child and the number of its wait

    # effects

    def start_lent(self) -> None:
        self._owner.start_one(is_lent=True)

    def refuse_wait(self, child: int, wait: int, why: str) -> None:
        self._end(self._owner.by_number[child], wait, WouldDeadlock(why))

    # events

    def not_started(self, wait_seconds: float) -> None:
        """A lent child could not be started, or died before it was ready. After this time it may be tried again."""
        asyncio.get_running_loop().call_later(wait_seconds, self._may_start)

    @contained
    def _may_start(self) -> None:
        self._owner.agent.lending.not_started(self._owner.now())

    def broke(self, error: Exception) -> None:
        self._owner.broke(error)

    def called(self, child: Runner, request: Request) -> None:
        lending, now = self._owner.agent.lending, self._owner.now()
        match request.method, request.args:
            case "wait", [int(wait), int(ordinal), list(named)] if len(named) <= RUNS_MAX:
                runs = [run for run in map(run_from_wire, named) if run is not None]
                # The caller is a task's process: what it sends is checked as if it came from outside.
                if len(runs) != len(named) or not runs:
                    return self._refuse(child, request, ProtocolError("it waits for tasks that have no id"))
                if len(self._open) >= WAITS_MAX:
                    why = f"{WAITS_MAX:,} waits inside tasks of this worker are under way, in threads of theirs, and no more can be"
                    return self._refuse(child, request, WouldDeadlock(why))
                # Before it is passed on: the wait may be refused, and answered, within this call.
                self._open[child, wait] = request.call_id
                # Its job is over by now: there is nothing left to wait for.
                if not lending.waits(child.number, wait, ordinal, runs, now):
                    self._end(child, wait)
            case "woke", [int(wait)]:
                lending.woke(child.number, wait, now)
                self._end(child, wait)
                child.answer(request.call_id, None, None)
            case _:
                self._refuse(child, request, ProtocolError(f"a slot has no method {request.method!r:.80}"))
        return None

    def forget(self, child: Runner) -> bool:
        """It has died. Whether it was lent."""
        for key in [key for key in self._open if key[0] is child]:
            del self._open[key]
        is_lent = child.number in self.lent
        self.lent.discard(child.number)
        return is_lent

    def _end(self, child: Runner, wait: int, error: TqError | None = None) -> None:
        call_id = self._open.pop((child, wait), None)
        if call_id is not None:
            child.answer(call_id, None, error)

    def _refuse(self, child: Runner, request: Request, error: TqError) -> None:
        child.answer(request.call_id, None, error)
