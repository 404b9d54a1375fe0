"""A worker dies or stands still: its tasks run elsewhere within the grace, and its late results count for nothing."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil
import pytest
import tq
from tq.common.domain.model import OutcomeNumber

from ..cluster.cluster_tasks import count
from ..cluster.programs import eventually, let_pass
from .conftest import TrialFactory
from .load import Load
from .trial import SECONDS, SHORT

GOOD_TASKS = 300
GRACE_SECONDS = float(SHORT["TQ_GRACE_SECONDS"])
LATE_SECONDS = 3.0  # what a loaded machine may add to it


@pytest.mark.timeout(300)
def test_a_killed_worker_takes_its_children_along_and_its_tasks_run_again_within_the_grace(
    new_trial: TrialFactory, times: Callable[[int], int]
) -> None:
    with new_trial("kill -9 worker", **SHORT) as trial:
        worker, _ = trial.worker(), trial.worker()
        witness = trial.witness()
        with Load(trial) as load:
            kills = times(10)
            for number in range(kills):
                started, release = trial.home / f"started {number}", trial.home / f"release {number}"
                held = witness.submit("cluster_tasks:hold", [(str(started), str(release))] * 4)
                eventually(lambda started=started: count(str(started)) == 4, SECONDS)  # type: ignore[misc]
                family = worker.children()
                worker.kill()
                since = time.monotonic()
                _, alive = psutil.wait_procs(family, timeout=LATE_SECONDS)
                assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []
                release.touch()
                witness.hear(held, SECONDS)
                lost = [
                    event
                    for event in trial.events("ended")
                    if event["t"] > since and event["outcome"] == OutcomeNumber.LOST
                ]
                assert len(lost) >= 2
                assert all(event["t"] - since < GRACE_SECONDS + LATE_SECONDS for event in lost)
                trial.recovery = max(trial.recovery or 0.0, *(event["t"] - since for event in lost))
                worker.start()
                load.goes_on(10)
        load.hear()
        trial.judge(times=kills)


@pytest.mark.timeout(300)
def test_a_worker_that_stood_still_for_three_leases_drops_what_others_have_done_meanwhile(
    whole_run: None, new_trial: TrialFactory, times: Callable[[int], int]
) -> None:
    with new_trial("SIGSTOP worker, three leases", **SHORT) as trial:
        sleeper, _ = trial.worker(), trial.worker()
        witness = trial.witness()
        with Load(trial) as load:
            stops = times(3)
            for number in range(stops):
                load.goes_on(50)
                started, release = trial.home / f"started {number}", trial.home / f"release {number}"
                held = witness.submit("cluster_tasks:hold", [(str(started), str(release))] * 4)
                eventually(lambda started=started: count(str(started)) == 4, SECONDS)  # type: ignore[misc]
                dropped = sleeper.log.count("task.dropped") + sleeper.log.count("task.stale")
                with sleeper.stalled():
                    release.touch()
                    let_pass(3 * float(SHORT["TQ_LEASE_SECONDS"]))
                    since = time.monotonic()
                    witness.hear(held, SECONDS)  # of the other worker, while this one still stands
                eventually(
                    lambda dropped=dropped: (
                        sleeper.log.count("task.dropped") + sleeper.log.count("task.stale")  # type: ignore[misc]
                        > dropped
                    ),
                    SECONDS,
                )
                trial.recovered(since, "started")
                load.goes_on(10)
        load.hear()
        trial.judge(times=stops)


@pytest.mark.timeout(300)
def test_a_task_that_kills_its_worker_each_time_is_quarantined_and_the_good_ones_are_done(
    whole_run: None, new_trial: TrialFactory
) -> None:
    with new_trial("poison task amid good ones", **SHORT) as trial:
        worker = trial.worker()
        witness = trial.witness()
        starts = str(trial.home / "starts")
        good = witness.submit(
            "cluster_tasks:noted", [(starts, number, 0.002) for number in range(GOOD_TASKS)], max_crashes=10
        )
        [poison] = witness.submit("fault_tasks:kill_worker", [()], max_crashes=3)
        more = witness.submit(
            "cluster_tasks:noted", [(starts, number, 0.002) for number in range(GOOD_TASKS)], max_crashes=10
        )
        deaths = 0
        while witness.read([poison]) != [tq.State.DEAD]:
            if not worker.running:
                deaths += 1
                since = time.monotonic()
                worker.start()
                trial.recovered(since)
        assert isinstance(witness.hear([poison], SECONDS)[poison], tq.TaskCrashed)
        if not worker.running:
            deaths += 1
            worker.start()
        witness.hear(good + more, SECONDS)
        assert deaths == 3
        trial.judge(times=deaths)
