"""Strikes: which tasks an operator holds back, why, and until when.

::

    add ─► a row ─► every lane is compared with it, in portions ─► the call is answered: nothing that it holds is handed out
    its time is over, or it is removed ─► the row is gone ─► the lanes that it held stand in line again, in portions

A strike is a row in the store. Which lanes it holds is kept at the lanes, and found again when the store's picture is taken, so a restart in
the midst of either loses nothing. A lane that is made later is compared with each strike when it is made. A strike on arguments or tags is
compared with single tasks besides: ``master/tasks/struck_tasks.py``.

Invariant: the rows in the store are those in ``by_number``, at every commit.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import NamedTuple, Protocol

from ...common.domain.likely_names import likely_name
from ...common.domain.strikes import STRIKES_MAX, parse_strike, tags_of
from ...common.domain.where import Condition
from ...common.errors import InvalidArgument
from ...common.runtime.limited_log import LimitedLog
from ...common.values.brief import brief
from ..engine.agenda import Agenda, Clock
from ..engine.clock import Now
from ..engine.long_calls import GO_ON
from ..engine.part import Part
from ..engine.session import Call, Session
from ..store.interface.store import Picture, Store
from ..store.interface.strikes import StrikeRow


class Strike(NamedTuple):
    """``tags``: of single tasks, that it looks at; none: it holds lanes as a whole."""

    row: StrikeRow
    condition: Condition
    tags: tuple[str, ...] = ()


class StrikeTotals(NamedTuple):
    """What a strike holds. ``lanes``: in which some of its tasks may stand. ``waiting``: tasks that would be handed out without it."""

    lanes: int
    waiting: int


class HeldByStrikes(Protocol):
    """Who holds tasks back: ``master/tasks``."""

    def found_by(self, condition: Condition) -> dict[str, bool]:
        """By which of its arguments some of the newest tasks are found that it may hold, if there are any."""

    def hold(self, call: Call, strike: Strike, now: Now) -> object:
        """The answer to the call, when nothing that the strike holds is handed out any more."""

    def go_on(self, now: Now) -> None:
        """A master that ended while tasks were compared with strikes has this one do the rest."""

    def release(self, call: Call | None, number: int, now: Now) -> object:
        """The answer to the call, when all that the strike held stands in line again."""

    def totals(self) -> dict[int, StrikeTotals]: ...


class Strikes(Part):
    name = "strikes whose time is over"

    def __init__(self, store: Store, agenda: Agenda, report: Callable[..., None]) -> None:
        self._store, self._agenda = store, agenda
        self._added = LimitedLog(report, "strike.added", level="info")
        self._ended = LimitedLog(report, "strike.ended", level="info")
        self.by_number: dict[int, Strike] = {}
        self.on_tasks: dict[int, Strike] = {}  # those of them that look at tags of single tasks
        self._under_way: dict[int, set[object]] = {}  # what compares tasks with them
        self.lanes: HeldByStrikes  # made later

    def load(self, picture: Picture, now: Now) -> None:
        self._clear()
        for row in self._store.strike_rows():
            self._keep(row)
            if row.comparing:
                self._agenda.set(self, GO_ON, now.mono)

    def void(self) -> Iterable[Session]:
        """What was changed in the failed transaction is not so: until the rows are read, no lane is compared with any."""
        self._clear()
        self._under_way.clear()  # all is compared once more, with what is so
        return ()

    def _clear(self) -> None:
        self.by_number.clear()
        self.on_tasks.clear()

    def add(self, text: str, reason: str, key: str, until: int | None, now: Now) -> Strike:
        """The same condition once more: for another reason, or until another moment. Raises InvalidArgument."""
        parsed = parse_strike(text)
        condition = str(parsed)
        known = self.check(text)
        if known is not None:
            row = known.row._replace(reason=reason, key=key, until=until)
            self._store.change_strike(row)
        else:
            comparing = bool(tags_of(parsed))
            number = self._store.add_strike(condition, reason, key, now.steady, until, comparing=comparing)
            row = StrikeRow(number, condition, reason, key, now.steady, until, comparing)
            self._added.write(now.mono / 1000, strike=number, condition=condition, reason=reason, key=key)
        return self._keep(row)

    def check(self, text: str) -> Strike | None:
        """The one with this condition, if there is one. Raises InvalidArgument for what cannot be added."""
        parsed = parse_strike(text)
        condition = str(parsed)
        known = next((one for one in self.by_number.values() if one.row.condition == condition), None)
        if known is None and len(self.by_number) >= STRIKES_MAX:
            raise InvalidArgument(
                f"there are {STRIKES_MAX} strikes already; remove some (tq strike ls), or join several in one with `or`"
            )
        return known

    def is_compared(self, number: int) -> bool:
        """Whether something is about to compare tasks with it."""
        return number in self._under_way

    def comparing(self, number: int, by: object) -> None:
        """Tasks are compared with it from now on, in several transactions. ``by``: what does."""
        self._under_way.setdefault(number, set()).add(by)
        self._compares(number, comparing=True)

    def compared(self, number: int, by: object) -> None:
        """All those are compared with it, unless it ended meanwhile."""
        under_way = self._under_way.get(number, set())
        under_way.discard(by)
        if not under_way:
            self._under_way.pop(number, None)
            self._compares(number, comparing=False)

    def _compares(self, number: int, *, comparing: bool) -> None:
        """Have the store say so: a master that starts compares all tasks with it then."""
        strike = self.by_number.get(number)
        if strike is not None and strike.row.comparing != comparing:
            row = strike.row._replace(comparing=comparing)
            self._store.change_strike(row)
            self._keep(row)

    def drop(self, strike: int | str, now: Now) -> int:
        """By its number or its condition; the number. Raises InvalidArgument."""
        number = strike if isinstance(strike, int) else self._number_of(strike)
        if number not in self.by_number:
            raise InvalidArgument(f"there is no strike {number}; `tq strike ls` shows them")
        self._end(number, now)
        return number

    def due(self, key: Hashable, now: Now) -> None:
        if key == GO_ON:
            self.lanes.go_on(now)
        strike = self.by_number.get(key) if isinstance(key, int) else None
        if strike is not None and strike.row.until is not None and strike.row.until <= now.steady:
            self._end(strike.row.number, now)
            self.lanes.release(None, strike.row.number, now)

    def _number_of(self, text: str) -> int:
        condition = str(parse_strike(text))
        known = {one.row.condition: number for number, one in self.by_number.items()}
        if condition not in known:
            likely = likely_name(condition, known)
            raise InvalidArgument(
                f"there is no strike {brief(condition, 80)}; "
                + (f"did you mean {brief(likely, 80)}? " if likely else "")
                + "`tq strike ls` shows them"
            )
        return known[condition]

    def _keep(self, row: StrikeRow) -> Strike:
        condition = parse_strike(row.condition)
        strike = self.by_number[row.number] = Strike(row, condition, tags_of(condition))
        if strike.tags:
            self.on_tasks[row.number] = strike
        self._agenda.set(self, row.number, row.until, Clock.STEADY)
        return strike

    def _end(self, number: int, now: Now) -> None:
        row = self.by_number.pop(number).row
        self.on_tasks.pop(number, None)
        self._under_way.pop(number, None)
        self._store.drop_strike(number)
        self._agenda.set(self, number, None, Clock.STEADY)
        self._ended.write(now.mono / 1000, strike=number, condition=row.condition)
