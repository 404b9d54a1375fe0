"""Tasks named by short ids, with a master that knows some."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import Any

import pytest
from tq.client.tasks.named import named, short_range, task_named, task_named_async
from tq.common.domain.ids import id_behind, parse_id
from tq.common.errors import InvalidArgument, UnknownTask

WHOLE = "019300a1-7c3e-7b40-8c1d-2f6a5e4d3c2b"
ID = parse_id(WHOLE)


class Master:
    """Answers what an id means, and notes what it was asked."""

    def __init__(self, *rows: tuple[bytes, int], more: bool = False, flow: str | None = None) -> None:
        self.rows, self.more, self.flow = rows, more, flow
        self.asked: list[tuple[Any, ...]] = []

    def call(self, target: Any, method: str, *args: Any) -> Any:
        self.asked.append((method, *args))
        if target == ("get_flows",):
            return {"rows": [] if self.flow is None else [{"id": ID, "name": self.flow}], "more": False}
        rows = [{"id": id, "tasks": tasks, "name": "m:f", "queue": "q"} for id, tasks in self.rows]
        return {"rows": rows, "more": self.more}

    def start_call(self, *args: Any) -> Future[Any]:
        answered: Future[Any] = Future()
        answered.set_result(self.call(*args))
        return answered


def test_a_whole_id_is_a_task_and_the_master_is_not_asked() -> None:
    master = Master()
    assert task_named(master, WHOLE) == ID  # type: ignore[arg-type]
    assert task_named(master, f"{WHOLE}+5") == id_behind(ID, 5)  # type: ignore[arg-type]
    assert master.asked == []


@pytest.mark.parametrize(("name", "shown"), [("nightly", "nightly"), ("", "without a name")])
def test_the_beginning_of_the_id_of_a_flow_is_answered_with_the_command_for_it(name: str, shown: str) -> None:
    words = f"0193 is no task, but the flow {shown}: `tq flow show {WHOLE}` shows it"
    with pytest.raises(UnknownTask, match=words):
        task_named(Master(flow=name), "0193")  # type: ignore[arg-type]
    with pytest.raises(UnknownTask, match=words):
        asyncio.run(task_named_async(Master(flow=name), "0193"))  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="may mean several"):
        task_named(Master((ID, 1), (id_behind(ID, 1), 1), flow=name), "0193")  # type: ignore[arg-type]


def test_a_beginning_is_what_the_master_says() -> None:
    master = Master((ID, 1))
    assert task_named(master, "019300A1-7c3e") == ID  # type: ignore[arg-type]
    assert task_named(master, "019300a1..2b") == ID  # type: ignore[arg-type]
    assert master.asked == [("meant", "019300a17c3e", ""), ("meant", "019300a1", "2b")]
    assert asyncio.run(task_named_async(master, "0193")) == ID  # type: ignore[arg-type]


def test_a_place_in_an_array_is_a_task_and_what_is_behind_the_last_one_is_refused() -> None:
    master = Master((ID, 200))
    meant = named(master, "0193+7")  # type: ignore[arg-type]
    assert (meant.ids.first, meant.is_array) == (id_behind(ID, 7), False)
    with pytest.raises(UnknownTask, match=r"the array has 200 tasks, the last one is \+199"):
        named(master, "0193+200")  # type: ignore[arg-type]
    part = named(master, "0193+100..199")  # type: ignore[arg-type]
    assert part.ids == (id_behind(ID, 100), 100)
    assert part.name(id_behind(ID, 150)) == "0193+150"


def test_a_task_by_itself_has_no_second_place() -> None:
    with pytest.raises(UnknownTask, match="is a task by itself"):
        named(Master((ID, 1)), "0193+1")  # type: ignore[arg-type]


def test_an_array_is_not_taken_for_a_task() -> None:
    with pytest.raises(InvalidArgument, match=r"an array of 200 tasks; name one of them, as 0193\+0"):
        task_named(Master((ID, 200)), "0193")  # type: ignore[arg-type]


def test_one_that_may_mean_several_is_refused_with_some_of_them() -> None:
    master = Master((ID, 200), (id_behind(ID, 500), 1), more=True)
    with pytest.raises(InvalidArgument) as refused:
        named(master, "0193")  # type: ignore[arg-type]
    assert str(refused.value).splitlines()[:4] == [
        "0193 may mean several; write more of the id:",
        f"  {WHOLE}+0..199  m:f in queue q",
        "  019300a1-7c3e-7b40-8c1d-2f6a5e4d3e1f  m:f in queue q",
        "  and others",
    ]


def test_one_that_means_nothing_is_unknown() -> None:
    with pytest.raises(UnknownTask, match="no task has an id that begins as 0193:"):
        named(Master(), "0193")  # type: ignore[arg-type]


def test_an_array_is_named_short_only_if_all_of_its_ids_begin_so() -> None:
    assert short_range(ID, 200, 12) == "019300a1-7c3e"
    assert short_range(ID, 200, 32) == f"{WHOLE}+0..199"
    assert short_range(ID, 200, 31) == f"{WHOLE}+0..199"
