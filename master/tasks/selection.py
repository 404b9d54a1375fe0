"""Selects tasks by a filter, a bounded portion at a time, so that a client can list or change a million tasks.

::

    newest ──────── spans ─────────┤ before: where the next portion goes on
              matching, at most so many

A portion visits a bounded number of spans, matching or not, so that a transaction stays short; it ends sooner when comparing
names with patterns, or reading failures, has taken as long. Neighbours of an array to which the same has happened are one span,
which matches as a whole: its tasks are made rows only when they are asked for. The client continues with ``before`` until it is
None. New tasks have higher numbers than any portion, so they are not included.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ...common.domain.globs import STEPS_OF_ROW, fits_any, glob
from ...common.domain.id_runs import IdRun
from ...common.domain.id_text import TASKS_MAX
from ...common.domain.model import TASK_ID_BYTES, StateNumber
from ...common.domain.tags import TAGS_MAX, check_tag_name
from ...common.errors import InvalidArgument
from ...common.values.brief import brief
from ...common.values.failure import Failure
from ...common.wire.frames import unpack
from ..engine.engine import Engine
from ..engine.work import ROW_BYTES
from ..store.interface.lines import Span
from ..store.interface.queries import WindowRow
from .array_tags import ArrayTagsLook
from .completion import Completion
from .dispatch import Dispatch
from .neighbours import numbers_between
from .routes import Routes
from .shown import Begun, begun, shown_counts

VISITED_MAX: Final = 5_000  # spans read in one portion: about ten milliseconds
CHANGED_MAX: Final = 1_000  # tasks changed in one portion
FAILED: Final = frozenset({StateNumber.FAILED, StateNumber.DEAD, StateNumber.LOST})  # states with a failure
PATTERNS_MAX: Final = 100
OPTIONS_KNOWN_MAX: Final = 5_000  # of different tags, compared once in a portion
GLANCED_MAX: Final = 2_000  # queues times patterns that are compared before the first row is read
PATTERN_CHARS_MAX: Final = 255  # as long as a name
TEXT_CHARS_MAX: Final = 1_000
NEWEST: Final = 2**62  # no task has this number
UNIX_SECONDS_MAX: Final = 1e11

WAITING: Final = frozenset({StateNumber.READY, StateNumber.SCHEDULED, StateNumber.BLOCKED})
CANCELLABLE: Final = WAITING | {StateNumber.RUNNING}
REVIVABLE: Final = frozenset(state for state in StateNumber if state.is_terminal) - {StateNumber.SUCCEEDED}
UNSUCCESSFUL: Final = REVIVABLE  # those of them for which the store has an index
PURGEABLE: Final = frozenset(StateNumber) - {
    StateNumber.RUNNING
}  # a task that waits at its worker is not deleted either


class Portion(NamedTuple):
    spans: list[tuple[Span, int]]  # that match, newest first, and the state in which they are shown
    before: int | None  # None: no tasks are left

    @property
    def rows(self) -> Iterator[WindowRow]:
        return (row for span, _ in self.spans for row in span.rows())

    @property
    def states(self) -> Counter[int]:
        """How many tasks it has, by the state in which they are shown."""
        states = Counter[int]()
        for span, state in self.spans:
            states[state] += span.tasks
        return states


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """A filter of tasks; an empty field matches all."""

    states: frozenset[int] = frozenset()
    queues: tuple[str, ...] = ()  # glob patterns, one of which must match; so are the next two
    names: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()  # the type of the failure
    text: str = ""  # part of the failure's type or message, ignoring case
    since: int | None = None  # submitted at or after, steady ms
    until: int | None = None
    ids: tuple[int, int] | None = None  # the first one, and the one behind the last, as numbers
    flow: bytes | None = None  # the id of their flow
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by name, patterns of the text

    @classmethod
    def from_wire(cls, given: Any, shift: int = 0) -> Selection:
        """A filter from the wire, with moments of the wall clock; raises InvalidArgument."""
        # A misspelled field is refused: ignored, `cancel` would take all tasks for those that were meant.
        known = {"states", "queues", "names", "errors", "text", "since", "until", "ids", "flow", "tags"}
        if not isinstance(given, dict) or not given.keys() <= known:
            raise InvalidArgument(f"a filter is a map of {', '.join(sorted(known))}")
        states = given.get("states") or []
        if not isinstance(states, list) or not set(map(type, states)) <= {int, StateNumber}:
            raise InvalidArgument("a filter's states are a list of numbers")
        text = given.get("text") or ""
        if not isinstance(text, str) or len(text) > TEXT_CHARS_MAX:
            raise InvalidArgument(f"a filter's text has at most {TEXT_CHARS_MAX:,} characters")
        return cls(
            states=frozenset(states),
            queues=_patterns("queues", given.get("queues")),
            names=_patterns("names", given.get("names")),
            errors=_patterns("errors", given.get("errors")),
            text=text.casefold(),
            since=_moment("since", given.get("since"), shift),
            until=_moment("until", given.get("until"), shift),
            ids=_ids(given.get("ids")),
            flow=_flow(given.get("flow")),
            tags=_tags(given.get("tags")),
        )

    def fits_time(self, created: int) -> bool:
        return (self.since is None or created >= self.since) and (self.until is None or created <= self.until)

    def fits_state(self, shown: int) -> bool:
        return not self.states or shown in self.states

    @property
    def asks_for_failure(self) -> bool:
        return bool(self.errors or self.text)


class Look:
    """The rows and names that one portion compares, and their cost in rows."""

    def __init__(
        self, engine: Engine, wanted: Selection, allows: Callable[[str], bool], origin: int | None = None
    ) -> None:
        """``origin``: of the tasks of the flow that is wanted."""
        self._engine, self.wanted, self._allows, self.origin = engine, wanted, allows, origin
        self._routes: dict[int, bool] = {}  # each route is compared once, when its first task is met
        self._queues: dict[str, bool] = {}
        self._tags: dict[bytes | None, bool] = {None: not wanted.tags}  # by the options that have them
        self._arrays = ArrayTagsLook(engine.store)
        self._steps = 0  # spent on comparing names with patterns
        self._bytes = 0  # of failures that were read
        self.rows = 0

    def finds_no_queue(self) -> bool:
        """Whether no queue matches, if that is cheap to find out: then no row needs to be read."""
        names = self._engine.part(Routes).queues
        seen_at_once = len(names) * max(1, len(self.wanted.queues)) <= GLANCED_MAX
        return seen_at_once and not any(map(self._fits_queue, names))

    @property
    def cost(self) -> int:
        arrays = self._arrays
        read = self._bytes + arrays.bytes
        return self.rows + arrays.cost + self._steps // STEPS_OF_ROW + read // ROW_BYTES

    def fits_route(self, number: int) -> bool:
        fits = self._routes.get(number)
        if fits is None:
            route, wanted = self._engine.part(Routes).by_number[number], self.wanted
            # The key first: what it may not see costs no comparison with patterns, and nothing shows that it is there.
            fits = self._fits_queue(route.queue.name) and self._fits(route.task, wanted.names)
            self._routes[number] = fits
        return fits

    def within_ids(self, span: Span) -> Span:
        """The part of it that has ids of the filter; it may be empty."""
        if self.wanted.ids is None:
            return span
        first, end = self.wanted.ids
        behind = span.seq - int.from_bytes(span.id, "big")  # what an id and its task's number differ by
        return span.between(first + behind, end + behind)

    def fits_origin(self, origin: int | None) -> bool:
        return self.origin is None or self.origin == origin

    def tagged(self, span: Span) -> Iterator[Span]:
        """The parts of it whose tags match, newest first. Tasks of an array share all but arguments that are indexed."""
        if self.differ(span.seq):
            shared = unpack(span.options).get("tags", {}) if span.options else {}
            yield from self._arrays.pieces(
                span, self.wanted.tags, self._fits, lambda wanted: self._tags_fit(shared, wanted)
            )
        elif self.fits_tags(span.options):
            yield span

    def indexed(self, seq: int) -> dict[str, list[str]]:
        """Some texts that tasks of the array of this one are found by, by name."""
        return self._arrays.some_texts(seq)

    def differ(self, seq: int) -> bool:
        """Whether tasks of the array of this one may differ in the tags that are wanted."""
        return self._arrays.differ(seq, self.wanted.tags)

    def fits_tags(self, options: bytes | None) -> bool:
        """Whether the tags among the options of a task match. Tasks of one array, and mostly those of one program, share them."""
        if not self.wanted.tags:
            return True
        fits = self._tags.get(options)
        if fits is None and options is not None:
            fits = self._tags_fit(unpack(options).get("tags", {}), self.wanted.tags)
            # Tags that differ from task to task must not fill the memory of one portion.
            if len(self._tags) < OPTIONS_KNOWN_MAX:
                self._tags[options] = fits
        return bool(fits)

    def _tags_fit(self, tags: Mapping[str, str], wanted: Mapping[str, tuple[str, ...]]) -> bool:
        return all(name in tags and self._fits(tags[name], patterns) for name, patterns in wanted.items())

    def fits_failure(self, id: bytes, state: int) -> bool:
        if state not in FAILED:
            return False
        [found] = self._engine.store.outcomes([id])  # one by one: failures may be large
        self.rows += 1
        self._bytes += len(found.body or b"")
        failure, wanted = Failure.heading(found.body), self.wanted
        return self._fits(failure.type, wanted.errors) and (
            not wanted.text or wanted.text in f"{failure.type}: {failure.message}".casefold()
        )

    def _fits_queue(self, name: str) -> bool:
        fits = self._queues.get(name)
        if fits is None:
            fits = self._queues[name] = self._allows(name) and self._fits(name, self.wanted.queues)
        return fits

    def _fits(self, name: str, patterns: tuple[str, ...]) -> bool:
        self._steps += sum(glob(pattern).steps(name) for pattern in patterns)
        return not patterns or fits_any(name, patterns)


def portion(
    engine: Engine,
    allows: Callable[[str], bool],
    given: Any,
    before: Any,
    possible: frozenset[StateNumber],
    matches_max: int | None,
    origin_of_flow: Callable[[bytes], int],
) -> Portion:
    """The next tasks that match a filter from the wire, newest first, among those in ``possible`` states; None: as many as there
    are among those that are looked at. ``origin_of_flow``: of the tasks of a flow; raises InvalidArgument."""
    wanted, before = Selection.from_wire(given, engine.now.shift), check_before(before)
    origin = None if wanted.flow is None else origin_of_flow(wanted.flow)
    look, spans = Look(engine, wanted, allows, origin), list[tuple[Span, int]]()
    lower, upper = _bounds(engine, wanted, origin, before)
    left, more = matches_max, None
    if not look.finds_no_queue():
        begun = Begun(engine)
        states = (wanted.states & possible) if wanted.states else possible
        for span in engine.store.spans_before(upper, states if states <= UNSUCCESSFUL else ()):
            # Newest first: all that follows is older still.
            if span.stop <= lower:
                break
            look.rows += 1
            fits = span.state in possible and wanted.fits_time(span.created) and look.fits_origin(span.origin)
            if fits and look.fits_route(span.route):
                for piece, shown in _shown(look, begun, span):
                    found = matching(look, piece, shown, left)
                    spans += found
                    left = None if left is None else left - sum(one.tasks for one, _ in found)
                    if left == 0:
                        break
            if left == 0:
                more = spans[-1][0].seq
                break
            if look.cost >= VISITED_MAX:
                more = span.seq
                break
    engine.work.looked(look.cost)
    return Portion(spans, more)


def counted(engine: Engine, allows: Callable[[str], bool], given: Any) -> Counter[int] | None:
    """How many tasks match a filter, by the state that is shown, if that can be said without looking at one."""
    wanted, routes = Selection.from_wire(given, engine.now.shift), engine.part(Routes)
    some = (wanted.since, wanted.until, wanted.ids, wanted.flow)
    chooses = some != (None, None, None, None) or wanted.asks_for_failure or wanted.tags
    # Counts in memory are by route and state: nothing else can be answered from them.
    if chooses or len(routes.plain) > GLANCED_MAX:
        return None
    look = Look(engine, wanted, allows)
    running = Counter(routes.plain_number(held.route) for held in begun(engine))
    states = Counter[int]()
    for number, route in routes.plain.items():
        if look.cost >= VISITED_MAX:  # patterns that take long: counted in portions
            engine.work.looked(look.cost)
            return None
        if look.fits_route(number):
            for state, tasks in enumerate(shown_counts(route.total, running[number])):
                if tasks and look.wanted.fits_state(state):
                    states[state] += tasks
    engine.work.looked(look.cost)
    return states


def _shown(look: Look, begun: Begun, span: Span) -> Iterator[tuple[Span, int]]:
    """What of neighbours has ids and tags of the filter, as it is shown, newest first."""
    within = look.within_ids(span)
    if within.tasks:
        for piece in look.tagged(within):
            yield from begun.pieces(piece)


def matching(look: Look, piece: Span, shown: int, left: int | None) -> list[tuple[Span, int]]:
    """The newest ones of neighbours that match, at most ``left``."""
    if not piece.tasks or not look.wanted.fits_state(shown):
        return []
    if look.wanted.asks_for_failure and not look.fits_failure(piece.id, piece.state):
        return []
    if left is not None and piece.tasks > left:
        # The newest of them, as everywhere in a listing.
        piece = piece.between(piece.stop - left, piece.stop)
    return [(piece, shown)]


def _bounds(engine: Engine, wanted: Selection, origin: int | None, before: int | None) -> tuple[int, int]:
    """Between which numbers the tasks are that may match."""
    upper = NEWEST if before is None else before
    if origin is not None:
        lower, end = _bounds_of_flow(engine, -origin)
        upper = min(upper, end)
        if wanted.ids is None:
            return lower, upper
    if wanted.ids is None:
        return 0, upper
    numbers = numbers_between(engine.store, *wanted.ids)
    engine.work.looked(numbers.parts)
    return numbers.lower, min(upper, numbers.upper)


def _bounds_of_flow(engine: Engine, flow: int) -> tuple[int, int]:
    """The same of the tasks of a flow, of which the first and the last may be deleted by now."""
    flows = engine.store.flows
    # The flow's last tasks may be submitted in this very transaction.
    engine.store.settle()
    row = flows.get(flow)
    members = [one for place in (0, row.total - 1) for one in flows.members(flow, place, 1)] if row else []
    seqs = [found.seq for one in members for found in engine.store.find([one.id])]
    # One end was deleted: no bounds, and each task is compared instead.
    if len(seqs) < 2:
        return 0, NEWEST
    return seqs[0], seqs[1] + members[1].tasks


def purge(engine: Engine, rows: Sequence[WindowRow]) -> int:
    """Delete tasks that no worker has, and whose results no task waits for; how many. Those that wait are cancelled first, so that
    their watchers get an outcome."""
    needs = engine.part(Dispatch).consulted.needs
    if needs.are_open:
        rows = [row for row in rows if row.state in WAITING or not needs.is_needed(IdRun(row.id, 1))]
    waiting = [row.id for row in rows if row.state in WAITING]
    engine.part(Completion).cancel(engine.store.find(waiting), engine.now)
    engine.store.delete([row.seq for row in rows])
    for row in rows:
        # They were counted as cancelled a line above.
        state = StateNumber.CANCELLED if row.state in WAITING else row.state
        engine.part(Routes).purged(row.route, state, 1)
    return len(rows)


def check_before(before: Any) -> int | None:
    """Validate where a portion continues, from the wire."""
    if before is None or (type(before) is int and 0 <= before <= NEWEST):
        return before
    raise InvalidArgument(f"before must be the value that the previous portion answered, not {brief(before)}")


def _patterns(name: str, given: Any) -> tuple[str, ...]:
    if given is None:
        return ()
    if (
        isinstance(given, list)
        and len(given) <= PATTERNS_MAX
        and all(isinstance(one, str) and len(one) <= PATTERN_CHARS_MAX for one in given)
    ):
        return tuple(given)
    raise InvalidArgument(
        f"a filter's {name} are at most {PATTERNS_MAX} patterns, each a text of at most {PATTERN_CHARS_MAX} characters"
    )


def _ids(given: Any) -> tuple[int, int] | None:
    """``[the first id, how many consecutive ones]``."""
    if given is None:
        return None
    match given:
        case [bytes() as first, int() as tasks] if (
            len(first) == TASK_ID_BYTES and type(tasks) is int and 0 < tasks <= TASKS_MAX
        ):
            number = int.from_bytes(first, "big")
            return number, number + tasks
    raise InvalidArgument(
        f"a filter's ids are [the first one, how many consecutive ones], not {brief(given)}"
    )


def _flow(given: Any) -> bytes | None:
    if given is None or (type(given) is bytes and len(given) == TASK_ID_BYTES):
        return given
    raise InvalidArgument(f"a filter's flow is an id of {TASK_ID_BYTES} bytes, not {brief(given)}")


def _tags(given: Any) -> dict[str, tuple[str, ...]]:
    if given is None:
        return {}
    if not isinstance(given, dict) or len(given) > TAGS_MAX:
        raise InvalidArgument(
            f"a filter's tags are a map of at most {TAGS_MAX} names, each with a list of patterns"
        )
    return {check_tag_name(name): _patterns(f"tag {name}", one) for name, one in given.items()}


def _moment(name: str, given: Any, shift: int) -> int | None:
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not abs(given) <= UNIX_SECONDS_MAX:
        raise InvalidArgument(f"a filter's {name} is a moment in Unix seconds, not {brief(given)}")
    return int(given * 1000) - shift
