"""A cluster inside one program: ``tq.local()`` and a Pool without an address."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from tq.client.local import cluster

from .forked_programs import PipedProgram
from .programs import clean_environment, eventually, text_program

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
THREADS = """
import logging, sys, threading, time, tq

logging.getLogger("tq.local").setLevel(logging.ERROR)  # cancelled tasks cause warnings
seen = []

def note(number):
    seen.append(number)
    return threading.current_thread() is threading.main_thread()

def flaky():
    context = tq.current()
    seen.append(context.attempt)
    context.progress(context.attempt, 3)
    if context.attempt < 3:
        raise ValueError("not yet")
    return context.name

def patient(begun):
    seen.append(begun)
    while not tq.current().cancelled:
        time.sleep(0.001)
    raise tq.CancelRequested("seen")

async def later(number):
    return number + 1

def copied(blob):
    return tq.Blob.of(blob.read() * 2)

with tq.local(2, workers="threads") as q:
    print([q.add_task(note, number).result() for number in range(3)], seen)
    print(q._app.named("program:flaky").using(retries=2, backoff=0.01).submit().result(), seen[3:])
    print(q.submit(later, 1).result(), list(q.map(later, [1, 2], chunksize=2)))
    print(q.submit(copied, tq.Blob.of(b"ab")).result().read())
    handle = q._app.named("program:patient").submit("begun")
    while seen[-1] != "begun":
        time.sleep(0.001)
    handle.cancel()
    try:
        handle.result(timeout=30)
    except tq.TaskCancelled:
        print("cancelled")
    try:
        q.submit(sys.exit, 3).result()
    except tq.TaskError as error:
        print(error.type)
"""
NAMELESS = """
import functools, gc, tempfile, tq, weakref

class Adder:
    def __init__(self, more):
        self.more = more
    def add(self, number):
        return self.more + number
    __call__ = add

def main():
    base = 10
    def nested(number, context: tq.Context):
        return base + number, context.attempt
    async def later(number):
        return base * number
    def flaky(tries=[]):
        tries.append(0)
        if len(tries) < 3:
            raise ValueError(len(tries))
        return len(tries)
    with tq.local(2, workers="threads", retries=2, backoff=0.01) as q:
        print(q.submit(lambda x, *, y: x + y, 1, y=2).result(), q.submit(nested, 1).result(), q.submit(later, 2).result())
        print(q.submit(Adder(1).add, 1).result(), q.add_task(Adder(2), 1).result(), q.submit(functools.partial(pow, 2), 5).result())
        print(list(q.map(lambda x: x + base, range(4))), list(q.map(later, range(3), chunksize=2)))
        print(list(q.map(lambda x, y: x * y, range(4), range(4), chunksize=3)), q.submit(flaky).result())
        try:
            q.submit(lambda x: x, 1, 2)
        except TypeError as error:
            print(error)
        adders = [Adder(number) for number in range(50)]
        print(sum(future.result() for future in [q.submit(adder.add, 1) for adder in adders]))
        alive = [weakref.ref(adder) for adder in adders]
        q.join()
        del adders
        gc.collect()
        print(sum(one() is not None for one in alive) <= 1)  # a frame may hold the last one
    with tempfile.TemporaryDirectory() as kept, tq.local(1, workers="threads", file=kept) as q:
        try:
            q.submit(lambda: 1)
        except tq.NotNamed as error:
            print(error)

main()
"""
REFUSED = """
import tq

app = tq.App("tq://127.0.0.1:1", "unused")

@app.task(timeout=5)
def limited():
    pass

def refuse(make):
    try:
        make()
    except tq.InvalidArgument as error:
        print(error)

for workers in ("thread", None, 2):
    refuse(lambda: tq.local(workers=workers))
for processes in (0, -1, 1.5, "2"):
    refuse(lambda: tq.local(processes, workers="threads"))
refuse(lambda: tq.local(workers="threads", timeout=5))
with tq.local(1, workers="threads") as q:
    refuse(lambda: q.add_task(limited))
"""
UNCLOSED = """
import time, tq

if __name__ == "__main__":
    q = tq.local(1, workers="WORKERS")
    for _ in range(3):
        q.add_task(time.sleep, 0.05).add_done_callback(lambda future: print("done"))
"""

# The time that threads have, which is long for the sake of C code that keeps the interpreter's lock, cut to a quarter.
SOON = """
import tq.client.local.local as own
own.TIMINGS_OF_THREADS = {**own.TIMINGS_OF_THREADS, "TQ_LEASE_SECONDS": "5"}
"""
KILLED = """
import concurrent.futures, itertools, os, signal, sys, time, tq

def kill(index, cluster):
    os.kill(cluster._programs[index].process.pid, signal.SIGKILL)

def tell(call):
    try:
        call()
    except concurrent.futures.BrokenExecutor as error:
        print(error)

