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
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from ...common.domain.id_runs import IdRun
from ...common.domain.model import StateNumber
from ...common.domain.shards import shard_of_id
from ...common.errors import InvalidArgument
from ...common.values.brief import brief
from ..engine.engine import Engine
from ..store.interface.lines import Span
from ..store.interface.queries import WindowRow
from .completion import Completion
from .dispatch import Dispatch
from .look import GLANCED_MAX, Look
from .neighbours import numbers_between
from .routes import Routes
from .shown import Begun, begun, shown_counts
from .wanted import Selection

VISITED_MAX: Final = 5_000  # spans read in one portion: about ten milliseconds
CHANGED_MAX: Final = 1_000  # tasks changed in one portion
NEWEST: Final = 2**62  # no task has this number

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
    if wanted.flow is not None and is_in_another_shard(engine, wanted.flow):
        return Portion([], None)
    origin = None if wanted.flow is None else origin_of_flow(wanted.flow)
    look, spans = Look(engine, wanted, allows, origin), list[tuple[Span, int]]()
    lower, upper = _bounds(engine, wanted, origin, before)
    left, more = matches_max, None
    if not look.finds_nothing():
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
    chooses = some != (None, None, None, None) or wanted.asks_for_failure or wanted.asks_for_worker
    # Counts in memory are by route and state: nothing else can be answered from them.
    if chooses or wanted.tags or wanted.tenants or len(routes.plain) > GLANCED_MAX:
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
        for piece in look.pieces(within):
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


def is_in_another_shard(engine: Engine, flow: bytes) -> bool:
    """A list asks all shards, and a flow is in one with all of its tasks: the others have nothing of it, and do not call it unknown."""
    here = engine.core.shard
    return here.number != shard_of_id(flow) < here.of


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
