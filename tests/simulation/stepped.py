"""Steps that tasks have recorded, and signals to them: what must be so, by the tables after each commit and by what attempts see.

::

    T1  a step that was recorded is not called again by a later attempt
    T2  nothing is recorded for an attempt that is over (in ``oracle.py``)
    T3  a step returns what is recorded, in each attempt
    T4  what is recorded stays as it is
    T5  names and order are those of the code
    G1  a signal is taken by one step, and given to that, in each attempt
    G2  what came in time is taken, and is not called late
    G3  a task does not wait for a signal that is there
    G4  a signal that was acknowledged is kept
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from tq.common.domain.ids import id_behind
from tq.common.domain.model import OutcomeNumber, StateNumber
from tq.common.domain.steps import StepKind
from tq.common.values.codec import decode
from tq.common.wire.frames import unpack

from .instants import Wrong
from .tables import Ask

SOON_MS = 300  # after a snooze of the shortest kind, and the readings of two clocks


class Step(NamedTuple):
    kind: int
    name: str
    attempt: int
    until: int | None
    body: bytes | None


class Signal(NamedTuple):
    name: str
    arrived: int
    step: int | None


class RecordedSteps:
    def __init__(self) -> None:
        self._ids: dict[int, bytes] = {}  # of tasks with steps or signals
        self._steps: dict[tuple[int, int], Step] = {}
        self._recorded_in: dict[tuple[bytes, int], int] = {}  # by id and step: the lease of its task then
        self._values: dict[tuple[bytes, int], str] = {}
        self._signals: dict[tuple[int, bytes], Signal] = {}
        self._kept: set[tuple[bytes, bytes]] = set()
        self._taken: dict[tuple[bytes, str], int] = {}
        self._lease: dict[bytes, int] = {}  # the last attempt of each task, as leases are counted
        self._outcome: dict[bytes, int] = {}  # of its last attempt

    # events

    def take(self, event: dict[str, Any]) -> None:
        if event["what"] == "leased":
            self._lease[event["id"]] = event["attempt"]
        elif event["what"] == "ended":
            self._outcome[event["id"]] = event["outcome"]
        elif event["what"] == "purged":
            self._forget(event["id"])

    def _forget(self, id: bytes) -> None:
        """Submitted again, it is another task."""
        for known in (self._recorded_in, self._values):
            for key in [key for key in known if key[0] == id]:
                del known[key]
        self._taken = {key: step for key, step in self._taken.items() if key[0] != id}

    # what attempts do

    def called(self, id: bytes, number: int, attempt: int) -> None:
        before = self._recorded_in.get((id, number))
        if before is not None and before < attempt:
            raise Wrong(
                "T1",
                f"step {number} was recorded in attempt {before}, and is called in attempt {attempt}",
                id,
            )

    def returned(self, id: bytes, number: int, value: str) -> None:
        recorded = self._values.get((id, number))
        if value != recorded:
            raise Wrong("T3", f"step {number} returned {value!r}, and {recorded!r} is recorded", id)

    def waited(self, id: bytes, number: int, value: str | None) -> None:
        if value is not None and self._taken.setdefault((id, value), number) != number:
            raise Wrong(
                "G1", f"the signal that step {self._taken[id, value]} had was given to step {number}, too", id
            )
        recorded = self._values.get((id, number))
        if value != recorded:
            raise Wrong("G1", f"step {number} got the signal {value}, and has taken {recorded}", id)

    def acknowledged(self, id: bytes, token: bytes, gone: Collection[bytes]) -> None:
        if (id, token) not in self._kept and id not in gone:
            raise Wrong("G4", "a signal was acknowledged, and is not there", id)

    # after each commit

    def look(self, ask: Ask, steady: int) -> None:
        steps = {
            (seq, number): Step(*rest)
            for seq, number, *rest in ask("SELECT seq, number, kind, name, attempt, until, body FROM steps")
        }
        signals = {
            (seq, token): Signal(*rest)
            for seq, token, *rest in ask("SELECT seq, token, name, arrived, step FROM signals")
        }
        self._learn(ask, {seq for seq, _ in (*steps, *signals)})
        for key, step in steps.items():
            before = self._steps.get(key)
            if step != before:
                self._changed(self._ids[key[0]], key[1], before, step)
        self._kept.update((self._ids[seq], token) for seq, token in signals)
        if steps != self._steps or signals != self._signals:
            self._check_waits(ask, steps, signals, steady)
        self._steps, self._signals = steps, signals

    def _learn(self, ask: Ask, seqs: set[int]) -> None:
        for seq in seqs - self._ids.keys():
            rows = ask(f"SELECT id, seq FROM tasks WHERE seq = {seq}")  # noqa: S608  a number
            rows = rows or ask(f"SELECT id, seq FROM arrays WHERE seq <= {seq} AND stop > {seq}")  # noqa: S608
            if not rows:
                raise Wrong("I9", f"steps or signals are of task {seq}, which is not there")
            [(id, first)] = rows
            self._ids[seq] = id_behind(id, seq - first)

    def _changed(self, id: bytes, number: int, before: Step | None, step: Step) -> None:
        if before is not None:
            is_dropped = step == before._replace(body=None)
            if not is_dropped and before.kind != StepKind.WAIT:
                raise Wrong("T4", f"step {number} was {before}, and is {step}", id)
            if is_dropped:
                return
        if step.kind != StepKind.WAIT:
            self._recorded_in[id, number] = self._lease[id]
        if step.kind == StepKind.CALL and step.body is not None:
            self._values[id, number] = decode(step.body)
        elif step.kind == StepKind.SIGNAL and step.body is not None:
            self._values[id, number] = decode(unpack(step.body)[0])

    def _check_waits(
        self,
        ask: Ask,
        steps: dict[tuple[int, int], Step],
        signals: dict[tuple[int, bytes], Signal],
        steady: int,
    ) -> None:
        of_task: dict[int, list[Signal]] = {}
        for (seq, _), signal in signals.items():
            of_task.setdefault(seq, []).append(signal)
        for (seq, number), step in steps.items():
            some = of_task.get(seq, [])
            taken = sum(one.step == number for one in some)
            if taken != (step.kind == StepKind.SIGNAL):
                raise Wrong(
                    "G1", f"step {number}, {StepKind(step.kind)}, has taken {taken} signals", self._ids[seq]
                )
            in_time = any(
                one.step is None
                and one.name == step.name
                and (step.until is None or one.arrived < step.until)
                for one in some
            )
            if in_time and step.kind == StepKind.TIMEOUT:
                raise Wrong(
                    "G2", f"step {number} is over without the signal that came in time", self._ids[seq]
                )
            if (
                in_time
                and step.kind == StepKind.WAIT
                and self._outcome.get(self._ids[seq]) == OutcomeNumber.SNOOZE
            ):
                for state, due in ask(f"SELECT state, due FROM tasks WHERE seq = {seq}"):  # noqa: S608
                    if state == StateNumber.SCHEDULED and due - steady > SOON_MS:
                        raise Wrong(
                            "G3",
                            f"it waits for {due - steady} ms more, and its signal is there",
                            self._ids[seq],
                        )
