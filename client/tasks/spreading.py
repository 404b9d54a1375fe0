"""In which shard a task of a queue is that is in every one, as ``{spread}fetch``.

::

    in a flow, or with a handler of failures in another queue   in their shard: see ``home.py``
    key=, unique=, a limit with by= and the tag ``spread``      by that text, so that what is the same meets
    needs other tasks, all of one shard                         in theirs
    else                                                        in turn, those together that are submitted at once; of a map under a
                                                                limit that is divided, a part of each thousand in each

Two texts may want one task in two shards: that is refused, also where they happen to lead to the same one.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ...common.domain.columns import LaneColumns
from ...common.domain.id_runs import IdRun
from ...common.domain.ids import IdSource
from ...common.domain.limit_parts import is_divided
from ...common.domain.model import TASK_ID_BYTES
from ...common.domain.shards import is_spread, shard_of_id, shard_of_name
from ...common.errors import InvalidArgument
from .home import ANY_SHARD

if TYPE_CHECKING:
    from ..core.session import ClientSession
    from .definition import Definition
    from .kinds import TaskKind
    from .options import Choice

TURN_SECONDS: Final = 0.01  # tasks that are submitted within it travel together
TURN_TASKS: Final = 1_000  # as many as travel together


class ShardTurns:
    """A part of a session: the shards, one after the other. Programs begin at different ones. ``clock``: seconds."""

    def __init__(self, session: ClientSession, clock: Callable[[], float] = time.monotonic) -> None:
        self._session, self._clock = session, clock
        self._number = int.from_bytes(os.urandom(2))
        self._until, self._left = clock(), 0

    def next(self, tasks: int = 1) -> int:
        """The shard of so many. Of two threads at once both may have the same turn, which does no harm."""
        now = self._clock()
        if now >= self._until or self._left <= 0:
            self._number += 1
            self._until, self._left = now + TURN_SECONDS, TURN_TASKS
        self._left -= tasks
        return self._number % self._session.shards


def placed(
    session: ClientSession,
    kind: TaskKind,
    definition: Definition,
    key: str | None,
    call: tuple[tuple[Any, ...], Mapping[str, Any]],
    needs: Sequence[IdRun],
) -> TaskKind:
    """The kind of a task whose shard was open, in its shard. ``key``: of the submit. Raises InvalidArgument."""
    texts = texts_of(kind.choice.columns, 0) if key is None else [key, *texts_of(kind.choice.columns, 0)]
    if kind.choice.unique is not None:
        from .unique_submits import UniqueKeys

        texts.append(UniqueKeys(session, kind.choice.unique, definition).of_call(*call))
    shard = shard_for(session, kind.choice.queue, texts, needs)
    return kind.in_shard(session.part(ShardTurns).next() if shard is None else shard)


def placed_in_turn(session: ClientSession, kind: TaskKind) -> TaskKind:
    """The same of a task without a key that needs no other."""
    if kind.home != ANY_SHARD:
        return kind
    shard = shard_for(session, kind.choice.queue, texts_of(kind.choice.columns, 0), ())
    return kind.in_shard(session.part(ShardTurns).next() if shard is None else shard)


def texts_of(columns: LaneColumns | None, place: int) -> list[str]:
    """The keys of a task in limits that have a shard for each key."""
    if columns is None:
        return []
    return [column.at(place) for limit, column in columns.limits if is_spread(limit.name)]


def shard_for(session: ClientSession, queue: str, texts: Sequence[str], needs: Sequence[IdRun]) -> int | None:
    """Of a task with these texts, and the tasks that it needs; None: any. Raises InvalidArgument."""
    wanted = {repr(text): shard_of_name(text, session.shards) for text in texts}
    if len(wanted) > 1:
        raise InvalidArgument(
            f"a task of queue {queue}, which is in every shard, is in that of its key=, its unique= or the key of its limit, and here these "
            f"differ: {', '.join(wanted)}; give all of them one text, or leave out those that need not hold"
        )
    if wanted:
        return next(iter(wanted.values()))
    # Beside what it needs: its arguments then go through no other shard.
    of_needs = {shard_of_id(run.first) for run in needs}
    return of_needs.pop() if len(of_needs) == 1 else None


class ScatteredPart(NamedTuple):
    """Tasks of a map in one shard. ``places``: of their calls."""

    run: IdRun
    places: Sequence[int]
    columns: LaneColumns | None


class Scattered(NamedTuple):
    """``calls``: the tasks in the order of the calls."""

    parts: list[ScatteredPart]
    calls: list[IdRun]


class Scattering:
    """Of one map: in each shard its tasks have consecutive ids."""

    def __init__(self, session: ClientSession, choice: Choice) -> None:
        if choice.unique is not None:
            raise InvalidArgument(
                f"queue {choice.queue} is in every shard, where the tasks of a map cannot have unique=; submit them one by one"
            )
        self._session, self._queue = session, choice.queue
        self._divides = any(is_divided(one.name, session.shards) for one in choice.terms.limits)
        self._ids = [IdSource(seconds=math.inf, shard=shard) for shard in range(session.shards)]

    def of_calls(
        self, columns: LaneColumns | None, needs: Mapping[int, Sequence[IdRun]], calls: int
    ) -> Scattered:
        """So many calls. ``needs``: of some of them, by their places. Raises InvalidArgument."""
        shards = self._shards(columns, needs, calls)
        places: dict[int, list[int]] = {}
        for place, shard in enumerate(shards):
            places.setdefault(shard, []).append(place)
        parts = {shard: self._part(shard, some, columns, len(places)) for shard, some in places.items()}
        if len(parts) == 1:
            [part] = parts.values()
            return Scattered([part], [part.run])
        ordered, taken = [], dict.fromkeys(parts, 0)
        for shard, neighbours in groupby(shards):
            length, at = len(list(neighbours)), taken[shard]
            ordered.append(IdRun(parts[shard].run.id(at), length))
            taken[shard] += length
        return Scattered(list(parts.values()), ordered)

    def _part(self, shard: int, places: list[int], columns: LaneColumns | None, parts: int) -> ScatteredPart:
        first = self._ids[shard].take(len(places)).to_bytes(TASK_ID_BYTES, "big")
        if parts > 1 and columns is not None:
            columns = columns.of_some(places)
        return ScatteredPart(IdRun(first, len(places)), places, columns)

    def _shards(
        self, columns: LaneColumns | None, needs: Mapping[int, Sequence[IdRun]], calls: int
    ) -> list[int]:
        turns, texts = self._session.part(ShardTurns), bool(texts_of(columns, 0))
        if not texts and not needs:
            turn, count = turns.next(calls), self._session.shards
            # In one shard they would have its part of the limit alone.
            return [
                (turn + place * count // calls) % count if self._divides else turn for place in range(calls)
            ]
        wanted = [
            shard_for(self._session, self._queue, texts_of(columns, place), needs.get(place, ()))
            for place in range(calls)
        ]
        turn = turns.next(wanted.count(None)) if None in wanted else 0
        return [turn if shard is None else shard for shard in wanted]
