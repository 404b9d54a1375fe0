"""Tasks that hold items and locks of managers while they run, or die."""

from __future__ import annotations

import os
import signal
import time

import tq
from tq.client.items.queue import ItemQueue
from tq.client.locks.locks import Lock

app = tq.App()

POLL_SECONDS = 0.01


@app.task
def take_and_die(name: str) -> None:
    """Holds the lock and the queue's first item, and is killed in the middle of waiting for a second one."""
    Lock(app.session, name).acquire()
    queue = ItemQueue(app.session, name)
    with queue.lease():
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        queue.get()


@app.task
def hold_lock(name: str, started: str, release: str) -> bool:
    """Holds the lock until the file ``release`` is there; whether it was its own all the time."""
    with Lock(app.session, name) as lock_is_held:
        open(started, "w", encoding="utf-8").close()
        while not os.path.exists(release):
            time.sleep(POLL_SECONDS)
        return lock_is_held and Lock(app.session, name).held
