"""The master dies or stands still: nothing acknowledged is lost, and nothing that runs is started again."""

from __future__ import annotations

import itertools
import random
import subprocess
import time
from collections.abc import Callable

import pytest
import tq
from tq.common.domain.ids import new_ids
from tq.common.values.codec import encode_call

from ..cluster.programs import clean_environment, let_pass, stalled
from .conftest import ALL, TrialFactory
from .killed_master import KILLED, run_with_a_kill
from .load import Load
from .trial import MORTAL_MASTER, PATIENT, SECONDS, SHORT, Trial
from .witness import Witness

STORE_CALLS = 130  # about so many are made by the script below; whether it was the last shows itself
FIRST_CALL_OF_THE_SCRIPT = 52  # those before are of the start, and there is a test for them
RESTART_SECONDS_MAX = 5.0


# at every call of its store


def script(trial: Trial, witness: Witness) -> None:
    """A little of everything that changes a task's state."""
    starts = str(trial.home / "starts")
    plain = witness.submit("cluster_tasks:noted", [(starts, number) for number in range(3)])
    once = witness.submit("cluster_tasks:noted", [(starts, 3)], delivery="at_most_once")
    again = witness.submit(
        "cluster_tasks:succeed_after", [(str(trial.home / "tries"), 1)], retries=2, backoff=0.01
    )
    delayed = witness.submit("cluster_tasks:noted", [(starts, number) for number in (4, 5)], delay=0.05)
    never = witness.submit("cluster_tasks:noted", [(starts, 6)], delay=3600)
    assert witness.cancel(never) == [tq.State.CANCELLED]
    row = [new_ids(), encode_call((starts, 7), {})]
    assert {witness.offer("cluster_tasks:noted", [row]) for _ in range(2)} <= {0, 1}
    everything = [*plain, *once, *again, *delayed, row[0]]
    witness.read(everything)
    given = witness.hear(everything, SECONDS)
    assert [given[id] for id in everything] == [0, 1, 2, 3, 2, 4, 5, 7]
    witness.read([*everything, *never])


@pytest.mark.timeout(900)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_master_killed_at_any_call_of_its_store_loses_nothing_and_starts_nothing_twice(
    new_trial: TrialFactory, scale: float, moment: str
) -> None:
    stride = max(1, round(STORE_CALLS / 3 / scale)) if scale < ALL else 1
    for number in itertools.count(FIRST_CALL_OF_THE_SCRIPT + stride // 2, stride):
        with new_trial("kill -9 master at a store call", start=False) as trial:
            was_killed = run_with_a_kill(trial, number, moment, lambda: script(trial, trial.witness()))
            report = trial.judge(times=int(was_killed), wanted_starts=1)
        assert report.extra_starts == 1  # the one that asked for it
        if not was_killed:
            break


@pytest.mark.timeout(300)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_master_killed_at_any_call_of_its_first_start_starts_all_the_same(
    whole_run: None, new_trial: TrialFactory, moment: str
) -> None:
    with new_trial("kill -9 master at its first start", start=False) as trial:
        command = [*MORTAL_MASTER, "--bind", "127.0.0.1:0", "--data", str(trial.master.data)]
        deaths = 0
        for number in itertools.count(1):
            started = False
            fault = {"FAULT_STORE_CALL": str(number), "FAULT_MOMENT": moment}
            process = subprocess.Popen(
                command, env=clean_environment(trial.home, fault), stderr=subprocess.PIPE, text=True
            )
            with process:
                assert process.stderr is not None
                said: list[str] = []
                for line in process.stderr:
                    said.append(line)
                    if started := "master.started" in line:
                        break
                process.kill()
            if started:
                break
            assert process.returncode == KILLED, "".join(said)
            deaths += 1
        trial.master.start()
        trial.worker()
        witness = trial.witness()
        tasks = witness.submit("cluster_tasks:add", [(1, 1)])
        assert list(witness.hear(tasks, SECONDS).values()) == [2]
        trial.judge(times=deaths)
    assert deaths > 10


# at any time


@pytest.mark.timeout(300)
def test_a_master_killed_at_random_and_started_later_loses_nothing_and_starts_nothing_twice(
    new_trial: TrialFactory, times: Callable[[int], int], scale: float
) -> None:
    chance = random.SystemRandom()
    longest = RESTART_SECONDS_MAX * min(1.0, scale / ALL)
    with new_trial("kill -9 master at random", **PATIENT) as trial:
        trial.worker()
        trial.worker()
        with Load(trial) as load:
            kills = times(12)
            for _ in range(kills):
                load.goes_on(chance.randrange(20, 200))
                trial.master.kill()
                let_pass(chance.uniform(0, longest))
                trial.master.start()
                since = time.monotonic()
                load.goes_on(1)
                trial.recovered(since)
        load.hear()
        report = trial.judge(times=kills)
    assert report.extra_starts == 0


@pytest.mark.timeout(300)
def test_a_master_that_stood_still_for_two_leases_takes_no_tasks_from_their_workers(
    whole_run: None, new_trial: TrialFactory, times: Callable[[int], int]
) -> None:
    with new_trial("SIGSTOP master, two leases", **SHORT) as trial:
        workers = [trial.worker(), trial.worker()]
        with Load(trial) as load:
            stops = times(3)
            for _ in range(stops):
                load.goes_on(50)
                with stalled([trial.master.pid]):
                    let_pass(2 * float(SHORT["TQ_LEASE_SECONDS"]))
                since = time.monotonic()
                load.goes_on(1)
                trial.recovered(since)
        load.hear()
        report = trial.judge(times=stops)
    assert all("task.dropped" not in worker.log for worker in workers)
    assert report.extra_starts == 0
