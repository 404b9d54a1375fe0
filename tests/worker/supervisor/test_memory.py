"""What is known of processes' memory, and what is said of a death."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tq.worker.agent.jobs import Death
from tq.worker.supervisor import memory
from tq.worker.supervisor.memory import DeathExaminer, KernelKills, group_limit_bytes, resident_bytes

MIB = 2**20


def test_a_process_has_memory_until_it_is_gone() -> None:
    assert MIB < resident_bytes(os.getpid()) < 2**40
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    assert resident_bytes(done.pid) == 0


def test_what_the_kernel_kills_is_noticed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memory.events").write_text("low 0\nhigh 0\nmax 9\noom 3\noom_kill 2\noom_group_kill 0\n")
    (tmp_path / "memory.max").write_text("1048576\n")
    monkeypatch.setattr(memory, "_own_cgroups", lambda: [tmp_path, tmp_path / "gone"])
    kills = KernelKills()
    assert not kills.has_killed()
    (tmp_path / "memory.events").write_text("oom 4\noom_kill 3\n")
    assert (kills.has_killed(), kills.has_killed()) == (True, False)
    assert group_limit_bytes() == MIB
    (tmp_path / "memory.max").write_text("max\n")
    assert group_limit_bytes() is None
    assert DeathExaminer(5 * MIB).examined(Death(-9), "a line").limit_bytes == 5 * MIB
    assert DeathExaminer(0).examined(Death(-9), "a line").last_lines == "a line"


@pytest.mark.parametrize(
    ("death", "text"),
    [
        (Death(0), "exited with status 0"),
        (Death(-11, peak_bytes=5 * MIB), "was killed by SIGSEGV"),
        (Death(-9, is_ours=True, peak_bytes=5 * MIB), "was killed by SIGKILL"),
        (Death(-9), "was killed by SIGKILL (likely out of memory, or killed by hand)"),
        (
            Death(-9, peak_bytes=500 * MIB, limit_bytes=512 * MIB, is_starved=True),
            "was killed by SIGKILL (out of memory: the kernel killed for lack of it at that time; it had up to "
            "500 MiB of 512 MiB)",
        ),
    ],
)
def test_a_death_says_no_more_than_is_known(death: Death, text: str) -> None:
    assert str(death) == text
