"""Tasks of one shard need tasks of others while masters die: at every call of the stores of two shards, and again and again under a load, the
processes of one and those that share a database. Each end counts once, on both sides."""

from __future__ import annotations

import itertools
import os
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Any

import pytest
import tq

from .. import postgres
from ..cluster.programs import eventually
from ..cluster.test_shards import call, two_free_ports
from ..sampling import sampled
from .conftest import ALL, TrialFactory
from .killed_master import run_with_a_kill
from .several_masters import SERVES, STANDS_BY, NewTrial
from .shard_load import ShardLoad, queue_in
from .tally import Tally
from .test_shared_shards import even, the_one_with_most
from .trial import SECONDS, Trial

pytestmark = pytest.mark.timeout(3_600)
SHARDS = 2
MEMBERS, FAILURES = 100, 5  # number 13, 33, …
SUM = sum(number for number in range(MEMBERS) if number % 20 != 13)
STORE_CALLS = 1_100  # about so many are made; whether it was the last shows itself
FIRST_CALL = 118  # those before are of the start
EVERY = 5  # call when all faults are injected; at five times that scale each one
LEFT_OPEN = (
    "SELECT (SELECT count(*) FROM dependents WHERE open > 0 OR ripe) + (SELECT count(*) FROM edges_needs) "
    "+ (SELECT count(*) FROM edges_mirror) + (SELECT count(*) FROM edges_promises)"
)


def chord(trial: Trial) -> None:
    """A map with failures in one shard; in the other a task that needs all, one that needs enough of them, and an element each one."""
    app, starts = trial.recording_app(), str(trial.home / "joins")
    here, there = (queue_in(shard, SHARDS) for shard in range(SHARDS))

    def join(handles: Any, on_error: Any) -> tq.Handle[Any]:
        return app.named("fault_tasks:join", queue=there, on_error=on_error).submit(starts, handles)

    members = app.named("fault_tasks:fail_now_and_then", queue=here).map(range(MEMBERS))
    joins = [join(members, on_error) for on_error in ("collect", tq.at_least(MEMBERS - FAILURES))]
    fallen = join(members, "fail")
    each = app.named("cluster_tasks:echo", queue=there).map(members)
    back = app.named("cluster_tasks:echo", queue=here).submit(joins[0])
    assert [one.result(timeout=SECONDS) for one in joins] == [[SUM, FAILURES]] * 2
    assert isinstance(fallen.exception(timeout=SECONDS), tq.DependencyFailed)
    results = list(each.results(SECONDS, return_exceptions=True))
    assert [one for one in results if isinstance(one, int)] == [n for n in range(MEMBERS) if n % 20 != 13]
    assert sum(isinstance(one, tq.DependencyFailed) for one in results) == FAILURES
    assert back.result(timeout=SECONDS) == [SUM, FAILURES]
    assert (trial.home / "joins").read_text() == "joined\n" * 2


def left_open(trial: Trial) -> list[int]:
    """Of each shard: what waits, is needed of the other one, or is promised to it."""
    found = []
    for store in trial.stores():
        with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as db:
            found.append(db.execute(LEFT_OPEN).fetchone()[0])
    return found


@pytest.mark.parametrize("moment", sampled(["before", "after"], ["after"]))
def test_a_master_killed_at_any_call_of_its_stores_joins_tasks_of_two_shards_once(
    new_trial: TrialFactory, scale: float, moment: str
) -> None:
    stride = max(1, round(EVERY * ALL / scale if scale >= ALL else STORE_CALLS / 2 / scale))
    for number in itertools.count(FIRST_CALL + stride // 2 + (moment == "after"), stride):
        with new_trial("kill -9 master at a store call of a chord of two shards", start=False) as trial:
            trial.master.options += ["--shards", SHARDS]
            was_killed = run_with_a_kill(trial, number, moment, partial(chord, trial))
            report = trial.judge(times=int(was_killed))
            assert left_open(trial) == [0] * SHARDS
        assert report.extra_starts == 0
        if not was_killed:
            break


class EdgeLoad(ShardLoad):
    """As that one; and what is waited for is a task of a third shard, which needs one of the second, which needs the one that is noted."""

    def _act(self, shard: int) -> None:
        queues = [queue_in((shard + more) % self._shards, self._shards) for more in range(3)]
        noted = self._app.named("cluster_tasks:noted", queue=queues[0], max_crashes=100)
        second, third = (
            self._app.named("cluster_tasks:echo", queue=queue, max_crashes=100) for queue in queues[1:]
        )
        while not self._acting.enough.is_set():
            number = next(self._numbers)
            self._submitted[shard].append(number)
            first = noted.submit(str(self._notes), number)
            last = third.submit([first, second.submit(first)])
            assert last.result(timeout=SECONDS) == [number, number]
            self.answered[shard].append(time.monotonic())


def test_processes_of_a_master_that_are_killed_again_and_again_pass_on_what_others_need(
    whole_run: None, new_trial: TrialFactory, times: Callable[[int], int], tally: Tally
) -> None:
    shards = 4
    with new_trial("kill -9 one process of two, tasks need those of others", start=False) as trial:
        trial.master.port = two_free_ports()
        trial.master.options += ["--shards", shards, "--processes", 2]
        trial.master.start()
        eventually(lambda: "processes.started" in trial.master.log, SECONDS)
        trial.worker(slots=4)
        load = EdgeLoad(trial.recording_app(), shards, trial.home / "notes")
        with load:
            rounds, longest = times(10), 0.0
            for number in range(rounds):
                load.goes_on()
                since = time.monotonic()
                os.kill(int(call(trial.master, number % 2, ["get_master"], "info")["pid"]), signal.SIGKILL)
                load.goes_on()
                longest = max(longest, *load.pauses(since))
        report = load.report()
        tally.add(trial.fault, report, times=rounds, recovery=longest)
        assert not report.violations
        assert not report.extra_starts


def test_masters_that_share_shards_and_are_killed_again_and_again_pass_on_what_others_need(
    whole_run: None,
    masters_trial: NewTrial,
    fault_server: postgres.PostgresServer,
    times: Callable[[int], int],
    tally: Tally,
) -> None:
    url = fault_server.create(f"edges_{time.time_ns()}")
    with masters_trial("kill -9 one of three that share shards, tasks need those of others", url) as trial:
        shares = ("--shards", "4")
        trial.start(options=[shares] * 3, pattern=f"{SERVES}|{STANDS_BY}")
        trial.worker(slots=4)
        load = EdgeLoad(trial.recording_app(), 4, trial.home / "notes")
        even(trial, 3)
        with load:
            rounds, longest = times(4), 0.0
            for _ in range(rounds):
                load.goes_on()
                since, chosen = time.monotonic(), the_one_with_most(trial)
                chosen.kill()
                even(trial, 2)
                load.goes_on()
                trial.launch(chosen)
                even(trial, 3)
                load.goes_on()
                longest = max(longest, *load.pauses(since))
        report = load.report()
        tally.add(trial.fault, report, times=rounds, recovery=longest)
        assert not report.violations
        assert not report.extra_starts
