"""Columns: a text for each task of a submit, written once for all that have the same."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.columns import NO_COLUMNS, LaneColumns, LaneTexts
from tq.common.domain.limits import Limit
from tq.common.domain.text_columns import TextColumn
from tq.common.errors import InvalidArgument

SMTP = Limit("smtp", max_running=3, rate="100/min")


def test_the_lanes_of_tasks_are_said_once_and_a_number_for_each_task() -> None:
    columns = LaneColumns(((SMTP, TextColumn.of(["a", "a", "b", "a"])),), TextColumn(("acme",)))
    back = LaneColumns.from_wire(columns.to_wire(), 4)
    assert back == columns
    lanes = [LaneTexts("acme", (("smtp", "a", 1),)), LaneTexts("acme", (("smtp", "b", 1),))]
    assert back.lanes() == (lanes, bytes([0, 0, 1, 0]))
    two = columns._replace(tenant=TextColumn.of(["x", "y", "y", "x"]))
    lanes = [LaneTexts(tenant, (("smtp", key, 1),)) for tenant, key in ("xa", "ya", "yb")]
    assert two.lanes() == (lanes, (0, 1, 2, 0))


def test_the_units_of_the_tasks_travel_beside_the_limit_that_all_share() -> None:
    columns = LaneColumns(((Limit("gb", max_running=64, units=16), TextColumn(("",))),))
    assert columns.to_wire() == {"limits": [[{"name": "gb", "max_running": 64}, "", 16]]}
    assert LaneColumns.from_wire(columns.to_wire(), 1) == columns


def test_tasks_with_one_key_have_one_lane_however_many() -> None:
    columns = LaneColumns(((SMTP, TextColumn(("",))),))
    assert columns.lanes() == ([LaneTexts(None, (("smtp", "", 1),))], None)
    assert NO_COLUMNS.lanes() == ([LaneTexts(None, ())], None)
    unused = LaneColumns(((SMTP, TextColumn(("a", "b"), (1, 1))),))
    assert unused.lanes() == ([LaneTexts(None, (("smtp", "b", 1),))], None)
    some = LaneColumns(((SMTP, TextColumn(("a", "b", "c"), bytes([2, 0, 2]))),))
    assert some.lanes() == ([LaneTexts(None, (("smtp", key, 1),)) for key in "ac"], (1, 0, 1))
    assert LaneColumns.from_wire(None, 7) is NO_COLUMNS
    assert NO_COLUMNS.to_wire() == {}


@pytest.mark.parametrize(
    ("wire", "why"),
    [
        ([], "columns are a map"),
        ({"colour": "red"}, "may have coalesce, index, limits, on_failure, tenant"),
        ({"limits": "smtp"}, "a list of at most 8"),
        ({"limits": ["smtp"]}, "is [limit, column] or [limit, column, units]"),
        ({"limits": [[SMTP.to_wire(), "", 0]]}, "units is a whole number from 1"),
        ({"limits": [[SMTP.to_wire(), "", None]]}, "units is a whole number from 1"),
        ({"limits": [[{"name": "a"}, ""]]}, "says nothing"),
        ({"limits": [[SMTP.to_wire(), ""]] * 2}, "'smtp' twice"),
        ({"limits": [[SMTP.to_wire(), ""]] * 9}, "at most 8"),
        ({"limits": [[SMTP.to_wire(), None]]}, "limit 'smtp': a column is a text"),
        ({"on_failure": ["q", "m:f", {}]}, "on_failure is [queue, task, options, columns]"),
        ({"tenant": 5}, "tenant: a column is a text"),
    ],
)
def test_columns_that_are_none_are_refused(wire: Any, why: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        LaneColumns.from_wire(wire, 2)
    assert why in str(refused.value)
