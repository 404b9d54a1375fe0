"""Tasks as lines: an array is one, counted by state, whatever came in between, however large, and for each key its own queues."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from tq.common.domain.ids import IdSource, consecutive_ids, id_behind
from tq.common.domain.model import OutcomeNumber, Role, StateNumber
from tq.common.errors import InvalidArgument
from tq.common.values.failure import Failure
from tq.master.tasks import lines as shipped
from tq.master.tasks.neighbours import LONE_MAX

from ..conftest import Bench, Peer
from .test_arrays import lease
from .test_selection import fail

READY, SCHEDULED, RUNNING, SUCCEEDED, FAILED, CANCELLED = (
    int(state)
    for state in (
        StateNumber.READY,
        StateNumber.SCHEDULED,
        StateNumber.RUNNING,
        StateNumber.SUCCEEDED,
        StateNumber.FAILED,
        StateNumber.CANCELLED,
    )
)
Row = dict[str, Any]


class Program:
    """Submits maps as the shipped client does: calls of a few tasks each, with consecutive ids."""

    def __init__(self, bench: Bench, queue: str = "q", task: str = "m:f") -> None:
        self.peer, self.queue, self.task = bench.client(role=Role.ADMIN), queue, task

    def submit(self, *sizes: int, ids: IdSource | None = None, **options: Any) -> list[bytes]:
        ids, all = ids or IdSource(), []
        for size in sizes:
            call = consecutive_ids(ids.take(size), size)
            self.peer.call(
                f"get_task_queue/{self.queue}", "submit", self.task, options, [[id, b""] for id in call]
            )
            all += call
        return all


def lines(peer: Peer, wanted: Row | None = None, limit: int = 100) -> list[Row]:
    """All lines, each once, those of which came in parts joined."""
    rows: list[Row] = []
    before = None
    while True:
        answer = peer.call("get_tasks", "lines", wanted or {}, limit, before)
        for row in answer["rows"]:
            if row.get("rest"):
                counts = Counter(dict(rows[-1]["states"]))
                counts.update(dict(row["states"]))
                tasks = rows[-1]["tasks"] + row["tasks"]
                rows[-1] |= {"states": sorted(counts.items()), "tasks": tasks, "id": row["id"]}
            else:
                rows.append(row)
        before = answer["before"]
        if before is None:
            return rows


def shown(rows: list[Row]) -> list[tuple[int, dict[int, int]]]:
    return [(row["tasks"], dict(row["states"])) if "tasks" in row else (1, {row["state"]: 1}) for row in rows]


@pytest.fixture
def program(bench: Bench) -> Program:
    return Program(bench)


def test_what_a_map_submitted_in_several_calls_is_one_line(program: Program) -> None:
    ids = program.submit(20, 20, 1)
    [row] = lines(program.peer)
    assert (row["id"], row["tasks"], row["states"]) == (ids[0], 41, [[READY, 41]])
    assert (row["name"], row["queue"], row["error"]) == ("m:f", "q", None)


def test_lines_are_chosen_by_tags_and_show_them(program: Program) -> None:
    program.submit(20, 20, tags={"order": "4711"})
    program.submit(20, tags={"order": "4712"})
    program.submit(1, tags={"order": "4711"})
    program.submit(20)
    alone, [*_, array] = [lines(program.peer, {"tags": {"order": [order]}}) for order in ("4712", "4711")]
    assert shown(alone) == [(20, {READY: 20})]
    assert (array["tasks"], array["tags"]) == (40, {"order": "4711"})
    assert [row["tags"] for row in lines(program.peer)] == [
        {},
        {"order": "4711"},
        {"order": "4712"},
        {"order": "4711"},
    ]


def test_maps_that_were_submitted_at_the_same_time_are_a_line_each_in_the_order_of_their_newest_call(
    program: Program,
) -> None:
    one, other = IdSource(), IdSource()
    for _ in range(3):
        program.submit(10, ids=one)
        program.submit(20, ids=other)
    program.submit(5, ids=one)
    assert [row["tasks"] for row in lines(program.peer)] == [35, 60]


def test_the_tasks_of_a_small_array_and_those_alone_are_lines_themselves(program: Program) -> None:
    small, alone = program.submit(shipped.OPENED_MAX), program.submit(1)
    rows = lines(program.peer)
    assert [row["id"] for row in rows] == [*alone, *reversed(small)]
    assert {row["state"] for row in rows} == {READY}


def test_tasks_that_are_submitted_one_by_one_are_no_array_however_near_their_ids_are(
    program: Program,
) -> None:
    program.submit(*[1] * (LONE_MAX + 4))
    assert len(lines(program.peer)) == LONE_MAX + 4


def test_a_few_single_tasks_between_two_arrays_belong_to_the_line_and_many_part_it(program: Program) -> None:
    program.submit(20, *[1] * LONE_MAX, 20)
    assert shown(lines(program.peer)) == [(40 + LONE_MAX, {READY: 40 + LONE_MAX})]
    program.submit(20, *[1] * (LONE_MAX + 1), 20)
    assert [row.get("tasks", 1) for row in lines(program.peer)] == [
        20,
        *[1] * (LONE_MAX + 1),
        20,
        40 + LONE_MAX,
    ]


def test_each_state_is_counted_and_the_newest_error_shown(bench: Bench, program: Program) -> None:
    worker = bench.worker("m:f")
    ids = program.submit(100)
    held = lease(worker, 30)
    done = [[*one, int(OutcomeNumber.SUCCESS), b"r", 0.0, 0.1, None] for one in held[:20]]
    failed = [
        [*one, int(OutcomeNumber.ERROR), Failure("ValueError", f"no {n}\nmore").encode(), 0.0, 0.1, None]
        for n, one in enumerate(held[20:23])
    ]
    worker.call("get_dispatcher", "finish", done + failed)
    worker.call("get_dispatcher", "beat", [[*held[25], 0.5]])
    program.peer.call("get_tasks", "cancel", [ids[99]])
    [row] = lines(program.peer)
    assert dict(row["states"]) == {READY: 75, RUNNING: 1, SUCCEEDED: 20, FAILED: 3, CANCELLED: 1}
    assert row["error"] == "ValueError: no 2"


def test_a_filter_counts_what_matches_and_leaves_out_lines_without(bench: Bench, program: Program) -> None:
    worker = bench.worker("m:f")
    program.submit(50)
    fail(worker, 2, "ValueError: one")
    fail(worker, 1, "LookupError: two")
    program.submit(30)
    Program(bench, "img", "m:g").submit(20, delay=60)
    peer = program.peer
    assert shown(lines(peer, {"states": [FAILED]})) == [(50, {FAILED: 3})]
    assert shown(lines(peer, {"states": [READY]})) == [(30, {READY: 30}), (50, {READY: 47})]
    assert shown(lines(peer, {"text": "two"})) == [(50, {FAILED: 1})]
    assert lines(peer, {"text": "two"})[0]["error"] == "LookupError: two"
    assert shown(lines(peer, {"queues": ["im*"]})) == [(20, {SCHEDULED: 20})]
    assert shown(lines(peer, {"names": ["*g"]})) == [(20, {SCHEDULED: 20})]
    assert lines(peer, {"until": 1_700_000_000 - 1}) == []


def test_a_line_that_is_too_long_for_one_answer_comes_in_parts(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "VISITED_MAX", 7)
    ids = program.submit(*[10] * 12)
    program.submit(15)
    first = program.peer.call("get_tasks", "lines", {}, 100, None)
    assert first["before"][1] is not None or len(first["rows"]) < 2
    rows = lines(program.peer)
    assert shown(rows) == [(15, {READY: 15}), (120, {READY: 120})]
    assert rows[1]["id"] == ids[0]


def test_failures_that_take_long_to_read_part_a_line_and_none_is_lost(
    bench: Bench, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "VISITED_MAX", 5)
    worker = bench.worker("m:f")
    program.submit(40)
    fail(worker, 23, "ValueError: to see")
    assert shown(lines(program.peer, {"text": "to see"})) == [(40, {FAILED: 23})]


def test_a_rest_that_was_deleted_meanwhile_is_no_error(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "VISITED_MAX", 7)
    program.submit(*[10] * 12)
    answer = program.peer.call("get_tasks", "lines", {}, 100, None)
    before = None
    while before is None or before["before"] is not None:
        before = program.peer.call("get_tasks", "purge", {}, None if before is None else before["before"])
    assert program.peer.call("get_tasks", "lines", {}, 100, answer["before"]) == {"rows": [], "before": None}


def test_a_key_sees_lines_of_its_own_queues_only(bench: Bench, program: Program) -> None:
    program.submit(20)
    Program(bench, "img").submit(30)
    theirs = bench.client(queues=("img",))
    assert shown(lines(theirs)) == [(30, {READY: 30})]


@pytest.mark.parametrize("before", [7, [], [1], ["x", None], [1, b"short"], [-1, None], [1, 2], {}])
def test_where_an_answer_goes_on_is_validated(program: Program, before: Any) -> None:
    with pytest.raises(InvalidArgument):
        program.peer.call("get_tasks", "lines", {}, 10, before)


def test_lines_are_not_chosen_by_ids(program: Program) -> None:
    with pytest.raises(InvalidArgument, match="call select"):
        program.peer.call("get_tasks", "lines", {"ids": [b"x" * 16, 5]}, 10, None)


def test_what_a_listing_costs_is_bounded_by_what_it_shows(bench: Bench, program: Program) -> None:
    """Statements that are run for the newest lines, with ten and with a hundred times as much behind them."""
    program.submit(*[50] * 10)
    for _ in range(5):
        program.submit(12)
    few = statements(bench, program.peer)
    for _ in range(100):
        program.submit(12)
    assert statements(bench, program.peer) <= few + 1


def statements(bench: Bench, peer: Peer) -> int:
    """How many it takes to list three lines."""
    run: list[str] = []
    bench.engine.store._db.set_trace_callback(run.append)  # type: ignore[attr-defined]
    try:
        peer.call("get_tasks", "lines", {}, 3, None)
    finally:
        bench.engine.store._db.set_trace_callback(None)  # type: ignore[attr-defined]
    return len([one for one in run if one.startswith("SELECT")])


def test_an_array_of_which_the_beginning_is_gone_begins_where_it_is_kept(program: Program) -> None:
    ids = program.submit(20, 20)
    program.peer.call("get_tasks", "cancel", ids[:20])
    answer = program.peer.call("get_tasks", "purge", {"states": [CANCELLED]})
    assert answer["tasks"] == 20
    [row] = lines(program.peer)
    assert (row["id"], row["tasks"]) == (id_behind(ids[0], 20), 20)
