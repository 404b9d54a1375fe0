"""What a flow's tasks need and when they ran, as it is answered."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.ids import id_behind
from tq.common.domain.model import Role, StateNumber
from tq.master.flows import graph

from ..schedules.conftest import TASK
from .conftest import FLOW, FLOWS, Flowing, run_of

READY, BLOCKED, SUCCEEDED = map(int, (StateNumber.READY, StateNumber.BLOCKED, StateNumber.SUCCEEDED))


def submit_needing(flowing: Flowing, tasks: int, needs: list[Any], queue: str = "default") -> bytes:
    run = run_of(tasks)
    payloads = [b"p"] * tasks if tasks > 1 else b"p"
    flowing.client.call(
        ("get_task_queue", queue), "submit", TASK, {}, [[run.first, payloads, needs]], flow=FLOW
    )
    return run.first


def rows_of(flowing: Flowing) -> list[Any]:
    rows, place = [], 0
    while place is not None:
        answer = flowing.client.call(FLOWS, "graph", FLOW, place)
        rows += answer["rows"]
        place = answer["place"]
    return rows


def test_each_row_has_states_times_and_needs(flowing: Flowing, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = flowing.bench.worker(TASK)
    flowing.open()
    pages = flowing.submit(4)
    parsed = submit_needing(flowing, 4, [1, [pages.to_wire()]])
    outside = flowing.submit(1, None).first
    total = submit_needing(flowing, 1, [0, [[parsed, 4], outside]])
    flowing.finish(worker, want=2)
    whole = rows_of(flowing)
    assert [row[:5] for row in whole] == [
        [pages.first, 4, "default", TASK, [[READY, 2], [SUCCEEDED, 2]]],
        [parsed, 4, "default", TASK, [[READY, 2], [BLOCKED, 2]]],
        [total, 1, "default", TASK, [[BLOCKED, 1]]],
    ]
    assert [row[7:] for row in whole] == [
        [False, [], 0],
        [True, [pages.to_wire()], 0],
        [False, [[parsed, 4], outside], 0],
    ]
    started, finished = whole[0][5:7]
    assert started is not None
    assert finished >= started
    assert whole[1][5:7] == [None, None]
    monkeypatch.setattr(graph, "ROWS_MAX", 1)
    assert rows_of(flowing) == whole
    monkeypatch.undo()
    monkeypatch.setattr(graph, "SPANS_MAX", 1)
    assert rows_of(flowing) == whole
    monkeypatch.setattr(graph, "NEEDS_MAX", 1)
    assert rows_of(flowing)[2][7:] == [False, [[parsed, 4]], 1]


def test_a_key_that_is_bound_to_queues_learns_of_no_task_in_others(flowing: Flowing) -> None:
    flowing.open()
    hidden = flowing.submit(1, None, queue="hidden").first
    submit_needing(flowing, 1, [0, [hidden]], queue="open")
    viewer = flowing.bench.client(queues=("open",), role=Role.VIEWER)
    [row] = viewer.call(FLOWS, "graph", FLOW)["rows"]
    assert row[8:] == [[], 0]
    assert rows_of(flowing)[0][8] == [hidden]


def test_what_is_deleted_is_left_out(flowing: Flowing) -> None:
    flowing.open()
    gone, kept, some = flowing.submit(1), flowing.submit(1, priority=3), flowing.submit(4)
    needing = submit_needing(flowing, 4, [1, [some.to_wire()]])
    admin = flowing.bench.client(role=Role.ADMIN)
    for first in (gone.first, needing, some.first):
        admin.call("get_tasks", "purge", {"ids": [first, 1]})
    rest = some.part(1, 4)
    assert [(row[0], row[1], row[8]) for row in rows_of(flowing)] == [
        (kept.first, 1, []),
        (rest.first, 3, []),
        (id_behind(needing, 1), 3, [rest.to_wire()]),
    ]
    assert flowing.client.call(FLOWS, "graph", FLOW, 10) == {"rows": [], "place": None}
