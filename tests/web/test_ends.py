"""When queues will be empty, for every view that lists them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from tq.client.cli.emptying import Emptying
from tq.common.errors import Unreachable
from tq.web.ends import for_programs, with_ends
from tq.web.logins import Login

ROW = {"name": "mail", "paused": False, "ready": 5, "assigned": 0, "scheduled": 0, "blocked": 0}
SNAPSHOT = {"now": 1_000.0, "queues": [ROW]}


def test_a_master_that_is_away_leaves_the_queues_as_they_were() -> None:
    def away(*asked: Any) -> Any:
        raise Unreachable("the master does not answer")

    [row] = with_ends(cast(Login, SimpleNamespace(recent=away)), SNAPSHOT)
    assert row == {**ROW, "empty_in": None}


def test_programs_read_seconds_and_words() -> None:
    [row] = for_programs([{**ROW, "empty_in": Emptying(30.0, None, False)}])
    assert row["empty_in"] == {"low": 30.0, "high": None, "grows": False, "words": "30 s or more"}
