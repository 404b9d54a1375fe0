"""Tasks that a strike holds back by their arguments or tags: they stand in lanes of their own, apart from the others of their lane.

::

    a lane ─► what a strike says of its names ─┬─► it holds all of it, or nothing: struck.py
                                               └─► that depends ("the lane asks") ─► each of its tasks is compared
    a submit, before it is written ───────────────────┐          (of very many parts: all of it, until each task is compared)
    delayed, retried, unblocked, given back: ready ───┼─► held ─► the lane with the same key, and the numbers of the strikes
    ready already when a strike is made: in portions ─┘                                   that hold it

Which lane a task stands in is in the store, with the task: a restart compares nothing again. A lane with the number of a strike is held as long
as that strike is in force, and is a lane as any other afterwards: what was held goes out from there at once, and nothing is written for it. What
waits for its time or for others is compared when it is ready. What a worker was given goes on.

Of an array whose tasks differ those that are held are cut out of its slices: the others stay where they are. A submit that would be cut into
very many parts by that is held as a whole first, and cut afterwards, in portions.

Invariant: at each commit a ready task stands in a lane that is held by every strike that holds the task, but for those that are still compared
with what was ready before them. What is held as a whole is held by all strikes that may hold a part of it: meanwhile more is held, never less.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Any, Final, NamedTuple

from ...common.domain.argument_index import IndexColumns
from ...common.domain.strikes import facts_of, holds, tags_of, verdict, with_tags
from ...common.domain.tags import ARGUMENT
from ...common.domain.where import Condition, Term, terms
from ...common.wire.frames import unpack
from ..engine.accounts import Resource
from ..engine.clock import Now
from ..engine.long_calls import LongCalls
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
# Into which submits of one transaction are cut by strikes: each is a row to be written
PARTS_MAX: Final = 1_000
WHOLE: Final = 1_000  # tasks of what is held as a whole that are compared together
WHOLES: Final = 2  # times in one transaction: as much as a slice of them each
NEWEST_MAX: Final = 300  # tasks and slices that are looked at for an argument by which some are found
NEWEST: Final = 1 << 62


class TaskWalk(NamedTuple):
    """Where the comparison of what is ready in a lane goes on. ``after``: the priority and the number of what was compared last."""

    lane: int
    in_arrays: bool
    after: tuple[int, int] | None = None


class StruckTasks(Part):
    def __init__(self, store: Store, routes: Routes, strikes: Strikes, long_calls: LongCalls) -> None:
        self._store, self._routes, self._strikes, self._long_calls = store, routes, strikes, long_calls
        self.parts_max = self._parts_left = PARTS_MAX
        self.portion_tasks = WHOLE
        self._whole: list[Submission] = []  # of this transaction
        # After its tasks were handed out: those that no strike holds are in the next one
        self._cut_late = False
        self.on_tasks = strikes.on_tasks  # while it is empty, nothing is ever compared

    # one transaction

    def begin(self) -> None:
        self._parts_left, self._cut_late = self.parts_max, False

    def has_more(self) -> bool:
        return self._cut_late

    def divide(self, submissions: Iterable[Submission], now: Now) -> None:
        """Have those tasks that are ready at once say the lanes in which strikes hold them."""
        asking = [one for one in submissions if any((new.lane or one.route).asks for new in one.runs)]
        comparison = _Comparison(self._routes, self.on_tasks)
        for one in asking:
            if one.state(now) != READY:
                continue
            tags = dict(one.options.tags)
            standing = [comparison.standing(new, one.route, tags) for new in one.runs]
            more = sum(new.parts - 1 for new in standing)
            if more > self._parts_left:
                one.runs = [comparison.whole(new, one.route) for new in one.runs]
                self._whole.append(one)
            else:
                self._parts_left -= more
                one.runs = [part for new in standing for part in comparison.parts(new)]
                one.is_divided = True

    def compare_arrived(self) -> None:
        """Those that became ready in this transaction."""
        arrived, self._routes.arrived = self._routes.arrived, []
        # What has become of them since is as the store has it.
        self._set_apart(self._store.ready_over(arrived))

    def settle(self, now: Now) -> None:
        if self._routes.arrived:
            self.compare_arrived()
        whole, self._whole = self._whole, []
        for one in whole:
            self._compare_later(one, now)

    def _compare_later(self, one: Submission, now: Now) -> None:
        """What was written as a whole is cut, in portions."""
        first, stop, by = one.first_seq + 1, one.first_seq + 1 + one.tasks, object()
        step = self.portion_tasks
        runs = [(seq, min(seq + step, stop)) for seq in range(first, stop, step)]
        numbers = sorted({number for new in one.runs for number in (new.lane or one.route).key.strikes})
        if not runs:
            return  # all of it was there already
        self._cut_late = True

        def compare(some: Sequence[tuple[int, int]], now: Now) -> None:
            self._set_apart(self._store.ready_over(some))
            if some[-1] == runs[-1]:
                for number in numbers:
                    self._strikes.compared(number, by)

        for number in numbers:
            self._strikes.comparing(number, by)
        self._long_calls.perform(None, runs, compare, now, most=WHOLES)

    def void(self) -> Iterable[Session]:
        self._routes.arrived.clear()
        self._whole.clear()
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

    def found_by(self, condition: Condition) -> dict[str, bool]:
        """By which of its arguments some of the newest tasks of the functions that it names are found; empty: there is none of these,
        or it names none."""
        named, wanted = _functions(condition), {tag for tag in tags_of(condition) if tag.startswith(ARGUMENT)}
        if not named or not wanted:
            return {}
        look, left, is_seen = ArrayTagsLook(self._store), set(wanted), False
        for span in islice(self._store.spans_before(NEWEST), NEWEST_MAX):
            lane = self._routes.by_number[span.route]
            if lane.task in named and _may_hold(condition, lane) is None:
                is_seen = True
                index, _ = look.index(span.seq)
                shared = unpack(span.options).get("tags", {}) if span.options else {}
                left -= {*shared, *(index.names() if index is not None else ())}
                if not left:
                    break
        return {tag.removeprefix(ARGUMENT): tag not in left for tag in sorted(wanted)} if is_seen else {}


class _Standing(NamedTuple):
    """In which lane each task of a run would stand without strikes, and does with them."""

    new: NewRun
    stored: Route
    owns: Sequence[Route]
    lanes: Sequence[Route]

    @property
    def parts(self) -> int:
        """Into how many runs it is cut."""
        if self.lanes is self.owns:
            return 1
        held = [
            (lane, lane is own) if lane is not own else None
            for lane, own in zip(self.lanes, self.owns, strict=True)
        ]
        return sum(1 for _ in groupby(held))


class _Comparison:
    """Of some tasks, with the strikes that their lanes ask for. ``cost``: in rows of the store."""

    def __init__(self, routes: Routes, strikes: Mapping[int, Strike]) -> None:
        self._routes, self._strikes = routes, strikes
        self.cost = 0

    def standing(self, new: NewRun, route: Route, tags: Mapping[str, str]) -> _Standing:
        """In which lane each task of a submit is to stand."""
        stored = new.lane or route
        owns = [stored] * len(new.payloads)
        if not stored.asks:
            return _Standing(new, stored, owns, owns)
        if new.mixture is not None:
            owns = [new.mixture.lanes[code] for code in new.mixture.codes]
        return _Standing(new, stored, owns, self.each(owns, tags, new.indexed, 0))

    def parts(self, one: _Standing) -> Iterator[NewRun]:
        """The tasks of a submit, as neighbours that strikes hold alike."""
        new, at = one.new, 0
        for part in _changed(0, one.owns, one.lanes):
            if at < part.seq:
                yield part_of(new, at, part.seq)._replace(lane=one.stored)
            lane = self._routes.by_number[part.route]
            yield part_of(new, part.seq, part.stop)._replace(lane=lane, mixture=None)
            at = part.stop
        if at < len(one.owns):
            rest = part_of(new, at, len(one.owns)) if at else new
            yield rest._replace(lane=one.stored)

    def whole(self, new: NewRun, route: Route) -> NewRun:
        """All of it in lanes that are held by each strike which may hold a part of it."""
        stored = new.lane or route
        numbers = tuple(number for number in sorted(stored.asks) if number in self._strikes)
        mixture = new.mixture
        if mixture is not None:
            mixture = mixture.own().made_by(lambda own: self._held(own, numbers))
        return new._replace(lane=self._held(stored, numbers), mixture=mixture)

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
        return self._held(own, held)

    def _held(self, own: Route, numbers: tuple[int, ...]) -> Route:
        routes, key = self._routes, own.key._replace(strikes=numbers)
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
