"""Schedules in code and at run time, with real programs that are killed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import tq

from .conftest import AppFactory, Cluster, WorkerFactory
from .programs import Master, eventually

MODULE = Path(__file__).with_name("scheduled_tasks.py")
WAIT_SECONDS = 30.0


def wait_for(app: tq.App, name: str, fired: int) -> tq.Schedule:
    def found() -> tq.Schedule | None:
        one = {one.name: one for one in app.schedules.list()}.get(name)
        return app.schedules.show(name, 1_000) if one is not None and one.fired >= fired else None

    shown = eventually(found, WAIT_SECONDS)
    assert shown is not None
    return shown


def test_what_is_declared_in_code_is_made_by_the_master_once_for_each_instant_though_both_are_killed(
    master: Master, worker_factory: WorkerFactory, app_factory: AppFactory
) -> None:
    worker = worker_factory(tasks=MODULE)
    app = app_factory(master.url, master.authkey)
    wait_for(app, "each-second", 2)
    master.restart()
    wait_for(app, "each-second", 4)
    worker.kill()
    made = wait_for(app, "each-second", 5).fired
    worker.start()
    shown = wait_for(app, "each-second", made + 2)
    instants = [one.instant for one in reversed(shown.history)]
    assert all(later - earlier == timedelta(seconds=1) for earlier, later in pairwise(instants)), instants
    ids = [one.task_id for one in shown.history]
    assert len(set(ids)) == len(ids)
    assert {one.state for one in shown.history} <= {"succeeded", "ready", "running"}
    assert (shown.declared, shown.workers) == (True, 1)
    assert app.schedules.show("scheduled_tasks:greet").tz == "Europe/Prague"
    assert app.schedules.run_now("scheduled_tasks:greet").result(WAIT_SECONDS) == "hello reports"


def test_a_program_makes_and_changes_schedules_at_run_time(
    master: Master, worker_factory: WorkerFactory, app_factory: AppFactory
) -> None:
    app = app_factory(master.url, master.key("client"))
    schedules = app.schedules
    made = schedules.add(
        "nightly", "scheduled_tasks:greet", cron="0 3 * * *", tz="Europe/Prague", args=["Ada"]
    )
    assert (made.state, made.queue, made.declared) == ("active", "default", False)
    assert (
        schedules.add("nightly", "scheduled_tasks:greet", cron="0 3 * * *", tz="Europe/Prague", args=["Ada"])
        == made
    )
    coming = schedules.preview("nightly", 3)
    assert [moment.astimezone().tzinfo is not None for moment in coming] == [True] * 3
    assert coming[0] == made.next
    schedules.pause("nightly", "moving house")
    assert schedules.show("nightly").why == "moving house"
    schedules.resume("nightly")
    changed = schedules.edit("nightly", every=timedelta(hours=1), args=["Grace"])
    assert (changed.every, changed.cron) == (3600.0, None)
    handle = schedules.run_now("nightly")
    now = datetime.now(UTC)
    past = schedules.backfill("nightly", now - timedelta(hours=3), now)
    assert len(past) == 3
    worker_factory(tasks=MODULE)
    assert {one.result(WAIT_SECONDS) for one in [handle, *past]} == {"hello Grace"}
    assert [one.by for one in schedules.show("nightly").history].count("backfill") == 3
    schedules.remove("nightly")
    with pytest.raises(tq.InvalidArgument, match="there is no schedule 'nightly'"):
        schedules.show("nightly")


def test_a_schedule_fires_though_its_maker_is_gone_and_its_worker_comes_later(
    master: Master, worker_factory: WorkerFactory, app_factory: AppFactory
) -> None:
    maker = app_factory(master.url, master.key("client"))
    maker.schedules.add("s", "scheduled_tasks:greet", every=1, overlap="skip")
    maker.close()
    app = app_factory(master.url, master.key("client"))
    wait_for(app, "s", 1)
    worker_factory(tasks=MODULE)
    assert wait_for(app, "s", 2).history[-1].state == "succeeded"


def test_an_event_loop_has_a_twin_of_each_method(cluster: Cluster) -> None:
    schedules = cluster.app.schedules

    async def use() -> list[int]:
        made = await schedules.aadd("of-a-loop", "cluster_tasks:add", every=3_600, args=[1, 2])
        assert made in await schedules.alist()
        assert (await schedules.aedit("of-a-loop", args=[3, 4])).every == 3_600
        await schedules.apause("of-a-loop", "why not")
        assert (await schedules.ashow("of-a-loop")).why == "why not"
        await schedules.aresume("of-a-loop")
        [first, second] = await schedules.apreview("of-a-loop", 2)
        assert second - first == timedelta(hours=1)
        now = datetime.now(UTC)
        handles = await schedules.abackfill("of-a-loop", now - timedelta(hours=2), now)
        handles.append(await schedules.arun_now("of-a-loop"))
        results = [await one for one in handles]
        await schedules.aremove("of-a-loop")
        return results

    assert asyncio.run(use()) == [7, 7, 7]
