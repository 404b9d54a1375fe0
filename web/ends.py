"""When queues will be empty, for every view that lists them: what the master measured is asked for once in a while, however many tabs
are open."""

from __future__ import annotations

import contextlib
from typing import Any, Final

from ..client.cli.emptying import Points, as_row, emptying, read
from ..client.cli.output import with_moments
from ..common.errors import Unreachable
from .logins import Login

LEVELS_SECONDS: Final = 10.0  # the master writes its levels so often


def with_ends(login: Login, snapshot: dict[str, Any]) -> list[dict[str, Any]]:
    """The queues of a snapshot, each with ``empty_in``."""
    points: Points = ()
    with contextlib.suppress(Unreachable):  # the rest is shown as the master said it last
        points = login.recent("levels", LEVELS_SECONDS, lambda: read(login.app))
    return [{**row, "empty_in": emptying(row, points, snapshot["now"])} for row in snapshot["queues"]]


def for_programs(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = with_moments([{**row, "empty_in": as_row(row["empty_in"])} for row in rows])
    return found
