"""Tasks that need others, and flows: what must be so after each commit, by a model that counts in the plainest way.

::

    D1  a task that needs others is leased only after these had ended so that its policy lets it run; it falls only if it cannot
    D2  what the store counts of needs is what their states say, and what is decided does not stay blocked
    D3  a task is given the results of all that it needs, and the right ones
    D4  no key makes a task wait for one in a queue that it does not cover
    D5  what a task needs is not purged before that has ended
    D6  of a submit that is refused nothing is stored
    F1  a flow's counts are those of its tasks, in the transaction of each end
    F2  it ends when it is sealed and each of its tasks has ended, once in each run, in the state that these ask for
    F3  a callback is made once in each run that ends so that it fits
    F4  and not left out
    F5  who waits for a flow is answered after its end
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from tq.common.domain.flow import callback_id
from tq.common.domain.model import StateNumber
from tq.common.domain.on_error import Verdict, verdict
from tq.common.runtime.history import digest

from .instants import Wrong
from .load import Spec
from .tables import Ask, Row

OPEN, GONE = 0, -1  # beside the final states: it has not ended; it was purged
SUCCEEDED = int(StateNumber.SUCCEEDED)
FAILED = frozenset(map(int, (StateNumber.FAILED, StateNumber.DEAD, StateNumber.LOST)))
ENDS = {"accepted": SUCCEEDED, "cancelled": int(StateNumber.CANCELLED), "expired": int(StateNumber.EXPIRED)}
ENDS["fell"] = int(StateNumber.FAILED)
CANCELS, RETRIES = 1, 2  # ``work`` of a flow
IS_CANCELLED = 2  # ``ending``


class Callback(NamedTuple):
    flow: int
    token: bytes
    kind: str


class FlowRow(NamedTuple):
    number: int
    id: bytes
    node: bytes | None
    state: str
    ending: int
    work: int
    run: int
    counts: tuple[int, int, int, int]  # total, succeeded, failed, cancelled
    finished: int | None


@dataclass(slots=True)
class Dependent:
    """``may_run``, ``may_fall``: what it needs has been so since it began to wait."""

    spec: Spec
    left: int = 0
    missed: int = 0
    may_run: bool = False
    may_fall: bool = False

    def judge(self) -> None:
        now = verdict(len(self.spec.needs), self.left, self.missed, self.spec.minimum)
        self.may_run |= now is Verdict.RUN
        self.may_fall |= now is Verdict.FALL

    @property
    def waits(self) -> bool:
        return verdict(len(self.spec.needs), self.left, self.missed, self.spec.minimum) is Verdict.WAIT


class Composition:
    """Takes the events of each transaction in their order, then looks at its tables."""

    def __init__(self, specs: Mapping[bytes, Spec]) -> None:
        self._specs = specs
        self.states: dict[bytes, int] = {}
        self._digests: dict[bytes, str] = {}  # of accepted results
        self._dependents: dict[bytes, Dependent] = {}
        self._needed_by: dict[bytes, list[Dependent]] = {}
        self._counts: dict[bytes, list[int]] = {}  # of each flow
        self._counted: dict[bytes, list[int]] = {}  # the counts that a task is in
        self._numbers: dict[
            bytes, int
        ] = {}  # of flows: a key that is used again after a purge makes another one
        self._flows: dict[int, FlowRow] = {}
        self._made: Counter[bytes] = Counter()  # tasks of callbacks
        self._known: dict[bytes, tuple[bytes, int, Callback]] = {}  # what each of them is of
        self._runs: dict[Callback, int] = {}  # of which these are known
        self._due: dict[bytes, tuple[str, int]] = {}  # those of them that have to be made: kind and run
        self.ended: set[bytes] = set()  # flows that have ended once

    # events

    def take(self, event: Mapping[str, Any]) -> None:
        what, id = event["what"], event.get("id")
        if what == "leased":
            dependent = self._dependents.get(event["id"])
            if dependent is not None and not dependent.may_run:
                raise Wrong("D1", "it was leased before what it needs had ended", id)
        elif what == "submitted":
            self._submitted(event["id"])
        elif what == "purged":
            self._purged(event["id"])
        elif what == "revived":
            self._move(event["id"], OPEN)
        elif what in ENDS:
            self._end(event, ENDS[what])
        elif what == "followed":
            self._digests[event["id"]] = event["digest"]
            self._end(event, event["state"])
        elif what in ("ended", "returned") and event["state"] >= SUCCEEDED:
            self._end(event, event["state"])

    def _submitted(self, id: bytes) -> None:
        spec = self._specs.get(id)
        self.states[id] = OPEN
        if id in self._known:
            self._made[id] += 1
        if spec is None:
            return
        if spec.flow is not None:
            counts = self._counted[id] = self._counts.setdefault(spec.flow, [0, 0, 0, 0])
            counts[0] += 1
        if spec.needs:
            before = self._dependents.get(id)  # it was purged since
            dependent = self._dependents[id] = Dependent(spec)
            for needed in spec.needs:
                others = [one for one in self._needed_by.get(needed, ()) if one is not before]
                self._needed_by[needed] = [*others, dependent]
            self._begins_to_wait(dependent)

    def _begins_to_wait(self, dependent: Dependent) -> None:
        states = [self.states.get(needed, GONE) for needed in dependent.spec.needs]
        dependent.left = states.count(OPEN)
        dependent.missed = len(states) - dependent.left - states.count(SUCCEEDED)
        dependent.may_run = dependent.may_fall = False
        dependent.judge()

    def _purged(self, id: bytes) -> None:
        for dependent in self._needed_by.get(id, ()):
            if self.states[dependent.spec.id] == OPEN:
                raise Wrong("D5", "it was purged while another task needed it", id)
        self._move(id, GONE)

    def _end(self, event: Mapping[str, Any], state: int) -> None:
        id = event["id"]
        dependent = self._dependents.get(id)
        if event["what"] == "fell" and (dependent is None or not dependent.may_fall):
            raise Wrong("D1", "it failed for what it needs, and could have run", id)
        if event["what"] == "accepted":
            self._digests[id] = event["digest"]
        self._move(id, state)

    def _move(self, id: bytes, state: int) -> None:
        before, self.states[id] = self.states[id], state
        for dependent in self._needed_by.get(id, ()):
            dependent.left += (state == OPEN) - (before == OPEN)
            dependent.missed += (state not in (OPEN, SUCCEEDED)) - (before not in (OPEN, SUCCEEDED))
            dependent.judge()
        if state == OPEN and id in self._dependents:
            self._begins_to_wait(self._dependents[id])
        counts = self._counted.get(id)
        if counts is not None and state != GONE:
            for one, by in ((before, -1), (state, 1)):
                if one >= SUCCEEDED:
                    counts[1 if one == SUCCEEDED else 2 if one in FAILED else 3] += by

    # what workers and clients see

    def given(self, spec: Spec, given: Mapping[bytes, tuple[int, bytes | None]]) -> None:
        """An attempt has these outcomes of what it needs."""
        succeeded = 0
        for id in spec.needs:
            state, body = given[id]
            succeeded += state == SUCCEEDED
            if state == SUCCEEDED and digest(body) != self._digests.get(id):
                raise Wrong("D3", "it was given another result than was accepted", spec.id)
        if succeeded < spec.minimum:  # also of what runs only after a failure
            raise Wrong("D3", f"it runs with {succeeded} results, and needs {spec.minimum}", spec.id)
        if len(given) != len(spec.needs):
            raise Wrong("D3", "it was given what it does not need", spec.id)

    def refused(self, ids: Iterable[bytes]) -> None:
        for id in ids:
            if self.states.get(id, GONE) != GONE:
                raise Wrong("D6", "its submit was refused, and it is stored", id)

    def answered(self, flow: bytes) -> None:
        """To who waits for its end."""
        if flow not in self.ended:
            raise Wrong("F5", "its end was answered, and it has not ended")

    # after each commit

    def expect(self, ask: Ask) -> set[bytes]:
        """The ids of tasks that callbacks may have. Called before the events of a transaction are taken."""
        ids = {number: (id, run) for number, id, run in ask("SELECT flow, id, run FROM flows")}
        for number, (id, _) in ids.items():
            if self._numbers.setdefault(id, number) != number:
                self._numbers[id] = number
                self._counts.pop(id, None)
        for one in (Callback(*row) for row in ask("SELECT flow, token, kind FROM flow_callbacks")):
            id, last = ids[one.flow]
            for run in range(self._runs.get(one, 0) + 1, last + 1):
                self._known[callback_id(id, run, one.token)] = id, run, one
            self._runs[one] = last
        return set(self._known)

    def look(self, ask: Ask) -> None:
        flows = {
            number: FlowRow(number, *rest[:6], (total, succeeded, failed, cancelled), finished)
            for number, *rest, total, succeeded, failed, cancelled, finished in ask(
                "SELECT flow, id, node, state, ending, work, run, total, succeeded, failed, cancelled, finished FROM flows"
            )
        }
        for number, now in flows.items():
            counts = tuple(self._counts.get(now.id, (0, 0, 0, 0)))
            if now.counts != counts:
                raise Wrong("F1", f"the flow {number} counts {now.counts}, its tasks are {counts}")
            self._lives(self._flows.get(number), now)
        for id, made in self._made.items():
            _, run, callback = self._known[id]
            if made > 1:
                raise Wrong("F3", f"a callback was made {made} times after run {run}", id)
            now_row = flows.get(callback.flow)
            if now_row is None or now_row.run != run:
                continue
            if now_row.finished is None or not _fits(callback.kind, now_row.state):
                raise Wrong("F3", f"{callback.kind} was made, and its flow is {now_row.state}", id)
        self._flows = flows

    def _lives(self, before: FlowRow | None, now: FlowRow) -> None:
        if before is not None:
            again = now.finished is None and before.finished is not None
            if now.run < before.run or (again and now.run == before.run):
                raise Wrong(
                    "F2",
                    f"run {before.run} of flow {now.number} had ended, and it is {now.state} in run {now.run}",
                )
        total, *ended = now.counts
        if now.finished is None:
            if now.node is None and now.work != RETRIES and sum(ended) == total:
                raise Wrong("F2", f"all of flow {now.number} has ended, and it has not")
            return
        self.ended.add(now.id)
        if before is not None and before.finished == now.finished:
            return
        failed = ended[1] + ended[2]
        state = "cancelled" if now.ending == IS_CANCELLED else "failed" if failed else "succeeded"
        if now.node is not None or sum(ended) < total or now.state != state:
            raise Wrong("F2", f"the flow {now.number} has ended as {now.state}, with {ended} of {total}")
        for id, (_, run, callback) in self._known.items():
            if callback.flow == now.number and run == now.run and _fits(callback.kind, state):
                self._due[id] = callback.kind, run

    def check_callbacks(self) -> None:
        """At the end: of each run that ended, those that were there then; and later ones of the last run."""
        for id, (_, run, callback) in self._known.items():
            flow = self._flows.get(callback.flow)
            if flow is not None and flow.run == run and _fits(callback.kind, flow.state):
                self._due[id] = callback.kind, run
        for id, (kind, run) in self._due.items():
            if not self._made[id]:
                raise Wrong("F4", f"{kind} was not made after run {run}", id)

    # now and then

    def compare(self, ask: Ask, rows: list[Row]) -> None:
        """Everything with the rows of the store."""
        states = {row.seq + place: row.state for row in rows for place in range(row.stop - row.seq)}
        for row in rows:
            for place in range(row.stop - row.seq):
                self._same(row, place)
        for seq, stop, first, each, left, missed, open_, ripe in ask(
            "SELECT seq, stop, id, each, left, missed, open, ripe FROM dependents"
        ):
            some = [states.get(one, SUCCEEDED) for one in range(seq, stop)]
            if sum(state < SUCCEEDED for state in some) != open_:
                raise Wrong(
                    "D2", f"of a dependent {open_} are said to be open, and their states are {some}", first
                )
            for place, state in enumerate(some):
                if state == StateNumber.BLOCKED:
                    id = (int.from_bytes(first, "big") + place).to_bytes(len(first), "big")
                    one = self._dependents[id]
                    if not ripe and not one.waits:
                        raise Wrong("D2", "it is blocked, and what it needs is decided", id)
                    if not each and (left, missed) != (one.left, one.missed):
                        raise Wrong(
                            "D2", f"it counts {left, missed}, its needs are {one.left, one.missed}", id
                        )

    def _same(self, row: Row, place: int) -> None:
        id = (int.from_bytes(row.id, "big") + place).to_bytes(len(row.id), "big")
        believed = self.states.get(id, GONE)
        if believed != (row.state if row.state >= SUCCEEDED else OPEN):
            raise Wrong("I9", f"its row says {row.state}, what happened to it {believed}", id)


def _fits(kind: str, state: str) -> bool:
    return kind == "finally" or (kind == "then") == (state == "succeeded")
