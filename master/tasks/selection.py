"""Selects tasks by a filter, a bounded portion at a time, so that a client can list or change a million tasks.

::

    newest ──────── window ────────┤ before: where the next portion goes on
              matching, at most so many

A portion visits a bounded number of rows, matching or not, so that a transaction stays short; it ends sooner when comparing
names with patterns, or reading failures, has taken as long. The client continues with ``before`` until it is None. New tasks
have higher numbers than any portion, so they are not included.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ...common.domain.globs import STEPS_OF_ROW, fits_any, glob
from ...common.domain.model import StateNumber
from ...common.errors import InvalidArgument
from ...common.values.brief import brief
from ...common.values.failure import Failure
from ..engine.engine import Engine
from ..engine.work import ROW_BYTES
from ..store.interface.queries import WindowRow
from .completion import Completion
from .routes import Routes
from .shown import shown_state

VISITED_MAX: Final = 5_000  # rows read in one portion: about ten milliseconds
CHANGED_MAX: Final = 1_000  # tasks changed in one portion
FAILED: Final = frozenset({StateNumber.FAILED, StateNumber.DEAD, StateNumber.LOST})  # states with a failure
PATTERNS_MAX: Final = 100
GLANCED_MAX: Final = 2_000  # queues times patterns that are compared before the first row is read
PATTERN_CHARS_MAX: Final = 255  # as long as a name
TEXT_CHARS_MAX: Final = 1_000
NEWEST: Final = 2**62  # no task has this number
UNIX_SECONDS_MAX: Final = 1e11

WAITING: Final = frozenset({StateNumber.READY, StateNumber.SCHEDULED, StateNumber.BLOCKED})
CANCELLABLE: Final = WAITING | {StateNumber.RUNNING}
REVIVABLE: Final = frozenset(state for state in StateNumber if state.is_terminal) - {StateNumber.SUCCEEDED}
PURGEABLE: Final = frozenset(StateNumber) - {
    StateNumber.RUNNING
}  # a task that waits at its worker is not deleted either


class Portion(NamedTuple):
    rows: list[WindowRow]
    before: int | None  # None: no rows are left


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

    @classmethod
    def from_wire(cls, given: Any, shift: int = 0) -> Selection:
        """A filter from the wire, with moments of the wall clock; raises InvalidArgument."""
        known = {"states", "queues", "names", "errors", "text", "since", "until"}
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
        )

    def fits(self, row: WindowRow, state: int) -> bool:
        """Whether a row matches. ``state``: as it is shown. Route and failure are compared separately, because that costs more."""
        return (
            (not self.states or state in self.states)
            and (self.since is None or row.created >= self.since)
            and (self.until is None or row.created <= self.until)
        )

    @property
    def asks_for_failure(self) -> bool:
        return bool(self.errors or self.text)


class _Look:
    """The rows and names that one portion compares, and their cost in rows."""

    def __init__(self, engine: Engine, wanted: Selection, allows: Callable[[str], bool]) -> None:
        self._engine, self._wanted, self._allows = engine, wanted, allows
        self._routes: dict[int, bool] = {}  # each route is compared once, when its first task is met
        self._queues: dict[str, bool] = {}
        self._steps = 0  # spent on comparing names with patterns
        self._bytes = 0  # of failures that were read
        self.rows = 0

    def finds_no_queue(self) -> bool:
        """Whether no queue matches, if that is cheap to find out: then no row needs to be read."""
        names = self._engine.part(Routes).queues
        seen_at_once = len(names) * max(1, len(self._wanted.queues)) <= GLANCED_MAX
        return seen_at_once and not any(map(self._fits_queue, names))

    @property
    def cost(self) -> int:
        return self.rows + self._steps // STEPS_OF_ROW + self._bytes // ROW_BYTES

    def fits_route(self, number: int) -> bool:
        fits = self._routes.get(number)
        if fits is None:
            route, wanted = self._engine.part(Routes).by_number[number], self._wanted
            fits = self._fits_queue(route.queue.name) and self._fits(route.task, wanted.names)
            self._routes[number] = fits
        return fits

    def fits_failure(self, row: WindowRow) -> bool:
        if row.state not in FAILED:
            return False
        [found] = self._engine.store.outcomes([row.id])  # one by one: failures may be large
        self.rows += 1
        self._bytes += len(found.body or b"")
        failure, wanted = Failure.heading(found.body), self._wanted
        return self._fits(failure.type, wanted.errors) and (
            not wanted.text or wanted.text in f"{failure.type}: {failure.message}".casefold()
        )

    def _fits_queue(self, name: str) -> bool:
        fits = self._queues.get(name)
        if fits is None:
            fits = self._queues[name] = self._allows(name) and self._fits(name, self._wanted.queues)
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
    matches_max: int,
) -> Portion:
    """The next tasks that match a filter from the wire, newest first, among those in ``possible`` states."""
    wanted, before = Selection.from_wire(given, engine.now.shift), _check_before(before)
    look, rows = _Look(engine, wanted, allows), list[WindowRow]()
    if look.finds_no_queue():
        engine.work.looked(look.cost)
        return Portion([], None)
    upper = NEWEST if before is None else before
    window = engine.store.window(upper, VISITED_MAX)
    more = window[-1].seq if len(window) == VISITED_MAX else None
    for row in window:
        look.rows += 1
        shown = shown_state(engine, row.id, row.state)
        if (
            row.state in possible
            and wanted.fits(row, shown)
            and look.fits_route(row.route)
            and (not wanted.asks_for_failure or look.fits_failure(row))
        ):
            rows.append(row)
        if len(rows) == matches_max or look.cost >= VISITED_MAX:
            more = row.seq
            break
    engine.work.looked(look.cost)
    return Portion(rows, more)


def purge(engine: Engine, rows: list[WindowRow]) -> None:
    """Delete tasks that no worker has. Those that wait are cancelled first, so that their watchers get an outcome."""
    waiting = [row.id for row in rows if row.state in WAITING]
    engine.part(Completion).cancel(engine.store.find(waiting), engine.now)
    engine.store.delete([row.seq for row in rows])
    for row in rows:
        state = StateNumber.CANCELLED if row.state in WAITING else row.state
        engine.part(Routes).by_number[row.route].counts[state] -= 1


def _check_before(before: Any) -> int | None:
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


def _moment(name: str, given: Any, shift: int) -> int | None:
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not abs(given) <= UNIX_SECONDS_MAX:
        raise InvalidArgument(f"a filter's {name} is a moment in Unix seconds, not {brief(given)}")
    return int(given * 1000) - shift
