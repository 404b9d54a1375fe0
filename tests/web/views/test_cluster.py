"""The cluster as a whole: versions, and what tq doctor finds, in its words."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from tq.client.cli.fleet import Fleet
from tq.common.contract.exposed import ALLOWED
from tq.common.domain.model import Role
from tq.common.errors import Forbidden, Unreachable
from tq.common.version import VERSION
from tq.web.logins import Login
from tq.web.page import ViewRequest
from tq.web.views.cluster import EXAMINED, Examined, examine, versions

NOTHING = ViewRequest(path={}, query={})


class Master:
    """It says who asks, and then is away."""

    def call(self, target: Any, method: str, *args: Any, timeout: float | None = None) -> dict[str, Any]:
        if self.asked:
            raise Unreachable("the master does not answer")
        self.asked = True
        return {"you": {"key": "k", "role": "client", "queues": []}}

    asked = False


def login(role: Role) -> Any:
    kept: dict[str, Any] = {}
    may = lambda needed: role in ALLOWED[Role(needed)]  # noqa: E731 - one expression
    return SimpleNamespace(role=role, may=may, app=Master(), keep=kept.__setitem__, kept=kept)


def test_versions_that_differ_from_the_masters_stand_out() -> None:
    workers = [{"version": VERSION}, {"version": "0.0.1"}, {"version": VERSION}]
    found = versions({"version": VERSION}, Fleet(workers, workers[:1]))
    rows = [(one.who, one.connected, one.differs) for one in found]
    assert rows == [
        ("the master", 1, False),
        ("this page", 1, False),
        ("workers", 2, False),
        ("workers", 1, True),
        ("absent workers", 1, False),
    ]
    assert [one.differs for one in versions({"version": "9.9"}, Fleet([], []))] == [False, True]


def test_what_was_found_before_the_master_went_away_is_kept() -> None:
    found = login(Role.CLIENT)
    examine(cast(Login, found), NOTHING)
    kept: Examined = found.kept[EXAMINED]
    assert [(one.level, one.about) for one in kept.findings] == [("ok", "key"), ("error", "master")]


def test_a_viewer_does_not_write_to_the_masters_disk() -> None:
    with pytest.raises(Forbidden, match="viewer"):
        examine(cast(Login, login(Role.VIEWER)), NOTHING)
