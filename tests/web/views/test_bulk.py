"""Acting on many tasks: nothing before it was counted and asked, and a person can stop it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from tq.client.cli.tasks import RETRY
from tq.common.contract.exposed import ALLOWED
from tq.common.domain.model import Role, State
from tq.common.errors import Forbidden, InvalidArgument, Unreachable
from tq.web.logins import Login
from tq.web.page import ViewRequest
from tq.web.views.bulk import BulkJob, count


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


class Answers:
    """A master that is asked to count and has nothing."""

    def call(self, target: Any, method: str, *args: Any) -> dict[str, Any]:
        return {"states": [], "newest": 0, "before": None}


def counted(role: Role, **form: str) -> BulkJob:
    login = SimpleNamespace(
        role=role, may=lambda needed: role in ALLOWED[Role(needed)], app=Answers(), jobs={}
    )
    done = count(cast(Login, login), ViewRequest(path={}, query=form))
    [job] = login.jobs.values()
    assert done.to == f"/bulk/{job.id}"
    return cast(BulkJob, job)


@pytest.mark.parametrize(
    ("where", "states", "command"),
    [
        (
            "queue=mail",
            {state for state in State if state.is_terminal},
            "tq purge --finished --where queue=mail",
        ),
        ("state=ready", {State.READY}, "tq purge --where state=ready"),
    ],
)
def test_what_is_deleted_is_over_unless_the_filter_names_states(
    where: str, states: set[State], command: str
) -> None:
    job = counted(Role.ADMIN, verb="delete", where=where)
    assert {State.from_number(number) for number in job.wanted["states"]} == states
    assert job.command == command


def test_nothing_that_runs_and_no_part_of_an_array_is_deleted() -> None:
    with pytest.raises(InvalidArgument, match="running tasks cannot be deleted"):
        counted(Role.ADMIN, verb="delete", where="state=running")
    with pytest.raises(InvalidArgument, match="part of an array is not deleted"):
        counted(Role.ADMIN, verb="delete", array="019300a1+0..9", where="state=failed")


def test_deleting_is_for_admins() -> None:
    with pytest.raises(Forbidden, match="cannot delete tasks"):
        counted(Role.CLIENT, verb="delete", where="state=failed")
    assert counted(Role.CLIENT, verb="retry", where="state=failed").command == "tq retry --where state=failed"
