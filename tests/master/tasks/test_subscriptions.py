"""Outcomes are held and read within bounds, and collected as runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from tq.common.domain.id_runs import IdRun
from tq.common.domain.ids import new_ids
from tq.common.domain.model import OutcomeNumber, Role, StateNumber
from tq.master.engine.id_ranges import BLOCK_IDS
from tq.master.tasks.subscriptions import BODIES_BYTES_MAX, COLLECT_BYTES_MAX

from tests.master.leased import each, each_outcome

from ..conftest import Bench

MIB = 1024 * 1024
SUCCEEDED, SUCCESS = int(StateNumber.SUCCEEDED), int(OutcomeNumber.SUCCESS)


def ended(bench: Bench, sizes: list[int], first: bytes = b"") -> list[bytes]:
    """Tasks of one array that have succeeded with results of so many bytes."""
    ids = IdRun(first or new_ids.many(len(sizes))[0], len(sizes)).ids()
    bench.client().call("get_task_queue/q", "submit", "m:f", {}, [[ids[0], [b""] * len(ids)]])
    worker = bench.worker("m:f")
    for size in sizes:
        token, groups = worker.call("get_dispatcher", "lease", 1)
        [[id, attempt, *_]] = each(groups)
        report = [id, attempt, token, SUCCESS, bytes(size), 0.0, 0.1, None]
        assert worker.call("get_dispatcher", "finish", [report]) == []
    return ids


def test_tasks_that_ended_together_are_collected_as_one_run(bench: Bench) -> None:
    ids = ended(bench, [1, 2, 3, 4])
    client = bench.client()
    client.call("get_result_queue/s", "watch", [[ids[0], 4]])
    assert client.call("get_result_queue/s", "collect", 3) == [
        [ids[0], SUCCEEDED, [bytes(1), bytes(2), bytes(3)]]
    ]
    assert client.call("get_result_queue/s", "collect", 3) == [[ids[3], SUCCEEDED, bytes(4)]]


def test_a_run_of_known_and_unknown_tasks_is_answered_by_their_states(bench: Bench) -> None:
    ids = ended(bench, [1, 2])
    behind = IdRun(ids[0], 4).ids()
    client = bench.client()
    client.call("get_result_queue/s", "watch", [[ids[0], 4], ids[0]])
    assert client.call("get_result_queue/s", "collect") == [
        [ids[0], SUCCEEDED, [bytes(1), bytes(2)]],
        [behind[2], -1, [None, None]],
    ]


@pytest.mark.parametrize("place", [0, BLOCK_IDS - 10])
def test_large_results_are_read_as_there_is_room_for_them(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    """``place``: of the first task in its block of ids."""
    sizes = [10, *[MIB] * 24, 10]
    drawn = int.from_bytes(new_ids(), "big")
    ids = ended(bench, sizes, first=(drawn - drawn % BLOCK_IDS + place).to_bytes(16, "big"))
    store = bench.engine.store
    read, reading = [], store.outcomes

    def outcomes(asked: Iterable[bytes]) -> Any:
        rows = reading(asked)
        read.append(sum(len(row.body or b"") for row in rows))
        return rows

    monkeypatch.setattr(store, "outcomes", outcomes)
    client = bench.client(role=Role.CLIENT)
    client.call("get_result_queue/s", "watch", [[ids[0], len(ids)]])
    assert sum(read) <= 2 * BODIES_BYTES_MAX
    got: list[list[Any]] = []
    while len(got) < len(ids):
        read.clear()
        some = each_outcome(client.call("get_result_queue/s", "collect", 100))
        assert sum(len(body) for _, _, body in some) <= COLLECT_BYTES_MAX
        assert sum(read) <= 2 * COLLECT_BYTES_MAX
        got += some
    assert [(id, len(body)) for id, _, body in got] == list(zip(ids, sizes, strict=True))
