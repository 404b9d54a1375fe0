"""What a master logs of attempts that fail: a line each, with whether the task runs again; few of a flood, and its count."""

from __future__ import annotations

from typing import Any

from tq.common.domain.ids import new_ids, show_id
from tq.common.domain.model import OutcomeNumber
from tq.common.errors import StoreError
from tq.common.runtime.limited_log import LINES_AT_ONCE, SECONDS_A_LINE
from tq.common.values.failure import Failure

from tests.master.leased import each

from ..conftest import GRACE_MS, Bench, Peer

ERROR = int(OutcomeNumber.ERROR)


def submit(bench: Bench, count: int = 1, **options: Any) -> list[bytes]:
    ids = new_ids.many(count)
    bench.client().call("get_task_queue/q", "submit", "m:f", options, [[id, b""] for id in ids])
    return ids


def reports(worker: Peer, want: int, outcome: int = ERROR, **after: float) -> list[list[Any]]:
    """Reports of leased tasks, all of which have ended so."""
    lease, groups = worker.call("get_dispatcher", "lease", want)
    body = Failure("ValueError", "not in the log").encode()
    return [
        [entry[0], entry[1], lease, outcome, body, 0.0, 0.1, after.get("seconds")] for entry in each(groups)
    ]


def lines(bench: Bench, *actions: str) -> list[dict[str, Any]]:
    return [fields for action, fields in bench.reports if action in (actions or ("attempt.failed",))]


def test_an_attempt_that_fails_is_a_line_with_task_attempt_type_and_whether_it_runs_again(
    bench: Bench,
) -> None:
    [id] = submit(bench, retries=1, backoff=8)
    worker = bench.worker("m:f")
    worker.call("get_dispatcher", "finish", reports(worker, 1))
    of = {"level": "warning", "task": show_id(id), "name": "m:f", "queue": "q", "outcome": "error"}
    first = {**of, "attempt": 1, "type": "ValueError", "will_retry": True, "again_in_seconds": 6.0}
    assert lines(bench) == [first]
    bench.advance(10)
    worker.call("get_dispatcher", "finish", reports(worker, 1))
    second = {**of, "attempt": 2, "type": "ValueError", "will_retry": False, "state": "failed"}
    assert lines(bench) == [first, second]
    assert "not in the log" not in str(bench.reports)


def test_a_task_that_is_cancelled_or_asks_to_be_run_later_has_not_failed(bench: Bench) -> None:
    submit(bench, 2)
    worker = bench.worker("m:f")
    worker.call("get_dispatcher", "finish", reports(worker, 1, int(OutcomeNumber.SNOOZE), seconds=60.0))
    worker.call("get_dispatcher", "finish", reports(worker, 1, int(OutcomeNumber.CANCELLED)))
    assert lines(bench) == []


def test_an_attempt_whose_end_could_not_be_committed_is_logged_when_it_is(bench: Bench) -> None:
    submit(bench)
    worker = bench.worker("m:f")
    rows = reports(worker, 1)

    def fail() -> None:
        bench.engine.store.rollback()
        raise StoreError("the disk is full")

    worker.ask("get_dispatcher", "finish", rows)
    bench.step(commit=fail)
    assert lines(bench) == []
    bench.advance(GRACE_MS / 1000, silent=worker)
    again = bench.worker("m:f", node=worker.session.node, held=[row[:3] for row in rows])
    again.call("get_dispatcher", "finish", rows)
    assert len(lines(bench)) == 1


def test_a_flood_of_failures_is_a_few_lines_and_their_count(bench: Bench) -> None:
    submit(bench, 1_000)
    worker = bench.worker("m:f")
    worker.call("get_dispatcher", "finish", reports(worker, 1_000))
    assert len(lines(bench)) == LINES_AT_ONCE
    bench.advance(2 * SECONDS_A_LINE)
    rest = {"level": "warning", "of": "attempt.failed", "count": 1_000 - LINES_AT_ONCE}
    assert lines(bench, "log.left_out") == [rest]
    bench.advance(4 * SECONDS_A_LINE)
    assert lines(bench, "log.left_out") == [rest]
