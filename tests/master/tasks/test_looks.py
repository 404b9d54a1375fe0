"""Who looks at tasks in the transaction in which they are submitted sees them: no call has to have them written first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pytest
from tq.common.domain.ids import new_ids
from tq.common.domain.model import Role, StateNumber

ID: Final = new_ids()
QUEUE: Final = "get_task_queue/q"
READY: Final = int(StateNumber.READY)

# Object, method, arguments; whether the task was seen in the answer.
LOOKS: Final[dict[str, tuple[str, str, list[Any], Callable[[Any], bool]]]] = {
    "states": ("get_tasks", "states", [[ID]], lambda rows: rows == [[ID, READY]]),
    "show": ("get_tasks", "show", [ID], lambda row: row["state"] == READY),
    "list": ("get_tasks", "list", [{}], lambda rows: len(rows) == 1),
    "list by state": ("get_tasks", "list", [{"states": [READY]}], lambda rows: len(rows) == 1),
    "select": ("get_tasks", "select", [{}, 9], lambda page: len(page["rows"]) == 1),
    "cancel": ("get_tasks", "cancel", [[ID]], lambda rows: rows == [[ID, int(StateNumber.CANCELLED)]]),
    "cancel_where": ("get_tasks", "cancel_where", [{}], lambda page: page["tasks"] == 1),
    "purge": ("get_tasks", "purge", [{}], lambda page: page["tasks"] == 1),
    "queues": ("get_queues", "list", [], lambda rows: "q" in str(rows) and counted(rows)),
    "info": ("get_master", "info", [], lambda row: row["tasks"] == 1),
}


def counted(rows: list[dict[str, Any]]) -> bool:
    [row] = [row for row in rows if row["name"] == "q"]
    return any(value == 1 for value in row.values() if type(value) is int)


@pytest.mark.parametrize("look", LOOKS)
def test_a_look_sees_what_was_submitted_just_before_it(bench: Any, look: str) -> None:
    client, admin = bench.client(), bench.client(role=Role.ADMIN)
    target, method, arguments, was_seen = LOOKS[look]
    submitted = client.ask(QUEUE, "submit", "m:f", {}, [[ID, b""]])
    looked = admin.ask(target, method, *arguments)
    bench.step()
    assert client.answer(submitted) == 1
    answer = admin.answer(looked)
    assert was_seen(answer), answer


def test_what_was_submitted_before_a_pause_goes_to_the_worker_that_waits_for_it(bench: Any) -> None:
    client, admin, worker = bench.client(), bench.client(role=Role.ADMIN), bench.worker("m:f")
    waiting = worker.ask("get_dispatcher", "lease", 1)
    bench.step()
    client.ask(QUEUE, "submit", "m:f", {}, [[ID, b""]])
    admin.ask(QUEUE, "pause", "later")
    client.ask(QUEUE, "submit", "m:f", {}, [[new_ids(), b""]])
    bench.step()
    [_, [[_, _, _, [[id, *_]]]]] = worker.answer(waiting)
    assert id == ID


def test_a_watch_yields_the_outcome_of_a_task_that_was_submitted_before_it(bench: Any) -> None:
    client, admin = bench.client(), bench.client(role=Role.ADMIN)
    client.ask(QUEUE, "submit", "m:f", {}, [[ID, b""]])
    client.ask("get_result_queue/s", "watch", [ID])
    bench.step()
    collecting = client.ask("get_result_queue/s", "collect")
    admin.call("get_tasks", "cancel", [ID])
    assert client.answer(collecting) == [[ID, int(StateNumber.CANCELLED), None]]
