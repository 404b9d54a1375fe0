"""Masters over a PostgreSQL whose primary is killed, that is behind a pooler, and whose schema grows while they work."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable
from urllib.error import HTTPError

import pytest
from tq.master.store.sqlite.store import newest_schema

from ..cluster.programs import eventually, free_port
from ..pgbouncer import pooling
from ..postgres import PostgresServer
from ..replication import replicated
from .load import Load
from .several_masters import NewTrial
from .trial import SECONDS

pytestmark = [pytest.mark.few, pytest.mark.timeout(600)]
MIGRATION = """
ALTER TABLE tasks ADD COLUMN planted INTEGER NOT NULL DEFAULT 7;
CREATE TABLE planted_too (name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO planted_too VALUES ('one', 1);
"""


def reasons(port: int) -> list[str]:
    """Why a master is not ready."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as answer:
            found = json.load(answer)["reasons"]
    except HTTPError as error:
        found = json.load(error)["reasons"]
    assert isinstance(found, list)
    return found


def test_a_primary_that_is_killed_is_followed_by_its_synchronous_standby(
    whole_run: None, masters_trial: NewTrial
) -> None:
    port = free_port()
    with (
        replicated() as pair,
        masters_trial("kill -9 primary, synchronous standby promoted", pair.url) as trial,
    ):
        pair.be_synchronous()
        trial.start(masters=2, options=[["--http", f"127.0.0.1:{port}"], []])
        for _ in range(2):
            trial.worker()
        with Load(trial) as load:
            load.goes_on(100)
            pair.primary.kill()
            eventually(lambda: reasons(port), SECONDS)
            pair.standby.promote()
            since = time.monotonic()
            load.goes_on(100)
            trial.recovered(since)
            eventually(lambda: not reasons(port), SECONDS)
        load.hear()
        trial.judge(times=1)


def test_masters_behind_a_pooler_take_over_from_one_another(
    whole_run: None, masters_trial: NewTrial, fault_server: PostgresServer, times: Callable[[int], int]
) -> None:
    name = f"pooled_{time.time_ns()}"
    fault_server.create(name)
    with (
        pooling(fault_server, name) as url,
        masters_trial("kill -9 owner, behind PgBouncer", url) as trial,
    ):
        trial.database = fault_server.url(name)  # for what the test asks
        trial.start(masters=2, urls=[url, url])
        trial.worker()
        with Load(trial) as load:
            kills = times(4)
            for _ in range(kills):
                load.goes_on(50)
                owner = trial.serving()
                owner.kill()
                since = time.monotonic()
                load.goes_on(100)
                trial.recovered(since)
                trial.launch(owner)
        load.hear()
        trial.judge(times=kills)


def test_masters_of_two_versions_follow_one_another(
    whole_run: None, masters_trial: NewTrial, fault_server: PostgresServer, times: Callable[[int], int]
) -> None:
    with masters_trial(
        "rolling upgrade, there and back", fault_server.create(f"rolls_{time.time_ns()}")
    ) as trial:
        newer = trial.home / f"{newest_schema() + 1:04}_planted.sql"
        newer.write_text(MIGRATION)
        trial.start(masters=2)
        trial.worker()
        with Load(trial) as load:
            changes = 2 * times(3)
            for number in range(changes):
                load.goes_on(50)
                owner = trial.serving()
                [other] = [one for one in trial.masters if one is not owner]
                # The one that is to come is started with the other version first, as an operator does it.
                other.terminate()
                other.environment.pop("FAULT_MIGRATION", None)
                if number % 2 == 0:
                    other.environment["FAULT_MIGRATION"] = str(newer)
                trial.launch(other)
                since = time.monotonic()
                assert owner.terminate() == 0
                trial.serving(but=owner)
                load.goes_on(100)
                trial.recovered(since)
                trial.launch(owner)
            assert trial.ask("SELECT schema FROM cluster") == [(newest_schema() + 1,)]
            assert trial.ask("SELECT value FROM planted_too") == [(1,)]
            assert trial.ask("SELECT count(*) FROM tasks WHERE planted <> 7") == [(0,)]
        load.hear()
        trial.judge(times=changes)
