"""The rules a history must keep, after the manner of Jepsen: events in, violations out. O(n log n).

Events are dicts with ``t``, ``who``, ``what`` and mostly ``id``. Who says what:

    client   submitting (once?) · acknowledged · cancel-confirmed · received (state, digest) · read (before, state)
    master   submitted · leased · ended (outcome, state) · returned (state) · accepted (digest) · cancelled · expired ·
             revived · followed (state, digest: it ended as what it became) · purged (only where every process is simulated)
    worker   started (number) · computed (outcome, digest)

An attempt is numbered twice: ``attempt`` counts leases and is the fence, ``number`` is what the task sees and leaves out
the leases that were returned unstarted.

``final`` is what the store says at the end: id -> Final. A task brought back by hand (``revived``) begins a
new *life*; the rules hold within each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

TERMINAL = 10  # states from here on are final
SUCCEEDED, CANCELLED = 10, 13

Event = Mapping[str, Any]


class Final(NamedTuple):
    """A task's row at the end."""

    state: int
    attempt: int
    digest: str  # of its result; "" when it has none


class Violation(NamedTuple):
    rule: str
    id: Any
    text: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.text}"


class Report(NamedTuple):
    violations: list[Violation]
    tasks: int
    starts: int
    extra_starts: int  # beyond one a life: the price of the faults, reported and not hidden


def check(events: Iterable[Event], final: Mapping[Any, Final]) -> Report:
    """Judge a whole history. ``events`` in the order of their time, as far as it is known."""
    of_task: dict[Any, list[Event]] = defaultdict(list)
    for event in sorted(events, key=lambda event: event["t"]):
        if "id" in event:
            of_task[event["id"]].append(event)
    violations: list[Violation] = []
    starts = extra = 0
    for id, story in of_task.items():
        judge = _Judge(id, violations)
        for event in story:
            judge.take(event)
        judge.conclude(final.get(id))
        starts += judge.starts
        extra += max(0, judge.starts - judge.lives)
    unasked = [id for id in final if not any(event["what"] == "submitting" for event in of_task[id])]
    violations += [Violation("H2", id, "the store has a task that was not submitted") for id in unasked]
    return Report(violations, len(of_task), starts, extra)


