"""How long a process had no processor: what the kernel says of real ones, and the wait that is not over."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tq.worker.supervisor.starvation import Starvation

HAS_COUNTS = Path("/proc/self/schedstat").exists()


def test_the_wait_that_is_not_over_is_counted_with_those_that_are(tmp_path: Path) -> None:
    process = Starvation(1, tmp_path)
    counts, state = tmp_path / "schedstat", tmp_path / "stat"
    counts.write_text("5000000000 2000000000 9\n")
    state.write_text("1 (a) name) R 0 0\n")
    assert process.seconds(100.0) == 2.0
    assert process.seconds(101.5) == 3.5  # it can run, and has not
    state.write_text("1 (a) name) S 0 0\n")
    assert process.seconds(102.0) == 2.0  # it does not want to
    counts.write_text("5000000001 4500000000 10\n")
    assert process.seconds(103.0) == 4.5
    counts.unlink()
    assert process.seconds(104.0) == 0.0


@pytest.mark.skipif(not HAS_COUNTS, reason="the kernel does not count it here")
def test_of_two_processes_on_one_processor_each_is_starved_and_one_that_sleeps_is_not() -> None:
    [cpu, *_] = os.sched_getaffinity(0)
    alone = f"import os; os.sched_setaffinity(0, {{{cpu}}})\n"
    busy = [subprocess.Popen([sys.executable, "-c", alone + "while True: pass"]) for _ in range(2)]
    asleep = subprocess.Popen([sys.executable, "-c", alone + "import time; time.sleep(60)"])
    processes = [*busy, asleep]
    try:
        starved = [Starvation(one.pid) for one in processes]
        until = time.monotonic() + 30
        while min(one.seconds(time.monotonic()) for one in starved[:2]) < 0.2:
            assert time.monotonic() < until
            time.sleep(0)
        before, until = starved[2].seconds(time.monotonic()), time.monotonic() + 0.3
        while time.monotonic() < until:
            assert starved[2].seconds(time.monotonic()) - before < 0.1
    finally:
        for one in processes:
            one.kill()
            one.wait()
