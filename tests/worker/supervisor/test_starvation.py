"""How long a process had no processor: what the kernel says of real ones, and the wait that is not over."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from tq.worker.supervisor.starvation import Starvation

HAS_COUNTS = Path("/proc/self/schedstat").exists()


def stat(state: str, all_ran: float) -> str:
    """As the kernel writes it. ``all_ran``: seconds of all threads."""
    return f"1 (a) name) {state} {'0 ' * 10}{round(all_ran * os.sysconf('SC_CLK_TCK'))} 0 0\n"


def test_the_wait_that_is_not_over_is_counted_with_those_that_are(tmp_path: Path) -> None:
    process = Starvation(1, tmp_path)
    counts, state = tmp_path / "schedstat", tmp_path / "stat"
    counts.write_text("5000000000 2000000000 9\n")
    state.write_text(stat("R", 500))
    assert process.look(100.0) == (2.0, 0.0)
    assert process.look(101.5) == (3.5, 0.0)  # it can run, and has not
    state.write_text(stat("S", 500))
    assert process.look(102.0) == (2.0, 0.0)  # it does not want to
    counts.write_text("5000000001 4500000000 10\n")
    assert process.look(103.0) == (4.5, 0.0)
    process.close()
    assert process.look(104.0) == (0.0, 0.0)
    state.unlink()
    assert Starvation(1, tmp_path).look(104.0) == (0.0, 0.0)  # another system


@pytest.mark.parametrize(
    ("what", "ran", "waited", "wakes", "all_ran", "counted"),
    [
        ("it waits for Python's lock, which another thread has", 0.01, 0.2, 200, 0.9, 0.79),
        ("it sleeps, and another thread runs", 0.0, 0.0, 0, 0.9, 0.0),
        ("it runs as much as the other one", 0.45, 0.0, 200, 0.9, 0.0),
        ("it is woken often, and no other thread runs", 0.02, 0.0, 200, 0.05, 0.0),
    ],
)
def test_the_wait_for_pythons_lock_is_not_taken_for_another(
    tmp_path: Path, what: str, ran: float, waited: float, wakes: int, all_ran: float, counted: float
) -> None:
    process = Starvation(1, tmp_path)
    (tmp_path / "schedstat").write_text("0 0 0\n")
    (tmp_path / "stat").write_text(stat("S", 0))
    before = process.look(100.0)
    (tmp_path / "schedstat").write_text(f"{round(ran * 1e9)} {round(waited * 1e9)} {wakes}\n")
    (tmp_path / "stat").write_text(stat("S", all_ran))
    assert process.look(101.0).since(before).by_own_threads == pytest.approx(counted), what


@pytest.mark.skipif(not HAS_COUNTS, reason="the kernel does not count it here")
def test_of_a_process_that_is_gone_nothing_is_said_and_its_files_are_given_back() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        starvation = Starvation(process.pid)
        while not any(starvation.look(0.0)[:1]):
            time.sleep(0)  # it has waited for a processor once
        process.kill()
        process.wait()
        assert starvation.look(time.monotonic()) == (0.0, 0.0)
    starvation.close()
    starvation.close()
    assert len(os.listdir("/proc/self/fd")) == before


LOCK_HELD = """
import re, threading, time
threading.Thread(target=lambda: re.match(r"(a+)+$", "a" * 40 + "b"), daemon=True).start()
while True:
    time.sleep(0.01)
"""


@pytest.mark.skipif(not HAS_COUNTS, reason="the kernel does not count it here")
def test_a_main_thread_behind_a_thread_that_does_not_give_pythons_lock_back_is_seen() -> None:
    with subprocess.Popen([sys.executable, "-c", LOCK_HELD]) as process:
        try:
            starvation, until = Starvation(process.pid), time.monotonic() + 30
            while sum(starvation.look(time.monotonic())) < 0.5 or not starvation.look(time.monotonic())[1]:
                assert time.monotonic() < until
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.05)
        finally:
            process.kill()


@pytest.mark.skipif(not HAS_COUNTS, reason="the kernel does not count it here")
def test_of_two_processes_on_one_processor_each_is_starved_and_one_that_sleeps_is_not() -> None:
    [cpu, *_] = os.sched_getaffinity(0)
    alone = f"import os; os.sched_setaffinity(0, {{{cpu}}})\n"
    busy = [subprocess.Popen([sys.executable, "-c", alone + "while True: pass"]) for _ in range(2)]
    sleeping = alone + "import time; print('it sleeps', flush=True); time.sleep(60)"
    asleep = subprocess.Popen([sys.executable, "-c", sleeping], stdout=subprocess.PIPE)
    processes = [*busy, asleep]
    try:
        starved = [Starvation(one.pid) for one in processes]
        until = time.monotonic() + 30
        while min(one.look(time.monotonic()).of_processor for one in starved[:2]) < 0.2:
            assert time.monotonic() < until
            time.sleep(0)
        assert asleep.stdout is not None
        asleep.stdout.readline()
        # It has said so, and may still wait for the processor before it sleeps.
        while psutil.Process(asleep.pid).status() != psutil.STATUS_SLEEPING:
            time.sleep(0)
        before, until = starved[2].look(time.monotonic()).of_processor, time.monotonic() + 0.3
        while time.monotonic() < until:
            assert starved[2].look(time.monotonic()).of_processor - before < 0.1
    finally:
        for one in processes:
            one.kill()
            one.communicate()
