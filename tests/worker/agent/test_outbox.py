"""Reports that the master refuses: each costs its own attempt."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any

from tq.common.contract.workers import ReportRow
from tq.common.domain.model import OutcomeNumber
from tq.common.values.failure import Failure
from tq.worker.agent.outbox import FINISH_ROWS_MAX, Outbox, Refusal

Key = tuple[bytes, int]


def filled(numbers: Iterable[int]) -> tuple[Outbox, list[Key]]:
    outbox, keys = Outbox(), [(number.to_bytes(16, "big"), 1) for number in numbers]
    for key in keys:
        row = ReportRow(*key, b"lease", int(OutcomeNumber.SUCCESS), b"\xc0", 1.7e9, 0.1, None)
        outbox.put(key, row, [b"hash"])
    return outbox, keys


class Master:
    """Takes no call in which one of these is, unless it is a failure of ours."""

    def __init__(self, bad: Container[Key], *, takes_failures: bool = True, certain: bool = True) -> None:
        self.bad, self.takes_failures, self.certain = bad, takes_failures, certain
        self.taken: dict[Key, list[Any]] = {}
        self.refusals: list[Refusal] = []
        self.calls = 0

    def serve(self, outbox: Outbox) -> None:
        while rows := outbox.take_call():
            self.calls += 1
            if any(self._refuses(row) for row in rows):
                refusal = outbox.refused("no", certain=self.certain)
                self.refusals += [refusal] if refusal is not None else []
            else:
                self.taken |= {(row[0], row[1]): row for row in rows}
                outbox.answered([])

    def _refuses(self, row: list[Any]) -> bool:
        is_ours = row[3] == OutcomeNumber.ERROR and self.takes_failures
        return (row[0], row[1]) in self.bad and not is_ours


def test_one_bad_report_among_many_becomes_a_failure_and_the_others_arrive() -> None:
    outbox, keys = filled(range(FINISH_ROWS_MAX))
    bad = keys[1_234]
    master = Master({bad})
    master.serve(outbox)
    assert master.refusals == [Refusal(*bad, is_final=False)]
    assert set(master.taken) == set(keys)
    assert master.calls < 50
    failure = Failure.decode(master.taken.pop(bad)[4])
    assert (failure.type, failure.message) == (
        "ReportRefused",
        "the master refused the report of this attempt: no",
    )
    assert {row[3] for row in master.taken.values()} == {OutcomeNumber.SUCCESS}
    assert outbox.take_call() == []
    assert len(outbox) == 0


def test_many_bad_reports_are_found_one_by_one() -> None:
    outbox, keys = filled(range(64))
    bad = set(keys[::3])
    master = Master(bad)
    master.serve(outbox)
    assert {(one.id, one.attempt) for one in master.refusals} == bad
    assert set(master.taken) == set(keys)


def test_an_attempt_whose_failure_the_master_refuses_too_is_not_reported_again() -> None:
    outbox, keys = filled(range(5))
    master = Master({keys[2]}, takes_failures=False)
    master.serve(outbox)
    assert [one.is_final for one in master.refusals] == [False, True]
    assert set(master.taken) == set(keys) - {keys[2]}
    assert outbox.held == []


def test_a_refusal_that_may_be_about_something_else_is_believed_the_second_time() -> None:
    outbox, [key] = filled(range(1))
    outbox.take_call()
    assert outbox.refused("announce first", certain=False) is None
    outbox.connected()
    assert outbox.take_call()[0][3] == OutcomeNumber.SUCCESS
    assert outbox.refused("no", certain=False) == Refusal(*key, is_final=False)
    outbox.connected()
    assert outbox.take_call()[0][3] == OutcomeNumber.ERROR
    outbox.answered([])
    assert len(outbox) == 0


def test_a_failure_in_the_place_of_a_report_names_no_content() -> None:
    outbox, _ = filled(range(1))
    outbox.take_call()
    assert outbox.blobs_under_way == [[0, [b"hash"]]]
    outbox.refused("no", certain=True)
    outbox.take_call()
    assert outbox.blobs_under_way is None
