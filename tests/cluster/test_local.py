"""A cluster inside one program: ``tq.local()`` and a Pool without an address."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil

from .programs import clean_environment, eventually

SECONDS = 60

PROGRAM = """
import math, os, signal, sys, tq

def note(number):
    with open("notes", "a") as file:
        file.write(f"{number}\\n")
    return number

if __name__ == "__main__":
    with tq.local(2) as q:
        futures = [q.add_task(note, number) for number in range(20)]
        q.join()
        print(sum(future.result() for future in futures), q.submit(math.sqrt, 16).result())
    with tq.Pool(2) as pool:
        print(pool.map(math.sqrt, [4, 9]))
"""
KEEPER = """
import os, sys, time, tq

def note(number):
    while not os.path.exists("go"):
        time.sleep(0.01)
    with open("notes", "a") as file:
        file.write(f"{number}\\n")

if __name__ == "__main__":
    with tq.local(2, file="kept") as q:
        for number in range(int(sys.argv[1])):
            q.add_task(note, number)
        print(q.cluster.url, flush=True)
        sys.stdin.readline()
        q.join()
"""
UNGUARDED = """
import tq

def double(number):
    return 2 * number

with tq.local(1) as q:
    q.add_task(double, 1).result()
"""


def start(program: str, home: Path, *arguments: str) -> subprocess.Popen[str]:
    (home / "program.py").write_text(program, "utf-8")
    return subprocess.Popen(
        [sys.executable, "program.py", *arguments],
        cwd=home,
        env={**clean_environment(home), "TMPDIR": str(home)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_program_has_its_own_cluster_and_leaves_nothing_behind(home: Path) -> None:
    with start(PROGRAM, home) as program:
        said, complaints = program.communicate(timeout=SECONDS)
    assert (said, complaints) == ("190 4.0\n[2.0, 3.0]\n", "")
    assert sorted((home / "notes").read_text().split(), key=int) == [str(number) for number in range(20)]
    assert sorted(path.name for path in home.iterdir()) == ["notes", "program.py"]


def test_what_a_killed_program_had_queued_is_finished_by_the_next(home: Path) -> None:
    with start(KEEPER, home, "12") as program:
        assert program.stdout is not None
        assert program.stdout.readline().startswith("tq://127.0.0.1:")
        family = psutil.Process(program.pid).children(recursive=True)
        program.send_signal(signal.SIGKILL)
    eventually(lambda: not any(one.is_running() and one.status() != "zombie" for one in family))
    assert not (home / "notes").exists()
    (home / "go").touch()
    with start(KEEPER, home, "0") as program:
        program.communicate("\n", timeout=SECONDS)
        assert program.returncode == 0
    done = sorted(map(int, (home / "notes").read_text().split()))
    assert sorted(set(done)) == list(range(12))


def test_a_script_that_starts_a_cluster_when_it_is_imported_is_told_what_to_write(home: Path) -> None:
    with start(UNGUARDED, home) as program:
        _, complaints = program.communicate(timeout=SECONDS)
    assert program.returncode == 1
    assert 'put what starts the work under: if __name__ == "__main__":' in complaints


def test_ctrl_c_ends_it_and_its_programs(home: Path) -> None:
    with start(KEEPER, home, "4") as program:
        assert program.stdout is not None
        program.stdout.readline()
        family = psutil.Process(program.pid).children(recursive=True)
        assert family
        (home / "go").touch()
        program.send_signal(signal.SIGINT)
        program.communicate(timeout=SECONDS)
    eventually(lambda: not any(one.is_running() and one.status() != "zombie" for one in family))
