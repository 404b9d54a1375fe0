"""Schedules: how the last ones went, and a form that changes what was changed in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tq.client.schedules.schedule import Schedule
from tq.common.errors import InvalidArgument
from tq.web.logins import Login
from tq.web.page import Done, ViewRequest
from tq.web.views.schedules import edit, rule_fields

NIGHTLY = Schedule(
    name="nightly", state="active", why="", task="jobs:report", queue="default", cron="0 3 * * *", every=None, tz="UTC",
    misfire="latest", overlap="allow", jitter=0.0, declared=False, edited=(), workers=0, differing=0, last=None, next=None,
    fired=3, key="k",
)  # fmt: skip


@dataclass
class Schedules:
    """What the master has, and what was asked of it."""

    edits: list[dict[str, Any]] = field(default_factory=list)

    def show(self, name: str, history: int) -> Schedule:
        return NIGHTLY

    def edit(self, name: str, **changes: Any) -> Schedule:
        self.edits.append(changes)
        return NIGHTLY


def sent(**changed: str) -> tuple[Done, list[dict[str, Any]]]:
    schedules = Schedules()
    login = cast(Login, SimpleNamespace(app=SimpleNamespace(schedules=schedules)))
    form = {"name": "nightly", **rule_fields(NIGHTLY), **changed}
    return edit(login, ViewRequest(path={}, query=form)), schedules.edits


def test_only_what_was_changed_is_sent() -> None:
    assert sent(cron="30 3 * * *")[1] == [{"cron": "30 3 * * *"}]
    assert sent(tz="Europe/Prague", jitter="2min")[1] == [{"tz": "Europe/Prague", "jitter": 120.0}]


def test_nothing_that_was_changed_is_said() -> None:
    done, edits = sent()
    assert (done.note, edits) == ("nothing of nightly was changed", [])


def test_an_empty_rule_stays_as_it_is() -> None:
    assert sent(cron="", every="5min")[1] == [{"every": 300.0}]
    assert sent(cron="")[1] == []


def test_two_rules_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="not both"):
        sent(cron="30 3 * * *", every="5min")


def test_an_interval_that_is_none_is_refused_with_how_to_write_it() -> None:
    with pytest.raises(InvalidArgument, match="write 30s, 10min"):
        sent(every="soon")


def test_what_is_declared_in_code_holds_again() -> None:
    assert sent(reset="1")[1] == [{"reset": True}]
