"""Declares the schedules in the code that the children serve, on each connection to the master."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from ...common.contract.rows import all_from_wire
from ...common.contract.schedules import NotAccepted
from ...common.errors import TqError
from ...common.runtime.limited_log import LimitedLog, LineBounds
from ...common.wire.connection import CallerConnection

SCHEDULES: Final = ["get_schedules"]
LINES: Final = LineBounds(at_once=5, seconds_a_line=60.0)


class ScheduleDeclarer:
    """What is not accepted is logged, and few of many declarations that fail: a worker may connect twice a second."""

    def __init__(self, report: Callable[..., None], loop: asyncio.AbstractEventLoop) -> None:
        self._report, self._loop = report, loop
        self._not_declared = LimitedLog(report, "schedules.not_declared", bounds=LINES)

    def declare(
        self, connection: CallerConnection, schedules: Sequence[list[Any]], elsewhere: Sequence[str]
    ) -> None:
        """``elsewhere``: the names of those of other shards: what had such a name here stops."""
        if not (schedules or elsewhere):
            return
        more = [list(elsewhere)] if elsewhere else []
        try:
            connection.call(SCHEDULES, "declare", list(schedules), *more).add_done_callback(self._answered)
        except TqError as error:  # the connection is lost again
            self._not_declared.write(self._loop.time(), error=str(error))

    def _answered(self, answer: asyncio.Future[Any]) -> None:
        if answer.cancelled():
            return
        error = answer.exception()
        if error is not None:
            self._not_declared.write(self._loop.time(), error=str(error))
            return
        for refused in all_from_wire(NotAccepted, answer.result()):
            self._report("schedule.not_accepted", level="warning", schedule=refused.name, why=refused.why)
