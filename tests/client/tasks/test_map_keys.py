"""The keys of a map: those of the calls as they are, however many are read at once."""

from __future__ import annotations

from typing import Any

import pytest
import tq
from tq.client.tasks.definition import Definition
from tq.client.tasks.lane_keys import LaneKeys
from tq.client.tasks.map_keys import MapKeys
from tq.client.tasks.options import Choice, choose
from tq.client.tasks.payloads import RefusedCall
from tq.common.domain.expressions import expression
from tq.common.domain.lane_terms import LaneTerms
from tq.common.domain.limits import Limit

from ..conftest import MasterInMemory

PER_X = Limit("x", max_running=2, by="{x}")
TERMS = LaneTerms((PER_X,), expression("tenant", "t{plus}"))


def pair(x: object, plus: int = 0) -> None: ...


def made(choice: Choice, count: int) -> list[tuple[str | None, str]]:
    """Tenant and key of each task."""
    assert choice.columns is not None
    lanes = [choice.columns.at(place) for place in range(count)]
    return [(one.tenant, one.limits[0][1]) for one in lanes]


def test_what_was_met_before_and_what_was_not_have_the_keys_of_their_calls() -> None:
    calls: list[tuple[Any, ...]] = [(1, 5), (True, 5), ("1", 6), (2,), (1.5, 7), (1, 5)]
    one_by_one = LaneKeys(TERMS, Definition(pair, "jobs:pair"))
    expected = [(tenant, key) for key, tenant in (one_by_one.keys(args, {}) for args in calls)]
    keys = MapKeys(LaneKeys(TERMS, Definition(pair, "jobs:pair")))
    for portion in (calls, calls, calls[:1], calls[:1], calls[2:4]):
        assert keys.note(portion) is None
        some = expected[: len(portion)] if portion[0] == (1, 5) else expected[2:4]
        assert made(keys.of_next(choose({}), len(portion)), len(portion)) == some


def test_portions_and_submits_need_not_end_at_the_same_calls() -> None:
    keys = MapKeys(LaneKeys(TERMS, Definition(pair, "jobs:pair")))
    for portion in ([(1, 1), (2, 2), (3, 3)], [(4, 4), (1, 1)]):
        assert keys.note(portion) is None
    assert made(keys.of_next(choose({}), 2), 2) == [("t1", "1"), ("t2", "2")]
    assert made(keys.of_next(choose({}), 3), 3) == [("t3", "3"), ("t4", "4"), ("t1", "1")]


def test_calls_before_one_that_has_no_key_are_submitted(app: tq.App, master: MasterInMemory) -> None:
    keys = MapKeys(LaneKeys(TERMS, Definition(pair, "jobs:pair")))
    refused = keys.note([(1, 1), ([], 1), (2, 2)])
    assert isinstance(refused, RefusedCall)
    assert refused.place == 1
    assert made(keys.of_next(choose({}), 1), 1) == [("t1", "1")]

    task = app.task(limits=[PER_X], name="jobs:pair")(pair)
    master.functions["jobs:pair"] = pair
    with pytest.raises(tq.InvalidArgument, match=r"by='\{x\}'") as raised:
        task.map([*range(70), [], 71])
    assert raised.value.__notes__[-1] == "it is item 70 of the map, counted from 0"
    task.submit("last")  # behind the calls of the map, whatever of them was still under way
    found = [{name: key for name, key, _ in limits}["x"] for _, limits in master.lanes]
    assert found == [*map(str, range(70)), "last"]
