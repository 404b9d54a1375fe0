"""Tasks that a strike holds back by their arguments or tags: they stand in lanes of their own, apart from the others of their lane.

::

    a lane ─► what a strike says of its names ─┬─► it holds all of it, or nothing: struck.py
                                               └─► that depends ("the lane asks") ─► each of its tasks is compared
    a submit, before it is written ───────────────────┐
    delayed, retried, unblocked, given back: ready ───┼─► held ─► the lane with the same key, and the numbers of the strikes
    ready already when a strike is made: in portions ─┘                                   that hold it

Which lane a task stands in is in the store, with the task: a restart compares nothing again. A lane with the number of a strike is held as long
as that strike is in force, and is a lane as any other afterwards: what was held goes out from there at once, and nothing is written for it. What
waits for its time or for others is compared when it is ready. What a worker was given goes on.

Of an array whose tasks differ those that are held are cut out of its slices: the others stay where they are.

Invariant: at each commit a ready task stands in a lane that is held by every strike that holds the task, but for those that are still compared
with what was ready before them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Any, Final, NamedTuple

from ...common.domain.argument_index import IndexColumns
from ...common.domain.strikes import facts_of, holds, tags_of, verdict, with_tags
from ...common.domain.tags import ARGUMENT
from ...common.domain.where import Condition, Term, terms
from ...common.errors import InvalidArgument
from ...common.wire.frames import unpack
from ..engine.accounts import Resource
from ..engine.clock import Now
from ..engine.part import Part
from ..engine.session import Session
from ..store.interface.store import Store
from ..store.interface.strikes import LaneChange, NewLane, ReadySpan
from ..strikes.strikes import Strike, Strikes
from .array_tags import ArrayTagsLook
from .plan import Submission
from .route import READY, Route
from .routes import Routes
from .submitted import NewRun, part_of

ROWS: Final = 100  # tasks with rows of their own that are compared in one step of a walk
SLICES: Final = 2  # the same of slices, of up to a thousand tasks
LANE_ROWS: Final = 3  # to make a lane takes as long as to read so many rows
TASKS_OF_ROW: Final = 100  # of an array are compared while one row is read
NEWEST_MAX: Final = 300  # tasks and slices that are looked at for an argument by which none is found
NEWEST: Final = 1 << 62


class TaskWalk(NamedTuple):
    """Where the comparison of what is ready in a lane goes on. ``after``: the priority and the number of what was compared last."""

    lane: int
    in_arrays: bool
    after: tuple[int, int] | None = None


class StruckTasks(Part):
    def __init__(self, store: Store, routes: Routes, strikes: Strikes) -> None:
        self._store, self._routes, self._strikes = store, routes, strikes
        self.on_tasks = strikes.on_tasks  # while it is empty, nothing is ever compared

    # one transaction

    def divide(self, submissions: Iterable[Submission], now: Now) -> None:
        """Have those tasks that are ready at once say the lanes in which strikes hold them."""
        asking = [one for one in submissions if any((new.lane or one.route).asks for new in one.runs)]
        comparison = _Comparison(self._routes, self.on_tasks)
        for one in asking:
            if one.state(now) == READY:
                tags = dict(one.options.tags)
                one.runs = [part for new in one.runs for part in comparison.parts(new, one.route, tags)]
                one.is_divided = True

    def compare_arrived(self) -> None:
        """Those that became ready in this transaction."""
        arrived, self._routes.arrived = self._routes.arrived, []
        # What has become of them since is as the store has it.
        self._set_apart(self._store.ready_over(arrived))

    def settle(self, now: Now) -> None:
        if self._routes.arrived:
            self.compare_arrived()

    def void(self) -> Iterable[Session]:
        self._routes.arrived.clear()
        return ()

    # a walk

    def compare(self, walk: TaskWalk) -> tuple[TaskWalk | None, int]:
        """One step of it: where it goes on, and what it took, in rows."""
        if walk.lane not in self._routes.by_number:
            return None, 1  # it has no task any more
        limit = SLICES if walk.in_arrays else ROWS
        spans = self._store.ready_after(walk.lane, walk.after, limit, in_arrays=walk.in_arrays)
        took = 1 + self._set_apart(spans)
        if len(spans) < limit:
            return None, took
        last = spans[-1]
        return walk._replace(after=(last.priority, last.seq)), took

    def _set_apart(self, spans: Sequence[ReadySpan]) -> int:
        """Have those that are held stand in their lanes; what it took, in rows."""
        comparison, look = _Comparison(self._routes, self.on_tasks), ArrayTagsLook(self._store)
        changes: list[LaneChange] = []
        tasks = 0
        # The newest first: one look at the array below a number tells of all down to where it begins.
        for span in sorted(spans, key=lambda one: -one.seq):
            stored = self._routes.by_number[span.route]
            if not stored.asks:
                continue
            tasks += span.stop - span.seq
            index, first = look.index(span.seq)
            shared = unpack(span.options).get("tags", {}) if span.options else {}
            owns = self._routes.mixed.each_lane(stored, span.seq, span.stop)
            lanes = comparison.each(owns, shared, index, span.seq - first)
            if changed := list(_changed(span.seq, owns, lanes)):
                changes.append((span, changed))
        if changes:
            self._store.change_lanes(changes)
            for span, parts in changes:
                for new in parts:
                    self._change(self._routes.by_number[span.route], new)
        written = sum(len(parts) for _, parts in changes)
        return len(spans) + look.cost + comparison.cost + written + tasks // TASKS_OF_ROW

    def _change(self, stored: Route, new: NewLane) -> None:
        """As it was stored, so it is counted."""
        routes, tasks = self._routes, new.stop - new.seq
        lane = routes.by_number[new.route]
        if stored.key.is_mixed:
            lane.has_large |= any(one.has_large for one in routes.mixed.each_lane(stored, new.seq, new.stop))
            routes.mixed.left(stored, new.seq, new.stop)
        lane.has_large |= stored.has_large
        lane.add(READY, tasks)
        routes.purged(stored.number, READY, tasks)
        # Who waits for one of them looks at the lane of now.
        stored.readied += 1
        routes.readied += 1
        if not lane.struck:
            routes.is_ready(lane)

    # what is asked about them

    def holding(self, lane: Route, seq: int, options: bytes | None) -> tuple[int, ...]:
        """The strikes that hold one task of a lane by its tags, or will when it is ready."""
        if not lane.asks:
            return ()
        tags = ArrayTagsLook(self._store).tags(seq, options)
        return _Comparison(self._routes, self.on_tasks).holding(lane, tags)

    def check(self, condition: Condition) -> None:
        """Raises InvalidArgument for an argument of a function that is named, by which none of its newest tasks is found."""
        named, wanted = _functions(condition), {tag for tag in tags_of(condition) if tag.startswith(ARGUMENT)}
        if not named or not wanted:
            return
        look, seen = ArrayTagsLook(self._store), ""
        for span in islice(self._store.spans_before(NEWEST), NEWEST_MAX):
            lane = self._routes.by_number[span.route]
            if lane.task in named and _may_hold(condition, lane) is None:
                seen = seen or lane.task
                index, _ = look.index(span.seq)
                shared = unpack(span.options).get("tags", {}) if span.options else {}
                wanted -= {*shared, *(index.names() if index is not None else ())}
                if not wanted:
                    return
        if seen:
            argument = min(wanted).removeprefix(ARGUMENT)
            raise InvalidArgument(
                f"strike: no task of {seen} is found by its argument {argument}, so none can be held back by it; the master opens no "
                f"arguments but those of index=: write @app.task(index=['{argument}']), and strike what is submitted from then on"
            )


class _Comparison:
    """Of some tasks, with the strikes that their lanes ask for. ``cost``: in rows of the store."""

    def __init__(self, routes: Routes, strikes: Mapping[int, Strike]) -> None:
        self._routes, self._strikes = routes, strikes
        self.cost = 0

    def parts(self, new: NewRun, route: Route, tags: Mapping[str, str]) -> Iterator[NewRun]:
        """Tasks of a submit, as neighbours that strikes hold alike."""
        stored = new.lane or route
        if not stored.asks:
            yield new._replace(lane=stored)
            return
        owns = [stored] * len(new.payloads)
        if new.mixture is not None:
            owns = [new.mixture.lanes[code] for code in new.mixture.codes]
        lanes = self.each(owns, tags, new.indexed, 0)
        at = 0
        for part in _changed(0, owns, lanes):
            if at < part.seq:
                yield part_of(new, at, part.seq)._replace(lane=stored)
            lane = self._routes.by_number[part.route]
            yield part_of(new, part.seq, part.stop)._replace(lane=lane, mixture=None)
            at = part.stop
        if at < len(owns):
            yield part_of(new, at, len(owns))._replace(lane=stored)

    def each(
        self, owns: Sequence[Route], shared: Mapping[str, str], index: IndexColumns | None, at: int
    ) -> Sequence[Route]:
        """The lane in which each of some tasks is to stand: ``owns`` itself, if all stay where they would without strikes. ``at``: the
        place of the first one in its array, whose arguments are in ``index``."""
        asked = {tag for own in set(owns) for number in own.asks for tag in self._tags(number)}
        columns = [] if index is None else [one for one in index.columns if one[0] in asked]
        codes = [column.codes[at : at + len(owns)] for _, column in columns if column.codes is not None]
        alikes = list(zip(owns, *codes, strict=True))
        lanes: dict[tuple[Any, ...], Route] = {}
        # In their order, and not a set: lanes are numbered as they are made.
        for alike in dict.fromkeys(alikes):
            own, *of_task = alike
            coded = iter(of_task)
            texts = {
                name: column.texts[0 if column.codes is None else next(coded)] for name, column in columns
            }
            given = {name: text for name, text in texts.items() if text}
            lanes[alike] = self._lane(own, {**shared, **given})
        self.cost += len(lanes)
        if all(lane is alike[0] for alike, lane in lanes.items()):
            return owns  # mostly
        return list(map(lanes.__getitem__, alikes))

    def _tags(self, number: int) -> tuple[str, ...]:
        strike = self._strikes.get(number)
        return () if strike is None else strike.tags

    def _lane(self, own: Route, tags: Mapping[str, str]) -> Route:
        held = self.holding(own, tags)
        # Numbers of strikes that have ended stay with what they held: nothing is written for that.
        if held == tuple(number for number in own.key.strikes if number in self._strikes):
            return own
        routes, key = self._routes, own.key._replace(strikes=held)
        before = len(routes.by_number)
        lane = routes.lane(own.plain, key)
        if len(routes.by_number) > before:
            self.cost += LANE_ROWS
            # Whose tasks they are pays for the lane, but is not refused: the tasks are accepted.
            if own.account is not None:
                own.account.note(Resource.LANES, 1)
                own.account.note(Resource.LIMIT_KEYS, len(key.limits))
                lane.account = own.account
        return lane

    def holding(self, lane: Route, tags: Mapping[str, str]) -> tuple[int, ...]:
        facts = with_tags(lane_facts(lane), tags)
        asked = ((number, self._strikes.get(number)) for number in sorted(lane.asks))
        return tuple(number for number, one in asked if one is not None and holds(one.condition, facts))


def lane_facts(lane: Route) -> dict[str, str]:
    keys = {name: key for name, key, _ in lane.key.limits}
    return facts_of(lane.queue.name, lane.task, lane.key.tenant, keys)


def _may_hold(condition: Condition, lane: Route) -> bool | None:
    """What it says of the names of a lane."""
    return verdict(condition, lane_facts(lane), of_many=lane.key.is_mixed)


def _changed(seq: int, owns: Sequence[Route], lanes: Sequence[Route]) -> Iterator[NewLane]:
    """Neighbours that are to stand in another lane than their own; the first of all has this number."""
    if lanes is owns:
        return
    for (lane, is_own), some in groupby(
        zip(lanes, owns, strict=True), key=lambda pair: (pair[0], pair[0] is pair[1])
    ):
        stop = seq + sum(1 for _ in some)
        if not is_own:
            yield NewLane(seq, stop, lane.number)
        seq = stop


def _functions(condition: Condition) -> set[str]:
    """The functions that a condition names."""
    return {
        value
        for term in terms(condition)
        if isinstance(term, Term) and term.name == "task" and not term.is_negated
        for value in term.values
    }
