"""Flows in a list of all tasks: a flow is one line at the place of its newest task, whatever lies between its tasks."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.id_runs import IdRun
from tq.common.domain.model import Role, StateNumber
from tq.common.errors import InvalidArgument
from tq.master.tasks import lines as shipped
from tq.master.tasks.lines import OPENED_MAX

from ..conftest import Bench, Peer
from ..flows.conftest import FLOW, FLOWS, Flowing, run_of

Row = dict[str, Any]
UNUSED = b"flow of no task."
OTHER = b"o" * 16


@pytest.fixture
def flowing(bench: Bench) -> Flowing:
    return Flowing(bench)


def pages(peer: Peer, limit: int = 100, wanted: Row | None = None, flows: bool = True) -> list[list[Row]]:
    """The rows of each answer, to the end of the list."""
    found: list[list[Row]] = []
    before = None
    while True:
        answer = peer.call("get_tasks", "lines", wanted or {}, limit, before, True, flows)
        found.append(answer["rows"])
        before = answer["before"]
        if before is None:
            return found


def shown(rows: list[Row]) -> list[Any]:
    """Of a flow its name, of an array how many tasks it has, of a task its id."""
    return [row["flow"]["name"] if "flow" in row else row.get("tasks", row["id"]) for row in rows]


def lines(peer: Peer, **how: Any) -> list[Any]:
    return shown([row for rows in pages(peer, **how) for row in rows])


def test_a_flow_is_one_line_where_its_newest_task_is_and_says_how_far_it_is(flowing: Flowing) -> None:
    flowing.open(name="nightly", on_error="collect")
    flowing.submit(20)
    first = flowing.submit(1, None).first
    flowing.submit(1)
    last = flowing.submit(1, None).first
    flowing.submit(3, queue="elsewhere")
    assert lines(flowing.client) == ["nightly", last, first]
    assert flowing.finish(flowing.worker(), want=5) == 5
    [[row, *_]] = pages(flowing.client)
    assert row["flow"] == flowing.client.call(FLOWS, "list")["rows"][0]
    counts = [row["flow"][name] for name in ("state", "total", "succeeded")]
    assert (row["id"], counts) == (FLOW, ["open", 24, 5])


def test_the_short_id_of_a_flow_means_none_of_the_tasks_that_were_submitted_in_the_same_moment(
    flowing: Flowing,
) -> None:
    moment = bytes.fromhex("01930000000170008000")
    flow, task = moment + b"flow00", moment + b"task00"
    flowing.open(flow, name="one")
    flowing.submit_ids(IdRun(task, 1), flow)
    [[row]] = pages(flowing.client)
    meant = flowing.client.call("get_tasks", "meant", row["short"].replace("-", ""))
    assert (row["short"], meant["rows"]) == ("01930000-0001-7000-8000-6", [])


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_each_line_is_on_one_page_however_the_tasks_of_two_flows_lie(flowing: Flowing, limit: int) -> None:
    flowing.open(name="one")
    flowing.open(OTHER, name="other")
    alone = []
    for _ in range(3):
        flowing.submit(1)
        alone.append(flowing.submit(1, None).first)
        flowing.submit(12, OTHER)
    assert lines(flowing.client, limit=limit) == ["other", alone[2], "one", alone[1], alone[0]]


def test_a_filter_finds_tasks_of_flows_by_themselves(flowing: Flowing) -> None:
    flowing.open(name="one")
    task, alone = flowing.submit(1).first, flowing.submit(1, None).first
    wanted = {"states": [int(StateNumber.READY)]}
    assert lines(flowing.client, wanted=wanted, flows=False) == [alone, task]
    with pytest.raises(InvalidArgument, match="a filter chooses tasks, also those of flows"):
        pages(flowing.client, wanted=wanted)


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_the_lines_of_a_flow_are_its_arrays_and_tasks_whatever_lies_between(
    flowing: Flowing, limit: int
) -> None:
    flowing.open(name="one")
    flowing.open(OTHER, name="other")
    for _ in range(2):
        flowing.submit(20, None)
        flowing.submit(30)
        flowing.submit(12, OTHER)
        alone = flowing.submit(1).first
    of_one = {"wanted": {"flow": FLOW}, "flows": False, "limit": limit}
    found = lines(flowing.client, **of_one)
    assert [one for one in found if isinstance(one, int)] == [30, 30]
    assert (len(found), found[0]) == (4, alone)
    assert lines(flowing.client, **{**of_one, "wanted": {"flow": OTHER}}) == [12, 12]
    assert flowing.finish(flowing.worker(), want=200) == 126
    wanted = {"flow": FLOW, "states": [int(StateNumber.READY)]}
    assert lines(flowing.client, wanted=wanted, flows=False) == []
    flowing.client.call(FLOWS, "open", UNUSED)
    assert lines(flowing.client, wanted={"flow": UNUSED}, flows=False) == []


def test_a_flow_that_a_key_may_not_see_has_no_lines_for_it(flowing: Flowing) -> None:
    flowing.open(name="hidden")
    flowing.submit(1, queue="hidden")
    viewer = flowing.bench.client(queues=("seen",), role=Role.VIEWER)
    with pytest.raises(InvalidArgument, match="there is no flow"):
        lines(viewer, wanted={"flow": FLOW}, flows=False)


def test_a_program_that_does_not_ask_for_flows_gets_their_tasks(flowing: Flowing) -> None:
    flowing.open(name="one")
    task = flowing.submit(1).first
    assert lines(flowing.client, flows=False) == [task]
    assert shown(flowing.client.call("get_tasks", "lines", {})["rows"]) == [task]


def test_a_key_that_may_not_see_a_flow_gets_those_of_its_tasks_that_it_may_see(flowing: Flowing) -> None:
    flowing.open(name="hidden")
    hidden = flowing.submit(1, queue="hidden")
    seen = flowing.submit(1, queue="seen").first
    viewer = flowing.bench.client(queues=("seen",), role=Role.VIEWER)
    assert lines(viewer) == [seen]
    assert lines(flowing.client) == ["hidden"], hidden


def test_of_a_flow_that_is_kept_no_longer_tasks_stand_by_themselves(flowing: Flowing) -> None:
    flowing.open(name="old")
    task = flowing.submit(1).first
    store = flowing.bench.engine.store
    flowing.bench.step()
    store.begin()
    store._all("forget_flow", (1,))  # type: ignore[attr-defined]
    store.commit()
    flowing.bench.engine.start(flowing.bench.now)
    assert lines(flowing.client) == [task]


def test_a_map_that_goes_on_behind_a_flow_is_a_line_of_its_own(flowing: Flowing) -> None:
    """Its ids continue those of the map in the flow: a program draws them from one block."""
    flowing.open(name="one")
    inside = run_of(2 * (OPENED_MAX + 1))
    half = inside.length // 2
    flowing.submit_ids(inside.part(0, half))
    flowing.submit_ids(inside.part(half, inside.length), None)
    assert lines(flowing.client) == [half, "one"]
    assert lines(flowing.client, flows=False) == [half, half]


def test_tasks_of_a_flow_that_lie_together_are_passed_over_at_once(
    flowing: Flowing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "VISITED_MAX", 35)
    first = flowing.submit(1, None).first
    flowing.open(name="long")
    for _ in range(60):
        flowing.submit_ids(IdRun(run_of(1).first, 1))
    assert [shown(rows) for rows in pages(flowing.client)] == [["long", first]]
    flowing.submit(1, None)
    flowing.submit(1)
    found = [shown(rows) for rows in pages(flowing.client)]
    assert len(found) > 2, (
        "tasks of others lie between: they are looked for, a bounded portion in each answer"
    )
    assert [len(rows) for rows in found if rows] == [2, 1]


def test_the_oldest_and_the_newest_task_of_a_flow_may_be_deleted(flowing: Flowing) -> None:
    flowing.open(name="one", on_error="collect")
    ends = [flowing.submit(1, queue="gone")]
    flowing.submit(15)
    alone = flowing.submit(1, None).first
    ends.append(flowing.submit(1, queue="gone"))
    admin = flowing.bench.client(role=Role.ADMIN)
    assert admin.call("get_tasks", "purge", {"queues": ["gone"]})["tasks"] == len(ends)
    assert lines(flowing.client) == [alone, "one"]
    admin.call("get_tasks", "purge", {"names": ["*"]})
    assert lines(flowing.client) == []


def test_no_task_of_others_is_passed_over_where_a_flow_has_lost_as_many_of_its_own(flowing: Flowing) -> None:
    flowing.open(name="one", on_error="collect")
    flowing.submit(1, queue="gone")
    flowing.submit(1)
    alone = flowing.submit(1, None).first
    flowing.submit(1)
    assert lines(flowing.client) == ["one", alone]
    flowing.bench.client(role=Role.ADMIN).call("get_tasks", "purge", {"queues": ["gone"]})
    assert lines(flowing.client) == ["one", alone]
