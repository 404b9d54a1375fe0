"""The tasks that schedules make: what happens when an earlier one has not ended, and what the history says of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tq.common.domain.model import OutcomeNumber, StateNumber
from tq.common.errors import InvalidArgument
from tq.common.values.failure import Failure
from tq.master.schedules import occurrences as module
from tq.master.store.sqlite.store import SqliteStore

from .conftest import SCHEDULES, Scheduling
from .test_schedules import TOKEN, states


def pass_instants(scheduling: Scheduling, count: int) -> None:
    for _ in range(count):
        scheduling.pass_time(60)


def test_runs_may_overlap(scheduling: Scheduling) -> None:
    scheduling.add(overlap="allow")
    pass_instants(scheduling, 3)
    assert states(scheduling) == ["ready"] * 3


def test_none_begins_while_an_earlier_one_has_not_ended(scheduling: Scheduling) -> None:
    scheduling.add(overlap="skip")
    pass_instants(scheduling, 3)
    assert states(scheduling) == ["ready", "skipped", "skipped"]
    assert scheduling.show()["history"][0][9] == "an earlier one has not ended"
    worker = scheduling.worker()
    assert len(scheduling.run(worker)) == 1
    pass_instants(scheduling, 1)
    assert states(scheduling) == ["succeeded", "skipped", "skipped", "ready"]


def test_held_ones_begin_one_after_the_other(scheduling: Scheduling) -> None:
    scheduling.add(overlap="queue")
    pass_instants(scheduling, 3)
    assert states(scheduling) == ["ready", "held", "held"]
    worker = scheduling.worker()
    for left in (2, 1, 0):
        assert len(scheduling.run(worker)) == 1
        scheduling.settle()
        assert states(scheduling).count("held") == max(0, left - 1)
    assert states(scheduling) == ["succeeded"] * 3
    assert scheduling.run(worker) == []


def test_held_ones_outlive_the_master(make_scheduling: Callable[..., Scheduling], tmp_path: Path) -> None:
    file = tmp_path / "tq.db"
    scheduling = make_scheduling(SqliteStore(file))
    scheduling.add(overlap="queue")
    pass_instants(scheduling, 3)
    scheduling.run(scheduling.worker(), 1)  # that has ended, and what it sets free was not made yet
    now = scheduling.bench.now
    scheduling.bench.engine.store.close()
    scheduling = make_scheduling(SqliteStore(file), now)
    scheduling.settle()
    assert states(scheduling) == ["succeeded", "ready", "held"]
    scheduling.run(scheduling.worker())
    scheduling.settle()
    assert states(scheduling) == ["succeeded", "succeeded", "ready"]


def test_held_ones_have_a_bound(scheduling: Scheduling, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HELD_MAX", 2)
    scheduling.add(overlap="queue")
    pass_instants(scheduling, 4)
    assert states(scheduling) == ["ready", "held", "held", "skipped"]
    with pytest.raises(InvalidArgument, match="2 runs of s wait already"):
        scheduling.client.call(SCHEDULES, "run_now", "s", TOKEN)


def test_held_ones_stay_while_it_is_paused_and_go_on_afterwards(scheduling: Scheduling) -> None:
    scheduling.add(overlap="queue")
    pass_instants(scheduling, 2)
    scheduling.client.call(SCHEDULES, "pause", "s")
    scheduling.run(scheduling.worker())
    scheduling.settle()
    assert states(scheduling) == ["succeeded", "held"]
    scheduling.client.call(SCHEDULES, "resume", "s")
    scheduling.settle()
    assert states(scheduling) == ["succeeded", "ready"]


def test_the_earlier_one_is_cancelled(scheduling: Scheduling) -> None:
    scheduling.add(overlap="cancel_running")
    pass_instants(scheduling, 2)
    assert states(scheduling) == ["cancelled", "ready"]
    worker = scheduling.worker()
    orders = worker.ask("get_dispatcher", "orders")
    lease, [[_, _, _, [[id, attempt, *_]]]] = worker.call("get_dispatcher", "lease", 1)
    pass_instants(scheduling, 1)
    assert worker.answer(orders) == [["cancel", id, attempt]]
    worker.call(
        "get_dispatcher", "finish", [[id, attempt, lease, int(OutcomeNumber.CANCELLED), None, 0.0, 1.0, None]]
    )
    assert states(scheduling) == ["cancelled", "cancelled", "ready"]


def test_of_several_that_were_missed_only_the_last_one_is_made_if_each_would_cancel_the_one_before(
    scheduling: Scheduling,
) -> None:
    scheduling.add(overlap="cancel_running", misfire="all")
    scheduling.pass_time(300)
    assert states(scheduling) == ["skipped"] * 4 + ["ready"]


def test_a_run_by_hand_waits_its_turn_where_others_do(scheduling: Scheduling) -> None:
    scheduling.add(overlap="queue")
    pass_instants(scheduling, 1)
    id = scheduling.client.call(SCHEDULES, "run_now", "s", TOKEN)
    assert states(scheduling) == ["ready", "held"]
    scheduling.run(scheduling.worker())
    scheduling.settle()
    assert scheduling.tasks()[-1] == id
    assert scheduling.client.call(SCHEDULES, "run_now", "s", TOKEN) == id
    assert len(scheduling.tasks()) == 2


def test_the_history_has_how_each_ended_and_how_long_it_took_when_the_task_is_deleted(
    scheduling: Scheduling,
) -> None:
    scheduling.add()
    pass_instants(scheduling, 1)
    scheduling.run(scheduling.worker())
    scheduling.pass_time(8 * 24 * 3600)  # longer than results are kept
    scheduling.bench.advance(30)
    first = scheduling.show()["history"][-1]
    assert first[4] == "succeeded"
    assert first[8] - first[7] == pytest.approx(0.5)
    assert scheduling.bench.engine.store.find([first[5]]) == []


def test_a_task_that_failed_and_was_retried_has_its_last_state(scheduling: Scheduling) -> None:
    scheduling.add()
    pass_instants(scheduling, 1)
    worker = scheduling.worker()
    lease, [[_, _, _, [[id, attempt, *_]]]] = worker.call("get_dispatcher", "lease", 1)
    failed = Failure("ValueError", "no").encode()
    worker.call(
        "get_dispatcher", "finish", [[id, attempt, lease, int(OutcomeNumber.ERROR), failed, 0.0, 1.0, None]]
    )
    assert states(scheduling) == ["failed"]
    assert scheduling.client.call("get_tasks", "retry", [id]) == [[id, int(StateNumber.READY)]]
    scheduling.run(worker)
    assert states(scheduling) == ["succeeded"]


def test_the_history_keeps_the_newest_of_what_is_over(scheduling: Scheduling) -> None:
    scheduling.add()
    worker = scheduling.worker()
    for _ in range(150):
        scheduling.pass_time(60)
        scheduling.run(worker)
    rows = scheduling.show()["history"]
    assert module.KEPT <= len(rows) <= module.KEPT + module.FORGOTTEN_EVERY
    assert rows[0][0] > rows[-1][0] == rows[0][0] - 60 * (len(rows) - 1)
