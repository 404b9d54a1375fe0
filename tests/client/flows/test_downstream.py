"""What has to run again for a flow to go on from one of its tasks."""

from __future__ import annotations

from typing import Any

import pytest
from tq.client.flows.downstream import from_task
from tq.common.domain.model import StateNumber
from tq.common.errors import InvalidArgument

from .test_graph import DONE, FAILED, id_of, row

CANCELLED = int(StateNumber.CANCELLED)


def meant(rows: list[Any], task: int) -> list[tuple[int, int]]:
    return [(int.from_bytes(run.first, "big"), run.length) for run in from_task(rows, id_of(task))]


def test_all_that_need_a_task_run_again_and_nothing_beside_them() -> None:
    rows = [
        row(1, "fetch", state=FAILED),
        row(2, "parse", (1, 1), state=CANCELLED),
        row(3, "store", (2, 1), state=CANCELLED),
        row(4, "other", state=FAILED),
        row(5, "behind", (4, 1), state=CANCELLED),
    ]
    assert meant(rows, 1) == [(1, 1), (2, 1), (3, 1)]
    assert meant(rows, 2) == [(1, 1), (2, 1), (3, 1)], "and what it needs, which did not succeed"
    assert meant(rows, 4) == [(4, 1), (5, 1)]


def test_what_others_need_besides_runs_again_unless_it_has_succeeded() -> None:
    rows = [
        row(1, "done", state=DONE),
        row(2, "broken", state=FAILED),
        row(3, "stopped", state=CANCELLED),
        row(4, "total", (1, 3), state=CANCELLED),
    ]
    assert meant(rows, 2) == [(2, 1), (3, 1), (4, 1)]


def test_of_a_map_in_which_each_needs_one_the_same_place_runs_again() -> None:
    rows = [
        row(100, "fetch", tasks=50, state=FAILED),
        row(200, "parse", (100, 50), tasks=50, each=True, state=CANCELLED),
        row(300, "alone", (210, 1), state=CANCELLED),
    ]
    assert meant(rows, 107) == [(107, 1), (207, 1)]
    assert meant(rows, 110) == [(110, 1), (210, 1), (300, 1)]
    assert meant(rows, 220) == [(120, 1), (220, 1)]


def test_a_task_of_whose_needs_not_all_are_known_may_need_this_one() -> None:
    rows = [row(1, "fetch", state=FAILED), row(2, "total", left_out=3, state=CANCELLED)]
    assert meant(rows, 1) == [(1, 1), (2, 1)]
    assert meant(rows, 2) == [(2, 1)]


def test_a_task_of_another_flow_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="not one of this flow"):
        from_task([row(1, "fetch")], id_of(9))
