"""What attempts say: whom the master listens to, what it keeps of it, and who is shown what."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.ids import new_ids
from tq.common.domain.model import OUTPUT_KEPT_BYTES, OutcomeNumber, Role
from tq.common.errors import Forbidden, InvalidArgument, UnknownTask
from tq.master.tasks import attempt_output

from ..conftest import Bench, Peer


def started(bench: Bench) -> tuple[Peer, bytes, bytes]:
    """A worker with one task: the worker, the task's id and the lease."""
    worker, id = bench.worker("m:f"), new_ids()
    waiting = worker.ask("get_dispatcher", "lease", 1)
    bench.client().call("get_task_queue/q", "submit", "m:f", {}, [[id, b"payload"]])
    lease, _ = worker.answer(waiting)
    return worker, id, lease


def say(worker: Peer, *row: Any) -> None:
    worker.call("get_dispatcher", "observe", [list(row)])


def test_what_an_attempt_says_is_shown(bench: Bench) -> None:
    worker, id, lease = started(bench)
    say(worker, id, 1, lease, 6, b"hello\n", [3, 10, "three"])
    shown = bench.client().call("get_tasks", "show", id)
    assert shown["progress"] == [3, 10, "three", bench.now.wall / 1000]
    assert shown["attempts"][0]["log"] == "hello\n"
    [listed] = bench.client(role=Role.VIEWER).call("get_tasks", "list", {})
    assert listed["progress"][:2] == [3, 10]


def test_progress_is_answered_of_tasks_that_run_and_have_reported_it(bench: Bench) -> None:
    worker, id, lease = started(bench)
    client = bench.client()
    silent, unknown = new_ids(), new_ids()
    client.call("get_task_queue/q", "submit", "m:f", {}, [[silent, b""]])
    assert client.call("get_tasks", "progress", [id, silent, unknown]) == []
    say(worker, id, 1, lease, 0, b"", [3, None, "three"])
    [row] = bench.client(role=Role.VIEWER).call("get_tasks", "progress", [silent, id, unknown])
    assert row == [id, client.call("get_tasks", "show", id)["started"], 3, None, "three"]
    assert bench.client(queues=("other",)).call("get_tasks", "progress", [id]) == []
    with pytest.raises(InvalidArgument, match="at most 200"):
        client.call("get_tasks", "progress", [new_ids() for _ in range(201)])
    worker.call("get_dispatcher", "finish", [[id, 1, lease, int(OutcomeNumber.SUCCESS), b"", 0.0, 1.0, None]])
    assert client.call("get_tasks", "progress", [id]) == []


def test_it_stays_when_the_attempt_is_over_and_each_has_its_own(bench: Bench) -> None:
    worker, id, lease = started(bench)
    say(worker, id, 1, lease, 5, b"first", None)
    waiting = worker.ask("get_dispatcher", "lease", 1)
    worker.call("get_dispatcher", "finish", [[id, 1, lease, int(OutcomeNumber.CRASH), None, 0.0, 1.0, None]])
    lease, _ = worker.answer(waiting)
    say(worker, id, 2, lease, 6, b"second", None)
    shown = bench.client().call("get_tasks", "show", id)
    assert [attempt["log"] for attempt in shown["attempts"]] == ["first", "second"]


def test_output_is_accepted_from_the_holder_of_the_lease_only(bench: Bench) -> None:
    worker, id, lease = started(bench)
    other = bench.worker("m:f")
    say(other, id, 1, b"x" * 16, 4, b"lies", None)
    say(worker, id, 2, lease, 4, b"lies", None)
    say(worker, new_ids(), 1, lease, 4, b"lies", None)
    assert bench.client().call("get_tasks", "show", id)["attempts"] == [], (
        "none of that says that it has begun"
    )
    say(worker, id, 1, lease, 4, b"true", None)
    assert bench.client().call("get_tasks", "show", id)["attempts"][0]["log"] == "true"


def test_nothing_is_taken_from_an_attempt_that_has_ended(bench: Bench) -> None:
    worker, id, lease = started(bench)
    worker.call("get_dispatcher", "finish", [[id, 1, lease, 0, None, 0.0, 1.0, None]])
    say(worker, id, 1, lease, 4, b"late", None)
    assert bench.client().call("get_tasks", "log", id)["text"] == b""


