"""A master as relays see it, which forgets each task as soon as it is accepted: what is accepted twice runs twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from tq.common.errors import TqError

RECEIPT_SECONDS = 600.0  # as tq.master.outbox.receipts.KEPT_MS


class Masters:
    """One master, and the relays' connections to it. ``now``: the clock of all."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.accepted = Counter[bytes]()
        self.receipts: dict[bytes, float | None] = {}
        self.refusals: dict[bytes, TqError] = {}  # by row
        self.rows: dict[bytes, list[Any]] = {}

    def clock(self) -> float:
        return self.now

    def hands(self, at: Callable[[str], None] = lambda point: None) -> MasterOfTests:
        return MasterOfTests(self, at)

    def take(self, id: bytes, row: list[Any]) -> Future[Any]:
        answer: Future[Any] = Future()
        for receipt in [
            one for one, until in self.receipts.items() if until is not None and until <= self.now
        ]:
            del self.receipts[receipt]
        if id in self.refusals:
            answer.set_exception(self.refusals[id])
            return answer
        if id not in self.receipts:
            self.accepted[id] += 1
            self.receipts[id], self.rows[id] = None, row
        answer.set_result(1)
        return answer

    def forget(self, ids: Sequence[bytes]) -> None:
        for id in ids:
            if id in self.receipts and self.receipts[id] is None:
                self.receipts[id] = self.now + RECEIPT_SECONDS


class MasterOfTests:
    """``at``: called at each point at which a relay can die, be stopped, or lose a connection."""

    def __init__(self, master: Masters, at: Callable[[str], None]) -> None:
        self._master, self._at = master, at
        self.dropped = 0

    def hand_over(self, id: bytes, row: list[Any]) -> Future[Any]:
        self._at("before it is handed over")
        answer = self._master.take(id, row)
        self._at("after it is handed over")
        return answer

    def forget(self, ids: Sequence[bytes]) -> None:
        self._at("before it is forgotten")
        self._master.forget(ids)
        self._at("after it is forgotten")

    def drop(self) -> None:
        self.dropped += 1
