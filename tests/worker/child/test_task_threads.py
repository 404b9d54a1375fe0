"""Threads of a child that runs many jobs: kept for the next ones, and never fewer than there are jobs."""

from __future__ import annotations

import threading

from tq.worker.child.task_threads import TaskThreads

SECONDS = 40  # of a busy machine


def test_as_many_run_at_a_time_as_are_given_and_threads_are_used_again() -> None:
    threads, together = TaskThreads(), threading.Barrier(5)
    seen: list[int] = []
    done = threading.Semaphore(0)

    def meet() -> None:
        together.wait(SECONDS)
        seen.append(threading.get_ident())
        done.release()

    for _ in range(5):
        threads.run(meet)
    assert all(done.acquire(timeout=SECONDS) for _ in range(5))
    assert len(set(seen)) == 5


def test_a_thread_that_is_stuck_holds_up_no_other() -> None:
    threads, gate, ran = TaskThreads(), threading.Event(), threading.Event()
    threads.run(lambda: gate.wait(SECONDS) and None)
    threads.run(ran.set)
    assert ran.wait(SECONDS)
    gate.set()
