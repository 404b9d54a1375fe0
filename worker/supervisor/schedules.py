"""Declares the schedules in the code that the children serve, on each connection to the master."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from ...common.contract.rows import all_from_wire
from ...common.contract.schedules import NotAccepted
from ...common.errors import TqError
from ...common.wire.connection import CallerConnection

SCHEDULES: Final = ["get_schedules"]


def declare(
    connection: CallerConnection, schedules: Sequence[list[Any]], report: Callable[..., None]
) -> None:
    """What is not accepted is logged."""
    if not schedules:
        return

    def done(answer: asyncio.Future[Any]) -> None:
        if answer.cancelled():
            return
        error = answer.exception()
        if error is not None:
            report("schedules.not_declared", level="warning", error=str(error))
            return
        for refused in all_from_wire(NotAccepted, answer.result()):
            report("schedule.not_accepted", level="warning", schedule=refused.name, why=refused.why)

    try:
        connection.call(SCHEDULES, "declare", list(schedules)).add_done_callback(done)
    except TqError as error:  # the connection is lost again
        report("schedules.not_declared", level="warning", error=str(error))
