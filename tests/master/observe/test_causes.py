"""Why tasks have failed, counted with their ends, bounded, and there after a restart."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.contract.observe import CauseRow
from tq.common.contract.rows import all_from_wire
from tq.common.domain.ids import new_ids
from tq.common.domain.model import OutcomeNumber
from tq.common.values.failure import Failure
from tq.master.observe import causes
from tq.master.observe.causes import OF_CALLABLE_MAX

from tests.master.conftest import Bench

TRACE = 'Traceback\n  File "/app/jobs.py", line 7, in send\n    x\n'


def failure(kind: str = "ValueError", message: str = "no") -> bytes:
    return Failure(kind, message, TRACE, {"args": ["x" * 50_000]}).encode()


def fail(
    bench: Bench,
    *bodies: bytes | None,
    queue: str = "q",
    outcome: OutcomeNumber = OutcomeNumber.DISCARD,
    **options: Any,
) -> list[bytes]:
    """One task for each of these, all reported together."""
    ids: list[bytes] = [new_ids() for _ in bodies]
    client, worker = bench.client(), bench.worker("m:f", slots=len(ids), labels={"version": "2026-11"})
    for id in ids:
        client.call(("get_task_queue", queue), "submit", "m:f", options, [[id, b""]])
    rows: list[list[Any]] = []
    while len(rows) < len(ids):
        lease, groups = worker.call("get_dispatcher", "lease", len(ids))
        for _, _, _, tasks, *_ in groups:
            for id, attempt, *_ in tasks:
                rows.append([id, attempt, lease, int(outcome), bodies[len(rows)], 0.0, 0.02, None])
    worker.call("get_dispatcher", "finish", rows)
    return ids


def known(bench: Bench, *queues: str) -> list[CauseRow]:
    return all_from_wire(CauseRow, bench.client(queues=queues).call("get_master", "causes"))


def test_failures_of_one_kind_in_one_place_are_one_cause(bench: Bench) -> None:
    fail(bench, failure())
    bench.advance(60)
    [last] = fail(bench, failure(message="again"))
    [one] = known(bench)
    assert (one.queue, one.name, one.kind, one.where, one.line) == (
        "q",
        "m:f",
        "ValueError",
        "send, jobs.py",
        7,
    )
    assert (one.failed, one.retried, one.message, one.newest) == (2, 0, "again", last)
    assert one.last - one.first == pytest.approx(60, abs=1)
    assert sum(one.hours) == 2
    assert one.hosts == {"host": 2}
    assert one.versions == {"2026-11": 2}


def test_another_type_and_another_queue_are_others_and_the_last_comes_first(bench: Bench) -> None:
    fail(bench, failure())
    bench.advance(1)
    fail(bench, failure("KeyError"))
    bench.advance(1)
    fail(bench, failure(), queue="other")
    assert [(one.queue, one.kind) for one in known(bench)] == [
        ("other", "ValueError"),
        ("q", "KeyError"),
        ("q", "ValueError"),
    ]
    assert [one.queue for one in known(bench, "oth*")] == ["other"], "a key of some queues sees theirs alone"


def test_an_attempt_that_is_tried_again_counts_as_that(bench: Bench) -> None:
    fail(bench, failure(), outcome=OutcomeNumber.ERROR, retries=3)
    [one] = known(bench)
    assert (one.failed, one.retried) == (0, 1)


def test_a_death_without_a_word_is_a_cause_by_its_outcome(bench: Bench) -> None:
    fail(bench, None, outcome=OutcomeNumber.CRASH, max_crashes=1)
    [one] = known(bench)
    assert one.failed == 1
    assert one.where == ""
    assert one.kind


def test_they_are_there_after_a_restart_and_gone_with_a_transaction_that_failed(bench: Bench) -> None:
    fail(bench, failure())
    before = known(bench)
    bench.engine.part(causes.Causes).load(bench.engine.store.load(), bench.engine.now)
    assert known(bench) == before
    fail(bench, failure())
    assert known(bench)[0].failed == 2


def test_very_many_kinds_of_one_callable_cost_no_other_callable_its_causes(bench: Bench) -> None:
    for start in range(0, 2 * OF_CALLABLE_MAX, 20):
        fail(bench, *(failure(f"Odd{start + one}") for one in range(20)))
        bench.advance(1)
    assert len(known(bench)) == OF_CALLABLE_MAX
    rows = bench.engine.store.series.rows(causes.RING, -1, 10_000)
    assert len(rows) == OF_CALLABLE_MAX
    bench.engine.part(causes.Causes).load(bench.engine.store.load(), bench.engine.now)
    assert {one.kind for one in known(bench)} == {
        f"Odd{one}" for one in range(OF_CALLABLE_MAX, 2 * OF_CALLABLE_MAX)
    }


def test_of_very_many_failures_in_one_transaction_some_are_read_and_all_are_counted(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(causes, "READ_MAX", 3)
    fail(bench, *(failure(f"Kind{number}") for number in range(8)))
    found = {one.kind: one.failed for one in known(bench)}
    assert found == {"Kind0": 1, "Kind1": 1, "Kind2": 6}


def test_a_failure_that_is_not_read_is_counted_although_the_last_cause_of_its_callable_gave_way(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(causes, "OF_CALLABLE_MAX", 3)
    monkeypatch.setattr(causes, "READ_MAX", 4)
    client, worker = bench.client(), bench.worker("m:f", slots=10)
    queues = ["a", "b", "b", "b", "a"]
    for queue in queues:
        client.call(("get_task_queue", queue), "submit", "m:f", {}, [[new_ids(), b""]])
    leased: dict[str, list[list[Any]]] = {"a": [], "b": []}
    while sum(map(len, leased.values())) < len(queues):
        lease, groups = worker.call("get_dispatcher", "lease", 10)
        for queue, _, _, tasks, *_ in groups:
            for id, attempt, *_ in tasks:
                leased[queue].append([id, attempt, lease, int(OutcomeNumber.DISCARD)])
    rows = [
        [*leased[queue].pop(), failure(f"Kind{number}"), 0.0, 0.02, None]
        for number, queue in enumerate(queues)
    ]
    assert worker.call("get_dispatcher", "finish", rows) == []
    assert {(one.queue, one.kind): one.failed for one in known(bench)} == {
        ("b", "Kind2"): 1,
        ("b", "Kind3"): 1,
        ("a", "Kind4"): 1,
    }
