"""The embedded store's verbs for ends whose handlers are not made yet: see ``interface.unhandled.UnhandledStore``."""

from __future__ import annotations

from collections.abc import Sequence

from ..interface.unhandled import UnhandledEnd
from .part import SqlitePart


class SqliteUnhandled(SqlitePart):
    def add(self, ends: Sequence[UnhandledEnd]) -> None:
        self._exactly("add_unhandled", [end[1:] for end in ends])

    def first(self, limit: int) -> list[UnhandledEnd]:
        return [UnhandledEnd(*row) for row in self._all("first_unhandled", (limit,))]

    def made(self, numbers: Sequence[int]) -> None:
        self._exactly("drop_unhandled", [(number,) for number in numbers])

    def keep(self, end: UnhandledEnd) -> None:
        self._exactly("keep_unhandled", [(end.id, end.tasks, end.number)])
