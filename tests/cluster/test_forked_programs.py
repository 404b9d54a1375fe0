"""Programs that the suite forks are as those that are started by exec, and do not outlive it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import psutil
import pytest
import tq
from xprocess import XProcess

from .conftest import MasterFactory, WorkerFactory
from .forked_programs import ForkedProgram
from .programs import (
    Master,
    Program,
    clean_environment,
    command,
    eventually,
    fork_server,
    run_program,
    text_process,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each program is started by exec")

SECONDS = 20.0


@pytest.mark.parametrize("words", [("tq", "--help"), ("tq", "no-such"), ("tq-master", "--bind", "nowhere")])
def test_it_writes_and_returns_what_one_started_by_exec_does(home: Path, words: tuple[str, ...]) -> None:
    program, *arguments = words
    environment = clean_environment(home)
    forked = run_program(program, *arguments, home=home)
    by_exec = subprocess.run(
        [*command(program), *arguments], env=environment, cwd=home, capture_output=True, text=True
    )
    assert fork_server().can_start(command(program), environment)
    assert (forked.returncode, forked.stdout, forked.stderr) == (
        by_exec.returncode,
        by_exec.stdout,
        by_exec.stderr,
    )


def test_it_has_its_folder_and_its_descriptors_and_none_of_the_server(
    xprocess: XProcess, tmp_path: Path, programs: list[Program]
) -> None:
    seen = []
    for by_exec in (False, True):
        folder = tmp_path / str(by_exec)
        folder.mkdir()
        master = Master(xprocess, folder, by_exec=by_exec)
        programs.append(master)
        master.start()
        assert isinstance(master.process, ForkedProgram) != by_exec
        place = Path("/proc", str(master.pid))
        assert os.readlink(place / "cwd") == str(folder)
        assert os.getpgid(master.pid) == master.pid
        opened = [os.readlink(entry).replace(str(folder), "") for entry in (place / "fd").iterdir()]
        seen.append(Counter(re.sub(r"\d+", "", name) for name in opened))
    assert seen[0] == seen[1]


SELF = """
import os, signal, sys
from pathlib import Path
import tq
app = tq.App()

@app.task
def self_portrait() -> dict:
    main = sys.modules["__main__"]
    return {
        "parent": os.getppid(), "group": os.getpgrp(), "session": os.getsid(0), "folder": os.getcwd(), "path": sys.path,
        "main": [main.__name__, main.__file__, main.__spec__.name, Path(sys.argv[0]).name], "arguments": len(sys.argv),
        "threads": len(os.listdir("/proc/self/task")),
        "environment": {key: value for key, value in os.environ.items() if key != "TQ_AUTHKEY"},
        "signals": [str(signal.getsignal(number)).split(" at ")[0] for number in signal.valid_signals()],
        "descriptors": sorted(os.readlink(one) for one in Path("/proc/self/fd").iterdir() if one.exists()),
    }
"""


def test_a_child_of_a_forked_worker_is_as_one_that_was_started_by_exec(
    home: Path, worker_factory: WorkerFactory, app: tq.App
) -> None:
    (home / "portraits.py").write_text(SELF)
    seen = []
    for by_exec in (False, True):
        worker = worker_factory(1, tasks=home / "portraits.py", by_exec=by_exec)
        found = app.submit("portraits:self_portrait").result(timeout=SECONDS)
        assert found.pop("parent") == worker.pid
        found["group"] = found["group"] == worker.pid
        found["session"] = found["session"] == os.getsid(worker.pid)
        [child] = worker.children()
        assert child.ppid() == worker.pid
        assert (
            "tq.worker.child.loop" in child.cmdline()
        ) == by_exec  # a forked one has the command of the server
        found["descriptors"] = Counter(re.sub(r"\d+", "", name) for name in found["descriptors"])
        seen.append(found)
        assert worker.terminate() == 0
    assert seen[0] == seen[1]


def test_a_child_of_a_forked_worker_dies_with_it_and_so_does_the_template(
    worker_factory: WorkerFactory,
) -> None:
    worker = worker_factory(2)
    family = psutil.Process(worker.pid).children()
    assert len(family) == 3
    assert len(worker.children()) == 2
    worker.kill()
    psutil.wait_procs(family, SECONDS)
    assert not [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def test_its_end_by_a_signal_is_its_status(master_factory: MasterFactory) -> None:
    master = master_factory()
    master.kill()
    assert master.process.returncode == -signal.SIGKILL
    master.restart()
    assert master.terminate() == 0
    assert not psutil.pid_exists(master.pid)


def test_a_program_whose_interpreter_is_to_start_otherwise_is_started_by_exec(home: Path) -> None:
    assert not fork_server().can_start(command("tq"), clean_environment(home, {"LC_ALL": "C"}))
    assert not fork_server().can_start(command("tq"), clean_environment(home, {"PYTHONPATH": "/"}))
    assert not fork_server().can_start([sys.executable, "-c", ""], clean_environment(home))


STARTS = """
import os, sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.cluster.programs import clean_environment, command, fork_server
home = Path({home!r})
words = [*command("tq-master"), "--bind", "127.0.0.1:0", "--data", str(home / "data")]
with open(os.devnull, "r+b") as nothing:
    program = fork_server().start(words, home, clean_environment(home), (nothing.fileno(),) * 3)
print(program.pid, fork_server()._process.pid, flush=True)
time.sleep(60)
"""


def test_programs_are_killed_when_the_process_of_the_tests_is(home: Path) -> None:
    root = str(Path(__file__).parents[2])
    program = [sys.executable, "-c", STARTS.format(root=root, home=str(home))]
    with text_process(program, stdout=subprocess.PIPE) as tests:
        assert tests.stdout is not None
        pids = [int(word) for word in re.findall(r"\d+", tests.stdout.readline())]
        assert len(pids) == 2
        assert all(map(psutil.pid_exists, pids))
        tests.kill()
    eventually(lambda: not any(map(psutil.pid_exists, pids)), SECONDS)


def test_a_request_that_was_given_up_leaves_the_answer_of_the_next_one_alone(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test's time limit may strike while it waits for the process id."""

    def struck(*_: object) -> bytes:
        raise TimeoutError

    with monkeypatch.context() as patch:
        patch.setattr("tests.cluster.forked_programs.os.read", struck)
        with pytest.raises(TimeoutError):
            run_program("tq", "no-such", home=home)
    assert run_program("tq", "--help", home=home).returncode == 0