class _Judge:
    """One task's events, one after another."""

    def __init__(self, id: Any, violations: list[Violation]) -> None:
        self._id, self._violations = id, violations
        self.starts, self.lives = 0, 1
        self._once = self._acknowledged = self._cancel_confirmed = False
        self._attempt = 0
        self._attempt_purged = 0  # the last attempt that was leased before it was purged: a worker that was cut off may start it late
        self._leased = False
        self._state: int | None = None  # terminal state of this life, as the master wrote it
        self._accepted: tuple[int, str] | None = None
        self._followed: tuple[int, str] | None = None  # state and digest of the task whose handle it returned
        self._started: set[int] = set()
        self._starts_of_life = 0
        self._returned: set[int] = set()  # attempts that were handed back as unstarted
        self._computed: dict[int, str] = {}
        self._received: dict[tuple[int, str], str] = {}  # per life: (state, digest): who
        self._purged = False

    def take(self, event: Event) -> None:
        handler = getattr(self, "_on_" + event["what"].replace("-", "_"), None)
        if handler is not None:
            handler(event)

    def conclude(self, final: Final | None) -> None:
        if final is None:
            if self._acknowledged and not self._purged:
                self._fail("H1", "its submit was acknowledged, and the store does not know it")
            return
        if final.state < TERMINAL:
            self._fail("H3", f"it never ended: state {final.state}, attempt {final.attempt}")
        if self._state is not None and final.state != self._state:
            self._fail("H3", f"it ended with state {self._state}, but the store says {final.state}")
        if final.attempt != self._attempt:
            self._fail("H6", f"{self._attempt} attempts were leased, the store counts {final.attempt}")
        if self._accepted is not None and final.digest != self._accepted[1]:
            self._fail("H4", "the stored result is not the accepted one")
        if self._followed is not None and (final.state, final.digest) != self._followed:
            self._fail("H4", "the stored result is not that of the task which it became")
        if self._accepted is not None:
            attempt, digest = self._accepted
            if self._computed.get(attempt, digest) != digest:
                self._fail("H4", f"attempt {attempt} computed something else than was accepted")

    def _fail(self, rule: str, text: str) -> None:
        self._violations.append(Violation(rule, self._id, text))

    # what the client says

    def _on_submitting(self, event: Event) -> None:
        self._once = self._once or bool(event.get("once"))

    def _on_acknowledged(self, event: Event) -> None:
        self._acknowledged = True

    def _on_cancel_confirmed(self, event: Event) -> None:
        if self.lives == 1 or self._state == CANCELLED:  # else it speaks of a life that is over
            self._cancel_confirmed = True

    def _on_received(self, event: Event) -> None:
        state = event["state"]
        if state < 0:
            if self._acknowledged and not self._purged:
                self._fail("H1", f"{event['who']} got the answer that it is unknown")
            return
        answer = (state, event["digest"])
        self._received.setdefault(answer, event["who"])
        if len(self._received) > 1 and self.lives == 1:
            self._fail("H10", f"two answers for one task: {sorted(self._received)}")

    def _on_read(self, event: Event) -> None:
        before = event["before"]
        if self._purged and event["state"] < 0:
            return
        if self.lives == 1 and before is not None and before >= TERMINAL and event["state"] != before:
            self._fail("H12", f"it was read as {before}, a later read says {event['state']}")

    # what the master says

    def _on_leased(self, event: Event) -> None:
        attempt = event["attempt"]
        if attempt != self._attempt + 1:
            self._fail("H6", f"attempt {attempt} follows attempt {self._attempt}")
        if self._leased:
            self._fail("H7", f"attempt {attempt} was leased while attempt {self._attempt} was")
        if self._state is not None:
            self._fail("H3", f"attempt {attempt} was leased after the end, state {self._state}")
        self._attempt, self._leased = attempt, True

    def _on_accepted(self, event: Event) -> None:
        attempt = event["attempt"]
        if self._accepted is not None:
            self._fail("H4", f"attempt {attempt} was accepted after attempt {self._accepted[0]}")
        if attempt != self._attempt or not self._leased:
            self._fail("H5", f"attempt {attempt} was accepted, the current one is {self._attempt}")
        if self._cancel_confirmed:
            self._fail("H11", f"attempt {attempt} was accepted after the cancel was confirmed")
        self._accepted, self._leased = (attempt, event["digest"]), False
        self._end(SUCCEEDED)

    def _on_ended(self, event: Event) -> None:
        if event["attempt"] != self._attempt or not self._leased:
            self._fail("H5", f"attempt {event['attempt']} ended, the current one is {self._attempt}")
        self._leased = False
        if event["state"] >= TERMINAL:
            self._end(event["state"])

    def _on_returned(self, event: Event) -> None:
        self._on_ended(event)
        self._returned.add(event["attempt"])
        if event["attempt"] in self._started:
            self._fail("H9", f"attempt {event['attempt']} was started, and handed back as unstarted")

    def _on_cancelled(self, event: Event) -> None:
        self._end(CANCELLED)

    def _on_expired(self, event: Event) -> None:
        self._end(14)

    def _on_fell(self, event: Event) -> None:
        self._end(11)

    def _on_followed(self, event: Event) -> None:
        if self._leased:
            self._fail("H5", f"it ended as what it became, and attempt {self._attempt} is leased")
        self._followed = event["state"], event["digest"]
        self._end(event["state"])

    def _on_revived(self, event: Event) -> None:
        self.lives += 1
        self._followed = None
        self._state, self._cancel_confirmed, self._starts_of_life = None, False, 0
        self._received.clear()

    def _on_purged(self, event: Event) -> None:
        """Nothing is known of it any more: submitted again, it is another task."""
        if self._state is None:
            self._fail("H3", "it was purged before its end")
        self._purged = True
        self._attempt_purged = max(self._attempt_purged, self._attempt)
        self.lives += 1
        self._state, self._accepted, self._attempt, self._cancel_confirmed = None, None, 0, False
        self._followed = None
        self._starts_of_life = 0
        for known in (self._started, self._returned, self._computed, self._received):
            known.clear()

    def _end(self, state: int) -> None:
        if self._state is not None:
            self._fail("H3", f"it ended twice: {self._state}, then {state}")
        self._state = state

    # what the worker says

    def _on_started(self, event: Event) -> None:
        attempt = event["attempt"]
        self.starts += 1
        if self._attempt < attempt <= self._attempt_purged:
            return
        self._starts_of_life += 1
        if attempt in self._started:
            self._fail("H9", f"attempt {attempt} was started twice")
        if self._once and self._starts_of_life > 1:
            self._fail("H8", f"at_most_once, and started again as attempt {attempt}")
        if attempt in self._returned:
            self._fail("H9", f"attempt {attempt} was handed back as unstarted, and started")
        if attempt > self._attempt:
            self._fail("H9", f"attempt {attempt} was started before it was leased")
        number = event.get("number")
        if number is not None:
            if number != attempt - sum(one < attempt for one in self._returned):
                self._fail("H13", f"attempt {attempt} saw that it is number {number}")
            earlier = sum(one < attempt for one in self._started)
            if number <= earlier:
                self._fail("H13", f"attempt {attempt} saw that it is number {number}, after {earlier} starts")
        self._started.add(attempt)

    def _on_computed(self, event: Event) -> None:
        if event["outcome"] == 0:
            self._computed[event["attempt"]] = event["digest"]
