"""Schedules: when they make tasks, and what people and programs do with them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tq.common.domain.ids import COMPUTED, key_id, occurrence_id
from tq.common.domain.model import Role
from tq.common.errors import Forbidden, InvalidArgument, QuotaExceeded, StoreError
from tq.common.wire.frames import unpack
from tq.master.engine.accounts import LIMITS, Accounts, Resource
from tq.master.keys.keyring import Keyring
from tq.master.schedules import calls
from tq.master.schedules import schedules as module
from tq.master.store.sqlite.store import SqliteStore

from ..conftest import Bench
from ..new_store import NewStore
from .conftest import SCHEDULES, TASK, Scheduling, definition

DAY = 24 * 3600.0
TOKEN = b"t" * 16


def states(scheduling: Scheduling) -> list[str]:
    return [state for _, state in scheduling.history()]


def test_a_list_has_the_newest_of_the_history_of_each_if_it_is_asked_for(scheduling: Scheduling) -> None:
    scheduling.add(every=60.0)
    worker = scheduling.worker()
    for _ in range(3):
        scheduling.pass_time(60)
        scheduling.run(worker)
    [row] = scheduling.client.call(SCHEDULES, "list", 0, 500, 2)["rows"]
    assert row["history"] == scheduling.show()["history"][:2]
    assert "history" not in scheduling.client.call(SCHEDULES, "list")["rows"][0]
    with pytest.raises(InvalidArgument, match="history"):
        scheduling.client.call(SCHEDULES, "list", 0, 500, 21)


def test_with_histories_a_list_comes_in_smaller_portions(
    scheduling: Scheduling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "LISTED_WITH_HISTORY", 1)
    for name in ("a", "b"):
        scheduling.client.call(SCHEDULES, "add", name, definition(every=60.0))
    first = scheduling.client.call(SCHEDULES, "list", 0, 500, 20)
    second = scheduling.client.call(SCHEDULES, "list", first["after"], 500, 20)
    assert [row["name"] for row in (*first["rows"], *second["rows"])] == ["a", "b"]


def test_it_makes_a_task_at_each_of_its_instants(scheduling: Scheduling) -> None:
    scheduling.add(every=60.0)
    worker = scheduling.worker()
    for _ in range(3):
        scheduling.pass_time(60)
        assert len(scheduling.run(worker)) == 1
    assert states(scheduling) == ["succeeded"] * 3
    shown = scheduling.show()
    assert (shown["state"], shown["fired"]) == ("active", 3)
    assert shown["next"] > scheduling.wall


def test_nothing_is_due_at_once_and_nothing_before_its_time(scheduling: Scheduling) -> None:
    shown = scheduling.add(every=60.0)
    scheduling.pass_time(shown["next"] - scheduling.wall - 0.001)
    assert scheduling.tasks() == []
    scheduling.pass_time(0.001)
    assert len(scheduling.tasks()) == 1


def test_the_id_of_a_task_is_that_of_schedule_queue_and_instant(scheduling: Scheduling) -> None:
    shown = scheduling.add()
    scheduling.pass_time(60)
    moment = int(shown["next"] * 1000).to_bytes(8, "big")
    assert scheduling.tasks() == [occurrence_id("s", "default", b"at" + moment)]
    assert occurrence_id("s", "other", b"at" + moment) != occurrence_id("s", "default", b"at" + moment)


def test_no_client_can_take_the_id_of_an_occurrence(scheduling: Scheduling) -> None:
    shown = scheduling.add()
    id = occurrence_id("s", "default", b"at" + int(shown["next"] * 1000).to_bytes(8, "big"))
    assert id >= COMPUTED
    proof = key_id("default", TASK, "some key").proof
    for proofs in ([], [[id, proof]], [[id, id + id]]):
        with pytest.raises(InvalidArgument, match="is of a task with a key"):
            scheduling.client.call(
                "get_task_queue/default", "submit", TASK, {}, [[id, b""]], None, None, proofs
            )


def test_the_tasks_have_its_arguments_its_options_and_its_queue(scheduling: Scheduling) -> None:
    scheduling.add(queue="reports", payload=b"\x92\x90\x80", options={"retries": 3})
    scheduling.pass_time(60)
    [task] = scheduling.client.call("get_tasks", "list", {"queue": "reports"})
    stored = scheduling.bench.engine.store.full(task["id"])
    assert stored is not None
    assert (stored.task, stored.payload) == (TASK, b"\x92\x90\x80")
    assert unpack(stored.options or b"") == {"retries": 3}


# what was missed


@pytest.mark.parametrize(
    ("misfire", "made", "skipped"), [("latest", 1, 1_439), ("all", 1_000, 440), ("skip", 1, 1_439)]
)
def test_after_a_day_of_downtime_the_policy_decides_and_history_and_log_say_what_was_skipped(
    scheduling: Scheduling, misfire: str, made: int, skipped: int
) -> None:
    scheduling.add(misfire=misfire)
    scheduling.pass_time(DAY)
    assert len(scheduling.tasks()) == made
    instants = scheduling.show()["history"]
    [missed] = [row for row in instants if row[4] == "skipped"]
    assert missed[2] == skipped
    assert missed[9] == f"missed; its policy is {misfire}"
    [fields] = [fields for action, fields in scheduling.bench.reports if action == "schedule.skipped"]
    assert (fields["schedule"], fields["instants"]) == ("s", skipped)


def test_a_policy_of_skip_makes_up_for_nothing_that_is_more_than_a_minute_late(
    scheduling: Scheduling,
) -> None:
    shown = scheduling.add(every=3600.0, misfire="skip")
    late = shown["next"] - scheduling.wall + 61
    scheduling.pass_time(late)
    assert scheduling.tasks() == []
    assert states(scheduling) == ["skipped"]
    scheduling.pass_time(3600 - 61 + 59)
    assert len(scheduling.tasks()) == 1


@pytest.mark.parametrize("misfire", ["latest", "all", "skip"])
def test_a_cron_rule_with_very_many_missed_instants_is_decided_the_same_way(
    scheduling: Scheduling, misfire: str
) -> None:
    scheduling.add(cron="* * * * *", misfire=misfire)
    scheduling.pass_time(30 * DAY)
    assert len(scheduling.tasks()) == (1_000 if misfire == "all" else 1)
    latest = int(scheduling.wall // 60) * 60
    fired = [instant for instant, state in scheduling.history() if state == "ready"]
    assert fired[-1] == latest
    assert fired == [latest - 60 * place for place in reversed(range(len(fired)))]
    [missed] = [row for row in scheduling.show()["history"] if row[4] == "skipped"]
    assert "and earlier ones" in missed[9]


# clocks and deaths


def test_a_clock_that_jumps_back_makes_nothing_twice(scheduling: Scheduling) -> None:
    scheduling.add()
    scheduling.pass_time(180)
    before = scheduling.tasks()
    scheduling.bench.set_clock(-3600)
    for _ in range(60):
        scheduling.pass_time(60)
    assert scheduling.tasks() == before
    scheduling.pass_time(60)
    assert len(scheduling.tasks()) == len(before) + 1


def test_a_transaction_that_fails_has_made_nothing_and_the_next_one_makes_all(scheduling: Scheduling) -> None:
    bench = scheduling.bench
    scheduling.add()
    bench.now = bench.now._replace(wall=bench.now.wall + 60_000, mono=bench.now.mono + 60_000)

    def fail() -> None:
        raise StoreError("the disk is full")

    bench.step(commit=fail)
    bench.advance(10)
    scheduling = _again(scheduling)
    assert len(scheduling.tasks()) == 1
    assert states(scheduling) == ["ready"]


def _again(scheduling: Scheduling) -> Scheduling:
    """With a client of its own, as those before were disconnected."""
    scheduling.client = scheduling.peer()
    return scheduling


def test_nothing_is_lost_or_made_twice_when_the_master_is_killed_between_any_two_instants(
    make_scheduling: Callable[..., Scheduling], tmp_path: Path
) -> None:
    file = tmp_path / "tq.db"
    scheduling = make_scheduling(SqliteStore(file))
    scheduling.add(misfire="all")
    for _ in range(10):
        now = scheduling.bench.now
        now = now._replace(wall=now.wall + 45_000, mono=now.mono + 45_000)
        scheduling.bench.engine.run(now)  # and it dies before its commit
        scheduling.bench.engine.store.close()
        scheduling = make_scheduling(SqliteStore(file), now)
        scheduling.settle()
    passed = [instant for instant, _ in scheduling.history()]
    assert len(scheduling.tasks()) == len(passed) == len(set(passed))
    assert passed == [passed[0] + 60 * place for place in range(len(passed))]
    assert len(passed) in (7, 8)  # of 450 seconds


def test_purging_its_tasks_makes_none_of_them_again(scheduling: Scheduling) -> None:
    scheduling.add()
    admin = scheduling.peer(Role.ADMIN)
    scheduling.pass_time(60)
    admin.call("get_tasks", "purge", {})
    assert scheduling.tasks() == []
    scheduling.bench.set_clock(-120)
    scheduling.pass_time(120)
    assert scheduling.tasks() == []
    assert states(scheduling) == ["cancelled"]


# whose rights


def test_it_pauses_when_the_key_of_its_maker_is_revoked(scheduling: Scheduling) -> None:
    scheduling.add()
    keys = scheduling.bench.engine.part(Keyring)
    keys.revoke("client", [])
    scheduling.pass_time(60)
    viewer = scheduling.peer(Role.VIEWER)
    shown = viewer.call(SCHEDULES, "show", "s")
    assert viewer.call("get_tasks", "list", {}) == []
    assert shown["state"] == "paused"
    assert "the key client of its maker was revoked" in shown["why"]
    assert [action for action, _ in scheduling.bench.reports if action.startswith("schedule")] == [
        "schedule.paused"
    ]
    admin = scheduling.peer(Role.ADMIN)
    admin.call(SCHEDULES, "resume", "s")
    scheduling.pass_time(60)
    assert len(viewer.call("get_tasks", "list", {})) == 1
    assert viewer.call(SCHEDULES, "show", "s")["key"] == "admin"


def test_a_schedule_beyond_the_queues_of_a_key_is_answered_as_one_that_is_not_there(
    scheduling: Scheduling,
) -> None:
    scheduling.add(queue="mail")
    other = scheduling.bench.client(("images",))
    with pytest.raises(Forbidden, match="may use the queues images, not 'mail'"):
        other.call(SCHEDULES, "add", "t", definition(queue="mail"))
    with pytest.raises(Forbidden, match="is taken in a queue that this key does not cover"):
        other.call(SCHEDULES, "add", "s", definition(queue="images"))
    assert other.call(SCHEDULES, "list")["rows"] == []
    for method, *arguments in [
        ("show",),
        ("preview",),
        ("pause",),
        ("resume",),
        ("remove",),
        ("edit", {}),
        ("run_now", TOKEN),
        ("backfill", 0, 1),
    ]:
        with pytest.raises(InvalidArgument, match="there is no schedule 's'"):
            other.call(SCHEDULES, method, "s", *arguments)
        with pytest.raises(InvalidArgument, match="there is no schedule 'u'"):
            other.call(SCHEDULES, method, "u", *arguments)


def test_it_cannot_be_moved_to_a_queue_that_the_key_does_not_cover(scheduling: Scheduling) -> None:
    mine = scheduling.bench.client(("mail", "images"))
    mine.call(SCHEDULES, "add", "s", definition(queue="mail"))
    with pytest.raises(Forbidden):
        mine.call(SCHEDULES, "edit", "s", {"queue": "other"})
    assert mine.call(SCHEDULES, "edit", "s", {"queue": "images"})["queue"] == "images"


def test_keys_have_a_bound_on_their_schedules(
    scheduling: Scheduling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEY_SCHEDULES_MAX", 2)
    monkeypatch.setattr(module, "SCHEDULES_MAX", 3)
    scheduling.add("a")
    scheduling.add("b")
    with pytest.raises(QuotaExceeded, match="this key has 2 schedules"):
        scheduling.add("c")
    scheduling.client.call(SCHEDULES, "remove", "a")
    scheduling.add("c")
    admin = scheduling.peer(Role.ADMIN)
    admin.call(SCHEDULES, "add", "d", definition())
    with pytest.raises(QuotaExceeded):
        admin.call(SCHEDULES, "add", "e", definition())


def test_what_very_many_schedules_missed_is_a_few_lines_in_the_log(
    scheduling: Scheduling, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRED_MAX", 10)  # in one transaction, of which there are many in a second
    for number in range(100):
        scheduling.add(f"s{number}", misfire="skip")
    scheduling.pass_time(120)
    assert sum(action == "schedule.skipped" for action, _ in scheduling.bench.reports) == 10
    scheduling.pass_time(120)
    assert ("left_out", 90) in {
        (name, value)
        for _, fields in scheduling.bench.reports
        for name, value in fields.items()
        if name == "left_out"
    }


def test_the_names_of_a_schedules_tasks_are_on_the_account_of_who_says_them(scheduling: Scheduling) -> None:
    account = scheduling.client.session.account = Accounts().of("client")
    scheduling.add()
    scheduling.client.call(SCHEDULES, "edit", "s", {"task": "jobs:other"})
    assert account.held[Resource.NAMES] == 2
    account.note(Resource.NAMES, LIMITS[Resource.NAMES].key - 2)
    for method, what in (("add", definition(task="jobs:more")), ("edit", {"task": "jobs:more"})):
        with pytest.raises(QuotaExceeded, match="names of tasks in queues"):
            scheduling.client.call(SCHEDULES, method, "t" if method == "add" else "s", what)


# what people do


def test_to_add_the_same_again_changes_nothing_and_another_of_the_name_is_refused(
    scheduling: Scheduling,
) -> None:
    first = scheduling.add()
    assert scheduling.add() == first
    with pytest.raises(InvalidArgument, match="says something else; change it with edit"):
        scheduling.add(every=30.0)


def test_a_paused_schedule_makes_nothing_and_goes_on_with_its_next_instant(scheduling: Scheduling) -> None:
    scheduling.add(misfire="all")
    scheduling.client.call(SCHEDULES, "pause", "s", "moving")
    scheduling.pass_time(600)
    assert scheduling.tasks() == []
    assert (scheduling.show()["state"], scheduling.show()["why"]) == ("paused", "moving")
    scheduling.client.call(SCHEDULES, "resume", "s")
    assert scheduling.tasks() == []
    assert [row[2:5:2] + row[9:] for row in scheduling.show()["history"]] == [
        [10, "skipped", "it was paused"]
    ]
    scheduling.pass_time(60)
    assert len(scheduling.tasks()) == 1


def test_an_edit_holds_from_the_next_instant_on(scheduling: Scheduling) -> None:
    scheduling.add(every=3600.0)
    changed = scheduling.client.call(SCHEDULES, "edit", "s", {"cron": "*/5 * * * *"})
    assert (changed["cron"], changed["every"]) == ("*/5 * * * *", None)
    assert changed["next"] - scheduling.wall <= 300
    assert scheduling.client.call(SCHEDULES, "edit", "s", {"every": 60.0})["cron"] is None


def test_a_run_that_is_asked_for_twice_with_one_name_is_one_task(scheduling: Scheduling) -> None:
    scheduling.add()
    id = scheduling.client.call(SCHEDULES, "run_now", "s", TOKEN)
    assert scheduling.client.call(SCHEDULES, "run_now", "s", TOKEN) == id
    other = scheduling.client.call(SCHEDULES, "run_now", "s", b"u" * 16)
    assert scheduling.tasks() == [id, other]
    assert [row[3] for row in scheduling.show()["history"]] == ["run-now", "run-now"]


def test_a_paused_schedule_can_be_run_by_hand(scheduling: Scheduling) -> None:
    scheduling.add()
    scheduling.client.call(SCHEDULES, "pause", "s")
    assert scheduling.client.call(SCHEDULES, "run_now", "s", TOKEN) == scheduling.tasks()[0]


def test_a_backfill_makes_what_is_missing_and_nothing_twice(scheduling: Scheduling) -> None:
    scheduling.add(every=60.0, misfire="latest")
    scheduling.pass_time(600)
    assert len(scheduling.tasks()) == 1
    first = scheduling.wall - 600
    ids = scheduling.client.call(SCHEDULES, "backfill", "s", first, scheduling.wall)
    assert sorted(ids) == sorted(scheduling.tasks())
    assert len(ids) == 10
    assert scheduling.client.call(SCHEDULES, "backfill", "s", first, scheduling.wall) == ids
    assert len(scheduling.tasks()) == 10


def test_what_was_made_in_another_queue_is_not_made_again_by_a_backfill(scheduling: Scheduling) -> None:
    scheduling.add()
    scheduling.pass_time(60)
    made = scheduling.tasks()
    scheduling.client.call(SCHEDULES, "edit", "s", {"queue": "other"})
    ids = scheduling.client.call(SCHEDULES, "backfill", "s", scheduling.wall - 60, scheduling.wall)
    assert (ids, scheduling.tasks()) == (made, made)


def test_schedules_that_take_long_to_decide_are_decided_in_several_transactions() -> None:
    clock = itertools.count()
    scheduling = Scheduling(Bench(NewStore(), seconds=lambda: next(clock) * 0.06))
    for number in range(5):
        scheduling.add(f"s{number}")
    now = scheduling.bench.now
    scheduling.bench.now = now._replace(wall=now.wall + 60_000, mono=now.mono + 60_000)
    made = []
    while len(scheduling.tasks()) < 5:
        made.append(len(scheduling.tasks()))
        assert len(made) < 20
    assert max(later - earlier for earlier, later in pairwise(made)) < 5


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [(0, 60, "ends in the past"), (-90_000, -1, "more than 1,000"), (-1, -60, "from an earlier moment")],
)
def test_a_backfill_that_cannot_be_says_why(
    scheduling: Scheduling, first: float, last: float, words: str
) -> None:
    scheduling.add()
    with pytest.raises(InvalidArgument, match=words):
        scheduling.client.call(SCHEDULES, "backfill", "s", scheduling.wall + first, scheduling.wall + last)


def test_a_preview_is_what_comes(scheduling: Scheduling) -> None:
    scheduling.add()
    coming = scheduling.client.call(SCHEDULES, "preview", "s", 5)
    for _ in range(5):
        scheduling.pass_time(60)
    assert [instant for instant, _ in scheduling.history()] == coming


def test_a_schedule_that_was_removed_is_gone_and_its_tasks_stay(scheduling: Scheduling) -> None:
    scheduling.add()
    scheduling.pass_time(60)
    scheduling.client.call(SCHEDULES, "remove", "s")
    scheduling.pass_time(600)
    assert len(scheduling.tasks()) == 1
    with pytest.raises(InvalidArgument, match="there is no schedule 's'"):
        scheduling.show()


def test_lists_come_in_portions(scheduling: Scheduling) -> None:
    for place in range(5):
        scheduling.add(f"s{place}")
    first = scheduling.client.call(SCHEDULES, "list", 0, 3)
    assert ([row["name"] for row in first["rows"]], first["after"]) == (["s0", "s1", "s2"], 3)
    second = scheduling.client.call(SCHEDULES, "list", 3, 3)
    assert ([row["name"] for row in second["rows"]], second["after"]) == (["s3", "s4"], None)


def test_tasks_start_late_by_up_to_the_jitter_each_by_another_time(scheduling: Scheduling) -> None:
    for place in range(50):
        first = scheduling.add(f"s{place}", jitter=30)
    scheduling.pass_time(first["next"] - scheduling.wall)
    due = {task["due"] for task in scheduling.client.call("get_tasks", "list", {})}
    assert len(due) > 40
    instant = scheduling.show("s0")["history"][0][0]
    assert instant <= min(due) < max(due) <= instant + 30


# what is refused


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"cron": "61 * * * *"}, "the minute is '61'; allowed are 0 to 59"),
        ({"cron": "0 3 * *"}, "4 fields and not five"),
        ({"cron": "* * * * *", "tz": "Europe/Prag"}, "did you mean Europe/Prague"),
        ({"every": 0.5}, "a number of seconds from 1 to"),
        ({"every": "5"}, "a number of seconds from 1 to"),
        ({"every": 60, "cron": "* * * * *"}, "and not both"),
        ({"every": 60, "misfire": "never"}, "misfire='never' is unknown; use one of 'latest'"),
        ({"every": 60, "overlap": 7}, "overlap=7 is unknown"),
        ({"every": 60, "jitter": -1}, "jitter=-1 is out of range"),
        ({"every": 60, "options": {"at": 5}}, "at= names one moment"),
        ({"every": 60, "options": {"tries": 5}}, "unknown option 'tries'"),
        ({"every": 60, "payload": b"x" * 70_000}, "may have 64 KiB"),
        ({"every": 60, "colour": "red"}, "a schedule has no 'colour'"),
        ({"every": 60, "queue": ""}, "queue name must be 1 to 255"),
        ({}, "a schedule has a rule"),
    ],
)
def test_a_wrong_definition_is_refused_with_cause_and_remedy(
    scheduling: Scheduling, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(InvalidArgument, match=words):
        scheduling.client.call(SCHEDULES, "add", "s", {"task": TASK, **fields})
    assert scheduling.client.call(SCHEDULES, "list")["rows"] == []


@pytest.mark.parametrize("given", [None, 7, [], {}, {"task": 5, "every": 60}, {5: 6, "task": TASK}])
def test_what_is_no_definition_is_refused(scheduling: Scheduling, given: Any) -> None:
    with pytest.raises(InvalidArgument):
        scheduling.client.call(SCHEDULES, "add", "s", given)


def test_a_zone_that_the_host_no_longer_knows_pauses_the_schedule(
    scheduling: Scheduling, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduling.add(cron="* * * * *", tz="Europe/Prague")

    def gone(rule: object, moment: int) -> int:
        raise InvalidArgument("tz='Europe/Prague': no such time zone is known here")

    monkeypatch.setattr("tq.common.domain.recurrence.Cron.after", gone)
    scheduling.pass_time(60)
    assert scheduling.tasks() == []
    assert "no such time zone" in scheduling.show()["why"]


def test_its_tasks_stand_under_the_limits_with_the_keys_of_their_arguments(scheduling: Scheduling) -> None:
    columns = {"limits": [[{"name": "hosts", "max_running": 1}, "a.example"]], "tenant": "acme"}
    scheduling.add(columns=columns)
    for _ in range(3):
        scheduling.pass_time(60)
    worker = scheduling.worker()
    assert [len(scheduling.run(worker)) for _ in range(3)] == [1, 1, 1], "one at a time"
    with pytest.raises(InvalidArgument, match="computed from its arguments when it was declared"):
        scheduling.client.call(SCHEDULES, "edit", "s", {"payload": b"other"})
    scheduling.client.call(SCHEDULES, "edit", "s", {"every": 120.0})


def test_a_limit_that_was_removed_meanwhile_holds_again(scheduling: Scheduling) -> None:
    scheduling.add(columns={"limits": [[{"name": "hosts", "max_running": 1}, ""]]})
    scheduling.pass_time(60)
    assert len(scheduling.run(scheduling.worker())) == 1
    admin = scheduling.peer(Role.ADMIN)
    admin.call("get_limits", "remove", "hosts")
    scheduling.pass_time(60)
    assert [row["name"] for row in admin.call("get_limits", "list")] == ["hosts"]
