"""What a task or a list of tasks comes to is bounded, whatever its attempts, names and reasons are."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.ids import new_ids
from tq.common.domain.model import OutcomeNumber, Role
from tq.common.wire.frames import pack
from tq.master.engine.work import ROW_BYTES, ROWS_MAX
from tq.master.tasks import queries
from tq.master.tasks.queries import ATTEMPTS_BYTES_MAX, ATTEMPTS_SHOWN_MAX

from ..conftest import Bench, Peer

TASKS = ("get_tasks",)
FRAME_BYTES = 16 * 1024 * 1024


def submit(client: Peer, *names: str, queue: str = "q", **options: Any) -> list[bytes]:
    ids = [new_ids() for _ in names]
    for id, name in zip(ids, names, strict=True):
        client.call(("get_task_queue", queue), "submit", name, options, [[id, b""]])
    return ids


def fail(worker: Peer, body: bytes, times: int) -> None:
    """Let a task end so often, as an honest worker reports it."""
    for _ in range(times):
        lease, [[_, _, _, [[id, attempt, *_]]]] = worker.call("get_dispatcher", "lease", 1)
        row = [id, attempt, lease, int(OutcomeNumber.ERROR), body, 0.0, 0.0, 0.0]
        assert worker.call("get_dispatcher", "finish", [row]) == []


def announce(bench: Bench, tasks: list[str], queues: list[str]) -> Peer:
    worker = bench.worker()
    info = {"host": "h", "pid": 1, "slots": 1, "labels": {}, "tasks": tasks, "queues": queues, "version": "t"}
    worker.call("get_dispatcher", "announce", {**info, "allow": []}, [])
    return worker


def test_of_a_task_with_many_attempts_the_latest_are_shown_and_the_others_counted(bench: Bench) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    [id] = submit(client, "m:f", retries=10_000, backoff=0.0)
    fail(worker, b"x", ATTEMPTS_SHOWN_MAX + 7)
    shown = client.call(TASKS, "show", id)
    numbers = [one["attempt"] for one in shown["attempts"]]
    assert numbers == list(range(8, ATTEMPTS_SHOWN_MAX + 8))
    assert shown["attempts_left_out"] == 7
    [[_, host, *_]] = client.call(TASKS, "last_runs", [id])
    assert host == "host"


def test_of_large_failures_as_many_are_shown_as_fit(bench: Bench) -> None:
    client, worker = bench.client(), bench.worker("m:f")
    [id] = submit(client, "m:f", retries=10_000, backoff=0.0)
    body = b"x" * (ATTEMPTS_BYTES_MAX // 10)
    fail(worker, body, 15)
    shown = client.call(TASKS, "show", id)
    assert [one["attempt"] for one in shown["attempts"]] == list(range(5, 16))
    assert shown["attempts_left_out"] == 4
    assert all(one["body"] == body for one in shown["attempts"])


def test_a_transaction_gives_as_many_large_answers_as_fit_and_the_next_one_the_others(bench: Bench) -> None:
    """A hundred looks at large failures fit into 5 KB, and were answered with a gigabyte in one transaction."""
    client, worker = bench.client(), bench.worker("m:f")
    [id] = submit(client, "m:f", retries=10_000, backoff=0.0)
    fail(worker, b"x" * 68_000, 40)
    asked = [client.ask(TASKS, "show", id) for _ in range(20)]
    bench.step()
    at_once = len(client.answers)
    assert 1 <= at_once <= 1 + ROWS_MAX * ROW_BYTES // ATTEMPTS_BYTES_MAX
    while bench.engine.has_work:
        bench.step()
    assert len(client.answers) == len(asked)


def test_a_sentence_names_three_patterns_and_counts_the_others(bench: Bench) -> None:
    client = bench.client()
    for number in range(4):
        announce(bench, ["m:f"], [f"{number}-{one}-" + "z" * 240 for one in range(100)])
    [id] = submit(client, "m:f")
    why = client.call(TASKS, "show", id)["why"]
    assert "and 397 more: start one with `--queue q`" in why
    assert len(why) < 1_500


def test_a_list_ends_where_an_answer_is_full_and_goes_on_from_there(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "ROWS_BYTES_MAX", 40_000)
    client = bench.client()
    ids = submit(client, *[f"m:{number:03}" + "\N{SNOWMAN}" * 240 for number in range(100)])
    found: list[bytes] = []
    pages = 0
    while page := client.call(TASKS, "list", {}, 100, found[-1] if found else None):
        found += [row["id"] for row in page]
        pages += 1
    assert (found, pages > 2) == (ids[::-1], True)
    found, before, pages = [], None, 0
    while pages == 0 or before is not None:
        portion = client.call(TASKS, "select", {}, 100, before)
        assert sum(tasks for _, tasks in portion["states"]) == len(portion["rows"])
        found += [row["id"] for row in portion["rows"]]
        before, pages = portion["before"], pages + 1
    assert (found, pages > 2) == (ids[::-1], True)


def test_one_row_is_always_answered(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "ROWS_BYTES_MAX", 1)
    client = bench.client()
    [_, newest] = submit(client, "m:f", "m:g")
    assert [row["id"] for row in client.call(TASKS, "list", {}, 100)] == [newest]


def test_the_longest_list_of_tasks_fits_a_frame(bench: Bench) -> None:
    client, wide = bench.client(role=Role.ADMIN), "\N{DESERET CAPITAL LETTER LONG I}"
    queue = "q" + wide * 254
    for number in range(20):
        ids = [[new_ids(), b""] for _ in range(100)]
        client.call(("get_task_queue", queue), "submit", f"m:{number:02}" + wide * 251, {}, ids)
    client.call(("get_task_queue", queue), "pause", wide * 1_000)
    rows = client.call(TASKS, "list", {}, 2_000)
    assert 500 < len(rows) < 2_000
    assert 8 * 1024 * 1024 < len(pack(rows)) < FRAME_BYTES
