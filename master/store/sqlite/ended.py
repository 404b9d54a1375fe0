"""The embedded store's verbs for the attempts that ended lately: see ``interface.ended.EndedStore``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from ....common.domain.ids import id_behind
from ....common.domain.model import OutcomeNumber, StateNumber
from ..interface.ended import EndedRow
from .part import SqlitePart
from .slice_table import SliceTable, floats_of

SUCCEEDED: Final = int(StateNumber.SUCCEEDED)
SUCCESS: Final = int(OutcomeNumber.SUCCESS)


class SqliteEnded(SqlitePart):
    def __init__(
        self,
        slices: SliceTable,
        all: Callable[..., list[Any]],
        many: Callable[[str, Sequence[Any]], int],
        exactly: Callable[[str, Sequence[Any]], None],
    ) -> None:
        super().__init__(all, many, exactly)
        self._slices = slices

    def between(self, since: int, until: int, most: int) -> tuple[list[EndedRow], bool]:
        given = {"since": since, "until": until, "most": most}
        # The successful attempt stands in its task's own row, or in its slice; all others are rows of their own.
        rows, is_whole = list[EndedRow](), True
        for name, read in (
            ("ended_alone", _alone),
            ("ended_alone_kept", _alone),
            ("ended_together", self._together),
            ("ended_together_kept", self._together),
            ("ended_attempts", _others),
        ):
            found = self._all(name, given)
            is_whole = is_whole and len(found) < most
            rows += read(found)
        rows.sort(key=lambda row: -row.ended)
        return rows[:most], is_whole and len(rows) <= most

    def _together(self, rows: list[Any]) -> Iterator[EndedRow]:
        for seq, tasks, array, route, worker, attempt, leased, finished, state, packed in rows:
            if state != SUCCEEDED:
                continue
            id = id_behind(self._slices.array(array).id, seq - array)
            seconds = sum(floats_of(packed))
            started = finished if leased is None else leased
            if tasks == 1:
                started = max(started, finished - int(seconds * 1000))
            yield EndedRow(seq, tasks, id, route, worker, attempt, SUCCESS, started, finished, seconds)

    def worker(self, number: int) -> tuple[bytes, str] | None:
        rows = self._all("worker_of", (number,))
        return (rows[0][0], rows[0][1]) if rows else None


def _alone(rows: list[Any]) -> Iterator[EndedRow]:
    for seq, tasks, id, route, worker, attempt, started, finished, state in rows:
        if state == SUCCEEDED and started is not None:
            seconds = (finished - started) / 1000
            yield EndedRow(seq, tasks, id, route, worker, attempt, SUCCESS, started, finished, seconds)


def _others(rows: list[Any]) -> Iterator[EndedRow]:
    for seq, tasks, id, route, worker, attempt, outcome, started, ended in rows:
        if started is not None and id is not None:  # it began, and its task is still there
            seconds = (ended - started) / 1000
            yield EndedRow(seq, tasks, id, route, worker, attempt, outcome, started, ended, seconds)
