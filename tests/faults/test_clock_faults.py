"""The wall's clock of a real master is set: what is relative goes on, nothing that was accepted ends, restarts included."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest
import tq

from ..cluster.programs import eventually
from .conftest import TrialFactory
from .trial import SECONDS, Trial

HOUR, DAY = 3_600, 24 * 3_600
DELAY = 2.0
LATE = 20.0  # a loaded machine; an hour is more


def set_clock(trial: Trial, seconds: float) -> None:
    """And see that it is noticed, once, with size and direction."""
    (trial.home / "clock").write_text(str(seconds))
    before = trial.master.log.count("clock.jumped")
    os.kill(trial.master.pid, signal.SIGUSR2)
    eventually(lambda: trial.master.log.count("clock.jumped") == before + 1)


@pytest.mark.parametrize("seconds", [-HOUR, HOUR, 8 * DAY], ids=["back", "forward", "forward by days"])
def test_delays_retries_expiries_and_results_survive_a_clock_that_is_set(
    new_trial: TrialFactory, times: Callable[[int], int], seconds: int
) -> None:
    trial = new_trial(
        "clock set by an hour, by eight days", start=False, FAULT_CLOCK="clock", TQ_HEARTBEAT_SECONDS="0.5"
    )
    trial.master.environment["FAULT_CLOCK"] = str(trial.home / "clock")
    trial.master.start()
    trial.worker()
    witness = trial.witness()
    starts = str(trial.home / "starts")
    done = witness.submit("cluster_tasks:noted", [(starts, number) for number in range(3)])
    witness.hear(done, SECONDS)
    count = times(3)
    for number in range(count):
        delayed = witness.submit("cluster_tasks:noted", [(starts, 10)], delay=DELAY)
        nobodys = witness.submit("nowhere:task", [()], expires=HOUR)
        retried = witness.submit(
            "cluster_tasks:succeed_after",
            [(str(trial.home / f"tries{number}"), 1)],
            retries=2,
            backoff=DELAY,
        )
        began = time.monotonic()
        set_clock(trial, seconds if number % 2 == 0 else 0)
        given = witness.hear([*delayed, *retried], DELAY + LATE)
        assert time.monotonic() - began > DELAY / 2
        assert list(given.values()) in ([10, 2], [2, 10])
        assert witness.read(done) == [tq.State.SUCCEEDED] * 3, "results are kept"
        assert witness.read(nobodys) == [tq.State.READY], "it has not expired"
        assert witness.cancel(nobodys) == [tq.State.CANCELLED]
    delayed = witness.submit("cluster_tasks:noted", [(starts, 11)], delay=DELAY)
    trial.master.restart()  # its clock is right again, which is a jump while none ran
    if seconds > 0:  # it went back: the delay goes on from where the store was
        assert "clock.behind" in trial.master.log
    assert list(witness.hear(delayed, DELAY + LATE).values()) == [11]
    trial.judge(times=count, wanted_starts=count)
