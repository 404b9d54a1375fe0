from __future__ import annotations

from typing import Any

import pytest
from tq.client.tasks.needs import GatheredNeeds, rows_with_needs
from tq.client.tasks.submission import PayloadRun
from tq.common.domain.id_runs import IdRun
from tq.common.domain.ids import id_behind, new_ids
from tq.common.domain.on_error import NEEDED_MAX
from tq.common.values.needed import Needed

FIRST, OTHER = new_ids.many(10)[0], new_ids.many(10)[0]


class Session:
    def __init__(self, cluster: str) -> None:
        self.cluster = cluster

    def cluster_id(self) -> str:
        return self.cluster


def gathered(*runs: IdRun) -> list[IdRun]:
    session: Any = Session("a")
    needs = GatheredNeeds(session)
    for run in runs:
        assert needs.add(session, Needed((run,), is_list=True)) == ""
    return needs.take()


def test_each_task_is_needed_once_in_the_order_of_the_arguments() -> None:
    assert gathered() == []
    one = IdRun(id_behind(FIRST, 1), 1)
    assert gathered(IdRun(FIRST, 3), one, IdRun(id_behind(FIRST, 3), 2)) == [IdRun(FIRST, 5)]
    assert gathered(IdRun(OTHER, 2), IdRun(FIRST, 1), IdRun(OTHER, 2)) == [IdRun(OTHER, 2), IdRun(FIRST, 1)]


def test_handles_of_another_app_are_taken_and_of_another_cluster_not() -> None:
    own, same, other = Session("a"), Session("a"), Session("b")
    needs = GatheredNeeds(own)  # type: ignore[arg-type]
    needed = Needed((IdRun(FIRST, 1),), is_list=False)
    assert needs.add(same, needed) == ""  # type: ignore[arg-type]
    assert needs.add(other, needed) == "the handle of a task of another cluster"  # type: ignore[arg-type]
    too_many = Needed((IdRun(FIRST, NEEDED_MAX),), is_list=True)
    assert "more than 1,000,000 tasks" in needs.add(own, too_many)  # type: ignore[arg-type]


def test_tasks_of_a_map_over_handles_travel_as_one_run() -> None:
    run = PayloadRun(FIRST, [b"p"] * 4)
    needs = {id: [IdRun(id_behind(OTHER, place + (place > 1)), 1)] for place, id in enumerate(run.run.ids())}
    assert rows_with_needs(*run, needs) == [[FIRST, [b"p"] * 4, [1, [[OTHER, 2], [id_behind(OTHER, 3), 2]]]]]


@pytest.mark.parametrize("wide", [True, False])
def test_other_tasks_travel_each_with_what_it_needs(wide: bool) -> None:
    run = PayloadRun(FIRST, [b"p"] * 2)
    needs = {id: [IdRun(OTHER, 1 + wide), IdRun(FIRST, 1)][: 2 - wide] for id in run.run.ids()}
    assert rows_with_needs(*run, needs) == [
        [id, b"p", [0, [[OTHER, 2]] if wide else [OTHER, FIRST]]] for id in run.run.ids()
    ]
