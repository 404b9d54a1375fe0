"""The jobs of a block as one call: which begin, what is reported of each, and in which order."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tq.common.domain.callables import NamedCallable
from tq.common.domain.coalesce import Coalesce
from tq.common.domain.lane_terms import LaneTerms
from tq.common.domain.model import OutcomeNumber
from tq.common.errors import TimeLimit
from tq.common.runtime.made_resources import MadeResources
from tq.common.values.codec import encode, encode_call
from tq.common.values.failure import Failure
from tq.common.values.many_calls import SEPARATOR_BYTES, ManyCalls
from tq.common.wire.frames import unpack
from tq.worker.child.block import Block
from tq.worker.child.report_buffer import FLUSH_SECONDS, SLICE_FIELDS, ReportBuffer
from tq.worker.child.served import ServedTask
from tq.worker.child.start_page import TAKEN, StartPage
from tq.worker.child.together_runs import RunsTogether

FIRST = 7  # the ordinal of the first job


class Child(RunsTogether):
    def __init__(self) -> None:
        self.words = [0] * 32
        self.first, self.is_swift, self.now = FIRST, False, 5.0
        self.flushed: list[float] = []
        self.entries: list[list[Any]] = []
        self._starts = StartPage(self.words)
        fakes: dict[str, Any] = {
            "_blobs": SimpleNamespace(send=lambda blobs: [], here=set()),
            "_fork_guard": SimpleNamespace(exit_if_forked=lambda *error: None),
            "_writer": SimpleNamespace(used=False),
            "_reports": SimpleNamespace(
                other=self.entries.append,
                result=lambda ordinal, body, *times: self.entries.append([ordinal, 0, body, *times]),
                end_of_block=lambda: None,
                size_bytes=0,
            ),
            "_calls": ManyCalls(bytes(SEPARATOR_BYTES)),
            "_flushed_at": 5.0,
            "_wall": lambda: 1.7e9,
            "_clock": lambda: self.now,
            "_flush": self.flushed.append,
            "_note": None,
            "context": lambda: None,
        }
        self.__dict__.update(fakes)

    def run(self, function: Any, *payloads: bytes, timeout: float | None = None) -> list[list[Any]]:
        task = NamedCallable(name="m:f", function=function, terms=LaneTerms(coalesce=Coalesce(5)))
        runs = [[bytes(16), len(payloads), 1, 1]]
        block = Block(self.first, "m:f", "q", b"lease", timeout, self.is_swift, runs, payloads)
        self._run_together(block, ServedTask.of(task, MadeResources()))
        return self.entries


def calls(*items: Any) -> list[bytes]:
    return [encode_call((item,), {}) for item in items]


def test_each_job_is_reported_in_its_order() -> None:
    entries = Child().run(
        lambda items: [one * 2 for one in items], *calls(1, 2), encode_call((), {"items": 3})
    )
    assert [(entry[0], entry[1], entry[2]) for entry in entries] == [
        (FIRST + place, 0, encode(value)) for place, value in enumerate((2, 4, 6))
    ]


def test_results_of_a_block_travel_as_one_slice() -> None:
    child = Child()
    reports = child.__dict__["_reports"] = ReportBuffer()
    for function in (list, list, lambda items: [1, ValueError("no"), 3]):
        child.run(function, *calls(1, 2, 3))
        child.first += 3
    entries = unpack(reports.take())
    assert [(entry[0] - FIRST, len(entry[1]) if len(entry) == SLICE_FIELDS else None) for entry in entries] == [
        (0, 3), (3, 3), (6, 1), (7, None), (8, 1),
    ]  # fmt: skip


def test_a_call_that_cannot_be_read_fails_by_itself() -> None:
    seen: list[Any] = []

    def function(items: list[Any]) -> list[Any]:
        seen.append(items)
        return items

    entries = Child().run(function, *calls(1), b"\xc1", encode_call((1, 2), {}), *calls(4))
    assert seen == [[1, 4]]
    assert [entry[1] for entry in entries] == [0, OutcomeNumber.ERROR, OutcomeNumber.ERROR, 0]
    assert "have one argument each" in Failure.decode(entries[2][2]).message


@pytest.mark.parametrize(
    ("raised", "outcome"),
    [
        (ValueError("no"), OutcomeNumber.ERROR),
        (TimeLimit("5 s"), OutcomeNumber.TIMEOUT),
        (SystemExit(1), OutcomeNumber.ERROR),
    ],
)
def test_what_ends_the_call_ends_each(raised: BaseException, outcome: int) -> None:
    def function(items: list[Any]) -> list[Any]:
        raise raised

    assert [entry[1] for entry in Child().run(function, *calls(1, 2), timeout=5.0)] == [outcome, outcome]


def test_those_that_were_taken_back_do_not_run() -> None:
    child = Child()
    child.words[TAKEN] = FIRST + 1  # after the first two had been sent
    entries = child.run(lambda items: items, *calls(1, 2, 3))
    assert [entry[0] for entry in entries] == [FIRST + 2]
    assert Child().run(lambda items: items) == []


def test_what_is_over_does_not_wait_for_a_call_that_may_take_long() -> None:
    child = Child()
    child.run(lambda items: items, *calls(1, 2))
    assert child.flushed == [5.0], "before it, and not behind it: another one may follow"


def test_reports_of_short_calls_leave_together() -> None:
    child = Child()
    child.is_swift = True
    for _ in range(3):
        child.run(lambda items: items, *calls(1, 2))
    assert child.flushed == []
    child.now += 2 * FLUSH_SECONDS
    child.run(lambda items: items, *calls(1, 2))
    assert child.flushed == [child.now], "none waits longer than those of jobs that run one after the other"
