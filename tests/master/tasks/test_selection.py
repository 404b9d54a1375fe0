"""Many tasks by a filter, on the shipped engine: portions, their effects, notifications, and permissions."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.ids import IdSource, consecutive_ids, new_ids
from tq.common.domain.model import OutcomeNumber, Role, StateNumber
from tq.common.errors import InvalidArgument
from tq.common.values.failure import Failure
from tq.master.tasks.selection import CHANGED_MAX, VISITED_MAX

from ..conftest import Bench, Peer
from .test_explain import finish, lease, submit


def counted(peer: Peer, wanted: dict[str, Any]) -> dict[int, int]:
    """All portions of a count."""
    total: dict[int, int] = {}
    before = None
    while True:
        answer = peer.call("get_tasks", "select", wanted, 0, before)
        for state, tasks in answer["states"]:
            total[state] = total.get(state, 0) + tasks
        before = answer["before"]
        if before is None:
            return total


def performed(peer: Peer, method: str, wanted: dict[str, Any]) -> list[int]:
    """How many each portion changed."""
    portions, before = [], None
    while True:
        answer = peer.call("get_tasks", method, wanted, before)
        portions.append(answer["tasks"])
        before = answer["before"]
        if before is None:
            return portions


def fail(worker: Peer, count: int, error: str) -> None:
    kind, _, message = error.partition(": ")
    body = Failure(kind, message).encode()
    rows = [[*one, int(OutcomeNumber.ERROR), body, 0.0, 0.1, None] for one in lease(worker, count)]
    worker.call("get_dispatcher", "finish", rows)


@pytest.fixture
def client(bench: Bench) -> Peer:
    return bench.client(role=Role.ADMIN)


@pytest.fixture
def mixed(bench: Bench, client: Peer) -> Peer:
    """Two failed with SMTP, one with ValueError, one succeeded, three ready in q, two scheduled in img.a."""
    worker = bench.worker("m:f")
    submit(client, count=4)
    fail(worker, 2, "smtplib.SMTPServerDisconnected: bye")
    fail(worker, 1, "ValueError: no address")
    finish(worker, lease(worker, 1))
    submit(client, count=3)
    submit(client, count=2, queue="img.a", task="m:g", delay=60)
    return worker


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (
            {},
            {StateNumber.FAILED: 3, StateNumber.SUCCEEDED: 1, StateNumber.READY: 3, StateNumber.SCHEDULED: 2},
        ),
        ({"states": [StateNumber.FAILED]}, {StateNumber.FAILED: 3}),
        ({"queues": ["img.*"]}, {StateNumber.SCHEDULED: 2}),
        ({"queues": ["img.*", "q"], "states": [StateNumber.READY, StateNumber.SCHEDULED]}, {0: 3, 1: 2}),
        ({"names": ["*g"]}, {StateNumber.SCHEDULED: 2}),
        ({"names": ["m"]}, {}),
        ({"text": "smtp"}, {StateNumber.FAILED: 2}),
        ({"text": "NO ADDRESS"}, {StateNumber.FAILED: 1}),
        ({"errors": ["ValueError"]}, {StateNumber.FAILED: 1}),
        ({"errors": ["smtplib.*"], "text": "bye"}, {StateNumber.FAILED: 2}),
        ({"since": 1_700_000_000 + 1}, {}),
        ({"until": 1_700_000_000 - 1}, {}),
    ],
)
@pytest.mark.usefixtures("mixed")
def test_a_filter_chooses(client: Peer, wanted: dict[str, Any], found: dict[int, int]) -> None:
    assert counted(client, wanted) == found


def test_a_filter_chooses_by_tags_in_arrays_and_rows(bench: Bench, client: Peer) -> None:
    ids = consecutive_ids(IdSource().take(3), 3)
    tags = {"order": "4711", "shop": "3"}
    client.call("get_task_queue/q", "submit", "m:f", {"tags": tags}, [[ids[0], [b"", b"", b""]]])
    submit(client, count=2, tags={"order": "4712"})
    submit(client, count=4)
    assert counted(client, {"tags": {"order": ["4711"]}}) == {StateNumber.READY: 3}
    assert counted(client, {"tags": {"order": ["47*"]}}) == {StateNumber.READY: 5}
    assert counted(client, {"tags": {"order": ["47*"], "shop": ["3"]}}) == {StateNumber.READY: 3}
    assert counted(client, {"tags": {"shop": ["4"]}}) == {}
    worker = bench.worker("m:f")
    fail(worker, 1, "ValueError: no")  # it leaves the array, and keeps its tags
    assert counted(client, {"tags": {"order": ["4711"]}}) == {StateNumber.READY: 2, StateNumber.FAILED: 1}
    assert client.call("get_tasks", "show", ids[0])["tags"] == tags
    assert performed(client, "cancel_where", {"tags": {"order": ["4711"]}}) == [2]


@pytest.mark.parametrize("before", ["x", -1, 2**63, 1.5, True])
def test_where_a_portion_begins_is_judged(client: Peer, before: Any) -> None:
    with pytest.raises(InvalidArgument):
        client.call("get_tasks", "purge", {}, before)


def test_rows_are_shown_newest_first(client: Peer) -> None:
    ids = submit(client, count=5)
    answer = client.call("get_tasks", "select", {}, 3)
    assert [row["id"] for row in answer["rows"]] == ids[:1:-1]
    rest = client.call("get_tasks", "select", {}, 3, answer["before"])
    assert [row["id"] for row in rest["rows"]] == ids[1::-1]
    assert rest["before"] is None


def test_cancelling_many_tasks_goes_by_portions_and_notifies_watchers_and_workers(
    bench: Bench, client: Peer
) -> None:
    tasks, worker = 2 * CHANGED_MAX + 500, bench.worker("m:f")
    ids = submit(client, count=tasks)
    held = lease(worker, 3)
    orders = worker.ask("get_dispatcher", "orders")
    client.call("get_result_queue/s", "watch", ids[-1:])
    portions = performed(client, "cancel_where", {"queues": ["q"]})
    assert portions == [CHANGED_MAX, CHANGED_MAX, 500]
    assert client.call("get_result_queue/s", "collect") == [[ids[-1], StateNumber.CANCELLED, None]]
    assert worker.answer(orders) == [["cancel", id, 1] for id in reversed([one[0] for one in held])]
    assert counted(client, {}) == {StateNumber.READY: 3, StateNumber.CANCELLED: tasks - 3}, "none has begun"
    assert performed(client, "cancel_where", {"states": [StateNumber.RUNNING]}) == [0]


def test_one_portion_visits_a_bounded_number_of_tasks(client: Peer) -> None:
    [first] = submit(client)
    submit(client, count=VISITED_MAX, queue="other")
    answer = client.call("get_tasks", "select", {"queues": ["q"]}, 1)
    assert (answer["rows"], answer["states"]) == ([], [])
    answer = client.call("get_tasks", "select", {"queues": ["q"]}, 1, answer["before"])
    assert [row["id"] for row in answer["rows"]] == [first]


@pytest.mark.usefixtures("mixed")
def test_retrying_takes_what_ended_without_success(client: Peer) -> None:
    assert performed(client, "retry_where", {"text": "smtp"}) == [2]
    assert performed(client, "retry_where", {}) == [1]
    assert counted(client, {"queues": ["q"]}) == {StateNumber.READY: 6, StateNumber.SUCCEEDED: 1}


@pytest.mark.usefixtures("mixed")
def test_purging_deletes_what_is_asked_for_and_the_counts_stay_right(bench: Bench, client: Peer) -> None:
    assert performed(client, "purge", {"states": [StateNumber.FAILED], "text": "smtp"}) == [2]
    assert performed(client, "purge", {"states": [StateNumber.READY, StateNumber.SCHEDULED]}) == [5]
    assert counted(client, {}) == {StateNumber.FAILED: 1, StateNumber.SUCCEEDED: 1}
    rows = client.call("get_queues", "list")
    listed = {row["name"]: [row[str(state)] for state in StateNumber] for row in rows}
    bench.engine.store.begin()
    bench.engine._load()
    bench.engine.store.rollback()
    rows = client.call("get_queues", "list")
    assert listed == {row["name"]: [row[str(state)] for state in StateNumber] for row in rows}


def test_watchers_of_a_purged_task_get_the_outcome_cancelled(client: Peer) -> None:
    [id] = submit(client)
    client.call("get_result_queue/s", "watch", [id])
    assert performed(client, "purge", {"states": [StateNumber.READY]}) == [1]
    assert client.call("get_result_queue/s", "collect") == [[id, StateNumber.CANCELLED, None]]
    assert client.call("get_tasks", "states", [id]) == [[id, -1]]


def test_what_runs_is_never_purged(bench: Bench, client: Peer) -> None:
    worker = bench.worker("m:f")
    submit(client)
    held = lease(worker, 1)
    assert performed(client, "purge", {}) == [0]
    finish(worker, held)
    assert performed(client, "purge", {}) == [1]


def test_a_key_reaches_its_own_queues_only(bench: Bench, client: Peer) -> None:
    submit(client, count=2)
    submit(client, count=3, queue="img")
    theirs = bench.client(queues=("img",))
    assert counted(theirs, {}) == {StateNumber.READY: 3}
    assert performed(theirs, "cancel_where", {}) == [3]
    assert performed(theirs, "retry_where", {"queues": ["q"]}) == [0]
    assert counted(client, {}) == {StateNumber.READY: 2, StateNumber.CANCELLED: 3}


def test_a_task_that_was_purged_can_be_submitted_again(client: Peer) -> None:
    id = new_ids()
    for _ in range(2):
        assert client.call("get_task_queue/q", "submit", "m:f", {}, [[id, b"x"]]) == 1
        assert performed(client, "purge", {}) == [1]


# what one look costs


def test_a_look_that_finds_nothing_is_work_all_the_same(bench: Bench, client: Peer) -> None:
    submit(client, count=VISITED_MAX)
    calls = [client.ask("get_tasks", "select", {"until": 1.0}, 0) for _ in range(6)]
    performed = []
    while bench.engine.has_work:
        performed.append(len(bench.step().calls))
    assert performed == [2, 2, 2]
    assert [client.answer(call)["states"] for call in calls] == [[]] * 6


def test_patterns_that_take_long_make_a_portion_short_and_lose_no_task(client: Peer) -> None:
    tasks = 300
    for number in range(tasks):
        client.call(
            f"get_task_queue/{'a' * 240}{number}", "submit", "m:f", {}, [[new_ids(), b"\x92\x90\x80"]]
        )
    hard = ["*" + "a" * 120 + "b" + "a" * 120 + f"{n}*" for n in range(99)]
    first = client.call("get_tasks", "select", {"queues": [*hard, "a*"]}, 0)
    assert first["before"] is not None
    assert 0 < sum(count for _, count in first["states"]) < tasks
    assert sum(counted(client, {"queues": [*hard, "a*"]}).values()) == tasks


def test_failures_are_read_one_by_one_and_their_bytes_are_work(bench: Bench, client: Peer) -> None:
    worker = bench.worker("m:f")
    submit(client, count=40)
    body = Failure("E", "nothing to see", "t" * 100_000).encode()
    rows = [[*one, int(OutcomeNumber.ERROR), body, 0.0, 0.1, None] for one in lease(worker, 40)]
    worker.call("get_dispatcher", "finish", rows)
    first = client.call("get_tasks", "select", {"text": "to see"}, 0)
    assert 0 < sum(count for _, count in first["states"]) < 40
    assert counted(client, {"text": "to see"}) == {int(StateNumber.FAILED): 40}


def test_when_no_queue_fits_there_is_nothing_to_go_through(client: Peer) -> None:
    submit(client, count=VISITED_MAX + 1)
    assert client.call("get_tasks", "select", {"queues": ["other.*"]}, 0)["before"] is None


def test_a_pattern_has_no_more_characters_than_a_name(client: Peer) -> None:
    with pytest.raises(InvalidArgument, match="at most 255 characters"):
        client.call("get_tasks", "select", {"queues": ["*" * 256]}, 0)


def test_how_many_there_are_in_each_state_is_said_without_looking_at_one(bench: Bench, client: Peer) -> None:
    submit(client, count=VISITED_MAX + 10)
    performed(client, "cancel_where", {"states": [StateNumber.READY]})
    submit(client, count=7)
    read: list[str] = []
    bench.engine.store._db.set_trace_callback(read.append)  # type: ignore[attr-defined]
    answer = client.call("get_tasks", "select", {}, 0)
    some = client.call("get_tasks", "select", {"states": [int(StateNumber.READY)], "queues": ["nothing*"]}, 0)
    failed = client.call("get_tasks", "select", {"states": [int(StateNumber.FAILED)]}, 100)
    lines = client.call("get_tasks", "lines", {"states": [int(StateNumber.FAILED)]}, 100)
    bench.engine.store._db.set_trace_callback(None)  # type: ignore[attr-defined]
    assert dict(answer["states"]) == {StateNumber.READY: 7, StateNumber.CANCELLED: VISITED_MAX + 10}
    assert (answer["before"], some["states"], failed["rows"], failed["before"]) == (None, [], [], None)
    assert lines == {"rows": [], "before": None}
    assert not [sql for sql in read if "FROM tasks" in sql or "FROM slices" in sql]


def test_the_few_that_failed_are_found_without_looking_at_the_others(client: Peer) -> None:
    submit(client, count=VISITED_MAX)
    [few] = client.call("get_tasks", "cancel", [client.call("get_tasks", "select", {}, 1)["rows"][0]["id"]])
    submit(client, count=VISITED_MAX)
    found = client.call("get_tasks", "select", {"states": [int(StateNumber.CANCELLED)]}, 100)
    assert [row["id"] for row in found["rows"]] == [few[0]]
    assert found["before"] is None
    assert client.call("get_tasks", "retry_where", {}) == {"tasks": 1, "before": None}


# tasks of arrays


def submit_map(client: Peer, *sizes: int, queue: str = "q") -> list[bytes]:
    """Calls of so many tasks each, whose ids follow one another."""
    ids, all = IdSource(), []
    for size in sizes:
        call = consecutive_ids(ids.take(size), size)
        client.call(f"get_task_queue/{queue}", "submit", "m:f", {}, [[id, b""] for id in call])
        all += call
    return all


def test_an_array_is_counted_in_one_look_whatever_its_size(client: Peer) -> None:
    submit_map(client, *[2_000] * 6)
    answer = client.call("get_tasks", "select", {}, 0)
    assert (answer["states"], answer["before"]) == ([[StateNumber.READY, 12_000]], None)


def test_tasks_of_an_array_that_run_are_distinguished_from_those_that_wait_at_their_worker(
    bench: Bench, client: Peer
) -> None:
    worker = bench.worker("m:f")
    ids = submit_map(client, 100)
    held = lease(worker, 50)
    worker.call("get_dispatcher", "beat", [[*held[place], 0.5] for place in (7, 49)])
    assert counted(client, {}) == {StateNumber.READY: 98, StateNumber.RUNNING: 2}
    rows = client.call("get_tasks", "select", {"states": [StateNumber.RUNNING]}, 10)["rows"]
    assert [row["id"] for row in rows] == [ids[49], ids[7]]
    rows = client.call("get_tasks", "select", {"states": [StateNumber.READY]}, 52)["rows"]
    assert [row["id"] for row in rows] == [*ids[:49:-1], ids[48], ids[47]]


def test_a_filter_of_ids_chooses_from_within_arrays_and_beside_them(client: Peer) -> None:
    before = submit_map(client, 300)
    ids = submit_map(client, 300, 300, 1)
    submit_map(client, 300)
    wanted = {"ids": [ids[100], 450]}
    assert counted(client, wanted) == {StateNumber.READY: 450}
    rows = client.call("get_tasks", "select", wanted, 2)["rows"]
    assert [row["id"] for row in rows] == [ids[549], ids[548]]
    assert counted(client, {"ids": [ids[599], 10]}) == {StateNumber.READY: 2}
    assert counted(client, {"ids": [b"\xff" * 16, 1]}) == {}
    assert counted(client, {"ids": [before[0], 1]}) == {StateNumber.READY: 1}


def test_what_is_done_with_a_part_of_an_array_is_done_with_no_other(client: Peer) -> None:
    ids = submit_map(client, 1_500, 1_500)
    assert performed(client, "cancel_where", {"ids": [ids[1_000], 1_200]}) == [CHANGED_MAX, 200]
    assert counted(client, {}) == {StateNumber.READY: 1_800, StateNumber.CANCELLED: 1_200}
    assert performed(client, "retry_where", {"ids": [ids[0], 1_010]}) == [10]
    assert performed(client, "purge", {"ids": [ids[0], 5]}) == [5]
    assert counted(client, {}) == {StateNumber.READY: 1_805, StateNumber.CANCELLED: 1_190}


def test_a_filter_of_ids_reads_no_tasks_that_came_later(bench: Bench, client: Peer) -> None:
    ids = submit_map(client, 20)
    submit(client, count=VISITED_MAX + 1)
    assert client.call("get_tasks", "select", {"ids": [ids[0], 20]}, 0)["before"] is None


@pytest.mark.parametrize(
    "ids", [7, [], [b"short", 1], [b"x" * 16], [b"x" * 16, 0], [b"x" * 16, True], [b"x" * 16, 1 << 40]]
)
def test_ids_of_a_filter_are_validated(client: Peer, ids: Any) -> None:
    with pytest.raises(InvalidArgument):
        client.call("get_tasks", "select", {"ids": ids}, 0)
