"""The lines to the shards of a cluster that has several, each made when it is first needed; and the routing of calls to them.

::

    call ──► common/contract/routes.py ─┬─► one shard: its line; of tasks that need some of others: ``needed_first.py``
                                        ├─► ids of several: each shard its own, the rows in one answer
                                        └─► every shard: ``merges.py``

All of it runs in the I/O thread. A shard that is away keeps no other waiting: what only reads is answered without it after
MISSING_SECONDS, and it is named in ``missing``. So is one that stands still: its connection is there, and a probe is not answered within
SILENT_SECONDS, while another shard has answered. A shard that is slow answers the probe, and is waited for.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Callable, Coroutine, Hashable, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final

from ...common.contract.routes import (
    By,
    ShardRoute,
    ids_by_shard,
    need_others,
    route_of_call,
    runs_by_shard,
    runs_of_rows,
    shard_of_call,
    tasks_made,
)
from ...common.contract.table import is_repeatable
from ...common.domain.id_runs import IdRun
from ...common.domain.shards import shard_of_id, shard_of_name
from ...common.errors import ProtocolError, TqError, Unreachable
from .merged_schedules import found_by_name
from .merges import MERGES
from .pages import named
from .shard_line import ShardLine, settle

if TYPE_CHECKING:
    from .needed_first import AskedCall, NeededFirst

# A list waits so long for a shard that is away; callers wait some seconds for a list
MISSING_SECONDS: Final = 2.0
LOOK_SECONDS: Final = 0.5  # without an answer: then who has not answered is probed
SILENT_SECONDS: Final = 3.0  # a probe is answered between two transactions, of some milliseconds each

log = logging.getLogger("tq.client")


class ShardLines:
    """A CallTaker. ``first``: the line to shard 0; ``new_line``: makes that to another one. ``spawn``: runs a coroutine in the loop."""

    def __init__(
        self,
        shards: int,
        first: ShardLine,
        new_line: Callable[[int], ShardLine],
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
    ) -> None:
        self.shards = shards
        self._lines, self._new_line, self._spawn = {0: first}, new_line, spawn
        # For those who wait for an answer only as long as there is a connection.
        self._lines_of: weakref.WeakKeyDictionary[Future[Any], list[ShardLine]] = weakref.WeakKeyDictionary()
        self.missing: frozenset[int] = frozenset()  # what the last list is without
        self._needed: NeededFirst | None = None  # from the first task on that needs one of another shard

    @property
    def missing_in_words(self) -> str:
        return in_words(self.missing, self.shards) if self.missing else ""

    def line(self, shard: int) -> ShardLine:
        line = self._lines.get(shard)
        if line is None:
            line = self._lines[shard] = self._new_line(shard)
        return line

    def part_of(self, ticket: Future[Any], shard: int) -> ShardLine:
        """A part of this call is made there."""
        lines = self._lines_of.setdefault(ticket, [])
        if (line := self.line(shard)) not in lines:
            lines.append(line)
        return line

    def away_of(self, future: Future[Any]) -> float:
        """For how long a shard of this call has been away."""
        return max((line.away_seconds for line in self._lines_of.get(future, ())), default=0.0)

    def away_from(self, shard: int) -> float:
        line = self._lines.get(shard)
        return 0.0 if line is None else line.away_seconds

    def is_known_missing(self, shard: int) -> bool:
        """Whether it is known without a question that a shard would not answer. That it is back is noticed by its line: a connection is
        tried for, or a probe is under way."""
        line = self.line(shard)
        tried, last = line.trying_seconds, shard in self.missing
        return tried > MISSING_SECONDS or line.silent_seconds >= SILENT_SECONDS or (last and tried > 0)

    def call(
        self,
        ticket: Any,
        target: Sequence[Any],
        method: str,
        args: Sequence[Any],
        **more: Any,
    ) -> None:
        """``more``: see CallTaker. What several shards do is repeated where the contract says that it may be."""
        route = route_of_call(target, method, args)
        rows = tasks_made(target, method, args)
        may_wait = need_others(rows) or (self._needed is not None and self._needed.is_holding)
        if not (may_wait and self._is_held(route, rows, ticket, target, method, args, more)):
            self._perform(route, ticket, target, method, args, more)

    def _is_held(self, *call: Any) -> bool:
        # Few programs have tasks that need some of other shards.
        from .needed_first import AskedCall, NeededFirst

        if self._needed is None:
            self._needed = NeededFirst(self)
        return self._needed.takes(AskedCall(*call))

    def perform(self, call: AskedCall) -> None:
        self._perform(call.route, call.ticket, call.target, call.method, call.args, call.more)

    def _perform(
        self,
        route: ShardRoute,
        ticket: Any,
        target: Sequence[Any],
        method: str,
        args: Sequence[Any],
        more: Mapping[str, Any],
    ) -> None:
        match route.by:
            case By.IDS:
                self._begin(ticket, self._of_ids(ticket, target, method, args, route))
            case By.EVERY:
                asking = _Asking(self, ticket, target, method, route.changes)
                self._begin(ticket, asking.whole(MERGES[route.merge](asking, args)))
            case By.FIND:
                self._begin(ticket, found_by_name(_Asking(self, ticket, target, method, True), args))
            case _:
                try:
                    line = self.line(shard_of_call(route, target, args, self.shards))
                except TqError as error:
                    settle(ticket, None, error)
                    return
                self._lines_of[ticket] = [line]
                make = line.pending.call  # gives no future back: the ticket gets its answer
                make(ticket, target, method, args, **more)

    def call_shard(
        self,
        shard: int,
        ticket: Future[Any],
        target: Sequence[Any],
        method: str,
        args: Sequence[Any],
        *,
        repeatable: bool,
    ) -> None:
        line = self.line(shard)
        self._lines_of.setdefault(ticket, []).append(line)
        make = line.pending.call
        make(ticket, target, method, args, repeatable=repeatable)

    def ask(
        self,
        ticket: Future[Any],
        shard: int,
        part: Future[Any],
        target: Sequence[Any],
        method: str,
        *args: Any,
    ) -> None:
        """Ask a shard for what a call of several parts has to know."""
        make = self.part_of(ticket, shard).pending.call
        make(part, target, method, args, repeatable=True)

    def is_submitting(self, id: bytes) -> bool:
        """Whether a call of this program is under way that makes this task."""
        calls = self.line(shard_of_id(id)).pending.open_calls
        runs = (
            run for call in calls for run in runs_of_rows(tasks_made(call.target, call.method, call.args))
        )
        return any(run.first <= id <= run.ends()[1] for run in runs)

    def flush(self) -> None:
        for line in list(self._lines.values()):
            line.flush()

    def watch(self, listener: Any, runs: Sequence[IdRun]) -> None:
        if self._needed is not None:
            runs = self._needed.watches(listener, runs)
        try:
            by_shard = runs_by_shard(runs, self.shards)
        except TqError as error:
            listener.fail(error)
            return
        for shard, some in by_shard.items():
            self.line(shard).pending.watch(listener, some)

    def forget(self, listener: Hashable) -> None:
        if self._needed is not None:
            self._needed.forgets(listener)
        for line in self._lines.values():
            line.pending.forget(listener)

    def give_up(self, error: TqError) -> None:
        """Fail what waits for no line; the lines fail what they have."""
        if self._needed is not None:
            self._needed.give_up(error)

    def abandon_in_child(self, error: TqError) -> None:
        """After a fork, in the child."""
        if self._needed is not None:
            self._needed.abandon_in_child(error)

    # calls to several shards

    def _begin(self, ticket: Future[Any], work: Coroutine[Any, Any, Any]) -> None:
        self._lines_of[ticket] = []

        async def perform() -> None:
            try:
                settle(ticket, await work, None)
            except TqError as error:
                settle(ticket, None, error)
            except (KeyError, TypeError, IndexError, ValueError, AttributeError) as error:
                # An answer of another form than this client knows: callers handle TqError alone.
                settle(
                    ticket,
                    None,
                    ProtocolError(f"the answers of the shards cannot be put together: {error!r}"),
                )

        def ended(_: object) -> None:
            # It may be cancelled with the loop, before its first step even.
            settle(ticket, None, Unreachable("the app was closed before the answer came"))
            work.close()

        self._spawn(perform()).add_done_callback(ended)

    async def _of_ids(
        self, ticket: Future[Any], target: Sequence[Any], method: str, args: Sequence[Any], route: ShardRoute
    ) -> list[Any]:
        """Rows of tasks, of each shard for its own."""
        by_shard = ids_by_shard(args[route.place] if args else None, self.shards) or {0: []}
        asking = _Asking(self, ticket, target, method, changes=True)
        answers = await asking.ask({shard: (some, *args[1:]) for shard, some in by_shard.items()})
        return [row for rows in answers.values() for row in rows]

    def said_missing(self, missing: frozenset[int]) -> None:
        if missing and missing != self.missing:  # once: a page asks every second
            log.warning("%s", in_words(missing, self.shards))
        self.missing = missing


class _Asking:
    """See ``pages.Shards``: the parts of one call."""

    def __init__(
        self, lines: ShardLines, ticket: Future[Any], target: Sequence[Any], method: str, changes: bool
    ) -> None:
        self._lines, self._ticket, self._target, self.method = lines, ticket, target, method
        self._changes = changes
        self._missing: set[int] = set()

    async def whole(self, merge: Coroutine[Any, Any, Any]) -> Any:
        """The answer of this call, which may ask several times; then what it is without."""
        answer = await merge
        if not self._changes:
            self._lines.said_missing(frozenset(self._missing))
        return answer

    @property
    def numbers(self) -> range:
        return range(self._lines.shards)

    def of_name(self, name: str) -> int:
        return shard_of_name(name, self._lines.shards)

    async def ask(self, by_shard: Mapping[int, Sequence[Any]], of: str | None = None) -> dict[int, Any]:
        found = await self._ask(by_shard, of, waits=self._changes)
        missing = frozenset(shard for shard, one in found.items() if isinstance(one, Unreachable))
        done = {shard: one for shard, one in found.items() if not isinstance(one, TqError)}
        for shard, one in found.items():
            if isinstance(one, TqError) and (shard not in missing or self._changes or not done):
                raise named(one, shard, done if self._changes else ())
        self._missing |= missing
        return done

    async def ask_one(self, shard: int, args: Sequence[Any]) -> Any | None:
        found = (await self._ask({shard: args}, None, waits=False))[shard]
        if not isinstance(found, TqError):
            return found
        if not isinstance(found, Unreachable) or self._missing | {shard} == set(self.numbers):
            raise named(found, shard)
        self._missing.add(shard)
        return None

    async def try_ask(self, by_shard: Mapping[int, Sequence[Any]], of: str | None = None) -> dict[int, Any]:
        # A shard that is away cannot say whether it has the name: who asks must not wait for it.
        return await self._ask(by_shard, of, waits=of is None)

    async def _ask(
        self, by_shard: Mapping[int, Sequence[Any]], of: str | None, *, waits: bool
    ) -> dict[int, Any]:
        method = of or self.method
        repeatable = is_repeatable(self._target[0], method)
        asked: dict[int, Future[Any]] = {}
        for shard, args in by_shard.items():
            ticket = asked[shard] = Future()
            line = self._lines.part_of(self._ticket, shard)
            # Known to be away: what is asked every second must neither wait for it nor pile up there.
            if not waits and self._lines.is_known_missing(shard):
                settle(ticket, None, _away(line))
                continue
            self._lines.call_shard(shard, ticket, self._target, method, args, repeatable=repeatable)
            line.flush()
        waiting = {shard: _retrieved(asyncio.wrap_future(one)) for shard, one in asked.items()}
        quiet = 0.0  # seconds without an answer
        while rest := [one for one in waiting.values() if not one.done()]:
            done, _ = await asyncio.wait(rest, timeout=None if waits else LOOK_SECONDS)
            quiet = 0.0 if done else quiet + LOOK_SECONDS
            if quiet:
                self._give_up_missing(asked, quiet)
        return {shard: one.exception() or one.result() for shard, one in waiting.items()}

    def _give_up_missing(self, asked: Mapping[int, Future[Any]], quiet: float) -> None:
        """Nothing has come for some time: go on without those that are away, and without those that stand still while others answer."""
        some_answer = any(one.done() and one.exception() is None for one in asked.values())
        for shard, one in asked.items():
            if one.done():
                continue
            line = self._lines.line(shard)
            line.probe()
            is_away = line.away_seconds and quiet >= MISSING_SECONDS
            if is_away or (some_answer and line.silent_seconds >= SILENT_SECONDS):
                settle(one, None, _away(line))


def _retrieved(answer: asyncio.Future[Any]) -> asyncio.Future[Any]:
    """Who asks may have ended before it comes, with what another shard has refused: then its error is looked at here, for the caller does not."""
    answer.add_done_callback(lambda it: it.cancelled() or it.exception())
    return answer


def _away(line: ShardLine) -> Unreachable:
    if line.silent_seconds:
        return Unreachable(f"its master has given no sign of life for {line.silent_seconds:.0f} s")
    return Unreachable(f"its master has been away for {line.away_seconds:.0f} s")


def in_words(missing: frozenset[int], shards: int) -> str:
    """``shard 3 of 4 does not answer: what is there is left out``"""
    names = ", ".join(map(str, sorted(missing)))
    several = len(missing) > 1
    return (
        f"{'shards' if several else 'shard'} {names} of {shards} {'do' if several else 'does'} not answer: what is there is left "
        "out here; `tq masters` shows who serves"
    )
