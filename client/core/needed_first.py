"""Submits of tasks that need tasks of other shards: those shards are asked for them first, and the submit is held back until they have answered.

::

    submit of T, which needs S ─► line of S's shard: is S there? ─┬─ yes ──► line of T's shard
                                  (behind the submit of S)        └─ no ───► its submit is under way: asked again, a little later;
                                                                             else refused, as within a shard, if T is not there already

Of calls over two connections nothing says which one arrives first: T's shard would ask for a task that is not there yet, and T would fail. The
question goes over the line of S, behind its submit, also after a lost connection. So its answer knows S, whichever thread has submitted it,
unless that submit waits for room in its queue, or was lost alone, by the supervisor of a worker.

A call that names what is held waits behind it, as it would on one line: a state, a cancel, a watch, a task that needs it, the seal of its flow.

Invariants: 1. a submit is sent when all that it needs was there, and never before; 2. each held call is settled once; 3. calls about a
held task are made behind it, in the order of asking. A cluster of one shard never loads this module. All of it runs in the I/O thread.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, Final, NamedTuple, Protocol

from ...common.contract.dependencies import MISSING_TASKS_MAX, not_there
from ...common.contract.routes import By, ShardRoute, needs_of_rows, runs_by_shard, runs_of_rows
from ...common.domain.id_runs import IdRun, disjoint, run_from_wire
from ...common.domain.shards import shard_of_id
from ...common.errors import InvalidArgument, TqError
from .shard_line import settle
from .watched_tasks import portions

FLOW_PLACE: Final = 6  # among the arguments of a submit
PAUSE_SECONDS_MIN: Final = 0.02  # until a task is asked for again whose submit is under way
PAUSE_SECONDS_MAX: Final = 1.0


class AskedCall(NamedTuple):
    """A call as it was asked for. ``rows``: of the tasks that it submits. ``more``: see CallTaker."""

    route: ShardRoute
    rows: Sequence[Any]
    ticket: Any
    target: Sequence[Any]
    method: str
    args: Sequence[Any]
    more: Mapping[str, Any]

    @property
    def listeners(self) -> Sequence[Any]:
        one = self.more.get("listener")
        return self.more.get("listeners", ()) if one is None else (one,)

    def named(self) -> list[IdRun]:
        """The tasks, or the flow, that it is about."""
        if self.rows:
            return [*needs_of_rows(self.rows), *runs_of_rows(self.rows)]
        by, place = self.route.by, self.route.place
        if by not in (By.ID, By.IDS) or len(self.args) <= place:
            return []
        given = self.args[place] if by is By.IDS else [self.args[place]]
        runs = (run_from_wire(list(one) if isinstance(one, tuple) else one) for one in given)
        return [run for run in runs if run is not None]


class LinesToShards(Protocol):
    """The lines, as this module needs them. ``ask``: a part of the call with this ticket. ``perform``: make a call now. ``call``: make it,
    unless it is held."""

    shards: int

    def ask(
        self,
        ticket: Future[Any],
        shard: int,
        part: Future[Any],
        target: Sequence[Any],
        method: str,
        *args: Any,
    ) -> None: ...
    def perform(self, call: AskedCall) -> None: ...
    def call(
        self, ticket: Any, target: Sequence[Any], method: str, args: Sequence[Any], **more: Any
    ) -> None: ...
    def is_submitting(self, id: bytes) -> bool: ...
    def watch(self, listener: Any, runs: Sequence[IdRun]) -> None: ...
    def forget(self, listener: Hashable) -> None: ...
    def flush(self) -> None: ...


class _Behind(NamedTuple):
    """What waits for a held submit."""

    action: Callable[[], None]
    ticket: Any = None
    listeners: Sequence[Any] = ()

    def fail(self, error: BaseException) -> None:
        if self.ticket is not None:
            settle(self.ticket, None, error)
        for listener in self.listeners:
            listener.fail(error)


class _HeldSubmit:
    def __init__(self, call: AskedCall) -> None:
        self.call = call
        self.behind: list[_Behind] = []
        self.left = 0  # answers that are still to come
        self.missing: list[bytes] = []
        self.error: BaseException | None = None
        self.is_own = False  # the question under way is about its own tasks
        self.pause = PAUSE_SECONDS_MIN
        self._runs: list[IdRun] = []
        self._flows: list[Any] = []
        self._stands_for(call)

    def put_behind(self, call: AskedCall, action: Callable[[], None]) -> None:
        """Of a submit: what is about its tasks waits here as well, so that it comes behind it."""
        self.behind.append(_Behind(action, call.ticket, call.listeners))
        if call.rows:
            self._stands_for(call)

    def _stands_for(self, call: AskedCall) -> None:
        self._flows += call.args[FLOW_PLACE : FLOW_PLACE + 1]
        self._runs = disjoint([*self._runs, *runs_of_rows(call.rows)])
        ends = [run.ends() for run in self._runs]
        self._lows, self._highs = [first for first, _ in ends], [last for _, last in ends]

    def is_about(self, run: IdRun) -> bool:
        first, last = run.ends()
        at = bisect_right(self._lows, last) - 1
        return (at >= 0 and self._highs[at] >= first) or first in self._flows


class NeededFirst:
    """A part of the lines to several shards."""

    def __init__(self, lines: LinesToShards) -> None:
        self._lines = lines
        self._held: list[_HeldSubmit] = []
        self._flush_due = False

    @property
    def is_holding(self) -> bool:
        return bool(self._held)

    def takes(self, call: AskedCall) -> bool:
        """Whether a call is held back from now on; else it can be made."""
        held = self._last_of(call.named()) if self._held else None
        if held is not None:
            again = partial(self._lines.call, call.ticket, call.target, call.method, call.args, **call.more)
            held.put_behind(call, again)
            return True
        if not call.rows:
            return False
        try:
            needed = self._needed_elsewhere(call)
        except TqError as error:
            _refuse(call, error)
            return True
        if not needed:
            return False
        held = _HeldSubmit(call)
        self._held.append(held)
        self._inquire(held, needed)
        return True

    def watches(self, listener: Any, runs: Sequence[IdRun]) -> Sequence[IdRun]:
        """Those of the tasks that can be watched now; the others are, when they can."""
        now: list[IdRun] = []
        for run in runs:
            held = self._last_of([run]) if self._held else None
            if held is None:
                now.append(run)
            else:
                held.behind.append(_Behind(partial(self._lines.watch, listener, [run]), None, (listener,)))
        return now

    def forgets(self, listener: Hashable) -> None:
        """What is held would watch for it as soon as it is made."""
        for held in self._held:
            if any(one is listener for one in held.call.listeners):
                held.behind.append(_Behind(partial(self._lines.forget, listener)))

    def give_up(self, error: BaseException) -> None:
        """No answer will come: fail all that waits here."""
        held, self._held = self._held, []
        for one in held:
            _refuse(one.call, error)
            for behind in one.behind:
                behind.fail(error)

    def abandon_in_child(self, error: BaseException) -> None:
        """After a fork, in the child: fail the boxes that wait for outcomes."""
        for held in self._held:
            for listener in (
                *held.call.listeners,
                *(one for behind in held.behind for one in behind.listeners),
            ):
                listener.fail(error)

    def _needed_elsewhere(self, call: AskedCall) -> dict[int, list[IdRun]]:
        needed = runs_by_shard(needs_of_rows(call.rows), self._lines.shards)
        needed.pop(shard_of_id(call.rows[0][0]), None)
        return needed

    def _last_of(self, runs: Iterable[IdRun]) -> _HeldSubmit | None:
        named = list(runs)
        return next((held for held in reversed(self._held) if any(map(held.is_about, named))), None)

    def _inquire(self, held: _HeldSubmit, by_shard: Mapping[int, Sequence[IdRun]]) -> None:
        asked = [
            (shard, portion)
            for shard, runs in by_shard.items()
            for portion in portions(disjoint(runs), MISSING_TASKS_MAX)
        ]
        held.left = len(asked)
        for shard, runs in asked:
            part: Future[Any] = Future()
            part.add_done_callback(partial(self._answered, held))
            named = [run.to_wire() for run in runs]
            self._lines.ask(held.call.ticket, shard, part, ("get_dependencies",), "missing", named)
        self._flush_soon()

    def _answered(self, held: _HeldSubmit, part: Future[Any]) -> None:
        if held not in self._held:
            return  # given up
        held.left -= 1
        error = part.exception()
        if error is None:
            held.missing += part.result()
        elif held.error is None or held.is_own:
            held.error = error
        if held.left:
            return
        missing, held.missing = held.missing, []
        if held.error is None and missing and not held.is_own:
            if all(map(self._lines.is_submitting, missing)):
                # Of each run of them the first: what else is missing is found then.
                asyncio.get_running_loop().call_later(held.pause, self._inquire_again, held)
                held.pause = min(2 * held.pause, PAUSE_SECONDS_MAX)
                return
            # A submit that comes again finds its tasks, whatever has become of what they needed.
            held.is_own, held.error = True, InvalidArgument(not_there(missing[0]))
            own = runs_of_rows(held.call.rows)
            self._inquire(held, {shard_of_id(own[0].first): own})
            return
        self._held.remove(held)
        if held.error is None or (held.is_own and error is None and not missing):
            self._lines.perform(held.call)
        else:
            _refuse(held.call, held.error)
        for one in held.behind:
            one.action()
        self._flush_soon()

    def _inquire_again(self, held: _HeldSubmit) -> None:
        if held in self._held:
            self._inquire(held, self._needed_elsewhere(held.call))

    def _flush_soon(self) -> None:
        """Not at once: a line may be in the middle of giving answers."""
        if not self._flush_due:
            self._flush_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_due = False
        self._lines.flush()


def _refuse(call: AskedCall, error: BaseException) -> None:
    settle(call.ticket, None, error)
    for listener in call.listeners:
        listener.fail(error)
