"""The embedded store's verbs for the space that its file takes: see ``interface.space.SpaceStore``.

A file is made with ``auto_vacuum = INCREMENTAL``: SQLite then knows what refers to each page, so that the last one can be moved.
One that was made without is changed by writing it again (``compaction.py``).
"""

from __future__ import annotations

from typing import Final

from ..interface.space import Space
from .executor import StatementExecutor

INCREMENTAL: Final = 2  # the value of auto_vacuum


class SqliteSpace(StatementExecutor):
    _has_given_back = False  # pages, in the transaction under way

    def space(self) -> Space:
        page_bytes, pages, unused, mode = self._all("space")[0]
        return Space(page_bytes * pages, page_bytes * unused, mode == INCREMENTAL)

    def give_back(self, pages: int) -> int:
        page_bytes, before, unused, mode = self._all("space")[0]
        for _ in range(min(pages, unused) if mode == INCREMENTAL else 0):
            self._all("give_back_a_page")
        given = page_bytes * before - self.space().size_bytes
        self._has_given_back |= given > 0
        return int(given)
