"""Records of a watched worker: a line for each attempt, few of many, and never a wait for the reader."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tq.common.domain.model import OutcomeNumber
from tq.common.values.codec import encode, encode_call, encode_chunk
from tq.common.values.failure import Failure
from tq.common.values.references import Reference
from tq.worker.agent.jobs import Job
from tq.worker.supervisor.event_pipe import CALM_RECORDS_MAX, FAILED_RECORDS_MAX, RECORD_BYTES_MAX, EventPipe


class Watched:
    """An event pipe, its clock and timers, and the end of its pipe."""

    def __init__(self) -> None:
        self.reads, self.writes = os.pipe()
        self.now = 0.0
        self.timers: list[Callable[[], None]] = []
        self.event_pipe = EventPipe(self.writes, lambda: self.now, lambda _, call: self.timers.append(call))

    def records(self) -> list[dict[str, Any]]:
        os.set_blocking(self.reads, False)
        try:
            text = os.read(self.reads, 1024 * 1024)
        except BlockingIOError:
            return []
        return [json.loads(line) for line in text.splitlines()]

    def end(
        self, *args: Any, outcome: OutcomeNumber = OutcomeNumber.SUCCESS, body: Any = 49, **kwargs: Any
    ) -> None:
        data = body if isinstance(body, bytes) or body is None else encode(body)
        self.event_pipe(job(encode_call(args, kwargs)), outcome, data, 0.25)


def job(payload: bytes) -> Job:
    return Job(bytes(16), 3, bytes(8), "default", "jobs:square", None, payload, number=2)


@pytest.fixture
def watched() -> Iterator[Watched]:
    one = Watched()
    yield one
    os.close(one.reads)
    os.close(one.writes)


def test_a_call_is_shown_as_python_with_its_outcome(watched: Watched) -> None:
    watched.end(7, size="large")
    [record] = watched.records()
    assert (record["call"], record["text"]) == ("square(7, size='large')", "49")
    assert (record["outcome"], record["seconds"], record["attempt"]) == ("success", 0.25, 2)


def test_a_failure_is_shown_with_its_traceback(watched: Watched) -> None:
    failure = Failure("KeyError", "'x'", "Traceback …\nKeyError: 'x'\n")
    watched.end(outcome=OutcomeNumber.ERROR, body=failure.encode())
    [record] = watched.records()
    assert (record["outcome"], record["text"]) == ("error", "KeyError: 'x'")
    assert record["traceback"] == failure.traceback


def test_a_keyword_that_names_a_secret_is_not_shown(watched: Watched) -> None:
    watched.end(user="me", smtp_password="open sesame")
    assert watched.records()[0]["call"] == "square(user='me', smtp_password=[hidden])"


def test_what_is_large_or_cannot_be_read_is_shown_in_few_words(watched: Watched) -> None:
    watched.end("x" * 100_000, body="y" * 100_000)
    watched.event_pipe(job(b"\xc1"), OutcomeNumber.SUCCESS, b"\xc1", 0.0)
    watched.event_pipe(job(encode_chunk([1, 2, 3], star=False)), OutcomeNumber.SUCCESS, None, 0.0)
    watched.end(list(range(1_000)), body={"a": "z" * 5_000})
    large, damaged, chunk, long = watched.records()
    assert (large["call"], large["text"]) == ("square(… 97 KiB)", "97 KiB")
    assert (damaged["call"], damaged["text"]) == ("square(…)", "a value that cannot be shown")
    assert chunk["call"] == "square(… 3 calls)"
    assert len(long["call"]) < 100
    assert len(long["text"]) < 100


def test_managers_objects_are_shown_by_their_names(watched: Watched) -> None:
    counts = Reference("object", ("dict", "counts", None, None), "00")
    watched.end(counts, body=counts)
    [record] = watched.records()
    assert (record["call"], record["text"]) == (
        "square(<dict 'counts' of a manager>)",
        "<dict 'counts' of a manager>",
    )


def test_of_many_a_second_few_are_shown_and_the_others_counted(watched: Watched) -> None:
    failure = Failure("E", "no").encode()
    for _ in range(1_000):
        watched.end(1)
        watched.end(1, outcome=OutcomeNumber.ERROR, body=failure)
    assert [one["action"] for one in watched.records()] == ["task.ended"] * (
        CALM_RECORDS_MAX + FAILED_RECORDS_MAX
    )
    [sum_up] = watched.timers
    sum_up()
    count, failed = 2_000 - CALM_RECORDS_MAX - FAILED_RECORDS_MAX, 1_000 - FAILED_RECORDS_MAX
    assert watched.records() == [{"action": "task.more", "count": count, "failed": failed}]
    watched.now += 1.0
    watched.end(2)
    assert watched.records()[0]["call"] == "square(2)"


def test_a_reader_that_does_not_read_costs_records_and_no_wait(watched: Watched) -> None:
    text = "t" * 100_000
    for _ in range(100):
        watched.now += 1.0
        watched.end(outcome=OutcomeNumber.ERROR, body=Failure("E", "m", text).encode())
    shown = watched.records()
    assert 0 < len(shown) < 100
    assert all(len(json.dumps(one)) < RECORD_BYTES_MAX for one in shown)
    assert all(one["traceback"].startswith("…") for one in shown)
    watched.timers[0]()
    assert watched.records() == [
        {"action": "task.more", "count": 100 - len(shown), "failed": 100 - len(shown)}
    ]


def test_a_reader_that_is_gone_is_no_error() -> None:
    watched = Watched()
    os.close(watched.reads)
    watched.end(1)
    os.close(watched.writes)
    assert watched.timers == []


def test_the_names_of_many_tasks_fit_a_record(watched: Watched) -> None:
    watched.event_pipe.serves([f"module:{'n' * 500}{number}" for number in range(500)])
    [record] = watched.records()
    assert record["count"] == 500
    assert len(record["tasks"]) == 20
