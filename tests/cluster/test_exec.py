"""``tq exec`` as people use it: real programs, on a worker that allows them and on one that does not."""

from __future__ import annotations

import json
import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from xprocess import XProcess

from .conftest import Cluster
from .programs import Worker, eventually
from .test_map import FAILED, USAGE, Shell

ALLOWED = "commands"  # the queue of the worker with --allow-shell; the other one serves all queues


@pytest.fixture(scope="module")
def allowing(
    cluster: Cluster, xprocess: XProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """A worker with --allow-shell beside the one that has it not."""
    home = tmp_path_factory.mktemp("allowing")
    options = ("--slots", 2, "--queue", ALLOWED, "--allow-shell", "--kill-grace-seconds", 5)
    worker = Worker(xprocess, home, cluster.master.address, cluster.master.authkey, *options)
    try:
        worker.start()
        yield
    finally:
        worker.end()


@pytest.fixture
def shell(cluster: Cluster, home: Path) -> Iterator[Shell]:
    shell = Shell(cluster, home)
    yield shell
    shell.end()


Exec = Callable[..., tuple[int, str, str]]


@pytest.fixture
def execute(allowing: None, shell: Shell) -> Exec:
    """``execute(*arguments)``: status, stdout and stderr of ``tq exec`` in the queue of that worker."""

    def execute(*arguments: object, input: bytes = b"") -> tuple[int, str, str]:
        done = shell.map("--queue", ALLOWED, "--cwd", shell.home, *arguments, input=input, program="exec")
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    return execute


def ended(pids: list[int]) -> bool:
    return not any(
        psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids
    )


def test_nothing_runs_on_a_worker_that_does_not_allow_it(shell: Shell, cluster: Cluster) -> None:
    """The first of this file: as long as no other worker has been here, the reason is the plainest."""
    queue = f"q-{uuid.uuid4().hex[:8]}"  # served by the worker without --allow-shell
    process = shell.start("exec", "--queue", queue, "touch", shell.home / "harm", ":::", "1")

    def waiting() -> list[bytes]:
        return [row["id"] for row in cluster.app.call(["get_tasks"], "list", {"queue": queue})]

    [id] = eventually(waiting)
    shown = cluster.app.call(["get_tasks"], "show", id)
    assert "start one with `tq-worker --connect … --allow-shell`" in shown["why"]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=50)
    assert not (shell.home / "harm").exists()


def test_names_of_files_do_no_harm(execute: Exec, shell: Shell) -> None:
    names = ["a b.txt", "; touch harm", "$(touch harm)", "-rf", "it's", "new\nline", "'\"\\"]
    for name in names:
        (shell.home / name).write_text(f"in {name}")
    assert execute("-k", "cat", "--", "{}", ":::", *names) == (0, "".join(f"in {name}" for name in names), "")
    assert execute("-k", "--shell", "cat -- {} | cat", ":::", *names)[1] == "".join(f"in {n}" for n in names)
    assert not (shell.home / "harm").exists()


def test_a_name_that_is_not_text_reaches_its_file(execute: Exec, shell: Shell) -> None:
    (shell.home / "b\udcff.txt").write_text("found")
    assert execute("--null", "cat", input=b"b\xff.txt\0") == (0, "found", "")


def test_options_behind_the_command_are_the_commands_own(execute: Exec) -> None:
    assert execute("echo", "--json", "-k", input=b"x") == (0, "--json -k x\n", "")


def test_output_comes_whole_and_tagged(execute: Exec) -> None:
    script = "echo {} one; echo {} two; echo {} err >&2"
    status, out, err = execute("--tag", "--shell", script, ":::", "a", "b")
    assert status == 0
    assert sorted(out.splitlines()) == ["a\ta one", "a\ta two", "b\tb one", "b\tb two"]
    lines = out.splitlines()
    assert lines[0][0] == lines[1][0]
    assert sorted(err.splitlines()) == ["a\ta err", "b\tb err"]


def test_exit_codes_are_kept(execute: Exec) -> None:
    status, out, err = execute("--json", "-k", "--shell", "echo o; echo e >&2; exit {}", ":::", "0", "3")
    good, bad = map(json.loads, out.splitlines())
    assert (good["exit_code"], good["state"], good["stdout"], good["stderr"]) == (
        0,
        "succeeded",
        "o\n",
        "e\n",
    )
    assert (bad["exit_code"], bad["state"], bad["stdout"], bad["stderr"]) == (3, "failed", "o\n", "e\n")
    assert bad["error"] == "exit status 3: e"
    assert status == FAILED
    assert err.splitlines() == ["tq: argument 2 '3': exit status 3: e", "tq: 1 of 2 failed"]


def test_a_failed_command_is_tried_again_when_asked(execute: Exec, shell: Shell) -> None:
    script = "echo x >> tries; test $(wc -l < tries) -ge 2; echo {}"
    assert execute("--retries", "2", "--shell", f"set -e; {script}", ":::", "there")[:2] == (0, "there\n")


def test_variables_reach_the_command(execute: Exec) -> None:
    assert execute("--env", "A=1 = 2", "--shell", 'echo "$A" {}', ":::", "x")[1] == "1 = 2 x\n"


def test_a_time_limit_ends_the_whole_group(execute: Exec, shell: Shell) -> None:
    script = "sh -c 'trap \"\" TERM; sleep 300; :' & echo $! $$ > pids{}; wait"
    # Long enough for two shells to start on a busy machine: nothing but the time ends them.
    status, out, err = execute("--timeout", "3", "--shell", script, ":::", "1")
    assert (status, out) == (FAILED, "")
    assert "it took longer than its limit of 3 s" in err
    pids = [int(pid) for pid in (shell.home / "pids1").read_text().split()]
    assert len(pids) == 2
    eventually(lambda: ended(pids))


def test_a_cancel_ends_the_whole_group_and_the_rest_runs_later(
    allowing: None, execute: Exec, shell: Shell
) -> None:
    script = "echo $$ > pid{}; test -e go || sleep 300 & wait; echo {}"
    arguments = ["--queue", ALLOWED, "--cwd", shell.home, "-k", "--shell", script]
    process = shell.start("exec", "--journal", "j", *arguments, ":::", "1", "2", "3")
    # Written, not only there: the shell makes the file before it writes.
    eventually(
        lambda: all(path.exists() and path.read_text() for path in map(shell.home.joinpath, ("pid1", "pid2")))
    )
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=50)
    assert process.returncode == 128 + signal.SIGTERM
    assert b"0 done, 0 failed, 3 cancelled" in err
    pids = [int((shell.home / f"pid{n}").read_text()) for n in (1, 2)]
    eventually(lambda: ended(pids))
    (shell.home / "go").touch()
    done = shell.map("--resume", "j", *arguments, ":::", "1", "2", "3", program="exec")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"1\n2\n3\n", b"")
    other = shell.map("--resume", "j", *arguments[:-1], "other", ":::", "1", "2", "3", program="exec")
    assert (other.returncode, b"a run with command" in other.stderr) == (USAGE, True)