if __name__ == "__main__":
    index, where = int(sys.argv[1]), {"file": sys.argv[2]} if sys.argv[2:] else {}
    with tq.local(1, **where) as q:
        waiting = [q.add_task(time.sleep, 600) for _ in range(2)]
        kill(index, q.cluster)
        for future in waiting:
            tell(future.result)
        for call in (q.submit, q.add_task, q.map):
            tell(lambda: call(abs, [1]))
        tell(q.join)
    if where:
        sys.exit()
    pool = tq.Pool(1)
    results = pool.imap(abs, itertools.count())
    next(results)
    kill(index, pool._submissions.on_end[-1].__self__)
    tell(lambda: [number for number in results])
    tell(lambda: pool.map(abs, [1]))
    pool.close()
    pool.join()
"""
FORKED = """
import os, sys, tq

if __name__ == "__main__":
    with tq.local(1) as q:
        print(q.add_task(abs, -1).result(), flush=True)
        child = os.fork()
        if not child:
            sys.exit(3)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        print(os.path.isdir(q.cluster.data), q.add_task(abs, -2).result())
    q.join()
"""
UNJOINED = """
import time, tq

if __name__ == "__main__":
    pool = tq.Pool(1)
    results = pool.imap(time.sleep, [600] * 10)
    waiting = pool.map_async(time.sleep, [600] * 10)
"""


PRINTING = """
import os, sys, tq
from tq.managers import SyncManager

print("imported", file=sys.stderr)

def say(name):
    print(name, "to stdout \x1b[1mbold\x1b[0m")
    print(name, "to stderr", file=sys.stderr)
    print(name, "again", end="")
    sys.stdout.flush()
    os.system(f"echo {name} by a subprocess")

if __name__ == "__main__":
    with tq.Pool(1) as pool:
        pool.apply(say, ("pool",))
    with tq.local(1) as q:
        q.submit(say, "local").result()
    with SyncManager() as manager, manager.Pool(1) as pool:
        pool.apply(say, ("manager",))
"""


@contextmanager
def start(
    program: str, home: Path, *arguments: str, by_exec: bool = False
) -> Iterator[subprocess.Popen[str] | PipedProgram]:
    (home / "program.py").write_text(program, "utf-8")
    running = text_program(
        [sys.executable, "program.py", *arguments],
        home,
        {**clean_environment(home), "TMPDIR": str(home)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        by_exec=by_exec,
    )
    with running:
        try:
            yield running
        except BaseException:
            running.kill()
            raise


def test_a_program_has_its_own_cluster_and_leaves_nothing_behind(home: Path) -> None:
    with start(PROGRAM, home, by_exec=True) as program:
        said, complaints = program.communicate(timeout=SECONDS)
    assert (said, complaints) == ("190 4.0\n[2.0, 3.0]\n", "")
    assert sorted((home / "notes").read_text().split(), key=int) == [str(number) for number in range(20)]
    left = {path.name for path in home.iterdir()} - {
        "__pycache__"
    }  # Python's own, of the program that was imported
    assert left == {"notes", "program.py"}


def test_what_functions_print_appears_where_the_program_prints(home: Path) -> None:
    with start(PRINTING, home) as program:
        said, complaints = program.communicate(timeout=SECONDS)
    expected = [
        f"{name} to stdout \x1b[1mbold\x1b[0m\n{name} again{name} by a subprocess\n"
        for name in ("pool", "local", "manager")
    ]
    assert said == "".join(expected)
    lines = complaints.splitlines()
    assert [line for line in lines if line != "imported"] == [
        "pool to stderr",
        "local to stderr",
        "manager to stderr",
    ]
    assert "imported" in lines
    assert program.returncode == 0


def test_without_stdout_or_stderr_no_descriptor_is_taken_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their numbers may be those of a connection by then, into which a task would print."""
    for name in ("__stdout__", "__stderr__"):
        with monkeypatch.context() as patch:
            patch.setattr(sys, name, None)
            assert cluster._own_output() == []
    copies = cluster._own_output()
    assert [os.path.sameopenfile(copy, real) for copy, real in zip(copies, (1, 2), strict=True)] == [
        True,
        True,
    ]
    for copy in copies:
        os.close(copy)


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


def test_a_script_that_starts_a_cluster_when_it_is_imported_fails_with_the_line_to_write(home: Path) -> None:
    with start(UNGUARDED, home) as program:
        _, complaints = program.communicate(timeout=SECONDS)
    assert program.returncode == 1
    assert "put what starts it under `if __name__ == '__main__':`" in complaints


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


