"""Tasks as lines, newest first: an array is one line with its tasks counted by state, and so is what continues it (see
``neighbours``). Reads only.

::

    newest ───── arrays and tasks by number ─────┤ before
       │
       └ the newest part of a line ─► its other parts, by their ids, each counted

As with ``selection`` an answer looks at a bounded number of rows, whatever there is, and says where the next one goes on: also in
the midst of a line, which is answered in parts then. An array's place is that of its newest part. Tasks that match are counted
without being read; one that failed is read for its error, the newest of each line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from ...common.domain.model import TASK_ID_BYTES, StateNumber
from ...common.errors import InvalidArgument
from ...common.values.brief import brief
from ...common.wire.frames import unpack
from ..engine.engine import Engine
from ..engine.session import Session
from ..store.interface.lines import LinePart, Span
from ..store.interface.queries import FullTask
from .abbreviations import Abbreviations
from .flow_lines import FlowLines, flow_bounds
from .look import FAILED, Look
from .neighbours import Neighbours, id_of
from .queries import Summaries
from .routes import Routes
from .selection import NEWEST, VISITED_MAX, check_before, matching
from .shown import Begun, shown_state
from .wanted import Selection

LINES_MAX: Final = 1_000  # in one answer
SHORT_ROWS: Final = 10  # are looked at to shorten one id
OPENED_MAX: Final = 9  # an array of no more tasks is shown as these
TOGETHER_MAX: Final = 20  # arrays that are counted in one look: up to 20,000 rows if each task has one
# States in which tasks may be while they are in their array; what is in another has a row of its own.
SLICED: Final = frozenset(
    {
        StateNumber.READY,
        StateNumber.SCHEDULED,
        StateNumber.BLOCKED,
        StateNumber.RUNNING,
        StateNumber.SUCCEEDED,
        StateNumber.CANCELLED,
        StateNumber.EXPIRED,
    }
)


class _Line:
    """One line, or the rest of one, while its parts are counted."""

    def __init__(self, newest: LinePart, seq: int, *, is_rest: bool = False) -> None:
        self.seq = seq  # of the newest part of the line: the next line comes before that
        self.end = self.lowest = newest.end  # ids: behind the last one that is counted, and the first one
        self.route, self.flow = newest.route, newest.flow
        self.created, self.is_rest = newest.created, is_rest
        self.states = Counter[int]()
        self.parts: list[LinePart] = []
        self.failed: int | None = None  # the newest task that failed and matches, by number

    @property
    def tasks(self) -> int:
        return self.end - self.lowest

    def goes_on(self) -> list[Any]:
        return [self.seq, id_of(self.lowest)]


class LineListing:
    """Reads one answer."""

    def __init__(
        self, engine: Engine, session: Session, given: Any, *, short: bool, flows: bool = False
    ) -> None:
        """``flows``: one line each."""
        self._engine, self._store = engine, engine.store
        self._wanted = Selection.from_wire(given, engine.now.shift)
        if flows and self._wanted != Selection():
            raise InvalidArgument(
                "flows are lines in a list of all tasks; a filter chooses tasks, also those of flows: leave out one of both"
            )
        if self._wanted.ids is not None:
            raise InvalidArgument(
                "lines cannot be chosen by ids, for a line may be more than these: call select"
            )
        self._bounds = flow_bounds(engine, session, self._wanted.flow)
        self._look = Look(engine, self._wanted, session.allows_queue)
        self._abbreviations = Abbreviations(engine, session) if short else None
        self._flows = FlowLines(engine, session, self._abbreviations) if flows else None
        self._neighbours = Neighbours(engine.store, engine.part(Routes).plain_number)
        self._begun, self._summaries = Begun(engine), Summaries(engine)
        # Numbers of parts that were read with their line: from where each ends to where it begins.
        self._read: dict[int, int] = {}
        self._rows: list[dict[str, Any]] = []

    def answer(self, limit: int, before: Any) -> dict[str, Any]:
        """The next lines. ``before``: what the last answer had, None at first; with an id, the first line is the rest of the
        last one of that answer."""
        upper, inside = _check_place(before)
        goes_on: list[Any] | None = None
        if not self._look.finds_nothing() and self._bounds.lower < self._bounds.upper:
            goes_on = None if inside is None else self._rest(upper, int.from_bytes(inside, "big"))
            goes_on = goes_on or self._lines(upper, limit)
        self._engine.work.looked(self._cost)
        return {"rows": self._rows, "before": goes_on}

    @property
    def _cost(self) -> int:
        return self._look.cost + (0 if self._flows is None else self._flows.looked)

    @property
    def _is_enough(self) -> bool:
        return self._cost >= VISITED_MAX or self._summaries.is_full

    def _lines(self, upper: int, limit: int) -> list[Any] | None:
        parts = self._store.parts_before(min(upper, self._bounds.upper))
        while (part := next(parts, None)) is not None and part.stop > self._bounds.lower:
            self._look.rows += 1
            # Counted with its line, whose newest part stood above.
            if part.stop in self._read:
                parts = self._store.parts_before(self._below(part))
            elif self._flows is not None and self._flows.has(part):
                parts = self._flow(self._flows, part, parts)
            elif not self._bounds.has(part):
                pass
            elif self._look.fits_route(part.route) and (goes_on := self._line(part)) is not None:
                return goes_on
            if len(self._rows) >= limit or self._is_enough:
                return [part.seq, None]
        return None

    def _flow(self, flows: FlowLines, part: LinePart, parts: Iterator[LinePart]) -> Iterator[LinePart]:
        """A part of a flow, whose line stands at its newest one; where the walk goes on."""
        if (row := flows.row(part)) is not None:
            self._summaries.took(row)
            self._rows.append(row)
        below = flows.below(part)
        return parts if below is None else self._store.parts_before(below)

    def _below(self, part: LinePart) -> int:
        """Where the walk goes on below parts that were read with their line."""
        lower = part.seq
        while lower in self._read:
            lower = self._read[lower]
        return lower

    def _line(self, part: LinePart) -> list[Any] | None:
        line = _Line(part, part.seq)
        self._look.rows += 1
        if self._neighbours.is_alone(part):
            if self._may_fit(part):
                line.parts.append(part)
                self._open(line)
            return None
        # Its line has a newer part, at whose place it is counted; that may have been on an earlier page.
        if not self._neighbours.is_newest(part):
            return None
        is_whole = self._count(line)
        # An array of three is better seen as its tasks.
        if is_whole and line.tasks <= OPENED_MAX:
            self._open(line)
        # Unary plus drops states whose count came to nothing.
        elif +line.states or not is_whole:
            self._add(line, is_whole=is_whole)
        return None if is_whole else line.goes_on()

    def _rest(self, seq: int, end: int) -> list[Any] | None:
        """Count the rest of a line, below an id."""
        part = next(self._store.parts_down(end), None)
        if part is None or part.end != end or not self._look.fits_route(part.route):
            return None  # it was deleted meanwhile
        line = _Line(part, seq, is_rest=True)
        is_whole = self._count(line)
        self._add(line, is_whole=is_whole)
        return None if is_whole else line.goes_on()

    def _count(self, line: _Line) -> bool:
        """Count the parts of a line from its last id down; whether there was time for all of them."""
        together: list[LinePart] = []  # whose numbers follow one another: they are counted in one look
        for part in self._neighbours.down(line.end, line.route, line.flow):
            if together and (together[-1].seq != part.stop or len(together) == TOGETHER_MAX):
                self._count_states(line, together)
                together = []
            # One part at least, so that a page always gets on.
            if line.parts and self._is_enough:
                self._count_states(line, together)
                return False
            self._look.rows += 1
            self._read[part.stop] = part.seq
            line.parts.append(part)
            line.lowest = part.number
            if self._wanted.fits_time(part.created) and self._look.differ(part.seq, part.route):
                if not self._count_meant(line, part):
                    return False
            elif self._fits_part(part):
                if not self._wanted.asks_for_failure:
                    together.append(part)
                elif not self._count_failures(line, part):
                    return False
        self._count_states(line, together)
        return True

    def _count_states(self, line: _Line, parts: list[LinePart]) -> None:
        if not parts:
            return
        seq, stop = parts[-1].seq, parts[0].stop
        fits, states = self._wanted.fits_state, self._wanted.states
        found = self._store.totals(seq, stop, sliced=not states or bool(states & SLICED))
        self._look.rows += found.rows
        # Leased and not begun is shown as ready.
        self._begun.show(found.states, seq, stop)
        line.states.update({state: tasks for state, tasks in found.states.items() if fits(state)})
        # Parts come newest first: the first failure that is met is the newest.
        if line.failed is None and FAILED & found.states.keys():
            failed = self._store.newest_failed(seq, stop)
            line.failed = next((row.seq for row in failed if fits(row.state)), None)

    def _count_failures(self, line: _Line, part: LinePart) -> bool:
        """Count those with a failure that matches; whether there was time to read all of them."""
        for row in self._store.newest_failed(part.seq, part.stop):
            if self._wanted.fits_state(row.state) and self._look.fits_failure(row.id, row.state):
                line.states[row.state] += 1
                line.failed = line.failed or row.seq
            if self._is_enough:
                line.lowest = int.from_bytes(row.id, "big")
                return False
        return True

    def _count_meant(self, line: _Line, part: LinePart) -> bool:
        """Count those of an array that match, of whose tasks each has to be asked; whether there was time for all."""
        for span in self._store.spans_before(part.stop):
            if span.stop <= part.seq:
                break
            self._look.rows += 1
            for piece in self._look.pieces(span.between(part.seq, part.stop)):
                for shown, state in self._begun.pieces(piece):
                    for found, _ in matching(self._look, shown, state, None):
                        line.states[state] += found.tasks
                        if state in FAILED:
                            line.failed = line.failed or found.seq
            if self._is_enough and span.seq > part.seq:
                line.lowest = part.number + span.seq - part.seq
                return False
        return True

    def _add(self, line: _Line, *, is_whole: bool) -> None:
        route, engine = self._engine.part(Routes).by_number[line.route], self._engine
        failed = None if line.failed is None else self._store.brief(line.failed)
        row = {
            "id": id_of(line.lowest),
            "tasks": line.tasks,
            "states": [list(one) for one in sorted((+line.states).items())],
            "rest": line.is_rest,
            "name": route.task,
            "queue": route.queue.name,
            "created": engine.now.shown(line.created),
            "tags": _shared_tags(line.parts),
            "index": self._look.indexed(line.parts[0].seq) if line.parts[0].is_array else {},
            "error": None if failed is None else self._summaries.error(failed),
        }
        if self._abbreviations is not None:
            first, end = line.lowest if is_whole else None, None if line.is_rest else line.end
            row["digits"] = self._abbreviations.digits(first, end)
        self._summaries.took(row)
        self._rows.append(row)

    def _open(self, line: _Line) -> None:
        """Add each task of a small array, or one that is alone."""
        for part in line.parts:
            if self._wanted.fits_time(part.created):
                for seq in range(part.stop - 1, part.seq - 1, -1):
                    self._look.rows += 1
                    task = self._store.brief(seq)
                    if task is not None and self._fits(task, part.route):
                        row = self._summaries.row(task)
                        if self._abbreviations is not None:
                            row["short"] = self._abbreviations.short(task.id)
                            self._look.rows += SHORT_ROWS
                        self._rows.append(row)

    def _may_fit(self, part: LinePart) -> bool:
        """Whether a task that is alone may match, by what is known of it before it is read."""
        look, wanted = self._look, self._wanted
        return (
            wanted.fits_state(shown_state(self._engine, part.id, part.state))
            and not (wanted.asks_for_failure and part.state not in FAILED)
            and look.fits_lane(part.route)
            and look.fits_worker(part.worker)
            and look.fits_tags(part.options)
        )

    def _fits_part(self, part: LinePart) -> bool:
        look = self._look
        return (
            self._wanted.fits_time(part.created)
            and look.fits_lane(part.route)
            and look.fits_tags(part.options)
        )

    def _fits(self, task: FullTask, route: int) -> bool:
        shown = shown_state(self._engine, task.id, task.state)
        seq, options, worker = task.seq, task.options, task.worker
        alone = Span(seq, seq + 1, task.id, route, task.state, task.created, options=options, worker=worker)
        if not any(self._look.pieces(alone)):
            return False
        return self._wanted.fits_state(shown) and (
            not self._wanted.asks_for_failure or self._look.fits_failure(task.id, task.state)
        )


def _shared_tags(parts: list[LinePart]) -> dict[str, str]:
    """The tags that all parts of a line have."""
    found = {part.options for part in parts}
    each = [unpack(options).get("tags", {}) if options else {} for options in found]
    return {name: text for name, text in each[0].items() if all(tags.get(name) == text for tags in each)}


def _check_place(before: Any) -> tuple[int, bytes | None]:
    """Validate where an answer goes on, from the wire."""
    match before:
        case None:
            return NEWEST, None
        case [int() as upper, None]:
            return check_before(upper) or 0, None
        case [int() as upper, bytes() as inside] if len(inside) == TASK_ID_BYTES:
            return check_before(upper) or 0, inside
    raise InvalidArgument(f"before must be what the previous answer had, not {brief(before)}")
