"""Acting on many tasks: nothing before it was counted and asked, and a person can stop it."""

from __future__ import annotations

from typing import Any

from tq.client.cli.tasks import RETRY
from tq.common.errors import Unreachable
from tq.web.views.bulk import BulkJob


class Portions:
    """A master with three portions of ten failed tasks each."""

    def __init__(self, job: BulkJob) -> None:
        self.job, self.calls = job, list[str]()
        self.stop_after, self.fail_after = 99, 99

    def call(self, target: Any, method: str, wanted: Any, *place: Any) -> dict[str, Any]:
        self.calls.append(method)
        if len(self.calls) > self.fail_after:
            raise Unreachable("the master does not answer")
        if len(self.calls) == self.stop_after:
            self.job.is_stopped = True
        last = len(self.calls) % 3 == 0
        return {"states": [[11, 10]], "newest": 100, "tasks": 10, "before": None if last else 50}


def job(**given: Any) -> tuple[BulkJob, Any]:
    made = BulkJob(id="1", verb=RETRY, wanted={}, command="tq retry", **given)
    return made, Portions(made)


def test_counting_changes_nothing_and_then_asks() -> None:
    made, app = job()
    made._run(made._count, app)
    assert (made.phase, made.tasks, made.newest) == ("asking", 30, 100)
    assert set(app.calls) == {"select"}


def test_acting_goes_through_all_portions() -> None:
    made, app = job(phase="acting", newest=100)
    made._run(made._act, app)
    assert (made.phase, made.done) == ("done", 30)
    assert set(app.calls) == {"retry_where"}


def test_a_person_stops_it_between_two_portions() -> None:
    made, app = job(phase="acting", newest=100)
    app.stop_after = 2
    made._run(made._act, app)
    assert (made.phase, made.done) == ("stopped", 20)


def test_a_master_that_goes_away_half_way_is_said_with_how_many_were_done() -> None:
    made, app = job(phase="acting", newest=100)
    app.fail_after = 1
    made._run(made._act, app)
    assert (made.phase, made.done, made.error) == ("failed", 10, "the master does not answer")
