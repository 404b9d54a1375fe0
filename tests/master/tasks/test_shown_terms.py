"""The terms of a task, for people to read."""

from __future__ import annotations

from typing import Any

import pytest
from tq.common.domain.ids import new_ids

from tests.master.conftest import Bench


def terms(bench: Bench, options: dict[str, Any]) -> dict[str, Any]:
    client, id = bench.client(), new_ids()
    client.call("get_task_queue/q", "submit", "m:f", options, [[id, b""]])
    shown: dict[str, Any] = client.call("get_tasks", "show", id)["terms"]
    return shown


def test_what_is_as_usual_is_not_said(bench: Bench) -> None:
    assert terms(bench, {}) == {}
    assert terms(bench, {"retries": 3, "tags": {"order": "4711"}}) == {}


def test_what_a_task_asks_for_and_until_when_is_said_in_units_and_moments(bench: Bench) -> None:
    now = bench.now.wall / 1000
    found = terms(
        bench,
        {
            "needs": {"gpu": 1500},
            "where": "zone=eu",
            "deadline": 60.0,
            "expires": 120.0,
            "max_crashes": 1,
            "result_ttl": 5.0,
        },
    )
    assert found.pop("deadline") == pytest.approx(now + 60, abs=1)
    assert found.pop("expires") == pytest.approx(now + 120, abs=1)
    assert found == {"needs": {"gpu": 1.5}, "where": "zone=eu", "max_crashes": 1, "result_ttl": 5.0}
