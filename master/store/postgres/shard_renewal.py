"""Keeps a shard for its owner while there is nothing to commit: a thread with a connection of its own.

::

    every RENEW_SECONDS: renew ─► yes: another lease
                              ├─► no: another master has taken over ─► lost, once
                              ├─► a commit is under way: that says itself whose the shard is
                              └─► no answer: asked again; while the database is away no other master can take the shard either

A commit renews too. But a master may commit nothing for an hour, or stand in one commit for longer than a lease, and its loop may be
busy: none of that must look like its end.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any, Final

from ....common.contract.observe import MasterRow
from .line import DatabaseAway, DatabaseRefused, PostgresLine
from .masters import ANSWER_SECONDS_MAX, Me, listed, renew, say_gone, say_here
from .shard import Ownership, displaced, read
from .tenure import Tenure

RENEW_SECONDS: Final = 1.0  # a quarter of a lease: three may be late, or lost
END_SECONDS_MAX: Final = 5.0  # for the question under way


class ShardRenewal:
    """``lost`` is called in its thread, with a sentence. ``me`` may be replaced, when the address is known."""

    def __init__(
        self,
        held: Ownership,
        connect: Callable[[], PostgresLine],
        me: Me | None,
        lost: Callable[[str], Any],
        tenure: Tenure,
    ) -> None:
        self._held, self._connect, self.me, self._lost, self._tenure = held, connect, me, lost, tenure
        self._line: PostgresLine | None = None
        self._ends = threading.Event()
        self._listed: tuple[float, list[MasterRow]] = (tenure.now(), [])  # when, and as what
        self._thread = threading.Thread(target=self._run, name="tq-renewal", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ends.set()
        self._thread.join(END_SECONDS_MAX)

    def masters(self) -> list[MasterRow]:
        """As the database had them last, with the time that has passed since."""
        at, rows = self._listed
        passed = self._tenure.now() - at
        return [
            row._replace(
                left=None if row.left is None else max(0.0, row.left - passed), silent=row.silent + passed
            )
            for row in rows
        ]

    def _run(self) -> None:
        while True:
            try:
                # A question that was under way at the end may see this master's own next term.
                if self._renew() is False and not self._ends.is_set():
                    self._lost(self._why_lost())
                    break
            except (DatabaseAway, DatabaseRefused):
                self._drop()
            if self._ends.wait(RENEW_SECONDS):
                break
        self._leave()

    def _renew(self) -> bool | None:
        if self._line is None:
            self._line = self._connect()
            if self._ends.is_set():  # it was slow, and what was released meanwhile is not to be held again
                return None
        if self.me is not None:
            say_here(self._line, self.me)
        asked = self._tenure.now()
        is_ours = renew(self._line, self._held)
        if is_ours:
            self._tenure.confirmed(asked)
        if self.me is not None:
            self._listed = self._tenure.now(), listed(self._line, self._held.shard)
        return is_ours

    def _why_lost(self) -> str:
        """Another master has taken over, or the database has gone back: its row says which."""
        self._line = self._line or self._connect()
        return str(displaced(self._held, read(self._line, self._held.shard, ANSWER_SECONDS_MAX)))

    def _drop(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.close()

    def _leave(self) -> None:
        # What the database does not learn of it now, the others forget in an hour.
        with contextlib.suppress(DatabaseAway, DatabaseRefused):
            if self._line is not None and self.me is not None and self._ends.is_set():
                say_gone(self._line, self.me)
        self._drop()
