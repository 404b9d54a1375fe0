"""A worker declares the schedules in its code when it connects, and logs what is not accepted."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tq.common.errors import InvalidArgument, Unreachable
from tq.worker.supervisor.schedules import LINES, SCHEDULES, ScheduleDeclarer

ROWS = [["s", {"task": "m:f", "every": 60.0}]]


class Connection:
    """Notes calls, and answers them."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.calls: list[tuple[Any, ...]] = []

    def call(self, *call: Any) -> asyncio.Future[Any]:
        self.calls.append(call)
        if isinstance(self.answer, Unreachable):
            raise self.answer
        future = asyncio.get_running_loop().create_future()
        if isinstance(self.answer, Exception):
            future.set_exception(self.answer)
        else:
            future.set_result(self.answer)
        return future


def declared(
    answer: Any, rows: list[Any], times: int = 1, elsewhere: tuple[str, ...] = ()
) -> tuple[list[Any], list[tuple[str, dict[str, Any]]]]:
    connection = Connection(answer)
    reports: list[tuple[str, dict[str, Any]]] = []

    async def test() -> None:
        declarer = ScheduleDeclarer(
            lambda action, **fields: reports.append((action, fields)), asyncio.get_running_loop()
        )
        for _ in range(times):
            declarer.declare(connection, rows, elsewhere)  # type: ignore[arg-type]
            await asyncio.sleep(0)

    asyncio.run(test())
    return connection.calls, reports


def test_all_are_declared_in_one_call() -> None:
    assert declared([], ROWS) == ([(SCHEDULES, "declare", ROWS)], [])


def test_a_worker_without_schedules_declares_nothing() -> None:
    assert declared([], []) == ([], [])


def test_a_shard_gets_the_names_of_those_that_are_in_others() -> None:
    assert declared([], [], elsewhere=("t",)) == ([(SCHEDULES, "declare", [], ["t"])], [])


def test_what_is_not_accepted_is_logged() -> None:
    _, reports = declared([["s", "others declare it differently"]], ROWS)
    words = {"level": "warning", "schedule": "s", "why": "others declare it differently"}
    assert reports == [("schedule.not_accepted", words)]


@pytest.mark.parametrize("error", [InvalidArgument("no such object"), Unreachable("closed")])
def test_a_declaration_that_fails_is_logged_and_the_worker_goes_on(error: Exception) -> None:
    _, reports = declared(error, ROWS)
    assert reports == [("schedules.not_declared", {"level": "warning", "error": str(error)})]
    _, reports = declared(error, ROWS, 100)
    assert len(reports) == LINES.at_once, "a worker may connect twice a second for hours"
