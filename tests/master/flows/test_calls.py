"""What is asked about flows, and what is refused."""

from __future__ import annotations

import pytest
from tq.common.errors import InvalidArgument

from .conftest import FLOW, FLOWS, Flowing


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
