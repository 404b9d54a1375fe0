"""The checker under test: for every rule histories that keep it, and histories that break it and no other."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import pytest
from tq.common.domain.model import OutcomeNumber, StateNumber

from .checker import Event, Final, check

pytestmark = pytest.mark.usefixtures("frozen")  # processor time is bounded here

ID = "task"
SECONDS_MAX = 10.0  # of the processor for a hundred thousand events; a square of them would take minutes


class Said(NamedTuple):
    what: str
    fields: dict[str, Any]


def said(what: str, **fields: Any) -> Said:
    return Said(what, fields)


def leased(attempt: int) -> Said:
    return said("leased", attempt=attempt)


def started(attempt: int, number: int | None = None) -> Said:
    return said("started", attempt=attempt, number=number)


def returned(attempt: int) -> Said:
    return said("returned", attempt=attempt, state=int(StateNumber.READY))


def computed(attempt: int, digest: str = "d") -> Said:
    return said("computed", attempt=attempt, outcome=0, digest=digest)


def accepted(attempt: int, digest: str = "d") -> Said:
    return said("accepted", attempt=attempt, digest=digest)


def ended(attempt: int, outcome: OutcomeNumber, state: StateNumber = StateNumber.READY) -> Said:
    return said("ended", attempt=attempt, outcome=int(outcome), state=int(state))


def received(state: StateNumber, digest: str = "") -> Said:
    return said("received", state=int(state), digest=digest)


def read(state: StateNumber, before: StateNumber | None = None) -> Said:
    return said("read", state=int(state), before=before)


SUBMITTING, ACKNOWLEDGED = said("submitting", once=False), said("acknowledged")
SUBMITTING_ONCE = said("submitting", once=True)
SUBMITTED, CANCELLED, CONFIRMED = said("submitted"), said("cancelled"), said("cancel-confirmed")
REVIVED, EXPIRED, PURGED = said("revived"), said("expired"), said("purged")
BEGIN = [SUBMITTING, SUBMITTED, ACKNOWLEDGED]
LOST_ONCE = [leased(1), started(1), ended(1, OutcomeNumber.LOST)]
DONE = Final(StateNumber.SUCCEEDED, 1, "d")
DONE_AT_TWO = DONE._replace(attempt=2)
GONE = Final(StateNumber.CANCELLED, 0, "")
GOOD = [*BEGIN, leased(1), started(1), computed(1), accepted(1), received(StateNumber.SUCCEEDED, "d")]
SECOND = [leased(2), started(2), computed(2), accepted(2)]


class Case(NamedTuple):
    rule: str
    story: list[Said]
    final: Final | None
    why: str


BECAME = ended(1, OutcomeNumber.BECAME, StateNumber.BLOCKED)
FOLLOWED = said("followed", state=int(StateNumber.SUCCEEDED), digest="d")

KEEPING = [
    Case("H1", GOOD, DONE, "acknowledged, and there"),
    Case("H1", [SUBMITTING], None, "never acknowledged, and not there"),
    Case("H2", GOOD, DONE, "it was asked for"),
    Case("H2", [SUBMITTING, SUBMITTED, CANCELLED], GONE, "asked for, its acknowledgement lost"),
    Case("H3", [*BEGIN, EXPIRED], Final(StateNumber.EXPIRED, 0, ""), "it ended once"),
    Case(
        "H3",
        [*BEGIN, leased(1), ended(1, OutcomeNumber.ERROR, StateNumber.FAILED), REVIVED, *SECOND],
        DONE_AT_TWO,
        "a new life by hand",
    ),
    Case("H4", GOOD, DONE, "accepted what was computed"),
    Case("H4", [*BEGIN, leased(1), started(1), accepted(1)], DONE, "killed before it could say what it was"),
    Case("H4", [*BEGIN, leased(1), BECAME, FOLLOWED], DONE, "it ended as the task that it became"),
    Case("H5", [*BEGIN, *LOST_ONCE, *SECOND, computed(1, "late")], DONE_AT_TWO, "the late one was refused"),
    Case("H6", [*BEGIN, *LOST_ONCE, *SECOND], DONE_AT_TWO, "one, two"),
    Case("H7", [*BEGIN, *LOST_ONCE, *SECOND], DONE_AT_TWO, "one lease ended before the next began"),
    Case(
        "H8",
        [SUBMITTING_ONCE, SUBMITTED, leased(1), returned(1), *SECOND],
        DONE_AT_TWO,
        "handed back unstarted, started once",
    ),
    Case("H9", [*BEGIN, leased(1), returned(1), *SECOND], DONE_AT_TWO, "never begun"),
    Case(
        "H9",
        [
            *BEGIN,
            leased(1),
            ended(1, OutcomeNumber.LOST),
            leased(2),
            started(2),
            computed(2),
            accepted(2),
            PURGED,
            started(1),
        ],
        None,
        "a worker that was cut off begins it late, when all of it is over",
    ),
    Case("H10", [*GOOD, received(StateNumber.SUCCEEDED, "d")], DONE, "the same answer twice"),
    Case("H11", [*BEGIN, CANCELLED, CONFIRMED], GONE, "cancelled and confirmed"),
    Case("H11", [*GOOD, read(StateNumber.SUCCEEDED)], DONE, "done before it could be cancelled"),
    Case("H12", [*GOOD, read(StateNumber.SUCCEEDED, StateNumber.SUCCEEDED)], DONE, "read again"),
    Case("H12", [*BEGIN, read(StateNumber.READY, None), *GOOD[3:]], DONE, "read before it ended"),
    Case(
        "H13",
        [*BEGIN, leased(1), returned(1), leased(2), started(2, 1), *SECOND[2:]],
        DONE_AT_TWO,
        "a lease that came back unstarted is no attempt",
    ),
    Case("H13", [*BEGIN, *LOST_ONCE, leased(2), started(2, 2), *SECOND[2:]], DONE_AT_TWO, "a lost one is"),
]

BREAKING = [
    Case("H1", BEGIN, None, "acknowledged, and not there"),
    Case(
        "H1",
        [*GOOD[:-1], said("received", state=-1, digest="")],
        DONE,
        "acknowledged, and a client gets the answer that it is unknown",
    ),
    Case("H2", [SUBMITTED, leased(1), accepted(1)], DONE, "it was not asked for"),
    Case("H3", [*BEGIN, leased(1)], Final(StateNumber.RUNNING, 1, ""), "it never ended"),
    Case("H3", [*BEGIN, CANCELLED, EXPIRED], Final(StateNumber.EXPIRED, 0, ""), "it ended twice"),
    Case("H3", [*BEGIN, CANCELLED], Final(StateNumber.EXPIRED, 0, ""), "the store remembers another end"),
    Case("H3", [*BEGIN, CANCELLED, leased(1)], GONE._replace(attempt=1), "leased after its end"),
    Case("H4", [*GOOD[:5], computed(1, "other"), *GOOD[6:]], DONE, "accepted what was not computed"),
    Case("H4", GOOD, DONE._replace(digest="other"), "the store keeps another result"),
    Case(
        "H4",
        [*BEGIN, leased(1), BECAME, FOLLOWED],
        DONE._replace(digest="other"),
        "another result than that of the task which it became",
    ),
    Case("H5", [*BEGIN, leased(1), FOLLOWED], DONE, "it ended as what it became, and still ran"),
    Case("H5", [*BEGIN, *LOST_ONCE, leased(2), accepted(1)], DONE_AT_TWO, "a late result was accepted"),
    Case(
        "H5",
        [*BEGIN, *LOST_ONCE, leased(2), ended(1, OutcomeNumber.ERROR, StateNumber.FAILED)],
        Final(StateNumber.FAILED, 2, ""),
        "a late failure was accepted",
    ),
    Case("H6", [*BEGIN, *LOST_ONCE, leased(3), accepted(3)], DONE._replace(attempt=3), "one, three"),
    Case("H6", [*BEGIN, *LOST_ONCE, leased(1), accepted(1)], DONE, "one, one"),
    Case("H6", GOOD, DONE_AT_TWO, "the store counted more attempts than were leased"),
    Case("H7", [*BEGIN, leased(1), *SECOND], DONE_AT_TWO, "two leases at once"),
    Case("H8", [SUBMITTING_ONCE, SUBMITTED, *LOST_ONCE, *SECOND], DONE_AT_TWO, "started again"),
    Case("H9", [*GOOD, started(1)], DONE, "one attempt was started twice"),
    Case("H9", [*BEGIN, started(1), *GOOD[3:4], *GOOD[5:]], DONE, "started before it was leased"),
    Case("H9", [*GOOD, PURGED, started(2)], None, "purged, and an attempt begins that never was"),
    Case(
        "H9",
        [*BEGIN, leased(1), returned(1), started(1), *SECOND],
        DONE_AT_TWO,
        "handed back, and started all the same",
    ),
    Case("H10", [*GOOD, received(StateNumber.SUCCEEDED, "other")], DONE, "another result for another reader"),
    Case("H10", [*GOOD, received(StateNumber.FAILED)], DONE, "another end for another reader"),
    Case("H11", [*BEGIN, leased(1), CONFIRMED, accepted(1)], DONE, "accepted after the cancel"),
    Case("H12", [*GOOD, read(StateNumber.RUNNING, StateNumber.SUCCEEDED)], DONE, "a read behind the result"),
    Case(
        "H13",
        [*BEGIN, leased(1), returned(1), leased(2), started(2, 2), *SECOND[2:]],
        DONE_AT_TWO,
        "it sees that it is a repetition, and never began before",
    ),
    Case(
        "H13",
        [*BEGIN, *LOST_ONCE, leased(2), started(2, 1), *SECOND[2:]],
        DONE_AT_TWO,
        "it sees that it is the first, and began before",
    ),
]


def history(story: list[Said], id: str = ID, since: float = 0.0) -> list[Event]:
    return [
        {"t": since + place, "who": "a process", "what": what, "id": id, **fields}
        for place, (what, fields) in enumerate(story)
    ]


def violated(case: Case) -> list[str]:
    rows = {} if case.final is None else {ID: case.final}
    return [violation.rule for violation in check(history(case.story), rows).violations]


@pytest.mark.parametrize("case", KEEPING, ids=lambda case: f"{case.rule}: {case.why}")
def test_a_history_that_keeps_the_rule_passes(case: Case) -> None:
    assert violated(case) == []


@pytest.mark.parametrize("case", BREAKING, ids=lambda case: f"{case.rule}: {case.why}")
def test_a_history_that_breaks_the_rule_is_caught_by_that_rule_only(case: Case) -> None:
    assert set(violated(case)) == {case.rule}


def test_two_accepted_results_of_one_task_are_caught_whatever_else_is_wrong_with_them() -> None:
    assert "H4" in violated(Case("H4", [*GOOD, accepted(1)], DONE, ""))


def test_every_rule_has_a_history_that_keeps_it_and_one_that_breaks_it() -> None:
    rules = {f"H{number}" for number in range(1, 14)}
    assert {case.rule for case in KEEPING} == rules
    assert {case.rule for case in BREAKING} == rules


def test_a_violation_names_its_rule_and_its_task() -> None:
    [violation] = check(history(BEGIN), {}).violations
    assert (violation.rule, violation.id) == ("H1", ID)
    assert str(violation).startswith("H1: ")


def test_events_are_judged_in_the_order_of_their_time_not_of_their_reading() -> None:
    assert check(reversed(history(GOOD)), {ID: DONE}).violations == []


def test_starts_beyond_the_first_of_a_life_are_counted() -> None:
    report = check(history([*BEGIN, *LOST_ONCE, *SECOND]), {ID: DONE_AT_TWO})
    assert (report.tasks, report.starts, report.extra_starts) == (1, 2, 1)


def test_a_start_in_a_new_life_is_no_extra_one() -> None:
    failed = [leased(1), started(1), ended(1, OutcomeNumber.ERROR, StateNumber.FAILED)]
    report = check(history([*BEGIN, *failed, REVIVED, *SECOND]), {ID: DONE_AT_TWO})
    assert (report.violations, report.starts, report.extra_starts) == ([], 2, 0)


def test_a_hundred_thousand_events_of_many_tasks_are_judged_in_seconds() -> None:
    tasks = [f"task {number}" for number in range(100_000 // len(GOOD))]
    events = [event for since, id in enumerate(tasks) for event in history(GOOD, id, since / 100)]
    began = time.thread_time()
    assert check(events, dict.fromkeys(tasks, DONE)).violations == []
    assert time.thread_time() - began < SECONDS_MAX


def test_a_hundred_thousand_events_of_one_task_are_judged_in_seconds() -> None:
    attempts = range(1, 33_334)
    story = [
        one
        for n in attempts
        for one in (leased(n), started(n), ended(n, OutcomeNumber.RETRY, StateNumber.SCHEDULED))
    ]
    final = Final(StateNumber.CANCELLED, len(attempts), "")
    began = time.thread_time()
    assert check(history([*BEGIN, *story, CANCELLED]), {ID: final}).violations == []
    assert time.thread_time() - began < SECONDS_MAX
