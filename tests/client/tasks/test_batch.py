"""``app.batch()``: what is submitted in it travels together, and is stored when it ends."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
import tq

from .. import jobs
from ..conftest import MasterInMemory, each


@pytest.fixture
def double(app: tq.App, master: MasterInMemory) -> Any:
    task = app.task(jobs.double)
    master.functions[task.name] = jobs.double
    return task


def submits(master: MasterInMemory) -> list[int]:
    """How many tasks each submit carried."""
    return [len(each(args[2])) for _, method, args in master.calls if method == "submit"]


def test_submits_of_a_batch_travel_together_and_are_stored_at_its_end(
    app: tq.App, double: Any, master: MasterInMemory
) -> None:
    with app.batch():
        handles = [double.submit(number) for number in range(10)]
        assert submits(master) == []
    assert submits(master) == [10]
    assert [handle.result(timeout=5) for handle in handles] == [2 * number for number in range(10)]


def test_after_a_batch_a_submit_is_stored_on_return_again(
    app: tq.App, double: Any, master: MasterInMemory
) -> None:
    with app.batch():
        double.submit(1)
    double.submit(2)
    assert submits(master) == [1, 1]


def test_a_long_batch_is_sent_in_thousands(app: tq.App, double: Any, master: MasterInMemory) -> None:
    with app.batch():
        for number in range(2_500):
            double.submit(number)
        sent = app.session.link.call(("get_tasks",), "states", [[]], repeatable=True)
        sent.result(10)  # answered after every submit that was sent before it
        assert submits(master) == [1_000, 1_000]
    assert submits(master) == [1_000, 1_000, 500]


def test_kinds_that_alternate_in_a_batch_gather_to_thousands_each(
    app: tq.App, double: Any, master: MasterInMemory
) -> None:
    urgent = double.using(priority=1)
    with app.batch():
        for number in range(1_500):
            double.submit(number)
            urgent.submit(number)
    assert submits(master) == [1_000, 1_000, 500, 500]


def test_large_payloads_of_a_batch_do_not_gather(app: tq.App, double: Any, master: MasterInMemory) -> None:
    with app.batch():
        for _ in range(4):
            double.submit("x" * 600_000)
    assert submits(master) == [1, 1, 1, 1]


def test_equal_options_share_a_call_and_others_do_not(
    app: tq.App, double: Any, master: MasterInMemory
) -> None:
    with app.batch():
        for number in range(6):
            double.using(priority=number % 2).submit(number)
    assert submits(master) == [3, 3]
    assert {task["options"].get("priority", 0) for task in master.tasks.values()} == {0, 1}


def test_a_result_can_be_waited_for_inside_the_block(
    app: tq.App, double: Any, master: MasterInMemory
) -> None:
    with app.batch():
        handle = double.submit(4)
        assert handle.result(timeout=5) == 8
        assert handle.state == tq.State.SUCCEEDED
        [first] = tq.as_completed([double.submit(5)])
        assert first.result(timeout=5) == 10
    assert submits(master) == [1, 1]


def test_a_task_with_a_key_is_refused_alone(app: tq.App, double: Any, master: MasterInMemory) -> None:
    double.using(key="k").submit(1)
    with pytest.raises(tq.TaskConflict), app.batch():  # noqa: PT012 - the block is what is tested
        before = double.submit(2)
        double.using(key="k").submit(99)
        after = double.submit(3)
    assert [before.result(timeout=5), after.result(timeout=5)] == [4, 6]


def test_an_error_in_the_block_goes_on_and_what_was_submitted_is_stored(
    app: tq.App, double: Any, master: MasterInMemory
) -> None:
    with pytest.raises(KeyError), app.batch():  # noqa: PT012 - the block is what is tested
        handle = double.submit(1)
        raise KeyError
    assert handle.result(timeout=5) == 2


def test_an_error_in_the_block_notes_what_could_not_be_stored(
    app: tq.App, double: Any, master: MasterInMemory
) -> None:
    master.refusals["submit"] = tq.StoreError("the disk is full")
    with pytest.raises(KeyError) as caught, app.batch():  # noqa: PT012 - the block is what is tested
        double.submit(1)
        raise KeyError
    assert "the disk is full" in caught.value.__notes__[0]


def test_what_cannot_be_stored_is_raised_at_the_end(app: tq.App, double: Any, master: MasterInMemory) -> None:
    master.refusals["submit"] = tq.StoreError("the disk is full")
    with pytest.raises(tq.StoreError, match="disk is full"), app.batch():
        double.submit(1)


def test_another_thread_is_not_in_the_batch(app: tq.App, double: Any, master: MasterInMemory) -> None:
    with app.batch():
        double.submit(1)
        thread = threading.Thread(target=double.submit, args=(2,))
        thread.start()
        thread.join()
        assert submits(master) == [1]
    assert submits(master) == [1, 1]


def test_a_batch_in_a_batch_is_stored_at_its_own_end(
    app: tq.App, double: Any, master: MasterInMemory
) -> None:
    with app.batch():
        double.submit(1)
        with app.batch():
            double.submit(2)
            double.submit(3)
        assert submits(master) == [2]
    assert submits(master) == [2, 1]


def test_a_batch_works_in_an_event_loop(app: tq.App, double: Any, master: MasterInMemory) -> None:
    async def main() -> list[int]:
        async with app.batch():
            handles = [double.submit(number) for number in range(3)]
        return [await handle for handle in handles]

    assert asyncio.run(main()) == [0, 2, 4]
    assert submits(master) == [3]


def test_an_empty_batch_sends_nothing(app: tq.App, master: MasterInMemory) -> None:
    with app.batch():
        pass
    assert master.calls == []
