"""A script that runs while the master kills itself at one call of its store, and is started again."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable

from .trial import SECONDS, Trial

KILLED = -signal.SIGKILL


def run_with_a_kill(trial: Trial, number: int, moment: str, script: Callable[[], None]) -> bool:
    """Whether the master came so far as to be killed. If so it was started again, and the script went on."""
    master = trial.master
    master.environment |= {"FAULT_STORE_CALL": str(number), "FAULT_MOMENT": moment}
    ended, starting = threading.Event(), threading.Lock()  # programs are started one after another
    killed: list[float] = []

    def watch() -> None:
        pid = master.process
        while pid.poll() is None and not ended.wait(0.005):
            pass
        if pid.poll() == KILLED:
            del master.environment["FAULT_STORE_CALL"]
            with starting:
                master.start()
            killed.append(time.monotonic())

    master.start()
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        worker = trial.worker(start=False)
        with starting:
            worker.start(r"worker\.((dis)?connected|waiting)")  # the master may be gone already
        script()
    finally:
        ended.set()
        watcher.join(SECONDS)
    if killed:
        trial.recovered(killed[0])
    return bool(killed)
