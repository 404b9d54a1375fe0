"""Reports that the master refuses: each costs its own attempt."""

from __future__ import annotations

from array import array
from collections.abc import Container, Iterable
from typing import Any

from tq.common.contract.workers import ReportRow
from tq.common.domain.model import OutcomeNumber
from tq.common.values.failure import Failure
from tq.worker.agent.ended import EndedSlice
from tq.worker.agent.outbox import FINISH_BYTES_MAX, FINISH_ROWS_MAX, Outbox, Refusal

Key = tuple[bytes, int]


def filled(numbers: Iterable[int]) -> tuple[Outbox, list[Key]]:
    outbox, keys = Outbox(), [(number.to_bytes(16, "big"), 1) for number in numbers]
    for key in keys:
        row = ReportRow(*key, b"lease", int(OutcomeNumber.SUCCESS), b"\xc0", 1.7e9, 0.1, None)
        outbox.put(row, [b"hash"])
    return outbox, keys


def sliced(first: int, count: int, lease: bytes = b"lease", body: bytes = b"\xc0") -> EndedSlice:
    id, times = first.to_bytes(16, "big"), array("d", range(count))
    return EndedSlice(id, 1, lease, [body] * count, times, times[:], count * len(body))


def next_rows(outbox: Outbox) -> list[ReportRow]:
    call = outbox.take_call()
    return [] if call is None else call.rows()


class Master:
    """Takes no call in which one of these is, unless it is a failure of ours."""

    def __init__(self, bad: Container[Key], *, takes_failures: bool = True, certain: bool = True) -> None:
        self.bad, self.takes_failures, self.certain = bad, takes_failures, certain
        self.taken: dict[Key, list[Any]] = {}
        self.refusals: list[Refusal] = []
        self.calls = 0

    def serve(self, outbox: Outbox) -> None:
        while rows := next_rows(outbox):
            self.calls += 1
            if any(self._refuses(row) for row in rows):
                refusal = outbox.refused("no", certain=self.certain)
                self.refusals += [refusal] if refusal is not None else []
            else:
                self.taken |= {(row[0], row[1]): row for row in rows}
                outbox.answered(set())

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
    assert outbox.take_call() is None
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
    assert next_rows(outbox)[0][3] == OutcomeNumber.SUCCESS
    assert outbox.refused("no", certain=False) == Refusal(*key, is_final=False)
    outbox.connected()
    assert next_rows(outbox)[0][3] == OutcomeNumber.ERROR
    outbox.answered(set())
    assert len(outbox) == 0


def test_a_failure_in_the_place_of_a_report_names_no_content() -> None:
    outbox, _ = filled(range(1))
    call = outbox.take_call()
    assert call is not None
    assert call.arguments[1] == [[0, [b"hash"]]]
    outbox.refused("no", certain=True)
    call = outbox.take_call()
    assert call is not None
    assert len(call.arguments) == 1


def test_one_bad_result_of_a_slice_becomes_a_failure_and_the_others_arrive() -> None:
    outbox = Outbox()
    outbox.put_slice(sliced(0, 500))
    bad = (123).to_bytes(16, "big"), 1
    master = Master({bad})
    master.serve(outbox)
    assert master.refusals == [Refusal(*bad, is_final=False)]
    assert len(master.taken) == 500
    assert {key for key, row in master.taken.items() if row[3] == OutcomeNumber.ERROR} == {bad}
    assert len(outbox) == 0


# slices


def test_slices_that_follow_one_another_are_joined_whatever_comes_between_them() -> None:
    outbox = Outbox()
    for first in (0, 256, 100, 300):
        outbox.put_slice(sliced(first, 100 if first < 256 else 44))
    call = outbox.take_call()
    assert call is not None
    assert [one.held[0][1] for one in call.ended] == [200, 88]
    outbox.put_slice(sliced(200, 56))  # what travels is not changed any more
    assert (len(call), len(outbox)) == (288, 344)


def test_slices_of_other_leases_or_attempts_are_not_joined() -> None:
    outbox = Outbox()
    outbox.put_slice(sliced(0, 10))
    outbox.put_slice(sliced(10, 10, lease=b"other"))
    second = sliced(20, 10, lease=b"other")
    second.attempt = 2
    outbox.put_slice(second)
    assert [row[1:] for row in outbox.held] == [[1, b"lease"], [1, b"other"], [2, b"other"]]


def test_a_slice_is_cut_where_a_call_is_full() -> None:
    outbox = Outbox()
    outbox.put_slice(sliced(0, FINISH_ROWS_MAX + 500))
    assert [len(call) for call in outbox.take_rest()] == [FINISH_ROWS_MAX, 500]
    outbox.put_slice(sliced(0, 10, body=bytes(FINISH_BYTES_MAX // 4)))
    assert [len(call) for call in outbox.take_rest()] == [4, 4, 2]
    outbox.body_bytes_max = 100
    outbox.put_slice(sliced(0, 3, body=bytes(101)))
    calls = outbox.take_rest()
    assert [row.outcome for call in calls for row in call.rows()] == [OutcomeNumber.ERROR] * 3
    assert len(outbox) == 0


def test_of_a_slice_those_that_are_lost_are_dropped() -> None:
    outbox = Outbox()
    outbox.put_slice(sliced(0, 10))
    outbox.take_call()
    outbox.connected()
    outbox.drop({(number.to_bytes(16, "big"), 1) for number in (0, 4, 5)} | {((7).to_bytes(16, "big"), 2)})
    assert [int.from_bytes(row.id, "big") for row in next_rows(outbox)] == [1, 2, 3, 6, 7, 8, 9]
    assert outbox.answered({1, 3}) == [(2).to_bytes(16, "big"), (6).to_bytes(16, "big")]
    assert len(outbox) == 0