def test_tasks_run_in_threads_of_the_program_that_started_them(home: Path) -> None:
    with start(THREADS, home) as program:
        said, complaints = program.communicate(timeout=SECONDS)
    assert complaints == ""
    assert said.splitlines() == [
        "[False, False, False] [0, 1, 2]",
        "program:flaky [1, 2, 3]",
        "2 [2, 3]",
        "b'abab'",
        "cancelled",
        "SystemExit",
    ]
    assert [path.name for path in home.iterdir()] == ["program.py"]


def test_what_threads_cannot_do_is_refused(home: Path) -> None:
    with start(REFUSED, home) as program:
        said, complaints = program.communicate(timeout=SECONDS)
    assert complaints == ""
    lines = said.splitlines()
    assert [line.partition(",")[0] for line in lines[:3]] == ["workers must be 'processes' or 'threads'"] * 3
    assert [line.partition(",")[0] for line in lines[3:7]] == ["processes must be a whole number from 1"] * 4
    assert [line.partition(": a thread cannot be ended")[0] for line in lines[7:]] == [
        "tq.local: timeout=5",
        "program:limited: timeout=5",
    ]


def test_threads_take_callables_without_a_name_and_keep_none_of_them(home: Path) -> None:
    with start(NAMELESS, home) as program:
        said, complaints = program.communicate(timeout=SECONDS)
    assert said.splitlines() == [
        "3 (11, 1) 20",
        "2 3 32",
        "[10, 11, 12, 13] [0, 10, 20]",
        "[0, 1, 4, 9] 3",
        "main.<locals>.<lambda>(x): too many positional arguments",
        "1275",
        "True",
        "a lambda has no name that a worker could import; write: def job(x): return …; with file= the next program may have to "
        "finish the task, and finds its function by the name",
    ], complaints


def test_threads_of_the_next_program_finish_what_a_killed_one_had_begun(home: Path) -> None:
    keeper = SOON + KEEPER.replace('file="kept"', 'file="kept", workers="threads"')
    with start(keeper, home, "12") as program:
        assert program.stdout is not None
        assert program.stdout.readline().startswith("tq://127.0.0.1:")
        family = psutil.Process(program.pid).children(recursive=True)
        program.send_signal(signal.SIGKILL)
    eventually(lambda: not any(one.is_running() and one.status() != "zombie" for one in family))
    (home / "go").touch()
    with start(keeper, home, "0") as program:
        program.communicate("\n", timeout=SECONDS)
        assert program.returncode == 0
    assert sorted({*map(int, (home / "notes").read_text().split())}) == list(range(12))


@pytest.mark.parametrize("workers", ["processes", "threads"])
def test_a_program_that_ends_without_closing_it_ends_when_its_tasks_have(home: Path, workers: str) -> None:
    with start(UNCLOSED.replace("WORKERS", workers), home) as program:
        said, complaints = program.communicate(timeout=SECONDS)
    assert (said, complaints) == ("done\n" * 3, "")
    assert program.returncode == 0


@pytest.mark.parametrize(("program", "index"), [("master", 0), ("worker", 1)])
def test_a_cluster_of_ones_own_that_has_died_is_a_broken_executor_at_once(
    home: Path, program: str, index: int
) -> None:
    with start(KILLED, home, str(index)) as running:
        said, _ = running.communicate(timeout=SECONDS)
    words = f"the {program} of this program's own cluster was killed by SIGKILL; what was not finished is lost; make a new one"
    assert said.splitlines() == [words] * 8
    assert [path.name for path in home.iterdir()] == ["program.py"]


def test_a_dead_cluster_reports_where_its_tasks_are(home: Path) -> None:
    with start(KILLED, home, "1", "kept") as running:
        said, _ = running.communicate(timeout=SECONDS)
    assert "what was not finished remains in kept, and the next program that opens it finishes it" in said


def test_the_end_of_a_forked_child_is_not_the_end_of_its_parents_cluster(home: Path) -> None:
    with start(FORKED, home) as program:
        said, _ = program.communicate(timeout=SECONDS)
    assert said == "1\n3\nTrue 2\n"


def test_a_program_that_does_not_join_its_pool_ends_silently(home: Path) -> None:
    with start(UNJOINED, home) as program:
        said, complaints = program.communicate(timeout=SECONDS)
    assert (program.returncode, said, complaints) == (0, "", "")
    assert [path.name for path in home.iterdir()] == ["program.py"]


def test_two_programs_cannot_have_the_same_file_at_once(home: Path) -> None:
    with start(KEEPER, home, "0") as first:
        assert first.stdout is not None
        first.stdout.readline()
        with start(KEEPER, home, "0") as second:
            _, complaints = second.communicate("\n", timeout=SECONDS)
        assert (second.returncode, complaints.count("see: tq help")) == (1, 1)
        assert "another tq-master" in complaints
        assert "stop it first, or give this one another" in complaints
        first.communicate("\n", timeout=SECONDS)
    assert first.returncode == 0
