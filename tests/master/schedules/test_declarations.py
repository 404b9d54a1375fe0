"""Schedules in the code of workers: accepted, changed, edited over, orphaned, stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tq.common.domain.model import Role
from tq.common.errors import InvalidArgument, ProtocolError
from tq.master.engine.accounts import LIMITS, Accounts, Resource
from tq.master.schedules import calls
from tq.master.schedules import declarations as module
from tq.master.store.sqlite.store import SqliteStore

from ..conftest import Peer
from .conftest import SCHEDULES, Scheduling, definition


def declare(worker: Peer, **schedules: dict[str, Any]) -> Any:
    return worker.call(SCHEDULES, "declare", [[name, fields] for name, fields in schedules.items()])


def leave(scheduling: Scheduling, worker: Peer, seconds: float = module.ABSENT_MS / 1000) -> None:
    worker.close()
    scheduling.bench.advance(seconds + 1)


def test_what_a_worker_declares_is_a_schedule(scheduling: Scheduling) -> None:
    assert declare(scheduling.worker(), s=definition()) == []
    shown = scheduling.show()
    assert (shown["declared"], shown["state"], shown["workers"], shown["key"]) == (
        True,
        "active",
        1,
        "worker",
    )
    scheduling.pass_time(60)
    assert len(scheduling.tasks()) == 1


def test_a_changed_declaration_changes_it(scheduling: Scheduling) -> None:
    declare(worker := scheduling.worker(), s=definition())
    assert declare(worker, s=definition(every=30.0)) == []
    assert scheduling.show()["every"] == 30.0


def test_what_an_operator_changed_outlives_a_redeclaration(scheduling: Scheduling) -> None:
    declare(worker := scheduling.worker(), s=definition(misfire="skip"))
    scheduling.client.call(SCHEDULES, "edit", "s", {"every": 3600.0})
    declare(worker, s=definition(every=30.0, misfire="all"))
    shown = scheduling.show()
    assert (shown["every"], shown["misfire"], shown["edited"]) == (3600.0, "all", ["every"])
    assert scheduling.client.call(SCHEDULES, "edit", "s", {}, True)["every"] == 30.0


def test_a_pause_outlives_a_redeclaration(scheduling: Scheduling) -> None:
    declare(worker := scheduling.worker(), s=definition())
    scheduling.client.call(SCHEDULES, "pause", "s", "no")
    declare(worker, s=definition(every=30.0))
    scheduling.pass_time(600)
    assert scheduling.tasks() == []
    assert (scheduling.show()["state"], scheduling.show()["why"]) == ("paused", "no")


def test_what_was_accepted_stays_while_workers_declare_it_differently(scheduling: Scheduling) -> None:
    declare(first := scheduling.worker(), s=definition())
    [[name, why]] = declare(second := scheduling.worker(), s=definition(every=30.0))
    assert name == "s"
    assert "declare it differently" in why
    assert (scheduling.show()["every"], scheduling.show()["differing"]) == (60.0, 1)
    leave(scheduling, first)
    assert (scheduling.show()["every"], scheduling.show()["differing"]) == (30.0, 0)
    assert second.session.open


def test_a_worker_that_reconnects_in_time_changes_nothing(scheduling: Scheduling) -> None:
    declare(worker := scheduling.worker(), s=definition())
    worker.close()
    scheduling.bench.advance(10)
    again = scheduling.bench.worker("jobs:report", node=worker.session.node)
    declare(again, s=definition())
    scheduling.bench.advance(120)
    assert (scheduling.show()["state"], scheduling.show()["workers"]) == ("active", 1)


def test_one_that_is_gone_is_orphaned_and_stops_after_an_hour(scheduling: Scheduling) -> None:
    declare(worker := scheduling.worker(), s=definition(misfire="all"))
    declare(worker)
    assert scheduling.show()["state"] == "orphaned"
    scheduling.pass_time(60)
    assert len(scheduling.tasks()) == 1, "it goes on meanwhile"
    scheduling.pass_time(module.ORPHANED_MS / 1000)
    shown, made = scheduling.show(), len(scheduling.tasks())
    assert (shown["state"], shown["next"]) == ("stopped", None)
    assert shown["why"] == "no worker has declared it for 60 minutes"
    assert ("schedule.stopped", {"level": "warning", "schedule": "s"}) in scheduling.bench.reports
    scheduling.bench.advance(600)
    assert len(scheduling.tasks()) == made


def test_one_that_is_declared_again_goes_on_and_its_policy_decides_about_what_was_missed(
    scheduling: Scheduling,
) -> None:
    declare(worker := scheduling.worker(), s=definition(misfire="latest"))
    declare(worker)
    scheduling.pass_time(module.ORPHANED_MS / 1000 + 600)
    made = len(scheduling.tasks())
    declare(worker, s=definition(misfire="latest"))
    scheduling.settle()
    assert len(scheduling.tasks()) == made + 1
    assert [row[4] for row in scheduling.show()["history"]][1] == "skipped"
    assert scheduling.show()["state"] == "active"


def test_those_of_a_worker_that_is_gone_are_orphaned(scheduling: Scheduling) -> None:
    declare(worker := scheduling.worker(), s=definition())
    leave(scheduling, worker)
    assert scheduling.show()["state"] == "orphaned"


def test_those_that_no_worker_declares_after_a_start_are_orphaned(
    make_scheduling: Callable[..., Scheduling], tmp_path: Path
) -> None:
    file = tmp_path / "tq.db"
    scheduling = make_scheduling(SqliteStore(file))
    declare(scheduling.worker(), s=definition(), t=definition())
    now = scheduling.bench.now
    scheduling.bench.engine.store.close()
    scheduling = make_scheduling(SqliteStore(file), now)
    declare(scheduling.worker(), t=definition())
    assert scheduling.show("s")["state"] == "active"
    scheduling.bench.advance(module.STARTED_MS / 1000 + 1)
    assert [scheduling.show(name)["state"] for name in "st"] == ["orphaned", "active"]


def test_a_name_that_was_added_at_run_time_is_not_taken_by_a_declaration(scheduling: Scheduling) -> None:
    scheduling.add(every=3600.0)
    [[_, why]] = declare(scheduling.worker(), s=definition())
    assert "was added at run time" in why
    assert scheduling.show()["every"] == 3600.0


def test_what_workers_declare_cannot_be_removed_while_they_are_here(scheduling: Scheduling) -> None:
    declare(worker := scheduling.worker(), s=definition())
    with pytest.raises(InvalidArgument, match="1 connected workers have s in their code"):
        scheduling.client.call(SCHEDULES, "remove", "s")
    leave(scheduling, worker)
    scheduling.client.call(SCHEDULES, "remove", "s")


def test_a_worker_declares_only_in_queues_of_its_key(scheduling: Scheduling) -> None:
    bench = scheduling.bench
    peer = bench.worker("jobs:report", queues=("mail",))
    refused = declare(peer, s=definition(queue="images"), t=definition(queue="mail"))
    assert refused == [["s", "the worker's key does not cover its queue images"]]
    assert [row["name"] for row in bench.client().call(SCHEDULES, "list")["rows"]] == ["t"]


@pytest.mark.parametrize("queue", ["images", "mail"])
def test_what_was_refused_for_its_queue_is_not_taken_when_others_are_gone(
    scheduling: Scheduling, queue: str
) -> None:
    declare(first := scheduling.worker(), s=definition(queue="images"))
    bound = scheduling.bench.worker("jobs:report", queues=("mail",))
    [[name, why]] = declare(bound, s=definition(queue=queue, task="jobs:other", every=1.0))
    assert (name, "does not cover" in why) == ("s", True)
    assert (scheduling.show()["workers"], scheduling.show()["differing"]) == (1, 0)
    declare(first)
    shown = scheduling.show()
    assert (shown["task"], shown["every"], shown["state"]) == ("jobs:report", 60.0, "orphaned")
    scheduling.client.call(SCHEDULES, "remove", "s")  # who may not have it cannot keep it either


def test_one_that_an_operator_moved_is_out_of_reach_of_workers_whose_key_does_not_cover_the_new_queue(
    scheduling: Scheduling,
) -> None:
    declare(first := scheduling.worker(), s=definition(queue="mail"))
    declare(scheduling.bench.worker("jobs:report", queues=("mail",)), s=definition(queue="mail", every=1.0))
    scheduling.client.call(SCHEDULES, "edit", "s", {"queue": "images"})
    declare(first)
    assert (scheduling.show()["every"], scheduling.show()["state"]) == (60.0, "orphaned")


def test_what_has_no_room_when_its_turn_comes_is_as_if_no_worker_declared_it(scheduling: Scheduling) -> None:
    declare(first := scheduling.worker(), s=definition())
    second = scheduling.worker()
    account = second.session.account = Accounts().of("second")
    declare(second, s=definition(task="jobs:other"))
    account.note(Resource.NAMES, LIMITS[Resource.NAMES].key)
    declare(first)
    assert (scheduling.show()["task"], scheduling.show()["state"]) == ("jobs:report", "orphaned")


def test_one_whose_key_was_revoked_goes_on_by_the_key_of_a_worker_that_declares_it(
    scheduling: Scheduling,
) -> None:
    declare(scheduling.worker(), s=definition())
    row = scheduling.bench.engine.store.schedules.find("s")
    scheduling.bench.engine.store.begin()
    scheduling.bench.engine.store.schedules.put(row._replace(key="gone"))
    scheduling.bench.engine.store.commit()
    scheduling.pass_time(60)
    assert scheduling.show()["state"] == "paused"
    declare(scheduling.worker(), s=definition())
    assert (scheduling.show()["state"], scheduling.show()["key"]) == ("active", "worker")


def test_what_a_worker_declares_is_judged_in_portions_and_answered_at_the_end(
    scheduling: Scheduling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "DECIDED_MAX", 2)
    worker, other = scheduling.worker(), scheduling.bench.client()
    rows = [[f"s{place}", definition()] for place in range(4)]
    call = worker.ask(SCHEDULES, "declare", [*rows, ["wrong", {"task": "jobs:report", "cron": "61 * * * *"}]])
    scheduling.bench.step()
    assert len(other.call(SCHEDULES, "list")["rows"]) == 4, "of the second portion, too"
    assert call not in worker.answers
    scheduling.bench.step()
    [[name, why]] = worker.answer(call)
    assert (name, "the minute is '61'" in why) == ("wrong", True)


def test_a_worker_has_a_bound_on_what_it_declares_and_pays_for_it(scheduling: Scheduling) -> None:
    worker = scheduling.worker()
    rows = [[f"s{place}", definition()] for place in range(module.DECLARED_MAX + 1)]
    with pytest.raises(InvalidArgument, match="at most 1,000"):
        worker.call(SCHEDULES, "declare", rows)
    account = worker.session.account
    before = account.held[Resource.ANNOUNCED_BYTES]
    worker.call(SCHEDULES, "declare", rows[:100])
    assert account.held[Resource.ANNOUNCED_BYTES] - before > 100 * module.DECLARATION_BYTES
    declare(worker)
    assert account.held[Resource.ANNOUNCED_BYTES] == before


def test_only_a_worker_that_has_announced_itself_declares(scheduling: Scheduling) -> None:
    with pytest.raises(ProtocolError, match="announce must be a worker's first call"):
        declare(scheduling.peer(Role.WORKER), s=definition())


def test_one_that_code_moves_to_another_shard_stops_here_when_no_worker_has_it_here(
    scheduling: Scheduling,
) -> None:
    declare(old := scheduling.worker(), s=definition())
    new = scheduling.worker()
    assert new.call(SCHEDULES, "declare", [], ["s"]) == []
    assert scheduling.show()["state"] == "active"
    leave(scheduling, old)
    scheduling.settle()
    shown = scheduling.show()
    assert (shown["state"], shown["next"]) == ("stopped", None)
    made = len(scheduling.tasks())
    scheduling.pass_time(600)
    assert len(scheduling.tasks()) == made
    # It is moved back.
    declare(new, s=definition())
    assert scheduling.show()["state"] == "active"


def test_one_of_a_worker_that_is_gone_stops_as_soon_as_it_is_said_to_be_in_another_shard(
    scheduling: Scheduling,
) -> None:
    declare(old := scheduling.worker(), s=definition())
    leave(scheduling, old)
    scheduling.settle()
    assert scheduling.show()["state"] == "orphaned"
    scheduling.worker().call(SCHEDULES, "declare", [], ["s"])
    assert scheduling.show()["state"] == "stopped"


def test_no_worker_stops_by_its_name_what_a_client_has_made_or_another_worker_has(
    scheduling: Scheduling,
) -> None:
    scheduling.add("mine")
    declare(scheduling.worker(), s=definition())
    scheduling.worker().call(SCHEDULES, "declare", [], ["mine", "s", "none"])
    assert [scheduling.show(name)["state"] for name in ("mine", "s")] == ["active", "active"]
