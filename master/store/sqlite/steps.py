"""The embedded store's verbs for steps and signals: see ``interface.steps.StepStore``."""

from __future__ import annotations

from collections.abc import Sequence

from ..interface.steps import BytesOfKeys, SignalRow, StepRow, StepTotals
from .part import SqlitePart


class SqliteSteps(SqlitePart):
    def add(self, row: StepRow) -> None:
        self._exactly("add_step", [row])

    def get(self, seq: int, number: int) -> StepRow | None:
        rows = self._all("step", (seq, number))
        return StepRow(*rows[0]) if rows else None

    def totals(self, seq: int) -> StepTotals:
        return StepTotals(*self._all("step_totals", (seq,))[0])

    def bytes_of(self, key: str) -> BytesOfKeys:
        return BytesOfKeys(*self._all("step_bytes", (key,))[0])

    def after(self, seq: int, number: int, size: int) -> list[StepRow]:
        sizes = self._all("step_sizes", (seq, number))
        last = number
        # By sizes first, so that no body is read that does not fit the answer.
        for at, (one, bytes_of_one) in enumerate(sizes):
            size -= bytes_of_one
            # The first goes in any case: a step larger than an answer's share would never be read.
            if at and size < 0:
                break
            last = one
        return [StepRow(*row) for row in self._all("steps_between", (seq, number, last))]

    def shown(self, seq: int) -> list[StepRow]:
        return [StepRow(*row) for row in self._all("steps_shown", (seq,))]

    # waits and signals

    def waits(self, seq: int) -> list[StepRow]:
        return [StepRow(*row) for row in self._all("waits", (seq,))]

    def decide(self, row: StepRow) -> None:
        self._exactly("decide_wait", [row._asdict()])

    def signals(self, seq: int) -> list[SignalRow]:
        return [SignalRow(*row) for row in self._all("signals", (seq,))]

    def signal(self, seq: int, token: bytes) -> SignalRow | None:
        rows = self._all("signal", (seq, token))
        return SignalRow(*rows[0]) if rows else None

    def send(self, row: SignalRow) -> None:
        self._exactly("send_signal", [row])

    def take(self, seq: int, token: bytes, step: int) -> None:
        self._exactly("take_signal", [(step, seq, token)])

    def drop_bodies(self, seq: int) -> int:
        # Before they are dropped: it is what the caller gets back.
        size = self.size_of(seq, seq + 1)
        self._many("drop_step_bodies", [(seq,)])
        self._many("drop_signal_bodies", [(seq,)])
        return size

    def size_of(self, seq: int, stop: int) -> int:
        """The bytes of what is kept of the steps of neighbours, and of signals to them."""
        size: int = self._all("bytes_of_steps", {"seq": seq, "stop": stop})[0][0]
        return size

    def delete(self, tasks: Sequence[tuple[int]]) -> None:
        """Those of deleted tasks. Mostly there are none at all, which one look tells."""
        if self._all("any_step")[0][0]:
            self._many("delete_steps", tasks)
        if self._all("any_signal")[0][0]:
            self._many("delete_signals", tasks)
