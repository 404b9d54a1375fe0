"""What is asked about flows, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from tq.common.domain.model import Role, StateNumber
from tq.common.domain.shards import Shard, id_in
from tq.common.errors import InvalidArgument

from ..conftest import Bench
from ..schedules.conftest import TASK
from .conftest import FLOW, FLOWS, Flowing

SUCCEEDED, READY, CANCELLED = map(int, (StateNumber.SUCCEEDED, StateNumber.READY, StateNumber.CANCELLED))


def test_members_come_in_the_order_of_submission(flowing: Flowing) -> None:
    flowing.open()
    runs = [flowing.submit(3), flowing.submit(1, priority=5), flowing.submit(2)]
    rows = [[0, runs[0].first, 3], [3, runs[1].first, 1], [4, runs[2].first, 2]]
    assert flowing.client.call(FLOWS, "members", FLOW) == rows
    assert flowing.client.call(FLOWS, "members", FLOW, 4) == rows[2:]
    assert flowing.client.call(FLOWS, "members", FLOW, 6) == []


def test_they_are_listed_in_portions_newest_first(flowing: Flowing) -> None:
    for number in range(5):
        flowing.open(b"%016d" % number, name=f"n{number}")
    found, behind = [], None
    while True:
        answer = flowing.client.call(FLOWS, "list", behind, 2)
        found += [row["name"] for row in answer["rows"]]
        behind = answer["behind"]
        if behind is None:
            break
    assert found == ["n4", "n3", "n2", "n1", "n0"]


def test_a_task_knows_its_flow(flowing: Flowing) -> None:
    flowing.open()
    inside, outside = flowing.submit().first, flowing.submit(1, None).first
    assert flowing.client.call(FLOWS, "of_task", inside) == FLOW
    assert flowing.client.call(FLOWS, "of_task", outside) is None


def test_bad_arguments_are_refused(flowing: Flowing) -> None:
    for options, message in (
        ({"name": "n" * 256}, "a flow's name has at most 255 characters"),
        ({"on_error": "ignore"}, "on_error is one of fail_fast, collect, not 'ignore'"),
        ({"key": b""}, "a flow's key is text of 1 to 1,024 bytes"),
    ):
        with pytest.raises(InvalidArgument, match=message):
            flowing.open(**options)
    with pytest.raises(InvalidArgument, match="a flow's id is 16 bytes"):
        flowing.open(b"short")


def test_a_shortened_id_means_the_flows_that_begin_and_end_so_and_one_is_shown_as_short_as_it_may_be(
    flowing: Flowing,
) -> None:
    ids = [
        bytes.fromhex(f"0193000000{number}07000800000000000{end}")
        for number, end in ((1, "0001"), (2, "0001"), (2, "0002"))
    ]
    for number, id in enumerate(ids):
        flowing.open(id, name=f"n{number}")

    def meant(*digits: str) -> list[str]:
        return [row["name"] for row in flowing.client.call(FLOWS, "meant", *digits)["rows"]]

    assert meant("01930000001") == ["n0"]
    assert meant("01930000002") == ["n1", "n2"]
    assert meant("0193", "0002") == ["n2"]
    assert meant("ffff") == []
    shorts = [row["short"] for row in flowing.client.call(FLOWS, "list", None, 9, True)["rows"]]
    assert shorts[2] == "01930000-0010"
    assert shorts[:2] == [str(UUID(bytes=id)) for id in ids[:0:-1]]
    other = flowing.bench.client(queues=("other",), role=Role.VIEWER)
    assert other.call(FLOWS, "meant", "0193") == {"rows": [], "more": False}
    with pytest.raises(InvalidArgument, match="is not a task id"):
        meant("xyz")


def test_tasks_are_chosen_by_their_flow(flowing: Flowing) -> None:
    worker = flowing.bench.worker(TASK)
    flowing.submit(2, None)
    flowing.open()
    flowing.submit(3)
    single = flowing.submit(1)
    flowing.submit(2, None)
    flowing.finish(worker, want=4)
    answer = flowing.client.call("get_tasks", "select", {"flow": FLOW}, 9)
    assert dict(answer["states"]) == {SUCCEEDED: 2, READY: 2}
    assert answer["rows"][0]["id"] == single.first
    chosen = {"flow": FLOW, "ids": [single.first, 1]}
    assert dict(flowing.client.call("get_tasks", "select", chosen)["states"]) == {READY: 1}
    assert flowing.client.call("get_tasks", "cancel_where", {"flow": FLOW})["tasks"] == 2
    flowing.bench.client(role=Role.ADMIN).call("get_tasks", "purge", chosen)
    assert dict(flowing.client.call("get_tasks", "select", {"flow": FLOW})["states"]) == {
        SUCCEEDED: 2, CANCELLED: 1,
    }  # fmt: skip
    with pytest.raises(InvalidArgument, match="there is no flow"):
        flowing.client.call("get_tasks", "select", {"flow": b"n" * 16})
    with pytest.raises(InvalidArgument, match="a filter's flow is an id"):
        flowing.client.call("get_tasks", "select", {"flow": "f"})
    with pytest.raises(InvalidArgument, match="lines cannot be chosen by ids"):
        flowing.client.call("get_tasks", "lines", {"ids": [single.first, 1]})


def test_a_shard_that_is_asked_for_the_tasks_of_a_flow_in_another_one_has_none(
    make_bench: Callable[..., Bench],
) -> None:
    client = make_bench(shard=Shard(1, 3)).client(role=Role.ADMIN)
    elsewhere = {"flow": id_in(bytes(16), 2)}
    assert client.call("get_tasks", "select", elsewhere, 9)["rows"] == []
    assert client.call("get_tasks", "lines", elsewhere) == {"rows": [], "before": None}
    assert client.call("get_tasks", "cancel_where", elsewhere) == {"tasks": 0, "before": None}
    for unknown in (1, 3):  # of this shard, and of none of the three
        with pytest.raises(InvalidArgument, match="there is no flow"):
            client.call("get_tasks", "select", {"flow": id_in(bytes(16), unknown)}, 9)