def test_output_that_arrives_in_the_transaction_of_the_end_is_kept(bench: Bench) -> None:
    worker, id, lease = started(bench)
    worker.ask("get_dispatcher", "observe", [[id, 1, lease, 4, b"last", [5, None, ""]]])
    worker.call("get_dispatcher", "finish", [[id, 1, lease, 0, None, 0.0, 1.0, None]])
    shown = bench.client().call("get_tasks", "show", id)
    assert (shown["attempts"][0]["log"], shown["progress"][0]) == ("last", 5)


@pytest.mark.parametrize(
    "row",
    [
        [],
        [b"i" * 16, 1, b"l" * 16, 1, b"ab", None],
        [b"i" * 16, 1, b"l" * 16, 2**60, b"ab", None],
        [b"i" * 16, 1, b"l" * 16, 2, "ab", None],
        [b"i" * 16, 1, b"l" * 16, 0, b"", [1, 2]],
        [b"i" * 16, 1, b"l" * 16, 0, b"", [float("nan"), 2, ""]],
        [b"i" * 16, 1, b"l" * 16, 0, b"", [1, float("inf"), ""]],
        [b"i" * 16, 1, b"l" * 16, 0, b"", [1, 2, "x" * 201]],
        [b"i" * 16, "1", b"l" * 16, 0, b"", None],
    ],
)
def test_what_an_attempt_cannot_say_is_refused(bench: Bench, row: list[Any]) -> None:
    worker, _, _ = started(bench)
    with pytest.raises(InvalidArgument):
        say(worker, *row)


def test_a_call_has_bounds(bench: Bench) -> None:
    worker, id, lease = started(bench)
    row = [id, 1, lease, 2**20 + 1, b"x" * (2**20 + 1), None]
    with pytest.raises(InvalidArgument, match="bytes of text"):
        say(worker, *row)
    with pytest.raises(InvalidArgument, match="rows"):
        worker.call("get_dispatcher", "observe", [[id, 1, lease, 0, b"", None]] * 1_001)


def test_a_log_is_read_from_where_the_reader_stands(bench: Bench) -> None:
    worker, id, lease = started(bench)
    say(worker, id, 1, lease, 10, b"0123456789", None)
    client = bench.client()
    first = client.call("get_tasks", "log", id)
    assert (first["start"], first["text"], first["size"], first["running"]) == (0, b"0123456789", 10, True)
    assert client.call("get_tasks", "log", id, None, 8)["text"] == b"89"
    assert client.call("get_tasks", "log", id, 1, 99)["text"] == b""
    say(worker, id, 1, lease, 10 + OUTPUT_KEPT_BYTES, b"x" * OUTPUT_KEPT_BYTES, None)
    assert client.call("get_tasks", "log", id, None, 3)["start"] == 10


def test_a_log_is_for_those_who_may_see_the_task(bench: Bench) -> None:
    worker, id, lease = started(bench)
    say(worker, id, 1, lease, 3, b"abc", None)
    with pytest.raises(UnknownTask):
        bench.client(queues=("other",)).call("get_tasks", "log", id)
    with pytest.raises(Forbidden):
        worker.call("get_tasks", "log", id)
    for wrong in ((id, 0), (id, "1"), (id, 1, -1)):
        with pytest.raises(InvalidArgument):
            bench.client().call("get_tasks", "log", *wrong)


def test_all_logs_together_stay_within_their_bound(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempt_output, "LOGS_BYTES_MAX", 5)
    worker, id, lease = started(bench)
    say(worker, id, 1, lease, 10, b"0123456789", None)
    bench.advance(11)
    assert bench.engine.store.log_bytes == 0


def test_a_beat_reports_the_memory_of_its_worker(bench: Bench) -> None:
    worker = bench.worker("m:f")
    worker.call("get_dispatcher", "beat", [], {"memory_bytes": 123})
    [row] = bench.client().call("get_workers", "list")
    assert row["memory_bytes"] == 123
    worker.call("get_dispatcher", "beat", [])
    for wrong in ({"memory_bytes": "much"}, {"memory_bytes": -1}, {"memory_bytes": True}, [1]):
        with pytest.raises(InvalidArgument):
            worker.call("get_dispatcher", "beat", [], wrong)
